//! Second taps, contested numbers and the ids of attempts, with the real programs.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::net::SocketAddr;
use std::time::Duration;

use local::{HostName, StackOptions};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::flows::operator::Tool;
use crate::flows::support::{Answer, Site, options, order, with};

/// A provider that requires unique ids, behind a door that can be shut: then no connection is made.
struct Provider {
    site: Site,
    door: Door,
}

/// Stands in front of the simulated provider.
struct Door {
    address: SocketAddr,
    open: Option<AbortHandle>,
}

impl Door {
    fn new() -> Self {
        let socket = Self::bound("127.0.0.1:0".parse().unwrap());
        Self { address: socket.local_addr().unwrap(), open: None }
    }

    fn bound(address: SocketAddr) -> TcpSocket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        socket
    }

    fn open(&mut self, provider: &str) {
        if self.open.is_some() {
            return;
        }
        let listener = Self::bound(self.address).listen(64).unwrap();
        let provider = provider.trim_start_matches("http://").to_owned();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let provider = provider.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(provider).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                });
            }
        });
        self.open = Some(task.abort_handle());
    }

    /// Nothing listens from now on, and no connection is left.
    async fn shut(&mut self) {
        let Some(task) = self.open.take() else { return };
        task.abort();
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Provider {
    async fn start() -> Self {
        let door = Door::new();
        let url = format!("http://{}", door.address);
        let environment = vec![("activate".into(), "PROVIDER_API_URL".into(), url)];
        // The door's port is not the provider's.
        let host = HostName::parse("127.0.0.1").ok();
        let site = Site::start_with(StackOptions { environment, host, ..options() }).await;
        // The money does not arrive, so that only the answers count.
        site.control("settings", &json!({"unique_ids": true, "send_postbacks": false})).await;
        let mut provider = Self { site, door };
        provider.door.open(provider.site.stack.provider_url());
        provider
    }

    /// An order of a user of its own, so that no label's limit is reached.
    async fn register(&self, id: &str) {
        let answer = register(&self.site, id, id).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// Enters a number, and has the provider answer so.
    async fn tap(&mut self, id: &str, number: &str, said: Said, has_effect: bool) -> Answer {
        if said == Said::NotSent {
            self.door.shut().await;
        } else {
            self.door.open(self.site.stack.provider_url());
            said.order(&self.site, number, has_effect, 0).await;
        }
        self.site.activate(id, number).await
    }
}

/// What the provider says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Ok,
    Pending,
    Possible,
    /// The answer is lost.
    Unknown,
    /// No connection is made.
    NotSent,
    NotFound,
    TooMany,
    Fail,
}

impl Said {
    const ALL: [Self; 8] = [
        Self::Ok,
        Self::Pending,
        Self::Possible,
        Self::Unknown,
        Self::NotSent,
        Self::NotFound,
        Self::TooMany,
        Self::Fail,
    ];

    /// Has the next call be answered so, later by `ms` where it has no effect. For `ok` the user has paid, and the provider
    /// requires no unique id.
    async fn order(self, site: &Site, number: &str, has_effect: bool, ms: u64) {
        site.control("settings", &json!({"unique_ids": self != Self::Ok})).await;
        let fault = match self {
            Self::Ok => return site.pay(number, "700").await,
            Self::Pending => json!({"fault": "echo", "status": "pending"}),
            Self::Possible => json!({"fault": "echo", "status": "possible_transaction_created"}),
            Self::Unknown => json!({"fault": "accepted_but_lost"}),
            Self::NotSent => return,
            Self::NotFound => json!({"fault": "status", "code": 404, "ms": ms}),
            Self::TooMany => json!({"fault": "status", "code": 429, "ms": ms}),
            Self::Fail => json!({"fault": "message_string", "message": "not found"}),
        };
        let processed = json!(has_effect && !self.is_refused());
        site.control("faults", &with(&with(&fault, "on", &json!("activate")), "processed", &processed)).await;
    }

    /// Whether the call surely has no effect.
    fn is_refused(self) -> bool {
        self.was_not_sent() || self == Self::Fail
    }

    fn was_not_sent(self) -> bool {
        matches!(self, Self::NotSent | Self::NotFound | Self::TooMany)
    }

    /// What the attempt is after this alone.
    fn outcome(self) -> &'static str {
        match self {
            Self::Ok => "activated",
            Self::Pending => "pending",
            Self::Possible => "possible",
            Self::Unknown => "started",
            Self::NotSent | Self::NotFound | Self::TooMany => "not_sent",
            Self::Fail => "failed",
        }
    }

    /// What an attempt that has come to something is after this.
    fn outcome_after(self, known: &'static str) -> &'static str {
        let is_answered = matches!(self, Self::Ok | Self::Pending | Self::Possible);
        if is_answered && known != "activated" { self.outcome() } else { known }
    }

    /// What the user is answered: status, and state or code.
    fn answer(self, outcome: &'static str) -> (u16, &'static str) {
        match outcome {
            "failed" => (422, "provider_rejected"),
            _ if self.was_not_sent() => (503, "try_again"),
            "started" => (202, "pending"),
            _ if self == Self::Unknown => (202, outcome),
            _ => (200, outcome),
        }
    }
}

fn is_end(outcome: &str) -> bool {
    matches!(outcome, "failed" | "not_sent")
}

fn seen(answer: &Answer) -> (u16, String) {
    let said = [&answer.body["state"], &answer.body["code"]].into_iter().find_map(Value::as_str);
    (answer.status, said.unwrap_or_default().to_owned())
}

fn expected((status, said): (u16, &str)) -> (u16, String) {
    (status, said.to_owned())
}

async fn register(site: &Site, id: &str, label: &str) -> Answer {
    site.post("/deposits", &with(&order(id), "label", &json!(label))).await
}

async fn enter(site: &Site, id: &str, number: &str, amount: u64) -> Answer {
    site.post(&format!("/deposits/{id}/activation"), &json!({"key1": number, "amount": amount})).await
}

fn payment(number: &str) -> String {
    format!("payment#paytm#{number}")
}

/// The order's last attempt: its outcome and its id.
async fn attempt(site: &Site, id: &str) -> (String, String) {
    let item = site.stack.item(&format!("deposit#{id}")).await.unwrap().unwrap();
    let attempt = item["attempts"]["L"].as_array().unwrap().last().unwrap()["M"].clone();
    let text = |name: &str| attempt[name]["S"].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("id"))
}

