//! The money rules of deposits, over any sequence of reports, claims and registrations.

#![cfg(test)]

use domain::{
    Amount, AttemptId, AttentionKind, Call, CallResult, Called, Claim, CurrencyCode, CustomTransactionId, Decided,
    Decision, Deposit, DepositReport, DepositRow, Direction, Entering, Evidence, Label, ListPlace, Mismatch,
    NotResolved, Noted, Order, Outcome, Payment, PaymentKey, PaymentState, Recorded, Remark, Resolution, Rows,
    Separator, SignedFacts, SignedList, Timestamp, TransactionId, Unregistered, Unsigned, WalletType, Window, decide,
    match_waiting,
};
use proptest::prelude::*;

fn order(id: &str, label: &str, currency: &str) -> Order {
    Order {
        custom_transaction_id: CustomTransactionId::parse(id).unwrap(),
        label: Label::parse(label).unwrap(),
        currency_code: CurrencyCode::parse(currency).unwrap(),
        wallet_type: WalletType::parse("paytm").unwrap(),
        amount: None,
        lang: None,
        window: Window::default(),
    }
}

fn deposit(id: &str, label: &str, currency: &str) -> Deposit {
    Deposit::new(order(id, label, currency), "{}".into(), Timestamp(0))
}

fn report(id: &str, label: &str, amount: &str, mismatch: Option<Mismatch>) -> DepositReport {
    let key = PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse("47752123519").unwrap(),
    };
    let list = SignedList {
        additional_data: format!("[{id}{label}{amount}]"),
        signature: format!("{id}{amount}"),
        access_key: "key".into(),
    };
    let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(0) };
    let facts = SignedFacts {
        custom_transaction_id: id.into(),
        order_before_hyphen: None,
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse(label).unwrap()),
        evidence,
    };
    DepositReport { payment: key, facts, mismatch }
}

/// The rows of one payment and of the orders that may be named, changed as a store would change them.
#[derive(Clone, Debug, Default)]
struct World {
    payment: Option<Payment>,
    orders: std::collections::BTreeMap<CustomTransactionId, DepositRow>,
}

impl World {
    fn order(&self, id: &str) -> Option<&DepositRow> {
        self.orders.get(&CustomTransactionId::parse(id).unwrap())
    }

    fn put(&mut self, row: DepositRow) {
        self.orders.insert(row.id().clone(), row);
    }

    fn report(&mut self, report: &DepositReport) -> Decision {
        let order = report.facts.order().and_then(|id| self.orders.get(&id).cloned());
        let rows = Rows { payment: self.payment.as_ref(), order: order.as_ref(), ..Rows::default() };
        let decision = decide(&rows, report);
        match &decision {
            Decision::Credit(credited) => {
                self.payment = Some(credited.payment.clone());
                self.put(DepositRow::Registered(credited.deposit.clone()));
            }
            Decision::Unmatched(payment, noted) => {
                self.payment = Some(payment.clone());
                if let Some(Noted { place, .. }) = noted {
                    self.put(DepositRow::Unregistered(place.clone()));
                }
            }
            Decision::Quarantine(payment, _) | Decision::Conflict(Some(payment), _) => {
                self.payment = Some(payment.clone());
            }
            Decision::Conflict(None, _) | Decision::Repeat => {}
        }
        decision
    }

    fn register(&mut self, deposit: Deposit) {
        match self.orders.get(&deposit.order.custom_transaction_id).cloned() {
            Some(DepositRow::Registered(_)) => {}
            Some(DepositRow::Unregistered(Unregistered { .. })) => {
                let waiting: Vec<_> = self.payment.clone().into_iter().collect();
                let (deposit, changed, _) = match_waiting(deposit, &waiting, &[]);
                self.payment = changed.into_iter().next().or(self.payment.take());
                self.put(DepositRow::Registered(deposit));
            }
            None => self.put(DepositRow::Registered(deposit)),
        }
    }

