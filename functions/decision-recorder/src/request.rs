//! What a person asks for.

use domain::{
    CustomTransactionId, DecidedOn, KnownTo, Outcome, Proposal, Remark, Resolution, Timestamp, TransactionId,
};
use lambda::{BadRequest, Fields};
use store::{AnyRow, RowId};

use crate::Person;

/// What the row is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What a person has found out about it.
    Found(Outcome),
    /// A withdrawal that was on its way when its table was restored: nobody knows what has become of it.
    Unknown,
    /// The id of a withdrawal that the restored table does not have.
    Reserved(KnownTo),
}

/// A request for a decision.
#[derive(Debug)]
pub(crate) struct DecisionRequest {
    pub(crate) id: RowId,
    pub(crate) asked: Asked,
    pub(crate) by: Remark,
    pub(crate) reason: Remark,
    pub(crate) evidence: Remark,
    pub(crate) order: Option<CustomTransactionId>,
    pub(crate) number: Option<TransactionId>,
    pub(crate) is_different_payment: bool,
    /// The version that a person has seen and decides on; without it the decision is only shown.
    pub(crate) version: Option<u64>,
}

const ID: &str = "must be the key of a row, such as payment#paytm#47752123519 or withdrawal#withdrawal-1";
const OUTCOME: &str = "must be one of paid, failed, credited, rejected, unknown, reserved";
const KNOWN_TO: &str = "must be provider or merchant";

impl DecisionRequest {
    pub(crate) fn read(body: &[u8]) -> Result<Self, BadRequest> {
        let mut fields = Fields::parse(body)?;
        let known_to = fields.optional_text("known_to", |text| match text.as_str() {
            "provider" => Ok(KnownTo::Provider),
            "merchant" => Ok(KnownTo::Merchant),
            _ => Err(KNOWN_TO),
        })?;
        let asked = fields.text("outcome", |text| match (text.as_str(), known_to) {
            ("unknown", None) => Ok(Asked::Unknown),
            ("reserved", Some(known_to)) => Ok(Asked::Reserved(known_to)),
            ("reserved", None) => Err("needs known_to"),
            (name, None) => Outcome::named(name).map(Asked::Found).ok_or(OUTCOME),
            (_, Some(_)) => Err("must be reserved where known_to is given"),
        })?;
        let request = Self {
            id: fields.text("id", |text| RowId::parse(&text).ok_or(ID))?,
            asked,
            by: fields.text("by", Remark::parse)?,
            reason: fields.text("reason", Remark::parse)?,
            evidence: fields.text("evidence", Remark::parse)?,
            order: fields.optional_text("order", CustomTransactionId::parse)?,
            number: fields.optional_text("number", TransactionId::parse)?,
            is_different_payment: fields.boolean("different_payment")?,
            version: fields.optional_number("version", |digits| {
                digits.parse().map_err(|_| "must be the version that the preview has shown")
            })?,
        };
        fields.finish()?;
        Ok(request)
    }

    /// What the row records: who has found this out, and on what they decided.
    pub(crate) fn resolution(
        &self,
        outcome: Outcome,
        row: Option<&AnyRow>,
        person: &Person,
        now: Timestamp,
    ) -> Resolution {
        let (by, reason, evidence) = (self.by.clone(), self.reason.clone(), self.evidence.clone());
        let decided_on = row.map(|row| DecidedOn { version: row.version(), state: row.state_name().to_owned() });
        Resolution {
            is_different_payment: self.is_different_payment,
            caller: Some(person.caller.clone()),
            proposed_by: person.proposed_by.clone(),
            decided_on,
            ..Resolution::new(outcome, by, reason, evidence, now)
        }
    }

    /// The decision as it waits for a second person.
    pub(crate) fn proposal(&self, resolution: Resolution) -> Proposal {
        let (order, number) = (self.order.clone(), self.number.clone());
        Proposal { about: self.id.key(), resolution, order, number }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(changed: &Value) -> Result<DecisionRequest, String> {
        let mut body = json!({"id": "withdrawal#w1", "outcome": "paid", "by": "ann", "reason": "r", "evidence": "e"});
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        DecisionRequest::read(body.to_string().as_bytes()).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_request_names_the_row_the_outcome_and_the_version() {
        let request = read(&json!({"version": 3})).unwrap();
        assert_eq!((request.asked, request.version), (Asked::Found(Outcome::Paid), Some(3)));
        let reserved = read(&json!({"outcome": "reserved", "known_to": "provider"})).unwrap();
        assert_eq!((reserved.asked, reserved.version), (Asked::Reserved(KnownTo::Provider), None));
    }

    #[test]
    fn a_field_that_breaks_its_rule_is_named() {
        for (changed, field) in [
            (json!({"id": "w1"}), "id"),
            (json!({"id": "gift#1"}), "id"),
            (json!({"outcome": "lost"}), "outcome"),
            (json!({"outcome": "reserved"}), "outcome"),
            (json!({"known_to": "provider"}), "outcome"),
            (json!({"outcome": "reserved", "known_to": "me"}), "known_to"),
            (json!({"by": ""}), "by"),
            (json!({"reason": null}), "reason"),
            (json!({"evidence": 7}), "evidence"),
            (json!({"order": "a b"}), "order"),
            (json!({"number": ""}), "number"),
            (json!({"different_payment": "yes"}), "different_payment"),
            (json!({"version": -1}), "version"),
            (json!({"version": "x"}), "version"),
            (json!({"caller": "arn:aws:iam::1:user/eve"}), "caller"),
        ] {
            let why = read(&changed).unwrap_err();
            assert!(why.starts_with(field), "{changed}: {why}");
        }
    }
}
