//! What is believed about a row, over all histories, is what was published about its money.

use domain::*;
use proptest::prelude::*;
use store::{AnyRow, Stored};

use super::super::entry::{Entry, OurRecord, Side};
use super::Standing;

const LABELS: [&str; 2] = ["user-1", "user-2"];

fn remark() -> Remark {
    Remark::parse("ticket 7").unwrap()
}

fn resolution(outcome: Outcome, at: Timestamp) -> Resolution {
    Resolution::new(outcome, remark(), remark(), remark(), at)
}

fn label(which: bool) -> Label {
    Label::parse(LABELS[usize::from(which)]).unwrap()
}

fn order(which: bool) -> Order {
    Order {
        custom_transaction_id: CustomTransactionId::parse(if which { "order-2" } else { "order-1" }).unwrap(),
        label: label(which),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        wallet_type: WalletType::parse("paytm").unwrap(),
        amount: None,
        lang: None,
        window: Window::default(),
    }
}

/// The facts of a postback. Every one is of a list of its own.
fn facts(order: &str, amount: &str, label: Label, at: Timestamp) -> SignedFacts {
    let mut list = [0; 32];
    list[..8].copy_from_slice(&at.0.to_be_bytes());
    let place = ListPlace::Stored { list: ListHash::from(list) };
    SignedFacts {
        custom_transaction_id: order.into(),
        order_before_hyphen: None,
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(label),
        evidence: Evidence { place, element: 0, received_at: at },
    }
}

/// Our record of a row; `None` where it has no money.
fn ours(row: &AnyRow) -> Option<OurRecord> {
    Entry::of_row(row).map(|entry| match entry.side {
        Side::Ours(ours) => ours,
        Side::Providers(theirs) => panic!("{theirs:?}"),
    })
}

/// What reconcile believes about a row.
fn believed(row: &AnyRow) -> Option<Standing> {
    ours(row).map(|ours| ours.standing)
}

fn found(outcome: Outcome) -> Standing {
    match outcome {
        Outcome::Paid | Outcome::Credited => Standing::Success,
        Outcome::Failed | Outcome::Rejected => Standing::Fail,
    }
}

/// What happens to a payment; the first `bool` chooses the order.
#[derive(Clone, Copy, Debug)]
enum ToPayment {
    Register(bool),
    Enter(bool),
    Postback { order: bool, other_amount: bool, other_label: bool },
    Resolve(bool, Outcome),
}

fn to_payment() -> impl Strategy<Value = ToPayment> {
    prop_oneof![
        any::<bool>().prop_map(ToPayment::Register),
        any::<bool>().prop_map(ToPayment::Enter),
        (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.3))
            .prop_map(|(order, other_amount, other_label)| ToPayment::Postback { order, other_amount, other_label }),
        (any::<bool>(), prop_oneof![Just(Outcome::Credited), Just(Outcome::Rejected)])
            .prop_map(|(order, outcome)| ToPayment::Resolve(order, outcome)),
    ]
}

/// A payment and its orders, and what was published.
#[derive(Default)]
struct Payments {
    payment: Option<Payment>,
    orders: [Option<DepositRow>; 2],
    published: Option<Standing>,
    is_credited: bool,
}

impl Payments {
    fn key() -> PaymentKey {
        PaymentKey {
            wallet_type: WalletType::parse("paytm").unwrap(),
            transaction_id: TransactionId::parse("47752123519").unwrap(),
        }
    }

    fn write(&mut self, payments: impl IntoIterator<Item = Payment>) {
        for payment in payments {
            let was_proved = self.payment.as_ref().is_some_and(|old| old.facts().is_some());
            for event in payment.events(self.payment.as_ref()) {
                // A credit is published by the order. A decision that closes what contradicts a rejected payment credits nobody.
                if let (Event::TransactionResolved(it), true) = (event, was_proved)
                    && it.outcome == Outcome::Rejected
                {
                    self.published = Some(Standing::Fail);
                }
            }
            self.payment = Some(payment);
        }
    }