async fn attempts(site: &Site, id: &str) -> usize {
    let item = site.stack.item(&format!("deposit#{id}")).await.unwrap().unwrap();
    item["attempts"]["L"].as_array().map_or(0, Vec::len)
}

/// The labels that have entered a number, by the payment's row.
async fn entries(site: &Site, number: &str) -> usize {
    let item = site.stack.item(&payment(number)).await.unwrap().unwrap();
    item["entries"]["L"].as_array().map_or(0, Vec::len)
}

/// The orders of all events of a kind, once that of `last` is published.
async fn published(site: &Site, kind: &str, last: &str) -> Vec<String> {
    for _ in 0..400 {
        let events = site.stack.events();
        let events = events.iter().filter(|event| event["type"] == kind);
        let orders: Vec<_> =
            events.map(|it| it["data"]["custom_transaction_id"].as_str().unwrap().to_owned()).collect();
        if orders.iter().any(|order| order == last) {
            return orders;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no {kind} of {last}: {:#?}", site.logs());
}

/// Every answer twice, one tap after the other. The provider requires unique ids: a call after one that had an effect is
/// answered `fail`, because the id has been used.
#[tokio::test]
async fn a_second_tap_loses_nothing_whatever_the_provider_says() {
    let mut provider = Provider::start().await;
    let mut failures = Vec::new();
    let pairs = Said::ALL.iter().flat_map(|first| Said::ALL.map(|second| (*first, second)));
    for ((first, second), number) in pairs.zip(47_752_120_000_u64..) {
        let context = format!("{first:?}, then {second:?}");
        let id = format!("{first:?}-{second:?}");
        let number = number.to_string();
        provider.register(&id).await;
        let one = provider.tap(&id, &number, first, true).await;
        let outcome = first.outcome();
        assert_eq!(seen(&one), expected(first.answer(outcome)), "{context}: {one:?}");
        let base = format!("{id}.{number}");
        assert_eq!(attempt(&provider.site, &id).await, (outcome.into(), base.clone()), "{context}");
        let claim = if is_end(outcome) { "released" } else { "claimed" };
        assert_eq!(provider.site.state(&payment(&number)).await, claim, "{context}");
        failures.extend((first == Said::Fail).then(|| id.clone()));
        if first == Said::Ok {
            provider.door.shut().await;
            let again = provider.site.activate(&id, &number).await;
            assert_eq!(again.state(), (200, "activated"), "nobody is asked again: {again:?}");
            continue;
        }

        let two = provider.tap(&id, &number, second, true).await;
        let outcome = if first.is_refused() { second.outcome() } else { second.outcome_after(outcome) };
        assert_eq!(seen(&two), expected(second.answer(outcome)), "{context}: {two:?}");
        let (stored, sent_as) = attempt(&provider.site, &id).await;
        assert_eq!((stored.as_str(), sent_as == base), (outcome, first != Said::Fail), "{context}: {sent_as}");
        let claim = if is_end(outcome) { "released" } else { "claimed" };
        assert_eq!(provider.site.state(&payment(&number)).await, claim, "{context}");
        failures.extend((outcome == "failed").then(|| id.clone()));
    }
    provider.register("last").await;
    provider.tap("last", "47752999999", Said::Fail, false).await;
    let mut orders = published(&provider.site, "deposit.activation_failed", "last").await;
    failures.push("last".into());
    orders.sort();
    failures.sort();
    assert_eq!(orders, failures);
}

#[tokio::test]
async fn an_id_that_has_been_used_is_no_reason_to_give_the_number_up() {
    let provider = Provider::start().await;
    let site = &provider.site;
    for (id, number, fault, first) in [
        ("o1", "47752123501", None, (200, "pending")),
        ("o2", "47752123502", Some("hang"), (202, "pending")),
        ("o3", "47752123503", Some("reset_after"), (202, "pending")),
        ("o4", "47752123504", Some("accepted_but_lost"), (202, "pending")),
    ] {
        provider.register(id).await;
        if let Some(fault) = fault {
            site.fault("activate", fault, 1).await;
        }
        assert_eq!(site.activate(id, number).await.state(), first, "{fault:?}");
        let again = site.activate(id, number).await;
        assert_eq!(again.state(), (first.0, "pending"), "{fault:?}: {again:?}");
        assert!(!again.body.to_string().contains("already been used"), "{again:?}");
        provider.register(&format!("{id}-thief")).await;
        assert_eq!(site.activate(&format!("{id}-thief"), number).await.code(), "transaction_in_use", "{fault:?}");
    }
    for number in ["47752123501", "47752123502", "47752123503", "47752123504"] {
        assert_eq!(site.state(&payment(number)).await, "claimed");
    }
    provider.register("last").await;
    site.fault("activate", "message_string", 1).await;
    site.activate("last", "47752123505").await;
    assert_eq!(published(site, "deposit.activation_failed", "last").await, ["last"]);
    let log = site.ask("log").await.to_string();
    assert!(log.contains("already been used"), "the provider has refused the second calls: {log}");
}

#[tokio::test]
async fn a_sender_that_dies_leaves_a_call_that_may_have_arrived() {
    let provider = Provider::start().await;
    let site = &provider.site;
    let number = "47752123519";
    provider.register("o").await;
    site.fault("activate", "hang", 1).await;
    let killed = async {
        while !site.ask("log").await.to_string().contains("activate o.") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        site.stack.kill("activate").await;
    };
    let (died, ()) = tokio::join!(site.activate("o", number), killed);
    assert!(died.status >= 500, "{died:?}");
    assert_eq!((site.state(&payment(number)).await.as_str(), attempts(site, "o").await), ("claimed", 0));
    let again = site.activate("o", number).await;
    assert_eq!(again.state(), (202, "pending"), "{again:?}");
    assert!(
        site.ask("log").await.to_string().contains("already been used"),
        "the provider has refused the second call"
    );
    assert_eq!(attempt(site, "o").await, ("started".into(), format!("o.{number}")));
    assert_eq!(site.state(&payment(number)).await, "claimed");
    provider.register("last").await;
    site.fault("activate", "message_string", 1).await;
    site.activate("last", "47752123520").await;
    assert_eq!(published(site, "deposit.activation_failed", "last").await, ["last"]);
}

/// Two calls at a time: the first is answered late.
#[tokio::test]
async fn a_tap_that_is_answered_late_takes_nothing_from_the_one_beside_it() {
    const LATE: u64 = 700;
    let provider = Provider::start().await;
    let site = &provider.site;
    let cases = [
        // Late, at once; the answers, in this order; the attempt and the claim after both.
        (Said::TooMany, Some(Said::Pending), (503, "try_again"), (200, "pending"), "pending"),
        (Said::NotFound, Some(Said::Unknown), (503, "try_again"), (202, "pending"), "started"),
        (Said::TooMany, Some(Said::Ok), (503, "try_again"), (200, "activated"), "activated"),
        (Said::NotFound, Some(Said::Possible), (503, "try_again"), (200, "possible"), "possible"),
        (Said::TooMany, Some(Said::TooMany), (503, "try_again"), (503, "try_again"), "not_sent"),
        (Said::TooMany, Some(Said::Fail), (422, "provider_rejected"), (202, "pending"), "failed"),
        // The late call has its effect, and the one beside it is refused: the id has been used.
        (Said::Pending, None, (200, "pending"), (202, "pending"), "pending"),
    ];
    for (index, (late, at_once, late_answer, answer, outcome)) in cases.into_iter().enumerate() {
        let (id, number) = (format!("o{index}"), format!("4775212360{index}"));
        provider.register(&id).await;
        provider.register(&format!("p{index}")).await;
        if late == Said::Pending {
            site.control("settings", &json!({"unique_ids": true})).await;
            site.control("faults", &json!({"on": "activate", "fault": "slow_headers", "ms": LATE})).await;
        } else {
            late.order(site, &number, false, LATE).await;
        }
        if let Some(at_once) = at_once {
            at_once.order(site, &number, true, 0).await;
        }
        let second = async {
            while site.ask("log").await.to_string().matches("Activate: fault").count() == taken(index, &cases) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let second = site.activate(&id, &number).await;
            (second, site.activate(&format!("p{index}"), &number).await)
        };
        let (first, (second, other)) = tokio::join!(site.activate(&id, &number), second);
        let context = format!("{late:?} late, {at_once:?} beside it");
        assert_eq!(seen(&second), expected(answer), "{context}: {second:?}");
        assert_eq!(seen(&first), expected(late_answer), "{context}: {first:?}");
        assert_eq!(other.code(), "transaction_in_use", "while the late one is on its way: {context}");
        assert_eq!(attempt(site, &id).await.0, outcome, "{context}");
        let claim = if is_end(outcome) { "released" } else { "claimed" };
        assert_eq!(site.state(&payment(&number)).await, claim, "{context}");
    }
    assert_eq!(published(site, "deposit.activation_failed", "o5").await, ["o5"]);
}

/// How many faults the cases before this one have used. `ok` needs none.
fn taken<T>(index: usize, cases: &[(Said, Option<Said>, T, T, &str)]) -> usize {
    cases[..index].iter().map(|(_, at_once, ..)| 1 + usize::from(at_once.is_some_and(|it| it != Said::Ok))).sum()
}

#[tokio::test]
async fn a_contested_payment_is_held_and_a_person_credits_it_to_its_owner() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    for (id, label) in [("owner", "u"), ("squatter", "v"), ("nobody", "w")] {
        register(&site, id, label).await;
    }
    let window = |number: &str| json!({"transaction_id": number, "amount": "700", "custom_transaction_id": "squatter", "label": "v"});
    // The squatter enters the number first, and the provider signs its order.
    let first = "47752123519";
    assert_eq!(site.activate("squatter", first).await.status, 200);
    assert_eq!(site.activate("owner", first).await.code(), "transaction_in_use");
    site.pay(first, "700").await;
    // The owner enters it first, and the squatter takes it through the payment window.
    let second = "47752123520";
    assert_eq!(site.activate("owner", second).await.status, 200);
    site.control("payments", &window(second)).await;
    // The payment comes first and is unmatched; the owner enters its number, and the squatter registers its order.
    let third = "47752123521";
    let late = with(&with(&window(third), "custom_transaction_id", &json!("late")), "label", &json!("v"));
    site.control("payments", &late).await;
    site.until(&payment(third), "unmatched").await;
    assert_eq!(site.activate("owner", third).await.code(), "transaction_in_use");
    register(&site, "late", "v").await;

    for number in [first, second, third] {
        site.until(&payment(number), "quarantined").await;
        assert_eq!(site.attribute(&payment(number), "mismatch").await, "contested");
        let (status, said) = tool.resolve(&payment(number), "credited", &["--order", "nobody"]).await;
        assert_eq!(status, 3, "{said}");
        let (status, said) = tool.resolve(&payment(number), "credited", &["--order", "owner"]).await;
        assert_eq!(status, 0, "{said}");
        assert_eq!(site.state(&payment(number)).await, "credited");
    }
    assert_eq!(site.credits("owner").await, ["700", "700", "700"]);
    for id in ["squatter", "late", "nobody"] {
        assert!(site.credits(id).await.is_empty(), "{id}");
    }
    // Only the first number was entered by two labels. The provider's word alone is no entry.
    let contested = site.events("payment.contested", 1).await;
    assert_eq!(contested[0]["data"]["custom_transaction_ids"], json!(["squatter", "owner"]));
    site.events("deposit.credited", 3).await;
}

#[tokio::test]
async fn what_is_not_contested_with_the_signed_amount_is_credited_at_once() {
    let site = Site::start().await;
    for (id, label) in [("o", "u"), ("p", "u"), ("q", "v")] {
        register(&site, id, label).await;
    }
    // The same label twice.
    let same = "47752123519";
    assert_eq!(site.activate("o", same).await.status, 200);
    assert_eq!(site.activate("p", same).await.code(), "transaction_in_use");
    // Another amount.
    let other = "47752123520";
    assert_eq!(enter(&site, "o", other, 700).await.status, 200);
    assert_eq!(enter(&site, "q", other, 699).await.code(), "transaction_in_use");
    for number in [same, other] {
        site.pay(number, "700").await;
        site.until(&payment(number), "credited").await;
    }
    assert_eq!(site.credits("o").await, ["700", "700"]);
    // Contention after the credit.
    assert_eq!(site.activate("q", same).await.code(), "transaction_in_use");
    assert_eq!((entries(&site, same).await, site.state(&payment(same)).await), (2, "credited".into()));
    assert_eq!(site.activate("p", same).await.code(), "transaction_in_use");
    assert_eq!(site.activate("o", same).await.state(), (200, "activated"));

    site.events("deposit.credited", 2).await;
    let contested = site.events("payment.contested", 1).await;
    assert_eq!(contested[0]["data"]["transaction_id"], other, "it holds nothing, and is published");
    assert!(Tool::of(&site).run(&["list"]).await.1.matches("payment#").next().is_none());
}

#[tokio::test]
async fn a_number_that_a_person_took_away_is_credited_by_a_person_only() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    for (id, label) in [("owner", "u"), ("wrong", "v")] {
        register(&site, id, label).await;
    }
    let number = "47752123519";
    assert_eq!(enter(&site, "wrong", number, 1).await.status, 200);
    assert_eq!(enter(&site, "owner", number, 700).await.code(), "transaction_in_use");
    let (status, said) = tool.resolve(&payment(number), "rejected", &[]).await;
    assert_eq!(status, 0, "{said}");
    assert_eq!(site.state(&payment(number)).await, "released");
    assert_eq!(enter(&site, "owner", number, 700).await.state(), (200, "pending"));
    // The provider waits for the first order that asked.
    site.pay(number, "700").await;
    site.until(&payment(number), "quarantined").await;
    assert_eq!(site.attribute(&payment(number), "mismatch").await, "taken_away");
    assert!(site.credits("wrong").await.is_empty());
    let (status, said) = tool.resolve(&payment(number), "credited", &["--order", "owner"]).await;
    assert_eq!(status, 0, "{said}");
    assert_eq!(site.credits("owner").await, ["700"]);
    assert_eq!(site.activate("owner", number).await.state(), (200, "activated"));
    assert_eq!(site.activate("wrong", number).await.code(), "transaction_in_use");
}

#[tokio::test]
async fn a_label_enters_30_numbers_a_day_and_more_leave_no_trace() {
    let site = Site::start().await;
    register(&site, "o", "u").await;
    register(&site, "p", "u").await;
    register(&site, "q", "v").await;
    let number = |index: u64| (47_752_123_000 + index).to_string();
    let mut answers = Vec::new();
    for index in 0..40 {
        let order = if index % 2 == 0 { "o" } else { "p" };
        answers.push(site.activate(order, &number(index)).await);
    }
    assert!(answers[..30].iter().all(|it| it.state() == (200, "pending")), "{answers:?}");
    for refused in &answers[30..] {
        assert_eq!((refused.status, refused.code(), refused.field()), (429, "too_many_numbers", "key1"), "{refused:?}");
    }
    // The orders, the label's count and the payments of the first 30.
    assert_eq!(site.rows().await, 3 + 1 + 30);
    assert_eq!(site.state(&payment(&number(30))).await, "");
    assert_eq!(site.activate("p", &number(29)).await.state(), (200, "pending"), "a known number is not counted again");
    assert_eq!(site.activate("q", &number(30)).await.state(), (200, "pending"), "another label has its own limit");
}

#[tokio::test]
async fn parallel_taps_keep_the_limit_of_a_label() {
    let settings = [("NUMBERS_PER_DAY", "5")];
    let site = with_settings(&settings).await;
    register(&site, "o", "u").await;
    let taps = (47_752_123_000_u64..).take(12).map(|number| {
        let site = &site;
        async move { site.activate("o", &number.to_string()).await.status }
    });
    let mut statuses = futures_util::future::join_all(taps).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 5].as_slice(), &[429; 7]].concat());
    let unlimited = with_settings(&[("NUMBERS_PER_DAY", "0")]).await;
    register(&unlimited, "o", "u").await;
    for number in (47_752_123_000_u64..).take(35) {
        assert_eq!(unlimited.activate("o", &number.to_string()).await.status, 200);
    }
    assert_eq!(unlimited.rows().await, 1 + 35, "nothing is counted");
}

