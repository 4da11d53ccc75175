//! Payment systems are rows: those that are built in, and those of a setting.

use serde_json::json;

use crate::flows::support::{Site, options, order, with};

#[tokio::test]
async fn a_deposit_goes_all_the_way_by_another_wallet() {
    let site = Site::start().await;
    let bangla = with(&with(&order("o1"), "wallet_type", &json!("nagad")), "currency_code", &json!("BDT"));
    let created = site.post("/deposits", &bangla).await;
    assert_eq!(created.state(), (201, "created"), "{created:?}");
    assert!(created.body["params"]["Account number"].is_string(), "other wallets show other things: {created:?}");
    let number = json!({"key1": "74XK92M0QA", "amount": 700});
    let payment =
        json!({"transaction_id": "74XK92M0QA", "amount": "700", "wallet_type": "nagad", "currency_code": "BDT"});
    site.control("payments", &payment).await;
    let short = site.post("/deposits/o1/activation", &with(&number, "key1", &json!("74XK92M0Q"))).await;
    assert_eq!((short.code(), short.field()), ("invalid_field", "key1"));
    assert_eq!(site.post("/deposits/o1/activation", &number).await.state(), (200, "activated"));
    site.until("payment#nagad#74XK92M0QA", "credited").await;
    let events = site.events("deposit.credited", 1).await;
    assert_eq!(
        (&events[0]["data"]["wallet_type"], &events[0]["data"]["currency_code"]),
        (&json!("nagad"), &json!("BDT"))
    );
}

#[tokio::test]
async fn an_unknown_wallet_is_refused_with_the_names_of_the_known_ones() {
    let site = Site::start().await;
    let refused = site.post("/deposits", &with(&order("o1"), "wallet_type", &json!("cash"))).await;
    assert_eq!((refused.status, refused.field()), (422, "wallet_type"));
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("bkash") && message.contains("paytm"), "{message}");
    let plain = with(&order("o1"), "wallet_type", &json!(null));
    assert_eq!(site.post("/deposits", &plain).await.status, 201);
    assert_eq!(site.get("/deposits/o1").await.body["wallet_type"], "paytm");
}

#[tokio::test]
async fn a_setting_tightens_a_wallet_without_a_build_and_a_wrong_one_stops_the_function() {
    let tight = json!([{"wallet_type": "paytm", "currency_code": "INR", "key1": {"least": 12, "most": 12, "digits": true},
        "langs": ["hi"], "deposit": {"minimum": 500, "maximum": 600, "decimals": 0}}]);
    let set = |name: &str, value: &str| (name.to_owned(), "PAYMENT_SYSTEMS".to_owned(), value.to_owned());
    let mut options = options();
    options.environment.push(set("create-deposit", &tight.to_string()));
    options.environment.push(set("create-withdrawal", r#"[{"wallet_type":"PayTM"}]"#));
    let site = Site::start_with(options).await;
    for (field, value) in [("amount", json!(700)), ("amount", json!("550.5")), ("lang", json!("en"))] {
        let refused = site.post("/deposits", &with(&with(&order("o1"), "amount", &json!(550)), field, &value)).await;
        assert_eq!((refused.status, refused.field()), (422, field));
    }
    assert_eq!(site.post("/deposits", &with(&order("o1"), "amount", &json!(550))).await.status, 201);
    let stopped = site.withdraw("w1").await;
    assert_eq!((stopped.status, stopped.code()), (503, "try_again"));
    assert!(site.logs().iter().any(|line| line.contains("setting PAYMENT_SYSTEMS")), "{:#?}", site.logs());
}
