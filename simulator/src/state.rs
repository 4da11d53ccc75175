//! Everything that the simulator holds in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::watch;

use crate::deposits::Deposits;
use crate::faults::Faults;
use crate::postback::Keys;
use crate::settings::Settings;
use crate::withdrawals::Withdrawals;

/// A postback that has been made, and how its sending went.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Sent {
    pub(crate) body: String,
    pub(crate) sends: u64,
    pub(crate) last_status: Option<u16>,
    pub(crate) last_body: String,
    pub(crate) delivered: bool,
}

/// What changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) deposits: Deposits,
    pub(crate) withdrawals: Withdrawals,
    pub(crate) faults: Faults,
    pub(crate) postbacks: Vec<Sent>,
    pub(crate) log: Vec<String>,
}

/// What a simulator is set up with.
pub(crate) struct World {
    pub(crate) keys: Keys,
    pub(crate) pluginapi_secret: SecretString,
    pub(crate) withdrawal_key: SecretString,
    pub(crate) postback_url: String,
    pub(crate) repeat_after: Duration,
    pub(crate) http: reqwest::Client,
    pub(crate) settings: watch::Sender<Settings>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) state: Mutex<State>,
}

impl World {
    /// Locks the state; never across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the settings as they are now.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// Writes a line into the log.
    pub(crate) fn log(&self, line: String) {
        self.state().log.push(line);
    }

    /// Ends when the simulator is dropped.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stopped| *stopped).await;
    }

    /// Runs something beside the requests, until the simulator is dropped.
    pub(crate) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let world = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                () = world.stopped() => {}
            }
        });
    }
}
