//! Wires postback-receiver.

use domain::Separator;
use lambda::{Aws, BadSetting, Handler, SecretStore, Secrets, Settings, System, serve, start_log, warm_up};
use postback_receiver::{Deps, Keys, SETTINGS};
use store::{DynamoDb, TableCheck};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let settings = Settings::of_function(SETTINGS);
    start_log(&settings);
    serve(set_up(&settings).await).await
}

async fn set_up(settings: &Settings) -> Result<impl Handler + use<>, BadSetting> {
    let aws = Aws::new(settings)?;
    let secret_id = settings.required("SECRET_ID")?.to_owned();
    let deps = Deps {
        table: DynamoDb::new(aws.dynamodb(settings), settings.required("TABLE_NAME")?.to_owned()),
        check: TableCheck::new(settings.required("TABLE_STREAM_ARN")?),
        keys: Secrets::<Keys, _>::new(aws.secrets_manager(settings), secret_id, System),
        clock: System,
        separator: settings.optional_parsed("ATTEMPT_ID_SEPARATOR", Separator::parse)?.unwrap_or_default(),
    };
    warm_up(async { tokio::join!(deps.keys.current(), deps.check.generation(&deps.table)) }).await;
    Ok(deps)
}
