//! The provider: what it sends and receives, and the HTTP client for it. This crate says what is certain about a request. It decides
//! nothing.
//!
//! The plug-in secret is part of the provider's URL. So no result has a URL in it, and this crate logs nothing.

mod answer;
mod client;
mod deposits;
mod evidence;
mod json;
mod json_object;
mod postback;
mod postback_writer;
mod requests;
mod url;
mod window;
mod withdrawals;
mod written_amount;

pub use client::{Answered, CONNECT_TIMEOUT, Client, Unbuildable, tls};
pub use deposits::{ActivateTransaction, Activation, ActivationRequest, CreateTransaction, Creation};
pub use evidence::{
    EvidenceKeys, PostbackSecrets, RetiredKeys, Unproved, Verdict, VerifiedList, event_id, verify_list,
};
pub use json_object::{JsonObject, JsonToken};
pub use postback::{Element, Postback, SignedElements, read_postback, signed_elements};
pub use postback_writer::{
    PostbackBody, UnsignedFields, WrittenMoney, blank_element, deposit_element, withdrawal_element, write_list,
};
pub use requests::withdrawal_body;
pub use url::BaseUrl;
pub use window::{WindowParameters, payment_window_url};
pub use withdrawals::SubmitWithdrawal;
pub use written_amount::WrittenAmount;

/// The provider gave no answer that decides anything. The reason is for the log, and names no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider did not answer: {0}")]
pub struct NotAnswered(pub String);
