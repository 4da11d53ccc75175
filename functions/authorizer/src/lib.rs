//! The HTTP API's authorizer: admits requests with a merchant's token.

mod token;

pub use token::TokenHash;

use lambda::{AwsError, BadSetting, Purpose, Right, SecretStore, count_error, count_use, serve_events};
use serde::{Deserialize, Serialize};
use tracing::error;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["SECRET_ID"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[Right::ReadSecret(Purpose::Tokens)];

/// The secrets that this function needs.
#[derive(Debug, Deserialize)]
pub struct Keys {
    /// The hashes of the tokens that are valid: the current one, and the previous one while a merchant changes over.
    pub merchant_token_hashes: Vec<TokenHash>,
}

/// What this function works with.
#[derive(Debug)]
pub struct Deps<K> {
    /// The secrets.
    pub keys: K,
}

/// The code under which a denied request is counted.
pub const UNAUTHORIZED: &str = "unauthorized";

/// What API Gateway asks (payload format 2.0). The identity source is the `Authorization` header; the gateway remembers the
/// answer under it, so that nothing else may decide.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    identity_source: Option<Vec<String>>,
}

/// What it is answered (the simple response).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Whether the request may go on.
    pub is_authorized: bool,
}

/// The caller is answered 500 and may try again; the gateway remembers a denial, but not this.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the token could not be checked")]
pub struct NotChecked;

impl Request {
    fn bearer(&self) -> Option<&str> {
        let [authorization] = self.identity_source.as_deref()? else { return None };
        let (scheme, token) = authorization.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }
}

impl<K: SecretStore<Keys>> Deps<K> {
    /// Decides on a request.
    ///
    /// # Errors
    /// [`NotChecked`] when the secrets cannot be read.
    pub async fn handle(&self, request: &Request) -> Result<Answer, NotChecked> {
        let is_authorized = match request.bearer() {
            Some(token) => self.knows(&TokenHash::of(token)).await.map_err(|cause| {
                error!(%cause, "the secrets failed");
                NotChecked
            })?,
            None => false,
        };
        if !is_authorized {
            count_error(401, UNAUTHORIZED, None, None);
        }
        Ok(Answer { is_authorized })
    }

    /// The tokens may have been rotated since they were read.
    async fn knows(&self, hash: &TokenHash) -> Result<bool, AwsError> {
        if self.keys.current().await?.accept(hash) {
            return Ok(true);
        }
        let renewed = self.keys.renewed().await?;
        Ok(renewed.is_some_and(|keys| keys.accept(hash)))
    }
}

impl Keys {
    /// Whether this is the hash of a valid token. While two are, counts which of them it is.
    fn accept(&self, hash: &TokenHash) -> bool {
        let is_valid = hash.is_among(&self.merchant_token_hashes);
        if let [current, _, ..] = self.merchant_token_hashes.as_slice()
            && is_valid
        {
            count_use("merchant_token", hash.is_among(std::slice::from_ref(current)));
        }
        is_valid
    }
}

/// Answers requests for as long as the function lives. With a bad setting, nobody is let in.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve<K: SecretStore<Keys>>(set_up: Result<Deps<K>, BadSetting>) -> Result<(), lambda_runtime::Error> {
    serve_events(set_up, async |deps: Option<&Deps<K>>, request: Request| {
        Ok(deps.ok_or(NotChecked)?.handle(&request).await?)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const TOKEN_HASH: &str = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
    const NEXT_HASH: &str = "fec70f47f8b66e83ae5a7fefb6e0b49de4ec0a8ff4f9e80cd4e54a8fcd8c7a10";

    /// Secrets that can be rotated, or not be read at all.
    struct Rotating {
        current: Option<Arc<Keys>>,
        renewed: Mutex<Option<Arc<Keys>>>,
    }

    impl SecretStore<Keys> for Rotating {
        async fn current(&self) -> Result<Arc<Keys>, AwsError> {
            self.current.clone().ok_or(AwsError("marker".into()))
        }

        async fn renewed(&self) -> Result<Option<Arc<Keys>>, AwsError> {
            Ok(self.renewed.lock().unwrap().take())
        }
    }

    fn keys(hashes: &[&str]) -> Arc<Keys> {
        let hashes = serde_json::json!({ "merchant_token_hashes": hashes });
        Arc::new(serde_json::from_value(hashes).unwrap())
    }

    fn deps(hashes: &[&str], renewed: Option<&[&str]>) -> Deps<Rotating> {
        Deps { keys: Rotating { current: Some(keys(hashes)), renewed: Mutex::new(renewed.map(keys)) } }
    }

    async fn lets_in(deps: &Deps<Rotating>, source: &str) -> bool {
        let request: Request = serde_json::from_str(source).unwrap();
        deps.handle(&request).await.unwrap().is_authorized
    }

    #[tokio::test]
    async fn the_bearer_of_a_known_token_is_let_in() {
        for known in [&[TOKEN_HASH][..], &[NEXT_HASH, TOKEN_HASH]] {
            let deps = deps(known, None);
            assert!(lets_in(&deps, r#"{"version":"2.0","identitySource":["Bearer token"]}"#).await);
            assert!(lets_in(&deps, r#"{"identitySource":["bearer token"]}"#).await);
        }
    }

    #[tokio::test]
    async fn nobody_else_is_let_in() {
        let deps = deps(&[TOKEN_HASH], None);
        for source in [
            "{}",
            r#"{"identitySource":null}"#,
            r#"{"identitySource":[]}"#,
            r#"{"identitySource":["Bearer token","Bearer token"]}"#,
            r#"{"identitySource":["token"]}"#,
            r#"{"identitySource":["Basic token"]}"#,
            r#"{"identitySource":["Bearer "]}"#,
            r#"{"identitySource":["Bearer token "]}"#,
            r#"{"identitySource":["Bearer Token"]}"#,
        ] {
            assert!(!lets_in(&deps, source).await, "{source}");
        }
        let hash_itself = format!(r#"{{"identitySource":["Bearer {TOKEN_HASH}"]}}"#);
        assert!(!lets_in(&deps, &hash_itself).await);
    }

    #[tokio::test]
    async fn without_hashes_nobody_is_let_in() {
        assert!(!lets_in(&deps(&[], None), r#"{"identitySource":["Bearer token"]}"#).await);
    }

    #[tokio::test]
    async fn a_token_that_is_new_is_looked_for_once_more() {
        let deps = deps(&[NEXT_HASH], Some(&[TOKEN_HASH]));
        assert!(lets_in(&deps, r#"{"identitySource":["Bearer token"]}"#).await);
    }

    #[tokio::test]
    async fn what_cannot_be_checked_is_no_denial() {
        let deps = Deps { keys: Rotating { current: None, renewed: Mutex::new(None) } };
        let request = serde_json::from_str(r#"{"identitySource":["Bearer token"]}"#).unwrap();
        let not_checked = deps.handle(&request).await.unwrap_err();
        assert!(!format!("{not_checked} {not_checked:?}").contains("marker"));
    }

    #[test]
    fn a_hash_is_64_hex_digits() {
        for wrong in ["", "3c46", "token", &TOKEN_HASH.replace('c', "x")] {
            assert!(TokenHash::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_answer_is_the_simple_response() {
        let answer = serde_json::to_string(&Answer { is_authorized: true }).unwrap();
        assert_eq!(answer, r#"{"isAuthorized":true}"#);
    }
}