/// A number of another order is tapped several times.
#[tokio::test]
async fn the_same_number_tapped_again_is_one_number() {
    let site = with_settings(&[("NUMBERS_PER_DAY", "3")]).await;
    register(&site, "squatter", "v").await;
    register(&site, "owner", "u").await;
    site.activate("squatter", "47752123519").await;
    for _ in 0..4 {
        assert_eq!(site.activate("owner", "47752123519").await.code(), "transaction_in_use");
    }
}

async fn with_settings(settings: &[(&str, &str)]) -> Site {
    let of = |function: &str, (name, value): &(&str, &str)| (function.into(), (*name).into(), (*value).into());
    let functions = ["activate", "postback-receiver"];
    let environment = functions.iter().flat_map(|function| settings.iter().map(|it| of(function, it))).collect();
    Site::start_with(StackOptions { environment, ..options() }).await
}

#[tokio::test]
async fn an_order_is_found_behind_either_separator_and_in_a_bare_id() {
    for separator in [".", "-"] {
        let site = with_settings(&[("ATTEMPT_ID_SEPARATOR", separator)]).await;
        register(&site, "o-1", "u").await;
        // Of an activation.
        let number = "47752123519";
        site.pay(number, "700").await;
        assert_eq!(site.activate("o-1", number).await.state(), (200, "activated"));
        site.until(&payment(number), "credited").await;
        assert_eq!(attempt(&site, "o-1").await.1, format!("o-1{separator}{number}"));
        // Of an activation under a fresh id.
        let again = "47752123520";
        site.fault("activate", "message_string", 1).await;
        assert_eq!(site.activate("o-1", again).await.code(), "provider_rejected");
        site.pay(again, "701").await;
        assert_eq!(site.activate("o-1", again).await.state(), (200, "activated"));
        site.until(&payment(again), "credited").await;
        let fresh = attempt(&site, "o-1").await.1;
        assert_eq!((fresh.starts_with(&format!("o-1{separator}{again}{separator}")), fresh.len()), (true, 3 + 12 + 7));
        // Of the payment window, and of an id that was counted.
        for (number, signed) in [("47752123521", "o-1"), ("47752123522", "o-1.2")] {
            let paid =
                json!({"transaction_id": number, "amount": "702", "custom_transaction_id": signed, "label": "u"});
            site.control("payments", &paid).await;
            site.until(&payment(number), "credited").await;
        }
        assert_eq!(site.credits("o-1").await, ["700", "701", "702", "702"], "{separator}");
    }
}

#[tokio::test]
async fn numbers_of_190_characters_are_credited() {
    for separator in [".", "-"] {
        let site = with_settings(&[("ATTEMPT_ID_SEPARATOR", separator)]).await;
        let id = "o".repeat(150);
        for (wallet, number) in [("upi_l", "7".repeat(190)), ("phone_pe", "a@b/".repeat(47) + ".x")] {
            let id = format!("{wallet}{}", &id[wallet.len()..]);
            assert_eq!(site.post("/deposits", &with(&order(&id), "wallet_type", &json!(wallet))).await.status, 201);
            site.control("payments", &json!({"transaction_id": number, "amount": "700", "wallet_type": wallet})).await;
            let activated = site.activate(&id, &number).await;
            assert_eq!(activated.state(), (200, "activated"), "{separator}: {activated:?}");
            site.until(&format!("payment#{wallet}#{number}"), "credited").await;
            assert_eq!(site.credits(&id).await, ["700"]);
            assert_eq!(attempt(&site, &id).await.1.len(), 150 + 1 + 32);
        }
    }
}
