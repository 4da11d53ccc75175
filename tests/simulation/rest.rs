//! What must hold once faults are over and the provider has said what it will.

use domain::{DepositRow, PaymentState, WithdrawalRow, WithdrawalState};

use super::rules::{DURABLE, FINAL, ONCE, RELEASED, TWICE, break_rule, check, order_of, payment_row, payout_row};
use super::stream;
use super::table::row;
use super::world::World;

/// Judges the end of a run.
pub(super) fn at_rest(world: &World) {
    let money = world.with(|state| state.provider.money.clone());
    for (number, money) in money {
        let Some((order, label)) = money.bound.filter(|_| money.is_acknowledged && !money.is_contradicted) else {
            continue;
        };
        let order = order_of(&order).and_then(|id| row::<DepositRow>(world, &id));
        let is_due = matches!(&order, Some(DepositRow::Registered(it)) if it.order.label.as_str() == label);
        let state = payment_row(world, &number).map(|row| row.state);
        let is_credited = matches!(&state, Some(PaymentState::Credited { receipt, .. })
            if receipt.amount.to_string() == money.amount);
        check(world, ONCE, is_credited == is_due, || format!("{number}: due {is_due}, but {state:?}"));
    }
    payouts_at_rest(world);
    stream::at_rest(world);
    for stored in world.table.rows().withdrawals.into_values() {
        let WithdrawalRow::Registered(row) = stored.row else { continue };
        let id = row.request.withdrawal_id.as_str();
        let has_letter =
            world.with(|state| state.messages.dead.values().any(|body| body.contains(&format!("\"{id}\""))));
        let has_alarm = row.state == WithdrawalState::Unknown || row.needs_review.is_some() || has_letter;
        check(world, FINAL, row.is_final() || has_alarm, || format!("{id} is {:?}", row.state));
    }
}

fn payouts_at_rest(world: &World) {
    let (payouts, model, resends) =
        world.with(|state| (state.provider.payouts.clone(), state.provider.model, state.settings.resend_unknown));
    for payout in &payouts {
        let id = &payout.id;
        let times = payouts.iter().filter(|it| it.id == *id).count();
        check(world, TWICE, times == 1 || (resends && !model.dedups), || format!("{id}: {times} times"));
        let Some(WithdrawalRow::Registered(row)) = payout_row(world, id) else {
            break_rule(world, "what is sent is journalled", &format!("{id} is paid, and is not known"));
            continue;
        };
        if payout.is_contradicted || times > 1 {
            continue;
        }
        let agrees = match row.state {
            WithdrawalState::Paid { .. } => payout.said == Some(1),
            WithdrawalState::Failed { .. } => payout.said == Some(5),
            _ => false,
        };
        let rule = if matches!(row.state, WithdrawalState::Rejected { .. }) { RELEASED } else { DURABLE };
        check(world, rule, agrees, || format!("{id} is {:?}, and the provider said {:?}", row.state, payout.said));
    }
}

/// Whether a payout was released and paid, or paid twice, whatever is on record: the harm that the naive policies do.
pub(super) fn is_harmed(world: &World) -> bool {
    let payouts = world.with(|state| state.provider.payouts.clone());
    payouts.iter().any(|payout| {
        let is_paid = payout.said == Some(1) && !payout.is_contradicted;
        let is_twice = payouts.iter().filter(|it| it.id == payout.id).count() > 1;
        let is_released = matches!(payout_row(world, &payout.id), Some(WithdrawalRow::Registered(row))
            if matches!(row.state, WithdrawalState::Rejected { .. } | WithdrawalState::Failed { .. }));
        is_paid && (is_twice || is_released)
    })
}
