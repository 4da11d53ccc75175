//! Everything that the simulator holds in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::watch;

use super::deposits::Deposits;
use super::faults::Faults;
use super::postback::Keys;
use super::settings::Settings;
use super::withdrawals::Withdrawals;

/// A postback that has been made, and how its sending went.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Sent {
    pub(super) body: String,
    pub(super) sends: u64,
    pub(super) last_status: Option<u16>,
    pub(super) last_body: String,
    pub(super) delivered: bool,
}

/// What changes.
#[derive(Default)]
pub(super) struct State {
    pub(super) deposits: Deposits,
    pub(super) withdrawals: Withdrawals,
    pub(super) faults: Faults,
    pub(super) postbacks: Vec<Sent>,
    pub(super) log: Vec<String>,
}

/// What a simulator is set up with.
pub(super) struct World {
    pub(super) keys: Keys,
    pub(super) pluginapi_secret: SecretString,
    pub(super) withdrawal_key: SecretString,
    pub(super) postback_url: String,
    pub(super) repeat_after: Duration,
    pub(super) http: reqwest::Client,
    pub(super) settings: watch::Sender<Settings>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) state: Mutex<State>,
}

impl World {
    /// Locks the state; never across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the settings as they are now.
    pub(super) fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// Writes a line into the log.
    pub(super) fn log(&self, line: String) {
        self.state().log.push(line);
    }

    /// Ends when the simulator is dropped.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stopped| *stopped).await;
    }

    /// Runs something beside the requests, until the simulator is dropped.
    pub(super) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let world = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = world.stopped() => {}
            }
        });
    }
}
