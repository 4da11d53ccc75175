//! How the local stack does with few rows and with many: orders that are registered and credited, memory, the time to start, and what it uses
//! when it is idle. The table is in memory, then in a file.
//!
//!     cargo bench -p local --bench throughput        after the functions were built by the benchmark `functions`
//!     cargo bench -p local --bench throughput -- --binaries DIR --rows 0,20000
//!
//! It needs Linux: it reads processor times and memory from `/proc`.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a benchmark")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use local::{Stack, StackOptions, say};
use paykassma::{PostbackBody, UnsignedFields, WrittenAmount, WrittenMoney, deposit_element, write_list};
use reqwest::Client;
use secrecy::SecretString;
use serde_json::json;
use signing::Spelling;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long each number of orders at a time is kept up.
const TIME: Duration = Duration::from_secs(5);

/// How long the idle stack is watched. Reading `/proc` takes some milliseconds, which count too.
const IDLE_TIME: Duration = Duration::from_secs(20);

/// How many orders at a time are measured. The larger number also fills the table.
const PARALLEL: [usize; 2] = [1, 8];

/// An order's rows: the order and its payment.
const ROWS_OF_AN_ORDER: u64 = 2;

/// A unit of the processor times in `/proc`.
const TICK_MS: u64 = 10;

/// Measures the local stack.
#[derive(Parser)]
struct Options {
    /// The directory with the functions' programs. By default that of the benchmark `functions`.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/benches/target/release"))]
    binaries: PathBuf,
    /// How many rows the table has at each measurement.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 20_000, 100_000])]
    rows: Vec<u64>,
    /// Measure only with the table in this directory. By default it is in memory first, and then in a temporary directory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Cargo gives this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    async fn start(&self) -> Result<Stack, Box<dyn Error>> {
        let started = now();
        let (data, binaries) = (self.data.clone(), Some(self.binaries.clone()));
        let options =
            StackOptions { build: false, log_level: "error".into(), data, binaries, ..StackOptions::default() };
        let stack = Stack::start(options).await?;
        say(&format!("ready in {} ms", started.elapsed().as_millis()));
        Ok(stack)
    }
}

struct Merchant {
    stack: Stack,
    http: Client,
    orders: AtomicU64,
}

impl Merchant {
    fn new(stack: Stack) -> Result<Arc<Self>, Box<dyn Error>> {
        let http = Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(30)).build()?;
        Ok(Arc::new(Merchant { stack, http, orders: AtomicU64::new(0) }))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    say(if options.data.is_some() { "The table in a file:" } else { "The table in memory:" });
    let merchant = Merchant::new(options.start().await?)?;
    idle().await?;
    grow(&merchant, &options.rows).await?;
    idle().await?;
    drop(merchant);
    if options.data.is_some() {
        say("Again, with the rows in the file:");
        options.start().await?;
    } else {
        // in a process of its own, because of the memory
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).arg("--data").arg(directory.path());
        if !command.status()?.success() {
            return Err("the table in a file was not measured".into());
        }
    }
    Ok(())
}

/// Registers and credits orders until the table has so many rows, and measures at each number.
async fn grow(merchant: &Arc<Merchant>, rows: &[u64]) -> Result<(), Box<dyn Error>> {
    say("  rows   MiB  parallel  orders/s  p50 us  p99 us  processors: stack  functions");
    for rows in rows {
        let [.., most] = PARALLEL;
        // processes are started and make their connections
        work(merchant, most, Duration::from_secs(2)).await?;
        while merchant.orders.load(Ordering::Relaxed) * ROWS_OF_AN_ORDER < *rows {
            work(merchant, most, Duration::from_millis(500)).await?;
        }
        for parallel in PARALLEL {
            published().await?;
            let before = processors()?;
            let mut times = work(merchant, parallel, TIME).await?;
            let used = processors()?;
            times.sort_unstable();
            let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default().as_micros();
            let per_second = times.len() / usize::try_from(TIME.as_secs())?;
            let [stack, functions] = [used.0 - before.0, used.1 - before.1].map(share);
            let rows = merchant.orders.load(Ordering::Relaxed) * ROWS_OF_AN_ORDER;
            let memory = memory_mib()?;
            let (p50, p99) = (at(50), at(99));
            say(&format!(
                "{rows:>6} {memory:>5} {parallel:>9} {per_second:>9} {p50:>7} {p99:>7} {stack:>18} {functions:>10}"
            ));
        }
    }
    Ok(())
}

