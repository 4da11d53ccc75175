//! Many transactions: what `reconcile` and `audit` find among them, how long it takes and how much memory.
//!
//! `ROWS=1000000 cargo test --release -p operator --test volume -- --nocapture` measures.

#![cfg(test)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use domain::*;
use dynoxide::{Database, ImportOptions};
use serde_json::{Value, json};
use signing::{Spelling, sign_postback};
use store::Row;

const TABLE: &str = "paykassma";
const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";
const PRIVATE_KEY: &str = "test_private_key";
/// Items that are imported at a time.
const BATCH: u64 = 20_000;

/// What is planted: one of each kind among this many transactions.
const OF: u64 = 1_000;
const PLANTED: [(u64, &str); 5] =
    [(1, "amount_differs"), (2, "missing_here"), (3, "missing_there"), (4, "status_differs"), (5, "duplicated")];

fn planted(number: u64) -> Option<&'static str> {
    PLANTED.iter().find(|(place, _)| number % OF == *place).map(|(_, kind)| *kind)
}

fn evidence(signed: &Value) -> Evidence {
    let additional_data = json!([signed]).to_string();
    let signature = sign_postback(&additional_data, Spelling::Flagged, ACCESS_KEY, &PRIVATE_KEY.into()).unwrap();
    Evidence { additional_data, element: 0, signature, received_at: Timestamp(1_692_960_460_000) }
}

fn receipt(order: &str, withdrawal: Option<&str>, number: &str, amount: &str) -> Receipt {
    let evidence = evidence(&json!({
        "activated_datetime": "2023-08-25T10:47:40.000000Z", "exchanger_identifier": "6234234234", "comment": "",
        "amount": amount, "currency_code": "INR", "wallet_type": "paytm", "stockpiling_id": null, "transaction_id": number,
        "transaction_type": null, "plugin_custom_order_id": order, "withdrawal_id": withdrawal,
        "withdrawal_status": withdrawal.map(|_| 1), "account_number": "1234560079", "account_name": "A Name",
        "account_email": "a@example.com", "bank_details": {"bank_code": null, "branch_code": null},
    }));
    Receipt {
        custom_transaction_id: order.into(),
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse("631317234").unwrap()),
        evidence,
    }
}

fn item<R: Row>(row: &R) -> dynoxide::Item {
    let mut item = serde_json::to_value(serde_dynamo::to_item::<_, serde_dynamo::Item>(row).unwrap()).unwrap();
    item["transaction_id"] = json!({"S": R::key(&row.id())});
    item["version"] = json!({"N": "2"});
    serde_json::from_value(item).unwrap()
}

/// A deposit that was credited: its order and its payment.
fn deposit(number: u64, amount: &str) -> [dynoxide::Item; 2] {
    let (order, id) = (format!("order-{number}"), format!("{:011}", 10_000_000_000 + number));
    let key = PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse(&id).unwrap(),
    };
    let label = Label::parse("631317234").unwrap();
    let custom_transaction_id = CustomTransactionId::parse(&order).unwrap();
    let receipt = receipt(&order, None, &id, amount);
    let credit = Credit { payment: key.clone(), amount: receipt.amount };
    let asked = Order {
        custom_transaction_id: custom_transaction_id.clone(),
        label: label.clone(),
        currency_code: receipt.currency_code.clone(),
        wallet_type: key.wallet_type.clone(),
        amount: None,
        lang: None,
    };
    let state = PaymentState::Credited { order: custom_transaction_id, credited_label: label, receipt };
    let row = Deposit::new(asked, r#"{"identifier":"6234234234"}"#.into(), Timestamp(1)).credit(credit);
    [item(&DepositRow::Registered(row)), item(&Payment::new(key, state))]
}

