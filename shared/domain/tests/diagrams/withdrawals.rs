//! One withdrawal, with up to two attempts.

use std::sync::LazyLock;

use domain::{
    AccountNumber, Amount, CurrencyCode, ForeignWithdrawal, KnownTo, Label, Mismatch, Outcome, ReservedId, Submission,
    Timestamp, Transition, WalletType, Withdrawal, WithdrawalId, WithdrawalReport, WithdrawalRequest, WithdrawalRow,
};

use crate::{World, essence, facts, resolution, state};

const NOW: Timestamp = Timestamp(0);
/// The senders of the attempts, in order. The last one never gets an attempt.
const SENDERS: [&str; 3] = ["first", "second", "stranger"];

static REPORTS: LazyLock<Vec<WithdrawalReport>> = LazyLock::new(reports);

#[derive(Default)]
pub(crate) struct Rows(Option<WithdrawalRow>);

impl World for Rows {
    fn key(&self) -> String {
        match &self.0 {
            None => String::new(),
            Some(WithdrawalRow::Registered(row)) => {
                let Withdrawal { state, attempts, needs_review, contradictions, resolutions, .. } = &**row;
                serde_json::to_string(&(state, attempts, needs_review, essence(contradictions, resolutions))).unwrap()
            }
            Some(WithdrawalRow::Reserved(_)) => "reserved".into(),
            Some(WithdrawalRow::Foreign(row)) => {
                let ForeignWithdrawal { withdrawal_status, facts, contradictions, resolutions, .. } = &**row;
                serde_json::to_string(&(withdrawal_status, facts, essence(contradictions, resolutions))).unwrap()
            }
        }
    }

    fn next(&self) -> Vec<Self> {
        let rows = match &self.0 {
            None => created(),
            Some(WithdrawalRow::Registered(row)) => registered(row),
            Some(WithdrawalRow::Foreign(row)) => foreign(row),
            Some(reserved @ WithdrawalRow::Reserved(_)) => {
                REPORTS.iter().filter_map(|report| WithdrawalRow::reported(Some(reserved), report).0).collect()
            }
        };
        rows.into_iter().map(|row| Self(Some(row))).collect()
    }

    fn states(&self) -> Vec<String> {
        vec![state(self.0.as_ref())]
    }
}

fn created() -> Vec<WithdrawalRow> {
    let new = Withdrawal::new(request(), "{}".into(), SENDERS[0].into(), NOW);
    let foreign = REPORTS.iter().map(|report| WithdrawalRow::Foreign(ForeignWithdrawal::new(report).into()));
    let id = ReservedId { withdrawal_id: request().withdrawal_id, reserved_at: NOW, known_to: KnownTo::Provider };
    let reserved = WithdrawalRow::reserved(None, id);
    foreign.chain([WithdrawalRow::Registered(new.into())]).chain(reserved).collect()
}

fn registered(row: &Withdrawal) -> Vec<WithdrawalRow> {
    let mut rows = vec![row.review("x")];
    if let [next, _, ..] = &SENDERS[row.attempts.len()..] {
        rows.extend([true, false].map(|resend_unknown| row.send_again((*next).into(), NOW, resend_unknown)));
    }
    rows.push(after(row, row.lose(), None));
    rows.push(after(row, row.restored(), None));
    for sender in SENDERS {
        rows.extend(submissions().map(|submission| after(row, row.answered(sender, &submission, NOW), None)));
    }
    rows.extend(REPORTS.iter().map(|report| after(row, row.reported(report), Some(report))));
    rows.extend(Outcome::ALL.map(|outcome| row.resolve(resolution(outcome)).ok()));
    rows.into_iter().flatten().map(|row| WithdrawalRow::Registered(row.into())).collect()
}

/// The row after a transition, where it changes. A conflict is recorded in it.
fn after(
    row: &Withdrawal,
    transition: Transition<Withdrawal>,
    report: Option<&WithdrawalReport>,
) -> Option<Withdrawal> {
    row.after(transition, report.map(|report| &report.facts), NOW).0
}

fn foreign(row: &ForeignWithdrawal) -> Vec<WithdrawalRow> {
    let reported = REPORTS.iter().map(|report| row.reported(report));
    let resolved = Outcome::ALL.map(|outcome| row.resolve(resolution(outcome)).ok());
    reported.chain(resolved).flatten().map(|row| WithdrawalRow::Foreign(row.into())).collect()
}

fn submissions() -> [Submission; 4] {
    let text = || "x".to_owned();
    [Submission::Accepted, Submission::Rejected(text()), Submission::NotSent(text()), Submission::Unknown(text())]
}

fn request() -> WithdrawalRequest {
    WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        label: Label::parse("u").unwrap(),
        amount: Amount::parse("700").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    }
}

/// A report with each status, and each with one thing changed.
fn reports() -> Vec<WithdrawalReport> {
    let of = |withdrawal_status| {
        let report = |amount, currency, wallet, label, mismatch| WithdrawalReport {
            withdrawal_id: WithdrawalId::parse("w").unwrap(),
            wallet_type: WalletType::parse(wallet).unwrap(),
            withdrawal_status,
            facts: facts("", amount, currency, label),
            mismatch,
        };
        [
            report("700", "INR", "paytm", Some("u"), None),
            report("800", "INR", "paytm", Some("u"), None),
            report("700", "USD", "paytm", Some("u"), None),
            report("700", "INR", "upi", Some("u"), None),
            report("700", "INR", "paytm", Some("v"), None),
            report("700", "INR", "paytm", None, None),
            report("700", "INR", "paytm", Some("u"), Some(Mismatch::Amount)),
        ]
    };
    [Some(1), Some(5), Some(2), None].into_iter().flat_map(of).collect()
}
