//! Crowds of postbacks and withdrawals over real sockets: at once, shuffled, contradicting, and with a table that fails. `FULL=1`
//! runs the full counts.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
#![expect(clippy::disallowed_methods, reason = "the figures: how long it takes on a real clock")]
#![expect(clippy::print_stdout, reason = "the figures")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::injector::Injector;
use crate::flows::postbacks::postback;
use crate::flows::support::{Answer, Site, options, with};
use crate::simulation::number;

/// Postbacks on their way at a time.
const AT_A_TIME: usize = 32;

pub(crate) fn count(full: usize, usual: usize) -> usize {
    if number("FULL").is_some() { full } else { usual }
}

/// An attempt whose sender could not even begin is found after 5 s and not 30.
fn load_options() -> StackOptions {
    let mut options = StackOptions { function_concurrency: AT_A_TIME, ..options() };
    options.sender_lifetime_ms = 5_000;
    options
}

/// Sends all of them, several at a time, and counts the answers. A machine that is busy with other tests may answer too late
/// for the functions' time limits: then, as for the provider, 503 means to send again, but in the full count.
async fn send_all(site: &Site, bodies: Vec<String>) -> BTreeMap<(u16, String), usize> {
    let is_patient = number("FULL").is_none();
    let sends = bodies.into_iter().map(|body| async move {
        loop {
            let answer = site.postback(body.clone().into()).await;
            if !(is_patient && (answer.status, answer.code()) == (503, "try_again")) {
                return (answer.status, answer.body.to_string());
            }
        }
    });
    let mut answers = BTreeMap::new();
    let mut all = stream::iter(sends).buffer_unordered(AT_A_TIME);
    while let Some(answer) = all.next().await {
        *answers.entry(answer).or_insert(0) += 1;
    }
    answers
}

