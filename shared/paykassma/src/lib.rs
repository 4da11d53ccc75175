//! The provider: its wire types and its HTTP client. Outcomes are classified by evidence; nothing is decided here.
//!
//! The plug-in secret stands in the provider's URL, so no URL gets into an outcome, and this crate logs nothing.

mod answer;
mod client;
mod deposits;
mod json;
mod json_object;
mod postback;
mod postback_writer;
mod requests;
mod url;
mod window;
mod withdrawals;
mod written_amount;

pub use client::{Client, Unbuildable, tls};
pub use deposits::{ActivateTransaction, Activation, ActivationRequest, CreateTransaction, Creation};
pub use json_object::{JsonObject, JsonToken};
pub use postback::{Element, read_postback};
pub use postback_writer::{
    PostbackBody, UnsignedFields, WrittenMoney, blank_element, deposit_element, withdrawal_element, write_list,
};
pub use requests::withdrawal_body;
pub use url::BaseUrl;
pub use window::payment_window_url;
pub use withdrawals::SubmitWithdrawal;
pub use written_amount::WrittenAmount;
