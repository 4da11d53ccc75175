//! The provider's simulator: stateful, in memory, and as strict as the provider's page (PROTOCOL 1 to 3).
//!
//! It answers `POST /api/v1/transaction/create/{wallet_type}`, `POST /api/v1/transaction/activate` and
//! `POST /v2/withdrawal/create`, and sends signed postbacks on its own until each is answered 200 `{"status":"ok"}`.
//!
//! # The control API, JSON under `/_control`
//!
//! A refused control call answers 4xx `{"message"}`. `*` marks what may be left out.
//!
//! | call | fields | what it does |
//! |---|---|---|
//! | `POST payments` | `transaction_id, amount, wallet_type*, currency_code*, custom_transaction_id*, label*` | A user has paid. The activation that names the number is credited, also one that is waiting already. With an order and a label: paid through the payment window, so the postback goes out at once. Answers `{"postback": id or null}`. |
//! | `POST withdrawals/{id}/settle` | `status, amount*` | Ends an accepted withdrawal with any status and posts it back, as often as it is called. Answers `{"postback": id}`. |
//! | `GET withdrawals/{id}` | | `withdrawal_id, state (refused, new, settled), status, received, distinct_bodies, withdrawals`. |
//! | `GET log` | | Lines of text. |
//! | `GET postbacks` | | Every postback by id: `body, sends, last_status, last_body, delivered`. |
//! | `POST postbacks` | see below | Sends any postback; answers `{"sent", "statuses": {"200": n}, "bodies": [..]}` when all are answered. |
//! | `POST faults` | `on, fault, times*, processed*` | The next calls of that kind go wrong. |
//! | `DELETE faults` | | No more of them. |
//! | `GET settings`, `POST settings` | any of `Settings` | `dedup, balance_first, balance, withdrawal_min, withdrawal_max, activation_default (pending, possible_transaction_created), send_postbacks, early_postback, wire_spelling (flagged, default)`. |
//!
//! **Postbacks.** `body` is sent as it stands. Otherwise `elements` (each completed to the provider's shape) or one made of
//! `transaction_id, custom_transaction_id, withdrawal_id, withdrawal_status, amount`, under the top level
//! `direction (ingoing, outgoing), label, amount, currency_code, wallet_type`; all rightly signed. `separate`: one
//! postback per element. `copies` (at most 100,000), `parallel`: how many, and how many at a time. `shuffle`: the elements of every further copy, and
//! the order of sending. `until_ok`: each again until ok, at most 100 times. `sign: false`: an empty signature.
//! `tamper`: `signed_byte: n` changes the n-th digit of the list after signing; every other name replaces a top-level field
//! after signing (`amount`, `label`, `direction`, `signature`, `access_key`, ...).
//!
//! **Faults.** `on`: `create`, `activate`, `withdrawal`. `fault`: `reset_before` (before the body is read), `reset_after`,
//! `slow_headers {ms}`, `slow_body {ms}`, `hang`, `status {code, body*}`, `empty`, `html`, `truncated`, `trailing_comma`,
//! `unknown_status`, `message_string {message*}`, `message_map`, `huge` (10 MB), `accepted_but_lost` (502). The call has its
//! effect unless the fault is `reset_before`, `status` or a message; `processed` says otherwise, but not for `reset_before`. A
//! refused connection cannot be had per call: use a port on which nothing listens.

mod amount;
mod api;
mod batch;
mod connection;
mod control;
mod deposit_calls;
mod deposits;
mod faults;
mod fields;
mod object;
mod postback;
mod sender;
mod server;
mod settings;
mod state;
mod wallets;
mod withdrawal_calls;
mod withdrawals;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::postback::Keys;
use crate::settings::Settings;
use crate::state::{State, World};

/// No answer to a postback takes longer: more than a function's own limit with a cold start.
const POSTBACK_TIMEOUT: Duration = Duration::from_secs(30);

/// What a simulator needs to know.
pub struct ProviderOptions {
    /// Where it listens.
    pub listener: TcpListener,
    /// The merchant's URL for postbacks.
    pub postback_url: String,
    /// The `secret` of the deposit calls.
    pub pluginapi_secret: String,
    /// The key of the withdrawals' signatures.
    pub withdrawal_private_key: String,
    /// The public key of postbacks.
    pub access_key: String,
    /// The private key of postbacks.
    pub postback_private_key: String,
    /// The time between repeats of a postback that was not answered ok.
    pub repeat_after: Duration,
}

/// A running simulator; dropping it ends it.
pub struct Provider {
    world: Arc<World>,
    url: String,
}

impl Provider {
    /// Starts a simulator on the current runtime.
    ///
    /// # Errors
    /// When the listener has no address or the HTTP client cannot be built.
    #[expect(clippy::unused_async, reason = "it spawns, so it has to be called within a runtime")]
    pub async fn start(options: ProviderOptions) -> io::Result<Self> {
        let url = format!("http://{}", options.listener.local_addr()?);
        let world = Arc::new(World {
            keys: Keys { access_key: options.access_key, private_key: options.postback_private_key.into() },
            pluginapi_secret: options.pluginapi_secret.into(),
            withdrawal_key: options.withdrawal_private_key.into(),
            postback_url: options.postback_url,
            repeat_after: options.repeat_after,
            http: client()?,
            settings: watch::Sender::new(Settings::default()),
            stop: watch::Sender::new(false),
            state: Mutex::new(State::default()),
        });
        let serving = Arc::clone(&world);
        tokio::spawn(async move {
            if let Err(error) = server::serve(options.listener, Arc::clone(&serving)).await {
                serving.log(format!("the server ended: {error}"));
            }
        });
        Ok(Self { world, url })
    }

    /// Gives the base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Gives the log's lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.world.state().log.clone()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.world.stop.send_replace(true);
    }
}

/// The client for postbacks; the merchant's side is on this machine.
fn client() -> io::Result<reqwest::Client> {
    let tls = paykassma::tls().map_err(io::Error::other)?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(POSTBACK_TIMEOUT)
        .build()
        .map_err(io::Error::other)
}
