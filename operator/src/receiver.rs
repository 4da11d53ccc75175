//! Sends a body to the receiver, as the provider does.

use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::failure::Failure;

/// What the receiver answered.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends the body once.
pub(crate) async fn send(http: &reqwest::Client, url: &SecretString, body: Vec<u8>) -> Result<Answer, Failure> {
    let unreached = |error: reqwest::Error| Failure::NoAnswer(error.without_url().to_string());
    let request = http.post(url.expose_secret()).header(CONTENT_TYPE, "application/json").body(body);
    let response = request.send().await.map_err(unreached)?;
    let status = response.status().as_u16();
    Ok(Answer { status, body: response.text().await.map_err(unreached)? })
}
