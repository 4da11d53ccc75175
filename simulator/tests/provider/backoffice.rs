//! The back office, without a browser.

use serde_json::{Value, json};

use crate::deposits::activation;
use crate::withdrawals::{PATH, ok, request, signed};
use crate::{Bench, verify};

const PAGES: [&str; 8] =
    ["", "/payments", "/withdrawals", "/postbacks", "/calls", "/faults", "/settings", "/signatures"];

async fn withdrawal(bench: &Bench) {
    assert_eq!(bench.call(PATH, &signed(&request("w-1", 300))).await, ok());
}

async fn payment(bench: &Bench) -> String {
    let payment = json!({"transaction_id": "47752123519", "amount": "500", "custom_transaction_id": "order-1", "label": "user-1"});
    bench.control("payments", payment).await;
    bench.postbacks(1).await;
    bench.merchant.received().remove(0)
}

fn statuses(postbacks: &[Value]) -> Vec<(i64, &str)> {
    let element = |body: &'_ Value| body["additional_data"][0].clone();
    let read = |body| {
        (element(body)["withdrawal_status"].as_i64().unwrap(), body["additional_data"][0]["amount"].as_str().unwrap())
    };
    postbacks.iter().map(read).collect()
}

#[tokio::test]
async fn every_page_opens_with_and_without_records_and_runs_no_foreign_script() {
    let bench = Bench::new().await;
    for has_records in [false, true] {
        if has_records {
            withdrawal(&bench).await;
            bench.activate(&activation("order-9")).await;
            payment(&bench).await;
            bench.control("faults", json!({"on": "withdrawal", "fault": "slow_body", "ms": 5})).await;
        }
        for page in PAGES {
            let reply = bench.open(&format!("/backoffice{page}")).await;
            assert_eq!(reply.status, 200, "{page}");
            assert!(reply.policy.contains("default-src 'none'") && !reply.policy.contains("unsafe"), "{page}");
            assert!(!reply.text.contains("style=") && !reply.text.contains("onclick"), "{page}");
        }
    }
}

#[tokio::test]
async fn a_withdrawal_ends_as_the_form_says() {
    let bench = Bench::new().await;
    withdrawal(&bench).await;
    let end = |more: &'static [(&'static str, &'static str)]| [&[("withdrawal_id", "w-1")], more].concat();
    for fields in [
        end(&[("status", "1")]),
        end(&[("status", "5")]),
        end(&[("status", "1"), ("amount", "299.50")]),
        end(&[("status", "7"), ("amount", "")]),
        end(&[("status", "1"), ("by_hand", "yes")]),
    ] {
        assert_eq!(bench.submit("/backoffice/withdrawals/end", &fields).await.status, 303, "{fields:?}");
    }
    let mut postbacks = bench.postbacks(4).await;
    postbacks.sort_by_key(|body| body["additional_data"][0].to_string());
    assert_eq!(statuses(&postbacks), [(1, "299.50"), (1, "300"), (5, "300"), (7, "300")]);
}

#[tokio::test]
async fn a_form_with_a_wrong_value_changes_nothing_and_says_why() {
    let bench = Bench::new().await;
    withdrawal(&bench).await;
    for (address, fields, said) in [
        ("/withdrawals/end", vec![("withdrawal_id", "w-1"), ("status", "paid")], "The status must be"),
        ("/withdrawals/end", vec![("withdrawal_id", "w-1"), ("status", "1"), ("amount", "3,5")], "The amount must be"),
        ("/withdrawals/end", vec![("withdrawal_id", "w-2"), ("status", "1")], "No withdrawal w-2"),
        ("/withdrawals", vec![("amount", "0"), ("account_number", "1"), ("label", "a")], "whole number of 1"),
        ("/payments", vec![("wallet_type", "paytm"), ("transaction_id", ""), ("amount", "five")], "The amount must be"),
        ("/payments", vec![("wallet_type", "?"), ("transaction_id", ""), ("amount", "5")], "The wallet"),
        (
            "/payments",
            vec![("wallet_type", "paytm"), ("transaction_id", ""), ("amount", "5"), ("label", "a")],
            "together",
        ),
        ("/postbacks/7", vec![("how", "unchanged")], "no postback 7"),
        ("/faults", vec![("on", "withdrawal"), ("fault", "slow_body"), ("ms", "soon")], "invalid type"),
        ("/faults", vec![("on", "refund"), ("fault", "hang")], "unknown variant"),
        ("/settings", vec![("repeat_after_ms", "5")], "null"),
    ] {
        let reply = bench.submit(&format!("/backoffice{address}"), &fields).await;
        assert!(matches!(reply.status, 400 | 404), "{address} {fields:?}: {}", reply.status);
        assert!(reply.text.contains(said), "{address} {fields:?}: {}", reply.text);
    }
    assert_eq!(bench.look("settings").await["repeat_after_ms"], json!([20]));
    bench.postbacks(0).await;
}