    /// A user of a registered order enters the number.
    fn claim(&mut self, id: &str, amount: &str) -> Option<Claim> {
        let DepositRow::Registered(deposit) = self.order(id)?.clone() else { return None };
        let key = report("o", "u", "1", None).payment;
        let call = Call { nonce: id.into(), at: Timestamp(1) };
        let known = deposit.attempt(&key.transaction_id);
        let entering = Entering {
            payment: &key,
            order: &deposit.order,
            amount: Amount::parse(amount).unwrap(),
            known: known.as_ref(),
            call: &call,
            separator: Separator::Dot,
        };
        let (row, claim) = Payment::claim(self.payment.as_ref(), &entering);
        self.payment = row.or(self.payment.take());
        Some(claim)
    }

    /// The provider answers fail to the order's call.
    fn fail(&mut self, id: &str) {
        let Some(DepositRow::Registered(deposit)) = self.order(id).cloned() else { return };
        let (number, call) =
            (report("o", "u", "1", None).payment.transaction_id, Call { nonce: id.into(), at: Timestamp(1) });
        let id = AttemptId::new(&deposit.order.custom_transaction_id, &number, Separator::Dot);
        let called = Called { number: &number, id: &id, call: &call, amount: Amount::parse("5").unwrap() };
        let Recorded { deposit, released, .. } =
            deposit.called(&called, &CallResult::Failed("no".into()), self.payment.as_ref());
        self.put(DepositRow::Registered(deposit));
        self.payment = released.or(self.payment.take());
    }

    /// A person decides. Whether that was allowed.
    fn resolve(&mut self, outcome: Outcome, order: &str) -> Result<(), NotResolved> {
        let order = self.order(order).and_then(|row| match row {
            DepositRow::Registered(deposit) => Some(deposit),
            DepositRow::Unregistered(_) => None,
        });
        let payment = self.payment.as_ref().ok_or(NotResolved::NothingOpen)?;
        match payment.resolve(order, None, resolution(outcome))? {
            Decided::Payment(payment) => self.payment = Some(*payment),
            Decided::Credited(credited) => {
                self.payment = Some(credited.payment.clone());
                self.put(DepositRow::Registered(credited.deposit));
            }
        }
        Ok(())
    }

    fn credits(&self) -> Vec<(&Deposit, &domain::Credit)> {
        let registered = self.orders.values().filter_map(|row| match row {
            DepositRow::Registered(deposit) => Some(deposit),
            DepositRow::Unregistered(_) => None,
        });
        registered.flat_map(|deposit| deposit.credited.iter().map(move |credit| (deposit, credit))).collect()
    }

    fn state(&self) -> &PaymentState {
        &self.payment.as_ref().unwrap().state
    }
}

fn resolution(outcome: Outcome) -> Resolution {
    let remark = |text: &str| Remark::parse(text).unwrap();
    let (by, reason, evidence) = (remark("an operator"), remark("the user's facts"), remark("ticket 7"));
    Resolution::new(outcome, by, reason, evidence, Timestamp(8))
}

fn with_order(label: &str) -> World {
    let mut world = World::default();
    world.register(deposit("o", label, "INR"));
    world
}

#[test]
fn a_payment_for_a_known_order_is_credited_to_the_stored_label() {
    let mut world = with_order("u");
    assert!(matches!(world.report(&report("o.2", "u", "700", None)), Decision::Credit(..)));
    let PaymentState::Credited { credited_label, order, .. } = world.state() else { panic!() };
    assert_eq!((credited_label.as_str(), order.as_str()), ("u", "o"));
    assert_eq!(world.credits()[0].1.amount, Amount::parse("700").unwrap());
}

