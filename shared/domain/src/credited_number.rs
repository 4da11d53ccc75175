//! One payment, one credit, however its number is spelled.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CustomTransactionId, PaymentKey, TransactionId};

/// A payment's number without what a provider may spell differently: capital letters and leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NormalisedNumber(String);

impl NormalisedNumber {
    /// ```
    /// # use domain::*;
    /// let of = |number| TransactionId::parse(number).map(|number| NormalisedNumber::of(&number));
    /// assert_eq!(of("00ABC120")?, of("abc120")?);
    /// assert_eq!(of("000")?.as_str(), "0");
    /// # Ok::<(), InvalidValue>(())
    /// ```
    #[must_use]
    pub fn of(number: &TransactionId) -> Self {
        let folded = number.as_str().to_lowercase();
        let digits = folded.trim_start_matches('0');
        Self(if digits.is_empty() { "0".into() } else { digits.into() })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NormalisedNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Names a number for which an order was credited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreditedNumberId {
    /// The order.
    pub order: CustomTransactionId,
    /// The number.
    pub number: NormalisedNumber,
}

/// That an order was credited for a number, whatever its wallet. Such rows exist from the second credit of an order on; before
/// that the order's own row says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "credited")]
pub struct CreditedNumber {
    /// The order.
    pub order: CustomTransactionId,
    /// The payment that was credited.
    pub payment: PaymentKey,
}

impl CreditedNumber {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> CreditedNumberId {
        CreditedNumberId { order: self.order.clone(), number: NormalisedNumber::of(&self.payment.transaction_id) }
    }
}
