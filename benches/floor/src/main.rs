//! The postback handler without SDK and runtime: hyper, rustls, and AWS's signature by hand. It verifies, credits in one
//! transaction and answers; it has no retries, no time limits and no second way. It is a measure, not a function to deploy.

mod connection;
mod sigv4;

use std::error::Error;

use hyper::header::HeaderMap;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use signing::{PostbackKeys, Verified, verify};

use crate::connection::{Connection, Endpoint, setting};
use crate::sigv4::Signer;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    body: String,
    path_parameters: PathParameters,
}

#[derive(Deserialize)]
struct PathParameters {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GotSecret {
    secret_string: String,
}

#[derive(Deserialize)]
struct Keys {
    postback_token: String,
    access_key: String,
    postback_private_key: SecretString,
}

#[derive(Deserialize)]
struct Postback<'a> {
    label: &'a str,
}

#[derive(Deserialize)]
struct Element<'a> {
    amount: &'a str,
    currency_code: &'a str,
    wallet_type: &'a str,
    transaction_id: &'a str,
    plugin_custom_order_id: &'a str,
}

const PREFIX: &str = "/2018-06-01/runtime/invocation";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let signer = Signer::of_environment()?;
    let mut runtime = Connection::new(Endpoint::plain(&setting("AWS_LAMBDA_RUNTIME_API")?));
    let mut secrets = Connection::new(Endpoint::parse(&setting("AWS_ENDPOINT_URL_SECRETS_MANAGER")?)?);
    let mut table = Connection::new(Endpoint::parse(&setting("AWS_ENDPOINT_URL_DYNAMODB")?)?);
    let mut keys = None;
    loop {
        let (head, event) = runtime.get(&format!("{PREFIX}/next")).await?;
        let id = head.get("lambda-runtime-aws-request-id").ok_or("no request id")?.to_str()?;
        let keys = match &keys {
            Some(keys) => keys,
            None => keys.insert(read_keys(&mut secrets, &signer).await?),
        };
        let (status, said) = handle(&event, keys, &mut table, &signer).await?;
        let reply = json!({"statusCode": status, "headers": {"content-type": "application/json"}, "body": said});
        runtime.post(&format!("{PREFIX}/{id}/response"), &HeaderMap::new(), reply.to_string()).await?;
    }
}

async fn read_keys(secrets: &mut Connection, signer: &Signer) -> Result<Keys, Box<dyn Error>> {
    let body = json!({"SecretId": setting("SECRET_ID")?}).to_string();
    let headers = signer.sign("secretsmanager", "secretsmanager.GetSecretValue", secrets.host(), &body)?;
    let (_, answer) = secrets.post("/", &headers, body).await?;
    let got: GotSecret = serde_json::from_slice(&answer)?;
    Ok(serde_json::from_str(&got.secret_string)?)
}

async fn handle(
    event: &[u8],
    keys: &Keys,
    table: &mut Connection,
    signer: &Signer,
) -> Result<(u16, &'static str), Box<dyn Error>> {
    let event: Event = serde_json::from_slice(event)?;
    let postback_keys = PostbackKeys::new(&keys.access_key, &keys.postback_private_key);
    let Ok(verified) = verify(event.body.as_bytes(), &postback_keys) else { return Ok((401, "{}")) };
    if event.path_parameters.token != keys.postback_token {
        return Ok((404, "{}"));
    }
    let body = transaction(&verified)?;
    let headers = signer.sign("dynamodb", "DynamoDB_20120810.TransactWriteItems", table.host(), &body)?;
    table.post("/", &headers, body).await?;
    Ok((200, r#"{"status":"ok"}"#))
}

/// The same two writes as the function's.
fn transaction(verified: &Verified<'_>) -> Result<String, Box<dyn Error>> {
    let table = setting("TABLE_NAME")?;
    let postback: Postback<'_> = serde_json::from_str(verified.body())?;
    let elements: Vec<&RawValue> = serde_json::from_str(verified.additional_data())?;
    let element: Element<'_> = serde_json::from_str(elements.first().ok_or("an empty list")?.get())?;
    let order = element.plugin_custom_order_id;
    let payment = format!("payment#{}#{}", element.wallet_type, element.transaction_id);
    let body = json!({"TransactItems": [
        {"Put": {
            "TableName": table,
            "Item": {
                "transaction_id": {"S": payment}, "version": {"N": "1"}, "state": {"S": "credited"}, "order": {"S": order},
                "credited_label": {"S": postback.label}, "amount": {"S": element.amount},
                "currency_code": {"S": element.currency_code},
                "additional_data": {"S": verified.additional_data()}, "signature": {"S": verified.signature()},
            },
            "ConditionExpression": "attribute_not_exists(transaction_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }},
        {"Update": {
            "TableName": table,
            "Key": {"transaction_id": {"S": format!("deposit#{order}")}},
            "UpdateExpression": "SET #state = :credited, credited = list_append(credited, :credit), version = version + :one",
            "ConditionExpression": "label = :label AND currency_code = :currency_code AND wallet_type = :wallet_type",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":credited": {"S": "credited"}, ":credit": {"L": [{"S": payment}]}, ":one": {"N": "1"},
                ":label": {"S": postback.label}, ":currency_code": {"S": element.currency_code},
                ":wallet_type": {"S": element.wallet_type},
            },
        }},
    ]});
    Ok(body.to_string())
}
