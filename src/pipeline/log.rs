//! Files beside the output: the rejects and the list of duplicates. Written while the run goes on under another name, under
//! their own only when the run has ended; a run that fails leaves neither.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::plan::unfinished;

/// A file of lines that appears when it is finished.
#[derive(Debug)]
pub(super) struct Beside<'p> {
    path: &'p Path,
    partial: PathBuf,
    out: Option<BufWriter<File>>,
}

impl<'p> Beside<'p> {
    /// Nothing is written before the first line. What a killed run has left under the unfinished name goes; the caller holds
    /// the staging folder, so no other run can be writing it.
    pub(super) fn new(path: &'p Path) -> Self {
        let partial = unfinished(path);
        if partial.is_file() {
            let _ = std::fs::remove_file(&partial);
        }
        Self { path, partial, out: None }
    }

    pub(super) fn line(&mut self, text: &str) -> Result<()> {
        let out = if let Some(out) = &mut self.out {
            out
        } else {
            let file = File::create(&self.partial).map_err(|e| Error::io("create", &self.partial, &e))?;
            self.out.insert(BufWriter::with_capacity(1 << 16, file))
        };
        writeln!(out, "{text}").map_err(|e| Error::io("write", &self.partial, &e))
    }

    /// Gives the file its name; or, if it has no line, takes away one of an earlier run, unless this run has read it. Says
    /// whether there is a file.
    pub(super) fn finish(&mut self, inputs: &[&Path]) -> Result<bool> {
        let Some(mut out) = self.out.take() else {
            let same = |other: &&Path| other.canonicalize().ok().is_some_and(|o| self.path.canonicalize().is_ok_and(|p| p == o));
            if self.path.is_file() && !inputs.iter().any(same) {
                std::fs::remove_file(self.path).map_err(|e| Error::io("remove", self.path, &e))?;
            }
            return Ok(false);
        };
        let flushed = out.flush().and_then(|()| out.get_ref().sync_all());
        let named = flushed.and_then(|()| std::fs::rename(&self.partial, self.path));
        named.map_err(|e| {
            let _ = std::fs::remove_file(&self.partial);
            Error::io("write", self.path, &e)
        })?;
        Ok(true)
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        if self.out.take().is_some() {
            // The run failed: a list of some of its records would look like all of them.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}