fn only_ok(times: usize) -> BTreeMap<(u16, String), usize> {
    [((200, r#"{"status":"ok"}"#.to_owned()), times)].into()
}

async fn register(site: &Site, orders: usize) {
    let all = (0..orders).map(|index| async move { site.order(&format!("o{index}")).await.status });
    let answers: Vec<_> = stream::iter(all).buffer_unordered(AT_A_TIME).collect().await;
    assert!(answers.iter().all(|status| *status == 201), "{answers:?}");
}

fn payment_key(index: usize) -> String {
    format!("payment#paytm#{}", payment_number(index))
}

fn payment_number(index: usize) -> String {
    (47_752_000_000 + index).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_postbacks_32_at_a_time_credit_once_and_are_all_answered_ok() {
    let copies = count(10_000, 500);
    let site = Site::start_with(load_options()).await;
    register(&site, 1).await;
    let body = postback(&site, &[(&payment_number(0), "o0", "700")]).to_string();
    let began = Instant::now();
    let answers = send_all(&site, vec![body; copies]).await;
    println!("{copies} identical postbacks, {AT_A_TIME} at a time, in {:?}: {answers:?}", began.elapsed());
    assert_eq!(answers, only_ok(copies));
    assert_eq!(site.credits("o0").await, ["700"]);
    assert_eq!((site.state(&payment_key(0)).await, site.rows().await), ("credited".into(), 2));
    assert_eq!(site.attribute(&payment_key(0), "version").await, "1");
}

const COPIES: usize = 50;
/// Of the copies, those that contradict: some by what is signed, some by what is not.
const OTHER_AMOUNTS: usize = 3;
const OTHER_LABELS: usize = 2;

/// The copies of one payment's postback, and the signatures of the two things that they say.
fn copies(site: &Site, index: usize) -> (Vec<String>, [String; 2]) {
    let (number, order) = (payment_number(index), format!("o{index}"));
    let genuine = postback(site, &[(&number, &order, "700")]);
    let dearer = with(&postback(site, &[(&number, &order, "7000")]), "amount", &json!(7000));
    let thief = with(&genuine, "label", &json!("thief"));
    let signatures = [&genuine, &dearer].map(|it| it["signature"].as_str().unwrap().to_owned());
    let mut all = vec![dearer.to_string(); OTHER_AMOUNTS];
    all.extend(vec![thief.to_string(); OTHER_LABELS]);
    all.resize(COPIES, genuine.to_string());
    (all, signatures)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shuffled_copies_of_which_a_tenth_contradicts_credit_each_payment_once() {
    let payments = count(1_000, 20);
    let site = Site::start_with(load_options()).await;
    register(&site, payments).await;
    let (bodies, signatures): (Vec<_>, Vec<_>) = (0..payments).map(|index| copies(&site, index)).unzip();
    let mut bodies = bodies.concat();
    fastrand::shuffle(&mut bodies);
    let began = Instant::now();
    let answers = send_all(&site, bodies).await;
    println!("{payments} payments, {COPIES} copies each, in {:?}: {answers:?}", began.elapsed());
    assert_eq!(answers, only_ok(payments * COPIES));
    let mut dearer = 0;
    for (index, both) in signatures.iter().enumerate() {
        let credits = site.credits(&format!("o{index}")).await;
        assert!(credits == ["700"] || credits == ["7000"], "o{index}: {credits:?}");
        dearer += usize::from(credits == ["7000"]);
        let row = site.stack.item(&payment_key(index)).await.unwrap().unwrap();
        let decided = &both[usize::from(credits == ["7000"])];
        assert_eq!((&row["state"]["S"], signature(&row["facts"])), (&json!("credited"), decided.as_str()));
        let against: Vec<_> = row["contradictions"]["L"].as_array().unwrap().iter().collect();
        let other = both.iter().find(|it| *it != decided).unwrap();
        assert!(
            against.iter().any(|it| signature(&it["M"]["facts"]) == other),
            "o{index} keeps what was said against it"
        );
    }
    println!("{dearer} payments were credited with what came first of theirs, the other amount");
    assert_eq!(site.rows().await, 2 * u64::try_from(payments).unwrap());
}

fn signature(facts: &Value) -> &str {
    facts["M"]["evidence"]["M"]["signature"]["S"].as_str().unwrap_or_default()
}

/// Repeats a request until the answer is not 5xx. Gives that answer, and counts the answers that came first.
async fn insist(mut ask: impl AsyncFnMut() -> Answer, errors: &Errors) -> Answer {
    loop {
        let answer = ask().await;
        if answer.status < 500 {
            return answer;
        }
        *errors.lock().unwrap().entry((answer.status, answer.code().to_owned())).or_default() += 1;
    }
}

type Errors = Mutex<BTreeMap<(u16, String), usize>>;

/// An order is registered while five copies of its payment's postback arrive: what is answered ok is durable.
async fn deposit(site: &Site, index: usize, errors: &Errors) {
    let (id, key) = (format!("o{index}"), payment_key(index));
    let body = postback(site, &[(&payment_number(index), &id, "700")]).to_string();
    let register = async {
        assert_eq!(insist(async || site.order(&id).await, errors).await.body["custom_transaction_id"], *id);
        assert_ne!(site.attribute(&format!("deposit#{id}"), "label").await, "", "{id} is registered");
    };
    let copies = stream::iter(0..5).for_each_concurrent(None, async |_| {
        let answer = insist(async || site.postback(body.clone().into()).await, errors).await;
        assert_eq!((answer.status, answer.body), (200, json!({"status": "ok"})));
        let state = site.state(&key).await;
        assert!(state == "credited" || state == "unmatched", "{key} was answered ok and is {state:?}");
    });
    tokio::join!(register, copies);
}

/// A withdrawal is asked for and, if the provider has it, paid.
async fn withdraw(site: &Site, index: usize, errors: &Errors) {
    let id = format!("w{index}");
    let answer = insist(async || site.withdraw(&id).await, errors).await;
    assert!(matches!(answer.status, 200..=202), "{answer:?}");
    assert_ne!(site.state(&format!("withdrawal#{id}")).await, "", "{id} is journalled");
    let standing = site.ask(&format!("withdrawals/{id}")).await;
    if standing["accepted_count"] == 1 {
        site.settle(&id, 1).await;
    }
    let end = if standing["accepted_count"] == 1 { "paid" } else { "unknown" };
    site.until(&format!("withdrawal#{id}"), end).await;
    let sent = site.ask(&format!("withdrawals/{id}")).await["received"].as_u64().unwrap_or_default();
    assert!(sent <= 1, "{id} was sent {sent} times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_30_percent_of_the_calls_failing_all_converges_and_nothing_is_lost() {
    let (orders, withdrawal_count) = (count(1_000, 25), count(200, 10));
    let (site, injectors) = Injector::in_front_of(load_options(), 30).await;
    let (errors, began) = (Errors::default(), Instant::now());
    let deposits = stream::iter(0..orders).for_each_concurrent(8, |index| deposit(&site, index, &errors));
    let withdrawals = stream::iter(0..withdrawal_count).for_each_concurrent(4, |index| withdraw(&site, index, &errors));
    tokio::join!(deposits, withdrawals);
    println!("{orders} deposits, {withdrawal_count} withdrawals in {:?}", began.elapsed());
    let errors = errors.into_inner().unwrap();
    println!("refused until the table answered: {errors:?}");
    assert!(errors.keys().all(|(status, code)| (*status, &code[..]) == (503, "try_again")), "{errors:?}");
    for index in 0..orders {
        assert_eq!(site.credits(&format!("o{index}")).await, ["700"], "o{index}");
        assert_eq!(site.state(&payment_key(index)).await, "credited");
    }
    assert_eq!(site.rows().await, u64::try_from(2 * orders + withdrawal_count).unwrap());
    each_credit_is_published(&site, orders).await;
    let [table, bus] = injectors.map(|it| it.counts());
    println!("the table's calls: {table:?}; the bus' calls: {bus:?}");
    assert_eq!(table.len(), 5, "every fault was injected");
    assert!(bus.len() > 1, "the bus failed too");
}

/// At least once, and the same event each time.
async fn each_credit_is_published(site: &Site, orders: usize) {
    let mut published = BTreeMap::new();
    for _ in 0..600 {
        let events = site.stack.events();
        for event in events.into_iter().filter(|event| event["type"] == "deposit.credited") {
            let known = published.insert(event["id"].to_string(), event.clone());
            assert!(known.is_none_or(|known| known == event), "{event}");
        }
        if published.len() >= orders {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let credited: BTreeSet<_> = published.values().map(|event| event["transaction"].to_string()).collect();
    assert_eq!((published.len(), credited.len()), (orders, orders), "{:#?}", site.stack.logs("event-publisher"));
}
