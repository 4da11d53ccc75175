//! `resolve`: one decision of a person, as one conditional change.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::{CustomTransactionId, Outcome, Remark, Resolution, Timestamp, TransactionId};
use lambda::{Clock, System};
use serde::Serialize;

use crate::decision::{Decision, Stated};
use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::id;
use crate::output::Output;

/// A decision.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Resolve {
    /// A key of the table, or a withdrawal's id alone
    pub(crate) id: String,

    /// What was found out
    #[arg(long = "as", value_name = "OUTCOME", value_parser = outcomes())]
    pub(crate) outcome: Outcome,

    /// Why, for the record
    #[arg(long)]
    pub(crate) reason: String,

    /// Where the evidence is, for the record: a ticket, a line of the provider's statement
    #[arg(long)]
    pub(crate) evidence: String,

    /// Who decides, for the record
    #[arg(long, env = "USER")]
    pub(crate) by: String,

    /// The order to credit: one that entered the number, or any order if the provider names none that is known
    #[arg(long, value_name = "CUSTOM_TRANSACTION_ID")]
    pub(crate) order: Option<String>,

    /// The number of an unreadable payment, as the back office shows it
    #[arg(long, value_name = "NUMBER")]
    pub(crate) number: Option<String>,

    /// State that it is a different payment than the one which the order was credited for with the same number
    #[arg(long)]
    pub(crate) different_payment: bool,

    /// Only if the row still has this version, as `show` and --dry-run print it
    #[arg(long, value_name = "N")]
    pub(crate) if_version: Option<u64>,

    /// Show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const HELP: &str = "\
What may be decided:
  a withdrawal that is unknown, submitted or waiting     paid or failed: it ends as that
  an ended withdrawal, or a payment, with a conflict     the conflict is closed, the end does not change
  a foreign withdrawal                                   paid or failed, for the record
  a payment that is quarantined or unmatched             credited to its order, or rejected
  a number that an order only claims                     rejected: any order may claim it again
  an unreadable element                                  anything, for the record; a payment among them may be
                                                         credited, under the --number that you state

A payment is credited with its signed amount to the label that is stored with its order.

An order is credited once for a number, whatever the wallet, the capital letters and the leading zeros. The error names the
payment that was credited. If the provider's books show two payments, state that with --different-payment.";

fn outcomes() -> impl TypedValueParser<Value = Outcome> {
    let names = PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str));
    names.try_map(|name| Outcome::named(&name).ok_or("is an unknown outcome"))
}

/// A decision, as it is printed.
#[derive(Serialize)]
struct Resolved {
    id: String,
    before: &'static str,
    after: &'static str,
    /// The order that is credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    credited: Option<String>,
    /// The payment that it is credited with.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    /// The version that is replaced.
    version: u64,
    is_written: bool,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Resolve) -> Result<Done, Failure> {
    let resolution = resolution(arguments)?;
    let table = deployment.table()?;
    let row = id::find(&table, &arguments.id).await?;
    if arguments.if_version.is_some_and(|version| version != row.version()) {
        return Err(Failure::NotAllowed(format!("the row has version {} now: look again", row.version())));
    }
    let order = arguments.order.as_deref().map(CustomTransactionId::parse).transpose();
    let order = order.map_err(|rule| Failure::Usage(format!("--order {rule}")))?;
    let number = arguments.number.as_deref().map(TransactionId::parse).transpose();
    let number = number.map_err(|rule| Failure::Usage(format!("--number {rule}")))?;
    let decision = Decision::make(&table, row, &Stated { order, number }, resolution).await?;
    let resolved = Resolved {
        id: decision.before().key(),
        before: decision.before().state_name(),
        after: decision.after().state_name(),
        credited: decision.credited(),
        payment: decision.payment(),
        version: decision.before().version(),
        is_written: !arguments.dry_run,
    };
    if !arguments.dry_run && !decision.write(&table).await? {
        return Err(Failure::NotAllowed("the row has changed meanwhile: look again".into()));
    }
    output.line(&resolved, || resolved.text());
    Ok(Done::Well)
}

fn resolution(arguments: &Resolve) -> Result<Resolution, Failure> {
    let remark = |name: &str, text: &str| Remark::parse(text).map_err(|rule| Failure::Usage(format!("{name} {rule}")));
    Ok(Resolution {
        outcome: arguments.outcome,
        by: remark("--by", &arguments.by)?,
        reason: remark("--reason", &arguments.reason)?,
        evidence: remark("--evidence", &arguments.evidence)?,
        at: Timestamp(System.now_ms()),
        closes: 0,
        taken_from: None,
        credited_to: None,
        is_different_payment: arguments.different_payment,
    })
}

impl Resolved {
    fn text(&self) -> String {
        let Self { id, before, after, credited, payment, version, is_written } = self;
        let change = if before == after { format!("stays {before}") } else { format!("{before} -> {after}") };
        let credited = credited.as_ref().zip(payment.as_ref());
        let credited =
            credited.map(|(order, payment)| format!("; {order} is credited with {payment}")).unwrap_or_default();
        let end = if *is_written { "Done." } else { "Nothing was written." };
        format!("{id} (version {version}): {change}{credited}\n{end}")
    }
}
