//! The link to the provider's payment window (docs/provider-protocol.md 4).

use domain::Order;

use crate::BaseUrl;
use crate::requests::whole_units;

/// The link with which the user pays this order. The window is in English unless the order names a language.
///
/// The link is not signed, and the user can change it. So register the order before you give the link to the user. `extra` is added
/// unchanged, for example the deployment's `payment_url_success_id`.
#[must_use]
pub fn payment_window_url(plugin: &BaseUrl, order: &Order, extra: &[(&str, &str)]) -> String {
    let fixed_amount = order.amount.and_then(whole_units);
    let mut query = vec![
        ("label", order.label.as_str()),
        ("currency_code", order.currency_code.as_str()),
        ("lang", order.lang_or_default()),
        ("wallet_type", order.wallet_type.as_str()),
        ("custom_transaction_id", order.custom_transaction_id.as_str()),
    ];
    query.extend(fixed_amount.as_deref().map(|amount| ("fixed_amount", amount)));
    query.extend(extra);
    plugin.with("", query).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Amount, CurrencyCode, CustomTransactionId, Label, Lang, WalletType};

    #[test]
    fn the_link_is_the_documented_one() {
        let plugin = BaseUrl::parse("https://plugin.example.com").unwrap();
        let mut order = Order {
            custom_transaction_id: CustomTransactionId::parse("x-1").unwrap(),
            label: Label::parse("a&lang=hi é").unwrap(),
            currency_code: CurrencyCode::parse("INR").unwrap(),
            wallet_type: WalletType::parse("paytm").unwrap(),
            amount: None,
            lang: None,
        };
        let link = "https://plugin.example.com/?label=a%26lang%3Dhi%20%C3%A9&currency_code=INR&lang=en&wallet_type=paytm&custom_transaction_id=x-1";
        assert_eq!(payment_window_url(&plugin, &order, &[]), link);
        order.lang = Some(Lang::parse("hi").unwrap());
        order.amount = Some(Amount::parse("700.00").unwrap());
        let link = payment_window_url(&plugin, &order, &[("success_url", "a=b")]);
        assert!(link.contains("&lang=hi&") && link.ends_with("x-1&fixed_amount=700&success_url=a%3Db"), "{link}");
        order.amount = Some(Amount::parse("700.50").unwrap());
        assert!(!payment_window_url(&plugin, &order, &[]).contains("amount"));
    }
}
