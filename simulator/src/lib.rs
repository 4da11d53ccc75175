//! The simulated provider: stateful, in memory, and as strict as the provider's page (docs/provider-protocol.md 1 to 3).
//!
//! It answers `POST /api/v1/transaction/create/{wallet_type}`, `POST /api/v1/transaction/activate` and
//! `POST /v2/withdrawal/create`. It sends signed postbacks by itself, each until it is answered 200 `{"status":"ok"}`.
//!
//! docs/testing.md describes the control API under `/_control`, the payment window and the back office. They stand for the user who pays,
//! the people at the provider, and the network.

mod actions;
mod backoffice;
mod call_reply;
mod calls;
mod clock;
mod connection;
mod control;
mod control_reply;
mod deposit_calls;
mod deposits;
mod exchange;
mod fault_injection;
mod faults;
mod json_response;
mod live;
mod loopback;
mod newest;
mod postback;
mod postback_batch;
mod postback_copy;
mod postback_sender;
mod provider;
mod request_fields;
mod routes;
mod sent_postback;
mod settings;
mod signed_fields;
mod simulator;
mod test_amounts;
mod wallets;
mod window;
mod withdrawal_calls;
mod withdrawals;

pub use exchange::{Answer, MerchantClient, NoAnswer};
pub use loopback::is_loopback;
pub use newest::Newest;
pub use pages::{HostName, guard};
pub use postback::change_signed_digit;
pub use simulator::{Simulator, SimulatorOptions, window_url};
