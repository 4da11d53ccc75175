//! What each release has written, and how this code reads it.
//!
//! `tests/rows` has a file for each release: one row of every kind and state, one message of each kind, and one change for each kind
//! of event. The next release writes its own:
//!
//! ```sh
//! ROWS=tests/rows/0.2.0.json cargo test --test releases write_the_rows -- --ignored
//! ```
//!
//! `scripts/check-last-release` has the last release's code read what this code writes.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "the examples have fixed times")]

mod changes;
mod file;
mod parts;
mod reading;
mod rows;
mod table;
mod variants;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use domain::{Attention, Basis, Event, Separator};
use event_publisher::Proofs;
use lambda::{AwsError, SecretStore};
use paykassma::EvidenceKeys;
use serde_dynamo::{AttributeValue, Item};
use serde_json::json;
use store::{AnyRow, OUR_FORMAT, Scan, Segment, row_events};

use crate::changes::transitions;
use crate::file::{Release, WrittenRow, changelog, path_of, root, versions_with_a_file, write, written};
use crate::reading::{Reading, read_change, read_message, read_row};
use crate::rows::examples;
use crate::table::{Table, key_of};
use crate::variants::{EVENTS, Variants};

/// The file that the variable names, relative to the repository.
#[expect(clippy::disallowed_methods, reason = "the command names the file")]
fn file_of_command() -> PathBuf {
    root().join(std::env::var("ROWS").expect("ROWS is not set"))
}

#[tokio::test]
async fn every_kind_state_and_attribute_is_among_the_rows() {
    let table = Table::new().await;
    let written = &written().await.rows;
    let mut rows = Vec::new();
    for row in written {
        table.put(&row.item).await;
        rows.push(table.read(key_of(&row.item)).await);
    }
    assert!(rows.len() > examples().len(), "those that are written without a look are among them");
    assert_eq!(Variants::of(&rows).missing(), [""; 0]);
    let keys: BTreeSet<_> = rows.iter().map(AnyRow::key).collect();
    assert_eq!(keys.len(), rows.len(), "each has a key of its own");
}

#[tokio::test]
async fn every_event_is_among_the_changes() {
    let changes = &written().await.changes;
    let published: BTreeSet<_> = changes.iter().flat_map(|it| &it.events).map(|it| it.kind.as_str()).collect();
    assert_eq!(published, EVENTS.iter().copied().collect());
    let schemas = std::fs::read_dir(root().join("events/schemas")).unwrap();
    let schemas = schemas.map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".json", ""));
    assert_eq!(schemas.collect::<BTreeSet<_>>(), published.into_iter().map(str::to_owned).collect());
    assert_eq!(changes.len(), transitions().len());
}

#[test]
fn each_release_has_its_rows_and_its_section_in_the_changelog() {
    let (_, mut releases) = changelog();
    assert_eq!(releases.first().map(String::as_str), Some(env!("CARGO_PKG_VERSION")));
    let api = std::fs::read_to_string(root().join("openapi.yaml")).unwrap();
    assert!(
        api.contains(concat!("\n  version: ", env!("CARGO_PKG_VERSION"), "\n")),
        "openapi.yaml has another version"
    );
    releases.sort();
    assert_eq!(versions_with_a_file(), releases);
}

/// So nothing that is stored or published changes without an entry.
#[tokio::test]
async fn while_nothing_is_unreleased_the_code_writes_the_rows_of_the_last_release() {
    let (unreleased, releases) = changelog();
    if unreleased.trim().is_empty() {
        let last = path_of(releases.first().unwrap());
        let is_same = std::fs::read_to_string(&last).unwrap() == written().await.to_text();
        assert!(is_same, "what this code writes is not {}: say in CHANGELOG what has changed", last.display());
    }
}

#[tokio::test]
async fn what_this_code_writes_it_writes_again() {
    let text = written().await.to_text();
    assert_eq!(write().await.to_text(), text);
    assert_eq!(serde_json::from_str::<Release>(&text).unwrap(), *written().await);
}

