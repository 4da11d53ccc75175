//! A withdrawal: journalled before it is sent, uncertain until the provider has reported how it ended.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    AccountNumber, Amount, Comment, Contradiction, CurrencyCode, Label, Mismatch, Resolution, SignedFacts, Timestamp,
    Transition, WalletType, WithdrawalId, WithdrawalReport, mask,
};

/// What the merchant asked for. One id always names one withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawalRequest {
    /// The merchant's id, and the provider's.
    pub withdrawal_id: WithdrawalId,
    /// Who is paid.
    pub label: Label,
    /// How much: whole units.
    pub amount: Amount,
    /// In which currency.
    pub currency_code: CurrencyCode,
    /// To which account.
    pub account_number: AccountNumber,
    /// By which payment system.
    pub payment_system: WalletType,
    /// A note for the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Comment>,
    /// Handed to the provider as it is.
    pub is_test: bool,
}

impl WithdrawalRequest {
    /// The names of the fields in which another request with this id differs.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let Self { withdrawal_id: _, label, amount, currency_code, account_number, payment_system, comment, is_test } =
            self;
        [
            ("label", *label != other.label),
            ("amount", *amount != other.amount),
            ("currency_code", *currency_code != other.currency_code),
            ("account_number", *account_number != other.account_number),
            ("payment_system", *payment_system != other.payment_system),
            ("comment", *comment != other.comment),
            ("is_test", *is_test != other.is_test),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }

    /// Masks the request's own label, account and comment in a text of the provider.
    fn mask(&self, text: &str) -> String {
        let comment = self.comment.as_ref().map_or("", Comment::as_str);
        mask(text, &[self.label.as_str(), self.account_number.as_str(), comment])
    }
}

/// The outcome of one submission, by the HTTP client's own evidence. Its text may be the provider's: its `Debug` masks it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "message", rename_all = "snake_case")]
pub enum Submission {
    /// The provider said `ok`.
    Accepted,
    /// The provider said `fail`, with this message.
    Rejected(String),
    /// Surely never processed: the connection was never made, or 429.
    NotSent(String),
    /// Everything else: it may have been processed, for this reason.
    Unknown(String),
}

impl Submission {
    /// The outcome's name in the table, the API and the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected(_) => "rejected",
            Self::NotSent(_) => "not_sent",
            Self::Unknown(_) => "unknown",
        }
    }

    fn masked(&self, request: &WithdrawalRequest) -> Self {
        match self {
            Self::Rejected(message) => Self::Rejected(request.mask(message)),
            Self::Unknown(reason) => Self::Unknown(request.mask(reason)),
            Self::Accepted | Self::NotSent(_) => self.clone(),
        }
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One submission, journalled before a byte of it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionAttempt {
    /// Which invocation began it: makes the journal entry its own, also where two begin one at a time.
    pub sender: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended; absent while it is on its way, and for ever if its sender has died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// The end of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When its sender had the answer.
    pub at: Timestamp,
    /// Its outcome.
    #[serde(flatten)]
    pub submission: Submission,
}

/// The state of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum WithdrawalState {
    /// The last attempt is being sent. Without a recorded result, it counts as unknown.
    Sending,
    /// No attempt has reached the provider; it will be tried again.
    Waiting,
    /// An attempt may have been processed. Only a signed postback, the provider's `ok`, or an operator ends this.
    Unknown,
    /// The provider has accepted it.
    Submitted,
    /// The provider has refused it, and no attempt was ever unknown: the funds are free.
    Rejected {
        /// The provider's message, with the request's personal data masked.
        message: String,
    },
    /// A signed postback said 1, or a person found that out.
    Paid {
        /// What the postback said; absent while it is a person's word alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        facts: Option<SignedFacts>,
    },
    /// A signed postback said 5, or a person found that out: the funds are free.
    Failed {
        /// What the postback said; absent while it is a person's word alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        facts: Option<SignedFacts>,
    },
}

impl WithdrawalState {
    /// The names of the states that can still end.
    pub const OPEN: [&str; 4] = ["sending", "waiting", "unknown", "submitted"];

    /// Its name in the table, the API and the events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::Submitted => "submitted",
            Self::Rejected { .. } => "rejected",
            Self::Paid { .. } => "paid",
            Self::Failed { .. } => "failed",
        }
    }
}

/// The message that is sent before a withdrawal is journalled, so that somebody comes back to it whatever happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmedMessage {
    /// The withdrawal to come back to.
    pub withdrawal_id: WithdrawalId,
}

