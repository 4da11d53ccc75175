//! Sends a body to the receiver, as the provider does.

use std::time::Duration;

use lambda::{Clock, System};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::failure::{Done, Failure};

/// How often a body is sent at most. Each time the receiver goes on where its time was up.
const MAX_TRIES: u32 = 5;

/// What the receiver answered.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn done(&self) -> Done {
        if self.status == 200 { Done::Well } else { Done::Found }
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.status, self.body)
    }
}

/// Sends the body once.
pub(crate) async fn send(http: &reqwest::Client, url: &SecretString, body: Vec<u8>) -> Result<Answer, Failure> {
    let unreached = |error: reqwest::Error| Failure::NoAnswer(error.without_url().to_string());
    let request = http.post(url.expose_secret()).header(CONTENT_TYPE, "application/json").body(body);
    let response = request.send().await.map_err(unreached)?;
    let status = response.status().as_u16();
    Ok(Answer { status, body: response.text().await.map_err(unreached)? })
}

/// Sends the body, and sends it again while the receiver could not store all of it.
pub(crate) async fn send_until_stored(
    http: &reqwest::Client,
    url: &SecretString,
    body: Vec<u8>,
) -> Result<Answer, Failure> {
    for _ in 1..MAX_TRIES {
        let answer = send(http, url, body.clone()).await?;
        if answer.status != 503 {
            return Ok(answer);
        }
        System.sleep(Duration::from_secs(1)).await;
    }
    send(http, url, body).await
}
