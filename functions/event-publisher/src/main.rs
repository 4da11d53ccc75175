//! Wires event-publisher.

#![recursion_limit = "256"]

use event_publisher::{Deps, SETTINGS};
use lambda::{Aws, BadSetting, ChangeHandler, EventBus, SetAsideQueue, Settings, serve_changes, start_log};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve_changes(set_up(&settings)).await
}

fn set_up(settings: &Settings) -> Result<impl ChangeHandler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let name = settings.required("EVENT_BUS_NAME")?.to_owned();
    let queue = settings.required("SET_ASIDE_QUEUE_URL")?.to_owned();
    Ok(Deps {
        bus: EventBus::new(aws.eventbridge(settings), name),
        queue: SetAsideQueue::new(aws.sqs(settings), queue),
    })
}
