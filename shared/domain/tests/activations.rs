//! Second taps and contested numbers: what becomes of a number that users enter, over any order of calls and results.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::BTreeMap;

use domain::{
    Amount, Attempt, AttemptId, AttemptState, Call, CallResult, Called, Claim, CurrencyCode, CustomTransactionId,
    Decided, Decision, Deposit, DepositReport, DepositRow, Entering, Event, Evidence, Label, ListPlace, MAX_ATTEMPTS,
    MAX_LABELS, Mismatch, NotResolved, Order, Outcome, Payment, PaymentKey, PaymentState, Recorded, Remark, Resolution,
    Rows, Separator, SignedFacts, SignedList, Timestamp, TransactionId, WalletType, Window, decide, match_waiting,
};
use proptest::prelude::*;
use serde_json::json;

const NUMBER: &str = "47752123519";
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

fn id(text: &str) -> CustomTransactionId {
    CustomTransactionId::parse(text).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn key(number: &str) -> PaymentKey {
    PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse(number).unwrap(),
    }
}

fn deposit(order: &str, label: &str) -> Deposit {
    let order = Order {
        custom_transaction_id: id(order),
        label: Label::parse(label).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        wallet_type: key(NUMBER).wallet_type,
        amount: None,
        lang: None,
        window: Window::default(),
    };
    Deposit::new(order, "{}".into(), Timestamp(0))
}

fn report(order: &str, label: &str, signed: &str) -> DepositReport {
    let list = SignedList {
        additional_data: format!("[{order}{signed}]"),
        signature: format!("{order}{signed}"),
        access_key: "key".into(),
    };
    let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(0) };
    let facts = SignedFacts {
        custom_transaction_id: order.into(),
        order_before_hyphen: None,
        amount: amount(signed),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse(label).unwrap()),
        evidence,
    };
    DepositReport { payment: key(NUMBER), facts, mismatch: None }
}

fn resolution(outcome: Outcome) -> Resolution {
    let remark = || Remark::parse("ticket 7").unwrap();
    Resolution::new(outcome, remark(), remark(), remark(), Timestamp(8))
}

/// A call that was journalled, and what its sender knows.
#[derive(Clone, Debug)]
struct Sent {
    order: String,
    id: AttemptId,
    call: Call,
    amount: Amount,
    result: Option<CallResult>,
}

impl Sent {
    fn may_have_had_an_effect(&self) -> bool {
        self.result.as_ref().is_none_or(|result| !result.may_end())
    }
}

/// What a tap led to.
#[derive(Clone, Debug, PartialEq)]
enum Tapped {
    /// The provider is asked: the place of the call, and its id.
    Asked(usize, String),
    /// An answer without a call.
    Answered(Claim),
    /// The order's row says `activated`: nobody is asked.
    Activated,
}

/// One payment and the orders whose users enter its number, changed as `activate` and the receiver change them.
#[derive(Clone, Debug, Default)]
struct World {
    now: u64,
    payment: Option<Payment>,
    orders: BTreeMap<String, Deposit>,
    calls: Vec<Sent>,
    events: Vec<&'static str>,
}

impl World {
    fn with(orders: &[(&str, &str)]) -> Self {
        let orders = orders.iter().map(|(order, label)| ((*order).to_owned(), deposit(order, label))).collect();
        Self { orders, ..Self::default() }
    }

    fn attempt(&self, order: &str) -> Option<Attempt> {
        self.orders[order].attempt(&key(NUMBER).transaction_id)
    }

    fn outcome(&self, order: &str) -> AttemptState {
        self.attempt(order).unwrap().outcome
    }

    fn row(&self) -> &Payment {
        self.payment.as_ref().unwrap()
    }

    fn published(&self, kind: &str) -> usize {
        self.events.iter().filter(|it| **it == kind).count()
    }

    fn put(&mut self, payment: Payment) {
        self.events.extend(payment.events(self.payment.as_ref()).iter().map(Event::kind));
        self.payment = Some(payment);
    }

    fn put_order(&mut self, order: Deposit) {
        let name = order.order.custom_transaction_id.as_str().to_owned();
        let old = self.orders.get(&name).cloned().map(DepositRow::Registered);
        let new = DepositRow::Registered(order.clone());
        self.events.extend(new.events(old.as_ref()).iter().map(Event::kind));
        self.orders.insert(name, order);
    }

    /// A user enters the number; the call is journalled.
    fn tap(&mut self, order: &str, entered: &str) -> Tapped {
        let known = self.attempt(order);
        let known = known.as_ref();
        if known.is_some_and(|it| it.outcome == AttemptState::Activated) {
            return Tapped::Activated;
        }
        let call = Call { nonce: format!("call-{}", self.calls.len()), at: Timestamp(self.now) };
        let entering = Entering {
            payment: &key(NUMBER),
            order: &self.orders[order].order,
            amount: amount(entered),
            known,
            call: &call,
            separator: Separator::Dot,
        };
        let (row, claim) = Payment::claim(self.payment.as_ref(), &entering);
        if let Some(row) = row {
            self.put(row);
        }
        match &claim {
            Claim::Ask(id) => {
                let text = id.as_str().to_owned();
                self.calls.push(Sent {
                    order: order.into(),
                    id: id.clone(),
                    call,
                    amount: amount(entered),
                    result: None,
                });
                Tapped::Asked(self.calls.len() - 1, text)
            }
            Claim::Held | Claim::Credited(_) | Claim::InUse => Tapped::Answered(claim),
        }
    }

