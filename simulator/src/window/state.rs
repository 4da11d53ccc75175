//! The state of a payment window: all of it is in the query of its address.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::deposits::Claim;
use crate::loopback::is_loopback;
use crate::request_fields::{LABEL, ORDER};
use crate::wallets::Wallet;
use crate::window::text::Text;

/// The parameters of the shop's link, and what the user has done since.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct WindowState(BTreeMap<String, String>);

/// What every step needs of the link.
pub(crate) struct Link {
    pub(crate) claim: Claim,
    pub(crate) currency_code: String,
    /// None while the user has not chosen one.
    pub(crate) wallet: Option<&'static Wallet>,
}

impl WindowState {
    /// A parameter that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The state with another value of a parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The state without some parameters.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// The address of a step in this state.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{path}?{}", Serializer::new(String::new()).extend_pairs(&self.0).finish())
    }

    /// The state as hidden fields of a form, without the fields that the form has itself.
    pub(crate) fn hidden(&self, own: &[&str]) -> Markup {
        html! {
            @for (name, value) in self.0.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
                input type="hidden" name=(name) value=(value);
            }
        }
    }

    /// The words in the link's language.
    pub(crate) fn text(&self) -> &'static Text {
        Text::of(self.get("lang"))
    }

    /// Reads the link. An edited label, amount or order is as good as any other: the window cannot know.
    ///
    /// # Errors
    /// The name of a parameter that is missing or that the provider would not take.
    pub(crate) fn link(&self) -> Result<Link, &'static str> {
        let text = |name: &'static str, lengths: std::ops::RangeInclusive<usize>| {
            let value = self.get(name).filter(|value| lengths.contains(&value.chars().count()));
            value.map(str::to_owned).ok_or(name)
        };
        let claim =
            Claim { custom_transaction_id: text("custom_transaction_id", ORDER)?, label: text("label", LABEL)? };
        let currency_code = text("currency_code", 3..=3)?;
        let wallet = self.get("wallet_type").map(|name| Wallet::find(name).ok_or("wallet_type")).transpose()?;
        if wallet.is_some_and(|wallet| wallet.currency_code != currency_code) {
            return Err("currency_code");
        }
        Ok(Link { claim, currency_code, wallet })
    }

    /// The shop's page for an outcome: `success`, `fail` or `pending`. The address in the link comes first, if it is on this machine;
    /// then the one that the simulator's options give for the link's `payment_url_*_id`.
    pub(crate) fn shop(&self, outcome: &str, window_urls: &BTreeMap<String, String>) -> Option<String> {
        let given = self.get(&format!("{outcome}_url")).filter(|address| is_followed(address));
        let issued = || window_urls.get(self.get(&format!("payment_url_{outcome}_id"))?).map(String::as_str);
        given.or_else(issued).map(str::to_owned)
    }
}

/// Whether an address is a page on this machine.
fn is_followed(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && is_loopback(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(query: &[(&str, &str)]) -> WindowState {
        WindowState(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn an_address_has_the_whole_state() {
        let first = state(&[("label", "a&b=c é"), ("lang", "hi")]).with("amount", "5");
        let address = first.address("/result");
        let url = Url::parse(&format!("http://localhost{address}")).unwrap();
        let again: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(again, first.0.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn only_pages_on_this_machine_are_followed() {
        for (address, followed) in [
            ("http://localhost:8080/ok?order=1", true),
            ("https://127.0.0.1/ok", true),
            ("http://[::1]:8080/ok", true),
            ("http://shop.example.com/ok", false),
            ("http://localhost.example.com/ok", false),
            ("http://localhost@example.com/ok", false),
            ("//example.com", false),
            ("javascript:alert(1)", false),
            ("0d81aab8e5ff7e9a", false),
        ] {
            let shop = state(&[("success_url", address)]).shop("success", &BTreeMap::new());
            assert_eq!(shop.is_some(), followed, "{address}");
        }
    }

    #[test]
    fn an_issued_id_leads_to_its_address() {
        let urls = BTreeMap::from([("2".to_owned(), "http://localhost:8080/ok".to_owned())]);
        let of_id = state(&[("payment_url_success_id", "2"), ("success_url", "0d81")]);
        assert_eq!(of_id.shop("success", &urls).unwrap(), "http://localhost:8080/ok");
        assert_eq!(of_id.shop("fail", &urls), None);
        let both = of_id.with("success_url", "http://localhost:9090/order-1");
        assert_eq!(both.shop("success", &urls).unwrap(), "http://localhost:9090/order-1");
    }
}
