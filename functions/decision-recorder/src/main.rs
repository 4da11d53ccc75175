//! Wires decision-recorder.

use decision_recorder::{Deps, SETTINGS, SecondPerson};
use lambda::{Aws, BadSetting, Handler, Settings, System, serve, start_log, warm_up};
use store::{DynamoDb, TableCheck};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl Handler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let stream = settings.required("TABLE_STREAM_ARN")?;
    let deps = Deps {
        table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()),
        check: TableCheck::new(stream),
        stream: stream.to_owned(),
        clock: System,
        second_person: settings.parsed("SECOND_PERSON_ABOVE", SecondPerson::parse)?,
        sender_lifetime_ms: settings.number("SENDER_LIFETIME_MS", 30_000)?,
    };
    warm_up(deps.check.generation(&deps.table)).await;
    Ok(deps)
}
