//! Payments that people credited: each has a signed element of its own. Where a person states the number, nobody has signed it, so the
//! same element would prove a payment of any number.

use std::io;

use domain::{ListHash, ListPlace, PaymentKey, PaymentState};
use serde::{Deserialize, Serialize};
use signing::list_hash;
use store::{AnyRow, RowKey};

use super::repeated;
use super::report::{Break, Rule};
use super::rules::credit;
use crate::failure::Failure;

/// A payment that a person credited, by the element that proves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ByElement {
    list: ListHash,
    element: usize,
    payment: PaymentKey,
}

impl ByElement {
    /// The payment of a row, if a person credited it and its list has a hash.
    pub(crate) fn of(row: &AnyRow) -> Option<Self> {
        let AnyRow::Payment(it) = row else { return None };
        let PaymentState::Credited { order, facts, .. } = &it.row.state else { return None };
        credit(&it.row.resolutions, order)?;
        let list = match &facts.evidence.place {
            ListPlace::Stored { list } => list.clone(),
            ListPlace::Here(list) => list_hash(&list.additional_data).ok()?.into(),
        };
        Some(Self { list, element: facts.evidence.element, payment: it.row.key.clone() })
    }
}

/// Reports each payment that was credited on the element of one before it.
pub(crate) fn check(
    payments: impl Iterator<Item = io::Result<ByElement>>,
    report: impl FnMut(Break),
) -> Result<(), Failure> {
    let is_same = |one: &ByElement, next: &ByElement| (&one.list, one.element) == (&next.list, next.element);
    let twice = |first: &ByElement, next: &ByElement| {
        let what = format!("the signed element that proves it was credited as {} already", first.payment.key());
        Break::new(Rule::Credits, next.payment.key(), what)
    };
    repeated(payments, is_same, twice, report)
}
