//! What DynamoDB's errors mean for a write.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::StoreError;

/// What an error, or a reason of a cancelled transaction, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Another write of the row was under way, and nothing was written: read and decide again. The SDK does not retry it.
    Race,
    /// The row would be larger than a row may be: that happens every time.
    TooLarge,
    /// It may pass: throttling and outages by themselves; a wrong expression, a missing right or a wrong name with the next
    /// deployment.
    Transient,
}

/// The codes of a lost race. That the condition failed is one of them for a transaction; a single write is answered with the
/// current row.
const RACES: [&str; 5] = [
    "ConditionalCheckFailed",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
];
/// The code that names a row which is too large, as an error of a single write and as a reason of a cancelled transaction. Other
/// mistakes have the same code: only the message tells.
const INVALID: [&str; 2] = ["ValidationException", "ValidationError"];
/// The beginnings of the message about a row that is too large: of a put and of an update.
const TOO_LARGE: [&str; 2] =
    ["Item size has exceeded the maximum allowed size", "Item size to update has exceeded the maximum allowed size"];

/// What an error of this code means. This is the one table of DynamoDB's errors.
pub(crate) fn meaning(code: &str, message: &str) -> Meaning {
    if RACES.contains(&code) {
        Meaning::Race
    } else if INVALID.contains(&code) && TOO_LARGE.iter().any(|text| message.contains(text)) {
        Meaning::TooLarge
    } else {
        Meaning::Transient
    }
}

/// What a call's error means.
pub(crate) fn meaning_of<E, H>(error: &SdkError<E, H>) -> Meaning
where
    SdkError<E, H>: ProvideErrorMetadata,
{
    meaning(error.code().unwrap_or_default(), error.message().unwrap_or_default())
}

/// Names the error by its code alone where the service gave one: a message may quote what is in a row.
pub(crate) fn unavailable<E, H>(error: &SdkError<E, H>) -> StoreError
where
    SdkError<E, H>: std::error::Error + ProvideErrorMetadata,
{
    match error.code() {
        Some(code) => StoreError::transient(code),
        None => StoreError::NoAnswer(DisplayErrorContext(error).to_string()),
    }
}

/// The error of a row that is too large.
pub(crate) fn too_large(key: String) -> StoreError {
    StoreError::Permanent { key, reason: "it is larger than a row may be".into() }
}
