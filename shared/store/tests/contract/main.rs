//! One contract, two stores: what `DynamoDB` does, its in-memory twin does, and both keep the rules.

#![cfg(test)]

mod fixtures;
mod marks;
mod outbox;

use std::sync::atomic::Ordering;

use domain::{
    AttentionKind, Caller, CreditedNumber, CustomTransactionId, DepositRow, Effect, EntryCount, Label, LabelHash,
    ListHash, ListPlace, ListProgress, Payment, PaymentKey, PaymentState, ReservedSums, Resolution, SignedList,
    StoredList, TableIdentity, Timestamp, Transition, Unsigned, WaitingPage, Withdrawal, WithdrawalRow,
    WithdrawalState,
};
use fixtures::{
    Table, claimed, credited_sum, deposit, deposit_report, embedded, entered, facts, foreign_withdrawal, list,
    reservation, resolution, sums, unreadable, unreadable_at, withdrawal, withdrawal_report,
};
use store::{
    Change, Credit, DynamoDb, EndWithdrawal, FindAttention, IndexEntry, ListProgressId, Memory, PAGE, Read, Reserve,
    Reserved, RowId, RowKey, Scan, ScannedRow, Segment, StoreError, Stored, StoredListId, TableCheck, TableId,
    Transact, Transacted, Transaction, UnreadableRow, Write, Written, read_any, read_each, read_key, update,
    update_from,
};

macro_rules! contract {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn holds_in_memory() {
                super::$name(&super::Memory::default()).await;
            }

            #[tokio::test]
            async fn holds_in_dynamodb() {
                super::$name(&super::embedded().await).await;
            }
        }
    )*};
}

contract! {
    a_row_is_written_once_and_read_as_it_was
    a_stale_change_is_answered_with_the_current_row
    our_own_write_repeated_is_done
    a_credit_needs_no_reading_and_happens_once
    a_credit_wants_the_stored_label_currency_and_wallet
    only_an_orders_first_credit_needs_no_reading
    a_credit_keeps_what_was_said_against_the_payment
    a_disputed_payment_is_not_credited_without_a_look
    numbers_are_counted_up_to_the_days_limit_however_many_come_at_once
    several_rows_change_together_or_not_at_all
    a_credited_number_and_a_page_are_written_once_with_their_transaction
    many_rows_are_read_at_once_however_many
    a_list_is_found_until_it_is_done
    a_table_refuses_to_work_for_another_stream_until_it_is_adopted
    a_withdrawal_ends_once_and_only_as_it_was_asked
    what_is_reserved_reaches_the_ceilings_and_never_passes_them
    of_reservations_at_once_those_that_fit_are_done
    what_is_given_back_can_be_reserved_again_and_nothing_else_is_given_back
    an_element_that_was_not_understood_is_stored
    a_row_of_any_kind_is_read_by_its_key
    two_hundred_credits_at_once_credit_once
    a_row_is_found_while_somebody_must_look_at_it
    an_open_withdrawal_has_one_place_in_the_index_until_it_ends
    what_a_person_has_resolved_is_found_no_more
    what_contradicts_a_withdrawal_outlives_its_end
    an_update_that_loses_a_race_decides_again
    pages_follow_each_other_without_gap_or_repetition
    a_scan_comes_by_each_row_once
}

fn id(deposit: &DepositRow) -> CustomTransactionId {
    deposit.id().clone()
}

async fn stored<I: RowKey>(table: &impl Read<I>, id: &I) -> Stored<I::Row> {
    table.read(id).await.unwrap().unwrap()
}

async fn read_deposit(table: &impl Table, order: &str) -> Option<DepositRow> {
    let id = CustomTransactionId::parse(order).unwrap();
    table.read(&id).await.unwrap().map(|stored| stored.row)
}

async fn read_payment(table: &impl Table, key: &PaymentKey) -> Option<Payment> {
    table.read(key).await.unwrap().map(|stored| stored.row)
}

async fn a_row_is_written_once_and_read_as_it_was(table: &impl Table) {
    let row = deposit("o1", "u1");
    assert_eq!(read_deposit(table, "o1").await, None);
    assert_eq!(table.write(Change::new(row.clone())).await.unwrap(), Written::Done);
    let first = stored(table, &id(&row)).await;
    assert_eq!((&first.row, first.version), (&row, 1));
    let other = deposit("o1", "u2");
    assert_eq!(table.write(Change::new(other)).await.unwrap(), Written::Conflict { current: Some(first) });
    for withdrawal in [withdrawal("w1", "100"), withdrawal("w2", "5")] {
        assert_eq!(table.write(Change::new(withdrawal.clone())).await.unwrap(), Written::Done);
        assert_eq!(stored(table, withdrawal.id()).await.row, withdrawal);
    }
}

async fn a_stale_change_is_answered_with_the_current_row(table: &impl Table) {
    let row = deposit("o1", "u1");
    table.write(Change::new(row.clone())).await.unwrap();
    let first = stored(table, &id(&row)).await;
    let DepositRow::Registered(registered) = &row else { panic!() };
    let changed = DepositRow::Registered(domain::Deposit { params: "{}".into(), ..registered.clone() });
    assert_eq!(table.write(first.becomes(changed.clone())).await.unwrap(), Written::Done);
    let stale = table.write(first.becomes(row.clone())).await.unwrap();
    assert_eq!(stale, Written::Conflict { current: Some(Stored { row: changed, version: 2 }) });
    let absent = Stored { row: deposit("o2", "u1"), version: 3 }.becomes(deposit("o2", "u1"));
    assert_eq!(table.write(absent).await.unwrap(), Written::Conflict { current: None });
}

async fn our_own_write_repeated_is_done(table: &impl Table) {
    let change = Change::new(withdrawal("w1", "100"));
    assert_eq!(table.write(change.clone()).await.unwrap(), Written::Done);
    assert_eq!(table.write(change.clone()).await.unwrap(), Written::Done);
    assert_eq!(stored(table, change.row.id()).await.version, 1);
}

async fn a_credit_needs_no_reading_and_happens_once(table: &impl Table) {
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    let report = deposit_report("47752123519", "o1", "u1", "700.50");
    let expected = report.expected_credit().unwrap();
    assert_eq!(table.credit(&expected).await.unwrap(), Transacted::Done);
    let payment = read_payment(table, &report.payment).await.unwrap();
    assert_eq!(payment, expected.payment);
    let again = table.credit(&expected).await.unwrap();
    let Transacted::Conflict { payment: Some(current) } = again else { panic!("{again:?}") };
    assert_eq!((current.row, current.version), (payment, 1));
    assert_eq!(credited_sum(&read_deposit(table, "o1").await.unwrap()), ["700.50"]);
}

