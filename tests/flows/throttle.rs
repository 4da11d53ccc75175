//! A `DynamoDB` for postback-receiver alone that allows so many write units per second, and counts what is used: in front of
//! the local stack's. What the index and the stream cost is not counted.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
#![expect(clippy::disallowed_methods, reason = "the limit is per second of a real clock")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::calls::{UNIT, row_bytes};
use crate::flows::postbacks::postback;
use crate::flows::support::{Site, options};
use crate::flows::upstream::{Upstream, cancel, refuse, serve};

/// What `DynamoDB` counts as one unit of reading.
const READ_UNIT: usize = 4096;
/// The bucket counts in millionths of a unit: a limit of one unit per second gives one of them per microsecond.
const MICRO: i128 = 1_000_000;

/// What was used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    /// Calls by operation, with those that were refused.
    pub(crate) calls: BTreeMap<String, usize>,
    pub(crate) refused: usize,
    pub(crate) read_units: usize,
    pub(crate) write_units: usize,
    /// The bytes of all rows that were written.
    pub(crate) bytes: usize,
    /// How often each row was written. A write whose condition failed does not count.
    pub(crate) writes: BTreeMap<String, usize>,
}

/// The units that are left. As in `DynamoDB`, a call passes while there is something left, even if it takes more than that.
#[derive(Debug)]
struct Bucket {
    /// `None`: there is no limit.
    per_second: Option<u32>,
    most: i128,
    left: i128,
    filled_at: Instant,
}

impl Bucket {
    /// A bucket that holds one second's worth at most, and has it.
    fn full(per_second: Option<u32>, now: Instant) -> Self {
        let most = i128::from(per_second.unwrap_or_default()) * MICRO;
        Self { per_second, most, left: most, filled_at: now }
    }

    /// A bucket with so many units that is never filled again.
    fn only(units: u32, now: Instant) -> Self {
        Self { per_second: Some(0), ..Self::full(Some(units), now) }
    }

    /// `false` when it is empty.
    fn take(&mut self, units: usize, now: Instant) -> bool {
        let Some(per_second) = self.per_second.map(i128::from) else { return true };
        let since = i128::try_from(now.duration_since(self.filled_at).as_micros()).unwrap();
        self.filled_at = now;
        self.left = (self.left + since * per_second).min(self.most);
        let passes = self.left > 0;
        if passes {
            self.left -= i128::try_from(units).unwrap() * MICRO;
        }
        passes
    }
}

/// The server in front.
pub(crate) struct Throttle {
    upstream: Upstream,
    url: OnceLock<String>,
    bucket: Mutex<Bucket>,
    used: Mutex<Used>,
}

impl Throttle {
    /// Starts a stack whose postback-receiver has this many write units per second; `None`: there is no limit.
    pub(crate) async fn in_front_of(options: StackOptions, per_second: Option<u32>) -> (Site, Arc<Self>) {
        let throttle = Arc::new(Self {
            upstream: Upstream::default(),
            url: OnceLock::new(),
            bucket: Mutex::new(Bucket::full(per_second, Instant::now())),
            used: Mutex::default(),
        });
        let url = serve(Router::new().fallback(answer).with_state(Arc::clone(&throttle))).await;
        throttle.url.set(url.clone()).unwrap();
        let mut environment = options.environment;
        environment.push(("postback-receiver".into(), "AWS_ENDPOINT_URL_DYNAMODB".into(), url));
        let site = Site::start_with(StackOptions { environment, ..options }).await;
        throttle.upstream.set(site.stack.dynamodb_url());
        (site, throttle)
    }

    /// Where the receiver finds it.
    pub(crate) fn url(&self) -> &str {
        self.url.get().unwrap()
    }

    /// Changes the limit from now on. The bucket is full.
    pub(crate) fn limit(&self, per_second: Option<u32>) {
        *self.bucket.lock().unwrap() = Bucket::full(per_second, Instant::now());
    }

    /// Allows only so many more units.
    pub(crate) fn limit_to(&self, units: u32) {
        *self.bucket.lock().unwrap() = Bucket::only(units, Instant::now());
    }

