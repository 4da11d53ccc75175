//! Why a question is not answered.

use lambda::{BadRequest, ErrorReply, StatusCode};
use tracing::error;

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// There is no such transaction, or none that the merchant made.
    #[error("there is no transaction of this id")]
    NotFound,
    /// The table did not answer.
    #[error("the table could not be read now; send the same request again")]
    TryAgain,
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::NotFound => "not_found",
            Self::TryAgain => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::NotFound | Self::TryAgain => None,
        }
    }
}

impl From<store::StoreError> for ApiError {
    fn from(cause: store::StoreError) -> Self {
        error!(%cause, "the table failed");
        Self::TryAgain
    }
}
