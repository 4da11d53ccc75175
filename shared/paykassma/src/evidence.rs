//! Verifies what rows store as evidence: signed lists, long after they came.

use domain::{Event, Evidence, ListHash, ListPlace, Separator, SignedList, Timestamp, Unsigned};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use signing::{KeyPair, NotVerified, PostbackKeys, Verified, verify};

use crate::postback::{Element, Postback, SignedElements, signed_elements};
use crate::postback_writer::PostbackBody;

/// The id of an event that the row of this key says: see [`Event::id`].
#[must_use]
pub fn event_id(event: &Event, row_key: &str) -> String {
    // A list that a row has with it has a hash. A row that is full has the list's signature alone.
    event.id(row_key, |list| {
        let hash = signing::list_hash(&list.additional_data).map(ListHash::from);
        hash.map_or_else(|_| list.signature.clone(), |hash| hash.as_str().to_owned())
    })
}

/// The keys that verify a postback, as a secret has them.
#[derive(Debug, Deserialize)]
pub struct PostbackSecrets {
    /// The public key that every postback names.
    pub access_key: String,
    /// The public key before the last rotation, if that has changed it.
    #[serde(default)]
    pub access_key_previous: Option<String>,
    /// Signs postbacks.
    pub postback_private_key: SecretString,
    /// Signed postbacks before the last rotation, if that has changed it.
    #[serde(default)]
    pub postback_private_key_previous: Option<SecretString>,
}

impl PostbackSecrets {
    /// The keys that are valid now.
    #[must_use]
    pub fn keys(&self) -> PostbackKeys<'_> {
        let keys = PostbackKeys::new(&self.access_key, &self.postback_private_key);
        let (access_key, private_key) = (&self.access_key_previous, &self.postback_private_key_previous);
        let is_rotated = access_key.is_some() || private_key.is_some();
        let previous = is_rotated.then(|| KeyPair {
            access_key: access_key.as_deref().unwrap_or(&self.access_key),
            private_key: private_key.as_ref().unwrap_or(&self.postback_private_key),
        });
        PostbackKeys { previous, ..keys }
    }
}

/// The keys that verify evidence: those of today, and those that were retired.
#[derive(Debug, Deserialize)]
pub struct EvidenceKeys {
    /// The keys of today.
    #[serde(flatten)]
    pub of_today: PostbackSecrets,
    /// Keys that sign no more.
    #[serde(default)]
    pub retired_postback_keys: Vec<RetiredKeys>,
}

/// A pair of keys that was retired. Only what came before is proved by it: later, whoever has found the key may have signed it.
#[derive(Debug, Deserialize)]
pub struct RetiredKeys {
    /// The public key.
    access_key: String,
    /// The private key.
    private_key: SecretString,
    /// When it was retired, in milliseconds since 1970.
    retired_at_ms: Timestamp,
}

/// Why evidence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// No key gives the signature: a key that was rotated away, or none of the provider's.
    #[error("no key verifies the signature")]
    NoKey,
    /// It is no signed list with such an element, whatever the key.
    #[error("it is no evidence: {0}")]
    NoEvidence(String),
}

impl Unproved {
    /// The list that a row refers to was not found.
    #[must_use]
    pub fn no_list() -> Self {
        Self::NoEvidence("its signed list has no row".into())
    }
}

/// Verifies a signed list with these keys.
///
/// # Errors
/// [`Unproved`] if it does not verify.
pub fn verify_list<T>(
    keys: &PostbackKeys<'_>,
    list: &SignedList,
    then: impl FnOnce(&Verified<'_>) -> T,
) -> Result<T, Unproved> {
    let body = PostbackBody::around(&list.additional_data, &list.signature, &list.access_key);
    let body = body.map_err(|_| Unproved::NoEvidence("the signed text is not JSON".into()))?.to_string();
    let verified = verify(body.as_bytes(), keys).map_err(|cause| match cause {
        NotVerified::Signature | NotVerified::AccessKey => Unproved::NoKey,
        NotVerified::Malformed(_) => Unproved::NoEvidence(cause.to_string()),
    })?;
    Ok(then(&verified))
}

/// What a function that has the keys says about a signed list. It tells nobody a key.
///
/// # Examples
/// ```
/// use domain::Timestamp;
/// use paykassma::Verdict;
///
/// let verdict = Verdict::Verified { retired_at_ms: Some(Timestamp(50)) };
/// assert_eq!(serde_json::to_string(&verdict)?, r#"{"verdict":"verified","retired_at_ms":50}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A key gives the signature.
    Verified {
        /// When the key was retired; absent for a key of today. Only what came before is proved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retired_at_ms: Option<Timestamp>,
    },
    /// No key gives the signature.
    NoKey,
    /// It is no signed list, whatever the key.
    NoEvidence {
        /// Why not.
        reason: String,
    },
}

