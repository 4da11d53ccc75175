//! What a person sees of a decision, before and after it is recorded.

use domain::Caller;
use serde::Serialize;
use serde_json::{Map, Value, value};
use store::AnyRow;

use crate::decision::{ChangedRow, Decision};

/// Whether a decision is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It is only shown.
    Preview,
    /// A second person must ask for the same.
    Proposed,
    /// It is recorded.
    Recorded,
}

/// The reply to a request for a decision.
#[derive(Debug, Serialize)]
pub(crate) struct DecisionReply<'a> {
    pub(crate) status: Status,
    /// The key of the row.
    pub(crate) id: String,
    /// The version that was decided on; 0 if there is no row.
    pub(crate) version: u64,
    /// The name of its state; absent if there is no row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<&'a str>,
    /// The name of the state that it is to have or has.
    pub(crate) after: &'a str,
    /// The order that is credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credited: Option<String>,
    /// The payment that it is credited with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment: Option<String>,
    /// Whether the decision takes two people.
    pub(crate) needs_second_person: bool,
    /// Who has proposed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proposed_by: Option<&'a Caller>,
    /// Each field that changes.
    pub(crate) changes: Vec<FieldChange>,
}

/// A field of a row, before and after.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FieldChange {
    /// The key of the row.
    row: String,
    field: String,
    before: Value,
    after: Value,
}

impl<'a> DecisionReply<'a> {
    pub(crate) fn of(
        decision: &'a Decision,
        status: Status,
        needs_second_person: bool,
        proposed_by: Option<&'a Caller>,
    ) -> Self {
        let before = decision.before();
        Self {
            status,
            id: decision.after().key(),
            version: before.map_or(0, AnyRow::version),
            before: before.map(AnyRow::state_name),
            after: decision.after().state_name(),
            credited: decision.credited(),
            payment: decision.payment(),
            needs_second_person,
            proposed_by,
            changes: decision.rows().iter().flat_map(changes).collect(),
        }
    }
}

fn changes(ChangedRow { before, after }: &ChangedRow) -> Vec<FieldChange> {
    let key = after.key();
    let (before, after) = (before.as_ref().map(fields).unwrap_or_default(), fields(after));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let changed = names.filter(|name| before.get(*name) != after.get(*name));
    let of = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
    changed
        .map(|name| FieldChange {
            row: key.clone(),
            field: name.clone(),
            before: of(&before, name),
            after: of(&after, name),
        })
        .collect()
}

/// The fields of a row. A row has only texts and whole numbers, so each has one JSON form.
fn fields(row: &AnyRow) -> Map<String, Value> {
    let written = row.serialize_row(value::Serializer);
    written.ok().and_then(|row| if let Value::Object(fields) = row { Some(fields) } else { None }).unwrap_or_default()
}
