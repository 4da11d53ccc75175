//! A payout: journalled before it is sent, uncertain until the provider has said what became of it.

use serde::{Deserialize, Serialize};

use crate::{
    AccountNumber, Amount, Comment, Contradiction, CurrencyCode, Disagreement, Label, Receipt, Timestamp, Transition,
    WalletType, WithdrawalId, WithdrawalReport,
};

/// What the merchant asked for. The same id always stands for the same payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutRequest {
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

impl PayoutRequest {
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
}

/// What one submission came to, by the HTTP client's own evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submission {
    /// The provider said `ok`.
    Accepted,
    /// The provider said `fail`, with this message.
    Rejected(String),
    /// Surely never processed: the connection was never made, or 429.
    NotSent(String),
    /// Everything else: it may have been processed. The reason is for the logs.
    Unknown(String),
}

/// How far a payout has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum WithdrawalState {
    /// An attempt is on its way; if nothing more is heard of it, it is unknown.
    Sending {
        /// When it began.
        since: Timestamp,
    },
    /// No attempt has reached the provider; it will be tried again.
    Waiting,
    /// An attempt may have been processed. Only a signed postback, the provider's `ok`, or an operator ends this.
    Unknown,
    /// The provider has accepted it.
    Submitted,
    /// The provider has refused it, and no attempt was ever unknown: the funds are free.
    Rejected {
        /// The provider's message.
        message: String,
    },
    /// A signed postback said 1.
    Paid {
        /// What it said.
        receipt: Receipt,
    },
    /// A signed postback said 5: the funds are free.
    Failed {
        /// What it said.
        receipt: Receipt,
    },
}

/// A payout of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// What the merchant asked for.
    #[serde(flatten)]
    pub request: PayoutRequest,
    /// How far it has come.
    #[serde(flatten)]
    pub state: WithdrawalState,
    /// Which invocation began the last attempt: makes its journal entry its own, also where two begin one at a time.
    #[serde(default)]
    pub sender: String,
    /// The exact signed bytes, the same for every attempt.
    pub body: String,
    /// How many times sending was begun.
    pub attempts: u32,
    /// When it was journalled.
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(default)]
    pub changed_at: Timestamp,
    /// Why a person must look, once the attempts are used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_review: Option<String>,
    /// What contradicted the decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
}

impl Withdrawal {
    /// Journals a payout whose first attempt is about to be sent.
    #[must_use]
    pub fn new(request: PayoutRequest, body: String, sender: String, now: Timestamp) -> Self {
        Self {
            request,
            state: WithdrawalState::Sending { since: now },
            sender,
            body,
            attempts: 1,
            created_at: now,
            changed_at: now,
            needs_review: None,
            contradictions: Vec::new(),
        }
    }

