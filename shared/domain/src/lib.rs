//! What deposits, payments and withdrawals are, and which changes of them are allowed. Pure: no clock, no network, no AWS.

mod amount;
mod attempt_id;
mod attention;
mod ceiling;
mod claim;
mod credited_number;
mod current_event;
mod day;
mod deposit;
mod entry_count;
mod event;
mod evidence;
mod hash;
mod ids;
mod mask;
mod payment;
mod payment_row;
mod payment_system;
mod payment_system_change;
mod proposal;
mod report;
mod resolution;
mod signed_list;
mod table_identity;
mod unchanged_text;
mod unreadable;
mod waiting;
mod window;
mod withdrawal;

pub use amount::{Amount, Sum};
pub use attempt_id::{AttemptId, Separator};
pub use attention::{Attention, AttentionFilter, AttentionKind};
pub use ceiling::{Ceiling, CeilingRule, Ceilings, Reservation, ReservedSums, ReservedSumsId, Reserving};
pub use claim::{CLAIM_BLOCKS_MS, Call, Claim, Entered, Entering, Entry, Journal, MAX_LABELS};
pub use credited_number::{CreditedNumber, CreditedNumberId, NormalisedNumber};
pub use current_event::CurrentEvent;
pub use day::{Day, Hour};
pub use deposit::{
    Attempt, AttemptState, CallResult, Called, Credit, Deposit, DepositRow, DepositState, MAX_ATTEMPTS, MAX_CREDITS,
    Order, Recorded, Totals, Unregistered,
};
pub use entry_count::{EntryCount, LabelHash};
pub use event::{
    Basis, ContestedPayment, Credited, DecidedBy, Event, FailedActivation, ForeignReported, HeldPayment,
    UnreadableElement, WithdrawalChanged,
};
pub use evidence::{Contradiction, Evidence, Mismatch, SignedFacts};
pub use ids::{
    AccountNumber, Caller, Comment, CurrencyCode, CustomTransactionId, InvalidValue, Label, Lang, PaymentKey, Remark,
    TransactionId, WalletType, WindowPageId, WindowUrl, WithdrawalId,
};
pub use mask::mask;
pub use payment::{CreditedRows, Decision, ExpectedCredit, Noted, Payment, PaymentState, Rows, decide, match_waiting};
pub use payment_system::{Limits, PaymentSystem, PaymentSystems, TextRule, WithdrawalRules};
pub use payment_system_change::PaymentSystemChange;
pub use proposal::{Proposal, ProposalId};
pub use report::{DepositReport, Direction, Unsigned, WithdrawalReport};
pub use resolution::{Decided, DecidedOn, MAX_RESOLUTIONS, NotResolved, Outcome, Resolution};
pub use signed_list::{ListCopy, ListHash, ListPlace, ListProgress, ListState, SignedList, StoredList};
pub use table_identity::TableIdentity;
pub use unchanged_text::is_invisible;
pub use unreadable::{OddPayment, Unreadable, UnreadableId};
pub use waiting::{Waiting, WaitingPage, WaitingPageId};
pub use window::Window;
pub use withdrawal::{
    ArmedMessage, Effect, Ended, ForeignWithdrawal, KnownTo, ReservedId, Stage, Submission, SubmissionAttempt,
    Withdrawal, WithdrawalRequest, WithdrawalRow, WithdrawalState,
};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970 in UTC, by our own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// What an event does to a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition<S> {
    /// The state changes to this.
    Move(S),
    /// It is so already; nothing changes.
    Repeat,
    /// The event contradicts what was decided: record it, alarm, never apply it.
    Conflict(Mismatch),
}
