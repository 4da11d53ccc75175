//! `resolve`: one decision of a person, first shown and then recorded.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::{CustomTransactionId, Outcome, TransactionId};
use serde_json::Value;

use crate::decisions::{Decide, DecisionReply, DecisionRequest, FieldChange, Status};
use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::id;
use crate::mask::mask_entry;
use crate::output::Output;
use crate::spelled::Spelled;

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

    /// Record it: the version of the row that the preview has shown
    #[arg(long, value_name = "VERSION")]
    pub(crate) confirm: Option<u64>,
}

const HELP: &str = "\
Without --confirm the decision is only shown, with each field that would change. To record it, repeat the command with --confirm and the
version that was shown. The row records your AWS identity, as AWS has verified it, beside what you write. If the stack wants two people for
the amount, a second one runs the same command.

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

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Resolve) -> Result<Done, Failure> {
    let order = arguments.order.as_deref().map(CustomTransactionId::parse).transpose();
    let order = order.map_err(|rule| Failure::Usage(format!("--order {rule}")))?;
    let number = arguments.number.as_deref().map(TransactionId::parse).transpose();
    let number = number.map_err(|rule| Failure::Usage(format!("--number {rule}")))?;
    let request = DecisionRequest {
        id: id::find(&deployment.table()?, &arguments.id).await?.key(),
        outcome: arguments.outcome.as_str(),
        by: arguments.by.clone(),
        reason: arguments.reason.clone(),
        evidence: arguments.evidence.clone(),
        order,
        number,
        different_payment: arguments.different_payment,
        known_to: None,
        version: arguments.confirm,
    };
    let reply = deployment.api()?.decide(&request).await?.masked();
    output.line(&reply, || reply.text());
    Ok(Done::Well)
}

impl DecisionReply {
    /// Without what is people's own.
    pub(crate) fn masked(mut self) -> Self {
        for FieldChange { field, before, after, .. } in &mut self.changes {
            for value in [before, after] {
                let mut shown = Spelled::read(&value.to_string());
                mask_entry(field, &mut shown);
                *value = serde_json::to_value(shown).unwrap_or_default();
            }
        }
        self
    }

    fn text(&self) -> String {
        let Self { status, id, version, before, after, credited, payment, .. } = self;
        let before = before.as_deref().unwrap_or_default();
        let change = if before == after { format!("stays {before}") } else { format!("{before} -> {after}") };
        let credited = match (credited, payment) {
            (Some(order), Some(payment)) => format!("; {order} is credited with {payment}"),
            (Some(order), None) => format!("; {order} is credited"),
            (None, _) => String::new(),
        };
        let mut lines = vec![format!("{id} (version {version}): {change}{credited}")];
        lines.extend(self.changes.iter().map(FieldChange::text));
        let two = match &self.proposed_by {
            Some(first) => format!(" The amount takes two people: {first} has proposed it."),
            None if self.needs_second_person => " The amount takes two people: a second one must do the same.".into(),
            None => String::new(),
        };
        lines.push(match status {
            Status::Preview => {
                format!("Nothing was written. To record it, repeat the command with --confirm {version}.{two}")
            }
            Status::Proposed => format!(
                "Proposed. Nothing is decided before a second person, with another AWS identity, has run the command with --confirm {version}."
            ),
            Status::Recorded => "Done.".into(),
        });
        lines.join("\n")
    }
}

impl FieldChange {
    fn text(&self) -> String {
        let Self { row, field, before, after } = self;
        let shown = |value: &Value| if value.is_null() { "none".into() } else { value.to_string() };
        format!("  {row}  {field}: {} -> {}", shown(before), shown(after))
    }
}
