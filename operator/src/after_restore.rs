//! `after-restore`: makes a restored table safe to send withdrawals from.
//!
//! What happened after the moment of the restore is not in the table. So each withdrawal that was on its way may have arrived, and each id that
//! the provider or the merchant knows of may have been paid. All of it is done row by row and only once: the command may be repeated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use domain::{
    Effect, KnownTo, PaymentKey, PaymentState, ReservedId, Timestamp, Transition, Withdrawal, WithdrawalId,
    WithdrawalRow,
};
use lambda::{Clock, System};
use serde::Serialize;
use store::{AnyRow, Read, RowId, RowKey, Scan, StoreError, UnreadableRow, Write, update};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::reconcile::{BadLine, Config, Entry, Export, Line, ProviderRecord, Side, Standing};
use crate::rows;
use crate::scan::{rows_bar, scan};

/// What is known of the time after the restore.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct AfterRestore {
    /// The provider's back-office export, from before the moment of the restore until now
    #[arg(long, value_name = "FILE")]
    pub(crate) export: PathBuf,

    /// How to read the export: a copy of operator/samples/export.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// The merchant's own list of all withdrawal ids that it has used, one in each line: the export lacks the newest ones
    #[arg(long, value_name = "FILE")]
    pub(crate) ids: PathBuf,

    /// Show what would be done, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const HELP: &str = "\
Switch withdrawals off and run `adopt` before, and switch them on again afterwards: docs/runbook.md, Restore.

  set_unknown    it was being sent or waited: it may have arrived. Nothing sends it again
  reserved       the table does not have this id, and the provider or the merchant does: no withdrawal is made under it
  not_credited   a deposit that only the export has: ask the provider to send its postback again
  bad_line       a line that cannot be read: mend it, and repeat the command
  bad_row        a row that cannot be read: see the runbook, how to look
  ignored        a line that is no transaction, as --config says

Repeat the command if it ends early: what is done stays done. Exit status 1 if there is any not_credited, bad_line or bad_row.";

/// What was done about a transaction, or has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    what: What,
    id: String,
    remark: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    SetUnknown,
    Reserved,
    NotCredited,
    BadLine,
    BadRow,
    Ignored,
}

/// Doubts a withdrawal that was on its way. Gives whether that changed the row.
///
/// # Errors
/// [`StoreError`] if the table fails.
pub async fn doubt(
    table: &(impl Read<WithdrawalId> + Write<WithdrawalRow>),
    id: &WithdrawalId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let decide = |current: Option<&WithdrawalRow>| match current.and_then(WithdrawalRow::registered) {
        Some(row) => {
            let (row, effect) = row.after(row.restored(), None, now);
            (row.map(|row| WithdrawalRow::Registered(Box::new(row))), effect == Effect::Moved)
        }
        None => (None, false),
    };
    Ok(update(table, id, decide).await?.outcome)
}

/// Reserves an id that was used. Gives whether the table did not have it.
///
/// # Errors
/// [`StoreError`] if the table fails.
pub async fn reserve(
    table: &(impl Read<WithdrawalId> + Write<WithdrawalRow>),
    id: &WithdrawalId,
    known_to: KnownTo,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let reserved = || ReservedId { withdrawal_id: id.clone(), reserved_at: now, known_to };
    let decide = |current: Option<&WithdrawalRow>| {
        let row = WithdrawalRow::reserved(current, reserved());
        let is_new = row.is_some();
        (row, is_new)
    };
    Ok(update(table, id, decide).await?.outcome)
}

/// What the provider and the merchant know.
#[derive(Debug, Default)]
struct Known {
    withdrawals: BTreeMap<WithdrawalId, KnownTo>,
    /// Each with its line, and with what is wrong if the table does not have it.
    payments: Vec<(PaymentKey, Finding)>,
    findings: Vec<Finding>,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &AfterRestore) -> Result<Done, Failure> {
    let mut known = Known::default();
    known.read_export(&Config::read(&arguments.config)?, &arguments.export)?;
    known.read_ids(&arguments.ids)?;
    let table = deployment.table()?;
    let now = Timestamp(System.now_ms());
    let mut findings = std::mem::take(&mut known.findings);
    let (ids, bad_rows) = on_their_way(&table).await?;
    findings.extend(bad_rows.into_iter().map(|bad| Finding { what: What::BadRow, id: bad.key, remark: bad.reason }));
    for id in ids {
        if arguments.dry_run || doubt(&table, &id, now).await? {
            findings.push(Finding::new(What::SetUnknown, &id, "it may have arrived after the moment of the restore"));
        }
    }
    for (id, known_to) in &known.withdrawals {
        let is_missing = if arguments.dry_run {
            Read::<WithdrawalId>::read(&table, id).await?.is_none()
        } else {
            reserve(&table, id, *known_to, now).await?
        };
        if is_missing {
            findings.push(Finding::new(What::Reserved, id, rows::known_to(*known_to)));
        }
    }
    for (key, missing) in known.payments {
        let stored = Read::<PaymentKey>::read(&table, &key).await?;
        if !stored.is_some_and(|it| is_decided(&it.row.state)) {
            findings.push(missing);
        }
    }
    output.records(&findings, ["WHAT", "ID", "REMARK"], |it| {
        let what = serde_json::to_value(it.what).ok().and_then(|it| it.as_str().map(str::to_owned));
        [what.unwrap_or_default(), it.id.clone(), it.remark.clone()]
    });
    let end = if arguments.dry_run { "\nNothing was written." } else { "" };
    output.say(&format!("\n{} in all{end}", findings.len()));
    let is_found = |it: &Finding| matches!(it.what, What::NotCredited | What::BadLine | What::BadRow);
    Ok(if findings.iter().any(is_found) { Done::Found } else { Done::Well })
}

