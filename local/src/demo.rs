//! The demonstration: a deposit and a withdrawal, all the way, through the HTTP API.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::console::say;
use crate::ids::Ids;
use crate::stack::Stack;

/// How often a step looks for what another program does, and how long it waits in between: 20 s in all.
const LOOKS: u32 = 400;
const PAUSE: Duration = Duration::from_millis(50);

/// How the demonstration went.
pub struct Demonstration {
    /// Whether every step was as expected.
    pub passed: bool,
    /// The link to the payment window of its order.
    pub window: Option<String>,
}

/// Runs both flows and prints each step.
///
/// The stack needs the simulated provider: its control API stands for the user who pays.
pub async fn demonstrate(stack: &Stack) -> Demonstration {
    let demo = Demo { stack, ids: Ids::random() };
    say("\nA deposit");
    let mut window = None;
    let deposit = passed(&demo.deposit(&mut window).await);
    say("\nA withdrawal");
    let withdrawal = passed(&demo.withdrawal().await);
    let passed = deposit && withdrawal;
    say(if passed { "\nEvery step was as expected." } else { "\nNOT every step was as expected." });
    Demonstration { passed, window }
}

/// A step that went wrong; its flow ends there.
struct Unexpected {
    step: &'static str,
    expected: String,
    came: String,
}

fn passed(flow: &Result<(), Unexpected>) -> bool {
    if let Err(Unexpected { step, expected, came }) = flow {
        say(&format!("  FAIL  {step}\n          expected {expected}\n          came     {came}"));
    }
    flow.is_ok()
}

fn ok(step: &str, detail: impl std::fmt::Display) {
    say(&format!("  ok    {step:<54} {detail}"));
}

/// An HTTP answer.
struct Reply {
    status: u16,
    text: String,
    json: Value,
}

impl Reply {
    fn get(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn summary(&self) -> String {
        format!("{} {}", self.status, self.text)
    }
}

struct Demo<'a> {
    stack: &'a Stack,
    ids: Ids,
}