/// A payout that was paid.
fn withdrawal(number: u64, amount: &str) -> dynoxide::Item {
    let id = format!("payout-{number}");
    let request = PayoutRequest {
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
    let receipt = Some(receipt("", Some(&id), "", amount));
    item(&WithdrawalRow::Registered(Box::new(Withdrawal { state: WithdrawalState::Paid { receipt }, ..submitted })))
}

/// The items of a transaction, and its lines in the export.
fn transaction(number: u64) -> (Vec<dynoxide::Item>, String) {
    let amount = (100 + number % 900).to_string();
    let kind = planted(number);
    let items = match (kind, number % 2) {
        (Some("missing_here"), _) => Vec::new(),
        (_, 0) => deposit(number, &amount).into(),
        (_, _) => vec![withdrawal(number, &amount)],
    };
    let exported = if kind == Some("amount_differs") { format!("{amount}.01") } else { amount };
    let status = if kind == Some("status_differs") { "Failed" } else { "Success" };
    let line = match number % 2 {
        0 => format!("Deposit,{:011},,{exported},INR,{status},PayTM,\n", 10_000_000_000 + number),
        _ => format!("Withdrawal,,payout-{number},{exported},INR,{status},PayTM,API\n"),
    };
    let lines = match kind {
        Some("missing_there") => String::new(),
        Some("duplicated") => line.repeat(2),
        _ => line,
    };
    (items, lines)
}

/// Fills the table and writes the export, which has another order. Gives how many rows and lines there are.
fn fill(database: &Database, export: &Path, count: u64) -> (u64, u64) {
    let schema = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "transaction_id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "transaction_id", "KeyType": "HASH"}],
    });
    database.create_table(serde_json::from_value(schema).unwrap()).unwrap();
    database.enable_bulk_loading().unwrap();
    let mut file = std::io::BufWriter::new(fs::File::create(export).unwrap());
    writeln!(file, "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by").unwrap();
    let (mut rows, mut lines, mut batch) = (0, 0, Vec::new());
    for number in 0..count {
        let (items, text) = transaction(number);
        batch.extend(items);
        lines += u64::try_from(text.lines().count()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        if number % BATCH == BATCH - 1 || number == count - 1 {
            rows += u64::try_from(batch.len()).unwrap();
            database.import_items(TABLE, std::mem::take(&mut batch), ImportOptions::default()).unwrap();
        }
    }
    database.disable_bulk_loading().unwrap();
    file.flush().unwrap();
    (rows, lines)
}

async fn listen() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// The stand-ins for AWS, told in an environment file.
async fn serve(database: Database, directory: &Path) -> PathBuf {
    let ((table, table_url), (secrets, secrets_url)) = (listen().await, listen().await);
    tokio::spawn(dynoxide::server::serve_on(table, database));
    let keys = json!({"postback_token": "token", "access_key": ACCESS_KEY, "postback_private_key": PRIVATE_KEY});
    let answer = json!({"Name": "secret", "SecretString": keys.to_string()}).to_string();
    let router = axum::Router::new().fallback(move || async move { answer });
    tokio::spawn(async move { axum::serve(secrets, router).await });
    let file = directory.join("stack.env");
    let mut text = String::from("AWS_REGION=ap-south-1\nAWS_ACCESS_KEY_ID=local\nAWS_SECRET_ACCESS_KEY=local\n");
    write!(text, "AWS_ENDPOINT_URL_DYNAMODB={table_url}\nAWS_ENDPOINT_URL_SECRETS_MANAGER={secrets_url}\n").unwrap();
    write!(text, "TABLE_NAME={TABLE}\nSECRET_ID=secret\n").unwrap();
    fs::write(&file, text).unwrap();
    file
}

/// The most memory that a process has had, in KiB.
fn peak_kib(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Runs the tool. Gives its exit status and what it printed, and says what it took.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn run(env_file: &Path, arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    command.arg("--env-file").arg(env_file).arg("--json").args(arguments).stdout(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(&child).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("{}: {} ms, at most {peak} KiB", arguments[0], began.elapsed().as_millis());
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "how many rows is the caller's to say")]
async fn what_is_planted_among_many_is_found() {
    let count: u64 = std::env::var("ROWS").map_or(2_000, |rows| rows.parse().unwrap());
    assert_eq!(count % OF, 0, "ROWS must be a multiple of {OF}");
    let directory = tempfile::tempdir().unwrap();
    let export = directory.path().join("export.csv");
    let database = Database::new(&directory.path().join("table.db").to_string_lossy()).unwrap();
    let (rows, lines) = fill(&database, &export, count);
    println!("{rows} rows, {lines} lines");
    let env_file = serve(database, directory.path()).await;
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/export.toml");
    let out = directory.path().join("out").to_string_lossy().into_owned();
    let reconcile = ["reconcile", &export.to_string_lossy(), "--config", config, "--out", &out].map(str::to_owned);
    let (reconciled, audited) = tokio::task::spawn_blocking(move || {
        (run(&env_file, &reconcile.each_ref().map(String::as_str)), run(&env_file, &["audit"]))
    })
    .await
    .unwrap();
    let each = count / OF;
    assert_eq!(reconciled.0, 1);
    for told in &reconciled.1 {
        let class = told["class"].as_str().unwrap();
        let expected = match class {
            "matched" => count - 4 * each,
            _ if PLANTED.iter().any(|(_, kind)| *kind == class) => each,
            _ => 0,
        };
        assert_eq!(told["count"], expected, "{class}");
        let file = fs::read_to_string(told["file"].as_str().unwrap()).unwrap();
        assert_eq!(file.lines().count(), usize::try_from(expected).unwrap() + 1, "{class}");
    }
    assert_eq!(audited.0, 0, "{:?}", audited.1);
    assert_eq!((&audited.1[0]["rows"], &audited.1[0]["broken"]), (&json!(rows), &json!(0)));
    println!("audit: {} rows per second", audited.1[0]["rows_per_second"]);
}
