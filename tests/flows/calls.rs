//! What each operation costs in AWS's units: calls of the functions, counted on their way, and the bytes of the rows and of the log.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
#![expect(clippy::print_stdout, reason = "the figures")]

use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use local::{StackOptions, function_names};
use serde_json::{Value, json};

use crate::flows::postbacks::postback;
use crate::flows::support::{Site, options, order, with};
use crate::template::document::Template;
use crate::template::rights::{DECLARED, actions};

/// What DynamoDB counts as one unit of writing.
pub(crate) const UNIT: usize = 1024;

/// Stands between the functions and the stack's services, and writes down which function called what.
struct Counter {
    calls: Mutex<Vec<(String, String)>>,
    behind: OnceLock<(reqwest::Client, [(&'static str, String); 3])>,
}

impl Counter {
    /// Starts it. The functions' names are in the paths that they call.
    async fn start() -> (Arc<Self>, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counter = Arc::new(Self { calls: Mutex::default(), behind: OnceLock::new() });
        let routes = Router::new().fallback(pass).with_state(Arc::clone(&counter));
        tokio::spawn(async { axum::serve(listener, routes).await });
        (counter, url)
    }

    /// What a function called since this was last asked, in order.
    fn taken(&self, function: &str) -> Vec<String> {
        let mut calls = self.calls.lock().unwrap();
        let (taken, left) = calls.drain(..).partition(|(of, _)| of == function);
        *calls = left;
        let taken: Vec<(String, String)> = taken;
        let taken: Vec<_> = taken.into_iter().map(|(_, operation)| operation).collect();
        assert!(taken.iter().all(|operation| may(function, operation)), "{function} calls {taken:?}");
        taken
    }

    /// The same, once there is something.
    async fn some(&self, function: &str) -> Vec<String> {
        for _ in 0..400 {
            let taken = self.taken(function);
            if !taken.is_empty() {
                return taken;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{function} called nothing");
    }
}

/// Whether the rights that a function declares allow an operation.
fn may(function: &str, operation: &str) -> bool {
    let (_, rights) = DECLARED.into_iter().find(|(name, _)| *name == function).unwrap();
    let allowed = |name: &str| {
        rights.iter().flat_map(|right| actions(*right)).any(|(action, _)| action.split(':').nth(1) == Some(name))
    };
    match operation {
        "TransactWriteItems" => allowed("PutItem") || allowed("UpdateItem"),
        operation => allowed(operation),
    }
}

async fn pass(State(counter): State<Arc<Counter>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap().to_owned();
    let (service, operation) = target.split_once('.').unwrap();
    let (http, services) = counter.behind.get().unwrap();
    let (_, url) = services.iter().find(|(prefix, _)| *prefix == service).unwrap();
    let mut request = http.post(url).body(body);
    for name in ["x-amz-target", "x-amz-date", "authorization", "content-type"] {
        request = request.header(name, headers[name].clone());
    }
    let function = uri.path().trim_matches('/').to_owned();
    counter.calls.lock().unwrap().push((function, operation.to_owned()));
    let answer = request.send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.bytes().await.unwrap()).into_response()
}

/// A stack whose functions call by way of the counter, each warm.
async fn counted(functions: &[&str]) -> (Site, Arc<Counter>) {
    counted_with(functions, options()).await
}

async fn counted_with(functions: &[&str], options: StackOptions) -> (Site, Arc<Counter>) {
    let (counter, url) = Counter::start().await;
    let mut environment = Vec::new();
    for function in functions {
        for service in ["DYNAMODB", "SQS", "SECRETS_MANAGER"] {
            let (name, url) = (format!("AWS_ENDPOINT_URL_{service}"), format!("{url}/{function}"));
            environment.push(((*function).to_owned(), name, url));
        }
    }
    let site = Site::start_with(StackOptions { environment, ..options }).await;
    let services = [
        ("DynamoDB_20120810", site.stack.dynamodb_url().to_owned()),
        ("AmazonSQS", site.stack.sqs_url().to_owned()),
        ("secretsmanager", site.stack.secrets_url().to_owned()),
    ];
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    counter.behind.set((http, services)).unwrap();
    (site, counter)
}

/// The rows' sizes as DynamoDB counts them: names and values, and what lists and maps add.
fn bytes(value: &Value) -> usize {
    let (kind, content) = value.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), content) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(digits)) => digits.len().div_ceil(2) + 1,
        ("BOOL" | "NULL", _) => 1,
        ("L", Value::Array(items)) => 3 + items.iter().map(|item| 1 + bytes(item)).sum::<usize>(),
        ("M", Value::Object(_)) => 3 + row_bytes(content) + content.as_object().unwrap().len(),
        _ => panic!("{value}"),
    }
}

