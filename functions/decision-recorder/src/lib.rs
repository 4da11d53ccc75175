//! `POST /decisions`: shows what a person's decision would change, and records it with the caller that API Gateway has verified.
//! `POST /adoptions`: puts a restored or copied table into service.
//!
//! People do not write to the table. This function does, by the rules, and on the version of the row that they have seen.

mod adopt;
mod decision;
mod error;
mod reply;
mod request;
mod second_person;

pub use adopt::{Adopted, adopt};
pub use decision::{ChangedRow, Decision, NotDecided, Stated};
pub use error::ApiError;
pub use second_person::SecondPerson;

use domain::{
    Amount, Caller, Payment, PaymentKey, Proposal, ReservedId, SignedFacts, TableIdentity, Timestamp, Unreadable,
    WithdrawalRow,
};
use lambda::{BadRequest, Clock, Fields, Handler, Money, Reply, Request, Right, StatusCode, count_credited};
use store::{AnyRow, ReadAny, RowId, RowKey, TableCheck, Transact, Write, read_any};
use tracing::info;

use crate::reply::{DecisionReply, Status};
use crate::request::{Asked, DecisionRequest};
use crate::second_person::propose;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["TABLE_NAME", "TABLE_STREAM_ARN", "SECOND_PERSON_ABOVE", "SENDER_LIFETIME_MS"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("deposit"),
    Right::PutRows("deposit"),
    Right::ReadRows("payment"),
    Right::PutRows("payment"),
    Right::ReadRows("number"),
    Right::PutRows("number"),
    Right::ReadRows("withdrawal"),
    Right::PutRows("withdrawal"),
    Right::ReadRows("unreadable"),
    Right::PutRows("unreadable"),
    Right::ReadRows("proposal"),
    Right::PutRows("proposal"),
    Right::ReadRows("table"),
    Right::PutRows("table"),
];

/// The route that puts a table into service. All others are decisions.
const ADOPTIONS: &str = "POST /adoptions";

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S, A> {
    /// The table.
    pub table: S,
    /// Whether it is the right one.
    pub check: TableCheck,
    /// The stream that the stack reads.
    pub stream: String,
    /// The time.
    pub clock: A,
    /// Which decisions take two people.
    pub second_person: SecondPerson,
    /// After this time a sender counts as dead.
    pub sender_lifetime_ms: u64,
}

/// All that this function may do to the table.
pub trait Table:
    ReadAny
    + Write<Payment>
    + Write<WithdrawalRow>
    + Write<Unreadable>
    + Write<Proposal>
    + Write<TableIdentity>
    + Transact
    + Send
{
}

impl<S> Table for S where
    S: ReadAny
        + Write<Payment>
        + Write<WithdrawalRow>
        + Write<Unreadable>
        + Write<Proposal>
        + Write<TableIdentity>
        + Transact
        + Send
{
}

impl<S: Table, A: Clock + Send> Handler for Deps<S, A> {
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let caller = request.caller.and_then(|caller| Caller::parse(caller).ok()).ok_or(ApiError::NoCaller)?;
        if request.route == ADOPTIONS {
            return self.adopt(&caller, request.body).await;
        }
        self.decide(caller, &DecisionRequest::read(request.body)?).await
    }
}

impl<S: Table, A: Clock> Deps<S, A> {
    /// Nothing is chosen by the caller but whether to write: the stream is the stack's.
    async fn adopt(&self, caller: &Caller, body: &[u8]) -> Result<Reply, ApiError> {
        let mut fields = Fields::parse(body)?;
        let is_dry_run = fields.boolean("dry_run")?;
        fields.finish()?;
        let adopted = adopt(&self.table, &self.stream, is_dry_run).await?;
        info!(reference = "table#", %caller, is_dry_run, generation = adopted.generation, "adopted");
        Ok(Reply::new(StatusCode::OK, &adopted))
    }

    async fn decide(&self, caller: Caller, request: &DecisionRequest) -> Result<Reply, ApiError> {
        if !is_decidable(&request.id) {
            return Err(NotDecided::NothingToDecide.into());
        }
        self.check.generation(&self.table).await?;
        let row = read_any(&self.table, &request.id).await?;
        let version = row.as_ref().map_or(0, AnyRow::version);
        if request.version.is_some_and(|seen| seen != version) {
            let repeated = row.as_ref().and_then(|row| repeated(row, &caller, request));
            return repeated.ok_or(ApiError::Changed(version));
        }
        let person = Person { caller, proposed_by: None };
        let mut decision = self.make(request, row.clone(), &person).await?;
        let needs_second_person =
            matches!(request.asked, Asked::Found(_)) && self.second_person.is_needed(amount(&decision));
        let reply = |decision: &Decision, status, proposed_by| {
            Reply::new(StatusCode::OK, &DecisionReply::of(decision, status, needs_second_person, proposed_by))
        };
        let mut proposed_by = None;
        if let Asked::Found(outcome) = request.asked
            && needs_second_person
        {
            let proposal = request.proposal(request.resolution(outcome, row.as_ref(), &person, self.now()));
            if request.version.is_none() {
                let known = self.table.read(&proposal.id()).await?.filter(|it| it.row.is_same_as(&proposal));
                let known = known.and_then(|it| it.row.resolution.caller);
                return Ok(reply(&decision, Status::Preview, known.as_ref()));
            }
            proposed_by = propose(&self.table, proposal).await?;
            if proposed_by.is_none() {
                info!(reference = decision.after().key(), caller = %person.caller, version, "proposed");
                return Ok(reply(&decision, Status::Proposed, Some(&person.caller)));
            }
            let person = Person { proposed_by: proposed_by.clone(), ..person.clone() };
            decision = self.make(request, row, &person).await?;
        }
        if request.version.is_none() {
            return Ok(reply(&decision, Status::Preview, None));
        }
        let recorded = reply(&decision, Status::Recorded, proposed_by.as_ref());
        self.record(&person.caller, request, decision).await.map(|()| recorded)
    }

