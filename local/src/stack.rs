//! The whole, started and stopped together.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use serde_json::{Value, json};
use simulator::{Simulator, SimulatorOptions};
use tokio::task::JoinSet;

use crate::authorization::Authorizer;
use crate::aws::AwsError;
use crate::credentials::Credentials;
use crate::deployment::deploy;
use crate::error::{Doing, StartError};
use crate::event_source::EventSource;
use crate::functions::{Api, FORWARDER, PUBLISHER, SUBMITTER};
use crate::http_api::{self, Functions, HttpApi};
use crate::instance::Failure;
use crate::logs::Logs;
use crate::options::StackOptions;
use crate::process::Launcher;
use crate::servers::{Bound, Services, bind, serve};
use crate::sqs::{
    DEAD_LETTER_QUEUE, EVENTS_QUEUE, QUEUE, SET_ASIDE_QUEUE, UNDELIVERED_QUEUE, UNPUBLISHED_QUEUE, arn, queue_url,
};
use crate::stream_source::{Destination, StreamSource};

/// The mapping of the queue of changes that were set aside, as the template has it.
const SET_ASIDE_BATCH: u32 = 10;
const SET_ASIDE_CONCURRENCY: usize = 2;
/// The mapping of the queue of events for the merchant's server.
const EVENTS_BATCH: u32 = 10;
const EVENTS_CONCURRENCY: usize = 5;

/// A running stack. It ends, with all of its processes, when it is stopped or dropped.
pub struct Stack {
    api_url: String,
    postback_api_url: String,
    operator_api_url: String,
    provider_url: String,
    simulator: Option<Simulator>,
    services: Services,
    table_name: String,
    credentials: Credentials,
    functions: Functions,
    launcher: Arc<Launcher>,
    logs: Arc<Logs>,
    _tasks: JoinSet<()>,
}

impl Drop for Stack {
    fn drop(&mut self) {
        for function in self.functions.values() {
            function.stop();
        }
    }
}

impl Stack {
    /// Builds the functions if asked to, and starts everything.
    ///
    /// # Errors
    ///
    /// A port is taken, a file cannot be used, the functions cannot be built or are missing.
    pub async fn start(options: StackOptions) -> Result<Stack, StartError> {
        let credentials = credentials(&options)?;
        let front = bind(options.port, "--port").await?;
        let postbacks = bind(options.postback_port, "--postback-port").await?;
        let people = bind(options.operator_port, "--operator-port").await?;
        let (simulator, provider_url) = provider(&options, &credentials, &postbacks).await?;
        let mut tasks = JoinSet::new();
        let logs = Logs::new(options.verbose);
        let services = Services::start(&options, &credentials, &mut tasks).await?;
        let launcher = Arc::new(Launcher::start().doing("/bin/sh")?);
        let functions = deploy(&options, &services, &provider_url, &launcher, &logs).await?;

        start_event_sources(&options, &services, &functions, &mut tasks);
        start_schedule(&options, &functions, &mut tasks);
        start_stream_source(&options, &services, &functions, &logs, &mut tasks).await?;
        let apis = [(Api::Merchant, front), (Api::Postbacks, postbacks), (Api::Operator, people)];
        let [api_url, postback_api_url, operator_api_url] = apis.map(|(api, bound)| {
            let (functions, logs) = (functions.clone(), Arc::clone(&logs));
            let api = HttpApi { api, functions, authorizer: Authorizer::default(), logs };
            serve(&mut tasks, bound, options.host.as_ref(), http_api::router(api))
        });
        Ok(Stack {
            api_url,
            postback_api_url,
            operator_api_url,
            provider_url,
            simulator,
            services,
            table_name: options.table_name,
            credentials,
            functions,
            launcher,
            logs,
            _tasks: tasks,
        })
    }

    /// Ends everything and waits until no process is left.
    pub async fn stop(self) {
        for function in self.functions.values() {
            function.stop();
            function.kill().await;
        }
        self.launcher.stop().await;
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.services.http
    }

    /// The merchants' base URL.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// The base URL of the API that has only the route of postbacks.
    #[must_use]
    pub fn postback_api_url(&self) -> &str {
        &self.postback_api_url
    }

    /// The base URL of the API that people call through the operator's tool.
    #[must_use]
    pub fn operator_api_url(&self) -> &str {
        &self.operator_api_url
    }

    /// Where the provider sends postbacks to.
    #[must_use]
    pub fn postback_url(&self) -> String {
        postback_url(&self.postback_api_url, &self.credentials)
    }

