//! Why a postback is not answered ok.

use lambda::{AwsError, ErrorReply, StatusCode};
use signing::NotVerified;
use store::StoreError;

/// Why a postback is not answered ok. The provider sends it again.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The path's token is not ours.
    #[error("nothing found")]
    NotFound,
    /// The body is larger than any postback.
    #[error("the postback is larger than 256 KiB")]
    TooLarge,
    /// It is not a postback, or not the provider's.
    #[error(transparent)]
    NotVerified(NotVerified),
    /// Not everything in it is durable yet.
    #[error("{TRY_AGAIN}")]
    Table(#[from] StoreError),
    /// It could not be verified.
    #[error("{TRY_AGAIN}")]
    Secrets(#[from] AwsError),
}

const TRY_AGAIN: &str = "the postback could not be stored now; send it again";

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotVerified(NotVerified::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::NotVerified(NotVerified::AccessKey | NotVerified::Signature) => StatusCode::UNAUTHORIZED,
            Self::Table(_) | Self::Secrets(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::TooLarge | Self::NotVerified(NotVerified::Malformed(_)) => "malformed_postback",
            Self::NotVerified(NotVerified::AccessKey | NotVerified::Signature) => "bad_signature",
            Self::Table(_) | Self::Secrets(_) => "try_again",
        }
    }
}
