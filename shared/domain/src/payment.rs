//! The money itself: claimed by an order when a user enters its number, then decided once by a signed postback.

use serde::{Deserialize, Serialize};

use crate::payment_row::PaymentRow;
use crate::{
    Contradiction, Credit, CreditedNumber, CurrencyCode, CustomTransactionId, Deposit, DepositReport, DepositRow,
    DepositState, Entry, Journal, Label, Mismatch, PaymentKey, Resolution, SignedFacts, Unregistered, Waiting,
    WaitingPage,
};

/// What is known about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// A user of this order entered its number; nothing is proved.
    Claimed {
        /// Who claims it.
        order: CustomTransactionId,
        /// Its calls. `None` in old rows: then nobody knows of them.
        journal: Option<Journal>,
    },
    /// The claim was given up, because no call of it had an effect or a person took it away: any order may claim the number.
    Released {
        /// Who claimed it last.
        order: CustomTransactionId,
    },
    /// Verified money for an order that we do not know.
    Unmatched {
        /// What the provider said.
        facts: SignedFacts,
        /// Labels of further copies that agree in all that is signed: the order, once it is known, must have one of them.
        labels: Vec<Label>,
    },
    /// Verified money that is not credited, because something differs.
    Quarantined {
        /// What the provider said.
        facts: SignedFacts,
        /// What differs.
        mismatch: Mismatch,
    },
    /// Credited, once.
    Credited {
        /// The order that got the money.
        order: CustomTransactionId,
        /// The user, as *we* stored it.
        credited_label: Label,
        /// What the provider said.
        facts: SignedFacts,
    },
    /// Verified money that, as a person found, belongs to nobody here.
    Rejected {
        /// What the provider said.
        facts: SignedFacts,
    },
}

impl PaymentState {
    /// The names of the states in which nothing is proved, so that a postback may credit without a look at the row.
    pub const UNPROVED: [&str; 2] = ["claimed", "released"];

    /// Credited to an order, under the label that is stored with it.
    fn credited(deposit: &Deposit, facts: &SignedFacts) -> Self {
        Self::Credited {
            order: deposit.order.custom_transaction_id.clone(),
            credited_label: deposit.order.label.clone(),
            facts: facts.clone(),
        }
    }

    /// Its name in the table and in the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Claimed { .. } => "claimed",
            Self::Released { .. } => "released",
            Self::Unmatched { .. } => "unmatched",
            Self::Quarantined { .. } => "quarantined",
            Self::Credited { .. } => "credited",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// One real payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PaymentRow", into = "PaymentRow")]
pub struct Payment {
    /// Which payment.
    pub key: PaymentKey,
    /// What is known about it.
    pub state: PaymentState,
    /// Who entered the number: one entry for each label, at most [`MAX_LABELS`](crate::MAX_LABELS).
    pub entries: Vec<Entry>,
    /// Whether users of further labels entered it too.
    pub has_more_entries: bool,
    /// What contradicted the decision later.
    pub contradictions: Vec<Contradiction>,
    /// What people decided.
    pub resolutions: Vec<Resolution>,
}

impl Payment {
    /// A payment in a state, with nothing said against it.
    #[must_use]
    pub fn new(key: PaymentKey, state: PaymentState) -> Self {
        Self {
            key,
            state,
            entries: Vec::new(),
            has_more_entries: false,
            contradictions: Vec::new(),
            resolutions: Vec::new(),
        }
    }

    pub(crate) fn with(&self, state: PaymentState) -> Self {
        Self { state, ..self.clone() }
    }

    /// The rows as they are once the signed amount is the order's, under the label that is stored with it.
    pub(crate) fn credited_to(&self, deposit: &Deposit, facts: &SignedFacts) -> CreditedRows {
        let payment = self.with(PaymentState::credited(deposit, facts));
        let credit = Credit { payment: self.key.clone(), amount: facts.amount };
        let (deposit, numbers) = deposit.clone().credit(credit);
        CreditedRows { payment, deposit, numbers }
    }

