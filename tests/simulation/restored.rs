//! A table that is replaced by its state of an earlier moment, as after a point-in-time restore and a deployment onto it. What the
//! provider and the merchants know is not restored. People adopt the table, doubt what was on its way, reserve the ids that were used,
//! and have everything sent again, all with the operator's own code over the function that records decisions.

use std::collections::{BTreeMap, BTreeSet};

use ::operator::{Failure, after_restore};
use domain::{KnownTo, TableIdentity, WithdrawalId, WithdrawalRow, WithdrawalState};
use store::{AnyRow, Memory, TableCheck};

use super::faults::Patience;
use super::functions::{self, Recorder};
use super::provider;
use super::random::Chance;
use super::releases;
use super::rules::{Rules, check};
use super::stream;
use super::table::Table;
use super::users::{Ask, ask};
use super::withdrawals::Send;
use super::world::{Answer, Job, STREAM, World};
use super::wrong::Wrong;

const WAITS: &str = "before a restored table is adopted nothing is sent, published or taken from the provider";
const DOUBTED: &str = "when withdrawals are switched on after a restore nothing is on its way";
pub(super) const REUSED: &str = "an id that was used before a restore is not used again";
pub(super) const SENT_AGAIN: &str = "what was sent before a restore is not sent again after it";

/// The stream of the restored table.
const RESTORED_STREAM: &str = "arn:restored-stream";
/// How long a person's tool may run.
const LIMIT_MS: u64 = 60_000;
/// The provider's export lacks what is newer.
const EXPORT_IS_LATE_MS: u64 = 600_000;

/// The moment to which the table is restored, and when that happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restore {
    to_ms: u64,
    at_ms: u64,
}

impl Restore {
    /// What a seed makes of it.
    pub(super) fn of(chance: Chance) -> Option<Self> {
        let to_ms = 20_000 + chance.below("restored to", 500_000);
        let at_ms = to_ms + chance.between("restored after", 5_000, 600_000);
        chance.percent("a restored table", 15).then_some(Self { to_ms, at_ms })
    }
}

/// Which history of the table is running, and what is known of the one before.
pub(super) struct History {
    pub generation: u64,
    /// The stack is being deployed onto the restored table: its functions do not run.
    is_down: bool,
    is_adopted: bool,
    /// Whether withdrawals are switched on.
    pub is_on: bool,
    backup: Option<Backup>,
    /// What merchants have asked for.
    pub asked: Vec<(String, Ask)>,
    /// The withdrawals that the restored table does not have, and the table before had.
    pub used: BTreeSet<String>,
    /// What was sent for each withdrawal before the restore.
    pub sends: BTreeMap<String, Vec<(String, Send)>>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            generation: 1,
            is_down: false,
            is_adopted: true,
            is_on: true,
            backup: None,
            asked: Vec::new(),
            used: BTreeSet::new(),
            sends: BTreeMap::new(),
        }
    }
}

/// The table at the moment to which it is restored, and what the rules knew of it.
struct Backup {
    table: Memory,
    newer_rows: BTreeSet<String>,
    rules: Rules,
    /// The payments of which a postback was answered ok by then.
    acknowledged: BTreeSet<String>,
}

/// Has the table restored, if that happens in this run.
pub(super) fn plan(world: &World) {
    let Some(Restore { to_ms, at_ms }) = world.with(|state| state.settings.restore) else { return };
    world.after(to_ms, |world| {
        let table = world.table.copy();
        world.with(|state| {
            let money = state.provider.money.iter().filter(|(_, money)| money.is_acknowledged);
            let acknowledged = money.map(|(number, _)| number.clone()).collect();
            let (newer_rows, rules) = (state.newer_rows.clone(), state.rules.copy());
            state.history.backup = Some(Backup { table, newer_rows, rules, acknowledged });
        });
    });
    world.after(at_ms, |world| {
        if world.happens("the table is restored", 100) {
            world.with(|state| state.history.is_down = true);
            world.kill_all(|name| !name.starts_with("publisher"));
            replace_once_drained(world);
        }
    });
}

/// Whether no function of this name runs now, because the stack is being deployed.
pub(super) fn is_down(world: &World, name: &str) -> bool {
    !name.starts_with("publisher") && world.with(|state| state.history.is_down)
}

/// The stream that the functions are deployed with.
pub(super) fn stream(world: &World) -> &'static str {
    if world.with(|state| state.history.generation) > 1 { RESTORED_STREAM } else { STREAM }
}

/// The stream of the table before is read to its end first.
fn replace_once_drained(world: &World) {
    if stream::is_drained(world) { replace(world) } else { world.after(2_000, replace_once_drained) }
}

fn withdrawals(world: &World) -> BTreeSet<String> {
    let rows = world.rows().into_values();
    let registered = rows.filter_map(|row| match row {
        AnyRow::Withdrawal(it) => it.row.registered().map(|row| row.request.withdrawal_id.to_string()),
        _ => None,
    });
    registered.collect()
}

fn replace(world: &World) {
    world.kill_all(|_| true);
    let before = withdrawals(world);
    let Backup { table, newer_rows, rules, acknowledged } =
        world.with(|state| state.history.backup.take()).expect("the table was backed up before it is restored");
    world.table.restore(&table);
    let restored = withdrawals(world);
    // Some switch withdrawals off before, all before they adopt the table.
    let is_on = world.chance.percent("withdrawals are on at the restore", 50);
    world.note(|| "* the table is restored".to_owned());
    world.with(|state| {
        state.reached.insert("a restored table");
        let history = &mut state.history;
        history.generation += 1;
        (history.is_down, history.is_adopted, history.is_on) = (false, false, is_on);
        history.used = before.difference(&restored).cloned().collect();
        history.sends = state.rules.sends.clone();
        // What the rules know of the table is what they knew when it was so.
        state.rules.restore(rules);
        state.newer_rows = newer_rows;
        state.check = TableCheck::new(RESTORED_STREAM);
        state.late_index.clear();
        for (number, money) in &mut state.provider.money {
            money.is_acknowledged &= acknowledged.contains(number);
        }
    });
    stream::begin_anew(world);
    let asked = world.chance.below("the provider sends all again", 1_200_000);
    world.after(asked, provider::send_all_again);
    world.after(world.chance.between("the table is adopted", 10_000, 600_000), |world| adopt_table(world, 1));
}

