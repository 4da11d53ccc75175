//! The sending of postbacks to the merchant's URL.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::oneshot;

use crate::postback::{Draft, NotComposed, Tampering};
use crate::state::{Sent, World};

/// What the merchant's side answered to one send.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status; none when there was no answer.
    pub(crate) status: Option<u16>,
    /// The body, or what went wrong.
    pub(crate) body: String,
}

impl Answer {
    /// Whether the provider would stop here: 200 and `{"status":"ok"}`.
    pub(crate) fn is_ok(&self) -> bool {
        #[derive(Deserialize)]
        struct Status {
            status: String,
        }

        let ok = serde_json::from_str(&self.body).is_ok_and(|Status { status }| status == "ok");
        self.status == Some(200) && ok
    }
}

/// A postback on its way.
pub(crate) struct Posted {
    /// Its place among all postbacks.
    pub(crate) id: usize,
    /// Ends when it has been sent once.
    pub(crate) first: oneshot::Receiver<()>,
}

impl World {
    /// Signs a postback and sends it, beside the caller, until it is answered ok.
    ///
    /// One that cannot be composed is a line in the log.
    pub(crate) fn post(self: &Arc<Self>, draft: Result<Draft, NotComposed>) -> Option<Posted> {
        let wire = self.settings().wire_spelling;
        match draft.and_then(|draft| draft.compose(&self.keys, wire, &Tampering::default())) {
            Ok(body) => Some(self.start(body)),
            Err(error) => {
                self.log(format!("postback not sent: {error}"));
                None
            }
        }
    }

    /// Keeps a body that is going to be sent, and gives its id.
    pub(crate) fn record(&self, body: String) -> usize {
        let mut state = self.state();
        state.postbacks.push(Sent { body, ..Sent::default() });
        state.postbacks.len().saturating_sub(1)
    }

    /// Sends a recorded postback once and notes the answer.
    pub(crate) async fn send(&self, id: usize) -> Answer {
        let body = self.state().postbacks.get(id).map_or_else(String::new, |sent| sent.body.clone());
        let answer = self.exchange(body).await.unwrap_or_else(|error| Answer {
            status: None,
            // the URL carries the route's token
            body: error.without_url().to_string(),
        });
        self.note(id, &answer);
        answer
    }

    fn start(self: &Arc<Self>, body: String) -> Posted {
        let id = self.record(body);
        let (sent, first) = oneshot::channel();
        self.spawn(Arc::clone(self).deliver(id, sent));
        Posted { id, first }
    }

    async fn deliver(self: Arc<Self>, id: usize, sent: oneshot::Sender<()>) {
        let mut sent = Some(sent);
        let mut settings = self.settings.subscribe();
        loop {
            let _ = settings.wait_for(|settings| settings.send_postbacks).await;
            let answer = self.send(id).await;
            if let Some(sent) = sent.take() {
                let _ = sent.send(());
            }
            if answer.is_ok() {
                return;
            }
            tokio::time::sleep(self.repeat_after).await;
        }
    }

    async fn exchange(&self, body: String) -> reqwest::Result<Answer> {
        let request = self.http.post(&self.postback_url).header("content-type", "application/json").body(body);
        let response = request.send().await?;
        let status = Some(response.status().as_u16());
        Ok(Answer { status, body: response.text().await? })
    }

    fn note(&self, id: usize, answer: &Answer) {
        let mut state = self.state();
        let line = match answer.status {
            Some(status) => format!("postback {id}: sent, answered {status} {}", answer.body),
            None => format!("postback {id}: no answer: {}", answer.body),
        };
        state.log.push(line);
        let Some(sent) = state.postbacks.get_mut(id) else { return };
        sent.sends = sent.sends.saturating_add(1);
        sent.last_status = answer.status;
        sent.last_body.clone_from(&answer.body);
        sent.delivered |= answer.is_ok();
    }
}
