//! The route: preview, confirm with the version, two people, and nothing without a verified caller.

#![cfg(test)]

use std::time::Duration;

use decision_recorder::{Deps, SecondPerson};
use domain::{
    AccountNumber, Amount, Caller, CurrencyCode, Label, Outcome, Submission, TableIdentity, Transition, WalletType,
    Withdrawal, WithdrawalId, WithdrawalRequest, WithdrawalRow,
};
use lambda::{Clock, Handler, Reply, Request};
use serde_json::{Value, json};
use store::{AnyRow, Change, Memory, RowId, TableCheck, Write, read_any};

const ANN: &str = "arn:aws:sts::123456789012:assumed-role/Finance/ann";
const BOB: &str = "arn:aws:sts::123456789012:assumed-role/Finance/bob";
const STREAM: &str = "arn:stream";

const NOON_MS: u64 = 12 * 3_600_000;

struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> u64 {
        NOON_MS
    }

    fn nonce(&self) -> String {
        String::new()
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }

    async fn sleep(&self, _: Duration) {}
}

fn request(id: &str) -> WithdrawalRequest {
    WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse(id).unwrap(),
        label: Label::parse("u1").unwrap(),
        amount: Amount::parse("1000").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    }
}

/// A function over a table with a withdrawal of 1000 whose outcome is unknown.
async fn function(second_person: &str) -> Deps<Memory, Noon> {
    let table = Memory::default();
    let row = Withdrawal::new(request("w1"), "{}".into(), "sender".into(), domain::Timestamp(0));
    let lost = Submission::Unknown("reset".into());
    let Transition::Move(row) = row.answered("sender", &lost, domain::Timestamp(1)) else { panic!() };
    table.write(Change::new(WithdrawalRow::Registered(Box::new(row)))).await.unwrap();
    let second_person = SecondPerson::parse(second_person).unwrap();
    Deps {
        table,
        check: TableCheck::new(STREAM),
        stream: STREAM.into(),
        clock: Noon,
        second_person,
        sender_lifetime_ms: 30_000,
    }
}

async fn send(deps: &Deps<Memory, Noon>, caller: Option<&str>, route: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let request = Request { body: body.as_bytes(), route, caller, ..Request::default() };
    let reply = deps.handle(request).await.unwrap_or_else(|error| Reply::of_error(&error));
    (reply.status.as_u16(), serde_json::from_str(&reply.body).unwrap())
}

/// Asks for an end of the withdrawal, on this version of it.
async fn decide(deps: &Deps<Memory, Noon>, caller: &str, outcome: &str, version: Option<u64>) -> (u16, Value) {
    let body = json!({"id": "withdrawal#w1", "outcome": outcome, "by": "someone", "reason": "called the provider",
        "evidence": "ticket 7", "version": version});
    send(deps, Some(caller), "POST /decisions", &body).await
}

async fn row(deps: &Deps<Memory, Noon>, key: &str) -> Option<AnyRow> {
    read_any(&deps.table, &RowId::parse(key).unwrap()).await.unwrap()
}

async fn state(deps: &Deps<Memory, Noon>) -> (&'static str, u64) {
    let row = row(deps, "withdrawal#w1").await.unwrap();
    (row.state_name(), row.version())
}

#[tokio::test]
async fn a_decision_is_shown_and_then_recorded_on_the_version_that_was_shown() {
    let deps = function("none").await;
    let (status, shown) = decide(&deps, ANN, "paid", None).await;
    assert_eq!((status, &shown["status"], &shown["version"]), (200, &json!("preview"), &json!(1)), "{shown}");
    assert_eq!((&shown["before"], &shown["after"]), (&json!("unknown"), &json!("paid")));
    let state_change = json!({"row": "withdrawal#w1", "field": "state", "before": "unknown", "after": "paid"});
    assert!(shown["changes"].as_array().unwrap().contains(&state_change), "{shown}");
    assert_eq!(state(&deps).await, ("unknown", 1), "it was only shown");
    let (status, said) = decide(&deps, ANN, "paid", Some(7)).await;
    assert_eq!((status, &said["code"]), (409, &json!("changed")));
    let (status, recorded) = decide(&deps, ANN, "paid", Some(1)).await;
    assert_eq!((status, &recorded["status"]), (200, &json!("recorded")));
    let row = row(&deps, "withdrawal#w1").await.unwrap();
    let decision = row.resolutions().last().unwrap();
    let decided_on = decision.decided_on.as_ref().unwrap();
    assert_eq!((decision.outcome, decision.caller.as_ref().map(Caller::as_str)), (Outcome::Paid, Some(ANN)));
    assert_eq!((decided_on.version, decided_on.state.as_str()), (1, "unknown"));
    assert_eq!((decision.by.as_str(), decision.proposed_by.as_ref()), ("someone", None));
}

