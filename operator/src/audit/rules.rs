//! The rules of a single row.

use domain::{
    AttemptId, Contradiction, CustomTransactionId, Deposit, DepositRow, DepositState, Evidence, ForeignWithdrawal,
    ListHash, ListPlace, MAX_CREDITS, Outcome, Payment, PaymentState, Resolution, SignedFacts, SignedList, Submission,
    SubmissionAttempt, Timestamp, Unreadable, Withdrawal, WithdrawalRow, WithdrawalState,
};
use serde_json::Value;
use signing::list_hash;
use store::{AnyRow, ScannedRow};

use super::quote::{Money, Odd, Quote, Quoted, Status};
use super::report::{Break, Decided, Decision, Rule};

/// What a row says.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// What it breaks.
    pub(crate) found: Vec<Break>,
    /// What it quotes of its own lists.
    pub(crate) own: Vec<(SignedList, Quote)>,
    /// What it quotes of lists that have rows of their own.
    pub(crate) quotes: Vec<(ListHash, Quote)>,
    /// What a person has decided about it.
    pub(crate) by_person: Option<Decided>,
    /// When it was made, if it is a withdrawal that has not ended.
    pub(crate) open_since: Option<Timestamp>,
}

/// Checks a row by itself, but for its evidence.
pub(crate) fn check(scanned: &ScannedRow) -> Checked {
    let mut check = Check { id: scanned.row.key(), checked: Checked::default() };
    match &scanned.row {
        AnyRow::Deposit(it) => check.deposit(&it.row),
        AnyRow::Payment(it) => check.payment(&it.row),
        AnyRow::Withdrawal(it) => match &it.row {
            WithdrawalRow::Registered(row) => check.withdrawal(row),
            WithdrawalRow::Foreign(row) => check.foreign(row),
            WithdrawalRow::Reserved(_) => {}
        },
        AnyRow::Unreadable(it) => check.unreadable(&it.row),
        AnyRow::EntryCount(_)
        | AnyRow::ReservedSums(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::ListProgress(_)
        | AnyRow::Proposal(_)
        | AnyRow::TableIdentity(_) => {}
    }
    for resolution in scanned.row.resolutions() {
        let what = format!("nobody has verified that {} decided {}", resolution.by, resolution.outcome.as_str());
        check.must(resolution.caller.is_some(), Rule::Caller, &what);
    }
    check.must(scanned.indexed == scanned.row.attention(), Rule::Index, "the index does not have what the row says");
    check.checked
}

struct Check {
    id: String,
    checked: Checked,
}

impl Check {
    fn must(&mut self, holds: bool, rule: Rule, what: &str) {
        if !holds {
            self.checked.found.push(Break::new(rule, &self.id, what));
        }
    }

    /// Notes what the row says of an element, and what was decided on it. The list is verified later: a list that has a row of its
    /// own once for all its elements.
    fn quotes(&mut self, evidence: &Evidence, quoted: Quoted, decides: Option<Decision>) {
        let Evidence { element, received_at, .. } = *evidence;
        let quote = Quote { element, received_at, id: self.id.clone(), quoted, decides };
        match &evidence.place {
            ListPlace::Here(list) => self.checked.own.push((list.clone(), quote)),
            ListPlace::Stored { list } => self.checked.quotes.push((list.clone(), quote)),
        }
    }

    fn deposit(&mut self, row: &DepositRow) {
        match row {
            DepositRow::Registered(deposit) => {
                let Deposit { state, credited, .. } = deposit;
                let is_credited = *state == DepositState::Credited;
                self.must(is_credited != credited.is_empty(), Rule::State, "its state is not that of its credits");
                let is_counted = has_right_totals(deposit);
                self.must(is_counted, Rule::State, "its count and its sum are not those of its credits");
            }
            DepositRow::Unregistered(row) => {
                self.must(!row.waiting.is_empty(), Rule::State, "it waits for an order that no payment names");
            }
        }
    }

    fn unreadable(&mut self, row: &Unreadable) {
        self.quotes(&row.evidence, Quoted::Unreadable(row.payment.as_ref().map(Odd::from)), None);
        let is_own = match &row.evidence.place {
            ListPlace::Stored { list } => *list == row.hash,
            // A text that is no list has no hash. It is reported as bad evidence.
            ListPlace::Here(list) => {
                list_hash(&list.additional_data).map_or(true, |hash| ListHash::from(hash) == row.hash)
            }
        };
        self.must(is_own, Rule::Evidence, "its key is of another list");
    }

    fn payment(&mut self, row: &Payment) {
        let credited_to = if let PaymentState::Credited { order, .. } = &row.state { Some(order) } else { None };
        let by_person = credited_to.and_then(|order| credit(&row.resolutions, order));
        let is_by_person = by_person.is_some();
        let own = row.facts().map(|facts| (facts, credited_to.map(|_| Decision::Credit)));
        for (facts, decides) in own.into_iter().chain(against(&row.contradictions).map(|facts| (facts, None))) {
            let (key, money) = (row.key.clone(), Money::from(facts));
            self.quotes(&facts.evidence, Quoted::Payment { key, money, is_by_person }, decides);
            let (id, number) = (&facts.custom_transaction_id, &row.key.transaction_id);
            let read = facts.order_before_hyphen.as_ref();
            let is_read = read.is_none() || read == AttemptId::order_before_hyphen(id, number).as_ref();
            self.must(is_read, Rule::Evidence, "the order that was read is not in the signed id");
        }
        match &row.state {
            PaymentState::Credited { facts, .. } if is_by_person => {
                let SignedFacts { amount, currency_code, .. } = facts.clone();
                self.checked.by_person = Some(Decided { decision: Decision::Credit, amount, currency_code });
            }
            PaymentState::Credited { order, credited_label, facts } => {
                self.must(
                    facts.names(order),
                    Rule::Decision,
                    "the signed order id names another order, and no person has decided",
                );
                let is_labelled = facts.label.as_ref() == Some(credited_label);
                self.must(is_labelled, Rule::Decision, "the postback's label is another, and no person has decided");
            }
            PaymentState::Rejected { .. } => {
                let is_found = decided(&row.resolutions, Outcome::Rejected).is_some();
                self.must(is_found, Rule::Decision, "it is rejected, and no person has decided");
            }
            PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Unmatched { .. }
            | PaymentState::Quarantined { .. } => {}
        }
    }

    fn withdrawal(&mut self, row: &Withdrawal) {
        for facts in against(&row.contradictions) {
            let (id, money) = (row.request.withdrawal_id.clone(), Money::from(facts));
            self.quotes(&facts.evidence, Quoted::Withdrawal { id, money, status: Status::Any }, None);
        }
        self.checked.open_since = (!row.is_final()).then_some(row.created_at);
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
            let by_person = decided(&row.resolutions, outcome);
            let (amount, currency_code) = (request.amount, request.currency_code.clone());
            self.checked.by_person = by_person.map(|_| Decided { decision: Decision::End, amount, currency_code });
            let what = "it has ended with no evidence, and no person has decided";
            return self.must(by_person.is_some(), Rule::Decision, what);
        };
        let (id, status) = (request.withdrawal_id.clone(), Status::Ending(status, request.payment_system.clone()));
        let quoted = Quoted::Withdrawal { id, money: Money::from(facts), status };
        self.quotes(&facts.evidence, quoted, Some(Decision::End));
        let is_so = facts.amount == request.amount
            && facts.currency_code == request.currency_code
            && facts.label.as_ref() == Some(&request.label);
        self.must(is_so, Rule::Decision, "the evidence of its end is of another amount, currency or label");
    }

    fn foreign(&mut self, row: &ForeignWithdrawal) {
        let first = std::iter::once((&row.facts, Status::Recorded(row.withdrawal_status)));
        for (facts, status) in first.chain(against(&row.contradictions).map(|facts| (facts, Status::Any))) {
            let (id, money) = (row.withdrawal_id.clone(), Money::from(facts));
            self.quotes(&facts.evidence, Quoted::Withdrawal { id, money, status }, None);
        }
    }
}

