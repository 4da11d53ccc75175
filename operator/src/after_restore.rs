//! `after-restore`: makes a restored table safe to send withdrawals from.
//!
//! What happened after the moment of the restore is not in the table. So each withdrawal that was on its way may have arrived, and each id that
//! the provider or the merchant knows of may have been paid. All of it is done row by row and only once: the command may be repeated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use domain::{KnownTo, PaymentKey, PaymentState, Transition, Withdrawal, WithdrawalId};
use serde::Serialize;
use store::{AnyRow, MAX_TRIES, Read, ReadMany, RowId, RowKey, Scan, UnreadableRow, read_each};

use crate::decisions::{Decide, DecisionRequest};
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
    let (table, api) = (deployment.table()?, deployment.api()?);
    let evidence = arguments.export.display().to_string();
    let mut findings = std::mem::take(&mut known.findings);
    let (found, bad_rows) = on_their_way(&table).await?;
    findings.extend(bad_rows.into_iter().map(|bad| Finding { what: What::BadRow, id: bad.key, remark: bad.reason }));
    let is_dry = arguments.dry_run;
    for id in found {
        if is_dry || doubt(&table, &api, &id, &evidence).await? {
            findings.push(Finding::new(What::SetUnknown, &id, "it may have arrived after the moment of the restore"));
        }
    }
    for id in missing(&table, known.withdrawals.keys()).await? {
        let Some(known_to) = known.withdrawals.get(&id) else { continue };
        if is_dry || reserve(&api, &id, *known_to, &evidence).await? {
            findings.push(Finding::new(What::Reserved, &id, rows::known_to(*known_to)));
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

/// The ids that the table does not have.
async fn missing<'a>(
    table: &impl ReadMany<WithdrawalId>,
    ids: impl Iterator<Item = &'a WithdrawalId>,
) -> Result<Vec<WithdrawalId>, Failure> {
    const AT_A_TIME: usize = 100;
    let ids: Vec<_> = ids.cloned().collect();
    let mut missing = Vec::new();
    for ids in ids.chunks(AT_A_TIME) {
        let stored = read_each(table, ids).await?;
        missing.extend(ids.iter().filter(|id| !stored.contains_key(*id)).cloned());
    }
    Ok(missing)
}

/// Has a withdrawal doubted that was on its way. Gives whether that changed the row.
///
/// # Errors
/// [`Failure`] if the stack fails.
pub async fn doubt(
    table: &impl Read<WithdrawalId>,
    decide: &impl Decide,
    id: &WithdrawalId,
    evidence: &str,
) -> Result<bool, Failure> {
    for _ in 0..MAX_TRIES {
        let Some(stored) = table.read(id).await? else { return Ok(false) };
        if !stored.row.registered().is_some_and(is_on_its_way) {
            return Ok(false);
        }
        match decide.decide(&request(id, "unknown", None, stored.version, evidence)).await {
            Ok(_) => return Ok(true),
            // A postback has changed it meanwhile, which need not have ended it.
            Err(Failure::Changed(_) | Failure::NotAllowed(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Failure::NoAnswer(format!("{id} changes all the time: repeat the command")))
}

/// Has an id reserved that was used. Gives whether the table did not have it.
///
/// # Errors
/// [`Failure`] if the stack fails.
pub async fn reserve(
    decide: &impl Decide,
    id: &WithdrawalId,
    known_to: KnownTo,
    evidence: &str,
) -> Result<bool, Failure> {
    match decide.decide(&request(id, "reserved", Some(known_to), 0, evidence)).await {
        Ok(_) => Ok(true),
        // The table has it.
        Err(Failure::Changed(_) | Failure::NotAllowed(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn request(
    id: &WithdrawalId,
    outcome: &'static str,
    known_to: Option<KnownTo>,
    version: u64,
    evidence: &str,
) -> DecisionRequest {
    DecisionRequest {
        id: id.key(),
        outcome,
        by: "after-restore".into(),
        reason: "the table was restored".into(),
        evidence: evidence.to_owned(),
        order: None,
        number: None,
        different_payment: false,
        known_to,
        version: Some(version),
    }
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
async fn on_their_way(
    table: &(impl Scan + Clone + Send + 'static),
) -> Result<(Vec<WithdrawalId>, Vec<UnreadableRow>), Failure> {
    let (mut found, mut bad_rows) = (Vec::new(), Vec::new());
    scan(table, &rows_bar(), |row| {
        match row.map(|scanned| scanned.row) {
            Ok(AnyRow::Withdrawal(stored)) if stored.row.registered().is_some_and(is_on_its_way) => {
                found.push(stored.row.id().clone());
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

#[cfg(test)]
mod tests {
    use domain::{AccountNumber, Amount, CurrencyCode, Label, Timestamp, WalletType, WithdrawalRequest, WithdrawalRow};
    use store::{Change, Memory, Write};

    use super::*;
    use crate::decisions::DecisionReply;

    /// A function that answers every request like this.
    struct Answers(fn() -> Failure);

    impl Decide for Answers {
        async fn decide(&self, _: &DecisionRequest) -> Result<DecisionReply, Failure> {
            Err((self.0)())
        }
    }

    fn denied() -> Failure {
        Failure::Denied("no policy".into())
    }

    #[tokio::test]
    async fn who_may_not_decide_is_told_so_and_nothing_counts_as_reserved_or_doubted() {
        let id = WithdrawalId::parse("w1").unwrap();
        let request = WithdrawalRequest {
            withdrawal_id: id.clone(),
            label: Label::parse("u1").unwrap(),
            amount: Amount::parse("1000").unwrap(),
            currency_code: CurrencyCode::parse("INR").unwrap(),
            account_number: AccountNumber::parse("1234560079").unwrap(),
            payment_system: WalletType::parse("paytm").unwrap(),
            comment: None,
            is_test: false,
        };
        let row = Withdrawal::new(request, "{}".into(), "sender".into(), Timestamp(0));
        let table = Memory::default();
        table.write(Change::new(WithdrawalRow::Registered(Box::new(row)))).await.unwrap();
        let function = Answers(denied);
        assert!(matches!(doubt(&table, &function, &id, "an export").await, Err(Failure::Denied(_))));
        assert!(matches!(reserve(&function, &id, KnownTo::Merchant, "an export").await, Err(Failure::Denied(_))));
        let known = Answers(|| Failure::NotAllowed("the table has this id".into()));
        assert!(!reserve(&known, &id, KnownTo::Merchant, "an export").await.unwrap());
    }
}
