//! Short hashes, for ids and keys.

use sha2::{Digest, Sha256};

/// The first hex digits of a text's SHA-256.
pub(crate) fn hash(text: &str, length: usize) -> String {
    let mut digits = hex::encode(Sha256::digest(text.as_bytes()));
    digits.truncate(length);
    digits
}

/// Whether [`hash`] gives such texts.
pub(crate) fn is_hash(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
