//! Payments that wait for an order which is not registered yet.

use serde::{Deserialize, Serialize};

use crate::{CustomTransactionId, PaymentKey};

/// Names a page of waiting payments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitingPageId {
    /// The order.
    pub order: CustomTransactionId,
    /// Which page, from 1.
    pub page: u32,
}

/// A full page of payments that wait for an order. It is written once and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "waiting")]
pub struct WaitingPage {
    /// The order.
    pub custom_transaction_id: CustomTransactionId,
    /// Which page, from 1.
    pub page: u32,
    /// The payments.
    pub payments: Vec<PaymentKey>,
}

impl WaitingPage {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> WaitingPageId {
        WaitingPageId { order: self.custom_transaction_id.clone(), page: self.page }
    }
}

/// The payments that wait for an order: the newest in the order's row, the others in full pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The newest.
    #[serde(rename = "unmatched")]
    pub newest: Vec<PaymentKey>,
    /// How many full pages there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub pages: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(pages: &u32) -> bool {
    *pages == 0
}

impl Waiting {
    /// Most payments of a page, and most that one transaction matches: each is a row of it, and may bring a second one.
    pub const PAGE: usize = 20;

    /// Whether no payment waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.pages == 0
    }

    /// Adds a payment. A full page is put away.
    pub(crate) fn add(&mut self, order: &CustomTransactionId, payment: &PaymentKey) -> Option<WaitingPage> {
        if self.newest.contains(payment) {
            return None;
        }
        let is_full = self.newest.len() >= Self::PAGE;
        let page = is_full.then(|| {
            self.pages = self.pages.saturating_add(1);
            let payments = std::mem::take(&mut self.newest);
            WaitingPage { custom_transaction_id: order.clone(), page: self.pages, payments }
        });
        self.newest.push(payment.clone());
        page
    }

    /// Takes out the payments that one transaction matches.
    #[must_use]
    pub fn take(&mut self) -> Vec<PaymentKey> {
        let kept = self.newest.len().saturating_sub(Self::PAGE);
        self.newest.split_off(kept)
    }

    /// Puts the last page in the place of the newest.
    #[must_use]
    pub fn with_page(self, page: WaitingPage) -> Self {
        Self { newest: page.payments, pages: page.page.saturating_sub(1) }
    }
}
