//! Deliberately wrong variants of our own code, each made at a port: the rules must find every one of them.

use ::operator::decisions::DecisionRequest;
use domain::{
    Credit, CustomTransactionId, DepositRow, ListProgress, Reservation, Submission, Withdrawal, WithdrawalId,
    WithdrawalRow, WithdrawalState,
};
use lambda::{AwsError, ChangeRecord, RowChange};
use paykassma::{Activation, ActivationRequest};
use serde_dynamo::{AttributeValue, Item};
use serde_json::{Value, json};
use signing::Spelling;
use store::{AnyRow, Change, Row, RowEvents, StoreError, Stored, TableCheck, TableId, row_events};

mod rows;

pub(super) use rows::{
    credit, deposit, end_withdrawal, is_order_forgotten, misread, misread_deposit, misread_payment, payment, withdrawal,
};

use super::expected_events::ExpectedEvent;
use super::intruder::Forgery;
use super::provider::{Fact, Postback, Subject, Top, Written, sign, spelled};
use super::table::{put, row, stored};
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
    /// Rows are written without a condition.
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
    /// A write that meets a transaction counts as done.
    WrittenInTransaction
    /// Unknown counts as not sent.
    ForgetUnknown
    /// Contradictions are only logged.
    ForgetConflicts
    /// A payment without an order is dropped.
    DropUnmatched
    /// A payment that differs is dropped.
    DropQuarantined
    /// A claim is not written.
    DropClaim
    /// An order is registered over the payments that wait for it.
    OverwriteUnregistered
    /// A postback decides, whatever was decided.
    LastPostbackWins
    /// A withdrawal is paid whatever amount the postback says.
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
    /// A postback is always answered ok.
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
    /// The signed list of several elements is not stored.
    ForgetList
    /// That a list is unfinished is not noted.
    ForgetUnfinished
    /// A list is done as soon as it comes.
    DoneAtOnce
    /// A list is done once any copy of it is, also an altered one.
    AnyCopyEnds
    /// Of the payments that wait for an order, only the last page is matched.
    ForgetPages
    /// Each spelling of a number is credited.
    CreditEachSpelling
    /// A number is read in any spelling.
    ReadAnySpelling
    /// The credits of an order are counted by the length of the list that its row remembers.
    CountRemembered
    /// What can never succeed is tried again for ever.
    RetryForEver
    /// Whatever fails at an order's row counts as if it could never succeed.
    GiveUpAtOnce
    /// Insufficient balance releases, even after an unknown attempt.
    ReleaseOnPoorBalance
    /// The merchant's server has taken an event, whatever it answers.
    AnyAnswerIsTaken
    /// The wait between two attempts to post an event depends on its age alone.
    WaitByAgeAlone
    /// A replay gives events new ids.
    ReplayUnderNewId
    /// A replay counts credits from the first one that the order's row remembers.
    NumberFromOne
    /// A replay looks at orders only.
    ForgetPayments
    /// A replay publishes what is not proved.
    ReplayUnproved
    /// An event that is an hour old is dropped.
    ForgetUndelivered
    /// Each attempt to post an event has an id of its own.
    NewIdPerAttempt
    /// The previous key does not sign.
    SignWithOneKey
    /// Each attempt is signed anew.
    NewBodyPerAttempt
    /// Any error frees the number.
    ErrorFreesClaim
    /// Each number of an order goes out under the same id.
    SameAttemptId
    /// A number goes out under the same id after its attempt has failed.
    ReuseFailedId
    /// A fail ends an attempt, whatever its other calls came to.
    FailEndsAnyAttempt
    /// What was answered ok is sent again.
    SendActivatedAgain
    /// Any order takes a claimed number over.
    ClaimBlocksNobody
    /// Orders that are refused a number are not recorded.
    ForgetEntries
    /// A contested payment is credited at once.
    CreditContested
    /// A person's decision does not say from which order it takes a number.
    ForgetTakenFrom
    /// Numbers are not counted.
    CountNothing
    /// A label is registered that the provider does not send back as it is.
    AcceptAnyLabel
    /// The activation's answer credits.
    ActivationCredits
    /// The message is sent after the row is written.
    ArmAfterWriting
    /// No message is sent.
    NeverArm
    /// A withdrawal leaves the index as soon as the provider has accepted it.
    ForgetSubmitted
    /// A withdrawal is in its state since it last changed.
    YoungAgain
    /// The reporter gives up no attempt.
    NeverGiveUp
    /// A message is always deleted.
    AcknowledgeAlways
    /// An amount is reserved whatever the ceiling.
    ReserveAboveCeiling
    /// An amount is reserved after its withdrawal is journalled.
    ReserveLater
    /// What was reserved is given back when the journal's answer is lost.
    GiveBackUncertain
    /// What was reserved is given back again after a lost answer.
    GiveBackTwice
    /// What is on record is refused when a ceiling is reached.
    RefuseRepeat
    /// When the attempts are used up, the money is given back.
    RefundOnReview
    /// All invocations send under one name, by a clock that shows the hour.
    SharedSender
    /// Of the copies of a waiting payment, only the first label is stored.
    ForgetLabels
    /// Of the reports about a foreign withdrawal, only the first is stored.
    FirstWordOnly
    /// The publisher says done before the bus has taken anything.
    TellAndForget
    /// What the bus refused of a call counts as taken.
    ForgetRejectedEvents
    /// Each delivery of an event has an id of its own.
    NewEventIds
    /// An event's id names its row, but not the version.
    EventIdWithoutVersion
    /// Changes are published without a look at what stood before.
    TellWithoutOld
    /// A credit is marked as a change that publishes nothing.
    MarkCreditQuiet
    /// A change that cannot be read is reported, until Lambda gives the batch up.
    BlockAtUnreadable
    /// A change that cannot be read is skipped.
    SkipUnreadable
    /// An ended withdrawal of an unknown state is read as a foreign one, because it has all fields of one.
    ReadAsForeign
    /// What does not verify is published.
    PublishUnproved
    /// Of what would be published as money, the signature and the amount are compared, and nothing else.
    ProveAmountAlone
    /// The end of a withdrawal without anything signed needs no decision.
    PublishUndecided
    /// The publisher verifies evidence by the key of today alone.
    ForgetPreviousKey
    /// Evidence is refused by keys that were read long ago.
    KeysNotReadAgain
    /// A table is used whatever stream it names.
    SkipAdopt
    /// After a restore only the ids of the provider's export are reserved.
    ForgetMerchantIds
    /// After a restore what was on its way is sent on.
    KeepSending
    /// A large amount is decided by one person.
    DecideAlone
    /// A decision is recorded on the current row, whatever the person has seen.
    DecideUnseen
    /// An event's id is made of its row's version and of its place.
    IdsFromVersions
    /// What was set aside is published with the generation that the table has now.
    ForgetGeneration
    /// An older release writes over what a newer one wrote.
    WriteOverNewer
    /// A person turns one end into the other.
    TurnEnd
    /// A person ends what is on its way.
    DecideWhileSending
    /// A person's decision is not recorded.
    ForgetDecision
    /// A person's decision closes what will be said against it, too.
    CloseForEver
    /// A person credits a payment and not its order.
    CreditPaymentAlone
    /// A postback decides against a person.
    OverrulePerson
}

