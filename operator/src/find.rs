//! `find`: transactions by what a customer says, in a scan of all rows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use clap::{ArgGroup, Args};
use domain::{Amount, NormalisedNumber, Timestamp, TransactionId};
use indicatif::ProgressBar;
use lambda::{Clock, System};
use serde::Serialize;
use store::{AnyRow, ReadAny, Scan, read_key};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::rows;
use crate::said::{Said, rows_of_account};
use crate::scan::{Unreadable, pace, rows_bar, scan};

/// What to look for.
#[derive(Debug, Args)]
#[command(after_help = HELP, group(ArgGroup::new("what").required(true).multiple(true)))]
pub(crate) struct Find {
    /// The label of the user, to the letter
    #[arg(long, group = "what")]
    pub(crate) label: Option<String>,

    /// The account number, name or mail address that is paid or has paid, to the letter
    #[arg(long, group = "what")]
    pub(crate) account: Option<String>,

    /// An amount, such as 700 or 700.50
    #[arg(long, group = "what")]
    pub(crate) amount: Option<Amount>,

    /// A day in UTC, such as 2026-11-27, or with an offset: 2026-11-27+08:00
    #[arg(long, group = "what", value_parser = Day::parse)]
    pub(crate) day: Option<Day>,

    /// The number of a payment, in any spelling and wallet
    #[arg(long, group = "what", value_parser = |text: &str| TransactionId::parse(text))]
    pub(crate) number: Option<TransactionId>,

    /// Show people's labels and accounts
    #[arg(long)]
    pub(crate) reveal: bool,

    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    pub(crate) limit: usize,
}

/// How many rows are listed, unless it is said.
pub(crate) const LIMIT: usize = 1000;

const HELP: &str = "\
All that is given must hold for one row: an order, a payment, a withdrawal, or an element that could not be read. An amount is one that
was signed, asked for or entered. The day is one on which something happened to the row, and WHEN is the first such time. Nothing says
when a number was entered but its order's row.

It reads the whole table. Exit status 0 if something is found; 1 if nothing is, or if rows cannot be read.";

/// From when until when a day lasts, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    from: u64,
    until: u64,
}

/// A row that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) currency_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at_ms: Option<Timestamp>,
    pub(crate) why: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<String>,
}

/// What a scan has found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) found: u64,
    pub(crate) rows: u64,
    pub(crate) unreadable: Unreadable,
    pub(crate) seconds: u64,
    pub(crate) rows_per_second: u64,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Find) -> Result<Done, Failure> {
    let table = deployment.table()?;
    let began_ms = System.now_ms();
    let (found, mut summary) = find(&table, arguments, &rows_bar()).await?;
    let taken_ms = System.now_ms().saturating_sub(began_ms);
    (summary.seconds, summary.rows_per_second) = pace(summary.rows, taken_ms);
    print(output, &found, arguments.reveal);
    output.line(&summary, || {
        let Summary { found, rows, unreadable, seconds, rows_per_second } = &summary;
        format!(
            "\n{found} found in {rows} rows, in {seconds} s, {rows_per_second} per second; {unreadable} rows cannot be read"
        )
    });
    Ok(if summary.found > 0 && summary.unreadable.number == 0 { Done::Well } else { Done::Found })
}

fn print(output: Output, found: &[Found], reveal: bool) {
    let cells = |it: &Found| {
        let amount = rows::money(it.amount.as_deref(), it.currency_code.as_deref());
        [it.id.clone(), it.state.to_owned(), amount, it.at_ms.map(rows::time).unwrap_or_default(), it.why.clone()]
    };
    if !reveal {
        output.records(found, ["ID", "STATE", "AMOUNT", "WHEN", "WHY"], cells);
        return;
    }
    output.records(found, ["ID", "STATE", "AMOUNT", "WHEN", "LABEL", "ACCOUNT", "WHY"], |it| {
        let [id, state, amount, when, why] = cells(it);
        [id, state, amount, when, it.labels.join(", "), it.accounts.join(", "), why]
    });
}

/// Looks at all rows. Gives those that are to be listed, the oldest first.
pub(crate) async fn find(
    table: &(impl Scan + ReadAny + Clone + Send + 'static),
    arguments: &Find,
    bar: &ProgressBar,
) -> Result<(Vec<Found>, Summary), Failure> {
    let mut search = Search { arguments, found: BTreeMap::new(), summary: Summary::default() };
    let mut listed = BTreeSet::new();
    let rows = scan(table, bar, |row| {
        match row {
            Ok(scanned) => {
                search.look(&scanned.row, false);
                if let (AnyRow::StoredList(it), Some(account)) = (&scanned.row, &arguments.account) {
                    listed.extend(rows_of_account(&it.row, account));
                }
            }
            Err(bad) => search.summary.unreadable.add(bad),
        }
        Ok(())
    });
    search.summary.rows = rows.await?;
    // Only a stored list says which accounts its elements name.
    for key in listed {
        // One that cannot be read was counted by the scan.
        if let Some(Ok(row)) = read_key(table, &key).await? {
            search.look(&row, true);
        }
    }
    let mut found: Vec<_> = search.found.into_values().collect();
    found.sort_by(|one, other| (one.at_ms, &one.id).cmp(&(other.at_ms, &other.id)));
    Ok((found, search.summary))
}

struct Search<'a> {
    arguments: &'a Find,
    /// What is listed, by its key.
    found: BTreeMap<String, Found>,
    summary: Summary,
}

