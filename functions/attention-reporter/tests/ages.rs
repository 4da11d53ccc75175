//! What is reported of open withdrawals, over the in-memory table: however many there are, and whatever cannot be read.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending, ready};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use attention_reporter::{Ages, Deps, LAST_READ, LOST_AFTER, REPORTED};
use domain::{
    AccountNumber, Amount, AttentionKind, CurrencyCode, Label, Submission, Timestamp, Transition, WalletType,
    Withdrawal, WithdrawalId, WithdrawalRequest, WithdrawalRow, WithdrawalState,
};
use lambda::Clock;
use store::{
    AttentionPage, BackOff, Change, FindAttention, IndexEntry, Memory, Read, ReadMany, RowKey, StoreError, Stored,
    TableCheck, Write, Written,
};

const HOUR_MS: u64 = 3_600_000;
const NOW_MS: u64 = 1_800_000_000_000;

/// A clock that goes on with each look at it, by what the test says. It never ends a wait.
struct Ticking {
    now_ms: AtomicU64,
    step_ms: u64,
}

impl Ticking {
    fn by(step_ms: u64) -> Self {
        Self { now_ms: AtomicU64::new(NOW_MS), step_ms }
    }
}

impl Clock for Ticking {
    fn now_ms(&self) -> u64 {
        self.now_ms.fetch_add(self.step_ms, Ordering::Relaxed)
    }

    fn nonce(&self) -> String {
        String::new()
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        pending()
    }
}

/// A table some of whose rows cannot be read, with an index that is late, and that fails after some batches.
#[derive(Default)]
struct Table {
    rows: Memory,
    unreadable: BTreeSet<WithdrawalId>,
    /// What only the index has.
    late: Vec<IndexEntry>,
    batches: AtomicUsize,
    batches_until_failure: Option<usize>,
}

impl BackOff for Table {
    async fn back_off(&self, _: u32) {}
}

impl FindAttention for Table {
    async fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&IndexEntry>,
        limit: usize,
    ) -> Result<AttentionPage, StoreError> {
        let mut page = self.rows.find_attention(kind, since, after, limit).await?;
        if kind == AttentionKind::Open && after.is_none() {
            page.entries.splice(0..0, self.late.clone());
        }
        Ok(page)
    }
}

impl Read<WithdrawalId> for Table {
    async fn read(&self, id: &WithdrawalId) -> Result<Option<Stored<WithdrawalRow>>, StoreError> {
        if self.unreadable.contains(id) {
            return Err(StoreError::Newer { key: id.key() });
        }
        self.rows.read(id).await
    }
}

impl ReadMany<WithdrawalId> for Table {
    async fn read_many(
        &self,
        ids: &[WithdrawalId],
    ) -> Result<BTreeMap<WithdrawalId, Stored<WithdrawalRow>>, StoreError> {
        assert!(ids.len() <= 100, "so many rows are in memory");
        let batch = self.batches.fetch_add(1, Ordering::Relaxed);
        if self.batches_until_failure.is_some_and(|it| batch >= it) {
            return Err(StoreError::transient("throttled"));
        }
        let mut found = self.rows.read_many(ids).await?;
        found.retain(|id, _| !self.unreadable.contains(id));
        Ok(found)
    }
}

impl Write<WithdrawalRow> for Table {
    async fn write(&self, change: Change<WithdrawalRow>) -> Result<Written<WithdrawalRow>, StoreError> {
        self.rows.write(change).await
    }
}

fn ago(age_ms: u64) -> Timestamp {
    Timestamp(NOW_MS - age_ms)
}

fn id(id: &str) -> WithdrawalId {
    WithdrawalId::parse(id).unwrap()
}

fn sending(name: &str, age_ms: u64) -> Withdrawal {
    let request = WithdrawalRequest {
        withdrawal_id: id(name),
        label: Label::parse("user-1").unwrap(),
        amount: Amount::parse("1000").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    };
    Withdrawal::new(request, "{}".into(), "sender".into(), ago(age_ms))
}

/// A withdrawal whose only attempt was answered so, and so long ago.
fn answered(name: &str, age_ms: u64, submission: &Submission, answer_age_ms: u64) -> Withdrawal {
    let row = sending(name, age_ms);
    row.after(row.answered("sender", submission, ago(answer_age_ms)), None, ago(answer_age_ms)).0.unwrap()
}

fn unknown() -> Submission {
    Submission::Unknown("lost".into())
}

fn not_sent() -> Submission {
    Submission::NotSent("refused".into())
}

impl Table {
    async fn add(&self, row: Withdrawal) {
        self.rows.write(Change::new(WithdrawalRow::Registered(Box::new(row)))).await.unwrap();
    }

    async fn withdrawal(&self, name: &str) -> (Withdrawal, u64) {
        let stored = self.rows.read(&id(name)).await.unwrap().unwrap();
        (stored.row.registered().unwrap().clone(), stored.version)
    }
}

