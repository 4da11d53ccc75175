//! The operator's tool compares an export with a running stack.

use std::fs;

use serde_json::Value;

use crate::flows::operator::Tool;
use crate::flows::support::Site;

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../operator/samples/export.toml");
const HEADS: &str = "Type,Transaction ID,Withdrawal ID,Amount,Currency,Status,Wallet,Created by\n";

/// Credits a payment of 700 to an order of its own.
async fn credited(site: &Site, order: &str, number: &str) {
    site.order(order).await;
    site.pay(number, "700").await;
    site.activate(order, number).await;
    site.until(&format!("payment#paytm#{number}"), "credited").await;
}

/// Three payments credited, one withdrawal paid, and one of which nobody knows.
pub(crate) async fn busy() -> (Site, Tool) {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    for (order, number) in [("o1", "11111111111"), ("o2", "22222222222"), ("o3", "33333333333")] {
        credited(&site, order, number).await;
    }
    site.withdraw("w1").await;
    site.settle("w1", 1).await;
    site.until("withdrawal#w1", "paid").await;
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.withdraw("w2").await;
    (site, tool)
}

impl Tool {
    /// Compares an export with the table. Gives the exit status, and the classes that have something in them.
    async fn reconcile(&self, lines: &str, more: &[&str]) -> (i32, Vec<(String, u64)>) {
        self.reconcile_bytes(format!("{HEADS}{lines}").as_bytes(), more).await
    }

    async fn reconcile_bytes(&self, export: &[u8], more: &[&str]) -> (i32, Vec<(String, u64)>) {
        let (status, said) = self.compare(export, CONFIG, &[&["--json"], more].concat()).await;
        let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{said}")));
        let classes = lines.map(|it| (it["class"].as_str().unwrap().to_owned(), it["count"].as_u64().unwrap()));
        (status, classes.filter(|(_, count)| *count > 0).collect())
    }

    async fn compare(&self, export: &[u8], config: &str, more: &[&str]) -> (i32, String) {
        let (file, out) = (self.directory().join("export.csv"), self.directory().join("out"));
        fs::write(&file, export).unwrap();
        let arguments = ["reconcile", file.to_str().unwrap(), "--config", config, "--out", out.to_str().unwrap()];
        self.run(&[&arguments, more].concat()).await
    }

    fn class(&self, name: &str) -> String {
        fs::read_to_string(self.directory().join("out").join(format!("{name}.csv"))).unwrap()
    }
}

fn of(classes: &[(&str, u64)]) -> Vec<(String, u64)> {
    classes.iter().map(|(class, count)| ((*class).to_owned(), *count)).collect()
}

#[tokio::test]
async fn an_export_is_distinguished_from_the_table() {
    let (_site, tool) = busy().await;
    let right = "Deposit,11111111111,,700.00,INR,Success,PayTM,\nWithdrawal,,w1,1000,INR,Success,PayTM,API\n";
    let w2 = "Withdrawal,,w2,\"1,000.00\",INR,Completed,PayTM,API\n";
    let wrong = "Deposit,11111111111,,700,INR,Success,PayTM,\nDeposit,22222222222,,70,INR,Success,PayTM,\n\
                 Deposit,99999999999,,700,INR,Success,PayTM,\nWithdrawal,,BO/17,5,INR,Success,PayTM,manual\n\
                 Withdrawal,,w9,5,INR,Success,PayTM,API\nDeposit,1,,7oo,INR,Success,PayTM,\n";
    let classes = [
        ("matched", 2),
        ("missing_here", 2),
        ("missing_there", 1),
        ("amount_differs", 1),
        ("status_differs", 1),
        ("by_hand", 1),
        ("duplicated", 1),
        ("bad_lines", 1),
    ];
    assert_eq!(tool.reconcile(&[right, w2, wrong].concat(), &[]).await, (1, of(&classes)));
    assert!(tool.class("status_differs").contains("withdrawal#w2,4,1000.00,INR,success,1000,INR,unknown,"));
    assert!(tool.class("missing_there").contains("payment#paytm#33333333333,,,,,700,INR,credited,"));
    assert!(tool.class("by_hand").contains("withdrawal#BO/17,8,5,INR,success,,,,"));
    assert!(tool.class("bad_lines").contains("10,Amount,\"must be a positive decimal number"));

    assert_eq!(tool.resolve("w2", "paid", &[]).await.0, 0);
    let others = "Deposit,22222222222,,700,INR,Success,PayTM,\n";
    let none_is_missing = ["--until", "2020-01-01"];
    let all = tool.reconcile(&[right, w2, others].concat(), &none_is_missing).await;
    assert_eq!(
        all,
        (0, of(&[("matched", 4)])),
        "what a person found out counts, and what is outside of the period does not"
    );
    let (status, said) = tool.run(&["reconcile", "no-such.csv", "--config", CONFIG, "--out", "."]).await;
    assert_eq!((status, said.contains("no-such.csv")), (2, true), "{said}");
}

