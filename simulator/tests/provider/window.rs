//! The payment window, without a browser.

use crate::Bench;
use crate::pages::{Reply, form};

const LINK: [(&str, &str); 4] =
    [("label", "user-1"), ("currency_code", "INR"), ("wallet_type", "paytm"), ("custom_transaction_id", "order-1")];

fn address(more: &[(&str, &str)]) -> String {
    format!("/?{}", form(&[&LINK, more].concat()))
}

/// The value of a parameter in the address that a form leads to.
fn parameter(reply: &Reply, name: &str) -> String {
    let url = url::Url::parse(&format!("http://localhost{}", reply.location)).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Pays and enters a number, which is the wallet's own if none is given. Gives the page with the result.
async fn pay(bench: &Bench, more: &[(&str, &str)], number: Option<&str>) -> Reply {
    let paid = bench.submit("/pay", &[&LINK, more].concat()).await;
    assert_eq!(paid.status, 303, "{}", paid.text);
    let shown = parameter(&paid, "number");
    let amount = parameter(&paid, "amount");
    let entered = [("entered", number.unwrap_or(&shown)), ("amount", &amount)];
    let entered = bench.submit("/number", &[&LINK, more, &entered].concat()).await;
    assert_eq!(entered.status, 303, "{}", entered.text);
    bench.open(&entered.location).await
}

#[tokio::test]
async fn a_payment_in_the_window_is_credited_by_one_postback() {
    let bench = Bench::new().await;
    let page = bench.open(&address(&[("fixed_amount", "500")])).await;
    assert!(page.text.contains("6234234234") && page.text.contains("500 INR"), "{}", page.text);
    let result = pay(&bench, &[("fixed_amount", "500")], None).await;
    assert!(result.text.contains("500 INR was credited"), "{}", result.text);
    let postbacks = bench.postbacks(1).await;
    assert_eq!((&postbacks[0]["label"], &postbacks[0]["amount"]), (&"user-1".into(), &500.into()));
    assert_eq!(postbacks[0]["additional_data"][0]["plugin_custom_order_id"], "order-1");
}

#[tokio::test]
async fn the_user_says_how_the_payment_arrives() {
    for (arrival, result, paid) in [
        ("later", "being checked", Some("500.50")),
        ("another_amount", "501.50 INR was credited", Some("501.50")),
        ("never", "being checked", None),
    ] {
        let bench = Bench::new().await;
        let page = pay(&bench, &[("amount", "500.50"), ("arrival", arrival)], None).await;
        assert!(page.text.contains(result), "{arrival}: {}", page.text);
        let postbacks = bench.postbacks(paid.iter().len()).await;
        let amounts: Vec<_> = postbacks.iter().map(|body| body["additional_data"][0]["amount"].as_str()).collect();
        assert_eq!(amounts, paid.map(Some).into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_result_that_was_pending_becomes_a_success() {
    let bench = Bench::new().await;
    let mut entered =
        bench.submit("/number", &[&LINK[..], &[("entered", "47752123519"), ("amount", "5")]].concat()).await;
    assert!(bench.open(&entered.location).await.text.contains("being checked"));
    bench.control("payments", serde_json::json!({"transaction_id": "47752123519", "amount": "5"})).await;
    assert!(bench.open(&entered.location).await.text.contains("5 INR was credited"));
    // It is a success for this order only.
    entered.location = entered.location.replace("order-1", "order-2");
    assert!(!bench.open(&entered.location).await.text.contains("credited to your account"));
}

#[tokio::test]
async fn a_mistyped_number_does_not_end_the_order() {
    let bench = Bench::new().await;
    let other = pay(&bench, &[("amount", "500")], Some("47752123519")).await;
    assert!(other.text.contains("being checked"), "{}", other.text);
    assert!(pay(&bench, &[("amount", "500")], None).await.text.contains("500 INR was credited"));
}

#[tokio::test]
async fn what_is_wrong_is_said_where_it_was_entered() {
    let bench = Bench::new().await;
    for amount in ["", "0", "0.00", "-5", "5,5", "abc"] {
        let reply = bench.submit("/pay", &[&LINK[..], &[("amount", amount)]].concat()).await;
        let page = bench.open(&reply.location).await;
        assert!(page.text.contains("aria-invalid=\"true\""), "{amount}: {}", page.text);
    }
    for number in ["", "123", "4775212351x", "4775212351934"] {
        let reply = bench.submit("/number", &[&LINK[..], &[("entered", number)]].concat()).await;
        let page = bench.open(&reply.location).await;
        assert!(page.text.contains("aria-invalid=\"true\"") && page.text.contains("11–12 digits"), "{}", page.text);
    }
    bench.postbacks(0).await;
}

#[tokio::test]
async fn a_link_that_cannot_be_used_names_its_parameter() {
    let bench = Bench::new().await;
    for (name, value) in [
        ("label", ""),
        ("label", &"x".repeat(191)),
        ("custom_transaction_id", ""),
        ("currency_code", ""),
        ("currency_code", "BDT"),
        ("wallet_type", "paypal"),
    ] {
        let changed: Vec<_> = LINK.iter().map(|(key, old)| (*key, if *key == name { value } else { *old })).collect();
        for address in [format!("/?{}", form(&changed)), format!("/number?{}", form(&changed))] {
            let page = bench.open(&address).await;
            assert_eq!(page.status, 400, "{name}");
            assert!(page.text.contains(&format!("<code>{name}</code>")), "{}", page.text);
        }
        assert_eq!(bench.submit("/pay", &changed).await.status, 400, "{name}");
    }
}

#[tokio::test]
async fn the_wallet_can_be_chosen_and_the_language_is_said() {
    let bench = Bench::new().await;
    let without_wallet = address(&[("lang", "hi")]).replace("wallet_type=paytm&", "");
    let page = bench.open(&without_wallet).await;
    assert!(page.text.contains("<html lang=\"hi\">") && page.text.contains("PhonePe"), "{}", page.text);
    assert!(!page.text.contains("bKash"), "of another currency");
    assert!(bench.open(&address(&[("lang", "xx")])).await.text.contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn the_shop_gets_its_user_back() {
    let bench = Bench::new().await;
    let shop = "http://localhost:9999/order-1?paid=1";
    let way_back = |page: &Reply, to: &str| page.text.contains(&format!("href=\"{to}\" target=\"_top\""));
    let success = [("amount", "5"), ("success_url", shop), ("fail_url", "http://localhost:9999/no")];
    assert!(way_back(&pay(&bench, &success, None).await, shop));
    let issued = [("amount", "5"), ("payment_url_success_id", "2")];
    assert!(way_back(&pay(&bench, &issued, None).await, "http://localhost:8080/ok"));
    let pending = [("amount", "5"), ("arrival", "never"), ("pending_url", shop)];
    assert!(way_back(&pay(&bench, &pending, None).await, shop));
    let foreign = [("amount", "5"), ("success_url", "https://shop.example.com/")];
    assert!(!pay(&bench, &foreign, None).await.text.contains("shop.example.com"));
}

#[tokio::test]
async fn what_the_link_says_is_shown_as_text() {
    let bench = Bench::new().await;
    let page = bench
        .open(&address(&[("custom_transaction_id", "<script>alert(1)</script>"), ("fixed_amount", "\"><b>")]))
        .await;
    assert!(!page.text.contains("<script>alert") && !page.text.contains("<b>"), "{}", page.text);
}
