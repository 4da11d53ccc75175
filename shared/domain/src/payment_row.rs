//! A payment as it is stored: each fact once, so that the usual row is one unit of writing.

use serde::{Deserialize, Serialize};

use crate::{
    Contradiction, CustomTransactionId, Entry, InvalidValue, Journal, Label, Mismatch, Payment, PaymentKey,
    PaymentState, Resolution, SignedFacts,
};

#[derive(Serialize, Deserialize)]
pub(crate) struct PaymentRow {
    /// The row's key says which payment it is.
    transaction_id: String,
    #[serde(flatten)]
    state: State,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Entry>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_more_entries: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contradictions: Vec<Contradiction>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    resolutions: Vec<Resolution>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum State {
    Claimed {
        order: CustomTransactionId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        journal: Option<Journal>,
    },
    Released {
        order: CustomTransactionId,
    },
    Unmatched {
        facts: SignedFacts,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<Label>,
    },
    Quarantined {
        facts: SignedFacts,
        mismatch: Mismatch,
    },
    Credited {
        /// Absent where it is the signed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<CustomTransactionId>,
        /// Absent where it is the postback's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credited_label: Option<Label>,
        facts: SignedFacts,
    },
    Rejected {
        facts: SignedFacts,
    },
}

impl From<PaymentState> for State {
    fn from(state: PaymentState) -> Self {
        match state {
            PaymentState::Claimed { order, journal } => Self::Claimed { order, journal },
            PaymentState::Released { order } => Self::Released { order },
            PaymentState::Unmatched { facts, labels } => Self::Unmatched { facts, labels },
            PaymentState::Quarantined { facts, mismatch } => Self::Quarantined { facts, mismatch },
            PaymentState::Credited { order, credited_label, facts } => {
                let order = (!facts.names(&order)).then_some(order);
                let credited_label = (facts.label.as_ref() != Some(&credited_label)).then_some(credited_label);
                Self::Credited { order, credited_label, facts }
            }
            PaymentState::Rejected { facts } => Self::Rejected { facts },
        }
    }
}

impl TryFrom<State> for PaymentState {
    type Error = InvalidValue;

    fn try_from(state: State) -> Result<Self, InvalidValue> {
        Ok(match state {
            State::Claimed { order, journal } => Self::Claimed { order, journal },
            State::Released { order } => Self::Released { order },
            State::Unmatched { facts, labels } => Self::Unmatched { facts, labels },
            State::Quarantined { facts, mismatch } => Self::Quarantined { facts, mismatch },
            State::Credited { order, credited_label, facts } => {
                let missing = |what: &'static str| InvalidValue(what.into());
                let order = order.or_else(|| facts.order()).ok_or_else(|| missing("`order` is missing"))?;
                let label = credited_label.or_else(|| facts.label.clone());
                let credited_label = label.ok_or_else(|| missing("`credited_label` is missing"))?;
                Self::Credited { order, credited_label, facts }
            }
            State::Rejected { facts } => Self::Rejected { facts },
        })
    }
}

impl From<Payment> for PaymentRow {
    fn from(payment: Payment) -> Self {
        let Payment { key, state, entries, has_more_entries, contradictions, resolutions } = payment;
        let transaction_id = key.row_key();
        Self { transaction_id, state: state.into(), entries, has_more_entries, contradictions, resolutions }
    }
}

impl TryFrom<PaymentRow> for Payment {
    type Error = InvalidValue;

    fn try_from(row: PaymentRow) -> Result<Self, InvalidValue> {
        let PaymentRow { transaction_id, state, entries, has_more_entries, contradictions, resolutions } = row;
        let key = PaymentKey::of_row(&transaction_id).ok_or(InvalidValue("the key is not a payment's".into()))?;
        Ok(Self { key, state: state.try_into()?, entries, has_more_entries, contradictions, resolutions })
    }
}
