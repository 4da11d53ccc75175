//! The operator's tool, as a person runs it, against a running stack.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use local::{StackOptions, env_file};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::flows::support::{Site, options, with};

const NUMBER: &str = "47752123519";
const PAYMENT: &str = "payment#paytm#47752123519";

/// The tool, beside the functions' programs.
pub(crate) struct Tool(TempDir);

impl Tool {
    pub(crate) fn of(site: &Site) -> Self {
        let directory = tempfile::tempdir().unwrap();
        env_file(&site.stack, &directory.path().join("stack.env")).unwrap();
        Self(directory)
    }

    /// Has it sign its requests as another person.
    pub(crate) fn sign_as(&self, access_key: &str) {
        let file = self.0.path().join("stack.env");
        let settings = std::fs::read_to_string(&file).unwrap();
        let own = "AWS_ACCESS_KEY_ID=local\n";
        assert!(settings.contains(own));
        std::fs::write(&file, settings.replace(own, &format!("AWS_ACCESS_KEY_ID={access_key}\n"))).unwrap();
    }

    /// The directory that is its own.
    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    /// Runs it. Gives its exit status and what it prints.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(program("operator"));
        command.arg("--env-file").arg(self.0.path().join("stack.env")).args(arguments).env("USER", "alice");
        output(command).await
    }

    /// Sends simulated postbacks to the same stack.
    pub(crate) async fn send(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(program("simulator"));
        command.args(["send", "--env-file"]).arg(self.0.path().join("stack.env")).args(arguments);
        output(command).await
    }

    /// The JSON that it prints, a line each.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let (status, said) = self.run(&[&["--json"], arguments].concat()).await;
        assert!(status < 2, "{arguments:?}: {said}");
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {said}"))).collect()
    }

    /// Has it show what a decision would change.
    pub(crate) async fn preview(&self, id: &str, outcome: &str, more: &[&str]) -> (i32, String) {
        let decision = ["resolve", id, "--as", outcome, "--reason", "seen in the back office", "--evidence", "line 7"];
        self.run(&[&decision, more].concat()).await
    }

    /// Has it record a decision on the version that it has shown.
    pub(crate) async fn resolve(&self, id: &str, outcome: &str, more: &[&str]) -> (i32, String) {
        let (status, shown) = self.preview(id, outcome, &[&["--json"], more].concat()).await;
        if status != 0 {
            return (status, shown);
        }
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["status"], "preview");
        self.preview(id, outcome, &[more, &["--confirm", &shown["version"].to_string()]].concat()).await
    }
}

/// A program of the workspace, in cargo's directory above that of the tests.
fn program(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join(name)
}

/// Runs a program. Gives its exit status and everything that it prints.
async fn output(mut command: Command) -> (i32, String) {
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = ran;
    let said = format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    (status.code().unwrap(), said)
}

fn deposit(number: &str) -> [&str; 9] {
    ["deposit", "--order", "o1", "--number", number, "--amount", "700", "--label", "631317234"]
}