/// Simulate, export and reconcile are one exercise.
#[tokio::test]
async fn the_simulators_export_agrees_with_the_table() {
    let (site, tool) = busy().await;
    site.withdraw("w3").await;
    site.submit("/backoffice/withdrawals/end", &[("withdrawal_id", "w2"), ("status", "5"), ("by_hand", "yes")]).await;
    site.submit("/backoffice/withdrawals", &[("amount", "20"), ("account_number", "1"), ("label", "x")]).await;
    let export = site.open(&format!("{}/backoffice/export.csv", site.stack.provider_url())).await;
    assert!(export.starts_with(HEADS), "{export}");
    // w2 is unknown here and has failed there: it was ended by hand, and no postback says so. w3 is open on both sides.
    let classes = [("matched", 5), ("status_differs", 1), ("by_hand", 1)];
    assert_eq!(tool.reconcile_bytes(export.as_bytes(), &[]).await, (1, of(&classes)), "{export}");
    assert!(tool.class("status_differs").contains("withdrawal#w2"));
    assert!(tool.class("by_hand").contains("withdrawal#BO-"));
}

#[tokio::test]
async fn no_line_of_an_export_is_lost() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    credited(&site, "o1", "11111111111").await;
    // A quote that is never closed takes its own line only.
    let unclosed = "Deposit,66666666605,,700,INR,Success,PayTM,\"API\nDeposit,66666666606,,700,INR,Success,PayTM,\n\
                    Deposit,11111111111,,700,INR,Success,PayTM,\"a comment, of\ntwo lines, with commas\"\n\
                    Deposit,66666666607,,700,INR,Success,PayTM,\n";
    let classes = [("matched", 1), ("missing_here", 2), ("bad_lines", 1)];
    assert_eq!(tool.reconcile(unclosed, &[]).await, (1, of(&classes)));
    let bad = tool.class("bad_lines");
    assert!(bad.contains("2,Created by,\"a quote is closed, and neither"), "{bad}");
    let missing = tool.class("missing_here");
    assert!(missing.contains("66666666606,3,") && missing.contains("66666666607,6,"), "{missing}");

    // An id that a spreadsheet has rewritten names no transaction.
    let rewritten = ["6.66667E+10", "66666666603.0", "'66666666604", "\"=\"\"66666666605\"\"\"", "\u{200b}66666666606"];
    let lines = rewritten.map(|number| {
        format!("Deposit,{number},,700,INR,Success,PayTM,\nWithdrawal,,{number},5,INR,Success,PayTM,API\n")
    });
    assert_eq!(tool.reconcile(&lines.concat(), &["--until", "2020-01-01"]).await, (1, of(&[("bad_lines", 10)])));
    let bad = tool.class("bad_lines");
    assert_eq!(bad.matches(",Transaction ID,must be 11 to 12 digits").count(), 5, "{bad}");

    // What is no transaction is counted. The lines have the numbers that an editor shows, also in UTF-16.
    let config = fs::read_to_string(CONFIG).unwrap().replace("skip_lines = 0", "skip_lines = 1");
    let file = tool.directory().join("export.toml");
    fs::write(&file, config).unwrap();
    let lines = "Deposit,11111111111,,700,INR,Success,PayTM,\n\nFee,,,7,INR,Success,PayTM,\nGift,,,7,INR,Success,PayTM,\nTotal,1\n";
    let text = format!("\u{feff}sep=,\n{HEADS}{lines}").replace('\n', "\r\n");
    let bytes: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (status, said) = tool.compare(&bytes, file.to_str().unwrap(), &[]).await;
    assert_eq!(
        (status, said.lines().any(|line| line.contains("ignored") && line.contains(" 4 "))),
        (1, true),
        "{said}"
    );
    assert_eq!(tool.class("ignored"), "line,reason\n1,in front of the header\n4,empty\n5,another type\n7,a total\n");
    assert_eq!(tool.class("bad_lines"), "line,column,reason\n6,Type,must be one of the texts that --config lists\n");
    let (status, said) = tool.compare(&bytes, CONFIG, &[]).await;
    assert_eq!((status, said.contains("Line 1 has [\"sep=\", \"\"]")), (2, true), "{said}");
    for (since, until) in [("2026-02-01", "2026-01-31"), ("2026-02-01T08:00:00+08:00", "2026-02-01")] {
        let (status, said) = tool.compare(&bytes, CONFIG, &["--since", since, "--until", until]).await;
        assert_eq!((status, said.contains("--since must be before --until")), (2, true), "{said}");
    }
}

