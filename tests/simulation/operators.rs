//! Operators: they decide what is open and close what contradicts; late, wrongly, again, and several at a time.

use ::operator::Failure;
use ::operator::decisions::{Decide, DecisionRequest, Status};
use domain::{CustomTransactionId, Mismatch, Outcome, Payment, PaymentState, SignedFacts};
use store::{AnyRow, Read, RowId, StoreError, read_any};

use super::functions::Recorder;
use super::releases;
use super::table::Table;
use super::world::{Answer, Job, World};
use super::{decisions, many_payments};

/// How long a person's tool may run.
const LIMIT_MS: u64 = 60_000;

/// All that operators mean to do in a run.
pub(super) fn plan(world: &World) {
    for number in 0..6 {
        let name = format!("operator {number}");
        if world.happens(&name, 35) {
            let at = world.chance.below(&format!("{name} at"), 3_000_000) / world.chance.one_of(&name, &[1, 4, 20]);
            world.after(at, move |world| look(world, &name));
        }
    }
    for number in 0..2 {
        let name = format!("operator for support {number}");
        if world.happens(&name, 20) {
            world.after(world.chance.below(&format!("{name} at"), 500_000), move |world| free_number(world, &name));
        }
    }
}

/// Someone says that their number is taken: the operator takes it away from the order that claims it.
fn free_number(world: &World, name: &str) {
    let is_claimed = |it: &Payment| matches!(it.state, PaymentState::Claimed { .. });
    let claimed = world.rows().into_values().filter_map(|row| match row {
        AnyRow::Payment(it) if is_claimed(&it.row) => Some(it.row.key),
        _ => None,
    });
    let claimed: Vec<_> = claimed.collect();
    if let Some(key) = world.chance.any_of(name, &claimed) {
        decide(world, name.to_owned(), RowId::Payment(key.clone()), Outcome::Rejected, 1);
    }
}

/// Most look at what asks for them, some at anything.
fn look(world: &World, name: &str) {
    let looks_at_all = world.chance.percent(&format!("{name} looks at all"), 30);
    let rows = world.rows().into_values().filter(|row| looks_at_all || row.attention().is_some());
    let cases = rows.filter_map(|row| match row {
        AnyRow::Payment(it) => Some(RowId::Payment(it.row.key)),
        AnyRow::Withdrawal(it) => Some(RowId::Withdrawal(it.row.id().clone())),
        AnyRow::Unreadable(it) => Some(RowId::Unreadable(it.row.id())),
        _ => None,
    });
    let cases: Vec<_> = cases.collect();
    if let Some(case) = world.chance.any_of(name, &cases) {
        let outcome = finding(world, name, case);
        decide(world, name.to_owned(), case.clone(), outcome, 1);
    }
}

/// What they find out: mostly what the provider knows at this moment, which may be nothing yet.
fn finding(world: &World, name: &str, case: &RowId) -> Outcome {
    let is_wrong = world.chance.percent(&format!("{name} is wrong"), 25);
    match case {
        RowId::Payment(_) | RowId::Unreadable(_) if is_wrong => Outcome::Rejected,
        RowId::Withdrawal(id) => {
            let is_paid = world.with(|state| {
                let withdrawal = state.provider.withdrawals.iter().find(|it| it.id == id.as_str());
                withdrawal.is_some_and(|withdrawal| withdrawal.said != Some(5))
            });
            if is_paid == is_wrong { Outcome::Failed } else { Outcome::Paid }
        }
        _ => Outcome::Credited,
    }
}

/// Decides, and decides again where the row has changed meanwhile or no answer came.
pub(super) fn decide(world: &World, name: String, case: RowId, outcome: Outcome, attempt: u64) {
    let job = resolve(world, case.clone(), outcome);
    world.start(&format!("{name} try {attempt}"), LIMIT_MS, job, move |world, answer| match answer {
        Some(Answer::Reply(200, _)) => drop(world.with(|state| state.reached.insert("resolved"))),
        Some(Answer::Reply(409, _)) => drop(world.with(|state| state.reached.insert("not resolved"))),
        _ if attempt < 4 => {
            let wait = world.chance.below(&format!("{name} waits {attempt}"), 60_000);
            world.after(wait, move |world| decide(world, name, case, outcome, attempt + 1));
        }
        _ => {}
    });
}

