//! Wires authorizer.

#![recursion_limit = "256"]

use authorizer::{Deps, Keys, SETTINGS, serve};
use lambda::{Aws, BadSetting, SecretStore, Secrets, Settings, System, start_log, warm_up};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<Deps<Secrets<Keys, System>>, BadSetting> {
    let aws = Aws::new(settings)?;
    let secret_id = settings.required("SECRET_ID")?.to_owned();
    let deps = Deps { keys: Secrets::new(aws.secrets_manager(settings), secret_id, System) };
    warm_up(deps.keys.current()).await;
    Ok(deps)
}
