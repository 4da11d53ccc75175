//! What is compared: one transaction, as the export or as the table has it.

use domain::{Amount, CurrencyCode, Timestamp, WithdrawalRow};
use serde::{Deserialize, Serialize};
use store::AnyRow;

use super::standing::{Belief, Standing};

/// An amount in a currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Money {
    pub(crate) amount: Amount,
    pub(crate) currency_code: CurrencyCode,
}

/// A transaction in the export. In order, the line that decides comes first, and lines that say the same are beside each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ProviderRecord {
    pub(crate) standing: Standing,
    pub(crate) money: Money,
    pub(crate) by_hand: bool,
    pub(crate) line: u64,
    /// The rule that the id breaks. Then it names a transaction only if the table has it too.
    pub(crate) odd_id: Option<String>,
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

impl ProviderRecord {
    /// Whether both lines say the same about the money.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.standing == other.standing && self.money == other.money
    }
}

impl Entry {
    /// Our record of a transaction. `None` for a row without money, such as a number that a user has only entered.
    pub(crate) fn of_row(row: &AnyRow) -> Option<Self> {
        let (amount, currency_code) = row.money()?;
        let (belief, at) = match row {
            AnyRow::Payment(it) => (Belief::of_payment(&it.row), it.row.facts()?.evidence.received_at),
            AnyRow::Withdrawal(it) => {
                let at = match &it.row {
                    WithdrawalRow::Registered(row) => row.created_at,
                    WithdrawalRow::Foreign(row) => row.facts.evidence.received_at,
                    WithdrawalRow::Reserved(row) => row.reserved_at,
                };
                (Belief::of_withdrawal(&it.row)?, at)
            }
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
        let ours = OurRecord {
            money: Money { amount, currency_code: currency_code.clone() },
            standing: belief.standing,
            state: in_words(row.state_name(), &belief),
            at,
            is_expected: belief.is_expected || belief.standing == Standing::Success,
        };
        Some(Self { key: row.key(), side: Side::Ours(ours) })
    }
}

fn in_words(state: &str, belief: &Belief<'_>) -> String {
    let Some(finding) = belief.finding else { return state.to_owned() };
    format!("{state}; a person found: {}", finding.outcome.as_str())
}
