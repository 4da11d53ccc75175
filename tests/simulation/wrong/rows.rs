//! Wrong tables, and wrong people who write to them.

use domain::{
    Amount, AttemptState, Deposit, DepositRow, ExpectedCredit, Label, Mismatch, Outcome, Payment, PaymentState,
    Resolution, Timestamp, Withdrawal, WithdrawalReport, WithdrawalRow, WithdrawalState,
};
use store::{Change, Row, Stored, Transacted, Written};

use super::super::table::{put, stored};
use super::super::world::World;
use super::{Wrong, add_credit, registered};

/// What a wrong tool reads: a withdrawal that is being sent looks unknown.
pub(in super::super) fn misread(world: &World, stored: Stored<WithdrawalRow>) -> Stored<WithdrawalRow> {
    match stored.row {
        WithdrawalRow::Registered(row)
            if row.state == WithdrawalState::Sending && world.is(Wrong::DecideWhileSending) && world.is_operator() =>
        {
            let row = Withdrawal { state: WithdrawalState::Unknown, ..*row };
            Stored { row: WithdrawalRow::Registered(Box::new(row)), ..stored }
        }
        row => Stored { row, ..stored },
    }
}

/// What a wrong function reads of an order: nothing that was answered ok, or no fail.
pub(in super::super) fn misread_deposit(world: &World, mut stored: Stored<DepositRow>) -> Stored<DepositRow> {
    if let (DepositRow::Unregistered(place), true) = (&mut stored.row, world.is(Wrong::ForgetPages)) {
        place.waiting.pages = 0;
    }
    if let DepositRow::Registered(deposit) = &mut stored.row {
        for attempt in &mut deposit.attempts {
            if attempt.outcome == AttemptState::Activated && world.is(Wrong::SendActivatedAgain) {
                attempt.outcome = AttemptState::Pending;
            } else if attempt.outcome == AttemptState::Failed && world.is(Wrong::ReuseFailedId) {
                attempt.outcome = AttemptState::NotSent;
            }
        }
    }
    stored
}

/// What a wrong function reads of a payment: a claim that is old, or no word of others.
pub(in super::super) fn misread_payment(world: &World, mut stored: Stored<Payment>) -> Stored<Payment> {
    if world.is(Wrong::CreditContested) && !world.is_operator() {
        stored.row.entries.clear();
    }
    if world.is(Wrong::ReuseFailedId) {
        stored.row.entries.iter_mut().flat_map(|it| &mut it.entered).for_each(|it| it.failed_id = None);
    }
    if let PaymentState::Claimed { journal: Some(journal), .. } = &mut stored.row.state
        && world.is(Wrong::ClaimBlocksNobody)
    {
        journal.claimed_at = Timestamp(0);
    }
    stored
}

/// What a wrong tool writes of a decision.
fn decision<R: Decided>(world: &World, change: &mut Change<R>, current: Option<&Stored<R>>) {
    if !is_decision(change, current) {
        return;
    }
    let resolutions = change.row.decisions();
    if world.is(Wrong::ForgetDecision) {
        resolutions.clear();
    } else if let Some(last) = resolutions.last_mut() {
        if world.is(Wrong::CloseForEver) {
            last.closes = usize::MAX;
        } else if world.is(Wrong::ForgetTakenFrom) {
            last.taken_from = None;
        }
    }
}

fn is_decision<R: Decided>(change: &Change<R>, current: Option<&Stored<R>>) -> bool {
    let count = |row: &R| row.clone().decisions().len();
    count(&change.row) > current.map_or(0, |it| count(&it.row))
}

/// Whether a wrong tool credits a payment and forgets its order.
pub(in super::super) fn is_order_forgotten(world: &World, payments: &[Change<Payment>]) -> bool {
    world.is(Wrong::CreditPaymentAlone)
        && payments.iter().any(|change| is_decision(change, stored(world, &change.row.key).as_ref()))
}

/// A row about which people decide.
pub(in super::super) trait Decided: Row {
    fn decisions(&mut self) -> &mut Vec<Resolution>;
}

impl Decided for Payment {
    fn decisions(&mut self) -> &mut Vec<Resolution> {
        &mut self.resolutions
    }
}

impl Decided for WithdrawalRow {
    fn decisions(&mut self) -> &mut Vec<Resolution> {
        match self {
            Self::Registered(row) => &mut row.resolutions,
            Self::Foreign(row) => &mut row.resolutions,
            Self::Reserved(_) => unreachable!("nobody decides about a reserved id"),
        }
    }
}

