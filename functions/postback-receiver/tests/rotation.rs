//! Rotations of the token and of the keys, and a secret that cannot be read meanwhile.

#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{ListPlace, Separator, TransactionId, WalletType};
use lambda::{AwsError, Clock, ErrorReply, Handler, Request, SecretStore};
use paykassma::PostbackBody;
use postback_receiver::{ApiError, Deps, Keys};
use secrecy::SecretString;
use serde_json::{Value, json};
use signing::Spelling;
use store::{Memory, Read, TableCheck};

/// Secrets that were read some time ago, and what another look gives.
struct Rotating {
    current: Arc<Keys>,
    renewed: Mutex<Result<Option<Arc<Keys>>, AwsError>>,
}

impl SecretStore<Keys> for Rotating {
    async fn current(&self) -> Result<Arc<Keys>, AwsError> {
        Ok(Arc::clone(&self.current))
    }

    async fn renewed(&self) -> Result<Option<Arc<Keys>>, AwsError> {
        self.renewed.lock().unwrap().clone()
    }
}

struct Time;

impl Clock for Time {
    fn now_ms(&self) -> u64 {
        1_800_000_000_000
    }

    fn nonce(&self) -> String {
        "nonce".into()
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

fn keys(keys: &Value) -> Arc<Keys> {
    Arc::new(serde_json::from_value(keys.clone()).unwrap())
}

fn old() -> Value {
    json!({"postback_token": "old-token", "access_key": "old-access", "postback_private_key": "old-private"})
}

fn new() -> Value {
    json!({"postback_token": "new-token", "access_key": "new-access", "postback_private_key": "new-private"})
}

/// The new values beside these previous ones.
fn with_previous(previous: &[(&str, &str)]) -> Value {
    let mut keys = new();
    for (field, value) in previous {
        keys[format!("{field}_previous")] = json!(value);
    }
    keys
}

fn deps(current: &Value, renewed: Result<Option<&Value>, &str>) -> Deps<Memory, Rotating, Time> {
    let renewed = renewed.map(|it| it.map(keys)).map_err(|cause| AwsError(cause.into()));
    Deps {
        table: Memory::default(),
        check: TableCheck::new("arn:stream"),
        keys: Rotating { current: keys(current), renewed: Mutex::new(renewed) },
        clock: Time,
        separator: Separator::Dot,
    }
}

const LIST: &str = r#"[{"label":"user-1","amount":"700","type":2,"status":1,"currency_code":"INR","wallet_type":"paytm","transaction_id":"47752123519","plugin_custom_order_id":"order-1"}]"#;

/// Sends a postback under this token, signed with these keys: the access key that its evidence has, or the status of the answer.
async fn send(
    deps: &Deps<Memory, Rotating, Time>,
    token: &str,
    (access_key, private_key): (&str, &str),
) -> Result<String, u16> {
    let body = PostbackBody::sign(LIST, Spelling::Flagged, access_key, &SecretString::from(private_key)).unwrap();
    let body = body.to_string();
    stored(deps, Request { body: body.as_bytes(), path: &[("token", token)], ..Request::default() }).await
}

/// The access key that the payment's evidence has once the request is handled, or the status of the answer.
async fn stored(deps: &Deps<Memory, Rotating, Time>, request: Request<'_>) -> Result<String, u16> {
    deps.handle(request).await.map_err(|error: ApiError| error.status().as_u16())?;
    let key = domain::PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse("47752123519").unwrap(),
    };
    let payment = deps.table.read(&key).await.unwrap().unwrap();
    match &payment.row.facts().unwrap().evidence.place {
        ListPlace::Here(list) => Ok(list.access_key.clone()),
        ListPlace::Stored { .. } => panic!("a single element has its list"),
    }
}

const OLD: (&str, &str) = ("old-access", "old-private");
const NEW: (&str, &str) = ("new-access", "new-private");

/// A person sends a stored postback again: IAM knows who it is, and the signature is checked as ever.
#[tokio::test]
async fn a_person_whom_iam_knows_needs_no_token_but_a_signature() {
    for ((access_key, private_key), expected) in
        [(NEW, Ok("new-access".to_owned())), (("new-access", "forged"), Err(401))]
    {
        let body = PostbackBody::sign(LIST, Spelling::Flagged, access_key, &SecretString::from(private_key)).unwrap();
        let body = body.to_string();
        let caller = Some("arn:aws:iam::123456789012:user/ann");
        let deps = deps(&new(), Ok(None));
        assert_eq!(stored(&deps, Request { body: body.as_bytes(), caller, ..Request::default() }).await, expected);
        let nobody = Request { body: body.as_bytes(), ..Request::default() };
        assert_eq!(stored(&deps, nobody).await, Err(404), "without a caller and a token");
    }
}

#[tokio::test]
async fn both_tokens_are_valid_during_a_rotation_and_only_the_new_one_after_it() {
    for (token, during, after) in [
        ("new-token", Ok("new-access".into()), Ok("new-access".into())),
        ("old-token", Ok("new-access".into()), Err(404)),
        ("other", Err(404), Err(404)),
        ("", Err(404), Err(404)),
    ] {
        let rotating = deps(&with_previous(&[("postback_token", "old-token")]), Ok(None));
        assert_eq!(send(&rotating, token, NEW).await, during, "{token}");
        assert_eq!(send(&deps(&new(), Ok(None)), token, NEW).await, after, "{token}");
    }
    let empty = deps(&with_previous(&[("postback_token", "")]), Ok(None));
    assert_eq!(send(&empty, "", NEW).await, Err(404), "an empty token is one that anybody knows");
}

/// The evidence names the access key of the pair that verified it, or nobody could verify it again.
#[tokio::test]
async fn both_pairs_of_keys_are_valid_during_a_rotation_and_no_mixture_of_them() {
    let both = [("access_key", "old-access"), ("postback_private_key", "old-private")];
    for (pair, expected) in [
        (NEW, Ok("new-access".into())),
        (OLD, Ok("old-access".into())),
        (("new-access", "old-private"), Err(401)),
        (("old-access", "new-private"), Err(401)),
    ] {
        assert_eq!(send(&deps(&with_previous(&both), Ok(None)), "new-token", pair).await, expected, "{pair:?}");
    }
}

#[tokio::test]
async fn what_does_not_change_in_a_rotation_need_not_be_given() {
    let access = deps(&with_previous(&[("access_key", "old-access")]), Ok(None));
    assert_eq!(send(&access, "new-token", ("old-access", "new-private")).await, Ok("old-access".into()));
    let private = deps(&with_previous(&[("postback_private_key", "old-private")]), Ok(None));
    assert_eq!(send(&private, "new-token", ("new-access", "old-private")).await, Ok("new-access".into()));
}

#[tokio::test]
async fn a_value_that_is_new_is_looked_for_once_more() {
    for (token, pair) in [("new-token", NEW), ("old-token", NEW), ("new-token", OLD)] {
        let mut renewed = with_previous(&[("postback_token", "old-token"), ("access_key", "old-access")]);
        renewed["postback_private_key_previous"] = json!("old-private");
        let deps = deps(&old(), Ok(Some(&renewed)));
        assert_eq!(send(&deps, token, pair).await, Ok(pair.0.into()), "{token} {pair:?}");
    }
    assert_eq!(
        send(&deps(&old(), Ok(Some(&new()))), "old-token", OLD).await,
        Ok("old-access".into()),
        "not renewed yet"
    );
    assert_eq!(send(&deps(&old(), Ok(Some(&new()))), "invented", OLD).await, Err(404));
}

#[tokio::test]
async fn what_nobody_can_judge_is_answered_503_and_what_verifies_is_stored() {
    let away = || deps(&old(), Err("away"));
    assert_eq!(send(&away(), "old-token", OLD).await, Ok("old-access".into()));
    assert_eq!(send(&away(), "old-token", NEW).await, Err(503));
    assert_eq!(send(&away(), "new-token", OLD).await, Err(503));
}
