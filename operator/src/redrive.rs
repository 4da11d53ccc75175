//! `redrive`: dead letters go back to the submission queue, those of finished withdrawals excepted; or a withdrawal whose message was
//! lost gets a new one.

use std::collections::BTreeSet;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::Message;
use clap::Args;
use domain::{ArmedMessage, Stage, WithdrawalId, WithdrawalRow};
use serde::Serialize;
use store::{AnyRow, DynamoDb, Read, Stored};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::rows;

/// Which dead letters, or which withdrawal.
#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// Send a new message for this withdrawal, as if it had just been made: the submitter decides what to do
    #[arg(long, value_name = "ID", conflicts_with = "limit")]
    pub(crate) withdrawal: Option<String>,

    /// At most so many letters
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,

    /// Show what would be done with each letter, and leave them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How long a letter that was looked at stays hidden, in seconds.
const HIDDEN: i32 = 60;
/// Most letters that one call gives.
const BATCH: i32 = 10;

/// What is done with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// It goes back to the queue.
    Redriven,
    /// Its withdrawal has ended or was never made. The letter is removed.
    Removed,
    /// It is not one of ours, or its row cannot be read: it stays.
    Left,
    /// A new message is sent.
    Sent,
}

#[derive(Serialize)]
struct Letter {
    withdrawal_id: Option<WithdrawalId>,
    state: Option<&'static str>,
    action: Action,
}

struct Queues {
    sqs: aws_sdk_sqs::Client,
    live: String,
    dead: String,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Redrive) -> Result<Done, Failure> {
    let table = deployment.table()?;
    let (sqs, live) = (deployment.sqs(), deployment.setting("QUEUE_URL")?.to_owned());
    if let Some(id) = &arguments.withdrawal {
        let letter = send_new(&table, &sqs, &live, id, arguments.dry_run).await?;
        print(output, &[letter], arguments.dry_run, "\nNothing was sent.");
        return Ok(Done::Well);
    }
    let queues = Queues { sqs, live, dead: deployment.setting("DEAD_LETTER_QUEUE_URL")?.to_owned() };
    let mut seen = BTreeSet::new();
    let mut letters = Vec::new();
    while letters.len() < arguments.limit {
        let messages = queues.receive().await?;
        let new: Vec<_> = messages.into_iter().filter(|it| seen.insert(it.message_id.clone())).collect();
        if new.is_empty() {
            break;
        }
        for message in new.into_iter().take(arguments.limit.saturating_sub(letters.len())) {
            let letter = Letter::read(&table, &message).await?;
            if !arguments.dry_run {
                queues.act(letter.action, message).await?;
            }
            letters.push(letter);
        }
    }
    print(output, &letters, arguments.dry_run, "\nNothing was done; the letters come out again in a minute.");
    Ok(if letters.iter().any(|it| it.action == Action::Left) { Done::Found } else { Done::Well })
}

fn print(output: Output, letters: &[Letter], is_dry: bool, dry: &str) {
    output.records(letters, ["WITHDRAWAL", "STATE", "ACTION"], |it| {
        let id = it.withdrawal_id.as_ref().map(ToString::to_string);
        [id.unwrap_or_default(), it.state.unwrap_or_default().into(), format!("{:?}", it.action).to_lowercase()]
    });
    output.say(&format!("\n{} in all{}", letters.len(), if is_dry { dry } else { "" }));
}

/// Sends the message that a withdrawal has lost. What has been submitted or has ended needs none.
async fn send_new(
    table: &DynamoDb,
    sqs: &aws_sdk_sqs::Client,
    queue: &str,
    id: &str,
    is_dry: bool,
) -> Result<Letter, Failure> {
    let id = id.strip_prefix("withdrawal#").unwrap_or(id);
    let withdrawal_id = WithdrawalId::parse(id).map_err(|rule| Failure::Usage(format!("--withdrawal {rule}")))?;
    let stored = table.read(&withdrawal_id).await?;
    let Some(Stored { row: WithdrawalRow::Registered(row), .. }) = stored else {
        return Err(Failure::NotAllowed(format!("no withdrawal {withdrawal_id} was made here")));
    };
    let state = row.state.name();
    if !matches!(row.stage(), Some((Stage::NotSubmitted | Stage::Unknown, _))) {
        return Err(Failure::NotAllowed(format!("the withdrawal is {state}: there is nothing to submit")));
    }
    if !is_dry {
        let body = serde_json::to_string(&ArmedMessage { withdrawal_id: withdrawal_id.clone() });
        let body = body.map_err(|error| Failure::NoAnswer(error.to_string()))?;
        sqs.send_message().queue_url(queue).message_body(body).send().await.map_err(|it| unreached(&it))?;
    }
    Ok(Letter { withdrawal_id: Some(withdrawal_id), state: Some(state), action: Action::Sent })
}

impl Letter {
    /// What to do with a letter depends only on the current row.
    async fn read(table: &DynamoDb, message: &Message) -> Result<Self, Failure> {
        let armed = message.body.as_deref().and_then(|body| serde_json::from_str::<ArmedMessage>(body).ok());
        let Some(ArmedMessage { withdrawal_id }) = armed else {
            return Ok(Self { withdrawal_id: None, state: None, action: Action::Left });
        };
        let row: Option<Stored<WithdrawalRow>> = match table.read(&withdrawal_id).await {
            Ok(row) => row,
            Err(error) => {
                error.unreadable_row()?;
                let state = Some(rows::UNREADABLE);
                return Ok(Self { withdrawal_id: Some(withdrawal_id), state, action: Action::Left });
            }
        };
        let is_open = row.as_ref().is_some_and(|it| match &it.row {
            WithdrawalRow::Registered(row) => !row.is_final(),
            WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_) => false,
        });
        let state = row.map(AnyRow::Withdrawal).as_ref().map(AnyRow::state_name);
        let action = if is_open { Action::Redriven } else { Action::Removed };
        Ok(Self { withdrawal_id: Some(withdrawal_id), state, action })
    }
}

impl Queues {
    async fn receive(&self) -> Result<Vec<Message>, Failure> {
        let call = self.sqs.receive_message().queue_url(&self.dead).max_number_of_messages(BATCH);
        let received =
            call.visibility_timeout(HIDDEN).wait_time_seconds(1).send().await.map_err(|it| unreached(&it))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// A letter is sent before it is removed: if this program dies in between it is there twice, which does no harm.
    async fn act(&self, action: Action, message: Message) -> Result<(), Failure> {
        if action == Action::Left {
            return Ok(());
        }
        if action == Action::Redriven {
            let send = self.sqs.send_message().queue_url(&self.live).set_message_body(message.body);
            send.send().await.map_err(|it| unreached(&it))?;
        }
        let delete = self.sqs.delete_message().queue_url(&self.dead).set_receipt_handle(message.receipt_handle);
        delete.send().await.map_err(|it| unreached(&it))?;
        Ok(())
    }
}

fn unreached<E: ProvideErrorMetadata + std::fmt::Display>(error: &E) -> Failure {
    Failure::NoAnswer(format!("the queue: {}", error.code().map_or_else(|| error.to_string(), str::to_owned)))
}