impl Demo<'_> {
    async fn deposit(&self, window: &mut Option<String>) -> Result<(), Unexpected> {
        let created = self.merchant(201, "the merchant creates an order", "/deposits", &self.new_order()).await?;
        ok("  the user is shown where to pay", created.get("/params/identifier"));
        ok("  or is sent to", created.get("/payment_window_url"));
        *window = Some(created.get("/payment_window_url").to_owned());

        let payment = json!({"transaction_id": self.ids.number, "amount": "500"});
        self.control("the user pays", "/payments", &payment).await?;

        let path = format!("/deposits/{}/activation", self.ids.order);
        let entered = json!({"key1": self.ids.number, "amount": 500});
        self.merchant(200, "the user enters the payment's number", &path, &entered).await?;

        let postback = self.postback("the provider's signed postback is answered ok", &self.ids.number).await?;
        self.credited_once("the payment and its order are credited, once").await?;

        let again = json!({"body": postback, "copies": 20, "parallel": 20});
        self.sent("20 copies of it at once are answered ok", &again, &json!({"200": 20})).await?;
        self.credited_once("  and it is still one credit").await?;

        let tampered = json!({"body": postback.replacen(&self.ids.number, &next(&self.ids.number), 1)});
        self.sent("with one signed byte changed it is rejected", &tampered, &json!({"401": 1})).await
    }

    async fn withdrawal(&self) -> Result<(), Unexpected> {
        let request = self.new_withdrawal(300);
        self.merchant(201, "the merchant asks for a withdrawal", "/withdrawals", &request).await?;

        let line = format!("withdrawal {}: signature accepted", self.ids.withdrawal);
        self.logged("the provider accepts our signature", &line).await?;

        let path = format!("/withdrawals/{}/settle", self.ids.withdrawal);
        self.control("the provider pays out", &path, &json!({"status": 1})).await?;
        self.postback("the provider's signed postback is answered ok", &self.ids.withdrawal).await?;
        self.state("the withdrawal is paid", &format!("withdrawal#{}", self.ids.withdrawal), "paid").await?;

        self.merchant(200, "the same request again changes nothing", "/withdrawals", &request).await?;
        let other = self.new_withdrawal(301);
        self.merchant(409, "the same id with another amount is an error", "/withdrawals", &other).await.map(drop)
    }

    fn new_order(&self) -> Value {
        json!({
            "custom_transaction_id": self.ids.order,
            "label": "user-1",
            "currency_code": "INR",
            "wallet_type": "paytm",
            "amount": 500,
            "lang": "en",
        })
    }

    fn new_withdrawal(&self, amount: u32) -> Value {
        json!({
            "withdrawal_id": self.ids.withdrawal,
            "label": "user-1",
            "amount": amount,
            "currency_code": "INR",
            "account_number": "1234560079",
        })
    }

    /// A call of the merchants' API.
    async fn merchant(&self, status: u16, step: &'static str, path: &str, body: &Value) -> Result<Reply, Unexpected> {
        let reply = self.post(&format!("{}{path}", self.stack.api_url()), body).await;
        let expected = reply.status == status;
        if !expected {
            return Err(Unexpected { step, expected: status.to_string(), came: reply.summary() });
        }
        let state = match reply.get("/state") {
            "" => reply.get("/code"),
            state => state,
        };
        ok(step, format_args!("{status} {state}"));
        Ok(reply)
    }

    /// A call of the simulated provider's control API.
    async fn control(&self, step: &'static str, path: &str, body: &Value) -> Result<Reply, Unexpected> {
        let reply = self.post(&self.control_url(path), body).await;
        if reply.status != 200 {
            return Err(Unexpected { step, expected: "200".into(), came: reply.summary() });
        }
        ok(step, "(at the simulator)");
        Ok(reply)
    }

    /// Waits until a postback that names the id has been answered ok, and gives its body.
    async fn postback(&self, step: &'static str, id: &str) -> Result<String, Unexpected> {
        let sent = self.wait(step, "a postback that is answered ok", async || {
            let all = self.get(&self.control_url("/postbacks")).await;
            let sent = all.json.as_array().into_iter().flatten().find_map(|sent| {
                let body = sent.get("body")?.as_str().filter(|body| body.contains(id))?;
                (sent.get("delivered")?.as_bool()?).then(|| (body.to_owned(), text(sent, "last_body")))
            });
            sent.ok_or(all.text)
        });
        let (body, answer) = sent.await?;
        ok(step, answer);
        Ok(body)
    }

    /// Lets the simulated provider send postbacks, and compares the answers' statuses.
    async fn sent(&self, step: &'static str, batch: &Value, statuses: &Value) -> Result<(), Unexpected> {
        let reply = self.post(&self.control_url("/postbacks"), batch).await;
        if reply.json.get("statuses") != Some(statuses) {
            return Err(Unexpected { step, expected: statuses.to_string(), came: reply.summary() });
        }
        ok(step, statuses);
        Ok(())
    }

    async fn logged(&self, step: &'static str, line: &str) -> Result<(), Unexpected> {
        let log = self.get(&self.control_url("/log")).await;
        if !log.json.as_array().is_some_and(|lines| lines.iter().any(|logged| logged == line)) {
            return Err(Unexpected { step, expected: format!("the log's line: {line}"), came: log.text });
        }
        ok(step, format_args!("its log: {line}"));
        Ok(())
    }

    async fn credited_once(&self, step: &'static str) -> Result<(), Unexpected> {
        let payment = format!("payment#paytm#{}", self.ids.number);
        let order = format!("deposit#{}", self.ids.order);
        let credits = self.wait(step, "both credited, by one credit", async || {
            let (payment, order) = (self.row(&payment).await, self.row(&order).await);
            let states = [state(&payment), state(&order)];
            let credits = order.pointer("/credited/L").and_then(Value::as_array).map(Vec::len);
            match (states, credits) {
                (["credited", "credited"], Some(1)) => Ok(1),
                other => Err(format!("{other:?}")),
            }
        });
        let credits = credits.await?;
        ok(step, format_args!("{payment}: {credits} credit"));
        Ok(())
    }

    async fn state(&self, step: &'static str, key: &str, expected: &'static str) -> Result<(), Unexpected> {
        self.wait(step, expected, async || {
            let row = self.row(key).await;
            if state(&row) == expected { Ok(()) } else { Err(row.to_string()) }
        })
        .await?;
        ok(step, format_args!("{key}: {expected}"));
        Ok(())
    }

    /// Looks until what is looked for is there, or the patience is over.
    async fn wait<T>(
        &self,
        step: &'static str,
        expected: &'static str,
        look: impl AsyncFn() -> Result<T, String>,
    ) -> Result<T, Unexpected> {
        let mut came = String::new();
        for _ in 0..LOOKS {
            match look().await {
                Ok(found) => return Ok(found),
                Err(other) => came = other,
            }
            sleep(PAUSE).await;
        }
        Err(Unexpected { step, expected: expected.into(), came })
    }

    async fn row(&self, key: &str) -> Value {
        self.stack.item(key).await.ok().flatten().unwrap_or_default()
    }

    fn control_url(&self, path: &str) -> String {
        format!("{}/_control{path}", self.stack.provider_url())
    }

    async fn get(&self, url: &str) -> Reply {
        reply(self.stack.http().get(url)).await
    }

    async fn post(&self, url: &str, body: &Value) -> Reply {
        let token = &self.stack.credentials().merchant_token;
        let request = self.stack.http().post(url).header("content-type", "application/json").bearer_auth(token);
        reply(request.body(body.to_string())).await
    }
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let exchange = async {
        let response = request.send().await?;
        Ok::<_, reqwest::Error>((response.status().as_u16(), response.text().await?))
    };
    let (status, text) = exchange.await.unwrap_or_else(|error| (0, error.without_url().to_string()));
    let json = serde_json::from_str(&text).unwrap_or_default();
    Reply { status, text, json }
}

fn state(row: &Value) -> &str {
    row.pointer("/state/S").and_then(Value::as_str).unwrap_or("no row")
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The number with another last digit.
fn next(number: &str) -> String {
    let last = if number.ends_with('0') { "1" } else { "0" };
    format!("{}{last}", number.get(..number.len().saturating_sub(1)).unwrap_or_default())
}
