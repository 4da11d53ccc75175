//! What a merchant may ask, and what it is never shown.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::support::{Site, with, withdrawal};

const NUMBER: &str = "47752123519";

/// The order of names in an answer, so that a test sees every one that is added.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_deposit_is_shown_with_its_attempts_and_payments() {
    let site = Site::start().await;
    assert_eq!(site.get("/deposits/o1").await.code(), "not_found");
    site.order("o1").await;
    site.control("faults", &json!({"on": "activate", "fault": "message_string", "message": "not found"})).await;
    site.activate("o1", "11111111111").await;
    site.pay(NUMBER, "650.5").await;
    site.activate("o1", NUMBER).await;
    site.until("payment#paytm#47752123519", "credited").await;
    let answer = site.get("/deposits/o1").await;
    let found = &answer.body;
    assert_eq!((answer.status, &found["state"], &found["amount"]), (200, &json!("credited"), &json!("700")));
    let known = [
        "amount",
        "attempts",
        "created_at_ms",
        "credited",
        "credited_count",
        "credited_sum",
        "currency_code",
        "custom_transaction_id",
        "state",
        "version",
        "wallet_type",
    ];
    assert_eq!(names(found), known);
    let credited = json!([{"wallet_type": "paytm", "transaction_id": NUMBER, "amount": "650.5"}]);
    assert_eq!(found["credited"], credited);
    assert_eq!((&found["credited_count"], &found["credited_sum"]), (&json!(1), &json!("650.5")));
    let attempts: Vec<_> =
        found["attempts"].as_array().unwrap().iter().map(|it| (&it["key1"], &it["outcome"])).collect();
    assert_eq!(attempts, [(&json!("11111111111"), &json!("failed")), (&json!(NUMBER), &json!("activated"))]);
    assert_eq!(names(&found["attempts"][0]), ["amount", "key1", "message", "outcome", "started_at_ms"]);
    assert_eq!(found["attempts"][0]["message"], "not found", "what the user was shown");
    assert!(found["attempts"][0]["started_at_ms"].as_u64() >= found["created_at_ms"].as_u64());
    assert!(!found.to_string().contains("631317234"), "the label: {found}");
}

/// A user says: I have paid, and nothing is credited.
#[tokio::test]
async fn an_attempt_says_what_became_of_its_money() {
    let site = Site::start().await;
    let payment = async |order: &str| {
        let answer = site.get(&format!("/deposits/{order}")).await;
        answer.body["attempts"][0]["payment"].clone()
    };
    let numbers = ["47752123511", "47752123512", "47752123513", "47752123514", "47752123515"];
    for (order, number) in ["waits", "held", "unmatched", "elsewhere", "closed"].into_iter().zip(numbers) {
        site.order(order).await;
        site.activate(order, number).await;
        assert_eq!(payment(order).await, Value::Null, "no money has come");
    }
    site.order("other").await;
    let paid = |number: &str, order: &str| {
        json!({"transaction_id": number, "amount": "700", "custom_transaction_id": order,
        "label": "631317234"})
    };
    let tampered =
        with(&with(&paid(numbers[1], "held"), "direction", &json!("ingoing")), "tamper", &json!({"amount": 8}));
    site.control("postbacks", &tampered).await;
    site.control("payments", &paid(numbers[2], "not-registered")).await;
    site.control("payments", &paid(numbers[3], "other")).await;
    let closed =
        with(&with(&paid(numbers[4], "closed"), "direction", &json!("ingoing")), "tamper", &json!({"amount": 8}));
    site.control("postbacks", &closed).await;
    site.until("payment#paytm#47752123515", "quarantined").await;
    let (status, said) = Tool::of(&site).resolve("payment#paytm#47752123515", "rejected", &[]).await;
    assert_eq!(status, 0, "{said}");
    site.until("payment#paytm#47752123514", "credited").await;
    site.until("payment#paytm#47752123513", "unmatched").await;
    site.until("payment#paytm#47752123512", "quarantined").await;
    assert_eq!(payment("waits").await, Value::Null);
    assert_eq!(payment("held").await, json!({"state": "quarantined", "mismatch": "amount"}));
    assert_eq!(payment("unmatched").await, json!({"state": "unmatched"}));
    assert_eq!(payment("elsewhere").await, json!({"state": "credited", "custom_transaction_id": "other"}));
    assert_eq!(payment("closed").await, json!({"state": "rejected"}));
}

