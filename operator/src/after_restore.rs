//! `after-restore`: makes a restored table safe to send withdrawals from.
//!
//! What happened after the moment of the restore is not in the table. So each withdrawal that was on its way may have arrived, and each id that
//! the provider or the merchant knows of may have been paid. All of it is done row by row and only once: the command may be repeated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use domain::{KnownTo, PaymentKey, PaymentState, Transition, Withdrawal, WithdrawalId, WithdrawalRow};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use store::{AnyRow, Read, RowId, RowKey, Scan, Stored, UnreadableRow, read_each};

use crate::api::Api;
use crate::decisions::{DecisionRequest, decide};
use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::reconcile::{Config, Entry, Export, ProviderRecord, Side, Standing};
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

Repeat the command if it ends early: what is done stays done. Exit status 1 if there is any of the last three.";

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
}

/// What the provider and the merchant know.
#[derive(Debug, Default)]
struct Known {
    withdrawals: BTreeMap<WithdrawalId, KnownTo>,
    payments: Vec<(PaymentKey, String)>,
    findings: Vec<Finding>,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &AfterRestore) -> Result<Done, Failure> {
    let mut known = Known::default();
    known.read_export(&Config::read(&arguments.config)?, &arguments.export)?;
    known.read_ids(&arguments.ids)?;
    let (table, api) = (deployment.table()?, deployment.api()?);
    let evidence = arguments.export.display().to_string();
    let mut findings = std::mem::take(&mut known.findings);
    let (found, bad_rows) = on_their_way(&table).await?;
    findings.extend(bad_rows.into_iter().map(|bad| Finding { what: What::BadRow, id: bad.key, remark: bad.reason }));
    let doubted = found.into_iter().map(|it| request(&it.row.id().key(), "unknown", None, it.version, &evidence));
    for id in record(&api, doubted, arguments.dry_run).await? {
        let remark = "it may have arrived after the moment of the restore".into();
        findings.push(Finding { what: What::SetUnknown, id, remark });
    }
    let ids: Vec<_> = known.withdrawals.keys().cloned().collect();
    for ids in ids.chunks(MANY) {
        let stored = read_each(&table, ids).await?;
        let missing = ids.iter().filter(|id| !stored.contains_key(*id));
        let reserved = missing.filter_map(|id| {
            let known_to = *known.withdrawals.get(id)?;
            Some(request(&id.key(), "reserved", Some(known_to), 0, &evidence))
        });
        for id in record(&api, reserved, arguments.dry_run).await? {
            let known_to = RowId::parse(&id).and_then(|id| known.known_to(&id));
            let remark = known_to.map(rows::known_to).unwrap_or_default().into();
            findings.push(Finding { what: What::Reserved, id, remark });
        }
    }
    for (key, line) in &known.payments {
        let stored = Read::<PaymentKey>::read(&table, key).await?;
        if !stored.is_some_and(|it| is_decided(&it.row.state)) {
            findings.push(Finding::new(What::NotCredited, key, line));
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

/// Most ids that are looked up at a time.
const MANY: usize = 100;
/// Most requests that are under way at a time.
const AT_A_TIME: usize = 8;

fn request(
    id: &str,
    outcome: &'static str,
    known_to: Option<KnownTo>,
    version: u64,
    evidence: &str,
) -> DecisionRequest {
    DecisionRequest {
        id: id.to_owned(),
        outcome,
        by: "after-restore".into(),
        reason: "the table was restored".into(),
        evidence: evidence.to_owned(),
        order: None,
        number: None,
        different_payment: false,
        known_to: known_to.map(|it| match it {
            KnownTo::Provider => "provider",
            KnownTo::Merchant => "merchant",
        }),
        version: Some(version),
    }
}

/// Has these recorded, unless they are only shown. Gives the keys of those that were; a row that has changed meanwhile is left as it is.
async fn record(
    api: &Api,
    requests: impl Iterator<Item = DecisionRequest>,
    is_dry_run: bool,
) -> Result<Vec<String>, Failure> {
    let recorded = stream::iter(requests).map(async |request| {
        if is_dry_run {
            return Ok(Some(request.id));
        }
        match decide(api, &request).await {
            Ok(reply) => Ok(Some(reply.id)),
            Err(Failure::NotAllowed(_)) => Ok(None),
            Err(error) => Err(error),
        }
    });
    let recorded: Vec<_> = recorded.buffered(AT_A_TIME).try_collect().await?;
    Ok(recorded.into_iter().flatten().collect())
}

impl Finding {
    fn new(what: What, id: &impl RowKey, remark: &str) -> Self {
        Self { what, id: id.key(), remark: remark.to_owned() }
    }
}

impl Known {
    fn known_to(&self, id: &RowId) -> Option<KnownTo> {
        if let RowId::Withdrawal(id) = id { self.withdrawals.get(id).copied() } else { None }
    }

    fn read_export(&mut self, config: &Config, file: &Path) -> Result<(), Failure> {
        let mut export = Export::open(config, open(file)?)?;
        while let Some(entry) = export.next()? {
            match entry {
                Ok(Entry { key, side: Side::Providers(record) }) => self.learn(&key, &record),
                Ok(Entry { side: Side::Ours(_), .. }) => {}
                Err(bad) => self.bad_line(file, bad.line, &format!("{} {}", bad.column, bad.reason)),
            }
        }
        Ok(())
    }

    /// What was made by hand in the back office need not have an id that could be ours.
    fn learn(&mut self, key: &str, record: &ProviderRecord) {
        match RowId::parse(key) {
            Some(RowId::Withdrawal(id)) => drop(self.withdrawals.insert(id, KnownTo::Provider)),
            Some(RowId::Payment(payment)) if record.standing == Standing::Success => {
                let money = &record.money;
                self.payments
                    .push((payment, format!("line {}: {} {}", record.line, money.amount, money.currency_code)));
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
                Err(rule) => self.bad_line(file, number, &format!("a withdrawal id {rule}")),
            }
        }
        Ok(())
    }

    fn bad_line(&mut self, file: &Path, line: u64, remark: &str) {
        let id = format!("{}:{line}", file.display());
        self.findings.push(Finding { what: What::BadLine, id, remark: remark.trim().to_owned() });
    }
}

fn open(file: &Path) -> Result<File, Failure> {
    File::open(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}

/// The withdrawals that the table shows on their way, and the rows that cannot be read.
async fn on_their_way(
    table: &(impl Scan + Clone + Send + 'static),
) -> Result<(Vec<Stored<WithdrawalRow>>, Vec<UnreadableRow>), Failure> {
    let (mut found, mut bad_rows) = (Vec::new(), Vec::new());
    scan(table, &rows_bar(), |row| {
        match row.map(|scanned| scanned.row) {
            Ok(AnyRow::Withdrawal(stored)) if stored.row.registered().is_some_and(is_on_its_way) => found.push(stored),
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
