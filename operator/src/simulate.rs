//! `simulate`: any postback, signed with the stack's own keys, sent as often and as wrongly as is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use domain::{Amount, CurrencyCode, Label, WalletType};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use signing::{Spelling, sign_postback};

use crate::deployment::{Deployment, Keys, http};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::postback::{self, Copies};
use crate::send::{self, Answer};

/// Which postbacks, and how they are sent.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    #[command(subcommand)]
    what: What,

    /// Send each postback so many times
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    repeat: usize,

    /// So many at a time
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    parallel: usize,

    /// Send them in a random order
    #[arg(long, global = true)]
    shuffle: bool,

    /// Change an unsigned field after signing, such as label=thief or amount=1; may be repeated
    #[arg(long, global = true, value_name = "FIELD=VALUE", value_parser = field)]
    tamper: Vec<(String, String)>,

    /// A deployed stack is one for testing: what is simulated there is credited and settled like the provider's word
    #[arg(long, global = true)]
    test_stack: bool,

    /// Change a digit of the signed list after signing: the receiver must refuse it
    #[arg(long, global = true)]
    forge: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Money came in
    Deposit(Deposit),
    /// A withdrawal was made, or was not
    Withdrawal(Withdrawal),
    /// Bodies from files: their `additional_data` is signed anew
    File {
        /// One body a file
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Deposit {
    /// The order that the provider names
    #[arg(long, value_name = "CUSTOM_TRANSACTION_ID")]
    order: String,

    /// The number of the payment
    #[arg(long, value_name = "TRANSACTION_ID")]
    number: String,

    #[command(flatten)]
    money: Money,
}

#[derive(Debug, Args)]
struct Withdrawal {
    /// The withdrawal
    #[arg(long, value_name = "WITHDRAWAL_ID")]
    id: String,

    /// 1 success, 5 fail
    #[arg(long, default_value_t = 1)]
    status: i64,

    #[command(flatten)]
    money: Money,
}

#[derive(Debug, Args)]
struct Money {
    /// How much
    #[arg(long, value_parser = Amount::parse)]
    amount: Amount,

    /// The user
    #[arg(long, value_parser = parse_label)]
    label: Label,

    /// In which currency
    #[arg(long, default_value = "INR", value_parser = parse_currency)]
    currency_code: CurrencyCode,

    /// By which wallet
    #[arg(long, default_value = "paytm", value_parser = parse_wallet)]
    wallet_type: WalletType,
}

/// How often an answer came.
#[derive(Serialize)]
struct Tally {
    status: u16,
    body: String,
    times: usize,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Simulate) -> Result<Done, Failure> {
    if deployment.is_deployed()? && !arguments.test_stack {
        return Err(Failure::NotAllowed(
            "this stack is deployed, and credits what is simulated: say --test-stack if it is one for testing".into(),
        ));
    }
    let keys = deployment.keys().await?;
    let mut bodies = Vec::new();
    for body in arguments.what.bodies(&keys)? {
        let body = if arguments.forge { forged(&body)? } else { body };
        let body = tampered(&body, &arguments.tamper)?.into_bytes();
        bodies.extend(std::iter::repeat_n(body, arguments.repeat));
    }
    if arguments.shuffle {
        fastrand::shuffle(&mut bodies);
    }
    let mut tally = BTreeMap::<Answer, usize>::new();
    for answer in send::send(&http()?, &deployment.postback_url(&keys)?, bodies, arguments.parallel).await {
        let times = tally.entry(answer?).or_default();
        *times = times.saturating_add(1);
    }
    let tally: Vec<_> =
        tally.into_iter().map(|(Answer { status, body }, times)| Tally { status, body, times }).collect();
    output.records(&tally, ["STATUS", "TIMES", "ANSWER"], |it| {
        [it.status.to_string(), it.times.to_string(), it.body.clone()]
    });
    Ok(if tally.iter().all(|it| it.status == 200) { Done::Well } else { Done::Found })
}

impl What {
    fn bodies(&self, keys: &Keys) -> Result<Vec<String>, Failure> {
        match self {
            Self::Deposit(Deposit { order, number, money }) => {
                let about = json!({"transaction_id": number, "transaction_type": 0, "plugin_custom_order_id": order,
                    "withdrawal_id": null, "withdrawal_status": null});
                Ok(vec![money.body(&about, "ingoing", keys)?])
            }
            Self::Withdrawal(Withdrawal { id, status, money }) => {
                let about = json!({"transaction_id": "", "transaction_type": null, "plugin_custom_order_id": "",
                    "withdrawal_id": id, "withdrawal_status": status});
                Ok(vec![money.body(&about, "outgoing", keys)?])
            }
            Self::File { files } => files.iter().map(|file| signed_anew(file, keys)).collect(),
        }
    }
}

impl Money {
    /// One element as the provider prints it, with nobody's name.
    fn body(&self, about: &Value, direction: &'static str, keys: &Keys) -> Result<String, Failure> {
        let mut element = json!({"activated_datetime": "", "exchanger_identifier": "", "comment": "",
            "amount": self.amount, "currency_code": self.currency_code, "wallet_type": self.wallet_type,
            "stockpiling_id": null, "account_number": "", "account_name": "", "account_email": "",
            "bank_details": {"bank_code": null, "branch_code": null}});
        if let (Some(element), Some(about)) = (element.as_object_mut(), about.as_object()) {
            element.extend(about.clone());
        }
        let list = Value::Array(vec![element]).to_string();
        let copies = Copies {
            wallet_type: self.wallet_type.clone(),
            amount: self.amount,
            currency_code: self.currency_code.clone(),
            label: Some(self.label.clone()),
            direction,
        };
        postback::body(&keys.access_key, &sign(&list, keys)?, &list, Some(&copies))
    }
}

fn sign(list: &str, keys: &Keys) -> Result<String, Failure> {
    let signature = sign_postback(list, Spelling::Flagged, &keys.access_key, &keys.postback_private_key);
    signature.map_err(|error| Failure::Usage(format!("additional_data cannot be signed: {error}")))
}

type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// A file's body with the access key and the signature of this stack; all else stays to the letter.
fn signed_anew(file: &Path, keys: &Keys) -> Result<String, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let mut fields: Fields<'_> = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let list = fields.get("additional_data").ok_or_else(|| wrong(&"it has no additional_data"))?;
    let signature = quoted(&sign(list.get(), keys)?)?;
    let access_key = quoted(&keys.access_key)?;
    fields.extend([("signature", &*signature), ("access_key", &*access_key)]);
    serde_json::to_string(&fields).map_err(|error| wrong(&error))
}

