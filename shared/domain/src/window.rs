//! What an order adds to the link to its payment window.

use serde::{Deserialize, Serialize};

use crate::{WindowPageId, WindowUrl};

/// Where the payment window sends its user, by the provider's names (docs/provider-protocol.md 4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The page after a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_url_success_id: Option<WindowPageId>,
    /// The page after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_url_fail_id: Option<WindowPageId>,
    /// The page while the payment is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_url_pending_id: Option<WindowPageId>,
    /// The address after a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_url: Option<WindowUrl>,
    /// The address after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_url: Option<WindowUrl>,
    /// The address while the payment is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_url: Option<WindowUrl>,
}

impl Window {
    /// Whether the order adds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All parameters by name, also those that are not given.
    #[must_use]
    pub fn parameters(&self) -> [(&'static str, Option<&str>); 6] {
        let Self {
            payment_url_success_id,
            payment_url_fail_id,
            payment_url_pending_id,
            success_url,
            fail_url,
            pending_url,
        } = self;
        [
            ("payment_url_success_id", payment_url_success_id.as_ref().map(WindowPageId::as_str)),
            ("payment_url_fail_id", payment_url_fail_id.as_ref().map(WindowPageId::as_str)),
            ("payment_url_pending_id", payment_url_pending_id.as_ref().map(WindowPageId::as_str)),
            ("success_url", success_url.as_ref().map(WindowUrl::as_str)),
            ("fail_url", fail_url.as_ref().map(WindowUrl::as_str)),
            ("pending_url", pending_url.as_ref().map(WindowUrl::as_str)),
        ]
    }
}
