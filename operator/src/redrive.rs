//! `redrive`: dead letters go back to the submission queue, those of finished withdrawals excepted; or a withdrawal whose message was
//! lost gets a new one.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message};
use clap::Args;
use domain::{ArmedMessage, InvalidValue, Stage, WithdrawalId, WithdrawalRow};
use indicatif::ProgressBar;
use serde::Serialize;
use store::{AnyRow, DynamoDb, Read, Stored};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::rows;
use crate::unreached::{Service, Unreached};

/// Which dead letters, or which withdrawal.
#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// Send a new message for this withdrawal, as if it had just been made: the submitter decides what to do
    #[arg(long, value_name = "ID", conflicts_with = "limit")]
    pub(crate) withdrawal: Option<String>,

    /// At most so many letters
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    pub(crate) limit: usize,

    /// Show what would be done with each letter, and leave them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How many letters are handled, unless it is said.
pub(crate) const LIMIT: usize = 1000;
/// How long a letter that was looked at stays hidden, in seconds, if this program dies before it ends that.
const HIDDEN: i32 = 60;
/// Most letters that one call gives, or takes.
const BATCH: i32 = 10;
/// How much is shown of a message that is not ours, in characters.
const BEGINNING: usize = 60;

/// What is done with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
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
pub(crate) struct Letter {
    pub(crate) withdrawal_id: Option<WithdrawalId>,
    pub(crate) state: Option<&'static str>,
    pub(crate) action: Action,
    /// The message, if it is not one of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    /// How it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_begins: Option<String>,
}

/// How far it is.
#[derive(Default)]
struct Progress {
    letters: Vec<Letter>,
    /// The receipt handles of letters that are in the queue all the same.
    hidden: Vec<String>,
}

struct Queues {
    table: DynamoDb,
    sqs: aws_sdk_sqs::Client,
    live: String,
    dead: String,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Redrive) -> Result<Done, Failure> {
    let is_dry = arguments.dry_run;
    if let Some(id) = &arguments.withdrawal {
        let id = withdrawal_id(id).map_err(|rule| Failure::Usage(format!("--withdrawal {rule}")))?;
        let letter = send_new(deployment, id, is_dry).await?;
        print(output, &[letter], is_dry, "\nNothing was sent.");
        return Ok(Done::Well);
    }
    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let (letters, done) = redrive(deployment, arguments.limit, is_dry, &ProgressBar::hidden(), interrupted).await?;
    if done.is_ok() || !letters.is_empty() {
        print(output, &letters, is_dry, "\nNothing was done.");
    }
    done?;
    Ok(if letters.iter().any(|it| it.action == Action::Left) { Done::Found } else { Done::Well })
}

/// Handles the letters until it is stopped. Gives those that were handled, and whether all were. Whatever stays in the queue is visible
/// again at once.
pub(crate) async fn redrive(
    deployment: &Deployment,
    limit: usize,
    is_dry: bool,
    bar: &ProgressBar,
    stopped: impl Future<Output = ()>,
) -> Result<(Vec<Letter>, Result<(), Failure>), Failure> {
    let queues = Queues {
        table: deployment.table()?,
        sqs: deployment.sqs(),
        live: deployment.setting("QUEUE_URL")?.to_owned(),
        dead: deployment.setting("DEAD_LETTER_QUEUE_URL")?.to_owned(),
    };
    let (mut progress, is_stopped) = (Progress::default(), AtomicBool::new(false));
    let done = {
        let mut work = pin!(queues.redrive(limit, is_dry, bar, &is_stopped, &mut progress));
        tokio::select! {
            done = &mut work => done,
            // A call that is given up may still take letters, and nobody would show them again.
            () = stopped => {
                is_stopped.store(true, Ordering::Relaxed);
                work.await
            }
        }
    };
    let Progress { letters, hidden } = progress;
    let shown = queues.show_again(&hidden).await;
    Ok((letters, done.and(shown)))
}

fn print(output: Output, letters: &[Letter], is_dry: bool, dry: &str) {
    output.records(letters, ["WITHDRAWAL", "STATE", "ACTION", "MESSAGE"], |it| {
        let id = it.withdrawal_id.as_ref().map(ToString::to_string);
        let message = it.message_id.as_ref().zip(it.body_begins.as_ref());
        [
            id.unwrap_or_default(),
            it.state.unwrap_or_default().into(),
            it.action.name(),
            message.map(|(id, begins)| format!("{id}: {begins}")).unwrap_or_default(),
        ]
    });
    output.say(&format!("\n{} in all{}", letters.len(), if is_dry { dry } else { "" }));
}

/// Reads the id of a withdrawal, or its key.
pub(crate) fn withdrawal_id(text: &str) -> Result<WithdrawalId, InvalidValue> {
    WithdrawalId::parse(text.strip_prefix("withdrawal#").unwrap_or(text))
}

/// Sends the message that a withdrawal has lost. What has been submitted or has ended needs none.
pub(crate) async fn send_new(
    deployment: &Deployment,
    withdrawal_id: WithdrawalId,
    is_dry: bool,
) -> Result<Letter, Failure> {
    let (table, queue) = (deployment.table()?, deployment.setting("QUEUE_URL")?);
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
        let send = deployment.sqs().send_message().queue_url(queue).message_body(body).send();
        send.await.map_err(|error| Failure::Unreached(Unreached::of_queue(Service::Queue, &error)))?;
    }
    Ok(Letter::of(withdrawal_id, Some(state), Action::Sent))
}