async fn ages(table: Table, clock: Ticking) -> (Table, Ages, bool) {
    let deps = Deps { table, check: TableCheck::new("arn:stream"), clock, sender_lifetime_ms: 30_000 };
    let (ages, is_complete) = deps.ages().await;
    (deps.table, ages, is_complete)
}

/// The ages that are not 0, in hours.
fn hours(ages: &Ages) -> Vec<(&'static str, u64)> {
    let hours = ages.iter().map(|(name, seconds)| (*name, seconds.div_ceil(3_600)));
    hours.filter(|(_, hours)| *hours > 0).collect()
}

#[tokio::test]
async fn all_that_has_an_alarm_is_reported_and_0_where_there_is_nothing() {
    let (_, ages, is_complete) = ages(Table::default(), Ticking::by(0)).await;
    assert!(is_complete);
    assert_eq!(ages.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from(REPORTED));
    assert!(ages.values().all(|seconds| *seconds == 0), "{ages:?}");
}

#[tokio::test]
async fn an_open_withdrawal_is_reported_by_the_time_in_its_state() {
    let table = Table::default();
    table.add(answered("w1", 9 * HOUR_MS, &Submission::Accepted, HOUR_MS)).await;
    table.add(answered("w2", 8 * HOUR_MS, &unknown(), 2 * HOUR_MS)).await;
    let waiting = answered("w3", 3 * HOUR_MS, &not_sent(), HOUR_MS);
    table.add(waiting.send_again("second".into(), ago(60_000), false).unwrap()).await;
    let flagged = answered("w4", HOUR_MS, &not_sent(), HOUR_MS);
    table.add(flagged.review("why").unwrap()).await;
    let (_, ages, is_complete) = ages(table, Ticking::by(0)).await;
    assert!(is_complete);
    assert_eq!(hours(&ages), [("needs_review", 1), ("not_submitted", 3), ("submitted", 1), ("unknown", 2)]);
}

#[tokio::test]
async fn an_unknown_withdrawal_is_found_behind_thousands_that_are_older_or_younger() {
    let table = Table::default();
    for number in 0..3_000_u64 {
        let age_ms = 100 * HOUR_MS + number;
        table.add(answered(&format!("old{number}"), age_ms, &Submission::Accepted, HOUR_MS)).await;
    }
    for number in 0..200 {
        table.add(answered(&format!("new{number}"), HOUR_MS, &Submission::Accepted, HOUR_MS)).await;
    }
    table.add(answered("w1", 50 * HOUR_MS, &unknown(), 49 * HOUR_MS)).await;
    let (table, ages, is_complete) = ages(table, Ticking::by(0)).await;
    assert!(is_complete);
    assert_eq!(hours(&ages), [("submitted", 1), ("unknown", 49)]);
    assert_eq!(table.batches.load(Ordering::Relaxed), 33);
}

/// 250 withdrawals, the oldest 250 h old.
async fn many() -> Table {
    let table = Table::default();
    for hour in 1..=250 {
        table.add(answered(&format!("w{hour}"), hour * HOUR_MS, &Submission::Accepted, HOUR_MS)).await;
    }
    table
}

#[tokio::test]
async fn what_there_is_no_time_to_read_counts_as_anything_that_it_may_be() {
    let step_ms = u64::try_from(LAST_READ.as_millis()).unwrap();
    let (table, ages, is_complete) = ages(many().await, Ticking::by(step_ms)).await;
    assert!(is_complete, "a part of the report is one");
    assert_eq!(table.batches.load(Ordering::Relaxed), 1);
    // 100 are read. The last of them is 151 h old, and so may the next one be.
    let unread = ["conflict", "needs_review", "not_submitted", "submitted", "unknown", "unread"];
    let hours = hours(&ages);
    assert_eq!(hours.iter().map(|(name, _)| *name).collect::<Vec<_>>(), unread);
    assert!(hours.iter().all(|(_, hours)| *hours >= 151), "{hours:?}");
}

#[tokio::test]
async fn a_table_that_fails_on_the_way_is_an_error_and_hides_no_age() {
    for (batches, least) in [(0, 250), (1, 150), (2, 50)] {
        let table = Table { batches_until_failure: Some(batches), ..many().await };
        let (_, ages, is_complete) = ages(table, Ticking::by(0)).await;
        assert!(!is_complete);
        assert_eq!((ages["unknown"], ages["unread"]), (least * 3_600, least * 3_600), "after {batches} batches");
    }
}

