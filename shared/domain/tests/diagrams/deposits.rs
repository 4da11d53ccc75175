//! One payment and the two orders that may get it.

use std::sync::LazyLock;

use domain::{
    Amount, Call, CallResult, Called, CurrencyCode, CustomTransactionId, Decided, Decision, Deposit, DepositReport,
    DepositRow, Entering, Label, Mismatch, Noted, Order, Outcome, Payment, PaymentKey, PaymentState, Separator,
    Timestamp, TransactionId, WalletType, Window, decide, match_waiting,
};

use crate::{World, essence, facts, resolution, state};

const ORDERS: [&str; 2] = ["a", "b"];

static REGISTRATIONS: LazyLock<Vec<Order>> = LazyLock::new(registrations);
static REPORTS: LazyLock<Vec<DepositReport>> = LazyLock::new(reports);

#[derive(Clone, Default)]
pub(crate) struct Rows {
    payment: Option<Payment>,
    /// The rows of [`ORDERS`].
    orders: [Option<DepositRow>; 2],
}

impl World for Rows {
    fn key(&self) -> String {
        let payment = self.payment.as_ref().map(|row| {
            let taken: Vec<_> =
                ORDERS.iter().map(|id| row.was_taken_from(&CustomTransactionId::parse(*id).unwrap())).collect();
            let bare = Payment { contradictions: Vec::new(), resolutions: Vec::new(), ..row.clone() };
            (bare, taken, essence(&row.contradictions, &row.resolutions))
        });
        serde_json::to_string(&(payment, &self.orders)).unwrap()
    }

    fn next(&self) -> Vec<Self> {
        let registered = REGISTRATIONS.iter().filter_map(|order| self.register(order));
        let entered = ORDERS.into_iter().flat_map(|id| [self.claim(id), self.fail(id)]).flatten();
        let reported = REPORTS.iter().flat_map(|report| [self.credit(report), self.decide(report)]).flatten();
        let orders = [None, self.registered("a"), self.registered("b")];
        let outcomes = Outcome::ALL.into_iter();
        let resolved = outcomes.flat_map(|outcome| orders.map(|order| self.resolve(order, outcome))).flatten();
        registered.chain(entered).chain(reported).chain(resolved).collect()
    }

    fn states(&self) -> Vec<String> {
        let orders = self.orders.iter().map(|row| state(row.as_ref()));
        [state(self.payment.as_ref())].into_iter().chain(orders).collect()
    }
}

impl Rows {
    fn row(&self, id: &str) -> Option<&DepositRow> {
        ORDERS.iter().zip(&self.orders).find(|(order, _)| **order == id).and_then(|(_, row)| row.as_ref())
    }

    fn registered(&self, id: &str) -> Option<&Deposit> {
        match self.row(id)? {
            DepositRow::Registered(deposit) => Some(deposit),
            DepositRow::Unregistered(_) => None,
        }
    }

    fn with_payment(&self, payment: Payment) -> Self {
        Self { payment: Some(payment), ..self.clone() }
    }

    fn with_order(mut self, row: DepositRow) -> Self {
        let index = ORDERS.iter().position(|id| *id == row.id().as_str()).unwrap();
        self.orders[index] = Some(row);
        self
    }

    /// The merchant registers an order.
    fn register(&self, order: &Order) -> Option<Self> {
        let deposit = Deposit::new(order.clone(), "{}".into(), Timestamp(0));
        match self.row(deposit.order.custom_transaction_id.as_str()) {
            None => Some(self.clone().with_order(DepositRow::Registered(deposit))),
            Some(DepositRow::Registered(_)) => None,
            Some(DepositRow::Unregistered(place)) => {
                let waiting = self.payment.iter().filter(|payment| place.waiting.newest.contains(&payment.key));
                let (deposit, matched, _) = match_waiting(deposit, &waiting.cloned().collect::<Vec<_>>(), &[]);
                let rows = matched.into_iter().next().map_or(self.clone(), |payment| self.with_payment(payment));
                Some(rows.with_order(DepositRow::Registered(deposit)))
            }
        }
    }

    /// A user enters the number for a registered order that does not claim it.
    fn claim(&self, id: &str) -> Option<Self> {
        let Order { custom_transaction_id, .. } = &self.registered(id)?.order;
        let is_own =
            |it: &Payment| matches!(&it.state, PaymentState::Claimed { order, .. } if order == custom_transaction_id);
        if self.payment.as_ref().is_some_and(is_own) {
            return None;
        }
        let entering = Entering {
            payment: &payment_key(),
            order: &self.registered(id)?.order,
            amount: Amount::parse("700").unwrap(),
            known: None,
            call: &call(),
            separator: Separator::Dot,
        };
        Payment::claim(self.payment.as_ref(), &entering).0.map(|payment| self.with_payment(payment))
    }

