//! What must be among the examples: every kind and state, every other variant, and every attribute both present and absent. All
//! matches are exhaustive, so that nothing new can be forgotten.

use std::collections::BTreeSet;

use domain::*;
use store::{AnyRow, Stored};

/// Names all variants of a type.
macro_rules! variants {
    ($($all:ident, $name_of:ident($type:ty): $($pattern:pat => $name:literal),+;)+) => {$(
        pub(crate) const $all: &[&str] = &[$($name),+];

        pub(crate) fn $name_of(value: &$type) -> &'static str {
            match value { $($pattern => $name),+ }
        }
    )+};
}

variants! {
    ROWS, row_name(AnyRow):
        AnyRow::Deposit(Stored { row: DepositRow::Registered(_), .. }) => "an order",
        AnyRow::Deposit(Stored { row: DepositRow::Unregistered(_), .. }) => "an order that is not registered",
        AnyRow::Payment(_) => "a payment",
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(_), .. }) => "a withdrawal",
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Foreign(_), .. }) => "a foreign withdrawal",
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Reserved(_), .. }) => "a reserved id",
        AnyRow::Unreadable(_) => "an unreadable element",
        AnyRow::EntryCount(_) => "a label's numbers",
        AnyRow::CreditedNumber(_) => "a credited number",
        AnyRow::WaitingPage(_) => "a page of waiting payments",
        AnyRow::StoredList(_) => "a signed list",
        AnyRow::ListProgress(_) => "the progress of a list",
        AnyRow::TableIdentity(_) => "the table's identity",
        AnyRow::Proposal(_) => "a proposed decision",
        AnyRow::ReservedSums(_) => "reserved sums";
    DEPOSIT_STATES, deposit_state(DepositState):
        DepositState::Created => "an order is created",
        DepositState::Credited => "an order is credited";
    PAYMENT_STATES, payment_state(PaymentState):
        PaymentState::Claimed { .. } => "a payment is claimed",
        PaymentState::Released { .. } => "a payment is released",
        PaymentState::Unmatched { .. } => "a payment is unmatched",
        PaymentState::Quarantined { .. } => "a payment is quarantined",
        PaymentState::Credited { .. } => "a payment is credited",
        PaymentState::Rejected { .. } => "a payment is rejected";
    WITHDRAWAL_STATES, withdrawal_state(WithdrawalState):
        WithdrawalState::Sending => "a withdrawal is sending",
        WithdrawalState::Waiting => "a withdrawal is waiting",
        WithdrawalState::Unknown => "a withdrawal is unknown",
        WithdrawalState::Submitted => "a withdrawal is submitted",
        WithdrawalState::Rejected { .. } => "a withdrawal is rejected",
        WithdrawalState::Paid { .. } => "a withdrawal is paid",
        WithdrawalState::Failed { .. } => "a withdrawal is failed";
    ATTEMPT_STATES, attempt_state(AttemptState):
        AttemptState::Started => "an attempt is started",
        AttemptState::Activated => "an attempt is activated",
        AttemptState::Pending => "an attempt is pending",
        AttemptState::Possible => "an attempt is possible",
        AttemptState::NotSent => "an attempt is not_sent",
        AttemptState::Failed => "an attempt is failed";
    SUBMISSIONS, submission(Submission):
        Submission::Accepted => "a submission is accepted",
        Submission::Rejected(_) => "a submission is rejected",
        Submission::NotSent(_) => "a submission is not_sent",
        Submission::Unknown(_) => "a submission is unknown";
    OUTCOMES, outcome(Outcome):
        Outcome::Paid => "a person finds paid",
        Outcome::Failed => "a person finds failed",
        Outcome::Credited => "a person finds credited",
        Outcome::Rejected => "a person finds rejected";
    KNOWN_TO, known_to(KnownTo):
        KnownTo::Provider => "an id is known to the provider",
        KnownTo::Merchant => "an id is known to the merchant";
    LIST_STATES, list_state(ListState):
        ListState::Unfinished => "a list is unfinished",
        ListState::Done => "a list is done";
    LIST_PLACES, list_place(ListPlace):
        ListPlace::Here(_) => "a list is in the row",
        ListPlace::Stored { .. } => "a list is elsewhere";
    DIRECTIONS, direction(Direction):
        Direction::Ingoing => "ingoing",
        Direction::Outgoing => "outgoing";
    MISMATCHES, mismatch(Mismatch):
        Mismatch::Direction => "mismatch direction",
        Mismatch::Amount => "mismatch amount",
        Mismatch::CurrencyCode => "mismatch currency_code",
        Mismatch::WalletType => "mismatch wallet_type",
        Mismatch::Label => "mismatch label",
        Mismatch::OrderCurrencyCode => "mismatch order_currency_code",
        Mismatch::OrderWalletType => "mismatch order_wallet_type",
        Mismatch::SameNumber => "mismatch same_number",
        Mismatch::OrderUnwritable => "mismatch order_unwritable",
        Mismatch::Contested => "mismatch contested",
        Mismatch::TakenAway => "mismatch taken_away",
        Mismatch::EarlierPostback => "mismatch earlier_postback",
        Mismatch::WithdrawalAmount => "mismatch withdrawal_amount",
        Mismatch::WithdrawalCurrencyCode => "mismatch withdrawal_currency_code",
        Mismatch::WithdrawalPaymentSystem => "mismatch withdrawal_payment_system",
        Mismatch::Status => "mismatch status",
        Mismatch::Outcome => "mismatch outcome";
    EVENTS, event_name(Event):
        Event::DepositCredited(_) => "deposit.credited",
        Event::DepositActivationFailed(_) => "deposit.activation_failed",
        Event::DepositQuarantined(_) => "deposit.quarantined",
        Event::PaymentUnmatched(_) => "payment.unmatched",
        Event::PaymentContested(_) => "payment.contested",
        Event::PaymentConflict(_) => "payment.conflict",
        Event::WithdrawalSubmitted(_) => "withdrawal.submitted",
        Event::WithdrawalPaid(_) => "withdrawal.paid",
        Event::WithdrawalFailed(_) => "withdrawal.failed",
        Event::WithdrawalUnknown(_) => "withdrawal.unknown",
        Event::WithdrawalConflict(_) => "withdrawal.conflict",
        Event::WithdrawalNeedsReview(_) => "withdrawal.needs_review",
        Event::WithdrawalForeign(_) => "withdrawal.foreign",
        Event::PostbackUnreadable(_) => "postback.unreadable",
        Event::TransactionResolved(_) => "transaction.resolved";
}

