//! The operator's tool compares an export with a running stack.

use std::fs;

use serde_json::{Value, json};

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
        let (export, out) = (self.directory().join("export.csv"), self.directory().join("out"));
        fs::write(&export, format!("{HEADS}{lines}")).unwrap();
        let arguments =
            ["--json", "reconcile", export.to_str().unwrap(), "--config", CONFIG, "--out", out.to_str().unwrap()];
        let (status, said) = self.run(&[&arguments, more].concat()).await;
        let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{said}")));
        let classes = lines.map(|it| (it["class"].as_str().unwrap().to_owned(), it["count"].as_u64().unwrap()));
        (status, classes.filter(|(_, count)| *count > 0).collect())
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
