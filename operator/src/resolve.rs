//! `resolve`: one decision of a person, as one conditional change.

use domain::{CustomTransactionId, DepositRow, Outcome, Payment, Remark, Resolution, Timestamp, WithdrawalRow};
use lambda::{Clock, System};
use serde::Serialize;
use store::{AnyRow, Change, DynamoDb, Read, Row, Stored, Transact, Transacted, Unreadable, Write, Written};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::{cli, id, rows};

/// What a decision comes to.
#[derive(Serialize)]
struct Resolved {
    id: String,
    before: &'static str,
    after: &'static str,
    /// The order that is credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    credited: Option<String>,
    /// The version that is replaced.
    version: u64,
    is_written: bool,
}

/// The rows as they will be, in place of those that were read; an order where it is credited.
enum Decided {
    Withdrawal(Change<WithdrawalRow>),
    Payment(Box<Change<Payment>>, Option<Box<Change<DepositRow>>>),
    Unreadable(Change<Unreadable>),
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &cli::Resolve) -> Result<Done, Failure> {
    let resolution = resolution(arguments)?;
    let table = deployment.table()?;
    let row = id::find(&table, &arguments.id).await?;
    if arguments.if_version.is_some_and(|version| version != row.version()) {
        return Err(Failure::NotAllowed(format!("the row has version {} now: look again", row.version())));
    }
    let (id, before, version) = (row.key(), rows::state(&row), row.version());
    let decided = decide(&table, row, arguments.order.as_deref(), resolution).await?;
    let (after, credited) = (rows::state(&decided.row()), decided.credited());
    if !arguments.dry_run && !decided.write(&table).await? {
        return Err(Failure::NotAllowed("the row has changed meanwhile: look again".into()));
    }
    let resolved = Resolved { id, before, after, credited, version, is_written: !arguments.dry_run };
    output.line(&resolved, || resolved.text());
    Ok(Done::Well)
}

fn resolution(arguments: &cli::Resolve) -> Result<Resolution, Failure> {
    let remark = |name: &str, text: &str| Remark::parse(text).map_err(|rule| Failure::Usage(format!("{name} {rule}")));
    Ok(Resolution {
        outcome: arguments.outcome,
        by: remark("--by", &arguments.by)?,
        reason: remark("--reason", &arguments.reason)?,
        evidence: remark("--evidence", &arguments.evidence)?,
        at: Timestamp(System.now_ms()),
        closes: 0,
    })
}

async fn decide(
    table: &DynamoDb,
    row: AnyRow,
    order: Option<&str>,
    resolution: Resolution,
) -> Result<Decided, Failure> {
    if order.is_some() && !(matches!(row, AnyRow::Payment(_)) && resolution.outcome == Outcome::Credited) {
        return Err(Failure::Usage("--order is for a payment that is credited".into()));
    }
    match row {
        AnyRow::Deposit(_) => {
            Err(Failure::NotAllowed("an order is decided by its payments: resolve one of them".into()))
        }
        AnyRow::Withdrawal(stored) => {
            let row = match &stored.row {
                WithdrawalRow::Registered(row) => WithdrawalRow::Registered(Box::new(row.resolve(resolution)?)),
                WithdrawalRow::Foreign(row) => WithdrawalRow::Foreign(Box::new(row.resolve(resolution)?)),
            };
            Ok(Decided::Withdrawal(stored.becomes(row)))
        }
        AnyRow::Unreadable(stored) => {
            let row = stored.row.resolve(resolution)?;
            Ok(Decided::Unreadable(stored.becomes(row)))
        }
        AnyRow::Payment(stored) => {
            let order = find_order(table, &stored.row, order).await?;
            let registered = order.as_ref().and_then(|order| match &order.row {
                DepositRow::Registered(deposit) => Some(deposit),
                DepositRow::Unregistered(_) => None,
            });
            let (payment, credited) = stored.row.resolve(registered, resolution)?;
            let credited = order.zip(credited).map(|(order, deposit)| order.becomes(DepositRow::Registered(deposit)));
            Ok(Decided::Payment(Box::new(stored.becomes(payment)), credited.map(Box::new)))
        }
    }
}

/// The order that the person names, or the one that the provider has signed.
async fn find_order(
    table: &DynamoDb,
    payment: &Payment,
    named: Option<&str>,
) -> Result<Option<Stored<DepositRow>>, Failure> {
    let id = match named {
        Some(id) => Some(CustomTransactionId::parse(id).map_err(|rule| Failure::Usage(format!("--order {rule}")))?),
        None => payment.facts().and_then(|it| domain::AttemptId::parse(&it.custom_transaction_id)).map(|it| it.order),
    };
    match id {
        Some(id) => Ok(Read::<DepositRow>::read(table, &id).await?),
        None => Ok(None),
    }
}

impl Decided {
    /// The row as it will be.
    fn row(&self) -> AnyRow {
        match self {
            Self::Withdrawal(change) => AnyRow::Withdrawal(after(change)),
            Self::Payment(change, _) => AnyRow::Payment(after(change)),
            Self::Unreadable(change) => AnyRow::Unreadable(after(change)),
        }
    }

    fn credited(&self) -> Option<String> {
        let Self::Payment(_, Some(order)) = self else { return None };
        Some(DepositRow::key(order.row.id()))
    }

    /// Writes all of it or nothing. `false` when a row has changed since it was read.
    async fn write(self, table: &DynamoDb) -> Result<bool, Failure> {
        Ok(match self {
            Self::Withdrawal(change) => table.write(change).await? == Written::Done,
            Self::Unreadable(change) => table.write(change).await? == Written::Done,
            Self::Payment(change, None) => table.write(*change).await? == Written::Done,
            Self::Payment(change, Some(order)) => table.transact(*order, vec![*change]).await? == Transacted::Done,
        })
    }
}

fn after<R: Clone>(change: &Change<R>) -> Stored<R> {
    Stored { row: change.row.clone(), version: change.expected_version.saturating_add(1) }
}

impl Resolved {
    fn text(&self) -> String {
        let Self { id, before, after, credited, version, is_written } = self;
        let change = if before == after { format!("stays {before}") } else { format!("{before} -> {after}") };
        let credited = credited.as_ref().map(|order| format!("; {order} is credited")).unwrap_or_default();
        let end = if *is_written { "Done." } else { "Nothing was written." };
        format!("{id} (version {version}): {change}{credited}\n{end}")
    }
}