#[test]
fn a_state_has_the_name_that_the_table_has() {
    let report = report("o1", "u1", "700", None);
    let (order, facts) = (CustomTransactionId::parse("o1").unwrap(), report.facts.clone());
    let credited_label = Label::parse("u1").unwrap();
    for state in [
        PaymentState::Claimed { order: order.clone(), journal: None },
        PaymentState::Released { order: order.clone() },
        PaymentState::Unmatched { facts: facts.clone(), labels: Vec::new() },
        PaymentState::Quarantined { facts: facts.clone(), mismatch: Mismatch::Label },
        PaymentState::Credited { order, credited_label, facts: facts.clone() },
        PaymentState::Rejected { facts },
    ] {
        let payment = Payment::new(report.payment.clone(), state);
        let stored = serde_json::to_value(&payment).unwrap();
        assert_eq!(stored["state"], payment.state.name());
        assert_eq!(PaymentState::UNPROVED.contains(&payment.state.name()), payment.facts().is_none(), "{payment:?}");
    }
    let row = DepositRow::Registered(deposit("o1", "u1", "INR"));
    assert_eq!(serde_json::to_value(&row).unwrap()["state"], row.state_name());
}

#[test]
fn a_repeated_postback_credits_once() {
    let mut world = with_order("u");
    world.report(&report("o", "u", "700", None));
    for spelling in ["700", "700.00"] {
        assert_eq!(world.report(&report("o", "u", spelling, None)), Decision::Repeat);
    }
    assert_eq!(world.credits().len(), 1);
}

#[test]
fn an_altered_copy_is_quarantined_and_cannot_keep_the_genuine_one_out() {
    let altered = [report("o", "u", "700", Some(Mismatch::Amount)), report("o", "thief", "700", None)];
    for altered in altered {
        let mut world = with_order("u");
        assert!(matches!(world.report(&altered), Decision::Quarantine(..)));
        assert_eq!(world.report(&altered), Decision::Repeat);
        assert!(world.credits().is_empty());
        assert!(matches!(world.report(&report("o", "u", "700", None)), Decision::Credit(..)));
        assert!(matches!(world.report(&altered), Decision::Conflict(Some(_), _)));
        assert!(matches!(world.report(&altered), Decision::Conflict(None, _)), "it is recorded once");
        assert_eq!(world.credits().len(), 1);
    }
}

#[test]
fn another_signed_amount_or_order_for_the_same_number_is_never_applied() {
    let mut world = with_order("u");
    world.register(deposit("p", "u", "INR"));
    world.report(&report("o", "u", "700", None));
    for other in [report("o", "u", "7000", None), report("p", "u", "700", None)] {
        let decision = world.report(&other);
        assert!(matches!(decision, Decision::Conflict(Some(_), Mismatch::EarlierPostback)), "{decision:?}");
    }
    assert_eq!(world.credits().len(), 1);
    assert_eq!(world.payment.unwrap().contradictions.len(), 2);
}

#[test]
fn the_signed_order_decides_and_not_who_claimed_first() {
    let mut world = with_order("u");
    world.register(deposit("p", "v", "INR"));
    world.claim("p", "701");
    assert!(matches!(world.report(&report("o", "u", "700", None)), Decision::Credit(..)));
    assert_eq!(world.credits()[0].0.order.custom_transaction_id.as_str(), "o");
}

#[test]
fn a_payment_waits_for_its_order_and_is_credited_by_its_registration() {
    let mut world = World::default();
    assert!(matches!(world.report(&report("o", "u", "700", None)), Decision::Unmatched(_, Some(_))));
    assert_eq!(world.report(&report("o", "u", "700", None)), Decision::Repeat);
    world.register(deposit("o", "u", "INR"));
    assert_eq!(world.credits().len(), 1);
    assert_eq!(world.report(&report("o", "u", "700", None)), Decision::Repeat);
}

#[test]
fn a_waiting_payment_that_its_order_differs_from_is_quarantined() {
    for (label, currency, expected) in [("v", "INR", Mismatch::Label), ("u", "BDT", Mismatch::OrderCurrencyCode)] {
        let mut world = World::default();
        world.report(&report("o", "u", "700", None));
        world.register(deposit("o", label, currency));
        assert!(matches!(world.state(), PaymentState::Quarantined { mismatch, .. } if *mismatch == expected));
        assert!(world.credits().is_empty());
    }
}

