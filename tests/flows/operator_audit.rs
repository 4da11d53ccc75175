//! The operator's tool audits a running stack.

use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::operator_reconcile::busy;
use crate::flows::postbacks::postback;
use crate::flows::support::{Site, with};

/// What an audit found.
struct Audited {
    status: i32,
    /// The rule and the row of each line, sorted.
    found: Vec<(String, String)>,
    summary: Value,
}

async fn audit(tool: &Tool, more: &[&str]) -> Audited {
    let (status, said) = tool.run(&[&["--json", "audit"], more].concat()).await;
    let mut lines: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{said}"))).collect();
    let summary = lines.pop().unwrap();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    let mut found: Vec<_> = lines.iter().map(|it| (text(it, "rule"), text(it, "id"))).collect();
    found.sort();
    Audited { status, found, summary }
}

fn broken(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(rule, id)| ((*rule).to_owned(), (*id).to_owned())).collect()
}

fn inr(count: u64, sum: &str) -> Value {
    json!({"INR": {"count": count, "sum": sum}})
}

/// Changes a row past the rules.
pub(crate) async fn damage(site: &Site, key: &str, set: &str, names: Value, value: &Value) {
    let update = json!({
        "TableName": site.stack.table_name(), "Key": {"transaction_id": {"S": key}},
        "UpdateExpression": format!("SET {set} = :value"), "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {":value": value},
    });
    site.stack.dynamodb("UpdateItem", &update).await.unwrap();
}

#[tokio::test]
async fn an_audit_finds_what_was_changed_past_the_rules() {
    let (site, tool) = busy().await;
    assert_eq!(tool.resolve("w2", "failed", &[]).await.0, 0);
    let (status, said) = tool.run(&["audit", "--strict"]).await;
    assert_eq!((status, said.contains("10 rows in ") && said.contains(": 0 broken")), (0, true), "{said}");

    let payment = |number: &str| format!("payment#paytm#{number}");
    let names = json!({"#value": "amount"});
    damage(&site, "deposit#o1", "credited[0].#value", names.clone(), &json!({"S": "7000"})).await;
    damage(&site, &payment("22222222222"), "facts.#value", names, &json!({"S": "7000"})).await;
    let signature = json!({"S": "538e53f8c22edacda31df8caa6a31efc8274c554"});
    damage(&site, &payment("33333333333"), "facts.evidence.#value", json!({"#value": "signature"}), &signature).await;
    damage(&site, "withdrawal#w1", "#value", json!({"#value": "attention"}), &json!({"S": "gossip"})).await;
    damage(&site, "withdrawal#w2", "#value", json!({"#value": "resolutions"}), &json!({"L": []})).await;
    let Audited { status, found, summary } = audit(&tool, &[]).await;
    let expected = [
        ("credits", payment("11111111111")),
        ("credits", payment("22222222222")),
        ("decision", "withdrawal#w2".into()),
        ("evidence", payment("22222222222")),
        ("unproved", payment("33333333333")),
        ("unreadable", "withdrawal#w1".into()),
    ];
    assert_eq!(found, expected.map(|(rule, id)| (rule.to_owned(), id)));
    assert_eq!((status, &summary["broken"], &summary["unverifiable"]), (1, &json!(6), &json!(0)));
    assert_eq!(summary["unproved"]["credits"], inr(2, "7700"));
}

/// The text of a row with these parts replaced, as a row.
fn altered(row: &Value, replaced: &[(&str, &str)]) -> Value {
    let text = replaced.iter().fold(row.to_string(), |text, (from, to)| text.replace(from, to));
    serde_json::from_str(&text).unwrap()
}

/// A decision that no function has taken.
fn resolution(outcome: &str) -> Value {
    let text = |text: &str| json!({"S": text});
    json!({"L": [{"M": {"outcome": text(outcome), "by": text("alice"), "reason": text("seen"), "evidence": text("line 7"),
        "at": {"N": "1692960460000"}, "closes": {"N": "0"}, "credited_to": text("o5")}}]})
}

#[tokio::test]
async fn a_forged_credit_is_broken_whoever_is_said_to_have_decided() {
    let (site, tool) = busy().await;
    let (payment, order) = (site.row("payment#paytm#22222222222").await, site.row("deposit#o2").await);
    let replaced = [("700", "1000000"), ("22222222222", "66666666666"), ("o2", "o5")];
    let mut forged = altered(&payment, &replaced);
    forged["facts"]["M"]["evidence"]["M"]["signature"]["S"] = json!("0".repeat(40));
    forged["resolutions"] = resolution("credited");
    site.put(&forged).await;
    site.put(&altered(&order, &replaced)).await;
    // A withdrawal that a person would have to end.
    site.put(&altered(&site.row("withdrawal#w1").await, &[("w1", "w2")])).await;
    for more in [&[][..], &["--strict"]] {
        let Audited { status, found, summary } = audit(&tool, more).await;
        let forged = "payment#paytm#66666666666";
        let expected = [("caller", forged), ("unproved", forged), ("unproved", "withdrawal#w2")];
        assert_eq!((status, found), (1, broken(&expected)));
        assert_eq!(summary["unproved"], json!({"credits": inr(1, "1000000"), "ends": inr(1, "1000")}));
        assert_eq!(summary["by_person"]["credits"], inr(1, "1000000"));
    }
    let (_, said) = tool.run(&["audit"]).await;
    assert!(said.contains("not proved: credits 1 of 1000000 INR"), "{said}");
}

