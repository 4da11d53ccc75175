//! What must hold after every change of a row and at every answer.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Contradiction, Credit, CustomTransactionId, Deposit, DepositRow, ListHash, MAX_CREDITS, Mismatch, NormalisedNumber,
    Payment, PaymentKey, PaymentState, Reservation, SignedFacts, SubmissionAttempt, Totals, TransactionId,
    UnreadableId, Unregistered, WaitingPageId, WalletType, Withdrawal, WithdrawalId, WithdrawalRow, WithdrawalState,
};

use super::activations::{self, Activations};
use store::AnyRow;

use super::ceilings;
use super::decisions;
use super::lists;
use super::many_payments;
use super::provider::{Fact, Postback, Subject, Top, Written};
use super::queue;
use super::reporter;
use super::restored;
use super::table::row;
use super::withdrawals::Send;
use super::world::World;

/// What the rules remember.
#[derive(Default)]
pub(super) struct Rules {
    /// Each rule that was broken, and how.
    pub broken: Vec<(&'static str, String)>,
    /// The bodies sent for each withdrawal, and what came of each send.
    pub sends: BTreeMap<String, Vec<(String, Send)>>,
    pub activations: Activations,
    /// What each task has reserved.
    pub reservations: BTreeMap<String, Reservation>,
    /// All credits of each order.
    credits: BTreeMap<CustomTransactionId, Vec<Credit>>,
}

impl Rules {
    /// What the rules remember of the table at this moment.
    pub(super) fn copy(&self) -> Self {
        Self {
            broken: Vec::new(),
            sends: self.sends.clone(),
            activations: self.activations.clone(),
            reservations: self.reservations.clone(),
            credits: self.credits.clone(),
        }
    }

    /// The table is so again.
    pub(super) fn restore(&mut self, copy: Self) {
        *self = Self { broken: std::mem::take(&mut self.broken), ..copy };
    }