    fn write_order(&mut self, deposit: Deposit) {
        let which = usize::from(deposit.order.custom_transaction_id == order(true).custom_transaction_id);
        let row = DepositRow::Registered(deposit);
        self.is_credited |= row
            .events(self.orders[which].as_ref())
            .iter()
            .any(|event| matches!(event, Event::DepositCredited(it) if it.payment == Self::key()));
        self.orders[which] = Some(row);
    }

    fn happen(&mut self, what: ToPayment, at: Timestamp) {
        match what {
            ToPayment::Register(which) => {
                let deposit = Deposit::new(order(which), "{}".into(), at);
                if self.orders[usize::from(which)].is_none() {
                    let waiting: Vec<_> = self
                        .payment
                        .iter()
                        .filter(|it| it.facts().is_some_and(|facts| facts.names(&order(which).custom_transaction_id)))
                        .cloned()
                        .collect();
                    let (deposit, payments, _) = match_waiting(deposit, &waiting, &[]);
                    self.write(payments);
                    self.write_order(deposit);
                }
            }
            ToPayment::Enter(which) => {
                let call = Call { nonce: at.0.to_string(), at };
                let (payment, order, amount) = (Self::key(), order(which), Amount::parse("700").unwrap());
                let entering = Entering {
                    payment: &payment,
                    order: &order,
                    amount,
                    known: None,
                    call: &call,
                    separator: Separator::Dot,
                };
                self.write(Payment::claim(self.payment.as_ref(), &entering).0);
            }
            ToPayment::Postback { order: which, other_amount, other_label } => {
                let amount = if other_amount { "70" } else { "700" };
                let id = order(which).custom_transaction_id;
                let facts = facts(id.as_str(), amount, label(which != other_label), at);
                let report = DepositReport { payment: Self::key(), facts, mismatch: None };
                let current = self.payment.clone();
                let row = self.orders[usize::from(which)].clone();
                let rows = Rows { payment: current.as_ref(), order: row.as_ref(), ..Rows::default() };
                match decide(&rows, &report) {
                    Decision::Credit(rows) => {
                        self.write([rows.payment]);
                        self.write_order(rows.deposit);
                    }
                    Decision::Unmatched(payment, _) | Decision::Quarantine(payment, _) => self.write([payment]),
                    Decision::Conflict(payment, _) => self.write(payment),
                    Decision::Repeat => {}
                }
            }
            ToPayment::Resolve(which, outcome) => {
                let Some(payment) = self.payment.clone() else { return };
                let order = self.orders[usize::from(which)].clone();
                let order = order.as_ref().and_then(DepositRow::registered);
                match payment.resolve(order, None, resolution(outcome, at)) {
                    Ok(Decided::Payment(payment)) => self.write([*payment]),
                    Ok(Decided::Credited(rows)) => {
                        self.write([rows.payment]);
                        self.write_order(rows.deposit);
                    }
                    Err(_) => {}
                }
            }
        }
    }

    /// A credit was published once and for all.
    fn check(&self) -> Result<(), TestCaseError> {
        let Some(payment) = self.payment.clone() else { return Ok(()) };
        let published = if self.is_credited { Standing::Success } else { self.published.unwrap_or(Standing::Other) };
        let expected = payment.facts().map(|_| published);
        prop_assert_eq!(
            believed(&AnyRow::Payment(Stored { row: payment.clone(), version: 1 })),
            expected,
            "{:?}",
            payment
        );
        Ok(())
    }
}

/// What happens to a withdrawal.
#[derive(Clone, Copy, Debug)]
enum ToWithdrawal {
    Answer { is_latest: bool, answer: u8 },
    SendAgain(bool),
    Lose,
    Restore,
    Postback { status: Option<i64>, other_amount: bool },
    Resolve(Outcome),
}

