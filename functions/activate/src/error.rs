//! Why a number is not activated.

use lambda::{BadRequest, ErrorReply, StatusCode};
use tracing::error;

/// Why a number is not activated.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// There is no such order.
    #[error("no deposit has this custom_transaction_id")]
    NotFound,
    /// Another order has claimed the number.
    #[error("this number is in use for another deposit")]
    InUse,
    /// The user has tried too many numbers for this order.
    #[error("too many numbers were tried for this deposit")]
    TooManyAttempts,
    /// The provider said `fail`.
    #[error("{0}")]
    Rejected(String),
    /// Nobody knows, or the provider was not reached; the same request is safe.
    #[error("the number could not be activated now; send the same request again")]
    TryAgain,
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::InUse | Self::TooManyAttempts => StatusCode::CONFLICT,
            Self::Rejected(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::NotFound => "not_found",
            Self::InUse => "transaction_in_use",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Rejected(_) => "provider_rejected",
            Self::TryAgain => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::InUse | Self::TooManyAttempts => Some("key1"),
            Self::NotFound | Self::Rejected(_) | Self::TryAgain => None,
        }
    }
}

impl From<store::StoreError> for ApiError {
    fn from(cause: store::StoreError) -> Self {
        error!(%cause, "the table failed");
        Self::TryAgain
    }
}

impl From<lambda::AwsError> for ApiError {
    fn from(cause: lambda::AwsError) -> Self {
        error!(%cause, "the secrets failed");
        Self::TryAgain
    }
}
