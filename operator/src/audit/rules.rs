//! The rules of a single row.

use domain::{
    AttemptId, Contradiction, Deposit, DepositRow, DepositState, ForeignWithdrawal, Outcome, Payment, PaymentState,
    Resolution, SignedFacts, Submission, SubmissionAttempt, Withdrawal, WithdrawalId, WithdrawalReport, WithdrawalRow,
    WithdrawalState,
};
use paykassma::Element;
use serde_json::Value;
use store::{AnyRow, ScannedRow};

use super::{Break, Rule};
use crate::deployment::Keys;
use crate::postback::{Lists, Unproved, element, kept};

/// Gives what a row breaks.
pub(crate) fn check(scanned: &ScannedRow, keys: &Keys, lists: &Lists) -> Vec<Break> {
    let mut check = Check { keys, lists, found: Vec::new() };
    match &scanned.row {
        AnyRow::Deposit(it) => check.deposit(&it.row),
        AnyRow::Payment(it) => check.payment(&it.row),
        AnyRow::Withdrawal(it) => match &it.row {
            WithdrawalRow::Registered(row) => check.withdrawal(row),
            WithdrawalRow::Foreign(row) => check.foreign(row),
        },
        AnyRow::Unreadable(it) => {
            let kept = kept(keys, lists, &it.row.evidence);
            check.proved(kept);
        }
        AnyRow::EntryCount(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::ListProgress(_) => {}
    }
    check.must(scanned.indexed == scanned.row.attention(), Rule::Index, "the index does not have what the row says");
    let id = scanned.row.key();
    check.found.into_iter().map(|(rule, what)| Break { rule, id: id.clone(), what }).collect()
}

struct Check<'a> {
    keys: &'a Keys,
    lists: &'a Lists,
    found: Vec<(Rule, String)>,
}

