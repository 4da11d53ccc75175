//! The rows of a release, as its file in `tests/rows` has them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use domain::*;
use serde::{Deserialize, Serialize};
use serde_dynamo::Item;
use serde_json::{Value, json};
use store::{Credit as CreditPort, EndWithdrawal, Reserve, Reserved, Transacted, Written, row_events};
use tokio::sync::OnceCell;

use crate::changes::{armed, set_aside, set_aside_by_position, transitions};
use crate::parts::{ACCESS_KEY, AT, PRIVATE_KEY, amount, facts, key, paytm, withdrawal_facts};
use crate::rows::{created, examples, sending};
use crate::table::{Table, key_of};
use crate::variants::event_name;

/// What a release writes. Its form never changes: older code reads it too.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Release {
    pub(crate) keys: Keys,
    pub(crate) rows: Vec<WrittenRow>,
    pub(crate) messages: Vec<WrittenMessage>,
    pub(crate) changes: Vec<WrittenChange>,
}

/// The keys that sign the lists of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) private_key: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WrittenRow {
    pub(crate) name: String,
    /// The name of the row's state.
    pub(crate) state: String,
    /// Why it is in the index, and since when.
    pub(crate) attention: Option<(String, u64)>,
    pub(crate) item: Item,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WrittenMessage {
    pub(crate) name: String,
    pub(crate) queue: String,
    pub(crate) body: String,
    /// The events of a change that was set aside.
    pub(crate) events: Option<Vec<Published>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WrittenChange {
    pub(crate) name: String,
    pub(crate) old: Option<Item>,
    pub(crate) new: Item,
    pub(crate) events: Vec<Published>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// The queue of withdrawals.
pub(crate) const WITHDRAWALS: &str = "withdrawals";
/// The queue of changes that were set aside.
pub(crate) const SET_ASIDE: &str = "set aside";

/// What this code writes. It is written once.
pub(crate) async fn written() -> &'static Release {
    static WRITTEN: OnceCell<Release> = OnceCell::const_new();
    WRITTEN.get_or_init(write).await
}

/// Writes everything with this code.
pub(crate) async fn write() -> Release {
    let keys = Keys { access_key: ACCESS_KEY.into(), private_key: PRIVATE_KEY.into() };
    let changes = changes().await;
    Release { keys, rows: rows().await, messages: messages(&changes), changes }
}

async fn rows() -> Vec<WrittenRow> {
    let table = Table::new().await;
    let mut rows = Vec::new();
    for example in examples() {
        table.create(&example.row).await;
        rows.push((example.name, example.row.key()));
    }
    rows.extend(unread(&table).await);
    let mut written = Vec::new();
    for (name, key) in rows {
        let row = table.read(&key).await;
        let attention = row.attention().map(|it| (it.kind.as_str().to_owned(), it.at.0));
        let (name, state) = (name.to_owned(), row.state_name().to_owned());
        written.push(WrittenRow { name, state, attention, item: table.item(&key).await });
    }
    written
}

/// Rows that are written without being read first.
async fn unread(table: &Table) -> [(&'static str, String); 4] {
    let order = DepositRow::Registered(created("order-60"));
    table.create(&store::Row::into_any(store::Stored { row: order, version: 0 })).await;
    let facts = facts("order-60.47752120060", "47752120060", "700");
    let report = DepositReport { payment: key("47752120060"), facts, mismatch: None };
    let credited = table.rows.credit(&report.expected_credit().unwrap()).await.unwrap();
    assert_eq!(credited, Transacted::Done);

    let row = WithdrawalRow::Registered(Box::new(sending("withdrawal-60")));
    let id = row.id().clone();
    table.create(&store::Row::into_any(store::Stored { row, version: 0 })).await;
    let facts = withdrawal_facts("withdrawal-60", 1, "1000");
    let (wallet_type, withdrawal_status) = (paytm(), Some(1));
    let report = WithdrawalReport { withdrawal_id: id, wallet_type, withdrawal_status, facts, mismatch: None };
    assert_eq!(table.rows.end_withdrawal(&report).await.unwrap(), Written::Done);

    let most = CeilingRule::Every(Ceiling::AtMost(amount("5000").into()));
    let ceilings = Ceilings { per_hour: most.clone(), per_day: most };
    for (hours, text) in [(0, "1000"), (0, "0.25"), (1, "12.5")] {
        let at = Timestamp(AT.0 + hours * 3_600_000);
        let Reserving::Under(reservation) = ceilings.reserving(&paytm(), amount(text), at) else { panic!() };
        assert_eq!(table.rows.reserve(&reservation).await.unwrap(), Reserved::Done);
    }
    [
        ("deposit credited, without a look", "deposit#order-60".into()),
        ("payment credited, without a look", "payment#paytm#47752120060".into()),
        ("withdrawal paid, without a look", "withdrawal#withdrawal-60".into()),
        ("ceiling", format!("ceiling#paytm#{}", Day::of(AT))),
    ]
}

async fn changes() -> Vec<WrittenChange> {
    let table = Table::new().await;
    let mut changes = Vec::new();
    for transition in transitions() {
        let (old, new) = match &transition.old {
            Some(old) => (Some(table.create(old).await), table.replace(&transition.new).await),
            None => (None, table.create(&transition.new).await),
        };
        let events = published(old.as_ref(), &new).unwrap();
        changes.push(WrittenChange { name: transition.name.into(), old, new, events });
    }
    changes
}

fn messages(changes: &[WrittenChange]) -> Vec<WrittenMessage> {
    let message = |name: &str, queue: &str, body, events| {
        let (name, queue) = (name.to_owned(), queue.to_owned());
        WrittenMessage { name, queue, body, events }
    };
    let first = changes.first().unwrap();
    let events = published(first.old.as_ref(), &first.new).ok();
    vec![
        message("armed", WITHDRAWALS, armed(), None),
        message("set aside", SET_ASIDE, set_aside(first.old.as_ref(), &first.new), events),
        message("set aside by position", SET_ASIDE, set_aside_by_position(), None),
    ]
}

/// What a change publishes.
pub(crate) fn published(old: Option<&Item>, new: &Item) -> Result<Vec<Published>, String> {
    let events = row_events(old.cloned(), new.clone()).map_err(|error| error.to_string())?.events;
    let publish = |event: &Event| Published {
        kind: event_name(event).into(),
        id: paykassma::event_id(event, key_of(new)),
        data: serde_json::to_value(event).unwrap(),
    };
    Ok(events.iter().map(publish).collect())
}

impl Release {
    /// The text of its file: an object, with a row, a message or a change in each line.
    pub(crate) fn to_text(&self) -> String {
        let Self { keys, rows, messages, changes } = self;
        let mut text = format!("{{\n\"keys\": {},\n", json!(keys));
        let lists = [("rows", json!(rows)), ("messages", json!(messages)), ("changes", json!(changes))];
        let lists = lists.map(|(name, list)| {
            let lines: Vec<_> = list.as_array().unwrap().iter().map(Value::to_string).collect();
            format!("\"{name}\": [\n{}\n]", lines.join(",\n"))
        });
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}\n}}", lists.join(",\n"));
        text
    }

    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The file of a version.
pub(crate) fn path_of(version: &str) -> PathBuf {
    root().join("tests/rows").join(format!("{version}.json"))
}

/// The versions that have a file.
pub(crate) fn versions_with_a_file() -> Vec<String> {
    let names = std::fs::read_dir(root().join("tests/rows")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut versions: Vec<_> =
        names.map(|name| name.strip_suffix(".json").unwrap_or_else(|| panic!("{name}")).to_owned()).collect();
    versions.sort();
    versions
}

/// What CHANGELOG says is unreleased, and the releases, the newest first.
pub(crate) fn changelog() -> (String, Vec<String>) {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let mut sections = text.split("\n## [").skip(1).map(|section| section.split_once(']').unwrap());
    let (name, unreleased) = sections.next().unwrap();
    assert_eq!(name, "Unreleased");
    (unreleased.to_owned(), sections.map(|(version, _)| version.to_owned()).collect())
}