/// What an event did to a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Its state changed, or something new was recorded.
    Moved,
    /// Nothing: it was known already.
    Repeated,
    /// It contradicts what was decided. That is recorded, as far as the row has room.
    Conflicted(Mismatch),
}

/// Stands for the missing `state_since` of a row, until the row is read completely.
fn unrecorded() -> Timestamp {
    Timestamp(u64::MAX)
}

/// How far an open withdrawal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Sending or waiting: no attempt is known to have reached the provider.
    NotSubmitted,
    /// An attempt may have reached the provider.
    Unknown,
    /// The provider has accepted it, and has not reported how it ended.
    Submitted,
}

/// A withdrawal of ours. No text of the provider in it has the request's label, account or comment: they are masked in an
/// answer, and in a row that was stored without a mask when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Withdrawal {
    /// What the merchant asked for.
    #[serde(flatten)]
    pub request: WithdrawalRequest,
    /// Its state.
    #[serde(flatten)]
    pub state: WithdrawalState,
    /// The exact signed bytes, the same for every attempt.
    pub body: String,
    /// The submissions, in order.
    pub attempts: Vec<SubmissionAttempt>,
    /// When it was journalled.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Since when it has been in its state. Nothing else that is recorded moves it. A row from before this field has been in its
    /// state since it last changed, as far as we know.
    #[serde(default = "unrecorded")]
    pub state_since: Timestamp,
    /// Why a person must look, once the attempts are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_review: Option<String>,
    /// What contradicted the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
    /// What people decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolutions: Vec<Resolution>,
}

impl Withdrawal {
    /// Journals a withdrawal whose first attempt is about to be sent.
    #[must_use]
    pub fn new(request: WithdrawalRequest, body: String, sender: String, now: Timestamp) -> Self {
        Self {
            request,
            state: WithdrawalState::Sending,
            body,
            attempts: vec![SubmissionAttempt { sender, started_at: now, ended: None }],
            created_at: now,
            changed_at: now,
            state_since: now,
            needs_review: None,
            contradictions: Vec::new(),
            resolutions: Vec::new(),
        }
    }

    /// The last attempt.
    #[must_use]
    pub fn last_attempt(&self) -> Option<&SubmissionAttempt> {
        self.attempts.last()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.stage().is_none()
    }

    /// How far it is, and since when. `None` when it has ended. A retry leads from waiting to sending and back, and does not make
    /// a withdrawal look young that was never submitted.
    #[must_use]
    pub fn stage(&self) -> Option<(Stage, Timestamp)> {
        match self.state {
            WithdrawalState::Sending | WithdrawalState::Waiting => Some((Stage::NotSubmitted, self.created_at)),
            WithdrawalState::Unknown => Some((Stage::Unknown, self.state_since)),
            WithdrawalState::Submitted => Some((Stage::Submitted, self.state_since)),
            WithdrawalState::Rejected { .. } | WithdrawalState::Paid { .. } | WithdrawalState::Failed { .. } => None,
        }
    }

    /// Whether the last attempt began at least so long ago that its sender must be dead. No attempt has a living sender.
    #[must_use]
    pub fn is_sender_dead(&self, now: Timestamp, lifetime_ms: u64) -> bool {
        self.last_attempt().is_none_or(|it| now.0.abs_diff(it.started_at.0) >= lifetime_ms)
    }

