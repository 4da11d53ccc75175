//! A running simulated provider.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use pages::HostName;
use tokio::net::TcpListener;
use url::Url;

use crate::exchange::MerchantClient;
use crate::postback::Keys;
use crate::postback_sender::PostbackSender;
use crate::provider::{Provider, ProviderSecrets};
use crate::routes;
use crate::settings::Settings;

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
    /// How long a late payment takes.
    pub late_after: Duration,
    /// Whether amounts with certain last digits decide what happens.
    pub test_amounts: bool,
    /// The shop's page for each id that the payment window's links name in `payment_url_success_id` and so on.
    pub window_urls: BTreeMap<String, String>,
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
        let secrets = ProviderSecrets {
            pluginapi_secret: options.pluginapi_secret.into(),
            withdrawal_key: options.withdrawal_private_key.into(),
            postback_keys: Keys { access_key: options.access_key, private_key: options.postback_private_key.into() },
        };
        let settings = Settings {
            repeat_after_ms: vec![milliseconds(options.repeat_after)],
            late_ms: milliseconds(options.late_after),
            test_amounts: options.test_amounts,
            ..Settings::default()
        };
        let provider = Arc::new(Provider::new(secrets, settings, options.window_urls));
        let sender = PostbackSender::new(Arc::clone(&provider), merchant);
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
        self.provider.records().log.iter().map(|(_, line)| line.clone()).collect()
    }
}

/// Reads one of [`SimulatorOptions::window_urls`] as a command line has it: `2=http://localhost:8080/ok`.
///
/// # Errors
/// The id is not a number, or the URL does not begin with `http://` or `https://`.
pub fn window_url(text: &str) -> Result<(String, String), &'static str> {
    let (id, url) = text.split_once('=').ok_or("must be ID=URL")?;
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the id must be a number");
    }
    let parsed = Url::parse(url).map_err(|_| "the URL is not one")?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err("the URL must begin with http:// or https://");
    }
    Ok((id.to_owned(), url.to_owned()))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.provider.stop();
    }
}