fn to_withdrawal() -> impl Strategy<Value = ToWithdrawal> {
    let status = prop_oneof![Just(Some(1)), Just(Some(5)), Just(None), Just(Some(7))];
    prop_oneof![
        (any::<bool>(), 0_u8..4).prop_map(|(is_latest, answer)| ToWithdrawal::Answer { is_latest, answer }),
        any::<bool>().prop_map(ToWithdrawal::SendAgain),
        Just(ToWithdrawal::Lose),
        Just(ToWithdrawal::Restore),
        (status, prop::bool::weighted(0.2))
            .prop_map(|(status, other_amount)| ToWithdrawal::Postback { status, other_amount }),
        prop_oneof![Just(Outcome::Paid), Just(Outcome::Failed)].prop_map(ToWithdrawal::Resolve),
    ]
}

fn request() -> WithdrawalRequest {
    WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse("w1").unwrap(),
        label: label(false),
        amount: Amount::parse("1000").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    }
}

struct Withdrawals {
    row: Option<WithdrawalRow>,
    published: Standing,
}

impl Withdrawals {
    fn write(&mut self, rows: impl IntoIterator<Item = WithdrawalRow>) {
        for row in rows {
            for event in row.events(self.row.as_ref()) {
                let standing = if let Event::TransactionResolved(it) = &event {
                    Some(found(it.outcome))
                } else if let Event::WithdrawalPaid(_) = event {
                    Some(Standing::Success)
                } else {
                    matches!(event, Event::WithdrawalFailed(_)).then_some(Standing::Fail)
                };
                self.published = standing.unwrap_or(self.published);
            }
            // The signed proof of an end that was published before is no new event, and still the last word about the money.
            if let (Some(standing), None) = (signed(Some(&row)), signed(self.row.as_ref())) {
                self.published = standing;
            }
            self.row = Some(row);
        }
    }

    fn happen(&mut self, what: ToWithdrawal, at: Timestamp) {
        let registered = self.row.as_ref().and_then(WithdrawalRow::registered).cloned();
        let own = |row: Withdrawal| WithdrawalRow::Registered(Box::new(row));
        let mut after = |transition: fn(&Withdrawal) -> Transition<Withdrawal>| {
            let Some(row) = &registered else { return };
            self.write(row.after(transition(row), None, at).0.map(own));
        };
        match what {
            ToWithdrawal::Lose => after(Withdrawal::lose),
            ToWithdrawal::Restore => after(Withdrawal::restored),
            ToWithdrawal::SendAgain(resend_unknown) => {
                let again = registered.and_then(|it| it.send_again(at.0.to_string(), at, resend_unknown));
                self.write(again.map(own));
            }
            ToWithdrawal::Answer { is_latest, answer } => {
                let Some(row) = registered else { return };
                let attempt = if is_latest { row.attempts.last() } else { row.attempts.first() };
                let submission = match answer {
                    0 => Submission::Accepted,
                    1 => Submission::Rejected("no".into()),
                    2 => Submission::NotSent("no route".into()),
                    _ => Submission::Unknown("reset".into()),
                };
                let transition = row.answered(&attempt.unwrap().sender, &submission, at);
                self.write(row.after(transition, None, at).0.map(own));
            }
            ToWithdrawal::Postback { status, other_amount } => {
                let report = WithdrawalReport {
                    withdrawal_id: request().withdrawal_id,
                    wallet_type: request().payment_system,
                    withdrawal_status: status,
                    facts: facts("", if other_amount { "100" } else { "1000" }, label(false), at),
                    mismatch: None,
                };
                self.write(WithdrawalRow::reported(self.row.as_ref(), &report).0);
            }
            ToWithdrawal::Resolve(outcome) => match self.row.clone() {
                Some(WithdrawalRow::Registered(row)) => {
                    self.write(row.resolve(resolution(outcome, at)).map(own));
                }
                Some(WithdrawalRow::Foreign(row)) => {
                    let row = row.resolve(resolution(outcome, at)).map(|it| WithdrawalRow::Foreign(Box::new(it)));
                    self.write(row);
                }
                Some(WithdrawalRow::Reserved(_)) | None => {}
            },
        }
    }
}

/// The end that the provider has signed.
fn signed(row: Option<&WithdrawalRow>) -> Option<Standing> {
    let state = &row?.registered()?.state;
    if let WithdrawalState::Paid { facts: Some(_) } = state {
        return Some(Standing::Success);
    }
    matches!(state, WithdrawalState::Failed { facts: Some(_) }).then_some(Standing::Fail)
}

