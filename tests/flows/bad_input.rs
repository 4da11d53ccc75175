//! Bad input: a clear error that names the field, and no trace.

use serde_json::{Value, json};

use crate::flows::support::{Site, order, with, withdrawal};

async fn refuses(site: &Site, path: &str, good: &Value, cases: &[(&str, Value)]) {
    for (field, value) in cases {
        let answer = site.post(path, &with(good, field, value)).await;
        let found = (answer.status, answer.code(), answer.field());
        assert_eq!(found, (422, "invalid_field", *field), "{path} {field} = {value}: {answer:?}");
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.strip_prefix(*field).is_some_and(|rule| rule.len() > 5), "{message}");
    }
}

#[tokio::test]
async fn every_field_of_a_deposit_is_checked() {
    let site = Site::start().await;
    let cases = [
        ("custom_transaction_id", json!(null)),
        ("custom_transaction_id", json!("")),
        ("custom_transaction_id", json!("a.2")),
        ("custom_transaction_id", json!("x".repeat(151))),
        ("custom_transaction_id", json!(5)),
        ("label", json!(null)),
        ("label", json!("")),
        ("label", json!("a\nb")),
        ("label", json!("x".repeat(191))),
        ("currency_code", json!("inr")),
        ("currency_code", json!("USD")),
        ("wallet_type", json!("cash")),
        ("wallet_type", json!("PayTM")),
        ("amount", json!(0)),
        ("amount", json!(-5)),
        ("amount", json!("7e2")),
        ("amount", json!(0.5)),
        ("amount", json!("700.001")),
        ("amount", json!("99999999999")),
        ("amount", json!([700])),
        ("lang", json!("de")),
        ("lang", json!("english")),
        ("amuont", json!(700)),
    ];
    refuses(&site, "/deposits", &order("o1"), &cases).await;
    assert_eq!(site.rows().await, 0);
}