async fn a_credit_wants_the_stored_label_currency_and_wallet(table: &impl Table) {
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    let mut other_currency = deposit_report("1", "o1", "u1", "700");
    other_currency.facts.currency_code = domain::CurrencyCode::parse("BDT").unwrap();
    let mut other_wallet = deposit_report("1", "o1", "u1", "700");
    other_wallet.payment.wallet_type = domain::WalletType::parse("upi_l").unwrap();
    let other_label = deposit_report("1", "o1", "u2", "700");
    let other_order = deposit_report("1", "o2", "u1", "700");
    for report in [other_currency, other_wallet, other_label, other_order] {
        let expected = report.expected_credit().unwrap();
        assert_eq!(table.credit(&expected).await.unwrap(), Transacted::Conflict { payment: None });
        assert_eq!(read_payment(table, &report.payment).await, None);
    }
    assert!(credited_sum(&read_deposit(table, "o1").await.unwrap()).is_empty());
}

async fn a_credit_keeps_what_was_said_against_the_payment(table: &impl Table) {
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    let report = deposit_report("1", "o1.2", "u1", "700");
    let mut payment = claimed("1", "o9");
    let contradiction =
        domain::Contradiction { mismatch: domain::Mismatch::Amount, facts: Some(facts("o1", "u1", "7")) };
    payment.contradictions.push(contradiction.clone());
    table.write(Change::new(payment)).await.unwrap();
    assert_eq!(table.credit(&report.expected_credit().unwrap()).await.unwrap(), Transacted::Done);
    let payment = read_payment(table, &report.payment).await.unwrap();
    assert_eq!(payment.contradictions, [contradiction]);
    assert!(matches!(payment.state, PaymentState::Credited { order, .. } if order.as_str() == "o1"));
}

async fn a_disputed_payment_is_not_credited_without_a_look(table: &impl Table) {
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    let of_another = entered(None, "1", "o2", "u2");
    let contested = entered(Some(&claimed("2", "o1")), "2", "o2", "u2");
    let mut taken_away = claimed("3", "o1");
    taken_away.resolutions.push(resolution());
    for disputed in [of_another, contested, taken_away] {
        table.write(Change::new(disputed.clone())).await.unwrap();
        let number = disputed.key.transaction_id.as_str();
        let credit = table.credit(&deposit_report(number, "o1", "u1", "5").expected_credit().unwrap()).await.unwrap();
        let current = Some(Box::new(Stored { row: disputed.clone(), version: 1 }));
        assert_eq!(credit, Transacted::Conflict { payment: current });
    }
    let mut older = claimed("4", "o9");
    older.entries.clear();
    for (undisputed, order) in [(claimed("5", "o9"), "o1"), (older, "o3")] {
        table.write(Change::new(deposit(order, "u1"))).await.ok();
        table.write(Change::new(undisputed.clone())).await.unwrap();
        let number = undisputed.key.transaction_id.as_str();
        let expected = deposit_report(number, order, "u1", "5").expected_credit().unwrap();
        assert_eq!(table.credit(&expected).await.unwrap(), Transacted::Done);
        let credited = read_payment(table, &undisputed.key).await.unwrap();
        assert_eq!((credited.state, credited.entries), (expected.payment.state, undisputed.entries));
    }
}

async fn only_an_orders_first_credit_needs_no_reading(table: &impl Table) {
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    let first = deposit_report("1", "o1", "u1", "5").expected_credit().unwrap();
    assert_eq!(table.credit(&first).await.unwrap(), Transacted::Done);
    let second = deposit_report("2", "o1", "u1", "5");
    let credited = table.credit(&second.expected_credit().unwrap()).await.unwrap();
    assert_eq!(credited, Transacted::Conflict { payment: None });
    assert_eq!(read_payment(table, &second.payment).await, None);
}

async fn a_credited_number_and_a_page_are_written_once_with_their_transaction(table: &impl Table) {
    let order = CustomTransactionId::parse("o1").unwrap();
    let number = |payment| CreditedNumber { order: order.clone(), payment: fixtures::key(payment) };
    let page = |page| WaitingPage { custom_transaction_id: order.clone(), page, payments: vec![fixtures::key("1")] };
    let mut current = None;
    let mut write = async |numbers: Vec<CreditedNumber>, page: Option<WaitingPage>| {
        let change = Change::of(deposit("o1", "u1"), current.as_ref());
        let transaction = Transaction { numbers, page, ..Transaction::new(change.clone(), vec![]) };
        let written = table.transact(transaction).await.unwrap();
        if written == Transacted::Done {
            current = Some(change.written());
        }
        written
    };
    assert_eq!(write(vec![number("00A1"), number("2")], Some(page(1))).await, Transacted::Done);
    let conflict = Transacted::Conflict { payment: None };
    assert_eq!(write(vec![number("3"), number("a1")], None).await, conflict, "the same number in another spelling");
    assert_eq!(write(vec![number("3")], Some(page(1))).await, conflict);
    assert_eq!(write(vec![number("3")], Some(page(2))).await, Transacted::Done);
    let row = table.read(&number("0a1").id()).await.unwrap().unwrap();
    assert_eq!((row.row, row.version), (number("00A1"), 1));
    assert_eq!(table.read(&page(2).id()).await.unwrap().unwrap().row, page(2));
}

async fn many_rows_are_read_at_once_however_many(table: &impl Table) {
    let all: Vec<_> = (0..250).map(|number| claimed(&number.to_string(), "o1")).collect();
    for row in all.iter().filter(|row| !row.key.transaction_id.as_str().ends_with('7')) {
        table.write(Change::new(row.clone())).await.unwrap();
    }
    let ids: Vec<_> = all.iter().map(|row| row.key.clone()).collect();
    let read = table.read_many(&ids).await.unwrap();
    assert_eq!(read.len(), 225);
    assert!(read.iter().all(|(key, stored)| stored.row.key == *key && stored.version == 1));
    assert!(table.read_many(&[fixtures::key("7")]).await.unwrap().is_empty());
}

async fn a_list_is_found_until_it_is_done(table: &impl Table) {
    let hash = ListHash::from([7; 32]);
    let stored_list = StoredList { hash: hash.clone(), list: list() };
    table.write(Change::new(stored_list.clone())).await.unwrap();
    let row = ListProgress::begin(None, (&hash, 3), &Unsigned::default(), Timestamp(5)).unwrap();
    table.write(Change::new(row.clone())).await.unwrap();
    let find = async || table.find_attention(AttentionKind::Unfinished, Timestamp(0), None, PAGE).await.unwrap();
    assert_eq!(find().await.entries[0].id(), Some(RowId::ListProgress(ListProgressId(hash.clone()))));
    let unfinished = stored(table, &ListProgressId(hash.clone())).await;
    table.write(unfinished.becomes(row.end(&Unsigned::default()).unwrap())).await.unwrap();
    assert!(find().await.entries.is_empty());
    assert_eq!(stored(table, &StoredListId(hash)).await.row, stored_list);
}

