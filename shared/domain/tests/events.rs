//! Which events each change of a row publishes, and which changes publish none.

#![cfg(test)]

use domain::{
    AccountNumber, Amount, Attempt, AttemptState, Contradiction, CurrencyCode, CurrentEvent, CustomTransactionId,
    Decided, Deposit, DepositRow, Entered, Entry, Event, Evidence, ForeignWithdrawal, Label, ListPlace, Mismatch,
    Order, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, SignedFacts, SignedList, Timestamp,
    TransactionId, Unregistered, WalletType, Window, Withdrawal, WithdrawalId, WithdrawalRequest, WithdrawalRow,
    WithdrawalState,
};
use serde_json::{Value, json};

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn inr() -> CurrencyCode {
    CurrencyCode::parse("INR").unwrap()
}

fn key(number: &str) -> PaymentKey {
    let wallet_type = WalletType::parse("paytm").unwrap();
    PaymentKey { wallet_type, transaction_id: TransactionId::parse(number).unwrap() }
}

fn facts(received_at: u64) -> SignedFacts {
    let list = SignedList {
        additional_data: "[]".into(),
        signature: format!("signature {received_at}"),
        access_key: "key".into(),
    };
    let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(received_at) };
    SignedFacts {
        custom_transaction_id: "o".into(),
        order_before_hyphen: None,
        amount: amount("700.10"),
        currency_code: inr(),
        label: Some(Label::parse("u").unwrap()),
        evidence,
    }
}

fn against(mismatch: Mismatch) -> Contradiction {
    Contradiction { mismatch, facts: Some(facts(9)) }
}

fn resolution(outcome: Outcome) -> Resolution {
    let remark = |text: &str| Remark::parse(text).unwrap();
    let (by, reason, evidence) = (remark("ann"), remark("statement"), remark("line 7"));
    Resolution::new(outcome, by, reason, evidence, Timestamp(10))
}

fn deposit() -> Deposit {
    let order = Order {
        custom_transaction_id: CustomTransactionId::parse("o").unwrap(),
        label: Label::parse("u").unwrap(),
        currency_code: inr(),
        wallet_type: key("1").wallet_type,
        amount: Some(amount("700.1")),
        lang: None,
        window: Window::default(),
    };
    Deposit::new(order, "{}".into(), Timestamp(0))
}

fn withdrawal(state: WithdrawalState) -> Withdrawal {
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        label: Label::parse("u").unwrap(),
        amount: amount("1000"),
        currency_code: inr(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: key("1").wallet_type,
        comment: None,
        is_test: false,
    };
    Withdrawal { state, ..Withdrawal::new(request, "{}".into(), "first".into(), Timestamp(0)) }
}