    /// Whether nothing is left to be done or to be waited for.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self.state {
            WithdrawalState::Rejected { .. } | WithdrawalState::Paid { .. } | WithdrawalState::Failed { .. } => true,
            WithdrawalState::Sending { .. }
            | WithdrawalState::Waiting
            | WithdrawalState::Unknown
            | WithdrawalState::Submitted => false,
        }
    }

    /// Begins another attempt: after attempts that were surely not sent, or, where the deployment says so, after an
    /// unknown one, which stays unknown.
    #[must_use]
    pub fn send_again(&self, sender: String, now: Timestamp, resend_unknown: bool) -> Option<Self> {
        let state = match self.state {
            WithdrawalState::Waiting => WithdrawalState::Sending { since: now },
            WithdrawalState::Unknown if resend_unknown => WithdrawalState::Unknown,
            WithdrawalState::Unknown
            | WithdrawalState::Sending { .. }
            | WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. }
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => return None,
        };
        Some(Self { sender, attempts: self.attempts.saturating_add(1), changed_at: now, ..self.with(state) })
    }

    /// Gives up waiting for the answer of an attempt whose sender must be dead.
    #[must_use]
    pub fn lose(&self) -> Transition<Self> {
        match self.state {
            WithdrawalState::Sending { .. } => Transition::Move(self.with(WithdrawalState::Unknown)),
            WithdrawalState::Waiting
            | WithdrawalState::Unknown
            | WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. }
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => Transition::Repeat,
        }
    }

    /// Applies what a sender's submission came to. Only the sender of the attempt on its way can say that it did not
    /// arrive: another's answer says nothing of it.
    #[must_use]
    pub fn answered(&self, sender: &str, submission: &Submission) -> Transition<Self> {
        use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
        let is_own = self.sender == sender;
        let state = match (&self.state, submission) {
            (Sending { .. } | Waiting | Unknown, Submission::Accepted) => Submitted,
            (Sending { .. }, Submission::Rejected(message)) if is_own => Rejected { message: message.clone() },
            (Sending { .. }, Submission::NotSent(_)) if is_own => Waiting,
            (Sending { .. } | Waiting, Submission::Unknown(_)) => Unknown,
            (Paid { .. }, Submission::Rejected(_)) | (Rejected { .. }, Submission::Accepted) => {
                return Transition::Conflict(Disagreement::Outcome);
            }
            (Unknown | Submitted | Rejected { .. } | Paid { .. } | Failed { .. }, _)
            | (Sending { .. } | Waiting, Submission::Rejected(_) | Submission::NotSent(_)) => {
                return Transition::Repeat;
            }
        };
        Transition::Move(self.with(state))
    }

    /// Applies what a signed postback says.
    #[must_use]
    pub fn reported(&self, report: &WithdrawalReport) -> Transition<Self> {
        use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
        if let Some(disagreement) = self.disagreement(report) {
            return Transition::Conflict(disagreement);
        }
        let Some(outcome) = report.outcome() else { return Transition::Conflict(Disagreement::Status) };
        match (&self.state, &outcome) {
            (Sending { .. } | Waiting | Unknown | Submitted, _) => Transition::Move(self.with(outcome)),
            (Paid { .. }, Paid { .. }) | (Failed { .. } | Rejected { .. }, Failed { .. }) => Transition::Repeat,
            (Paid { .. } | Failed { .. } | Rejected { .. }, _) => Transition::Conflict(Disagreement::Outcome),
        }
    }

    /// Asks for a person, giving the reason. `None` when nothing is open or a person is asked for already.
    #[must_use]
    pub fn review(&self, reason: &str) -> Option<Self> {
        let is_open = !self.is_final() && self.needs_review.is_none();
        is_open.then(|| Self { needs_review: Some(reason.to_owned()), ..self.clone() })
    }

    /// Records a contradiction. `None` when it is recorded already.
    #[must_use]
    pub fn contradicted(&self, disagreement: Disagreement, receipt: Option<Receipt>) -> Option<Self> {
        let mut row = self.clone();
        Contradiction { disagreement, receipt }.record(&mut row.contradictions).then_some(row)
    }

    fn disagreement(&self, report: &WithdrawalReport) -> Option<Disagreement> {
        if self.request.amount != report.receipt.amount {
            Some(Disagreement::WithdrawalAmount)
        } else if self.request.currency_code != report.receipt.currency_code {
            Some(Disagreement::WithdrawalCurrencyCode)
        } else if self.request.payment_system != report.wallet_type {
            Some(Disagreement::WithdrawalPaymentSystem)
        } else if Some(&self.request.label) != report.receipt.label.as_ref() {
            Some(Disagreement::Label)
        } else {
            report.disagreement
        }
    }

    fn with(&self, state: WithdrawalState) -> Self {
        Self { state, needs_review: None, ..self.clone() }
    }
}

impl WithdrawalReport {
    /// The final state that the report's status stands for. `None` for a status without a known meaning.
    #[must_use]
    pub fn outcome(&self) -> Option<WithdrawalState> {
        let receipt = self.receipt.clone();
        match self.withdrawal_status {
            Some(1) => Some(WithdrawalState::Paid { receipt }),
            Some(5) => Some(WithdrawalState::Failed { receipt }),
            Some(_) | None => None,
        }
    }
}

/// Postbacks about a withdrawal that we never made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "unmatched")]
pub struct UnknownWithdrawal {
    /// Which withdrawal.
    pub withdrawal_id: WithdrawalId,
    /// The status of the first postback.
    pub withdrawal_status: Option<i64>,
    /// What it said.
    pub unmatched: Receipt,
}

/// What stands under a withdrawal's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WithdrawalRow {
    /// A payout of ours.
    Registered(Box<Withdrawal>),
    /// Postbacks only: the id is taken, and no payout may be made under it.
    Unmatched(UnknownWithdrawal),
}

impl WithdrawalRow {
    /// The withdrawal's id.
    #[must_use]
    pub fn id(&self) -> &WithdrawalId {
        match self {
            Self::Registered(withdrawal) => &withdrawal.request.withdrawal_id,
            Self::Unmatched(unknown) => &unknown.withdrawal_id,
        }
    }
}
