//! Wires authorizer.

use authorizer::{Deps, Keys, serve};
use lambda::{Aws, BadSetting, Environment, SecretStore, Secrets, System, start_log, warm_up};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::of_process();
    start_log(&environment);
    serve(set_up(&environment).await).await
}

async fn set_up(environment: &Environment) -> Result<Deps<Secrets<Keys, System>>, BadSetting> {
    let aws = Aws::new(environment)?;
    let secret_id = environment.required("SECRET_ID")?.to_owned();
    let deps = Deps { keys: Secrets::new(aws.secrets_manager(environment), secret_id, System) };
    warm_up(deps.keys.current()).await;
    Ok(deps)
}
