//! Wires evidence-verifier.

use evidence_verifier::{Deps, SETTINGS};
use lambda::{Aws, BadSetting, Handler, SecretStore, Secrets, Settings, System, serve, start_log, warm_up};
use paykassma::EvidenceKeys;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl Handler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let secret_id = settings.required("SECRET_ID")?.to_owned();
    let deps = Deps { keys: Secrets::<EvidenceKeys, _>::new(aws.secrets_manager(settings), secret_id, System) };
    warm_up(deps.keys.current()).await;
    Ok(deps)
}
