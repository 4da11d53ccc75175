//! What one element of a verified postback reports, beside the unsigned copies that travel with it.

use serde::{Deserialize, Serialize};

use crate::{Amount, CurrencyCode, Label, Mismatch, PaymentKey, SignedFacts, WalletType, WithdrawalId};

/// Which way the money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A deposit.
    Ingoing,
    /// A withdrawal.
    Outgoing,
}

/// The top level of a postback, which the signature does not cover. A field is `None` when it is absent or unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsigned {
    /// The wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet_type: Option<WalletType>,
    /// The amount; compared with the element's only when there is one element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_code: Option<CurrencyCode>,
    /// The user, as the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// The direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

impl Unsigned {
    /// The first field, if any, that differs with the signed element.
    #[must_use]
    pub fn mismatch(
        &self,
        direction: Direction,
        wallet_type: &WalletType,
        facts: &SignedFacts,
        is_only_element: bool,
    ) -> Option<Mismatch> {
        if self.direction != Some(direction) {
            Some(Mismatch::Direction)
        } else if is_only_element && self.amount != Some(facts.amount) {
            Some(Mismatch::Amount)
        } else if self.currency_code.as_ref() != Some(&facts.currency_code) {
            Some(Mismatch::CurrencyCode)
        } else if self.wallet_type.as_ref() != Some(wallet_type) {
            Some(Mismatch::WalletType)
        } else {
            None
        }
    }
}

/// A payment, as a signed element reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositReport {
    /// Which payment.
    pub payment: PaymentKey,
    /// What the element says.
    pub facts: SignedFacts,
    /// The first unsigned copy that differs.
    pub mismatch: Option<Mismatch>,
}

/// The end of a withdrawal, as a signed element reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalReport {
    /// Which withdrawal.
    pub withdrawal_id: WithdrawalId,
    /// The payment system.
    pub wallet_type: WalletType,
    /// 1 success, 5 fail; any other value changes nothing. `None` when it was null.
    pub withdrawal_status: Option<i64>,
    /// What the element says.
    pub facts: SignedFacts,
    /// The first unsigned copy that differs.
    pub mismatch: Option<Mismatch>,
}
