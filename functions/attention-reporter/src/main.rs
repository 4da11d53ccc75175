//! Wires attention-reporter.

#![recursion_limit = "256"]

use attention_reporter::{Deps, SETTINGS, serve};
use lambda::{Aws, BadSetting, Settings, System, start_log};
use store::{DynamoDb, TableCheck};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve(set_up(&settings)).await
}

fn set_up(settings: &Settings) -> Result<Deps<DynamoDb, System>, BadSetting> {
    let aws = Aws::new(settings)?;
    let table = DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned());
    Ok(Deps {
        table,
        check: TableCheck::new(settings.required("TABLE_STREAM_ARN")?),
        clock: System,
        sender_lifetime_ms: settings.number("SENDER_LIFETIME_MS", 30_000)?,
    })
}
