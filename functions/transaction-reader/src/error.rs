//! Why a request is not answered.

use lambda::{BadRequest, ErrorReply, StatusCode};
use store::StoreError;

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// There is no such transaction, or none that the merchant made.
    #[error("no transaction has this id")]
    NotFound,
    /// The table failed.
    #[error("the table could not be read now; send the same request again")]
    Table(#[from] StoreError),
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Table(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::NotFound => "not_found",
            Self::Table(_) => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::NotFound | Self::Table(_) => None,
        }
    }
}
