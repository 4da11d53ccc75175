//! A postback that was written, and how its sending went.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::clock::now;
use crate::exchange::{Answer, NoAnswer};

/// So many deliveries of a postback are remembered: the newest.
const DELIVERIES: usize = 20;

/// A body that was recorded, ready to be sent.
#[derive(Clone)]
pub(crate) struct RecordedPostback {
    /// Its place among all postbacks.
    pub(crate) id: usize,
    pub(crate) body: Arc<str>,
}

/// One delivery and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) at: SystemTime,
    /// The HTTP status; `None` if there was no answer.
    pub(crate) status: Option<u16>,
    /// The answer's body, or why there was none.
    pub(crate) body: String,
}

/// A postback and its deliveries.
pub(crate) struct SentPostback {
    /// What it reports, in a few words.
    pub(crate) about: String,
    pub(crate) created_at: SystemTime,
    pub(crate) body: Arc<str>,
    pub(crate) sends: u64,
    /// Whether a delivery was answered ok.
    pub(crate) delivered: bool,
    /// The newest deliveries, the oldest of them first.
    pub(crate) deliveries: VecDeque<Delivery>,
}

/// A postback as the control API shows it.
#[derive(Serialize)]
pub(crate) struct PostbackStatus<'a> {
    id: usize,
    body: &'a str,
    sends: u64,
    last_status: Option<u16>,
    last_body: &'a str,
    delivered: bool,
}

impl SentPostback {
    pub(crate) fn new(about: String, body: Arc<str>) -> Self {
        Self { about, created_at: now(), body, sends: 0, delivered: false, deliveries: VecDeque::new() }
    }

    /// Notes a delivery.
    pub(crate) fn note(&mut self, answer: &Result<Answer, NoAnswer>) {
        let (status, body) = match answer {
            Ok(Answer { status, body }) => (Some(*status), body.clone()),
            Err(error) => (None, error.to_string()),
        };
        self.sends = self.sends.saturating_add(1);
        self.delivered |= is_ok(answer);
        if self.deliveries.len() >= DELIVERIES {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(Delivery { at: now(), status, body });
    }

    pub(crate) fn status(&self, id: usize) -> PostbackStatus<'_> {
        let last = self.deliveries.back();
        PostbackStatus {
            id,
            body: &self.body,
            sends: self.sends,
            last_status: last.and_then(|delivery| delivery.status),
            last_body: last.map_or("", |delivery| &delivery.body),
            delivered: self.delivered,
        }
    }
}

/// Whether the provider stops sending.
pub(crate) fn is_ok(answer: &Result<Answer, NoAnswer>) -> bool {
    answer.as_ref().is_ok_and(Answer::is_ok)
}