/// How a release's rows, changes and messages are read.
async fn readings(release: &Release) -> Vec<(String, Reading)> {
    let table = Table::new().await;
    let mut readings = Vec::new();
    for row in &release.rows {
        readings.push((row.name.clone(), read_row(&table, row).await));
    }
    let changes = release.changes.iter().map(|change| (format!("change: {}", change.name), read_change(change)));
    let messages = release.messages.iter().map(|message| (format!("message: {}", message.name), read_message(message)));
    readings.extend(changes.chain(messages));
    readings
}

#[tokio::test]
async fn what_each_release_has_written_is_read_as_it_was_meant_and_loses_nothing() {
    for version in versions_with_a_file() {
        let readings = readings(&Release::read(&path_of(&version))).await;
        assert!(readings.len() > 80, "{version}");
        let wrong: Vec<_> = readings.iter().filter(|(_, reading)| *reading != Reading::Same).collect();
        assert!(wrong.is_empty(), "{version}: {wrong:#?}");
    }
}

#[tokio::test]
async fn a_scan_reads_the_rows_of_each_release_and_the_index_agrees_with_them() {
    for version in versions_with_a_file() {
        let release = Release::read(&path_of(&version));
        let table = Table::new().await;
        for row in &release.rows {
            table.put(&row.item).await;
        }
        let page = table.rows.scan(Segment { number: 0, of: 1 }, None).await.unwrap();
        assert_eq!((page.rows.len(), page.next), (release.rows.len(), None));
        let known: BTreeMap<_, _> = release.rows.iter().map(|row| (key_of(&row.item), row)).collect();
        for found in page.rows {
            let found = found.unwrap();
            let WrittenRow { name, state, attention, item: _ } = known[found.row.key().as_str()];
            let indexed = found.indexed.map(|Attention { kind, at }| (kind.as_str().to_owned(), at.0));
            assert_eq!((found.row.state_name(), &indexed), (state.as_str(), attention), "{version}: {name}");
        }
    }
}

/// The keys of a release.
struct Keys(Arc<EvidenceKeys>);

impl SecretStore<EvidenceKeys> for Keys {
    async fn current(&self) -> Result<Arc<EvidenceKeys>, AwsError> {
        Ok(Arc::clone(&self.0))
    }

    async fn renewed(&self) -> Result<Option<Arc<EvidenceKeys>>, AwsError> {
        Ok(None)
    }
}

/// Whether the event rests on a decision whose caller nobody has verified, as all decisions of 0.1.0.
fn is_word_of_nobody(event: &Event) -> bool {
    matches!(event, Event::TransactionResolved(it) if !it.is_verified)
        || matches!(event, Event::WithdrawalPaid(it) | Event::WithdrawalFailed(it) if it.basis == Basis::Nothing)
}