impl Check<'_> {
    fn must(&mut self, holds: bool, rule: Rule, what: &str) {
        if !holds {
            self.found.push((rule, what.into()));
        }
    }

    fn proved<T>(&mut self, kept: Result<T, Unproved>) -> Option<T> {
        let rule = match kept {
            Ok(kept) => return Some(kept),
            Err(Unproved::NoKey) => Rule::Unverifiable,
            Err(Unproved::NoEvidence(_)) => Rule::Evidence,
        };
        self.found.extend(kept.err().map(|error| (rule, error.to_string())));
        None
    }

    fn deposit(&mut self, row: &DepositRow) {
        match row {
            DepositRow::Registered(Deposit { state, credited, .. }) => {
                let is_credited = *state == DepositState::Credited;
                self.must(is_credited != credited.is_empty(), Rule::State, "its state is not that of its credits");
            }
            DepositRow::Unregistered(row) => {
                self.must(!row.waiting.is_empty(), Rule::State, "it waits for an order that no payment names");
            }
        }
    }

    fn payment(&mut self, row: &Payment) {
        let by_person = found(&row.resolutions, Outcome::Credited);
        for facts in row.facts().into_iter().chain(against(&row.contradictions)) {
            let kept = element(self.keys, self.lists, &facts.evidence);
            if by_person && kept == Err(Unproved::NoKey) {
                continue;
            }
            let said = self.proved(kept);
            let is_so =
                |said| matches!(said, Element::Deposit(it) if it.payment == row.key && it.facts.agree_with(facts));
            self.must(said.is_none_or(is_so), Rule::Evidence, "what is signed is another payment, amount or order");
            let (id, number) = (&facts.custom_transaction_id, &row.key.transaction_id);
            let read = facts.order_before_hyphen.as_ref();
            let is_read = read.is_none() || read == AttemptId::order_before_hyphen(id, number).as_ref();
            self.must(is_read, Rule::Evidence, "the order that was read is not in the signed id");
        }
        match &row.state {
            PaymentState::Credited { order, credited_label, facts } if !by_person => {
                self.must(
                    facts.names(order),
                    Rule::Decision,
                    "the signed order id names another order, and no person has decided",
                );
                let is_labelled = facts.label.as_ref() == Some(credited_label);
                self.must(is_labelled, Rule::Decision, "the postback's label is another, and no person has decided");
            }
            PaymentState::Rejected { .. } => {
                let is_found = found(&row.resolutions, Outcome::Rejected);
                self.must(is_found, Rule::Decision, "it is rejected, and no person has decided");
            }
            PaymentState::Credited { .. }
            | PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Unmatched { .. }
            | PaymentState::Quarantined { .. } => {}
        }
    }

    fn withdrawal(&mut self, row: &Withdrawal) {
        let id = &row.request.withdrawal_id;
        for facts in against(&row.contradictions) {
            self.reported(id, facts);
        }
        match &row.state {
            WithdrawalState::Paid { facts } => self.ended(row, facts.as_ref(), 1, Outcome::Paid),
            WithdrawalState::Failed { facts } => self.ended(row, facts.as_ref(), 5, Outcome::Failed),
            WithdrawalState::Rejected { .. } => {
                let is_sure = !row.attempts.iter().any(is_doubtful);
                self.must(is_sure, Rule::Decision, "it is rejected, although an attempt may have arrived");
            }
            WithdrawalState::Sending => {
                let is_on_its_way = row.last_attempt().is_some_and(|it| it.ended.is_none());
                self.must(is_on_its_way, Rule::State, "it is being sent, and no attempt is on its way");
            }
            WithdrawalState::Waiting => {
                let is_not_sent = |it: &SubmissionAttempt| matches!(&it.ended, Some(it) if matches!(it.submission, Submission::NotSent(_)));
                let is_waiting = row.last_attempt().is_some_and(is_not_sent);
                self.must(is_waiting, Rule::State, "it waits, and its last attempt may have arrived");
            }
            WithdrawalState::Unknown | WithdrawalState::Submitted => {}
        }
        self.must(!row.attempts.is_empty(), Rule::State, "it has no attempt");
        self.must(!row.is_final() || row.needs_review.is_none(), Rule::State, "it has ended, and asks for a person");
        self.must(is_as_asked(row), Rule::Journal, "the bytes that are sent are not what was asked for");
    }

    /// A withdrawal has ended by a signed status and the row's own facts, or by a person.
    fn ended(&mut self, row: &Withdrawal, facts: Option<&SignedFacts>, status: i64, outcome: Outcome) {
        let request = &row.request;
        let Some(facts) = facts else {
            let is_found = found(&row.resolutions, outcome);
            return self.must(is_found, Rule::Decision, "it has ended with no evidence, and no person has decided");
        };
        let Some(report) = self.reported(&request.withdrawal_id, facts) else { return };
        let is_so = report.withdrawal_status == Some(status)
            && report.wallet_type == request.payment_system
            && facts.amount == request.amount
            && facts.currency_code == request.currency_code
            && facts.label.as_ref() == Some(&request.label);
        self.must(
            is_so,
            Rule::Decision,
            "the evidence of its end is of another status, amount, currency, wallet or label",
        );
    }

    fn foreign(&mut self, row: &ForeignWithdrawal) {
        let report = self.reported(&row.withdrawal_id, &row.facts);
        let is_so = report.is_none_or(|it| it.withdrawal_status == row.withdrawal_status);
        self.must(is_so, Rule::Evidence, "what is signed is another status");
        for facts in against(&row.contradictions) {
            self.reported(&row.withdrawal_id, facts);
        }
    }

    /// What was signed of a withdrawal. `None` where that is not proved, or is of another one; it is noted then.
    fn reported(&mut self, id: &WithdrawalId, facts: &SignedFacts) -> Option<WithdrawalReport> {
        match self.proved(element(self.keys, self.lists, &facts.evidence))? {
            Element::Withdrawal(it) if it.withdrawal_id == *id && it.facts.agree_with(facts) => Some(it),
            Element::Withdrawal(_) | Element::Deposit(_) | Element::Unreadable { .. } => {
                self.must(false, Rule::Evidence, "what is signed is another withdrawal or amount");
                None
            }
        }
    }
}

/// The contradictions of a row whose signed text it stores.
fn against(contradictions: &[Contradiction]) -> impl Iterator<Item = &SignedFacts> {
    let said = contradictions.iter().filter_map(|it| it.facts.as_ref());
    said.filter(|facts| facts.evidence.own_list().is_none_or(|list| !list.additional_data.is_empty()))
}

fn found(resolutions: &[Resolution], outcome: Outcome) -> bool {
    resolutions.iter().any(|it| it.outcome == outcome)
}

/// Whether an attempt may have been taken.
fn is_doubtful(attempt: &SubmissionAttempt) -> bool {
    match attempt.ended.as_ref().map(|it| &it.submission) {
        None | Some(Submission::Unknown(_) | Submission::Accepted) => true,
        Some(Submission::Rejected(_) | Submission::NotSent(_)) => false,
    }
}

/// Whether the bytes, which are all that the provider sees, say what the row says.
fn is_as_asked(row: &Withdrawal) -> bool {
    let Ok(sent) = serde_json::from_str::<Value>(&row.body) else { return false };
    let request = &row.request;
    let texts = [
        ("withdrawal_id", request.withdrawal_id.as_str()),
        ("label", request.label.as_str()),
        ("currency_code", request.currency_code.as_str()),
        ("account_number", request.account_number.as_str()),
        ("payment_system", request.payment_system.as_str()),
    ];
    let amount = sent.get("amount").map(Value::to_string).and_then(|it| it.parse().ok());
    texts.iter().all(|(name, text)| sent.get(name).and_then(Value::as_str) == Some(text))
        && amount == Some(request.amount)
        && sent.get("is_test").and_then(Value::as_bool) == Some(request.is_test)
}