async fn a_table_refuses_to_work_for_another_stream_until_it_is_adopted(table: &impl Table) {
    let check = |stream: &str| TableCheck::new(stream);
    assert_eq!(check("arn:original").generation(table).await, Ok(1), "the first function to start writes the row");
    assert_eq!(check("arn:original").generation(table).await, Ok(1));
    let restored = check("arn:restored");
    for _ in 0..2 {
        assert_eq!(restored.generation(table).await, Err(StoreError::WrongTable));
    }
    let current = stored(table, &TableId).await;
    let adopted = TableIdentity::adopted(Some(&current.row), "arn:restored").unwrap();
    table.write(current.becomes(adopted)).await.unwrap();
    assert_eq!(restored.generation(table).await, Ok(2), "it is asked again");
    assert_eq!(restored.clone().generation(&Memory::default()).await, Ok(2), "and then no more");
    assert_eq!(check("arn:original").generation(table).await, Err(StoreError::WrongTable));
}

/// Counts a number; `None` when the races were lost.
async fn count(table: &impl Table, label: &LabelHash, day: u64, nonce: &str) -> Option<bool> {
    let decide = |current: Option<&EntryCount>| {
        let more = EntryCount::one_more(current, label, day, 30, nonce);
        (more.clone(), more.is_some())
    };
    update(table, label, decide).await.ok().map(|it| it.outcome)
}

async fn numbers_are_counted_up_to_the_days_limit_however_many_come_at_once(table: &impl Table) {
    let label = LabelHash::of(&Label::parse("u1").unwrap());
    let at_once: Vec<_> = (0..100)
        .map(|number| {
            let (table, label) = (table.clone(), label.clone());
            tokio::spawn(async move { count(&table, &label, 7, &format!("call {number}")).await })
        })
        .collect();
    let mut counted = 0_u64;
    for one in at_once {
        counted = counted.saturating_add(u64::from(one.await.unwrap() == Some(true)));
    }
    assert_eq!(stored(table, &label).await.row.entered, counted);
    for number in counted..30 {
        assert_eq!(count(table, &label, 7, &format!("later {number}")).await, Some(true));
    }
    assert_eq!(count(table, &label, 7, "one too many").await, Some(false));
    assert_eq!(count(table, &label, 6, "late").await, Some(false), "a clock that is late opens no other day");
    assert_eq!(count(table, &label, 8, "the next day").await, Some(true));
    let row = stored(table, &label).await.row;
    assert_eq!((row.day, row.entered), (8, 1));
}

async fn several_rows_change_together_or_not_at_all(table: &impl Table) {
    let (row, payment) = (deposit("o1", "u1"), claimed("1", "o1"));
    let write = |version| {
        let current = (version > 0).then(|| Stored { row: payment.clone(), version });
        let payment = Change::of(payment.clone(), current.as_ref());
        table.transact(Transaction::new(Change::new(row.clone()), vec![payment]))
    };
    assert_eq!(write(1).await.unwrap(), Transacted::Conflict { payment: None });
    assert_eq!(read_deposit(table, "o1").await, None);
    assert_eq!(write(0).await.unwrap(), Transacted::Done);
    assert_eq!(read_payment(table, &payment.key).await, Some(payment.clone()));
    assert_eq!(read_deposit(table, "o1").await, Some(row.clone()));
}

async fn a_withdrawal_ends_once_and_only_as_it_was_asked(table: &impl Table) {
    let row = withdrawal("w1", "20000");
    let report = withdrawal_report("w1", "20000", Some(1));
    assert_eq!(table.end_withdrawal(&report).await.unwrap(), Written::Conflict { current: None });
    table.write(Change::new(row.clone())).await.unwrap();
    for other in [
        withdrawal_report("w1", "2000", Some(1)),
        withdrawal_report("w1", "20000", Some(3)),
        withdrawal_report("w1", "20000", None),
    ] {
        let Written::Conflict { current: Some(current) } = table.end_withdrawal(&other).await.unwrap() else {
            panic!()
        };
        assert_eq!((current.row, current.version), (row.clone(), 1));
    }
    assert_eq!(table.end_withdrawal(&report).await.unwrap(), Written::Done);
    let Written::Conflict { current: Some(current) } =
        table.end_withdrawal(&withdrawal_report("w1", "20000", Some(5))).await.unwrap()
    else {
        panic!()
    };
    let WithdrawalRow::Registered(paid) = current.row else { panic!() };
    let facts = report.facts.clone();
    let WithdrawalRow::Registered(asked) = row else { panic!() };
    assert_eq!(
        *paid,
        Withdrawal {
            changed_at: facts.evidence.received_at,
            state_since: facts.evidence.received_at,
            state: WithdrawalState::Paid { facts: Some(facts.clone()) },
            ..*asked
        }
    );
    assert_eq!(current.version, 2);
}

const HOUR_MS: u64 = 3_600_000;

async fn what_is_reserved_reaches_the_ceilings_and_never_passes_them(table: &impl Table) {
    let reserve = async |amount: &str, hour: u64| {
        let reservation = reservation(amount, Timestamp(hour.saturating_mul(HOUR_MS)), "1000.10", "1500");
        (table.reserve(&reservation).await.unwrap(), sums(table, &reservation).await)
    };
    let done = |sums: &[&str], version| {
        (Reserved::Done, Some((sums.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>(), version)))
    };
    let refused = |sums: &[&str], version| (Reserved::LimitReached, done(sums, version).1);
    assert_eq!(reserve("1000.05", 0).await, done(&["1000.05", "1000.05"], 1), "there is no row");
    assert_eq!(reserve("0.06", 0).await, refused(&["1000.05", "1000.05"], 1));
    assert_eq!(reserve("0.05", 0).await, done(&["1000.1", "1000.1"], 2), "the exact ceiling of the hour");
    assert_eq!(reserve("0.00000001", 0).await, refused(&["1000.1", "1000.1"], 2));
    assert_eq!(reserve("499", 1).await, done(&["1499.1", "1000.1", "499"], 3), "the next hour");
    assert_eq!(reserve("0.91", 23).await, refused(&["1499.1", "1000.1", "499"], 3));
    assert_eq!(reserve("0.9", 23).await, done(&["1500", "1000.1", "499", "0.9"], 4), "the exact ceiling of the day");
    assert_eq!(reserve("0.00000001", 23).await.0, Reserved::LimitReached);
    assert_eq!(reserve("1000.1", 24).await, done(&["1000.1", "1000.1"], 1), "the next day");
    let (large, largest) = ("999999999999000000.12345678", "999999999999999999.99999999");
    let raised = reservation(large, Timestamp(24 * HOUR_MS), "none", largest);
    assert_eq!(table.reserve(&raised).await.unwrap(), Reserved::Done);
    let exact = ["999999999999001000.22345678", "999999999999001000.22345678"];
    assert_eq!(sums(table, &raised).await, done(&exact, 2).1, "each digit counts");
    let row = stored(table, &raised.id).await;
    assert_eq!(table.write(row.becomes(row.row.clone())).await.unwrap(), Written::Done);
    assert_eq!(reserve("1", 25).await.0, Reserved::LimitReached);
    assert_eq!(stored(table, &raised.id).await, Stored { version: 3, ..row });
}

