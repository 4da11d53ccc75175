//! Why a number is not activated.

use lambda::{AwsError, BadRequest, ErrorReply, StatusCode};
use paykassma::NotAnswered;
use store::StoreError;

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
    /// The users of the order's label have entered too many numbers today.
    #[error("too many numbers were entered for this label today")]
    TooManyNumbers,
    /// The provider said `fail`.
    #[error("{0}")]
    Rejected(String),
    /// The provider was not reached.
    #[error("{TRY_AGAIN}")]
    Provider(#[source] NotAnswered),
    /// The provider was not asked.
    #[error("{TRY_AGAIN}")]
    Table(#[from] StoreError),
    /// The provider was not asked.
    #[error("{TRY_AGAIN}")]
    Secrets(#[from] AwsError),
}

const TRY_AGAIN: &str = "the number could not be activated now; send the same request again";

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::InUse => StatusCode::CONFLICT,
            Self::TooManyNumbers => StatusCode::TOO_MANY_REQUESTS,
            Self::Rejected(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Provider(_) | Self::Table(_) | Self::Secrets(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::NotFound => "not_found",
            Self::InUse => "transaction_in_use",
            Self::TooManyNumbers => "too_many_numbers",
            Self::Rejected(_) => "provider_rejected",
            Self::Provider(_) | Self::Table(_) | Self::Secrets(_) => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::InUse | Self::TooManyNumbers => Some("key1"),
            Self::NotFound | Self::Rejected(_) | Self::Provider(_) | Self::Table(_) | Self::Secrets(_) => None,
        }
    }
}
