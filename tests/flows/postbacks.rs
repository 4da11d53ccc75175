//! Postbacks: genuine, repeated, altered, forged, large, empty, many.

use domain::Direction;
use paykassma::{PostbackBody, UnsignedFields, WrittenAmount};
use secrecy::SecretString;
use serde_json::{Value, json};
use signing::Spelling;

use crate::flows::calls::row_bytes;
use crate::flows::operator::Tool;
use crate::flows::support::{Site, order, with};

const PAYMENT: &str = "payment#paytm#47752123519";

/// A signed deposit postback for these payments: number, order, amount.
pub(crate) fn postback(site: &Site, payments: &[(&str, &str, &str)]) -> Value {
    // the elements' keys are sorted, so the list is the same after a test has changed a field beside it
    serde_json::from_str(&signed(site, &json!(elements(payments)).to_string())).unwrap()
}

/// The elements of a list of payments: number, order, amount.
pub(crate) fn elements(payments: &[(&str, &str, &str)]) -> Vec<Value> {
    payments
        .iter()
        .map(|(number, order, amount)| {
            json!({"amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": number,
                "plugin_custom_order_id": order, "withdrawal_id": null, "withdrawal_status": null})
        })
        .collect()
}

/// A postback around any `additional_data`, signed.
pub(crate) fn signed(site: &Site, additional_data: &str) -> String {
    signed_with(site, additional_data, &unsigned())
}

/// A postback around any `additional_data`, signed, beside fields that are not.
pub(crate) fn signed_with(site: &Site, additional_data: &str, unsigned: &UnsignedFields) -> String {
    let secrets = &site.stack.credentials().secrets;
    let key = SecretString::from(secrets.postback_private_key.as_str());
    let body = PostbackBody::sign(additional_data, Spelling::Flagged, &secrets.access_key, &key).unwrap();
    body.with_unsigned(unsigned).to_string()
}

/// The unsigned fields of the usual payment.
pub(crate) fn unsigned() -> UnsignedFields {
    UnsignedFields {
        wallet_type: Some("paytm".into()),
        amount: Some(WrittenAmount::from(700)),
        currency_code: Some("INR".into()),
        label: Some("631317234".into()),
        direction: Some(Direction::Ingoing),
        ..UnsignedFields::default()
    }
}

/// Sends a signed list twice, which is answered ok. Gives the key of its only element, which is not understood: the row has
/// the signed text to the letter.
pub(crate) async fn unreadable(site: &Site, list: &str) -> String {
    let body = signed(site, list);
    for _ in 0..2 {
        assert_eq!(send_text(site, &body).await, ok(), "{list}");
    }
    let rows = site.table().await;
    let mut found = rows.iter().filter(|(key, row)| {
        key.starts_with("unreadable#") && row["evidence"]["M"]["additional_data"]["S"].as_str() == Some(list)
    });
    let (key, row) = found.next().unwrap_or_else(|| panic!("{list} is not unreadable: {rows:#?}"));
    assert_eq!((&row["attention"], found.next()), (&json!({"S": "unreadable"}), None), "{list}");
    key.clone()
}

async fn send(site: &Site, body: &Value) -> (u16, String) {
    send_text(site, &body.to_string()).await
}

pub(crate) async fn send_text(site: &Site, body: &str) -> (u16, String) {
    let answer = site.postback(body.into()).await;
    let said = answer.body["status"].as_str().unwrap_or(answer.code()).to_owned();
    (answer.status, said)
}

pub(crate) fn ok() -> (u16, String) {
    (200, "ok".into())
}

#[tokio::test]
async fn two_hundred_copies_at_once_credit_once_and_all_get_ok() {
    let site = Site::start().await;
    site.order("o1").await;
    let batch = json!({"transaction_id": "47752123519", "custom_transaction_id": "o1", "label": "631317234",
        "amount": "700", "direction": "ingoing", "copies": 200, "parallel": 200});
    let sent = site.control("postbacks", &batch).await;
    assert_eq!(sent["statuses"], json!({"200": 200}), "{sent}");
    assert_eq!(site.credits("o1").await, ["700"]);
}

