//! One payment, one credit, however its number is spelled; and rows that stay small, however much comes.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Amount, CreditedNumber, CurrencyCode, CustomTransactionId, Decided, Decision, Deposit, DepositReport, DepositRow,
    Event, Evidence, Label, ListHash, ListPlace, MAX_CREDITS, MAX_RESOLUTIONS, Mismatch, NormalisedNumber, NotResolved,
    Noted, OddPayment, Order, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, Rows, SignedFacts, Sum,
    Timestamp, Totals, TransactionId, Unreadable, Waiting, WaitingPage, WalletType, Window, decide, match_waiting,
};
use proptest::prelude::*;

fn id(order: &str) -> CustomTransactionId {
    CustomTransactionId::parse(order).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn deposit(order: &str) -> Deposit {
    let order = Order {
        custom_transaction_id: id(order),
        label: Label::parse("u").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        wallet_type: WalletType::parse("paytm").unwrap(),
        amount: None,
        lang: None,
        window: Window::default(),
    };
    Deposit::new(order, "{}".into(), Timestamp(0))
}

fn evidence() -> Evidence {
    Evidence { place: ListPlace::Stored { list: ListHash::from([0; 32]) }, element: 0, received_at: Timestamp(0) }
}

fn report(wallet: &str, number: &str, order: &str) -> DepositReport {
    let payment = PaymentKey {
        wallet_type: WalletType::parse(wallet).unwrap(),
        transaction_id: TransactionId::parse(number).unwrap(),
    };
    let facts = SignedFacts {
        custom_transaction_id: order.into(),
        order_before_hyphen: None,
        amount: amount("700"),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Label::parse("u").ok(),
        evidence: evidence(),
    };
    DepositReport { payment, facts, mismatch: None }
}

fn resolution(outcome: Outcome, is_different_payment: bool) -> Resolution {
    let remark = || Remark::parse("ticket 7").unwrap();
    let (by, reason, evidence) = (remark(), remark(), remark());
    Resolution { is_different_payment, ..Resolution::new(outcome, by, reason, evidence, Timestamp(8)) }
}

/// A table, as the functions use it.
#[derive(Clone, Debug, Default)]
struct World {
    payments: BTreeMap<PaymentKey, Payment>,
    orders: BTreeMap<CustomTransactionId, DepositRow>,
    numbers: BTreeMap<(CustomTransactionId, NormalisedNumber), CreditedNumber>,
    pages: BTreeMap<u32, WaitingPage>,
    events: Vec<Event>,
}

impl World {
    fn put_order(&mut self, row: DepositRow) {
        self.events.extend(row.events(self.orders.get(row.id())));
        self.orders.insert(row.id().clone(), row);
    }

    fn put_numbers(&mut self, numbers: Vec<CreditedNumber>) {
        for number in numbers {
            let id = number.id();
            assert!(self.numbers.insert((id.order, id.number), number).is_none(), "a credited number is written once");
        }
    }

    fn number(&self, order: Option<&DepositRow>, payment: &PaymentKey) -> Option<CreditedNumber> {
        let id = order?.registered()?.number_to_read(&payment.transaction_id)?;
        self.numbers.get(&(id.order, id.number)).cloned()
    }

    fn report(&mut self, report: &DepositReport) -> Decision {
        let order = report.facts.order().and_then(|id| self.orders.get(&id).cloned());
        let number = self.number(order.as_ref(), &report.payment);
        let payment = self.payments.get(&report.payment).cloned();
        let rows = Rows {
            payment: payment.as_ref(),
            order: order.as_ref(),
            number: number.as_ref(),
            is_order_unwritable: false,
        };
        let decision = decide(&rows, report);
        match decision.clone() {
            Decision::Credit(credited) => {
                self.payments.insert(report.payment.clone(), credited.payment);
                self.put_order(DepositRow::Registered(credited.deposit));
                self.put_numbers(credited.numbers);
            }
            Decision::Unmatched(payment, noted) => {
                self.payments.insert(report.payment.clone(), payment);
                if let Some(Noted { place, page }) = noted {
                    self.put_order(DepositRow::Unregistered(place));
                    self.pages.extend(page.map(|page| (page.page, page)));
                }
            }
            Decision::Quarantine(payment, _) | Decision::Conflict(Some(payment), _) => {
                self.payments.insert(report.payment.clone(), payment);
            }
            Decision::Conflict(None, _) | Decision::Repeat => {}
        }
        decision
    }

    /// Registers an order and matches what waits for it, some payments at a time.
    fn register(&mut self, order: &str) {
        let mut row = deposit(order);
        if let Some(DepositRow::Unregistered(place)) = self.orders.get(&id(order)) {
            row.waiting = place.waiting.clone();
        }
        loop {
            if row.waiting.newest.is_empty() && !row.waiting.is_empty() {
                let page = self.pages[&row.waiting.pages].clone();
                row.waiting = row.waiting.with_page(page);
            }
            let keys = row.waiting.take();
            assert!(keys.len() <= Waiting::PAGE);
            let order = DepositRow::Registered(row.clone());
            let known: Vec<_> = keys.iter().filter_map(|key| self.number(Some(&order), key)).collect();
            let payments: Vec<_> = keys.iter().map(|key| self.payments[key].clone()).collect();
            let (deposit, changed, numbers) = match_waiting(row, &payments, &known);
            self.put_order(DepositRow::Registered(deposit.clone()));
            self.payments.extend(changed.into_iter().map(|payment| (payment.key.clone(), payment)));
            self.put_numbers(numbers);
            if deposit.waiting.is_empty() {
                return;
            }
            row = deposit;
        }
    }

    /// A person decides about a payment.
    fn resolve(&mut self, key: &PaymentKey, order: &str, is_different: bool) -> Result<(), NotResolved> {
        let row = self.orders.get(&id(order)).cloned();
        let number = self.number(row.as_ref(), key);
        let deposit = row.as_ref().and_then(DepositRow::registered);
        let resolution = resolution(Outcome::Credited, is_different);
        match self.payments[key].resolve(deposit, number.as_ref(), resolution)? {
            Decided::Payment(payment) => drop(self.payments.insert(key.clone(), *payment)),
            Decided::Credited(credited) => {
                self.payments.insert(key.clone(), credited.payment);
                self.put_order(DepositRow::Registered(credited.deposit));
                self.put_numbers(credited.numbers);
            }
        }
        Ok(())
    }

    fn order(&self, order: &str) -> &Deposit {
        self.orders[&id(order)].registered().unwrap()
    }

    fn credited(&self) -> Vec<&Payment> {
        let is_credited = |it: &&Payment| matches!(it.state, PaymentState::Credited { .. });
        self.payments.values().filter(is_credited).collect()
    }
}

fn with_order() -> World {
    let mut world = World::default();
    world.register("o");
    world
}

#[test]
fn a_number_credits_its_order_once_in_whatever_spelling_and_wallet() {
    let spellings = ["4775ab", "4775AB", "0004775ab", "04775Ab"];
    for first in spellings {
        let mut world = with_order();
        assert!(matches!(world.report(&report("paytm", "1", "o")), Decision::Credit(_)), "another payment");
        assert!(matches!(world.report(&report("paytm", first, "o")), Decision::Credit(_)));
        for other in spellings.into_iter().filter(|other| *other != first) {
            let decision = world.report(&report("paytm", other, "o"));
            assert!(
                matches!(decision, Decision::Quarantine(_, Mismatch::SameNumber)),
                "{first}, {other}: {decision:?}"
            );
            assert_eq!(world.report(&report("paytm", other, "o")), Decision::Repeat);
            let mut altered = report("paytm", other, "o");
            altered.facts.label = Label::parse("thief").ok();
            assert!(matches!(world.report(&altered), Decision::Conflict(Some(_), Mismatch::Label)), "the reason stays");
        }
        assert_eq!(world.credited().len(), 2);
    }
}

#[test]
fn a_corrected_postback_does_not_credit_what_a_person_has_credited() {
    let mut world = with_order();
    let wrong = report("upi_ib", "47752120004", "o");
    assert!(matches!(world.report(&wrong), Decision::Quarantine(_, Mismatch::OrderWalletType)));
    world.resolve(&wrong.payment, "o", false).unwrap();
    let corrected = report("paytm", "47752120004", "o");
    assert!(matches!(world.report(&corrected), Decision::Quarantine(_, Mismatch::SameNumber)));
    assert_eq!(world.resolve(&corrected.payment, "o", false), Err(NotResolved::SameNumber));
    assert_eq!(world.order("o").total_credits().count, 1);
    world.resolve(&corrected.payment, "o", true).unwrap();
    assert_eq!(world.order("o").total_credits().count, 2, "a person may state that it is a different payment");
    assert_eq!(world.numbers.len(), 1);
    assert!(matches!(world.report(&report("paytm", "9", "o")), Decision::Credit(_)));
}

#[test]
fn a_number_that_the_row_has_forgotten_is_found_by_its_own_row() {
    let mut world = with_order();
    for number in 1..=60 {
        world.report(&report("paytm", &number.to_string(), "o"));
    }
    let order = world.order("o");
    assert_eq!((order.credited.len(), world.numbers.len()), (MAX_CREDITS, 60));
    assert_eq!(order.total_credits(), Totals { count: 60, sum: Sum::try_from("42000".to_owned()).unwrap() });
    let decision = world.report(&report("paytm", "01", "o"));
    assert!(matches!(decision, Decision::Quarantine(_, Mismatch::SameNumber)), "{decision:?}");
    let kinds: Vec<_> = world.events.iter().map(Event::kind).collect();
    assert_eq!(kinds, ["deposit.credited"; 60]);
}

#[test]
fn any_number_of_payments_waits_for_an_order_and_each_is_credited_with_its_registration() {
    for count in [1, 20, 21, 40, 41, 100, 1_000_u64] {
        let mut world = World::default();
        for number in 1..=count {
            let said = report("paytm", &number.to_string(), "o");
            assert!(matches!(world.report(&said), Decision::Unmatched(_, Some(_))));
            assert_eq!(world.report(&said), Decision::Repeat);
        }
        world.register("o");
        assert_eq!(
            (world.credited().len(), world.order("o").total_credits().count),
            (count.try_into().unwrap(), count)
        );
        let credits = world.events.iter().map(|event| {
            let Event::DepositCredited(credit) = event else { panic!("{event:?}") };
            (credit.payment_number.unwrap(), credit.payment.transaction_id.to_string())
        });
        let (places, numbers): (Vec<_>, BTreeSet<_>) = credits.unzip();
        assert_eq!(places, (1..=count).collect::<Vec<_>>(), "each credit is published with its place");
        assert_eq!(numbers.len(), usize::try_from(count).unwrap());
    }
}

#[test]
fn an_altered_copy_that_comes_while_waiting_payments_are_matched_holds_none_of_them() {
    let mut world = World::default();
    world.report(&report("paytm", "1", "o"));
    let key = report("paytm", "1", "o").payment;
    let waiting = Waiting { newest: vec![key.clone()], pages: 0 };
    let registered = DepositRow::Registered(Deposit { waiting, ..deposit("o") });
    let mut altered = report("paytm", "1", "o");
    altered.facts.label = Label::parse("thief").ok();
    let rows = Rows { payment: world.payments.get(&key), order: Some(&registered), ..Rows::default() };
    let Decision::Unmatched(waits, None) = decide(&rows, &altered) else { panic!() };
    let (_, changed, _) = match_waiting(deposit("o"), &[waits], &[]);
    assert!(matches!(changed[0].state, PaymentState::Credited { .. }));
    let other = Order { label: Label::parse("v").unwrap(), ..deposit("o").order };
    let waits = world.payments[&key].clone();
    let (_, changed, _) = match_waiting(Deposit { order: other, ..deposit("o") }, &[waits], &[]);
    assert!(matches!(changed[0].state, PaymentState::Quarantined { mismatch: Mismatch::Label, .. }));
}

#[test]
fn of_two_waiting_payments_with_the_same_number_one_is_credited_wherever_they_wait() {
    let mut world = World::default();
    world.report(&report("paytm", "007", "o"));
    for number in 100..150 {
        world.report(&report("paytm", &number.to_string(), "o"));
    }
    world.report(&report("paytm", "7", "o"));
    world.register("o");
    assert_eq!(world.credited().len(), 51);
    let held = world
        .payments
        .values()
        .filter(|it| matches!(it.state, PaymentState::Quarantined { mismatch: Mismatch::SameNumber, .. }));
    assert_eq!(held.count(), 1);
}

#[test]
fn a_payment_whose_order_cannot_be_written_is_held_and_credited_once_it_can() {
    let mut world = with_order();
    let said = report("paytm", "1", "o");
    let rows = Rows { is_order_unwritable: true, ..Rows::default() };
    let Decision::Quarantine(held, Mismatch::OrderUnwritable) = decide(&rows, &said) else { panic!() };
    let rows = Rows { payment: Some(&held), ..rows };
    assert_eq!(decide(&rows, &said), Decision::Repeat);
    world.payments.insert(held.key.clone(), held);
    let mut altered = said.clone();
    altered.facts.label = Label::parse("thief").ok();
    assert!(matches!(world.report(&altered), Decision::Conflict(Some(_), Mismatch::Label)), "the reason stays");
    assert!(matches!(world.report(&said), Decision::Credit(_)));
    let credited = world.payments[&said.payment].clone();
    let rows = Rows { payment: Some(&credited), is_order_unwritable: true, ..Rows::default() };
    assert_eq!(decide(&rows, &said), Decision::Repeat, "the end stays");
}

fn odd(number: Option<&str>, order: &str) -> Unreadable {
    let payment = OddPayment {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: number.map(|it| TransactionId::parse(it).unwrap()),
        custom_transaction_id: order.into(),
        amount: amount("700"),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: None,
    };
    Unreadable::new(ListHash::from([1; 32]), evidence(), "`transaction_id` cannot be read", Some(payment))
}

#[test]
fn a_person_credits_an_odd_payment_under_the_number_that_they_state() {
    let number = |text: &str| TransactionId::parse(text).unwrap();
    let (order, by_person) = (deposit("o"), || resolution(Outcome::Credited, false));
    let credit = |row: &Unreadable, stated: Option<&str>, current: Option<&Payment>, order: &Deposit, is_known| {
        row.credit(stated.map(number).as_ref(), current, (order, is_known), None, by_person())
    };
    let row = odd(None, "o.4.775e22");
    let (resolved, Decided::Credited(credited)) = credit(&row, Some("47752123519"), None, &order, true).unwrap() else {
        panic!()
    };
    assert_eq!((resolved.resolutions.len(), resolved.attention()), (1, None));
    assert_eq!(credited.payment.key.transaction_id, number("47752123519"));
    assert_eq!((credited.deposit.credited.len(), credited.payment.resolutions.len()), (1, 1));
    assert!(matches!(&credited.payment.state, PaymentState::Credited { facts, .. } if facts.evidence == evidence()));

    let refused = |row: &Unreadable, stated, current: Option<&Payment>, order: &Deposit, is_known| {
        credit(row, stated, current, order, is_known).map(drop).unwrap_err()
    };
    assert!(matches!(refused(&row, None, None, &order, true), NotResolved::Number(_)));
    assert!(matches!(refused(&row, Some("1 2"), None, &order, true), NotResolved::Number(_)));
    assert!(matches!(refused(&odd(Some("5"), ""), Some("6"), None, &order, true), NotResolved::Number(_)));
    assert!(matches!(refused(&row, Some("1"), Some(&credited.payment), &order, true), NotResolved::Number(_)));
    assert_eq!(refused(&row, Some("1"), None, &deposit("p"), true), NotResolved::OrderOfAnother);
    assert!(credit(&row, Some("1"), None, &deposit("p"), false).is_ok(), "the signed order is not registered");
    assert!(credit(&odd(Some("5"), ""), None, None, &deposit("p"), false).is_ok(), "the order id was not readable");
    assert_eq!(refused(&row, Some("047752123519"), None, &credited.deposit, true), NotResolved::SameNumber);
    assert_eq!(refused(&resolved, Some("1"), None, &order, true), NotResolved::NothingOpen);
    let mut no_payment = row.clone();
    no_payment.payment = None;
    assert!(matches!(refused(&no_payment, Some("1"), None, &order, true), NotResolved::Number(_)));
}

#[test]
fn a_row_has_room_for_the_decision_that_ends_it_however_many_came_before() {
    let said = report("paytm", "1", "o");
    let claimed = PaymentState::Claimed { order: id("o"), journal: None };
    let mut payment = Payment::new(said.payment.clone(), claimed.clone());
    for _ in 0..MAX_RESOLUTIONS {
        let Ok(Decided::Payment(freed)) = payment.resolve(None, None, resolution(Outcome::Rejected, false)) else {
            panic!()
        };
        payment = Payment { state: claimed.clone(), ..*freed };
    }
    let one_more = payment.resolve(None, None, resolution(Outcome::Rejected, false));
    assert_eq!(one_more.map(drop), Err(NotResolved::TooMany));
    payment.state = PaymentState::Quarantined { facts: said.facts, mismatch: Mismatch::TakenAway };
    assert!(payment.resolve(Some(&deposit("o")), None, resolution(Outcome::Credited, false)).is_ok());
}

proptest! {
    #[test]
    fn whatever_comes_each_number_credits_an_order_once_and_the_row_counts_and_stays_small(
        steps in prop::collection::vec((0..40_u8, 0..4_u8, any::<bool>(), any::<bool>()), 1..120),
        registered_after in 0..60_usize,
    ) {
        let mut world = World::default();
        for (index, (number, spelling, is_other_wallet, by_person)) in steps.into_iter().enumerate() {
            if index == registered_after {
                world.register("o");
            }
            let number = match spelling {
                0 => format!("a{number}"),
                1 => format!("A{number}"),
                2 => format!("0a{number}"),
                _ => format!("00A{number}"),
            };
            let said = report(if is_other_wallet { "upi_ib" } else { "paytm" }, &number, "o");
            world.report(&said);
            if by_person && matches!(world.orders.get(&id("o")), Some(DepositRow::Registered(_))) {
                let _ = world.resolve(&said.payment, "o", false);
            }
            let numbers: Vec<_> = world.credited().iter().map(|it| NormalisedNumber::of(&it.key.transaction_id)).collect();
            let distinct: BTreeSet<_> = numbers.iter().collect();
            prop_assert_eq!(distinct.len(), numbers.len());
            if let Some(DepositRow::Registered(order)) = world.orders.get(&id("o")) {
                let count = u64::try_from(numbers.len()).unwrap();
                let sum = numbers.iter().map(|_| amount("700")).collect();
                prop_assert_eq!(order.total_credits(), Totals { count, sum });
                prop_assert!(order.credited.len() <= MAX_CREDITS && order.waiting.is_empty());
                prop_assert_eq!(order.totals.is_some(), count > 1);
                let credits = world.events.iter().filter(|event| event.kind() == "deposit.credited").count();
                prop_assert_eq!(credits, numbers.len());
            }
        }
    }
}
