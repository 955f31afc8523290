//! The list of ids that an export reads by: a file with one JSON string a line, in the unit's work folder. A key is the byte at which
//! the next line begins.
//!
//! A file and not memory, because a collection may hold millions; and because a resumed run must read the very same ids.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use vec2lance::error::{Error, Result};

/// The file's name in the work folder.
const FILE: &str = "ids.jsonl";
/// Lines that are compared at once: 64 MB.
const COMPARED: u64 = 4 << 20;
/// Ids of a range at least: more ranges would be more parts of a few records.
const LEAST: u64 = 4_096;

/// The file under way.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Writer {
    /// A new file under a temporary name.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("{FILE}.tmp"));
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path).map_err(|e| Error::io("create", &path, &e))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 16, file) })
    }

    /// One more id.
    ///
    /// # Errors
    /// The disk is full.
    pub(super) fn push(&mut self, id: &str) -> Result<()> {
        let written = serde_json::to_writer(&mut self.file, id).map_err(std::io::Error::from).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|e| Error::io("write", &self.path, &e))
    }

    /// Takes out the ids that stand in it already, and counts those that stay.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub(super) fn unique(&mut self) -> Result<u64> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        self.file.flush().map_err(failed)?;
        let (lines, again) = doubles(&self.path)?;
        if again.is_empty() {
            return Ok(lines);
        }
        let other = self.path.with_extension("unique");
        {
            let mut out = BufWriter::new(File::create(&other).map_err(|e| Error::io("create", &other, &e))?);
            let mut kept = Ok(());
            each_line(&self.path, |at, line| {
                if kept.is_ok() && again.binary_search(&at).is_err() {
                    kept = out.write_all(line);
                }
            })?;
            kept.and_then(|()| out.flush()).map_err(|e| Error::io("write", &other, &e))?;
        }
        std::fs::rename(&other, &self.path).map_err(failed)?;
        let mut file = File::options().read(true).write(true).open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        self.file = BufWriter::with_capacity(1 << 16, file);
        Ok(lines - again.len() as u64)
    }

    /// Gives the file its name, and ranges of about the same number of bytes that end with a line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn finish(mut self, ids: u64, parallel: usize) -> Result<Vec<(u64, u64)>> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(failed)?;
        let path = self.path.with_file_name(FILE);
        std::fs::rename(&self.path, &path).map_err(failed)?;
        let failed = |e: std::io::Error| Error::io("read", &path, &e);
        let mut file = BufReader::new(File::open(&path).map_err(failed)?);
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let ranges = (ids / LEAST).clamp(1, parallel.max(1) as u64);
        let mut bounds = vec![0];
        let mut line = Vec::new();
        for number in 1..ranges {
            let near = length * number / ranges;
            file.seek(SeekFrom::Start(near)).map_err(failed)?;
            line.clear();
            let rest = file.read_until(b'\n', &mut line).map_err(failed)? as u64;
            if bounds.last().is_some_and(|last| near + rest > *last) && near + rest < length {
                bounds.push(near + rest);
            }
        }
        bounds.push(length);
        Ok(bounds.windows(2).map(|pair| (pair[0], pair[1])).collect())
    }
}

/// Up to `limit` ids that begin at the byte `from` and end at `to` at the latest, each with the byte at which the next one begins.
///
/// # Errors
/// The file is gone or damaged.
pub(super) fn read(folder: &Path, from: u64, to: u64, limit: usize) -> Result<Vec<(String, u64)>> {
    let path = folder.join(FILE);
    let failed = |e: std::io::Error| Error::io("read", &path, &e).help("what the export had listed is gone; begin anew with --restart");
    let mut file = BufReader::new(File::open(&path).map_err(failed)?);
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let (mut ids, mut at, mut line) = (Vec::new(), from, Vec::new());
    while at < to && ids.len() < limit {
        line.clear();
        at += file.read_until(b'\n', &mut line).map_err(failed)? as u64;
        let id = serde_json::from_slice(&line).ok().filter(|_| line.ends_with(b"\n") && at <= to);
        let id = id.ok_or_else(|| Error::new(format!("{}: damaged before byte {at}", path.display())).help("begin anew with --restart"))?;
        ids.push((id, at));
    }
    Ok(ids)
}