/// The events' names, each with its data.
fn named(events: &[Event]) -> Vec<(&'static str, Value)> {
    events.iter().map(|event| (event.kind(), serde_json::to_value(event).unwrap())).collect()
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

#[test]
fn a_credit_is_published_once_with_its_number_and_whether_it_is_what_was_asked_for() {
    let credit = |number: &str, text: &str| domain::Credit { payment: key(number), amount: amount(text) };
    let old = deposit().credit(credit("11", "700.10")).0;
    let new = DepositRow::Registered(old.clone().credit(credit("12", "5")).0);
    let of = |number: &str, amount: &str, matches: bool, place: usize| {
        json!({"custom_transaction_id": "o", "label": "u", "wallet_type": "paytm", "transaction_id": number,
            "amount": amount, "currency_code": "INR", "requested_amount": "700.1", "amount_matches": matches,
            "payment_number": place})
    };
    let both = [("deposit.credited", of("11", "700.10", true, 1)), ("deposit.credited", of("12", "5", false, 2))];
    assert_eq!(named(&new.events(None)), both);
    assert_eq!(named(&new.events(Some(&DepositRow::Registered(old)))), both[1..]);
    let waiting = domain::Waiting { newest: vec![key("11"), key("12")], pages: 0 };
    let place = Unregistered { custom_transaction_id: new.id().clone(), waiting };
    let place = DepositRow::Unregistered(place);
    assert_eq!((named(&new.events(Some(&place))), place.events(None)), (both.into(), Vec::new()));
    assert_eq!(new.events(Some(&new)), []);
}

#[test]
fn credits_are_numbered_among_all_of_the_order_also_where_it_has_forgotten_some() {
    let credit = |number: u64| domain::Credit { payment: key(&number.to_string()), amount: amount("1") };
    let order = (1..=25).fold(deposit(), |order, number| order.credit(credit(number)).0);
    let numbers = |events: Vec<Event>| -> Vec<_> {
        let of = |event: Event| if let Event::DepositCredited(it) = event { it.payment_number } else { None };
        events.into_iter().map(of).collect()
    };
    let all = DepositRow::Registered(order.clone()).events(None);
    assert_eq!(numbers(all), (6..=25).map(Some).collect::<Vec<_>>());
    let payment = |number: u64| {
        let state = PaymentState::Credited {
            order: order.order.custom_transaction_id.clone(),
            credited_label: order.order.label.clone(),
            facts: facts(9),
        };
        Payment::new(key(&number.to_string()), state)
    };
    let replayed = |number| payment(number).current_events(Some(&order)).into_iter().map(|it| it.event).collect();
    assert_eq!([6, 25].map(|number| numbers(replayed(number))), [[Some(6)], [Some(25)]]);
    assert_eq!(numbers(replayed(5)), [None], "of a forgotten one the number is not known");
}

/// The names and times of what a row still says.
fn said(events: &[CurrentEvent]) -> Vec<(&'static str, u64)> {
    events.iter().map(|it| (it.event.kind(), it.at.0)).collect()
}

#[test]
fn a_payment_says_its_credit_at_the_time_at_which_it_was_credited() {
    let order = |created_at| Deposit { created_at: Timestamp(created_at), ..deposit() };
    let (id, label) = (order(0).order.custom_transaction_id, order(0).order.label);
    let state = PaymentState::Credited { order: id.clone(), credited_label: label, facts: facts(5) };
    let payment = Payment::new(key("11"), state);
    let credited = |payment: &Payment, order: Option<&Deposit>| said(&payment.current_events(order));
    assert_eq!(credited(&payment, None), [("deposit.credited", 5)]);
    assert_eq!(credited(&payment, Some(&order(3))), [("deposit.credited", 5)]);
    assert_eq!(credited(&payment, Some(&order(8))), [("deposit.credited", 8)], "it waited for its order");
    let decided = Resolution { credited_to: Some(id), ..resolution(Outcome::Credited) };
    let by_person = Payment { resolutions: vec![decided], ..payment.clone() };
    let both = [("deposit.credited", 10), ("transaction.resolved", 10)];
    assert_eq!(credited(&by_person, Some(&order(3))), both, "it waited for a person");
    let contradicted = Payment { contradictions: vec![against(Mismatch::Amount)], ..payment.clone() };
    assert_eq!(credited(&contradicted, Some(&order(3))), [("deposit.credited", 5), ("payment.conflict", 9)]);
    let ids = |order: Option<&Deposit>| payment.current_events(order)[0].event.id("deposit#o", |_| String::new());
    assert_eq!(ids(None), ids(Some(&order(3))), "an id does not depend on the order's row");
    let of_order = order(3).credit(domain::Credit { payment: key("11"), amount: amount("700.10") }).0;
    let published = DepositRow::Registered(of_order.clone()).events(None);
    assert_eq!(payment.current_events(Some(&of_order))[0].event, published[0], "it says what the order's row said");
}

#[test]
fn a_row_says_its_state_its_contradictions_and_its_decisions() {
    let held = PaymentState::Quarantined { facts: facts(5), mismatch: Mismatch::Amount };
    assert_eq!(said(&Payment::new(key("11"), held).current_events(None)), [("deposit.quarantined", 5)]);
    let paid = Withdrawal {
        state_since: Timestamp(6),
        changed_at: Timestamp(8),
        contradictions: vec![against(Mismatch::Status)],
        resolutions: vec![resolution(Outcome::Paid)],
        ..withdrawal(WithdrawalState::Paid { facts: Some(facts(6)) })
    };
    let expected = [("withdrawal.paid", 6), ("withdrawal.conflict", 9), ("transaction.resolved", 10)];
    assert_eq!(said(&WithdrawalRow::Registered(Box::new(paid)).current_events()), expected);
    let waits = Withdrawal {
        needs_review: Some("no attempt is left".into()),
        changed_at: Timestamp(8),
        ..withdrawal(WithdrawalState::Unknown)
    };
    let expected = [("withdrawal.unknown", 0), ("withdrawal.needs_review", 8)];
    assert_eq!(said(&WithdrawalRow::Registered(Box::new(waits)).current_events()), expected);
    let sending = withdrawal(WithdrawalState::Sending);
    assert_eq!(said(&WithdrawalRow::Registered(Box::new(sending)).current_events()), []);
    let failed = DepositRow::Registered(sent(&deposit(), "11", "o.1", AttemptState::Failed));
    assert_eq!(kinds(&failed.events(None)), ["deposit.activation_failed"]);
    assert_eq!(said(&failed.current_events()).len(), 1);
}

/// A number that the order has sent, with this outcome.
fn sent(deposit: &Deposit, number: &str, id: &str, outcome: AttemptState) -> Deposit {
    let attempt: Attempt = serde_json::from_value(json!({"transaction_id": number, "id": id, "amount": "8",
        "outcome": outcome, "started_at": 1}))
    .unwrap();
    let others = deposit.attempts.iter().filter(|it| it.transaction_id != attempt.transaction_id).cloned();
    Deposit { attempts: others.chain([attempt.clone()]).collect(), ..deposit.clone() }
}

#[test]
fn a_failed_attempt_is_published_once_and_the_next_one_of_its_number_again() {
    let row = |deposit: &Deposit| DepositRow::Registered(deposit.clone());
    let started = sent(&deposit(), "12", "o.12", AttemptState::Started);
    let failed = sent(&started, "12", "o.12", AttemptState::Failed);
    let data = json!({"custom_transaction_id": "o", "key1": "12", "amount": "8"});
    let published_once = [("deposit.activation_failed", data)];
    assert_eq!(row(&started).events(None), []);
    assert_eq!(named(&row(&failed).events(Some(&row(&started)))), published_once);
    assert_eq!(named(&row(&failed).events(None)), published_once);
    assert_eq!(row(&failed).events(Some(&row(&failed))), []);
    let other = sent(&failed, "11", "o.11", AttemptState::Failed);
    assert_eq!(named(&row(&other).events(Some(&row(&failed))))[0].1["key1"], "11");
    let again = sent(&failed, "12", "o.12.0a1b2c", AttemptState::Failed);
    assert_eq!(named(&row(&again).events(Some(&row(&failed)))), published_once);
}

#[test]
fn a_further_label_that_enters_the_number_is_published_until_the_end() {
    let entry = |label: &str, order: &str| Entry {
        label: Label::parse(label).unwrap(),
        entered: vec![Entered {
            order: CustomTransactionId::parse(order).unwrap(),
            amount: amount("7"),
            has_asked: false,
            failed_id: None,
        }],
    };
    let order = CustomTransactionId::parse("o").unwrap();
    let claimed = Payment::new(key("11"), PaymentState::Claimed { order: order.clone(), journal: None });
    let one = Payment { entries: vec![entry("u", "o")], ..claimed.clone() };
    let two = Payment { entries: vec![entry("u", "o"), entry("v", "p")], ..claimed };
    assert_eq!((one.events(None), two.events(Some(&two))), (Vec::new(), Vec::new()));
    let data = json!({"wallet_type": "paytm", "transaction_id": "11", "custom_transaction_ids": ["o", "p"]});
    assert_eq!(named(&two.events(Some(&one))), [("payment.contested", data)]);
    let credited_label = Label::parse("u").unwrap();
    let state = PaymentState::Credited { order, credited_label, facts: facts(1) };
    assert_eq!(Payment { state: state.clone(), ..two }.events(Some(&Payment { state, ..one })), []);
}

#[test]
fn a_held_payment_is_published_when_it_becomes_so_and_each_contradiction_once() {
    let with = |state| Payment::new(key("11"), state);
    let unmatched = with(PaymentState::Unmatched { facts: facts(1), labels: Vec::new() });
    let mismatch = Mismatch::Label;
    let quarantined = with(PaymentState::Quarantined { facts: facts(1), mismatch });
    let claimed = with(PaymentState::Claimed { order: CustomTransactionId::parse("o").unwrap(), journal: None });
    let mut data = json!({"wallet_type": "paytm", "transaction_id": "11", "custom_transaction_id": "o",
        "amount": "700.10", "currency_code": "INR"});
    assert_eq!(named(&unmatched.events(Some(&claimed))), [("payment.unmatched", data.clone())]);
    data["mismatch"] = json!("label");
    assert_eq!(named(&quarantined.events(Some(&unmatched))), [("deposit.quarantined", data.clone())]);
    assert_eq!((quarantined.events(Some(&quarantined)), claimed.events(None)), (Vec::new(), Vec::new()));
    let mut contradicted = quarantined.clone();
    contradicted.contradictions.push(against(Mismatch::EarlierPostback));
    data["mismatch"] = json!("earlier_postback");
    assert_eq!(named(&contradicted.events(Some(&quarantined))), [("payment.conflict", data)]);
    assert_eq!(contradicted.events(Some(&contradicted)), []);
    let Ok(Decided::Payment(resolved)) = contradicted.resolve(None, None, resolution(Outcome::Rejected)) else {
        panic!()
    };
    let data = json!({"outcome": "rejected", "by": "ann", "reason": "statement", "evidence": "line 7"});
    assert_eq!(named(&resolved.events(Some(&contradicted))), [("transaction.resolved", data)]);
    assert_eq!(kinds(&resolved.events(None)), ["payment.conflict", "transaction.resolved"]);
}

#[test]
fn a_withdrawal_is_published_when_its_state_changes_and_each_conflict_once() {
    use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
    let row = |row: &Withdrawal| WithdrawalRow::Registered(Box::new(row.clone()));
    let states = [
        (Sending, None),
        (Waiting, None),
        (Unknown, Some("withdrawal.unknown")),
        (Submitted, Some("withdrawal.submitted")),
        (Paid { facts: None }, Some("withdrawal.paid")),
        (Failed { facts: None }, Some("withdrawal.failed")),
        (Rejected { message: "poor".into() }, Some("withdrawal.failed")),
    ];
    for (state, kind) in &states {
        let new = row(&withdrawal(state.clone()));
        assert_eq!(kinds(&new.events(None)), Vec::from_iter(*kind), "{state:?}");
        for (old, _) in &states {
            let changes = old != state;
            assert_eq!(
                kinds(&new.events(Some(&row(&withdrawal(old.clone()))))),
                Vec::from_iter(kind.filter(|_| changes))
            );
        }
    }
    let of = |more: &Value| {
        let mut data =
            json!({"withdrawal_id": "w", "amount": "1000", "currency_code": "INR", "payment_system": "paytm"});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let rejected = row(&withdrawal(Rejected { message: "poor".into() }));
    assert_eq!(named(&rejected.events(None)), [("withdrawal.failed", of(&json!({"message": "poor"})))]);
    let unknown = withdrawal(Unknown);
    let mut asked = unknown.review("used up").unwrap();
    asked.contradictions.push(against(Mismatch::Status));
    let both = [
        ("withdrawal.conflict", of(&json!({"mismatch": "status"}))),
        ("withdrawal.needs_review", of(&json!({"message": "used up"}))),
    ];
    assert_eq!(named(&row(&asked).events(Some(&row(&unknown)))), both);
    assert_eq!(row(&asked).events(Some(&row(&asked))), []);
    let resolved = asked.resolve(resolution(Outcome::Paid)).unwrap();
    assert_eq!(kinds(&row(&resolved).events(Some(&row(&asked)))), ["withdrawal.paid", "transaction.resolved"]);
}

#[test]
fn a_foreign_withdrawal_is_published_once_and_so_is_what_was_found_out() {
    let foreign = ForeignWithdrawal {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        withdrawal_status: Some(1),
        facts: facts(1),
        contradictions: Vec::new(),
        resolutions: Vec::new(),
    };
    let row = |row: &ForeignWithdrawal| WithdrawalRow::Foreign(Box::new(row.clone()));
    let data = json!({"withdrawal_id": "w", "withdrawal_status": 1, "amount": "700.10", "currency_code": "INR"});
    assert_eq!(named(&row(&foreign).events(None)), [("withdrawal.foreign", data.clone())]);
    let mut further = foreign.clone();
    further.contradictions.push(against(Mismatch::EarlierPostback));
    let mut of_further = data;
    of_further["mismatch"] = "earlier_postback".into();
    assert_eq!(named(&row(&further).events(Some(&row(&foreign)))), [("withdrawal.foreign", of_further)]);
    assert_eq!(row(&foreign).events(Some(&row(&foreign))), []);
    let resolved = foreign.resolve(resolution(Outcome::Paid)).unwrap();
    assert_eq!(kinds(&row(&resolved).events(Some(&row(&foreign)))), ["transaction.resolved"]);
}

#[test]
fn attention_has_the_time_of_the_first_word_that_is_open_and_its_kinds_have_names() {
    let mut payment = Payment::new(key("11"), PaymentState::Unmatched { facts: facts(1), labels: Vec::new() });
    assert_eq!(payment.attention().unwrap().at, Timestamp(1));
    let at = |mismatch, at| Contradiction { mismatch, facts: Some(facts(at)) };
    payment.contradictions = vec![at(Mismatch::EarlierPostback, 5), at(Mismatch::Amount, 9)];
    assert_eq!(payment.attention().unwrap().at, Timestamp(1), "nothing makes it look young again");
    let foreign = |row: &Payment, resolutions: Vec<domain::Resolution>| {
        let facts = facts(1);
        let (id, contradictions) = (domain::WithdrawalId::parse("w9").unwrap(), row.contradictions.clone());
        let row =
            ForeignWithdrawal { withdrawal_id: id, withdrawal_status: Some(1), facts, contradictions, resolutions };
        WithdrawalRow::Foreign(Box::new(row)).attention().map(|it| it.at.0)
    };
    payment.state = PaymentState::Rejected { facts: facts(1) };
    assert_eq!(foreign(&payment, vec![]), Some(1));
    for (closes, since) in [(0, Some(5)), (1, Some(9)), (2, None)] {
        payment.resolutions = vec![domain::Resolution { closes, ..resolution(Outcome::Rejected) }];
        assert_eq!(payment.attention().map(|it| it.at.0), since, "{closes}");
        assert_eq!(foreign(&payment, payment.resolutions.clone()), since, "{closes}");
    }
    let names = domain::AttentionKind::ALL.map(domain::AttentionKind::as_str);
    assert_eq!(names, ["unmatched", "quarantined", "open", "conflict", "unreadable", "unfinished"]);
    assert_eq!(names.map(domain::AttentionKind::named), domain::AttentionKind::ALL.map(Some));
    assert_eq!(domain::AttentionKind::named("xyzzy"), None);
}

/// An event's id in the row of this key. A list's hash is its signature here.
fn id(event: &Event, row_key: &str) -> String {
    event.id(row_key, |list| list.signature.clone())
}

#[test]
fn one_fact_has_the_same_id_in_every_history_and_another_fact_another_one() {
    // Two histories of one order, of which the second lacks what the first one did at first.
    let credit = |number: &str| domain::Credit { payment: key(number), amount: amount("700") };
    let credits = |numbers: &[&str]| {
        let deposit = numbers.iter().fold(deposit(), |deposit, number| deposit.credit(credit(number)).0);
        DepositRow::Registered(deposit).events(None)
    };
    let ids = |events: &[Event]| events.iter().map(|event| id(event, "deposit#o")).collect::<Vec<_>>();
    let (first, second) = (ids(&credits(&["11", "12"])), ids(&credits(&["12", "13"])));
    assert_eq!(first[1], second[0], "the same payment");
    assert!(!second.contains(&first[0]) && !first.contains(&second[1]), "another payment");

    let failed = |number: &str, id: &str| DepositRow::Registered(sent(&deposit(), number, id, AttemptState::Failed));
    let refused = |number: &str, id: &str| ids(&failed(number, id).events(None)).remove(0);
    assert_eq!(refused("11", "o.11"), refused("11", "o.11"));
    assert_ne!(refused("11", "o.11"), refused("12", "o.12"), "the first call of each");
    assert_ne!(refused("11", "o.11"), refused("11", "o.11.abcdef"), "a second attempt");

    let held = |at: u64, mismatch| {
        let state = PaymentState::Quarantined { facts: facts(at), mismatch };
        id(&Payment::new(key("1"), state).events(None)[0], "payment#paytm#1")
    };
    assert_eq!(held(1, Mismatch::Label), held(1, Mismatch::Label));
    assert_ne!(held(1, Mismatch::Label), held(1, Mismatch::Amount));
    assert_ne!(held(1, Mismatch::Label), held(2, Mismatch::Label), "another list");
}

#[test]
fn the_ids_of_a_withdrawals_events_do_not_depend_on_its_version() {
    let of = |row: &Withdrawal| {
        let events = WithdrawalRow::Registered(Box::new(row.clone())).events(None);
        events.iter().map(|event| id(event, "withdrawal#w")).collect::<Vec<_>>()
    };
    let states = [
        WithdrawalState::Unknown,
        WithdrawalState::Submitted,
        WithdrawalState::Paid { facts: Some(facts(1)) },
        WithdrawalState::Failed { facts: Some(facts(1)) },
    ];
    let all: Vec<_> = states.iter().flat_map(|state| of(&withdrawal(state.clone()))).collect();
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    // By a person in one history, by a postback in the other: it is paid in both.
    assert_eq!(of(&withdrawal(WithdrawalState::Paid { facts: None })), all[2..3]);
    let decided = |at: u64| {
        let decision = Resolution { at: Timestamp(at), ..resolution(Outcome::Paid) };
        of(&withdrawal(WithdrawalState::Unknown).resolve(decision).unwrap())
    };
    assert_eq!(decided(1)[0], decided(2)[0], "it is paid");
    assert_ne!(decided(1)[1], decided(2)[1], "two people have decided at two times");
}

#[test]
fn the_ids_that_were_published_stay_as_they_are() {
    let credited =
        DepositRow::Registered(deposit().credit(domain::Credit { payment: key("11"), amount: amount("7") }).0);
    let quarantined = PaymentState::Quarantined { facts: facts(1), mismatch: Mismatch::Label };
    let paid = WithdrawalRow::Registered(Box::new(withdrawal(WithdrawalState::Paid { facts: Some(facts(1)) })));
    assert_eq!(id(&credited.events(None)[0], "deposit#o"), "86953cdf9f1f7cffcb96a0641d955208");
    assert_eq!(
        id(&Payment::new(key("1"), quarantined).events(None)[0], "payment#paytm#1"),
        "559399c18be310ef83c11bba33d6af0f"
    );
    assert_eq!(id(&paid.events(None)[0], "withdrawal#w"), "06b776159ba2d28c387db94c4fef764d");
}