    /// Begins another attempt: after attempts that were surely not sent, or, where the deployment says so, after an
    /// unknown one, which stays unknown.
    #[must_use]
    pub fn send_again(&self, sender: String, now: Timestamp, resend_unknown: bool) -> Option<Self> {
        let state = match self.state {
            WithdrawalState::Waiting => WithdrawalState::Sending,
            WithdrawalState::Unknown if resend_unknown => WithdrawalState::Unknown,
            WithdrawalState::Unknown
            | WithdrawalState::Sending
            | WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. }
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => return None,
        };
        let mut row = self.with(state).changed_from(self, now);
        row.attempts.push(SubmissionAttempt { sender, started_at: now, ended: None });
        Some(row)
    }

    /// Gives up waiting for the answer of an attempt whose sender must be dead.
    #[must_use]
    pub fn lose(&self) -> Transition<Self> {
        match self.state {
            WithdrawalState::Sending => Transition::Move(self.with(WithdrawalState::Unknown)),
            WithdrawalState::Waiting
            | WithdrawalState::Unknown
            | WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. }
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => Transition::Repeat,
        }
    }

    /// Doubts what the row of a restored table says: after the moment of the restore, an attempt may have been made or answered.
    #[must_use]
    pub fn restored(&self) -> Transition<Self> {
        match self.state {
            WithdrawalState::Sending | WithdrawalState::Waiting => {
                Transition::Move(self.with(WithdrawalState::Unknown))
            }
            WithdrawalState::Unknown
            | WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. }
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => Transition::Repeat,
        }
    }

    /// Applies the outcome of a sender's submission, and records it in its attempt. Only the sender of the current attempt can
    /// say that it did not arrive: another sender's answer says nothing about it.
    ///
    /// # Examples
    /// ```
    /// # use domain::*;
    /// # let request = WithdrawalRequest {
    /// #     withdrawal_id: WithdrawalId::parse("withdrawal-1")?,
    /// #     label: Label::parse("user-1")?,
    /// #     amount: Amount::parse("1000")?,
    /// #     currency_code: CurrencyCode::parse("INR")?,
    /// #     account_number: AccountNumber::parse("1234560079")?,
    /// #     payment_system: WalletType::parse("paytm")?,
    /// #     comment: None,
    /// #     is_test: false,
    /// # };
    /// let row = Withdrawal::new(request, "{}".into(), "sender-1".into(), Timestamp(0));
    ///
    /// // The connection broke after the request was sent.
    /// let lost = Submission::Unknown("connection reset".into());
    /// let Transition::Move(row) = row.answered("sender-1", &lost, Timestamp(1)) else { panic!() };
    /// assert_eq!(row.state, WithdrawalState::Unknown);
    ///
    /// // Now a `fail` does not release the money, but an `ok` counts.
    /// let fail = Submission::Rejected("duplicate".into());
    /// assert_eq!(row.answered("sender-1", &fail, Timestamp(2)), Transition::Repeat);
    /// let Transition::Move(row) = row.answered("sender-1", &Submission::Accepted, Timestamp(3)) else { panic!() };
    /// assert_eq!(row.state, WithdrawalState::Submitted);
    /// # Ok::<(), InvalidValue>(())
    /// ```
    #[must_use]
    pub fn answered(&self, sender: &str, submission: &Submission, now: Timestamp) -> Transition<Self> {
        use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
        let submission = submission.masked(&self.request);
        let is_own = self.last_attempt().is_some_and(|it| it.sender == sender);
        let state = match (&self.state, &submission) {
            (Sending | Waiting | Unknown, Submission::Accepted) => Some(Submitted),
            (Sending, Submission::Rejected(message)) if is_own => Some(Rejected { message: message.clone() }),
            (Sending, Submission::NotSent(_)) if is_own => Some(Waiting),
            (Sending | Waiting, Submission::Unknown(_)) => Some(Unknown),
            (Paid { .. }, Submission::Rejected(_))
            | (Rejected { .. } | Failed { facts: None }, Submission::Accepted) => {
                return Transition::Conflict(Mismatch::Outcome);
            }
            (Unknown | Submitted | Rejected { .. } | Paid { .. } | Failed { .. }, _)
            | (Sending | Waiting, Submission::Rejected(_) | Submission::NotSent(_)) => None,
        };
        let ended = Ended { at: now, submission };
        match (state, self.noted(sender, ended)) {
            (None, None) => Transition::Repeat,
            (None, Some(noted)) => Transition::Move(noted),
            (Some(state), noted) => Transition::Move(noted.as_ref().unwrap_or(self).with(state)),
        }
    }

    /// Notes the end of a sender's attempt. `None` when it is noted already.
    fn noted(&self, sender: &str, ended: Ended) -> Option<Self> {
        let mut row = self.clone();
        let attempt = row.attempts.iter_mut().find(|it| it.sender == sender && it.ended.is_none())?;
        attempt.ended = Some(ended);
        Some(row)
    }

    /// Applies what a signed postback says.
    #[must_use]
    pub fn reported(&self, report: &WithdrawalReport) -> Transition<Self> {
        use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
        if let Some(mismatch) = self.mismatch(report) {
            return Transition::Conflict(mismatch);
        }
        let Some(outcome) = report.outcome() else { return Transition::Conflict(Mismatch::Status) };
        match (&self.state, &outcome) {
            (Sending | Waiting | Unknown | Submitted, _) => Transition::Move(self.with(outcome)),
            (Paid { facts: None }, Paid { .. }) | (Failed { facts: None }, Failed { .. }) => {
                Transition::Move(self.with(outcome))
            }
            (Paid { .. }, Paid { .. }) | (Failed { .. } | Rejected { .. }, Failed { .. }) => Transition::Repeat,
            (Paid { .. } | Failed { .. } | Rejected { .. }, _) => Transition::Conflict(Mismatch::Outcome),
        }
    }

    /// Asks for a person, giving the reason. `None` when nothing is open or a person is asked for already.
    #[must_use]
    pub fn review(&self, reason: &str) -> Option<Self> {
        let is_open = !self.is_final() && self.needs_review.is_none();
        is_open.then(|| Self { needs_review: Some(reason.to_owned()), ..self.clone() })
    }

    /// The row after a transition at this moment, and what the transition did. The row is `None` when there is nothing to
    /// write. A conflict is recorded with the facts that a postback signed, if it was a postback.
    #[must_use]
    pub fn after(
        &self,
        transition: Transition<Self>,
        facts: Option<&SignedFacts>,
        now: Timestamp,
    ) -> (Option<Self>, Effect) {
        let (row, effect) = match transition {
            Transition::Repeat => (None, Effect::Repeated),
            Transition::Move(row) => (Some(row), Effect::Moved),
            Transition::Conflict(mismatch) => {
                let mut row = self.clone();
                let contradiction = Contradiction { mismatch, facts: facts.cloned() };
                let is_new = contradiction.record(&mut row.contradictions);
                (is_new.then_some(row), Effect::Conflicted(mismatch))
            }
        };
        (row.map(|row| row.changed_from(self, now)), effect)
    }

    /// The row as it is written in place of this one.
    pub(crate) fn changed_from(self, old: &Self, now: Timestamp) -> Self {
        let is_same = self.state.name() == old.state.name();
        Self { changed_at: now, state_since: if is_same { old.state_since } else { now }, ..self }
    }

    /// The row that a postback's status ends without a look at anything but this row; `None` where more must be decided.
    /// This is the rule that a store applies in one conditional write.
    #[must_use]
    pub fn ended_by(&self, report: &WithdrawalReport) -> Option<Self> {
        let is_same = self.request.amount.to_string() == report.facts.amount.to_string();
        match self.reported(report) {
            Transition::Move(row) if is_same && !self.is_final() && self.contradictions.is_empty() => {
                Some(row.changed_from(self, report.facts.evidence.received_at))
            }
            Transition::Move(_) | Transition::Repeat | Transition::Conflict(_) => None,
        }
    }

    fn mismatch(&self, report: &WithdrawalReport) -> Option<Mismatch> {
        if self.request.amount != report.facts.amount {
            Some(Mismatch::WithdrawalAmount)
        } else if self.request.currency_code != report.facts.currency_code {
            Some(Mismatch::WithdrawalCurrencyCode)
        } else if self.request.payment_system != report.wallet_type {
            Some(Mismatch::WithdrawalPaymentSystem)
        } else if Some(&self.request.label) != report.facts.label.as_ref() {
            Some(Mismatch::Label)
        } else {
            report.mismatch
        }
    }

    pub(crate) fn with(&self, state: WithdrawalState) -> Self {
        Self { state, needs_review: None, ..self.clone() }
    }

    /// The row as it was read: with its times complete, and without what is people's own in the provider's texts.
    fn read(self) -> Self {
        let is_recorded = self.state_since != unrecorded();
        let state_since = if is_recorded { self.state_since } else { self.changed_at };
        Self { state_since, ..self }.masked()
    }

    fn masked(mut self) -> Self {
        for ended in self.attempts.iter_mut().filter_map(|attempt| attempt.ended.as_mut()) {
            ended.submission = ended.submission.masked(&self.request);
        }
        if let WithdrawalState::Rejected { message } = &mut self.state {
            *message = self.request.mask(message);
        }
        self
    }
}

