//! Wires withdrawal-submitter.

#![recursion_limit = "256"]

use std::time::Duration;

use lambda::{Aws, BadSetting, Environment, HandleMessage, Queue, System, serve_queue, start_log, warm_up};
use paykassma::Client;
use store::DynamoDb;
use withdrawal_submitter::{Deps, Policy};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::of_process();
    start_log(&environment);
    serve_queue(set_up(&environment).await).await
}

async fn set_up(environment: &Environment) -> Result<impl HandleMessage + use<>, BadSetting> {
    let aws = Aws::new(environment)?;
    let timeout = Duration::from_millis(environment.number("PROVIDER_TIMEOUT_MS", 8_000)?);
    let policy = Policy {
        attempts: environment.number("SUBMISSION_ATTEMPTS", 8)?,
        first_retry_seconds: environment.number("FIRST_RETRY_SECONDS", 30)?,
        retry_ceiling_seconds: environment.number("RETRY_CEILING_SECONDS", 900)?,
        sender_lifetime_ms: environment.number("SENDER_LIFETIME_MS", 30_000)?,
        resend_unknown: environment.switch("RESEND_UNKNOWN")?,
    };
    let deps = Deps {
        table: DynamoDb::new(aws.dynamodb(environment), environment.required("TABLE_NAME")?.to_owned()),
        queue: Queue::new(aws.sqs(environment), environment.required("QUEUE_URL")?.to_owned(), Duration::ZERO),
        provider: environment.parsed("PROVIDER_API_URL", |url| Client::at(url, timeout))?,
        clock: System,
        policy,
    };
    warm_up(deps.table.warm_up("withdrawal")).await;
    Ok(deps)
}
