//! The error that ends a run: one message for a person, one optional `help:` line, one exit status.
//!
//! Not for records that are refused while the run goes on: those are [`crate::reject::Reject`].

use std::fmt;
use std::path::Path;

/// What the process answers to its caller. The numbers are a public contract (README, "Exit status").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: everything was converted and every check passed.
    Clean,
    /// 1: the run reached the end of its input and the data had findings.
    Findings,
    /// 2: the run could not do what was asked.
    Failed,
    /// 130: the user interrupted it.
    Interrupted,
}

impl Status {
    /// The process exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Failed => 2,
            Self::Interrupted => 130,
        }
    }
}

/// Why the run cannot go on.
#[derive(Debug)]
pub struct Error {
    message: String,
    help: Option<String>,
    status: Status,
    /// The same command may succeed once the cause is gone.
    passing: bool,
    /// The rejects so far belong to the answer.
    with_rejects: bool,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The run could not do what was asked (status 2).
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, status: Status::Failed, passing: false, with_rejects: false }
    }

    /// The input was read to the end and contradicts what was promised about it (status 1, nothing committed).
    pub fn finding(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, status: Status::Findings, passing: false, with_rejects: false }
    }

    /// The user asked to stop (status 130).
    #[must_use]
    pub fn interrupted() -> Self {
        Self { message: "interrupted; nothing was committed".into(), help: None, status: Status::Interrupted, passing: true, with_rejects: false }
    }

    /// An operating-system error on `path` while doing `what` ("read", "create", …).
    #[must_use]
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        let shown = crate::reject::printable(&path.display().to_string());
        let made = Self::new(format!("cannot {what} {shown}: {}", os_text(error))).passing();
        match error.kind() {
            std::io::ErrorKind::StorageFull => made.help("free some space on that volume, or choose another output folder"),
            std::io::ErrorKind::PermissionDenied => made.help("check the permissions of that path and of its folder"),
            _ => made,
        }
    }

    /// Marks an error whose cause lies outside of the data: a full disk, an interrupt. What was done so far is worth keeping.
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// Marks an error to which the list of rejects so far belongs.
    #[must_use]
    pub fn with_rejects(mut self) -> Self {
        self.with_rejects = true;
        self
    }

    /// Whether the list of rejects so far belongs to it.
    #[must_use]
    pub fn keeps_rejects(&self) -> bool {
        self.with_rejects
    }

    /// Whether the same command may succeed once the cause is gone.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// Adds to the `help:` line.
    #[must_use]
    pub fn and_help(mut self, more: &str) -> Self {
        self.help = Some(self.help.map_or_else(|| more.to_owned(), |help| format!("{help}; {more}")));
        self
    }

    /// Adds the one `help:` line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The exit status that this error asks for.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The `help:` line's text, if there is something to do.
    #[must_use]
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The system's words without Rust's "(os error N)".
pub(crate) fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(cut) => text[..cut].to_owned(),
        None => text,
    }
}