impl Serialize for Withdrawal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Withdrawal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self::read)
    }
}

impl WithdrawalReport {
    /// The final state that the report's status means. `None` for a status without a known meaning.
    #[must_use]
    pub fn outcome(&self) -> Option<WithdrawalState> {
        let facts = Some(self.facts.clone());
        match self.withdrawal_status {
            Some(1) => Some(WithdrawalState::Paid { facts }),
            Some(5) => Some(WithdrawalState::Failed { facts }),
            Some(_) | None => None,
        }
    }
}

/// Postbacks about a withdrawal that we never made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "foreign")]
pub struct ForeignWithdrawal {
    /// Which withdrawal.
    pub withdrawal_id: WithdrawalId,
    /// The status of the first postback.
    pub withdrawal_status: Option<i64>,
    /// What it said.
    pub facts: SignedFacts,
    /// What later postbacks said that is something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
    /// What people found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolutions: Vec<Resolution>,
}

impl ForeignWithdrawal {
    /// The row after the first report.
    #[must_use]
    pub fn new(report: &WithdrawalReport) -> Self {
        Self {
            withdrawal_id: report.withdrawal_id.clone(),
            withdrawal_status: report.withdrawal_status,
            facts: report.facts.clone(),
            contradictions: Vec::new(),
            resolutions: Vec::new(),
        }
    }

