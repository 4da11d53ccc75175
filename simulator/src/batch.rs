//! `POST /_control/postbacks`: any postback, any number of times, right or tampered with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::control::{ApiError, answer, inr, paytm, read};
use crate::object::Object;
use crate::postback::{Direction, Draft, NotComposed, Tampering};
use crate::sender::Answer;
use crate::state::World;

/// No repetition goes on for longer than this.
const MOST_SENDS: usize = 100;

/// No batch holds more of each postback.
const MOST_COPIES: usize = 100_000;

/// What is to be sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a test, not a state")]
struct Batch {
    /// The whole body, sent as it is.
    body: Option<String>,
    elements: Option<Vec<Object>>,
    #[serde(default)]
    direction: Direction,
    #[serde(default = "paytm")]
    wallet_type: String,
    #[serde(default = "inr")]
    currency_code: String,
    #[serde(default)]
    label: String,
    amount: Option<Amount>,
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
    tamper: Object,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// What came of it.
#[derive(Default, Serialize)]
struct Summary {
    sent: usize,
    /// How often each status came; `none` is no answer.
    statuses: BTreeMap<String, usize>,
    /// The different answers.
    bodies: BTreeSet<String>,
}

/// Sends a batch and answers when the last one has been answered.
pub(crate) async fn send(State(world): State<Arc<World>>, body: Bytes) -> Result<Response, ApiError> {
    let batch: Batch = read(&body)?;
    if batch.copies > MOST_COPIES {
        return Err(ApiError(StatusCode::BAD_REQUEST, format!("at most {MOST_COPIES} copies")));
    }
    let ids = batch.bodies(&world).map_err(|error| ApiError(StatusCode::BAD_REQUEST, error.to_string()))?;
    let sends = stream::iter(ids).map(|id| exchange(&world, id, batch.until_ok));
    let answers: Vec<Vec<Answer>> = sends.buffer_unordered(batch.parallel.max(1)).collect().await;
    Ok(answer(&Summary::of(answers.into_iter().flatten())))
}

/// Sends one body once, or until it is answered ok.
async fn exchange(world: &World, id: usize, until_ok: bool) -> Vec<Answer> {
    let mut answers = vec![world.send(id).await];
    while until_ok && answers.len() < MOST_SENDS && !answers.last().is_some_and(Answer::is_ok) {
        tokio::time::sleep(world.repeat_after).await;
        answers.push(world.send(id).await);
    }
    answers
}

impl Batch {
    /// Records what is to be sent, in the order of sending: the same bytes have the same id.
    fn bodies(&self, world: &World) -> Result<Vec<usize>, NotComposed> {
        if let Some(body) = &self.body {
            return Ok(vec![world.record(body.clone()); self.copies]);
        }
        // the seed is fixed: a run that fails can be repeated
        let mut random = fastrand::Rng::with_seed(0);
        let mut drafts = self.drafts()?;
        let mut round = self.record(world, &drafts)?;
        let mut ids = Vec::new();
        for copy in 0..self.copies {
            if self.shuffle && copy > 0 {
                for draft in &mut drafts {
                    random.shuffle(&mut draft.elements);
                }
                round = self.record(world, &drafts)?;
            }
            ids.extend(&round);
        }
        if self.shuffle {
            random.shuffle(&mut ids);
        }
        Ok(ids)
    }

    fn record(&self, world: &World, drafts: &[Draft]) -> Result<Vec<usize>, NotComposed> {
        let tampering = self.tampering()?;
        let wire = world.settings().wire_spelling;
        let compose = |draft: &Draft| Ok(world.record(draft.compose(&world.keys, wire, &tampering)?));
        drafts.iter().map(compose).collect()
    }

    fn tampering(&self) -> Result<Tampering, NotComposed> {
        let mut fields = self.tamper.clone();
        let signed_byte = fields.take("signed_byte").map(|place| serde_json::from_str(place.get())).transpose()?;
        Ok(Tampering { sign: self.sign, signed_byte, fields })
    }

    fn drafts(&self) -> Result<Vec<Draft>, NotComposed> {
        let elements = self.elements()?;
        if !self.separate {
            return Ok(vec![self.draft(elements)]);
        }
        Ok(elements.into_iter().map(|element| self.draft(vec![element])).collect())
    }

    /// The top level repeats the first element's amount unless another is asked for.
    fn draft(&self, elements: Vec<Object>) -> Draft {
        let first = elements.first().and_then(|element| element.read("amount"));
        Draft {
            direction: self.direction,
            wallet_type: self.wallet_type.clone(),
            currency_code: self.currency_code.clone(),
            amount: self.amount.clone().or(first).unwrap_or_else(Amount::zero),
            label: self.label.clone(),
            elements,
        }
    }

    /// The elements as given, each completed by what the batch says; without any: one of the batch alone.
    fn elements(&self) -> Result<Vec<Object>, NotComposed> {
        let common = self.common()?;
        let given = self.elements.clone().unwrap_or_else(|| vec![Object::default()]);
        let complete = |element: Object| {
            let mut whole = common.clone();
            whole.overlay(&element);
            whole
        };
        Ok(given.into_iter().map(complete).collect())
    }

    fn common(&self) -> Result<Object, NotComposed> {
        let mut element = self.direction.element()?;
        element.set("wallet_type", &self.wallet_type)?;
        element.set("currency_code", &self.currency_code)?;
        if let Some(amount) = &self.amount {
            element.set("amount", amount.text())?;
        }
        if let Some(status) = self.withdrawal_status {
            element.set("withdrawal_status", &status)?;
        }
        let ids = [
            ("transaction_id", &self.transaction_id),
            ("plugin_custom_order_id", &self.custom_transaction_id),
            ("withdrawal_id", &self.withdrawal_id),
        ];
        for (key, id) in ids {
            if let Some(id) = id {
                element.set(key, id)?;
            }
        }
        Ok(element)
    }
}

impl Summary {
    fn of(answers: impl Iterator<Item = Answer>) -> Self {
        let mut summary = Self::default();
        for Answer { status, body } in answers {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            let count = summary.statuses.entry(status).or_default();
            *count = count.saturating_add(1);
            summary.sent = summary.sent.saturating_add(1);
            summary.bodies.insert(body);
        }
        summary
    }
}
