//! Many transactions: what `reconcile` and `audit` find among them, how long it takes and how much memory.
//!
//! `ROWS=1000000 cargo test -p operator --release --test volume -- --nocapture` measures.

#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it counts, it is given their number, and it measures"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Json, Router};
use domain::*;
use paykassma::{EvidenceKeys, PostbackBody, Verdict};
use serde_json::{Value, json};
use signing::{PostbackKeys, Spelling, sign_postback, verify};
use store::{Row, RowKey};

const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";
const PRIVATE_KEY: &str = "test_private_key";
/// Transactions on a page: about a megabyte.
const PAGE: u64 = 400;

/// What is planted: one of each kind among this many transactions.
const OF: u64 = 1_000;
const PLANTED: [(u64, &str); 5] =
    [(1, "amount_differs"), (2, "missing_here"), (3, "missing_there"), (4, "status_differs"), (5, "duplicated")];

fn planted(number: u64) -> Option<&'static str> {
    PLANTED.iter().find(|(place, _)| number % OF == *place).map(|(_, kind)| *kind)
}

/// One block of so many transactions in ten has its deposits in one signed list.
const BLOCK: u64 = 100;

fn is_in_list(number: u64) -> bool {
    (number / BLOCK).is_multiple_of(10) && number.is_multiple_of(2)
}

fn signed_list(elements: &[Value]) -> SignedList {
    let additional_data = json!(elements).to_string();
    let signature = sign_postback(&additional_data, Spelling::Flagged, ACCESS_KEY, &PRIVATE_KEY.into()).unwrap();
    SignedList { additional_data, signature, access_key: ACCESS_KEY.into() }
}

/// The list of the block that begins with this transaction.
fn stored_list(first: u64) -> StoredList {
    let numbers = (first..first + BLOCK).filter(|number| is_in_list(*number));
    let elements: Vec<_> = numbers.map(|number| deposit_element(number, &amount(number))).collect();
    let list = signed_list(&elements);
    let body = PostbackBody::around(&list.additional_data, &list.signature, ACCESS_KEY).unwrap().to_string();
    let private_key = PRIVATE_KEY.into();
    let keys = PostbackKeys::new(ACCESS_KEY, &private_key);
    StoredList { hash: verify(body.as_bytes(), &keys).unwrap().list_hash().into(), list }
}

/// All lists of several elements, by the first transaction of their block.
fn stored_lists(count: u64) -> Lists {
    (0..count / BLOCK / 10).map(|block| (block * BLOCK * 10, stored_list(block * BLOCK * 10))).collect()
}

type Lists = BTreeMap<u64, StoredList>;

fn element(order: &str, withdrawal: Option<&str>, number: &str, amount: &str) -> Value {
    json!({
        "activated_datetime": "2023-08-25T10:47:40.000000Z", "exchanger_identifier": "6234234234", "comment": "",
        "amount": amount, "currency_code": "INR", "wallet_type": "paytm", "stockpiling_id": null, "transaction_id": number,
        "transaction_type": null, "plugin_custom_order_id": order, "withdrawal_id": withdrawal,
        "withdrawal_status": withdrawal.map(|_| 1), "account_number": "1234560079", "account_name": "A Name",
        "account_email": "a@example.com", "bank_details": {"bank_code": null, "branch_code": null},
    })
}

fn deposit_element(number: u64, amount: &str) -> Value {
    element(&order_id(number), None, &payment_number(number), amount)
}

fn order_id(number: u64) -> String {
    format!("order-{number}")
}

fn payment_number(number: u64) -> String {
    format!("{:011}", 10_000_000_000 + number)
}

fn facts(order: &str, place: ListPlace, element: usize, amount: &str) -> SignedFacts {
    SignedFacts {
        custom_transaction_id: order.into(),
        order_before_hyphen: None,
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse("631317234").unwrap()),
        evidence: Evidence { place, element, received_at: Timestamp(1_692_960_460_000) },
    }
}

fn item<R: Row>(row: &R) -> Value {
    let mut item = serde_json::to_value(serde_dynamo::to_item::<_, serde_dynamo::Item>(row).unwrap()).unwrap();
    item["transaction_id"] = json!({"S": row.id().key()});
    item["version"] = json!({"N": "2"});
    if let Some(attention) = row.attention() {
        item["attention"] = json!({"S": attention.kind.as_str()});
        item["attention_at"] = json!({"N": attention.at.0.to_string()});
    }
    item
}

