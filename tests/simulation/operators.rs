//! Operators: they decide what is open and close what contradicts; late, wrongly, again, and several at a time.

use domain::{
    AttemptId, DepositRow, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, Timestamp, WithdrawalId,
    WithdrawalRow, WithdrawalState,
};
use store::{Change, Read, StoreError, Stored, Transact, Transacted, Write, Written};

use super::table::Table;
use super::world::{Answer, Job, World};
use super::wrong::{self, Wrong};

/// How long a person's tool may run.
const LIMIT_MS: u64 = 60_000;

/// What an operator looks at.
#[derive(Clone, Debug)]
pub(super) enum Case {
    Payment(PaymentKey),
    Withdrawal(WithdrawalId),
}

/// What came of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolved {
    Done,
    /// The row does not allow it.
    NotAllowed,
    /// Someone else has changed the row: the operator looks again.
    Raced,
}

/// All that operators mean to do in a run.
pub(super) fn plan(world: &World) {
    for number in 0..6 {
        let name = format!("operator {number}");
        if world.happens(&name, 35) {
            let at = world.chance.below(&format!("{name} at"), 3_000_000) / world.chance.one_of(&name, &[1, 4, 20]);
            world.after(at, move |world| look(world, &name));
        }
    }
}

/// Most look at what asks for them, some at anything.
fn look(world: &World, name: &str) {
    let rows = world.table.rows();
    let looks_at_all = world.chance.percent(&format!("{name} looks at all"), 30);
    let payments = rows.payments.into_values().filter(|it| looks_at_all || it.row.attention().is_some());
    let withdrawals = rows.withdrawals.into_values().filter(|it| looks_at_all || it.row.attention().is_some());
    let cases: Vec<_> = payments
        .map(|it| Case::Payment(it.row.key))
        .chain(withdrawals.map(|it| Case::Withdrawal(it.row.id().clone())))
        .collect();
    if cases.is_empty() {
        return;
    }
    let case = cases[usize::try_from(world.chance.below(name, cases.len().try_into().unwrap())).unwrap()].clone();
    let outcome = finding(world, name, &case);
    decide(world, name.to_owned(), case, outcome, 1);
}

/// What they find out: mostly what the provider knows at this moment, which may be nothing yet.
fn finding(world: &World, name: &str, case: &Case) -> Outcome {
    let is_wrong = world.chance.percent(&format!("{name} is wrong"), 25);
    match case {
        Case::Payment(_) if is_wrong => Outcome::Rejected,
        Case::Payment(_) => Outcome::Credited,
        Case::Withdrawal(id) => {
            let is_paid = world.with(|state| {
                let withdrawal = state.provider.withdrawals.iter().find(|it| it.id == id.as_str());
                withdrawal.is_some_and(|withdrawal| withdrawal.said != Some(5))
            });
            if is_paid == is_wrong { Outcome::Failed } else { Outcome::Paid }
        }
    }
}

/// Decides, and decides again where the row has changed meanwhile or no answer came.
pub(super) fn decide(world: &World, name: String, case: Case, outcome: Outcome, attempt: u64) {
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

fn resolve(world: &World, case: Case, outcome: Outcome) -> Job {
    let remark = |text: &str| Remark::parse(text).unwrap();
    let (by, reason, evidence) = (remark("an operator"), remark("statement"), remark("line 7"));
    let resolution = Resolution { outcome, by, reason, evidence, at: Timestamp(world.clock_ms()), closes: 0 };
    let table = Table(world.clone());
    Box::pin(async move {
        let resolved = match case {
            Case::Payment(key) => payment(&table, &key, resolution).await,
            Case::Withdrawal(id) => withdrawal(&table, &id, resolution).await,
        };
        let status = match resolved {
            Ok(Resolved::Done) => 200,
            Ok(Resolved::NotAllowed) => 409,
            Ok(Resolved::Raced) | Err(_) => 503,
        };
        Answer::Reply(status, format!("{resolved:?}"))
    })
}

async fn withdrawal(table: &Table, id: &WithdrawalId, resolution: Resolution) -> Result<Resolved, StoreError> {
    let Some(stored) = Read::<WithdrawalRow>::read(table, id).await? else { return Ok(Resolved::NotAllowed) };
    let row = match &stored.row {
        WithdrawalRow::Registered(row) => {
            wrong::resolved(&table.0, row, &resolution).map(|row| WithdrawalRow::Registered(Box::new(row)))
        }
        WithdrawalRow::Foreign(row) => row.resolve(resolution).map(|row| WithdrawalRow::Foreign(Box::new(row))),
    };
    let Ok(row) = row else { return Ok(Resolved::NotAllowed) };
    confirm(&table.0).await;
    let change = wrong::decision(&table.0, stored.becomes(row));
    Ok(if table.write(change).await? == Written::Done { Resolved::Done } else { Resolved::Raced })
}

async fn payment(table: &Table, key: &PaymentKey, resolution: Resolution) -> Result<Resolved, StoreError> {
    let Some(stored) = Read::<Payment>::read(table, key).await? else { return Ok(Resolved::NotAllowed) };
    let order = order_for(table, &stored.row).await?;
    let deposit = order.as_ref().and_then(|it| match &it.row {
        DepositRow::Registered(deposit) => Some(deposit),
        DepositRow::Unregistered(_) => None,
    });
    let Ok((row, deposit)) = stored.row.resolve(deposit, resolution) else { return Ok(Resolved::NotAllowed) };
    confirm(&table.0).await;
    let change = wrong::decision(&table.0, stored.becomes(row));
    let is_done = match deposit.filter(|_| !table.0.is(Wrong::CreditPaymentAlone)) {
        Some(deposit) => {
            let deposit = Change::of(DepositRow::Registered(deposit), order.as_ref());
            table.transact(deposit, vec![change]).await? == Transacted::Done
        }
        None => table.write(change).await? == Written::Done,
    };
    Ok(if is_done { Resolved::Done } else { Resolved::Raced })
}

/// The person reads what will be written, and says yes.
async fn confirm(world: &World) {
    let name = world.next_call("confirms");
    let ms = if world.happens(&name, 50) { world.chance.below(&name, 40_000) } else { 1 };
    world.sleep(ms).await;
}

/// The order that the provider has signed; another one of the user's, where that one is not known.
async fn order_for(table: &Table, payment: &Payment) -> Result<Option<Stored<DepositRow>>, StoreError> {
    let signed = payment.facts().and_then(|facts| AttemptId::parse(&facts.custom_transaction_id));
    let Some(signed) = signed else { return Ok(None) };
    let stored = Read::<DepositRow>::read(table, &signed.order).await?;
    let is_known = matches!(&stored, Some(Stored { row: DepositRow::Registered(_), .. }));
    if is_known || !matches!(payment.state, PaymentState::Unmatched { .. }) {
        return Ok(stored);
    }
    let known = table.0.table.rows().deposits.into_values();
    Ok(known.into_iter().find(|it| matches!(it.row, DepositRow::Registered(_))))
}

/// A wrong operator's way with an ended withdrawal.
pub(super) fn turned(row: &domain::Withdrawal, outcome: Outcome) -> domain::Withdrawal {
    let state = match outcome {
        Outcome::Paid | Outcome::Credited => WithdrawalState::Paid { facts: None },
        Outcome::Failed | Outcome::Rejected => WithdrawalState::Failed { facts: None },
    };
    domain::Withdrawal { state, ..row.clone() }
}