    pub(crate) fn is_final(&self) -> bool {
        matches!(self.state, PaymentState::Credited { .. } | PaymentState::Rejected { .. })
    }

    fn label_mismatch(&self, report: &DepositReport) -> Option<Mismatch> {
        let PaymentState::Credited { order, credited_label, facts } = &self.state else { return None };
        // A person may have credited it to another order than the signed one: then the label that the provider has stays right.
        let label = if facts.names(order) { Some(credited_label) } else { facts.label.as_ref() };
        (report.facts.label.as_ref() != label).then_some(Mismatch::Label)
    }

    /// What the provider signed about it; `None` while it is only claimed.
    #[must_use]
    pub fn facts(&self) -> Option<&SignedFacts> {
        match &self.state {
            PaymentState::Claimed { .. } | PaymentState::Released { .. } => None,
            PaymentState::Unmatched { facts, .. }
            | PaymentState::Quarantined { facts, .. }
            | PaymentState::Credited { facts, .. }
            | PaymentState::Rejected { facts } => Some(facts),
        }
    }
}

/// The rows that change with a credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditedRows {
    /// The payment.
    pub payment: Payment,
    /// The order.
    pub deposit: Deposit,
    /// Rows that must not exist yet.
    pub numbers: Vec<CreditedNumber>,
}

/// Matches payments that wait for an order with it: those that agree with it are credited to it, the others quarantined. Gives
/// the order, the payments that change, and the credited numbers that are new. `known` are the credited numbers of these
/// payments that have a row.
#[must_use]
pub fn match_waiting(
    mut deposit: Deposit,
    waiting: &[Payment],
    known: &[CreditedNumber],
) -> (Deposit, Vec<Payment>, Vec<CreditedNumber>) {
    // These payments do not wait any more.
    let left = std::mem::take(&mut deposit.waiting);
    let mut row = DepositRow::Registered(deposit.clone());
    let (mut matched, mut payments, mut numbers) = (deposit, Vec::new(), Vec::new());
    for payment in waiting {
        let PaymentState::Unmatched { facts, labels } = &payment.state else { continue };
        let own = labels.iter().find(|label| **label == matched.order.label).cloned();
        let facts = SignedFacts { label: own.or(facts.label.clone()), ..facts.clone() };
        let report = DepositReport { payment: payment.key.clone(), facts, mismatch: None };
        let number = matched.number_to_read(&payment.key.transaction_id);
        let number = known.iter().find(|it| Some(it.id()) == number);
        let rows = Rows { payment: Some(payment), order: Some(&row), number, ..Rows::default() };
        match decide(&rows, &report) {
            Decision::Credit(credited) => {
                row = DepositRow::Registered(credited.deposit.clone());
                matched = credited.deposit;
                payments.push(credited.payment);
                numbers.extend(credited.numbers);
            }
            Decision::Quarantine(payment, _) => payments.push(payment),
            Decision::Unmatched(..) | Decision::Repeat | Decision::Conflict(..) => {}
        }
    }
    matched.waiting = left;
    (matched, payments, numbers)
}

/// What the credit of a report will be if the stored order says what the postback says: written under that condition, it
/// needs no reading first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedCredit {
    /// The payment as it will be.
    pub payment: Payment,
    /// The order that the signed id names.
    pub order: CustomTransactionId,
    /// The label that the stored order must have.
    pub label: Label,
    /// What is added to the order.
    pub credit: Credit,
    /// The currency that the stored order must have. Its wallet must be the payment's.
    pub currency_code: CurrencyCode,
}

impl ExpectedCredit {
    /// Whether the payment may be credited without a look at it: nothing is proved yet, and nobody disputes it.
    #[must_use]
    pub fn may_replace(&self, payment: &Payment) -> bool {
        PaymentState::UNPROVED.contains(&payment.state.name()) && payment.is_undisputed(&self.label)
    }

