//! Wires postback-receiver.

use lambda::{Aws, BadSetting, Environment, Handle, SecretStore, Secrets, System, serve, start_log, warm_up};
use postback_receiver::{Deps, Keys};
use store::DynamoDb;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let environment = Environment::of_process();
    start_log(&environment);
    serve("token", set_up(&environment).await).await
}

async fn set_up(environment: &Environment) -> Result<impl Handle + use<>, BadSetting> {
    let aws = Aws::new(environment)?;
    let secret_id = environment.required("SECRET_ID")?.to_owned();
    let deps = Deps {
        table: DynamoDb::new(aws.dynamodb(environment), environment.required("TABLE_NAME")?.to_owned()),
        keys: Secrets::<Keys, _>::new(aws.secrets_manager(environment), secret_id, System),
        clock: System,
    };
    warm_up(async { tokio::join!(deps.keys.current(), deps.table.warm_up("deposit")) }).await;
    Ok(deps)
}
