//! A stack and the way to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use clap::Args;
use domain::PaymentSystems;
use lambda::{Aws, Settings, aws_http};
use store::DynamoDb;

use crate::api::Api;
use crate::env_file::EnvFile;
use crate::failure::Failure;
use crate::unreached::{Service, Unreached};

/// Which stack.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The stack that `cargo run` has started on this machine
    #[arg(long, global = true, conflicts_with = "env_file")]
    pub(crate) local: bool,

    /// A file of NAME=VALUE lines that say where the stack is: its output `OperatorEnvironment`
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
}

/// How long a function may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A stack. Its services are called only when a command needs them.
pub(crate) struct Deployment {
    settings: Settings,
    aws: Aws,
    /// Where the settings are from, if not from the environment.
    file: Option<EnvFile>,
}

/// Which stack it is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StackName {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// Whether it is on this machine, where no money moves.
    pub(crate) is_local: bool,
}

/// Where the services are, if not at AWS: a service's own setting goes before that of all.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"];

impl Deployment {
    /// Finds the stack.
    pub(crate) async fn find(place: &Where) -> Result<Self, Failure> {
        let file = match (place.local, &place.env_file) {
            (true, _) => Some(EnvFile::read(&local_env_file()?, "no stack runs here: start one with `cargo run`")?),
            (false, Some(file)) => Some(EnvFile::read(file, "--env-file")?),
            (false, None) => None,
        };
        let process = Settings::of_process();
        let settings = file.as_ref().map_or_else(|| process.clone(), EnvFile::settings);
        // The local stack is on this machine, whatever the environment says about another one.
        let sources = if place.local { vec![&settings] } else { vec![&settings, &process] };
        let endpoints = endpoints(&sources);
        let aws = match settings.optional("AWS_ACCESS_KEY_ID").filter(|_| file.is_some()) {
            Some(_) => Aws::new(&settings)?,
            None => usual(&settings).await?,
        };
        Ok(Self { settings: settings.with(endpoints), aws, file })
    }

    pub(crate) fn table(&self) -> Result<DynamoDb, Failure> {
        let name = self.setting("TABLE_NAME")?.to_owned();
        Ok(DynamoDb::new(self.aws.dynamodb(&self.settings), name))
    }

    /// Which stack it is. The ARN of its stream names the account.
    pub(crate) fn stack(&self) -> Result<StackName, Failure> {
        let arn = self.setting("TABLE_STREAM_ARN")?;
        let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
        let (name, region) = (self.setting("TABLE_NAME")?.to_owned(), self.aws.region().to_string());
        let endpoint =
            self.settings.optional("AWS_ENDPOINT_URL_DYNAMODB").and_then(|url| url.parse::<reqwest::Url>().ok());
        let host = endpoint.as_ref().and_then(reqwest::Url::host_str);
        let is_local = host.is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host));
        Ok(StackName { name, account, region, is_local })
    }

    /// Says where a service should be that was not reached, and whether it is for want of credentials.
    pub(crate) async fn explain(&self, unreached: Unreached) -> Unreached {
        let (name, endpoint) = match unreached.service {
            Service::Table => ("TABLE_NAME", "AWS_ENDPOINT_URL_DYNAMODB"),
            Service::Queue => ("QUEUE_URL", "AWS_ENDPOINT_URL_SQS"),
            Service::DeadLetters => ("DEAD_LETTER_QUEUE_URL", "AWS_ENDPOINT_URL_SQS"),
            Service::Api => ("OPERATOR_API_URL", "OPERATOR_API_URL"),
        };
        let endpoint = self.settings.optional(endpoint).filter(|_| endpoint != name);
        let endpoint = endpoint.map(|url| format!(", at {url}")).unwrap_or_default();
        let name = self.settings.optional(name).unwrap_or_default();
        let place = format!(" {name} in {}{endpoint}", self.aws.region());
        unreached.at(place, self.aws.credentials().provide_credentials().await.is_ok())
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        self.aws.sqs(&self.settings)
    }

    pub(crate) fn setting(&self, name: &'static str) -> Result<&str, Failure> {
        self.settings.required(name).map_err(|bad| match &self.file {
            Some(file) => Failure::Usage(format!("{bad} in {}", file.describe())),
            None => bad.into(),
        })
    }

    /// The payment systems that the deployment's settings name, if they are given to this tool, and the built-in ones.
    pub(crate) fn payment_systems(&self) -> Result<PaymentSystems, Failure> {
        let systems = self.settings.made_from_json("PAYMENT_SYSTEMS", PaymentSystems::with);
        Ok(systems.map_err(|bad| Failure::Usage(bad.to_string()))?.unwrap_or_default())
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

/// Credentials, profile and region as all AWS tools find them, where the settings do not name them.
async fn usual(settings: &Settings) -> Result<Aws, Failure> {
    let http = aws_http()?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http.clone());
    if let Some(region) = settings.optional("AWS_REGION").or_else(|| settings.optional("AWS_DEFAULT_REGION")) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(profile) = settings.optional("AWS_PROFILE") {
        loader = loader.profile_name(profile);
    }
    let found = loader.load().await;
    let missing = |what: &str| Failure::Usage(format!("no {what}: set AWS_PROFILE, or log in as for the AWS CLI"));
    let region = found.region().cloned().ok_or_else(|| missing("AWS region"))?;
    let credentials: SharedCredentialsProvider =
        found.credentials_provider().ok_or_else(|| missing("AWS credentials"))?;
    Ok(Aws::with(region, credentials, http))
}

/// The endpoint of each service, from the first of these that names one.
fn endpoints(sources: &[&Settings]) -> Vec<(&'static str, String)> {
    let of = |name: &'static str| {
        let url = sources.iter().find_map(|it| it.optional(name).or_else(|| it.optional("AWS_ENDPOINT_URL")))?;
        Some((name, url.to_owned()))
    };
    ENDPOINTS.into_iter().filter_map(of).collect()
}

/// Where the local stack writes where it is: in cargo's target directory, two above this program.
fn local_env_file() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::Usage(format!("this program's path: {error}")))?;
    let target = program.ancestors().nth(2).unwrap_or(Path::new("."));
    Ok(target.join("stack.env"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_endpoint_goes_before_the_environments_and_a_services_before_that_of_all() {
        let (dynamodb, sqs, all) = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL");
        let file = Settings::of(&[(sqs, "file-sqs"), (dynamodb, "")]);
        let process = Settings::of(&[(sqs, "sqs"), (all, "all")]);
        let found = |sources: &[&Settings]| endpoints(sources).into_iter().map(|(_, url)| url).collect::<Vec<_>>();
        assert_eq!(found(&[&file, &process]), ["all", "file-sqs"]);
        assert_eq!(found(&[&process]), ["all", "sqs"]);
        assert_eq!(found(&[&file]), ["file-sqs"]);
        let general = Settings::of(&[(all, "file-all")]);
        assert_eq!(found(&[&general, &process]), ["file-all", "file-all"]);
    }
}
