//! No secret and no person in any output.

use local::{Credentials, Secrets, StackOptions};
use serde_json::json;

use crate::flows::support::{Site, options, order, with, withdrawal};

fn marked() -> Credentials {
    Credentials {
        merchant_token: "marker-merchant-token".into(),
        secrets: Secrets {
            pluginapi_secret: "marker-pluginapi-secret".into(),
            withdrawal_private_key: "marker-withdrawal-key".into(),
            access_key: "access-key".into(),
            postback_private_key: "marker-postback-key".into(),
            postback_token: "marker-postback-token".into(),
        },
    }
}

#[tokio::test]
async fn no_secret_and_no_person_is_in_any_log() {
    let options = StackOptions { credentials: Some(marked()), log_level: "trace".into(), ..options() };
    let site = Site::start_with(options).await;
    let label = json!("marker-label");
    site.post("/deposits", &with(&order("o1"), "label", &label)).await;
    site.pay("47752123519", "700").await;
    for fault in ["hang", "html", "reset_after", "accepted_but_lost", "message_string"] {
        site.fault("activate", fault, 1).await;
        site.activate("o1", "47752123519").await;
    }
    site.activate("o1", "47752123519").await;
    site.until("payment#paytm#47752123519", "credited").await;
    let marked_withdrawal = |id| {
        let withdrawal = with(&with(&withdrawal(id), "label", &label), "comment", &json!("marker-comment"));
        with(&withdrawal, "account_number", &json!("9876501234"))
    };
    for (id, fault) in [("w1", "hang"), ("w2", "reset_before"), ("w3", "message_map"), ("w4", "html")] {
        site.fault("withdrawal", fault, 1).await;
        site.post("/withdrawals", &marked_withdrawal(id)).await;
    }
    site.post("/withdrawals", &marked_withdrawal("w5")).await;
    site.settle("w5", 1).await;
    site.until("withdrawal#w5", "paid").await;
    let batch = json!({"transaction_id": "47752123518", "custom_transaction_id": "o1", "label": "marker-thief",
        "amount": "700", "direction": "ingoing"});
    site.control("postbacks", &batch).await;
    site.control("postbacks", &with(&batch, "tamper", &json!({"signature": "x"}))).await;
    site.post("/withdrawals", &json!({"label": "marker-label", "marker-field": 1})).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let logs = site.logs();
    assert!(logs.iter().any(|line| line.contains("deposit.credited")), "there are logs: {logs:#?}");
    let leaks: Vec<_> = logs.iter().filter(|line| line.contains("marker") || line.contains("9876501234")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
