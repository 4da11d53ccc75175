//! Why an order is not registered.

use lambda::{BadRequest, ErrorReply, StatusCode};
use tracing::error;

/// Why an order is not registered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// The id stands for another order.
    #[error("this custom_transaction_id is taken by an order that differs in: {0}")]
    IdTaken(String),
    /// The provider said `fail`.
    #[error("{0}")]
    Rejected(String),
    /// Nothing was recorded, or nobody knows; the same request is safe.
    #[error("the deposit could not be registered now; send the same request again")]
    TryAgain,
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::IdTaken(_) => StatusCode::CONFLICT,
            Self::Rejected(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::IdTaken(_) => "id_taken",
            Self::Rejected(_) => "provider_rejected",
            Self::TryAgain => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::IdTaken(_) => Some("custom_transaction_id"),
            Self::Rejected(_) | Self::TryAgain => None,
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
