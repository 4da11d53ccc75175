//! The addresses that requests are sent to.

use domain::InvalidValue;
use url::{Host, Url, form_urlencoded};

/// An address that requests are sent to: one of the provider's hosts, `https://api.{server}` or `https://plugin.{server}`, or the
/// merchant's server for events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    const RULE: &'static str = "must be an https:// URL, or http:// on this machine, without user, query and fragment";

    /// Reads an address. `http` is only allowed for a simulator on this machine.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let url = Url::parse(text).map_err(|_| InvalidValue(Self::RULE.into()))?;
        let is_allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !is_allowed || has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidValue(Self::RULE.into()));
        }
        Ok(Self(url))
    }

    /// Whether it is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address itself.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The URL of `path` below this address. A space becomes `%20`, because not every decoder reads `+`.
    pub(crate) fn with<'a>(&self, path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish().replace('+', "%20");
        url.set_query((!query.is_empty()).then_some(&query));
        url
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // Containers on this machine use the second name (sam local invoke).
        Some(Host::Domain(name)) => name == "localhost" || name == "host.docker.internal",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_plain_http_on_this_machine_is_an_address() {
        for good in [
            "https://api.example.com",
            "https://api.example.com/prefix/",
            "http://127.0.0.1:3100",
            "http://127.8.9.1",
            "http://[::1]:3100/",
            "http://localhost:3100",
            "http://host.docker.internal:3100",
        ] {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "api.example.com",
            "http://api.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://host.docker.internal.example.com",
            "http://0.0.0.0",
            "ftp://127.0.0.1",
            "https://",
            "https://marker@api.example.com",
            "https://user:marker@api.example.com",
            "https://api.example.com/?secret=marker",
            "https://api.example.com/?",
            "https://api.example.com/#marker",
        ] {
            let InvalidValue(rule) = BaseUrl::parse(bad).unwrap_err();
            assert!(!rule.contains("marker"), "{bad}");
        }
    }

    #[test]
    fn paths_and_queries_are_set_below_the_address() {
        let url = |base, query: &[(&'static str, &'static str)]| {
            BaseUrl::parse(base).unwrap().with("a/b", query.iter().copied()).to_string()
        };
        assert_eq!(url("https://h", &[]), "https://h/a/b");
        assert_eq!(url("https://h/p/", &[("s", "a b+c&d=é/?#")]), "https://h/p/a/b?s=a%20b%2Bc%26d%3D%C3%A9%2F%3F%23");
    }
}