#[test]
fn an_altered_label_that_comes_first_does_not_keep_a_waiting_payment_from_its_order() {
    let mut world = World::default();
    world.report(&report("o", "thief", "700", None));
    world.report(&report("o", "u", "700", None));
    assert_eq!(world.report(&report("o", "u", "700", None)), Decision::Repeat);
    let row = serde_json::to_string(&world.payment).unwrap();
    assert_eq!(serde_json::from_str::<Option<Payment>>(&row).unwrap(), world.payment);
    world.register(deposit("o", "u", "INR"));
    assert_eq!(world.credits().len(), 1);
    assert!(matches!(world.state(), PaymentState::Credited { facts, .. } if facts.label == Label::parse("u").ok()));
}

#[test]
fn what_is_held_has_the_latest_reason_and_altered_copies_of_it_are_on_record() {
    let mut world = with_order("v");
    let altered = report("o", "u", "700", Some(Mismatch::Amount));
    assert!(matches!(world.report(&altered), Decision::Quarantine(_, Mismatch::Amount)));
    let genuine = report("o", "u", "700", None);
    assert!(matches!(world.report(&genuine), Decision::Quarantine(_, Mismatch::Label)));
    assert!(matches!(world.state(), PaymentState::Quarantined { mismatch: Mismatch::Label, .. }));
    assert_eq!(world.report(&genuine), Decision::Repeat);
    assert!(matches!(world.report(&altered), Decision::Conflict(Some(_), Mismatch::Amount)));

    let mut waiting = World::default();
    waiting.report(&genuine);
    let before = waiting.state().clone();
    assert!(matches!(waiting.report(&altered), Decision::Conflict(Some(_), Mismatch::Amount)));
    assert_eq!(*waiting.state(), before);
}

#[test]
fn the_expected_credit_is_what_is_decided_when_the_order_agrees() {
    let said = report("o.2", "u", "700", None);
    let expected = said.expected_credit().unwrap();
    let order = deposit("o", "u", "INR");
    let rows = Rows { order: Some(&DepositRow::Registered(order)), ..Rows::default() };
    let Decision::Credit(credited) = decide(&rows, &said) else { panic!() };
    let order = &credited.deposit.order;
    assert_eq!((&expected.payment, &expected.order), (&credited.payment, &order.custom_transaction_id));
    assert_eq!((&expected.label, &expected.currency_code), (&order.label, &order.currency_code));
    assert_eq!(([expected.credit].as_slice(), 0), (&*credited.deposit.credited, credited.numbers.len()));
    let mut unlabelled = said.clone();
    unlabelled.facts.label = None;
    for other in [unlabelled, report("a/b", "u", "700", None), report("o", "u", "700", Some(Mismatch::Amount))] {
        assert_eq!(other.expected_credit(), None);
    }
}

#[test]
fn an_order_id_that_we_cannot_have_made_is_unmatched_without_a_place() {
    let mut world = World::default();
    for id in ["", "a/b", ".1", "a b"] {
        assert!(matches!(world.report(&report(id, "u", "700", None)), Decision::Unmatched(_, None)));
        world.payment = None;
    }
}

#[test]
fn a_number_is_one_orders_until_its_attempt_has_failed() {
    let mut world = with_order("u");
    world.register(deposit("p", "v", "INR"));
    assert!(matches!(world.claim("o", "5"), Some(Claim::Ask(_))));
    assert_eq!(world.claim("p", "5"), Some(Claim::InUse));
    world.fail("p");
    assert_eq!(world.claim("p", "5"), Some(Claim::InUse));
    world.fail("o");
    assert!(matches!(world.claim("p", "5"), Some(Claim::Ask(_))));
    world.report(&report("o", "u", "700", None));
    assert_eq!(world.claim("o", "5"), Some(Claim::Credited(Amount::parse("700").unwrap())));
    assert_eq!(world.claim("p", "5"), Some(Claim::InUse));
}

#[test]
fn a_person_takes_a_number_from_an_order_that_only_claims_it() {
    let mut world = with_order("u");
    world.register(deposit("p", "v", "INR"));
    world.claim("p", "5");
    assert_eq!(world.resolve(Outcome::Credited, "p"), Err(NotResolved::NotProved));
    assert_eq!(world.resolve(Outcome::Rejected, "p"), Ok(()));
    world.claim("o", "700");
    assert!(matches!(world.state(), PaymentState::Claimed { order, .. } if order.as_str() == "o"));
    assert_eq!(world.payment.as_ref().unwrap().resolutions.len(), 1);
    assert!(matches!(world.report(&report("o", "u", "700", None)), Decision::Credit(..)));
}