    pub(super) fn break_rule(&mut self, rule: &'static str, how: &str) {
        self.broken.push((rule, how.to_owned()));
    }
}

pub(super) fn break_rule(world: &World, rule: &'static str, how: &str) {
    world.note(|| format!("BROKEN: {rule}: {how}"));
    world.with(|state| state.rules.break_rule(rule, how));
}

pub(super) fn check(world: &World, rule: &'static str, holds: bool, how: impl FnOnce() -> String) {
    if !holds {
        break_rule(world, rule, &how());
    }
}

const BACKWARDS: &str = "no state goes backwards";
const ARMED: &str = "a message is sent before a withdrawal is journalled";
const DATED: &str = "only a change of state makes a withdrawal look young";
const EVIDENCE: &str = "only what the provider signed is believed";
const CREDIT: &str = "what is credited is the signed amount to the stored label";
const COUNTED: &str = "an order counts its credits and remembers the last of them";
const FORGOTTEN: &str = "an attempt that may have arrived is never forgotten";
pub(super) const DURABLE: &str = "what was answered ok is durable";
pub(super) const RELEASED: &str = "no withdrawal is released and paid without a conflict raised";
pub(super) const ONCE: &str = "each real payment is credited once";
pub(super) const FINAL: &str = "every row is final or has an alarm";
pub(super) const TWICE: &str = "no withdrawal is paid twice";
pub(super) const SECRET: &str = "no secret and no unmasked person in any output";

/// The contradictions on record only grow.
fn grows(old: &[Contradiction], new: &[Contradiction]) -> bool {
    new.starts_with(old)
}

fn signed(world: &World, facts: &SignedFacts) -> Option<Fact> {
    let evidence = &facts.evidence;
    lists::evidence(world, evidence);
    world.with(|state| state.provider.signed.get(&(lists::name(evidence), evidence.element)).cloned())
}

fn is_amount(facts: &SignedFacts, fact: &Fact) -> bool {
    facts.amount.to_string() == fact.amount && facts.currency_code.as_str() == "INR"
}

pub(super) fn deposit(world: &World, old: Option<&DepositRow>, new: Option<&DepositRow>) {
    match (old, new) {
        (_, None) => break_rule(world, BACKWARDS, "an order's row is gone"),
        (Some(DepositRow::Registered(_)), Some(DepositRow::Unregistered(_))) => {
            break_rule(world, BACKWARDS, "a registered order is unknown again");
        }
        (Some(DepositRow::Unregistered(old)), Some(DepositRow::Unregistered(new))) => {
            let (old, new) = (waiting(world, old), waiting(world, new));
            check(world, BACKWARDS, new.starts_with(&old), || format!("waiting: {old:?} -> {new:?}"));
        }
        (Some(DepositRow::Registered(old)), Some(DepositRow::Registered(new))) => {
            let holds = old.order == new.order
                && old.params == new.params
                && new.total_credits().count >= old.total_credits().count
                && old.attempts.iter().zip(&new.attempts).all(|(old, new)| old.transaction_id == new.transaction_id)
                && new.attempts.len() >= old.attempts.len();
            check(world, BACKWARDS, holds, || format!("{old:?} -> {new:?}"));
        }
        (_, Some(_)) => {}
    }
    if let Some(DepositRow::Registered(deposit)) = new {
        credits(world, old.and_then(DepositRow::registered), deposit);
        activations::deposit(world, old.and_then(DepositRow::registered), deposit);
    }
}

/// The payments that wait for an order, the oldest first.
fn waiting(world: &World, row: &Unregistered) -> Vec<PaymentKey> {
    let id = |page| WaitingPageId { order: row.custom_transaction_id.clone(), page };
    let pages = (1..=row.waiting.pages).filter_map(|page| super::table::row(world, &id(page)));
    pages.flat_map(|page| page.payments).chain(row.waiting.newest.clone()).collect()
}

/// Each credit of an order is the credit of its payment's own row, the row counts all of them, and no number is among them twice.
fn credits(world: &World, old: Option<&Deposit>, deposit: &Deposit) {
    let known = old.map(|it| it.credited.clone()).unwrap_or_default();
    let new = deposit.credited.iter().filter(|it| !known.contains(it)).cloned();
    let all = world.with(|state| {
        let all = state.rules.credits.entry(deposit.order.custom_transaction_id.clone()).or_default();
        all.extend(new);
        all.clone()
    });
    let total = Totals { count: u64::try_from(all.len()).unwrap(), sum: all.iter().map(|it| it.amount).collect() };
    let is_counted = deposit.total_credits() == total && all.ends_with(&deposit.credited);
    let is_counted = is_counted && deposit.credited.len() <= MAX_CREDITS;
    check(world, COUNTED, is_counted, || format!("{all:?} and {:?}", deposit.total_credits()));
    let numbers: BTreeSet<_> = all.iter().map(|it| NormalisedNumber::of(&it.payment.transaction_id)).collect();
    check(world, ONCE, numbers.len() == all.len(), || format!("{all:?}"));
    for credit in &deposit.credited {
        let times = deposit.credited.iter().filter(|it| it.payment == credit.payment).count();
        check(world, ONCE, times == 1, || format!("{} times {}", times, credit.payment.transaction_id));
        let holds = row(world, &credit.payment).is_some_and(|payment| {
            matches!(&payment.state, PaymentState::Credited { order, facts, .. }
                if *order == deposit.order.custom_transaction_id && facts.amount == credit.amount)
        });
        check(world, CREDIT, holds, || format!("{credit:?} of {}", deposit.order.custom_transaction_id));
    }
}

pub(super) fn payment(world: &World, old: Option<&Payment>, new: Option<&Payment>) {
    use PaymentState::{Claimed, Credited, Quarantined, Rejected, Released, Unmatched};
    let Some(new) = new else { return break_rule(world, BACKWARDS, "a payment's row is gone") };
    let number = &new.key.transaction_id;
    if let Some(old) = old {
        let may = match (&old.state, &new.state) {
            (Claimed { .. } | Released { .. }, _) => true,
            (Unmatched { .. } | Quarantined { .. }, it) => !matches!(it, Claimed { .. } | Released { .. }),
            (Credited { .. } | Rejected { .. }, _) => old.state == new.state,
        };
        let holds = may && grows(&old.contradictions, &new.contradictions);
        check(world, BACKWARDS, holds, || format!("{number}: {:?} -> {:?}", old.state, new.state));
    }
    decisions::payment(world, old, new);
    activations::payment(world, old, new);
    world.with(|state| {
        state.reached.insert(match new.state {
            Claimed { .. } => "claimed",
            Released { .. } => "released",
            Unmatched { .. } => "unmatched",
            Quarantined { .. } => "quarantined",
            Credited { .. } => "credited",
            Rejected { .. } => "rejected payment",
        });
        if !new.contradictions.is_empty() {
            state.reached.insert("a payment's conflict");
        }
    });
    let Some(facts) = new.facts() else { return };
    let is_signed = signed(world, facts).is_some_and(|fact| {
        let Subject::Payment { number: signed, order } = &fact.subject else { return false };
        // A person states the number of an odd payment.
        let is_stated = fact.written.is_odd() && signed == number.as_str() && !new.resolutions.is_empty();
        let is_written = fact.written.number(signed) == number.as_str() && !fact.written.is_odd();
        is_amount(facts, &fact)
            && *order == facts.custom_transaction_id
            && fact.written.wallet() == new.key.wallet_type.as_str()
            && (is_stated || is_written)
    });
    check(world, EVIDENCE, is_signed, || format!("{number}: {facts:?}"));
    many_payments::payment(world, old, new);
    if let Credited { order, credited_label, facts } = &new.state {
        let is_labelled = matches!(row(world, order), Some(DepositRow::Registered(deposit))
            if deposit.order.label == *credited_label);
        let is_of_order = world.with(|state| {
            let mut credits = state.rules.credits.get(order).into_iter().flatten();
            credits.any(|it| it.payment == new.key && it.amount == facts.amount)
        });
        let holds = is_labelled && is_of_order;
        check(world, CREDIT, holds, || format!("{number} to {order}"));
    }
}

pub(super) fn withdrawal(world: &World, old: Option<&WithdrawalRow>, new: Option<&WithdrawalRow>) {
    match (old, new) {
        (_, None) => break_rule(world, BACKWARDS, "a withdrawal's row is gone"),
        (Some(WithdrawalRow::Foreign(old)), Some(WithdrawalRow::Foreign(new))) => {
            let is_kept = old.facts == new.facts && new.contradictions.starts_with(&old.contradictions);
            check(world, BACKWARDS, is_kept, || "an unmatched row is written over".into());
            decisions::foreign(world, old, new);
        }
        (Some(WithdrawalRow::Foreign(_)), Some(WithdrawalRow::Registered(_))) => {
            break_rule(world, BACKWARDS, "an unmatched row is written over");
        }
        (Some(WithdrawalRow::Registered(_)), Some(WithdrawalRow::Foreign(_))) => {
            break_rule(world, BACKWARDS, "a withdrawal is unknown again");
        }
        // An id is reserved where the table has none. Only a report says more about it.
        (None | Some(WithdrawalRow::Reserved(_)), Some(WithdrawalRow::Foreign(_)))
        | (None, Some(WithdrawalRow::Reserved(_))) => {}
        (_, Some(WithdrawalRow::Reserved(_))) | (Some(WithdrawalRow::Reserved(_)), _) => {
            break_rule(world, BACKWARDS, "a reserved id is written over");
        }
        (None, Some(WithdrawalRow::Registered(new))) => {
            let message = queue::armed(new.request.withdrawal_id.as_str());
            let is_armed = world.with(|state| state.messages.sent.contains(&message));
            let was_used = world.with(|state| state.history.used.contains(new.request.withdrawal_id.as_str()));
            check(world, restored::REUSED, !was_used, || new.request.withdrawal_id.to_string());
            check(world, ARMED, is_armed, || format!("{message} was not sent"));
            let is_dated = new.created_at == new.changed_at && new.changed_at == new.state_since;
            check(world, DATED, is_dated, || format!("{new:?}"));
            decisions::withdrawal(world, None, new);
            our_withdrawal(world, new);
            ceilings::judge(world);
        }
        (Some(WithdrawalRow::Registered(old)), Some(WithdrawalRow::Registered(new))) => {
            let holds = may_become(&old.state, &new.state)
                && old.request == new.request
                && old.body == new.body
                && attempts_grow(&old.attempts, &new.attempts)
                && grows(&old.contradictions, &new.contradictions);
            check(world, BACKWARDS, holds, || format!("{old:?} -> {new:?}"));
            let is_same = old.state.name() == new.state.name();
            let since = if is_same { old.state_since } else { new.changed_at };
            let is_dated = new.created_at == old.created_at && new.state_since == since;
            check(world, DATED, is_dated, || format!("{old:?} -> {new:?}"));
            reporter::given_up(world, old, new);
            decisions::withdrawal(world, Some(old), new);
            our_withdrawal(world, new);
        }
    }
}

/// Attempts are only added, and an end that is noted stays.
fn attempts_grow(old: &[SubmissionAttempt], new: &[SubmissionAttempt]) -> bool {
    let is_kept = |(old, new): (&SubmissionAttempt, &SubmissionAttempt)| {
        old.sender == new.sender && old.started_at == new.started_at && (old.ended.is_none() || old.ended == new.ended)
    };
    old.len() <= new.len() && old.iter().zip(new).all(is_kept)
}

fn may_become(old: &WithdrawalState, new: &WithdrawalState) -> bool {
    use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
    match (old, new) {
        (Waiting, Rejected { .. }) => false,
        (Sending | Waiting, _) => true,
        (Unknown, it) => matches!(it, Unknown | Submitted | Paid { .. } | Failed { .. }),
        (Submitted, it) => matches!(it, Submitted | Paid { .. } | Failed { .. }),
        (Paid { facts: None }, it) => matches!(it, Paid { .. }),
        (Failed { facts: None }, it) => matches!(it, Failed { .. }),
        (Rejected { .. } | Paid { .. } | Failed { .. }, it) => it == old,
    }
}

fn our_withdrawal(world: &World, row: &Withdrawal) {
    use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
    let id = row.request.withdrawal_id.as_str();
    let is_forgotten = world.with(|state| {
        state.reached.insert(match row.state {
            Sending => "sending",
            Waiting => "waiting",
            Unknown => "unknown row",
            Submitted => "submitted",
            Rejected { .. } => "rejected",
            Paid { .. } => "paid",
            Failed { .. } => "failed",
        });
        for contradiction in &row.contradictions {
            state.reached.insert(match contradiction.mismatch {
                Mismatch::Status => "an undocumented status",
                Mismatch::Outcome => "an opposite outcome",
                _ => "a withdrawal's conflict",
            });
        }
        if row.needs_review.is_some() {
            state.reached.insert("needs review");
        }
        // Between a restore and the doubt about what was on its way, withdrawals are off.
        let lost = state.history.sends.get(id).filter(|_| state.history.is_on);
        let sends = [state.rules.sends.get(id), lost];
        sends.into_iter().flatten().flatten().any(|(_, send)| send.may_have_arrived())
    });
    match &row.state {
        Waiting | Rejected { .. } => {
            check(world, FORGOTTEN, !is_forgotten, || format!("{id} is {:?}", row.state));
        }
        Paid { facts: Some(facts) } | Failed { facts: Some(facts) } => {
            let status = if matches!(row.state, Paid { .. }) { 1 } else { 5 };
            let is_signed = signed(world, facts).is_some_and(|fact| {
                is_amount(facts, &fact)
                    && row.request.amount == facts.amount
                    && fact.subject == Subject::Withdrawal { id: id.into(), status }
            });
            check(world, EVIDENCE, is_signed, || format!("{id}: {facts:?}"));
        }
        Paid { facts: None } | Failed { facts: None } | Sending | Unknown | Submitted => {}
    }
}

pub(super) fn order_of(attempt: &str) -> Option<CustomTransactionId> {
    CustomTransactionId::parse(attempt.split(['.', '-']).next()?).ok()
}

pub(super) fn payment_row(world: &World, number: &str) -> Option<Payment> {
    written_row(world, number, Written::AsItIs)
}

fn written_row(world: &World, number: &str, written: Written) -> Option<Payment> {
    let wallet_type = WalletType::parse(written.wallet()).unwrap();
    let transaction_id = TransactionId::parse(written.number(number)).unwrap();
    row(world, &PaymentKey { wallet_type, transaction_id })
}

/// The rows by which money is credited, whatever its spelling.
pub(super) fn credits_of(world: &World, number: &str) -> Vec<Payment> {
    let rows = world.rows().into_values().filter_map(|row| match row {
        AnyRow::Payment(it) => Some(it.row),
        _ => None,
    });
    let is_of = |facts: &SignedFacts| {
        signed(world, facts)
            .is_some_and(|it| matches!(&it.subject, Subject::Payment { number: it, .. } if it == number))
    };
    rows.filter(|row| matches!(&row.state, PaymentState::Credited { facts, .. } if is_of(facts))).collect()
}

pub(super) fn withdrawal_row(world: &World, id: &str) -> Option<WithdrawalRow> {
    row(world, &WithdrawalId::parse(id).unwrap())
}

fn is_recorded(contradictions: &[Contradiction], postback: &Postback, element: usize) -> bool {
    contradictions.iter().any(|it| {
        it.facts.as_ref().is_some_and(|facts| {
            let list = lists::name(&facts.evidence);
            (list == postback.signature || list == postback.hash) && facts.evidence.element == element
        })
    })
}

/// Which elements of a postback are in the table.
pub(super) fn durable(world: &World, postback: &Postback) -> Vec<bool> {
    let is_durable = |(element, fact): (usize, &Fact)| match &fact.subject {
        Subject::Payment { .. } if fact.written.is_odd() => {
            let list = ListHash::parse(postback.hash.as_str()).unwrap();
            row(world, &UnreadableId { list, element }).is_some()
        }
        Subject::Payment { number, order } => written_row(world, number, fact.written).is_some_and(|row| {
            let Some(facts) = row.facts() else { return false };
            let is_same = facts.custom_transaction_id == *order && is_amount(facts, fact);
            is_same || is_recorded(&row.contradictions, postback, element)
        }),
        Subject::Withdrawal { id, status } => withdrawal_row(world, id).is_some_and(|row| match row {
            WithdrawalRow::Reserved(_) => false,
            WithdrawalRow::Foreign(row) => {
                let is_same = row.withdrawal_status == Some(*status) && is_amount(&row.facts, fact);
                is_same || is_recorded(&row.contradictions, postback, element)
            }
            WithdrawalRow::Registered(row) => {
                let is_same = match row.state {
                    WithdrawalState::Paid { facts: Some(_) } => *status == 1,
                    WithdrawalState::Failed { facts: Some(_) } | WithdrawalState::Rejected { .. } => *status == 5,
                    _ => false,
                };
                is_same || is_recorded(&row.contradictions, postback, element)
            }
        }),
    };
    postback.facts.iter().enumerate().map(is_durable).collect()
}

/// A postback was answered ok: all that it says must be in the table.
pub(super) fn acknowledged(world: &World, postback: &Postback, top: &Top) {
    for (fact, is_durable) in postback.facts.iter().zip(durable(world, postback)) {
        check(world, DURABLE, is_durable, || format!("{} as {top:?}: {fact:?}", postback.name));
        if let Subject::Withdrawal { id, status } = &fact.subject {
            released_and_paid(world, id, *status);
        }
    }
}

/// Once the provider has said that it paid, money that we released is a conflict on record; and the other way round.
fn released_and_paid(world: &World, id: &str, status: i64) {
    let Some(WithdrawalRow::Registered(row)) = withdrawal_row(world, id) else { return };
    let is_opposite = match row.state {
        WithdrawalState::Rejected { .. } | WithdrawalState::Failed { .. } => status == 1,
        WithdrawalState::Paid { .. } => status == 5,
        _ => false,
    };
    let holds = !is_opposite || !row.contradictions.is_empty();
    check(world, RELEASED, holds, || format!("{id} is {:?}, and the provider said {status}", row.state));
}

/// A genuine postback, unaltered, was answered ok: it is not sent again.
pub(super) fn delivered(world: &World, postback: &Postback) {
    world.with(|state| {
        for fact in &postback.facts {
            if let (Subject::Payment { number, .. }, Written::AsItIs) = (&fact.subject, fact.written) {
                state.provider.money.entry(number.clone()).and_modify(|it| it.is_acknowledged = true);
            }
        }
    });
}

/// A merchant was answered that something is recorded: it is.
pub(super) fn recorded(world: &World, is_recorded: bool, what: impl FnOnce() -> String) {
    check(world, DURABLE, is_recorded, what);
}

/// An answer to a merchant shows no secret.
pub(super) fn shown(world: &World, text: &str) {
    check(world, SECRET, !text.contains("secret-of") && !text.contains("person-account"), || text.to_owned());
}
