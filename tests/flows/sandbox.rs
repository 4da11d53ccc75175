//! The payment window's link, opened as a browser without scripts opens it.

use serde_json::{Value, json};

use crate::flows::support::Site;

/// Registers an order of 500, and gives the parameters of its link.
async fn link(site: &Site, order: &str) -> Vec<(String, String)> {
    let body = json!({"custom_transaction_id": order, "label": "user-1", "currency_code": "INR", "amount": 500});
    let answer = site.post("/deposits", &body).await;
    let url = answer.body["payment_window_url"].as_str().unwrap();
    assert!(url.starts_with(site.stack.provider_url()), "{url}");
    assert!(site.open(url).await.contains("6234234234"));
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// Pays in the window, and enters the number that the wallet shows.
async fn pay(site: &Site, link: &[(String, String)], edited: &[(&str, &str)]) -> String {
    let given = |name: &str| edited.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let state: Vec<_> = link.iter().map(|(key, value)| (key.as_str(), given(key).unwrap_or(value))).collect();
    let page = site.submit("/pay", &state).await;
    let number = page.rsplit("dd class=\"number\">").next().unwrap().split('<').next().unwrap().to_owned();
    site.submit("/number", &[&state[..], &[("entered", &number)]].concat()).await;
    format!("payment#paytm#{number}")
}

#[tokio::test]
async fn the_link_that_the_api_answers_leads_to_a_credited_order() {
    let site = Site::start().await;
    let link = link(&site, "order-1").await;
    let payment = pay(&site, &link, &[]).await;
    site.until(&payment, "credited").await;
    site.until("deposit#order-1", "credited").await;
}

#[tokio::test]
async fn an_edited_link_credits_what_was_paid_and_to_nobody_else() {
    let site = Site::start().await;
    let link = link(&site, "order-1").await;
    let held = pay(&site, &link, &[("label", "user-2")]).await;
    site.until(&held, "quarantined").await;
    assert_eq!(site.credits("order-1").await, Vec::<String>::new());
    let paid = pay(&site, &link, &[("fixed_amount", "5")]).await;
    site.until(&paid, "credited").await;
    let deposit = site.get("/deposits/order-1").await.body;
    assert_eq!(deposit["credited"][0]["amount"], Value::from("5"), "{deposit}");
}
