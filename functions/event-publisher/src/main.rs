//! Wires event-publisher.

#![recursion_limit = "256"]

use event_publisher::{Deps, SETTINGS};
use lambda::{Aws, BadSetting, ChangeHandler, EventBus, Settings, serve_stream, start_log};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve_stream(set_up(&settings)).await
}

fn set_up(settings: &Settings) -> Result<impl ChangeHandler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let name = settings.required("EVENT_BUS_NAME")?.to_owned();
    Ok(Deps { bus: EventBus::new(aws.eventbridge(settings), name) })
}
