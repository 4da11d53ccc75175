//! `POST /_control/postbacks`: any postback, any number of times, genuine or tampered with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use domain::Direction;
use futures_util::{StreamExt, stream};
use paykassma::{JsonObject, WrittenAmount, blank_element};
use serde::{Deserialize, Serialize};

use crate::control_reply::{ControlError, answer, read_body};
use crate::exchange::{Answer, NoAnswer};
use crate::postback::{NotWritten, Postback, Tampering, unsigned};
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::sent_postback::RecordedPostback;
use crate::wallets::{inr, paytm};

/// With `until_ok`, a postback is sent at most so many times.
const MAX_SENDS: usize = 100;

/// A batch holds at most so many copies of each postback.
const MAX_COPIES: usize = 100_000;

/// What is to be sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a test, not a state")]
struct Batch {
    /// The whole body, sent as it is.
    body: Option<String>,
    elements: Option<Vec<JsonObject>>,
    #[serde(default = "ingoing", with = "DirectionName")]
    direction: Direction,
    #[serde(default = "paytm")]
    wallet_type: String,
    #[serde(default = "inr")]
    currency_code: String,
    #[serde(default)]
    label: String,
    amount: Option<WrittenAmount>,
    transaction_id: Option<String>,
    custom_transaction_id: Option<String>,
    withdrawal_id: Option<String>,
    withdrawal_status: Option<i64>,
    #[serde(default)]
    separate: bool,
    #[serde(default = "one")]
    copies: usize,
    #[serde(default = "one")]
    parallel: usize,
    #[serde(default)]
    shuffle: bool,
    #[serde(default)]
    until_ok: bool,
    #[serde(default = "yes")]
    sign: bool,
    #[serde(default)]
    tamper: JsonObject,
}

/// How a direction is spelled.
#[derive(Deserialize)]
#[serde(remote = "Direction", rename_all = "lowercase")]
enum DirectionName {
    Ingoing,
    Outgoing,
}

fn ingoing() -> Direction {
    Direction::Ingoing
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// How the batch was answered.
#[derive(Default, Serialize)]
struct Summary {
    sent: usize,
    /// How often each status came; `none` is no answer.
    statuses: BTreeMap<String, usize>,
    /// The different answers.
    bodies: BTreeSet<String>,
}

/// Sends a batch and answers when all of it has been answered.
pub(crate) async fn send(
    State(provider): State<Arc<Provider>>,
    State(sender): State<PostbackSender>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let batch: Batch = read_body(&body)?;
    if batch.copies > MAX_COPIES {
        return Err(ControlError::bad_request(&format!("at most {MAX_COPIES} copies")));
    }
    let limit = if batch.until_ok { MAX_SENDS } else { 1 };
    let recorded = batch.record_all(&provider).map_err(|error| ControlError::bad_request(&error))?;
    let sends = stream::iter(recorded).map(|postback| sender.send_until_ok(postback, limit));
    let answers: Vec<Vec<_>> = sends.buffer_unordered(batch.parallel.max(1)).collect().await;
    Ok(answer(&Summary::of(answers.into_iter().flatten())))
}

impl Batch {
    /// Records what is to be sent and gives it in the order of sending. Copies with the same bytes have the same id.
    fn record_all(&self, provider: &Provider) -> Result<Vec<RecordedPostback>, NotWritten> {
        if let Some(body) = &self.body {
            let recorded = provider.record_postback("a body as it was given".to_owned(), body.clone());
            return Ok(vec![recorded; self.copies]);
        }
        // the seed is fixed, so that a failed run can be repeated
        let mut random = fastrand::Rng::with_seed(0);
        let mut postbacks = self.postbacks();
        let mut round = self.record(provider, &postbacks)?;
        let mut recorded = Vec::new();
        for copy in 0..self.copies {
            if self.shuffle && copy > 0 {
                for postback in &mut postbacks {
                    random.shuffle(&mut postback.elements);
                }
                round = self.record(provider, &postbacks)?;
            }
            recorded.extend(round.iter().cloned());
        }
        if self.shuffle {
            random.shuffle(&mut recorded);
        }
        Ok(recorded)
    }

    fn record(&self, provider: &Provider, postbacks: &[Postback]) -> Result<Vec<RecordedPostback>, NotWritten> {
        let tampering = self.tampering()?;
        let (keys, wire_spelling) = (&provider.secrets.postback_keys, provider.settings().wire_spelling);
        let record = |postback: &Postback| {
            Ok(provider.record_postback(postback.about(), postback.write(keys, wire_spelling, &tampering)?))
        };
        postbacks.iter().map(record).collect()
    }

    fn tampering(&self) -> Result<Tampering, NotWritten> {
        let mut fields = self.tamper.clone();
        let signed_byte = fields.take("signed_byte").map(|place| serde_json::from_str(place.as_str())).transpose()?;
        Ok(Tampering { sign: self.sign, signed_byte, fields })
    }

    fn postbacks(&self) -> Vec<Postback> {
        let elements = self.elements();
        if !self.separate {
            return vec![self.postback(elements)];
        }
        elements.into_iter().map(|element| self.postback(vec![element])).collect()
    }

    /// The top level repeats the first element's amount unless the batch names another one.
    fn postback(&self, elements: Vec<JsonObject>) -> Postback {
        let first = elements.first().and_then(|element| element.read("amount"));
        let amount = self.amount.clone().or(first).unwrap_or_else(|| WrittenAmount::from(0));
        let mut unsigned = unsigned(self.direction, &self.label, &self.common());
        unsigned.amount = Some(amount);
        Postback { unsigned, elements }
    }

    /// The given elements, each completed by the batch's fields. Without any: one element of the batch's fields.
    fn elements(&self) -> Vec<JsonObject> {
        let given = self.elements.clone().unwrap_or_else(|| vec![JsonObject::default()]);
        let complete = |element: JsonObject| {
            let mut whole = self.common();
            whole.overlay(&element);
            whole
        };
        given.into_iter().map(complete).collect()
    }

    fn common(&self) -> JsonObject {
        let mut element = blank_element(self.direction);
        if let Some(status) = self.withdrawal_status {
            element.set("withdrawal_status", status);
        }
        let texts = [
            ("wallet_type", Some(self.wallet_type.as_str())),
            ("currency_code", Some(self.currency_code.as_str())),
            ("amount", self.amount.as_ref().map(WrittenAmount::text)),
            ("transaction_id", self.transaction_id.as_deref()),
            ("plugin_custom_order_id", self.custom_transaction_id.as_deref()),
            ("withdrawal_id", self.withdrawal_id.as_deref()),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                element.set(key, text);
            }
        }
        element
    }
}

impl Summary {
    fn of(answers: impl Iterator<Item = Result<Answer, NoAnswer>>) -> Self {
        let mut summary = Self::default();
        for answer in answers {
            let (status, body) = match answer {
                Ok(Answer { status, body }) => (status.to_string(), body),
                Err(error) => ("none".to_owned(), error.to_string()),
            };
            let count = summary.statuses.entry(status).or_default();
            *count = count.saturating_add(1);
            summary.sent = summary.sent.saturating_add(1);
            summary.bodies.insert(body);
        }
        summary
    }
}