#[tokio::test]
async fn a_changed_signed_byte_is_refused_and_leaves_no_trace() {
    let site = Site::start().await;
    site.order("o1").await;
    let genuine = postback(&site, &[("47752123519", "o1", "700")]);
    for (field, value) in [
        ("amount", "7000"),
        ("transaction_id", "47752123518"),
        ("plugin_custom_order_id", "o2"),
        ("currency_code", "USD"),
    ] {
        let mut altered = genuine.clone();
        altered["additional_data"][0][field] = json!(value);
        assert_eq!(send(&site, &altered).await, (401, "bad_signature".into()), "{field}");
    }
    for (field, value) in [("signature", "0d8103294d3457bd4d22d0ff94c859d45ff9abb1"), ("access_key", "another")] {
        assert_eq!(send(&site, &with(&genuine, field, &json!(value))).await, (401, "bad_signature".into()), "{field}");
    }
    assert_eq!(site.rows().await, 1);
}

#[tokio::test]
async fn an_altered_unsigned_field_is_quarantined_and_the_genuine_postback_still_credits() {
    let altered = [
        ("amount", json!(7000), "amount"),
        ("label", json!("thief"), "label"),
        ("currency_code", json!("USD"), "currency_code"),
        ("wallet_type", json!("upi_l"), "wallet_type"),
        ("direction", json!("outgoing"), "direction"),
        ("amount", json!(null), "amount"),
        ("label", json!(["631317234"]), "label"),
    ];
    let site = Site::start().await;
    for (index, (field, value, mismatch)) in altered.into_iter().enumerate() {
        let (order_id, number) = (format!("o{index}"), format!("4775212351{index}"));
        site.order(&order_id).await;
        let genuine = postback(&site, &[(&number, &order_id, "700")]);
        let altered = with(&genuine, field, &value);
        assert_eq!(send(&site, &altered).await, ok());
        let key = format!("payment#paytm#{number}");
        assert_eq!(site.state(&key).await, "quarantined", "{field}");
        assert_eq!(site.attribute(&key, "mismatch").await, mismatch);
        assert!(site.credits(&order_id).await.is_empty());
        assert_eq!(send(&site, &genuine).await, ok());
        assert_eq!(site.credits(&order_id).await, ["700"]);
        assert_eq!(send(&site, &altered).await, ok());
        assert_eq!(site.credits(&order_id).await, ["700"]);
        assert!(site.attribute(&key, "contradictions").await.contains(mismatch));
    }
}

#[tokio::test]
async fn a_second_amount_for_one_number_is_recorded_and_never_applied() {
    let site = Site::start().await;
    site.order("o1").await;
    assert_eq!(send(&site, &postback(&site, &[("47752123519", "o1", "700")])).await, ok());
    let other = with(&postback(&site, &[("47752123519", "o1", "7000")]), "amount", &json!(7000));
    assert_eq!(send(&site, &other).await, ok());
    assert_eq!(site.credits("o1").await, ["700"]);
    assert!(site.attribute(PAYMENT, "contradictions").await.contains("earlier_postback"));
}

#[tokio::test]
async fn every_element_is_kept_and_not_only_the_first() {
    let site = Site::start().await;
    let numbers: Vec<_> = (0..10).map(|index| format!("4775212351{index}")).collect();
    let orders: Vec<_> = (0..10).map(|index| format!("o{index}")).collect();
    for order in &orders[..9] {
        site.order(order).await;
    }
    let mut payments: Vec<_> =
        numbers.iter().zip(&orders).map(|(number, order)| (number.as_str(), order.as_str(), "700")).collect();
    payments[3].2 = "not an amount";
    assert_eq!(send(&site, &postback(&site, &payments)).await, ok());
    for (index, (number, order_id, _)) in payments.iter().enumerate() {
        let state = site.state(&format!("payment#paytm#{number}")).await;
        match index {
            3 => assert_eq!(state, ""),
            9 => assert_eq!(state, "unmatched"),
            _ => assert_eq!((state.as_str(), site.credits(order_id).await), ("credited", vec!["700".to_owned()])),
        }
    }
    let list = site.keys("evidence#").await.remove(0).replace("evidence#", "");
    assert_eq!(site.keys("unreadable#").await, [format!("unreadable#{list}#3")]);
}

#[tokio::test]
async fn an_empty_list_or_object_is_one_unreadable_element_and_answered_ok() {
    let site = Site::start().await;
    // The last one is the first one in another spelling.
    for (empty, rows) in [("[]", 1), ("{}", 2), ("[ ]", 2)] {
        let body = signed(&site, empty);
        for _ in 0..2 {
            assert_eq!(send_text(&site, &body).await, ok(), "{empty}");
            assert_eq!(site.rows().await, rows, "{empty}");
        }
    }
    let keys = site.keys("unreadable#").await;
    assert_eq!(keys.len(), 2);
    for key in keys {
        assert!(key.ends_with("#0"), "{key}");
        assert_eq!(site.attribute(&key, "reason").await, "the list is empty");
        assert_eq!(site.attribute(&key, "attention").await, "unreadable");
    }
}

