//! The rejects file: written beside the output while the run goes on, under its own name only when the run has ended.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::reject::Reject;

/// Writes rejects as they come.
#[derive(Debug)]
pub(super) struct RejectLog<'p> {
    path: &'p Path,
    partial: PathBuf,
    out: Option<BufWriter<File>>,
}

impl<'p> RejectLog<'p> {
    pub(super) fn new(path: &'p Path) -> Self {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        Self { path, partial: partial.into(), out: None }
    }

    pub(super) fn push(&mut self, reject: &Reject, shard: &str) -> Result<()> {
        let out = if let Some(out) = &mut self.out {
            out
        } else {
            let file = File::create(&self.partial).map_err(|e| Error::io("create", &self.partial, &e))?;
            self.out.insert(BufWriter::with_capacity(1 << 16, file))
        };
        writeln!(out, "{}", reject.to_json(shard)).map_err(|e| Error::io("write", &self.partial, &e))
    }

    /// Gives the file its name, or takes an older one away if this run has no rejects and did not read it. Says whether
    /// there is one.
    pub(super) fn finish(&mut self, inputs: &[&Path]) -> Result<bool> {
        let Some(mut out) = self.out.take() else {
            remove_stale(self.path, inputs)?;
            return Ok(false);
        };
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(|e| Error::io("write", &self.partial, &e))?;
        std::fs::rename(&self.partial, self.path).map_err(|e| Error::io("rename", &self.partial, &e))?;
        Ok(true)
    }
}

impl Drop for RejectLog<'_> {
    fn drop(&mut self) {
        if self.out.take().is_some() {
            // The run failed: a list of some of its rejects would look like all of them.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Removes a file of an earlier run, unless this run has read it.
pub(super) fn remove_stale(path: &Path, inputs: &[&Path]) -> Result<()> {
    let same = |other: &&Path| other.canonicalize().ok().is_some_and(|o| path.canonicalize().is_ok_and(|p| p == o));
    if path.is_file() && !inputs.iter().any(same) {
        std::fs::remove_file(path).map_err(|e| Error::io("remove", path, &e))?;
    }
    Ok(())
}
