//! What a row says that a customer may know: labels, accounts, amounts, numbers and times.

use std::collections::BTreeSet;

use domain::{
    Amount, Contradiction, DepositRow, Label, ListPlace, Payment, PaymentState, Separator, SignedFacts, StoredList,
    Timestamp, TransactionId, Unsigned, WithdrawalRow,
};
use paykassma::{Postback, signed_elements};
use store::AnyRow;

use crate::postback::row_of;
use crate::show::{evidence, facts, history};
use crate::spelled::Spelled;

/// The signed fields that name an account.
const ACCOUNT: [&str; 3] = ["account_number", "account_name", "account_email"];

/// What an order, a payment, a withdrawal or an unreadable element says.
pub(crate) struct Said<'a> {
    row: &'a AnyRow,
    pub(crate) labels: BTreeSet<&'a str>,
    pub(crate) amounts: Vec<Amount>,
    pub(crate) numbers: Vec<&'a TransactionId>,
    pub(crate) times: Vec<Timestamp>,
}

impl<'a> Said<'a> {
    /// `None` for rows that are about none of these.
    pub(crate) fn of(row: &'a AnyRow) -> Option<Self> {
        let times = history(row).into_iter().map(|it| it.at_ms).filter(|at| at.0 > 0).collect();
        let mut said = Self { row, labels: BTreeSet::new(), amounts: Vec::new(), numbers: Vec::new(), times };
        match row {
            AnyRow::Deposit(it) => said.deposit(&it.row),
            AnyRow::Payment(it) => said.payment(&it.row),
            AnyRow::Withdrawal(it) => said.withdrawal(&it.row),
            AnyRow::Unreadable(it) => {
                if let Some(payment) = &it.row.payment {
                    said.label(payment.label.as_ref());
                    said.amounts.push(payment.amount);
                    said.numbers.extend(&payment.transaction_id);
                }
            }
            AnyRow::EntryCount(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_)
            | AnyRow::TableIdentity(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::Proposal(_) => return None,
        }
        Some(said)
    }

    /// The accounts that a withdrawal pays, and those that are signed in the row itself.
    pub(crate) fn accounts(&self) -> BTreeSet<String> {
        let own = self.row.withdrawal().map(|it| it.request.account_number.as_str().to_owned());
        let lists = evidence(self.row).into_iter().filter_map(|it| Some((it.own_list()?, it.element)));
        let signed = lists.flat_map(|(list, element)| {
            let texts = signed_elements(&list.additional_data).texts;
            texts.get(element).map(|text| accounts(text)).unwrap_or_default()
        });
        own.into_iter().chain(signed).collect()
    }

    fn label(&mut self, label: Option<&'a Label>) {
        self.labels.extend(label.map(Label::as_str));
    }

    fn facts(&mut self, facts: Option<&'a SignedFacts>, contradictions: &'a [Contradiction]) {
        for facts in facts.into_iter().chain(contradictions.iter().filter_map(|it| it.facts.as_ref())) {
            self.label(facts.label.as_ref());
            self.amounts.push(facts.amount);
        }
    }

    fn deposit(&mut self, row: &'a DepositRow) {
        match row {
            DepositRow::Registered(it) => {
                self.label(Some(&it.order.label));
                self.amounts.extend(it.order.amount);
                self.amounts.extend(it.attempts.iter().flat_map(|it| [Some(it.amount), it.deposit_amount]).flatten());
                self.amounts.extend(it.credited.iter().map(|it| it.amount));
                self.numbers.extend(it.attempts.iter().map(|it| &it.transaction_id));
                self.numbers.extend(it.credited.iter().map(|it| &it.payment.transaction_id));
            }
            DepositRow::Unregistered(it) => {
                self.numbers.extend(it.waiting.newest.iter().map(|payment| &payment.transaction_id));
            }
        }
    }

    fn payment(&mut self, row: &'a Payment) {
        self.numbers.push(&row.key.transaction_id);
        self.facts(row.facts(), &row.contradictions);
        for entry in &row.entries {
            self.label(Some(&entry.label));
            self.amounts.extend(entry.entered.iter().map(|it| it.amount));
        }
        match &row.state {
            PaymentState::Credited { credited_label, .. } => self.label(Some(credited_label)),
            PaymentState::Unmatched { labels, .. } => self.labels.extend(labels.iter().map(Label::as_str)),
            PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Quarantined { .. }
            | PaymentState::Rejected { .. } => {}
        }
    }

    fn withdrawal(&mut self, row: &'a WithdrawalRow) {
        match row {
            WithdrawalRow::Registered(it) => {
                self.label(Some(&it.request.label));
                self.amounts.push(it.request.amount);
                self.facts(facts(it), &it.contradictions);
            }
            WithdrawalRow::Foreign(it) => self.facts(Some(&it.facts), &it.contradictions),
            WithdrawalRow::Reserved(_) => {}
        }
    }
}

/// The keys of the rows that those elements of a list are about which name an account.
pub(crate) fn rows_of_account(list: &StoredList, account: &str) -> Vec<String> {
    let place = ListPlace::Stored { list: list.hash.clone() };
    let postback = Postback { list: signed_elements(&list.list.additional_data), unsigned: Unsigned::default() };
    let elements = postback.elements(&place, Timestamp(0), Separator::Dot).zip(&postback.list.texts);
    let named = elements.filter(|(_, text)| accounts(text).iter().any(|it| it == account));
    named.map(|(element, _)| row_of(&list.hash, &element)).collect()
}

/// The accounts that a signed element names, at any depth.
fn accounts(element: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = vec![Spelled::read(element)];
    while let Some(value) = rest.pop() {
        match value {
            Spelled::Object(entries) => {
                for (name, value) in entries {
                    if ACCOUNT.contains(&name.as_str()) && !value.is_empty() {
                        found.extend(value.text().map(str::to_owned));
                    }
                    rest.push(value);
                }
            }
            Spelled::List(values) => rest.extend(values),
            Spelled::Text(_) | Spelled::Token(_) | Spelled::Json(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_names_accounts_however_they_are_spelled() {
        let element = r#"{"account_number":1234560079,"x":[{"account_name":"\u0041da"},{"account_name":"","account_name":"Bob"}],"account_email":null,"comment":"Eve"}"#;
        let mut found = accounts(element);
        found.sort();
        assert_eq!(found, ["1234560079", "Ada", "Bob"]);
    }
}
