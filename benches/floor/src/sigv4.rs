//! AWS's signature, version 4, for a POST to `/` with a JSON body.

use std::error::Error;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};
use time::OffsetDateTime;

use crate::connection::setting;

const SIGNED: &str = "content-type;host;x-amz-date;x-amz-target";
const JSON: &str = "application/x-amz-json-1.0";

pub(crate) struct Signer {
    access_key: String,
    secret_key: String,
    region: String,
}

impl Signer {
    pub(crate) fn of_environment() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            access_key: setting("AWS_ACCESS_KEY_ID")?,
            secret_key: setting("AWS_SECRET_ACCESS_KEY")?,
            region: setting("AWS_REGION")?,
        })
    }

    pub(crate) fn sign(
        &self,
        service: &str,
        target: &'static str,
        host: &str,
        body: &str,
    ) -> Result<HeaderMap, Box<dyn Error>> {
        let now = OffsetDateTime::now_utc();
        let day = format!("{}{:02}{:02}", now.year(), u8::from(now.month()), now.day());
        let stamp = format!("{day}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second());
        let hash = hex::encode(digest(&SHA256, body.as_bytes()));
        let canonical = format!(
            "POST\n/\n\ncontent-type:{JSON}\nhost:{host}\nx-amz-date:{stamp}\nx-amz-target:{target}\n\n{SIGNED}\n{hash}"
        );
        let scope = format!("{day}/{}/{service}/aws4_request", self.region);
        let canonical = hex::encode(digest(&SHA256, canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}");
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [day.as_str(), &self.region, service, "aws4_request", &text] {
            key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED}, Signature={}",
            self.access_key,
            hex::encode(key)
        );
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(HeaderName::from_static("x-amz-date"), HeaderValue::from_str(&stamp)?);
        headers.insert(HeaderName::from_static("x-amz-target"), HeaderValue::from_static(target));
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&authorization)?);
        Ok(headers)
    }
}
