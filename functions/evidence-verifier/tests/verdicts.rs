//! Each list gets its own verdict, and no key leaves the function.

#![cfg(test)]

use std::sync::Arc;

use domain::{SignedList, Timestamp};
use evidence_verifier::{Batch, Deps, MAX_BYTES, MOST_LISTS, Verdicts};
use lambda::{AwsError, Handler, Reply, Request, SecretStore};
use paykassma::{EvidenceKeys, Verdict};
use serde_json::json;
use signing::{Spelling, sign_postback};

/// The keys in hand, and those after a rotation.
struct Keys(&'static str, Option<&'static str>);

fn keys(private_key: &str) -> Arc<EvidenceKeys> {
    let retired = json!({"access_key": "old", "private_key": "secret-retired", "retired_at_ms": 50});
    let keys = json!({"access_key": "public", "postback_private_key": private_key, "retired_postback_keys": [retired]});
    Arc::new(serde_json::from_value(keys).unwrap())
}

impl SecretStore<EvidenceKeys> for Keys {
    async fn current(&self) -> Result<Arc<EvidenceKeys>, AwsError> {
        Ok(keys(self.0))
    }

    async fn renewed(&self) -> Result<Option<Arc<EvidenceKeys>>, AwsError> {
        Ok(self.1.map(keys))
    }
}

fn list(access_key: &str, private_key: &str) -> SignedList {
    let additional_data = json!([{"amount": "700", "transaction_id": "1"}]).to_string();
    let signature = sign_postback(&additional_data, Spelling::Flagged, access_key, &private_key.into()).unwrap();
    SignedList { additional_data, signature, access_key: access_key.into() }
}

async fn handle(keys: Keys, body: &[u8]) -> (u16, String) {
    let request = Request { body, caller: Some("arn:aws:iam::1:user/ann"), ..Request::default() };
    let reply = Deps { keys }.handle(request).await.unwrap_or_else(|error| Reply::of_error(&error));
    (reply.status.as_u16(), reply.body)
}

async fn verdicts(keys: Keys, lists: Vec<SignedList>) -> Vec<Verdict> {
    let body = serde_json::to_vec(&Batch { lists }).unwrap();
    let (status, body) = handle(keys, &body).await;
    assert_eq!(status, 200, "{body}");
    assert!(!body.contains("secret"), "a key has left the function: {body}");
    serde_json::from_str::<Verdicts>(&body).unwrap().verdicts
}

#[tokio::test]
async fn each_list_gets_its_own_verdict_in_its_place() {
    let broken = SignedList { additional_data: "[".into(), ..list("public", "secret-now") };
    let lists = vec![
        list("public", "secret-now"),
        list("public", "secret-invented"),
        broken,
        list("old", "secret-retired"),
        list("public", "secret-retired"),
    ];
    let verdicts = verdicts(Keys("secret-now", None), lists).await;
    let verified = |at: Option<u64>| Verdict::Verified { retired_at_ms: at.map(Timestamp) };
    assert_eq!((&verdicts[0], &verdicts[1]), (&verified(None), &Verdict::NoKey));
    assert!(matches!(verdicts[2], Verdict::NoEvidence { .. }), "{verdicts:?}");
    assert_eq!((&verdicts[3], &verdicts[4]), (&verified(Some(50)), &Verdict::NoKey));
}

#[tokio::test]
async fn keys_are_read_again_before_a_list_is_refused() {
    let lists = || vec![list("public", "secret-next")];
    assert_eq!(verdicts(Keys("secret-now", None), lists()).await, [Verdict::NoKey]);
    let renewed = verdicts(Keys("secret-now", Some("secret-next")), lists()).await;
    assert_eq!(renewed, [Verdict::Verified { retired_at_ms: None }]);
}

#[tokio::test]
async fn what_is_no_batch_is_refused_and_not_repeated() {
    for body in
        [&b""[..], b"[]", b"{}", br#"{"lists":[{"additional_data":"marker"}]}"#, br#"{"lists":[],"key":"marker"}"#]
    {
        let (status, said) = handle(Keys("secret-now", None), body).await;
        assert_eq!((status, said.contains("marker"), said.contains("lists")), (422, false, true), "{said}");
    }
    let many = serde_json::to_vec(&Batch { lists: vec![list("a", "b"); MOST_LISTS + 1] }).unwrap();
    assert_eq!(handle(Keys("secret-now", None), &many).await.0, 422);
    assert_eq!(handle(Keys("secret-now", None), &vec![b' '; MAX_BYTES + 1]).await.0, 413);
}
