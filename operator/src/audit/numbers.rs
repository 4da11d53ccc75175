//! Credited payments whose numbers are equal once they are normalised, in any order and wallet. They are listed: two wallets may
//! use one number, but a payment that is spelled in two ways looks the same.

use std::io;

use domain::{CustomTransactionId, NormalisedNumber, PaymentKey, PaymentState};
use serde::{Deserialize, Serialize};
use store::{AnyRow, RowKey};

use super::repeated;
use super::report::{Break, Rule};
use crate::failure::Failure;

/// A credited payment, by its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ByNumber {
    number: NormalisedNumber,
    payment: PaymentKey,
    order: CustomTransactionId,
}

impl ByNumber {
    /// The payment of a row, if it is credited.
    pub(crate) fn of(row: &AnyRow) -> Option<Self> {
        let AnyRow::Payment(it) = row else { return None };
        let PaymentState::Credited { order, .. } = &it.row.state else { return None };
        let payment = it.row.key.clone();
        Some(Self { number: NormalisedNumber::of(&payment.transaction_id), payment, order: order.clone() })
    }
}

/// Lists each payment that has the number of one before it.
pub(crate) fn list(
    payments: impl Iterator<Item = io::Result<ByNumber>>,
    report: impl FnMut(Break),
) -> Result<(), Failure> {
    let same_number = |ByNumber { payment, order, .. }: &ByNumber, next: &ByNumber| {
        let what =
            format!("has the number of {}, credited to {order}; it is credited to {}", payment.key(), next.order);
        Break::new(Rule::SameNumber, next.payment.key(), what)
    };
    repeated(payments, |one, next| one.number == next.number, same_number, report)
}