    /// The id of the next call, if one is made.
    fn asks(&mut self, order: &str) -> Option<(usize, String)> {
        match self.tap(order, "700") {
            Tapped::Asked(call, id) => Some((call, id)),
            Tapped::Answered(_) | Tapped::Activated => None,
        }
    }

    /// A call's result is recorded. Whether the attempt ended.
    fn record(&mut self, index: usize, result: &CallResult) -> bool {
        let sent = self.calls[index].clone();
        let number = key(NUMBER).transaction_id;
        let called = Called { number: &number, id: &sent.id, call: &sent.call, amount: sent.amount };
        let Recorded { deposit, released, .. } =
            self.orders[&sent.order].called(&called, result, self.payment.as_ref());
        self.calls[index].result = Some(result.clone());
        self.put_order(deposit);
        let is_ended = released.is_some();
        if let Some(payment) = released {
            self.put(payment);
        }
        is_ended
    }

    fn decide(&mut self, report: &DepositReport) -> Decision {
        let order =
            report.facts.order().and_then(|id| self.orders.get(id.as_str()).cloned()).map(DepositRow::Registered);
        let rows = Rows { payment: self.payment.as_ref(), order: order.as_ref(), ..Rows::default() };
        let decision = decide(&rows, report);
        match &decision {
            Decision::Credit(credited) => {
                self.put(credited.payment.clone());
                self.put_order(credited.deposit.clone());
            }
            Decision::Unmatched(payment, _)
            | Decision::Quarantine(payment, _)
            | Decision::Conflict(Some(payment), _) => self.put(payment.clone()),
            Decision::Conflict(None, _) | Decision::Repeat => {}
        }
        decision
    }

    fn resolve(&mut self, outcome: Outcome, order: Option<&str>) -> Result<(), NotResolved> {
        let order = order.map(|order| self.orders[order].clone());
        match self.row().resolve(order.as_ref(), None, resolution(outcome))? {
            Decided::Payment(payment) => self.put(*payment),
            Decided::Credited(credited) => {
                self.put(credited.payment.clone());
                self.put_order(credited.deposit);
            }
        }
        Ok(())
    }

    fn is_released(&self) -> bool {
        matches!(self.row().state, PaymentState::Released { .. })
    }
}

fn results() -> [CallResult; 6] {
    [
        CallResult::Activated(Some(amount("700"))),
        CallResult::Pending("wait".into()),
        CallResult::Possible("perhaps".into()),
        CallResult::Unknown,
        CallResult::NotSent,
        CallResult::Failed("no".into()),
    ]
}

/// What an attempt of such calls has come to, given their results in the order in which they were recorded.
fn expected(results: &[&CallResult]) -> AttemptState {
    let answered = results.iter().rev().find_map(|result| match result {
        CallResult::Pending(_) => Some(AttemptState::Pending),
        CallResult::Possible(_) => Some(AttemptState::Possible),
        CallResult::Activated(_) | CallResult::Failed(_) | CallResult::NotSent | CallResult::Unknown => None,
    });
    if results.iter().any(|it| matches!(it, CallResult::Activated(_))) {
        AttemptState::Activated
    } else if let Some(answered) = answered {
        answered
    } else if results.contains(&&CallResult::Unknown) {
        AttemptState::Started
    } else if results.iter().any(|it| matches!(it, CallResult::Failed(_))) {
        AttemptState::Failed
    } else {
        AttemptState::NotSent
    }
}

fn is_end(outcome: AttemptState) -> bool {
    matches!(outcome, AttemptState::Failed | AttemptState::NotSent)
}

/// The next call goes under the same id while the attempt goes on, under a fresh one after a `fail`, and under the first one
/// where nothing was sent. After `activated` there is none.
fn check_next_id(world: &mut World, last: &str, context: &str) {
    let outcome = world.outcome("o");
    let used: Vec<_> = world.calls.iter().map(|it| it.id.as_str().to_owned()).collect();
    let next = world.asks("o").map(|(_, id)| id);
    match outcome {
        AttemptState::Activated => assert_eq!(next, None, "{context}"),
        AttemptState::Failed => {
            let next = next.unwrap();
            assert!(!used.contains(&next) && next.starts_with(&format!("o.{NUMBER}.")), "{context}: {next}");
        }
        AttemptState::Started | AttemptState::Pending | AttemptState::Possible | AttemptState::NotSent => {
            assert_eq!(next.as_deref(), Some(last), "{context}");
        }
    }
}