pub(in super::super) fn deposit(
    world: &World,
    mut change: Change<DepositRow>,
    current: Option<&Stored<DepositRow>>,
) -> Change<DepositRow> {
    let is_unregistered = matches!(current, Some(Stored { row: DepositRow::Unregistered(_), .. }));
    let is_new = matches!(change.row, DepositRow::Registered(_)) && change.expected_version == 0;
    if let DepositRow::Registered(deposit) = &mut change.row
        && is_new
        && world.is(Wrong::AcceptAnyLabel)
        && let Some(label) = asked_for(world, deposit)
    {
        deposit.order.label = label;
    }
    let overwrites = world.is(Wrong::OverwriteUnregistered) && is_unregistered && is_new;
    if overwrites || world.is(Wrong::DropCondition) { Change::of(change.row, current) } else { change }
}

/// The label that the merchant meant.
fn asked_for(world: &World, deposit: &Deposit) -> Option<Label> {
    let asked = format!("{}\n{}\n", deposit.order.custom_transaction_id, deposit.order.label.as_str());
    let label = world.with(|state| state.kept_in_mind.iter().find_map(|it| it.strip_prefix(&asked).map(str::to_owned)));
    label.and_then(|label| Label::parse(label).ok())
}

pub(in super::super) fn payment(
    world: &World,
    change: Change<Payment>,
    current: Option<&Stored<Payment>>,
) -> Option<Change<Payment>> {
    let is_dropped = match change.row.state {
        PaymentState::Unmatched { .. } => world.is(Wrong::DropUnmatched),
        PaymentState::Quarantined { .. } => world.is(Wrong::DropQuarantined),
        PaymentState::Claimed { .. } => world.is(Wrong::DropClaim),
        PaymentState::Released { .. } | PaymentState::Credited { .. } | PaymentState::Rejected { .. } => false,
    };
    if is_dropped {
        return None;
    }
    let mut change = if world.is(Wrong::DropCondition) { Change::of(change.row, current) } else { change };
    decision(world, &mut change, current);
    if world.is(Wrong::ForgetConflicts) {
        change.row.contradictions.clear();
    }
    if world.is(Wrong::ForgetEntries) {
        change.row.entries.truncate(1);
    }
    if let Some(current) = current.filter(|_| world.is(Wrong::CreditContested) && change.row.entries.is_empty()) {
        change.row.entries.clone_from(&current.row.entries);
    }
    if let PaymentState::Quarantined { facts, mismatch: Mismatch::SameNumber } = change.row.state.clone()
        && let Some(order) = facts.order().filter(|_| world.is(Wrong::CreditEachSpelling))
    {
        let credited_label = facts.label.clone()?;
        let credit = domain::Credit { payment: change.row.key.clone(), amount: facts.amount };
        change.row.state = PaymentState::Credited { order: order.clone(), credited_label, facts };
        add_credit(world, &order, credit);
    }
    if let PaymentState::Claimed { journal: Some(journal), .. } = &mut change.row.state
        && world.is(Wrong::FailEndsAnyAttempt)
    {
        let last = journal.calls.pop();
        journal.calls = last.into_iter().collect();
        journal.may_have_arrived = false;
    }
    if let PaymentState::Unmatched { labels, .. } = &mut change.row.state
        && world.is(Wrong::ForgetLabels)
    {
        labels.clear();
    }
    Some(change)
}

pub(in super::super) fn withdrawal(
    world: &World,
    change: Change<WithdrawalRow>,
    current: Option<&Stored<WithdrawalRow>>,
) -> Change<WithdrawalRow> {
    let is_reserved = |row: &WithdrawalRow| matches!(row, WithdrawalRow::Reserved(_));
    if is_reserved(&change.row) || current.is_some_and(|current| is_reserved(&current.row)) {
        return change;
    }
    let mut change = if world.is(Wrong::DropCondition) { Change::of(change.row, current) } else { change };
    let last = change.row.decisions().last().map(|it| it.outcome).filter(|_| is_decision(&change, current));
    decision(world, &mut change, current);
    let row = match &mut change.row {
        WithdrawalRow::Registered(row) => row,
        WithdrawalRow::Reserved(_) => return change,
        WithdrawalRow::Foreign(row) => {
            if world.is(Wrong::FirstWordOnly) {
                row.contradictions.clear();
            }
            return change;
        }
    };
    if let Some(outcome) = last.filter(|_| world.is(Wrong::TurnEnd) && row.is_final()) {
        row.state = turned(outcome);
    }
    if row.state == WithdrawalState::Unknown && world.is(Wrong::ForgetUnknown) {
        row.state = WithdrawalState::Waiting;
    }
    if world.is(Wrong::ForgetConflicts) {
        row.contradictions.clear();
    }
    if row.needs_review.is_some() && world.is(Wrong::RefundOnReview) {
        row.state = WithdrawalState::Rejected { message: "the attempts are used up".into() };
    }
    if let (Some(wrong), Some(old)) = (world.with(|state| state.settings.wrong), current) {
        row.state_since = wrong_since(wrong, row, &old.row);
    }
    change
}