    /// Both rows after the credit; `None` where the condition does not hold. This is the rule that a store applies in one
    /// conditional transaction. It is an order's first credit: the second one needs a look at the numbers.
    #[must_use]
    pub fn credited(&self, payment: Option<&Payment>, deposit: &Deposit) -> Option<(Payment, Deposit)> {
        let is_same = deposit.state == DepositState::Created
            && deposit.order.label == self.label
            && deposit.order.currency_code == self.currency_code
            && deposit.order.wallet_type == self.payment.key.wallet_type;
        (payment.is_none_or(|it| self.may_replace(it)) && is_same).then(|| {
            let credited = payment.unwrap_or(&self.payment).with(self.payment.state.clone());
            (credited, deposit.clone().credit(self.credit.clone()).0)
        })
    }
}

impl DepositReport {
    fn credit(&self) -> Credit {
        Credit { payment: self.payment.clone(), amount: self.facts.amount }
    }

    /// The credit that is expected. `None` when the report cannot be credited without a look at the rows.
    #[must_use]
    pub fn expected_credit(&self) -> Option<ExpectedCredit> {
        let (None, Some(label)) = (self.mismatch, self.facts.label.clone()) else { return None };
        let order = self.facts.order()?;
        let facts = self.facts.clone();
        let state = PaymentState::Credited { order: order.clone(), credited_label: label.clone(), facts };
        Some(ExpectedCredit {
            payment: Payment::new(self.payment.clone(), state),
            order,
            label,
            credit: self.credit(),
            currency_code: self.facts.currency_code.clone(),
        })
    }
}

/// The place of an order in which an unmatched payment is noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The place.
    pub place: Unregistered,
    /// A page that it has filled.
    pub page: Option<WaitingPage>,
}

/// The current rows on which is decided about a payment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows<'a> {
    /// The payment's.
    pub payment: Option<&'a Payment>,
    /// The row of the order that the signed id names.
    pub order: Option<&'a DepositRow>,
    /// That this order was credited for the number. Where nobody has looked, the write fails if there is such a row.
    pub number: Option<&'a CreditedNumber>,
    /// The order's row cannot be read, or has no room: nothing can be written to it.
    pub is_order_unwritable: bool,
}

impl Rows<'_> {
    /// Whether the order is registered, and payments are left that wait for it.
    fn is_being_matched(&self) -> bool {
        self.order.and_then(DepositRow::registered).is_some_and(|deposit| !deposit.waiting.is_empty())
    }
}

/// The decision about a verified report of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Credit: the rows change together.
    Credit(Box<CreditedRows>),
    /// Verified, but its order is not registered: it is stored, and noted in the order's place if the id can be one of ours.
    Unmatched(Payment, Option<Noted>),
    /// Verified, but something differs: it is held.
    Quarantine(Payment, Mismatch),
    /// It is recorded already.
    Repeat,
    /// Against what was decided. The row, if there is one to write, records it; nothing else changes.
    Conflict(Option<Payment>, Mismatch),
}