async fn delete(site: &Site, key: &str) {
    let delete = json!({"TableName": site.stack.table_name(), "Key": {"transaction_id": {"S": key}}});
    site.stack.dynamodb("DeleteItem", &delete).await.unwrap();
}

#[tokio::test]
async fn a_signed_list_is_done_in_time_and_each_element_has_its_row() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    site.order("o2").await;
    let body = postback(&site, &[("11111111111", "o1", "700"), ("22222222222", "o2", "300")]);
    assert_eq!(site.postback(body.to_string().into()).await.status, 200);
    // A list that has a payment which is known already.
    let known = postback(&site, &[("22222222222", "o2", "300"), ("33333333333", "o9", "5")]);
    assert_eq!(site.postback(known.to_string().into()).await.status, 200);
    let Audited { status, found, .. } = audit(&tool, &["--strict"]).await;
    assert_eq!((status, found), (0, vec![]));

    let payment = site.row("payment#paytm#11111111111").await;
    let list = payment["facts"]["M"]["evidence"]["M"]["list"]["S"].as_str().unwrap().to_owned();
    let (evidence, list) = (format!("evidence#{list}"), format!("list#{list}"));
    let done = site.row(&list).await;
    let mut unfinished = done.clone();
    unfinished["state"]["S"] = json!("unfinished");
    let copy = unfinished["copies"]["L"][0]["M"].as_object_mut().unwrap();
    copy.remove("is_done");
    copy.insert("received_at".into(), json!({"N": "1"}));
    unfinished["attention"] = json!({"S": "unfinished"});
    unfinished["attention_at"] = json!({"N": "1"});
    site.put(&unfinished).await;
    assert_eq!(audit(&tool, &[]).await.found, broken(&[("list", &list)]));
    delete(&site, &list).await;
    assert_eq!(audit(&tool, &[]).await.found, broken(&[("list", &evidence)]));
    site.put(&done).await;
    delete(&site, "payment#paytm#11111111111").await;
    delete(&site, "deposit#o1").await;
    let Audited { status, found, .. } = audit(&tool, &[]).await;
    assert_eq!((status, found), (1, broken(&[("list", &list)])));
}

#[tokio::test]
async fn old_open_withdrawals_are_listed_and_counted() {
    let (site, tool) = busy().await;
    let young = audit(&tool, &["--strict"]).await;
    assert_eq!((young.status, young.found), (0, vec![]));
    assert_eq!((&young.summary["open"]["count"], &young.summary["open"]["older_than_a_day"]), (&json!(1), &json!(0)));
    let mut row = site.row("withdrawal#w2").await;
    for name in ["created_at", "attention_at"] {
        row[name] = json!({"N": "1692960460000"});
    }
    site.put(&row).await;
    for (more, expected) in [(&[][..], 0), (&["--strict"], 1)] {
        let Audited { status, found, summary } = audit(&tool, more).await;
        assert_eq!((status, found), (expected, broken(&[("open", "withdrawal#w2")])));
        assert_eq!(summary["open"], json!({"count": 1, "older_than_a_day": 1, "oldest": 1_692_960_460_000_u64}));
    }
}

#[tokio::test]
async fn the_formats_of_the_rows_and_the_tables_own_row_are_checked() {
    let (site, tool) = busy().await;
    let rows = u64::try_from(site.table().await.len()).unwrap();
    assert_eq!(audit(&tool, &[]).await.summary["formats"], json!({"1": rows}));
    let format = json!({"#value": "format"});
    damage(&site, "deposit#o1", "#value", format.clone(), &json!({"N": "7"})).await;
    let Audited { status, found, summary } = audit(&tool, &[]).await;
    assert_eq!((status, found), (1, broken(&[("format", "table#")])));
    assert_eq!(summary["formats"], json!({"1": rows - 1, "7": 1}));
    damage(&site, "deposit#o1", "#value", format.clone(), &json!({"S": "1"})).await;
    let found = audit(&tool, &[]).await.found;
    assert!(found.contains(&("unreadable".into(), "deposit#o1".into())), "{found:?}");
    damage(&site, "deposit#o1", "#value", format, &json!({"N": "1"})).await;

    let table = site.row("table#").await;
    site.put(&with(&table, "stream", &json!({"S": "another"}))).await;
    assert_eq!(audit(&tool, &[]).await.found, broken(&[("table", "table#")]));
    delete(&site, "table#").await;
    let Audited { status, found, .. } = audit(&tool, &[]).await;
    assert_eq!((status, found), (1, broken(&[("table", "table#")])));
}
