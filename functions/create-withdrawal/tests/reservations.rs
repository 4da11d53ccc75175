//! What becomes of a reservation when something fails after it: over the in-memory table, with ports that fail as scripted.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use create_withdrawal::{ApiError, Deps, Keys};
use domain::{
    Amount, Ceiling, CeilingRule, Ceilings, PaymentSystems, Reservation, ReservedSums, Submission, TableIdentity,
    WalletType, Withdrawal, WithdrawalId, WithdrawalRow, WithdrawalState,
};
use lambda::{AwsError, Clock, ErrorReply, Handler, Reply, Request, SecretStore, SendLater};
use paykassma::{Answered, SubmitWithdrawal};
use secrecy::SecretString;
use store::{
    AnyRow, BackOff, Change, Memory, Read, Reserve, Reserved, StoreError, Stored, TableCheck, TableId, Write, Written,
};

/// A second before a full hour that is midnight, too.
const NOW_MS: u64 = 1_795_737_599_000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The table fails before it reserves.
    Reserve,
    /// The queue takes no message.
    Arm,
    /// The row is written, and the answer is lost.
    JournalsAnswer,
    /// The row is written and changed by somebody else before the SDK's second try, which meets it.
    JournalChanged,
    /// The id belongs to another withdrawal.
    Taken,
    /// The id belongs to another withdrawal, and the table fails after that.
    TakenAndGiveBack,
}

#[derive(Clone)]
struct World {
    wrong: Wrong,
    table: Memory,
    now_ms: Arc<Mutex<u64>>,
    sent: Arc<Mutex<usize>>,
}

fn failed<T>() -> Result<T, StoreError> {
    Err(StoreError::transient("throttled"))
}

impl BackOff for World {
    async fn back_off(&self, _: u32) {}
}

impl Read<WithdrawalId> for World {
    async fn read(&self, id: &WithdrawalId) -> Result<Option<Stored<WithdrawalRow>>, StoreError> {
        self.table.read(id).await
    }
}

impl Write<WithdrawalRow> for World {
    async fn write(&self, change: Change<WithdrawalRow>) -> Result<Written<WithdrawalRow>, StoreError> {
        let is_journal = change.expected_version == 0;
        let written = self.table.write(change.clone()).await?;
        match self.wrong {
            Wrong::JournalsAnswer if is_journal => failed(),
            Wrong::JournalChanged if is_journal => {
                let WithdrawalRow::Registered(row) = change.row else { return Ok(written) };
                let row = Withdrawal { state: WithdrawalState::Unknown, ..*row };
                let changed = Stored { row: WithdrawalRow::Registered(Box::new(row)), version: 2 };
                let current = self.table.read(changed.row.id()).await?;
                self.table.write(Change::of(changed.row.clone(), current.as_ref())).await?;
                Ok(Written::Conflict { current: Some(changed) })
            }
            Wrong::Nothing
            | Wrong::Reserve
            | Wrong::Arm
            | Wrong::JournalsAnswer
            | Wrong::JournalChanged
            | Wrong::Taken
            | Wrong::TakenAndGiveBack => Ok(written),
        }
    }
}

impl Read<TableId> for World {
    async fn read(&self, id: &TableId) -> Result<Option<Stored<TableIdentity>>, StoreError> {
        self.table.read(id).await
    }
}

impl Write<TableIdentity> for World {
    async fn write(&self, change: Change<TableIdentity>) -> Result<Written<TableIdentity>, StoreError> {
        self.table.write(change).await
    }
}

impl Reserve for World {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        if self.wrong == Wrong::Reserve { failed() } else { self.table.reserve(reservation).await }
    }

    async fn give_back(&self, reservation: &Reservation) -> Result<(), StoreError> {
        if self.wrong == Wrong::TakenAndGiveBack { failed() } else { self.table.give_back(reservation).await }
    }
}

impl SendLater for World {
    async fn send_later(&self, _: String) -> Result<(), AwsError> {
        // Time passes: the row and the reservation must be of one hour all the same.
        *self.now_ms.lock().unwrap() += 3_000;
        if self.wrong == Wrong::Arm { Err(AwsError("the queue failed".into())) } else { Ok(()) }
    }
}

impl SubmitWithdrawal for World {
    async fn submit(&self, _: &str) -> Answered<Submission> {
        *self.sent.lock().unwrap() += 1;
        Submission::Accepted.into()
    }
}

impl SecretStore<Keys> for World {
    async fn current(&self) -> Result<Arc<Keys>, AwsError> {
        Ok(Arc::new(Keys { withdrawal_private_key: SecretString::from("secret") }))
    }

    async fn renewed(&self) -> Result<Option<Arc<Keys>>, AwsError> {
        self.current().await.map(Some)
    }
}

impl Clock for World {
    fn now_ms(&self) -> u64 {
        *self.now_ms.lock().unwrap()
    }

    fn nonce(&self) -> String {
        format!("nonce of {:?}", self.wrong)
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }

    async fn sleep(&self, _: Duration) {}
}

fn at_most(amount: &str) -> CeilingRule {
    CeilingRule::Every(Ceiling::AtMost(Amount::parse(amount).unwrap().into()))
}

async fn ask(world: &World, amount: u64) -> Result<Reply, ApiError> {
    let deps = Deps {
        table: world.clone(),
        check: TableCheck::new("arn:stream"),
        queue: world.clone(),
        provider: world.clone(),
        keys: world.clone(),
        clock: world.clone(),
        systems: PaymentSystems::default(),
        ceilings: Ceilings { per_hour: at_most("1500"), per_day: at_most("2500") },
        is_on: true,
    };
    let body = format!(
        r#"{{"withdrawal_id":"w1","label":"u","amount":{amount},"currency_code":"INR","account_number":"1234560079"}}"#
    );
    deps.handle(Request { body: body.as_bytes(), ..Request::default() }).await
}

