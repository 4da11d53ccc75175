//! Amounts that decide the outcome, as test card numbers do: the last two digits of a whole amount say what happens.
//!
//! They are used only while the setting `test_amounts` is on.

/// What becomes of a deposit, when its number is entered and no payment with this number was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DepositOutcome {
    Immediately,
    Late,
    Never,
    AnotherAmount,
    Rejected,
    TwentyCopies,
    Possible,
}

/// What becomes of a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WithdrawalOutcome {
    Paid,
    Failed,
    AnswerLost,
    Silence,
    PaidThenFailed,
    InsufficientBalance,
    NotFound,
    Unavailable,
    PostbackFirst,
}

/// One line of the list: the last two digits, the outcome, and its description.
pub(crate) type TestAmount<T> = (u64, T, &'static str);

/// The test amounts of deposits.
pub(crate) const DEPOSITS: [TestAmount<DepositOutcome>; 7] = [
    (21, DepositOutcome::Immediately, "the payment is there at once"),
    (22, DepositOutcome::Late, "pending; the payment comes later"),
    (23, DepositOutcome::Never, "pending; the payment never comes"),
    (24, DepositOutcome::AnotherAmount, "the payment is there at once, with 1 more than the user says"),
    (25, DepositOutcome::Rejected, "the provider rejects the number"),
    (26, DepositOutcome::TwentyCopies, "the payment is there at once, and its postback comes 20 times"),
    (27, DepositOutcome::Possible, "possible_transaction_created; the payment never comes"),
];

/// The test amounts of withdrawals.
pub(crate) const WITHDRAWALS: [TestAmount<WithdrawalOutcome>; 9] = [
    (11, WithdrawalOutcome::Paid, "accepted, then paid"),
    (12, WithdrawalOutcome::Failed, "accepted, then failed"),
    (13, WithdrawalOutcome::AnswerLost, "accepted, but the answer is lost; then paid"),
    (14, WithdrawalOutcome::Silence, "accepted, and then no postback"),
    (15, WithdrawalOutcome::PaidThenFailed, "accepted, then paid, then failed"),
    (16, WithdrawalOutcome::InsufficientBalance, "rejected: insufficient balance"),
    (17, WithdrawalOutcome::NotFound, "answered 404"),
    (18, WithdrawalOutcome::Unavailable, "answered 503"),
    (19, WithdrawalOutcome::PostbackFirst, "paid, and the postback comes before the answer"),
];

impl DepositOutcome {
    /// The outcome of an amount as it is spelled, such as `521` or `521.00`. An amount with a fraction has none.
    pub(crate) fn of(amount: &str) -> Option<Self> {
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        if !fraction.bytes().all(|digit| digit == b'0') {
            return None;
        }
        find(&DEPOSITS, whole.parse().ok()?)
    }
}

impl WithdrawalOutcome {
    /// The outcome of an amount.
    pub(crate) fn of(amount: u64) -> Option<Self> {
        find(&WITHDRAWALS, amount)
    }
}

fn find<T: Copy>(list: &[TestAmount<T>], whole: u64) -> Option<T> {
    list.iter().find(|(ending, _, _)| whole % 100 == *ending).map(|(_, outcome, _)| *outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_digits_of_a_whole_amount_decide() {
        for (amount, outcome) in [
            ("21", Some(DepositOutcome::Immediately)),
            ("521", Some(DepositOutcome::Immediately)),
            ("1000022.00", Some(DepositOutcome::Late)),
            ("521.50", None),
            ("5.21", None),
            ("521e1", None),
            ("500", None),
            ("-21", None),
            ("", None),
        ] {
            assert_eq!(DepositOutcome::of(amount), outcome, "{amount}");
        }
        assert_eq!(WithdrawalOutcome::of(311), Some(WithdrawalOutcome::Paid));
        assert_eq!(WithdrawalOutcome::of(300), None);
    }

    /// The page for testers lists each of them.
    #[test]
    fn the_documents_list_every_test_amount() {
        let page = include_str!("../../docs/testing.md");
        let lines = DEPOSITS.iter().map(|(ending, _, said)| (ending, said));
        for (ending, said) in lines.chain(WITHDRAWALS.iter().map(|(ending, _, said)| (ending, said))) {
            assert!(page.contains(&format!("| {ending} | {said} |")), "{ending}: {said}");
        }
    }
}
