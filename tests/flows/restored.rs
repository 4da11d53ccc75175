//! A table that was restored to an earlier moment is put into service: it refuses to work until it is adopted, sends no withdrawal twice, and
//! publishes each fact under one id.

use std::path::Path;

use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::postbacks::postback;
use crate::flows::support::{Site, options, withdrawal};

const RESTORED: &str = "paykassma-restored";

/// A stack whose tables stay in this directory.
async fn site(data: &Path, table_name: &str, copy_of: Option<&str>, withdrawals: &str) -> Site {
    let (table_name, copy_of) = (table_name.to_owned(), copy_of.map(str::to_owned));
    let data = Some(data.to_owned());
    Site::start_with(StackOptions { data, table_name, copy_of, withdrawals: withdrawals.into(), ..options() }).await
}

/// Writes the files that a person needs after a restore: the provider's export, how to read it, and the merchant's ids.
fn files(tool: &Tool) -> [String; 3] {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/samples");
    let heads = "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by\n";
    let lines = [
        "Deposit,47752123511,,700,INR,Success,PayTM,",
        "Deposit,47752123512,,700,INR,Success,PayTM,",
        "Withdrawal,,w1,1000,INR,Success,PayTM,API",
        "Withdrawal,,w2,1000,INR,Success,PayTM,API",
    ];
    let written = [
        ("export.csv", format!("{heads}{}\n", lines.join("\n"))),
        ("ids.txt", "w1\nw2\n\nw3\n".to_owned()),
        ("export.toml", std::fs::read_to_string(samples.join("export.toml")).unwrap()),
    ];
    written.map(|(name, text)| {
        let file = tool.directory().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    })
}

/// The ids of the credits of an order, by the payment's number.
async fn credits(site: &Site, count: usize) -> Vec<(String, String, u64)> {
    let events = site.events("deposit.credited", count).await;
    let of = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    events
        .iter()
        .map(|event| (of(&event["data"], "transaction_id"), of(event, "id"), event["generation"].as_u64().unwrap()))
        .collect()
}

async fn pay(site: &Site, number: &str) -> u16 {
    site.postback(postback(site, &[(number, "o1", "700")]).to_string().into()).await.status
}

/// What happens after the moment to which the table is restored. Gives the ids of the published credits.
async fn original(data: &Path) -> Vec<(String, String, u64)> {
    let site = site(data, "paykassma", None, "on").await;
    site.order("o1").await;
    assert_eq!(site.post("/withdrawals", &withdrawal("w1")).await.status, 201);
    // The moment: the restored table has the rows of now.
    let restored = self::site(data, RESTORED, Some("paykassma"), "off").await;
    restored.stack.stop().await;
    assert_eq!(pay(&site, "47752123511").await, 200);
    assert_eq!(pay(&site, "47752123512").await, 200);
    assert_eq!(site.post("/withdrawals", &withdrawal("w2")).await.status, 201);
    let published = credits(&site, 2).await;
    site.stack.stop().await;
    published
}

async fn refuses_to_work(site: &Site) {
    let refused = site.postback(postback(site, &[("47752123511", "o1", "700")]).to_string().into()).await;
    assert_eq!((refused.status, refused.code(), refused.retry_after), (503, "wrong_table", true));
    assert!(site.credits("o1").await.is_empty());
}

#[tokio::test]
async fn a_restored_table_works_once_it_is_adopted_and_sends_and_publishes_nothing_twice() {
    let data = tempfile::tempdir().unwrap();
    let published = original(data.path()).await;

    // It is put into service with withdrawals off.
    let site = site(data.path(), RESTORED, None, "off").await;
    refuses_to_work(&site).await;
    assert_eq!(site.post("/withdrawals", &withdrawal("w2")).await.code(), "withdrawals_off");
    let tool = Tool::of(&site);
    let (status, said) = tool.run(&["adopt", "--dry-run"]).await;
    assert_eq!((status, said.contains("generation: 2")), (0, true), "{said}");
    refuses_to_work(&site).await;
    assert_eq!(tool.run(&["adopt"]).await.0, 0);

    let [export, ids, config] = files(&tool);
    let after_restore = ["after-restore", "--export", &export, "--config", &config, "--ids", &ids];
    let shown = tool.json(&[&after_restore[..], &["--dry-run"]].concat()).await;
    let done = tool.json(&after_restore).await;
    let what = |found: &[Value]| -> Vec<_> {
        found
            .iter()
            .map(|it| (it["what"].as_str().unwrap().to_owned(), it["id"].as_str().unwrap().to_owned()))
            .collect()
    };
    let expected = [
        ("reserved", "withdrawal#w2"),
        ("reserved", "withdrawal#w3"),
        ("not_credited", "payment#paytm#47752123511"),
        ("not_credited", "payment#paytm#47752123512"),
    ];
    let expected = expected.map(|(what, id)| (what.to_owned(), id.to_owned()));
    assert_eq!((what(&shown), what(&done)), (expected.to_vec(), expected.to_vec()));
    assert_eq!(what(&tool.json(&after_restore).await), expected[2..], "a second time finds nothing more to reserve");

    // The provider sends again what came after the moment, in another order.
    assert_eq!(pay(&site, "47752123512").await, 200);
    assert_eq!(pay(&site, "47752123511").await, 200);
    let again = credits(&site, 2).await;
    for (number, id, generation) in &again {
        let before = published.iter().find(|(other, ..)| other == number).unwrap();
        assert_eq!((id, *generation), (&before.1, 2), "{number}");
    }
    assert_eq!(published.iter().filter(|(.., generation)| *generation == 1).count(), 2);
    assert!(tool.json(&after_restore).await.is_empty());
    site.stack.stop().await;

    let site = self::site(data.path(), RESTORED, None, "on").await;
    for id in ["w2", "w3"] {
        let taken = site.post("/withdrawals", &withdrawal(id)).await;
        assert_eq!((taken.status, taken.code(), taken.field()), (409, "id_taken", "withdrawal_id"));
        assert_eq!(site.get(&format!("/withdrawals/{id}")).await.status, 404);
    }
    assert_eq!(site.post("/withdrawals", &withdrawal("w4")).await.status, 201);
    let log = site.stack.simulator().unwrap().log();
    let submitted: Vec<_> = log.iter().filter(|line| line.starts_with("withdrawal ")).collect();
    assert!(submitted.iter().all(|line| line.contains("withdrawal w4")), "{log:#?}");
}

#[tokio::test]
async fn a_withdrawal_on_its_way_at_the_moment_of_the_restore_becomes_unknown_and_is_not_sent_again() {
    let data = tempfile::tempdir().unwrap();
    let site = site(data.path(), "paykassma", None, "on").await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429})).await;
    assert_eq!(site.post("/withdrawals", &withdrawal("w1")).await.status, 202);
    assert_eq!(site.state("withdrawal#w1").await, "waiting");
    let restored = self::site(data.path(), RESTORED, Some("paykassma"), "off").await;
    restored.stack.stop().await;
    site.until("withdrawal#w1", "submitted").await;
    site.stack.stop().await;

    let site = self::site(data.path(), RESTORED, None, "off").await;
    let tool = Tool::of(&site);
    let [export, ids, config] = files(&tool);
    assert_eq!(tool.run(&["adopt"]).await.0, 0);
    let done = tool.json(&["after-restore", "--export", &export, "--config", &config, "--ids", &ids]).await;
    assert_eq!((&done[0]["what"], &done[0]["id"]), (&json!("set_unknown"), &json!("withdrawal#w1")));
    assert_eq!(site.state("withdrawal#w1").await, "unknown");
    site.events("withdrawal.unknown", 1).await;
}
