//! A running local stack, a merchant who calls it, and the provider's control API.

use std::collections::BTreeMap;
use std::time::Duration;

use local::{Stack, StackOptions, function_names};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::form_urlencoded::Serializer;

/// How long anything may take that is only a matter of time.
const PATIENCE: Duration = Duration::from_secs(40);
const POLLS: u32 = 400;
const BETWEEN_POLLS: Duration = Duration::from_millis(100);

/// What an HTTP call answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: bool,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn field(&self) -> &str {
        self.body["field"].as_str().unwrap_or_default()
    }

    pub(crate) fn state(&self) -> (u16, &str) {
        (self.status, self.body["state"].as_str().unwrap_or_default())
    }
}

/// A stack of this test's own.
pub(crate) struct Site {
    pub(crate) stack: Stack,
    http: reqwest::Client,
}

/// Options for tests: the binaries are built once, and and all waits are short.
pub(crate) fn options() -> StackOptions {
    StackOptions {
        build: false,
        postback_repeat_after: Duration::from_millis(200),
        provider_timeout_ms: 1_500,
        submission_delay_seconds: 2,
        visibility_timeout_seconds: 3,
        set_aside_retry_seconds: 1,
        first_retry_seconds: 1,
        ..StackOptions::default()
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::start_with(options()).await
    }

    pub(crate) async fn start_with(options: StackOptions) -> Self {
        static BUILT: OnceCell<()> = OnceCell::const_new();
        BUILT
            .get_or_init(|| async { local::build(function_names().chain(["operator", "simulator"])).await.unwrap() })
            .await;
        let stack = Stack::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().unwrap();
        Self { stack, http }
    }

    /// Calls the API that has this path.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string().into()).await
    }

    /// Calls the API that has this path with any bytes.
    pub(crate) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Answer {
        let is_postback = path.starts_with("/postbacks/");
        let api = if is_postback { self.stack.postback_api_url() } else { self.stack.api_url() };
        self.send(&format!("{api}{path}"), body).await
    }

    /// Calls the public postback URL.
    pub(crate) async fn postback(&self, body: Vec<u8>) -> Answer {
        self.send(&self.stack.postback_url(), body).await
    }

    /// Calls the control API of the provider's simulator.
    pub(crate) async fn control(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/_control/{path}", self.stack.provider_url());
        let answer = self.send(&url, body.to_string().into()).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// Asks the provider's simulator.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let url = format!("{}/_control/{path}", self.stack.provider_url());
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Asks the merchant's API.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(self.http.get(format!("{}{path}", self.stack.api_url()))).await
    }

    /// Sends a form to the provider's simulator, and gives the page that it leads to.
    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.stack.provider_url())).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Opens a page of the provider's simulator.
    pub(crate) async fn open(&self, url: &str) -> String {
        self.http.get(url).send().await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    async fn send(&self, url: &str, body: Vec<u8>) -> Answer {
        self.call(self.http.post(url).header("content-type", "application/json").body(body)).await
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Answer {
        let token = format!("Bearer {}", self.stack.credentials().merchant_token);
        let response = request.header("authorization", token).send().await.unwrap();
        let status = response.status().as_u16();
        let retry_after = response.headers().contains_key("retry-after");
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, body, retry_after }
    }

    /// A row's attribute as text: the value of `S` or `N`, else the whole. Empty if there is none.
    pub(crate) async fn attribute(&self, key: &str, name: &str) -> String {
        let item = self.stack.item(key).await.unwrap().unwrap_or_default();
        text(&item[name])
    }

    pub(crate) async fn state(&self, key: &str) -> String {
        self.attribute(key, "state").await
    }

    /// The amounts that were credited to an order.
    pub(crate) async fn credits(&self, order: &str) -> Vec<String> {
        credits(&self.stack.item(&format!("deposit#{order}")).await.unwrap().unwrap_or_default())
    }

    /// Waits until a row is in a state.
    pub(crate) async fn until(&self, key: &str, state: &str) {
        let mut seen = String::new();
        for _ in 0..POLLS {
            seen = self.state(key).await;
            if seen == state {
                return;
            }
            tokio::time::sleep(BETWEEN_POLLS).await;
        }
        panic!("{key} is {seen:?} and not {state:?}; logs: {:#?}", self.logs());
    }

    /// How many rows there are, beside the one that says which table it is.
    pub(crate) async fn rows(&self) -> u64 {
        let others = json!({"Select": "COUNT", "FilterExpression": "transaction_id <> :table",
            "ExpressionAttributeValues": {":table": {"S": "table#"}}});
        let pages = self.scan(others).await;
        pages.iter().map(|page| page["Count"].as_u64().unwrap()).sum()
    }

    /// All pages of a scan.
    pub(crate) async fn scan(&self, mut scan: Value) -> Vec<Value> {
        scan["TableName"] = self.stack.table_name().into();
        let mut pages = Vec::new();
        loop {
            let mut page = self.stack.dynamodb("Scan", &scan).await.unwrap();
            let last = page["LastEvaluatedKey"].take();
            pages.push(page);
            if last.is_null() {
                return pages;
            }
            scan["ExclusiveStartKey"] = last;
        }
    }

    /// All rows by their keys.
    pub(crate) async fn table(&self) -> BTreeMap<String, Value> {
        let mut pages = self.scan(json!({"ConsistentRead": true})).await;
        let rows = pages.iter_mut().flat_map(|page| page["Items"].as_array_mut().unwrap()).map(Value::take);
        rows.map(|row| (row["transaction_id"]["S"].as_str().unwrap().to_owned(), row)).collect()
    }

    /// The keys that begin so.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        self.table().await.into_keys().filter(|key| key.starts_with(prefix)).collect()
    }

    /// A row that there is.
    pub(crate) async fn row(&self, key: &str) -> Value {
        self.stack.item(key).await.unwrap().unwrap_or_else(|| panic!("there is no {key}"))
    }

    /// Writes a row past the functions.
    pub(crate) async fn put(&self, row: &Value) {
        let put = json!({"TableName": self.stack.table_name(), "Item": row});
        self.stack.dynamodb("PutItem", &put).await.unwrap();
    }

    /// Everything that any function has printed.
    pub(crate) fn logs(&self) -> Vec<String> {
        function_names().flat_map(|function| self.stack.logs(function)).collect()
    }

    /// Waits until so many events of a kind were published, and gives them.
    pub(crate) async fn events(&self, kind: &str, count: usize) -> Vec<Value> {
        let mut seen = Vec::new();
        for _ in 0..POLLS {
            seen = self.stack.events();
            seen.retain(|event| event["type"] == kind);
            if seen.len() >= count {
                break;
            }
            tokio::time::sleep(BETWEEN_POLLS).await;
        }
        assert_eq!(seen.len(), count, "{kind}: {seen:#?}; logs: {:#?}", self.logs());
        seen
    }

    /// Registers an order.
    pub(crate) async fn order(&self, id: &str) -> Answer {
        self.post("/deposits", &order(id)).await
    }

    /// Has a user pay, without saying for which order.
    pub(crate) async fn pay(&self, number: &str, amount: &str) {
        self.control("payments", &json!({"transaction_id": number, "amount": amount})).await;
    }

    /// Enters a number for an order.
    pub(crate) async fn activate(&self, id: &str, number: &str) -> Answer {
        self.post(&format!("/deposits/{id}/activation"), &json!({"key1": number, "amount": 700})).await
    }

    /// Asks for a withdrawal.
    pub(crate) async fn withdraw(&self, id: &str) -> Answer {
        self.post("/withdrawals", &withdrawal(id)).await
    }

    /// Has the next calls of a kind go wrong.
    pub(crate) async fn fault(&self, on: &str, fault: &str, times: u32) {
        self.control("faults", &json!({"on": on, "fault": fault, "times": times})).await;
    }

    /// Has the provider report the end of a withdrawal.
    pub(crate) async fn settle(&self, id: &str, status: i64) {
        self.control(&format!("withdrawals/{id}/settle"), &json!({"status": status})).await;
    }
}

/// The amounts that an order's row says were credited.
pub(crate) fn credits(row: &Value) -> Vec<String> {
    let credited = row["credited"]["L"].as_array().cloned().unwrap_or_default();
    credited.iter().map(|credit| text(&credit["M"]["amount"])).collect()
}

fn text(attribute: &Value) -> String {
    match (&attribute["S"], &attribute["N"]) {
        (Value::String(text), _) | (_, Value::String(text)) => text.clone(),
        (Value::Null, Value::Null) if attribute.is_null() => String::new(),
        _ => attribute.to_string(),
    }
}

pub(crate) fn order(id: &str) -> Value {
    json!({"custom_transaction_id": id, "label": "631317234", "currency_code": "INR", "wallet_type": "paytm", "amount": 700})
}

pub(crate) fn withdrawal(id: &str) -> Value {
    json!({"withdrawal_id": id, "label": "160496026", "amount": 1000, "currency_code": "INR", "account_number": "1234560079"})
}

/// The same object with one field changed, or taken away by null.
pub(crate) fn with(body: &Value, field: &str, value: &Value) -> Value {
    let mut body = body.clone();
    body[field] = value.clone();
    body
}
