//! What is counted. A count is a log line too, in `CloudWatch`'s embedded metric format: every count has its evidence, and
//! nothing is written twice. A line is counted only if it is written through this module.

use serde_json::json;
use tracing::{error, info};

/// Something that functions count: `Events` in the dimension `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A payment was credited.
    DepositCredited,
    /// A payment is held, because something differs.
    DepositQuarantined,
    /// A payment is held, because its order is not registered.
    PaymentUnmatched,
    /// Users of different labels have entered the number of a payment.
    PaymentContested,
    /// A postback contradicts what was decided about a payment.
    PaymentConflict,
    /// A postback says what is already recorded.
    PostbackRepeated,
    /// An element of a postback could not be understood.
    PostbackUnreadable,
    /// The provider has paid a withdrawal.
    WithdrawalPaid,
    /// The provider has not paid a withdrawal.
    WithdrawalFailed,
    /// The provider reports a withdrawal that was not made here.
    WithdrawalForeign,
    /// Something contradicts what was decided about a withdrawal.
    WithdrawalConflict,
    /// Nobody knows whether the provider has a withdrawal.
    WithdrawalUnknown,
    /// A withdrawal's attempts are used up.
    WithdrawalNeedsReview,
    /// A ceiling on outgoing money does not allow a withdrawal.
    WithdrawalLimitReached,
    /// The provider answers 404: a secret or an address is wrong.
    ProviderMisconfigured,
    /// A change of the table was set aside: its events are not published yet.
    EventSetAside,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 16] = [
        Self::DepositCredited,
        Self::DepositQuarantined,
        Self::PaymentUnmatched,
        Self::PaymentContested,
        Self::PaymentConflict,
        Self::PostbackRepeated,
        Self::PostbackUnreadable,
        Self::WithdrawalPaid,
        Self::WithdrawalFailed,
        Self::WithdrawalForeign,
        Self::WithdrawalConflict,
        Self::WithdrawalUnknown,
        Self::WithdrawalNeedsReview,
        Self::WithdrawalLimitReached,
        Self::ProviderMisconfigured,
        Self::EventSetAside,
    ];

    /// Whether a person must hear of it. Such lines are warnings or errors, and each has an alarm.
    #[must_use]
    pub const fn is_alarming(self) -> bool {
        match self {
            Self::DepositCredited
            | Self::PaymentContested
            | Self::PostbackRepeated
            | Self::WithdrawalPaid
            | Self::WithdrawalFailed => false,
            Self::DepositQuarantined
            | Self::PaymentUnmatched
            | Self::PaymentConflict
            | Self::PostbackUnreadable
            | Self::WithdrawalForeign
            | Self::WithdrawalConflict
            | Self::WithdrawalUnknown
            | Self::WithdrawalNeedsReview
            | Self::WithdrawalLimitReached
            | Self::ProviderMisconfigured
            | Self::EventSetAside => true,
        }
    }

    /// Its name: the value of the dimension.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DepositCredited => "deposit.credited",
            Self::DepositQuarantined => "deposit.quarantined",
            Self::PaymentUnmatched => "payment.unmatched",
            Self::PaymentContested => "payment.contested",
            Self::PaymentConflict => "payment.conflict",
            Self::PostbackRepeated => "postback.repeated",
            Self::PostbackUnreadable => "postback.unreadable",
            Self::WithdrawalPaid => "withdrawal.paid",
            Self::WithdrawalFailed => "withdrawal.failed",
            Self::WithdrawalForeign => "withdrawal.foreign",
            Self::WithdrawalConflict => "withdrawal.conflict",
            Self::WithdrawalUnknown => "withdrawal.unknown",
            Self::WithdrawalNeedsReview => "withdrawal.needs_review",
            Self::WithdrawalLimitReached => "withdrawal.limit_reached",
            Self::ProviderMisconfigured => "provider.misconfigured",
            Self::EventSetAside => "event.set_aside",
        }
    }
}

/// Counts one [`Metric`], and writes the line at this level. After the row that it is about come any fields and a text, as in
/// `tracing`'s macros.
///
/// ```
/// use lambda::{Metric, count};
///
/// count!(info, Metric::DepositCredited, "deposit#order-1", payment = "payment#paytm#47752123519");
/// ```
#[macro_export]
macro_rules! count {
    ($level:ident, $metric:expr, $reference:expr $(, $($fields:tt)+)?) => {{
        debug_assert_eq!($crate::Metric::is_alarming($metric), stringify!($level) != "info");
        $crate::tracing::$level!(
            target: $crate::EVENTS,
            event = $crate::Metric::name($metric),
            reference = %$reference
            $(, $($fields)+)?
        );
    }};
}

/// Counts a reply that is an error, as `Errors` in the dimension `code`.
pub fn count_error(status: u16, code: &'static str, field: Option<&str>, cause: Option<&str>) {
    if status >= 500 {
        error!(target: ERRORS, status, code, cause, "answered with an error");
    } else {
        info!(target: ERRORS, status, code, field, cause, "answered with an error");
    }
}

/// Reports the age of the oldest row of an attention kind, as `OldestAttentionSeconds` in the dimension `attention`.
pub fn report_oldest_seconds(attention: &'static str, seconds: u64) {
    info!(target: AGES, attention, OldestAttentionSeconds = seconds);
}

/// The target of lines that count a [`Metric`].
pub const EVENTS: &str = "metrics::events";
const ERRORS: &str = "metrics::errors";
const AGES: &str = "metrics::ages";

/// How the lines of a target become a metric.
#[derive(Debug)]
pub struct Definition {
    target: &'static str,
    /// The field whose values are counted apart.
    pub dimension: &'static str,
    /// The metric's name.
    pub name: &'static str,
    unit: &'static str,
    /// The value where the line has none.
    value: Option<u8>,
}

/// All that can be counted.
pub const DEFINITIONS: [Definition; 3] = [
    Definition { target: EVENTS, dimension: "event", name: "Events", unit: "Count", value: Some(1) },
    Definition { target: ERRORS, dimension: "code", name: "Errors", unit: "Count", value: Some(1) },
    Definition { target: AGES, dimension: "attention", name: "OldestAttentionSeconds", unit: "Seconds", value: None },
];

impl Definition {
    pub(crate) fn of(target: &str) -> Option<&'static Self> {
        DEFINITIONS.iter().find(|definition| definition.target == target)
    }

    /// The members that make a line a metric.
    pub(crate) fn members(&self, namespace: &str, now_ms: u64) -> String {
        let metrics = json!([{"Name": self.name, "Unit": self.unit}]);
        let directive = json!({"Namespace": namespace, "Dimensions": [[self.dimension]], "Metrics": metrics});
        let metadata = json!({"Timestamp": now_ms, "CloudWatchMetrics": [directive]});
        let value = self.value.map(|value| format!(r#""{}":{value},"#, self.name)).unwrap_or_default();
        format!(r#"{value}"_aws":{metadata}"#)
    }
}
