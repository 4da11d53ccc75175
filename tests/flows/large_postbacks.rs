//! Large postbacks: each list completes, and no work is done twice. `FULL=1` runs the full counts, for which a debug build may be
//! too slow. `--nocapture` shows what an element costs.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
#![expect(clippy::disallowed_methods, reason = "the figures: how long it takes on a real clock")]
#![expect(clippy::print_stdout, reason = "the figures")]

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::flows::load::count;
use crate::flows::operator::Tool;
use crate::flows::postbacks::{elements, signed};
use crate::flows::support::{Site, credits, options};
use crate::flows::throttle::{Throttle, Used};
use crate::simulation::number;

/// The receiver refuses larger bodies.
const MOST_BYTES: usize = 256 * 1024;
/// So often the provider sends a list, at most.
const MOST_DELIVERIES: usize = 8;
const BETWEEN_DELIVERIES: Duration = Duration::from_secs(1);
/// The provider's elements have about 420 bytes, these without it 170.
const PADDING: usize = 240;
const AMOUNT: usize = 700;

fn order_id(index: usize) -> String {
    format!("o{index}")
}

fn payment_number(index: usize) -> String {
    (47_752_000_000 + index).to_string()
}

fn payment_key(index: usize) -> String {
    format!("payment#paytm#{}", payment_number(index))
}

/// One payment for each of the orders.
fn list(site: &Site, orders: impl Iterator<Item = usize>, padding: usize) -> String {
    let payments: Vec<_> = orders.enumerate().map(|(index, order)| (payment_number(index), order_id(order))).collect();
    let amount = AMOUNT.to_string();
    let payments: Vec<_> = payments.iter().map(|(number, order)| (&**number, &**order, &*amount)).collect();
    let mut elements = elements(&payments);
    for element in elements.iter_mut().filter(|_| padding > 0) {
        element["comment"] = "x".repeat(padding).into();
    }
    let body = signed(site, &json!(elements).to_string());
    assert!(body.len() < MOST_BYTES, "{} bytes", body.len());
    body
}

/// Registers one order, and copies its row for the others.
async fn register(site: &Site, orders: usize) {
    assert_eq!(site.order("copied-order").await.status, 201);
    let row = site.stack.item("deposit#copied-order").await.unwrap().unwrap().to_string();
    let copy = |index| serde_json::from_str::<Value>(&row.replace("copied-order", &order_id(index))).unwrap();
    let puts: Vec<_> = (0..orders).map(|index| json!({"PutRequest": {"Item": copy(index)}})).collect();
    for batch in puts.chunks(25) {
        let batch = json!({"RequestItems": {site.stack.table_name(): batch}});
        let answer = site.stack.dynamodb("BatchWriteItem", &batch).await.unwrap();
        assert!(answer["UnprocessedItems"].as_object().is_none_or(serde_json::Map::is_empty), "{answer}");
    }
}

/// Sends the list once. The function itself answers: 200, or 503 if not all of it is done. If it took longer than its limit of
/// 20 s, the stack would kill it and answer 500.
async fn deliver(site: &Site, list: &str) -> u16 {
    let began = Instant::now();
    let answer = site.postback(list.into()).await;
    println!("  {} after {:?}", answer.status, began.elapsed());
    let said = answer.body["status"].as_str().unwrap_or(answer.code());
    assert!(
        matches!((answer.status, said), (200, "ok") | (503, "try_again")),
        "{answer:?}; logs: {:#?}",
        site.stack.logs("postback-receiver")
    );
    answer.status
}

/// Sends the list until it is answered 200, as the provider does.
pub(crate) async fn deliver_until_ok(site: &Site, list: &str) {
    for _ in 0..MOST_DELIVERIES {
        if deliver(site, list).await == 200 {
            return;
        }
        tokio::time::sleep(BETWEEN_DELIVERIES).await;
    }
    panic!("unfinished after {MOST_DELIVERIES} deliveries; logs: {:#?}", site.stack.logs("postback-receiver"));
}

fn state<'a>(rows: &'a BTreeMap<String, Value>, key: &str) -> &'a str {
    rows.get(key).and_then(|row| row["state"]["S"].as_str()).unwrap_or_default()
}

fn payments_are(rows: &BTreeMap<String, Value>, payments: usize, expected: &str) {
    let states: Vec<_> = (0..payments).map(|index| state(rows, &payment_key(index))).collect();
    assert!(states.iter().all(|state| *state == expected), "not all are {expected}: {states:?}");
}

