//! A table in this process, whose items are seen as they are stored.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use serde_dynamo::{AttributeValue, Item};
use store::{AnyRow, Change, DynamoDb, Row, RowId, Stored, Write, Written, read_any};
use tokio::net::TcpListener;

const NAME: &str = "paykassma";
const KEY: &str = "transaction_id";

pub(crate) struct Table {
    client: Client,
    pub(crate) rows: DynamoDb,
}

/// Runs an expression with the stored row of whatever kind.
macro_rules! of_any_kind {
    ($row:expr, $stored:ident => $result:expr) => {
        match $row {
            AnyRow::Deposit($stored) => $result,
            AnyRow::Payment($stored) => $result,
            AnyRow::Withdrawal($stored) => $result,
            AnyRow::Unreadable($stored) => $result,
            AnyRow::EntryCount($stored) => $result,
            AnyRow::CreditedNumber($stored) => $result,
            AnyRow::WaitingPage($stored) => $result,
            AnyRow::StoredList($stored) => $result,
            AnyRow::ListProgress($stored) => $result,
            AnyRow::TableIdentity($stored) => $result,
            AnyRow::Proposal($stored) => $result,
            AnyRow::ReservedSums($stored) => $result,
        }
    };
}

impl Table {
    pub(crate) async fn new() -> Self {
        let mut table: serde_json::Value = serde_json::from_str(store::CREATE_TABLE).unwrap();
        table["TableName"] = NAME.into();
        let database = dynoxide::Database::memory().unwrap();
        database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("ap-south-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
            .build();
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        let client = Client::from_conf(config);
        Self { rows: DynamoDb::new(client.clone(), NAME.into()), client }
    }

    /// Writes an item as it is.
    pub(crate) async fn put(&self, item: &Item) {
        let put = self.client.put_item().table_name(NAME).set_item(Some(item.clone().into()));
        put.send().await.unwrap();
    }

    /// An item as it is stored.
    pub(crate) async fn item(&self, key: &str) -> Item {
        let key = aws_sdk_dynamodb::types::AttributeValue::S(key.to_owned());
        let got = self.client.get_item().table_name(NAME).key(KEY, key).consistent_read(true).send().await;
        got.unwrap().item.unwrap().into()
    }

    /// Writes a new row as the functions do, and gives it as it is stored.
    pub(crate) async fn create(&self, row: &AnyRow) -> Item {
        of_any_kind!(row, stored => self.change(None, &stored.row).await)
    }

    /// Puts a row in the place of the one that its key has.
    pub(crate) async fn replace(&self, row: &AnyRow) -> Item {
        let current = self.read(&row.key()).await;
        of_any_kind!(row, stored => self.change(Row::from_any(current).as_ref(), &stored.row).await)
    }

    async fn change<R: Row>(&self, current: Option<&Stored<R>>, row: &R) -> Item {
        let change = Change::of(row.clone(), current);
        let key = store::RowKey::key(&row.id());
        assert!(self.rows.write(change).await.unwrap() == Written::Done, "{key}");
        self.item(&key).await
    }

    /// Writes a row once more as it is. Says whether it was written.
    pub(crate) async fn write_again(&self, row: AnyRow) -> bool {
        of_any_kind!(row, stored => self.rows.write(stored.becomes(stored.row.clone())).await == Ok(Written::Done))
    }

    /// A row that there is.
    pub(crate) async fn read(&self, key: &str) -> AnyRow {
        read_any(&self.rows, &RowId::parse(key).unwrap()).await.unwrap().unwrap()
    }
}

/// The row's key.
pub(crate) fn key_of(item: &Item) -> &str {
    match item.get(KEY) {
        Some(AttributeValue::S(key)) => key,
        other => panic!("{other:?}"),
    }
}

/// The format of the row's writer.
pub(crate) fn format_of(item: &Item) -> u64 {
    match item.get("format") {
        Some(AttributeValue::N(digits)) => digits.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}
