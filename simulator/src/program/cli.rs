//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use domain::{Amount, CurrencyCode, InvalidValue, Label, WalletType};
use paykassma::JsonToken;
use simulator::HostName;

/// Simulates the provider: runs it without the rest of a stack, or sends its signed postbacks to a stack.
///
/// It needs no AWS. It finds a stack by the file that a running local stack writes, or by --env-file.
#[derive(Debug, Parser)]
#[command(name = "simulator", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the simulated provider until Ctrl-C
    Serve(Serve),
    /// Send signed postbacks to a stack
    Send(Send),
}

/// Which stack.
#[derive(Debug, Args)]
pub(crate) struct Stack {
    /// KEY=VALUE lines with the stack's values; by default the file that a running local stack writes, stack.env in
    /// cargo's target directory
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,

    /// Allow a postback URL that is not on this machine. Only for a stack for testing: it credits what is
    /// simulated
    #[arg(long, global = true)]
    pub(crate) test_stack: bool,
}

/// How the simulated provider runs.
#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) stack: Stack,

    /// The port on 127.0.0.1; 0: any free one
    #[arg(long, value_name = "N", default_value_t = 3100)]
    pub(crate) port: u16,

    /// Send postbacks to this URL. No file is read: the keys are new, and are printed
    #[arg(long, value_name = "URL", conflicts_with = "env_file")]
    pub(crate) postback_url: Option<String>,

    /// After how many seconds a postback that was not answered ok is sent again
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) repeat_seconds: u64,

    /// The shop's page for an id in the links to the payment window, such as 2=http://localhost:8080/ok; may be repeated
    #[arg(long, value_name = "ID=URL", value_parser = simulator::window_url)]
    pub(crate) window_url: Vec<(String, String)>,
    /// Let this name stand for this machine too, such as a tunnel's: without a port, because any port is accepted with it
    #[arg(long, value_name = "NAME", value_parser = HostName::parse)]
    pub(crate) host: Option<HostName>,
}

/// Which postbacks, and how they are sent.
#[derive(Debug, Args)]
#[command(after_help = SEND_HELP)]
pub(crate) struct Send {
    #[command(flatten)]
    pub(crate) stack: Stack,

    #[command(subcommand)]
    pub(crate) what: What,

    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Send each postback N times
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    pub(crate) repeat: usize,

    /// Send N at a time
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    pub(crate) parallel: usize,

    /// Send them in a random order
    #[arg(long, global = true)]
    pub(crate) shuffle: bool,

    /// Set a field after signing, such as label=thief or amount=1; may be repeated
    #[arg(long, global = true, value_name = "FIELD=VALUE", value_parser = field)]
    pub(crate) tamper: Vec<(String, JsonToken)>,

    /// Change a digit of the signed list after signing: the receiver must reject it
    #[arg(long, global = true)]
    pub(crate) forge: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// A user has paid
    Deposit(Deposit),
    /// A withdrawal has ended
    Withdrawal(Withdrawal),
    /// Bodies from files: their `additional_data` is signed with the stack's keys
    File {
        /// Files with one body each
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Deposit {
    /// The order that the provider names
    #[arg(long, value_name = "CUSTOM_TRANSACTION_ID")]
    pub(crate) order: String,

    /// The number of the payment
    #[arg(long, value_name = "TRANSACTION_ID")]
    pub(crate) number: String,

    #[command(flatten)]
    pub(crate) money: Money,
}

#[derive(Debug, Args)]
pub(crate) struct Withdrawal {
    /// The withdrawal
    #[arg(long, value_name = "WITHDRAWAL_ID")]
    pub(crate) id: String,

    /// 1 for success, 5 for fail
    #[arg(long, default_value_t = 1)]
    pub(crate) status: i64,

    #[command(flatten)]
    pub(crate) money: Money,
}

#[derive(Debug, Args)]
pub(crate) struct Money {
    /// The amount
    #[arg(long, value_parser = Amount::parse)]
    pub(crate) amount: Amount,

    /// The user
    #[arg(long, value_parser = |text: &str| Label::parse(text))]
    pub(crate) label: Label,

    /// The currency
    #[arg(long, default_value = "INR", value_parser = parse_currency)]
    pub(crate) currency_code: CurrencyCode,

    /// The payment system
    #[arg(long, default_value = "paytm", value_parser = parse_wallet)]
    pub(crate) wallet_type: WalletType,
}

fn parse_currency(text: &str) -> Result<CurrencyCode, InvalidValue> {
    CurrencyCode::parse(text)
}

fn parse_wallet(text: &str) -> Result<WalletType, InvalidValue> {
    WalletType::parse(text)
}

/// A value that is JSON is taken as it is spelled; any other value is a string.
fn field(text: &str) -> Result<(String, JsonToken), String> {
    let (name, value) = text.split_once('=').ok_or("must be FIELD=VALUE")?;
    Ok((name.to_owned(), JsonToken::parse(value).unwrap_or_else(|_| JsonToken::from(value))))
}

const AFTER_HELP: &str = "\
Exit status:
  0  done, and every answer was 200
  1  done, and there was another answer
  2  the command line, a value or a file is wrong
  3  refused: POSTBACK_URL is not on this machine, and --test-stack is missing
  4  the stack does not answer; some postbacks may have arrived all the same";

const SERVE_HELP: &str = "\
The file has POSTBACK_URL, ACCESS_KEY, POSTBACK_PRIVATE_KEY, WITHDRAWAL_PRIVATE_KEY and PLUGINAPI_SECRET. A local stack
that uses this provider is started with `local --no-demo --provider http://127.0.0.1:3100`, before `simulator serve`.";

const SEND_HELP: &str = "\
The file has POSTBACK_URL, ACCESS_KEY and POSTBACK_PRIVATE_KEY.

Example: simulator send deposit --order order-1 --number 47752123519 --amount 500 --label user-1 --repeat 20 --parallel 5";
