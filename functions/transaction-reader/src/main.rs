//! Wires transaction-reader.

use lambda::{Aws, BadSetting, Handler, Settings, serve, start_log, warm_up};
use store::DynamoDb;
use transaction_reader::{Deps, SETTINGS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl Handler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let deps = Deps { table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()) };
    warm_up(deps.table.warm_up("deposit")).await;
    Ok(deps)
}
