//! A merchant's token: only its hash is stored.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 hash of a token. Tokens are long and random, so that nothing slower is needed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether it is one of these, in a time that does not depend on which.
    #[must_use]
    pub fn is_among(&self, known: &[Self]) -> bool {
        known.iter().fold(Choice::from(0), |found, it| found | self.0.ct_eq(&it.0)).into()
    }
}

impl TryFrom<String> for TokenHash {
    type Error = hex::FromHexError;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map(|()| Self(hash))
    }
}