fn each_line(path: &Path, mut each: impl FnMut(u64, &[u8])) -> Result<()> {
    let failed = |e: std::io::Error| Error::io("read", path, &e);
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let (mut at, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let length = file.read_until(b'\n', &mut line).map_err(failed)? as u64;
        if length == 0 {
            return Ok(());
        }
        each(at, &line);
        at += length;
    }
}

fn hash(line: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

/// The number of lines, and where those begin that stand in the file before, in order. Memory is bounded: a large file is gone through
/// several times, each time for the lines of other hashes.
fn doubles(path: &Path) -> Result<(u64, Vec<u64>)> {
    let mut lines = 0_u64;
    each_line(path, |_, _| lines += 1)?;
    let passes = lines / COMPARED + 1;
    let mut again = Vec::new();
    let mut file = BufReader::new(File::open(path).map_err(|e| Error::io("read", path, &e))?);
    let mut text = |at: u64| -> Result<Vec<u8>> {
        let mut line = Vec::new();
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_until(b'\n', &mut line)).map_err(|e| Error::io("read", path, &e))?;
        Ok(line)
    };
    for pass in 0..passes {
        let mut seen = Vec::new();
        each_line(path, |at, line| {
            let hash = hash(line);
            if hash % passes == pass {
                seen.push((hash, at));
            }
        })?;
        seen.sort_unstable();
        for same in seen.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            let mut first = Vec::new();
            for (_, at) in same {
                let line = text(*at)?;
                if first.contains(&line) {
                    again.push(*at);
                } else {
                    first.push(line);
                }
            }
        }
    }
    again.sort_unstable();
    Ok((lines, again))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_in_order_and_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(folder.path()).expect("a file");
        let odd = ["a", "line\nbreak", "\u{1F600} é", "quote\"\\", " "];
        for id in odd.iter().chain(["a", " ", "z"].iter()) {
            writer.push(id).expect("written");
        }
        assert_eq!(writer.unique().expect("read"), 6);
        writer.push("z").expect("written");
        writer.push("y").expect("written");
        assert_eq!(writer.unique().expect("read"), 7);
        let ranges = writer.finish(7, 4).expect("finished");
        assert_eq!(ranges.len(), 1);
        let (mut from, to) = ranges[0];
        let mut got = Vec::new();
        while from < to {
            let page = read(folder.path(), from, to, 2).expect("read");
            from = page.last().expect("ids").1;
            got.extend(page.into_iter().map(|(id, _)| id));
        }
        assert_eq!(got, ["a", "line\nbreak", "\u{1F600} é", "quote\"\\", " ", "z", "y"]);
    }

    #[test]
    fn ranges_hold_every_id_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(folder.path()).expect("a file");
        let ids: Vec<String> = (0..20_000).map(|i| format!("id-{i}-{}", "x".repeat(i % 37))).collect();
        for id in &ids {
            writer.push(id).expect("written");
        }
        assert_eq!(writer.unique().expect("read"), 20_000);
        let ranges = writer.finish(20_000, 4).expect("finished");
        assert_eq!(ranges.len(), 4);
        let got: Vec<String> = ranges.iter().flat_map(|(from, to)| read(folder.path(), *from, *to, usize::MAX).expect("read")).map(|(id, _)| id).collect();
        assert_eq!(got, ids);
    }

    #[test]
    fn a_collection_may_be_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::create(folder.path()).expect("a file");
        assert_eq!(writer.unique().expect("read"), 0);
        assert_eq!(writer.finish(0, 4).expect("finished"), [(0, 0)]);
        assert!(read(folder.path(), 0, 0, 10).expect("read").is_empty());
    }
}