pub(super) fn reservation(world: &World, reservation: &Reservation) -> Reservation {
    let reservation = reservation.clone();
    if world.is(Wrong::ReserveAboveCeiling) {
        return Reservation { hour_before: None, day_before: None, ..reservation };
    }
    reservation
}

pub(super) fn is_reserved_later(world: &World) -> bool {
    world.is(Wrong::ReserveLater)
}

/// A row was written, or nobody knows.
pub(super) fn written(world: &World, key: &str, is_answered: bool) {
    if is_answered || !key.starts_with("withdrawal#") || !world.is(Wrong::GiveBackUncertain) {
        return;
    }
    let running = world.running();
    if let Some(reservation) = world.with(|state| state.rules.reservations.remove(&running)) {
        drop(super::table::give_back(world, &reservation));
    }
}

pub(super) fn before_giving_back(world: &World, reservation: &Reservation) {
    if world.is(Wrong::GiveBackTwice) {
        drop(super::table::give_back(world, reservation));
    }
}

/// Whether a wrong function answers a merchant without looking at what is on record.
pub(super) fn is_unseen(world: &World, key: &str) -> bool {
    world.is(Wrong::RefuseRepeat) && key.starts_with("withdrawal#") && world.running().starts_with("withdraw ")
}

/// The error of a row that cannot be used.
pub(super) fn permanent(world: &World, key: String) -> StoreError {
    let reason = "it cannot be decoded".to_owned();
    if world.is(Wrong::RetryForEver) { StoreError::Transient(reason) } else { StoreError::Permanent { key, reason } }
}

/// A failure as a wrong store gives it.
pub(super) fn failed(world: &World, what: &str, error: StoreError) -> StoreError {
    match what.strip_prefix("read deposit#") {
        Some(order) if world.is(Wrong::GiveUpAtOnce) => {
            StoreError::Permanent { key: format!("deposit#{order}"), reason: error.to_string() }
        }
        _ => error,
    }
}

pub(super) fn progress(world: &World, change: Change<ListProgress>) -> Option<Change<ListProgress>> {
    let (mut change, mut row) = (change.clone(), change.row);
    let ends = world.is(Wrong::AnyCopyEnds) && row.copies.iter().any(|copy| copy.is_done);
    if ends || world.is(Wrong::DoneAtOnce) {
        let copies: Vec<_> = row.unfinished().map(|copy| copy.unsigned.clone()).collect();
        row = copies.iter().fold(row, |row, unsigned| row.end(unsigned).unwrap());
    }
    change.row = row;
    (!world.is(Wrong::ForgetUnfinished)).then_some(change)
}