pub(crate) fn row_bytes(row: &Value) -> usize {
    row.as_object().unwrap().iter().map(|(name, value)| name.len() + bytes(value)).sum()
}

async fn row(site: &Site, key: &str) -> usize {
    row_bytes(&site.stack.item(key).await.unwrap().unwrap())
}

#[tokio::test]
async fn a_deposit_takes_these_calls_and_a_repeated_postback_one() {
    let (site, calls) = counted(&["create-deposit", "activate", "postback-receiver", "event-publisher"]).await;
    // the first round also makes connections and reads the secrets
    for (round, order, number) in [(0, "cold", "47752123518"), (1, "warm", "47752123519")] {
        assert_eq!(site.order(order).await.status, 201);
        assert_eq!(site.activate(order, number).await.status, 200);
        let postback = postback(&site, &[(number, order, "700")]).to_string();
        assert_eq!(site.postback(postback.clone().into()).await.status, 200);
        assert_eq!(site.credits(order).await, ["700"]);
        let counts = ["create-deposit", "activate", "postback-receiver"].map(|function| calls.taken(function));
        let proved = calls.some("event-publisher").await;
        assert_eq!(site.postback(postback.into()).await.status, 200);
        let repeated = calls.taken("postback-receiver");
        if round == 1 {
            // The order; the payment; the label's count; the claim; then what the provider said.
            let activation = vec!["GetItem", "GetItem", "GetItem", "PutItem", "PutItem", "PutItem"];
            assert_eq!(counts, [vec!["PutItem"], activation, vec!["TransactWriteItems"]]);
            assert_eq!(repeated, ["TransactWriteItems"]);
            assert_eq!(proved, ["GetItem"], "the payment");
        }
    }
}

#[tokio::test]
async fn a_withdrawal_takes_these_calls_and_its_armed_message_one() {
    let functions = ["create-withdrawal", "postback-receiver", "withdrawal-submitter", "event-publisher"];
    let (site, calls) = counted_with(&functions, with_ceiling("1000000")).await;
    for (round, id) in [(0, "cold"), (1, "warm")] {
        assert_eq!(site.withdraw(id).await.state(), (201, "submitted"));
        site.settle(id, 1).await;
        site.until(&format!("withdrawal#{id}"), "paid").await;
        let counts = ["create-withdrawal", "postback-receiver"].map(|function| calls.taken(function));
        let armed = calls.some("withdrawal-submitter").await;
        site.events("withdrawal.paid", round + 1).await;
        let proved = calls.taken("event-publisher");
        if round == 1 {
            assert_eq!(counts, [vec!["UpdateItem", "SendMessage", "PutItem", "PutItem"], vec!["UpdateItem"]]);
            assert_eq!(armed, ["GetItem"]);
            assert_eq!(proved, [""; 0], "the change itself has the evidence");
        }
    }
}

pub(crate) fn with_ceiling(per_day: &str) -> StackOptions {
    StackOptions { withdrawal_ceiling_per_day: per_day.into(), ..options() }
}

