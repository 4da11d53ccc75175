//! How the tool ends.

use std::process::ExitCode;

use crate::unreached::Unreached;

/// The end of a command that did what it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// All is as it should be.
    Well,
    /// It found something: a difference, a broken rule, an answer that is not ok.
    Found,
}

/// Why a command did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What clap says of the command line.
    #[error("{0}")]
    CommandLine(String),
    /// The command line, a setting or a file is wrong.
    #[error("error: {0}")]
    Usage(String),
    /// The state of things does not allow it.
    #[error("not allowed: {0}")]
    NotAllowed(String),
    /// The person's AWS role does not allow it.
    #[error("not allowed: {0}")]
    Denied(String),
    /// The row has another version than the person has seen.
    #[error("not allowed: {0}")]
    Changed(String),
    /// The stack does not answer.
    #[error("not reached: {0}")]
    NoAnswer(String),
    /// A service of the stack does not answer, or answers with an error.
    #[error("not reached: {0}")]
    Unreached(Unreached),
    /// Not all of the output was written.
    #[error(
        "not printed: the output could not be written to its end ({0}); what the command does was done all the same"
    )]
    NotPrinted(String),
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
            Self::CommandLine(_) | Self::Usage(_) => 2,
            Self::NotAllowed(_) | Self::Denied(_) | Self::Changed(_) => 3,
            Self::NoAnswer(_) | Self::Unreached(_) | Self::NotPrinted(_) => 4,
        })
    }

    /// What the client of a service says about it.
    pub(crate) fn cause(&self) -> Option<&str> {
        if let Self::Unreached(unreached) = self { Some(unreached.cause()) } else { None }
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        match error.unreadable_row() {
            Ok(row) => Self::NotAllowed(format!("the row cannot be used: {row}")),
            Err(error) => {
                Unreached::of_table(&error).map_or_else(|| Self::NoAnswer(error.to_string()), Self::Unreached)
            }
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
