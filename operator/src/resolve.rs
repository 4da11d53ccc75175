//! `resolve`: one decision of a person, as one conditional change.

use domain::{CustomTransactionId, Remark, Resolution, Timestamp};
use lambda::{Clock, System};
use serde::Serialize;

use crate::decision::Decision;
use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::{cli, id};

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

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &cli::Resolve) -> Result<Done, Failure> {
    let resolution = resolution(arguments)?;
    let table = deployment.table()?;
    let row = id::find(&table, &arguments.id).await?;
    if arguments.if_version.is_some_and(|version| version != row.version()) {
        return Err(Failure::NotAllowed(format!("the row has version {} now: look again", row.version())));
    }
    let order = arguments.order.as_deref().map(CustomTransactionId::parse).transpose();
    let order = order.map_err(|rule| Failure::Usage(format!("--order {rule}")))?;
    let decision = Decision::make(&table, row, order.as_ref(), resolution).await?;
    let resolved = Resolved {
        id: decision.before().key(),
        before: decision.before().state_name(),
        after: decision.after().state_name(),
        credited: decision.credited(),
        version: decision.before().version(),
        is_written: !arguments.dry_run,
    };
    if !arguments.dry_run && !decision.write(&table).await? {
        return Err(Failure::NotAllowed("the row has changed meanwhile: look again".into()));
    }
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

impl Resolved {
    fn text(&self) -> String {
        let Self { id, before, after, credited, version, is_written } = self;
        let change = if before == after { format!("stays {before}") } else { format!("{before} -> {after}") };
        let credited = credited.as_ref().map(|order| format!("; {order} is credited")).unwrap_or_default();
        let end = if *is_written { "Done." } else { "Nothing was written." };
        format!("{id} (version {version}): {change}{credited}\n{end}")
    }
}
