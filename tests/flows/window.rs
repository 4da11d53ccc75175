//! What an order adds to the link to its payment window.

use std::collections::BTreeMap;

use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::support::{Answer, Site, options, order, with};

/// The parameters of a link. None is there twice.
fn parameters(created: &Answer) -> BTreeMap<String, String> {
    let link = url::Url::parse(created.body["payment_window_url"].as_str().unwrap()).unwrap();
    let parameters: BTreeMap<_, _> = link.query_pairs().into_owned().collect();
    assert_eq!(parameters.len(), link.query_pairs().count(), "{link}");
    parameters
}

/// The parameters of every order's link, with others.
fn expected(id: &str, others: &[(&str, &str)]) -> BTreeMap<String, String> {
    let of_order = [
        ("label", "631317234"),
        ("currency_code", "INR"),
        ("lang", "en"),
        ("wallet_type", "paytm"),
        ("custom_transaction_id", id),
        ("fixed_amount", "700"),
    ];
    of_order.iter().chain(others).map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

async fn start(deployment: &Value) -> Site {
    let setting = ("create-deposit".into(), "PAYMENT_WINDOW_PARAMETERS".into(), deployment.to_string());
    Site::start_with(StackOptions { environment: vec![setting], ..options() }).await
}

/// Asks for an order with this `window`.
async fn ask(site: &Site, id: &str, window: &Value) -> Answer {
    site.post("/deposits", &with(&order(id), "window", window)).await
}

#[tokio::test]
async fn the_parameters_of_an_order_take_the_place_of_the_deployments() {
    let site = start(&json!({"payment_url_success_id": "1", "fail_url": "of-all", "theme": "dark"})).await;
    let url = "http://localhost:8080/o1?a=b&label=thief#c";
    let created =
        ask(&site, "o1", &json!({"payment_url_success_id": 12, "fail_url": url, "pending_url": "x+/="})).await;
    assert_eq!(created.status, 201, "{created:?}");
    let own = [("payment_url_success_id", "12"), ("fail_url", url), ("pending_url", "x+/="), ("theme", "dark")];
    assert_eq!(parameters(&created), expected("o1", &own));
    let all = [("payment_url_success_id", "1"), ("fail_url", "of-all"), ("theme", "dark")];
    assert_eq!(parameters(&site.order("o2").await), expected("o2", &all));
}

#[tokio::test]
async fn the_parameters_belong_to_the_orders_content() {
    let site = Site::start().await;
    let first = ask(&site, "o1", &json!({"payment_url_fail_id": 12, "success_url": "a"})).await;
    assert_eq!(first.status, 201, "{first:?}");
    site.fault("create", "reset_before", 1).await;
    for same in [
        json!({"payment_url_fail_id": 12, "success_url": "a"}),
        json!({"success_url": "a", "payment_url_fail_id": "12", "pending_url": null}),
    ] {
        let again = ask(&site, "o1", &same).await;
        assert_eq!((again.status, &again.body), (200, &first.body), "{same}");
    }
    for (other, differing) in [
        (json!(null), "window.payment_url_fail_id, window.success_url"),
        (json!({"payment_url_fail_id": 12}), "window.success_url"),
        (json!({"payment_url_fail_id": 12, "success_url": "A"}), "window.success_url"),
        (json!({"payment_url_fail_id": 1, "success_url": "a"}), "window.payment_url_fail_id"),
        (json!({"payment_url_fail_id": 12, "success_url": "a", "fail_url": "a"}), "window.fail_url"),
    ] {
        let answer = ask(&site, "o1", &other).await;
        assert_eq!((answer.status, answer.code(), answer.field()), (409, "id_taken", "custom_transaction_id"));
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.ends_with(&format!("differs in: {differing}")), "{message}");
    }
    let read = site.get("/deposits/o1").await.body;
    assert_eq!((&read["state"], &read["window"]), (&json!("created"), &Value::Null), "{read}");
}

#[tokio::test]
async fn an_order_without_parameters_is_written_as_before_and_one_with_them_in_format_2() {
    let site = Site::start().await;
    for (id, window) in [("o1", json!(null)), ("o2", json!({})), ("o3", json!({"success_url": null}))] {
        assert_eq!(ask(&site, id, &window).await.status, 201);
        assert_eq!(site.order(id).await.status, 200, "{window} is no window");
        let row = site.row(&format!("deposit#{id}")).await;
        assert_eq!((&row["format"], &row["window"]), (&json!({"N": "1"}), &Value::Null));
    }
    // A payment that came first, one that the receiver credits without a look, and one that it credits after a look.
    let pay = async |number: &str| {
        let payment =
            json!({"transaction_id": number, "amount": "700", "custom_transaction_id": "o4", "label": "631317234"});
        site.control("payments", &payment).await;
        format!("payment#paytm#{number}")
    };
    site.until(&pay("47752123517").await, "unmatched").await;
    let window = json!({"M": {"payment_url_success_id": {"S": "12"}, "success_url": {"S": "a"}}});
    let created = ask(&site, "o4", &json!({"payment_url_success_id": 12, "success_url": "a"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    for number in ["47752123518", "47752123519"] {
        let row = site.row("deposit#o4").await;
        assert_eq!((&row["format"], &row["window"]), (&json!({"N": "2"}), &window));
        site.until(&pay(number).await, "credited").await;
    }
    let row = site.row("deposit#o4").await;
    assert_eq!((&row["format"], &row["window"], site.credits("o4").await.len()), (&json!({"N": "2"}), &window, 3));
    let again = ask(&site, "o4", &json!({"payment_url_success_id": 12, "success_url": "a"})).await;
    assert_eq!((again.status, &again.body), (200, &created.body));
}