impl Verdict {
    /// Verifies a list with the keys of today, else with those that were retired.
    #[must_use]
    pub fn of(keys: &EvidenceKeys, list: &SignedList) -> Self {
        match VerifiedList::of(keys, list) {
            Ok(verified) => Self::Verified { retired_at_ms: verified.retired_at },
            Err(Unproved::NoKey) => Self::NoKey,
            Err(Unproved::NoEvidence(reason)) => Self::NoEvidence { reason },
        }
    }
}

/// A signed list that was verified once. Each element is read when it is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedList {
    hash: ListHash,
    texts: Vec<Box<str>>,
    fault: Option<&'static str>,
    /// When the key that verifies it was retired.
    retired_at: Option<Timestamp>,
}

impl VerifiedList {
    /// Verifies a list with the keys of today, else with those that were retired.
    ///
    /// # Errors
    /// [`Unproved`] if it does not verify.
    pub fn of(keys: &EvidenceKeys, list: &SignedList) -> Result<Self, Unproved> {
        let today = Self::by(&keys.of_today.keys(), list, None);
        let retired = keys.retired_postback_keys.iter();
        let mut retired: Vec<_> = retired.filter(|pair| pair.access_key == list.access_key).collect();
        retired.sort_by_key(|pair| std::cmp::Reverse(pair.retired_at_ms));
        retired.into_iter().fold(today, |known, pair| match known {
            Err(Unproved::NoKey) => {
                let access_key = &pair.access_key;
                let keys = PostbackKeys::new(access_key, &pair.private_key);
                Self::by(&keys, list, Some(pair.retired_at_ms))
            }
            known => known,
        })
    }

    fn by(keys: &PostbackKeys<'_>, list: &SignedList, retired_at: Option<Timestamp>) -> Result<Self, Unproved> {
        verify_list(keys, list, |verified| {
            Self::read(verified.list_hash().into(), verified.additional_data(), retired_at)
        })
    }

    /// The list, on the word of a function that has the keys and was given this list.
    ///
    /// # Errors
    /// [`Unproved`] if it did not verify.
    pub fn vouched(list: &SignedList, verdict: Verdict) -> Result<Self, Unproved> {
        match verdict {
            Verdict::Verified { retired_at_ms } => {
                let hash = signing::list_hash(&list.additional_data);
                let hash = hash.map_err(|cause| Unproved::NoEvidence(cause.to_string()))?.into();
                Ok(Self::read(hash, &list.additional_data, retired_at_ms))
            }
            Verdict::NoKey => Err(Unproved::NoKey),
            Verdict::NoEvidence { reason } => Err(Unproved::NoEvidence(reason)),
        }
    }

    fn read(hash: ListHash, additional_data: &str, retired_at: Option<Timestamp>) -> Self {
        let SignedElements { texts, fault } = signed_elements(additional_data);
        Self { hash, texts: texts.into_iter().map(Box::from).collect(), fault, retired_at }
    }

    /// The hash that it has.
    #[must_use]
    pub fn hash(&self) -> &ListHash {
        &self.hash
    }

    /// How many elements it has.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.texts.len()
    }

    /// The element in this place, from 0, which came at this time. `separator` is the one with which the ids of attempts are made.
    ///
    /// # Errors
    /// [`Unproved`] if there is none, or if it came when the key was retired already.
    pub fn element(&self, place: usize, received_at: Timestamp, separator: Separator) -> Result<Element, Unproved> {
        if self.retired_at.is_some_and(|retired_at| received_at >= retired_at) {
            return Err(Unproved::NoKey);
        }
        let text = self.texts.get(place).map(Box::as_ref);
        let read = text.and_then(|text| read_element(text, self.fault, separator));
        read.ok_or_else(|| Unproved::NoEvidence("the signed list has no such element".into()))
    }

    /// The element of an evidence.
    ///
    /// # Errors
    /// As of [`VerifiedList::element`].
    pub fn element_of(&self, evidence: &Evidence, separator: Separator) -> Result<Element, Unproved> {
        self.element(evidence.element, evidence.received_at, separator)
    }
}

