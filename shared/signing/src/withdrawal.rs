//! The signature of a withdrawal request (docs/provider-protocol.md 3.1). Only one source describes it, so it has a module of its
//! own and can be replaced in one place.

use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The value of a field, as it is signed.
#[derive(Clone, Copy, Debug)]
pub enum WithdrawalValue<'a> {
    /// The content of a string, or the digits of a number as they are sent.
    Text(&'a str),
    /// True is signed as `1`, false as an empty text.
    Flag(bool),
    /// Null is signed as an empty text.
    Null,
}

impl<'a> WithdrawalValue<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Flag(true) => "1",
            Self::Flag(false) | Self::Null => "",
        }
    }
}

/// Signs the fields of a withdrawal request. Their order does not matter. A field named `signature` is left out.
pub fn sign_withdrawal<'a>(
    fields: impl IntoIterator<Item = (&'a str, WithdrawalValue<'a>)>,
    private_key: &SecretString,
) -> String {
    let hash = hex::encode(Md5::digest(signed_text(fields)));
    let signature = Sha1::new().chain_update(private_key.expose_secret()).chain_update(hash).finalize();
    hex::encode(signature)
}

/// Checks the signature of a withdrawal request as the provider does, in constant time.
pub fn verify_withdrawal<'a>(
    fields: impl IntoIterator<Item = (&'a str, WithdrawalValue<'a>)>,
    signature: &str,
    private_key: &SecretString,
) -> bool {
    let expected = sign_withdrawal(fields, private_key);
    expected.as_bytes().ct_eq(signature.as_bytes()).into()
}

fn signed_text<'a>(fields: impl IntoIterator<Item = (&'a str, WithdrawalValue<'a>)>) -> String {
    let mut fields: Vec<_> = fields.into_iter().filter(|(name, _)| *name != "signature").collect();
    fields.sort_by_key(|(name, _)| *name);
    let values: Vec<_> = fields.into_iter().map(|(_, value)| value.text()).collect();
    values.join(":")
}
