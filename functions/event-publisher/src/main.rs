//! Wires event-publisher.

use event_publisher::Deps;
use lambda::{Aws, BadSetting, Environment, EventBus, HandleChanges, serve_stream, start_log};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::of_process();
    start_log(&environment);
    serve_stream(set_up(&environment)).await
}

fn set_up(environment: &Environment) -> Result<impl HandleChanges + use<>, BadSetting> {
    let aws = Aws::new(environment)?;
    let name = environment.required("EVENT_BUS_NAME")?.to_owned();
    Ok(Deps { bus: EventBus::new(aws.eventbridge(environment), name) })
}
