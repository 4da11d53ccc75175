//! People: each is known by the AWS identity that has signed the request, and can change money only by a decision.

use std::collections::BTreeMap;

use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::postbacks::postback;
use crate::flows::support::{Site, options};

const PAYMENT: &str = "payment#paytm#47752123519";
const ALICE: &str = "arn:aws:iam::000000000000:user/local";

/// A stack with a payment of 700 that is held for a person.
async fn site(second_person_above: &str) -> (Site, Tool) {
    let site = Site::start_with(StackOptions { second_person_above: second_person_above.into(), ..options() }).await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    let mut held = postback(&site, &[("47752123519", "o1", "700")]);
    held["label"] = json!("thief");
    assert_eq!(site.postback(held.to_string().into()).await.status, 200);
    assert_eq!(site.state(PAYMENT).await, "quarantined");
    (site, tool)
}

/// The first value of this name, at any depth of a row.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let own = value.get(name);
    own.or_else(|| value.as_object()?.values().find_map(|it| find(it, name)))
        .or_else(|| value.as_array()?.iter().find_map(|it| find(it, name)))
}

#[tokio::test]
async fn a_decision_records_the_identity_that_signed_the_request_and_what_was_decided_on() {
    let (site, tool) = site("none").await;
    assert_eq!(tool.resolve(PAYMENT, "credited", &["--by", "the head of finance"]).await.0, 0);
    let row = site.row(PAYMENT).await;
    let text = |name: &str| find(&row["resolutions"], name).unwrap()["S"].clone();
    assert_eq!((text("caller"), text("by")), (json!(ALICE), json!("the head of finance")));
    let decided_on = &find(&row["resolutions"], "decided_on").unwrap()["M"];
    assert_eq!((&decided_on["state"]["S"], &decided_on["version"]["N"]), (&json!("quarantined"), &json!("1")));
    let credited = site.events("deposit.credited", 1).await;
    assert_eq!(credited[0]["data"]["decided_by"], "person");
    let audit = tool.json(&["audit", "--strict"]).await;
    assert_eq!(audit.last().unwrap()["broken"], 0, "{audit:?}");
}

#[tokio::test]
async fn a_large_amount_is_credited_once_a_second_person_has_asked_for_the_same() {
    let (site, alice) = site("699.99").await;
    let bob = Tool::of(&site);
    bob.sign_as("bob");
    let confirm = ["--confirm", "1"];
    let (status, said) = alice.preview(PAYMENT, "credited", &[]).await;
    assert!(status == 0 && said.contains("takes two people"), "{said}");
    for _ in 0..2 {
        let (status, said) = alice.preview(PAYMENT, "credited", &confirm).await;
        assert!(status == 0 && said.contains("Proposed."), "{said}");
    }
    assert!(site.credits("o1").await.is_empty(), "one person is not two");
    let (_, shown) = alice.run(&["show", &format!("proposal#{PAYMENT}")]).await;
    assert!(shown.contains(ALICE) && shown.contains("credited"), "{shown}");
    let (status, said) = bob.preview(PAYMENT, "credited", &confirm).await;
    assert!(status == 0 && said.contains("Done."), "{said}");
    assert_eq!(site.credits("o1").await, ["700"]);
    let resolutions = &site.row(PAYMENT).await["resolutions"];
    let caller = |name: &str| find(resolutions, name).unwrap()["S"].as_str().unwrap().to_owned();
    assert_eq!((caller("caller"), caller("proposed_by")), (ALICE.replace("local", "bob"), ALICE.into()));
    assert_eq!(alice.preview(PAYMENT, "credited", &confirm).await.0, 3, "it is decided");
}

/// All rows with money, as they are.
async fn money(site: &Site) -> BTreeMap<String, Value> {
    let table = site.table().await.into_iter();
    table.filter(|(key, _)| ["deposit#", "payment#", "withdrawal#"].iter().any(|kind| key.starts_with(kind))).collect()
}

/// What the policies look and maintain allow: to verify, to send a postback and a dead letter again, to adopt the table.
#[tokio::test]
async fn who_may_look_or_maintain_cannot_change_money() {
    let (site, tool) = site("none").await;
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.withdraw("w1").await;
    let before = money(&site).await;
    let file = tool.directory().join("body.json");
    let file = file.to_str().unwrap();
    let genuine = postback(&site, &[("47752123519", "o1", "700")]);
    let mut larger = genuine.clone();
    larger["additional_data"][0]["amount"] = json!("70000");
    let mut invented = genuine.clone();
    invented["signature"] = json!("0".repeat(40));
    let altered = {
        let mut altered = genuine;
        altered["label"] = json!("another thief");
        altered
    };
    for (body, expected) in [(larger, "401"), (invented, "401"), (altered, "200")] {
        std::fs::write(file, body.to_string()).unwrap();
        let (_, said) = tool.run(&["replay", "--file", file]).await;
        assert!(said.starts_with(expected), "{said}");
    }
    assert_eq!(tool.run(&["redrive", "--withdrawal", "w1"]).await.0, 0);
    assert_eq!(tool.run(&["adopt"]).await.0, 0);
    assert!(tool.run(&["audit"]).await.0 < 2);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let after = money(&site).await;
    let state = |rows: &BTreeMap<String, Value>| {
        let of = |row: &Value| ["state", "facts", "credited", "attempts"].map(|name| row[name].clone());
        rows.iter().map(|(key, row)| (key.clone(), of(row))).collect::<Vec<_>>()
    };
    assert_eq!(state(&after), state(&before));
}

#[tokio::test]
async fn a_request_that_nobody_has_signed_is_refused_by_the_gateway() {
    let (site, _) = site("none").await;
    let http = reqwest::Client::builder().tls_backend_preconfigured(paykassma::tls().unwrap()).build().unwrap();
    let body = json!({"id": PAYMENT, "outcome": "credited", "by": "eve", "reason": "r", "evidence": "e", "version": 1});
    for path in ["decisions", "adoptions", "verifications", "postbacks"] {
        for api in [site.stack.operator_api_url(), site.stack.api_url(), site.stack.postback_api_url()] {
            let url = format!("{api}/{path}");
            let answer = http.post(&url).body(body.to_string()).send().await.unwrap();
            let expected = if api == site.stack.operator_api_url() { 403 } else { 404 };
            assert_eq!(answer.status(), expected, "{url}");
        }
    }
    assert_eq!(site.state(PAYMENT).await, "quarantined");
}
