//! Deposits, from the merchant's request to the credit.

use serde_json::json;

use crate::flows::support::{Site, order, with, withdrawal};

const NUMBER: &str = "47752123519";
const PAYMENT: &str = "payment#paytm#47752123519";

#[tokio::test]
async fn a_deposit_goes_all_the_way() {
    let site = Site::start().await;
    let created = site.order("o1").await;
    assert_eq!(created.state(), (201, "created"), "{created:?}");
    assert!(created.body["params"]["identifier"].is_string());
    let link = created.body["payment_window_url"].as_str().unwrap();
    assert!(link.contains("custom_transaction_id=o1") && link.contains("fixed_amount=700"), "{link}");
    site.pay(NUMBER, "700").await;
    let activated = site.activate("o1", NUMBER).await;
    assert_eq!(activated.state(), (200, "activated"), "{activated:?}");
    assert_eq!(activated.body["deposit_amount"], "700");
    site.until(PAYMENT, "credited").await;
    assert_eq!(site.state("deposit#o1").await, "credited");
    assert_eq!(site.credits("o1").await, ["700"]);
    let payment = site.row(PAYMENT).await;
    assert_eq!(payment["facts"]["M"]["label"]["S"], "631317234");
    assert_eq!(payment.get("credited_label"), None, "it is the signed order's");
    assert_eq!(site.activate("o1", NUMBER).await.state(), (200, "activated"));
    assert_eq!(site.credits("o1").await, ["700"]);
}

#[tokio::test]
async fn the_same_order_again_is_answered_as_before_and_another_one_refused() {
    let site = Site::start().await;
    let first = site.order("o1").await;
    let again = site.order("o1").await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    for (field, value) in [("amount", json!(701)), ("label", json!("thief")), ("lang", json!("hi"))] {
        let other = site.post("/deposits", &with(&order("o1"), field, &value)).await;
        assert_eq!((other.status, other.code()), (409, "id_taken"), "{other:?}");
        assert!(other.body["message"].as_str().unwrap().contains(field));
    }
    site.fault("create", "reset_before", 1).await;
    assert_eq!(site.order("o1").await.status, 200, "known orders need no provider");
    assert_eq!(site.rows().await, 1);
}

#[tokio::test]
async fn a_default_that_is_written_out_or_null_is_the_same_request() {
    let site = Site::start().await;
    let bare = json!({"custom_transaction_id": "o1", "label": "631317234", "currency_code": "INR"});
    let first = site.post("/deposits", &bare).await;
    assert_eq!(first.status, 201, "{first:?}");
    let mut whole = bare.clone();
    for (field, value) in
        [("lang", json!("en")), ("lang", json!(null)), ("wallet_type", json!("paytm")), ("amount", json!(null))]
    {
        whole[field] = value;
        let again = site.post("/deposits", &whole).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{whole}");
    }
    let written = with(&with(&bare, "custom_transaction_id", &json!("o2")), "lang", &json!("en"));
    assert_eq!(site.post("/deposits", &written).await.status, 201);
    assert_eq!(site.post("/deposits", &with(&written, "lang", &json!(null))).await.status, 200);
    assert_eq!(site.withdraw("w1").await.status, 201);
    for (field, value) in [
        ("payment_system", json!("paytm")),
        ("payment_system", json!(null)),
        ("is_test", json!(false)),
        ("is_test", json!(null)),
        ("comment", json!(null)),
        ("amount", json!("1000.00")),
    ] {
        let again = site.post("/withdrawals", &with(&withdrawal("w1"), field, &value)).await;
        assert_eq!(again.state(), (200, "submitted"), "{field} = {value}: {again:?}");
    }
}

#[tokio::test]
async fn the_money_that_came_is_credited_and_not_what_the_user_said() {
    let site = Site::start().await;
    site.order("o1").await;
    site.pay(NUMBER, "123.45").await;
    site.activate("o1", NUMBER).await;
    site.until(PAYMENT, "credited").await;
    assert_eq!(site.credits("o1").await, ["123.45"]);
}

#[tokio::test]
async fn a_mistyped_number_is_followed_by_another_attempt() {
    let site = Site::start().await;
    site.order("o1").await;
    assert_eq!(site.activate("o1", "11111111111").await.state(), (200, "pending"));
    site.pay(NUMBER, "700").await;
    assert_eq!(site.activate("o1", NUMBER).await.state(), (200, "activated"));
    site.until(PAYMENT, "credited").await;
    assert_eq!(site.credits("o1").await, ["700"]);
    let facts = site.attribute(PAYMENT, "facts").await;
    assert!(facts.contains(&format!("o1.{NUMBER}")), "{facts}");
}