/// Since when a wrongly written row is in its state: all but one of the wrong variants know that.
fn wrong_since(wrong: Wrong, row: &Withdrawal, old: &WithdrawalRow) -> Timestamp {
    match old {
        WithdrawalRow::Registered(old) if wrong != Wrong::YoungAgain && old.state.name() == row.state.name() => {
            old.state_since
        }
        WithdrawalRow::Registered(_) | WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_) => row.changed_at,
    }
}

/// The end that a wrong operator gives to a withdrawal, whatever it ended as.
fn turned(outcome: Outcome) -> WithdrawalState {
    match outcome {
        Outcome::Paid | Outcome::Credited => WithdrawalState::Paid { facts: None },
        Outcome::Failed | Outcome::Rejected => WithdrawalState::Failed { facts: None },
    }
}

/// What a wrong table does with a credit; `None`: what the right one does.
pub(in super::super) fn credit(world: &World, expected: &ExpectedCredit) -> Option<Transacted> {
    let PaymentState::Credited { facts, .. } = &expected.payment.state else { return None };
    if world.is(Wrong::FirstElementOnly) && facts.evidence.element > 0 {
        return Some(Transacted::Done);
    }
    let order = match stored(world, &expected.order)?.row {
        DepositRow::Registered(deposit) => deposit.order,
        DepositRow::Unregistered(_) => return None,
    };
    let decided = stored(world, &expected.payment.key).and_then(|it| match it.row.state {
        PaymentState::Credited { facts, .. } => Some(facts.evidence),
        _ => None,
    });
    let is_forgotten = decided.as_ref().is_some_and(|evidence| {
        let age_ms = world.clock_ms().abs_diff(evidence.received_at.0);
        (world.is(Wrong::ExpireDedupRow) && age_ms > 120_000)
            || (world.is(Wrong::DedupBySignature)
                && super::super::lists::name(evidence) != super::super::lists::name(&facts.evidence))
    });
    let float: Option<f64> = expected.credit.amount.to_string().parse().ok();
    let float = float.and_then(|it| Amount::parse(&it.to_string()).ok()).filter(|_| world.is(Wrong::CreditAsFloat));
    let trusts = world.is(Wrong::TrustTopLabel) && order.label != expected.label && decided.is_none();
    let is_wrong = is_forgotten || trusts || float.is_some() || world.is(Wrong::TearCredit);
    if !is_wrong && !world.is(Wrong::CreditEachTime) {
        return None;
    }
    let mut expected = expected.clone();
    if let Some(float) = float {
        expected.credit.amount = float;
    }
    credit_anyway(world, expected);
    Some(Transacted::Done)
}

fn credit_anyway(world: &World, expected: ExpectedCredit) {
    let current = stored(world, &expected.payment.key);
    put(world, Change::of(expected.payment, current.as_ref()));
    add_credit(world, &expected.order, expected.credit);
}

/// What a wrong table does with the end of a withdrawal; `None`: what the right one does.
pub(in super::super) fn end_withdrawal(world: &World, report: &WithdrawalReport) -> Option<Written<WithdrawalRow>> {
    if world.is(Wrong::FirstElementOnly) && report.facts.evidence.element > 0 {
        return Some(Written::Done);
    }
    let current = stored(world, &report.withdrawal_id)?;
    let WithdrawalRow::Registered(row) = &current.row else { return None };
    let any_amount = world.is(Wrong::SettleAnyAmount) && !row.is_final();
    let last_wins = world.is(Wrong::LastPostbackWins) && row.request.amount == report.facts.amount;
    let overrules = world.is(Wrong::OverrulePerson)
        && row.request.amount == report.facts.amount
        && matches!(row.state, WithdrawalState::Paid { facts: None } | WithdrawalState::Failed { facts: None });
    if !any_amount && !last_wins && !overrules {
        return None;
    }
    put(world, current.becomes(registered(Withdrawal { state: report.outcome()?, ..*row.clone() })));
    Some(Written::Done)
}
