//! What is asked of `POST /decisions`, and what it answers.

use domain::{CustomTransactionId, TransactionId};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::failure::Failure;
use crate::spelled::Spelled;

/// A decision that is asked for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DecisionRequest {
    /// The key of the row.
    pub(crate) id: String,
    /// What it is to become.
    pub(crate) outcome: &'static str,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) evidence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<CustomTransactionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) number: Option<TransactionId>,
    pub(crate) different_payment: bool,
    /// Who knows of an id that is to be reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) known_to: Option<&'static str>,
    /// The version that was seen; without it nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
}

/// Whether a decision is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It is only shown.
    Preview,
    /// A second person must ask for the same.
    Proposed,
    /// It is recorded.
    Recorded,
}

/// A decision, as it was shown or recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DecisionReply {
    pub(crate) status: Status,
    pub(crate) id: String,
    /// The version that was decided on; 0 if there was no row.
    pub(crate) version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    pub(crate) after: String,
    /// The order that is credited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credited: Option<String>,
    /// The payment that it is credited with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payment: Option<String>,
    pub(crate) needs_second_person: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proposed_by: Option<String>,
    pub(crate) changes: Vec<FieldChange>,
}

/// A field of a row, before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FieldChange {
    pub(crate) row: String,
    pub(crate) field: String,
    pub(crate) before: Spelled,
    pub(crate) after: Spelled,
}

pub(crate) async fn decide(api: &Api, request: &DecisionRequest) -> Result<DecisionReply, Failure> {
    api.post("/decisions", request).await
}