#[tokio::test]
async fn every_parameter_of_the_window_is_checked() {
    let site = Site::start().await;
    let (pages, urls) = (
        ["success", "fail", "pending"].map(|it| format!("payment_url_{it}_id")),
        ["success_url", "fail_url", "pending_url"],
    );
    let bad_pages = [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("01"),
        json!("x"),
        json!(""),
        json!(true),
        json!([1]),
        json!(1_000_000_000_000_000_u64),
    ];
    let bad_urls = [
        json!(""),
        json!("a b"),
        json!("a\n"),
        json!("\u{e9}"),
        json!("x".repeat(1_001)),
        json!(5),
        json!({}),
        json!(false),
    ];
    let pages = pages.iter().flat_map(|name| bad_pages.iter().map(move |value| (name.as_str(), value.clone())));
    let urls = urls.into_iter().flat_map(|name| bad_urls.iter().map(move |value| (name, value.clone())));
    for (name, value) in pages.chain(urls).chain([("label", json!("thief")), ("", json!("x"))]) {
        let answer = site.post("/deposits", &with(&order("o1"), "window", &json!({name: value}))).await;
        let found = (answer.status, answer.code(), answer.field().to_owned());
        assert_eq!(found, (422, "invalid_field", format!("window.{name}")), "{value}: {answer:?}");
    }
    let order_with =
        |window: &str| order("o1").to_string().replacen('{', &format!(r#"{{"window":{window},"#), 1).into_bytes();
    for no_object in ["5", "[]", r#""success_url""#, r#"{"success_url":"a","success_url":"a"}"#] {
        let answer = site.post_bytes("/deposits", order_with(no_object)).await;
        let found = (answer.status, answer.code(), answer.field());
        assert_eq!(found, (422, "invalid_field", "window"), "{no_object}: {answer:?}");
    }
    assert_eq!(site.rows().await, 0);
    let good = site.post_bytes("/deposits", order_with(r#"{"success_url":"a"}"#)).await;
    assert_eq!(good.status, 201, "{good:?}");
}

#[tokio::test]
async fn every_field_of_an_activation_is_checked() {
    let site = Site::start().await;
    site.order("o1").await;
    let cases = [
        ("key1", json!(null)),
        ("key1", json!(47_752_123_519_u64)),
        ("key1", json!("4775212351")),
        ("key1", json!("4775212351900")),
        ("key1", json!("4775212351a")),
        ("amount", json!(null)),
        ("amount", json!("much")),
        ("amount", json!(100_000_000)),
        ("label", json!("x")),
    ];
    refuses(&site, "/deposits/o1/activation", &json!({"key1": "47752123519", "amount": 700}), &cases).await;
    assert_eq!(site.rows().await, 1);
    assert_eq!(site.attribute("deposit#o1", "version").await, "1");
}

#[tokio::test]
async fn every_field_of_a_withdrawal_is_checked() {
    let site = Site::start().await;
    let cases = [
        ("withdrawal_id", json!(null)),
        ("withdrawal_id", json!("a b")),
        ("withdrawal_id", json!("x".repeat(37))),
        ("label", json!("x".repeat(37))),
        ("amount", json!(0)),
        ("amount", json!(10.5)),
        ("amount", json!(10_000_001)),
        ("amount", json!(true)),
        ("currency_code", json!("BDT")),
        ("account_number", json!("123456007")),
        ("account_number", json!("12345600790")),
        ("account_number", json!("123456007x")),
        ("payment_system", json!("nagad")),
        ("payment_system", json!("cash")),
        ("comment", json!("x".repeat(191))),
        ("comment", json!("a\u{7}")),
        ("is_test", json!("true")),
        ("signature", json!("x")),
    ];
    refuses(&site, "/withdrawals", &withdrawal("w1"), &cases).await;
    assert_eq!(site.rows().await, 0);
    assert_eq!(site.ask("log").await.to_string().matches("withdrawal").count(), 0, "the provider heard nothing");
}

/// Texts that a provider may send back changed. Then the postback would be held.
#[tokio::test]
async fn a_text_that_may_come_back_changed_is_refused_with_its_rule() {
    let site = Site::start().await;
    site.order("o1").await;
    let before = site.rows().await;
    let activation = json!({"key1": "47752123519", "amount": 700});
    for (text, rule) in [
        (" 9876543210", "white space"),
        ("9876543210 ", "white space"),
        ("9876543210\u{a0}", "white space"),
        ("987\u{a0}654", "white space"),
        ("987\u{2028}654", "white space"),
        ("987\u{200b}654", "invisible"),
        ("\u{feff}9876543210", "invisible"),
        ("9876543210\u{200f}", "invisible"),
        ("987\u{ad}654", "invisible"),
        ("❤\u{fe0f}", "invisible"),
        ("987\u{200d}654", "joiners"),
        ("jose\u{301}", "NFC"),
    ] {
        for (path, good, field) in [
            ("/deposits", &order("o2"), "label"),
            ("/deposits/o1/activation", &activation, "key1"),
            ("/withdrawals", &withdrawal("w1"), "label"),
            ("/withdrawals", &withdrawal("w1"), "account_number"),
            ("/withdrawals", &withdrawal("w1"), "comment"),
        ] {
            let answer = site.post(path, &with(good, field, &json!(text))).await;
            let found = (answer.status, answer.code(), answer.field());
            assert_eq!(found, (422, "invalid_field", field), "{path} {text:?}: {answer:?}");
            let message = answer.body["message"].as_str().unwrap();
            assert!(message.starts_with(field) && message.contains(rule), "{path} {text:?}: {message}");
        }
    }
    assert_eq!(site.rows().await, before);
}

#[tokio::test]
async fn a_label_in_any_script_is_accepted_and_credited() {
    let site = Site::start().await;
    for (index, label) in ["हिन्दी 5", "தமிழ்", "ক্\u{200d}ষ", "കല്\u{200d}ക്കത്ത", "é😀"].into_iter().enumerate()
    {
        let id = format!("o{index}");
        let created = site.post("/deposits", &with(&order(&id), "label", &json!(label))).await;
        assert_eq!(created.status, 201, "{label}: {created:?}");
        let number = format!("4775212351{index}");
        let payment = json!({"transaction_id": number, "amount": "700", "custom_transaction_id": id, "label": label});
        site.control("payments", &payment).await;
        site.until(&format!("payment#paytm#{number}"), "credited").await;
    }
}

#[tokio::test]
async fn what_is_not_one_json_object_is_malformed() {
    let site = Site::start().await;
    let large = format!(r#"{{"label":"{}"}}"#, "x".repeat(20_000));
    for body in ["", "{", "[]", "null", r#"{"label":"a","label":"b"}"#, "{} {}", "\u{feff}{}", &large] {
        for path in ["/deposits", "/deposits/o1/activation", "/withdrawals"] {
            let answer = site.post_bytes(path, body.into()).await;
            assert_eq!((answer.status, answer.code()), (400, "malformed_request"), "{path} {body:.30}: {answer:?}");
        }
    }
    let answer = site.post_bytes("/deposits", vec![b'{', 0xff, b'}']).await;
    assert_eq!((answer.status, answer.code()), (400, "malformed_request"));
    assert_eq!(site.rows().await, 0);
}