#[tokio::test]
async fn a_withdrawal_is_shown_without_its_bytes_and_its_person() {
    let site = Site::start().await;
    assert_eq!(site.get("/withdrawals/w1").await.code(), "not_found");
    site.post("/withdrawals", &with(&withdrawal("w1"), "comment", &json!("marker-comment"))).await;
    site.settle("w1", 3).await;
    site.events("withdrawal.conflict", 1).await;
    site.settle("w1", 1).await;
    site.until("withdrawal#w1", "paid").await;
    let answer = site.get("/withdrawals/w1").await;
    let known = [
        "amount",
        "attempts",
        "changed_at_ms",
        "contradictions",
        "created_at_ms",
        "currency_code",
        "is_test",
        "payment_system",
        "resolutions",
        "state",
        "state_since_ms",
        "version",
        "withdrawal_id",
    ];
    assert_eq!((answer.status, names(&answer.body)), (200, known.to_vec()));
    assert_eq!(answer.body["state"], "paid");
    assert_eq!(names(&answer.body["attempts"][0]), ["ended_at_ms", "outcome", "started_at_ms"]);
    assert_eq!(answer.body["attempts"][0]["outcome"], "accepted");
    assert_eq!(answer.body["contradictions"], json!([{"mismatch": "status"}]));
    for secret in ["160496026", "1234560079", "marker-comment", "signature", "additional_data", "body"] {
        assert!(!answer.body.to_string().contains(secret), "{secret}: {:?}", answer.body);
    }
    site.control("settings", &json!({"balance": 1})).await;
    site.withdraw("w2").await;
    let rejected = site.get("/withdrawals/w2").await.body;
    assert_eq!(
        (&rejected["state"], &rejected["message"]),
        (&json!("rejected"), &json!("withdrawals_sum_amount: Insufficient balance"))
    );
}

