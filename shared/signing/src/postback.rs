//! The signature of a postback (docs/provider-protocol.md 2.1): `sha1(access_key . private_key . md5(json(additional_data)))`.

use std::borrow::Cow;
use std::fmt;

use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::envelope::{Envelope, signed_list};
use crate::scan::Malformed;
use crate::spelling::{Spelling, respell};

/// An access key, which every postback names, and the private key that signs with it.
#[derive(Clone, Copy, Debug)]
pub struct KeyPair<'a> {
    /// The public key.
    pub access_key: &'a str,
    /// The private key.
    pub private_key: &'a SecretString,
}

/// The keys of a deployment that are valid now.
#[derive(Clone, Copy, Debug)]
pub struct PostbackKeys<'a> {
    /// The pair in use.
    pub current: KeyPair<'a>,
    /// The pair from before the last rotation, as long as it is still accepted. One of its keys may be the one in use.
    pub previous: Option<KeyPair<'a>>,
}

/// One of the pairs of [`PostbackKeys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichPair {
    /// The pair in use.
    Current,
    /// The pair from before the last rotation.
    Previous,
}

impl<'a> PostbackKeys<'a> {
    /// One pair, and no previous one.
    #[must_use]
    pub fn new(access_key: &'a str, private_key: &'a SecretString) -> Self {
        Self { current: KeyPair { access_key, private_key }, previous: None }
    }

    /// The pairs with this access key. An empty private key is left out: it is a mistake in the settings, and anyone could sign with it.
    fn with_access_key(&self, access_key: &str) -> Vec<(WhichPair, KeyPair<'a>)> {
        let previous = self.previous.map(|pair| (WhichPair::Previous, pair));
        let pairs = [(WhichPair::Current, self.current)].into_iter().chain(previous);
        let is_named = |pair: &KeyPair<'_>| equal(access_key.as_bytes(), pair.access_key.as_bytes());
        pairs.filter(|(_, pair)| !pair.private_key.expose_secret().is_empty() && is_named(pair)).collect()
    }
}

/// A postback whose `additional_data` the provider has signed. Only [`verify`] makes one.
///
/// The signature covers no other field of the body (docs/provider-protocol.md 2.2).
#[derive(Clone, Copy)]
pub struct Verified<'a> {
    body: &'a str,
    additional_data: &'a str,
    signature: &'a str,
    access_key: &'a str,
    pair: WhichPair,
}

impl<'a> Verified<'a> {
    /// The whole body. It is strict JSON: one object, and no key appears twice at its top level.
    #[must_use]
    pub fn body(&self) -> &'a str {
        self.body
    }

    /// The signed list, or the object in its place, exactly as in the body. No key appears twice in one of its objects.
    ///
    /// PHP writes a list as an object (`{"0":{..},"2":{..}}`) if an element was removed from it. Any other object can be signed too.
    #[must_use]
    pub fn additional_data(&self) -> &'a str {
        self.additional_data
    }

    /// The signature: 40 lower-case hex digits.
    #[must_use]
    pub fn signature(&self) -> &'a str {
        self.signature
    }

    /// The access key that it names.
    #[must_use]
    pub fn access_key(&self) -> &'a str {
        self.access_key
    }

    /// The keys that it is signed with.
    #[must_use]
    pub fn pair(&self) -> WhichPair {
        self.pair
    }

    /// The SHA-256 of the flagged spelling of the signed list. Copies that differ only in whitespace or escapes have the same.
    #[must_use]
    pub fn list_hash(&self) -> [u8; 32] {
        hash_of(self.additional_data)
    }
}

/// The hash of a list, as [`Verified::list_hash`] gives it, whether or not it is signed.
///
/// # Errors
/// [`Malformed`] if [`verify`] would not accept `additional_data` as the `additional_data` of a postback.
///
/// # Examples
/// ```
/// use signing::{Malformed, list_hash};
///
/// // Whitespace and escapes make no difference.
/// assert_eq!(list_hash(r#"[{"label":"a/b"}]"#)?, list_hash(r#"[ {"label": "a\/b"} ]"#)?);
/// assert!(list_hash("").is_err());
/// # Ok::<(), Malformed>(())
/// ```
pub fn list_hash(additional_data: &str) -> Result<[u8; 32], Malformed> {
    Ok(hash_of(signed_list(additional_data)?))
}

fn hash_of(additional_data: &str) -> [u8; 32] {
    let mut sha256 = Sha256::new();
    respell(additional_data, Spelling::Flagged, |piece| sha256.update(piece));
    sha256.finalize().into()
}

impl fmt::Debug for Verified<'_> {
    /// Shows nothing of the body, because it names people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Verified").finish_non_exhaustive()
    }
}

/// Why a body is not accepted as a postback of the provider. The text never quotes the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotVerified {
    /// The body is not strict JSON, or does not have the shape of a postback.
    #[error("not a postback: {0}")]
    Malformed(#[from] Malformed),
    /// The body names another access key. Or the private keys of this one are empty.
    #[error("the access key is not ours")]
    AccessKey,
    /// No valid private key gives this signature, whatever the spelling.
    #[error("the signature is not the provider's")]
    Signature,
}