#[test]
fn a_person_credits_what_is_held_to_the_order_that_is_signed() {
    let mut world = with_order("u");
    world.register(deposit("p", "u", "INR"));
    world.report(&report("o", "thief", "700", None));
    assert_eq!(world.payment.as_ref().unwrap().attention().unwrap().kind, AttentionKind::Quarantined);
    assert_eq!(world.resolve(Outcome::Credited, "q"), Err(NotResolved::NoOrder));
    assert_eq!(world.resolve(Outcome::Credited, "p"), Err(NotResolved::OrderOfAnother));
    assert_eq!(world.resolve(Outcome::Paid, "o"), Err(NotResolved::OutcomeOfAnotherKind));
    assert_eq!(world.resolve(Outcome::Credited, "o"), Ok(()));
    assert_eq!(world.credits().len(), 1);
    assert_eq!(world.payment.as_ref().unwrap().attention(), None);
    assert_eq!(world.resolve(Outcome::Credited, "o"), Err(NotResolved::NothingOpen));
    assert_eq!(world.report(&report("o", "u", "700", None)), Decision::Repeat);
}

#[test]
fn a_person_names_the_order_only_where_the_signed_one_is_not_known() {
    let mut world = with_order("u");
    world.report(&report("gone", "u", "700", None));
    world.register(deposit("b", "u", "BDT"));
    assert_eq!(world.resolve(Outcome::Credited, "b"), Err(NotResolved::CurrencyOfAnother));
    assert_eq!(world.resolve(Outcome::Credited, "o"), Ok(()));
    world.register(deposit("gone", "u", "INR"));
    assert_eq!(world.credits().len(), 1, "the order that comes later finds nothing that waits");
}

#[test]
fn a_rejected_payment_stays_rejected_and_what_contradicts_it_is_looked_at_once() {
    let mut world = with_order("u");
    world.report(&report("o", "thief", "700", None));
    assert_eq!(world.resolve(Outcome::Rejected, "o"), Ok(()));
    assert_eq!(world.report(&report("o", "u", "700", None)), Decision::Repeat);
    assert!(matches!(world.report(&report("o", "u", "7", None)), Decision::Conflict(Some(_), _)));
    assert_eq!(world.payment.as_ref().unwrap().attention().unwrap().kind, AttentionKind::Conflict);
    assert_eq!(world.resolve(Outcome::Rejected, "o"), Ok(()));
    assert_eq!(world.payment.as_ref().unwrap().attention(), None);
    assert!(matches!(world.report(&report("o", "u", "8", None)), Decision::Conflict(Some(_), _)));
    assert!(world.payment.as_ref().unwrap().attention().is_some(), "what comes later is open again");
    assert!(matches!(world.state(), PaymentState::Rejected { .. }));
    assert_eq!(world.claim("o", "5"), Some(Claim::InUse));
}

#[test]
fn another_order_under_the_same_id_differs_by_the_names_of_its_fields() {
    let known = order("o1", "u1", "INR");
    assert!(known.differing(&known).is_empty());
    let others = [
        ("label", Order { label: Label::parse("u2").unwrap(), ..known.clone() }),
        ("currency_code", Order { currency_code: CurrencyCode::parse("BDT").unwrap(), ..known.clone() }),
        ("wallet_type", Order { wallet_type: WalletType::parse("upi_l").unwrap(), ..known.clone() }),
        ("amount", Order { amount: Amount::parse("1").ok(), ..known.clone() }),
        ("lang", Order { lang: domain::Lang::parse("hi").ok(), ..known.clone() }),
    ];
    for (name, other) in others {
        assert_eq!(known.differing(&other), [name]);
    }
    let url = |text: &str| domain::WindowUrl::parse(text).ok();
    let with = |success_url, fail_url| Window { success_url, fail_url, ..Window::default() };
    let mine = Order { window: with(url("a"), url("b")), ..known.clone() };
    let other = Order { label: Label::parse("u2").unwrap(), window: with(url("a"), url("c")), ..known.clone() };
    assert_eq!(mine.differing(&other), ["label", "window.fail_url"]);
    assert_eq!(known.differing(&mine), ["window.success_url", "window.fail_url"]);
    assert_eq!(mine.differing(&known), known.differing(&mine));
}

