//! What is counted. A count is a log line too, in `CloudWatch`'s embedded metric format: every count has its evidence, and
//! nothing is written twice. A line is counted only if it is written through this module.

use std::fmt::{self, Display};

use serde_json::{Value, json};
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
    /// The provider has taken a number that a user entered: it is paid, or may be.
    DepositActivated,
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
    /// The provider has refused a withdrawal.
    WithdrawalRejected,
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
    /// The provider answers 401, 403 or 404: a secret or an address is wrong.
    ProviderMisconfigured,
    /// A secret could not be read. A copy is used if there is one.
    SecretUnavailable,
    /// A change of the table that was made for this reached the publisher.
    Heartbeat,
    /// A change of the table was set aside: its events are not published yet.
    EventSetAside,
    /// The merchant's server has not taken an event for long.
    EventLate,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 21] = [
        Self::DepositCredited,
        Self::DepositQuarantined,
        Self::PaymentUnmatched,
        Self::DepositActivated,
        Self::PaymentContested,
        Self::PaymentConflict,
        Self::PostbackRepeated,
        Self::PostbackUnreadable,
        Self::WithdrawalPaid,
        Self::WithdrawalRejected,
        Self::WithdrawalFailed,
        Self::WithdrawalForeign,
        Self::WithdrawalConflict,
        Self::WithdrawalUnknown,
        Self::WithdrawalNeedsReview,
        Self::WithdrawalLimitReached,
        Self::ProviderMisconfigured,
        Self::SecretUnavailable,
        Self::Heartbeat,
        Self::EventSetAside,
        Self::EventLate,
    ];

    /// Whether a person must hear of it. Such lines are warnings or errors, and each has an alarm.
    #[must_use]
    pub const fn is_alarming(self) -> bool {
        match self {
            Self::DepositCredited
            | Self::DepositActivated
            | Self::PaymentContested
            | Self::PostbackRepeated
            | Self::WithdrawalPaid
            | Self::WithdrawalRejected
            | Self::WithdrawalFailed
            | Self::Heartbeat => false,
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
            | Self::SecretUnavailable
            | Self::EventSetAside
            | Self::EventLate => true,
        }
    }

    /// Its name: the value of the dimension.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DepositCredited => "deposit.credited",
            Self::DepositQuarantined => "deposit.quarantined",
            Self::PaymentUnmatched => "payment.unmatched",
            Self::DepositActivated => "deposit.activated",
            Self::PaymentContested => "payment.contested",
            Self::PaymentConflict => "payment.conflict",
            Self::PostbackRepeated => "postback.repeated",
            Self::PostbackUnreadable => "postback.unreadable",
            Self::WithdrawalPaid => "withdrawal.paid",
            Self::WithdrawalRejected => "withdrawal.rejected",
            Self::WithdrawalFailed => "withdrawal.failed",
            Self::WithdrawalForeign => "withdrawal.foreign",
            Self::WithdrawalConflict => "withdrawal.conflict",
            Self::WithdrawalUnknown => "withdrawal.unknown",
            Self::WithdrawalNeedsReview => "withdrawal.needs_review",
            Self::WithdrawalLimitReached => "withdrawal.limit_reached",
            Self::ProviderMisconfigured => "provider.misconfigured",
            Self::SecretUnavailable => "secret.unavailable",
            Self::Heartbeat => "stream.heartbeat",
            Self::EventSetAside => "event.set_aside",
            Self::EventLate => "event.late",
        }
    }
}

/// Counts one [`Metric`], and writes the line at this level. After the row that it is about come any fields and a text, as in
/// `tracing`'s macros.
///
/// ```
/// use lambda::{Metric, count};
///
/// count!(info, Metric::PostbackRepeated, "deposit#order-1", payment = "payment#paytm#47752123519");
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

/// Counts a reply that is an error, as `Errors` in the dimension `code`. What the caller should send again, 5xx, is also counted as
/// `ServerErrors` in the dimension `function`.
pub fn count_error(status: u16, code: &'static str, field: Option<&str>, cause: Option<&str>) {
    if status >= 500 {
        error!(target: SERVER_ERRORS, status, code, cause, "answered with an error");
    } else {
        info!(target: ERRORS, status, code, field, cause, "answered with an error");
    }
}

/// Money that was credited to a user or paid to one.
#[derive(Clone, Copy)]
pub struct Money<'a> {
    /// How much: an exact decimal, as a JSON number is written.
    pub amount: &'a dyn Display,
    /// Its currency.
    pub currency_code: &'a dyn Display,
    /// The provider's name of the wallet.
    pub wallet_type: &'a dyn Display,
}

/// Counts a credit as [`Metric::DepositCredited`], and its amount as `Credited` in the dimensions `currency_code` and `wallet_type`.
/// The text says how it came about, where its postback did not credit it at once.
pub fn count_credited(money: Money<'_>, reference: &str, payment: &str, how: Option<&str>) {
    let Money { amount, currency_code, wallet_type } = money;
    let event = Metric::DepositCredited.name();
    info!(target: CREDITED, event, reference, payment, Credited = %amount, %currency_code, %wallet_type, message = how);
}

