//! Credentials: where they come from, and that nothing prints them.
//!
//! Never an argument: a command line stands in the shell's history and in the list of processes.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use vec2lance::error::{Error, Result};

/// Bytes of a key file that are read at most.
const MOST: u64 = 64 << 10;

/// A credential. It has no `Display`, and its `Debug` is three dots.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// From a value that was composed of others, as `Bearer …`.
    #[must_use]
    pub(crate) fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the header that carries it and for nothing else.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The same with `prefix` before it: `Bearer `, `Basic `.
    #[must_use]
    pub(crate) fn prefixed(&self, prefix: &str) -> Self {
        Self(format!("{prefix}{}", self.0))
    }

    /// From `file` if one is given, else from the first of these environment variables that is set and not empty.
    ///
    /// # Errors
    /// The file cannot be read, is open to others, or empty.
    pub(crate) fn find(file: Option<&Path>, variables: &[&str]) -> Result<Option<Self>> {
        if let Some(path) = file {
            return Self::read(path).map(Some);
        }
        for name in variables {
            match std::env::var(name) {
                Ok(value) if !value.trim().is_empty() => return Self::checked(value.trim(), &format!("${name}")).map(Some),
                Err(std::env::VarError::NotUnicode(_)) => return Err(Error::new(format!("${name} is not UTF-8"))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The first line of a file that only its owner can read (mode 0600 or 0400).
    ///
    /// # Errors
    /// It cannot be read, is open to others, or empty.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| Error::io("read", path, &e);
        let file = File::open(path).map_err(failed)?;
        let shown = path.display();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
            if mode & 0o177 != 0 {
                return Err(Error::new(format!("{shown} has the mode {mode:04o}: others may read the key in it")).help(format!("chmod 600 {shown}")));
            }
        }
        let mut text = String::new();
        file.take(MOST).read_to_string(&mut text).map_err(failed)?;
        Self::checked(text.trim(), &shown.to_string())
    }

    fn checked(value: &str, place: &str) -> Result<Self> {
        if value.is_empty() {
            return Err(Error::new(format!("{place} holds no key")));
        }
        // A header cannot carry them, and its error would show the value.
        if value.chars().any(|c| c.is_control() || !c.is_ascii()) {
            return Err(Error::new(format!("{place} holds more than a key: one line of ASCII is expected")));
        }
        Ok(Self(value.to_owned()))
    }

    /// `text` with every occurrence of this value, or of the part behind its last space (`Bearer …`), made invisible.
    #[must_use]
    pub(crate) fn hide(&self, text: &str) -> String {
        let bare = self.0.rsplit(' ').next().unwrap_or_default();
        // Three characters or fewer stand in every text.
        if bare.len() < 4 { text.to_owned() } else { text.replace(bare, "…") }
    }
}