fn at(now_ms: u64, wrong: Wrong, table: &Memory) -> World {
    World { wrong, table: table.clone(), now_ms: Arc::new(Mutex::new(now_ms)), sent: Arc::default() }
}

fn code(answer: Result<Reply, ApiError>) -> String {
    answer.map_or_else(|error| error.code().to_owned(), |reply| reply.status.as_u16().to_string())
}

/// The sums of each day, and how many withdrawals there are.
fn rows(table: &Memory) -> (Vec<ReservedSums>, usize) {
    let rows = table.rows();
    let sums =
        rows.values().filter_map(|row| if let AnyRow::ReservedSums(it) = row { Some(it.row.clone()) } else { None });
    let withdrawals = rows.keys().filter(|key| key.starts_with("withdrawal#")).count();
    let sums: Vec<_> = sums.collect();
    let identity = rows.keys().filter(|key| *key == "table#").count();
    assert_eq!(sums.len() + withdrawals + identity, rows.len(), "{rows:?}");
    (sums, withdrawals)
}

#[tokio::test]
async fn what_was_surely_not_journalled_is_given_back_and_everything_else_stays_reserved() {
    for (wrong, answer, reserved, withdrawals, sent) in [
        (Wrong::Nothing, "201", "1000", 1, 1),
        (Wrong::Reserve, "try_again", "", 0, 0),
        (Wrong::Arm, "try_again", "0", 0, 0),
        (Wrong::JournalsAnswer, "try_again", "1000", 1, 0),
        (Wrong::JournalChanged, "202", "1000", 1, 0),
    ] {
        let table = Memory::default();
        let world = at(NOW_MS, wrong, &table);
        assert_eq!(code(ask(&world, 1_000).await), answer, "{wrong:?}");
        let (sums, journalled) = rows(&table);
        let sum = sums.first().map_or_else(String::new, |it| it.reserved.to_string());
        assert_eq!((sum.as_str(), journalled, *world.sent.lock().unwrap()), (reserved, withdrawals, sent), "{wrong:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_taken_is_answered_as_ever_whether_or_not_its_reservation_is_given_back() {
    for (wrong, reserved) in [(Wrong::Taken, "1000"), (Wrong::TakenAndGiveBack, "1500")] {
        let table = Memory::default();
        assert_eq!(code(ask(&at(NOW_MS, Wrong::Nothing, &table), 1_000).await), "201");
        let world = at(NOW_MS, wrong, &table);
        assert_eq!(code(ask(&world, 500).await), "id_taken");
        assert_eq!(rows(&table).0[0].reserved.to_string(), reserved);
        assert_eq!(code(ask(&world, 1_000).await), "200", "there is no room for it, and it is on record");
        assert_eq!(code(ask(&world, 1_501).await), "id_taken", "it is above the ceiling, and the id is on record");
        assert_eq!((rows(&table).0[0].reserved.to_string().as_str(), *world.sent.lock().unwrap()), (reserved, 0));
    }
}

#[tokio::test]
async fn a_withdrawal_and_its_reservation_are_of_the_same_hour_and_day() {
    let table = Memory::default();
    assert_eq!(code(ask(&at(NOW_MS, Wrong::Nothing, &table), 1_000).await), "201", "midnight comes while it is armed");
    let (sums, _) = rows(&table);
    let [of_day] = sums.as_slice() else { panic!("{sums:?}") };
    let hours: Vec<_> = of_day.hours.keys().map(|hour| hour.attribute()).collect();
    assert_eq!((of_day.day.to_string().as_str(), hours), ("2026-11-26", vec!["hour_23".to_owned()]));
    let id = WithdrawalId::parse("w1").unwrap();
    let WithdrawalRow::Registered(row) = table.read(&id).await.unwrap().unwrap().row else { panic!() };
    assert_eq!((row.created_at.0, row.attempts[0].started_at.0), (NOW_MS, NOW_MS));
    assert_eq!(of_day.payment_system, WalletType::parse("paytm").unwrap());
}

#[tokio::test]
async fn a_refused_withdrawal_leaves_nothing_behind_and_fits_in_the_next_hour() {
    let table = Memory::default();
    let first = at(NOW_MS - 3_600_000, Wrong::Nothing, &table);
    assert_eq!(code(ask(&first, 1_501).await), "limit_reached");
    assert_eq!(rows(&table), (vec![], 0), "not even a row of sums");
    let taken = |now_ms, amount: &str| {
        let ceilings = Ceilings { per_hour: at_most("1500"), per_day: at_most("2500") };
        let (paytm, amount) = (WalletType::parse("paytm").unwrap(), Amount::parse(amount).unwrap());
        let reserving = ceilings.reserving(&paytm, amount, domain::Timestamp(now_ms));
        let domain::Reserving::Under(reservation) = reserving else { panic!("{reserving:?}") };
        reservation
    };
    table.reserve(&taken(NOW_MS - 3_600_000, "1500")).await.unwrap();
    assert_eq!(code(ask(&first, 1_000).await), "limit_reached");
    assert_eq!(rows(&table).1, 0);
    assert_eq!(code(ask(&at(NOW_MS, Wrong::Nothing, &table), 1_001).await), "limit_reached", "of the day");
    assert_eq!(code(ask(&at(NOW_MS, Wrong::Nothing, &table), 1_000).await), "201");
    let other = ask(&at(NOW_MS + 1_000, Wrong::Nothing, &table), 1_500).await;
    assert_eq!(code(other), "id_taken");
    assert_eq!(rows(&table).0.len(), 2, "the next day begins at zero");
}
