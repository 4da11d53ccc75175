//! Everything that the simulated provider holds in memory. It knows nothing of HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::watch;

use crate::deposits::Deposits;
use crate::faults::Faults;
use crate::postback::Keys;
use crate::settings::Settings;
use crate::withdrawals::Withdrawals;

/// A postback that was written, and how its sending went.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SentPostback {
    pub(crate) body: String,
    pub(crate) sends: u64,
    pub(crate) last_status: Option<u16>,
    pub(crate) last_body: String,
    pub(crate) delivered: bool,
}

/// The part that changes with every call.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) deposits: Deposits,
    pub(crate) withdrawals: Withdrawals,
    pub(crate) faults: Faults,
    pub(crate) postbacks: Vec<SentPostback>,
    pub(crate) log: Vec<String>,
}

/// The keys and secrets that the provider shares with the merchant.
pub(crate) struct ProviderSecrets {
    pub(crate) pluginapi_secret: SecretString,
    pub(crate) withdrawal_key: SecretString,
    pub(crate) postback_keys: Keys,
}

/// The simulated provider.
pub(crate) struct Provider {
    pub(crate) secrets: ProviderSecrets,
    settings: watch::Sender<Settings>,
    is_stopped: watch::Sender<bool>,
    records: Mutex<Records>,
}

impl Provider {
    /// Makes a provider to which nothing has happened.
    pub(crate) fn new(secrets: ProviderSecrets) -> Self {
        Self {
            secrets,
            settings: watch::Sender::new(Settings::default()),
            is_stopped: watch::Sender::new(false),
            records: Mutex::new(Records::default()),
        }
    }

    /// Locks the records. Never hold the lock across an await.
    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the settings as they are now.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// Replaces the settings.
    pub(crate) fn change_settings(&self, settings: Settings) {
        self.settings.send_replace(settings);
    }

    /// Waits until the settings allow postbacks to be sent.
    pub(crate) async fn until_postbacks_are_sent(&self) {
        let mut settings = self.settings.subscribe();
        let _ = settings.wait_for(|settings| settings.send_postbacks).await;
    }

    /// Whether this is the secret of the deposit calls.
    pub(crate) fn is_pluginapi_secret(&self, secret: &str) -> bool {
        secret == self.secrets.pluginapi_secret.expose_secret()
    }

    /// Writes a line into the log.
    pub(crate) fn log(&self, line: String) {
        self.records().log.push(line);
    }

    /// Stores a body that is going to be sent, and gives its id.
    pub(crate) fn record_postback(&self, body: String) -> usize {
        let mut records = self.records();
        records.postbacks.push(SentPostback { body, ..SentPostback::default() });
        records.postbacks.len().saturating_sub(1)
    }

    /// Ends everything that waits for [`Self::stopped`].
    pub(crate) fn stop(&self) {
        self.is_stopped.send_replace(true);
    }

    /// Waits until the provider is stopped.
    pub(crate) async fn stopped(&self) {
        let mut is_stopped = self.is_stopped.subscribe();
        let _ = is_stopped.wait_for(|stopped| *stopped).await;
    }

    /// Runs a task beside the calls until the provider is stopped.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let provider = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = task => {}
                () = provider.stopped() => {}
            }
        });
    }
}
