//! `list`: what needs a person, and the withdrawals that have not ended.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::{AttentionFilter, AttentionKind, Timestamp, Withdrawal};
use futures_util::future::try_join_all;
use lambda::{Clock, System};
use serde::Serialize;
use store::{AnyRow, FindAttention, IndexEntry, PAGE, ReadAny, UnreadableRow, read_key};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::rows;

/// What to list.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct List {
    /// Only this kind; may be repeated
    #[arg(long, value_parser = kinds())]
    pub(crate) kind: Vec<AttentionFilter>,

    /// Only what has been waiting for so long, such as 90s, 2h or 3days
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<std::time::Duration>,

    /// At most so many of each kind
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
}

const HELP: &str = "\
Without --kind, each row is listed once. `open` are all withdrawals that have not ended; `unknown` and `needs_review` are those of them
that need a person, and `conflict` also has those that something contradicts.

SINCE is the time that counts for alarms and for --older-than: of an open withdrawal, since when it has been unknown or submitted, or
since when it was never submitted.";

fn kinds() -> impl TypedValueParser<Value = AttentionFilter> {
    let names = PossibleValuesParser::new(AttentionFilter::ALL.map(AttentionFilter::as_str));
    names.try_map(|name| AttentionFilter::named(&name).ok_or("is an unknown kind"))
}

/// The filters that list each row once.
const EACH_ONCE: [AttentionFilter; 6] = [
    AttentionFilter::Unmatched,
    AttentionFilter::Quarantined,
    AttentionFilter::Open,
    AttentionFilter::Conflict,
    AttentionFilter::Unreadable,
    AttentionFilter::Unfinished,
];

/// Rows that are read at the same time.
const AT_A_TIME: usize = 16;

/// A row of the list.
#[derive(Serialize)]
pub(crate) struct Open {
    pub(crate) attention: AttentionFilter,
    pub(crate) id: String,
    pub(crate) since_ms: Timestamp,
    /// Since when a withdrawal has been in its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_since_ms: Option<Timestamp>,
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) currency_code: Option<String>,
    pub(crate) why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<u64>,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &List) -> Result<Done, Failure> {
    let table = deployment.table()?;
    let now_ms = System.now_ms();
    let until_ms = arguments
        .older_than
        .map_or(now_ms, |age| now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    let found = open(&table, &arguments.kind, Timestamp(until_ms), arguments.limit).await?;
    output.records(&found, ["KIND", "ID", "SINCE", "STATE", "IN STATE", "AMOUNT", "WHY"], |it| {
        [
            it.attention.as_str().to_owned(),
            it.id.clone(),
            rows::age(it.since_ms, now_ms),
            it.state.to_owned(),
            it.state_since_ms.map(|since| rows::age(since, now_ms)).unwrap_or_default(),
            rows::money(it.amount.as_deref(), it.currency_code.as_deref()),
            it.why.clone(),
        ]
    });
    output.say(&format!("\n{} in all", found.len()));
    Ok(Done::Well)
}

/// Gives at most so many rows of each of these kinds, the oldest first; of all kinds, each row once, if none is named.
pub(crate) async fn open(
    table: &(impl FindAttention + ReadAny),
    filters: &[AttentionFilter],
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Open>, Failure> {
    let mut found = Vec::new();
    let is_each_once = filters.is_empty();
    let filters = if is_each_once { &EACH_ONCE[..] } else { filters };
    for filter in AttentionFilter::ALL.into_iter().filter(|it| filters.contains(it)) {
        // Of all kinds, what contradicts an open withdrawal is listed with the open ones.
        let kinds = if is_each_once { filter.kinds().get(..1).unwrap_or_default() } else { filter.kinds() };
        let mut of_filter = Vec::new();
        for kind in kinds {
            of_kind(table, filter, *kind, until, limit, &mut of_filter).await?;
        }
        found.append(&mut of_filter);
    }
    Ok(found)
}

/// Follows a part of the index from the oldest row on, and reads each row: one that is not to be listed any more is left out, and one
/// that cannot be read is listed as unreadable.
async fn of_kind(
    table: &(impl FindAttention + ReadAny),
    filter: AttentionFilter,
    kind: AttentionKind,
    until: Timestamp,
    limit: usize,
    found: &mut Vec<Open>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page = table.find_attention(kind, Timestamp(0), after.as_ref(), PAGE).await?;
        for entries in page.entries.chunks(AT_A_TIME) {
            let entries = entries.iter().filter(|entry| entry.at <= until);
            let rows = try_join_all(entries.clone().map(|entry| read_key(table, &entry.key))).await?;
            for (entry, row) in entries.zip(rows) {
                if found.len() >= limit {
                    return Ok(());
                }
                let listed = match row {
                    Some(Ok(row)) => Open::of(&row, filter, kind),
                    Some(Err(bad)) => Some(Open::unreadable(&bad, filter, entry)),
                    None => None,
                };
                found.extend(listed.filter(|it| it.since_ms <= until));
            }
        }
        let Some(next) = page.next.filter(|next| next.at <= until) else { return Ok(()) };
        after = Some(next);
    }
}

impl Open {
    /// `None` if the filter does not show the row, or not any more.
    fn of(row: &AnyRow, filter: AttentionFilter, kind: AttentionKind) -> Option<Self> {
        let attention = row.attention().filter(|it| it.kind == kind)?;
        let withdrawal = row.withdrawal();
        if !filter.has(kind, withdrawal) {
            return None;
        }
        let (amount, currency_code) = row.money().unzip();
        Some(Self {
            attention: filter,
            id: row.key(),
            since_ms: withdrawal.and_then(|it| since(it, filter)).unwrap_or(attention.at),
            state_since_ms: withdrawal.map(|it| it.state_since),
            state: row.state_name(),
            amount: amount.map(|it| it.to_string()),
            currency_code: currency_code.map(ToString::to_string),
            why: rows::why(row),
            version: Some(row.version()),
        })
    }

    fn unreadable(bad: &UnreadableRow, filter: AttentionFilter, entry: &IndexEntry) -> Self {
        Self {
            attention: filter,
            id: bad.key.clone(),
            since_ms: entry.at,
            state_since_ms: None,
            state: rows::UNREADABLE,
            amount: None,
            currency_code: None,
            why: bad.reason.clone(),
            version: None,
        }
    }
}

/// The time that counts for alarms. It is never earlier than the creation, which orders the index.
fn since(row: &Withdrawal, filter: AttentionFilter) -> Option<Timestamp> {
    match filter {
        AttentionFilter::Conflict => row.conflict_since(),
        AttentionFilter::NeedsReview => Some(row.state_since),
        AttentionFilter::Unmatched
        | AttentionFilter::Quarantined
        | AttentionFilter::Open
        | AttentionFilter::Unknown
        | AttentionFilter::Unreadable
        | AttentionFilter::Unfinished => row.stage().map(|(_, since)| since),
    }
}
