//! What DynamoDB's errors mean for a write.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::StoreError;

/// The codes that say that another write of the row was under way, as an error or as a reason of a cancelled transaction.
/// Nothing was written: read and decide again. The SDK does not retry them. That the condition failed is one of them for a
/// transaction; a single write is answered with the current row.
const RACES: [&str; 5] = [
    "ConditionalCheckFailed",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
];

/// Whether an error of this code is a lost race. All others may pass: throttling and outages by themselves; a wrong
/// expression, a missing right or a wrong name with the next deployment.
pub(crate) fn is_race(code: &str) -> bool {
    RACES.contains(&code)
}

/// Whether the call has lost a race.
pub(crate) fn has_lost<E, H>(error: &SdkError<E, H>) -> bool
where
    SdkError<E, H>: ProvideErrorMetadata,
{
    error.code().is_some_and(is_race)
}

/// Names the error by its code alone where the service gave one: a message may quote what is in a row.
pub(crate) fn unavailable<E, H>(error: &SdkError<E, H>) -> StoreError
where
    SdkError<E, H>: std::error::Error + ProvideErrorMetadata,
{
    let code = error.code().map(str::to_owned);
    StoreError(code.unwrap_or_else(|| DisplayErrorContext(error).to_string()))
}
