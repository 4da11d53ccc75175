//! A running simulated provider.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::exchange::MerchantClient;
use crate::guard::HostName;
use crate::postback::Keys;
use crate::postback_sender::PostbackSender;
use crate::provider::{Provider, ProviderSecrets};
use crate::routes;

/// What a simulated provider is started with.
pub struct SimulatorOptions {
    /// The listener of its API.
    pub listener: TcpListener,
    /// The merchant's URL for postbacks.
    pub postback_url: String,
    /// The `secret` of the deposit calls.
    pub pluginapi_secret: String,
    /// The key that signs withdrawals.
    pub withdrawal_private_key: String,
    /// The public key of postbacks.
    pub access_key: String,
    /// The private key of postbacks.
    pub postback_private_key: String,
    /// The time after which a postback that was not answered ok is sent again.
    pub repeat_after: Duration,
    /// Another name for this machine, under which it may be called as well.
    pub host: Option<HostName>,
}

/// A running simulated provider. It ends when this is dropped.
pub struct Simulator {
    provider: Arc<Provider>,
    url: String,
}

impl Simulator {
    /// Starts a simulated provider on the current runtime.
    ///
    /// # Errors
    /// The listener has no address, or the HTTP client cannot be built.
    #[expect(clippy::unused_async, reason = "it spawns, so it has to be called within a runtime")]
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let url = format!("http://{}", options.listener.local_addr()?);
        let merchant = MerchantClient::new(options.postback_url.into())?;
        let provider = Arc::new(Provider::new(ProviderSecrets {
            pluginapi_secret: options.pluginapi_secret.into(),
            withdrawal_key: options.withdrawal_private_key.into(),
            postback_keys: Keys { access_key: options.access_key, private_key: options.postback_private_key.into() },
        }));
        let sender = PostbackSender::new(Arc::clone(&provider), merchant, options.repeat_after);
        let serving = Arc::clone(&provider);
        tokio::spawn(async move {
            let served = routes::serve(options.listener, options.host.as_ref(), Arc::clone(&serving), sender).await;
            if let Err(error) = served {
                serving.log(format!("the server ended: {error}"));
            }
        });
        Ok(Self { provider, url })
    }

    /// Gives the base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gives the log's lines so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.provider.records().log.clone()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.provider.stop();
    }
}