/// A deposit that was credited: its order and its payment.
fn deposit(number: u64, amount: &str, lists: &Lists) -> [Value; 2] {
    let (order, id) = (order_id(number), payment_number(number));
    let key = PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse(&id).unwrap(),
    };
    let label = Label::parse("631317234").unwrap();
    let custom_transaction_id = CustomTransactionId::parse(&order).unwrap();
    let (place, element) = if is_in_list(number) {
        let first = number / BLOCK * BLOCK;
        let place = ListPlace::Stored { list: lists[&first].hash.clone() };
        (place, usize::try_from((number - first) / 2).unwrap())
    } else {
        (ListPlace::Here(signed_list(&[deposit_element(number, amount)])), 0)
    };
    let facts = facts(&order, place, element, amount);
    let credit = Credit { payment: key.clone(), amount: facts.amount };
    let asked = Order {
        custom_transaction_id: custom_transaction_id.clone(),
        label: label.clone(),
        currency_code: facts.currency_code.clone(),
        wallet_type: key.wallet_type.clone(),
        amount: None,
        lang: None,
        window: Window::default(),
    };
    let state = PaymentState::Credited { order: custom_transaction_id, credited_label: label, facts };
    let row = Deposit::new(asked, r#"{"identifier":"6234234234"}"#.into(), Timestamp(1)).credit(credit).0;
    [item(&DepositRow::Registered(row)), item(&Payment::new(key, state))]
}

/// A withdrawal that was paid.
fn withdrawal(number: u64, amount: &str) -> Value {
    let id = format!("withdrawal-{number}");
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse(&id).unwrap(),
        label: Label::parse("631317234").unwrap(),
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    };
    let body = paykassma::withdrawal_body(&request, &"withdrawal key".into());
    let journalled = Withdrawal::new(request, body, "sender".into(), Timestamp(1));
    let Transition::Move(submitted) = journalled.answered("sender", &Submission::Accepted, Timestamp(2)) else {
        panic!()
    };
    let place = ListPlace::Here(signed_list(&[element("", Some(&id), "", amount)]));
    let facts = Some(facts("", place, 0, amount));
    item(&WithdrawalRow::Registered(Box::new(Withdrawal { state: WithdrawalState::Paid { facts }, ..submitted })))
}

fn amount(number: u64) -> String {
    (100 + number % 900).to_string()
}

fn rows_of(number: u64) -> u64 {
    let of_list = if number.is_multiple_of(BLOCK * 10) { 2 } else { 0 };
    of_list + rows_of_transaction(number)
}

fn rows_of_transaction(number: u64) -> u64 {
    match (planted(number), number % 2) {
        (Some("missing_here"), _) => 0,
        (_, 0) => 2,
        (_, _) => 1,
    }
}

/// The rows of a transaction, and of the list that begins with it.
fn items(number: u64, lists: &Lists) -> Vec<Value> {
    let mut items = match rows_of_transaction(number) {
        0 => Vec::new(),
        2 => deposit(number, &amount(number), lists).into(),
        _ => vec![withdrawal(number, &amount(number))],
    };
    if let Some(list) = lists.get(&number) {
        let elements = usize::try_from(BLOCK / 2).unwrap();
        let progress = ListProgress::begin(None, (&list.hash, elements), &Unsigned::default(), Timestamp(1)).unwrap();
        items.extend([item(list), item(&progress.end(&Unsigned::default()).unwrap())]);
    }
    items
}

/// The lines of a transaction in the export.
fn exported(number: u64) -> String {
    let kind = planted(number);
    let amount = amount(number) + if kind == Some("amount_differs") { ".01" } else { "" };
    let status = if kind == Some("status_differs") { "Failed" } else { "Success" };
    let line = match number % 2 {
        0 => format!("Deposit,{:011},,{amount},INR,{status},PayTM,\n", 10_000_000_000 + number),
        _ => format!("Withdrawal,,withdrawal-{number},{amount},INR,{status},PayTM,API\n"),
    };
    match kind {
        Some("missing_there") => String::new(),
        Some("duplicated") => line.repeat(2),
        _ => line,
    }
}