#[tokio::test]
async fn without_a_ceiling_a_withdrawal_takes_one_call_less_and_above_one_it_takes_two() {
    let (site, calls) = counted(&["create-withdrawal"]).await;
    for id in ["cold", "warm"] {
        assert_eq!(site.withdraw(id).await.state(), (201, "submitted"));
        let taken = calls.taken("create-withdrawal");
        assert!(id == "cold" || taken == ["SendMessage", "PutItem", "PutItem"], "{taken:?}");
    }
    let (site, calls) = counted_with(&["create-withdrawal"], with_ceiling("1500")).await;
    assert_eq!(site.withdraw("w1").await.state(), (201, "submitted"));
    calls.taken("create-withdrawal");
    assert_eq!(site.withdraw("w2").await.code(), "limit_reached");
    assert_eq!(calls.taken("create-withdrawal"), ["UpdateItem", "GetItem"]);
    let small = with(&crate::flows::support::withdrawal("w1"), "amount", &json!(1));
    assert_eq!(site.post("/withdrawals", &small).await.code(), "id_taken");
    assert_eq!(calls.taken("create-withdrawal"), ["UpdateItem", "SendMessage", "PutItem", "UpdateItem"]);
    let sums = site.keys("ceiling#").await.remove(0);
    assert!(row(&site, &sums).await <= UNIT, "a reservation is one unit");
}

#[tokio::test]
async fn an_open_withdrawal_costs_two_writes_of_the_index() {
    let site = Site::start().await;
    let place = async |id: &str| {
        let row = site.row(&format!("withdrawal#{id}")).await;
        (row["attention"].clone(), row["attention_at"].clone())
    };
    let open =
        async |id: &str| (json!({"S": "open"}), site.row(&format!("withdrawal#{id}")).await["created_at"].clone());
    // Accepted at once; then contradicted; then paid, by the write that reads nothing first and by the other one.
    for (id, statuses) in [("w1", vec![]), ("w2", vec![3])] {
        site.withdraw(id).await;
        assert_eq!(place(id).await, open(id).await);
        for status in &statuses {
            site.settle(id, *status).await;
            while site.attribute(&format!("withdrawal#{id}"), "contradictions").await.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            assert_eq!(place(id).await, open(id).await);
        }
        site.settle(id, 1).await;
        site.until(&format!("withdrawal#{id}"), "paid").await;
        assert_eq!(place(id).await == (Value::Null, Value::Null), statuses.is_empty(), "a conflict stays listed");
    }
    // Not sent, sent again, unknown.
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429})).await;
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.withdraw("w3").await;
    assert_eq!((site.state("withdrawal#w3").await.as_str(), place("w3").await), ("waiting", open("w3").await));
    site.until("withdrawal#w3", "unknown").await;
    assert_eq!(place("w3").await, open("w3").await);
}

#[tokio::test]
async fn rows_are_as_large_as_they_were() {
    let site = Site::start().await;
    site.pay("47752123519", "700").await;
    site.order("order-1").await;
    let created = row(&site, "deposit#order-1").await;
    site.activate("order-1", "47752123519").await;
    site.until("payment#paytm#47752123519", "credited").await;
    let (long_id, long_label) = ("5b0c8f4e-2d5a-4b7e-9c1f-0a6d3e8b7c21", "9f1d7a60-83c4-4e0b-b1aa-6c2f5d9e0b34");
    site.pay("47752123520", "700").await;
    site.post("/deposits", &with(&order(long_id), "label", &json!(long_label))).await;
    site.activate(long_id, "47752123520").await;
    site.until("payment#paytm#47752123520", "credited").await;
    let back = "https://shop.example.com/orders/5b0c8f4e-2d5a-4b7e-9c1f-0a6d3e8b7c21";
    let window = json!({"success_url": back, "fail_url": back, "pending_url": back});
    site.post("/deposits", &with(&order("order-2"), "window", &window)).await;
    site.withdraw("withdrawal-1").await;
    let submitted = row(&site, "withdrawal#withdrawal-1").await;
    site.settle("withdrawal-1", 1).await;
    site.until("withdrawal#withdrawal-1", "paid").await;
    let rows = [
        ("a created order", created),
        ("a credited order", row(&site, "deposit#order-1").await),
        ("an order with three addresses of its own", row(&site, "deposit#order-2").await),
        ("a credited payment", row(&site, "payment#paytm#47752123519").await),
        ("a credited payment with ids of 36 characters", row(&site, "payment#paytm#47752123520").await),
        ("a submitted withdrawal", submitted),
        ("a paid withdrawal", row(&site, "withdrawal#withdrawal-1").await),
    ];
    println!("{rows:?}");
    let paid = site.row("withdrawal#withdrawal-1").await;
    let parts: Vec<_> =
        paid.as_object().unwrap().iter().map(|(name, value)| (name, name.len() + bytes(value))).collect();
    println!("a paid withdrawal: {parts:?}, {}", paid["facts"]);
    let units = rows.map(|(what, bytes)| (what, bytes.div_ceil(UNIT)));
    let expected = [1, 1, 1, 1, 1, 1, 2];
    assert_eq!(units.map(|(_, units)| units), expected, "{rows:?}");
}

