//! How to use a running stack: for a person, and for a script.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::aws::{AUTHORIZATION, REGION};
use crate::binaries;
use crate::credentials::write_private;
use crate::event_bus::BUS;
use crate::ids::Ids;
use crate::stack::Stack;

/// Where programs of this workspace look for the stack that runs: `stack.env` in cargo's target directory.
///
/// # Errors
///
/// This program's path cannot be read.
pub fn default_env_file() -> io::Result<PathBuf> {
    let built = binaries::directory()?;
    Ok(built.parent().unwrap_or(&built).join("stack.env"))
}

/// Writes what a script needs, as KEY=VALUE lines; the file appears whole or not at all.
///
/// # Errors
///
/// The file cannot be written.
pub fn env_file(stack: &Stack, file: &Path) -> io::Result<()> {
    let credentials = stack.credentials();
    let secrets = &credentials.secrets;
    let lines = [
        ("API_URL", stack.api_url()),
        ("POSTBACK_API_URL", stack.postback_api_url()),
        ("OPERATOR_API_URL", stack.operator_api_url()),
        ("POSTBACK_URL", &stack.postback_url()),
        ("PROVIDER_URL", stack.provider_url()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", stack.dynamodb_url()),
        ("AWS_ENDPOINT_URL_SQS", stack.sqs_url()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", stack.secrets_url()),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", stack.event_bus_url()),
        ("EVENT_BUS_NAME", BUS),
        ("TABLE_NAME", stack.table_name()),
        ("TABLE_STREAM_ARN", stack.table_stream_arn()),
        ("QUEUE_URL", &stack.queue_url()),
        ("DEAD_LETTER_QUEUE_URL", &stack.dead_letter_queue_url()),
        ("SET_ASIDE_QUEUE_URL", &stack.set_aside_queue_url()),
        ("EVENTS_QUEUE_URL", &stack.events_queue_url()),
        ("UNDELIVERED_QUEUE_URL", &stack.undelivered_queue_url()),
        ("MERCHANT_TOKEN", &credentials.merchant_token),
        ("EVENTS_SECRET", &secrets.events_secret),
        ("ACCESS_KEY", &secrets.access_key),
        ("POSTBACK_PRIVATE_KEY", &secrets.postback_private_key),
        ("WITHDRAWAL_PRIVATE_KEY", &secrets.withdrawal_private_key),
        ("PLUGINAPI_SECRET", &secrets.pluginapi_secret),
    ];
    let lines = lines.map(|(name, value)| format!("{name}={value}\n"));
    write_private(file, lines.concat().as_bytes())
}

/// Says where everything is, and what to try. `window` is the link to the payment window of an order that was registered.
#[must_use]
pub fn guide(stack: &Stack, window: Option<&str>) -> String {
    let ids = Ids::random();
    let commands: Vec<_> = deposit(stack, &ids).into_iter().chain(withdrawal(stack, &ids)).flatten().collect();
    format!("{}{}\nTry, by pasting:\n\n{}", addresses(stack), pages(stack, window), commands.join("\n"))
}

/// The pages of the simulated provider. Another provider has its own.
fn pages(stack: &Stack, window: Option<&str>) -> String {
    if stack.simulator().is_none() {
        return String::new();
    }
    let window = window.unwrap_or("the `payment_window_url` that `POST /deposits` answers");
    let provider = stack.provider_url();
    format!("\nOpen in a browser:\n\n  payment window        {window}\n  back office           {provider}/backoffice\n")
}

fn addresses(stack: &Stack) -> String {
    let credentials = stack.credentials();
    let secrets = &credentials.secrets;
    format!(
        "
Everything is up. Ctrl-C ends it.

  HTTP API              {api}    Authorization: Bearer {token}
  postbacks             {postbacks}
  provider              {provider}
  DynamoDB              {dynamodb}    table {table}
  SQS                   {queue}

  plug-in secret        {plugin}
  withdrawal key        {withdrawal}
  postback access key   {access}
  postback private key  {postback}
  key of posted events  {events}
",
        api = stack.api_url(),
        token = credentials.merchant_token,
        postbacks = stack.postback_url(),
        provider = stack.provider_url(),
        dynamodb = stack.dynamodb_url(),
        table = stack.table_name(),
        queue = stack.queue_url(),
        plugin = secrets.pluginapi_secret,
        withdrawal = secrets.withdrawal_private_key,
        access = secrets.access_key,
        postback = secrets.postback_private_key,
        events = secrets.events_secret,
    )
}

/// Calls of the control API are left out when another provider is used.
fn deposit(stack: &Stack, Ids { order, number, .. }: &Ids) -> [Option<String>; 4] {
    let new = json!({
        "custom_transaction_id": order, "label": "user-1", "currency_code": "INR",
        "wallet_type": "paytm", "amount": 500, "lang": "en",
    });
    let payment = json!({"transaction_id": number, "amount": "500"});
    let entered = json!({"key1": number, "amount": 500});
    [
        Some(merchant(stack, "A deposit.", "/deposits", &new)),
        control(stack, "The user pays.", "/payments", &payment),
        Some(merchant(stack, "The user enters the number.", &format!("/deposits/{order}/activation"), &entered)),
        Some(row(stack, &format!("deposit#{order}"))),
    ]
}

fn withdrawal(stack: &Stack, Ids { withdrawal, .. }: &Ids) -> [Option<String>; 3] {
    let new = json!({
        "withdrawal_id": withdrawal, "label": "user-1", "amount": 300, "currency_code": "INR",
        "account_number": "1234560079",
    });
    let settle = format!("/withdrawals/{withdrawal}/settle");
    [
        Some(merchant(stack, "A withdrawal.", "/withdrawals", &new)),
        control(stack, "The provider pays out (5 instead of 1: it fails).", &settle, &json!({"status": 1})),
        Some(row(stack, &format!("withdrawal#{withdrawal}"))),
    ]
}

fn merchant(stack: &Stack, what: &str, path: &str, body: &Value) -> String {
    let authorization = format!("authorization: Bearer {}", stack.credentials().merchant_token);
    let headers = ["content-type: application/json", &authorization];
    curl(what, &format!("{}{path}", stack.api_url()), &headers, body)
}

fn control(stack: &Stack, what: &str, path: &str, body: &Value) -> Option<String> {
    stack.simulator()?;
    let url = format!("{}/_control{path}", stack.provider_url());
    Some(curl(what, &url, &["content-type: application/json"], body))
}

fn row(stack: &Stack, key: &str) -> String {
    let get = json!({"TableName": stack.table_name(), "Key": {"transaction_id": {"S": key}}});
    let headers = [
        "content-type: application/x-amz-json-1.0",
        "x-amz-target: DynamoDB_20120810.GetItem",
        "x-amz-date: 20250101T000000Z",
        &format!("authorization: {AUTHORIZATION}"),
    ];
    curl("Its row in the table.", stack.dynamodb_url(), &headers, &get)
}

fn curl(what: &str, url: &str, headers: &[&str], body: &Value) -> String {
    let headers: Vec<_> = headers.iter().map(|header| format!("  -H '{header}' \\\n")).collect();
    format!("# {what}\ncurl -sS -w '\\n' {url} \\\n{}  -d '{body}'\n", headers.concat())
}
