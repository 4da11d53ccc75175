//! Wires transaction-reader.

use lambda::{Answer, Aws, BadSetting, Environment, prime, serve_questions, start_log};
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
    prime(deps.table.prime("deposit")).await;
    Ok(deps)
}
