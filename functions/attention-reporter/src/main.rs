//! Wires attention-reporter.

use attention_reporter::{Deps, serve};
use lambda::{Aws, BadSetting, Environment, System, start_log};
use store::DynamoDb;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::of_process();
    start_log(&environment);
    serve(set_up(&environment)).await
}

fn set_up(environment: &Environment) -> Result<Deps<DynamoDb, System>, BadSetting> {
    let aws = Aws::new(environment)?;
    let table = DynamoDb::new(aws.dynamodb(environment), environment.required("TABLE_NAME")?.to_owned());
    Ok(Deps { table, clock: System })
}
