//! Components as a file of numpy's: a zip of `.npy` arrays that are stored as they are, and a list in JSON of what they are of.
//!
//! Reads only what it has written itself; a zip that was packed again is refused.

use std::fmt::Write as _;

use crate::error::{Error, Result};
use crate::frame::pca::Components;

/// The list in the archive.
const LIST: &str = "fits.json";
/// Arrays of one entry of the list.
const ARRAYS: [&str; 3] = ["mean", "components", "variances"];

/// `source/collection/values/` with characters that a name in a zip should not have replaced; a number is added if it is taken.
fn prefix(components: &Components, taken: &[String]) -> String {
    let plain = |text: &str| text.chars().map(|c| if c.is_control() || matches!(c, '\\' | '/' | ':') { '_' } else { c }).collect::<String>();
    let (source, name) = (plain(&components.source), plain(&components.collection));
    let numbered = |n: u32| {
        let number = if n > 1 { format!("-{n}") } else { String::new() };
        format!("{source}/{name}{number}/{}/", components.from)
    };
    (1..=u32::MAX).map(numbered).find(|p| !taken.contains(p)).unwrap_or_default()
}

/// The archive's bytes; the same components give the same bytes.
///
/// # Errors
/// More than 4 GiB.
pub(super) fn pack(all: &[std::sync::Arc<Components>]) -> Result<Vec<u8>> {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let (mut taken, mut list) = (Vec::new(), Vec::new());
    for one in all {
        let prefix = prefix(one, &taken);
        let shapes = [(vec![one.from], &one.mean), (vec![one.to, one.from], &one.components), (vec![one.to], &one.variances)];
        for (name, (shape, values)) in ARRAYS.iter().zip(shapes) {
            files.push((format!("{prefix}{name}.npy"), array(&shape, values)));
        }
        let mut entry = serde_json::to_value(one.as_ref()).unwrap_or_default();
        entry["arrays"] = prefix.clone().into();
        list.push(entry);
        taken.push(prefix);
    }
    files.push((LIST.to_owned(), serde_json::to_string_pretty(&list).unwrap_or_default().into_bytes()));
    zip(&files).ok_or_else(|| Error::new("the components take more than 4 GiB").help("choose a smaller --dimension"))
}

/// The components of an archive.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<Components>> {
    let files = unzip(bytes)?;
    let file = |name: &str| files.iter().find(|(n, _)| *n == name).map(|(_, data)| *data);
    let list: Vec<serde_json::Value> = serde_json::from_slice(file(LIST)?).ok()?;
    let one = |entry: serde_json::Value| {
        let prefix = entry["arrays"].as_str()?.to_owned();
        let values = |name: &str| values(file(&format!("{prefix}{name}.npy"))?);
        let mut one: Components = serde_json::from_value(entry).ok()?;
        (one.mean, one.components, one.variances) = (values(ARRAYS[0])?, values(ARRAYS[1])?, values(ARRAYS[2])?);
        let fits = one.mean.len() == one.from && one.from.checked_mul(one.to) == Some(one.components.len()) && one.variances.len() == one.to && one.to > 0;
        fits.then_some(one)
    };
    list.into_iter().map(one).collect()
}

/// An array of float64 as `.npy`, version 1.0.
fn array(shape: &[usize], values: &[f64]) -> Vec<u8> {
    let mut shown = String::new();
    for length in shape {
        let _ = write!(shown, "{length}, ");
    }
    let shown = if shape.len() == 1 { shown.trim_end() } else { shown.trim_end_matches(", ") };
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shown}), }}");
    // Ten bytes stand before it, and all of it is a multiple of 64 that ends in a line end.
    let padded = (header.len() + 11).next_multiple_of(64) - 11;
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(header.bytes());
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    out
}

/// The numbers of such an array.
fn values(file: &[u8]) -> Option<Vec<f64>> {
    let length = usize::from(u16::from_le_bytes(file.strip_prefix(b"\x93NUMPY\x01\x00")?.first_chunk().copied()?));
    let (values, rest) = file.get(10 + length..)?.as_chunks::<8>();
    let values: Vec<f64> = values.iter().map(|b| f64::from_le_bytes(*b)).collect();
    (rest.is_empty() && values.iter().all(|v| v.is_finite())).then_some(values)
}

/// A zip of files that are not compressed. `None` if it would be too large for the plain form of the format.
fn zip(files: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in files {
        let at = u32::try_from(out.len()).ok()?;
        let size = u32::try_from(data.len()).ok()?;
        // Version 2.0, UTF-8 names, stored, 1 January 1980.
        let mut common = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32fast::hash(data).to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(size.to_le_bytes());
        common.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
        common.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.bytes());
        out.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (at, size) = (u32::try_from(out.len()).ok()?, u32::try_from(directory.len()).ok()?);
    let count = u16::try_from(files.len()).ok()?.to_le_bytes();
    out.extend(directory);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend(count);
    out.extend(count);
    out.extend(size.to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    Some(out)
}

/// The files of such a zip, each held against its checksum.
fn unzip(mut bytes: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let mut files = Vec::new();
    while let Some(rest) = bytes.strip_prefix(b"PK\x03\x04") {
        let (head, rest) = rest.split_at_checked(26)?;
        let number = |at: usize| head.get(at..at + 4).and_then(|b| b.first_chunk()).map(|b| u32::from_le_bytes(*b));
        let size = usize::try_from(number(14)?).ok()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*head[22..].first_chunk()?)))?;
        let (data, rest) = rest.split_at_checked(size)?;
        if crc32fast::hash(data) != number(10)? {
            return None;
        }
        files.push((std::str::from_utf8(name).ok()?, data));
        bytes = rest;
    }
    // Of a file that was cut off, the directory or its end is not whole.
    let (directory, end) = bytes.split_at_checked(bytes.len().checked_sub(22)?)?;
    let size = usize::try_from(u32::from_le_bytes(*end[12..].first_chunk()?)).ok()?;
    (directory.starts_with(b"PK\x01\x02") && end.starts_with(b"PK\x05\x06") && size == directory.len()).then_some(files)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn made(collection: &str, from: usize, to: usize) -> Arc<Components> {
        let numbers = |n: usize| (0..n).map(|v| 1.0 / (f64::from(u32::try_from(v).unwrap_or(0)) + 3.0)).collect::<Vec<_>>();
        let (mean, components, variances) = (numbers(from), numbers(from * to), numbers(to));
        Arc::new(Components { source: "qdrant".into(), collection: collection.into(), from, to, rows: 77, total: 0.1 + 0.2, mean, components, variances })
    }

    #[test]
    fn what_was_packed_comes_back_to_the_bit() {
        let all = [made("a/b", 5, 2), made("a:b", 5, 2), made("日本", 7, 3)];
        let bytes = pack(&all).expect("packed");
        let back: Vec<Arc<Components>> = unpack(&bytes).expect("unpacked").into_iter().map(Arc::new).collect();
        assert_eq!(back, all);
        for at in (0..bytes.len()).step_by(7) {
            assert!(unpack(&bytes[..at]).is_none(), "cut off at {at}");
        }
        let mut damaged = bytes;
        damaged[200] ^= 1;
        assert!(unpack(&damaged).is_none());
    }
}
