//! `POST /verifications`: says of each signed list whether a key of the provider gives its signature. No key leaves the function, so
//! that people who check evidence need none. It has no other right than to read the secret of postbacks.

use domain::SignedList;
use lambda::{AwsError, BadRequest, ErrorReply, Handler, Purpose, Reply, Request, Right, SecretStore, StatusCode};
use paykassma::{EvidenceKeys, Verdict};
use serde::{Deserialize, Serialize};
use tracing::info;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["SECRET_ID"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[Right::ReadSecret(Purpose::Postbacks)];

/// Most lists of one request.
pub const MOST_LISTS: usize = 1_000;

/// The largest request in bytes: Lambda takes 6 MB, and escapes in the event double some of it.
pub const MAX_BYTES: usize = 3 * 1024 * 1024;

/// What this function works with.
#[derive(Debug)]
pub struct Deps<K> {
    /// The provider's keys.
    pub keys: K,
}

/// A batch of evidence.
///
/// # Examples
/// ```
/// use domain::SignedList;
/// use evidence_verifier::Batch;
///
/// let list = SignedList { additional_data: "[]".into(), signature: "538e".into(), access_key: "public".into() };
/// let batch = Batch { lists: vec![list] };
/// assert!(serde_json::to_string(&batch)?.starts_with(r#"{"lists":[{"additional_data":"[]","#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The signed lists, as rows store them.
    pub lists: Vec<SignedList>,
}

/// One verdict for each list, in the same order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verdicts {
    /// The verdicts.
    pub verdicts: Vec<Verdict>,
}

/// Why there are no verdicts.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// The request is larger than a batch may be.
    #[error("the batch is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// The keys could not be read.
    #[error("nothing can be verified now; send the same request again")]
    Secrets(#[from] AwsError),
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Secrets(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::TooLarge => "too_large",
            Self::Secrets(_) => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        if let Self::BadRequest(bad) = self { bad.field() } else { None }
    }
}

impl<K: SecretStore<EvidenceKeys> + Send> Handler for Deps<K> {
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        if request.body.len() > MAX_BYTES {
            return Err(ApiError::TooLarge);
        }
        let batch = serde_json::from_slice::<Batch>(request.body);
        let Batch { lists } = batch.map_err(|error| BadRequest::field("lists", rule(&error)))?;
        if lists.len() > MOST_LISTS {
            return Err(BadRequest::field("lists", format!("must be at most {MOST_LISTS}")).into());
        }
        let mut keys = self.keys.current().await?;
        let mut verdicts: Vec<_> = lists.iter().map(|list| Verdict::of(&keys, list)).collect();
        // The keys may have been rotated since they were read.
        if verdicts.contains(&Verdict::NoKey)
            && let Some(renewed) = self.keys.renewed().await?
        {
            keys = renewed;
            verdicts = lists.iter().map(|list| Verdict::of(&keys, list)).collect();
        }
        let not_verified = verdicts.iter().filter(|it| !matches!(it, Verdict::Verified { .. })).count();
        info!(caller = request.caller, lists = lists.len(), not_verified, "verified");
        Ok(Reply::new(StatusCode::OK, &Verdicts { verdicts }))
    }
}

/// Where the batch cannot be read. The text quotes nothing of it.
fn rule(error: &serde_json::Error) -> String {
    format!(
        "must be objects with additional_data, signature and access_key (line {} column {})",
        error.line(),
        error.column()
    )
}
