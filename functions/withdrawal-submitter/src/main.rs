//! Wires withdrawal-submitter.

#![recursion_limit = "256"]

use std::time::Duration;

use lambda::{Aws, BadSetting, MessageHandler, Queue, Settings, System, serve_queue, start_log, warm_up};
use paykassma::Client;
use store::{DynamoDb, TableCheck};
use withdrawal_submitter::{Deps, Policy, SETTINGS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve_queue(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl MessageHandler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let timeout = Duration::from_millis(settings.number("PROVIDER_TIMEOUT_MS", 8_000)?);
    let policy = Policy {
        attempts: settings.number("SUBMISSION_ATTEMPTS", 8)?,
        first_retry_seconds: settings.number("FIRST_RETRY_SECONDS", 30)?,
        retry_ceiling_seconds: settings.number("RETRY_CEILING_SECONDS", 900)?,
        sender_lifetime_ms: settings.number("SENDER_LIFETIME_MS", 30_000)?,
        resend_unknown: settings.switch("RESEND_UNKNOWN")?,
        is_on: settings.switch_that_is_on("WITHDRAWALS")?,
    };
    let deps = Deps {
        table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()),
        check: TableCheck::new(settings.required("TABLE_STREAM_ARN")?),
        queue: Queue::new(aws.sqs(settings), settings.required("QUEUE_URL")?.to_owned(), Duration::ZERO),
        provider: settings.parsed("PROVIDER_API_URL", |url| Client::at(url, timeout))?,
        clock: System,
        policy,
    };
    warm_up(deps.check.generation(&deps.table)).await;
    Ok(deps)
}
