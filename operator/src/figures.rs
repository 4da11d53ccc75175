//! Figures: what moved on which day, what waits for how long, and what was refused. Counts and sums of all rows, by currency.

use std::collections::BTreeMap;

use domain::{
    Amount, AttentionKind, CurrencyCode, Outcome, Payment, PaymentState, Resolution, Timestamp, Totals, WalletType,
    Withdrawal, WithdrawalState,
};
use indicatif::ProgressBar;
use store::{AnyRow, Scan};

use crate::days::Days;
use crate::failure::Failure;
use crate::scan::{Unreadable, scan};
use crate::sums::Sums;

/// How money has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flow {
    /// A payment was credited.
    Credited,
    /// A withdrawal was paid.
    Paid,
    /// The provider refused a withdrawal when it was asked for.
    RejectedWithdrawal,
    /// A withdrawal failed at the provider.
    FailedWithdrawal,
    /// A person found that a payment is nobody's here.
    RejectedPayment,
}

/// For how long a row has been waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Age {
    Hour,
    Day,
    Week,
    Older,
}

/// Rows that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) rows: u64,
    /// Of those that have an amount.
    pub(crate) sums: Sums,
}

/// What ended on each day, and in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Daily {
    pub(crate) days: Vec<Totals>,
    pub(crate) total: Totals,
}

/// The same, by any wallet and by each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByWallet {
    pub(crate) all: Daily,
    pub(crate) wallets: BTreeMap<WalletType, Daily>,
}

/// All figures.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) days: Days,
    pub(crate) flows: BTreeMap<(CurrencyCode, Flow), ByWallet>,
    /// What is held or open now, whenever it came.
    pub(crate) waiting: BTreeMap<AttentionKind, BTreeMap<Age, Waiting>>,
    /// The rows that cannot be read. They are in no other figure.
    pub(crate) unreadable: Unreadable,
}

const HOUR_MS: u64 = 3_600_000;

impl Flow {
    pub(crate) const REFUSALS: [Self; 3] = [Self::RejectedWithdrawal, Self::FailedWithdrawal, Self::RejectedPayment];

    /// For people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Credited => "Credited payments",
            Self::Paid => "Paid withdrawals",
            Self::RejectedWithdrawal => "Rejected withdrawals",
            Self::FailedWithdrawal => "Failed withdrawals",
            Self::RejectedPayment => "Rejected payments",
        }
    }
}

impl Age {
    pub(crate) const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Older];

    /// For people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "Less than an hour",
            Self::Day => "Less than a day",
            Self::Week => "Less than a week",
            Self::Older => "Older",
        }
    }

    fn of(since: Timestamp, now: Timestamp) -> Self {
        match now.0.saturating_sub(since.0).div_euclid(HOUR_MS) {
            0 => Self::Hour,
            1..24 => Self::Day,
            24..168 => Self::Week,
            _ => Self::Older,
        }
    }
}

impl Daily {
    fn add(&mut self, place: usize, amount: Amount) {
        for totals in self.days.get_mut(place).into_iter().chain([&mut self.total]) {
            *totals = totals.plus(amount);
        }
    }
}

/// Counts all rows.
pub(crate) async fn figures(
    table: &(impl Scan + Clone + Send + 'static),
    days: Days,
    now: Timestamp,
    bar: &ProgressBar,
) -> Result<Figures, Failure> {
    let mut figures = Figures::new(days);
    let rows = scan(table, bar, |row| {
        match row {
            Ok(scanned) => figures.add(&scanned.row, now),
            Err(bad) => figures.unreadable.add(bad),
        }
        Ok(())
    });
    rows.await?;
    Ok(figures)
}

/// Money that has ended: how, when, by which wallet, and how much.
type Ended<'a> = (Flow, Timestamp, &'a WalletType, Amount, &'a CurrencyCode);

impl Figures {
    fn new(days: Days) -> Self {
        let (flows, waiting) = (BTreeMap::new(), BTreeMap::new());
        Self { days, flows, waiting, unreadable: Unreadable::default() }
    }

    fn add(&mut self, row: &AnyRow, now: Timestamp) {
        if let Some(attention) = row.attention() {
            let waiting =
                self.waiting.entry(attention.kind).or_default().entry(Age::of(attention.at, now)).or_default();
            waiting.rows = waiting.rows.saturating_add(1);
            if let Some((amount, currency_code)) = row.money() {
                waiting.sums.add(currency_code, amount);
            }
        }
        let ended = match row {
            AnyRow::Payment(it) => of_payment(&it.row),
            AnyRow::Withdrawal(it) => it.row.registered().and_then(of_withdrawal),
            AnyRow::Deposit(_)
            | AnyRow::Unreadable(_)
            | AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_)
            | AnyRow::Proposal(_)
            | AnyRow::TableIdentity(_) => None,
        };
        let Some((flow, at, wallet, amount, currency_code)) = ended else { return };
        let Some(place) = self.days.place(at) else { return };
        let none = Daily { days: vec![Totals::default(); self.days.count()], total: Totals::default() };
        let empty = || ByWallet { all: none.clone(), wallets: BTreeMap::new() };
        let by_wallet = self.flows.entry((currency_code.clone(), flow)).or_insert_with(empty);
        by_wallet.all.add(place, amount);
        by_wallet.wallets.entry(wallet.clone()).or_insert(none).add(place, amount);
    }
}

