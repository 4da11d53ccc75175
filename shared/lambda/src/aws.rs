//! AWS clients: one connection pool, rustls with ring, Amazon's own roots, credentials from Lambda's environment.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, SharedHttpClient, StalledStreamProtectionConfig};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

use crate::{BadSetting, Settings};

const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// What all AWS clients of a function share.
#[derive(Clone, Debug)]
pub struct Aws {
    region: Region,
    credentials: SharedCredentialsProvider,
    http: SharedHttpClient,
    timeouts: TimeoutConfig,
}

macro_rules! client {
    ($aws:expr, $settings:expr, $sdk:ident, $endpoint:literal) => {{
        let aws = $aws;
        let mut config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(aws.region.clone())
            .credentials_provider(aws.credentials.clone())
            .http_client(aws.http.clone())
            .timeout_config(aws.timeouts.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(50)))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url($settings.optional($endpoint).map(str::to_owned));
        $sdk::Client::from_conf(config.build())
    }};
}

impl Aws {
    /// Reads `AWS_REGION` and Lambda's credentials.
    ///
    /// # Errors
    /// [`BadSetting`] when one is missing.
    pub fn new(settings: &Settings) -> Result<Self, BadSetting> {
        let credentials = Credentials::new(
            settings.required("AWS_ACCESS_KEY_ID")?,
            settings.required("AWS_SECRET_ACCESS_KEY")?,
            settings.optional("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        let region = Region::new(settings.required("AWS_REGION")?.to_owned());
        Ok(Self::with(region, SharedCredentialsProvider::new(credentials), http()?))
    }

    /// Clients for this region, with credentials from anywhere.
    #[must_use]
    pub fn with(region: Region, credentials: SharedCredentialsProvider, http: SharedHttpClient) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_secs(5))
            .build();
        Self { region, credentials, http, timeouts }
    }

    /// The region that the clients call.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Where the clients get their credentials.
    #[must_use]
    pub fn credentials(&self) -> &SharedCredentialsProvider {
        &self.credentials
    }

    /// DynamoDB's client.
    #[must_use]
    pub fn dynamodb(&self, settings: &Settings) -> aws_sdk_dynamodb::Client {
        client!(self, settings, aws_sdk_dynamodb, "AWS_ENDPOINT_URL_DYNAMODB")
    }

    /// The event bus' client.
    #[must_use]
    pub fn eventbridge(&self, settings: &Settings) -> aws_sdk_eventbridge::Client {
        client!(self, settings, aws_sdk_eventbridge, "AWS_ENDPOINT_URL_EVENTBRIDGE")
    }

    /// The queues' client.
    #[must_use]
    pub fn sqs(&self, settings: &Settings) -> aws_sdk_sqs::Client {
        client!(self, settings, aws_sdk_sqs, "AWS_ENDPOINT_URL_SQS")
    }

    /// The secrets' client.
    #[must_use]
    pub fn secrets_manager(&self, settings: &Settings) -> aws_sdk_secretsmanager::Client {
        client!(self, settings, aws_sdk_secretsmanager, "AWS_ENDPOINT_URL_SECRETS_MANAGER")
    }
}

/// What the clients send with: rustls with ring, and Amazon's own roots.
///
/// # Errors
/// [`BadSetting`] when the roots that are built in cannot be read.
pub fn http() -> Result<SharedHttpClient, BadSetting> {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    #[cfg(feature = "extra-root")]
    let roots = extra_root().into_iter().fold(roots, TrustStore::with_pem_certificate);
    let tls = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|_| BadSetting { name: "AMAZON_ROOTS", rule: "must be certificates".into() })?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https())
}

/// The certificate in the file that `EXTRA_ROOT` names, in PEM.
#[cfg(feature = "extra-root")]
fn extra_root() -> Option<Vec<u8>> {
    std::env::var_os("EXTRA_ROOT").and_then(|file| std::fs::read(file).ok())
}