#[test]
fn no_language_and_the_default_one_are_the_same_order() {
    let without = order("o1", "u1", "INR");
    let default = Order { lang: domain::Lang::parse(without.lang_or_default()).ok(), ..without.clone() };
    assert!(default.lang.is_some() && without.differing(&default).is_empty() && default.differing(&without).is_empty());
    let other = Order { lang: domain::Lang::parse("hi").ok(), ..without.clone() };
    assert_eq!(
        (default.differing(&other), other.differing(&without)),
        (vec!["lang".to_owned()], vec!["lang".to_owned()])
    );
}

#[test]
fn the_first_unsigned_copy_that_is_not_as_signed_is_named() {
    let said = report("o", "u", "700", None);
    let (wallet, facts) = (&said.payment.wallet_type, &said.facts);
    let copies = Unsigned {
        wallet_type: Some(wallet.clone()),
        amount: Some(facts.amount),
        currency_code: Some(facts.currency_code.clone()),
        label: None,
        direction: Some(Direction::Ingoing),
    };
    let others = [
        (None, copies.clone()),
        (Some(Mismatch::Direction), Unsigned { direction: Some(Direction::Outgoing), ..copies.clone() }),
        (Some(Mismatch::Direction), Unsigned { direction: None, amount: None, ..copies.clone() }),
        (Some(Mismatch::CurrencyCode), Unsigned { currency_code: CurrencyCode::parse("BDT").ok(), ..copies.clone() }),
        (Some(Mismatch::WalletType), Unsigned { wallet_type: None, ..copies.clone() }),
    ];
    for (expected, other) in others {
        for is_only in [true, false] {
            assert_eq!(other.mismatch(Direction::Ingoing, wallet, facts, is_only), expected, "{other:?}");
        }
    }
    let sum = Unsigned { amount: Amount::parse("1400").ok(), ..copies };
    assert_eq!(sum.mismatch(Direction::Ingoing, wallet, facts, true), Some(Mismatch::Amount));
    assert_eq!(sum.mismatch(Direction::Ingoing, wallet, facts, false), None, "of several it is no one's");
}

#[test]
fn outcomes_have_names() {
    assert_eq!(Outcome::ALL.map(Outcome::as_str), ["paid", "failed", "credited", "rejected"]);
    assert_eq!(Outcome::ALL.map(|outcome| Outcome::named(outcome.as_str())), Outcome::ALL.map(Some));
    assert_eq!(Outcome::named("xyzzy"), None);
}

