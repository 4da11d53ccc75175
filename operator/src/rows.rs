//! A row in a few words.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::{
    Caller, DepositRow, KnownTo, ListState, Mismatch, OddPayment, PaymentState, Resolution, Submission, Timestamp,
    Unreadable, WithdrawalRow, WithdrawalState,
};
use store::{AnyRow, RowKey};

/// The state of a row that cannot be read.
pub(crate) const UNREADABLE: &str = "unreadable";

/// What the rules decided, and why.
pub(crate) fn why(row: &AnyRow) -> String {
    match row {
        AnyRow::Deposit(it) => match &it.row {
            DepositRow::Registered(deposit) if deposit.credited.is_empty() => "no payment has come in".into(),
            DepositRow::Registered(_) => "signed postbacks brought these payments".into(),
            DepositRow::Unregistered(_) => "payments name an order that was never registered".into(),
        },
        AnyRow::Payment(it) => match &it.row.state {
            PaymentState::Claimed { order, .. } => format!("a user of {order} entered the number; nothing is proved"),
            PaymentState::Released { order } => format!("{order} has given it up; any order may claim it"),
            PaymentState::Unmatched { .. } => "the signed order id is none that is known".into(),
            PaymentState::Quarantined { mismatch, .. } => disagree(*mismatch).into(),
            PaymentState::Credited { order, facts, .. } if facts.names(order) => {
                format!("credited to {order}, the signed order, as first signed")
            }
            PaymentState::Credited { order, .. } => format!("credited to {order} by a person; another order is signed"),
            PaymentState::Rejected { .. } => "a person found it to be nobody's here".into(),
        },
        AnyRow::Withdrawal(it) => match &it.row {
            WithdrawalRow::Registered(row) => why_withdrawal(&row.state, row.needs_review.as_deref()),
            WithdrawalRow::Foreign(_) => "the provider reports on a withdrawal that was never made here".into(),
            WithdrawalRow::Reserved(row) => {
                format!("the id was used before the table was restored: {}", known_to(row.known_to))
            }
        },
        AnyRow::Unreadable(it) => why_unreadable(&it.row),
        AnyRow::EntryCount(it) => format!("{} numbers were entered on the last day", it.row.entered),
        AnyRow::ReservedSums(it) => format!("{} was reserved to be sent out on that day", it.row.reserved),
        AnyRow::CreditedNumber(it) => format!("{} was credited for {}", it.row.order, it.row.payment.key()),
        AnyRow::WaitingPage(it) => {
            format!("{} payments wait for {}", it.row.payments.len(), it.row.custom_transaction_id)
        }
        AnyRow::StoredList(_) => "the signed list that other rows refer to".into(),
        AnyRow::ListProgress(it) => match it.row.state {
            ListState::Unfinished => format!("some of its {} elements may not be stored: replay it", it.row.elements),
            ListState::Done => format!("all its {} elements are stored", it.row.elements),
        },
        AnyRow::Proposal(it) => {
            let Resolution { outcome, caller, .. } = &it.row.resolution;
            let caller = caller.as_ref().map_or("nobody", Caller::as_str);
            format!("{caller} proposed {} for {}", outcome.as_str(), it.row.about)
        }
        AnyRow::TableIdentity(it) => format!("generation {}; the stack reads {}", it.row.generation, it.row.stream),
    }
}

/// Who knows of a withdrawal that the restored table did not have.
pub(crate) fn known_to(known_to: KnownTo) -> &'static str {
    match known_to {
        KnownTo::Provider => "the provider's export has it",
        KnownTo::Merchant => "the merchant has used it",
    }
}

/// What could not be understood, and what is readable of a payment all the same.
fn why_unreadable(row: &Unreadable) -> String {
    let Some(payment) = &row.payment else { return row.reason.clone() };
    let OddPayment { wallet_type, transaction_id, custom_transaction_id, amount, currency_code, .. } = payment;
    let number = transaction_id.as_ref().map_or_else(String::new, |number| format!(", number {number}"));
    let order = if custom_transaction_id.is_empty() { "" } else { ", order " };
    let reason = &row.reason;
    format!("{reason}; a payment of {amount} {currency_code} by {wallet_type}{number}{order}{custom_transaction_id}")
}

fn why_withdrawal(state: &WithdrawalState, needs_review: Option<&str>) -> String {
    let why = match state {
        WithdrawalState::Sending => "an attempt is on its way",
        WithdrawalState::Waiting => "no attempt has reached the provider",
        WithdrawalState::Unknown => "an attempt may have reached the provider: nothing may be released",
        WithdrawalState::Submitted => "the provider has taken it, and has not said what became of it",
        WithdrawalState::Rejected { .. } => "the provider refused it, and no attempt was ever unknown",
        WithdrawalState::Paid { facts: Some(_) } => "a signed postback said 1",
        WithdrawalState::Failed { facts: Some(_) } => "a signed postback said 5",
        WithdrawalState::Paid { facts: None } | WithdrawalState::Failed { facts: None } => "a person found it out",
    };
    needs_review.map_or_else(|| why.to_owned(), |review| format!("{why}; {review}"))
}

/// A mismatch, in words.
pub(crate) fn disagree(mismatch: Mismatch) -> &'static str {
    match mismatch {
        Mismatch::Direction => "the unsigned direction is not the signed element's",
        Mismatch::Amount => "the unsigned amount is not the signed element's",
        Mismatch::CurrencyCode => "the unsigned currency is not the signed element's",
        Mismatch::WalletType => "the unsigned wallet is not the signed element's",
        Mismatch::Label => "the unsigned label is not the stored one",
        Mismatch::OrderCurrencyCode => "the signed currency is not the order's",
        Mismatch::OrderWalletType => "the signed wallet is not the order's",
        Mismatch::SameNumber => "the order was credited for this number already, in another spelling or wallet",
        Mismatch::OrderUnwritable => "the order's row cannot be read or has no room",
        Mismatch::Contested => "another user entered the number with the signed amount",
        Mismatch::TakenAway => "a person took the number away from the signed order",
        Mismatch::EarlierPostback => "the signed facts are not those of an earlier postback",
        Mismatch::WithdrawalAmount => "the signed amount is not the withdrawal's",
        Mismatch::WithdrawalCurrencyCode => "the signed currency is not the withdrawal's",
        Mismatch::WithdrawalPaymentSystem => "the signed wallet is not the withdrawal's",
        Mismatch::Status => "the status has no known meaning",
        Mismatch::Outcome => "the outcome is the opposite of the one that was decided",
    }
}

/// A submission's end, in words.
pub(crate) fn submission(submission: &Submission) -> String {
    match submission {
        Submission::Accepted => "accepted".into(),
        Submission::Rejected(message) => format!("rejected: {message}"),
        Submission::NotSent(reason) => format!("not sent: {reason}"),
        Submission::Unknown(reason) => format!("unknown: {reason}"),
    }
}

/// An amount with its currency; empty if the row has none.
pub(crate) fn money(amount: Option<&str>, currency_code: Option<&str>) -> String {
    [amount, currency_code].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// A time in UTC, to the second.
pub(crate) fn time(at: Timestamp) -> String {
    humantime::format_rfc3339_seconds(system_time(at)).to_string()
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(at.0)).unwrap_or(UNIX_EPOCH)
}

/// How long ago, in its two largest units.
pub(crate) fn age(at: Timestamp, now_ms: u64) -> String {
    let seconds = Duration::from_secs(now_ms.saturating_sub(at.0) / 1_000);
    let words = humantime::format_duration(seconds).to_string();
    words.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
