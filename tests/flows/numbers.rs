//! One payment, one credit, however its number is spelled; and no payment that a person cannot credit.

use domain::Direction;
use futures_util::future::join_all;
use paykassma::{UnsignedFields, WrittenAmount};
use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::postbacks::{elements, ok, send_text, signed, signed_with, unreadable, unsigned};
use crate::flows::support::{Site, order, with};

const NUMBER: &str = "47752120004";
const PAYMENT: &str = "payment#paytm#47752120004";

/// A list with one payment of 700. Its number and its order's id are JSON, as they stand.
fn one(number: &str, order: &str) -> String {
    let list = json!(elements(&[("NUMBER", "ORDER", "700")])).to_string();
    list.replace(r#""NUMBER""#, number).replace(r#""ORDER""#, order)
}

/// The same, with strings.
fn text(number: &str, order: &str) -> String {
    one(&json!(number).to_string(), &json!(order).to_string())
}

/// Sends a signed list twice, which is answered ok.
async fn send(site: &Site, list: &str) {
    let body = signed(site, list);
    for _ in 0..2 {
        assert_eq!(send_text(site, &body).await, ok(), "{list}");
    }
}

/// Sends a payment that is held, because its order was credited for the number.
async fn is_held(site: &Site, number: &str, order: &str) {
    send(site, &text(number, order)).await;
    let row = site.row(&format!("payment#paytm#{number}")).await;
    let found = (&row["state"], &row["mismatch"], &row["attention"]);
    let expected = ["quarantined", "same_number", "quarantined"].map(|text| json!({"S": text}));
    assert_eq!(found, (&expected[0], &expected[1], &expected[2]), "{number}");
}

/// The numbers and orders of all credits that were published.
async fn published(site: &Site, count: usize) -> Vec<(String, String)> {
    let events = site.events("deposit.credited", count).await;
    let text = |event: &Value, name: &str| event["data"][name].as_str().unwrap().to_owned();
    events.iter().map(|it| (text(it, "transaction_id"), text(it, "custom_transaction_id"))).collect()
}

async fn audit_finds_nothing(tool: &Tool) {
    let (status, said) = tool.run(&["audit"]).await;
    assert_eq!((status, said.contains(" 0 broken")), (0, true), "{said}");
}

#[tokio::test]
async fn one_odd_number_for_two_orders_credits_neither_until_a_person_states_their_numbers() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    let odd = "4.775212351912346e+22";
    let mut held = Vec::new();
    for id in ["o1", "o2"] {
        site.order(id).await;
        held.push(unreadable(&site, &one(odd, &json!(id).to_string())).await);
    }
    assert!(site.credits("o1").await.is_empty() && site.credits("o2").await.is_empty());
    assert_eq!(site.keys("payment#").await, [""; 0]);
    let listed = tool.json(&["list"]).await;
    let listed: Vec<_> = listed.iter().map(|it| (it["id"].as_str().unwrap(), &it["amount"])).collect();
    assert_eq!(listed, [(held[0].as_str(), &json!("700")), (held[1].as_str(), &json!("700"))]);
    for (key, id) in held.iter().zip(["o1", "o2"]) {
        let (status, said) = tool.run(&["show", key, "--reveal"]).await;
        assert_eq!((status, said.contains(odd) && said.contains(id)), (0, true), "{said}");
    }

    let [one_number, other_number] = ["47752123519123460000000", "47752123519123460000001"];
    for (more, why) in [
        (&["--order", "o1"][..], "state the payment's number"),
        (&["--order", "o2", "--number", one_number], "another order"),
        (&["--number", "4775 2123"], "visible ASCII"),
    ] {
        let (status, said) = tool.resolve(&held[0], "credited", more).await;
        assert_eq!((status, said.contains(why)), (3, true), "{more:?}: {said}");
    }
    for (key, id, number) in [(&held[0], "o1", one_number), (&held[1], "o2", other_number)] {
        let (status, said) = tool.resolve(key, "credited", &["--order", id, "--number", number]).await;
        assert_eq!((status, site.credits(id).await), (0, vec!["700".to_owned()]), "{said}");
        assert_eq!(site.state(&format!("payment#paytm#{number}")).await, "credited");
        assert_eq!(tool.resolve(key, "credited", &["--order", id, "--number", number]).await.0, 3, "it is credited");
    }
    let credits = [(one_number, "o1"), (other_number, "o2")].map(|(number, id)| (number.to_owned(), id.to_owned()));
    assert_eq!(published(&site, 2).await, credits);

    // The provider corrects the number. It is the same payment.
    send(&site, &text(one_number, "o1")).await;
    assert_eq!(site.attribute(&format!("payment#paytm#{one_number}"), "contradictions").await, "");
    assert!(tool.json(&["list"]).await.is_empty());

    // A second element with the same number is no second payment.
    let again = unreadable(&site, &one("4.77521235191234600e+22", r#""o1""#)).await;
    for number in [one_number, "0047752123519123460000000"] {
        assert_eq!(tool.resolve(&again, "credited", &["--order", "o1", "--number", number]).await.0, 3, "{number}");
    }
    assert_eq!(site.credits("o1").await, ["700"]);
    published(&site, 2).await;
    audit_finds_nothing(&tool).await;
}

/// What no payment's number is, though it may look like one.
fn odd_numbers() -> Vec<String> {
    let numbers =
        ["47752120004.0", "4.7752120004e10", "47752120004E0", "-47752120004", "null", "true", "[47752120004]"];
    let odd_texts = [
        "47752120004 ",
        " 47752120004",
        "4775 2120004",
        "47752120004\u{a0}",
        "\u{200b}47752120004",
        "47752120004\u{feff}",
        "\u{ff14}7752120004",
        "\u{664}7752120004",
        "47752120004\n",
        "",
    ];
    let escaped = [r#""\u00a047752120004""#, r#""47752120004\u200b""#];
    let texts = odd_texts.iter().map(|text| json!(text).to_string());
    numbers.iter().chain(&escaped).map(|token| (*token).to_owned()).chain(texts).collect()
}

#[tokio::test]
async fn a_number_in_any_spelling_credits_its_order_once() {
    let site = Site::start().await;
    site.order("o1").await;
    for (seen, number) in (1..).zip(odd_numbers()) {
        if seen == 2 {
            send(&site, &text(NUMBER, "o1")).await;
        }
        unreadable(&site, &one(&number, r#""o1""#)).await;
        assert_eq!(site.credits("o1").await.len(), usize::from(seen > 1), "{number}");
    }
    assert_eq!(site.keys("unreadable#").await.len(), odd_numbers().len());
    assert_eq!(site.keys("payment#").await, [PAYMENT]);

    // The same text, and the same digits.
    for same in [r#""47752120004""#, r#""\u00347752120004""#, NUMBER] {
        send(&site, &one(same, r#""o1""#)).await;
        assert_eq!(site.keys("payment#").await, [PAYMENT], "{same}");
    }
    for zeros in ["047752120004", "00047752120004"] {
        is_held(&site, zeros, "o1").await;
    }
    assert_eq!(site.credits("o1").await, ["700"]);

    site.order("o2").await;
    send(&site, &text("UTRa0b", "o2")).await;
    for other_case in ["UTRA0B", "utra0b", "00utrA0b"] {
        is_held(&site, other_case, "o2").await;
    }
    assert_eq!(site.credits("o2").await, ["700"]);

    // From the second credit on, each number has a row.
    site.order("o3").await;
    for number in ["775301", "UTR302"] {
        send(&site, &text(number, "o3")).await;
    }
    for spelled_otherwise in ["0775301", "utr302", "00775301", "0Utr302"] {
        is_held(&site, spelled_otherwise, "o3").await;
    }
    assert_eq!(site.credits("o3").await, ["700", "700"]);
    assert_eq!(published(&site, 4).await.len(), 4);
    assert_eq!(site.events("deposit.quarantined", 9).await.len(), 9);
    audit_finds_nothing(&Tool::of(&site)).await;
}

#[tokio::test]
async fn two_spellings_at_once_credit_their_order_once() {
    let site = Site::start().await;
    let spellings = ["ab1", "AB1", "0ab1", "00Ab1", "aB1"];
    for index in 0..8 {
        let id = format!("o{index}");
        site.order(&id).await;
        let number = |spelling: &str| format!("{spelling}{index}");
        let bodies = spellings.map(|it| signed(&site, &text(&number(it), &id)));
        let answers = bodies.each_ref().map(|body| send_text(&site, body));
        assert!(join_all(answers).await.iter().all(|answer| *answer == ok()));
        assert_eq!(site.credits(&id).await, ["700"]);
        let mut states = Vec::new();
        for spelling in spellings {
            states.push(site.state(&format!("payment#paytm#{}", number(spelling))).await);
        }
        assert_eq!(states.iter().filter(|state| *state == "quarantined").count(), 4, "{states:?}");
    }
}

#[tokio::test]
async fn what_is_held_for_its_spelling_is_credited_by_a_person_who_states_that_it_is_a_different_payment() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    let odd = unreadable(&site, &one("47752120004.0", r#""o1""#)).await;
    let spaced = unreadable(&site, &text("47752120004 ", "o1")).await;
    send(&site, &text(NUMBER, "o1")).await;
    is_held(&site, "047752120004", "o1").await;

    let held = "payment#paytm#047752120004";
    assert_eq!(tool.resolve(held, "credited", &[]).await.0, 3);
    let (status, said) = tool.resolve(held, "credited", &["--different-payment"]).await;
    assert_eq!((status, site.credits("o1").await.len()), (0, 2), "{said}");

    let number = |number| ["--number", number, "--different-payment"];
    for (stated, status) in [
        (&number(NUMBER)[..], 3),
        (&number("047752120004")[..], 3),
        (&["--number", "0047752120004"][..], 3),
        (&number("0047752120004")[..], 0),
    ] {
        assert_eq!(tool.resolve(&odd, "credited", stated).await.0, status, "{stated:?}");
    }
    assert_eq!(tool.resolve(&spaced, "rejected", &[]).await.0, 0);
    assert!(tool.json(&["list"]).await.is_empty());
    let order = site.get("/deposits/o1").await.body;
    assert_eq!((&order["credited_count"], &order["credited_sum"]), (&json!(3), &json!("2100")));
    // The stated numbers are spellings of the same one: its row is the first payment's.
    assert_eq!(site.keys("number#").await, ["number#o1#47752120004"]);

    // An element that a person has credited keeps its number from being credited again.
    site.order("o2").await;
    let hidden = unreadable(&site, &text("\u{200b}47752120005", "o2")).await;
    assert_eq!(tool.resolve(&hidden, "credited", &["--number", "47752120005"]).await.0, 0);
    send(&site, &text("47752120005", "o2")).await;
    is_held(&site, "047752120005", "o2").await;
    assert_eq!(site.credits("o2").await, ["700"]);
    published(&site, 4).await;
    audit_finds_nothing(&tool).await;
}

/// A payment by this wallet.
fn by_wallet(site: &Site, wallet: &str, number: &str, order: &str) -> String {
    let element = with(&elements(&[(number, order, "700")])[0], "wallet_type", &json!(wallet));
    signed_with(site, &json!([element]).to_string(), &UnsignedFields { wallet_type: Some(wallet.into()), ..unsigned() })
}

#[tokio::test]
async fn a_payment_that_a_person_credited_is_held_when_its_wallet_is_corrected() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    for id in ["o1", "o2"] {
        site.post("/deposits", &with(&order(id), "wallet_type", &json!("upi_l"))).await;
    }
    let wrong = by_wallet(&site, "upi_ib", NUMBER, "o1");
    assert_eq!(send_text(&site, &wrong).await, ok());
    let (wrong, right) = (format!("payment#upi_ib#{NUMBER}"), format!("payment#upi_l#{NUMBER}"));
    assert_eq!(site.attribute(&wrong, "mismatch").await, "order_wallet_type");
    assert_eq!(tool.resolve(&wrong, "credited", &[]).await.0, 0);
    assert_eq!(site.credits("o1").await, ["700"]);
    let corrected = by_wallet(&site, "upi_l", NUMBER, "o1");
    for _ in 0..2 {
        assert_eq!(send_text(&site, &corrected).await, ok());
        assert_eq!(site.attribute(&right, "mismatch").await, "same_number");
    }
    // Once the order has more credits, the number's row says it.
    assert_eq!(send_text(&site, &by_wallet(&site, "upi_l", "47752120005", "o1")).await, ok());
    assert_eq!(send_text(&site, &corrected).await, ok());
    assert_eq!(send_text(&site, &by_wallet(&site, "upi_l", "047752120004", "o1")).await, ok());
    assert_eq!(site.attribute("payment#upi_l#047752120004", "mismatch").await, "same_number");
    assert_eq!(site.credits("o1").await, ["700", "700"]);
    published(&site, 2).await;

    // The corrected postback comes first, and a person looks at the other one later.
    assert_eq!(send_text(&site, &by_wallet(&site, "upi_ib", "47752120006", "o2")).await, ok());
    assert_eq!(send_text(&site, &by_wallet(&site, "upi_l", "47752120006", "o2")).await, ok());
    assert_eq!(site.credits("o2").await, ["700"]);
    let late = "payment#upi_ib#47752120006";
    assert_eq!(tool.resolve(late, "credited", &[]).await.0, 3);
    assert_eq!(tool.resolve(late, "rejected", &[]).await.0, 0);
    assert_eq!(site.credits("o2").await, ["700"]);
    audit_finds_nothing(&tool).await;
}

#[tokio::test]
async fn integers_are_ids_and_other_numbers_are_not() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    // Beyond 2^53 an f64 has not all of them.
    for number in ["9007199254740993", "18446744073709551617", "90071992547409931234567"] {
        let id = format!("o{number}");
        site.order(&id).await;
        send(&site, &one(number, &json!(id).to_string())).await;
        assert_eq!(site.state(&format!("payment#paytm#{number}")).await, "credited");
        assert_eq!(site.credits(&id).await, ["700"]);
    }
    for id in ["123", "9007199254740995"] {
        site.order(id).await;
        send(&site, &one(&format!("775{id}"), id)).await;
        assert_eq!(site.credits(id).await, ["700"]);
    }
    // The number is signed; a person says which order it is.
    for (seen, odd) in (1_u32..).zip(["123.0", "1.23e2", "[123]"]) {
        let number = format!("886{seen}");
        let key = unreadable(&site, &one(&json!(number).to_string(), odd)).await;
        assert_eq!(tool.resolve(&key, "credited", &[]).await.0, 3, "an order is needed");
        let other = ["--order", "123", "--number", "9999"];
        assert_eq!(tool.resolve(&key, "credited", &other).await.0, 3, "the signed number is another one");
        let (status, said) = tool.resolve(&key, "credited", &["--order", "123"]).await;
        assert_eq!(status, 0, "{said}");
        assert_eq!(site.state(&format!("payment#paytm#{number}")).await, "credited");
    }
    assert_eq!(site.credits("123").await, ["700"; 4]);
    // No order of ours: it waits for a person.
    let foreign = unreadable(&site, &one("887", &json!("x".repeat(1_001)).to_string())).await;
    assert_eq!(tool.resolve(&foreign, "credited", &["--order", "123"]).await.0, 0);
    published(&site, 9).await;
    audit_finds_nothing(&tool).await;
}

#[tokio::test]
async fn an_integer_names_a_withdrawal_and_another_number_does_not() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.withdraw("1071620").await;
    let unsigned = UnsignedFields {
        amount: Some(WrittenAmount::from(1_000)),
        label: Some("160496026".into()),
        direction: Some(Direction::Outgoing),
        ..unsigned()
    };
    let send = async |id: &str| {
        let mut element = elements(&[("", "", "1000")]).remove(0);
        for (name, value) in [("transaction_id", json!(null)), ("plugin_custom_order_id", json!(null))] {
            element[name] = value;
        }
        element["withdrawal_status"] = json!(1);
        element["withdrawal_id"] = json!("ID");
        let list = json!([element]).to_string().replace(r#""ID""#, id);
        assert_eq!(send_text(&site, &signed_with(&site, &list, &unsigned)).await, ok(), "{id}");
    };
    for (seen, odd) in (1..).zip(["1071620.0", "1.07162e6", "-1071620", "\"1071620 \"", "\"\u{200b}1071620\"", "[]"]) {
        send(odd).await;
        send(odd).await;
        assert_eq!(site.keys("unreadable#").await.len(), seen, "{odd}");
        assert_eq!(site.keys("withdrawal#").await, ["withdrawal#1071620"]);
        assert_eq!(site.state("withdrawal#1071620").await, "submitted");
    }
    for key in site.keys("unreadable#").await {
        for stated in [["--order", "o1"], ["--number", "1"]] {
            assert_eq!(tool.resolve(&key, "credited", &stated).await.0, 2, "it is no payment");
        }
        assert_eq!(tool.resolve(&key, "paid", &[]).await.0, 0);
    }
    assert_eq!(site.state("withdrawal#1071620").await, "submitted");
    send("1071620").await;
    assert_eq!(site.state("withdrawal#1071620").await, "paid");
    site.events("withdrawal.paid", 1).await;
    audit_finds_nothing(&tool).await;
}
