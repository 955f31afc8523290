//! Files beside the output: the rejects and the list of duplicates. Written while the run goes on under another name, under
//! their own only when the run has ended; a run that fails leaves neither.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::plan::unfinished;
use crate::reject::printable;

use super::journal::kept;

/// A file of lines that appears when it is finished.
#[derive(Debug)]
pub(super) struct Beside {
    path: PathBuf,
    partial: PathBuf,
    out: Option<BufWriter<File>>,
    bytes: u64,
}

impl Beside {
    /// Nothing is written before the first line.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), partial: unfinished(path), out: None, bytes: 0 }
    }

    /// Where it will be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes away what a killed run has left under the unfinished name; the caller holds the staging folder, so no other run can
    /// be writing it.
    pub(super) fn begin(&self) {
        if self.partial.is_file() {
            let _ = std::fs::remove_file(&self.partial);
        }
    }

    /// Goes on with what a killed run has left: its first `bytes`.
    pub(super) fn go_on(&mut self, bytes: u64) -> Result<()> {
        if bytes == 0 {
            self.begin();
            return Ok(());
        }
        // It has its own name already if the run died at its very end.
        if !self.partial.is_file() && self.path.is_file() {
            std::fs::copy(&self.path, &self.partial).map_err(|e| Error::io("copy", &self.path, &e))?;
        }
        let failed = |e: std::io::Error| Error::io("write", &self.partial, &e);
        let mut file = File::options().write(true).open(&self.partial).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() < bytes {
            return Err(Error::new(format!("{}: shorter than the interrupted run had written it", printable(&self.partial.display().to_string())))
                .help("begin anew with --restart"));
        }
        file.set_len(bytes).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        self.out = Some(BufWriter::with_capacity(1 << 16, file));
        self.bytes = bytes;
        Ok(())
    }

    pub(super) fn line(&mut self, text: &str) -> Result<()> {
        let out = if let Some(out) = &mut self.out {
            out
        } else {
            let file = File::create(&self.partial).map_err(|e| Error::io("create", &self.partial, &e))?;
            self.out.insert(BufWriter::with_capacity(1 << 16, file))
        };
        self.bytes += text.len() as u64 + 1;
        writeln!(out, "{text}").map_err(|e| Error::io("write", &self.partial, &e))
    }

    /// Brings all lines to the system, and gives the bytes so far.
    pub(super) fn flush(&mut self) -> Result<u64> {
        if let Some(out) = &mut self.out {
            out.flush().map_err(|e| Error::io("write", &self.partial, &e))?;
        }
        Ok(self.bytes)
    }

    /// The file, if there is one yet.
    pub(super) fn file(&self) -> Result<Option<File>> {
        self.out.as_ref().map(|out| out.get_ref().try_clone()).transpose().map_err(|e| Error::io("open", &self.partial, &e))
    }

    /// Gives the file its name; or, if it has no line, takes away one of an earlier run, unless this run has read it. Says
    /// whether there is a file.
    pub(super) fn finish(&mut self, inputs: &[&Path]) -> Result<bool> {
        let Some(mut out) = self.out.take() else {
            let same = |other: &&Path| other.canonicalize().ok().is_some_and(|o| self.path.canonicalize().is_ok_and(|p| p == o));
            if self.path.is_file() && !inputs.iter().any(same) {
                std::fs::remove_file(&self.path).map_err(|e| Error::io("remove", &self.path, &e))?;
            }
            return Ok(false);
        };
        let flushed = out.flush().and_then(|()| out.get_ref().sync_all());
        let named = flushed.and_then(|()| std::fs::rename(&self.partial, &self.path));
        named.map_err(|e| {
            if !kept() {
                let _ = std::fs::remove_file(&self.partial);
            }
            Error::io("write", &self.path, &e)
        })?;
        Ok(true)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if self.out.take().is_some() && !kept() {
            // The run failed: a list of some of its records would look like all of them. A journal knows how much of it counts.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}