#[tokio::test]
async fn a_person_sees_what_is_held_and_credits_it_once() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    let (status, said) = tool.send(&[&deposit(NUMBER)[..], &["--tamper", "label=thief"]].concat()).await;
    assert_eq!(status, 0, "{said}");
    let listed = tool.json(&["list"]).await;
    let found: Vec<_> = listed.iter().map(|it| (&it["attention"], &it["id"], &it["amount"])).collect();
    assert_eq!(found, [(&json!("quarantined"), &json!(PAYMENT), &json!("700"))]);
    assert!(tool.json(&["list", "--kind", "unknown"]).await.is_empty());
    assert!(tool.json(&["list", "--older-than", "1h"]).await.is_empty());

    let (status, said) = tool.run(&["replay", PAYMENT]).await;
    assert_eq!((status, said.contains("resolve the payment")), (3, true), "{said}");
    let (status, said) = tool.preview(PAYMENT, "credited", &[]).await;
    assert_eq!((status, said.contains("quarantined -> credited; deposit#o1 is credited")), (0, true), "{said}");
    assert!(said.contains(r#"payment#paytm#47752123519  state: "quarantined" -> "credited""#), "{said}");
    assert!(said.contains("--confirm 1") && !said.contains("631317234"), "{said}");
    assert_eq!(site.state(PAYMENT).await, "quarantined", "it was only shown");
    assert_eq!(tool.preview(PAYMENT, "credited", &["--confirm", "2"]).await.0, 3);
    assert_eq!(tool.resolve(PAYMENT, "paid", &[]).await.0, 3);
    assert_eq!(tool.preview(PAYMENT, "credited", &["--confirm", "1"]).await.0, 0);
    assert_eq!(site.credits("o1").await, ["700"]);
    assert_eq!(tool.resolve(PAYMENT, "credited", &[]).await.0, 3, "nothing is open any more");
    assert_eq!(site.credits("o1").await, ["700"]);
    let events = site.events("transaction.resolved", 1).await;
    assert_eq!((&events[0]["data"]["by"], &events[0]["data"]["outcome"]), (&json!("alice"), &json!("credited")));
    site.events("deposit.credited", 1).await;
    assert!(tool.json(&["list"]).await.is_empty());
}

#[tokio::test]
async fn a_withdrawal_of_unknown_outcome_is_ended_by_a_person_and_proved_later() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.withdraw("w1").await;
    assert_eq!(tool.json(&["list", "--kind", "unknown"]).await[0]["id"], "withdrawal#w1");
    let (status, said) = tool.run(&["show", "w1"]).await;
    assert_eq!((status, said.contains("attempt 1 unknown")), (0, true), "{said}");
    assert!(!said.contains("160496026") && !said.contains("1234560079"), "people are masked: {said}");
    let (_, said) = tool.run(&["show", "w1", "--reveal"]).await;
    assert!(said.contains("160496026") && said.contains("1234560079"), "{said}");
    assert_eq!(tool.resolve("w1", "credited", &[]).await.0, 3);
    assert_eq!(tool.resolve("w1", "paid", &["--order", "o1"]).await.0, 2);
    assert_eq!(tool.resolve("w1", "paid", &[]).await.0, 0);
    assert_eq!(site.get("/withdrawals/w1").await.body["resolutions"][0]["by"], "alice");
    assert_eq!(site.attribute("withdrawal#w1", "facts").await, "");
    site.settle("w1", 1).await;
    for _ in 0..100 {
        if !site.attribute("withdrawal#w1", "facts").await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(site.attribute("withdrawal#w1", "facts").await.contains("signature"));
    site.settle("w1", 5).await;
    site.events("withdrawal.conflict", 1).await;
    assert_eq!(tool.json(&["list"]).await[0]["attention"], "conflict");
    let (status, said) = tool.resolve("w1", "paid", &[]).await;
    assert_eq!((status, said.contains("stays paid")), (0, true), "{said}");
    assert!(tool.json(&["list"]).await.is_empty());
}

#[tokio::test]
async fn dead_letters_go_back_and_finished_rows_are_left_alone() {
    let site = Site::start_with(StackOptions { max_receive_count: 2, ..options() }).await;
    let tool = Tool::of(&site);
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429, "times": 6})).await;
    site.withdraw("w1").await;
    site.withdraw("w2").await;
    site.events("withdrawal.needs_review", 2).await;
    assert_eq!(tool.resolve("w2", "failed", &[]).await.0, 0);
    let mut letters = Vec::new();
    for _ in 0..100 {
        letters.extend(tool.json(&["redrive"]).await);
        if letters.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    letters.sort_by_key(|letter| letter["withdrawal_id"].to_string());
    let actions: Vec<_> = letters.iter().map(|it| (&it["withdrawal_id"], &it["action"])).collect();
    assert_eq!(actions, [(&json!("w1"), &json!("redriven")), (&json!("w2"), &json!("removed"))]);
    site.until("withdrawal#w1", "submitted").await;
    assert_eq!(site.state("withdrawal#w2").await, "failed");
    assert!(tool.json(&["redrive"]).await.is_empty());
}