#[tokio::test]
async fn what_the_merchant_never_made_is_not_found() {
    let site = Site::start().await;
    let payment = json!({"transaction_id": NUMBER, "amount": "700", "custom_transaction_id": "o1", "label": "x"});
    site.control("payments", &payment).await;
    site.until("payment#paytm#47752123519", "unmatched").await;
    let foreign = json!({"withdrawal_id": "w1", "withdrawal_status": 1, "amount": "1000", "label": "160496026",
        "direction": "outgoing"});
    site.control("postbacks", &foreign).await;
    site.until("withdrawal#w1", "foreign").await;
    for path in ["/deposits/o1", "/withdrawals/w1", "/deposits/a.b", "/withdrawals/a%20b"] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}: {answer:?}");
    }
    let found = site.get("/transactions?state=unmatched").await.body;
    let kinds: Vec<_> = found["transactions"].as_array().unwrap().iter().map(|it| it["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("payment"), Some("foreign_withdrawal")], "{found}");
    assert_eq!(found["transactions"][0]["custom_transaction_id"], "o1");
    assert_eq!(site.order("o1").await.status, 201);
    let label_differs = site.get("/transactions?state=quarantined").await.body;
    assert_eq!(label_differs["transactions"][0]["mismatch"], "label", "{label_differs}");
}

#[tokio::test]
async fn only_what_needs_attention_is_listed_and_only_while_it_does() {
    let site = Site::start().await;
    site.order("o1").await;
    site.withdraw("w0").await;
    for id in ["w1", "w2"] {
        site.fault("withdrawal", "accepted_but_lost", 1).await;
        site.withdraw(id).await;
    }
    let found = site.get("/transactions?state=unknown").await;
    let rows = found.body["transactions"].as_array().unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row["withdrawal_id"].as_str().unwrap()).collect();
    assert_eq!((found.status, ids), (200, vec!["w1", "w2"]), "the oldest first");
    let since = rows[1]["attention_at_ms"].as_u64().unwrap();
    let later = site.get(&format!("/transactions?state=unknown&updated_since={since}")).await.body;
    assert_eq!(later["transactions"].as_array().unwrap().len(), 1, "{later}");
    site.settle("w0", 1).await;
    site.until("withdrawal#w0", "paid").await;
    site.settle("w1", 1).await;
    site.settle("w2", 5).await;
    site.until("withdrawal#w1", "paid").await;
    site.until("withdrawal#w2", "failed").await;
    for state in ["open", "unknown", "unmatched", "quarantined", "needs_review", "conflict", "unreadable"] {
        let found = site.get(&format!("/transactions?state={state}")).await;
        assert_eq!((found.status, &found.body), (200, &json!({"transactions": []})), "{state}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor() {
    let site = Site::start().await;
    for index in 0..25 {
        let number = format!("4775212{index:04}");
        let payment = json!({"transaction_id": number, "amount": "1", "custom_transaction_id": "o1", "label": "x"});
        site.control("payments", &payment).await;
        site.until(&format!("payment#paytm#{number}"), "unmatched").await;
    }
    let first = site.get("/transactions?state=unmatched").await.body;
    let cursor = first["cursor"].as_str().unwrap();
    let second = site.get(&format!("/transactions?state=unmatched&cursor={cursor}")).await.body;
    assert!(second.get("cursor").is_none());
    let pages = [&first, &second].map(|page| page["transactions"].as_array().unwrap().clone());
    let numbers: BTreeSet<_> = pages.concat().iter().map(|it| it["transaction_id"].to_string()).collect();
    assert_eq!((pages[0].len(), numbers.len()), (20, 25));
}

#[tokio::test]
async fn open_withdrawals_are_listed_by_creation_and_a_filter_looks_behind_many() {
    let site = Site::start().await;
    site.withdraw("w0").await;
    let row = site.row("withdrawal#w0").await;
    let first: u64 = row["created_at"]["N"].as_str().unwrap().parse().unwrap();
    // 130 further ones. Each fifth is unknown, and the younger ones have been so for longer.
    for number in 1..=130_u64 {
        let mut row = row.clone();
        let (at, since) = (json!({"N": (first + number).to_string()}), json!({"N": (first - number).to_string()}));
        row["transaction_id"] = json!({"S": format!("withdrawal#w{number}")});
        row["withdrawal_id"] = json!({"S": format!("w{number}")});
        row["state"] = json!({"S": if number % 5 == 0 { "unknown" } else { "submitted" }});
        row.as_object_mut().unwrap().extend([("created_at".into(), at.clone()), ("attention_at".into(), at)]);
        row["state_since"] = since;
        site.put(&row).await;
    }
    let pages = async |state: &str| {
        let (mut sizes, mut ids, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = site.get(&format!("/transactions?state={state}{cursor}")).await.body;
            let rows = page["transactions"].as_array().unwrap();
            sizes.push(rows.len());
            for row in rows {
                let id = row["withdrawal_id"].as_str().unwrap().to_owned();
                let number: u64 = id[1..].parse().unwrap();
                assert_eq!((&row["attention"], &row["attention_at_ms"]), (&json!(state), &json!(first + number)));
                assert!(number == 0 || row["state_since_ms"] == first - number, "{row}");
                ids.push(number);
            }
            let Some(next) = page["cursor"].as_str() else { return (sizes, ids) };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(pages("open").await, (vec![20, 20, 20, 20, 20, 20, 11], (0..=130).collect()));
    assert_eq!(pages("unknown").await, (vec![20, 6], (1..=26).map(|number| number * 5).collect()));
    assert_eq!(pages("needs_review").await, (vec![0], vec![]));
    assert_eq!(pages("conflict").await, (vec![0], vec![]));
}

#[tokio::test]
async fn a_question_that_is_none_is_refused_by_name() {
    let site = Site::start().await;
    for (query, field) in [
        ("", "state"),
        ("?state=paid", "state"),
        ("?state=unknown&state=conflict", "state"),
        ("?state=unknown&updated_since=yesterday", "updated_since"),
        ("?state=unknown&cursor=%00", "cursor"),
        ("?state=unknown&limit=9", "limit"),
    ] {
        let answer = site.get(&format!("/transactions{query}")).await;
        assert_eq!(
            (answer.status, answer.code(), answer.field()),
            (422, "invalid_field", field),
            "{query}: {answer:?}"
        );
    }
}