async fn of_reservations_at_once_those_that_fit_are_done(table: &impl Table) {
    let mut reservations = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let table = table.clone();
        reservations.spawn(async move { table.reserve(&reservation("3", Timestamp(0), "100", "none")).await.unwrap() });
    }
    let done = reservations.join_all().await.into_iter().filter(|it| *it == Reserved::Done).count();
    assert_eq!(done, 33);
    let row = stored(table, &reservation("1", Timestamp(0), "100", "none").id).await;
    assert_eq!((row.row.reserved.to_string().as_str(), row.version), ("99", 33));
}

async fn what_is_given_back_can_be_reserved_again_and_nothing_else_is_given_back(table: &impl Table) {
    let of = |amount: &str, hour: u64| reservation(amount, Timestamp(hour.saturating_mul(HOUR_MS)), "10", "15");
    assert!(table.give_back(&of("1", 0)).await.is_err(), "there is no row");
    assert_eq!(table.read(&of("1", 0).id).await.unwrap(), None);
    for (amount, hour) in [("10", 0), ("2.5", 1)] {
        assert_eq!(table.reserve(&of(amount, hour)).await.unwrap(), Reserved::Done);
    }
    for (amount, hour) in [("2.6", 1), ("1", 2)] {
        assert!(table.give_back(&of(amount, hour)).await.is_err(), "{amount} was not reserved in hour {hour}");
    }
    let all = |sums: &[&str]| sums.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert_eq!(sums(table, &of("1", 0)).await, Some((all(&["12.5", "10", "2.5"]), 2)));
    table.give_back(&of("10", 0)).await.unwrap();
    assert_eq!(sums(table, &of("1", 0)).await, Some((all(&["2.5", "0", "2.5"]), 3)));
    assert!(table.give_back(&of("10", 0)).await.is_err(), "it was given back");
    assert_eq!(table.reserve(&of("10", 0)).await.unwrap(), Reserved::Done);
    assert_eq!(sums(table, &of("1", 0)).await, Some((all(&["12.5", "10", "2.5"]), 4)));
    assert_eq!(RowId::parse(&of("1", 0).id.key()), Some(RowId::ReservedSums(of("1", 0).id)));
}

async fn an_element_that_was_not_understood_is_stored(table: &impl Table) {
    let row = unreadable();
    assert_eq!(table.write(Change::new(row.clone())).await.unwrap(), Written::Done);
    assert_eq!(table.write(Change::new(row)).await.unwrap(), Written::Done);
}

async fn a_row_of_any_kind_is_read_by_its_key(table: &impl Table) {
    let keys = ["deposit#o1", "payment#paytm#1", "withdrawal#w1", &unreadable().id().key()];
    let ids = keys.map(|key| RowId::parse(key).unwrap());
    for id in &ids {
        assert_eq!(read_any(table, id).await.unwrap(), None);
    }
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    table.write(Change::new(claimed("1", "o1"))).await.unwrap();
    table.write(Change::new(withdrawal("w1", "100"))).await.unwrap();
    table.write(Change::new(unreadable())).await.unwrap();
    table.write(Stored { row: claimed("1", "o1"), version: 1 }.becomes(claimed("1", "o2"))).await.unwrap();
    for (id, (key, version)) in ids.iter().zip(keys.into_iter().zip([1, 2, 1, 1])) {
        let row = read_any(table, id).await.unwrap().unwrap();
        assert_eq!((row.key().as_str(), row.version()), (key, version));
    }
    for key in [
        "ceiling#paytm",
        "ceiling#paytm#today",
        "ceiling#Pay TM#2026-11-27",
        "gift#1",
        "deposit",
        "deposit#a/b",
        "payment#paytm",
        "withdrawal#",
        "unreadable#signature#x",
    ] {
        assert_eq!(RowId::parse(key), None, "{key}");
    }
}

async fn two_hundred_credits_at_once_credit_once(table: &impl Table) {
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    let mut credits = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let table = table.clone();
        credits.spawn(
            async move { table.credit(&deposit_report("1", "o1", "u1", "700").expected_credit().unwrap()).await },
        );
    }
    let done = credits.join_all().await.into_iter().filter(|written| matches!(written, Ok(Transacted::Done)));
    assert_eq!(done.count(), 1);
    assert_eq!(credited_sum(&read_deposit(table, "o1").await.unwrap()), ["700"]);
}

async fn found(table: &impl Table, kind: AttentionKind) -> Vec<RowId> {
    let page = table.find_attention(kind, Timestamp(0), None, PAGE).await.unwrap();
    page.entries.iter().map(|it| it.id().unwrap()).collect()
}

async fn write_withdrawal(
    table: &impl Table,
    current: &Stored<WithdrawalRow>,
    row: Withdrawal,
) -> Stored<WithdrawalRow> {
    let row = WithdrawalRow::Registered(Box::new(row));
    assert_eq!(table.write(current.becomes(row.clone())).await.unwrap(), Written::Done);
    Stored { row, version: current.version.saturating_add(1) }
}

fn ours(stored: &Stored<WithdrawalRow>) -> &Withdrawal {
    let WithdrawalRow::Registered(row) = &stored.row else { panic!("{stored:?}") };
    row
}