/// Decides about a verified report, given the current rows.
///
/// The signed facts of the first postback for a payment hold for ever. Every postback with the *same signed facts* judges a held
/// payment (unmatched, quarantined) again: once its order is registered and the unsigned copies agree, it is credited. So
/// nobody can keep a payment from its order by replaying an altered copy first, and an altered copy that comes later changes
/// nothing.
///
/// # Examples
/// ```
/// # use domain::*;
/// # let order = Order {
/// #     custom_transaction_id: CustomTransactionId::parse("order-1")?,
/// #     label: Label::parse("user-1")?,
/// #     currency_code: CurrencyCode::parse("INR")?,
/// #     wallet_type: WalletType::parse("paytm")?,
/// #     amount: None,
/// #     lang: None,
/// #     window: Window::default(),
/// # };
/// # let key = PaymentKey { wallet_type: order.wallet_type.clone(), transaction_id: TransactionId::parse("47752123519")? };
/// # let place = ListPlace::Stored { list: ListHash::from([0; 32]) };
/// # let evidence = Evidence { place, element: 0, received_at: Timestamp(0) };
/// # let facts = SignedFacts {
/// #     custom_transaction_id: "order-1".into(),
/// #     order_before_hyphen: None,
/// #     amount: Amount::parse("700")?,
/// #     currency_code: order.currency_code.clone(),
/// #     label: Some(order.label.clone()),
/// #     evidence,
/// # };
/// let report = DepositReport { payment: key, facts, mismatch: None };
/// // Nobody has registered the order that the postback names.
/// let Decision::Unmatched(waiting, _) = decide(&Rows::default(), &report) else { panic!() };
///
/// // The order is registered, and the provider repeats the postback.
/// let order = DepositRow::Registered(Deposit::new(order, "{}".into(), Timestamp(0)));
/// let rows = Rows { payment: Some(&waiting), order: Some(&order), ..Rows::default() };
/// let Decision::Credit(credited) = decide(&rows, &report) else { panic!() };
/// assert_eq!(credited.deposit.credited[0].amount, report.facts.amount);
///
/// // A payment is credited once.
/// let order = DepositRow::Registered(credited.deposit);
/// let rows = Rows { payment: Some(&credited.payment), order: Some(&order), ..Rows::default() };
/// assert_eq!(decide(&rows, &report), Decision::Repeat);
/// # Ok::<(), InvalidValue>(())
/// ```
#[must_use]
pub fn decide(rows: &Rows<'_>, report: &DepositReport) -> Decision {
    let Some((payment, facts)) = rows.payment.and_then(|payment| Some((payment, payment.facts()?))) else {
        return decide_first(rows, report);
    };
    if !facts.agree_with(&report.facts) {
        return conflict(payment, report, Mismatch::EarlierPostback);
    }
    if payment.is_final() {
        return match report.mismatch.or(payment.label_mismatch(report)) {
            Some(mismatch) => conflict(payment, report, mismatch),
            None => Decision::Repeat,
        };
    }
    match (&payment.state, judge(rows, report)) {
        (_, Verdict::Credit(deposit)) => Decision::Credit(Box::new(payment.credited_to(deposit, &report.facts))),
        // It is noted already. While the payments that wait for an order are being matched, an altered copy is a further label.
        (
            PaymentState::Unmatched { facts, labels },
            verdict @ (Verdict::Unmatched | Verdict::Quarantine(Mismatch::Label)),
        ) if matches!(verdict, Verdict::Unmatched) || rows.is_being_matched() => {
            match with_label(facts, labels, report) {
                Some(state) => Decision::Unmatched(payment.with(state), None),
                None => Decision::Repeat,
            }
        }
        (_, Verdict::Unmatched) => unmatched(payment.with(waits(report.facts.clone())), rows.order, report),
        (PaymentState::Quarantined { mismatch: known, .. }, Verdict::Quarantine(mismatch)) if mismatch == *known => {
            Decision::Repeat
        }
        // An altered copy does not take away the reason by which a person finds the payment again.
        (PaymentState::Quarantined { mismatch: known, .. }, Verdict::Quarantine(mismatch))
            if mismatch.is_unsigned() && !known.is_unsigned() =>
        {
            conflict(payment, report, mismatch)
        }
        (_, Verdict::Quarantine(mismatch)) if report.mismatch.is_some() => conflict(payment, report, mismatch),
        (_, Verdict::Quarantine(mismatch)) => Decision::Quarantine(payment.with(held(report, mismatch)), mismatch),
    }
}

