//! Files of lines in the unit's work folder: ids to fetch, or records that a filter gave. They are appended to with checkpoints, so
//! that a killed run goes on; read from any byte on; and cut into ranges at line ends.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vec2lance::error::{Error, Result};

/// What is known when so many bytes of the file are good.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Bytes of whole lines.
    pub(super) bytes: u64,
    /// Lines.
    pub(super) lines: u64,
    /// What asks for the next page; none at the beginning.
    pub(super) token: Option<String>,
    /// Queries of a sweep.
    pub(super) queries: u64,
    /// Records that the index said to have when a sweep began.
    pub(super) expected: Option<u64>,
    /// Read units that the calls so far have cost.
    pub(super) read_units: u64,
    /// Nothing follows.
    pub(super) done: bool,
    /// Ranges that the file was cut into.
    #[serde(default)]
    pub(super) ranges: u64,
}

/// A file being written.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    /// What was written.
    pub(super) at: Checkpoint,
}

/// What is known of a file that was written to its end; nothing where there is none.
pub(super) fn known(path: &Path) -> Checkpoint {
    std::fs::read_to_string(mark(path)).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Notes into how many ranges a file was cut that was written to its end.
///
/// # Errors
/// It cannot be written.
pub(super) fn note_ranges(path: &Path, ranges: u64) -> Result<()> {
    put(path, &Checkpoint { ranges, ..known(path) })
}

fn put(path: &Path, at: &Checkpoint) -> Result<()> {
    let text = serde_json::to_string(at).map_err(|e| Error::new(format!("cannot note what was listed: {e}")))?;
    let (last, new) = (mark(path), path.with_extension("checkpoint.tmp"));
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &last)).map_err(|e| Error::io("write", &new, &e))
}

fn mark(path: &Path) -> PathBuf {
    path.with_extension("checkpoint")
}

impl Lines {
    /// Opens `name` in `folder` where the last checkpoint left it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let failed = |e: std::io::Error| Error::io("write", &path, &e);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let at = known(&path);
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        let at = if file.metadata().map_err(failed)?.len() < at.bytes { Checkpoint::default() } else { at };
        file.set_len(at.bytes).map_err(failed)?;
        let mut file = BufWriter::with_capacity(1 << 18, file);
        file.seek(SeekFrom::Start(at.bytes)).map_err(failed)?;
        Ok(Self { path, file, at })
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn clear(&mut self) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        self.file.flush().map_err(failed)?;
        self.file.get_ref().set_len(0).map_err(failed)?;
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.at = Checkpoint::default();
        self.save()
    }

    /// Appends a line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn push(&mut self, line: &str) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        self.file.write_all(line.as_bytes()).and_then(|()| self.file.write_all(b"\n")).map_err(failed)?;
        self.at.bytes += line.len() as u64 + 1;
        self.at.lines += 1;
        Ok(())
    }

    /// Makes what was written, and what is known, outlive the process.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn save(&mut self) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("write", &self.path, &e);
        self.file.flush().and_then(|()| self.file.get_ref().sync_data()).map_err(failed)?;
        put(&self.path, &self.at)
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Up to `most` lines from byte `from` on that begin before byte `to` (0: the file's end), each with the byte at which the next one begins.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(path: &Path, from: u64, to: Option<u64>, most: usize) -> Result<Vec<(String, u64)>> {
    let failed = |e: std::io::Error| Error::io("read", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut reader = BufReader::new(file);
    let (mut lines, mut at) = (Vec::new(), from);
    while lines.len() < most && to.is_none_or(|to| at < to) {
        let mut line = String::new();
        let length = reader.read_line(&mut line).map_err(failed)?;
        if length == 0 {
            break;
        }
        at += length as u64;
        line.truncate(line.trim_end_matches('\n').len());
        lines.push((line, at));
    }
    Ok(lines)
}

/// Beginnings of up to `parallel` ranges of about as many bytes each; the first one is 0.
///
/// # Errors
/// It cannot be read.
pub(super) fn cuts(path: &Path, bytes: u64, parallel: usize) -> Result<Vec<u64>> {
    let mut cuts = vec![0];
    for part in 1..parallel as u64 {
        let start = line_start(path, bytes / parallel as u64 * part)?;
        if start > *cuts.last().unwrap_or(&0) && start < bytes {
            cuts.push(start);
        }
    }
    Ok(cuts)
}

/// The first byte of the line that follows the one in which byte `at` lies; `at` itself at the file's beginning.
///
/// # Errors
/// It cannot be read.
pub(super) fn line_start(path: &Path, at: u64) -> Result<u64> {
    if at == 0 {
        return Ok(0);
    }
    let failed = |e: std::io::Error| Error::io("read", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(at)).map_err(failed)?;
    let mut rest = Vec::new();
    let length = BufReader::new(file).take(1 << 20).read_until(b'\n', &mut rest).map_err(failed)?;
    Ok(at + length as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_outlive_a_death_at_their_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = Lines::open(folder.path(), "ids").unwrap();
        lines.push("a").unwrap();
        lines.push("bb").unwrap();
        lines.at.token = Some("t".into());
        lines.save().unwrap();
        lines.push("lost").unwrap();
        drop(lines);
        let mut lines = Lines::open(folder.path(), "ids").unwrap();
        assert_eq!((lines.at.bytes, lines.at.lines, lines.at.token.as_deref()), (5, 2, Some("t")));
        lines.push("ccc").unwrap();
        lines.save().unwrap();
        let path = folder.path().join("ids");
        assert_eq!(read(&path, 0, None, 9).unwrap(), [("a".into(), 2), ("bb".into(), 5), ("ccc".into(), 9)]);
        assert_eq!(read(&path, 2, Some(5), 9).unwrap(), [("bb".into(), 5)]);
        assert_eq!(cuts(&path, 9, 2).unwrap(), [0, 5]);
        assert_eq!(cuts(&path, 9, 1).unwrap(), [0]);
    }
}