impl Action {
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

impl Letter {
    fn of(withdrawal_id: WithdrawalId, state: Option<&'static str>, action: Action) -> Self {
        Self { withdrawal_id: Some(withdrawal_id), state, action, message_id: None, body_begins: None }
    }

    /// What to do with a letter depends only on the current row.
    async fn read(table: &DynamoDb, message: &Message) -> Result<Self, Failure> {
        let body = message.body.as_deref().unwrap_or_default();
        let Ok(ArmedMessage { withdrawal_id }) = serde_json::from_str(body) else {
            return Ok(Self {
                withdrawal_id: None,
                state: None,
                action: Action::Left,
                message_id: message.message_id.clone(),
                body_begins: Some(body.chars().take(BEGINNING).collect()),
            });
        };
        let row: Option<Stored<WithdrawalRow>> = match table.read(&withdrawal_id).await {
            Ok(row) => row,
            Err(error) => {
                error.unreadable_row()?;
                return Ok(Self::of(withdrawal_id, Some(rows::UNREADABLE), Action::Left));
            }
        };
        let is_open = row.as_ref().is_some_and(|it| match &it.row {
            WithdrawalRow::Registered(row) => !row.is_final(),
            WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_) => false,
        });
        let state = row.map(AnyRow::Withdrawal).as_ref().map(AnyRow::state_name);
        let action = if is_open { Action::Redriven } else { Action::Removed };
        Ok(Self::of(withdrawal_id, state, action))
    }
}

impl Queues {
    /// Handles the letters, one after the other.
    async fn redrive(
        &self,
        limit: usize,
        is_dry: bool,
        bar: &ProgressBar,
        is_stopped: &AtomicBool,
        Progress { letters, hidden }: &mut Progress,
    ) -> Result<(), Failure> {
        let go_on = || {
            let interrupted = || Failure::NoAnswer("interrupted; what was done to the letters above stays".into());
            if is_stopped.load(Ordering::Relaxed) { Err(interrupted()) } else { Ok(()) }
        };
        let mut seen = BTreeSet::new();
        while letters.len() < limit {
            let received = self.receive().await;
            hidden.extend(received.iter().flatten().filter_map(|it| it.receipt_handle.clone()));
            go_on()?;
            let new: Vec<_> = received?.into_iter().filter(|it| seen.insert(it.message_id.clone())).collect();
            if new.is_empty() {
                break;
            }
            for message in new.into_iter().take(limit.saturating_sub(letters.len())) {
                go_on()?;
                let letter = Letter::read(&self.table, &message).await?;
                if !is_dry && letter.action != Action::Left {
                    self.act(letter.action, &message).await?;
                    hidden.retain(|handle| Some(handle) != message.receipt_handle.as_ref());
                }
                letters.push(letter);
                bar.inc(1);
            }
        }
        Ok(())
    }

    async fn receive(&self) -> Result<Vec<Message>, Failure> {
        let call = self.sqs.receive_message().queue_url(&self.dead).max_number_of_messages(BATCH);
        let call = call.visibility_timeout(HIDDEN).wait_time_seconds(1).send();
        let received = call.await.map_err(|error| Unreached::of_queue(Service::DeadLetters, &error));
        Ok(received.map_err(Failure::Unreached)?.messages.unwrap_or_default())
    }

    /// A letter is sent before it is removed: if this program dies in between it is there twice, which does no harm.
    async fn act(&self, action: Action, message: &Message) -> Result<(), Failure> {
        if action == Action::Redriven {
            let send = self.sqs.send_message().queue_url(&self.live).set_message_body(message.body.clone()).send();
            send.await.map_err(|error| Failure::Unreached(Unreached::of_queue(Service::Queue, &error)))?;
        }
        let handle = message.receipt_handle.clone();
        let delete = self.sqs.delete_message().queue_url(&self.dead).set_receipt_handle(handle).send();
        delete.await.map_err(|error| Failure::Unreached(Unreached::of_queue(Service::DeadLetters, &error)))?;
        Ok(())
    }

    /// Shows letters to the next one who looks, at once. One that somebody else has taken meanwhile stays that person's.
    async fn show_again(&self, handles: &[String]) -> Result<(), Failure> {
        for batch in handles.chunks(usize::try_from(BATCH).unwrap_or(1)) {
            let entry = |(id, handle): (usize, &String)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id.to_string());
                entry.receipt_handle(handle).visibility_timeout(0).build()
            };
            let entries: Result<Vec<_>, _> = batch.iter().enumerate().map(entry).collect();
            let entries = entries.map_err(|error| Failure::NoAnswer(error.to_string()))?;
            let change = self.sqs.change_message_visibility_batch().queue_url(&self.dead).set_entries(Some(entries));
            let changed = change.send().await.map_err(|error| Unreached::of_queue(Service::DeadLetters, &error));
            changed.map_err(Failure::Unreached)?;
        }
        Ok(())
    }
}