/// The change as a publisher sees it that is published of new rows alone.
pub(super) fn image(wrong: Option<Wrong>, mut change: RowChange) -> RowChange {
    if wrong == Some(Wrong::CountRemembered) {
        for image in [&mut change.old, &mut change.new].into_iter().flatten() {
            image.remove("totals");
        }
    }
    if wrong == Some(Wrong::TellWithoutOld) { RowChange { old: None, ..change } } else { change }
}

/// Whether a wrong store reads an image of an unknown state as one of another state.
pub(super) fn is_misread(world: &World, image: &mut Item) -> bool {
    let is_ended = image.contains_key("withdrawal_id") && image.contains_key("facts");
    let is_misread = is_ended && world.is(Wrong::ReadAsForeign);
    if is_misread {
        image.insert("state".into(), AttributeValue::S("foreign".into()));
    }
    is_misread
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
    } else if world.is(Wrong::IdsFromVersions) {
        let place = super::stream::place(world, &event);
        event["id"] = format!("{} {} {place:?}", event["transaction"], event["version"]).into();
    } else {
        return detail.to_owned();
    }
    event.to_string()
}

pub(super) fn nonce(world: &World, name: String) -> String {
    let is_number = name.contains("order") || name.starts_with("guess");
    if world.is(Wrong::SharedSender) && !is_number { "the submitter".into() } else { name }
}

pub(super) fn now_ms(world: &World, now_ms: u64) -> u64 {
    const HOUR_MS: u64 = 3_600_000;
    let is_sender = !world.running().starts_with("reporter");
    if world.is(Wrong::SharedSender) && is_sender {
        now_ms.saturating_sub(now_ms.checked_rem(HOUR_MS).unwrap_or(0))
    } else {
        now_ms
    }
}

pub(super) fn arm(world: &World, body: &str) -> Option<Result<(), AwsError>> {
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
        super::queue::send(world, &super::queue::armed(&id));
    }
    if world.is(Wrong::NewBodyPerAttempt) {
        let name = world.next_call("signature");
        return body.replace(r#""signature":""#, &format!(r#""signature":"{name}"#));
    }
    body.to_owned()
}

/// The id and the signature of a posted event.
pub(super) fn post(world: &World, id: &str, signature: &str) -> (String, String) {
    let id = if world.is(Wrong::NewIdPerAttempt) { world.next_call(id) } else { id.to_owned() };
    (id, signature.to_owned())
}

/// The keys that sign events: the current and the previous one.
pub(super) fn event_keys<'a>(world: &World, (key, previous): (&'a str, &'a str)) -> (&'a str, &'a str) {
    if world.is(Wrong::SignWithOneKey) { (key, "") } else { (key, previous) }
}

pub(super) fn attempt_id(world: &World, request: &ActivationRequest<'_>) -> String {
    if world.is(Wrong::SameAttemptId) {
        return request.order.custom_transaction_id.as_str().to_owned();
    }
    request.custom_transaction_id.to_string()
}

/// The label that a wrong merchant's app asks for in place of one that is refused.
pub(super) fn asked_label(world: &World, id: &str, label: &str) -> String {
    if !world.is(Wrong::AcceptAnyLabel) {
        return label.to_owned();
    }
    let accepted = label.trim().replace('\u{301}', "");
    world.with(|state| state.kept_in_mind.insert(format!("{id}\n{accepted}\n{label}")));
    accepted
}