#[tokio::test]
async fn who_lost_the_reply_gets_it_again_and_nobody_else_does() {
    let deps = function("none").await;
    assert_eq!(decide(&deps, ANN, "paid", Some(1)).await.0, 200);
    let (status, again) = decide(&deps, ANN, "paid", Some(1)).await;
    assert_eq!((status, &again["status"]), (200, &json!("recorded")), "{again}");
    assert_eq!((&again["before"], &again["after"], &again["version"]), (&json!("unknown"), &json!("paid"), &json!(1)));
    for (caller, outcome) in [(BOB, "paid"), (ANN, "failed")] {
        assert_eq!(decide(&deps, caller, outcome, Some(1)).await.1["code"], "changed");
    }
    let other = json!({"id": "withdrawal#w1", "outcome": "paid", "by": "someone", "reason": "called the provider",
        "evidence": "ticket 7", "version": 1, "order": "o1"});
    assert_eq!(
        send(&deps, Some(ANN), "POST /decisions", &other).await.1["code"],
        "changed",
        "it asks for something else"
    );
    let (status, said) = decide(&deps, ANN, "failed", Some(2)).await;
    assert_eq!((status, &said["code"]), (409, &json!("not_allowed")), "an end is never turned");
    assert_eq!(state(&deps).await, ("paid", 2));
}

#[tokio::test]
async fn a_large_amount_takes_two_people_who_ask_for_the_same() {
    let deps = function("999.99").await;
    let (_, shown) = decide(&deps, ANN, "paid", None).await;
    assert_eq!((&shown["status"], &shown["needs_second_person"]), (&json!("preview"), &json!(true)));
    for _ in 0..2 {
        let (status, said) = decide(&deps, ANN, "paid", Some(1)).await;
        assert_eq!((status, &said["status"], &said["proposed_by"]), (200, &json!("proposed"), &json!(ANN)));
        assert_eq!(state(&deps).await, ("unknown", 1), "one person is not two");
    }
    assert_eq!(decide(&deps, BOB, "failed", Some(1)).await.1["status"], "proposed", "another outcome is not the same");
    assert_eq!(decide(&deps, ANN, "paid", Some(1)).await.1["status"], "proposed", "and takes the place of the first");
    let (_, shown) = decide(&deps, BOB, "paid", None).await;
    assert_eq!((&shown["status"], &shown["proposed_by"]), (&json!("preview"), &json!(ANN)));
    let in_another_role = ANN.replace("Finance", "Admin");
    assert_eq!(
        decide(&deps, &in_another_role, "paid", Some(1)).await.1["status"],
        "proposed",
        "she is still one person"
    );
    let (status, said) = decide(&deps, BOB, "paid", Some(1)).await;
    assert_eq!((status, &said["status"], &said["proposed_by"]), (200, &json!("recorded"), &json!(ANN)));
    let row = row(&deps, "withdrawal#w1").await.unwrap();
    let decision = row.resolutions().last().unwrap();
    let people = [&decision.caller, &decision.proposed_by].map(|it| it.as_ref().map(Caller::as_str));
    assert_eq!((row.state_name(), people), ("paid", [Some(BOB), Some(ANN)]));
}

#[tokio::test]
async fn a_proposal_about_a_row_that_has_changed_counts_for_nothing() {
    let deps = function("0").await;
    assert_eq!(decide(&deps, ANN, "paid", Some(1)).await.1["status"], "proposed");
    let Some(AnyRow::Withdrawal(current)) = row(&deps, "withdrawal#w1").await else { panic!() };
    deps.table.write(current.becomes(current.row.clone())).await.unwrap();
    assert_eq!(decide(&deps, BOB, "paid", Some(1)).await.1["code"], "changed");
    assert_eq!(decide(&deps, BOB, "paid", Some(2)).await.1["status"], "proposed");
    assert_eq!(state(&deps).await.0, "unknown");
    assert_eq!(decide(&deps, ANN, "paid", Some(2)).await.1["status"], "recorded");
}