/// Whether an order's row counts as many credits as it may have, and has the sum of those that it remembers if these are all.
/// Count and sum are written from the second credit on.
fn has_right_totals(deposit: &Deposit) -> bool {
    let remembered = deposit.credited.len();
    let Some(totals) = deposit.totals else { return remembered <= 1 };
    let Ok(count) = usize::try_from(totals.count) else { return remembered == MAX_CREDITS };
    let is_all = count == remembered;
    count >= 2
        && remembered == count.min(MAX_CREDITS)
        && (!is_all || totals.sum == deposit.credited.iter().map(|credit| credit.amount).collect())
}

/// The contradictions of a row whose signed text it stores.
fn against(contradictions: &[Contradiction]) -> impl Iterator<Item = &SignedFacts> {
    let said = contradictions.iter().filter_map(|it| it.facts.as_ref());
    said.filter(|facts| facts.evidence.own_list().is_none_or(|list| !list.additional_data.is_empty()))
}

/// The decision of a person with this outcome.
fn decided(resolutions: &[Resolution], outcome: Outcome) -> Option<&Resolution> {
    resolutions.iter().find(|it| it.outcome == outcome)
}

/// The decision of a person that has credited a payment to this order.
pub(super) fn credit<'a>(resolutions: &'a [Resolution], order: &CustomTransactionId) -> Option<&'a Resolution> {
    resolutions.iter().find(|it| it.outcome == Outcome::Credited && it.credited_to.as_ref() == Some(order))
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