    /// What was used since this was last asked.
    pub(crate) fn taken(&self) -> Used {
        std::mem::take(&mut self.used.lock().unwrap())
    }

    fn take(&self, units: usize) -> bool {
        let passes = self.bucket.lock().unwrap().take(units, Instant::now());
        let mut used = self.used.lock().unwrap();
        if passes {
            used.write_units += units;
        } else {
            used.refused += 1;
        }
        passes
    }

    /// The bytes of these rows now. They are read with the headers of the call that wrote them.
    async fn bytes(&self, mut headers: HeaderMap, table: &str, keys: &[&str]) -> BTreeMap<String, usize> {
        if keys.is_empty() {
            return BTreeMap::new();
        }
        headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.BatchGetItem"));
        let keys: Vec<_> = keys.iter().map(|key| json!({"transaction_id": {"S": key}})).collect();
        let get = json!({"RequestItems": {table: {"Keys": keys, "ConsistentRead": true}}});
        let (_, _, answer) = self.upstream.forward(headers, get.to_string().into()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let rows = answer["Responses"][table].as_array().unwrap().iter();
        rows.map(|row| (row["transaction_id"]["S"].as_str().unwrap().to_owned(), row_bytes(row))).collect()
    }

    /// Counts a row that was written, and takes what it costs beyond the units that were taken before.
    fn count(&self, key: &str, bytes: usize, further_units: usize) {
        // A call that has passed is not undone: it leaves the bucket less than empty.
        let mut bucket = self.bucket.lock().unwrap();
        bucket.left -= i128::try_from(further_units).unwrap() * MICRO;
        let mut used = self.used.lock().unwrap();
        used.write_units += further_units;
        used.bytes += bytes;
        *used.writes.entry(key.to_owned()).or_default() += 1;
    }
}

/// A row that a call names.
struct Named {
    table: String,
    key: String,
    /// Its bytes, if the call has all of it.
    bytes: Option<usize>,
    is_write: bool,
}

impl Named {
    fn of(kind: &str, asked: &Value) -> Self {
        let item = &asked["Item"];
        let key = if item.is_null() { &asked["Key"] } else { item };
        Self {
            table: asked["TableName"].as_str().unwrap().to_owned(),
            key: key["transaction_id"]["S"].as_str().unwrap().to_owned(),
            bytes: (!item.is_null()).then(|| row_bytes(item)),
            is_write: kind != "ConditionCheck",
        }
    }

    /// The rows that a call writes; none if it only reads.
    fn all(operation: &str, asked: &Value) -> Vec<Self> {
        match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => vec![Self::of(operation, asked)],
            "TransactWriteItems" => {
                let items = asked["TransactItems"].as_array().unwrap().iter();
                items.flat_map(|item| item.as_object().unwrap()).map(|(kind, asked)| Self::of(kind, asked)).collect()
            }
            "GetItem" | "BatchGetItem" | "Query" => Vec::new(),
            other => panic!("{other} is not metered"),
        }
    }

    fn units(&self) -> usize {
        units(self.bytes.unwrap_or_default())
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT).max(1)
}

/// What consistent reads cost: every key that was asked for, and what is beyond the first unit of those found.
fn read_units(asked: &Value, answer: &Value) -> usize {
    let batches = asked["RequestItems"].as_object().into_iter().flatten();
    let keys: usize = batches.map(|(_, batch)| batch["Keys"].as_array().unwrap().len()).sum();
    let of_batch = answer["Responses"].as_object().into_iter().flatten();
    let of_batch = of_batch.flat_map(|(_, rows)| rows.as_array().unwrap());
    let of_query = answer["Items"].as_array().into_iter().flatten();
    let found = of_batch.chain(of_query).chain(answer.get("Item"));
    let further: usize = found.map(|row| row_bytes(row).div_ceil(READ_UNIT).saturating_sub(1)).sum();
    keys.max(1) + further
}