#[tokio::test]
async fn a_postback_is_sent_again_unchanged_and_changed() {
    let bench = Bench::new().await;
    let body = payment(&bench).await;
    let send = async |fields: &[(&str, &str)]| {
        let before = bench.merchant.received().len();
        let reply = bench.submit("/backoffice/postbacks/0", fields).await;
        assert_eq!(reply.status, 303, "{}", reply.text);
        while bench.merchant.received().len() == before {
            tokio::task::yield_now().await;
        }
        bench.merchant.received().pop().unwrap()
    };
    assert_eq!(send(&[("how", "unchanged")]).await, body);
    let forged = send(&[("how", "digit"), ("place", "3")]).await;
    assert!(verify(&forged).is_err() && forged != body);
    let stolen = send(&[("how", "field"), ("field", "label"), ("value", "thief")]).await;
    assert!(verify(&stolen).is_ok() && stolen.contains(r#""label":"thief""#));
    let other = send(&[("how", "field"), ("field", "amount"), ("value", "9")]).await;
    assert!(verify(&other).is_ok() && other.contains(r#""amount":9,"#));
    // The simulator remembers each delivery, and shows it.
    let page = bench.open("/backoffice/postbacks/0").await;
    assert_eq!(page.text.matches("{&quot;status&quot;:&quot;ok&quot;}").count(), 2, "{}", page.text);
}

#[tokio::test]
async fn shuffled_copies_are_signed() {
    let bench = Bench::new().await;
    let elements: Vec<_> = (0..8).map(|number| json!({"transaction_id": format!("4775212351{number}")})).collect();
    bench.control("postbacks", json!({"elements": elements})).await;
    bench.submit("/backoffice/postbacks/0", &[("how", "copies"), ("copies", "6")]).await;
    bench.postbacks(7).await;
    let received = bench.merchant.received();
    assert!(received.iter().all(|body| verify(body).is_ok()));
    assert!(received.iter().collect::<std::collections::BTreeSet<_>>().len() > 2, "other orders of the elements");
}

#[tokio::test]
async fn a_fault_is_ordered_by_the_form_as_by_the_control_api() {
    let bench = Bench::new().await;
    let fields = [
        ("on", "withdrawal"),
        ("fault", "message_string"),
        ("times", "2"),
        ("text", "busy"),
        ("ms", "5"),
        ("code", "1"),
    ];
    assert_eq!(bench.submit("/backoffice/faults", &fields).await.status, 303);
    assert_eq!(bench.call(PATH, &signed(&request("w-1", 300))).await, json!({"status": "fail", "message": "busy"}));
    assert!(bench.open("/backoffice/faults").await.text.contains("message_string, message: &quot;busy&quot;"));
    assert!(bench.open("/backoffice/calls").await.text.contains("fault: message_string"));
    bench.submit("/backoffice/faults/clear", &[]).await;
    withdrawal(&bench).await;
}

#[tokio::test]
async fn the_settings_are_saved_as_a_whole() {
    let bench = Bench::new().await;
    let fields = [
        ("test_amounts", "true"),
        ("send_postbacks", "true"),
        ("balance", ""),
        ("withdrawal_min", "1"),
        ("withdrawal_max", "9"),
        ("late_ms", "100"),
        ("activation_default", "pending"),
        ("wire_spelling", "default"),
        ("repeat_after_ms", "20, 30"),
    ];
    let reply = bench.submit("/backoffice/settings", &fields).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    let settings = bench.look("settings").await;
    assert_eq!((&settings["test_amounts"], &settings["dedup"]), (&json!(true), &json!(false)));
    assert_eq!((&settings["balance"], &settings["repeat_after_ms"]), (&json!(null), &json!([20, 30])));
}

#[tokio::test]
async fn the_calculator_shows_each_step_of_a_signature() {
    let bench = Bench::new().await;
    let body = payment(&bench).await;
    let keys = [("access_key", crate::ACCESS_KEY), ("private_key", crate::POSTBACK_KEY)];
    let of = |text: &str| {
        [[("what", "postback"), ("text", text)], keys]
            .concat()
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
    };
    let calculate = async |fields: Vec<(String, String)>| {
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        bench.submit("/backoffice/signatures", &fields).await.text
    };
    assert!(calculate(of(&body)).await.contains("This is the signature in the body"));
    let changed = calculate(of(&body.replace("\"500\"", "\"501\""))).await;
    assert!(changed.contains("The body has another signature"), "{changed}");
    // The second vector of docs/provider-protocol.md, and its list spelled without flags.
    let list = r#"[{"comment":"оплата a/b \"q\" \\ \u2028 é","amount":"700","transaction_id":"1","plugin_custom_order_id":"x/1"}]"#;
    let mut vector = of(list);
    vector[3].1 = "test_private_key".to_owned();
    let steps = calculate(vector).await;
    for part in [
        "a7cbfbb917f9e85410f82a4b81c2c0b0",
        "cf2ba3cb549cdf8a2247fad1aa4fbbbb0a9634a9",
        "01a1e83db82aebf7a5b5c7643c3d6990",
        "e717404062e7e66b361410cfd2adc476cfd974bb",
    ] {
        assert!(steps.contains(part), "{part}");
    }
    assert!(calculate(of("nonsense")).await.contains("This cannot be signed"));
    let request = signed(&request("85858053", 1000)).to_string();
    let fields = [("what", "withdrawal"), ("text", &request), ("private_key", crate::WITHDRAWAL_KEY)];
    let page = bench.submit("/backoffice/signatures", &fields).await.text;
    assert!(page.contains("1234560079:1000:withdrawal:INR:1:160496026:paytm:85858053"), "{page}");
    assert!(
        page.contains("3d8fc365d83ffeaeff1d10df2087ccd8729e00c0") && page.contains("This is the signature in the body")
    );
}

#[tokio::test]
async fn the_secret_of_the_deposit_calls_is_on_no_page() {
    let bench = Bench::new().await;
    bench.activate(&activation("order-1")).await;
    for page in PAGES {
        assert!(!bench.open(&format!("/backoffice{page}")).await.text.contains(crate::SECRET), "{page}");
    }
}