impl Search<'_> {
    /// Looks at a row. `has_account`: a list that is not in the row names the account for it.
    fn look(&mut self, row: &AnyRow, has_account: bool) {
        let Some(said) = Said::of(row) else { return };
        if self.found.contains_key(&row.key()) || !self.arguments.holds(&said, has_account) {
            return;
        }
        self.summary.found = self.summary.found.saturating_add(1);
        if self.found.len() < self.arguments.limit {
            self.found.insert(row.key(), Found::of(row, &said, self.arguments.reveal));
        }
    }
}

impl Find {
    /// Whether all that is looked for holds.
    fn holds(&self, said: &Said<'_>, has_account: bool) -> bool {
        let Self { label, account, amount, day, number, .. } = self;
        let number = number.as_ref().map(NormalisedNumber::of);
        label.as_ref().is_none_or(|label| said.labels.contains(label.as_str()))
            && amount.is_none_or(|amount| said.amounts.contains(&amount))
            && number.is_none_or(|number| said.numbers.iter().any(|it| NormalisedNumber::of(it) == number))
            && day.is_none_or(|day| said.times.iter().any(|at| (day.from..day.until).contains(&at.0)))
            && account.as_ref().is_none_or(|account| has_account || said.accounts().contains(account))
    }
}

impl Found {
    fn of(row: &AnyRow, said: &Said<'_>, reveal: bool) -> Self {
        let (amount, currency_code) = row.money().unzip();
        let labels = said.labels.iter().map(|label| (*label).to_owned()).filter(|_| reveal);
        Self {
            id: row.key(),
            state: row.state_name(),
            amount: amount.map(|it| it.to_string()),
            currency_code: currency_code.map(ToString::to_string),
            at_ms: said.times.iter().min().copied(),
            why: rows::why(row),
            labels: labels.collect(),
            accounts: if reveal { said.accounts().into_iter().collect() } else { Vec::new() },
        }
    }
}

impl Day {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const RULE: &str = "must be a day, such as 2026-11-27, or with an offset: 2026-11-27+08:00";
        Self::read(text).ok_or_else(|| RULE.to_owned())
    }

    fn read(text: &str) -> Option<Self> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        let (date, offset) = text.split_at_checked("2026-11-27".len())?;
        let midnight = humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok()?;
        let midnight = u64::try_from(midnight.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
        let from = match offset.split_at_checked(1) {
            None | Some(("Z", "")) => midnight,
            Some((sign, time)) => {
                let (hours, minutes) = time.split_once(':')?;
                let number = |text: &str, most: u64| {
                    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
                    text.parse().ok().filter(|number: &u64| is_number && *number <= most)
                };
                let ahead =
                    number(hours, 14)?.checked_mul(60)?.checked_add(number(minutes, 59)?)?.checked_mul(60_000)?;
                match sign {
                    "+" => midnight.checked_sub(ahead)?,
                    "-" => midnight.checked_add(ahead)?,
                    _ => return None,
                }
            }
        };
        Some(Self { from, until: from.checked_add(DAY_MS)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_utc_or_has_an_offset() {
        let from = |text: &str| Day::parse(text).map(|day| day.from).ok();
        let utc = 1_795_737_600_000;
        assert_eq!((from("2026-11-27"), from("2026-11-27Z")), (Some(utc), Some(utc)));
        assert_eq!(from("2026-11-27+08:00"), Some(utc - 8 * 3_600_000));
        assert_eq!(from("2026-11-27-05:30"), Some(utc + 5 * 3_600_000 + 30 * 60_000));
        assert_eq!(Day::parse("2024-02-29").map(|day| day.until - day.from), Ok(86_400_000));
        for bad in [
            "",
            "2026-11-31",
            "2026-1-1",
            "27.11.2026",
            "2026-11-27T00:00:00Z",
            "2026-11-27+8",
            "2026-11-27+15:00",
            "2026-11-27 08:00",
            "2026-11-27++8:00",
            "é026-11-27",
            "1969-12-31",
        ] {
            assert_eq!(from(bad), None, "{bad}");
        }
    }
}
