//! Wires event-publisher.

#![recursion_limit = "256"]

use std::sync::Mutex;
use std::time::Duration;

use domain::Separator;
use event_publisher::{Deps, Proofs, SETTINGS};
use lambda::{
    Aws, BadSetting, ChangeHandler, EventBus, Handler, Queue, SecretStore, Secrets, SetAsideQueue, Settings, System,
    serve_changes_and_requests, start_log, warm_up,
};
use paykassma::EvidenceKeys;
use store::{DynamoDb, TableCheck};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve_changes_and_requests(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl ChangeHandler + Handler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let name = settings.required("EVENT_BUS_NAME")?.to_owned();
    let queue = settings.required("SET_ASIDE_QUEUE_URL")?.to_owned();
    let push = settings.optional("REPLAY_QUEUE_URL").map(str::to_owned);
    let secret_id = settings.required("SECRET_ID")?.to_owned();
    let proofs = Proofs {
        table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()),
        keys: Secrets::<EvidenceKeys, _>::new(aws.secrets_manager(settings), secret_id, System),
        separator: settings.optional_parsed("ATTEMPT_ID_SEPARATOR", Separator::parse)?.unwrap_or_default(),
        last: Mutex::default(),
    };
    let sqs = aws.sqs(settings);
    let deps = Deps {
        check: TableCheck::new(settings.required("TABLE_STREAM_ARN")?),
        proofs,
        bus: EventBus::new(aws.eventbridge(settings), name),
        queue: SetAsideQueue::new(sqs.clone(), queue),
        push: push.map(|url| Queue::new(sqs, url, Duration::ZERO)),
    };
    let proofs = &deps.proofs;
    warm_up(async { tokio::join!(proofs.keys.current(), deps.check.generation(&proofs.table)) }).await;
    Ok(deps)
}