    /// The provider rejects the order's call. What the order's row notes of it changes no state.
    fn fail(&self, id: &str) -> Option<Self> {
        let PaymentState::Claimed { journal: Some(journal), .. } = &self.payment.as_ref()?.state else { return None };
        let (number, call) = (payment_key().transaction_id, call());
        let called = Called { number: &number, id: &journal.id, call: &call, amount: Amount::parse("700").unwrap() };
        let result = CallResult::Failed("no".into());
        let released = self.registered(id)?.called(&called, &result, self.payment.as_ref()).released;
        released.map(|payment| self.with_payment(payment))
    }

    /// The credit that the store writes without reading, on its conditions.
    fn credit(&self, report: &DepositReport) -> Option<Self> {
        let expected = report.expected_credit()?;
        let is_undecided = self.payment.as_ref().is_none_or(|payment| {
            let is_unproved = matches!(payment.state, PaymentState::Claimed { .. } | PaymentState::Released { .. });
            let is_own = payment.entries.iter().all(|entry| entry.label == expected.label);
            is_unproved && is_own && payment.resolutions.is_empty()
        });
        let deposit = self.registered(expected.order.as_str())?;
        let Order { label, currency_code, wallet_type, .. } = &deposit.order;
        let is_written = is_undecided
            && deposit.credited.is_empty()
            && *label == expected.label
            && *currency_code == expected.currency_code
            && *wallet_type == expected.payment.key.wallet_type;
        let (deposit, _) = deposit.clone().credit(expected.credit);
        is_written.then(|| self.with_payment(expected.payment).with_order(DepositRow::Registered(deposit)))
    }

    /// A postback, decided on the rows that were read.
    fn decide(&self, report: &DepositReport) -> Option<Self> {
        let named = report.facts.order();
        let order = named.and_then(|id| self.row(id.as_str()));
        let rows = domain::Rows { payment: self.payment.as_ref(), order, ..domain::Rows::default() };
        match decide(&rows, report) {
            Decision::Credit(credited) => {
                Some(self.with_payment(credited.payment).with_order(DepositRow::Registered(credited.deposit)))
            }
            Decision::Unmatched(payment, Some(Noted { place, .. })) => {
                Some(self.with_payment(payment).with_order(DepositRow::Unregistered(place)))
            }
            Decision::Unmatched(payment, None)
            | Decision::Quarantine(payment, _)
            | Decision::Conflict(Some(payment), _) => Some(self.with_payment(payment)),
            Decision::Conflict(None, _) | Decision::Repeat => None,
        }
    }

    /// A person decides.
    fn resolve(&self, order: Option<&Deposit>, outcome: Outcome) -> Option<Self> {
        Some(match self.payment.as_ref()?.resolve(order, None, resolution(outcome)).ok()? {
            Decided::Payment(payment) => self.with_payment(*payment),
            Decided::Credited(credited) => {
                self.with_payment(credited.payment).with_order(DepositRow::Registered(credited.deposit))
            }
        })
    }
}

/// Both orders as the reports say, and the first with one thing changed.
fn registrations() -> Vec<Order> {
    let order = |id, label, currency, wallet| Order {
        custom_transaction_id: CustomTransactionId::parse(id).unwrap(),
        label: Label::parse(label).unwrap(),
        currency_code: CurrencyCode::parse(currency).unwrap(),
        wallet_type: WalletType::parse(wallet).unwrap(),
        amount: None,
        lang: None,
        window: Window::default(),
    };
    let a = [("u", "INR", "paytm"), ("v", "INR", "paytm"), ("u", "USD", "paytm"), ("u", "INR", "upi")];
    let a = a.map(|(label, currency, wallet)| order("a", label, currency, wallet));
    a.into_iter().chain([order("b", "u", "INR", "paytm")]).collect()
}

/// For each order, and for an id that cannot be ours: a report, and the same with one thing changed.
fn reports() -> Vec<DepositReport> {
    let of = |id| {
        let report = |amount, currency, label, mismatch| DepositReport {
            payment: payment_key(),
            facts: facts(id, amount, currency, label),
            mismatch,
        };
        [
            report("700", "INR", Some("u"), None),
            report("800", "INR", Some("u"), None),
            report("700", "USD", Some("u"), None),
            report("700", "INR", Some("v"), None),
            report("700", "INR", None, None),
            report("700", "INR", Some("u"), Some(Mismatch::Amount)),
            report("700", "INR", Some("u"), Some(Mismatch::WalletType)),
        ]
    };
    ["a", "b", "none of ours"].into_iter().flat_map(of).collect()
}

fn call() -> Call {
    Call { nonce: "call".into(), at: Timestamp(0) }
}

fn payment_key() -> PaymentKey {
    PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse("47752123519").unwrap(),
    }
}
