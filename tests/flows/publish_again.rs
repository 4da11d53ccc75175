//! `scripts/publish-again`, with a stand-in for the AWS CLI: pages of the stream in files, and what the function was given.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::template::document::root;

/// Answers from the files of its folder, and numbers the payloads that it is given.
const AWS: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
case "$1 $2" in
    "dynamodbstreams get-shard-iterator") echo '{"ShardIterator":"0"}' ;;
    "dynamodbstreams get-records") cat "page-$4" ;;
    "lambda invoke")
        cp "${8#file://}" "payload-$(ls | wc -l)"
        cat answer > "$9"
        echo '{"StatusCode":200}' ;;
esac
"#;

/// The pages behind the iterators 0, 1, 2 and so on, as ranges of sequence numbers. The last page ends the shard.
struct Stream(&'static [std::ops::Range<u64>]);

impl Stream {
    fn write(&self, folder: &Path) {
        for (index, numbers) in self.0.iter().enumerate() {
            let records: Vec<_> = numbers.clone().map(record).collect();
            let next = self.0.get(index..).and_then(|rest| rest.get(1)).map(|_| index.saturating_add(1).to_string());
            let page = json!({"Records": records, "NextShardIterator": next});
            std::fs::write(folder.join(format!("page-{index}")), page.to_string()).unwrap();
        }
    }
}

fn record(number: u64) -> Value {
    json!({"dynamodb": {"SequenceNumber": number.to_string(), "ApproximateCreationDateTime": "2026-11-27T06:00:00+00:00"}})
}

/// Runs the script up to change 1340, and gives what it said with the batches that the function was given.
fn publish_again(stream: &Stream, answer: &Value) -> (Output, Vec<Vec<Value>>) {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let aws = folder.path().join("aws");
    std::fs::write(&aws, AWS).unwrap();
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(folder.path().join("answer"), answer.to_string()).unwrap();
    stream.write(folder.path());
    let script = root().join("scripts/publish-again");
    let arguments = ["paykassma-event-publisher:live", "arn:stream", "shard", "998", "1340"];
    let output = Command::new(script).args(arguments).env("AWS", &aws).output().unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path());
    let mut payloads: Vec<_> = files.filter(|it| it.to_string_lossy().contains("/payload-")).collect();
    payloads.sort_by_key(|it| it.to_string_lossy().rsplit('-').next().unwrap().parse::<u64>().unwrap());
    let payloads = payloads.iter().map(|it| serde_json::from_slice::<Value>(&std::fs::read(it).unwrap()).unwrap());
    (output, payloads.map(|it| it["Records"].as_array().unwrap().clone()).collect())
}

fn numbers(batches: &[Vec<Value>]) -> Vec<u64> {
    let numbers = batches.iter().flatten().map(|it| it["dynamodb"]["SequenceNumber"].as_str().unwrap());
    numbers.map(|it| it.parse().unwrap()).collect()
}

const ALL: Stream = Stream(&[998..1001, 1001..1001, 1001..1352, 1352..1360]);

#[test]
fn all_changes_of_a_position_are_published_again_and_no_other() {
    let (output, batches) = publish_again(&ALL, &json!({"batchItemFailures": []}));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, "343 changes: all of it is published\n");
    assert_eq!(numbers(&batches), (998..1341).collect::<Vec<_>>(), "over an empty page, and to the end");
    assert!(batches.iter().all(|it| it.len() <= 100), "not more than Lambda gives");
    assert_eq!(batches[0][0]["dynamodb"]["ApproximateCreationDateTime"], 1_795_759_200.0, "the time of the change");
}

#[test]
fn it_never_says_that_all_is_published_if_it_is_not() {
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "999"}]});
    let (output, batches) = publish_again(&ALL, &failed);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("not published from 999 on"));
    assert_eq!(batches.len(), 1, "nothing behind it");
    let ended = Stream(&[998..1001, 1001..1340]);
    let (output, _) = publish_again(&ended, &json!({"batchItemFailures": []}));
    assert!(!output.status.success() && output.stdout.is_empty(), "the last change is missing");
}
