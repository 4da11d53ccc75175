//! The signature of an event that is posted to the merchant's server, by
//! [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// A key that signs events: 24 to 64 bytes.
pub struct WebhookKey(SecretSlice<u8>);

/// The text is not a key. It is not repeated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key for events must be `whsec_` and the base64 of 24 to 64 bytes")]
pub struct BadWebhookKey;

impl WebhookKey {
    /// Reads a key as Standard Webhooks spells it: `whsec_` and base64.
    ///
    /// # Errors
    /// [`BadWebhookKey`] if it is spelled otherwise, or is too short or too long.
    pub fn parse(text: &SecretString) -> Result<Self, BadWebhookKey> {
        let base64 = text.expose_secret().strip_prefix("whsec_").ok_or(BadWebhookKey)?;
        let bytes = BASE64_STANDARD.decode(base64).map_err(|_| BadWebhookKey)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes.into())) } else { Err(BadWebhookKey) }
    }

    fn sign(&self, signed: &[&[u8]]) -> String {
        // HMAC takes a key of any length.
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return String::new() };
        for part in signed {
            hmac.update(part);
        }
        format!("v1,{}", BASE64_STANDARD.encode(hmac.finalize().into_bytes()))
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("WebhookKey").finish_non_exhaustive()
    }
}

/// Gives the header `webhook-signature`: one signature for each key, so that a receiver with either key of a rotation accepts the event.
///
/// `id` is the header `webhook-id`, and `timestamp` the header `webhook-timestamp`, in seconds since 1970.
///
/// ```
/// use secrecy::SecretString;
/// use signing::{BadWebhookKey, WebhookKey, sign_webhook};
///
/// let key = WebhookKey::parse(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))?;
/// let header = sign_webhook("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#, [&key]);
/// assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), BadWebhookKey>(())
/// ```
#[must_use]
pub fn sign_webhook<'a>(
    id: &str,
    timestamp: u64,
    body: &[u8],
    keys: impl IntoIterator<Item = &'a WebhookKey>,
) -> String {
    let timestamp = timestamp.to_string();
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signatures: Vec<_> = keys.into_iter().map(|key| key.sign(&signed)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use standardwebhooks::Webhook;

    fn key(bytes: &[u8]) -> (WebhookKey, String) {
        let text = format!("whsec_{}", BASE64_STANDARD.encode(bytes));
        (WebhookKey::parse(&text.clone().into()).unwrap(), text)
    }

    proptest! {
        #[test]
        fn the_reference_library_verifies_what_is_signed_with_either_key(
            current in proptest::collection::vec(any::<u8>(), 24..=64),
            previous in proptest::collection::vec(any::<u8>(), 24..=64),
            body in "\\PC*", id in "[0-9a-f]{32}", timestamp in 0_u32..2_000_000_000,
        ) {
            let ((one, one_text), (other, other_text)) = (key(&current), key(&previous));
            let header = sign_webhook(&id, timestamp.into(), body.as_bytes(), [&one, &other]);
            for text in [one_text, other_text] {
                let reference = Webhook::new(&text).unwrap();
                let signature = reference.sign(&id, timestamp.into(), body.as_bytes()).unwrap();
                prop_assert!(header.split(' ').any(|part| part == signature));
            }
        }
    }

    #[test]
    fn a_key_is_spelled_as_the_standard_says() {
        let base64 = |length: usize| BASE64_STANDARD.encode(vec![7; length]);
        for good in [24, 32, 64] {
            assert!(WebhookKey::parse(&format!("whsec_{}", base64(good)).into()).is_ok(), "{good}");
        }
        for bad in [
            String::new(),
            "whsec_".into(),
            base64(32),
            format!("whsec_{}", base64(23)),
            format!("whsec_{}", base64(65)),
            format!("whsec_{}!", base64(32)),
            format!("WHSEC_{}", base64(32)),
        ] {
            assert_eq!(WebhookKey::parse(&bad.clone().into()).unwrap_err(), BadWebhookKey, "{bad}");
        }
        assert_eq!(format!("{:?}", key(&[1; 24]).0), "WebhookKey { .. }");
    }
}
