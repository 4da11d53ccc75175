//! How a command ends. The exit statuses are those of `operator`.

use std::process::ExitCode;

/// The end of a command that did what it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Every answer was a 200.
    Well,
    /// There was another answer.
    OtherAnswer,
}

/// Why a command did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line, a value or a file is wrong.
    #[error("error: {0}")]
    Usage(String),
    /// The stack must not get simulated postbacks.
    #[error("refused: {0}")]
    NotAllowed(String),
    /// The stack does not answer.
    #[error("not reached: {0}")]
    NoAnswer(String),
}

impl Done {
    pub(crate) fn status(self) -> ExitCode {
        match self {
            Self::Well => ExitCode::SUCCESS,
            Self::OtherAnswer => ExitCode::from(1),
        }
    }
}

impl Failure {
    pub(crate) fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::NotAllowed(_) => 3,
            Self::NoAnswer(_) => 4,
        })
    }
}
