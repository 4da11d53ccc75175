//! How to start a stack.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use simulator::HostName;

use crate::credentials::Credentials;
use crate::stream_batch::{STREAM_LIMITS, StreamLimits};

/// What becomes of a call that finds all processes of its function busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// It waits, so that nothing depends on how fast a machine is.
    Wait,
    /// It is throttled, as Lambda does.
    Refuse,
}

/// By how much [`StackOptions::fast`] divides times.
pub const FAST: u32 = 10;

/// What can be chosen; the defaults suit tests: free ports, a table in memory, new credentials.
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a start, not a state")]
pub struct StackOptions {
    /// Whether to build the functions with cargo first.
    pub build: bool,
    /// The directory with the functions' programs, if not the one that cargo builds into.
    pub binaries: Option<PathBuf>,
    /// The port of the HTTP API; 0: any free one.
    pub port: u16,
    /// The port of the API that has the route of postbacks; 0: any free one.
    pub postback_port: u16,
    /// The port of the API that people call through the operator's tool; 0: any free one.
    pub operator_port: u16,
    /// The port of the simulated provider; 0: any free one.
    pub provider_port: u16,
    /// Another name for this machine, under which all servers may be called as well.
    pub host: Option<HostName>,
    /// The base URL of another provider, in place of the simulated one.
    pub provider: Option<String>,
    /// How long the simulated provider waits before it sends a postback again.
    pub postback_repeat_after: Duration,
    /// How long a late payment takes at the simulated provider.
    pub late_payment_after: Duration,
    /// Whether amounts with certain last digits decide what the simulated provider does.
    pub test_amounts: bool,
    /// The shop's page for each id in the links to the payment window.
    pub window_urls: BTreeMap<String, String>,
    /// The directory that stores the table and the credentials between runs.
    pub data: Option<PathBuf>,
    /// The credentials; by default those in `data`, else new ones.
    pub credentials: Option<Credentials>,
    /// Whether to print what the functions print.
    pub verbose: bool,
    /// Whether to print events.
    pub show_events: bool,
    /// The merchant's server that events are posted to: `https://`, or `http://` on this machine.
    pub events: Option<String>,
    /// The wait after the first attempt to post an event. The later ones grow with it.
    pub events_first_retry_seconds: u32,
    /// The age at which an event is set aside that the merchant's server did not take.
    pub events_give_up_seconds: u32,
    /// How often one of the events is tried that were set aside.
    pub events_probe_after: Duration,
    /// The table's name.
    pub table_name: String,
    /// The table whose rows are copied into it at the start, as a restore does.
    pub copy_of: Option<String>,
    /// How long a message that was received stays hidden.
    pub visibility_timeout_seconds: u32,
    /// After how many receptions a message goes to the dead-letter queue.
    pub max_receive_count: u32,
    /// How long a change that was set aside waits until it is tried again.
    pub set_aside_retry_seconds: u32,
    /// How many messages the submitter gets at a time, at most.
    pub batch_size: u32,
    /// How many batches the submitter gets at the same time, at most.
    pub event_source_concurrency: usize,
    /// How many processes a function may have.
    pub function_concurrency: usize,
    /// What becomes of a call that finds all of them busy.
    pub when_busy: WhenBusy,
    /// When changes of the table that are not published are given up.
    pub stream_limits: StreamLimits,
    /// How long a function may take before it is killed.
    pub time_limit: Duration,
    /// The same for functions that send withdrawals. It must be shorter than a sender's lifetime.
    pub sender_time_limit: Duration,
    /// After which time without a recorded result the sender of a withdrawal counts as dead.
    pub sender_lifetime_ms: u32,
    /// How long after its creation a withdrawal is submitted again.
    pub submission_delay_seconds: u32,
    /// The wait before a withdrawal's first retry; each further one is twice as long.
    pub first_retry_seconds: u32,
    /// The longest of these waits.
    pub retry_ceiling_seconds: u32,
    /// How long a function waits for the provider.
    pub provider_timeout_ms: u32,
    /// Whether a submission of unknown outcome is sent again: `on` or `off`.
    pub resend_unknown: String,
    /// Whether withdrawals are switched on: `on` or `off`.
    pub withdrawals: String,
    /// Above which amount a decision takes two people: an amount, `0` or `none`.
    pub second_person_above: String,
    /// How much may be sent out in an hour: `none`, an amount, or a JSON object.
    pub withdrawal_ceiling_per_hour: String,
    /// How much may be sent out in a day.
    pub withdrawal_ceiling_per_day: String,
    /// The functions' log level.
    pub log_level: String,
    /// More environment for single functions: function, name, value.
    pub environment: Vec<(String, String, String)>,
}

impl Default for StackOptions {
    fn default() -> Self {
        StackOptions {
            build: true,
            binaries: None,
            port: 0,
            postback_port: 0,
            operator_port: 0,
            provider_port: 0,
            host: None,
            provider: None,
            postback_repeat_after: Duration::from_secs(2),
            late_payment_after: Duration::from_secs(10),
            test_amounts: false,
            window_urls: BTreeMap::new(),
            data: None,
            credentials: None,
            verbose: false,
            show_events: false,
            events: None,
            events_first_retry_seconds: 5,
            events_give_up_seconds: 3_600,
            events_probe_after: Duration::from_mins(15),
            table_name: "paykassma".into(),
            copy_of: None,
            visibility_timeout_seconds: 120,
            max_receive_count: 8,
            set_aside_retry_seconds: 900,
            batch_size: 1,
            event_source_concurrency: 5,
            function_concurrency: 16,
            when_busy: WhenBusy::Wait,
            stream_limits: STREAM_LIMITS,
            time_limit: Duration::from_secs(20),
            sender_time_limit: Duration::from_secs(20),
            sender_lifetime_ms: 30_000,
            submission_delay_seconds: 60,
            first_retry_seconds: 30,
            retry_ceiling_seconds: 900,
            provider_timeout_ms: 8_000,
            resend_unknown: "off".into(),
            withdrawals: "on".into(),
            second_person_above: "none".into(),
            withdrawal_ceiling_per_hour: "none".into(),
            withdrawal_ceiling_per_day: "none".into(),
            log_level: "info".into(),
            environment: Vec::new(),
        }
    }
}

impl StackOptions {
    /// The same with shorter times, so that nobody waits a minute until a withdrawal is unknown. The time limits that depend on each
    /// other keep their order. Those that only end what hangs stay: of functions that send no withdrawals, and of API Gateway.
    #[must_use]
    pub fn fast(self) -> Self {
        let shorter = |time: Duration| time.checked_div(FAST).unwrap_or(time);
        Self {
            postback_repeat_after: shorter(self.postback_repeat_after),
            late_payment_after: shorter(self.late_payment_after),
            visibility_timeout_seconds: self.visibility_timeout_seconds / FAST,
            set_aside_retry_seconds: self.set_aside_retry_seconds / FAST,
            sender_time_limit: shorter(self.sender_time_limit),
            sender_lifetime_ms: self.sender_lifetime_ms / FAST,
            submission_delay_seconds: self.submission_delay_seconds / FAST,
            first_retry_seconds: self.first_retry_seconds / FAST,
            retry_ceiling_seconds: self.retry_ceiling_seconds / FAST,
            provider_timeout_ms: self.provider_timeout_ms / FAST,
            events_first_retry_seconds: self.events_first_retry_seconds.div_ceil(FAST),
            events_give_up_seconds: self.events_give_up_seconds / FAST,
            events_probe_after: shorter(self.events_probe_after),
            ..self
        }
    }
}