/// Reads the text of an element. Its evidence is not the row's.
fn read_element(text: &str, fault: Option<&'static str>, separator: Separator) -> Option<Element> {
    let postback = Postback { list: SignedElements { texts: vec![text], fault }, unsigned: Unsigned::default() };
    let nowhere = ListPlace::Stored { list: ListHash::from([0; 32]) };
    postback.elements(&nowhere, Timestamp(0), separator).next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use signing::{Spelling, sign_postback};

    use super::*;

    fn list(access_key: &str, private_key: &str) -> SignedList {
        let additional_data = json!([{"amount": "700", "currency_code": "INR", "wallet_type": "paytm",
            "transaction_id": "1", "plugin_custom_order_id": "o"}])
        .to_string();
        let signature = sign_postback(&additional_data, Spelling::Flagged, access_key, &private_key.into()).unwrap();
        SignedList { additional_data, signature, access_key: access_key.into() }
    }

    fn keys() -> EvidenceKeys {
        let pair = |key: &str, at: u64| json!({"access_key": "public", "private_key": key, "retired_at_ms": at});
        let other = json!({"access_key": "old", "private_key": "third", "retired_at_ms": 50});
        let keys = json!({"access_key": "public", "postback_private_key": "now", "postback_private_key_previous": "before",
            "retired_postback_keys": [pair("first", 100), pair("second", 200), other]});
        serde_json::from_value(keys).unwrap()
    }

    #[test]
    fn a_retired_key_proves_what_came_before_it_was_retired_and_nothing_later() {
        for (access_key, private_key, last) in [
            ("public", "now", u64::MAX),
            ("public", "before", u64::MAX),
            ("public", "first", 99),
            ("public", "second", 199),
            ("old", "third", 49),
        ] {
            let verified = VerifiedList::of(&keys(), &list(access_key, private_key)).unwrap();
            let at = |ms| verified.element(0, Timestamp(ms), Separator::Dot);
            assert!(matches!(at(last), Ok(Element::Deposit(_))), "{private_key}");
            if last < u64::MAX {
                assert_eq!(at(last + 1), Err(Unproved::NoKey), "{private_key}");
            }
        }
        for (access_key, private_key) in
            [("public", "invented"), ("other", "before"), ("old", "now"), ("public", "third"), ("third", "now")]
        {
            let error = VerifiedList::of(&keys(), &list(access_key, private_key)).unwrap_err();
            assert_eq!(error, Unproved::NoKey, "{access_key} {private_key}");
        }
    }

    #[test]
    fn a_list_on_the_word_of_a_function_is_the_verified_list() {
        for (access_key, private_key) in [("public", "now"), ("old", "third"), ("public", "invented")] {
            let list = list(access_key, private_key);
            let verdict = Verdict::of(&keys(), &list);
            let on_the_wire = serde_json::to_string(&verdict).unwrap();
            let vouched = VerifiedList::vouched(&list, serde_json::from_str(&on_the_wire).unwrap());
            assert_eq!(vouched, VerifiedList::of(&keys(), &list), "{on_the_wire}");
        }
        let broken = SignedList { additional_data: "[".into(), ..list("public", "now") };
        assert_eq!(VerifiedList::vouched(&broken, Verdict::of(&keys(), &broken)), VerifiedList::of(&keys(), &broken));
    }

    #[test]
    fn a_pair_before_a_rotation_proves_under_its_own_access_key() {
        let keys: EvidenceKeys = serde_json::from_value(json!({"access_key": "public", "postback_private_key": "now",
            "access_key_previous": "before", "postback_private_key_previous": "then"}))
        .unwrap();
        assert!(VerifiedList::of(&keys, &list("before", "then")).is_ok());
        for (access_key, private_key) in [("public", "then"), ("before", "now")] {
            let error = VerifiedList::of(&keys, &list(access_key, private_key)).unwrap_err();
            assert_eq!(error, Unproved::NoKey, "{access_key} {private_key}");
        }
    }

    #[test]
    fn what_is_no_signed_list_is_no_evidence_whatever_the_key() {
        let genuine = list("public", "now");
        let text = |additional_data: &str| SignedList { additional_data: additional_data.into(), ..genuine.clone() };
        for broken in ["", "nonsense", "[{\"a\":1,\"a\":2}]"] {
            let error = VerifiedList::of(&keys(), &text(broken)).unwrap_err();
            assert!(matches!(error, Unproved::NoEvidence(_)), "{broken}: {error}");
        }
        let verified = VerifiedList::of(&keys(), &genuine).unwrap();
        let missing = verified.element(1, Timestamp(0), Separator::Dot);
        assert!(matches!(missing, Err(Unproved::NoEvidence(_))));
        assert_eq!(
            (verified.elements(), verified.hash()),
            (1, &signing::list_hash(&genuine.additional_data).unwrap().into())
        );
    }
}
