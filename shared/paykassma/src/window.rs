//! The link to the provider's payment window (docs/provider-protocol.md 4).

use std::collections::BTreeMap;
use std::fmt;

use domain::{InvalidValue, Order};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::BaseUrl;
use crate::requests::whole_units;

/// The parameters that say what the order is. Nothing else may give them.
const OF_ORDER: [&str; 6] = ["label", "currency_code", "lang", "wallet_type", "custom_transaction_id", "fixed_amount"];

/// What a deployment adds to each link, for example `payment_url_success_id`.
///
/// ```
/// use paykassma::WindowParameters;
///
/// assert!(WindowParameters::parse(r#"{"payment_url_success_id":"12"}"#).is_ok());
/// assert!(WindowParameters::parse(r#"{"fixed_amount":"1"}"#).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowParameters(BTreeMap<String, String>);

impl WindowParameters {
    const RULE: &str = "must be a JSON object of strings, with names of a-z 0-9 _, each once, and none that the order gives itself \
                        (label, currency_code, lang, wallet_type, custom_transaction_id, fixed_amount)";

    /// Reads a JSON object. Names have one spelling, so that no provider can take two of them for the same: PHP reads `fixed.amount`
    /// as `fixed_amount`.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn parse(json: &str) -> Result<Self, InvalidValue> {
        serde_json::from_str(json).map_err(|_| InvalidValue(Self::RULE.into()))
    }
}

/// The link with which the user pays this order. The window is in English unless the order names a language.
///
/// The link is not signed, and the user can change it. So register the order before you give the link to the user. A parameter of the
/// order takes the place of the deployment's.
#[must_use]
pub fn payment_window_url(plugin: &BaseUrl, order: &Order, deployment: &WindowParameters) -> String {
    let fixed_amount = order.amount.and_then(whole_units);
    let of_order = [
        Some(order.label.as_str()),
        Some(order.currency_code.as_str()),
        Some(order.lang_or_default()),
        Some(order.wallet_type.as_str()),
        Some(order.custom_transaction_id.as_str()),
        fixed_amount.as_deref(),
    ];
    let mut others: BTreeMap<_, _> = deployment.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    others.extend(order.window.parameters().into_iter().filter_map(given));
    plugin.with("", OF_ORDER.into_iter().zip(of_order).filter_map(given).chain(others)).into()
}

fn given<'a>((name, value): (&'a str, Option<&'a str>)) -> Option<(&'a str, &'a str)> {
    value.map(|value| (name, value))
}

