//! What is asked of `POST /decisions`, and what it answers.

use std::future::Future;

use domain::{CustomTransactionId, KnownTo, TransactionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Api;
use crate::failure::Failure;

/// Who records decisions: a function of the stack.
pub trait Decide: Sync {
    /// Shows a decision, or records it on the version that the request names.
    fn decide(&self, request: &DecisionRequest) -> impl Future<Output = Result<DecisionReply, Failure>> + Send;
}

impl Decide for Api {
    async fn decide(&self, request: &DecisionRequest) -> Result<DecisionReply, Failure> {
        self.post("/decisions", request).await
    }
}

/// A decision that is asked for.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionRequest {
    /// The key of the row.
    pub id: String,
    /// What it is to become.
    pub outcome: &'static str,
    /// Who decides, in their own words.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where the evidence is.
    pub evidence: String,
    /// The order to credit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<CustomTransactionId>,
    /// The number of an unreadable payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<TransactionId>,
    /// That it is another payment than the one of the same number.
    pub different_payment: bool,
    /// Who knows of an id that is to be reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_to: Option<KnownTo>,
    /// The version that was seen; without it nothing is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// Whether a decision is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is only shown.
    Preview,
    /// A second person must ask for the same.
    Proposed,
    /// It is recorded.
    Recorded,
}

/// A decision, as it was shown or recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionReply {
    /// Whether it is recorded.
    pub status: Status,
    /// The key of the row.
    pub id: String,
    /// The version that was decided on; 0 if there was no row.
    pub version: u64,
    /// The name of its state; absent if there was no row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The name of the state that it is to have or has.
    pub after: String,
    /// The order that is credited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credited: Option<String>,
    /// The payment that it is credited with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Whether it takes two people.
    pub needs_second_person: bool,
    /// Who has proposed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<String>,
    /// Each field that changes.
    pub changes: Vec<FieldChange>,
}

/// A field of a row, before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldChange {
    /// The key of the row.
    pub row: String,
    /// The field's name.
    pub field: String,
    /// Its value; null if it has none.
    pub before: Value,
    /// The value that it is to have or has.
    pub after: Value,
}
