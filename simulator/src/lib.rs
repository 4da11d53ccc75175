//! The simulated provider: stateful, in memory, and as strict as the provider's page (docs/provider-protocol.md 1 to 3).
//!
//! It answers `POST /api/v1/transaction/create/{wallet_type}`, `POST /api/v1/transaction/activate` and
//! `POST /v2/withdrawal/create`. It sends signed postbacks by itself, each until it is answered 200 `{"status":"ok"}`.
//!
//! # The control API
//!
//! JSON under `/_control`. It stands for the user who pays, the provider's back office and the network. A call that fails
//! is answered 4xx `{"message"}`. `*` marks optional fields.
//!
//! | call | fields | what it does |
//! |---|---|---|
//! | `POST payments` | `transaction_id, amount, wallet_type*, currency_code*, custom_transaction_id*, label*` | A user has paid. The activation that names the number is credited, even if it came first. With an order and a label the user paid through the payment window, and the postback is sent at once. Answers `{"postback": id or null}`. |
//! | `POST withdrawals/{id}/settle` | `status, amount*` | Ends an accepted withdrawal with any status and sends the postback, as often as it is called. Answers `{"postback": id}`. |
//! | `GET withdrawals/{id}` | | `withdrawal_id, state (refused, new, settled), status, received, distinct_bodies, accepted_count`. |
//! | `GET log` | | A list of lines. |
//! | `GET postbacks` | | Every postback in the order of its id: `body, sends, last_status, last_body, delivered`. |
//! | `POST postbacks` | see below | Sends any postbacks. When all are answered: `{"sent", "statuses": {"200": n}, "bodies": [..]}`. |
//! | `POST faults` | `on, fault, times*, processed*` | The next calls of that kind go wrong. |
//! | `DELETE faults` | | Cancels all ordered faults. |
//! | `GET settings`, `POST settings` | any of the settings | `dedup, balance_first, balance, withdrawal_min, withdrawal_max, activation_default (pending, possible_transaction_created), send_postbacks, early_postback, wire_spelling (flagged, default)`. |
//!
//! **Postbacks.** `body` is sent as it is. Otherwise the list has the `elements`, each completed to the provider's shape,
//! or one element made of `transaction_id, custom_transaction_id, withdrawal_id, withdrawal_status, amount`. The top level
//! has `direction (ingoing, outgoing), label, amount, currency_code, wallet_type`. The list is signed correctly.
//!
//! - `separate`: one postback for each element.
//! - `copies` (at most 100,000) and `parallel`: how many, and how many at a time.
//! - `shuffle`: another order of the elements in each further copy, and a random order of sending.
//! - `until_ok`: each is sent again until it is answered ok, at most 100 times.
//! - `sign: false`: the signature is empty.
//! - `tamper`: `signed_byte: n` changes the n-th digit of the list after signing. Any other name replaces a top-level field
//!   after signing (`amount`, `label`, `direction`, `signature`, `access_key`, ...).
//!
//! **Faults.** `on`: `create`, `activate`, `withdrawal`. `fault`: `reset_before` (before the body is read), `reset_after`,
//! `slow_headers {ms}`, `slow_body {ms}`, `hang`, `status {code, body*}`, `empty`, `html`, `truncated`, `trailing_comma`,
//! `unknown_status`, `message_string {message*}`, `message_map`, `empty_list`, `null_params`, `no_params`, `byte_order_mark`,
//! `no_status {code*}`, `echo {status*}` (the message repeats the request's fields), `huge` (10 MB), `accepted_but_lost` (502).
//! The call has its effect unless the fault is `reset_before`, `status`, a message, `no_status` or `echo`. `processed` overrides
//! this, except for `reset_before`. A connection cannot be refused per call: use a port on which nothing listens.

mod call_reply;
mod connection;
mod control;
mod control_reply;
mod deposit_calls;
mod deposits;
mod exchange;
mod fault_injection;
mod faults;
mod guard;
mod json_response;
mod postback;
mod postback_batch;
mod postback_sender;
mod provider;
mod request_fields;
mod routes;
mod settings;
mod simulator;
mod wallets;
mod withdrawal_calls;
mod withdrawals;

pub use exchange::{Answer, MerchantClient, NoAnswer};
pub use guard::{HostName, guard};
pub use postback::change_signed_digit;
pub use simulator::{Simulator, SimulatorOptions};