impl<'de> Deserialize<'de> for WindowParameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = WindowParameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<WindowParameters, A::Error> {
                let mut parameters = BTreeMap::new();
                while let Some((name, value)) = members.next_entry::<String, String>()? {
                    let is_name =
                        !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                    let is_free = is_name && !OF_ORDER.contains(&name.as_str());
                    if !is_free || parameters.insert(name, value).is_some() {
                        return Err(A::Error::custom(WindowParameters::RULE));
                    }
                }
                Ok(WindowParameters(parameters))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Amount, CurrencyCode, CustomTransactionId, Label, Lang, WalletType, Window, WindowPageId, WindowUrl};
    use proptest::prelude::*;
    use url::Url;

    fn plugin() -> BaseUrl {
        BaseUrl::parse("https://plugin.example.com").unwrap()
    }

    fn order() -> Order {
        Order {
            custom_transaction_id: CustomTransactionId::parse("x-1").unwrap(),
            label: Label::parse("a&lang=hi é").unwrap(),
            currency_code: CurrencyCode::parse("INR").unwrap(),
            wallet_type: WalletType::parse("paytm").unwrap(),
            amount: None,
            lang: None,
            window: Window::default(),
        }
    }

    #[test]
    fn the_link_is_the_documented_one() {
        let (mut order, none) = (order(), WindowParameters::default());
        let link = "https://plugin.example.com/?label=a%26lang%3Dhi%20%C3%A9&currency_code=INR&lang=en&wallet_type=paytm&custom_transaction_id=x-1";
        assert_eq!(payment_window_url(&plugin(), &order, &none), link);
        order.lang = Some(Lang::parse("hi").unwrap());
        order.amount = Some(Amount::parse("700.00").unwrap());
        let parameters = WindowParameters::parse(r#"{"success_url":"a=b"}"#).unwrap();
        let link = payment_window_url(&plugin(), &order, &parameters);
        assert!(link.contains("&lang=hi&") && link.ends_with("x-1&fixed_amount=700&success_url=a%3Db"), "{link}");
        order.amount = Some(Amount::parse("700.50").unwrap());
        assert!(!payment_window_url(&plugin(), &order, &none).contains("amount"));
    }

    #[test]
    fn a_deployment_gives_each_parameter_once_and_none_of_the_orders() {
        for good in ["{}", r#"{"theme":"dark","success_url":"a","payment_url_fail_id":"3"}"#, r#"{"x_1":""}"#] {
            assert!(WindowParameters::parse(good).is_ok(), "{good}");
        }
        let of_order = OF_ORDER.map(|name| format!(r#"{{"theme":"dark","{name}":"1"}}"#));
        let others = [
            "",
            "[]",
            "null",
            r#"{"theme":1}"#,
            r#"{"theme":null}"#,
            r#"{"theme":"dark","theme":"dark"}"#,
            r#"{"theme":"dark","\u0074heme":"light"}"#,
            r#"{"":"1"}"#,
            r#"{"Label":"1"}"#,
            r#"{"fixed.amount":"1"}"#,
            r#"{"fixed amount":"1"}"#,
            r#"{" label":"1"}"#,
            r#"{"label[]":"1"}"#,
            r#"{"label\u0000":"1"}"#,
            r#"{"a&label":"1"}"#,
        ];
        for bad in of_order.iter().map(String::as_str).chain(others) {
            let InvalidValue(rule) = WindowParameters::parse(bad).unwrap_err();
            assert!(OF_ORDER.iter().all(|name| rule.contains(name)), "{bad}: {rule}");
        }
    }

    fn url() -> impl Strategy<Value = Option<WindowUrl>> {
        proptest::option::of("[!-~]{1,40}".prop_map(|text| WindowUrl::parse(text).unwrap()))
    }

    fn page() -> impl Strategy<Value = Option<WindowPageId>> {
        proptest::option::of("[1-9][0-9]{0,4}".prop_map(|text| WindowPageId::parse(text).unwrap()))
    }

    fn window() -> impl Strategy<Value = Window> {
        (page(), page(), url(), url()).prop_map(
            |(payment_url_success_id, payment_url_pending_id, success_url, fail_url)| Window {
                payment_url_success_id,
                payment_url_pending_id,
                success_url,
                fail_url,
                ..Window::default()
            },
        )
    }

    proptest! {
        #[test]
        fn the_link_has_each_name_once_and_the_order_goes_first(
            deployment in proptest::collection::btree_map("(success|fail|pending)_url|payment_url_(success|fail)_id|theme", ".{0,9}", 0..6),
            window in window(),
        ) {
            let parameters = WindowParameters::parse(&serde_json::to_string(&deployment).unwrap()).unwrap();
            let order = Order { window, ..order() };
            let link = Url::parse(&payment_window_url(&plugin(), &order, &parameters)).unwrap();
            let query: Vec<(String, String)> = link.query_pairs().into_owned().collect();
            let found: BTreeMap<_, _> = query.iter().cloned().collect();
            prop_assert_eq!(found.len(), query.len());
            let own: BTreeMap<_, _> = order.window.parameters().into_iter().collect();
            for (name, value) in &found {
                let expected = own.get(name.as_str()).copied().flatten().or(deployment.get(name).map(String::as_str));
                prop_assert!(OF_ORDER.contains(&name.as_str()) || expected == Some(value), "{name}");
            }
            let names = deployment.keys().map(String::as_str).chain(own.iter().filter_map(|(name, it)| it.map(|_| *name)));
            prop_assert!(names.into_iter().all(|name| found.contains_key(name)));
            prop_assert_eq!(&found["label"], order.label.as_str());
        }
    }
}