async fn answer(State(throttle): State<Arc<Throttle>>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = headers["x-amz-target"].to_str().unwrap().split('.').nth(1).unwrap().to_owned();
    *throttle.used.lock().unwrap().calls.entry(operation.clone()).or_default() += 1;
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let rows = Named::all(&operation, &asked);
    let is_transaction = operation == "TransactWriteItems";
    let times = if is_transaction { 2 } else { 1 };
    let estimate = rows.iter().map(Named::units).sum::<usize>() * times;
    if !rows.is_empty() && !throttle.take(estimate) {
        return if is_transaction {
            cancel(&body, "ThrottlingError")
        } else {
            refuse("ProvisionedThroughputExceededException")
        };
    }
    let (status, answered, answer) = throttle.upstream.forward(headers.clone(), body).await;
    if rows.is_empty() {
        let found = serde_json::from_slice(&answer).unwrap();
        throttle.used.lock().unwrap().read_units += read_units(&asked, &found);
    } else if status.is_success() {
        let updated: Vec<_> = rows.iter().filter(|row| row.bytes.is_none()).map(|row| row.key.as_str()).collect();
        let stored = throttle.bytes(headers, &rows[0].table, &updated).await;
        for row in rows.iter().filter(|row| row.is_write) {
            let bytes = row.bytes.or(stored.get(&row.key).copied()).unwrap_or_default();
            throttle.count(&row.key, bytes, (units(bytes) - row.units()) * times);
        }
    }
    (status, answered, answer).into_response()
}

#[test]
fn a_bucket_gives_what_its_limit_allows() {
    let start = Instant::now();
    let mut bucket = Bucket::full(Some(10), start);
    assert!(bucket.take(4, start) && bucket.take(16, start), "there is something left");
    assert!(!bucket.take(1, start) && !bucket.take(1, start + Duration::from_secs(1)), "10 too many were taken");
    assert!(bucket.take(1, start + Duration::from_millis(1_001)));
    assert!(bucket.take(10, start + Duration::from_mins(1)) && !bucket.take(1, start + Duration::from_mins(1)));
    assert!(!Bucket::full(Some(0), start).take(1, start + Duration::from_mins(1)));
    let mut last = Bucket::only(1, start);
    assert!(last.take(1, start) && !last.take(1, start + Duration::from_mins(1)));
    assert!(Bucket::full(None, start).take(1_000_000, start));
}

#[tokio::test]
async fn a_throttled_postback_is_answered_503_and_leaves_no_trace_until_it_is_sent_again() {
    let (site, table) = Throttle::in_front_of(options(), Some(0)).await;
    site.order("o1").await;
    // The first function of a new table to start writes which table it is: here, one that is not throttled.
    site.withdraw("w1").await;
    let credited = ("47752123519", "o1", "700", "TransactWriteItems", "payment#paytm#47752123519");
    let unreadable = ("47752123520", "o1", "not an amount", "PutItem", "unreadable#");
    for (number, order, amount, operation, key) in [credited, unreadable] {
        let body = postback(&site, &[(number, order, amount)]).to_string();
        table.limit(Some(0));
        let answer = site.postback(body.clone().into()).await;
        assert_eq!((answer.status, answer.code()), (503, "try_again"));
        let used = table.taken();
        assert_eq!((used.write_units, used.bytes, used.writes.len()), (0, 0, 0));
        assert!(used.refused > 0 && used.calls[operation] == used.refused, "{used:?}");
        table.limit(None);
        assert_eq!(site.postback(body.into()).await.status, 200);
        let used = table.taken();
        assert_eq!((used.refused, used.calls[operation]), (0, 1), "{used:?}");
        assert!(used.writes.iter().any(|(written, times)| written.starts_with(key) && *times == 1), "{used:?}");
        let mut bytes = 0;
        for written in used.writes.keys() {
            bytes += row_bytes(&site.stack.item(written).await.unwrap().unwrap());
        }
        // Each row is below 1 KB. In a transaction it costs two units.
        let units = used.writes.len() * if operation == "PutItem" { 1 } else { 2 };
        assert_eq!((used.bytes, used.write_units), (bytes, units), "{used:?}");
    }
    assert_eq!(site.credits("o1").await, ["700"]);
}