/// Nothing of this kind happens before the restored table is adopted.
pub(super) fn waits(world: &World, what: impl FnOnce() -> String) {
    let is_adopted = world.with(|state| state.history.is_adopted);
    check(world, WAITS, is_adopted, what);
}

/// The table's row was written.
pub(super) fn adopted(world: &World, row: &TableIdentity) {
    world.with(|state| state.history.is_adopted |= row.stream == RESTORED_STREAM);
}

fn adopt_table(world: &World, attempt: u64) {
    world.with(|state| state.history.is_on = false);
    let job = functions::adopt(world);
    world.start(&format!("operator adopts {attempt}"), LIMIT_MS, job, move |world, answer| {
        let is_done = matches!(answer, Some(Answer::Reply(200, _)));
        let wait = world.chance.below(&format!("operator waits {attempt} to adopt"), 120_000);
        world.after(wait, move |world| if is_done { make_safe(world, 1) } else { adopt_table(world, attempt + 1) });
    });
}

/// Runs `operator after-restore` until it has come to its end.
fn make_safe(world: &World, attempt: u64) {
    let own = releases::instance(world);
    let job: Job = Box::pin(async move {
        match doubt_and_reserve(&own).await {
            Ok(()) => Answer::Reply(200, String::new()),
            Err(error) => Answer::Reply(503, error.to_string()),
        }
    });
    world.start(&format!("operator after-restore {attempt}"), LIMIT_MS, job, move |world, answer| {
        let is_done = matches!(answer, Some(Answer::Reply(200, _)));
        let wait = world.chance.below(&format!("operator waits {attempt} after-restore"), 120_000);
        world.after(wait, move |world| if is_done { switch_on(world) } else { make_safe(world, attempt + 1) });
    });
}

async fn doubt_and_reserve(world: &World) -> Result<(), Failure> {
    let (table, recorder) = (Table(world.clone()), Recorder { world: world.clone(), person: 0 });
    let scanned = world.call("scan", Patience::Endless, |world| {
        let rows = world.rows().into_values();
        let ids = rows.filter_map(|row| match row {
            AnyRow::Withdrawal(it) if matches!(it.row, WithdrawalRow::Registered(_)) => Some(it.row.id().clone()),
            _ => None,
        });
        ids.collect::<Vec<_>>()
    });
    let ids = scanned.await.map_err(|fault| Failure::NoAnswer(format!("{fault:?}")))?;
    for id in ids.iter().filter(|_| !world.is(Wrong::KeepSending)) {
        if after_restore::doubt(&table, &recorder, id, "an export").await? {
            world.with(|state| state.reached.insert("a withdrawal is doubted after a restore"));
        }
    }
    for (id, known_to) in known_ids(world) {
        if after_restore::reserve(&recorder, &id, known_to, "an export").await? {
            world.with(|state| state.reached.insert("an id is reserved after a restore"));
        }
    }
    Ok(())
}

/// The ids of the provider's export, which is late, and of the merchant's own list.
fn known_ids(world: &World) -> BTreeMap<WithdrawalId, KnownTo> {
    let forgets = world.is(Wrong::ForgetMerchantIds);
    world.with(|state| {
        let asked = state.history.asked.iter().filter(|_| !forgets).filter_map(|(_, asked)| match asked {
            Ask::Withdrawal { id, .. } => Some((WithdrawalId::parse(id.as_str()).unwrap(), KnownTo::Merchant)),
            Ask::Deposit { .. } | Ask::Activation { .. } => None,
        });
        let until_ms = state.now_ms.saturating_sub(EXPORT_IS_LATE_MS);
        let accepted = state.provider.withdrawals.iter().filter(|it| it.accepted_ms <= until_ms).map(|it| &it.id);
        let exported = accepted.chain(&state.provider.foreign);
        let exported = exported.map(|id| (WithdrawalId::parse(id.as_str()).unwrap(), KnownTo::Provider));
        asked.chain(exported).collect()
    })
}

/// Withdrawals are made again, and the merchants repeat what they asked for.
fn switch_on(world: &World) {
    for row in world.rows().into_values() {
        let AnyRow::Withdrawal(stored) = row else { continue };
        let state = stored.row.registered().map(|row| &row.state);
        let is_doubted = !matches!(state, Some(WithdrawalState::Sending | WithdrawalState::Waiting));
        check(world, DOUBTED, is_doubted, || format!("{} is {state:?}", stored.row.id()));
    }
    let asked = world.with(|state| {
        state.history.is_on = true;
        state.reached.insert("withdrawals are switched on after a restore");
        state.history.asked.clone()
    });
    for (place, (name, asked)) in asked.into_iter().enumerate() {
        let name = format!("{name} again after the restore {place}");
        let is_repeated = !matches!(asked, Ask::Activation { .. }) || world.chance.percent(&name, 50);
        if is_repeated {
            world.after(world.chance.below(&format!("{name} at"), 300_000), move |world| ask(world, name, asked, 1));
        }
    }
}
