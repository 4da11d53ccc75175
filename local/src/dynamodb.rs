//! DynamoDB: the server in this process, and the one table.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::uri::{Authority, Scheme, Uri};
use axum::response::{IntoResponse, Response};
use dynoxide::Database;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::aws::{AwsError, Service};

/// The prefix of DynamoDB's operations on the wire.
pub(crate) const PREFIX: &str = "DynamoDB_20120810";

/// The table's key, index and stream, as the store has them.
const CREATE_TABLE: &str = include_str!("../../shared/store/src/create_table.json");

/// Opens the database in the directory's `table.db`, or in memory.
pub(crate) fn open(directory: Option<&Path>) -> Result<Database, dynoxide::DynoxideError> {
    match directory {
        Some(directory) => Database::new(&directory.join("table.db").to_string_lossy()),
        None => Database::memory(),
    }
}

/// Builds the server. Dynoxide has a server of its own, whose routes nobody else can use and whose answers every web page may read. It
/// listens at an address that no page can guess (0055), and these routes pass requests on to it.
pub(crate) async fn router(database: Database, tasks: &mut JoinSet<()>) -> io::Result<Router> {
    let [_, random @ ..] = getrandom::u32().map_err(io::Error::other)?.to_be_bytes();
    let [second, third, fourth] = random;
    let listener = TcpListener::bind((Ipv4Addr::new(127, second, third, fourth), 0)).await?;
    let authority: Authority = listener.local_addr()?.to_string().parse().map_err(io::Error::other)?;
    tasks.spawn(dynoxide::server::serve_on(listener, database));
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    Ok(Router::new().fallback(pass_on).with_state((client, authority)))
}

async fn pass_on(
    State((client, authority)): State<(Client<HttpConnector, Body>, Authority)>,
    mut request: Request,
) -> Response {
    let mut uri = std::mem::take(request.uri_mut()).into_parts();
    (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(authority));
    let answer = match Uri::from_parts(uri) {
        Ok(uri) => {
            *request.uri_mut() = uri;
            client.request(request).await.ok()
        }
        Err(_) => None,
    };
    answer.map_or_else(|| StatusCode::BAD_GATEWAY.into_response(), |answer| answer.map(Body::new))
}

/// Puts all rows of a table into another one, as a restore does.
pub(crate) async fn copy_table(dynamodb: &Service, from: &str, to: &str) -> Result<(), AwsError> {
    let mut after = Value::Null;
    loop {
        let mut scan = json!({"TableName": from, "ConsistentRead": true});
        if let (Some(scan), false) = (scan.as_object_mut(), after.is_null()) {
            scan.insert("ExclusiveStartKey".into(), after);
        }
        let mut page = dynamodb.call("Scan", &scan).await?;
        let rows = page.get_mut("Items").map(Value::take).unwrap_or_default();
        for row in rows.as_array().into_iter().flatten() {
            dynamodb.call("PutItem", &json!({"TableName": to, "Item": row})).await?;
        }
        after = page.get_mut("LastEvaluatedKey").map(Value::take).unwrap_or_default();
        if after.is_null() {
            return Ok(());
        }
    }
}

/// Creates the table with its index and its stream, unless it is there already. Gives the stream's ARN.
pub(crate) async fn create_table(dynamodb: &Service, name: &str) -> Result<String, AwsError> {
    let mut table: Value = serde_json::from_str(CREATE_TABLE)
        .map_err(|error| AwsError { kind: "InvalidSchema".into(), message: error.to_string() })?;
    if let Some(table) = table.as_object_mut() {
        table.insert("TableName".into(), name.into());
    }
    match dynamodb.call("CreateTable", &table).await {
        Err(error) if error.kind != "ResourceInUseException" => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let described = dynamodb.call("DescribeTable", &json!({"TableName": name})).await?;
    let stream = described.pointer("/Table/LatestStreamArn").and_then(Value::as_str);
    let missing = || AwsError { kind: "NoStream".into(), message: format!("the table {name} has no stream") };
    Ok(stream.ok_or_else(missing)?.to_owned())
}
