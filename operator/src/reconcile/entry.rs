//! What is compared: one transaction, as the export or as the table has it.

use domain::{Amount, CurrencyCode, Outcome, PaymentState, Resolution, Timestamp, WithdrawalRow, WithdrawalState};
use serde::{Deserialize, Serialize};
use store::AnyRow;

/// Whether the money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// It has moved: credited, paid.
    Success,
    /// It has not, and will not.
    Fail,
    /// Not ended, or not known.
    Other,
}

/// An amount in a currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Money {
    pub(crate) amount: Amount,
    pub(crate) currency_code: CurrencyCode,
}

/// A transaction in the export.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ProviderRecord {
    pub(crate) line: u64,
    pub(crate) money: Money,
    pub(crate) standing: Standing,
    pub(crate) by_hand: bool,
}

/// A transaction in the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OurRecord {
    pub(crate) money: Money,
    pub(crate) standing: Standing,
    pub(crate) state: String,
    /// When the payment came in, or the withdrawal was asked for.
    pub(crate) at: Timestamp,
    /// Whether the export must have it.
    pub(crate) is_expected: bool,
}

/// One of both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Side {
    Ours(OurRecord),
    Providers(ProviderRecord),
}

/// A transaction on one side, under the key that its row has or would have. In order, the table's comes before the export's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) side: Side,
}

impl Entry {
    /// Our record of a transaction. `None` for a row without money, such as a number that a user has only entered.
    pub(crate) fn of_row(row: &AnyRow) -> Option<Self> {
        let (amount, currency_code) = row.money()?;
        let (standing, found, at, is_expected) = match row {
            AnyRow::Payment(it) => {
                let (standing, is_expected) = payment(&it.row.state);
                (standing, &it.row.resolutions, it.row.facts()?.evidence.received_at, is_expected)
            }
            AnyRow::Withdrawal(it) => match &it.row {
                WithdrawalRow::Registered(row) => {
                    let (standing, is_expected) = withdrawal(&row.state);
                    (standing, &row.resolutions, row.created_at, is_expected)
                }
                WithdrawalRow::Foreign(row) => {
                    (Standing::Other, &row.resolutions, row.facts.evidence.received_at, true)
                }
                WithdrawalRow::Reserved(_) => return None,
            },
            AnyRow::Deposit(_)
            | AnyRow::Unreadable(_)
            | AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_)
            | AnyRow::Proposal(_)
            | AnyRow::TableIdentity(_) => return None,
        };
        let standing = found.last().map_or(standing, found_out);
        let ours = OurRecord {
            money: Money { amount, currency_code: currency_code.clone() },
            standing,
            state: in_words(row.state_name(), found.last()),
            at,
            is_expected: is_expected || standing == Standing::Success,
        };
        Some(Self { key: row.key(), side: Side::Ours(ours) })
    }
}

/// A person's finding goes before the state, which it does not always change.
fn found_out(resolution: &Resolution) -> Standing {
    match resolution.outcome {
        Outcome::Paid | Outcome::Credited => Standing::Success,
        Outcome::Failed | Outcome::Rejected => Standing::Fail,
    }
}

fn in_words(state: &str, found: Option<&Resolution>) -> String {
    let Some(resolution) = found else { return state.to_owned() };
    format!("{state}; a person found: {}", resolution.outcome.as_str())
}

/// The provider has signed for all but claims, which have no money and are not asked.
fn payment(state: &PaymentState) -> (Standing, bool) {
    match state {
        PaymentState::Credited { .. } => (Standing::Success, true),
        PaymentState::Rejected { .. } => (Standing::Fail, false),
        PaymentState::Quarantined { .. }
        | PaymentState::Unmatched { .. }
        | PaymentState::Claimed { .. }
        | PaymentState::Released { .. } => (Standing::Other, true),
    }
}

/// What the provider refused at once need not be in its export; what it has or may have, must. What it surely does not have yet is
/// open, and a person must know of it.
fn withdrawal(state: &WithdrawalState) -> (Standing, bool) {
    match state {
        WithdrawalState::Paid { .. } => (Standing::Success, true),
        WithdrawalState::Failed { facts } => (Standing::Fail, facts.is_some()),
        WithdrawalState::Rejected { .. } => (Standing::Fail, false),
        WithdrawalState::Sending | WithdrawalState::Waiting | WithdrawalState::Unknown | WithdrawalState::Submitted => {
            (Standing::Other, true)
        }
    }
}