#[test]
fn two_taps_one_after_the_other_end_as_the_table_says() {
    for (first, second) in results().iter().flat_map(|first| results().map(|second| (first.clone(), second))) {
        let context = format!("{first:?}, then {second:?}");
        let mut world = World::with(&[("o", "u")]);
        let (call, base) = world.asks("o").unwrap();
        assert_eq!(base, format!("o.{NUMBER}"));
        let is_ended = world.record(call, &first);
        assert_eq!(world.outcome("o"), expected(&[&first]), "{context}");
        assert_eq!((is_ended, world.is_released()), (first.may_end(), first.may_end()), "{context}");
        let first_failures = usize::from(matches!(first, CallResult::Failed(_)));
        assert_eq!(world.published("deposit.activation_failed"), first_failures, "{context}");

        let Some((call, id)) = world.asks("o") else {
            assert!(matches!(first, CallResult::Activated(_)), "{context}");
            continue;
        };
        assert_eq!(id == base, !matches!(first, CallResult::Failed(_)), "{context}");
        let is_ended = world.record(call, &second);
        let outcome = if first.may_end() { expected(&[&second]) } else { expected(&[&first, &second]) };
        assert_eq!(world.outcome("o"), outcome, "{context}");
        assert_eq!((is_ended, world.is_released()), (is_end(outcome), is_end(outcome)), "{context}");
        let failures = first_failures + usize::from(outcome == AttemptState::Failed);
        assert_eq!(world.published("deposit.activation_failed"), failures, "{context}");
        check_next_id(&mut world, &id, &context);
    }
}

#[test]
fn two_taps_at_a_time_end_as_the_table_says_in_either_order_of_their_results() {
    for (first, second) in results().iter().flat_map(|first| results().map(|second| (first.clone(), second))) {
        for is_first_recorded_first in [true, false] {
            let context = format!("{first:?} beside {second:?}, in order: {is_first_recorded_first}");
            let mut world = World::with(&[("o", "u"), ("p", "v")]);
            let ((a, id), (b, same)) = (world.asks("o").unwrap(), world.asks("o").unwrap());
            assert_eq!(id, same, "{context}");
            let mut recorded = [(a, &first), (b, &second)];
            if !is_first_recorded_first {
                recorded.reverse();
            }
            let [(one, one_result), (other, other_result)] = recorded;
            assert!(!world.record(one, one_result), "the other call is on its way: {context}");
            assert_eq!(world.asks("p"), None, "{context}");
            let is_ended = world.record(other, other_result);
            let outcome = expected(&[one_result, other_result]);
            assert_eq!(world.outcome("o"), outcome, "{context}");
            assert_eq!((is_ended, world.is_released()), (is_end(outcome), is_end(outcome)), "{context}");
            let failures = usize::from(outcome == AttemptState::Failed);
            assert_eq!(world.published("deposit.activation_failed"), failures, "{context}");
            check_next_id(&mut world, &id, &context);
        }
    }
}

#[test]
fn a_repeated_answer_is_the_stored_one() {
    let mut world = World::with(&[("o", "u")]);
    let (call, _) = world.asks("o").unwrap();
    world.record(call, &CallResult::Possible("perhaps, u".into()));
    let (call, _) = world.asks("o").unwrap();
    world.record(call, &CallResult::Failed("already used".into()));
    let attempt = world.attempt("o").unwrap();
    assert_eq!((attempt.outcome, attempt.message.as_deref()), (AttemptState::Possible, Some("perhaps, ***")));
    let (call, _) = world.asks("o").unwrap();
    world.record(call, &CallResult::Activated(Some(amount("123.45"))));
    assert_eq!(world.attempt("o").unwrap().deposit_amount, Some(amount("123.45")));
}

#[test]
fn a_crashed_call_keeps_a_later_fail_from_ending_the_attempt() {
    for pause in [0, SECOND, 29 * SECOND, 30 * SECOND, HOUR, 2 * DAY] {
        let mut world = World::with(&[("o", "u")]);
        world.asks("o").unwrap();
        world.now += pause;
        for _ in 0..3 {
            let (call, id) = world.asks("o").unwrap();
            assert_eq!(id, format!("o.{NUMBER}"));
            assert!(!world.record(call, &CallResult::Failed("already used".into())), "{pause}");
        }
        assert_eq!((world.outcome("o"), world.published("deposit.activation_failed")), (AttemptState::Started, 0));
    }
}

#[test]
fn of_many_calls_at_a_time_none_is_forgotten() {
    for lost in 0..25 {
        let mut world = World::with(&[("o", "u")]);
        let calls: Vec<_> = (0..25).map(|_| world.asks("o").unwrap().0).collect();
        for call in calls.into_iter().filter(|call| *call != lost) {
            assert!(!world.record(call, &CallResult::Failed("no".into())), "{lost} has no result");
        }
        assert_eq!(world.outcome("o"), AttemptState::Started);
    }
}

