//! `list`: what needs a person.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::{AttentionKind, Timestamp};
use lambda::{Clock, System};
use serde::Serialize;
use store::{AnyRow, FindAttention, ReadAny, read_any};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::rows;

/// What to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this kind; may be repeated
    #[arg(long, value_parser = kinds())]
    pub(crate) kind: Vec<AttentionKind>,

    /// Only what has been waiting for so long, such as 90s, 2h or 3days
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<std::time::Duration>,

    /// At most so many of each kind
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
}

fn kinds() -> impl TypedValueParser<Value = AttentionKind> {
    let names = PossibleValuesParser::new(AttentionKind::ALL.map(AttentionKind::as_str));
    names.try_map(|name| AttentionKind::named(&name).ok_or("is an unknown kind"))
}

/// A row of the list.
#[derive(Serialize)]
struct Open {
    attention: AttentionKind,
    id: String,
    since_ms: Timestamp,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency_code: Option<String>,
    why: String,
    version: u64,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &List) -> Result<Done, Failure> {
    let table = deployment.table()?;
    let now_ms = System.now_ms();
    let until_ms = arguments
        .older_than
        .map_or(now_ms, |age| now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    let mut found = Vec::new();
    for kind in AttentionKind::ALL {
        if arguments.kind.is_empty() || arguments.kind.contains(&kind) {
            found.extend(of_kind(&table, kind, Timestamp(until_ms), arguments.limit).await?);
        }
    }
    output.records(&found, ["KIND", "ID", "SINCE", "STATE", "AMOUNT", "WHY"], |it| {
        let amount = [it.amount.as_deref(), it.currency_code.as_deref()].into_iter().flatten();
        [
            it.attention.as_str().to_owned(),
            it.id.clone(),
            rows::age(it.since_ms, now_ms),
            it.state.to_owned(),
            amount.collect::<Vec<_>>().join(" "),
            it.why.clone(),
        ]
    });
    output.say(&format!("\n{} in all", found.len()));
    Ok(Done::Well)
}

/// Follows the index from the oldest row on, and reads each row: one that needs nobody any more is left out.
async fn of_kind(
    table: &(impl FindAttention + ReadAny),
    kind: AttentionKind,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Open>, Failure> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = table.find_attention(kind, Timestamp(0), after.as_ref()).await?;
        for id in &page.rows {
            let Some(row) = read_any(table, id).await? else { continue };
            match row.attention() {
                Some(attention) if attention.kind == kind && attention.at <= until => {
                    found.push(Open::of(&row, kind, attention.at));
                }
                Some(_) | None => continue,
            }
            if found.len() >= limit {
                return Ok(found);
            }
        }
        let Some(next) = page.next.filter(|next| next.at <= until) else { return Ok(found) };
        after = Some(next);
    }
}

impl Open {
    fn of(row: &AnyRow, attention: AttentionKind, since_ms: Timestamp) -> Self {
        let (amount, currency_code) = rows::money(row).unzip();
        Self {
            attention,
            id: row.key(),
            since_ms,
            state: row.state_name(),
            amount: amount.map(|it| it.to_string()),
            currency_code: currency_code.map(String::from),
            why: rows::why(row),
            version: row.version(),
        }
    }
}
