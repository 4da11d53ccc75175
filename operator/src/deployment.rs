//! A stack and the way to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use clap::Args;
use lambda::{Aws, Settings, aws_http};
use store::DynamoDb;

use crate::api::Api;
use crate::failure::Failure;

/// Which stack.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The stack that `cargo run` has started on this machine
    #[arg(long, global = true, conflicts_with = "env_file")]
    pub(crate) local: bool,

    /// A file of KEY=VALUE lines that say where the stack is: its output `OperatorEnvironment`
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
}

/// How long a function may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A stack. Its services are called only when a command needs them.
pub(crate) struct Deployment {
    settings: Settings,
    aws: Aws,
}

impl Deployment {
    /// Finds the stack.
    pub(crate) async fn find(place: &Where) -> Result<Self, Failure> {
        let settings = match (place.local, &place.env_file) {
            (true, _) => read(&local_env_file()?, "no stack runs here: start one with `cargo run`")?,
            (false, Some(file)) => read(file, "--env-file")?,
            (false, None) => Settings::of_process(),
        };
        let aws = match settings.optional("AWS_ACCESS_KEY_ID") {
            Some(_) => Aws::new(&settings)?,
            None => usual(settings.optional("AWS_REGION")).await?,
        };
        Ok(Self { settings, aws })
    }

    pub(crate) fn table(&self) -> Result<DynamoDb, Failure> {
        let name = self.settings.required("TABLE_NAME")?.to_owned();
        Ok(DynamoDb::new(self.aws.dynamodb(&self.settings), name))
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        self.aws.sqs(&self.settings)
    }

    pub(crate) fn setting(&self, name: &'static str) -> Result<&str, Failure> {
        Ok(self.settings.required(name)?)
    }

    /// The API that people call.
    pub(crate) fn api(&self) -> Result<Api, Failure> {
        let url = self.setting("OPERATOR_API_URL")?.trim_end_matches('/').to_owned();
        Ok(Api::new(http()?, url, self.aws.region().clone(), self.aws.credentials().clone()))
    }
}

/// A client for the stack's own API.
fn http() -> Result<reqwest::Client, Failure> {
    let tls = paykassma::tls().map_err(|error| Failure::Usage(format!("TLS: {error}")))?;
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(TIMEOUT).build();
    client.map_err(|error| Failure::Usage(format!("HTTP: {error}")))
}

/// Credentials, and the region where none is given, as all AWS tools find them.
async fn usual(region: Option<&str>) -> Result<Aws, Failure> {
    let http = aws_http()?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http.clone());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let found = loader.load().await;
    let missing = |what: &str| Failure::Usage(format!("no {what}: set AWS_PROFILE, or log in as for the AWS CLI"));
    let region = found.region().cloned().ok_or_else(|| missing("AWS region"))?;
    let credentials: SharedCredentialsProvider =
        found.credentials_provider().ok_or_else(|| missing("AWS credentials"))?;
    Ok(Aws::with(region, credentials, http))
}

/// Where the local stack writes where it is: in cargo's target directory, two above this program.
fn local_env_file() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::Usage(format!("this program's path: {error}")))?;
    let target = program.ancestors().nth(2).unwrap_or(Path::new("."));
    Ok(target.join("stack.env"))
}

fn read(file: &Path, hint: &str) -> Result<Settings, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("{}: {error} ({hint})", file.display())))?;
    let settings: Vec<_> = text.lines().filter_map(|line| line.trim().split_once('=')).collect();
    Ok(Settings::of(&settings))
}