#[tokio::test]
async fn a_number_is_one_orders_until_its_attempt_has_failed() {
    let site = Site::start().await;
    site.order("o1").await;
    site.order("o2").await;
    site.control("faults", &json!({"on": "activate", "fault": "message_string", "message": "not found"})).await;
    let failed = site.activate("o1", NUMBER).await;
    assert_eq!((failed.status, failed.code()), (422, "provider_rejected"));
    assert_eq!(failed.body["message"], "not found");
    assert_eq!(site.state(PAYMENT).await, "released");
    assert_eq!(site.activate("o2", NUMBER).await.status, 200);
    let refused = site.activate("o1", NUMBER).await;
    assert_eq!((refused.status, refused.code(), refused.field()), (409, "transaction_in_use", "key1"));
}

#[tokio::test]
async fn a_payment_through_the_window_needs_no_activation() {
    let site = Site::start().await;
    site.order("o1").await;
    let payment =
        json!({"transaction_id": NUMBER, "amount": "700", "custom_transaction_id": "o1", "label": "631317234"});
    site.control("payments", &payment).await;
    site.until(PAYMENT, "credited").await;
    assert_eq!(site.credits("o1").await, ["700"]);
}

#[tokio::test]
async fn a_payment_that_came_first_is_credited_when_its_order_is_registered() {
    let site = Site::start().await;
    let payment =
        json!({"transaction_id": NUMBER, "amount": "700", "custom_transaction_id": "o1", "label": "631317234"});
    site.control("payments", &payment).await;
    site.until(PAYMENT, "unmatched").await;
    assert_eq!(site.order("o1").await.state(), (201, "created"));
    assert_eq!(site.state(PAYMENT).await, "credited");
    assert_eq!(site.credits("o1").await, ["700"]);
    assert_eq!(site.order("o1").await.status, 200);
}

#[tokio::test]
async fn a_provider_that_is_not_reached_leaves_no_trace() {
    let site = Site::start().await;
    for fault in ["reset_before", "reset_after", "html", "empty", "truncated", "accepted_but_lost"] {
        site.fault("create", fault, 1).await;
        let answer = site.order("o1").await;
        assert_eq!((answer.status, answer.code(), answer.retry_after), (503, "try_again", true), "{fault}: {answer:?}");
    }
    site.fault("create", "message_map", 1).await;
    let rejected = site.order("o1").await;
    assert_eq!((rejected.status, rejected.code()), (422, "provider_rejected"), "{rejected:?}");
    assert_eq!(site.rows().await, 0);
    assert_eq!(site.order("o1").await.status, 201);
}

#[tokio::test]
async fn an_activation_without_an_answer_is_pending_and_may_be_repeated() {
    let site = Site::start().await;
    site.order("o1").await;
    site.pay(NUMBER, "700").await;
    site.fault("activate", "hang", 1).await;
    assert_eq!(site.activate("o1", NUMBER).await.state(), (202, "pending"));
    assert_eq!(site.activate("o1", NUMBER).await.state(), (200, "activated"));
    site.until(PAYMENT, "credited").await;
    assert_eq!(site.credits("o1").await, ["700"]);
    assert_eq!(site.activate("unknown", NUMBER).await.code(), "not_found");
}

#[tokio::test]
async fn an_order_without_params_is_registered_however_php_spells_them() {
    let site = Site::start().await;
    for fault in ["empty_list", "null_params", "no_params", "trailing_comma"] {
        site.fault("create", fault, 1).await;
        let created = site.order(fault).await;
        assert_eq!((created.state(), &created.body["params"]), ((201, "created"), &json!({})), "{fault}: {created:?}");
    }
    site.fault("create", "byte_order_mark", 1).await;
    let created = site.order("marked").await;
    assert_eq!(created.status, 201, "{created:?}");
    assert!(created.body["params"]["identifier"].is_string(), "{created:?}");
}

#[tokio::test]
async fn a_rejection_without_a_status_is_shown_and_decides_no_withdrawal() {
    let site = Site::start().await;
    for code in [400, 422] {
        site.control("faults", &json!({"on": "create", "fault": "no_status", "code": code})).await;
        let refused = site.order("o1").await;
        assert_eq!((refused.status, refused.code()), (422, "provider_rejected"), "{code}: {refused:?}");
        assert_eq!(refused.body["message"], "The data is invalid; label: The label is too long");
    }
    assert_eq!(site.rows().await, 0);
    site.order("o1").await;
    site.fault("activate", "no_status", 1).await;
    let refused = site.activate("o1", NUMBER).await;
    assert_eq!((refused.status, refused.code()), (422, "provider_rejected"), "{refused:?}");
    assert_eq!(site.state(PAYMENT).await, "released");
    site.fault("withdrawal", "no_status", 1).await;
    assert_eq!(site.withdraw("w1").await.state(), (202, "pending"));
}
