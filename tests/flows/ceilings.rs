//! The ceiling on outgoing money and the switch, with the real binaries.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::injector::Injector;
use crate::flows::operator::Tool;
use crate::flows::support::{Answer, Site, options, with, withdrawal};

/// A stack with a day that does not end while a test runs.
async fn start(options: StackOptions) -> Site {
    #[expect(clippy::disallowed_methods, reason = "the functions have a real clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let left_s = 86_400 - now % 86_400;
    if left_s < 120 {
        tokio::time::sleep(std::time::Duration::from_secs(left_s)).await;
    }
    Site::start_with(options).await
}

fn ceilings(per_hour: &str, per_day: &str) -> StackOptions {
    StackOptions {
        withdrawal_ceiling_per_hour: per_hour.into(),
        withdrawal_ceiling_per_day: per_day.into(),
        ..options()
    }
}

fn of_amount(id: &str, amount: u64) -> Value {
    with(&withdrawal(id), "amount", &json!(amount))
}

fn is_limit_reached(answer: &Answer) -> bool {
    (answer.status, answer.code(), answer.field()) == (422, "limit_reached", "amount")
}

/// The sum of the day.
async fn reserved(site: &Site) -> u64 {
    let rows = site.table().await.into_iter().filter(|(key, _)| key.starts_with("ceiling#paytm#"));
    rows.map(|(_, row)| row["reserved"]["N"].as_str().unwrap().parse::<u64>().unwrap()).sum()
}

async fn journalled(site: &Site) -> usize {
    site.keys("withdrawal#").await.len()
}

