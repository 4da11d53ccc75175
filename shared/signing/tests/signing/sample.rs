//! The provider's sample postbacks, and the keys of the vectors.

use std::sync::LazyLock;

use secrecy::SecretString;
use signing::{NotVerified, PostbackKeys, Spelling, Verified, sign_postback};

pub(crate) const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";

/// The samples of the provider's page, signed with [`private_key`]. The missing brace and the masked address are repaired.
pub(crate) const DEPOSIT: &str = include_str!("../fixtures/deposit.json");
pub(crate) const WITHDRAWAL: &str = include_str!("../fixtures/withdrawal.json");

pub(crate) fn private_key() -> SecretString {
    SecretString::from("test_private_key")
}

pub(crate) fn sign(additional_data: &str, spelling: Spelling) -> String {
    sign_postback(additional_data, spelling, ACCESS_KEY, &private_key()).unwrap()
}

pub(crate) fn verify(body: &[u8]) -> Result<Verified<'_>, NotVerified> {
    static PRIVATE_KEY: LazyLock<SecretString> = LazyLock::new(private_key);
    signing::verify(body, &PostbackKeys::new(ACCESS_KEY, &PRIVATE_KEY))
}

/// A body with only the fields that are needed.
pub(crate) fn body(additional_data: &str, signature: &str) -> String {
    format!(r#"{{"signature":"{signature}","access_key":"{ACCESS_KEY}","additional_data":{additional_data}}}"#)
}