/// Verifies the raw bytes of a postback's body.
///
/// # Errors
/// [`NotVerified`] if the body is not strict JSON in the shape of a postback, names another access key, or is not signed with one of
/// `keys`.
///
/// # Examples
/// ```
/// use secrecy::SecretString;
/// use signing::{NotVerified, PostbackKeys, Spelling, sign_postback, verify};
///
/// let private_key = SecretString::from("private");
/// let keys = PostbackKeys::new("public", &private_key);
///
/// let list = r#"[{"amount":"700"}]"#;
/// let signature = sign_postback(list, Spelling::Flagged, "public", &private_key)?;
/// let body = format!(
///     r#"{{"access_key":"public","signature":"{signature}","label":"user-1","additional_data":{list}}}"#
/// );
/// assert_eq!(verify(body.as_bytes(), &keys)?.additional_data(), list);
///
/// // The list is signed. The label is not: whoever sends the body can change it.
/// let other_amount = body.replace("700", "900");
/// assert_eq!(verify(other_amount.as_bytes(), &keys).unwrap_err(), NotVerified::Signature);
/// assert!(verify(body.replace("user-1", "user-2").as_bytes(), &keys).is_ok());
/// # Ok::<(), NotVerified>(())
/// ```
pub fn verify<'a>(body: &'a [u8], keys: &PostbackKeys<'a>) -> Result<Verified<'a>, NotVerified> {
    let body = str::from_utf8(body).map_err(|_| Malformed::Utf8)?;
    let Envelope { access_key, signature, additional_data } = Envelope::open(body)?;
    let pairs = keys.with_access_key(&access_key);
    if pairs.is_empty() {
        return Err(NotVerified::AccessKey);
    }
    let Cow::Borrowed(signature) = signature else {
        return Err(NotVerified::Signature);
    };
    let claimed = sha1_digest(signature).ok_or(NotVerified::Signature)?;
    let pair = Spelling::ALL.into_iter().find_map(|spelling| {
        let hash = md5_hex(additional_data, spelling);
        let is_genuine = |pair: &KeyPair<'_>| equal(&signature_of(&hash, pair.access_key, pair.private_key), &claimed);
        pairs.iter().find(|(_, pair)| is_genuine(pair))
    });
    let (pair, KeyPair { access_key, .. }) = *pair.ok_or(NotVerified::Signature)?;
    Ok(Verified { body, additional_data, signature, access_key, pair })
}

/// Signs a list, or an object in its place, as the provider does, hashed in `spelling`. The simulator, the tests and the operator's tool use it.
///
/// # Errors
/// [`Malformed`] if [`verify`] would not accept `additional_data` as the `additional_data` of a postback.
///
/// # Examples
/// ```
/// use secrecy::SecretString;
/// use signing::{Malformed, Spelling, sign_postback};
///
/// let key = SecretString::from("private");
/// let sign = |list| sign_postback(list, Spelling::Flagged, "public", &key);
///
/// // The flagged spelling has no whitespace, so whitespace in the list does not change the signature.
/// assert_eq!(sign(r#"[{"amount":"700"}]"#)?, sign(r#"[ {"amount": "700"} ]"#)?);
/// assert_eq!(sign(r#"[{"amount":"700","amount":"900"}]"#), Err(Malformed::DuplicateKey));
/// # Ok::<(), Malformed>(())
/// ```
pub fn sign_postback(
    additional_data: &str,
    spelling: Spelling,
    access_key: &str,
    private_key: &SecretString,
) -> Result<String, Malformed> {
    let hash = md5_hex(signed_list(additional_data)?, spelling);
    Ok(hex::encode(signature_of(&hash, access_key, private_key)))
}

/// How the signature of a postback comes about, for a person who compares it step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostbackSteps {
    /// The list, as it is spelled when it is hashed.
    pub spelled: String,
    /// Its MD5: 32 lower-case hex digits.
    pub md5: String,
    /// The SHA-1 of access key, private key and MD5, one after the other: 40 lower-case hex digits.
    pub signature: String,
}

/// Signs a list as [`sign_postback`] does, and shows each step.
///
/// # Errors
/// [`Malformed`] if [`verify`] would not accept `additional_data` as the `additional_data` of a postback.
///
/// # Examples
/// ```
/// use secrecy::SecretString;
/// use signing::{Malformed, Spelling, explain_postback, sign_postback};
///
/// let key = SecretString::from("private");
/// let steps = explain_postback(r#"[ {"comment": "a/b"} ]"#, Spelling::Default, "public", &key)?;
/// assert_eq!(steps.spelled, r#"[{"comment":"a\/b"}]"#);
/// assert_eq!(steps.signature, sign_postback(r#"[{"comment":"a/b"}]"#, Spelling::Default, "public", &key)?);
/// # Ok::<(), Malformed>(())
/// ```
pub fn explain_postback(
    additional_data: &str,
    spelling: Spelling,
    access_key: &str,
    private_key: &SecretString,
) -> Result<PostbackSteps, Malformed> {
    let list = signed_list(additional_data)?;
    let mut spelled = String::new();
    respell(list, spelling, |piece| spelled.push_str(piece));
    let md5 = md5_hex(list, spelling);
    let signature = hex::encode(signature_of(&md5, access_key, private_key));
    Ok(PostbackSteps { spelled, md5, signature })
}

fn md5_hex(additional_data: &str, spelling: Spelling) -> String {
    let mut md5 = Md5::new();
    respell(additional_data, spelling, |piece| md5.update(piece));
    hex::encode(md5.finalize())
}

fn signature_of(hash: &str, access_key: &str, private_key: &SecretString) -> [u8; 20] {
    Sha1::new().chain_update(access_key).chain_update(private_key.expose_secret()).chain_update(hash).finalize().into()
}

/// Decodes 40 lower-case hex digits.
fn sha1_digest(signature: &str) -> Option<[u8; 20]> {
    let mut digest = [0; 20];
    hex::decode_to_slice(signature, &mut digest).ok()?;
    let lower_case = !signature.bytes().any(|digit| digit.is_ascii_uppercase());
    lower_case.then_some(digest)
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}
