//! Credited payments whose numbers are equal once they are normalised, in any order and wallet. They are listed: two wallets may
//! use one number, but a payment that is spelled in two ways looks the same.

use std::io;

use domain::{CustomTransactionId, NormalisedNumber, PaymentKey, PaymentState};
use serde::{Deserialize, Serialize};
use store::{AnyRow, RowKey};

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
    mut report: impl FnMut(Break),
) -> Result<(), Failure> {
    let mut first: Option<ByNumber> = None;
    for next in payments {
        let next = next?;
        match &first {
            Some(first) if first.number == next.number => {
                let ByNumber { payment, order, .. } = first;
                let what = format!(
                    "has the number of {}, credited to {order}; it is credited to {}",
                    payment.key(),
                    next.order
                );
                report(Break::new(Rule::SameNumber, next.payment.key(), what));
            }
            Some(_) | None => first = Some(next),
        }
    }
    Ok(())
}
