//! Pages and forms, as a browser without scripts uses them.

use axum::http::header;
use url::form_urlencoded::Serializer;

use crate::Bench;

/// The answer to a page or a form.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Where a form leads to.
    pub(crate) location: String,
    pub(crate) policy: String,
    pub(crate) text: String,
}

/// Writes fields as a form sends them.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Bench {
    /// Opens a page.
    pub(crate) async fn open(&self, address: &str) -> Reply {
        reply(self.http.get(format!("{}{address}", self.simulator.url()))).await
    }

    /// Sends a form.
    pub(crate) async fn submit(&self, address: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self.http.post(format!("{}{address}", self.simulator.url()));
        reply(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form(fields))).await
    }
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let header = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    Reply {
        status: response.status().as_u16(),
        location: header(header::LOCATION),
        policy: header(header::CONTENT_SECURITY_POLICY),
        text: response.text().await.unwrap(),
    }
}
