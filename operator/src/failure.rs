//! How the tool ends.

use std::process::ExitCode;

/// The end of a command that did what it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// All is as it should be.
    Well,
    /// It found something: a difference, a broken rule, an answer that is not ok.
    Found,
}

/// Why a command did not do what it was asked to do. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line, a setting or a file is wrong.
    #[error("error: {0}")]
    Usage(String),
    /// The state of things does not allow it.
    #[error("not allowed: {0}")]
    NotAllowed(String),
    /// The row has another version than the person has seen.
    #[error("not allowed: {0}")]
    Changed(String),
    /// The stack does not answer.
    #[error("not reached: {0}")]
    NoAnswer(String),
}

impl Done {
    pub(crate) fn status(self) -> ExitCode {
        match self {
            Self::Well => ExitCode::SUCCESS,
            Self::Found => ExitCode::from(1),
        }
    }
}

impl Failure {
    pub(crate) fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::NotAllowed(_) | Self::Changed(_) => 3,
            Self::NoAnswer(_) => 4,
        })
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        match error.unreadable_row() {
            Ok(row) => Self::NotAllowed(format!("the row cannot be used: {row}")),
            Err(error) => Self::NoAnswer(error.to_string()),
        }
    }
}

/// Of files: those of the network are [`store::StoreError`].
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Usage(format!("a file: {error}"))
    }
}

impl From<lambda::BadSetting> for Failure {
    fn from(error: lambda::BadSetting) -> Self {
        Self::Usage(format!("{error}; give --local, --env-file FILE, or the environment variable"))
    }
}
