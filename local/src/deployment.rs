//! The functions with their programs and their environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::aws::REGION;
use crate::binaries;
use crate::error::{Doing, StartError};
use crate::event_bus::BUS;
use crate::function::Function;
use crate::functions::{Deployed, FUNCTIONS, SHARED_SETTINGS, function_names};
use crate::http_api::Functions;
use crate::instance::Recipe;
use crate::logs::Logs;
use crate::options::StackOptions;
use crate::process::Launcher;
use crate::servers::Services;
use crate::sqs::{EVENTS_QUEUE, QUEUE, SET_ASIDE_QUEUE, UNDELIVERED_QUEUE, arn, queue_url};

/// The name of the stack that this stands for: the names of its functions begin with it.
const STACK: &str = "paykassma";

/// The name of a function in AWS.
pub(crate) fn full_name(function: &str) -> String {
    format!("{STACK}-{function}")
}

type Settings = BTreeMap<&'static str, String>;

/// Builds the functions' programs if asked to, and deploys them.
pub(crate) async fn deploy(
    options: &StackOptions,
    services: &Services,
    provider_url: &str,
    launcher: &Arc<Launcher>,
    logs: &Arc<Logs>,
) -> Result<Functions, StartError> {
    let built = binaries::directory().doing("this program's path")?;
    if options.build && options.binaries.is_none() {
        binaries::build(function_names()).await.doing("building the functions")?;
    }
    let directory = options.binaries.as_ref().unwrap_or(&built);
    let settings = settings(options, services, provider_url);
    let deployed = FUNCTIONS.iter().map(|function| {
        let recipe = Recipe {
            name: function.name,
            program: existing(directory, function.name)?,
            variables: variables(function, &settings, options),
            launcher: Arc::clone(launcher),
            logs: Arc::clone(logs),
        };
        let function = Function::new(recipe, options);
        Ok((function.name(), function))
    });
    deployed.collect()
}

fn existing(directory: &Path, program: &str) -> Result<PathBuf, StartError> {
    let program = directory.join(program);
    if program.is_file() { Ok(program) } else { Err(StartError::NotBuilt(program)) }
}

/// The values of all settings, whoever gets them.
fn settings(options: &StackOptions, services: &Services, provider_url: &str) -> Settings {
    let queue = || queue_url(services.sqs.url(), EVENTS_QUEUE);
    let posting = options.events.iter().flat_map(|url| [("EVENTS_URL", url.clone()), ("REPLAY_QUEUE_URL", queue())]);
    let all = [
        ("AWS_ACCESS_KEY_ID", "local".into()),
        ("AWS_ENDPOINT_URL_DYNAMODB", services.dynamodb.url().into()),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", services.event_bus_url.clone()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", services.secrets_url.clone()),
        ("AWS_ENDPOINT_URL_SQS", services.sqs.url().into()),
        ("AWS_REGION", REGION.into()),
        ("AWS_SECRET_ACCESS_KEY", "local".into()),
        ("EVENT_BUS_NAME", BUS.into()),
        ("EVENTS_FIRST_RETRY_SECONDS", options.events_first_retry_seconds.to_string()),
        ("EVENTS_GIVE_UP_SECONDS", options.events_give_up_seconds.to_string()),
        ("EVENTS_QUEUE_ARN", arn(EVENTS_QUEUE)),
        ("EVENTS_QUEUE_URL", queue()),
        ("FIRST_RETRY_SECONDS", options.first_retry_seconds.to_string()),
        ("LOG_LEVEL", options.log_level.clone()),
        ("METRICS_NAMESPACE", format!("Paykassma/{STACK}")),
        ("PROVIDER_API_URL", provider_url.into()),
        // The provider's own hosts are api.{server} and plugin.{server}; the simulated provider is both.
        ("PROVIDER_PLUGIN_URL", provider_url.replacen("://api.", "://plugin.", 1)),
        ("PROVIDER_TIMEOUT_MS", options.provider_timeout_ms.to_string()),
        ("QUEUE_URL", queue_url(services.sqs.url(), QUEUE)),
        ("RESEND_UNKNOWN", options.resend_unknown.clone()),
        ("RETRY_CEILING_SECONDS", options.retry_ceiling_seconds.to_string()),
        ("SECOND_PERSON_ABOVE", options.second_person_above.clone()),
        ("SENDER_LIFETIME_MS", options.sender_lifetime_ms.to_string()),
        ("SET_ASIDE_QUEUE_URL", queue_url(services.sqs.url(), SET_ASIDE_QUEUE)),
        ("SUBMISSION_ATTEMPTS", options.max_receive_count.to_string()),
        ("SUBMISSION_DELAY_SECONDS", options.submission_delay_seconds.to_string()),
        ("TABLE_NAME", options.table_name.clone()),
        ("TABLE_STREAM_ARN", services.stream_arn.clone()),
        ("UNDELIVERED_QUEUE_ARN", arn(UNDELIVERED_QUEUE)),
        ("UNDELIVERED_QUEUE_URL", queue_url(services.sqs.url(), UNDELIVERED_QUEUE)),
        ("WITHDRAWALS", options.withdrawals.clone()),
        ("WITHDRAWAL_CEILING_PER_DAY", options.withdrawal_ceiling_per_day.clone()),
        ("WITHDRAWAL_CEILING_PER_HOUR", options.withdrawal_ceiling_per_hour.clone()),
    ];
    all.into_iter().chain(posting).collect()
}

/// A function's whole environment, but for the address of its Runtime API.
fn variables(function: &Deployed, settings: &Settings, options: &StackOptions) -> Vec<(OsString, OsString)> {
    let named = SHARED_SETTINGS.iter().chain(function.settings);
    let named = named.filter_map(|name| Some((*name, settings.get(name)?.as_str())));
    let full_name = full_name(function.name);
    let of_lambda = [
        ("AWS_LAMBDA_FUNCTION_NAME", full_name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "local"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", function.name),
    ];
    let secret = function.secret.map(|name| ("SECRET_ID", name));
    let given = options.environment.iter().filter(|(of, ..)| of == function.name);
    let given = given.map(|(_, name, value)| (name.as_str(), value.as_str()));
    let all = named.chain(of_lambda).chain(secret).chain(given);
    let path = std::env::var_os("PATH").map(|path| ("PATH".into(), path));
    all.map(|(name, value)| (name.into(), value.into())).chain(path).collect()
}
