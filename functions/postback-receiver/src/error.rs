//! Why a postback is not answered ok.

use lambda::{AwsError, ErrorReply, StatusCode, WRONG_TABLE};
use signing::{Malformed, NotVerified};
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
    /// It is not a postback. The log gets the same text, which never quotes the body.
    #[error("not a postback: {0}")]
    Malformed(#[source] Malformed),
    /// The access key is not ours, or the signature is not the provider's. The log gets which of them.
    #[error("{0}")]
    NotOurs(#[source] NotVerified),
    /// Not everything in it is durable yet.
    #[error("{TRY_AGAIN}")]
    Table(#[from] StoreError),
    /// Nothing failed, but the time was too short for all of it.
    #[error("{TRY_AGAIN}")]
    Unfinished,
    /// It could not be verified.
    #[error("{TRY_AGAIN}")]
    Secrets(#[from] AwsError),
}

const TRY_AGAIN: &str = "the postback could not be stored now; send it again";

impl From<NotVerified> for ApiError {
    fn from(error: NotVerified) -> Self {
        match error {
            NotVerified::Malformed(malformed) => Self::Malformed(malformed),
            NotVerified::AccessKey | NotVerified::Signature => Self::NotOurs(error),
        }
    }
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotOurs(_) => StatusCode::UNAUTHORIZED,
            Self::Table(_) | Self::Unfinished | Self::Secrets(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::TooLarge | Self::Malformed(_) => "malformed_postback",
            Self::NotOurs(_) => "bad_signature",
            Self::Table(StoreError::WrongTable) => WRONG_TABLE,
            Self::Table(_) | Self::Unfinished | Self::Secrets(_) => "try_again",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn the_log_says_what_is_wrong_with_a_body_that_is_not_verified() {
        for (error, answered, logged) in [
            (
                NotVerified::from(Malformed::DuplicateKey),
                (400, "malformed_postback"),
                "a key appears twice in one object",
            ),
            (NotVerified::from(Malformed::Missing("signature")), (400, "malformed_postback"), "`signature` is missing"),
            (NotVerified::AccessKey, (401, "bad_signature"), "the access key is not ours"),
            (NotVerified::Signature, (401, "bad_signature"), "the signature is not the provider's"),
        ] {
            let reply = ApiError::from(error);
            assert_eq!((reply.status().as_u16(), reply.code()), answered);
            assert_eq!(reply.to_string(), error.to_string(), "the caller gets the same text");
            let cause = reply.source().unwrap();
            assert_eq!((cause.to_string().as_str(), cause.source().is_none()), (logged, true));
        }
    }
}
