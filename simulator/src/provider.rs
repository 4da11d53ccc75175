//! Everything that the simulated provider holds in memory. It knows nothing of HTTP.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use crate::calls::RecordedCall;
use crate::deposits::Deposits;
use crate::faults::Faults;
use crate::newest::Newest;
use crate::postback::Keys;
use crate::sent_postback::{RecordedPostback, SentPostback};
use crate::settings::Settings;
use crate::withdrawals::Withdrawals;

/// How many postbacks, calls and lines of the log are remembered, and how many bytes of each.
const REMEMBERED: usize = 10_000;
const REMEMBERED_BYTES: usize = 64 * 1024 * 1024;

/// The part that changes with every call.
pub(crate) struct Records {
    pub(crate) deposits: Deposits,
    pub(crate) withdrawals: Withdrawals,
    pub(crate) faults: Faults,
    pub(crate) postbacks: Newest<SentPostback>,
    pub(crate) calls: Newest<RecordedCall>,
    pub(crate) log: Newest<String>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            deposits: Deposits::default(),
            withdrawals: Withdrawals::default(),
            faults: Faults::default(),
            postbacks: Newest::new(REMEMBERED, REMEMBERED_BYTES),
            calls: Newest::new(REMEMBERED, REMEMBERED_BYTES),
            log: Newest::new(REMEMBERED, REMEMBERED_BYTES),
        }
    }
}

impl Records {
    /// Writes a line into the log.
    pub(crate) fn write_line(&mut self, line: String) {
        let bytes = line.len();
        self.log.add(line, bytes);
    }
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
    /// The shop's page for each id that the provider's support has issued.
    pub(crate) window_urls: BTreeMap<String, String>,
    settings: watch::Sender<Settings>,
    is_stopped: watch::Sender<bool>,
    changed: watch::Sender<()>,
    records: Mutex<Records>,
}

/// The records, to be changed. Whoever waits for a change is told when this is dropped.
pub(crate) struct Edit<'a> {
    records: MutexGuard<'a, Records>,
    changed: &'a watch::Sender<()>,
}

impl Deref for Edit<'_> {
    type Target = Records;

    fn deref(&self) -> &Records {
        &self.records
    }
}

impl DerefMut for Edit<'_> {
    fn deref_mut(&mut self) -> &mut Records {
        &mut self.records
    }
}

impl Drop for Edit<'_> {
    fn drop(&mut self) {
        self.changed.send_replace(());
    }
}

impl Provider {
    /// Makes a provider to which nothing has happened.
    pub(crate) fn new(secrets: ProviderSecrets, settings: Settings, window_urls: BTreeMap<String, String>) -> Self {
        Self {
            secrets,
            window_urls,
            settings: watch::Sender::new(settings),
            is_stopped: watch::Sender::new(false),
            changed: watch::Sender::new(()),
            records: Mutex::default(),
        }
    }

    /// Locks the records to read them. Never hold the lock across an await.
    pub(crate) fn records(&self) -> impl Deref<Target = Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the records to change them. Never hold the lock across an await.
    pub(crate) fn edit(&self) -> Edit<'_> {
        Edit { records: self.records.lock().unwrap_or_else(PoisonError::into_inner), changed: &self.changed }
    }

    /// Gives what tells of each change of the records and the settings.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Gives the settings as they are now.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// Replaces the settings.
    pub(crate) fn change_settings(&self, settings: Settings) {
        self.settings.send_replace(settings);
        self.changed.send_replace(());
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
        self.edit().write_line(line);
    }

    /// Stores a body that is going to be sent.
    pub(crate) fn record_postback(&self, about: String, body: String) -> RecordedPostback {
        let body: Arc<str> = body.into();
        let sent = SentPostback::new(about, Arc::clone(&body));
        RecordedPostback { id: self.edit().postbacks.add(sent, body.len()), body }
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