#[test]
fn the_id_that_failed_is_not_used_again_whatever_the_orders_row_shows() {
    let mut world = World::with(&[("o", "u")]);
    let before = world.orders["o"].clone();
    let (index, first) = world.asks("o").unwrap();
    let stale = {
        let mut world = world.clone();
        world.record(index, &CallResult::Unknown);
        world.orders["o"].clone()
    };
    world.record(index, &CallResult::Failed("no".into()));
    assert!(world.is_released());
    // The row as it was read before the end, and the row that has no room for the attempt any more.
    for row in [stale, before] {
        let mut world = world.clone();
        world.orders.insert("o".into(), row);
        let (_, fresh) = world.asks("o").unwrap();
        assert!(fresh != first && fresh.starts_with(&first), "{fresh}");
    }
}

#[test]
fn what_the_orders_row_says_of_another_attempt_says_nothing_about_this_one() {
    let mut world = World::with(&[("o", "u")]);
    let (index, _) = world.asks("o").unwrap();
    let number = key(NUMBER).transaction_id;
    let other = AttemptId::fresh(&id("o"), &number, Separator::Dot, "another");
    let call = world.calls[index].call.clone();
    let called = Called { number: &number, id: &other, call: &call, amount: amount("700") };
    let pending = world.orders["o"].called(&called, &CallResult::Pending("wait".into()), None).deposit;
    world.orders.insert("o".into(), pending);
    let (second, _) = world.asks("o").unwrap();
    assert!(!world.record(index, &CallResult::Failed("no".into())), "the other call is on its way");
    assert!(world.record(second, &CallResult::NotSent));
    assert_eq!(world.outcome("o"), AttemptState::Failed);
}

#[test]
fn a_claim_without_money_blocks_other_orders_for_24_hours_since_its_first_call() {
    let mut world = World::with(&[("o", "u"), ("p", "v")]);
    let (call, _) = world.asks("o").unwrap();
    world.record(call, &CallResult::Pending("wait".into()));
    world.now = DAY - 1;
    world.asks("o").unwrap();
    assert_eq!(world.tap("p", "700"), Tapped::Answered(Claim::InUse));
    world.now = DAY;
    let (call, id) = world.asks("p").unwrap();
    assert_eq!(id, format!("p.{NUMBER}"));
    assert_eq!(world.tap("o", "700"), Tapped::Answered(Claim::InUse));
    assert_eq!(world.decide(&report("o", "u", "700")), Decision::Quarantine(world.row().clone(), Mismatch::Contested));
    assert!(!world.record(call, &CallResult::Failed("no".into())), "the money has come");
}

#[test]
fn an_order_that_lost_its_claim_goes_on_under_its_id_and_a_fail_does_not_end_it() {
    let mut world = World::with(&[("o", "u"), ("p", "v")]);
    world.asks("o").unwrap();
    world.now = DAY;
    let (call, _) = world.asks("p").unwrap();
    assert!(world.record(call, &CallResult::Failed("no".into())));
    let (call, id) = world.asks("o").unwrap();
    assert_eq!(id, format!("o.{NUMBER}"));
    assert!(!world.record(call, &CallResult::Failed("already used".into())));
    assert_eq!(world.published("deposit.activation_failed"), 1, "only that of p");
}

/// Rows as they were before calls were journalled: without journal, entries and ids.
fn old_rows(outcome: AttemptState) -> World {
    let attempt =
        |number: &str| json!({"transaction_id": number, "amount": "700", "outcome": outcome, "started_at": 0});
    let mut stored = serde_json::to_value(deposit("o", "u")).unwrap();
    stored["attempts"] = json!([attempt("11111111111"), attempt(NUMBER)]);
    let mut world = World::with(&[("o", "u"), ("p", "v")]);
    world.orders.insert("o".into(), serde_json::from_value(stored).unwrap());
    let state = if is_end(outcome) { "released" } else { "claimed" };
    world.payment = Some(
        serde_json::from_value(json!({"transaction_id": key(NUMBER).row_key(), "state": state, "order": "o"})).unwrap(),
    );
    world
}

#[test]
fn old_rows_go_on_under_their_old_ids() {
    for outcome in [AttemptState::Started, AttemptState::Pending, AttemptState::Possible] {
        let mut world = old_rows(outcome);
        let first = TransactionId::parse("11111111111").unwrap();
        assert_eq!(world.orders["o"].attempt(&first).unwrap().id.unwrap().as_str(), "o");
        let (call, id) = world.asks("o").unwrap();
        assert_eq!(id, "o.2");
        assert!(!world.record(call, &CallResult::Failed("already used".into())), "{outcome:?}");
        assert_eq!((world.outcome("o"), world.published("deposit.activation_failed")), (outcome, 0));
        assert_eq!(world.orders["o"].attempt(&first).unwrap().id.unwrap().as_str(), "o", "still, in the new row");
        assert_eq!(world.asks("o").unwrap().1, "o.2");
    }
    assert_ne!(old_rows(AttemptState::Failed).asks("o").unwrap().1, "o.2");
    assert_eq!(old_rows(AttemptState::NotSent).asks("o").unwrap().1, "o.2");
}

