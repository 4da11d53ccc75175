//! What is reported: each break as it is found, and at the end what it all adds up to.

use std::collections::BTreeMap;
use std::fmt;

use domain::{Amount, CurrencyCode, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use crate::failure::Done;
use crate::rows;
use crate::scan::pace;
use crate::sums::Sums;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    Unreadable,
    Unproved,
    Evidence,
    Decision,
    Credits,
    List,
    Waiting,
    Journal,
    State,
    Index,
    Format,
    Table,
    Unverifiable,
    SameNumber,
    Caller,
    Open,
}

impl Rule {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Unproved => "unproved",
            Self::Evidence => "evidence",
            Self::Decision => "decision",
            Self::Credits => "credits",
            Self::List => "list",
            Self::Waiting => "waiting",
            Self::Journal => "journal",
            Self::State => "state",
            Self::Index => "index",
            Self::Format => "format",
            Self::Table => "table",
            Self::Unverifiable => "unverifiable",
            Self::SameNumber => "same_number",
            Self::Caller => "caller",
            Self::Open => "open",
        }
    }

    /// Whether it is listed, and not counted as broken.
    pub(crate) fn is_listed(self, is_strict: bool) -> bool {
        !is_strict && matches!(self, Self::Unverifiable | Self::SameNumber | Self::Caller | Self::Open)
    }
}

/// What was decided about money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// A payment was credited.
    Credit,
    /// A withdrawal has ended as paid or failed.
    End,
}

/// Money that was decided about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) amount: Amount,
    pub(crate) currency_code: CurrencyCode,
}

/// A rule that a row breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Break {
    pub(crate) rule: Rule,
    pub(crate) id: String,
    pub(crate) what: String,
    /// The money that was decided about, if the evidence does not prove it.
    #[serde(flatten)]
    pub(crate) unproved: Option<Decided>,
}

impl Break {
    pub(crate) fn new(rule: Rule, id: impl Into<String>, what: impl Into<String>) -> Self {
        Self { rule, id: id.into(), what: what.into(), unproved: None }
    }
}

/// How many lines were reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) broken: u64,
    pub(crate) unverifiable: u64,
    pub(crate) same_number: u64,
    /// Decisions whose caller nobody has verified.
    pub(crate) caller: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, rule: Rule, is_strict: bool) {
        let is_listed = rule.is_listed(is_strict);
        let count = match rule {
            // The summary counts them.
            Rule::Open if is_listed => return,
            Rule::Unverifiable if is_listed => &mut self.unverifiable,
            Rule::SameNumber if is_listed => &mut self.same_number,
            Rule::Caller if is_listed => &mut self.caller,
            Rule::Unreadable
            | Rule::Unproved
            | Rule::Evidence
            | Rule::Decision
            | Rule::Credits
            | Rule::List
            | Rule::Waiting
            | Rule::Journal
            | Rule::State
            | Rule::Index
            | Rule::Format
            | Rule::Table
            | Rule::Unverifiable
            | Rule::SameNumber
            | Rule::Caller
            | Rule::Open => &mut self.broken,
        };
        *count = count.saturating_add(1);
    }

    pub(crate) fn done(self) -> Done {
        if self.broken == 0 { Done::Well } else { Done::Found }
    }
}

/// Sums of what was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DecidedSums {
    pub(crate) credits: Sums,
    pub(crate) ends: Sums,
}

impl DecidedSums {
    pub(crate) fn add(&mut self, decided: &Decided) {
        let sums = match decided.decision {
            Decision::Credit => &mut self.credits,
            Decision::End => &mut self.ends,
        };
        sums.add(&decided.currency_code, decided.amount);
    }
}

/// The withdrawals that have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Open {
    pub(crate) count: u64,
    pub(crate) older_than_a_day: u64,
    /// When the oldest was made, in milliseconds since 1970.
    pub(crate) oldest: Option<Timestamp>,
}

/// A withdrawal that is open for longer is reported.
const A_DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What all rows add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) rows: u64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Decided about, and not proved.
    pub(crate) unproved: DecidedSums,
    /// Decided by people.
    pub(crate) by_person: DecidedSums,
    pub(crate) open: Open,
    /// How many rows have which format. The oldest rows have none.
    #[serde(serialize_with = "by_name")]
    pub(crate) formats: BTreeMap<Option<u64>, u64>,
    pub(crate) seconds: u64,
    pub(crate) rows_per_second: u64,
}

impl Summary {
    /// Counts rows of a format.
    pub(crate) fn add_format(&mut self, format: Option<u64>, rows: u64) {
        let count = self.formats.entry(format).or_default();
        *count = count.saturating_add(rows);
    }

    /// Counts a withdrawal that has not ended. Gives what is to be reported if it is old.
    pub(crate) fn add_open(&mut self, id: String, created_at: Timestamp, now: Timestamp) -> Option<Break> {
        self.open.count = self.open.count.saturating_add(1);
        self.open.oldest = self.open.oldest.into_iter().chain([created_at]).min();
        let is_old = now.0.saturating_sub(created_at.0) > A_DAY_MS;
        is_old.then(|| {
            self.open.older_than_a_day = self.open.older_than_a_day.saturating_add(1);
            Break::new(Rule::Open, id, format!("it is open since {}", rows::time(created_at)))
        })
    }

    /// Notes how much was read in which time.
    pub(crate) fn took(&mut self, rows: u64, taken_ms: u64) {
        self.rows = rows;
        (self.seconds, self.rows_per_second) = pace(rows, taken_ms);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, counts, unproved, by_person, open, formats, seconds, rows_per_second } = self;
        let Counts { broken, unverifiable, same_number, caller } = counts;
        writeln!(
            f,
            "{rows} rows in {seconds} s, {rows_per_second} per second: {broken} broken, {unverifiable} that cannot be verified any more, {same_number} of the same number, {caller} decisions without a verified caller"
        )?;
        writeln!(f, "not proved: credits {}; ends of withdrawals {}", unproved.credits, unproved.ends)?;
        writeln!(f, "decided by people: credits {}; ends of withdrawals {}", by_person.credits, by_person.ends)?;
        let oldest = open.oldest.map_or_else(String::new, |at| format!(", the oldest of {}", rows::time(at)));
        writeln!(f, "open withdrawals: {}, {} of them for more than a day{oldest}", open.count, open.older_than_a_day)?;
        let formats: Vec<_> =
            formats.iter().map(|(format, rows)| format!("{rows} of format {}", format_name(*format))).collect();
        write!(f, "rows: {}", formats.join(", "))
    }
}

/// A format, for people.
pub(crate) fn format_name(format: Option<u64>) -> String {
    format.map_or_else(|| "none".into(), |it| it.to_string())
}

fn by_name<S: Serializer>(formats: &BTreeMap<Option<u64>, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(formats.iter().map(|(format, rows)| (format_name(*format), rows)))
}

/// Counts what is found, and hands it on as it is found.
pub(crate) struct Reporter<Take> {
    pub(crate) is_strict: bool,
    pub(crate) summary: Summary,
    pub(crate) take: Take,
}

impl<Take: FnMut(&Break)> Reporter<Take> {
    pub(crate) fn report(&mut self, found: &Break) {
        self.summary.counts.add(found.rule, self.is_strict);
        if let Some(decided) = &found.unproved {
            self.summary.unproved.add(decided);
        }
        (self.take)(found);
    }
}
