//! `replay`: sends a stored postback through the receiver again, as if the provider had sent it.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use domain::{
    Amount, CurrencyCode, Direction, Evidence, Label, Mismatch, PaymentState, SignedFacts, SignedList, Unsigned,
    WalletType,
};
use paykassma::{Element, UnsignedFields};
use store::{AnyRow, ReadAny, StoredListId};

use crate::deployment::{Deployment, Keys, http};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::postback::Lists;
use crate::{id, postback, receiver, rows};

/// What to send again.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["id", "file"]))]
pub(crate) struct Replay {
    /// The key of a row that stores a postback: payment#WALLET#NUMBER, unreadable#LIST#N or list#LIST
    pub(crate) id: Option<String>,

    /// A postback's whole body, exactly as the provider sent it
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// The user's label, where the row has none
    #[arg(long)]
    pub(crate) label: Option<String>,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Replay) -> Result<Done, Failure> {
    let keys = deployment.keys().await?;
    let body = match (&arguments.id, &arguments.file) {
        (Some(id), _) => {
            let table = deployment.table()?;
            rebuilt(&table, &id::find(&table, id).await?, arguments.label.as_deref(), &keys).await?
        }
        (None, Some(file)) => read(file)?,
        (None, None) => return Err(Failure::Usage("give an ID or --file".into())),
    };
    let url = deployment.postback_url(&keys)?;
    let answer = receiver::send(&http()?, &url, body).await?;
    output.line(&answer, || format!("{} {}", answer.status, answer.body));
    if answer.status != 200 {
        return Ok(Done::Found);
    }
    if let Some(id) = &arguments.id {
        let row = id::find(&deployment.table()?, id).await?;
        output.say(&format!("{} is {}: {}", row.key(), row.state_name(), rows::why(&row)));
    }
    Ok(Done::Well)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}

/// The body around a row's signed list: unchanged, with its signature, and the unsigned fields.
async fn rebuilt(table: &impl ReadAny, row: &AnyRow, label: Option<&str>, keys: &Keys) -> Result<Vec<u8>, Failure> {
    let given = label.map(Label::parse).transpose().map_err(|rule| Failure::Usage(format!("--label {rule}")))?;
    if let AnyRow::ListProgress(it) = row {
        let missing = || Failure::NotAllowed("the signed list has no row".into());
        let list = table.read(&StoredListId(it.row.hash.clone())).await?.ok_or_else(missing)?.row.list;
        return written(&list, unsigned_fields(&it.row.unsigned, given), keys);
    }
    let (evidence, kept) = kept(row)?;
    let lists = Lists::read(table, [evidence]).await?;
    let copies = match postback::element(keys, &lists, evidence)? {
        Element::Deposit(report) => {
            let SignedFacts { amount, currency_code, .. } = report.facts;
            copies(Direction::Ingoing, &report.payment.wallet_type, amount, &currency_code)
        }
        Element::Withdrawal(report) => {
            let SignedFacts { amount, currency_code, .. } = report.facts;
            copies(Direction::Outgoing, &report.wallet_type, amount, &currency_code)
        }
        Element::Unreadable { reason, .. } => {
            return Err(Failure::NotAllowed(format!("the element is not understood today either: {reason}")));
        }
    };
    let Some(label) = kept.or(given) else {
        return Err(Failure::Usage("the row keeps no label: give the user's with --label".into()));
    };
    let copies = UnsignedFields { label: Some(label.as_str().into()), ..copies };
    let list = lists.of(evidence).ok_or_else(|| Failure::NotAllowed("the signed list has no row".into()))?;
    written(list, copies, keys)
}

fn written(list: &SignedList, unsigned: UnsignedFields, keys: &Keys) -> Result<Vec<u8>, Failure> {
    Ok(postback::body(&keys.access_key, list)?.with_unsigned(&unsigned).to_string().into_bytes())
}

/// The unsigned fields that came with a list.
fn unsigned_fields(unsigned: &Unsigned, label: Option<Label>) -> UnsignedFields {
    UnsignedFields {
        wallet_type: unsigned.wallet_type.clone().map(String::from),
        amount: unsigned.amount.map(Into::into),
        currency_code: unsigned.currency_code.clone().map(String::from),
        label: unsigned.label.clone().or(label).map(String::from),
        direction: unsigned.direction,
        ..UnsignedFields::default()
    }
}

/// Repeats what is signed.
fn copies(direction: Direction, wallet: &WalletType, amount: Amount, currency_code: &CurrencyCode) -> UnsignedFields {
    UnsignedFields {
        wallet_type: Some(wallet.as_str().into()),
        amount: Some(amount.into()),
        currency_code: Some(currency_code.as_str().into()),
        direction: Some(direction),
        ..UnsignedFields::default()
    }
}

/// What is held and may be judged again. Where an unsigned copy differed, its rebuilt twin would be made up.
fn kept(row: &AnyRow) -> Result<(&Evidence, Option<Label>), Failure> {
    let refused = |why: &str| Err(Failure::NotAllowed(why.to_owned()));
    match row {
        AnyRow::Unreadable(it) => Ok((&it.row.evidence, None)),
        AnyRow::Payment(it) => match &it.row.state {
            PaymentState::Quarantined { mismatch, .. } if is_unsigned(*mismatch) => {
                refused("an unsigned copy differed, and what is sent again would not have it: resolve the payment")
            }
            PaymentState::Unmatched { facts, .. } | PaymentState::Quarantined { facts, .. } => {
                Ok((&facts.evidence, facts.label.clone()))
            }
            PaymentState::Claimed { .. } | PaymentState::Released { .. } => refused("no postback has come for it"),
            PaymentState::Credited { .. } | PaymentState::Rejected { .. } => refused("it is decided"),
        },
        AnyRow::Deposit(_)
        | AnyRow::Withdrawal(_)
        | AnyRow::EntryCount(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::ListProgress(_) => refused("replay a payment#, an unreadable# or a list# row"),
    }
}

fn is_unsigned(mismatch: Mismatch) -> bool {
    match mismatch {
        Mismatch::Direction | Mismatch::Amount | Mismatch::CurrencyCode | Mismatch::WalletType | Mismatch::Label => {
            true
        }
        Mismatch::OrderCurrencyCode
        | Mismatch::SameNumber
        | Mismatch::OrderUnwritable
        | Mismatch::OrderWalletType
        | Mismatch::Contested
        | Mismatch::TakenAway
        | Mismatch::EarlierPostback
        | Mismatch::WithdrawalAmount
        | Mismatch::WithdrawalCurrencyCode
        | Mismatch::WithdrawalPaymentSystem
        | Mismatch::Status
        | Mismatch::Outcome => false,
    }
}
