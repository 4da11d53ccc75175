//! Sends postbacks to the merchant until they are answered ok, and notes what came back.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::exchange::{Answer, MerchantClient, NoAnswer};
use crate::postback::{Postback, Tampering};
use crate::provider::Provider;
use crate::sent_postback::{RecordedPostback, is_ok};

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
    pub(crate) provider: Arc<Provider>,
    merchant: MerchantClient,
}

impl PostbackSender {
    pub(crate) fn new(provider: Arc<Provider>, merchant: MerchantClient) -> Self {
        Self { provider, merchant }
    }

    /// Signs a postback and sends it in the background until it is answered ok.
    ///
    /// If it cannot be signed, the log says so.
    pub(crate) fn start(&self, postback: &Postback) -> Option<StartedPostback> {
        self.start_with_copies(postback, 0)
    }

    /// As [`Self::start`], and sends so many copies at the same time, each once.
    pub(crate) fn start_with_copies(&self, postback: &Postback, copies: usize) -> Option<StartedPostback> {
        let wire_spelling = self.provider.settings().wire_spelling;
        match postback.write(&self.provider.secrets.postback_keys, wire_spelling, &Tampering::default()) {
            Ok(body) => {
                let recorded = self.provider.record_postback(postback.about(), body);
                let (sent, first_send) = oneshot::channel();
                let id = recorded.id;
                self.start_once(vec![recorded.clone(); copies]);
                self.provider.spawn(self.clone().deliver(recorded, sent));
                Some(StartedPostback { id, first_send })
            }
            Err(error) => {
                self.provider.log(format!("postback not sent: {error}"));
                None
            }
        }
    }

    /// Sends recorded postbacks in the background, each once.
    pub(crate) fn start_once(&self, recorded: Vec<RecordedPostback>) {
        for postback in recorded {
            let sender = self.clone();
            self.provider.spawn(async move {
                let _ = sender.send_once(&postback).await;
            });
        }
    }

    /// Sends a recorded postback once and notes the answer.
    pub(crate) async fn send_once(&self, postback: &RecordedPostback) -> Result<Answer, NoAnswer> {
        let answer = self.merchant.send(postback.body.to_string()).await;
        self.note(postback.id, &answer);
        answer
    }

    /// Sends a recorded postback until it is answered ok, at most `limit` times, and gives all answers.
    pub(crate) async fn send_until_ok(
        &self,
        postback: RecordedPostback,
        limit: usize,
    ) -> Vec<Result<Answer, NoAnswer>> {
        let mut answers = vec![self.send_once(&postback).await];
        while answers.len() < limit && !answers.last().is_some_and(is_ok) {
            self.pause(answers.len()).await;
            answers.push(self.send_once(&postback).await);
        }
        answers
    }

    async fn deliver(self, postback: RecordedPostback, sent: oneshot::Sender<()>) {
        let mut sent = Some(sent);
        let mut deliveries: usize = 0;
        loop {
            self.provider.until_postbacks_are_sent().await;
            let answer = self.send_once(&postback).await;
            if let Some(sent) = sent.take() {
                let _ = sent.send(());
            }
            if is_ok(&answer) {
                return;
            }
            deliveries = deliveries.saturating_add(1);
            self.pause(deliveries).await;
        }
    }

    async fn pause(&self, deliveries: usize) {
        tokio::time::sleep(self.provider.settings().repeat_after(deliveries)).await;
    }

    fn note(&self, id: usize, answer: &Result<Answer, NoAnswer>) {
        let mut records = self.provider.edit();
        records.write_line(match answer {
            Ok(Answer { status, body }) => format!("postback {id}: sent, answered {status} {body}"),
            Err(error) => format!("postback {id}: no answer: {error}"),
        });
        if let Some(sent) = records.postbacks.get_mut(id) {
            sent.note(answer);
        }
    }
}
