//! DynamoDB: the server in this process, and the one table.

use std::path::Path;

use dynoxide::Database;
use serde_json::json;

use crate::aws::{AwsError, Service};

/// The prefix of DynamoDB's operations on the wire.
pub(crate) const PREFIX: &str = "DynamoDB_20120810";

/// Opens the database in the directory's `table.db`, or in memory.
pub(crate) fn open(directory: Option<&Path>) -> Result<Database, dynoxide::DynoxideError> {
    match directory {
        Some(directory) => Database::new(&directory.join("table.db").to_string_lossy()),
        None => Database::memory(),
    }
}

/// Creates the table with its index and its stream, unless it is there already.
pub(crate) async fn create_table(dynamodb: &Service, name: &str) -> Result<(), AwsError> {
    let table = json!({
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": "transaction_id", "AttributeType": "S"},
            {"AttributeName": "attention", "AttributeType": "S"},
            {"AttributeName": "attention_at", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "transaction_id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "attention",
            "KeySchema": [
                {"AttributeName": "attention", "KeyType": "HASH"},
                {"AttributeName": "attention_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "BillingMode": "PAY_PER_REQUEST",
    });
    match dynamodb.call("CreateTable", &table).await {
        Err(error) if error.kind != "ResourceInUseException" => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