#[derive(Clone, Debug)]
enum Event {
    Report { order: &'static str, label: &'static str, amount: &'static str, altered: bool },
    Register { order: &'static str, label: &'static str },
    Claim { order: &'static str, amount: &'static str },
    Fail(&'static str),
    Resolve(Outcome, &'static str),
}

fn event() -> impl Strategy<Value = Event> {
    let order = || prop::sample::select(vec!["o", "p"]);
    let label = || prop::sample::select(vec!["u", "v"]);
    let named = prop::sample::select(vec!["o", "o.2", "p", "q", ""]);
    let amount = prop::sample::select(vec!["5", "5.0", "7"]);
    prop_oneof![
        4 => (named, label(), amount, any::<bool>())
            .prop_map(|(order, label, amount, altered)| Event::Report { order, label, amount, altered }),
        1 => (order(), label()).prop_map(|(order, label)| Event::Register { order, label }),
        2 => (order(), prop::sample::select(vec!["5", "7", "8"])).prop_map(|(order, amount)| Event::Claim { order, amount }),
        1 => order().prop_map(Event::Fail),
        1 => (prop::sample::select(vec![Outcome::Credited, Outcome::Rejected]), order())
            .prop_map(|(outcome, order)| Event::Resolve(outcome, order)),
    ]
}

fn other(label: &str) -> &'static str {
    if label == "u" { "v" } else { "u" }
}

fn deposit_label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn rank(state: &PaymentState) -> u8 {
    match state {
        PaymentState::Claimed { .. } | PaymentState::Released { .. } => 0,
        PaymentState::Unmatched { .. } | PaymentState::Quarantined { .. } => 1,
        PaymentState::Credited { .. } | PaymentState::Rejected { .. } => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_a_payment_is_credited_once_as_first_signed_to_the_stored_label(
        events in prop::collection::vec(event(), 1..30)
    ) {
        let mut world = World::default();
        let mut first_signed: Option<SignedFacts> = None;
        let mut is_decided_by_a_person = false;
        // What users entered before the end, and from which orders a person took the number.
        let (mut entered, mut taken_from) = (Vec::new(), Vec::new());
        for event in events {
            let before = world.payment.as_ref().map_or(0, |payment| rank(&payment.state));
            match event {
                Event::Report { order, label, amount, altered } => {
                    let said = report(order, label, amount, altered.then_some(Mismatch::Amount));
                    world.report(&said);
                    let first = first_signed.get_or_insert(said.facts.clone());
                    let is_genuine = !altered && first.agree_with(&said.facts);
                    if let Some(DepositRow::Registered(deposit)) = world.order("o")
                        && is_genuine && !is_decided_by_a_person && said.facts.names(&deposit.order.custom_transaction_id)
                        && deposit.order.label.as_str() == label
                        && !taken_from.contains(&deposit.order.custom_transaction_id)
                        && !entered.contains(&(deposit_label(other(label)), said.facts.amount))
                    {
                        prop_assert!(matches!(world.state(), PaymentState::Credited { .. }), "owed: {said:?}");
                    }
                }
                Event::Register { order, label } => world.register(deposit(order, label, "INR")),
                Event::Claim { order, amount } => {
                    let label = world.order(order).and_then(DepositRow::registered).map(|it| it.order.label.clone());
                    let amount_entered = Amount::parse(amount).unwrap();
                    entered.extend(label.map(|label| (label, amount_entered)).filter(|_| before < 2));
                    world.claim(order, amount);
                }
                Event::Fail(order) => world.fail(order),
                Event::Resolve(outcome, order) => {
                    let holder = match world.payment.as_ref().map(|it| &it.state) {
                        Some(PaymentState::Claimed { order, .. }) => Some(order.clone()),
                        _ => None,
                    };
                    let is_done = world.resolve(outcome, order).is_ok();
                    is_decided_by_a_person |= is_done && before == 1;
                    taken_from.extend(holder.filter(|_| is_done));
                }
            }
            prop_assert!(world.payment.as_ref().map_or(0, |payment| rank(&payment.state)) >= before);
            let credits = world.credits();
            prop_assert!(credits.len() <= 1);
            if let Some((deposit, credit)) = credits.first() {
                let first = first_signed.as_ref().unwrap();
                prop_assert_eq!(credit.amount, first.amount);
                let id = &deposit.order.custom_transaction_id;
                prop_assert!(is_decided_by_a_person || first.names(id));
                let is_contested = entered.iter().any(|(label, amount)| {
                    *label != deposit.order.label && *amount == credit.amount
                });
                prop_assert!(is_decided_by_a_person || !(is_contested || taken_from.contains(id)));
                let PaymentState::Credited { credited_label, order, .. } = world.state() else {
                    return Err(TestCaseError::fail("credited, but the payment does not say so"));
                };
                prop_assert_eq!(credited_label, &deposit.order.label);
                prop_assert_eq!(order, &deposit.order.custom_transaction_id);
            }
            let is_credited = |it: &Payment| matches!(it.state, PaymentState::Credited { .. });
            prop_assert_eq!(credits.len() == 1, world.payment.as_ref().is_some_and(is_credited));
        }
    }
}
