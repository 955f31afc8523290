//! Puts the schema metadata of an index file into the order of its keys, so that the same index is the same bytes.
//!
//! Lance keeps that metadata in a hash map, and writes it in whatever order the map gives: the only thing in a vector index
//! that differs between two runs. Nothing is moved but whole entries inside of one protobuf map, whose order has no meaning, so
//! every length and offset stays. Layout: the footer and global buffers of Lance's file format 2.x (`lance-file`,
//! `writer.rs`: "Structure of the file"); global buffer 0 is the message `FileDescriptor { Schema schema = 1; … }`, and
//! `Schema.metadata` is field 5. A file of any other shape is left as it is.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

/// Bytes of the footer: five offsets and counts, the version, `LANC`.
const FOOTER: usize = 40;
/// Descriptors are small; anything larger is not what it seems.
const LARGEST: u64 = 64 << 20;

/// Sorts the metadata of one file, in place. `false`: it was not understood, and not touched.
///
/// # Errors
/// The file cannot be read or written.
pub(super) fn sort_metadata(path: &Path) -> std::io::Result<bool> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let Some((start, mut descriptor)) = descriptor(&mut file)? else { return Ok(false) };
    let Some(schema) = fields(&descriptor, 0..descriptor.len()).and_then(|f| f.into_iter().find(|f| f.number == 1)) else { return Ok(false) };
    let Some(all) = fields(&descriptor, schema.value.clone()) else { return Ok(false) };
    let entries: Vec<Field> = all.into_iter().filter(|f| f.number == 5 && f.wire == 2).collect();
    let whole = |f: &Field| f.whole.clone();
    let (Some(first), Some(last)) = (entries.first().map(whole), entries.last().map(whole)) else { return Ok(true) };
    // Only entries that lie together can be put in order without moving anything else.
    if entries.iter().map(|f| f.whole.len()).sum::<usize>() != last.end - first.start {
        return Ok(false);
    }
    let mut sorted: Vec<&[u8]> = entries.iter().map(|f| &descriptor[f.whole.clone()]).collect();
    sorted.sort_by_key(|entry| key(entry));
    let sorted = sorted.concat();
    if sorted != descriptor[first.start..last.end] {
        descriptor[first.start..last.end].copy_from_slice(&sorted);
        file.seek(SeekFrom::Start(start))?;
        file.write_all(&descriptor)?;
    }
    Ok(true)
}

/// The key of a map's entry: field 1 of the message in it.
fn key(entry: &[u8]) -> Option<&[u8]> {
    let message = fields(entry, 0..entry.len())?.into_iter().next()?.value;
    let key = fields(entry, message)?.into_iter().find(|f| f.number == 1)?.value;
    Some(&entry[key])
}

/// Where global buffer 0 starts, and its bytes.
fn descriptor(file: &mut File) -> std::io::Result<Option<(u64, Vec<u8>)>> {
    let size = file.seek(SeekFrom::End(0))?;
    let Some(at) = size.checked_sub(FOOTER as u64) else { return Ok(None) };
    let mut footer = [0; FOOTER];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut footer)?;
    let table = number(&footer[16..24]);
    if !footer.ends_with(b"LANC") || table > at.saturating_sub(16) {
        return Ok(None);
    }
    let mut entry = [0; 16];
    file.seek(SeekFrom::Start(table))?;
    file.read_exact(&mut entry)?;
    let (start, length) = (number(&entry[..8]), number(&entry[8..]));
    if length > LARGEST || start.checked_add(length).is_none_or(|end| end > at) {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(Some((start, bytes)))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// A field of a protobuf message.
struct Field {
    number: u64,
    wire: u64,
    /// With its tag.
    whole: Range<usize>,
    /// Without tag and length.
    value: Range<usize>,
}

/// The fields of the message at `range`; `None` if it is none.
fn fields(bytes: &[u8], range: Range<usize>) -> Option<Vec<Field>> {
    let mut out = Vec::new();
    let (mut at, end) = (range.start, range.end);
    while at < end {
        let start = at;
        let tag = varint(bytes, &mut at)?;
        let length = match tag & 7 {
            0 => {
                let from = at;
                varint(bytes, &mut at)?;
                let length = at - from;
                at = from;
                length
            }
            1 => 8,
            2 => usize::try_from(varint(bytes, &mut at)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let value = at..at.checked_add(length).filter(|e| *e <= end)?;
        at = value.end;
        out.push(Field { number: tag >> 3, wire: tag & 7, whole: start..at, value });
    }
    Some(out)
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(n: usize) -> u8 {
        u8::try_from(n).unwrap()
    }

    /// A file with nothing but a descriptor whose schema has these metadata.
    fn file(keys: &[&str]) -> Vec<u8> {
        let mut schema = vec![0x0A, 2, 8, 1];
        for key in keys {
            let entry = [&[0x0A, byte(key.len())][..], key.as_bytes(), &[0x12, 1, b'v'][..]].concat();
            schema.extend([&[0x2A, byte(entry.len())][..], &entry].concat());
        }
        let mut bytes = vec![b'#'; 64];
        bytes.extend([&[0x0A, byte(schema.len())][..], &schema, &[0x10, 7][..]].concat());
        let length = bytes.len() as u64 - 64;
        let table = bytes.len() as u64;
        for n in [64, length, 0, 0, table] {
            bytes.extend(n.to_le_bytes());
        }
        bytes.extend([0; 12]);
        bytes.extend(b"LANC");
        bytes
    }

    #[test]
    fn entries_come_out_in_order_and_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.idx");
        let sorted = file(&["lance:flat", "lance:index", "lance:ivf"]);
        for keys in [["lance:ivf", "lance:flat", "lance:index"], ["lance:index", "lance:ivf", "lance:flat"]] {
            std::fs::write(&path, file(&keys)).unwrap();
            assert!(sort_metadata(&path).unwrap());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), String::from_utf8(sorted.clone()).unwrap());
        }
    }

    #[test]
    fn a_file_of_another_shape_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.idx");
        let good = file(&["b", "a"]);
        for cut in 0..good.len() {
            std::fs::write(&path, &good[cut..]).unwrap();
            if sort_metadata(&path).is_ok_and(|sorted| !sorted) {
                assert_eq!(std::fs::read_to_string(&path).unwrap().as_bytes(), &good[cut..]);
            }
        }
    }
}