#[tokio::test]
async fn what_is_said_about_money_is_what_was_published() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    // A number is claimed by the wrong order, taken from it, and credited to the right one.
    site.order("wrong").await;
    site.order("right").await;
    assert_eq!(site.activate("wrong", "11111111111").await.status, 200);
    assert_eq!(tool.resolve("payment#paytm#11111111111", "rejected", &[]).await.0, 0);
    let right = ["deposit", "--order", "right", "--number", "11111111111", "--amount", "700", "--label", "631317234"];
    assert_eq!(tool.send(&right).await.0, 0);
    site.until("payment#paytm#11111111111", "credited").await;
    // A withdrawal has failed, and a person finds that it was paid.
    site.withdraw("w1").await;
    site.settle("w1", 5).await;
    site.until("withdrawal#w1", "failed").await;
    let paid = ["withdrawal", "--id", "w1", "--status", "1", "--amount", "1000", "--label", "160496026"];
    assert_eq!(tool.send(&paid).await.0, 0);
    assert_eq!(tool.resolve("w1", "paid", &[]).await.0, 0);
    let deposit = |number: &str, status: &str| format!("Deposit,{number},,700,INR,{status},PayTM,\n");
    let withdrawal = "Withdrawal,,w1,1000,INR,Success,PayTM,API\n";
    let moved = [&deposit("11111111111", "Success"), withdrawal].concat();
    assert_eq!(tool.reconcile(&moved, &[]).await, (0, of(&[("matched", 2)])));
    let failed = [&deposit("11111111111", "Failed"), withdrawal].concat();
    assert_eq!(tool.reconcile(&failed, &[]).await, (1, of(&[("matched", 1), ("status_differs", 1)])));
    let differs = tool.class("status_differs");
    assert!(differs.contains(",credited,\"money moved in our records, and not in the provider's\""), "{differs}");

    // Of several lines with one id, the one that says that money moved decides; a contradiction is a class of its own.
    let lines = [
        deposit("22222222222", "Pending"),
        deposit("22222222222", "Success"),
        deposit("33333333333", "Success"),
        deposit("33333333333", "Failed"),
        moved,
    ];
    let classes = [("matched", 2), ("missing_here", 1), ("contradicting", 2), ("duplicated", 1)];
    assert_eq!(tool.reconcile(&lines.concat(), &[]).await, (1, of(&classes)));
    assert!(tool.class("missing_here").contains("payment#paytm#22222222222,3,"));
}
