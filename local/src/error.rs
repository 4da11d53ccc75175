//! Why a stack did not start.

use std::io;
use std::path::PathBuf;

use crate::aws::AwsError;

/// Why a stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else listens there.
    #[error("port {port} is in use: choose another one with {option} (0: any free one)")]
    PortInUse {
        /// The port.
        port: u16,
        /// The command line's option for it.
        option: &'static str,
    },
    /// A program is missing.
    #[error("{} is missing: build it with `cargo build --workspace --bins`", .0.display())]
    NotBuilt(PathBuf),
    /// A file, a socket or a process failed.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
    /// The table's file cannot be opened.
    #[error("the table's database: {0}")]
    Database(#[from] dynoxide::DynoxideError),
    /// The table or a queue cannot be created.
    #[error("a stand-in for AWS refused: {0}")]
    Aws(#[from] AwsError),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// Says what failed.
pub(crate) trait Doing<T> {
    /// Names the file, socket or process.
    fn doing(self, what: &'static str) -> Result<T, StartError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &'static str) -> Result<T, StartError> {
        self.map_err(|error| StartError::Io(what, error))
    }
}