fn each_order_is_credited_once(rows: &BTreeMap<String, Value>, orders: usize) {
    payments_are(rows, orders, "credited");
    for index in 0..orders {
        let key = format!("deposit#{}", order_id(index));
        assert_eq!((state(rows, &key), credits(&rows[&key])), ("credited", vec![AMOUNT.to_string()]), "{key}");
    }
}

/// How often an order was credited, and with how much in all. The row has this from the second credit on.
pub(crate) fn totals(order: &Value) -> (String, String) {
    let totals = &order["totals"]["M"];
    let value = |name: &str, kind: &str| totals[name][kind].as_str().unwrap_or_default().to_owned();
    (value("count", "N"), value("sum", "S"))
}

/// The key of the row that says how far a list is. There is one.
fn list_key(rows: &BTreeMap<String, Value>) -> &str {
    let mut keys = rows.keys().filter(|key| key.starts_with("list#"));
    let key = keys.next().expect("the list has a row");
    assert_eq!(keys.next(), None);
    key
}

fn list_is_done(rows: &BTreeMap<String, Value>) {
    let key = list_key(rows);
    assert_eq!((state(rows, key), &rows[key]["attention"]), ("done", &Value::Null), "{key}");
    let evidence: Vec<_> = rows.keys().filter(|key| key.starts_with("evidence#")).collect();
    assert_eq!(evidence, [&key.replace("list#", "evidence#")], "the list is stored once");
}

/// Every row was written once, but for those that change as the list goes on.
fn no_work_was_done_twice(used: &Used, payments: usize, changing: &[&str]) {
    let written = |kind: &str| used.writes.keys().filter(|key| key.starts_with(kind)).count();
    assert_eq!((written("payment#"), written("evidence#")), (payments, 1));
    let is_changing = |key: &str| changing.iter().any(|kind| key.starts_with(kind));
    let twice: Vec<_> = used.writes.iter().filter(|(key, times)| **times > 1 && !is_changing(key)).collect();
    assert!(twice.is_empty(), "written more than once: {twice:?}");
}

