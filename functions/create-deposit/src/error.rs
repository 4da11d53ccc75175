//! Why an order is not registered.

use lambda::{AwsError, BadRequest, ErrorReply, StatusCode};
use paykassma::NotAnswered;
use store::StoreError;

/// Why an order is not registered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// The id belongs to another order.
    #[error("this custom_transaction_id is taken by an order that differs in: {0}")]
    IdTaken(String),
    /// The provider said `fail`.
    #[error("{0}")]
    Rejected(String),
    /// The provider could not be asked: nothing was recorded.
    #[error("{TRY_AGAIN}")]
    Provider(#[source] NotAnswered),
    /// Nobody knows whether it was recorded.
    #[error("{TRY_AGAIN}")]
    Table(#[from] StoreError),
    /// Nothing was recorded.
    #[error("{TRY_AGAIN}")]
    Secrets(#[from] AwsError),
}

const TRY_AGAIN: &str = "the deposit could not be registered now; send the same request again";

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::IdTaken(_) => StatusCode::CONFLICT,
            Self::Rejected(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Provider(_) | Self::Table(_) | Self::Secrets(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::IdTaken(_) => "id_taken",
            Self::Rejected(_) => "provider_rejected",
            Self::Provider(_) | Self::Table(_) | Self::Secrets(_) => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::IdTaken(_) => Some("custom_transaction_id"),
            Self::Rejected(_) | Self::Provider(_) | Self::Table(_) | Self::Secrets(_) => None,
        }
    }
}