#[tokio::test]
async fn what_each_release_has_stored_proves_its_events() {
    for version in versions_with_a_file() {
        let release = Release::read(&path_of(&version));
        let table = Table::new().await;
        for row in &release.rows {
            table.put(&row.item).await;
        }
        let file::Keys { access_key, private_key } = &release.keys;
        let keys = json!({"access_key": access_key, "postback_private_key": private_key});
        let keys = Keys(Arc::new(serde_json::from_value(keys).unwrap()));
        let proofs = Proofs { table: table.rows.clone(), keys, separator: Separator::Dot, last: Mutex::default() };
        for change in &release.changes {
            for event in row_events(change.old.clone(), change.new.clone()).unwrap().events {
                let proved = proofs.prove(event.clone()).await;
                if is_word_of_nobody(&event) {
                    assert!(proved.is_err(), "{version}: {}", change.name);
                } else {
                    assert_eq!(proved.unwrap_or_else(|error| panic!("{version}: {}: {error}", change.name)), event);
                }
            }
        }
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A row with another attribute, in this format.
fn with(row: &WrittenRow, name: &str, value: AttributeValue, format: u64) -> WrittenRow {
    let mut item: Item = row.item.clone();
    item.insert(name.into(), value);
    item.insert("format".into(), AttributeValue::N(format.to_string()));
    let WrittenRow { name, state, attention, item: _ } = row;
    WrittenRow { name: name.clone(), state: state.clone(), attention: attention.clone(), item }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_newer_or_found_to_be_misread() {
    let release = written().await;
    let named = |name: &str| release.rows.iter().find(|row| row.name == name).unwrap();
    let table = Table::new().await;
    let newer = OUR_FORMAT + 1;
    let misread = |why: &str| Reading::Misread(why.into());
    let order = named("deposit credited");
    let lost = misread("`colour` is not written again as it was");
    let unknown = misread("the kind is not known, and the format is not newer");
    for (name, value, ours, newer_too) in
        [("colour", text("red"), lost, Reading::Same), ("transaction_id", text("gift#1"), unknown, Reading::Newer)]
    {
        assert_eq!(read_row(&table, &with(order, name, value.clone(), OUR_FORMAT)).await, ours);
        assert_eq!(read_row(&table, &with(order, name, value, newer)).await, newer_too);
    }
    let tomorrow = |format| with(order, "state", text("of tomorrow"), format);
    assert!(matches!(read_row(&table, &tomorrow(OUR_FORMAT)).await, Reading::Misread(_)));
    assert_eq!(read_row(&table, &tomorrow(newer)).await, Reading::Newer);
    // It is read as something else, whatever its format is.
    let moved = WrittenRow { state: "settled".into(), ..with(order, "state", text("credited"), newer) };
    let read = misread("it is read as deposit#order-6, credited");
    assert_eq!(read_row(&table, &moved).await, read);
    let attention = Some(("conflict".into(), 7));
    let watched = WrittenRow { attention, ..with(order, "state", text("credited"), newer) };
    assert_eq!(read_row(&table, &watched).await, misread("its attention is read as None"));
}

#[tokio::test]
async fn a_change_or_a_message_that_means_something_else_is_found_to_be_misread() {
    let mut release = written().await.clone();
    let is_misread = |reading| matches!(reading, Reading::Misread(_));
    let change = &mut release.changes[0];
    change.events[0].id = "another id".into();
    assert!(is_misread(read_change(change)));
    for (format, is_newer) in [(OUR_FORMAT, false), (OUR_FORMAT + 1, true)] {
        change.new.insert("format".into(), AttributeValue::N(format.to_string()));
        change.new.insert("state".into(), text("of tomorrow"));
        assert_eq!(read_change(change) == Reading::Newer, is_newer);
        assert_eq!(is_misread(read_change(change)), !is_newer);
    }
    for message in &mut release.messages {
        assert_eq!(read_message(message), Reading::Same, "{}", message.name);
        message.body = message
            .body
            .replacen("withdrawal_id", "id", 1)
            .replacen("record", "old", 1)
            .replacen("position", "record", 1);
        assert!(is_misread(read_message(message)), "{}", message.name);
    }
}

#[tokio::test]
#[ignore = "it writes the file that ROWS names"]
async fn write_the_rows_of_this_code() {
    std::fs::write(file_of_command(), written().await.to_text()).unwrap();
}

#[tokio::test]
#[ignore = "it reads the file that ROWS names, for scripts/check-last-release"]
#[expect(clippy::print_stdout, reason = "it prints a table")]
async fn read_the_rows_of_other_code() {
    let readings = readings(&Release::read(&file_of_command())).await;
    for (name, reading) in &readings {
        println!("{name:<52} -> {reading}");
    }
    let count = |is: fn(&Reading) -> bool| readings.iter().filter(|(_, reading)| is(reading)).count();
    let (same, newer) = (count(|it| *it == Reading::Same), count(|it| *it == Reading::Newer));
    let misread = readings.len() - same - newer;
    println!("{same} read the same, {newer} refused as newer, {misread} MISREAD");
    assert_eq!(misread, 0);
}
