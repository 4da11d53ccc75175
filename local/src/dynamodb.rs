//! DynamoDB: the server in this process, and the one table.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::uri::{Authority, Scheme, Uri};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::{Database, DynoxideError};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::aws::{AwsError, Service};
use crate::clock::request_id;
use crate::error::{Doing, StartError};

/// The prefix of DynamoDB's operations on the wire.
pub(crate) const PREFIX: &str = "DynamoDB_20120810";
/// The same of its streams.
pub(crate) const STREAMS_PREFIX: &str = "DynamoDBStreams_20120810";

/// How many rows a page has, if the request does not say it.
const PAGE: u32 = 1_000;
/// The largest request that dynoxide takes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

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

/// Opens the database in the directory's `table.db`, or in memory, and creates the table unless it is there already. Gives the ARN of its
/// stream too.
pub(crate) fn open(directory: Option<&Path>, table: &str) -> Result<(Database, String), StartError> {
    let name = match directory {
        Some(directory) => directory.join("table.db").to_string_lossy().into_owned(),
        None => format!("file:{}?mode=memory&cache=shared", request_id()),
    };
    let database = Database::new(&name)?;
    // Sets dynoxide's normal values. One of them is not SQLite's own default: writes reach the disk at checkpoints only. So a crash of the
    // machine, but not of this process, may lose the last ones.
    database.disable_bulk_loading()?;
    match database.create_table(schema(table).map_err(io::Error::from).doing("the table's schema")?) {
        Err(error) if !matches!(error, DynoxideError::ResourceInUseException(_)) => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    let connection = Connection::open(&name).map_err(DynoxideError::from)?;
    connection.execute_batch(STREAM_SCHEMA).map_err(DynoxideError::from)?;
    connection.execute_batch(&scan_schema(table)).map_err(DynoxideError::from)?;
    let streams = database.list_streams(ListStreamsRequest { table_name: Some(table.into()), ..Default::default() })?;
    let stream = streams.streams.into_iter().next().map(|stream| stream.stream_arn);
    Ok((database, stream.ok_or_else(|| io::Error::other("the table has no stream")).doing("the table's stream")?))
}

fn schema(table: &str) -> serde_json::Result<CreateTableRequest> {
    let mut schema: Map<String, Value> = serde_json::from_str(CREATE_TABLE)?;
    schema.insert("TableName".into(), table.into());
    serde_json::from_value(schema.into())
}

/// An index in the order of a scan that is divided into segments.
fn scan_schema(table: &str) -> String {
    format!(r#"CREATE INDEX IF NOT EXISTS "{table}::scan" ON "{table}" (hash_prefix, pk, sk)"#)
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
    request: Request,
) -> Response {
    let Ok(mut request) = bounded(request).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
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

/// Changes what would make dynoxide slower or larger with each row.
///
/// - For ten minutes dynoxide remembers the token of each transaction, and it looks at all of them in each transaction that has one. A
///   transaction that is sent again without its token finds what it wrote, and its conditions fail.
/// - For one page of a scan or a query without `Limit`, dynoxide reads all rows that are left.
async fn bounded(request: Request) -> Result<Request, axum::Error> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix(PREFIX)?.strip_prefix('.')).unwrap_or_default();
    let change: fn(&mut Map<String, Value>) = match operation {
        "TransactWriteItems" => |members| drop(members.remove("ClientRequestToken")),
        "Query" | "Scan" => |members| {
            members.entry("Limit").or_insert(json!(PAGE));
        },
        _ => return Ok(request),
    };
    let (mut parts, body) = request.into_parts();
    let mut body = to_bytes(body, MOST_BYTES).await?;
    if let Ok(mut members) = serde_json::from_slice(&body) {
        change(&mut members);
        body = Value::Object(members).to_string().into();
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    Ok(Request::from_parts(parts, body.into()))
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

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;
    use serde::de::DeserializeOwned;

    use super::*;

    fn read<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    /// A table with one change, and the connection that shows what is stored.
    fn table(directory: &Path) -> (Database, Connection) {
        let (database, _) = open(Some(directory), "table").unwrap();
        put(&database);
        (database, Connection::open(directory.join("table.db")).unwrap())
    }

    fn put(database: &Database) {
        put_row(database, "a");
    }

    fn put_row(database: &Database, id: &str) {
        let row = json!({"transaction_id": {"S": id}, "attention": {"S": "open"}, "attention_at": {"N": "1"}});
        database.put_item(read(json!({"TableName": "table", "Item": row}))).unwrap();
    }

    fn count(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM _stream_records", [], |row| row.get(0)).unwrap()
    }

    #[tokio::test]
    async fn a_transaction_is_passed_on_without_token_and_a_page_with_a_limit() {
        for (operation, given, expected) in [
            ("TransactWriteItems", r#"{"ClientRequestToken":"a","TransactItems":[]}"#, r#"{"TransactItems":[]}"#),
            ("Scan", r#"{"TableName":"table"}"#, r#"{"Limit":1000,"TableName":"table"}"#),
            ("Query", r#"{"Limit":1,"TableName":"table"}"#, r#"{"Limit":1,"TableName":"table"}"#),
            ("PutItem", r#"{"ClientRequestToken":"a"}"#, r#"{"ClientRequestToken":"a"}"#),
            ("Scan", "nonsense", "nonsense"),
        ] {
            let target = format!("{PREFIX}.{operation}");
            let request = Request::builder().header("x-amz-target", target).body(Body::from(given)).unwrap();
            let passed_on = bounded(request).await.unwrap().into_body();
            assert_eq!(to_bytes(passed_on, MOST_BYTES).await.unwrap(), expected.as_bytes(), "{operation}");
        }
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

    /// What dynoxide does for each write, for each read of the stream, and for a page of a scan and of a query.
    const STATEMENTS: [&str; 13] = [
        r#"SELECT item_json FROM "table" WHERE pk = 'S:a' AND sk = ''"#,
        r#"INSERT OR REPLACE INTO "table" (pk, sk, item_json, item_size, cached_at, hash_prefix) VALUES ('S:a', '', '{}', 2,
            (SELECT cached_at FROM "table" WHERE pk = 'S:a' AND sk = ''), 'abcdef')"#,
        r#"DELETE FROM "table" WHERE pk = 'S:b' AND sk = ''"#,
        r#"DELETE FROM "table::gsi::attention" WHERE table_pk = 'S:a' AND table_sk = ''"#,
        r#"INSERT OR REPLACE INTO "table::gsi::attention" (gsi_pk, gsi_sk, table_pk, table_sk, item_json)
            VALUES ('S:open', '1', 'S:a', '', '{}')"#,
        "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = 'table'",
        "INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)
            VALUES ('table', 'INSERT', '{}', '1', 's', 1)",
        "SELECT * FROM _stream_records WHERE table_name = 'table' AND shard_id = 'shardId-00000001-table'
            AND CAST(sequence_number AS INTEGER) > 1 ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT 10",
        "SELECT tags FROM _tables WHERE table_name = 'table'",
        "UPDATE _tables SET tags = '[{\"Value\":\"100000000000000000001\"}]' WHERE table_name = 'table'",
        r#"SELECT gsi_pk, gsi_sk, item_json FROM "table::gsi::attention" WHERE gsi_pk = 'S:open'
            ORDER BY gsi_sk ASC, table_pk ASC, table_sk ASC LIMIT 10"#,
        r#"SELECT pk, sk, item_json FROM "table" WHERE (pk, sk) > ('S:a', '') ORDER BY pk ASC, sk ASC LIMIT 10"#,
        r#"SELECT pk, sk, item_json FROM "table" WHERE (hash_prefix, pk, sk) > ('000000', 'S:a', '')
            AND substr(hash_prefix, 1, 3) >= '000' AND substr(hash_prefix, 1, 3) <= 'fff'
            ORDER BY hash_prefix ASC, pk ASC, sk ASC LIMIT 10"#,
    ];

    /// How many steps the database takes for the statement.
    fn steps(connection: &Connection, statement: &str) -> i32 {
        let mut prepared = connection.prepare(statement).unwrap();
        let mut rows = prepared.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        prepared.get_status(StatementStatus::VmStep)
    }

    #[test]
    fn no_write_and_no_read_takes_more_steps_in_a_larger_table() {
        let directory = tempfile::tempdir().unwrap();
        let (database, connection) = table(directory.path());
        let mut ids = 0..;
        let mut steps_after = |rows: usize| {
            for id in ids.by_ref().take(rows) {
                put_row(&database, &format!("row {id}"));
            }
            STATEMENTS.map(|statement| steps(&connection, statement))
        };
        let (before, after) = (steps_after(100), steps_after(1_000));
        for ((statement, before), after) in STATEMENTS.iter().zip(before).zip(after) {
            assert!(after <= before, "{before} steps became {after}: {statement}");
        }
    }
}