    /// The provider's base URL: the simulated provider's, or the one that was given.
    #[must_use]
    pub fn provider_url(&self) -> &str {
        &self.provider_url
    }

    /// The simulated provider, if there is one.
    #[must_use]
    pub fn simulator(&self) -> Option<&Simulator> {
        self.simulator.as_ref()
    }

    /// The DynamoDB server's address.
    #[must_use]
    pub fn dynamodb_url(&self) -> &str {
        self.services.dynamodb.url()
    }

    /// The SQS server's address.
    #[must_use]
    pub fn sqs_url(&self) -> &str {
        self.services.sqs.url()
    }

    /// The Secrets Manager server's address.
    #[must_use]
    pub fn secrets_url(&self) -> &str {
        &self.services.secrets_url
    }

    /// The event bus' address.
    #[must_use]
    pub fn event_bus_url(&self) -> &str {
        &self.services.event_bus_url
    }

    /// The one table's name.
    #[must_use]
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// The ARN of its stream.
    #[must_use]
    pub fn table_stream_arn(&self) -> &str {
        &self.services.stream_arn
    }

    /// The queue of withdrawals that may have to be submitted again.
    #[must_use]
    pub fn queue_url(&self) -> String {
        queue_url(self.sqs_url(), QUEUE)
    }

    /// Where its messages end after too many attempts.
    #[must_use]
    pub fn dead_letter_queue_url(&self) -> String {
        queue_url(self.sqs_url(), DEAD_LETTER_QUEUE)
    }

    /// Where changes wait that cannot be published.
    #[must_use]
    pub fn set_aside_queue_url(&self) -> String {
        queue_url(self.sqs_url(), SET_ASIDE_QUEUE)
    }

    /// Where the positions of changes are that were given up.
    #[must_use]
    pub fn unpublished_queue_url(&self) -> String {
        queue_url(self.sqs_url(), UNPUBLISHED_QUEUE)
    }

    /// The events for the merchant's server.
    #[must_use]
    pub fn events_queue_url(&self) -> String {
        queue_url(self.sqs_url(), EVENTS_QUEUE)
    }

    /// Where events wait that the merchant's server has not taken.
    #[must_use]
    pub fn undelivered_queue_url(&self) -> String {
        queue_url(self.sqs_url(), UNDELIVERED_QUEUE)
    }

    /// The merchant's token and the secrets of this run.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The last events, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.services.event_bus.events()
    }

    /// The last lines that the function printed, oldest first.
    #[must_use]
    pub fn logs(&self, function: &str) -> Vec<String> {
        self.logs.of(function)
    }

    /// The metrics of the functions and of AWS's services, in the embedded metric format, with the messages that are in the queues now.
    ///
    /// # Errors
    ///
    /// SQS refuses to say it.
    pub async fn metrics(&self) -> Result<Vec<String>, AwsError> {
        self.logs.count_messages(&self.services.sqs).await?;
        Ok(self.logs.metrics())
    }

    /// Invokes a function with an event, as AWS would.
    ///
    /// # Errors
    ///
    /// The function reported an error, died, timed out, or there is no such function.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Failure> {
        let function = self.functions.get(function);
        let function = function.ok_or_else(|| Failure::NotStarted("no such function".into()))?;
        let answer = function.invoke(event.to_string().into()).await?;
        serde_json::from_slice(&answer).map_err(|error| Failure::Reported(error.to_string()))
    }

    /// How often a function was invoked.
    #[must_use]
    pub fn invocations(&self, function: &str) -> u64 {
        self.functions.get(function).map_or(0, |function| function.invocations())
    }

    /// Kills all processes of the function at once; what they were doing ends as an error.
    pub async fn kill(&self, function: &str) {
        if let Some(function) = self.functions.get(function) {
            function.kill().await;
        }
    }

    /// Calls an operation of DynamoDB.
    ///
    /// # Errors
    ///
    /// DynamoDB refuses it.
    pub async fn dynamodb(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        self.services.dynamodb.call(operation, input).await
    }

    /// Calls an operation of SQS.
    ///
    /// # Errors
    ///
    /// SQS refuses it.
    pub async fn sqs(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        self.services.sqs.call(operation, input).await
    }

    /// Reads a row of the table, in DynamoDB's JSON (`{"state": {"S": "credited"}, ..}`).
    ///
    /// # Errors
    ///
    /// DynamoDB refuses it.
    pub async fn item(&self, key: &str) -> Result<Option<Value>, AwsError> {
        let get = json!({
            "TableName": self.table_name,
            "Key": {"transaction_id": {"S": key}},
            "ConsistentRead": true,
        });
        let mut answer = self.dynamodb("GetItem", &get).await?;
        Ok(answer.get_mut("Item").map(Value::take))
    }
}