    /// Records a postback that says something else than the first one. `None` when it says the same, or is recorded already.
    #[must_use]
    pub fn reported(&self, report: &WithdrawalReport) -> Option<Self> {
        if self.withdrawal_status == report.withdrawal_status && self.facts.agree_with(&report.facts) {
            return None;
        }
        let mut row = self.clone();
        let contradiction = Contradiction { mismatch: Mismatch::EarlierPostback, facts: Some(report.facts.clone()) };
        contradiction.record(&mut row.contradictions).then_some(row)
    }
}

/// Who knows of a withdrawal that a restored table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownTo {
    /// The provider: it is in its export.
    Provider,
    /// The merchant: it is in the list of the ids that it has used.
    Merchant,
}

/// An id that was used before the table was restored. No withdrawal may be made under it: that one may have been paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "reserved")]
pub struct ReservedId {
    /// The id.
    pub withdrawal_id: WithdrawalId,
    /// When it was reserved.
    pub reserved_at: Timestamp,
    /// Who knows of it.
    pub known_to: KnownTo,
}

/// The row of a withdrawal's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WithdrawalRow {
    /// A withdrawal of ours.
    Registered(Box<Withdrawal>),
    /// Only postbacks: the id is taken, and no withdrawal may be made under it.
    Foreign(Box<ForeignWithdrawal>),
    /// Nothing but that the id was used.
    Reserved(ReservedId),
}

impl WithdrawalRow {
    /// The withdrawal's id.
    #[must_use]
    pub fn id(&self) -> &WithdrawalId {
        match self {
            Self::Registered(withdrawal) => &withdrawal.request.withdrawal_id,
            Self::Foreign(foreign) => &foreign.withdrawal_id,
            Self::Reserved(reserved) => &reserved.withdrawal_id,
        }
    }

    /// The name of its state in the table.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match self {
            Self::Registered(withdrawal) => withdrawal.state.name(),
            Self::Foreign(_) => "foreign",
            Self::Reserved(_) => "reserved",
        }
    }

    /// What people have decided about it.
    #[must_use]
    pub fn resolutions(&self) -> &[Resolution] {
        match self {
            Self::Registered(row) => &row.resolutions,
            Self::Foreign(row) => &row.resolutions,
            Self::Reserved(_) => &[],
        }
    }

    /// The withdrawal, if it is ours.
    #[must_use]
    pub fn registered(&self) -> Option<&Withdrawal> {
        match self {
            Self::Registered(withdrawal) => Some(withdrawal),
            Self::Foreign(_) | Self::Reserved(_) => None,
        }
    }

    /// Reserves an id that was used before the table was restored. `None` if it has a row.
    #[must_use]
    pub fn reserved(current: Option<&Self>, reserved: ReservedId) -> Option<Self> {
        current.is_none().then_some(Self::Reserved(reserved))
    }

    /// The row after a signed postback, and what the postback did. The row is `None` when there is nothing to write. A postback
    /// about a withdrawal that we never made takes the id, so that no withdrawal is ever made under it.
    #[must_use]
    pub fn reported(current: Option<&Self>, report: &WithdrawalReport) -> (Option<Self>, Effect) {
        match current {
            None | Some(Self::Reserved(_)) => {
                (Some(Self::Foreign(Box::new(ForeignWithdrawal::new(report)))), Effect::Moved)
            }
            Some(Self::Foreign(foreign)) => match foreign.reported(report) {
                Some(foreign) => (Some(Self::Foreign(Box::new(foreign))), Effect::Moved),
                None => (None, Effect::Repeated),
            },
            Some(Self::Registered(withdrawal)) => {
                let transition = withdrawal.reported(report);
                let at = report.facts.evidence.received_at;
                let (row, effect) = withdrawal.after(transition, Some(&report.facts), at);
                (row.map(|row| Self::Registered(Box::new(row))), effect)
            }
        }
    }
}