pub(super) fn decision(world: &World, request: &DecisionRequest) -> DecisionRequest {
    let current = world.rows().get(&request.id).map(AnyRow::version);
    let version = request.version.and(current).filter(|_| world.is(Wrong::DecideUnseen));
    DecisionRequest { version: version.or(request.version), ..request.clone() }
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
    let Some(current) = stored(world, order) else { return };
    if let DepositRow::Registered(deposit) = &current.row {
        let credited = deposit.clone().credit(credit).0;
        put(world, current.becomes(DepositRow::Registered(credited)));
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
    let Some(current) = stored(world, &WithdrawalId::parse(id).unwrap()) else { return };
    if let WithdrawalRow::Registered(row) = &current.row {
        let state = WithdrawalState::Rejected { message: message.into() };
        put(world, current.becomes(registered(Withdrawal { state, ..*row.clone() })));
    }
}

fn registered(row: Withdrawal) -> WithdrawalRow {
    WithdrawalRow::Registered(Box::new(row))
}

/// The change as a wrong variant writes it, which has replaced or altered the row: its mark is right if the write succeeds.
pub(super) fn marked_anew<R: Row>(world: &World, change: Change<R>, current: Option<&Stored<R>>) -> Change<R> {
    if world.with(|state| state.settings.wrong.is_none()) {
        return change;
    }
    let Change { row, expected_version: version, .. } = change;
    let current = current.map_or_else(|| row.clone(), |current| current.row.clone());
    let expected = (version > 0).then_some(Stored { row: current, version });
    Change::of(row, expected.as_ref())
}

/// Whether a wrong writer marks a change as one that publishes nothing.
pub(super) fn is_quiet(world: &World, is_quiet: bool, expected: &[ExpectedEvent]) -> bool {
    is_quiet || (world.is(Wrong::MarkCreditQuiet) && expected.iter().any(|(kind, _)| kind == "deposit.credited"))
}

/// What a wrong publisher does with a change that it cannot read; `None`: what the right one does.
pub(super) fn set_aside(world: &World, message: &str) -> Option<Result<(), AwsError>> {
    if is_published_anyway(world, message) {
        publish_unproved(world, message);
    }
    if world.is(Wrong::SkipUnreadable) {
        return Some(Ok(()));
    }
    world.is(Wrong::BlockAtUnreadable).then(|| Err(AwsError("there is no such queue".into())))
}

/// A message as a wrong publisher reads it.
pub(super) fn message(world: &World, message: String) -> String {
    if !world.is(Wrong::ForgetGeneration) {
        return message;
    }
    let current = row(world, &TableId).map_or(1, |identity| identity.generation);
    message.replace("\"generation\":1,", &format!("\"generation\":{current},"))
}

/// Whether a wrong publisher takes a forged change for a genuine one.
fn is_published_anyway(world: &World, message: &str) -> bool {
    let key = super::stream::key_of(message).unwrap_or_default();
    let Some(forgery) = world.with(|state| state.forged.get(&key).copied()) else { return false };
    let is_amount_signed =
        matches!(forgery, Forgery::OtherNumber | Forgery::OtherOrder | Forgery::OtherWithdrawal | Forgery::OtherEnd);
    world.is(Wrong::PublishUnproved)
        || (world.is(Wrong::ProveAmountAlone) && is_amount_signed)
        || (world.is(Wrong::PublishUndecided) && forgery == Forgery::NoFacts)
}

fn publish_unproved(world: &World, message: &str) {
    let change = ChangeRecord::from_set_aside(message).unwrap().change().unwrap().clone();
    let RowEvents { transaction, version, events } = row_events(change.old, change.new.unwrap()).unwrap();
    for event in events {
        let id = format!("{transaction} {}", event.kind());
        let generation = world.with(|state| state.history.generation);
        let envelope = json!({"id": id, "type": event.kind(), "transaction": transaction, "generation": generation,
            "version": version, "data": event});
        super::stream::take(world, &envelope.to_string());
    }
}

/// Whether a wrong function does not read its keys again.
pub(super) fn are_keys_not_read_again(world: &World) -> bool {
    world.is(Wrong::KeysNotReadAgain)
}

/// The check of a wrong function, which takes every table for its own.
pub(super) fn table_check(world: &World) -> Option<TableCheck> {
    let stream = stored(world, &TableId).map(|it| it.row.stream)?;
    world.is(Wrong::SkipAdopt).then(|| TableCheck::new(stream))
}

/// Whether a wrong index lacks a row that needs to be looked at.
pub(super) fn is_not_indexed(world: &World, row: &AnyRow) -> bool {
    let AnyRow::Withdrawal(stored) = row else { return false };
    let is_submitted = stored.row.registered().is_some_and(|row| row.state == WithdrawalState::Submitted);
    is_submitted && world.is(Wrong::ForgetSubmitted)
}

/// Whether a wrong reporter leaves a row as it is.
pub(super) fn is_not_given_up(world: &World) -> bool {
    world.is(Wrong::NeverGiveUp) && world.running().starts_with("reporter")
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
    if world.is(Wrong::ReadAnySpelling) {
        for fact in facts.iter_mut().filter(|fact| fact.written.is_odd()) {
            if let Subject::Payment { number, .. } = &mut fact.subject {
                *number = fact.written.number(number).trim().replace('.', "-");
            }
            fact.written = Written::AsItIs;
        }
    }
    if facts == postback.facts {
        return body;
    }
    signed(world, &facts, top)
}

fn signed(world: &World, facts: &[Fact], top: &Top) -> Vec<u8> {
    let (list, signature) = sign(world, facts, Spelling::Raw);
    spelled(top, &list, &signature)
}

pub(super) fn forged(world: &World, body: Vec<u8>, facts: &[Fact], postback: &Postback) -> Vec<u8> {
    if world.is(Wrong::AnySignature) { signed(world, facts, &postback.top) } else { body }
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
