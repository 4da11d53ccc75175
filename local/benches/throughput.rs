//! How much the local stack does: orders that are registered and credited, 1 to 64 at a time.
//!
//!     cargo bench -p local --bench throughput        after the functions were built by the benchmark `functions`
//!
//! It needs Linux: it reads processor times from `/proc`.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a benchmark")]

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use local::{Stack, StackOptions, say};
use paykassma::{PostbackBody, UnsignedFields, WrittenAmount, WrittenMoney, deposit_element, write_list};
use reqwest::Client;
use secrecy::SecretString;
use serde_json::json;
use signing::Spelling;
use tokio::task::JoinSet;

/// How long each number of orders at a time is kept up.
const TIME: Duration = Duration::from_secs(5);

/// A unit of the processor times in `/proc`.
const TICK_MS: u64 = 10;

struct Merchant {
    stack: Stack,
    http: Client,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let stack =
        Stack::start(StackOptions { build: false, log_level: "error".into(), ..StackOptions::default() }).await?;
    let http = Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(30)).build()?;
    let merchant = Arc::new(Merchant { stack, http });
    say("parallel  requests/s   p50 us   p99 us   processors: stack  functions");
    for parallel in [1, 2, 4, 8, 16, 32, 64] {
        // processes are started and make their connections
        work(&merchant, parallel, Duration::from_secs(2)).await?;
        let before = processors()?;
        let mut times = work(&merchant, parallel, TIME).await?;
        let used = processors()?;
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default().as_micros();
        let per_second = times.len() / usize::try_from(TIME.as_secs())?;
        let [stack, functions] = [used.0 - before.0, used.1 - before.1].map(share);
        say(&format!("{parallel:>8} {per_second:>11} {:>8} {:>8} {stack:>18} {functions:>10}", at(50), at(99)));
    }
    Ok(())
}

/// Registers and credits orders until the time is over, and gives how long each request took.
async fn work(merchant: &Arc<Merchant>, parallel: usize, time: Duration) -> Result<Vec<Duration>, Box<dyn Error>> {
    let end = now() + time;
    let mut workers = JoinSet::new();
    for _ in 0..parallel {
        let merchant = Arc::clone(merchant);
        workers.spawn(async move {
            let mut times = Vec::new();
            while now() < end {
                let order = fastrand::u64(..).to_string();
                times.push(merchant.register(&order).await?);
                times.push(merchant.credit(&order).await?);
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
    async fn register(&self, order: &str) -> Result<Duration, String> {
        let body = json!({"custom_transaction_id": order, "label": "631317234", "currency_code": "INR"});
        self.post(format!("{}/deposits", self.stack.api_url()), body.to_string()).await
    }

    async fn credit(&self, order: &str) -> Result<Duration, String> {
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

    async fn post(&self, url: String, body: String) -> Result<Duration, String> {
        let token = format!("Bearer {}", self.stack.credentials().merchant_token);
        let request = self.http.post(url).header("authorization", token).body(body);
        let started = now();
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        let said = answer.text().await.map_err(|error| error.without_url().to_string())?;
        if status.is_success() { Ok(started.elapsed()) } else { Err(format!("{status}: {said}")) }
    }
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
