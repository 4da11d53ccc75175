//! Which addresses are on this machine.

use std::net::IpAddr;

use url::Url;

/// Whether a URL leads to this machine, whatever a name server says.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        for (url, expected) in [
            ("http://127.0.0.1:3000/postbacks/token", true),
            ("http://127.9.9.9/", true),
            ("http://localhost:3000/", true),
            ("http://[::1]:3000/", true),
            ("https://api.example.com/postbacks/token", false),
            ("http://127.0.0.1@example.com/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://localhost.example.com/", false),
            ("http://0.0.0.0:3000/", false),
            ("http://192.168.0.1/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