#[tokio::test]
async fn a_withdrawal_that_cannot_be_read_counts_as_unreadable_and_hides_none() {
    let mut table = Table::default();
    table.add(answered("w1", 3 * HOUR_MS, &Submission::Accepted, HOUR_MS)).await;
    table.add(answered("w2", 2 * HOUR_MS, &unknown(), 2 * HOUR_MS)).await;
    table.unreadable.insert(id("w1"));
    let odd = |key: &str| IndexEntry { at: ago(7 * HOUR_MS), key: key.into() };
    table.late = vec![odd("gift#1"), odd("withdrawal#"), odd("deposit#o1")];
    let (_, ages, is_complete) = ages(table, Ticking::by(0)).await;
    assert!(is_complete);
    assert_eq!(hours(&ages), [("unknown", 2), ("unreadable", 7)]);
}

#[tokio::test]
async fn what_has_ended_does_not_count_although_the_index_has_it_still() {
    let mut table = Table::default();
    let paid = answered("w1", 3 * HOUR_MS, &Submission::Rejected("poor".into()), HOUR_MS);
    table.add(paid).await;
    table.late = vec![IndexEntry { at: ago(3 * HOUR_MS), key: "withdrawal#w1".into() }];
    let (_, ages, is_complete) = ages(table, Ticking::by(0)).await;
    assert!(is_complete && hours(&ages).is_empty(), "{ages:?}");
}

#[tokio::test]
async fn an_attempt_whose_sender_must_be_dead_is_given_up_once() {
    let lost_after_ms = u64::try_from(LOST_AFTER.as_millis()).unwrap();
    let table = Table::default();
    table.add(sending("old", lost_after_ms)).await;
    table.add(sending("new", lost_after_ms - 1)).await;
    let waiting = answered("again", 5 * HOUR_MS, &not_sent(), HOUR_MS);
    table.add(waiting.send_again("second".into(), ago(1_000), false).unwrap()).await;
    let mut table = table;
    for _ in 0..2 {
        let (again, ages, _) = ages(table, Ticking::by(0)).await;
        table = again;
        assert_eq!((ages["unknown"], ages["not_submitted"]), (0, 5 * 3_600));
        let (row, version) = table.withdrawal("old").await;
        assert_eq!((row.state.name(), row.state_since, version), ("unknown", Timestamp(NOW_MS), 2));
        for name in ["new", "again"] {
            assert_eq!(table.withdrawal(name).await.0.state, WithdrawalState::Sending, "{name}");
        }
    }
    // The sender lives after all: what it says counts.
    let (row, _) = table.withdrawal("old").await;
    assert!(matches!(row.answered("sender", &Submission::Accepted, ago(0)), Transition::Move(row)
        if row.state == WithdrawalState::Submitted));
    let check = TableCheck::new("arn:stream");
    let patient = Deps { table, check, clock: Ticking::by(0), sender_lifetime_ms: 2 * lost_after_ms };
    patient.table.add(sending("patient", lost_after_ms + 1)).await;
    patient.report().await.unwrap();
    assert_eq!(patient.table.withdrawal("patient").await.0.state, WithdrawalState::Sending, "its lifetime is longer");
}

#[tokio::test]
async fn a_report_ends_in_time_although_the_table_does_not_answer() {
    struct Ended(Ticking);

    impl Clock for Ended {
        fn now_ms(&self) -> u64 {
            self.0.now_ms()
        }

        fn nonce(&self) -> String {
            String::new()
        }

        fn random_below(&self, _: u64) -> u64 {
            0
        }

        fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
            ready(())
        }
    }

    /// Finds, and never reads.
    struct Silent(Memory);

    impl BackOff for Silent {
        async fn back_off(&self, _: u32) {}
    }

    impl FindAttention for Silent {
        async fn find_attention(
            &self,
            kind: AttentionKind,
            since: Timestamp,
            after: Option<&IndexEntry>,
            limit: usize,
        ) -> Result<AttentionPage, StoreError> {
            self.0.find_attention(kind, since, after, limit).await
        }
    }

    impl Read<WithdrawalId> for Silent {
        fn read(
            &self,
            _: &WithdrawalId,
        ) -> impl Future<Output = Result<Option<Stored<WithdrawalRow>>, StoreError>> + Send {
            pending()
        }
    }

    impl ReadMany<WithdrawalId> for Silent {
        fn read_many(
            &self,
            _: &[WithdrawalId],
        ) -> impl Future<Output = Result<BTreeMap<WithdrawalId, Stored<WithdrawalRow>>, StoreError>> + Send {
            pending()
        }
    }

    impl Write<WithdrawalRow> for Silent {
        async fn write(&self, change: Change<WithdrawalRow>) -> Result<Written<WithdrawalRow>, StoreError> {
            self.0.write(change).await
        }
    }

    let rows = many().await.rows;
    let check = TableCheck::new("arn:stream");
    let deps = Deps { table: Silent(rows), check, clock: Ended(Ticking::by(0)), sender_lifetime_ms: 30_000 };
    let (ages, is_complete) = deps.ages().await;
    assert!(is_complete);
    assert_eq!((ages["submitted"], ages["unread"], ages["unmatched"]), (250 * 3_600, 250 * 3_600, 0));
}
