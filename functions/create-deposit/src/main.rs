//! Wires create-deposit.

use std::time::Duration;

use create_deposit::{Deps, Keys, SETTINGS};
use domain::PaymentSystems;
use lambda::{Aws, BadSetting, Handler, SecretStore, Secrets, Settings, System, serve, start_log, warm_up};
use paykassma::{BaseUrl, Client, WindowParameters};
use store::DynamoDb;
use tracing::info;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl Handler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let timeout = Duration::from_millis(settings.number("PROVIDER_TIMEOUT_MS", 8_000)?);
    let secret_id = settings.required("SECRET_ID")?.to_owned();
    let deps = Deps {
        table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()),
        provider: settings.parsed("PROVIDER_API_URL", |url| Client::at(url, timeout))?,
        keys: Secrets::<Keys, _>::new(aws.secrets_manager(settings), secret_id, System),
        clock: System,
        systems: settings.made_from_json("PAYMENT_SYSTEMS", PaymentSystems::with)?.unwrap_or_default(),
        plugin: settings.parsed("PROVIDER_PLUGIN_URL", BaseUrl::parse)?,
        window_parameters: settings
            .optional_parsed("PAYMENT_WINDOW_PARAMETERS", WindowParameters::parse)?
            .unwrap_or_default(),
    };
    info!("{}", deps.systems);
    warm_up(async { tokio::join!(deps.keys.current(), deps.table.warm_up("deposit")) }).await;
    Ok(deps)
}
