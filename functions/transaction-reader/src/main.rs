//! Wires transaction-reader.

use lambda::{Answer, Aws, BadSetting, Environment, serve_questions, start_log, warm_up};
use store::DynamoDb;
use transaction_reader::Deps;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let environment = Environment::of_process();
    start_log(&environment);
    serve_questions(set_up(&environment).await).await
}

async fn set_up(environment: &Environment) -> Result<impl Answer + use<>, BadSetting> {
    let aws = Aws::new(environment)?;
    let deps = Deps { table: DynamoDb::new(aws.dynamodb(environment), environment.required("TABLE_NAME")?.to_owned()) };
    warm_up(deps.table.warm_up("deposit")).await;
    Ok(deps)
}
