//! Credits: what a payment's row and an order's row say about the same money. Each payment appears once on either side, with the same facts;
//! so each order's sum is that of its payments.

use std::io;

use domain::{Amount, CurrencyCode, CustomTransactionId, DepositRow, Label, PaymentState};
use serde::{Deserialize, Serialize};
use store::{AnyRow, ReadAny, RowId, RowKey, StoreError, read_any};

use super::{Break, Rule};
use crate::failure::Failure;

/// Whose row says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum By {
    Payment,
    Order,
}

/// That a payment is credited, as one row says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Said {
    payment: String,
    by: By,
    order: CustomTransactionId,
    label: Label,
    amount: Amount,
    currency_code: CurrencyCode,
}

impl Said {
    /// What a row says about credits.
    pub(crate) fn of(row: &AnyRow) -> Vec<Self> {
        match row {
            AnyRow::Payment(it) => {
                let PaymentState::Credited { order, credited_label, facts } = &it.row.state else {
                    return Vec::new();
                };
                vec![Self {
                    payment: it.row.key.key(),
                    by: By::Payment,
                    order: order.clone(),
                    label: credited_label.clone(),
                    amount: facts.amount,
                    currency_code: facts.currency_code.clone(),
                }]
            }
            AnyRow::Deposit(it) => {
                let DepositRow::Registered(deposit) = &it.row else { return Vec::new() };
                let order = &deposit.order;
                let said = deposit.credited.iter().map(|credit| Self {
                    payment: credit.payment.key(),
                    by: By::Order,
                    order: order.custom_transaction_id.clone(),
                    label: order.label.clone(),
                    amount: credit.amount,
                    currency_code: order.currency_code.clone(),
                });
                said.collect()
            }
            AnyRow::Withdrawal(_)
            | AnyRow::Unreadable(_)
            | AnyRow::EntryCount(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_) => Vec::new(),
        }
    }

    fn is_of_same_credit(&self, other: &Self) -> bool {
        (&self.order, &self.label, self.amount, &self.currency_code)
            == (&other.order, &other.label, other.amount, &other.currency_code)
    }
}

/// What is wrong with all that is said about one payment.
fn wrong(said: &[Said]) -> Option<String> {
    let (payments, orders): (Vec<_>, Vec<_>) = said.iter().partition(|it| it.by == By::Payment);
    let names: Vec<_> = orders.iter().map(|it| it.order.to_string()).collect();
    Some(match (payments.as_slice(), orders.as_slice()) {
        ([], []) => return None,
        ([payment], [order]) if payment.is_of_same_credit(order) => return None,
        ([payment], []) => format!("it is credited to {}, whose row has no such credit", payment.order),
        ([], _) => format!("{} has its credit, and its own row has none", names.join(", ")),
        (_, [order]) => format!("it is credited otherwise than {} has it", order.order),
        _ => format!("it is credited more than once: {}", names.join(", ")),
    })
}

/// Compares what is said about each payment, and reports what is wrong. All that is said about one payment follows each other.
pub(crate) async fn compare(
    table: &impl ReadAny,
    said: impl Iterator<Item = io::Result<Said>>,
    mut report: impl FnMut(Break),
) -> Result<(), Failure> {
    let mut of_one: Vec<Said> = Vec::new();
    for next in said {
        let next = next?;
        if of_one.first().is_some_and(|first| first.payment != next.payment) {
            check_payment(table, std::mem::take(&mut of_one), &mut report).await;
        }
        of_one.push(next);
    }
    check_payment(table, of_one, &mut report).await;
    Ok(())
}

/// Reports what is wrong about one payment. Its rows are read again first, for they may have changed while the table was
/// scanned.
async fn check_payment(table: &impl ReadAny, said: Vec<Said>, report: &mut impl FnMut(Break)) {
    let Some(wrong_then) = wrong(&said) else { return };
    let what = match again(table, &said).await {
        Ok(now) => wrong(&now),
        Err(error) => Some(format!("{wrong_then}; it cannot be read again: {error}")),
    };
    if let (Some(what), Some(first)) = (what, said.into_iter().next()) {
        report(Break { rule: Rule::Credits, id: first.payment, what });
    }
}

/// What is said now, by the payment's row and by all orders that were named.
async fn again(table: &impl ReadAny, said: &[Said]) -> Result<Vec<Said>, StoreError> {
    let mut orders: Vec<_> = said.iter().map(|it| it.order.clone()).collect();
    orders.sort();
    orders.dedup();
    let payment = said.first().map(|it| it.payment.clone()).unwrap_or_default();
    let ids = RowId::parse(&payment).into_iter().chain(orders.into_iter().map(RowId::Deposit));
    let mut now = Vec::new();
    for id in ids {
        let row = read_any(table, &id).await?;
        now.extend(row.iter().flat_map(Said::of).filter(|it| it.payment == payment));
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(by: By, order: &str, label: &str, amount: &str) -> Said {
        Said {
            payment: "payment#paytm#1".into(),
            by,
            order: CustomTransactionId::parse(order).unwrap(),
            label: Label::parse(label).unwrap(),
            amount: Amount::parse(amount).unwrap(),
            currency_code: CurrencyCode::parse("INR").unwrap(),
        }
    }

    #[test]
    fn a_credit_is_once_on_either_side_with_the_same_facts() {
        let payment = said(By::Payment, "o1", "u1", "700");
        let order = said(By::Order, "o1", "u1", "700.00");
        assert_eq!(wrong(&[payment.clone(), order.clone()]), None);
        for bad in [
            vec![payment.clone()],
            vec![order.clone()],
            vec![payment.clone(), order.clone(), order.clone()],
            vec![payment.clone(), order.clone(), said(By::Order, "o2", "u1", "700")],
            vec![payment.clone(), said(By::Order, "o1", "u1", "701")],
            vec![payment.clone(), said(By::Order, "o1", "u2", "700")],
            vec![payment, said(By::Order, "o2", "u1", "700")],
        ] {
            assert!(wrong(&bad).is_some(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn what_is_said_of_rows_that_are_not_there_any_more_is_read_again() {
        let mut reported = 0;
        let lonely = said(By::Payment, "o1", "u1", "700");
        compare(&store::Memory::default(), [Ok(lonely)].into_iter(), |_| reported += 1).await.unwrap();
        assert_eq!(reported, 0);
    }
}
