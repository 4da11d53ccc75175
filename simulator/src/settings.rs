//! The behaviour of the simulated provider that the control API and the back office can change.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Serialize};

/// The answer to an activation whose payment is not registered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unregistered {
    /// `pending`: the check has been started.
    Pending,
    /// `possible_transaction_created`: nothing was found so far.
    PossibleTransactionCreated,
}

/// How the body of a postback is spelled on the wire. The flagged spelling is signed in any case (docs/provider-protocol.md 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireSpelling {
    /// Slashes and characters are written as they are.
    Flagged,
    /// Slashes are written as `\/`, and characters outside ASCII as `\uXXXX`.
    Default,
}

/// The settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a test, not a state")]
pub(crate) struct Settings {
    /// Whether an accepted `withdrawal_id` is rejected the second time.
    pub(crate) dedup: bool,
    /// Whether the balance is checked before the id.
    pub(crate) balance_first: bool,
    /// The largest sum of all withdrawals that have not ended; null means no limit.
    pub(crate) balance: Option<u64>,
    /// The smallest withdrawal.
    pub(crate) withdrawal_min: u64,
    /// The largest withdrawal.
    pub(crate) withdrawal_max: u64,
    /// The answer to an activation without a registered payment.
    pub(crate) activation_default: Unregistered,
    /// Whether the id of an accepted activation is rejected the second time, also for the same number and label.
    pub(crate) unique_ids: bool,
    /// Whether postbacks of payments and withdrawals are sent. While it is off they wait.
    pub(crate) send_postbacks: bool,
    /// Whether a withdrawal succeeds and its postback is sent before the call is answered.
    pub(crate) early_postback: bool,
    /// The spelling of postbacks on the wire.
    pub(crate) wire_spelling: WireSpelling,
    /// Whether amounts with certain last digits decide what happens.
    pub(crate) test_amounts: bool,
    /// How long a late payment takes. What is not late but comes after the answer takes a tenth of it.
    pub(crate) late_ms: u64,
    /// The time after which a postback that was not answered ok is sent again: after the first delivery, after the second, and so on. The
    /// last one is for all further ones.
    pub(crate) repeat_after_ms: Vec<u64>,
}

/// The shortest time between two deliveries.
const SHORTEST_REPEAT_MS: u64 = 10;

impl Default for Settings {
    fn default() -> Self {
        Self {
            dedup: true,
            balance_first: false,
            balance: None,
            withdrawal_min: 1,
            withdrawal_max: 1_000_000_000,
            activation_default: Unregistered::Pending,
            unique_ids: false,
            send_postbacks: true,
            early_postback: false,
            wire_spelling: WireSpelling::Flagged,
            test_amounts: false,
            late_ms: 10_000,
            repeat_after_ms: vec![2_000],
        }
    }
}

impl Settings {
    /// Gives these settings with some of them changed.
    pub(crate) fn changed(&self, changes: serde_json::Map<String, serde_json::Value>) -> serde_json::Result<Self> {
        let mut all = serde_json::to_value(self)?;
        if let Some(all) = all.as_object_mut() {
            all.extend(changes);
        }
        let new: Self = serde_json::from_value(all)?;
        let times = &new.repeat_after_ms;
        if times.is_empty() || times.iter().any(|time| *time < SHORTEST_REPEAT_MS) {
            let rule = format!("repeat_after_ms must have one or more times of at least {SHORTEST_REPEAT_MS}");
            return Err(serde_json::Error::custom(rule));
        }
        Ok(new)
    }

    /// How long a late payment takes.
    pub(crate) fn late(&self) -> Duration {
        Duration::from_millis(self.late_ms)
    }

    /// How long it takes until what comes after an answer is there.
    pub(crate) fn soon(&self) -> Duration {
        self.late().checked_div(10).unwrap_or_default()
    }

    /// The time between a delivery and the next one; `deliveries` is how many there were.
    pub(crate) fn repeat_after(&self, deliveries: usize) -> Duration {
        let times = &self.repeat_after_ms;
        let time = times.get(deliveries.saturating_sub(1)).or(times.last());
        Duration::from_millis(time.copied().unwrap_or(SHORTEST_REPEAT_MS))
    }
}