/// What was seen in rows, and what must be seen where such rows are.
#[derive(Debug, Default)]
pub(crate) struct Variants {
    seen: BTreeSet<String>,
    expected: BTreeSet<String>,
}

impl Variants {
    /// What is in these rows.
    pub(crate) fn of<'a>(rows: impl IntoIterator<Item = &'a AnyRow>) -> Self {
        let mut variants = Self::default();
        for row in rows {
            variants.row(row);
        }
        variants
    }

    /// What is missing.
    pub(crate) fn missing(&self) -> Vec<&str> {
        self.expected.difference(&self.seen).map(String::as_str).collect()
    }

    fn one_of(&mut self, all: &[&str], name: &str) {
        self.expected.extend(all.iter().map(|&name| name.to_owned()));
        self.seen.insert(name.to_owned());
    }

    /// An attribute that is left out where it says nothing.
    fn optional(&mut self, name: &str, is_present: bool) {
        self.expected.extend([format!("{name} present"), format!("{name} absent")]);
        self.seen.insert(format!("{name} {}", if is_present { "present" } else { "absent" }));
    }

    fn row(&mut self, row: &AnyRow) {
        self.one_of(ROWS, row_name(row));
        match row {
            AnyRow::Deposit(Stored { row: DepositRow::Registered(row), .. }) => self.deposit(row),
            AnyRow::Deposit(Stored { row: DepositRow::Unregistered(row), .. }) => {
                let Unregistered { custom_transaction_id: _, waiting: Waiting { newest: _, pages } } = row;
                self.optional("unregistered.pages", *pages > 0);
            }
            AnyRow::Payment(Stored { row, .. }) => self.payment(row),
            AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(row), .. }) => self.withdrawal(row),
            AnyRow::Withdrawal(Stored { row: WithdrawalRow::Foreign(row), .. }) => self.foreign(row),
            AnyRow::Withdrawal(Stored { row: WithdrawalRow::Reserved(row), .. }) => {
                let ReservedId { withdrawal_id: _, reserved_at: _, known_to: known } = row;
                self.one_of(KNOWN_TO, known_to(known));
            }
            AnyRow::Unreadable(Stored { row, .. }) => self.unreadable(row),
            AnyRow::ListProgress(Stored { row, .. }) => self.progress(row),
            AnyRow::Proposal(Stored { row: Proposal { about: _, resolution, order, number }, .. }) => {
                self.resolution(resolution);
                self.optional("proposal.order", order.is_some());
                self.optional("proposal.number", number.is_some());
            }
            // These have the same attributes in every row, but for the hours of the sums.
            AnyRow::EntryCount(Stored { row: EntryCount { label_hash: _, day: _, entered: _, nonce: _ }, .. })
            | AnyRow::CreditedNumber(Stored { row: CreditedNumber { order: _, payment: _ }, .. })
            | AnyRow::WaitingPage(Stored {
                row: WaitingPage { custom_transaction_id: _, page: _, payments: _ }, ..
            })
            | AnyRow::StoredList(Stored { row: StoredList { hash: _, list: _ }, .. })
            | AnyRow::TableIdentity(Stored { row: TableIdentity { stream: _, generation: _ }, .. })
            | AnyRow::ReservedSums(Stored {
                row: ReservedSums { payment_system: _, day: _, reserved: _, hours: _ },
                ..
            }) => {}
        }
    }

    fn deposit(&mut self, row: &Deposit) {
        let Deposit { order, state, params: _, created_at: _, attempts, credited, totals, waiting } = row;
        let Order { custom_transaction_id: _, label: _, currency_code: _, wallet_type: _, amount, lang, window } =
            order;
        self.one_of(DEPOSIT_STATES, deposit_state(state));
        self.optional("order.amount", amount.is_some());
        self.optional("order.lang", lang.is_some());
        for (name, value) in window.parameters() {
            self.optional(&format!("order.window.{name}"), value.is_some());
        }
        self.optional("deposit.attempts", !attempts.is_empty());
        self.optional("deposit.credited", !credited.is_empty());
        self.optional("deposit.totals", totals.is_some());
        self.optional("deposit.waiting", !waiting.is_empty());
        for attempt in attempts {
            self.attempt(attempt);
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        // An attempt without an id is older than 0.1.0.
        let Attempt { transaction_id: _, id: _, amount: _, outcome, started_at: _, message, .. } = attempt;
        let Attempt { deposit_amount, ended_calls, refusal, .. } = attempt;
        self.one_of(ATTEMPT_STATES, attempt_state(outcome));
        self.optional("attempt.message", message.is_some());
        self.optional("attempt.deposit_amount", deposit_amount.is_some());
        self.optional("attempt.ended_calls", !ended_calls.is_empty());
        self.optional("attempt.refusal", refusal.is_some());
    }

    fn payment(&mut self, row: &Payment) {
        let Payment { key: _, state, entries, has_more_entries, contradictions, resolutions } = row;
        self.one_of(PAYMENT_STATES, payment_state(state));
        match state {
            PaymentState::Claimed { order: _, journal } => {
                // A claim without a journal is older than 0.1.0.
                if let Some(Journal { id: _, claimed_at: _, calls, may_have_arrived }) = journal {
                    self.optional("journal: several calls", calls.len() > 1);
                    self.optional("journal.may_have_arrived", *may_have_arrived);
                }
            }
            PaymentState::Released { order: _ } => {}
            PaymentState::Unmatched { facts, labels } => {
                self.facts(facts);
                self.optional("payment.labels", !labels.is_empty());
            }
            PaymentState::Quarantined { facts, mismatch: reason } => {
                self.facts(facts);
                self.one_of(MISMATCHES, mismatch(reason));
            }
            PaymentState::Credited { order, credited_label, facts } => {
                self.facts(facts);
                self.optional("payment.order", !facts.names(order));
                self.optional("payment.credited_label", facts.label.as_ref() != Some(credited_label));
            }
            PaymentState::Rejected { facts } => self.facts(facts),
        }
        self.optional("payment: entries of several labels", entries.len() > 1);
        self.optional("payment.entries", !entries.is_empty());
        self.optional("payment.has_more_entries", *has_more_entries);
        for Entered { order: _, amount: _, has_asked, failed_id } in entries.iter().flat_map(|entry| &entry.entered) {
            self.optional("entry.has_asked", *has_asked);
            self.optional("entry.failed_id", failed_id.is_some());
        }
        self.decided("payment", contradictions, resolutions);
    }

    fn facts(&mut self, facts: &SignedFacts) {
        let SignedFacts { custom_transaction_id, order_before_hyphen, amount: _, currency_code: _, label, evidence } =
            facts;
        self.optional("facts.custom_transaction_id", !custom_transaction_id.is_empty());
        self.optional("facts.order_before_hyphen", order_before_hyphen.is_some());
        self.optional("facts.label", label.is_some());
        self.evidence(evidence);
    }

    fn evidence(&mut self, Evidence { place, element, received_at: _ }: &Evidence) {
        self.one_of(LIST_PLACES, list_place(place));
        self.optional("evidence.element", *element > 0);
        if let ListPlace::Here(SignedList { additional_data, signature: _, access_key: _ }) = place {
            self.optional("the signed text", !additional_data.is_empty());
        }
    }

    fn decided(&mut self, row: &str, contradictions: &[Contradiction], resolutions: &[Resolution]) {
        self.optional(&format!("{row}.contradictions"), !contradictions.is_empty());
        self.optional(&format!("{row}.resolutions"), !resolutions.is_empty());
        for Contradiction { mismatch: reason, facts } in contradictions {
            self.one_of(MISMATCHES, mismatch(reason));
            self.optional("contradiction.facts", facts.is_some());
            if let Some(facts) = facts {
                self.facts(facts);
            }
        }
        for resolution in resolutions {
            self.resolution(resolution);
        }
    }

    fn resolution(&mut self, resolution: &Resolution) {
        let Resolution { outcome: found, by: _, reason: _, evidence: _, at: _, closes, .. } = resolution;
        let Resolution { taken_from, credited_to, is_different_payment, .. } = resolution;
        let Resolution { caller, proposed_by, decided_on, .. } = resolution;
        self.one_of(OUTCOMES, outcome(found));
        self.optional("resolution: closes something", *closes > 0);
        self.optional("resolution.taken_from", taken_from.is_some());
        self.optional("resolution.credited_to", credited_to.is_some());
        self.optional("resolution.is_different_payment", *is_different_payment);
        self.optional("resolution.caller", caller.is_some());
        self.optional("resolution.proposed_by", proposed_by.is_some());
        self.optional("resolution.decided_on", decided_on.is_some());
    }

    fn withdrawal(&mut self, row: &Withdrawal) {
        let Withdrawal { request, state, body: _, attempts, created_at: _, changed_at: _, state_since: _, .. } = row;
        let Withdrawal { needs_review, contradictions, resolutions, .. } = row;
        let WithdrawalRequest { withdrawal_id: _, label: _, amount: _, currency_code: _, account_number: _, .. } =
            request;
        let WithdrawalRequest { payment_system: _, comment, is_test, .. } = request;
        self.one_of(WITHDRAWAL_STATES, withdrawal_state(state));
        match state {
            WithdrawalState::Paid { facts } | WithdrawalState::Failed { facts } => {
                self.optional(&format!("withdrawal {}: facts", state.name()), facts.is_some());
                if let Some(facts) = facts {
                    self.facts(facts);
                }
            }
            WithdrawalState::Sending
            | WithdrawalState::Waiting
            | WithdrawalState::Unknown
            | WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. } => {}
        }
        self.optional("withdrawal.comment", comment.is_some());
        self.optional("withdrawal.is_test: true", *is_test);
        self.optional("withdrawal.needs_review", needs_review.is_some());
        self.optional("withdrawal: several attempts", attempts.len() > 1);
        for SubmissionAttempt { sender: _, started_at: _, ended } in attempts {
            self.optional("submission.ended", ended.is_some());
            if let Some(Ended { at: _, submission: outcome }) = ended {
                self.one_of(SUBMISSIONS, submission(outcome));
            }
        }
        self.decided("withdrawal", contradictions, resolutions);
    }

    fn foreign(&mut self, row: &ForeignWithdrawal) {
        let ForeignWithdrawal { withdrawal_id: _, withdrawal_status, facts, contradictions, resolutions } = row;
        self.optional("foreign.withdrawal_status", withdrawal_status.is_some());
        self.facts(facts);
        self.decided("foreign", contradictions, resolutions);
    }

    fn unreadable(&mut self, row: &Unreadable) {
        let Unreadable { hash: _, evidence, reason: _, payment, resolutions } = row;
        self.evidence(evidence);
        self.optional("unreadable.payment", payment.is_some());
        if let Some(odd) = payment {
            let OddPayment { wallet_type: _, transaction_id, custom_transaction_id, .. } = odd;
            let OddPayment { amount: _, currency_code: _, label, .. } = odd;
            self.optional("odd.transaction_id", transaction_id.is_some());
            self.optional("odd.custom_transaction_id", !custom_transaction_id.is_empty());
            self.optional("odd.label", label.is_some());
        }
        self.decided("unreadable", &[], resolutions);
        self.seen.insert("unreadable.contradictions present".into());
    }

    fn progress(&mut self, ListProgress { hash: _, state, elements: _, copies }: &ListProgress) {
        self.one_of(LIST_STATES, list_state(state));
        for ListCopy { unsigned, received_at: _, is_done } in copies {
            let Unsigned { wallet_type, amount, currency_code, label, direction: way } = unsigned;
            self.optional("copy.is_done", *is_done);
            self.optional("unsigned.wallet_type", wallet_type.is_some());
            self.optional("unsigned.amount", amount.is_some());
            self.optional("unsigned.currency_code", currency_code.is_some());
            self.optional("unsigned.label", label.is_some());
            self.optional("unsigned.direction", way.is_some());
            if let Some(way) = way {
                self.one_of(DIRECTIONS, direction(way));
            }
        }
    }
}