/// Decides about a payment of which nothing is proved yet: there is no row, or only a claim.
fn decide_first(rows: &Rows<'_>, report: &DepositReport) -> Decision {
    let row = |state: PaymentState| match rows.payment {
        Some(claim) => claim.with(state),
        None => Payment::new(report.payment.clone(), state),
    };
    match judge(rows, report) {
        Verdict::Credit(deposit) => {
            let unproved = row(waits(report.facts.clone()));
            Decision::Credit(Box::new(unproved.credited_to(deposit, &report.facts)))
        }
        Verdict::Unmatched => unmatched(row(waits(report.facts.clone())), rows.order, report),
        Verdict::Quarantine(mismatch) => Decision::Quarantine(row(held(report, mismatch)), mismatch),
    }
}

enum Verdict<'a> {
    Credit(&'a Deposit),
    Quarantine(Mismatch),
    Unmatched,
}

fn judge<'a>(rows: &Rows<'a>, report: &DepositReport) -> Verdict<'a> {
    let Rows { payment, order, number, is_order_unwritable } = *rows;
    if let Some(mismatch) = report.mismatch {
        return Verdict::Quarantine(mismatch);
    }
    if is_order_unwritable {
        return Verdict::Quarantine(Mismatch::OrderUnwritable);
    }
    let Some(DepositRow::Registered(deposit)) = order else { return Verdict::Unmatched };
    let is_of_another = |number: &CreditedNumber| number.payment != report.payment;
    if deposit.order.currency_code != report.facts.currency_code {
        Verdict::Quarantine(Mismatch::OrderCurrencyCode)
    } else if deposit.order.wallet_type != report.payment.wallet_type {
        Verdict::Quarantine(Mismatch::OrderWalletType)
    } else if payment.is_some_and(|it| it.was_taken_from(&deposit.order.custom_transaction_id)) {
        Verdict::Quarantine(Mismatch::TakenAway)
    } else if payment.is_some_and(|it| it.is_contested(&deposit.order.label, report.facts.amount)) {
        Verdict::Quarantine(Mismatch::Contested)
    } else if Some(&deposit.order.label) != report.facts.label.as_ref() {
        Verdict::Quarantine(Mismatch::Label)
    } else if number.is_some_and(is_of_another) || deposit.has_number_of_another(&report.payment) {
        Verdict::Quarantine(Mismatch::SameNumber)
    } else {
        Verdict::Credit(deposit)
    }
}

fn held(report: &DepositReport, mismatch: Mismatch) -> PaymentState {
    PaymentState::Quarantined { facts: report.facts.clone(), mismatch }
}

fn waits(facts: SignedFacts) -> PaymentState {
    PaymentState::Unmatched { facts, labels: Vec::new() }
}

/// The label is not signed: an altered copy may have come before the genuine one. `None` when there is nothing new, or
/// when too many have come: then it waits for a person.
fn with_label(facts: &SignedFacts, labels: &[Label], report: &DepositReport) -> Option<PaymentState> {
    const MOST: usize = 40;
    let label = report.facts.label.as_ref()?;
    let is_known = facts.label.as_ref() == Some(label) || labels.contains(label);
    let labels = [labels, std::slice::from_ref(label)].concat();
    (!is_known && labels.len() <= MOST).then(|| PaymentState::Unmatched { facts: facts.clone(), labels })
}

fn unmatched(row: Payment, order: Option<&DepositRow>, report: &DepositReport) -> Decision {
    let noted = report.facts.order().map(|custom_transaction_id| {
        let mut waiting = match order {
            Some(DepositRow::Unregistered(place)) => place.waiting.clone(),
            Some(DepositRow::Registered(_)) | None => Waiting::default(),
        };
        let page = waiting.add(&custom_transaction_id, &report.payment);
        Noted { place: Unregistered { custom_transaction_id, waiting }, page }
    });
    Decision::Unmatched(row, noted)
}

fn conflict(payment: &Payment, report: &DepositReport, mismatch: Mismatch) -> Decision {
    let mut row = payment.clone();
    let contradiction = Contradiction { mismatch, facts: Some(report.facts.clone()) };
    let is_new = contradiction.record(&mut row.contradictions);
    Decision::Conflict(is_new.then_some(row), mismatch)
}
