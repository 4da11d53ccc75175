//! What must hold once faults are over and the provider has said what it will.

use domain::{DepositRow, Mismatch, PaymentState, WithdrawalRow, WithdrawalState};
use store::{AnyRow, Stored};

use super::activations;
use super::ceilings;
use super::decisions::{is_contradicted, is_open};
use super::intruder;
use super::many_payments;
use super::push;
use super::replays;
use super::reporter;
use super::restored;
use super::rules::{
    DURABLE, FINAL, ONCE, RELEASED, TWICE, break_rule, check, credits_of, order_of, payment_row, withdrawal_row,
};
use super::stream;
use super::table::row;
use super::world::World;

/// Judges the end of a run.
pub(super) fn at_rest(world: &World) {
    reporter::at_rest(world);
    let money = world.with(|state| state.provider.money.clone());
    for (number, money) in money {
        let Some((order, label)) = money.bound.filter(|_| money.is_acknowledged && !money.is_contradicted) else {
            continue;
        };
        let order = order_of(&order).and_then(|id| row(world, &id));
        let is_due = matches!(&order, Some(DepositRow::Registered(it)) if it.order.label.as_str() == label);
        let row = payment_row(world, &number);
        let credits = credits_of(world, &number);
        // A person may credit a respelled copy to an order that was not credited for it.
        let by_code = credits.iter().filter(|row| row.resolutions.is_empty()).count();
        check(world, ONCE, by_code <= 1, || format!("{number} is credited {by_code} times"));
        let is_credited = credits.iter().any(|row| row.facts().is_some_and(|it| it.amount.to_string() == money.amount));
        let is_rejected = matches!(row.as_ref().map(|row| &row.state), Some(PaymentState::Rejected { .. }));
        let is_a_persons = row.iter().chain(&credits).any(|row| !row.resolutions.is_empty());
        // What is contested is a person's: the rules of entered numbers say what may not be credited.
        let is_contested = row.as_ref().is_some_and(|row| {
            matches!(row.state, PaymentState::Quarantined { mismatch: Mismatch::Contested, .. })
                && row.entries.len() + usize::from(row.entries.iter().all(|it| it.label.as_str() != label)) > 1
                || matches!(row.state, PaymentState::Quarantined { mismatch: Mismatch::TakenAway, .. }) && is_a_persons
        });
        // A merchant that gave up while the order's payments were being matched has left some: its next request goes on.
        let is_left = matches!(&order, Some(DepositRow::Registered(it)) if !it.waiting.is_empty())
            && matches!(row.as_ref().map(|row| &row.state), Some(PaymentState::Unmatched { .. }));
        let holds = is_credited == is_due || is_contested || is_left || (is_a_persons && (is_credited || is_rejected));
        check(world, ONCE, holds, || format!("{number}: due {is_due}, but {row:?}"));
    }
    activations::at_rest(world);
    ceilings::at_rest(world);
    withdrawals_at_rest(world);
    stream::at_rest(world);
    replays::at_rest(world);
    push::at_rest(world);
    intruder::at_rest(world);
    let rows = world.rows();
    for row in rows.values() {
        if let AnyRow::Unreadable(Stored { row, .. }) = row {
            check(world, FINAL, row.resolutions.is_empty() == row.attention().is_some(), || format!("{row:?}"));
        }
        if let AnyRow::ListProgress(Stored { row, .. }) = row {
            many_payments::list_at_rest(world, row);
        }
        let AnyRow::Payment(Stored { row, .. }) = row else { continue };
        let is_open = matches!(row.state, PaymentState::Unmatched { .. } | PaymentState::Quarantined { .. });
        let needs_a_person = is_open || is_contradicted(&row.contradictions, &row.resolutions);
        check(world, FINAL, needs_a_person == row.attention().is_some(), || format!("{row:?}"));
    }
    for row in rows.into_values() {
        let AnyRow::Withdrawal(Stored { row, .. }) = row else { continue };
        let has_attention = row.attention().is_some();
        let row = match row {
            WithdrawalRow::Registered(row) => row,
            WithdrawalRow::Reserved(_) => continue,
            WithdrawalRow::Foreign(row) => {
                check(world, FINAL, is_open(&row) == has_attention, || format!("{row:?}"));
                continue;
            }
        };
        let id = row.request.withdrawal_id.as_str();
        let is_heard = has_attention || !is_contradicted(&row.contradictions, &row.resolutions);
        check(world, FINAL, is_heard, || format!("nobody hears of what contradicts {id}"));
        // Of one whose message is gone, the report tells.
        let has_letter = world.with(|state| {
            let mut letters = state.messages.dead.values().chain(&state.messages.gone);
            letters.any(|body| body.contains(&format!("\"{id}\"")))
        });
        let has_alarm = row.state == WithdrawalState::Unknown || row.needs_review.is_some() || has_letter;
        check(world, FINAL, row.is_final() || has_alarm, || format!("{id} is {:?}", row.state));
    }
}

fn withdrawals_at_rest(world: &World) {
    let (withdrawals, model, resends) =
        world.with(|state| (state.provider.withdrawals.clone(), state.provider.model, state.settings.resend_unknown));
    for withdrawal in &withdrawals {
        let id = &withdrawal.id;
        let times = withdrawals.iter().filter(|it| it.id == *id).count();
        check(world, TWICE, times == 1 || (resends && !model.dedups), || format!("{id}: {times} times"));
        // What only the table before a restore had is reserved, and may have been reported since.
        if world.with(|state| state.history.used.contains(id)) {
            let row = withdrawal_row(world, id);
            let is_reserved = matches!(row, Some(WithdrawalRow::Reserved(_) | WithdrawalRow::Foreign(_)));
            check(world, restored::REUSED, is_reserved, || format!("{id} is {row:?}"));
            continue;
        }
        let Some(WithdrawalRow::Registered(row)) = withdrawal_row(world, id) else {
            break_rule(world, "what is sent is journalled", &format!("{id} is paid, and is not known"));
            continue;
        };
        if withdrawal.is_contradicted || times > 1 {
            continue;
        }
        let agrees = match row.state {
            WithdrawalState::Paid { .. } => withdrawal.said == Some(1),
            WithdrawalState::Failed { .. } => withdrawal.said == Some(5),
            _ => false,
        };
        let is_conflict = row.contradictions.iter().any(|it| it.mismatch == Mismatch::Outcome);
        let holds = agrees || (is_conflict && !row.resolutions.is_empty());
        let is_released = matches!(row.state, WithdrawalState::Rejected { .. } | WithdrawalState::Failed { .. });
        check(world, if is_released { RELEASED } else { DURABLE }, holds, || {
            format!("{id} is {:?}, and the provider said {:?}", row.state, withdrawal.said)
        });
    }
}

/// Whether a withdrawal was released and paid, or paid twice, whatever is on record: the harm that the naive policies do.
pub(super) fn is_harmed(world: &World) -> bool {
    let withdrawals = world.with(|state| state.provider.withdrawals.clone());
    withdrawals.iter().any(|withdrawal| {
        let is_paid = withdrawal.said == Some(1) && !withdrawal.is_contradicted;
        let is_twice = withdrawals.iter().filter(|it| it.id == withdrawal.id).count() > 1;
        let is_released = matches!(withdrawal_row(world, &withdrawal.id), Some(WithdrawalRow::Registered(row))
            if matches!(row.state, WithdrawalState::Rejected { .. } | WithdrawalState::Failed { .. }));
        is_paid && (is_twice || is_released)
    })
}
