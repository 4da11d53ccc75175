//! Payments that wait for an order: each must have its row, and so must each page of them. Otherwise registering the order cannot
//! credit them.

use std::io;

use domain::{CustomTransactionId, DepositRow, PaymentKey, Waiting, WaitingPageId};
use serde::{Deserialize, Serialize};
use store::{AnyRow, ReadAny, RowId, RowKey, read_any};

use super::report::{Break, Rule};
use crate::failure::Failure;

/// A row that must exist, because another one names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Named {
    named: String,
    by: String,
}

impl Named {
    /// The payments and the page that a row names. A page names the one before it.
    pub(crate) fn of(row: &AnyRow) -> Vec<Self> {
        let (order, payments, page) = match row {
            AnyRow::Deposit(it) => {
                let Waiting { newest, pages } = match &it.row {
                    DepositRow::Registered(deposit) => &deposit.waiting,
                    DepositRow::Unregistered(place) => &place.waiting,
                };
                (it.row.id(), newest, *pages)
            }
            AnyRow::WaitingPage(it) => (&it.row.custom_transaction_id, &it.row.payments, it.row.page.saturating_sub(1)),
            AnyRow::Payment(_)
            | AnyRow::Withdrawal(_)
            | AnyRow::Unreadable(_)
            | AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_)
            | AnyRow::Proposal(_)
            | AnyRow::TableIdentity(_) => return Vec::new(),
        };
        let page = (page > 0).then(|| page_key(order, page));
        let named = payments.iter().map(PaymentKey::key).chain(page);
        named.map(|named| Self { named, by: row.key() }).collect()
    }
}

fn page_key(order: &CustomTransactionId, page: u32) -> String {
    WaitingPageId { order: order.clone(), page }.key()
}

/// Reads each row that is named, once.
pub(crate) async fn check(
    table: &impl ReadAny,
    named: impl Iterator<Item = io::Result<Named>>,
    mut report: impl FnMut(Break),
) -> Result<(), Failure> {
    let mut last: Option<(String, Option<String>)> = None;
    for next in named {
        let Named { named, by } = next?;
        let missing = match last.take().filter(|(known, _)| *known == named) {
            Some((_, missing)) => missing,
            None => missing(table, &named).await,
        };
        if let Some(what) = &missing {
            report(Break::new(Rule::Waiting, by, what));
        }
        last = Some((named, missing));
    }
    Ok(())
}

async fn missing(table: &impl ReadAny, key: &str) -> Option<String> {
    let there_is_none = || Some(format!("it names {key}, and there is no such row"));
    let Some(id) = RowId::parse(key) else { return there_is_none() };
    match read_any(table, &id).await {
        Ok(Some(_)) => None,
        Ok(None) => there_is_none(),
        Err(error) => Some(format!("it names {key}, which cannot be read: {error}")),
    }
}
