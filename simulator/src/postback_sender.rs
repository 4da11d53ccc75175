//! Sends postbacks to the merchant until they are answered ok, and notes what came back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::exchange::{Answer, MerchantClient, NoAnswer};
use crate::postback::{Postback, Tampering};
use crate::provider::Provider;

/// A postback on its way.
pub(crate) struct StartedPostback {
    /// Its place among all postbacks.
    pub(crate) id: usize,
    /// Ends when it has been sent once.
    pub(crate) first_send: oneshot::Receiver<()>,
}

/// Sends the provider's postbacks.
#[derive(Clone)]
pub(crate) struct PostbackSender {
    provider: Arc<Provider>,
    merchant: MerchantClient,
    repeat_after: Duration,
}

impl PostbackSender {
    pub(crate) fn new(provider: Arc<Provider>, merchant: MerchantClient, repeat_after: Duration) -> Self {
        Self { provider, merchant, repeat_after }
    }

    /// Signs a postback and sends it in the background until it is answered ok.
    ///
    /// If it cannot be signed, the log says so.
    pub(crate) fn start(&self, postback: &Postback) -> Option<StartedPostback> {
        let wire_spelling = self.provider.settings().wire_spelling;
        match postback.write(&self.provider.secrets.postback_keys, wire_spelling, &Tampering::default()) {
            Ok(body) => {
                let id = self.provider.record_postback(body);
                let (sent, first_send) = oneshot::channel();
                self.provider.spawn(self.clone().deliver(id, sent));
                Some(StartedPostback { id, first_send })
            }
            Err(error) => {
                self.provider.log(format!("postback not sent: {error}"));
                None
            }
        }
    }

    /// Sends a recorded postback once and notes the answer.
    pub(crate) async fn send_once(&self, id: usize) -> Result<Answer, NoAnswer> {
        let body = self.provider.records().postbacks.get(id).map_or_else(String::new, |sent| sent.body.clone());
        let answer = self.merchant.send(body).await;
        self.note(id, &answer);
        answer
    }

    /// Sends a recorded postback until it is answered ok, at most `limit` times, and gives all answers.
    pub(crate) async fn send_until_ok(&self, id: usize, limit: usize) -> Vec<Result<Answer, NoAnswer>> {
        let mut answers = vec![self.send_once(id).await];
        while answers.len() < limit && !answers.last().is_some_and(is_ok) {
            tokio::time::sleep(self.repeat_after).await;
            answers.push(self.send_once(id).await);
        }
        answers
    }

    async fn deliver(self, id: usize, sent: oneshot::Sender<()>) {
        let mut sent = Some(sent);
        loop {
            self.provider.until_postbacks_are_sent().await;
            let answer = self.send_once(id).await;
            if let Some(sent) = sent.take() {
                let _ = sent.send(());
            }
            if is_ok(&answer) {
                return;
            }
            tokio::time::sleep(self.repeat_after).await;
        }
    }

    fn note(&self, id: usize, answer: &Result<Answer, NoAnswer>) {
        let mut records = self.provider.records();
        let (line, status, body) = match answer {
            Ok(Answer { status, body }) => {
                (format!("postback {id}: sent, answered {status} {body}"), Some(*status), body.clone())
            }
            Err(error) => (format!("postback {id}: no answer: {error}"), None, error.to_string()),
        };
        records.log.push(line);
        let Some(sent) = records.postbacks.get_mut(id) else { return };
        sent.sends = sent.sends.saturating_add(1);
        sent.last_status = status;
        sent.last_body = body;
        sent.delivered |= is_ok(answer);
    }
}

fn is_ok(answer: &Result<Answer, NoAnswer>) -> bool {
    answer.as_ref().is_ok_and(Answer::is_ok)
}
