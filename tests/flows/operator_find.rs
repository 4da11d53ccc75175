//! The operator's tool finds what a customer asks about, and shows it to the letter.

use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::operator_audit::damage;
use crate::flows::postbacks::{elements, ok, send_text, signed};
use crate::flows::support::Site;

const NUMBER: &str = "47752123519";

/// Sends a list of payments. The unsigned label beside them is that of all orders of these tests.
async fn send(site: &Site, elements: &[Value]) {
    let list = Value::from(elements).to_string();
    assert_eq!(send_text(site, &signed(site, &list)).await, ok());
}

/// A payment of 700 by a wallet.
fn payment(number: &str, order: &str, wallet: &str) -> Value {
    let mut element = elements(&[(number, order, "700")]).remove(0);
    element["wallet_type"] = wallet.into();
    element
}

fn ids(found: &[Value]) -> Vec<&str> {
    let mut ids: Vec<_> = found.iter().filter_map(|it| it["id"].as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_payment_is_shown_by_its_number_in_any_wallet() {
    let (site, number) = (Site::start().await, "0099");
    let tool = Tool::of(&site);
    site.order(NUMBER).await;
    site.withdraw(NUMBER).await;
    send(&site, &[payment(NUMBER, "none", "paytm")]).await;
    send(&site, &[payment(NUMBER, "none", "nagad")]).await;
    send(&site, &[payment(number, "none", "mobicash")]).await;
    let all = [
        &*format!("deposit#{NUMBER}"),
        &format!("payment#nagad#{NUMBER}"),
        &format!("payment#paytm#{NUMBER}"),
        &format!("withdrawal#{NUMBER}"),
    ];
    assert_eq!(ids(&tool.json(&["show", NUMBER]).await), all);
    let (status, said) = tool.run(&["show", NUMBER]).await;
    assert_eq!((status, said.matches("\nHistory\n").count()), (0, 4), "{said}");

    let (status, said) = tool.run(&["show", number]).await;
    assert_eq!((status, said.contains("paytm, phone_pe") && said.contains("find --number 0099")), (3, true), "{said}");
    assert_eq!(ids(&tool.json(&["find", "--number", "99"]).await), ["payment#mobicash#0099"], "in any spelling");
    let file = tool.directory().join("stack.env");
    let own = json!([{"wallet_type": "mobicash", "currency_code": "INR", "key1": {"least": 1, "most": 9, "digits": true}, "langs": ["en"]}]);
    std::fs::write(&file, format!("{}PAYMENT_SYSTEMS='{own:#}'\n", std::fs::read_to_string(&file).unwrap())).unwrap();
    assert_eq!(ids(&tool.json(&["show", number]).await), ["payment#mobicash#0099"], "the deployment's own wallet");
}

#[tokio::test]
async fn what_was_signed_is_shown_to_the_letter_and_cannot_act_on_the_terminal() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    let list = json!([payment("5", "o1", "paytm")]).to_string();
    let more =
        "\"amount\":700.10,\"rates\":[1e3,{\"x\":2.50,\"label\":\"Eve\"},1.0E-2],\"account_name\":\"A\u{202e}b\u{9b}\"";
    let list = list.replace(r#""amount":"700""#, more);
    assert_eq!(send_text(&site, &signed(&site, &list)).await, ok());
    let has = |said: &str, parts: &[&str]| {
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        assert!(!said.chars().any(|char| matches!(char, '\u{202e}' | '\u{9b}')), "{said:?}");
    };
    let (_, said) = tool.run(&["show", "5"]).await;
    has(&said, &["\"amount\": 700.10,", "1e3,", "\"x\": 2.50,", "1.0E-2\n"]);
    assert!(!said.contains("Eve") && !said.contains("A\\u"), "{said}");
    let (_, said) = tool.run(&["show", "5", "--reveal"]).await;
    has(&said, &["\"amount\": 700.10,", "\"label\": \"Eve\"", r#""account_name": "A\u202eb\u009b""#]);
    let (_, said) = tool.run(&["--json", "show", "5", "--reveal"]).await;
    has(&said, &["\"amount\":700.10,", "[1e3,{\"x\":2.50,", "1.0E-2]", r#""account_name":"A\u202eb\u009b""#]);
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(shown["evidence"][0]["said"]["account_name"], "A\u{202e}b\u{9b}", "it is the same JSON");
    let (status, said) = tool.run(&["find", "--account", "A\u{202e}b\u{9b}", "--reveal"]).await;
    assert_eq!(status, 0);
    has(&said, &["payment#paytm#5", r"A\u{202e}b\u{9b}"]);
}

#[tokio::test]
async fn support_finds_a_row_by_what_a_customer_says() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    let by = |number: &str, order: &str, name: &str| {
        let mut element = payment(number, order, "paytm");
        element["account_name"] = name.into();
        element
    };
    send(&site, &[by("5", "o1", "Ada Lovelace")]).await;
    send(&site, &[by("6", "o2", "Bob"), by("7", "o3", "Cleo")]).await;
    site.withdraw("w1").await;
    let of = async |arguments: &[&str]| {
        let found = tool.json(&[&["find"], arguments].concat()).await;
        ids(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let payments = ["deposit#o1", "payment#paytm#5", "payment#paytm#6", "payment#paytm#7"];
    assert_eq!(of(&["--label", "631317234"]).await, payments);
    assert_eq!(of(&["--label", "63131723"]).await, [""; 0], "to the letter");
    assert_eq!(of(&["--account", "1234560079"]).await, ["withdrawal#w1"]);
    assert_eq!(of(&["--account", "Ada Lovelace"]).await, ["payment#paytm#5"]);
    assert_eq!(of(&["--account", "Bob"]).await, ["payment#paytm#6"], "its list has a row of its own");
    assert_eq!(of(&["--account", "Bob", "--amount", "700.00", "--label", "631317234"]).await, ["payment#paytm#6"]);
    assert_eq!(of(&["--account", "Bob", "--amount", "701"]).await, [""; 0]);
    assert_eq!(of(&["--amount", "1000"]).await, ["withdrawal#w1"]);
    assert_eq!(of(&["--number", "005"]).await, ["deposit#o1", "payment#paytm#5"]);
    let created: u64 = site.attribute("withdrawal#w1", "created_at").await.parse().unwrap();
    let day = domain::Day::of(domain::Timestamp(created)).to_string();
    assert_eq!(of(&["--day", &day, "--account", "1234560079"]).await, ["withdrawal#w1"]);
    assert_eq!(of(&["--day", "2020-02-29+08:00"]).await, [""; 0]);

    let (status, said) = tool.run(&["find", "--label", "160496026"]).await;
    assert_eq!((status, said.contains("1 found in ") && said.contains(" per second")), (0, true), "{said}");
    assert!(!said.contains("160496026") && !said.contains("1234560079"), "people are masked: {said}");
    let (_, said) = tool.run(&["find", "--label", "160496026", "--reveal"]).await;
    assert!(said.contains("160496026") && said.contains("1234560079"), "{said}");
    let (status, said) = tool.run(&["find", "--amount", "700", "--limit", "1"]).await;
    assert_eq!((status, said.lines().count(), said.contains("4 found")), (0, 4, true), "{said}");
    assert_eq!(tool.run(&["find", "--label", "nobody"]).await.0, 1, "nothing is found");
    for wrong in [&["find"][..], &["find", "--amount", "1e3"], &["find", "--day", "yesterday"], &["find", "--reveal"]] {
        assert_eq!(tool.run(wrong).await.0, 2, "{wrong:?}");
    }
    damage(&site, "payment#paytm#7", "#state", json!({"#state": "state"}), &json!({"S": "odd"})).await;
    let (status, said) = tool.run(&["find", "--label", "160496026"]).await;
    assert_eq!((status, said.contains("1 rows cannot be read")), (1, true), "not all was read: {said}");
    assert_eq!(tool.json(&["find", "--account", "Cleo"]).await[0]["unreadable"], 1);
}

#[tokio::test]
async fn letters_come_back_at_once_after_a_look_and_foreign_ones_are_named() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    let dead = site.stack.dead_letter_queue_url();
    for body in [
        r#"{"withdrawal_id":"never-made"}"#,
        "not ours\u{202e} but somebody's, and longer than what is shown of it: 123456",
    ] {
        site.stack.sqs("SendMessage", &json!({"QueueUrl": dead, "MessageBody": body})).await.unwrap();
    }
    for _ in 0..2 {
        let (status, said) = tool.run(&["redrive", "--dry-run"]).await;
        assert_eq!((status, said.contains("2 in all")), (1, true), "{said}");
        assert!(said.contains(r"not ours\u{202e} but") && !said.contains("123456"), "{said}");
    }
    for actions in [vec!["left", "removed"], vec!["left"], vec!["left"]] {
        let mut letters = tool.json(&["redrive"]).await;
        letters.sort_by_key(|it| it["action"].to_string());
        assert_eq!(letters.iter().map(|it| &it["action"]).collect::<Vec<_>>(), actions);
        assert!(letters[0]["body_begins"].as_str().unwrap().starts_with("not ours"), "{letters:?}");
        assert_eq!(letters[0]["message_id"].as_str().unwrap().len(), 36);
    }
}
