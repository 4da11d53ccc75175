//! `send`: any postback, signed with the stack's keys, sent as often and changed as much as the command line says.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::{Table, presets};
use domain::Label;
use futures_util::{StreamExt, stream};
use paykassma::{
    JsonObject, PostbackBody, UnsignedFields, WrittenAmount, WrittenMoney, deposit_element, withdrawal_element,
    write_list,
};
use secrecy::SecretString;
use serde::Serialize;
use signing::Spelling;
use simulator::{Answer, MerchantClient, change_signed_digit};

use crate::program::cli::{Deposit, Money, Send, What, Withdrawal};
use crate::program::console::say;
use crate::program::end::{Done, Failure};
use crate::program::stack_file::{StackFile, check_postback_url};

/// The keys that sign postbacks.
struct Keys {
    access_key: String,
    private_key: SecretString,
}

/// How often an answer came.
#[derive(Serialize)]
struct Tally {
    status: u16,
    body: String,
    times: usize,
}

/// Sends the postbacks and prints the answers.
pub(crate) async fn run(arguments: &Send) -> Result<Done, Failure> {
    let file = StackFile::read(&arguments.stack)?;
    let url = check_postback_url(file.value("POSTBACK_URL")?, &arguments.stack)?;
    let keys = Keys {
        access_key: file.value("ACCESS_KEY")?.to_owned(),
        private_key: file.value("POSTBACK_PRIVATE_KEY")?.into(),
    };
    let mut bodies = Vec::new();
    for mut body in arguments.what.bodies(&keys)? {
        arguments.change(&mut body)?;
        bodies.extend(std::iter::repeat_n(body.to_string(), arguments.repeat));
    }
    if arguments.shuffle {
        fastrand::shuffle(&mut bodies);
    }
    let client = MerchantClient::new(url).map_err(|error| Failure::Usage(format!("the HTTP client: {error}")))?;
    let tallies = send_all(&client, bodies, arguments.parallel).await?;
    print(&tallies, arguments.json)?;
    Ok(if tallies.iter().all(|tally| tally.status == 200) { Done::Well } else { Done::OtherAnswer })
}

async fn send_all(client: &MerchantClient, bodies: Vec<String>, parallel: usize) -> Result<Vec<Tally>, Failure> {
    let mut answers = stream::iter(bodies).map(|body| client.send(body)).buffer_unordered(parallel.max(1));
    let mut counts = BTreeMap::<Answer, usize>::new();
    while let Some(answer) = answers.next().await {
        let answer = answer.map_err(|error| Failure::NoAnswer(error.to_string()))?;
        let times = counts.entry(answer).or_default();
        *times = times.saturating_add(1);
    }
    Ok(counts.into_iter().map(|(Answer { status, body }, times)| Tally { status, body, times }).collect())
}

/// Prints a table for people, or one JSON object a line.
fn print(tallies: &[Tally], json: bool) -> Result<(), Failure> {
    if json {
        for tally in tallies {
            say(&serde_json::to_string(tally).map_err(|error| Failure::Usage(error.to_string()))?);
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["STATUS", "TIMES", "ANSWER"]);
    for Tally { status, body, times } in tallies {
        table.add_row([&status.to_string(), &times.to_string(), body]);
    }
    say(&table.to_string());
    Ok(())
}

impl Send {
    /// Changes a signed body as the command line says.
    fn change(&self, body: &mut PostbackBody) -> Result<(), Failure> {
        if self.forge {
            let changed = change_signed_digit(body, 0);
            if !changed.map_err(|error| Failure::Usage(format!("--forge: {error}")))? {
                return Err(Failure::Usage("--forge: additional_data has no digit".into()));
            }
        }
        for (name, value) in &self.tamper {
            body.set(name, value.clone());
        }
        Ok(())
    }
}

impl What {
    fn bodies(&self, keys: &Keys) -> Result<Vec<PostbackBody>, Failure> {
        match self {
            Self::Deposit(Deposit { order, number, money }) => {
                Ok(vec![keys.body(&money.element(|money| deposit_element(number, order, money)), &money.label)?])
            }
            Self::Withdrawal(Withdrawal { id, status, money }) => {
                Ok(vec![keys.body(&money.element(|money| withdrawal_element(id, *status, money)), &money.label)?])
            }
            Self::File { files } => files.iter().map(|file| keys.sign_file(file)).collect(),
        }
    }
}

impl Money {
    fn element(&self, write: impl FnOnce(WrittenMoney<'_>) -> JsonObject) -> JsonObject {
        write(WrittenMoney {
            amount: &WrittenAmount::from(self.amount),
            currency_code: self.currency_code.as_str(),
            wallet_type: self.wallet_type.as_str(),
        })
    }
}

impl Keys {
    fn sign(&self, list: &str) -> Result<PostbackBody, Failure> {
        PostbackBody::sign(list, Spelling::Flagged, &self.access_key, &self.private_key)
            .map_err(|error| Failure::Usage(format!("additional_data cannot be signed: {error}")))
    }

    fn body(&self, element: &JsonObject, label: &Label) -> Result<PostbackBody, Failure> {
        let unsigned =
            UnsignedFields { label: Some(label.as_str().to_owned()), ..UnsignedFields::copied_from(element) };
        Ok(self.sign(&write_list(std::slice::from_ref(element)))?.with_unsigned(&unsigned))
    }

    /// Signs a file's list with the stack's keys. All other fields are sent to the letter.
    fn sign_file(&self, file: &Path) -> Result<PostbackBody, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
        let body = PostbackBody::parse(&text).map_err(|error| wrong(&error))?;
        let list = body.additional_data().to_owned();
        let signed = body.with_signed(&list, Spelling::Flagged, &self.access_key, &self.private_key);
        signed.map_err(|error| wrong(&format_args!("additional_data cannot be signed: {error}")))
    }
}