#[test]
fn an_old_claim_whose_age_is_unknown_blocks_nobody_and_is_recorded_as_it_was() {
    let mut world = old_rows(AttemptState::Pending);
    let (call, _) = world.asks("p").unwrap();
    assert!(world.record(call, &CallResult::NotSent));
    let (call, id) = world.asks("o").unwrap();
    assert_eq!(id, "o.2");
    assert!(!world.record(call, &CallResult::Failed("already used".into())));
}

/// The three paths on which a report credits: at once, after an altered copy was held, and when the order is registered late.
/// Each gives the payment's row after it, and whether the expected credit held.
fn paths(world: &World, report: &DepositReport) -> [(&'static str, PaymentState); 3] {
    let mut immediate = world.clone();
    immediate.decide(report);

    let mut again = world.clone();
    let altered = DepositReport { mismatch: Some(Mismatch::Amount), ..report.clone() };
    assert!(matches!(again.decide(&altered), Decision::Quarantine(_, Mismatch::Amount)));
    again.decide(report);

    let mut late = world.clone();
    let order = late.orders.remove(report.facts.order().unwrap().as_str()).unwrap();
    assert!(matches!(late.decide(report), Decision::Unmatched(..)));
    let (_, changed, _) = match_waiting(order.clone(), &[late.row().clone()], &[]);
    let [changed] = changed.try_into().unwrap();

    let expected = report.expected_credit().unwrap().credited(world.payment.as_ref(), &order);
    if let Some((row, _)) = expected {
        assert_eq!(&row.state, &immediate.row().state, "what is credited unread is what is decided");
    }
    [("immediate", immediate.row().state.clone()), ("re-evaluated", again.row().state.clone()), ("late", changed.state)]
}

fn check_held(world: &World, report: &DepositReport, reason: Mismatch) {
    for (path, state) in paths(world, report) {
        assert!(matches!(state, PaymentState::Quarantined { mismatch, .. } if mismatch == reason), "{path}: {state:?}");
    }
    let order = &world.orders[report.facts.order().unwrap().as_str()];
    assert_eq!(report.expected_credit().unwrap().credited(world.payment.as_ref(), order), None);
}

fn check_credited(world: &World, report: &DepositReport) {
    for (path, state) in paths(world, report) {
        assert!(matches!(state, PaymentState::Credited { .. }), "{path}: {state:?}");
    }
}

#[test]
fn a_number_that_another_label_entered_with_the_signed_amount_is_held_on_every_path() {
    for (first, second) in [("o", "q"), ("q", "o")] {
        let mut world = World::with(&[("o", "u"), ("p", "u"), ("q", "v")]);
        world.tap(first, "700");
        assert_eq!(world.tap(second, "700.00"), Tapped::Answered(Claim::InUse));
        for (order, label) in [("o", "u"), ("p", "u"), ("q", "v")] {
            check_held(&world, &report(order, label, "700"), Mismatch::Contested);
        }
    }
}

#[test]
fn the_same_label_twice_and_another_amount_hold_nothing() {
    let mut same = World::with(&[("o", "u"), ("p", "u")]);
    same.tap("o", "700");
    assert_eq!(same.tap("p", "700"), Tapped::Answered(Claim::InUse));
    let mut other = World::with(&[("o", "u"), ("q", "v")]);
    other.tap("q", "701");
    other.tap("o", "700");
    for world in [&same, &other] {
        check_credited(world, &report("o", "u", "700"));
        assert!(matches!(paths(world, &report("o", "u", "700"))[0].1, PaymentState::Credited { .. }));
    }
    assert_eq!(same.published("payment.contested"), 0);
    assert_eq!(other.published("payment.contested"), 1, "contention alone is published");
    assert_eq!(other.row().attention(), None, "and opens nothing for a person");
    let expected = report("o", "u", "700").expected_credit().unwrap();
    assert!(
        expected.credited(same.payment.as_ref(), &same.orders["o"]).is_some(),
        "nothing is read for the usual credit"
    );
}

#[test]
fn a_number_that_a_person_took_away_is_held_on_every_path_for_the_order_that_had_it() {
    let mut world = World::with(&[("o", "u"), ("q", "v")]);
    world.tap("q", "1");
    world.resolve(Outcome::Rejected, None).unwrap();
    check_held(&world, &report("q", "v", "700"), Mismatch::TakenAway);
    world.tap("o", "700");
    world.resolve(Outcome::Rejected, None).unwrap();
    world.tap("q", "1");
    for (order, label) in [("q", "v"), ("o", "u")] {
        check_held(&world, &report(order, label, "700"), Mismatch::TakenAway);
    }
}

#[test]
fn contention_after_the_credit_is_only_recorded() {
    let mut world = World::with(&[("o", "u"), ("q", "v")]);
    world.tap("o", "700");
    world.decide(&report("o", "u", "700"));
    let before = world.events.clone();
    assert_eq!(world.tap("q", "700"), Tapped::Answered(Claim::InUse));
    assert_eq!((world.row().entries.len(), world.row().attention()), (2, None));
    assert_eq!(world.decide(&report("o", "u", "700")), Decision::Repeat);
    assert_eq!(world.events, before);
}

#[test]
fn a_person_credits_a_contested_payment_to_any_order_that_entered_it_and_to_no_other() {
    let orders = [("o", "u"), ("p", "u"), ("q", "v"), ("r", "w"), ("s", "x")];
    let mut world = World::with(&orders);
    for order in ["q", "o", "p", "r"] {
        world.tap(order, "700");
    }
    world.decide(&report("q", "v", "700"));
    assert!(matches!(world.row().state, PaymentState::Quarantined { mismatch: Mismatch::Contested, .. }));
    assert_eq!(world.clone().resolve(Outcome::Credited, Some("s")), Err(NotResolved::OrderOfAnother));
    for order in ["q", "o", "p", "r"] {
        let mut world = world.clone();
        assert_eq!(world.resolve(Outcome::Credited, Some(order)), Ok(()));
        assert_eq!(world.orders[order].credited.len(), 1);
        assert_eq!(world.row().attention(), None);
        world.decide(&report("q", "v", "700"));
        assert_eq!(world.orders.values().map(|it| it.credited.len()).sum::<usize>(), 1, "{order}");
    }
}

#[test]
fn a_repeat_of_the_postback_that_a_person_overruled_opens_nothing() {
    let mut world = World::with(&[("o", "u"), ("q", "v")]);
    world.tap("q", "700");
    world.tap("o", "700");
    world.decide(&report("q", "v", "700"));
    world.resolve(Outcome::Credited, Some("o")).unwrap();
    assert_eq!(world.decide(&report("q", "v", "700")), Decision::Repeat);
    assert_eq!(world.row().attention(), None);
}

#[test]
fn an_order_that_enters_after_the_hold_can_be_credited_by_a_person() {
    let mut world = World::with(&[("o", "u"), ("q", "v")]);
    world.tap("q", "700");
    world.resolve(Outcome::Rejected, None).unwrap();
    world.decide(&report("q", "v", "700"));
    assert_eq!(world.tap("o", "700"), Tapped::Answered(Claim::InUse));
    assert_eq!(world.tap("q", "700"), Tapped::Answered(Claim::Held));
    assert_eq!(world.resolve(Outcome::Credited, Some("o")), Ok(()));
    assert_eq!(world.tap("o", "700"), Tapped::Answered(Claim::Credited(amount("700"))));
}

#[test]
fn of_nine_labels_eight_are_named_and_every_credit_is_held() {
    let names: Vec<_> = (0..=MAX_LABELS).map(|it| (format!("o{it}"), format!("u{it}"))).collect();
    let orders: Vec<_> = names.iter().map(|(order, label)| (order.as_str(), label.as_str())).collect();
    let mut world = World::with(&orders);
    for (order, _) in &orders[..MAX_LABELS] {
        world.tap(order, "1");
    }
    assert!(!world.row().has_more_entries);
    check_credited(&world, &report("o0", "u0", "700"));
    for _ in 0..3 {
        world.tap(orders[MAX_LABELS].0, "1");
        assert_eq!((world.row().entries.len(), world.row().has_more_entries), (MAX_LABELS, true));
    }
    check_held(&world, &report("o0", "u0", "700"), Mismatch::Contested);
}

/// The payment is signed for the first of eight labels that squat on the number, and the owner's is the ninth.
#[test]
fn a_person_credits_a_contested_payment_to_an_order_of_the_ninth_label() {
    let names: Vec<_> = (0..=MAX_LABELS).map(|it| (format!("o{it}"), format!("u{it}"))).collect();
    let orders: Vec<_> = names.iter().map(|(order, label)| (order.as_str(), label.as_str())).collect();
    let mut world = World::with(&orders);
    for (order, _) in &orders {
        world.tap(order, "700");
    }
    world.decide(&report("o0", "u0", "700"));
    assert_eq!(world.resolve(Outcome::Credited, Some(orders[MAX_LABELS].0)), Ok(()));
}

#[test]
fn an_order_of_the_ninth_label_that_lost_its_claim_is_not_ended_by_a_fail() {
    let names: Vec<_> = (0..=MAX_LABELS).map(|it| (format!("o{it}"), format!("u{it}"))).collect();
    let orders: Vec<_> = names.iter().map(|(order, label)| (order.as_str(), label.as_str())).collect();
    let (ninth, mut world) = (orders[MAX_LABELS].0, World::with(&orders));
    let (call, _) = world.asks("o0").unwrap();
    for (order, _) in &orders[1..MAX_LABELS] {
        world.tap(order, "700");
    }
    world.record(call, &CallResult::NotSent);
    let (_, id) = world.asks(ninth).unwrap();
    world.now = DAY;
    let (call, _) = world.asks("o0").unwrap();
    world.record(call, &CallResult::NotSent);
    let (call, again) = world.asks(ninth).unwrap();
    assert_eq!(id, again);
    assert!(!world.record(call, &CallResult::Failed("already used".into())), "its first call has no result");
}

#[test]
fn an_order_that_lost_its_claim_and_its_entry_goes_on_if_its_row_shows_the_attempt() {
    let mut world = World::with(&[("o", "u"), ("p", "u")]);
    let (call, _) = world.asks("o").unwrap();
    world.record(call, &CallResult::Unknown);
    world.now = DAY;
    for entered in 1..=8 {
        let Tapped::Asked(call, _) = world.tap("p", &entered.to_string()) else { panic!() };
        world.record(call, &CallResult::Failed("no".into()));
    }
    let (call, _) = world.asks("o").unwrap();
    assert!(!world.record(call, &CallResult::Failed("already used".into())));
}

#[test]
fn an_order_that_lost_its_claim_and_its_entry_is_not_ended_by_a_fail() {
    let mut world = World::with(&[("o", "u"), ("p", "u")]);
    let (_, id) = world.asks("o").unwrap();
    world.now = DAY;
    for entered in 1..=8 {
        let Tapped::Asked(call, _) = world.tap("p", &entered.to_string()) else { panic!() };
        world.record(call, &CallResult::Failed("no".into()));
    }
    let (call, again) = world.asks("o").unwrap();
    assert_eq!(id, again);
    assert!(!world.record(call, &CallResult::Failed("already used".into())), "its first call has no result");
}

#[test]
fn the_entry_of_an_order_that_has_asked_is_not_pushed_out() {
    let orders = [("o", "u"), ("p", "u")];
    let mut claims = World::with(&orders);
    claims.asks("o").unwrap();
    let mut lost = claims.clone();
    lost.resolve(Outcome::Rejected, None).unwrap();
    let mut failed = claims.clone();
    failed.record(0, &CallResult::Failed("no".into()));
    for mut world in [claims, lost, failed] {
        for entered in 1..=9 {
            world.tap("p", &entered.to_string());
        }
        let named = |order: &str| world.row().was_entered_for(&id(order));
        assert_eq!((named("o"), named("p"), world.row().entries[0].entered.len()), (true, true, 8), "{world:?}");
    }
}

#[test]
fn no_list_of_a_row_grows_without_a_bound() {
    let names: Vec<_> = (0..40).map(|it| (format!("o{it}"), format!("u{}", it % 12))).collect();
    let orders: Vec<_> = names.iter().map(|(order, label)| (order.as_str(), label.as_str())).collect();
    let mut world = World::with(&orders);
    for entered in 1..=30 {
        for (order, _) in &orders {
            world.tap(order, &entered.to_string());
        }
    }
    check_bounds(world.row(), &world.orders).unwrap();

    let mut calls = World::with(&[("o", "u")]);
    for round in 0..3 {
        let sent: Vec<_> = (0..50).map(|_| calls.asks("o").unwrap().0).collect();
        for call in sent {
            calls.record(call, &if round == 2 { CallResult::Unknown } else { CallResult::Failed("no".into()) });
            check_bounds(calls.row(), &calls.orders).unwrap();
        }
    }

    let mut row = deposit("o", "u");
    for number in 0..3 * MAX_ATTEMPTS {
        let number = TransactionId::parse(number.to_string()).unwrap();
        let call = Call { nonce: "n".into(), at: Timestamp(0) };
        let id = AttemptId::new(&row.order.custom_transaction_id, &number, Separator::Dot);
        let called = Called { number: &number, id: &id, call: &call, amount: amount("1") };
        row = row.called(&called, &CallResult::Pending("wait".into()), None).deposit;
    }
    assert_eq!(row.attempts.len(), MAX_ATTEMPTS);
}

fn check_bounds(payment: &Payment, orders: &BTreeMap<String, Deposit>) -> Result<(), TestCaseError> {
    if let PaymentState::Claimed { journal: Some(journal), .. } = &payment.state {
        prop_assert!(journal.calls.len() <= 20, "{} calls", journal.calls.len());
    }
    prop_assert!(payment.entries.len() <= MAX_LABELS);
    prop_assert!(payment.entries.iter().all(|entry| entry.entered.len() <= 8));
    for attempt in orders.values().flat_map(|order| &order.attempts) {
        prop_assert!(attempt.ended_calls.len() <= 20, "{} ended calls", attempt.ended_calls.len());
    }
    prop_assert!(orders.values().all(|order| order.attempts.len() <= MAX_ATTEMPTS));
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    /// A user of this order enters the number.
    Tap(&'static str, &'static str),
    /// The result of one of the calls that are on their way is recorded. A call that never gets one has crashed.
    Result(prop::sample::Index, CallResult),
    /// Time passes.
    Pass(u64),
    /// A person takes the number away.
    TakeAway,
}

fn step() -> impl Strategy<Value = Step> {
    let order = prop::sample::select(vec!["o", "p", "q"]);
    let entered = prop::sample::select(vec!["5", "7"]);
    let result = prop::sample::select(results().to_vec());
    let ends = prop::sample::select(results()[4..].to_vec());
    let time = prop::sample::select(vec![1, SECOND, 10 * SECOND, 31 * SECOND, HOUR, DAY - HOUR, DAY]);
    prop_oneof![
        8 => (order, entered).prop_map(|(order, entered)| Step::Tap(order, entered)),
        2 => (any::<prop::sample::Index>(), result).prop_map(|(call, result)| Step::Result(call, result)),
        6 => (any::<prop::sample::Index>(), ends).prop_map(|(call, result)| Step::Result(call, result)),
        1 => time.prop_map(Step::Pass),
        1 => Just(Step::TakeAway),
    ]
}

/// Who has the number and since when, by the rule and not by the row.
type Holder = Option<(String, u64)>;

fn check_tap(world: &World, tapped: &Tapped, order: &str, holder: &mut Holder) -> Result<(), TestCaseError> {
    let is_blocked = holder.as_ref().is_some_and(|(held_by, since)| held_by != order && world.now - since < DAY);
    match tapped {
        Tapped::Activated => return Ok(()),
        Tapped::Answered(claim) => prop_assert!(is_blocked && *claim == Claim::InUse, "{claim:?} for {order}"),
        Tapped::Asked(..) => {
            prop_assert!(!is_blocked, "{order} takes the number from {holder:?} at {}", world.now);
            if holder.as_ref().is_none_or(|(held_by, _)| held_by != order) {
                *holder = Some((order.to_owned(), world.now));
            }
        }
    }
    prop_assert!(world.row().was_entered_for(&id(order)));
    Ok(())
}

/// An attempt ends only when no call under its id can have had an effect.
fn check_end(world: &World, ended: &Sent) -> Result<(), TestCaseError> {
    let same = |sent: &&Sent| sent.order == ended.order && sent.id == ended.id;
    let effect = world.calls.iter().filter(same).find(|sent| sent.may_have_had_an_effect());
    prop_assert!(effect.is_none(), "{ended:?} has ended the attempt, in spite of {effect:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_is_tapped_answered_and_lost_a_fail_ends_no_attempt_that_may_have_an_effect(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut world = World::with(&[("o", "u"), ("p", "u"), ("q", "v")]);
        let mut holder: Holder = None;
        for step in steps {
            let failures = world.published("deposit.activation_failed");
            let mut is_failed = false;
            match step {
                Step::Tap(order, entered) => {
                    let tapped = world.tap(order, entered);
                    check_tap(&world, &tapped, order, &mut holder)?;
                }
                Step::Result(call, result) => {
                    let alive = |it: &&usize| {
                        let sent = &world.calls[**it];
                        sent.result.is_none() && world.now - sent.call.at.0 < 30 * SECOND
                    };
                    let waiting: Vec<_> = (0..world.calls.len()).filter(|it| alive(&it)).collect();
                    if waiting.is_empty() {
                        continue;
                    }
                    let index = *call.get(&waiting);
                    let order = world.calls[index].order.clone();
                    let was_ended = world.attempt(&order).is_some_and(|it| is_end(it.outcome));
                    let is_ended = world.record(index, &result);
                    let has_ended = is_end(world.outcome(&order));
                    prop_assert!(is_ended == has_ended || (has_ended && was_ended));
                    if is_ended {
                        check_end(&world, &world.calls[index])?;
                        prop_assert!(holder.as_ref().is_some_and(|it| it.0 == order), "{order} gives up what it has not");
                        holder = None;
                        is_failed = world.outcome(&order) == AttemptState::Failed;
                    }
                }
                Step::Pass(time) => world.now += time,
                Step::TakeAway => {
                    if world.payment.is_some() && world.resolve(Outcome::Rejected, None).is_ok() {
                        holder = None;
                    }
                }
            }
            prop_assert_eq!(world.published("deposit.activation_failed"), failures + usize::from(is_failed));
            let Some(payment) = &world.payment else { continue };
            check_bounds(payment, &world.orders)?;
            let claimed_by = match &payment.state {
                PaymentState::Claimed { order, .. } => Some(order.as_str()),
                PaymentState::Released { .. } => None,
                other @ (PaymentState::Unmatched { .. }
                | PaymentState::Quarantined { .. }
                | PaymentState::Credited { .. }
                | PaymentState::Rejected { .. }) => return Err(TestCaseError::fail(format!("{other:?} without money"))),
            };
            prop_assert_eq!(claimed_by, holder.as_ref().map(|it| it.0.as_str()));
            let stored = serde_json::to_string(payment).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Payment>(&stored).unwrap(), payment);
        }
    }

    #[test]
    fn an_attempt_of_which_every_call_came_to_nothing_ends(
        calls in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..20)
    ) {
        let mut world = World::with(&[("o", "u")]);
        let mut waiting: Vec<_> = calls.iter().map(|_| world.asks("o").unwrap().0).collect();
        for (is_fail, next) in &calls {
            let next = waiting.remove(next.index(waiting.len()));
            let result = if *is_fail { CallResult::Failed("no".into()) } else { CallResult::NotSent };
            prop_assert_eq!(world.record(next, &result), waiting.is_empty());
        }
        let outcome = if calls.iter().any(|(is_fail, _)| *is_fail) { AttemptState::Failed } else { AttemptState::NotSent };
        prop_assert_eq!((world.outcome("o"), world.is_released()), (outcome, true));
    }
}