/// A payment ends when its signed postback comes, or when a person decides.
fn of_payment(row: &Payment) -> Option<Ended<'_>> {
    let (flow, facts, order) = match &row.state {
        PaymentState::Credited { facts, order, .. } => (Flow::Credited, facts, Some(order)),
        PaymentState::Rejected { facts } => (Flow::RejectedPayment, facts, None),
        PaymentState::Claimed { .. }
        | PaymentState::Released { .. }
        | PaymentState::Unmatched { .. }
        | PaymentState::Quarantined { .. } => return None,
    };
    // Other decisions are about a claim on the number, or about what contradicts the end.
    let decided = |it: &&Resolution| match order {
        Some(_) => it.credited_to.as_ref() == order,
        None => it.outcome == Outcome::Rejected && it.taken_from.is_none(),
    };
    let at = row.resolutions.iter().find(decided).map_or(facts.evidence.received_at, |it| it.at);
    Some((flow, at, &row.key.wallet_type, facts.amount, &facts.currency_code))
}

fn of_withdrawal(row: &Withdrawal) -> Option<Ended<'_>> {
    let flow = match &row.state {
        WithdrawalState::Paid { .. } => Flow::Paid,
        WithdrawalState::Failed { .. } => Flow::FailedWithdrawal,
        WithdrawalState::Rejected { .. } => Flow::RejectedWithdrawal,
        WithdrawalState::Sending | WithdrawalState::Waiting | WithdrawalState::Unknown | WithdrawalState::Submitted => {
            return None;
        }
    };
    let request = &row.request;
    Some((flow, row.state_since, &request.payment_system, request.amount, &request.currency_code))
}

#[cfg(test)]
mod tests {
    use domain::{
        CustomTransactionId, Evidence, Label, ListHash, ListPlace, Mismatch, PaymentKey, Remark, SignedFacts,
    };
    use domain::{TransactionId, WithdrawalRow};
    use serde_json::json;
    use store::Stored;

    use super::*;
    use crate::time::time;

    fn at(text: &str) -> Timestamp {
        time(text).unwrap()
    }

    fn facts(amount: &str, currency_code: &str, received_at: Timestamp) -> SignedFacts {
        SignedFacts {
            custom_transaction_id: "order-1".into(),
            order_before_hyphen: None,
            amount: Amount::parse(amount).unwrap(),
            currency_code: CurrencyCode::parse(currency_code).unwrap(),
            label: None,
            evidence: Evidence { place: ListPlace::Stored { list: ListHash::from([0; 32]) }, element: 0, received_at },
        }
    }

    fn order() -> CustomTransactionId {
        CustomTransactionId::parse("order-1").unwrap()
    }

    fn credited(facts: SignedFacts) -> PaymentState {
        PaymentState::Credited { order: order(), credited_label: Label::parse("user-1").unwrap(), facts }
    }

    fn payment(wallet: &str, state: PaymentState, resolutions: Vec<Resolution>) -> AnyRow {
        let (wallet_type, transaction_id) = (WalletType::parse(wallet).unwrap(), TransactionId::parse("1").unwrap());
        let row = Payment { resolutions, ..Payment::new(PaymentKey { wallet_type, transaction_id }, state) };
        AnyRow::Payment(Stored { row, version: 1 })
    }

