//! Wires event-forwarder.

#![recursion_limit = "256"]

use std::time::Duration;

use event_forwarder::{Deps, Keys, Policy, Receiver, SETTINGS};
use lambda::{
    Aws, BacklogQueue, BadSetting, MessageHandler, Queue, ScheduleHandler, SecretStore, Secrets, Settings, System,
    serve_queue_and_schedule, start_log, warm_up,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve_queue_and_schedule(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl MessageHandler + ScheduleHandler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let required = |name| settings.required(name).map(str::to_owned);
    let timeout = Duration::from_millis(settings.number("EVENTS_TIMEOUT_MS", 15_000)?);
    let sqs = aws.sqs(settings);
    let deps = Deps {
        receiver: settings.parsed("EVENTS_URL", |url| Receiver::at(url, timeout, System))?,
        queue: Queue::new(sqs.clone(), required("EVENTS_QUEUE_URL")?, Duration::ZERO),
        backlog: BacklogQueue::new(
            sqs,
            required("UNDELIVERED_QUEUE_URL")?,
            required("UNDELIVERED_QUEUE_ARN")?,
            required("EVENTS_QUEUE_ARN")?,
        ),
        keys: Secrets::<Keys, _>::new(aws.secrets_manager(settings), required("SECRET_ID")?, System),
        clock: System,
        policy: Policy {
            first_retry: Duration::from_secs(settings.number("EVENTS_FIRST_RETRY_SECONDS", 5)?),
            give_up_after: Duration::from_secs(settings.number("EVENTS_GIVE_UP_SECONDS", 3_600)?),
        },
    };
    warm_up(deps.keys.current()).await;
    Ok(deps)
}