#[tokio::test]
async fn what_is_kept_is_replayed_through_the_receiver() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    let sent = tool.send(&deposit(NUMBER)).await;
    assert_eq!(sent.0, 0, "{}", sent.1);
    let (status, said) = tool.run(&["replay", PAYMENT]).await;
    assert_eq!((status, said.contains("is unmatched")), (0, true), "{said}");
    assert_eq!(tool.resolve(PAYMENT, "credited", &[]).await.0, 3, "there is no order");
    site.order("o1").await;
    assert_eq!(site.credits("o1").await, ["700"]);
    assert_eq!(tool.run(&["replay", PAYMENT]).await.0, 3, "it is decided");
    assert_eq!(tool.run(&["replay", PAYMENT, "--label", "user-1"]).await.0, 3, "a label goes with an id");
    assert_eq!(tool.run(&["replay", PAYMENT, "--file", "x"]).await.0, 2, "a file does not");
    assert_eq!(tool.run(&["replay", "payment#paytm#1"]).await.0, 3);
    assert_eq!(tool.run(&["replay", "o1"]).await.0, 3);
    assert_eq!(tool.run(&["replay", "nothing#1"]).await.0, 2);
    assert_eq!(tool.run(&["replay"]).await.0, 2);
}

#[tokio::test]
async fn postbacks_are_simulated_repeated_shuffled_tampered_and_forged() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    let many = ["--json", "--repeat", "30", "--parallel", "8", "--shuffle"];
    let (status, said) = tool.send(&[&deposit(NUMBER)[..], &many].concat()).await;
    let tally = json!({"status": 200, "body": r#"{"status":"ok"}"#, "times": 30});
    assert_eq!((status, serde_json::from_str::<Value>(&said).unwrap()), (0, tally));
    assert_eq!(site.credits("o1").await, ["700"]);
    let (status, said) = tool.send(&[&deposit(NUMBER)[..], &["--forge"]].concat()).await;
    assert_eq!((status, said.contains("bad_signature")), (1, true), "{said}");
    site.withdraw("w1").await;
    let withdrawal = ["withdrawal", "--id", "w1", "--status", "5", "--amount", "1000", "--label", "160496026"];
    assert_eq!(tool.send(&withdrawal).await.0, 0);
    site.until("withdrawal#w1", "failed").await;
    let event = crate::flows::events::event("postback-receiver/credited");
    let body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    let file = tool.0.path().join("body.json");
    std::fs::write(&file, with(&body, "signature", &json!("none")).to_string()).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(tool.send(&["file", file]).await.0, 0, "it is signed anew");
    let (status, said) = tool.run(&["replay", "--file", file]).await;
    assert_eq!((status, said.contains("401")), (1, true), "it is sent to the letter: {said}");
    let stack = tool.0.path().join("stack.env");
    let deployed =
        std::fs::read_to_string(&stack).unwrap().replace(site.stack.postback_api_url(), "https://api.example.com");
    std::fs::write(&stack, deployed).unwrap();
    let (status, said) = tool.send(&deposit("47752123520")).await;
    assert_eq!((status, said.contains("--test-stack")), (3, true), "{said}");
}

#[tokio::test]
async fn a_stack_that_is_not_there_is_said_to_be_not_reached() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.stack.stop().await;
    assert_eq!(tool.run(&["list"]).await.0, 4);
    std::fs::write(tool.0.path().join("stack.env"), "AWS_REGION=x\nAWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=x\n")
        .unwrap();
    let (status, said) = tool.run(&["list"]).await;
    assert_eq!((status, said.contains("TABLE_NAME is missing")), (2, true), "{said}");
}
