//! The command line.

use std::path::PathBuf;

use clap::Parser;
use local::{HostName, StackOptions};

/// Runs the whole bundle on this machine: the functions' real programs behind an HTTP API, with a table, a queue and a
/// simulated provider. Runs a complete deposit and withdrawal, then keeps running until Ctrl-C.
#[derive(Parser)]
#[command(name = "local", verbatim_doc_comment, after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a start, not a state")]
pub(crate) struct Cli {
    /// End after the demonstration, with status 0 only if every step was as expected
    #[arg(long, conflicts_with_all = ["no_demo", "provider"])]
    pub(crate) once: bool,

    /// Do not run the demonstration
    #[arg(long)]
    pub(crate) no_demo: bool,

    /// Make waits and time limits ten times shorter: see "A fast sandbox" in docs/testing.md
    #[arg(long)]
    fast: bool,

    /// The port of the merchant's HTTP API on 127.0.0.1; 0: any free one
    #[arg(long, value_name = "N", default_value_t = 3000)]
    port: u16,

    /// The port of the HTTP API for postbacks on 127.0.0.1; 0: any free one
    #[arg(long, value_name = "N", default_value_t = 3001)]
    postback_port: u16,

    /// The port of the HTTP API for the operator's tool on 127.0.0.1; 0: any free one
    #[arg(long, value_name = "N", default_value_t = 3002)]
    operator_port: u16,

    /// The port of the simulated provider on 127.0.0.1; 0: any free one
    #[arg(long, value_name = "N", default_value_t = 3100)]
    provider_port: u16,

    /// Let this name stand for this machine too, such as a tunnel's or `host.docker.internal`: without a port, because any port is
    /// accepted with it
    #[arg(long, value_name = "NAME", value_parser = HostName::parse)]
    host: Option<HostName>,

    /// Use this provider in place of the simulated one: its API's base URL (`https://api.{server}`)
    #[arg(long, value_name = "URL")]
    provider: Option<String>,

    /// The shop's page for an id in the links to the payment window, such as 2=http://localhost:8080/ok; may be repeated
    #[arg(long, value_name = "ID=URL", value_parser = local::window_url)]
    window_url: Vec<(String, String)>,

    /// Keep the table (table.db) and the credentials (credentials.json) in this directory between runs; the queue is
    /// always in memory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// The table's name
    #[arg(long, value_name = "NAME", default_value = "paykassma")]
    table: String,

    /// Copy all rows of this table into --table first, as a point-in-time restore does: see "Restore" in docs/runbook.md
    #[arg(long, value_name = "NAME", requires = "data")]
    copy_of: Option<String>,

    /// Write KEY=VALUE lines for scripts to this file once everything is up; by default to stack.env in cargo's target
    /// directory (in the archive: beside the programs' folder), where `operator --local` and `simulator send` find it, for as long as the
    /// stack runs
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,

    /// Take the functions' programs from this directory. By default they are beside this program, and `cargo run` builds them first
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,

    /// Post every event to this URL, signed, until it is taken; http:// only on this machine. Events are printed anyway
    #[arg(long, value_name = "URL")]
    events: Option<String>,

    /// The most that may be sent out in an hour: `none`, an amount, or a JSON object such as '{"paytm":"100000"}'
    #[arg(long, value_name = "AMOUNT", default_value = "none")]
    withdrawal_ceiling_per_hour: String,

    /// The most that may be sent out in a day (UTC)
    #[arg(long, value_name = "AMOUNT", default_value = "none")]
    withdrawal_ceiling_per_day: String,

    /// Whether withdrawals are switched on
    #[arg(long, value_parser = ["on", "off"], default_value = "on")]
    withdrawals: String,

    /// Above which amount a decision takes two people: an amount, `0` or `none`
    #[arg(long, value_name = "AMOUNT", default_value = "none")]
    second_person_above: String,

    /// Print what the functions log
    #[arg(long)]
    verbose: bool,
}

const AFTER_HELP: &str = "\
The file of --env-file has API_URL, POSTBACK_API_URL, OPERATOR_API_URL, POSTBACK_URL, PROVIDER_URL, TABLE_NAME, TABLE_STREAM_ARN, QUEUE_URL, EVENT_BUS_NAME,
DEAD_LETTER_QUEUE_URL, SET_ASIDE_QUEUE_URL, MERCHANT_TOKEN, ACCESS_KEY, POSTBACK_PRIVATE_KEY, WITHDRAWAL_PRIVATE_KEY, PLUGINAPI_SECRET, and what
SDKs of AWS take: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL_SECRETS_MANAGER,
AWS_ENDPOINT_URL_EVENTBRIDGE.

The credentials are new in every run, unless --data keeps them. To use your own, for instance with --provider, put them
into DIR/credentials.json. Ctrl-C or SIGTERM ends everything; no process is left behind, not even after SIGKILL.";

impl Cli {
    pub(crate) fn options(&self) -> StackOptions {
        let options = StackOptions {
            port: self.port,
            postback_port: self.postback_port,
            operator_port: self.operator_port,
            provider_port: self.provider_port,
            host: self.host.clone(),
            table_name: self.table.clone(),
            copy_of: self.copy_of.clone(),
            provider: self.provider.clone(),
            test_amounts: true,
            window_urls: self.window_url.iter().cloned().collect(),
            data: self.data.clone(),
            build: local::is_run_by_cargo(),
            binaries: self.binaries.clone(),
            verbose: self.verbose,
            show_events: true,
            events: self.events.clone(),
            withdrawals: self.withdrawals.clone(),
            second_person_above: self.second_person_above.clone(),
            withdrawal_ceiling_per_hour: self.withdrawal_ceiling_per_hour.clone(),
            withdrawal_ceiling_per_day: self.withdrawal_ceiling_per_day.clone(),
            ..StackOptions::default()
        };
        if self.fast { options.fast() } else { options }
    }
}
