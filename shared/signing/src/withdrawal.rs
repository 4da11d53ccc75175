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

/// How the signature of a withdrawal comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalSteps {
    /// The values of all fields but `signature`, sorted by their names and joined by colons.
    pub text: String,
    /// Its MD5: 32 lower-case hex digits.
    pub md5: String,
    /// The SHA-1 of private key and MD5, one after the other: 40 lower-case hex digits.
    pub signature: String,
}

/// Signs the fields of a withdrawal request. Their order does not matter. A field named `signature` is left out.
pub fn sign_withdrawal<'a>(
    fields: impl IntoIterator<Item = (&'a str, WithdrawalValue<'a>)>,
    private_key: &SecretString,
) -> String {
    explain_withdrawal(fields, private_key).signature
}

/// Signs as [`sign_withdrawal`] does, and shows each step.
///
/// # Examples
/// ```
/// use secrecy::SecretString;
/// use signing::{WithdrawalValue, explain_withdrawal};
///
/// let fields = [("label", WithdrawalValue::Text("user-1")), ("is_test", WithdrawalValue::Flag(true))];
/// let steps = explain_withdrawal(fields, &SecretString::from("private"));
/// assert_eq!(steps.text, "1:user-1");
/// ```
pub fn explain_withdrawal<'a>(
    fields: impl IntoIterator<Item = (&'a str, WithdrawalValue<'a>)>,
    private_key: &SecretString,
) -> WithdrawalSteps {
    let text = signed_text(fields);
    let md5 = hex::encode(Md5::digest(&text));
    let signature = Sha1::new().chain_update(private_key.expose_secret()).chain_update(&md5).finalize();
    WithdrawalSteps { text, md5, signature: hex::encode(signature) }
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
