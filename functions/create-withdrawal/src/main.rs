//! Wires create-withdrawal.

use std::time::Duration;

use create_withdrawal::{Deps, Keys, SETTINGS, parse_ceiling};
use domain::{Ceilings, PaymentSystems};
use lambda::{Aws, BadSetting, Handler, Queue, SecretStore, Secrets, Settings, System, serve, start_log, warm_up};
use paykassma::Client;
use store::{DynamoDb, TableCheck};
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
    let delay = Duration::from_secs(settings.number("SUBMISSION_DELAY_SECONDS", 60)?);
    let secret_id = settings.required("SECRET_ID")?.to_owned();
    let systems = settings.made_from_json("PAYMENT_SYSTEMS", PaymentSystems::with)?.unwrap_or_default();
    let ceilings = Ceilings {
        per_hour: settings.parsed("WITHDRAWAL_CEILING_PER_HOUR", |text| parse_ceiling(text, &systems))?,
        per_day: settings.parsed("WITHDRAWAL_CEILING_PER_DAY", |text| parse_ceiling(text, &systems))?,
    };
    let deps = Deps {
        table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()),
        check: TableCheck::new(settings.required("TABLE_STREAM_ARN")?),
        queue: Queue::new(aws.sqs(settings), settings.required("QUEUE_URL")?.to_owned(), delay),
        provider: settings.parsed("PROVIDER_API_URL", |url| Client::at(url, timeout))?,
        keys: Secrets::<Keys, _>::new(aws.secrets_manager(settings), secret_id, System),
        clock: System,
        systems,
        ceilings,
        is_on: settings.switch_that_is_on("WITHDRAWALS")?,
    };
    info!("{}", deps.systems);
    warm_up(async { tokio::join!(deps.keys.current(), deps.check.generation(&deps.table)) }).await;
    Ok(deps)
}