/// The object that PHP makes of a list if an element was removed from it.
fn object(members: &[(&str, Value)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, element)| format!(r#""{key}":{element}"#)).collect();
    format!("{{{}}}", members.join(", "))
}

#[tokio::test]
async fn elements_in_an_object_with_numbers_as_keys_are_credited_once() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    let payments = [("47752123511", "o1", "700"), ("47752123512", "o2", "700"), ("47752123513", "o3", "700")];
    for (_, order_id, _) in payments {
        site.order(order_id).await;
    }
    let [one, two, three] = elements(&payments).try_into().unwrap();
    let only = object(&[("4", one.clone())]);
    let several = object(&[("2", two.clone()), ("0", json!("no object")), ("7", three.clone())]);
    for list in [&only, &several, &only, &several, &json!([one, two, three]).to_string()] {
        assert_eq!(send_text(&site, &signed(&site, list)).await, ok());
        assert_eq!(site.credits("o1").await, ["700"]);
    }
    for (number, order_id, _) in payments {
        let key = format!("payment#paytm#{number}");
        assert_eq!((site.state(&key).await, site.credits(order_id).await), ("credited".into(), vec!["700".into()]));
        let (status, said) = tool.run(&["show", &key]).await;
        assert!(status == 0 && said.contains(&format!(r#""transaction_id": "{number}""#)), "{said}");
    }
    let evidence =
        site.stack.item("payment#paytm#47752123513").await.unwrap().unwrap()["facts"]["M"]["evidence"].take();
    assert_eq!(evidence["M"]["element"], json!({"N": "2"}));
    let list = evidence["M"]["list"]["S"].as_str().unwrap();
    assert_eq!(site.attribute(&format!("evidence#{list}"), "additional_data").await, several);
    let of_other_amount = signed(&site, &only).replace(":700,", ":900,");
    assert_eq!(send_text(&site, &of_other_amount).await, ok());
    let contradictions = site.attribute("payment#paytm#47752123511", "contradictions").await;
    assert!(contradictions.contains(r#""mismatch":{"S":"amount"}"#), "{contradictions}");
    let (status, said) = tool.run(&["audit"]).await;
    assert_eq!(status, 0, "{said}");
}

#[tokio::test]
async fn an_object_with_other_keys_is_kept_for_a_person_and_never_credited() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    let element = elements(&[("47752123519", "o1", "700")]).remove(0);
    let others = [element.to_string(), object(&[("0", element.clone()), ("01", element)]), "{}".to_owned()];
    for (seen, other) in others.iter().enumerate() {
        let key = unreadable(&site, other).await;
        assert_eq!(site.rows().await, 2 + u64::try_from(seen).unwrap(), "{other}");
        let reason = if other == "{}" { "the list is empty" } else { "only numbers as keys" };
        assert!(site.attribute(&key, "reason").await.contains(reason), "{other}");
        let (status, said) = tool.run(&["show", &key]).await;
        assert_eq!((status, said.contains("47752123519")), (0, other != "{}"), "{said}");
        let (status, said) = tool.run(&["replay", &key]).await;
        assert_eq!(status, 3, "{said}");
    }
    assert!(site.credits("o1").await.is_empty());
    let (status, said) = tool.run(&["audit"]).await;
    assert_eq!(status, 0, "{said}");
}

#[tokio::test]
async fn the_log_says_why_a_postback_is_not_accepted() {
    let site = Site::start().await;
    let genuine = postback(&site, &[("47752123519", "o1", "700")]);
    let without_signature = genuine.to_string().replace(r#""signature":"#, r#""marker":"#);
    for (body, status, cause) in [
        (without_signature, 400, "`signature` is missing"),
        (with(&genuine, "additional_data", &json!("marker")).to_string(), 400, "unexpected byte or end at offset "),
        (with(&genuine, "access_key", &json!("marker")).to_string(), 401, "the access key is not ours"),
        (with(&genuine, "signature", &json!("marker")).to_string(), 401, "the signature is not the provider's"),
    ] {
        let answer = site.postback(body.into()).await;
        assert_eq!(answer.status, status);
        assert!(answer.body["message"].as_str().unwrap().contains(cause), "{answer:?}");
        let logs = site.logs();
        assert!(logs.iter().any(|line| line.contains(&format!(r#""cause":"{cause}"#))), "{cause}: {logs:#?}");
    }
    assert!(!site.logs().iter().any(|line| line.contains("marker")));
}

#[tokio::test]
async fn what_is_no_postback_is_refused_before_anything_is_read_of_it() {
    let site = Site::start().await;
    let genuine = postback(&site, &[("47752123519", "o1", "700")]).to_string();
    let large = format!("{genuine}{}", " ".repeat(256 * 1024));
    let twice = genuine.replacen('{', r#"{"additional_data":[],"#, 1);
    let table: [(Vec<u8>, u16); 6] = [
        (large.into(), 413),
        (twice.into(), 400),
        (format!("{genuine}x").into(), 400),
        (b"".to_vec(), 400),
        (b"{}".to_vec(), 400),
        (vec![0xff, 0xfe], 400),
    ];
    for (body, status) in table {
        let answer = site.postback(body).await;
        assert_eq!((answer.status, answer.code()), (status, "malformed_postback"), "{answer:?}");
    }
    let elsewhere = site.post("/postbacks/another-token", &order("o1")).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (404, "not_found"));
    assert_eq!(site.rows().await, 0);
}

#[tokio::test]
async fn a_body_of_256_kib_is_kept_whole() {
    let site = Site::start().await;
    site.order("o1").await;
    let genuine = postback(&site, &[("47752123519", "o1", "700")]).to_string();
    let padding = 256 * 1024 - genuine.len();
    let answer = site.postback(format!("{genuine}{}", " ".repeat(padding)).into()).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"status": "ok"})));
    assert_eq!(site.credits("o1").await, ["700"]);
}

#[tokio::test]
async fn an_element_of_more_than_4_kb_is_stored_once_and_credited() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    for (number, order_id, bytes) in [("47752123511", "o1", 8 * 1024), ("47752123512", "o2", 200 * 1024)] {
        site.order(order_id).await;
        let mut list = elements(&[(number, order_id, "700")]);
        list[0]["comment"] = "x".repeat(bytes).into();
        let body = signed(&site, &json!(list).to_string());
        for _ in 0..3 {
            assert_eq!(send_text(&site, &body).await, ok());
            assert_eq!(site.credits(order_id).await, ["700"]);
        }
        let payment = format!("payment#paytm#{number}");
        assert!(row_bytes(&site.row(&payment).await) < 1024, "the list is not in the payment's row");
        let (status, said) = tool.run(&["show", &payment]).await;
        assert_eq!((status, said.contains(number)), (0, true), "{said}");
    }
    assert_eq!((site.keys("evidence#").await.len(), site.keys("list#").await.len()), (2, 2));

    // Nobody can read the number of this one, and a person credits it.
    site.order("o3").await;
    let mut list = elements(&[("NUMBER", "o3", "700")]);
    list[0]["comment"] = "x".repeat(8 * 1024).into();
    let body = signed(&site, &json!(list).to_string().replace(r#""NUMBER""#, "47752123513.0"));
    assert_eq!(send_text(&site, &body).await, ok());
    let key = site.keys("unreadable#").await.remove(0);
    assert!(row_bytes(&site.row(&key).await) < 1024);
    let (status, said) = tool.resolve(&key, "credited", &["--number", "47752123513"]).await;
    assert_eq!((status, site.credits("o3").await), (0, vec!["700".to_owned()]), "{said}");
    assert!(tool.json(&["list"]).await.is_empty());
    let (status, said) = tool.run(&["audit", "--strict"]).await;
    assert_eq!(status, 0, "{said}");
}

#[tokio::test]
async fn a_withdrawal_that_we_never_made_takes_its_id() {
    let site = Site::start().await;
    let foreign = json!({"withdrawal_id": "w1", "withdrawal_status": 1, "amount": "1000", "label": "160496026",
        "direction": "outgoing"});
    for _ in 0..2 {
        assert_eq!(site.control("postbacks", &foreign).await["statuses"], json!({"200": 1}));
    }
    assert_eq!(site.state("withdrawal#w1").await, "foreign");
    let other = with(&foreign, "withdrawal_status", &json!(5));
    assert_eq!(site.control("postbacks", &other).await["statuses"], json!({"200": 1}));
    let open = site.get("/transactions?state=unmatched").await.body;
    assert_eq!(open["transactions"][0]["contradictions"][0]["mismatch"], "earlier_postback", "{open}");
    let refused = site.withdraw("w1").await;
    assert_eq!((refused.status, refused.code()), (409, "id_taken"));
}
