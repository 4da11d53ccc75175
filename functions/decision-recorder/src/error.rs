//! Why a decision is not recorded.

use domain::NotResolved;
use lambda::{BadRequest, ErrorReply, StatusCode, WRONG_TABLE};
use store::StoreError;

use crate::decision::NotDecided;

/// Why a decision is not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// Nobody has verified who calls: the route has no IAM authorization.
    #[error("the caller is not known: this route needs IAM authorization")]
    NoCaller,
    /// There is no such row.
    #[error("nothing found")]
    NotFound,
    /// The row does not allow it.
    #[error(transparent)]
    NotAllowed(NotDecided),
    /// A row cannot be read, or has no room.
    #[error("the row {key} cannot be used: {reason}")]
    Unusable {
        /// The row.
        key: String,
        /// Why not.
        reason: String,
    },
    /// The row has another version than the person has seen.
    #[error("the row has version {0} now: look at it again")]
    Changed(u64),
    /// Somebody else has changed one of the rows in the meantime.
    #[error("a row has changed in the meantime: look at it again")]
    Raced,
    /// The decision was not recorded, or nobody knows.
    #[error("the decision could not be recorded now; send the same request again")]
    Table(#[source] StoreError),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Permanent { key, reason } => Self::Unusable { key, reason },
            StoreError::Newer { .. } | StoreError::Transient(_) | StoreError::NoAnswer(_) | StoreError::WrongTable => {
                Self::Table(error)
            }
        }
    }
}

impl From<NotDecided> for ApiError {
    fn from(error: NotDecided) -> Self {
        match error {
            NotDecided::Table(error) => error.into(),
            NotDecided::OrderNotNeeded => BadRequest::field("order", error).into(),
            NotDecided::NumberNotNeeded => BadRequest::field("number", error).into(),
            NotDecided::DifferenceNotNeeded => BadRequest::field("different_payment", error).into(),
            NotDecided::SameNumber { .. }
            | NotDecided::NotResolved(_)
            | NotDecided::IsOrder
            | NotDecided::NotOnItsWay
            | NotDecided::IdKnown
            | NotDecided::NothingToDecide
            | NotDecided::NoOrder => Self::NotAllowed(error),
        }
    }
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::NoCaller => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotAllowed(_) | Self::Unusable { .. } | Self::Changed(_) | Self::Raced => StatusCode::CONFLICT,
            Self::Table(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::NoCaller => "no_caller",
            Self::NotFound => "not_found",
            Self::NotAllowed(NotDecided::SameNumber { .. }) => "same_number",
            Self::NotAllowed(_) => "not_allowed",
            Self::Unusable { .. } => "unusable",
            Self::Changed(_) | Self::Raced => "changed",
            Self::Table(StoreError::WrongTable) => WRONG_TABLE,
            Self::Table(_) => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(bad) => bad.field(),
            Self::NotAllowed(NotDecided::NotResolved(NotResolved::Number(_))) => Some("number"),
            Self::NoCaller
            | Self::NotFound
            | Self::NotAllowed(_)
            | Self::Unusable { .. }
            | Self::Changed(_)
            | Self::Raced
            | Self::Table(_) => None,
        }
    }
}