/// What the receiver of this table has used of the processors, in steps of 10 ms. Zero where there is no `/proc`.
fn cpu(table: &Throttle) -> Duration {
    let ours = format!("AWS_ENDPOINT_URL_DYNAMODB={}", table.url());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let receivers = processes.filter(|process| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == ours.as_bytes())
    });
    let ticks = receivers.map(|process| {
        let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
        // The program's name is in parentheses and may have spaces. utime and stime are the 12th and 13th field after it.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()
    });
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Starts the receiver's process, so that its start is not measured.
async fn warm_up(site: &Site, table: &Throttle) -> Duration {
    let forged = list(site, 0..1, 0).replace(r#""signature":""#, r#""signature":"0"#);
    assert_eq!(site.postback(forged.into()).await.status, 401);
    table.taken();
    cpu(table)
}

/// Prints what an element of the list costs.
fn print(what: &str, elements: usize, bytes: usize, used: &Used, cpu: Duration) {
    let per_element = |all: usize| format!("{}.{:02}", all / elements, all * 100 / elements % 100);
    println!("{what}: {elements} elements, {bytes} bytes; {:?}, {} refused", used.calls, used.refused);
    let each = [used.calls.values().sum(), used.write_units, used.read_units, used.bytes].map(per_element);
    println!(
        "  per element: {} calls, {} write units, {} read units, {} bytes written",
        each[0], each[1], each[2], each[3]
    );
    let cpu = cpu / u32::try_from(elements).unwrap();
    println!("  per element: {cpu:?} of processor time; x 1,200 x 14: {:?}", cpu * 1_200 * 14);
}

/// Delivers a list once, to a table without a limit. Gives what it used, and the rows. A machine that is busy with other tests
/// may be too slow for one delivery: then the list is sent again, but not in the full count.
async fn deliver_once(what: &str, registered: usize, orders: &[usize]) -> (Site, Used, BTreeMap<String, Value>) {
    let (site, table) = Throttle::in_front_of(options(), None).await;
    register(&site, registered).await;
    let list = list(&site, orders.iter().copied(), 0);
    let before = warm_up(&site, &table).await;
    if number("FULL").is_some() {
        assert_eq!(deliver(&site, &list).await, 200, "{:#?}", site.stack.logs("postback-receiver"));
    } else {
        deliver_until_ok(&site, &list).await;
    }
    let (cpu, used) = (cpu(&table).saturating_sub(before), table.taken());
    print(what, orders.len(), list.len(), &used, cpu);
    let rows = site.table().await;
    (site, used, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_for_as_many_registered_orders_is_credited_in_one_delivery() {
    let payments = count(1_200, 200);
    let orders: Vec<_> = (0..payments).collect();
    let (_site, used, rows) = deliver_once("registered orders", payments, &orders).await;
    each_order_is_credited_once(&rows, payments);
    list_is_done(&rows);
    no_work_was_done_twice(&used, payments, &["list#"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_for_as_many_unknown_orders_is_stored_in_one_delivery() {
    let payments = count(1_200, 200);
    let orders: Vec<_> = (0..payments).collect();
    let (_site, used, rows) = deliver_once("unknown orders", 0, &orders).await;
    payments_are(&rows, payments, "unmatched");
    list_is_done(&rows);
    no_work_was_done_twice(&used, payments, &["list#"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_for_one_order_is_credited_in_one_delivery() {
    let payments = count(1_200, 200);
    let (site, used, rows) = deliver_once("one order", 1, &vec![0; payments]).await;
    payments_are(&rows, payments, "credited");
    let order = format!("deposit#{}", order_id(0));
    assert_eq!(state(&rows, &order), "credited");
    assert_eq!(totals(&rows[&order]), (payments.to_string(), (payments * AMOUNT).to_string()));
    assert_eq!(site.get(&format!("/deposits/{}", order_id(0))).await.state(), (200, "credited"));
    list_is_done(&rows);
    no_work_was_done_twice(&used, payments, &["list#", "deposit#"]);
}

/// 560 elements and this limit; in the usual run, a quarter of both.
async fn completes_at(units_per_second: u32) {
    let payments = count(560, 140);
    let limit = if payments == 560 { units_per_second } else { units_per_second / 4 };
    let (site, table) = Throttle::in_front_of(options(), None).await;
    register(&site, payments).await;
    let list = list(&site, 0..payments, PADDING);
    let before = warm_up(&site, &table).await;
    table.limit(Some(limit));
    deliver_until_ok(&site, &list).await;
    let (cpu, used) = (cpu(&table).saturating_sub(before), table.taken());
    print(&format!("at {limit} units per second"), payments, list.len(), &used, cpu);
    let rows = site.table().await;
    each_order_is_credited_once(&rows, payments);
    list_is_done(&rows);
    no_work_was_done_twice(&used, payments, &["list#"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_completes_in_a_few_deliveries_at_4000_units_per_second() {
    completes_at(4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_completes_in_a_few_deliveries_at_400_units_per_second() {
    completes_at(400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_of_a_list_at_once_credit_each_payment_once() {
    let payments = count(560, 140);
    let (site, table) = Throttle::in_front_of(options(), None).await;
    register(&site, payments).await;
    let list = list(&site, 0..payments, PADDING);
    tokio::join!(deliver_until_ok(&site, &list), deliver_until_ok(&site, &list));
    let rows = site.table().await;
    each_order_is_credited_once(&rows, payments);
    list_is_done(&rows);
    no_work_was_done_twice(&table.taken(), payments, &["list#"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_the_provider_gives_up_is_listed_and_a_replay_completes_it() {
    let payments = 140;
    let (site, table) = Throttle::in_front_of(options(), None).await;
    let tool = Tool::of(&site);
    register(&site, payments).await;
    let list = list(&site, 0..payments, PADDING);
    warm_up(&site, &table).await;
    // The list itself takes some 60 units, and 4 for each element. Nothing to speak of comes back.
    table.limit_to(150);
    assert_eq!(deliver(&site, &list).await, 503);
    let unfinished = site.table().await;
    let key = list_key(&unfinished);
    assert_eq!(state(&unfinished, key), "unfinished");
    let credited = (0..payments).filter(|index| state(&unfinished, &payment_key(*index)) == "credited").count();
    println!("  {credited} of {payments} payments are credited");
    assert!(credited < payments);
    let listed = tool.json(&["list"]).await;
    let listed: Vec<_> = listed.iter().map(|it| (&it["attention"], &it["id"])).collect();
    assert_eq!(listed, [(&json!("unfinished"), &json!(key))]);
    let (status, said) = tool.run(&["show", key]).await;
    assert_eq!(status, 0, "{said}");

    table.limit(None);
    let (status, said) = tool.run(&["replay", key]).await;
    assert_eq!(status, 0, "{said}");
    assert!(tool.json(&["list"]).await.is_empty());
    let rows = site.table().await;
    each_order_is_credited_once(&rows, payments);
    list_is_done(&rows);
    no_work_was_done_twice(&table.taken(), payments, &["list#"]);
    let (status, said) = tool.run(&["audit"]).await;
    assert_eq!(status, 0, "{said}");
}