impl Finding {
    fn new(what: What, id: &impl RowKey, remark: &str) -> Self {
        Self { what, id: id.key(), remark: remark.to_owned() }
    }
}

impl Known {
    fn read_export(&mut self, config: &Config, file: &Path) -> Result<(), Failure> {
        let mut export = Export::open(config, open(file)?)?;
        while let Some(line) = export.next()? {
            match line {
                Line::Transaction(Entry { key, side: Side::Providers(record) }) => self.learn(file, &key, &record),
                Line::Transaction(Entry { side: Side::Ours(_), .. }) => {}
                Line::Bad(BadLine { line, column, reason }) => {
                    self.findings.push(bad_line(file, line, &format!("{column} {reason}")));
                }
                Line::Ignored(line, reason) => {
                    let id = place(file, line);
                    self.findings.push(Finding { what: What::Ignored, id, remark: reason.to_owned() });
                }
            }
        }
        Ok(())
    }

    /// What was made by hand in the back office need not have an id that could be ours.
    fn learn(&mut self, file: &Path, key: &str, record: &ProviderRecord) {
        match RowId::parse(key) {
            Some(RowId::Withdrawal(id)) => drop(self.withdrawals.insert(id, KnownTo::Provider)),
            Some(RowId::Payment(payment)) if record.standing == Standing::Success => {
                let money = &record.money;
                let line = format!("line {}: {} {}", record.line, money.amount, money.currency_code);
                let missing = match &record.odd_id {
                    Some(rule) => bad_line(file, record.line, rule),
                    None => Finding::new(What::NotCredited, &payment, &line),
                };
                self.payments.push((payment, missing));
            }
            Some(_) | None => {}
        }
    }

    fn read_ids(&mut self, file: &Path) -> Result<(), Failure> {
        for (line, number) in BufReader::new(open(file)?).lines().zip(1..) {
            let line = line?;
            match WithdrawalId::parse(line.trim()) {
                _ if line.trim().is_empty() => {}
                Ok(id) => drop(self.withdrawals.entry(id).or_insert(KnownTo::Merchant)),
                Err(rule) => self.findings.push(bad_line(file, number, &format!("a withdrawal id {rule}"))),
            }
        }
        Ok(())
    }
}

fn bad_line(file: &Path, line: u64, remark: &str) -> Finding {
    Finding { what: What::BadLine, id: place(file, line), remark: remark.trim().to_owned() }
}

fn place(file: &Path, line: u64) -> String {
    format!("{}:{line}", file.display())
}

fn open(file: &Path) -> Result<File, Failure> {
    File::open(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}

/// The withdrawals that the table shows on their way, and the rows that cannot be read.
async fn on_their_way(table: &impl Scan) -> Result<(Vec<WithdrawalId>, Vec<UnreadableRow>), Failure> {
    let (mut found, mut bad_rows) = (Vec::new(), Vec::new());
    scan(table, &rows_bar(), |row| {
        match row.map(|scanned| scanned.row) {
            Ok(AnyRow::Withdrawal(stored)) => {
                found.extend(
                    stored
                        .row
                        .registered()
                        .filter(|row| is_on_its_way(row))
                        .map(|row| row.request.withdrawal_id.clone()),
                );
            }
            Ok(_) => {}
            Err(bad) => bad_rows.push(bad),
        }
        Ok(())
    })
    .await?;
    Ok((found, bad_rows))
}

fn is_on_its_way(row: &Withdrawal) -> bool {
    matches!(row.restored(), Transition::Move(_))
}

fn is_decided(state: &PaymentState) -> bool {
    matches!(state, PaymentState::Credited { .. } | PaymentState::Rejected { .. })
}