fn resolve(world: &World, case: RowId, outcome: Outcome) -> Job {
    let own = releases::instance(world);
    Box::pin(async move {
        let status = match decide_as_a_person(&own, &case, outcome).await {
            Ok(Status::Recorded) => 200,
            Ok(Status::Preview | Status::Proposed) | Err(Failure::NotAllowed(_)) => 409,
            Err(_) => 503,
        };
        Answer::Reply(status, outcome.as_str().to_owned())
    })
}

/// Asks for a preview, and has the decision recorded once the person has read it. A second person may do the same.
async fn decide_as_a_person(world: &World, case: &RowId, outcome: Outcome) -> Result<Status, Failure> {
    let table = Table(world.clone());
    let row = read_any(&table, case).await?.ok_or_else(|| Failure::NotAllowed("there is no row".into()))?;
    let is_credit = outcome == Outcome::Credited;
    let (order, number) = match &row {
        AnyRow::Payment(stored) if is_credit => (order_for(&table, &stored.row).await?, None),
        AnyRow::Unreadable(stored) if is_credit => (None, many_payments::number_of(world, &stored.row)),
        _ => (None, None),
    };
    let request = DecisionRequest {
        id: case.key(),
        outcome: outcome.as_str(),
        by: "an operator".into(),
        reason: "statement".into(),
        evidence: "line 7".into(),
        order,
        number,
        different_payment: false,
        known_to: None,
        version: None,
    };
    let person = |number| Recorder { world: world.clone(), person: number };
    let shown = person(0).decide(&request).await?;
    decisions::seen(world, &shown);
    confirm(world).await;
    let request = DecisionRequest { version: Some(shown.version), ..request };
    let recorded = person(0).decide(&request).await?;
    if recorded.status != Status::Proposed {
        return Ok(recorded.status);
    }
    world.with(|state| state.reached.insert("a decision is proposed"));
    confirm(world).await;
    // Some press the button twice, and some have a colleague.
    let second = u64::from(world.happens(&world.next_call("a colleague"), 70));
    Ok(person(second).decide(&request).await?.status)
}

/// The person reads what will be written, and says yes.
async fn confirm(world: &World) {
    let name = world.next_call("confirms");
    let ms = if world.happens(&name, 50) { world.chance.below(&name, 40_000) } else { 1 };
    world.sleep(ms).await;
}

/// The order that the person names: where the number is contested, one for which it was entered; none where the provider has
/// signed one that is registered; else any of ours.
async fn order_for(table: &Table, payment: &Payment) -> Result<Option<CustomTransactionId>, StoreError> {
    if let PaymentState::Quarantined { mismatch: Mismatch::Contested | Mismatch::TakenAway, .. } = payment.state {
        let world = &table.0;
        let orders: Vec<_> =
            payment.entries.iter().flat_map(|it| it.entered.iter().map(|it| it.order.clone())).collect();
        return Ok(world.chance.any_of(&world.next_call("chooses"), &orders).cloned());
    }
    let Some(signed) = payment.facts().and_then(SignedFacts::order) else { return Ok(None) };
    let stored = table.read(&signed).await?;
    let is_known = stored.is_some_and(|it| it.row.registered().is_some());
    if is_known || !matches!(payment.state, PaymentState::Unmatched { .. }) {
        return Ok(None);
    }
    let known = table.0.rows().into_values().find_map(|row| match row {
        AnyRow::Deposit(it) => it.row.registered().map(|deposit| deposit.order.custom_transaction_id.clone()),
        _ => None,
    });
    Ok(known)
}