/// Writes the export. Gives how many rows and lines there are.
fn export(file: &Path, count: u64) -> (u64, u64) {
    let mut file = std::io::BufWriter::new(fs::File::create(file).unwrap());
    writeln!(file, "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by").unwrap();
    let (mut rows, mut lines) = (0, 0);
    for number in 0..count {
        let text = exported(number);
        rows += rows_of(number);
        lines += u64::try_from(text.lines().count()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
    file.flush().unwrap();
    (rows, lines)
}

/// The stand-in for the table. Its pages are in a file before anybody asks for them, so that serving them takes little.
struct Table {
    pages: fs::File,
    /// Where each page is.
    places: Vec<Range<u64>>,
    /// The rows that are read by their keys: nothing else is while nothing is wrong.
    items: BTreeMap<String, Value>,
}

impl Table {
    fn of(count: u64) -> Self {
        let lists = stored_lists(count);
        let (mut pages, mut places, mut end) = (tempfile::tempfile().unwrap(), Vec::new(), 0);
        for from in (0..count).step_by(usize::try_from(PAGE).unwrap()) {
            let items: Vec<_> = (from..count.min(from + PAGE)).flat_map(|number| items(number, &lists)).collect();
            let page = json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items}).to_string();
            pages.write_all(page.as_bytes()).unwrap();
            places.push(end..end + u64::try_from(page.len()).unwrap());
            end = places.last().unwrap().end;
        }
        let identity = TableIdentity::new("a stream");
        let lists = lists.values().map(|list| (list.id().key(), item(list)));
        Self { pages, places, items: lists.chain([(identity.id().key(), item(&identity))]).collect() }
    }

    /// A page of a scan.
    fn scan(&self, request: &Value) -> Vec<u8> {
        let (segment, of) = (request["Segment"].as_u64().unwrap(), request["TotalSegments"].as_u64().unwrap());
        let count = u64::try_from(self.places.len()).unwrap();
        let (first, end) = (count * segment / of, count * (segment + 1) / of);
        let key = request["ExclusiveStartKey"]["transaction_id"]["S"].as_str();
        let page = key.map_or(first, |key| key.parse().unwrap());
        if page >= end {
            return br#"{"Count": 0, "ScannedCount": 0, "Items": []}"#.to_vec();
        }
        let place = &self.places[usize::try_from(page).unwrap()];
        let mut text = vec![0; usize::try_from(place.end - place.start).unwrap()];
        self.pages.read_exact_at(&mut text, place.start).unwrap();
        if page + 1 < end {
            text.pop();
            text.extend(format!(r#","LastEvaluatedKey":{{"transaction_id":{{"S":"{}"}}}}}}"#, page + 1).into_bytes());
        }
        text
    }

    fn get(&self, key: &str) -> Vec<u8> {
        self.items.get(key).map_or(json!({}), |item| json!({"Item": item})).to_string().into_bytes()
    }
}

/// The stand-ins for AWS: the table, and the function that verifies. Gives their address.
async fn serve(count: u64) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keys = json!({"access_key": ACCESS_KEY, "postback_private_key": PRIVATE_KEY});
    let keys: Arc<EvidenceKeys> = Arc::new(serde_json::from_value(keys).unwrap());
    let verify = post(move |Json(batch): Json<BTreeMap<String, Vec<SignedList>>>| async move {
        let verdicts: Vec<_> = batch["lists"].iter().map(|list| Verdict::of(&keys, list)).collect();
        Json(json!({"verdicts": verdicts}))
    });
    let table = Arc::new(Table::of(count));
    let table = move |body: Bytes| async move {
        let request: Value = serde_json::from_slice(&body).unwrap();
        let key = request["Key"]["transaction_id"]["S"].as_str();
        key.map_or_else(|| table.scan(&request), |key| table.get(key))
    };
    let router = Router::new().route("/verifications", verify.layer(DefaultBodyLimit::disable())).fallback(table);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn env_file(url: &str, directory: &Path) -> PathBuf {
    let file = directory.join("stack.env");
    let mut text = String::from("AWS_REGION=ap-south-1\nAWS_ACCESS_KEY_ID=local\nAWS_SECRET_ACCESS_KEY=local\n");
    write!(text, "AWS_ENDPOINT_URL_DYNAMODB={url}\nOPERATOR_API_URL={url}\nTABLE_NAME=paykassma\n").unwrap();
    fs::write(&file, text).unwrap();
    file
}

/// Scans the table as the tool does, and throws the pages away: what the stand-in itself takes.
async fn scan_for_nothing(url: &str) {
    let client = reqwest::Client::builder().tls_backend_preconfigured(paykassma::tls().unwrap()).build().unwrap();
    let scan = async |segment: u64| {
        let mut request = json!({"Segment": segment, "TotalSegments": 4});
        loop {
            let answer = client.post(url).body(request.to_string()).send().await.unwrap();
            let page = answer.bytes().await.unwrap();
            let end = String::from_utf8_lossy(&page[page.len().saturating_sub(100)..]).into_owned();
            let Some((_, key)) = end.split_once(r#""LastEvaluatedKey":"#) else { return };
            request["ExclusiveStartKey"] = serde_json::from_str(key.trim_end().strip_suffix('}').unwrap()).unwrap();
        }
    };
    let began = Instant::now();
    tokio::join!(scan(0), scan(1), scan(2), scan(3));
    println!("the stand-in alone: {} ms", began.elapsed().as_millis());
}

/// The most memory that a process has had, in KiB.
fn peak_kib(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// How long a process has used a processor, in milliseconds: the kernel counts in hundredths of a second.
fn cpu_ms(child: &Child) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: Vec<u64> = after_name.split_whitespace().skip(11).take(2).filter_map(|it| it.parse().ok()).collect();
    Some(ticks.iter().sum::<u64>() * 10)
}

/// Runs the tool. Gives its exit status and what it printed, and says what it took.
fn run(env_file: &Path, arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    command.arg("--env-file").arg(env_file).arg("--json").args(arguments).stdout(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut peak, mut cpu) = (0, 0);
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(&child).unwrap_or(0));
        cpu = cpu.max(cpu_ms(&child).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = began.elapsed().as_millis();
    println!("{}: {took} ms, {cpu} ms of a processor, at most {peak} KiB", arguments[0]);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_among_many_is_found() {
    let count: u64 = std::env::var("ROWS").map_or(2_000, |rows| rows.parse().unwrap());
    assert_eq!(count % OF, 0, "ROWS must be a multiple of {OF}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("export.csv");
    let (rows, lines) = export(&file, count);
    println!("{rows} rows, {lines} lines");
    let url = serve(count).await;
    scan_for_nothing(&url).await;
    let env_file = env_file(&url, directory.path());
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/export.toml");
    let out = directory.path().join("out").to_string_lossy().into_owned();
    let reconcile = ["reconcile", &file.to_string_lossy(), "--config", config, "--out", &out].map(str::to_owned);
    let (reconciled, audited) = tokio::task::spawn_blocking(move || {
        (run(&env_file, &reconcile.each_ref().map(String::as_str)), run(&env_file, &["audit"]))
    })
    .await
    .unwrap();
    let each = count / OF;
    assert_eq!(reconciled.0, 1);
    for class_line in &reconciled.1 {
        let class = class_line["class"].as_str().unwrap();
        let expected = match class {
            "matched" => count - 4 * each,
            _ if PLANTED.iter().any(|(_, kind)| *kind == class) => each,
            _ => 0,
        };
        assert_eq!(class_line["count"], expected, "{class}");
        let file = fs::read_to_string(class_line["file"].as_str().unwrap()).unwrap();
        assert_eq!(file.lines().count(), usize::try_from(expected).unwrap() + 1, "{class}");
    }
    let (summary, found) = audited.1.split_last().unwrap();
    assert_eq!((audited.0, &summary["rows"], &summary["broken"]), (1, &json!(rows), &json!(each)));
    assert!(
        found.iter().all(|it| it["rule"] == "list"),
        "of each list, the payment of one element is missing: {found:?}"
    );
    println!("audit: {} rows per second", summary["rows_per_second"]);
}