#[tokio::test]
async fn an_amount_up_to_the_limit_takes_one_person() {
    let deps = function("1000").await;
    assert_eq!(decide(&deps, ANN, "paid", Some(1)).await.1["status"], "recorded");
    assert!(row(&deps, "proposal#withdrawal#w1").await.is_none());
}

#[tokio::test]
async fn nothing_is_done_for_a_caller_that_nobody_has_verified() {
    let deps = function("none").await;
    let body =
        json!({"id": "withdrawal#w1", "outcome": "paid", "by": ANN, "reason": "r", "evidence": "e", "version": 1});
    for caller in [None, Some(""), Some("ann")] {
        for route in ["POST /decisions", "POST /adoptions"] {
            let (status, said) = send(&deps, caller, route, &body).await;
            assert_eq!((status, &said["code"]), (403, &json!("no_caller")));
        }
    }
    assert_eq!(state(&deps).await, ("unknown", 1));
}

#[tokio::test]
async fn after_a_restore_a_withdrawal_is_doubted_and_an_unknown_id_reserved_once() {
    let deps = function("0").await;
    let ask = async |id: &str, outcome: &str, version: u64| {
        let known_to = (outcome == "reserved").then_some("merchant");
        let body = json!({"id": id, "outcome": outcome, "known_to": known_to, "by": "ann", "reason": "restore",
            "evidence": "export.csv", "version": version});
        let (status, said) = send(&deps, Some(ANN), "POST /decisions", &body).await;
        (status, said["status"].as_str().or(said["code"].as_str()).unwrap().to_owned())
    };
    assert_eq!(ask("withdrawal#w2", "reserved", 0).await, (200, "recorded".into()), "it is about no money");
    assert_eq!(ask("withdrawal#w2", "reserved", 1).await, (409, "not_allowed".into()));
    assert_eq!(ask("withdrawal#w1", "reserved", 1).await, (409, "not_allowed".into()));
    assert_eq!(ask("deposit#o1", "reserved", 0).await, (422, "invalid_field".into()));
    assert_eq!(ask("withdrawal#w1", "unknown", 1).await, (409, "not_allowed".into()), "it was not on its way");
    assert_eq!(ask("withdrawal#w3", "unknown", 0).await, (404, "not_found".into()));
    for (id, began_ms, expected) in [("w4", NOON_MS - 20_000, "not_allowed"), ("w5", NOON_MS - 30_000, "recorded")] {
        let row = Withdrawal::new(request(id), "{}".into(), "sender".into(), domain::Timestamp(began_ms));
        deps.table.write(Change::new(WithdrawalRow::Registered(Box::new(row)))).await.unwrap();
        let (_, said) = ask(&format!("withdrawal#{id}"), "unknown", 1).await;
        assert_eq!(said, expected, "what is being sent is not doubted");
    }
    for other in ["list#", "evidence#"] {
        let id = format!("{other}{}", "0".repeat(64));
        assert_eq!(ask(&id, "unknown", 0).await, (409, "not_allowed".into()), "such rows are not even read");
    }
    assert_eq!(row(&deps, "withdrawal#w2").await.unwrap().state_name(), "reserved");
}

#[tokio::test]
async fn a_table_that_was_not_adopted_takes_no_decision_and_is_adopted_for_the_stacks_own_stream() {
    let deps = function("none").await;
    deps.table.write(Change::new(TableIdentity::new("arn:original"))).await.unwrap();
    assert_eq!(decide(&deps, ANN, "paid", Some(1)).await.1["code"], "wrong_table");
    let adopt = async |body: &Value| send(&deps, Some(ANN), "POST /adoptions", body).await;
    assert_eq!(adopt(&json!({"stream": "arn:mine"})).await.0, 422, "nobody names a stream");
    let (_, shown) = adopt(&json!({"dry_run": true})).await;
    assert_eq!((&shown["generation"], &shown["is_new"], &shown["stream"]), (&json!(2), &json!(true), &json!(STREAM)));
    assert_eq!(decide(&deps, ANN, "paid", Some(1)).await.0, 503, "it was only shown");
    assert_eq!(adopt(&json!({})).await.1["generation"], 2);
    assert_eq!(decide(&deps, ANN, "paid", Some(1)).await.1["status"], "recorded");
    assert_eq!(adopt(&json!({})).await.1["is_new"], false);
}