/// Counts a withdrawal as [`Metric::WithdrawalPaid`], and its amount as `Paid` in the dimensions `currency_code` and `wallet_type`.
pub fn count_paid(money: Money<'_>, reference: &str) {
    let Money { amount, currency_code, wallet_type } = money;
    let event = Metric::WithdrawalPaid.name();
    info!(target: PAID, event, reference, Paid = %amount, %currency_code, %wallet_type);
}

/// Counts which of two valid values of a secret a caller has used, as `SecretUses` in the dimension `value`, such as
/// `postback_token.previous`. It is called only while there are two, so that people see when the previous one can go.
pub fn count_use(secret: &'static str, is_current: bool) {
    let which = if is_current { "current" } else { "previous" };
    info!(target: USES, value = format!("{secret}.{which}"));
}

/// Reports the age of the oldest row of an attention kind, as `OldestAttentionSeconds` in the dimension `attention`.
pub fn report_oldest_seconds(attention: &'static str, seconds: u64) {
    info!(target: AGES, attention, OldestAttentionSeconds = seconds);
}

/// The target of lines that count a [`Metric`].
pub const EVENTS: &str = "metrics::events";
const CREDITED: &str = "metrics::credited";
const PAID: &str = "metrics::paid";
const ERRORS: &str = "metrics::errors";
const SERVER_ERRORS: &str = "metrics::server_errors";
const USES: &str = "metrics::uses";
const AGES: &str = "metrics::ages";

type Targets = &'static [&'static str];

/// How the lines of some targets become a metric.
#[derive(Debug)]
pub struct Definition {
    targets: Targets,
    /// The fields whose values are counted apart.
    pub dimensions: &'static [&'static str],
    /// The metric's name.
    pub name: &'static str,
    measures: Measures,
}

/// What a metric's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measures {
    /// Each line counts as one.
    Lines,
    /// Seconds, in a field with the metric's name.
    Seconds,
    /// An exact decimal, in a field with the metric's name.
    Money,
}

/// The dimension that every line may be counted by.
pub(crate) const FUNCTION: &str = "function";

/// All that can be counted.
pub const DEFINITIONS: [Definition; 7] = [
    Definition::count(&[EVENTS, CREDITED, PAID], &["event"], "Events"),
    Definition::count(&[ERRORS, SERVER_ERRORS], &["code"], "Errors"),
    Definition::count(&[SERVER_ERRORS], &[FUNCTION], "ServerErrors"),
    Definition::count(&[USES], &["value"], "SecretUses"),
    Definition::money(&[CREDITED], "Credited"),
    Definition::money(&[PAID], "Paid"),
    Definition {
        targets: &[AGES],
        dimensions: &["attention"],
        name: "OldestAttentionSeconds",
        measures: Measures::Seconds,
    },
];

impl Definition {
    const fn count(targets: Targets, dimensions: &'static [&'static str], name: &'static str) -> Self {
        Self { targets, dimensions, name, measures: Measures::Lines }
    }

    const fn money(targets: Targets, name: &'static str) -> Self {
        Self { targets, dimensions: &["currency_code", "wallet_type"], name, measures: Measures::Money }
    }

    /// The metrics that a line of this target counts.
    pub(crate) fn of(target: &str) -> impl Iterator<Item = &'static Self> {
        DEFINITIONS.iter().filter(move |definition| definition.targets.contains(&target))
    }

    fn directive(&self, namespace: &str) -> Value {
        let metric = match self.measures {
            Measures::Lines => json!({"Name": self.name, "Unit": "Count"}),
            Measures::Seconds => json!({"Name": self.name, "Unit": "Seconds"}),
            Measures::Money => json!({"Name": self.name}),
        };
        json!({"Namespace": namespace, "Dimensions": [self.dimensions], "Metrics": [metric]})
    }
}

/// Whether the field of this name is an exact decimal, which the line has as a number.
pub(crate) fn is_amount(field: &str) -> bool {
    DEFINITIONS.iter().any(|definition| definition.name == field && definition.measures == Measures::Money)
}

/// Writes the members that make a line of this target count, each with a comma before it. There are none if it is not counted.
pub(crate) fn write_members(
    to: &mut impl fmt::Write,
    target: &str,
    namespace: &str,
    function: &str,
    now_ms: u64,
) -> fmt::Result {
    let mut directives = Vec::new();
    for definition in Definition::of(target) {
        if definition.dimensions.contains(&FUNCTION) {
            write!(to, r#","{FUNCTION}":{}"#, json!(function))?;
        }
        if definition.measures == Measures::Lines {
            write!(to, r#","{}":1"#, definition.name)?;
        }
        directives.push(definition.directive(namespace));
    }
    if directives.is_empty() {
        return Ok(());
    }
    write!(to, r#","_aws":{}"#, json!({"Timestamp": now_ms, "CloudWatchMetrics": directives}))
}
