//! Why a postback is not answered ok.

use lambda::{ErrorReply, StatusCode};
use signing::NotVerified;
use tracing::error;

/// Why a postback is not answered ok. The provider sends it again.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The path's token is not ours.
    #[error("there is nothing here")]
    NotFound,
    /// The body is larger than any postback.
    #[error("the postback is larger than 256 KiB")]
    TooLarge,
    /// It is not a postback, or not the provider's.
    #[error(transparent)]
    NotVerified(NotVerified),
    /// Not everything in it is durable yet.
    #[error("the postback could not be kept now; send it again")]
    TryAgain,
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotVerified(NotVerified::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::NotVerified(NotVerified::AccessKey | NotVerified::Signature) => StatusCode::UNAUTHORIZED,
            Self::TryAgain => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::TooLarge | Self::NotVerified(NotVerified::Malformed(_)) => "malformed_postback",
            Self::NotVerified(NotVerified::AccessKey | NotVerified::Signature) => "bad_signature",
            Self::TryAgain => "try_again",
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