#[tokio::test]
async fn of_withdrawals_at_once_exactly_those_that_fit_are_made() {
    for (per_hour, per_day) in [("none", "12000"), ("999999", r#"{"paytm":"12000"}"#)] {
        let site = start(ceilings(per_hour, per_day)).await;
        let ids: Vec<_> = (0..24).map(|number| format!("w{number}")).collect();
        let answers = futures_util::future::join_all(ids.iter().map(|id| site.withdraw(id))).await;
        let made = answers.iter().filter(|it| it.state() == (201, "submitted")).count();
        let refused = answers.iter().filter(|it| is_limit_reached(it)).count();
        assert_eq!((made, refused), (12, 12), "{answers:#?}");
        assert_eq!((journalled(&site).await, reserved(&site).await), (12, 12_000));
        let log = site.stack.logs("create-withdrawal");
        let counted = log.iter().filter(|line| line.contains(r#""event":"withdrawal.limit_reached""#)).count();
        assert_eq!(counted, 12);
        for (id, first) in ids.iter().zip(&answers) {
            let again = site.withdraw(id).await;
            let is_same = if is_limit_reached(first) { is_limit_reached(&again) } else { again.status == 200 };
            assert!(is_same, "{id}: {first:?}, then {again:?}");
        }
        let heard = site.stack.simulator().unwrap().log();
        assert_eq!(heard.iter().filter(|line| line.contains("signature accepted")).count(), 12, "{heard:#?}");
    }
}

#[tokio::test]
async fn an_id_is_reserved_once_and_answered_as_ever_when_the_ceiling_is_reached() {
    let site = start(ceilings("none", "2500")).await;
    assert_eq!(site.withdraw("w1").await.state(), (201, "submitted"));
    for _ in 0..3 {
        assert_eq!(site.withdraw("w1").await.state(), (200, "submitted"));
        let other = site.post("/withdrawals", &of_amount("w1", 1_001)).await;
        assert_eq!((other.status, other.code()), (409, "id_taken"));
        assert_eq!(reserved(&site).await, 1_000, "what was not made is given back");
    }
    let foreign = json!({"withdrawal_id": "by-hand", "withdrawal_status": 1, "amount": "1000", "label": "160496026",
        "direction": "outgoing"});
    site.control("postbacks", &foreign).await;
    assert_eq!(site.withdraw("by-hand").await.code(), "id_taken");
    assert_eq!(reserved(&site).await, 1_000);

    site.fault("withdrawal", "accepted_but_lost", 1).await;
    assert_eq!(site.post("/withdrawals", &of_amount("w2", 1_500)).await.state(), (202, "pending"));
    assert!(is_limit_reached(&site.post("/withdrawals", &of_amount("w3", 1)).await));
    assert_eq!(site.withdraw("w1").await.state(), (200, "submitted"));
    assert_eq!(site.post("/withdrawals", &of_amount("w2", 1_500)).await.state(), (202, "pending"));
    for (id, amount) in [("w1", 1), ("w2", 2_501), ("by-hand", 1_000)] {
        assert_eq!(site.post("/withdrawals", &of_amount(id, amount)).await.code(), "id_taken", "{id} {amount}");
    }
    assert!(
        is_limit_reached(&site.post("/withdrawals", &of_amount("w3", 2_501)).await),
        "it alone is above the ceiling"
    );
    assert_eq!((reserved(&site).await, journalled(&site).await), (2_500, 3));
    let said = Tool::of(&site).run(&["audit", "--strict"]).await;
    assert_eq!(said.0, 0, "{}", said.1);
    let key = site.keys("ceiling#").await.remove(0);
    let (status, shown) = Tool::of(&site).run(&["show", &key]).await;
    assert!(status == 0 && shown.contains("was reserved to be sent out on that day"), "{shown}");
}

#[tokio::test]
async fn a_withdrawal_that_is_rejected_or_fails_gives_nothing_back() {
    let site = start(ceilings("none", "2000")).await;
    site.control("settings", &json!({"balance": 999})).await;
    assert_eq!(site.withdraw("w1").await.code(), "provider_rejected");
    site.control("settings", &json!({"balance": 100_000})).await;
    assert_eq!(site.withdraw("w2").await.state(), (201, "submitted"));
    site.settle("w2", 5).await;
    site.until("withdrawal#w2", "failed").await;
    assert!(is_limit_reached(&site.withdraw("w3").await));
    assert_eq!(reserved(&site).await, 2_000);
}

#[tokio::test]
async fn without_a_ceiling_nothing_is_reserved_and_a_system_that_is_not_named_sends_nothing_out() {
    let site = start(ceilings("none", r#"{"paytm":"none"}"#)).await;
    assert_eq!(site.withdraw("w1").await.state(), (201, "submitted"));
    assert_eq!(site.keys("ceiling#").await, [""; 0]);
    let site = start(ceilings("{}", "none")).await;
    assert!(is_limit_reached(&site.withdraw("w1").await));
    assert_eq!(site.rows().await, 0);
}

#[tokio::test]
async fn while_the_table_fails_nothing_is_sent_above_the_ceiling() {
    let (site, _) = Injector::in_front_of(ceilings("none", "5000"), 30).await;
    let mut made = 0;
    for number in 0..20 {
        let answer = site.withdraw(&format!("w{number}")).await;
        made += u64::from(matches!(answer.status, 201 | 202));
        assert!(matches!(answer.status, 201 | 202 | 503) || is_limit_reached(&answer), "{answer:?}");
    }
    let rows = u64::try_from(journalled(&site).await).unwrap();
    let reserved = reserved(&site).await;
    assert!(made <= rows && rows * 1_000 <= reserved && reserved <= 5_000, "{made} made, {rows} rows, {reserved}");
}

#[tokio::test]
async fn while_withdrawals_are_off_nothing_is_recorded_sent_or_received() {
    let data = tempfile::tempdir().unwrap();
    let stored = || StackOptions { data: Some(data.path().to_owned()), ..ceilings("none", "5000") };
    let site = start(stored()).await;
    assert_eq!(site.withdraw("w1").await.state(), (201, "submitted"));
    let row = site.row("withdrawal#w1").await;
    site.stack.stop().await;

    let site = start(StackOptions { withdrawals: "off".into(), ..stored() }).await;
    let armed = json!({"QueueUrl": site.stack.queue_url(), "MessageBody": r#"{"withdrawal_id":"w1"}"#});
    site.stack.sqs("SendMessage", &armed).await.unwrap();
    for body in [withdrawal("w1"), withdrawal("w2"), json!({})] {
        let answer = site.post("/withdrawals", &body).await;
        assert_eq!((answer.status, answer.code(), answer.retry_after), (503, "withdrawals_off", true));
    }
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!((site.row("withdrawal#w1").await, site.rows().await), (row, 2));
    assert_eq!(reserved(&site).await, 1_000);
    assert_eq!(site.stack.logs("withdrawal-submitter"), [""; 0], "the queue is not read");
    let depth = json!({"QueueUrl": site.stack.queue_url(), "AttributeNames": ["All"]});
    let depth = site.stack.sqs("GetQueueAttributes", &depth).await.unwrap();
    assert_eq!(depth["Attributes"]["ApproximateNumberOfMessages"], "1");
    assert_eq!(site.get("/withdrawals/w1").await.state(), (200, "submitted"));
    site.stack.stop().await;

    let site = start(stored()).await;
    assert_eq!(site.withdraw("w1").await.state(), (200, "submitted"));
    assert_eq!(site.withdraw("w2").await.state(), (201, "submitted"));
    site.stack.stop().await;
}