    fn withdrawal(state: &str, amount: &str, state_since: Timestamp) -> AnyRow {
        let row: Withdrawal = serde_json::from_value(json!({
            "withdrawal_id": "w1", "label": "user-1", "amount": amount, "currency_code": "INR", "account_number": "1",
            "payment_system": "paytm", "is_test": false, "state": state, "message": "no", "body": "", "attempts": [],
            "created_at": 0, "changed_at": state_since, "state_since": state_since,
        }))
        .unwrap();
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(Box::new(row)), version: 1 })
    }

    fn decision(outcome: Outcome, at: Timestamp, credited_to: Option<CustomTransactionId>) -> Resolution {
        let remark = || Remark::parse("ticket 7").unwrap();
        Resolution { credited_to, ..Resolution::new(outcome, remark(), remark(), remark(), at) }
    }

    fn of(rows: &[AnyRow]) -> Figures {
        let mut figures = Figures::new(Days::of("2026-11-01", "2026-11-02", "").unwrap());
        for row in rows {
            figures.add(row, at("2026-11-03"));
        }
        figures
    }

    /// The sum and the number of each day and in all.
    fn daily(daily: &Daily) -> Vec<String> {
        daily.days.iter().chain([&daily.total]).map(|it| format!("{} ({})", it.sum, it.count)).collect()
    }

    #[test]
    fn money_counts_on_its_day_by_wallet_and_exactly() {
        let (first, second) = (at("2026-11-01"), at("2026-11-02T23:59:59Z"));
        let figures = of(&[
            payment("paytm", credited(facts("0.1", "INR", first)), Vec::new()),
            payment("paytm", credited(facts("0.2", "INR", second)), Vec::new()),
            payment("upi", credited(facts("700", "INR", second)), Vec::new()),
            payment("upi", credited(facts("5", "BDT", second)), Vec::new()),
            payment("upi", credited(facts("900", "INR", at("2026-11-03"))), Vec::new()),
            withdrawal("paid", "300", first),
            withdrawal("failed", "40", first),
            withdrawal("rejected", "50", second),
            withdrawal("submitted", "60", second),
        ]);
        let inr = |flow| &figures.flows[&(CurrencyCode::parse("INR").unwrap(), flow)];
        assert_eq!(daily(&inr(Flow::Credited).all), ["0.1 (1)", "700.2 (2)", "700.3 (3)"]);
        let wallets: Vec<_> = inr(Flow::Credited).wallets.values().map(daily).collect();
        assert_eq!(wallets, [["0.1 (1)", "0.2 (1)", "0.3 (2)"], ["0 (0)", "700 (1)", "700 (1)"]]);
        assert_eq!(daily(&inr(Flow::Paid).all), ["300 (1)", "0 (0)", "300 (1)"]);
        assert_eq!(daily(&inr(Flow::FailedWithdrawal).all), ["40 (1)", "0 (0)", "40 (1)"]);
        assert_eq!(daily(&inr(Flow::RejectedWithdrawal).all), ["0 (0)", "50 (1)", "50 (1)"]);
        assert_eq!(figures.flows.len(), 5, "the other currency is apart");
    }

    #[test]
    fn what_a_person_decided_counts_on_the_day_of_the_decision() {
        let (first, second) = (at("2026-11-01"), at("2026-11-02"));
        let about_a_claim = || Resolution { taken_from: Some(order()), ..decision(Outcome::Rejected, first, None) };
        let credit = decision(Outcome::Credited, second, Some(order()));
        let rejection = decision(Outcome::Rejected, second, None);
        let rejected = PaymentState::Rejected { facts: facts("9", "INR", first) };
        let figures = of(&[
            payment("paytm", credited(facts("7", "INR", first)), vec![about_a_claim(), credit]),
            payment("paytm", credited(facts("8", "INR", first)), vec![about_a_claim()]),
            payment("paytm", rejected, vec![about_a_claim(), rejection]),
        ]);
        let all: Vec<_> = figures.flows.values().map(|it| daily(&it.all)).collect();
        assert_eq!(all, [["8 (1)", "7 (1)", "15 (2)"], ["0 (0)", "9 (1)", "9 (1)"]]);
    }

    #[test]
    fn what_is_held_or_open_has_its_age_whenever_it_came() {
        let held = |since| PaymentState::Quarantined { facts: facts("7", "INR", at(since)), mismatch: Mismatch::Label };
        let times =
            ["2026-11-02T23:00:01Z", "2026-11-02T23:00:00Z", "2026-11-02", "2026-10-27T00:00:01Z", "2026-10-27"];
        let mut rows: Vec<_> = times.map(|since| payment("paytm", held(since), Vec::new())).into();
        rows.push(withdrawal("unknown", "300", at("2026-11-02")));
        let figures = of(&rows);
        let ages = |kind| figures.waiting[&kind].iter().map(|(age, it)| (*age, it.rows, it.sums.to_string()));
        let quarantined: Vec<_> = ages(AttentionKind::Quarantined).collect();
        assert_eq!(
            quarantined,
            [
                (Age::Hour, 1, "1 of 7 INR".to_owned()),
                (Age::Day, 1, "1 of 7 INR".into()),
                (Age::Week, 2, "2 of 14 INR".into()),
                (Age::Older, 1, "1 of 7 INR".into()),
            ]
        );
        assert_eq!(ages(AttentionKind::Open).collect::<Vec<_>>(), [(Age::Older, 1, "1 of 300 INR".to_owned())]);
        assert!(figures.flows.is_empty());
    }
}
