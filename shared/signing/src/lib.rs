//! The provider's signatures, and ours of posted events. Bytes go in; a signature or a verdict comes out.
//!
//! A postback is verified over the bytes that arrived, never over a value that was parsed and written again.

mod envelope;
mod escape;
mod postback;
mod scan;
mod spelling;
mod webhook;
mod withdrawal;

pub use postback::{
    KeyPair, NotVerified, PostbackKeys, PostbackSteps, Verified, WhichPair, explain_postback, list_hash, sign_postback,
    verify,
};
pub use scan::Malformed;
pub use spelling::Spelling;
pub use webhook::{BadWebhookKey, WebhookKey, sign_webhook};
pub use withdrawal::{WithdrawalSteps, WithdrawalValue, explain_withdrawal, sign_withdrawal, verify_withdrawal};