fn credentials(options: &StackOptions) -> Result<Credentials, StartError> {
    if let Some(directory) = &options.data {
        let private = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        private.doing("the data directory")?;
    }
    match (&options.credentials, &options.data) {
        (Some(given), _) => Ok(given.clone()),
        (None, Some(directory)) => Credentials::kept_in(&directory.join("credentials.json")).doing("credentials.json"),
        (None, None) => Credentials::random().doing("the system's randomness"),
    }
}

fn postback_url(postback_api_url: &str, credentials: &Credentials) -> String {
    format!("{postback_api_url}/postbacks/{}", credentials.secrets.postback_token)
}

async fn provider(
    options: &StackOptions,
    credentials: &Credentials,
    postbacks: &Bound,
) -> Result<(Option<Simulator>, String), StartError> {
    if let Some(url) = &options.provider {
        return Ok((None, url.trim_end_matches('/').to_owned()));
    }
    let bound = bind(options.provider_port, "--provider-port").await?;
    let secrets = credentials.secrets.clone();
    let simulator = SimulatorOptions {
        listener: bound.listener,
        postback_url: postback_url(&postbacks.url, credentials),
        pluginapi_secret: secrets.pluginapi_secret,
        withdrawal_private_key: secrets.withdrawal_private_key,
        access_key: secrets.access_key,
        postback_private_key: secrets.postback_private_key,
        repeat_after: options.postback_repeat_after,
        late_after: options.late_payment_after,
        test_amounts: options.test_amounts,
        window_urls: options.window_urls.clone(),
        host: options.host.clone(),
    };
    let simulator = Simulator::start(simulator).await.doing("the simulated provider")?;
    Ok((Some(simulator), bound.url))
}

fn start_event_sources(options: &StackOptions, services: &Services, functions: &Functions, tasks: &mut JoinSet<()>) {
    let submissions = (QUEUE, SUBMITTER, options.batch_size, options.event_source_concurrency);
    let set_aside = (SET_ASIDE_QUEUE, PUBLISHER, SET_ASIDE_BATCH, SET_ASIDE_CONCURRENCY);
    let posted = options.events.as_ref().map(|_| (EVENTS_QUEUE, FORWARDER, EVENTS_BATCH, EVENTS_CONCURRENCY));
    // Switched off, the mapping of the submissions is disabled.
    let submissions = (options.withdrawals != "off").then_some(submissions);
    for (queue, function, batch_size, concurrency) in submissions.into_iter().chain([set_aside]).chain(posted) {
        let Some(function) = functions.get(function) else { continue };
        let source = Arc::new(EventSource {
            sqs: services.sqs.clone(),
            queue_url: queue_url(services.sqs.url(), queue),
            queue_arn: arn(queue),
            function: Arc::clone(function),
            batch_size,
        });
        for _ in 0..concurrency {
            tasks.spawn(Arc::clone(&source).run());
        }
    }
}

/// Invokes the forwarder as its schedule does.
fn start_schedule(options: &StackOptions, functions: &Functions, tasks: &mut JoinSet<()>) {
    let Some(forwarder) = functions.get(FORWARDER).filter(|_| options.events.is_some()).cloned() else { return };
    let every = options.events_probe_after;
    tasks.spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            // An error is in the function's log, and the next call tries again.
            let _ = forwarder.invoke(json!({"detail-type": "Scheduled Event"}).to_string().into()).await;
        }
    });
}

async fn start_stream_source(
    options: &StackOptions,
    services: &Services,
    functions: &Functions,
    logs: &Arc<Logs>,
    tasks: &mut JoinSet<()>,
) -> Result<(), StartError> {
    let Some(function) = functions.get(PUBLISHER) else { return Ok(()) };
    let queue_url = queue_url(services.sqs.url(), UNPUBLISHED_QUEUE);
    let destination = Destination { sqs: services.sqs.clone(), queue_url };
    let (function, logs) = (Arc::clone(function), Arc::clone(logs));
    let (dynamodb, arn) = (services.dynamodb.clone(), services.stream_arn.clone());
    let source = StreamSource::at_end(dynamodb, arn, options.stream_limits, function, destination, logs).await?;
    tasks.spawn(source.run());
    Ok(())
}
