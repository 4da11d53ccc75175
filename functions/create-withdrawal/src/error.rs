//! Why a withdrawal is not made.

use lambda::{AwsError, BadRequest, ErrorReply, StatusCode, WRONG_TABLE};
use store::StoreError;

/// Why a withdrawal is not made.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// The id belongs to another withdrawal.
    #[error("this withdrawal_id is taken by a withdrawal that differs in: {0}")]
    IdTaken(String),
    /// The provider said `fail`: the funds are free.
    #[error("{0}")]
    Rejected(String),
    /// A ceiling on outgoing money does not allow it. Nothing is recorded.
    #[error("a limit on withdrawals is reached; nothing was recorded by this request")]
    LimitReached,
    /// Withdrawals are switched off.
    #[error("withdrawals are switched off; send the same request again later")]
    Off,
    /// The provider was not asked.
    #[error("{TRY_AGAIN}")]
    Table(#[from] StoreError),
    /// The provider was not asked: the secrets or the queue failed.
    #[error("{TRY_AGAIN}")]
    Aws(#[from] AwsError),
}

const TRY_AGAIN: &str = "the withdrawal could not be recorded now; send the same request again";

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::IdTaken(_) => StatusCode::CONFLICT,
            Self::Rejected(_) | Self::LimitReached => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Off | Self::Table(_) | Self::Aws(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::IdTaken(_) => "id_taken",
            Self::Rejected(_) => "provider_rejected",
            Self::Table(StoreError::WrongTable) => WRONG_TABLE,
            Self::LimitReached => "limit_reached",
            Self::Off => "withdrawals_off",
            Self::Table(_) | Self::Aws(_) => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::IdTaken(_) => Some("withdrawal_id"),
            Self::LimitReached => Some("amount"),
            Self::Rejected(_) | Self::Off | Self::Table(_) | Self::Aws(_) => None,
        }
    }
}
