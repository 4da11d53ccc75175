//! Deliberately wrong variants of our own code, each made at a port: the rules must find every one of them.

use domain::{
    Amount, Credit, CustomTransactionId, DepositRow, ExpectedCredit, NotResolved, Payment, PaymentState, Resolution,
    Submission, Withdrawal, WithdrawalId, WithdrawalReport, WithdrawalRow, WithdrawalState,
};
use edge::{RowChange, Unavailable};
use paykassma::{Activation, ActivationRequest};
use serde_json::Value;
use signing::Spelling;
use store::{Change, Row, Stored, Written, WrittenTogether};

use super::provider::{Fact, Postback, Subject, Top, sign, spelled};
use super::table::{put, stored};
use super::world::{Answer, Job, World};

macro_rules! wrongs {
    ($($(#[doc = $doc:literal])* $name:ident)*) => {
        /// One way of being wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Wrong { $($(#[doc = $doc])* $name,)* }

        impl Wrong {
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

wrongs! {
    /// Rows are written whatever stands.
    DropCondition
    /// A payment is credited each time it is reported.
    CreditEachTime
    /// The row that remembers a credit expires.
    ExpireDedupRow
    /// Repeats are known by their signature, not by the payment.
    DedupBySignature
    /// The payment and its order are written one after the other.
    TearCredit
    /// The table answers before it has written.
    WriteBehind
    /// Unknown counts as not sent.
    ForgetUnknown
    /// Contradictions are only logged.
    ForgetConflicts
    /// A payment without an order is dropped.
    DropUnmatched
    /// A payment that disagrees is dropped.
    DropQuarantined
    /// A claim is not written.
    DropClaim
    /// An order is registered over the payments that wait for it.
    OverwriteUnannounced
    /// A postback decides, whatever was decided.
    LastPostbackWins
    /// A payout is paid whatever amount the postback says.
    SettleAnyAmount
    /// The unsigned label is credited.
    TrustTopLabel
    /// The unsigned amount is credited.
    TrustTopAmount
    /// Amounts pass through f64.
    CreditAsFloat
    /// Only the first element of a postback is looked at.
    FirstElementOnly
    /// A postback is known by its bare `transaction_id`.
    KeyOnBareId
    /// A postback is answered ok whatever came of it.
    AnswerOkAlways
    /// Signatures are not checked.
    AnySignature
    /// A status that is not documented is a failure.
    UnknownStatusIsFail
    /// A time-out is a failure.
    TimeoutIsFailed
    /// Retry until it works.
    TimeoutIsNotSent
    /// A duplicate is always ours.
    DuplicateIsAccepted
    /// Retry until it works; a duplicate is ours.
    RetryAndDuplicateIsAccepted
    /// Insufficient balance releases, even after an unknown attempt.
    ReleaseOnPoorBalance
    /// Each attempt is signed anew.
    NewBodyPerAttempt
    /// Any error frees the number.
    ErrorFreesClaim
    /// Each number of an order goes out under the same id.
    SameAttemptId
    /// The activation's answer credits.
    ActivationCredits
    /// The message is sent after the row is written.
    ArmAfterWriting
    /// No message is sent.
    NeverArm
    /// A message is deleted whatever came of it.
    AcknowledgeAlways
    /// When the attempts are used up, the money is given back.
    RefundOnReview
    /// All invocations send under one name, by a clock that shows the hour.
    SharedSender
    /// Of the copies of a waiting payment, only the first one's label is kept.
    ForgetLabels
    /// The publisher says done before the bus has taken anything.
    TellAndForget
    /// What the bus refused of a call counts as taken.
    ForgetRefusedEvents
    /// Each delivery of an event has an id of its own.
    NewEventIds
    /// An event's id says of which row it is, and not of which version.
    EventIdWithoutVersion
    /// Changes are told without a look at what stood before.
    TellWithoutOld
    /// A person's decision is written whatever stands by then.
    DecideBlindly
    /// A person turns one end into the other.
    TurnEnd
    /// A person ends what is on its way.
    DecideWhileSending
    /// A person's decision is not kept.
    ForgetDecision
    /// A person's decision closes what will be said against it, too.
    CloseForEver
    /// A person credits a payment and not its order.
    CreditPaymentAlone
    /// A postback decides against a person.
    OverrulePerson
}

/// What a wrong person makes of a payout.
pub(super) fn resolved(world: &World, row: &Withdrawal, resolution: &Resolution) -> Result<Withdrawal, NotResolved> {
    if world.is(Wrong::TurnEnd) && row.is_final() && !row.contradictions.is_empty() {
        return Ok(super::operators::turned(row, resolution.outcome));
    }
    if world.is(Wrong::DecideWhileSending) && row.state == WithdrawalState::Sending {
        return Withdrawal { state: WithdrawalState::Unknown, ..row.clone() }.resolve(resolution.clone());
    }
    row.resolve(resolution.clone())
}

/// What a wrong tool writes of a decision.
pub(super) fn decision<R: Decided>(world: &World, mut change: Change<R>) -> Change<R> {
    let resolutions = change.row.resolutions();
    if world.is(Wrong::ForgetDecision) {
        resolutions.clear();
    } else if let Some(last) = resolutions.last_mut().filter(|_| world.is(Wrong::CloseForEver)) {
        last.closes = usize::MAX;
    }
    change
}

fn is_blind<R: Decided>(world: &World, change: &Change<R>, stands: Option<&Stored<R>>) -> bool {
    let decisions = |row: &R| row.clone().resolutions().len();
    let is_decision = decisions(&change.row) > stands.map_or(0, |it| decisions(&it.row));
    world.is(Wrong::DropCondition) || (is_decision && world.is(Wrong::DecideBlindly))
}

/// A row about which people decide.
pub(super) trait Decided: Row {
    fn resolutions(&mut self) -> &mut Vec<Resolution>;
}

impl Decided for Payment {
    fn resolutions(&mut self) -> &mut Vec<Resolution> {
        &mut self.resolutions
    }
}

impl Decided for WithdrawalRow {
    fn resolutions(&mut self) -> &mut Vec<Resolution> {
        match self {
            Self::Registered(row) => &mut row.resolutions,
            Self::Unmatched(row) => &mut row.resolutions,
        }
    }
}

/// The change as a publisher sees it that is told of new rows alone.
pub(super) fn image(wrong: Option<Wrong>, change: RowChange) -> RowChange {
    if wrong == Some(Wrong::TellWithoutOld) { RowChange { old: None, ..change } } else { change }
}

pub(super) fn published(world: &World, changes: usize, done: usize) -> usize {
    if world.is(Wrong::TellAndForget) { changes } else { done }
}

pub(super) fn detail(world: &World, call: &str, detail: &str) -> String {
    let mut event: Value = serde_json::from_str(detail).unwrap();
    if world.is(Wrong::NewEventIds) {
        event["id"] = format!("{call} {}", event["id"]).into();
    } else if world.is(Wrong::EventIdWithoutVersion) {
        event["id"] = format!("{} {}", event["transaction"], event["type"]).into();
    } else {
        return detail.to_owned();
    }
    event.to_string()
}

pub(super) fn nonce(world: &World, name: String) -> String {
    if world.is(Wrong::SharedSender) { "the submitter".into() } else { name }
}

pub(super) fn now_ms(world: &World, now_ms: u64) -> u64 {
    const HOUR_MS: u64 = 3_600_000;
    if world.is(Wrong::SharedSender) { now_ms.saturating_sub(now_ms.checked_rem(HOUR_MS).unwrap_or(0)) } else { now_ms }
}

pub(super) fn arm(world: &World, body: &str) -> Option<Result<(), Unavailable>> {
    let id = withdrawal_id(body);
    if world.is(Wrong::ArmAfterWriting) {
        world.with(|state| state.kept_in_mind.insert(id));
        return Some(Ok(()));
    }
    world.is(Wrong::NeverArm).then_some(Ok(()))
}

fn withdrawal_id(body: &str) -> String {
    serde_json::from_str::<Value>(body).unwrap()["withdrawal_id"].as_str().unwrap().to_owned()
}

pub(super) fn body(world: &World, body: &str) -> String {
    let id = withdrawal_id(body);
    if world.is(Wrong::ArmAfterWriting) && world.with(|state| state.kept_in_mind.remove(&id)) {
        super::queue::send(world, &format!("{{\"withdrawal_id\":\"{id}\"}}"));
    }
    if world.is(Wrong::NewBodyPerAttempt) {
        let name = world.next_call("signature");
        return body.replace(r#""signature":""#, &format!(r#""signature":"{name}"#));
    }
    body.to_owned()
}

pub(super) fn attempt_id(world: &World, request: &ActivationRequest<'_>) -> String {
    if world.is(Wrong::SameAttemptId) {
        return request.order.custom_transaction_id.as_str().to_owned();
    }
    request.custom_transaction_id.to_string()
}

pub(super) fn activated(world: &World, request: &ActivationRequest<'_>, said: Activation) -> Activation {
    match said {
        Activation::Unknown(reason) | Activation::NotSent(reason) if world.is(Wrong::ErrorFreesClaim) => {
            Activation::Rejected(reason)
        }
        Activation::Activated { deposit_amount: Some(amount) } if world.is(Wrong::ActivationCredits) => {
            let wallet_type = request.order.wallet_type.clone();
            let payment = domain::PaymentKey { wallet_type, transaction_id: request.key1.clone() };
            add_credit(world, &request.order.custom_transaction_id, Credit { payment, amount });
            Activation::Activated { deposit_amount: Some(amount) }
        }
        said => said,
    }
}

fn add_credit(world: &World, order: &CustomTransactionId, credit: Credit) {
    if let Some(Stored { row: DepositRow::Registered(deposit), version }) = stored::<DepositRow>(world, order) {
        put(world, Change { row: DepositRow::Registered(deposit.credit(credit)), replaces: version });
    }
}

pub(super) fn submitted(world: &World, body: &str, said: Submission) -> Submission {
    let retries = world.is(Wrong::TimeoutIsNotSent) || world.is(Wrong::RetryAndDuplicateIsAccepted);
    let trusts = world.is(Wrong::DuplicateIsAccepted) || world.is(Wrong::RetryAndDuplicateIsAccepted);
    match said {
        Submission::Unknown(reason) if world.is(Wrong::TimeoutIsFailed) => Submission::Rejected(reason),
        Submission::Unknown(reason) if retries => Submission::NotSent(reason),
        Submission::Rejected(message) if trusts && message == "duplicate" => Submission::Accepted,
        Submission::Rejected(message) => {
            if world.is(Wrong::ReleaseOnPoorBalance) && message.contains("Insufficient") {
                release(world, &withdrawal_id(body), &message);
            }
            Submission::Rejected(message)
        }
        said => said,
    }
}

fn release(world: &World, id: &str, message: &str) {
    let stands = stored::<WithdrawalRow>(world, &WithdrawalId::parse(id).unwrap());
    if let Some(Stored { row: WithdrawalRow::Registered(row), version }) = stands {
        let state = WithdrawalState::Rejected { message: message.into() };
        put(world, registered(Withdrawal { state, ..*row }, version));
    }
}

fn registered(row: Withdrawal, replaces: u64) -> Change<WithdrawalRow> {
    Change { row: WithdrawalRow::Registered(Box::new(row)), replaces }
}

pub(super) fn is_acknowledged_always(world: &World) -> bool {
    world.is(Wrong::AcknowledgeAlways)
}

pub(super) fn is_answered_ok_always(world: &World) -> bool {
    world.is(Wrong::AnswerOkAlways)
}

pub(super) fn is_torn(world: &World) -> bool {
    world.is(Wrong::TearCredit)
}

pub(super) fn is_written_later(world: &World) -> bool {
    world.is(Wrong::WriteBehind)
}

/// The body as a receiver reads it that believes more than what is signed.
pub(super) fn postback(world: &World, postback: &Postback, top: &Top, body: Vec<u8>) -> Vec<u8> {
    let mut facts = postback.facts.clone();
    if world.is(Wrong::TrustTopAmount) && facts.len() == 1 {
        facts[0].amount.clone_from(&top.amount);
    }
    if world.is(Wrong::UnknownStatusIsFail) {
        for fact in &mut facts {
            if let Subject::Withdrawal { status, .. } = &mut fact.subject {
                *status = if *status == 1 { 1 } else { 5 };
            }
        }
    }
    if facts == postback.facts {
        return body;
    }
    signed(&facts, top)
}

fn signed(facts: &[Fact], top: &Top) -> Vec<u8> {
    let (list, signature) = sign(facts, Spelling::Raw);
    spelled(top, &list, &signature)
}

pub(super) fn forged(world: &World, body: Vec<u8>, facts: &[Fact], postback: &Postback) -> Vec<u8> {
    if world.is(Wrong::AnySignature) { signed(facts, &postback.top) } else { body }
}

/// A receiver that answers before the handler is asked.
pub(super) fn receiver(world: &World, postback: &Postback) -> Option<Job> {
    if !world.is(Wrong::KeyOnBareId) {
        return None;
    }
    let bare = |fact: &Fact| match &fact.subject {
        Subject::Payment { number, .. } => number.clone(),
        Subject::Withdrawal { .. } => String::new(),
    };
    let is_known = world.with(|state| {
        let new: Vec<_> = postback.facts.iter().map(|fact| state.kept_in_mind.insert(bare(fact))).collect();
        !new.contains(&true)
    });
    is_known.then(|| -> Job { Box::pin(async { Answer::Reply(200, String::new()) }) })
}

pub(super) fn deposit(
    world: &World,
    change: Change<DepositRow>,
    stands: Option<&Stored<DepositRow>>,
) -> Change<DepositRow> {
    let is_unannounced = matches!(stands, Some(Stored { row: DepositRow::Unannounced(_), .. }));
    let is_new = matches!(change.row, DepositRow::Registered(_)) && change.replaces == 0;
    let overwrites = world.is(Wrong::OverwriteUnannounced) && is_unannounced && is_new;
    if overwrites || world.is(Wrong::DropCondition) { Change::of(change.row, stands) } else { change }
}

pub(super) fn payment(
    world: &World,
    change: Change<Payment>,
    stands: Option<&Stored<Payment>>,
) -> Option<Change<Payment>> {
    let is_dropped = match change.row.state {
        PaymentState::Unmatched { .. } => world.is(Wrong::DropUnmatched),
        PaymentState::Quarantined { .. } => world.is(Wrong::DropQuarantined),
        PaymentState::Claimed { .. } => world.is(Wrong::DropClaim),
        PaymentState::Released { .. } | PaymentState::Credited { .. } | PaymentState::Rejected { .. } => false,
    };
    if is_dropped {
        return None;
    }
    let mut change = if is_blind(world, &change, stands) { Change::of(change.row, stands) } else { change };
    if world.is(Wrong::ForgetConflicts) {
        change.row.contradictions.clear();
    }
    if let PaymentState::Unmatched { labels, .. } = &mut change.row.state
        && world.is(Wrong::ForgetLabels)
    {
        labels.clear();
    }
    Some(change)
}

pub(super) fn withdrawal(
    world: &World,
    change: Change<WithdrawalRow>,
    stands: Option<&Stored<WithdrawalRow>>,
) -> Change<WithdrawalRow> {
    let change = if is_blind(world, &change, stands) { Change::of(change.row, stands) } else { change };
    let WithdrawalRow::Registered(mut row) = change.row else { return change };
    if row.state == WithdrawalState::Unknown && world.is(Wrong::ForgetUnknown) {
        row.state = WithdrawalState::Waiting;
    }
    if world.is(Wrong::ForgetConflicts) {
        row.contradictions.clear();
    }
    if row.needs_review.is_some() && world.is(Wrong::RefundOnReview) {
        row.state = WithdrawalState::Rejected { message: "the attempts are used up".into() };
    }
    registered(*row, change.replaces)
}

/// What a wrong table does with a credit; `None`: what the right one does.
pub(super) fn credit(world: &World, expected: &ExpectedCredit) -> Option<WrittenTogether> {
    let PaymentState::Credited { receipt, .. } = &expected.payment.state else { return None };
    if world.is(Wrong::FirstElementOnly) && receipt.evidence.element > 0 {
        return Some(WrittenTogether::Done);
    }
    let order = match stored::<DepositRow>(world, &expected.order)?.row {
        DepositRow::Registered(deposit) => deposit.order,
        DepositRow::Unannounced(_) => return None,
    };
    let decided = stored::<Payment>(world, &expected.payment.key).and_then(|it| match it.row.state {
        PaymentState::Credited { receipt, .. } => Some(receipt.evidence),
        _ => None,
    });
    let is_forgotten = decided.as_ref().is_some_and(|evidence| {
        let age_ms = world.clock_ms().abs_diff(evidence.received_at.0);
        (world.is(Wrong::ExpireDedupRow) && age_ms > 120_000)
            || (world.is(Wrong::DedupBySignature) && evidence.signature != receipt.evidence.signature)
    });
    let float: Option<f64> = expected.credit.amount.to_string().parse().ok();
    let float = float.and_then(|it| Amount::parse(&it.to_string()).ok()).filter(|_| world.is(Wrong::CreditAsFloat));
    let trusts = world.is(Wrong::TrustTopLabel) && order.label != expected.label && decided.is_none();
    let is_wrong = is_forgotten || trusts || float.is_some() || world.is(Wrong::TearCredit);
    if !is_wrong && !world.is(Wrong::CreditEachTime) {
        return None;
    }
    let mut expected = expected.clone();
    if let Some(float) = float {
        expected.credit.amount = float;
    }
    credit_anyway(world, expected);
    Some(WrittenTogether::Done)
}

fn credit_anyway(world: &World, expected: ExpectedCredit) {
    let stands = stored::<Payment>(world, &expected.payment.key);
    put(world, Change::of(expected.payment, stands.as_ref()));
    add_credit(world, &expected.order, expected.credit);
}

/// What a wrong table does with the end of a withdrawal; `None`: what the right one does.
pub(super) fn settle(world: &World, report: &WithdrawalReport) -> Option<Written<WithdrawalRow>> {
    if world.is(Wrong::FirstElementOnly) && report.receipt.evidence.element > 0 {
        return Some(Written::Done);
    }
    let Stored { row: WithdrawalRow::Registered(row), version } = stored(world, &report.withdrawal_id)? else {
        return None;
    };
    let any_amount = world.is(Wrong::SettleAnyAmount) && !row.is_final();
    let last_wins = world.is(Wrong::LastPostbackWins) && row.request.amount == report.receipt.amount;
    let overrules = world.is(Wrong::OverrulePerson)
        && row.request.amount == report.receipt.amount
        && matches!(row.state, WithdrawalState::Paid { receipt: None } | WithdrawalState::Failed { receipt: None });
    if !any_amount && !last_wins && !overrules {
        return None;
    }
    put(world, registered(Withdrawal { state: report.outcome()?, ..*row }, version));
    Some(Written::Done)
}