fn quoted(text: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::value::to_raw_value(text).map_err(|error| Failure::Usage(error.to_string()))
}

fn tampered(body: &str, changes: &[(String, String)]) -> Result<String, Failure> {
    let wrong = |error: serde_json::Error| Failure::Usage(format!("--tamper: {error}"));
    let mut fields: Fields<'_> = serde_json::from_str(body).map_err(wrong)?;
    let values = changes.iter().map(|(name, value)| Ok((name.as_str(), raw(value)?)));
    let values: Vec<(&str, Box<RawValue>)> = values.collect::<Result<_, Failure>>()?;
    fields.extend(values.iter().map(|(name, value)| (*name, &**value)));
    serde_json::to_string(&fields).map_err(wrong)
}

/// A value as it stands where it is JSON, else a text.
fn raw(value: &str) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(value.to_owned()).or_else(|_| quoted(value))
}

/// Replaces the first digit of the signed list: the JSON stays JSON, and the signature is wrong.
fn forged(body: &str) -> Result<String, Failure> {
    let none = || Failure::Usage("--forge: there is no digit in additional_data".into());
    let mut fields: Fields<'_> = serde_json::from_str(body).map_err(|_| none())?;
    let list = fields.get("additional_data").ok_or_else(none)?.get();
    let (before, after) = list.split_at(list.find(|char: char| char.is_ascii_digit()).ok_or_else(none)?);
    let digit = if after.starts_with('9') { '8' } else { '9' };
    let list = raw(&format!("{before}{digit}{}", after.get(1..).unwrap_or_default()))?;
    fields.insert("additional_data", &list);
    serde_json::to_string(&fields).map_err(|_| none())
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be FIELD=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_label(text: &str) -> Result<Label, domain::InvalidValue> {
    Label::parse(text)
}

fn parse_currency(text: &str) -> Result<CurrencyCode, domain::InvalidValue> {
    CurrencyCode::parse(text)
}

fn parse_wallet(text: &str) -> Result<WalletType, domain::InvalidValue> {
    WalletType::parse(text)
}
