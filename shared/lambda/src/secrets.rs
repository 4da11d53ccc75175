//! The deployment's secrets: read once, cached for 300 s, read again at most once a minute when a signature fails.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use serde::de::DeserializeOwned;

use crate::{AwsError, Clock};

const MAX_AGE_MS: u64 = 300_000;
const MIN_AGE_MS: u64 = 60_000;

/// Where a handler gets its secrets: `T` has only those that it needs.
pub trait SecretStore<T>: Sync {
    /// The secrets as last read, not older than 300 s.
    fn current(&self) -> impl Future<Output = Result<Arc<T>, AwsError>> + Send;

    /// The secrets read again, because those in hand seem to be outdated. `None` when they are less than a minute old.
    fn renewed(&self) -> impl Future<Output = Result<Option<Arc<T>>, AwsError>> + Send;
}

/// One secret of Secrets Manager, a JSON object.
pub struct Secrets<T, A> {
    client: aws_sdk_secretsmanager::Client,
    secret_id: String,
    clock: A,
    cached: Mutex<Option<Cached<T>>>,
}

struct Cached<T> {
    secrets: Arc<T>,
    read_at_ms: u64,
}

impl<T: DeserializeOwned, A: Clock> Secrets<T, A> {
    /// The secret of this name. Nothing is read yet.
    #[must_use]
    pub fn new(client: aws_sdk_secretsmanager::Client, secret_id: String, clock: A) -> Self {
        Self { client, secret_id, clock, cached: Mutex::new(None) }
    }

    fn cached(&self, max_age_ms: u64) -> Option<Arc<T>> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cached.as_ref()?;
        let age_ms = self.clock.now_ms().abs_diff(cached.read_at_ms);
        (age_ms < max_age_ms).then(|| Arc::clone(&cached.secrets))
    }

    async fn read(&self) -> Result<Arc<T>, AwsError> {
        let read_at_ms = self.clock.now_ms();
        let got = self.client.get_secret_value().secret_id(&self.secret_id).send().await.map_err(|error| {
            let code = error.code().map_or_else(|| error.to_string(), str::to_owned);
            AwsError(format!("the secrets failed: {code}"))
        })?;
        let text = got.secret_string().ok_or_else(|| AwsError("the secrets failed: the secret has no text".into()))?;
        let secrets = serde_json::from_str(text)
            .map_err(|error| AwsError(format!("the secrets failed: {}", complaint(&error))))?;
        let secrets = Arc::new(secrets);
        let cached = Cached { secrets: Arc::clone(&secrets), read_at_ms };
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        Ok(secrets)
    }
}

/// Only what is missing is named: every other error would quote the secret.
fn complaint(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let missing = said.split(" at line").next().filter(|said| said.starts_with("missing field"));
    missing
        .map_or_else(|| "the secret is not the JSON that it must be".into(), |missing| format!("the secret: {missing}"))
}

impl<T: DeserializeOwned + Send + Sync, A: Clock> SecretStore<T> for Secrets<T, A> {
    async fn current(&self) -> Result<Arc<T>, AwsError> {
        match self.cached(MAX_AGE_MS) {
            Some(secrets) => Ok(secrets),
            None => self.read().await,
        }
    }

    async fn renewed(&self) -> Result<Option<Arc<T>>, AwsError> {
        match self.cached(MIN_AGE_MS) {
            Some(_) => Ok(None),
            None => self.read().await.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Keys {
        #[expect(dead_code, reason = "only its absence is looked at")]
        access_key: BTreeMap<String, String>,
    }

    #[test]
    fn a_bad_secret_is_described_without_its_values() {
        let said = |text| complaint(&serde_json::from_str::<Keys>(text).unwrap_err());
        assert_eq!(said("{}"), "the secret: missing field `access_key`");
        for text in ["marker", r#"{"access_key":"marker"}"#, r#"{"access_key":{"marker":5}}"#] {
            assert_eq!(said(text), "the secret is not the JSON that it must be");
        }
    }
}