/// Waits until all changes are published: the stack is idle.
async fn published() -> Result<(), Box<dyn Error>> {
    while used(Duration::from_secs(1)).await? > 100 {}
    Ok(())
}

/// Says what the stack uses when all changes are published.
async fn idle() -> Result<(), Box<dyn Error>> {
    published().await?;
    let ms = used(IDLE_TIME).await?;
    say(&format!("idle: {ms} ms of a processor in {} s; {} MiB", IDLE_TIME.as_secs(), memory_mib()?));
    Ok(())
}

/// Milliseconds of processors that are used during this time.
async fn used(time: Duration) -> Result<u64, Box<dyn Error>> {
    let before = processors()?;
    sleep(time).await;
    let after = processors()?;
    Ok(after.0 + after.1 - before.0 - before.1)
}

/// Registers and credits orders until the time is over, and gives how long each order took.
async fn work(merchant: &Arc<Merchant>, parallel: usize, time: Duration) -> Result<Vec<Duration>, Box<dyn Error>> {
    let end = now() + time;
    let mut workers = JoinSet::new();
    for _ in 0..parallel {
        let merchant = Arc::clone(merchant);
        workers.spawn(async move {
            let mut times = Vec::new();
            while now() < end {
                let order = fastrand::u64(..).to_string();
                let started = now();
                merchant.register(&order).await?;
                merchant.credit(&order).await?;
                times.push(started.elapsed());
                merchant.orders.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, String>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(worker) = workers.join_next().await {
        times.extend(worker??);
    }
    Ok(times)
}

impl Merchant {
    async fn register(&self, order: &str) -> Result<(), String> {
        let body = json!({"custom_transaction_id": order, "label": "631317234", "currency_code": "INR"});
        self.post(format!("{}/deposits", self.stack.api_url()), body.to_string()).await
    }

    async fn credit(&self, order: &str) -> Result<(), String> {
        let secrets = &self.stack.credentials().secrets;
        let number = fastrand::u64(10_000_000_000..100_000_000_000).to_string();
        let money = WrittenMoney { amount: &WrittenAmount::from(700), currency_code: "INR", wallet_type: "paytm" };
        let element = deposit_element(&number, order, money);
        let unsigned = UnsignedFields { label: Some("631317234".into()), ..UnsignedFields::copied_from(&element) };
        let key = SecretString::from(secrets.postback_private_key.as_str());
        let body = PostbackBody::sign(&write_list(&[element]), Spelling::Flagged, &secrets.access_key, &key)
            .map_err(|error| error.to_string())?;
        self.post(self.stack.postback_url(), body.with_unsigned(&unsigned).to_string()).await
    }

    async fn post(&self, url: String, body: String) -> Result<(), String> {
        let token = format!("Bearer {}", self.stack.credentials().merchant_token);
        let request = self.http.post(url).header("authorization", token).body(body);
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        let said = answer.text().await.map_err(|error| error.without_url().to_string())?;
        if status.is_success() { Ok(()) } else { Err(format!("{status}: {said}")) }
    }
}

/// Memory that this process has resident.
fn memory_mib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024)
}

/// Milliseconds of processors that this process and those that it has started have used.
fn processors() -> Result<(u64, u64), Box<dyn Error>> {
    let own = std::process::id().to_string();
    let (mut stack, mut functions) = (0, 0);
    for process in fs::read_dir("/proc")? {
        let Ok(stat) = fs::read_to_string(process?.path().join("stat")) else { continue };
        // behind the name, which may have anything in it: state, parent, .., and the 12th and 13th are the times
        let Some((id, fields)) = stat.split_once(' ').zip(stat.rsplit_once(')')).map(|((id, _), (_, it))| (id, it))
        else {
            continue;
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [_, parent, ..] = fields.as_slice() else { continue };
        let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        if id == own {
            stack += ticks * TICK_MS;
        } else if *parent == own {
            functions += ticks * TICK_MS;
        }
    }
    Ok((stack, functions))
}

/// Of one processor, in percent.
fn share(milliseconds: u64) -> String {
    let percent = u128::from(milliseconds) * 100 / TIME.as_millis();
    format!("{percent} %")
}

#[expect(clippy::disallowed_methods, reason = "what is measured is time itself")]
fn now() -> Instant {
    Instant::now()
}
