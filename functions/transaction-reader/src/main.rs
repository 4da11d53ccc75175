//! Wires transaction-reader.

use lambda::{Answer, Aws, BadSetting, Settings, serve_questions, start_log, warm_up};
use store::DynamoDb;
use transaction_reader::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::of_process();
    start_log(&settings);
    serve_questions(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl Answer + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let deps = Deps { table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()) };
    warm_up(deps.table.warm_up("deposit")).await;
    Ok(deps)
}