fn every_moment() -> impl Iterator<Item = Timestamp> {
    // A claim gives its number up after a day.
    (0..).step_by(13 * 60 * 60 * 1_000).skip(1).map(Timestamp)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_believed_about_a_payment_was_published(history in prop::collection::vec(to_payment(), 1..14)) {
        let mut payments = Payments::default();
        for (what, at) in history.into_iter().zip(every_moment()) {
            payments.happen(what, at);
            payments.check()?;
        }
    }

    #[test]
    fn what_is_believed_about_a_withdrawal_was_published(
        is_registered: bool,
        history in prop::collection::vec(to_withdrawal(), 1..14),
    ) {
        let new = || Withdrawal::new(request(), "{}".into(), "sender".into(), Timestamp(0));
        let row = is_registered.then(|| WithdrawalRow::Registered(Box::new(new())));
        let mut withdrawals = Withdrawals { row, published: Standing::Other };
        for (what, at) in history.into_iter().zip(every_moment()) {
            withdrawals.happen(what, at);
            let Some(row) = withdrawals.row.clone() else { continue };
            let stored = AnyRow::Withdrawal(Stored { row: row.clone(), version: 1 });
            prop_assert_eq!(believed(&stored), Some(withdrawals.published), "{:?}", row);
        }
    }
}

#[test]
fn a_number_taken_from_the_wrong_order_and_credited_to_the_right_one_has_moved() {
    let mut payments = Payments::default();
    let history = [
        ToPayment::Register(true),
        ToPayment::Enter(false),
        ToPayment::Resolve(false, Outcome::Rejected),
        ToPayment::Postback { order: true, other_amount: false, other_label: false },
        ToPayment::Resolve(true, Outcome::Credited),
    ];
    for (what, at) in history.into_iter().zip(every_moment()) {
        payments.happen(what, at);
        payments.check().unwrap();
    }
    assert!(payments.is_credited);
    // A later decision about a conflict does not take the credit back.
    payments
        .happen(ToPayment::Postback { order: true, other_amount: true, other_label: false }, Timestamp(u64::MAX / 4));
    payments.happen(ToPayment::Resolve(true, Outcome::Rejected), Timestamp(u64::MAX / 2));
    assert_eq!(payments.payment.as_ref().map(|it| it.resolutions.len()), Some(3));
    payments.check().unwrap();
}

#[test]
fn a_clock_that_differs_hides_no_finding_and_makes_none() {
    // A person whose clock is early finds out that a failed withdrawal was paid.
    let mut withdrawals = Withdrawals { row: None, published: Standing::Other };
    let new = Withdrawal::new(request(), "{}".into(), "sender".into(), Timestamp(0));
    withdrawals.write([WithdrawalRow::Registered(Box::new(new))]);
    withdrawals.happen(ToWithdrawal::Postback { status: Some(5), other_amount: false }, Timestamp(100));
    withdrawals.happen(ToWithdrawal::Postback { status: Some(1), other_amount: false }, Timestamp(200));
    withdrawals.happen(ToWithdrawal::Resolve(Outcome::Paid), Timestamp(50));
    let found = ours(&AnyRow::Withdrawal(Stored { row: withdrawals.row.unwrap(), version: 4 })).unwrap();
    assert_eq!((found.standing, found.state.as_str()), (Standing::Success, "failed; a person found: paid"));

    // A person whose clock is late takes a number away before its payment comes.
    let mut payments = Payments::default();
    payments.happen(ToPayment::Register(true), Timestamp(0));
    payments.happen(ToPayment::Enter(false), Timestamp(1));
    payments.happen(ToPayment::Resolve(false, Outcome::Rejected), Timestamp(500));
    payments.happen(ToPayment::Postback { order: true, other_amount: true, other_label: false }, Timestamp(100));
    let found = ours(&AnyRow::Payment(Stored { row: payments.payment.unwrap(), version: 3 })).unwrap();
    assert_eq!((found.standing, found.state.as_str()), (Standing::Success, "credited"));
}
