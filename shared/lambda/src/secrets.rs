//! The secrets of a function: read once, read again every 300 s, and used for at most an hour if they cannot be read.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use futures_util::future::{Either, select};
use serde::de::DeserializeOwned;

use crate::{AwsError, Clock, Metric, count};

/// For so long a copy is used without another look.
const FRESH_MS: u64 = 300_000;
/// For so long a copy is used if the secret cannot be read.
const USABLE_MS: u64 = 3_600_000;
/// A copy that seems to be outdated is read again, unless it is younger.
const RENEWABLE_MS: u64 = 60_000;
/// After a failure nobody looks again for so long.
const PAUSE_MS: u64 = 10_000;
/// Who has a copy does not wait longer for a new one.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a handler gets its secrets: `T` has only those that it needs.
pub trait SecretStore<T>: Sync {
    /// The secrets as last read: not older than 300 s, or not older than an hour if they cannot be read now.
    fn current(&self) -> impl Future<Output = Result<Arc<T>, AwsError>> + Send;

    /// The secrets read again, because those in hand seem to be outdated. `None` if those in hand are the current ones: they are less
    /// than a minute old, or less than 300 s and cannot be read now.
    fn renewed(&self) -> impl Future<Output = Result<Option<Arc<T>>, AwsError>> + Send;
}

/// One secret of Secrets Manager, a JSON object.
pub struct Secrets<T, A> {
    client: Client,
    secret_id: String,
    clock: A,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    copy: Option<Copied<T>>,
    /// When it could not be read.
    failed_at_ms: Option<u64>,
}

struct Copied<T> {
    secrets: Arc<T>,
    read_at_ms: u64,
}

/// Why a secret was not read.
struct NotRead {
    /// The function may not read it, or it is gone: nobody may use a copy any more. Otherwise a copy is as good as before.
    is_refusal: bool,
    cause: String,
}

impl NotRead {
    fn transient(cause: impl Into<String>) -> Self {
        Self { is_refusal: false, cause: cause.into() }
    }
}

/// The answers that mean a refusal. A secret that waits for its deletion is an invalid request; a key that may not be used, or is
/// switched off, is a failure to decrypt. Everything else may pass: time-outs, throttling, 5xx, no connection, a text that cannot be read.
const REFUSALS: [&str; 7] = [
    "AccessDeniedException",
    "DecryptionFailure",
    "InvalidClientTokenId",
    "InvalidRequestException",
    "NotAuthorized",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
];

impl<T: DeserializeOwned, A: Clock> Secrets<T, A> {
    /// The secret of this name. Nothing is read yet.
    #[must_use]
    pub fn new(client: Client, secret_id: String, clock: A) -> Self {
        Self { client, secret_id, clock, known: Mutex::new(Known { copy: None, failed_at_ms: None }) }
    }

    fn known(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy, if it is younger.
    fn copy(&self, max_age_ms: u64) -> Option<Arc<T>> {
        let known = self.known();
        let copy = known.copy.as_ref()?;
        (self.since_ms(copy.read_at_ms) < max_age_ms).then(|| Arc::clone(&copy.secrets))
    }

    fn since_ms(&self, then_ms: u64) -> u64 {
        self.clock.now_ms().abs_diff(then_ms)
    }

    fn has_just_failed(&self) -> bool {
        let failed_at_ms = self.known().failed_at_ms;
        failed_at_ms.is_some_and(|at| self.since_ms(at) < PAUSE_MS)
    }

    /// Reads the secret, but not right after a failure. Who has a copy that may still be used does not wait long.
    async fn read(&self) -> Result<Arc<T>, AwsError> {
        if self.has_just_failed() {
            return Err(failed("not read again so soon after a failure"));
        }
        let read_at_ms = self.clock.now_ms();
        let has_copy = self.copy(USABLE_MS).is_some();
        let read = if has_copy { self.get_in_time().await } else { self.get().await };
        let mut known = self.known();
        match read {
            Ok(secrets) => {
                let secrets = Arc::new(secrets);
                let copy = Some(Copied { secrets: Arc::clone(&secrets), read_at_ms });
                *known = Known { copy, failed_at_ms: None };
                Ok(secrets)
            }
            Err(NotRead { is_refusal, cause }) => {
                known.failed_at_ms = Some(self.clock.now_ms());
                if is_refusal {
                    known.copy = None;
                }
                count!(error, Metric::SecretUnavailable, self.secret_id, cause);
                Err(failed(&cause))
            }
        }
    }

    async fn get_in_time(&self) -> Result<T, NotRead> {
        match select(pin!(self.get()), pin!(self.clock.sleep(PATIENCE))).await {
            Either::Left((got, _)) => got,
            Either::Right(_) => Err(NotRead::transient(format!("no answer in {} s", PATIENCE.as_secs()))),
        }
    }

    async fn get(&self) -> Result<T, NotRead> {
        let got = self.client.get_secret_value().secret_id(&self.secret_id).send().await.map_err(|error| {
            let cause = error.code().map_or_else(|| error.to_string(), str::to_owned);
            NotRead { is_refusal: REFUSALS.contains(&cause.as_str()), cause }
        })?;
        let text = got.secret_string().ok_or_else(|| NotRead::transient("the secret has no text"))?;
        serde_json::from_str(text).map_err(|error| NotRead::transient(complaint(&error)))
    }
}

fn failed(cause: &str) -> AwsError {
    AwsError(format!("the secrets failed: {cause}"))
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
        if let Some(secrets) = self.copy(FRESH_MS) {
            return Ok(secrets);
        }
        let read = self.read().await;
        // A refusal has left no copy.
        read.or_else(|error| self.copy(USABLE_MS).ok_or(error))
    }

    async fn renewed(&self) -> Result<Option<Arc<T>>, AwsError> {
        if self.copy(RENEWABLE_MS).is_some() {
            return Ok(None);
        }
        match self.read().await {
            Ok(secrets) => Ok(Some(secrets)),
            Err(_) if self.copy(FRESH_MS).is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