/// The lines of all functions about a row, once there are so many.
async fn lines(site: &Site, reference: &str, number: usize) -> Vec<String> {
    let reference = format!(r#""reference":"{reference}""#);
    let mut lines = Vec::new();
    for _ in 0..100 {
        let all = function_names().flat_map(|function| site.stack.logs(function));
        lines = all.filter(|line| line.contains(&reference)).collect();
        if lines.len() >= number {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(lines.len(), number, "each call of a function is one line: {lines:#?}");
    lines
}

/// The bytes that the access log has for calls of these routes.
fn access_log(routes: &[&str]) -> usize {
    let template = Template::read();
    let format = template.properties("Stage")["AccessLogSettings"]["Format"].as_str().unwrap();
    let line = |route: &&str| {
        let values = [
            ("$context.requestId", "JKJaXmPLvHcESHA="),
            ("$context.routeKey", route),
            ("$context.status", "200"),
            ("$context.identity.sourceIp", "203.0.113.101"),
            ("$context.responseLatency", "583"),
            ("$context.authorizer.error", "-"),
            ("$context.integration.error", "-"),
        ];
        let line = values.iter().fold(format.to_owned(), |line, (variable, value)| line.replace(variable, value));
        assert!(!line.contains('$'), "{line}");
        line.len()
    };
    routes.iter().map(line).sum()
}

#[tokio::test]
async fn a_deposit_and_a_withdrawal_log_at_most_these_bytes() {
    let site = Site::start_with(with_ceiling("1000000")).await;
    let (order, withdrawal, number) = ("order-5b0c8f4e", "withdrawal-5b0c8f4e", "47752123519");
    site.order(order).await;
    site.activate(order, number).await;
    site.pay(number, "700").await;
    let deposit = lines(&site, &format!("deposit#{order}"), 4).await;
    site.withdraw(withdrawal).await;
    site.settle(withdrawal, 1).await;
    let withdrawal = lines(&site, &format!("withdrawal#{withdrawal}"), 4).await;
    println!("{deposit:#?} {withdrawal:#?}");
    let routes = ["POST /deposits", "POST /deposits/{custom_transaction_id}/activation", "POST /postbacks/{token}"];
    let costs = [
        ("a deposit", deposit, access_log(&routes), (1_350, 570)),
        ("a withdrawal", withdrawal, access_log(&["POST /withdrawals", "POST /postbacks/{token}"]), (1_150, 370)),
    ];
    for (what, lines, access, most) in costs {
        let bytes = (lines.iter().map(String::len).sum::<usize>(), access);
        println!("{what}: the functions log {} bytes, and the access log has {}", bytes.0, bytes.1);
        assert!(bytes.0 <= most.0 && bytes.1 <= most.1, "{what}: {bytes:?}");
    }
}
