//! The secrets and the merchant's token of a run.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::secrets_manager::{DEPOSITS, EVENTS, POSTBACKS, TOKENS, Texts, WITHDRAWALS};

/// What the functions share with the provider.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The secret in the provider's deposit URLs.
    pub pluginapi_secret: String,
    /// Signs withdrawals.
    pub withdrawal_private_key: String,
    /// The public half of a postback's signature.
    pub access_key: String,
    /// The private half of a postback's signature.
    pub postback_private_key: String,
    /// The unguessable last part of the postback URL.
    pub postback_token: String,
    /// Signs posted events: `whsec_..`. A file of an older release has none.
    #[serde(default)]
    pub events_secret: String,
}

/// Everything secret that a stack is started with.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// What a merchant sends as `Authorization: Bearer {token}`.
    pub merchant_token: String,
    /// What the functions read.
    pub secrets: Secrets,
}

impl Credentials {
    /// Makes new ones, each 32 hex digits of the system's randomness.
    ///
    /// # Errors
    ///
    /// The system's source of randomness cannot be read.
    pub fn random() -> io::Result<Credentials> {
        Ok(Credentials {
            merchant_token: random_hex()?,
            secrets: Secrets {
                pluginapi_secret: random_hex()?,
                withdrawal_private_key: random_hex()?,
                access_key: random_hex()?,
                postback_private_key: random_hex()?,
                postback_token: random_hex()?,
                events_secret: new_events_secret()?,
            },
        })
    }

    /// The secrets of the functions, one for each purpose. Of the merchant's token there is only the hash.
    pub(crate) fn texts(&self) -> Texts {
        let Secrets {
            pluginapi_secret,
            withdrawal_private_key,
            access_key,
            postback_private_key,
            postback_token,
            events_secret,
        } = &self.secrets;
        let hash = hex::encode(Sha256::digest(&self.merchant_token));
        let postbacks = json!({"access_key": access_key, "postback_private_key": postback_private_key,
            "postback_token": postback_token});
        let texts = [
            (DEPOSITS, json!({"pluginapi_secret": pluginapi_secret})),
            (WITHDRAWALS, json!({"withdrawal_private_key": withdrawal_private_key})),
            (POSTBACKS, postbacks),
            (TOKENS, json!({"merchant_token_hashes": [hash]})),
            (EVENTS, json!({"events_secret": events_secret})),
        ];
        texts.map(|(name, text)| (name, text.to_string())).into()
    }

    /// Reads them from the file, or makes new ones and writes them there, for the owner's eyes only.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, or holds something else.
    pub fn kept_in(file: &Path) -> io::Result<Credentials> {
        match std::fs::read(file) {
            Ok(bytes) => {
                let mut known: Credentials = serde_json::from_slice(&bytes)?;
                if !known.secrets.events_secret.is_empty() {
                    return Ok(known);
                }
                known.secrets.events_secret = new_events_secret()?;
                known.write(file)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::random()?.write(file),
            Err(error) => Err(error),
        }
    }

    fn write(self, file: &Path) -> io::Result<Credentials> {
        write_private(file, &serde_json::to_vec_pretty(&self)?)?;
        Ok(self)
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(file: &Path, contents: &[u8]) -> io::Result<()> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    let mut draft = NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    draft.write_all(contents)?;
    draft.persist(file)?;
    Ok(())
}

fn new_events_secret() -> io::Result<String> {
    random::<32>().map(|bytes| format!("whsec_{}", BASE64_STANDARD.encode(bytes)))
}

fn random_hex() -> io::Result<String> {
    random::<16>().map(hex::encode)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_older_release_gets_the_key_that_it_lacks_and_keeps_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("credentials.json");
        let first = Credentials::kept_in(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let key = first.secrets.events_secret.clone();
        std::fs::write(&file, text.replace(&key, "")).unwrap();
        let second = Credentials::kept_in(&file).unwrap();
        assert_eq!(second.merchant_token, first.merchant_token);
        assert!(second.secrets.events_secret.starts_with("whsec_") && second.secrets.events_secret != key);
        assert_eq!(Credentials::kept_in(&file).unwrap().secrets.events_secret, second.secrets.events_secret);
    }
}
