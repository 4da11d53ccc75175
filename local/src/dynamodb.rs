//! DynamoDB: the server in this process, and the one table.

use std::path::Path;

use dynoxide::Database;
use serde_json::{Value, json};

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