async fn a_row_is_found_while_somebody_must_look_at_it(table: &impl Table) {
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    table.write(Change::new(claimed("1", "o1"))).await.unwrap();
    let first = Stored { row: withdrawal("w1", "100"), version: 1 };
    table.write(Change::new(first.row.clone())).await.unwrap();
    let w1 = [RowId::Withdrawal(first.row.id().clone())];
    for kind in AttentionKind::ALL {
        let expected = if kind == AttentionKind::Open { &w1[..] } else { &[] };
        assert_eq!(found(table, kind).await, expected, "{kind:?}");
    }
    assert_eq!(table.end_withdrawal(&withdrawal_report("w1", "100", Some(1))).await.unwrap(), Written::Done);
    assert_eq!(found(table, AttentionKind::Open).await, []);
    let (held, facts) = (claimed("2", "o1"), facts("o9", "u1", "700"));
    let waits = PaymentState::Unmatched { facts, labels: Vec::new() };
    let waiting = Stored { row: Payment::new(held.key.clone(), waits), version: 1 };
    table.write(Change::new(waiting.row.clone())).await.unwrap();
    assert_eq!(found(table, AttentionKind::Unmatched).await, [RowId::Payment(held.key.clone())]);
    table.write(waiting.becomes(held)).await.unwrap();
    let report = deposit_report("1", "o1", "u1", "700");
    assert_eq!(table.credit(&report.expected_credit().unwrap()).await.unwrap(), Transacted::Done);
    for kind in AttentionKind::ALL {
        assert_eq!(found(table, kind).await, [], "{kind:?}");
    }
}

/// What the row and the index say about it must not change before the end: each change is a write of the index.
async fn an_open_withdrawal_has_one_place_in_the_index_until_it_ends(table: &impl Table) {
    let first = Stored { row: withdrawal("w1", "100"), version: 1 };
    table.write(Change::new(first.row.clone())).await.unwrap();
    let place = async || {
        let scanned = scanned(table, 1).await.remove(0).unwrap();
        let page = table.find_attention(AttentionKind::Open, Timestamp(0), None, PAGE).await.unwrap();
        (scanned.indexed, page.entries)
    };
    let created = place().await;
    let key = first.row.id().key();
    assert_eq!(created.1, [IndexEntry { at: ours(&first).created_at, key: key.clone() }]);
    let conflict = Transition::Conflict(domain::Mismatch::Status);
    let facts = withdrawal_report("w1", "100", Some(3)).facts;
    let after = |row: &Withdrawal, transition, facts, at| row.after(transition, facts, Timestamp(at)).0.unwrap();
    let lost = write_withdrawal(table, &first, after(ours(&first), ours(&first).lose(), None, 50)).await;
    let flagged = Transition::Move(ours(&lost).review("why").unwrap());
    let reviewed = write_withdrawal(table, &lost, after(ours(&lost), flagged, None, 60)).await;
    assert_eq!(place().await, created);
    let against = write_withdrawal(table, &reviewed, after(ours(&reviewed), conflict, Some(&facts), 70)).await;
    assert_eq!(place().await, created);
    let report = withdrawal_report("w1", "100", Some(1));
    let paid = update_from(table, Some(against), |row| WithdrawalRow::reported(row, &report)).await.unwrap();
    assert_eq!(place().await.1, []);
    let conflict = Some((AttentionKind::Conflict, facts.evidence.received_at));
    assert_eq!(paid.current.unwrap().row.attention().map(|it| (it.kind, it.at)), conflict);
}

async fn what_a_person_has_resolved_is_found_no_more(table: &impl Table) {
    let (element, foreign) = (unreadable(), foreign_withdrawal("w1"));
    table.write(Change::new(element.clone())).await.unwrap();
    table.write(Change::new(WithdrawalRow::Foreign(Box::new(foreign.clone())))).await.unwrap();
    assert_eq!(found(table, AttentionKind::Unreadable).await.len(), 1);
    assert_eq!(found(table, AttentionKind::Unmatched).await.len(), 1);
    let resolved = element.resolve(resolution()).unwrap();
    let resolved = Stored { row: element, version: 1 }.becomes(resolved);
    assert_eq!(table.write(resolved.clone()).await.unwrap(), Written::Done);
    assert_eq!(table.write(resolved).await.unwrap(), Written::Done, "our own write");
    let resolved = WithdrawalRow::Foreign(Box::new(foreign.resolve(resolution()).unwrap()));
    let foreign = Stored { row: WithdrawalRow::Foreign(Box::new(foreign)), version: 1 };
    assert_eq!(table.write(foreign.becomes(resolved.clone())).await.unwrap(), Written::Done);
    assert_eq!(stored(table, resolved.id()).await.row, resolved);
    for kind in AttentionKind::ALL {
        assert_eq!(found(table, kind).await, [], "{kind:?}");
    }
}

async fn what_contradicts_a_withdrawal_outlives_its_end(table: &impl Table) {
    let first = Stored { row: withdrawal("w1", "100"), version: 1 };
    table.write(Change::new(first.row.clone())).await.unwrap();
    let report = withdrawal_report("w1", "100", Some(1));
    let conflict = Transition::Conflict(domain::Mismatch::Status);
    let (against, _) = ours(&first).after(conflict, Some(&report.facts), Timestamp(7));
    let current = write_withdrawal(table, &first, against.unwrap()).await;
    let w1 = [RowId::Withdrawal(first.row.id().clone())];
    assert_eq!(found(table, AttentionKind::Open).await, w1);
    assert_eq!(table.end_withdrawal(&report).await.unwrap(), Written::Conflict { current: Some(current.clone()) });
    let now = report.facts.evidence.received_at;
    let paid = update_from(table, Some(current), |row| WithdrawalRow::reported(row, &report)).await.unwrap();
    assert_eq!(paid.outcome, Effect::Moved);
    let paid = paid.current.unwrap();
    assert_eq!((ours(&paid).changed_at, paid.version), (now, 3));
    assert_eq!(found(table, AttentionKind::Conflict).await, w1);
}

async fn an_update_that_loses_a_race_decides_again(table: &impl Table) {
    let first = Stored { row: withdrawal("w1", "100"), version: 1 };
    table.write(Change::new(first.row.clone())).await.unwrap();
    let unknown = Withdrawal { state: WithdrawalState::Unknown, ..ours(&first).clone() };
    let newer = write_withdrawal(table, &first, unknown).await;
    let report = withdrawal_report("w1", "100", Some(5));
    let stale = update_from(table, Some(first), |row| WithdrawalRow::reported(row, &report)).await.unwrap();
    assert_eq!((stale.outcome, stale.current.map(|it| it.version)), (Effect::Moved, Some(3)));
    let again = update(table, newer.row.id(), |row| WithdrawalRow::reported(row, &report)).await.unwrap();
    assert_eq!((again.outcome, again.current.map(|it| it.version)), (Effect::Repeated, Some(3)));
    let foreign = withdrawal_report("w2", "5", Some(1));
    let made = update(table, &foreign.withdrawal_id, |row| WithdrawalRow::reported(row, &foreign)).await.unwrap();
    assert_eq!((made.outcome, made.current.map(|it| it.version)), (Effect::Moved, Some(1)));
}