    async fn make(
        &self,
        request: &DecisionRequest,
        row: Option<AnyRow>,
        person: &Person,
    ) -> Result<Decision, ApiError> {
        if let Asked::Reserved(known_to) = request.asked {
            let RowId::Withdrawal(id) = &request.id else {
                return Err(BadRequest::field("id", "must be a withdrawal's to be reserved").into());
            };
            let reserved = ReservedId { withdrawal_id: id.clone(), reserved_at: self.now(), known_to };
            return Ok(Decision::reserve(row.as_ref(), reserved)?);
        }
        let row = row.ok_or(ApiError::NotFound)?;
        let Asked::Found(outcome) = request.asked else {
            return Ok(Decision::doubt(&row, self.now(), self.sender_lifetime_ms)?);
        };
        let resolution = request.resolution(outcome, Some(&row), person, self.now());
        let stated = Stated { order: request.order.clone(), number: request.number.clone() };
        Ok(Decision::make(&self.table, row, &stated, resolution).await?)
    }

    async fn record(&self, caller: &Caller, request: &DecisionRequest, decision: Decision) -> Result<(), ApiError> {
        let (reference, state) = (decision.after().key(), decision.after().state_name());
        let DecisionRequest { by, reason, evidence, version, .. } = request;
        let credit = decision.credited().zip(credited_payment(&decision));
        if !decision.write(&self.table).await? {
            return Err(ApiError::Raced);
        }
        info!(reference, %caller, version, state, %by, %reason, %evidence, "a person's decision is recorded");
        if let Some((order, payment)) = credit
            && let Some(SignedFacts { amount, currency_code, .. }) = payment.facts()
        {
            let PaymentKey { wallet_type, .. } = &payment.key;
            let money = Money { amount, currency_code, wallet_type };
            count_credited(money, &order, &payment.key.row_key(), Some("credited by a person"));
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ms())
    }
}

/// Whether people decide about rows of this kind. Others are not even read.
fn is_decidable(id: &RowId) -> bool {
    match id {
        RowId::Deposit(_) | RowId::Payment(_) | RowId::Withdrawal(_) | RowId::Unreadable(_) => true,
        RowId::EntryCount(_)
        | RowId::CreditedNumber(_)
        | RowId::WaitingPage(_)
        | RowId::StoredList(_)
        | RowId::ListProgress(_)
        | RowId::TableIdentity(_)
        | RowId::Proposal(_)
        | RowId::ReservedSums(_) => false,
    }
}

/// Who decides.
#[derive(Clone, Debug)]
struct Person {
    caller: Caller,
    /// Who has proposed the same.
    proposed_by: Option<Caller>,
}

/// The payment that a decision credits.
fn credited_payment(decision: &Decision) -> Option<Payment> {
    decision.credited()?;
    decision
        .rows()
        .iter()
        .find_map(|row| if let AnyRow::Payment(it) = &row.after { Some(it.row.clone()) } else { None })
}

/// The money that a decision is about.
fn amount(decision: &Decision) -> Option<Amount> {
    decision.before()?.money().map(|(amount, _)| amount)
}

/// The reply to a decision that this person has recorded already, on this version of the row: its reply was lost.
fn repeated(row: &AnyRow, caller: &Caller, request: &DecisionRequest) -> Option<Reply> {
    let Asked::Found(outcome) = request.asked else { return None };
    let last = row.resolutions().last()?;
    let decided_on = last.decided_on.as_ref()?;
    let known = (last.caller.as_ref(), Some(decided_on.version), last.outcome, &last.reason, &last.evidence);
    let is_same = known == (Some(caller), request.version, outcome, &request.reason, &request.evidence)
        && last.is_different_payment == request.is_different_payment
        && (request.order.is_none() || request.order == last.credited_to)
        && request.number.is_none();
    if !is_same {
        return None;
    }
    let reply = DecisionReply {
        status: Status::Recorded,
        id: row.key(),
        version: decided_on.version,
        before: Some(&decided_on.state),
        after: row.state_name(),
        credited: last.credited_to.as_ref().map(RowKey::key),
        payment: None,
        needs_second_person: last.proposed_by.is_some(),
        proposed_by: last.proposed_by.as_ref(),
        changes: Vec::new(),
    };
    Some(Reply::new(StatusCode::OK, &reply))
}
