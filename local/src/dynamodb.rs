//! DynamoDB: the server in this process, and the one table.

use std::io::{self, ErrorKind};
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
use crate::clock::request_id;

/// The prefix of DynamoDB's operations on the wire.
pub(crate) const PREFIX: &str = "DynamoDB_20120810";

/// The table's key, index and stream, as the store has them.
const CREATE_TABLE: &str = include_str!("../../shared/store/src/create_table.json");

/// The tag of a table that says up to which change its stream was read.
const READ_TO: &str = "changes-read-to";

/// What dynoxide lacks: an index for the question that each write asks, what the last change was, and an end of changes that were read.
/// `DynamoDB` deletes a change after 24 hours. Here the last 10,000 stay, for those who read them again.
const STREAM_SCHEMA: &str = "
    CREATE INDEX IF NOT EXISTS changes_in_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    DROP TRIGGER IF EXISTS delete_read_changes;
    CREATE TRIGGER delete_read_changes AFTER UPDATE OF tags ON _tables BEGIN
        DELETE FROM _stream_records WHERE id <= -10000 + (
            SELECT id FROM _stream_records WHERE table_name = NEW.table_name
            -- the number, as readers see it, is 1 and 20 digits
            AND CAST(sequence_number AS INTEGER) = CAST(substr(json_extract(NEW.tags, '$[0].Value'), 2) AS INTEGER));
    END";

/// Opens the database in the directory's `table.db`, or in memory.
pub(crate) fn open(directory: Option<&Path>) -> Result<Database, dynoxide::DynoxideError> {
    let name = match directory {
        Some(directory) => directory.join("table.db").to_string_lossy().into_owned(),
        None => format!("file:{}?mode=memory&cache=shared", request_id()),
    };
    let database = Database::new(&name)?;
    rusqlite::Connection::open(&name)?.execute_batch(STREAM_SCHEMA)?;
    Ok(database)
}

/// Lets the database delete a stream's changes up to the one with this sequence number.
pub(crate) async fn mark_as_read(dynamodb: &Service, stream_arn: &str, sequence_number: &str) -> Result<(), AwsError> {
    let (table_arn, _) = stream_arn.split_once("/stream/").unwrap_or((stream_arn, ""));
    let tag = json!({"Key": READ_TO, "Value": sequence_number});
    dynamodb.call("TagResource", &json!({"ResourceArn": table_arn, "Tags": [tag]})).await.map(drop)
}

/// Builds the server. Dynoxide has a server of its own, whose routes nobody else can use and whose answers every web page may read. It
/// listens at an address that no page can guess (0055), and these routes pass requests on to it.
pub(crate) async fn router(database: Database, tasks: &mut JoinSet<()>) -> io::Result<Router> {
    let [_, random @ ..] = getrandom::u32().map_err(io::Error::other)?.to_be_bytes();
    let [second, third, fourth] = random;
    let listener = listen(Ipv4Addr::new(127, second, third, fourth)).await?;
    let authority: Authority = listener.local_addr()?.to_string().parse().map_err(io::Error::other)?;
    tasks.spawn(dynoxide::server::serve_on(listener, database));
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    Ok(Router::new().fallback(pass_on).with_state((client, authority)))
}

/// Listens at the address, or at 127.0.0.1 on a system that has no other loopback address (macOS).
async fn listen(address: Ipv4Addr) -> io::Result<TcpListener> {
    match TcpListener::bind((address, 0)).await {
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
        bound => bound,
    }
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

#[cfg(test)]
mod tests {
    use dynoxide::actions::put_item::PutItemRequest;
    use rusqlite::Connection;
    use serde::de::DeserializeOwned;

    use super::*;

    fn read<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    /// A table with one change, and the connection that shows what is stored.
    fn table(directory: &Path) -> (Database, Connection) {
        let database = open(Some(directory)).unwrap();
        let mut table: Value = serde_json::from_str(CREATE_TABLE).unwrap();
        table["TableName"] = json!("table");
        database.create_table(read(table)).unwrap();
        put(&database);
        (database, Connection::open(directory.join("table.db")).unwrap())
    }

    fn put(database: &Database) {
        let row: PutItemRequest = read(json!({"TableName": "table", "Item": {"transaction_id": {"S": "a"}}}));
        database.put_item(row).unwrap();
    }

    fn count(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM _stream_records", [], |row| row.get(0)).unwrap()
    }

    #[tokio::test]
    async fn a_system_with_one_loopback_address_listens_there() {
        let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(listen(elsewhere).await.unwrap().local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn changes_that_were_read_are_deleted_but_the_last_10000() {
        let directory = tempfile::tempdir().unwrap();
        let (database, connection) = table(directory.path());
        let copies = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
            INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)
            SELECT table_name, event_name, keys_json, sequence_number + i, shard_id, created_at FROM _stream_records, n";
        connection.execute_batch(copies).unwrap();
        let numbers = "SELECT sequence_number FROM _stream_records WHERE id = ?1";
        for (read_to, left) in [(500, 12_001), (10_500, 11_501), (10_500, 11_501), (12_001, 10_000)] {
            let number: String = connection.query_row(numbers, [read_to], |row| row.get(0)).unwrap();
            let tag = json!({"Key": READ_TO, "Value": format!("1{number:0>20}")});
            let table = "arn:aws:dynamodb:dynoxide:000000000000:table/table";
            database.tag_resource(read(json!({"ResourceArn": table, "Tags": [tag]}))).unwrap();
            assert_eq!(count(&connection), left, "read to {read_to}");
        }
        put(&database);
        assert_eq!(count(&connection), 10_001, "the newest one is not read");
    }

    #[test]
    fn no_write_and_no_read_looks_at_all_changes_before() {
        let directory = tempfile::tempdir().unwrap();
        let (_database, connection) = table(directory.path());
        for question in [
            "SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = 'table'",
            "SELECT * FROM _stream_records WHERE table_name = 'table' AND shard_id = 's' AND CAST(sequence_number AS INTEGER) > 1
             ORDER BY CAST(sequence_number AS INTEGER) LIMIT 100",
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
            let steps: Vec<String> = plan.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert!(steps.iter().all(|step| step.contains("USING") && step.contains("changes_in_order")), "{steps:?}");
        }
    }
}