async fn pages_follow_each_other_without_gap_or_repetition(table: &impl Table) {
    for time in 1..=45 {
        table.write(Change::new(unreadable_at(time))).await.unwrap();
    }
    let (mut after, mut elements, mut sizes, mut firsts) = (None, Vec::new(), Vec::new(), Vec::new());
    loop {
        let page = table.find_attention(AttentionKind::Unreadable, Timestamp(4), after.as_ref(), PAGE).await.unwrap();
        sizes.push(page.entries.len());
        firsts.push(page.entries[0].at.0);
        elements.extend(page.entries.into_iter().map(|row| {
            let Some(RowId::Unreadable(id)) = row.id() else { panic!("{row:?}") };
            id.element
        }));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [PAGE, PAGE, 2]);
    assert_eq!(firsts, [4, 24, 44]);
    assert_eq!(elements, (4..=45).collect::<Vec<_>>());
}

async fn scanned(table: &impl Scan, of: u16) -> Vec<Result<ScannedRow, UnreadableRow>> {
    let mut rows = Vec::new();
    for number in 0..of {
        let mut after = None;
        loop {
            let page = table.scan(Segment { number, of }, after.as_deref()).await.unwrap();
            rows.extend(page.rows);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    rows
}

async fn a_scan_comes_by_each_row_once(table: &impl Table) {
    let keys = |rows: Vec<Result<ScannedRow, UnreadableRow>>| {
        let mut keys: Vec<_> = rows.into_iter().map(|row| row.unwrap().row.key()).collect();
        keys.sort();
        keys
    };
    assert_eq!(scanned(table, 3).await, []);
    let mut expected = vec!["deposit#o1".to_owned(), "payment#paytm#1".into(), "withdrawal#w1".into()];
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    table.write(Change::new(claimed("1", "o1"))).await.unwrap();
    table.write(Change::new(withdrawal("w1", "100"))).await.unwrap();
    for time in 1..=45 {
        table.write(Change::new(unreadable_at(time))).await.unwrap();
        expected.push(unreadable_at(time).id().key());
    }
    expected.sort();
    for of in [1, 4] {
        assert_eq!(keys(scanned(table, of).await), expected, "{of} segments");
    }
    for row in scanned(table, 1).await.into_iter().map(Result::unwrap) {
        assert_eq!((row.indexed, row.format), (row.row.attention(), Some(1)), "{row:?}");
    }
}

/// What DynamoDB can say of a transaction and the stand-in never does: to lose a race is an answer, to be throttled is none.
/// Every error that DynamoDB documents for its calls, and whether it is a lost race.
const ERRORS: [(&str, bool); 24] = [
    ("TransactionConflictException", true),
    ("TransactionInProgressException", true),
    ("ReplicatedWriteConflictException", true),
    ("AccessDeniedException", false),
    ("IdempotentParameterMismatchException", false),
    ("IncompleteSignatureException", false),
    ("InternalServerError", false),
    ("ItemCollectionSizeLimitExceededException", false),
    ("LimitExceededException", false),
    ("MissingAuthenticationTokenException", false),
    ("ProvisionedThroughputExceededException", false),
    ("RequestLimitExceeded", false),
    ("ResourceInUseException", false),
    ("ResourceNotFoundException", false),
    ("SerializationException", false),
    ("ServiceUnavailable", false),
    ("ThrottlingException", false),
    ("UnrecognizedClientException", false),
    ("ValidationException", false),
    ("ExpiredTokenException", false),
    ("InvalidSignatureException", false),
    ("DuplicateItemException", false),
    ("TransactionCanceledException", false),
    ("AnErrorOfTomorrow", false),
];

/// A write that meets a transaction gets no row with its error, so the row is read, and decided on again.
#[tokio::test]
async fn a_single_write_that_meets_a_transaction_is_a_lost_race_and_no_outage() {
    for (kind, is_race) in ERRORS {
        let table = fixtures::refusing_writes(&format!(r#"{{"__type":"{kind}"}}"#)).await;
        let written = table.write(Change::new(deposit("o1", "u1"))).await;
        assert_eq!(written.ok(), is_race.then_some(Written::Conflict { current: None }), "{kind}");
        let ended = table.end_withdrawal(&withdrawal_report("w1", "5", Some(1))).await;
        assert_eq!(ended.ok(), is_race.then_some(Written::Conflict { current: None }), "{kind}");
        let reserved = reservation("1", Timestamp(0), "1", "1");
        assert!(matches!(table.reserve(&reserved).await, Err(StoreError::Transient(_))), "{kind}");
        assert!(matches!(table.give_back(&reserved).await, Err(StoreError::Transient(_))), "{kind}");
    }
}

#[tokio::test]
async fn a_transaction_of_dynamodb_is_lost_to_another_or_not_answered() {
    let canceled = |reasons: [&str; 2]| {
        let reasons = reasons.map(|code| format!(r#"{{"Code":"{code}"}}"#)).join(",");
        format!(r#"{{"__type":"TransactionCanceledException","CancellationReasons":[{reasons}]}}"#)
    };
    let error = |kind: &str| format!(r#"{{"__type":"{kind}"}}"#);
    for (error, is_race) in [
        (error("TransactionInProgressException"), true),
        (canceled(["None", "ConditionalCheckFailed"]), true),
        (canceled(["TransactionConflict", "None"]), true),
        (canceled(["ConditionalCheckFailed", "ThrottlingError"]), false),
        (canceled(["ValidationError", "None"]), false),
        (error("InternalServerError"), false),
    ] {
        let table = fixtures::refusing(&error).await;
        let written = table.transact(Transaction::new(Change::new(deposit("o1", "u1")), vec![])).await;
        let credited = table.credit(&deposit_report("1", "o1", "u1", "700").expected_credit().unwrap()).await;
        for answer in [written, credited] {
            assert_eq!(answer.ok(), is_race.then_some(Transacted::Conflict { payment: None }), "{error}");
        }
    }
}

/// Only two errors happen every time: the row is too large, if the error names it, and it cannot be decoded although its format
/// is not newer than ours.
#[tokio::test]
async fn only_a_row_that_is_too_large_or_cannot_be_decoded_is_a_permanent_error() {
    let too_large = [
        "Item size has exceeded the maximum allowed size",
        "Item size to update has exceeded the maximum allowed size",
    ];
    let canceled = |place: usize, message: &str| {
        let mut reasons = vec![r#"{"Code":"None"}"#.to_owned(); 2];
        reasons[place] = format!(r#"{{"Code":"ValidationError","Message":"{message}"}}"#);
        format!(r#"{{"__type":"TransactionCanceledException","CancellationReasons":[{}]}}"#, reasons.join(","))
    };
    let expected = deposit_report("1", "o1", "u1", "700").expected_credit().unwrap();
    for message in too_large {
        for (place, key) in [(0, "payment#paytm#1"), (1, "deposit#o1")] {
            let table = fixtures::refusing(&canceled(place, message)).await;
            let Err(StoreError::Permanent { key: named, .. }) = table.credit(&expected).await else { panic!() };
            assert_eq!(named, key);
        }
        let single = format!(r#"{{"__type":"ValidationException","message":"{message}"}}"#);
        let table = fixtures::refusing_writes(&single).await;
        let written = table.write(Change::new(deposit("o1", "u1"))).await.unwrap_err();
        assert!(written.is_permanent_of(&expected.order), "{written}");
        let unnamed = table.transact(Transaction::new(Change::new(deposit("o1", "u1")), vec![])).await;
        assert!(matches!(unnamed, Err(StoreError::Transient(_))), "the error names no row: {unnamed:?}");
    }
    for message in ["The provided expression refers to an attribute that does not exist in the item", ""] {
        let table = fixtures::refusing(&canceled(1, message)).await;
        assert!(matches!(table.credit(&expected).await, Err(StoreError::Transient(_))), "{message}");
    }
}

#[tokio::test]
async fn a_row_that_would_be_too_large_is_named_before_it_is_written() {
    let table = embedded().await;
    let DepositRow::Registered(order) = deposit("o1", "u1") else { panic!() };
    let large = |length| DepositRow::Registered(domain::Deposit { params: "x".repeat(length), ..order.clone() });
    let bytes = 400 * 1024;
    for (length, is_written) in [(bytes - 1_000, true), (bytes, false)] {
        let id = CustomTransactionId::parse("o1").unwrap();
        let current = table.read(&id).await.unwrap();
        let written = table.write(Change::of(large(length), current.as_ref())).await;
        assert_eq!(written.is_ok(), is_written, "{length}");
        let current = table.read(&id).await.unwrap();
        let transacted = table.transact(Transaction::new(Change::of(large(length), current.as_ref()), vec![])).await;
        assert_eq!(transacted.as_ref().is_err_and(|error| error.is_permanent_of(&id)), !is_written, "{transacted:?}");
    }
}

#[tokio::test]
async fn a_row_of_a_newer_format_may_pass_and_is_never_written_over() {
    let client = fixtures::client().await;
    let table = DynamoDb::new(client.clone(), "paykassma".into());
    let id = CustomTransactionId::parse("o1").unwrap();
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    table.write(Change::new(claimed("1", "o1"))).await.unwrap();
    table.write(Change::new(withdrawal("w1", "5"))).await.unwrap();
    let reserved = reservation("1", Timestamp(0), "5", "5");
    assert_eq!(table.reserve(&reserved).await.unwrap(), Reserved::Done);
    let keys = ["deposit#o1", "payment#paytm#1", "withdrawal#w1", "ceiling#paytm#1970-01-01"];
    for key in keys {
        fixtures::set_number(&client, key, "format", 3).await;
    }
    let order = table.read(&id).await.unwrap().unwrap();
    let credit = deposit_report("1", "o1", "u1", "5").expected_credit().unwrap();
    let fresh = deposit_report("2", "o1", "u1", "5").expected_credit().unwrap();
    let answers = [
        table.write(order.becomes(deposit("o1", "u1"))).await.map(drop),
        table.write(Change::new(deposit("o1", "u2"))).await.map(drop),
        table.transact(Transaction::new(order.becomes(deposit("o1", "u1")), vec![])).await.map(drop),
        table.credit(&credit).await.map(drop),
        table.credit(&fresh).await.map(drop),
        table.end_withdrawal(&withdrawal_report("w1", "5", Some(1))).await.map(drop),
        table.reserve(&reserved).await.map(drop),
        table.give_back(&reserved).await,
    ];
    for answer in answers {
        assert!(matches!(answer, Err(StoreError::Transient(_))), "{answer:?}");
    }
    for key in keys {
        let version = fixtures::attribute(&client, key, "version").await;
        assert_eq!(version.unwrap().as_n().unwrap(), "1", "{key}");
    }
    fixtures::damage(&client, "deposit#o2", &[("version", "1"), ("format", "3")]).await;
    fixtures::damage(&client, "deposit#o3", &[("version", "1"), ("format", "1")]).await;
    let read = async |id: &str| table.read(&CustomTransactionId::parse(id).unwrap()).await.unwrap_err();
    assert!(matches!(read("o2").await, StoreError::Newer { key } if key == "deposit#o2"));
    assert!(matches!(read("o3").await, StoreError::Permanent { key, .. } if key == "deposit#o3"));
}

/// The release before this one may change every other row. A write that does not read the row leaves its format as it is.
#[tokio::test]
async fn a_row_has_the_newer_format_once_a_decision_names_its_caller() {
    let client = fixtures::client().await;
    let table = DynamoDb::new(client.clone(), "paykassma".into());
    let format = async |key: &str| {
        let format = fixtures::attribute(&client, key, "format").await.unwrap();
        format.as_n().unwrap().parse::<u64>().unwrap()
    };
    let plain = unreadable();
    table.write(Change::new(plain.clone())).await.unwrap();
    let key = plain.id().key();
    assert_eq!(format(&key).await, 1);
    let caller = Caller::parse("arn:aws:iam::123456789012:user/alice").ok();
    for (caller, expected) in [(None, 1), (caller, 2)] {
        let row = plain.resolve(Resolution { caller, ..resolution() }).unwrap();
        let current = table.read(&plain.id()).await.unwrap();
        assert_eq!(table.write(Change::of(row, current.as_ref())).await.unwrap(), Written::Done);
        assert_eq!(format(&key).await, expected);
    }
    table.write(Change::new(deposit("o1", "u1"))).await.unwrap();
    table.write(Change::new(withdrawal("w1", "5"))).await.unwrap();
    let reserved = reservation("1", Timestamp(0), "5", "5");
    table.reserve(&reserved).await.unwrap();
    let keys = ["deposit#o1", "withdrawal#w1", "ceiling#paytm#1970-01-01"];
    fixtures::set_number(&client, "withdrawal#w1", "format", 2).await;
    let credit = deposit_report("1", "o1", "u1", "5").expected_credit().unwrap();
    assert_eq!(table.credit(&credit).await.unwrap(), Transacted::Done);
    assert_eq!(table.end_withdrawal(&withdrawal_report("w1", "5", Some(1))).await.unwrap(), Written::Done);
    table.reserve(&reserved).await.unwrap();
    let mut formats = Vec::new();
    for key in keys {
        formats.push(format(key).await);
    }
    assert_eq!((formats.as_slice(), format("payment#paytm#1").await), (&[1, 2, 1][..], 1));
}

/// A lost answer is asked for again, which may reserve an amount twice. To give an amount back twice would take out another one.
#[tokio::test]
async fn a_reservation_is_tried_again_and_what_is_given_back_is_not() {
    let (table, asked) = fixtures::failing().await;
    let reserved = reservation("1", Timestamp(0), "5", "5");
    assert!(table.reserve(&reserved).await.is_err());
    assert_eq!(asked.swap(0, Ordering::Relaxed), 3);
    assert!(table.give_back(&reserved).await.is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_damaged_row_of_sums_allows_nothing_and_its_numbers_are_numbers() {
    let client = fixtures::client().await;
    let table = DynamoDb::new(client.clone(), "paykassma".into());
    let reserved = reservation("1.50", Timestamp(0), "5", "5");
    fixtures::damage(&client, "ceiling#paytm#1970-01-01", &[("version", "1"), ("hour_00", "1")]).await;
    assert!(table.reserve(&reserved).await.is_err_and(|error| error.is_permanent_of(&reserved.id)));
    assert!(table.give_back(&reserved).await.is_err());
    fixtures::damage(&client, "ceiling#paytm#1970-01-01", &[("version", "1")]).await;
    assert!(table.reserve(&reserved).await.is_err_and(|error| error.is_permanent_of(&reserved.id)));

    let next = reservation("1.50", Timestamp(24 * HOUR_MS), "5", "5");
    table.reserve(&next).await.unwrap();
    let row = stored(&table, &next.id).await;
    table.write(row.becomes(ReservedSums { ..row.row.clone() })).await.unwrap();
    for (name, number) in [("reserved", "1.5"), ("hour_00", "1.5"), ("version", "2"), ("format", "1")] {
        let attribute = fixtures::attribute(&client, "ceiling#paytm#1970-01-02", name).await.unwrap();
        assert_eq!(attribute.as_n().map(String::as_str), Ok(number), "{name}");
    }
}

/// The index has rows that this release cannot read: each is found, and names itself where it is read.
#[tokio::test]
async fn what_cannot_be_read_is_found_and_hides_nothing() {
    let client = fixtures::client().await;
    let table = DynamoDb::new(client.clone(), "paykassma".into());
    let rows = ["w1", "w2", "w3"].map(|id| withdrawal(id, "5"));
    for row in &rows {
        table.write(Change::new(row.clone())).await.unwrap();
    }
    let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.into());
    fixtures::set(&client, "withdrawal#w1", "state", text("settled")).await;
    fixtures::set_number(&client, "withdrawal#w1", "format", 3).await;
    fixtures::set(&client, "withdrawal#w2", "attempts", text("none")).await;
    let odd = ["gift#1", "withdrawal#", "payment#paytm", "deposit#x"];
    for (key, at) in odd.into_iter().zip(["1", "1.5", "3", "3"]) {
        fixtures::damage(&client, key, &[("version", "1"), ("attention_at", at)]).await;
        fixtures::set(&client, key, "attention", text("open")).await;
    }
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = table.find_attention(AttentionKind::Open, Timestamp(0), after.as_ref(), 1).await.unwrap();
        keys.extend(page.entries.into_iter().map(|it| it.key));
        after = page.next;
        if after.is_none() || keys.len() > 20 {
            break;
        }
    }
    let mut all = keys.clone();
    all.sort();
    let mut expected = [&odd[..], &["withdrawal#w1", "withdrawal#w2", "withdrawal#w3"]].concat();
    expected.sort_unstable();
    assert_eq!(all, expected);
    for key in &keys {
        let read = read_key(&table, key).await.unwrap().unwrap();
        let is_named = read.as_ref().err().is_some_and(|it| it.key == *key);
        assert_eq!(is_named, key != "withdrawal#w3", "{read:?}");
    }
    let missing = domain::WithdrawalId::parse("w4").unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id().clone()).chain([missing.clone()]).collect();
    let read = read_each(&table, &ids).await.unwrap();
    let reasons: Vec<_> = read.values().map(|it| it.as_ref().err().map(|it| it.reason.as_str())).collect();
    assert_eq!(reasons[0], Some("it has a newer format"));
    assert!(reasons[1].is_some_and(|it| it.contains("WithdrawalRow")), "{reasons:?}");
    assert_eq!((reasons[2], reasons.len()), (None, 3));
}

/// A megabyte is a page: the scan goes on after it, and past what it cannot read.
#[tokio::test]
async fn a_walk_through_dynamodb_goes_on_past_rows_that_cannot_be_read() {
    let client = fixtures::client().await;
    let table = DynamoDb::new(client.clone(), "paykassma".into());
    for time in 1..=5 {
        let mut row = unreadable_at(time);
        row.evidence.place = ListPlace::Here(SignedList { additional_data: "x".repeat(300_000), ..list() });
        table.write(Change::new(row)).await.unwrap();
    }
    fixtures::damage(&client, "deposit#o1", &[]).await;
    fixtures::damage(&client, "payment#paytm#1", &[("version", "1")]).await;
    fixtures::damage(&client, "gift#1", &[("version", "1")]).await;
    fixtures::damage(&client, "withdrawal#w1", &[("version", "1"), ("attention_at", "7")]).await;
    let rows = scanned(&table, 1).await;
    let mut unreadable_row: Vec<_> =
        rows.iter().filter_map(|row| row.as_ref().err()).map(ToString::to_string).collect();
    unreadable_row.sort();
    let named = ["deposit#o1: it has no version", "gift#1: a row of an unknown kind", "payment#paytm#1: missing field"];
    let named = [named.as_slice(), &["withdrawal#w1: `attention` can't be read"]].concat();
    assert_eq!(unreadable_row.len(), named.len(), "{unreadable_row:?}");
    for (unreadable_row, named) in unreadable_row.iter().zip(named) {
        assert!(unreadable_row.starts_with(named), "{unreadable_row}");
    }
    assert_eq!(rows.len(), 9);
}

#[tokio::test]
async fn both_stores_answer_alike_to_any_sequence() {
    for seed in 0..60 {
        let (memory, client) = (Memory::default(), fixtures::client().await);
        let dynamodb = DynamoDb::new(client.clone(), "paykassma".into());
        let mut random = fastrand::Rng::with_seed(seed);
        for step in 0..40 {
            let operation = fixtures::Operation::any(&mut random);
            let (ours, theirs) = (operation.run(&memory).await, operation.run(&dynamodb).await);
            assert_eq!(ours, theirs, "seed {seed}, step {step}: {operation:?}");
            let quiet: Vec<_> = memory.rows().into_keys().filter(|key| memory.is_quiet(key)).collect();
            assert_eq!(quiet, fixtures::quiet_rows(&client).await, "seed {seed}, step {step}: {operation:?}");
        }
    }
}
