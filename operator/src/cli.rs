//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use domain::{AttentionKind, Outcome};

use crate::reconcile::Reconcile;
use crate::simulate::Simulate;

/// Sees which payments and withdrawals need a person, and lets that person decide with evidence.
///
/// Money changes hands in `resolve` alone, and only where the state machine allows it; everything else looks, or goes the way that
/// a postback or a queued message goes. `simulate` makes postbacks, and is for stacks that are there for testing.
#[derive(Debug, Parser)]
#[command(name = "operator", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) stack: Where,

    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which stack.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The stack that `cargo run` has started on this machine
    #[arg(long, global = true, conflicts_with = "env_file")]
    pub(crate) local: bool,

    /// KEY=VALUE lines that report where the stack is, as its output `OperatorEnvironment` has them
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what needs a person, the oldest first
    List(List),
    /// Show a transaction: what happened, on what evidence, and why the rules decided so
    Show(Show),
    /// End an open transaction, or close what contradicts its end
    Resolve(Resolve),
    /// Send a kept postback, or one from a file, through the receiver again
    Replay(Replay),
    /// Send dead letters back to the submission queue
    Redrive(Redrive),
    /// Compare the provider's back-office export with the table
    Reconcile(Reconcile),
    /// Check the money invariants of all rows
    Audit(Audit),
    /// Send signed postbacks to a stack, to try it
    Simulate(Simulate),
}

/// What to list.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this kind; may be repeated
    #[arg(long, value_parser = kinds())]
    pub(crate) kind: Vec<AttentionKind>,

    /// Only what has been waiting for so long, such as 90s, 2h or 3days
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<std::time::Duration>,

    /// At most so many of each kind
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
}

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A key of the table (deposit#.., payment#WALLET#NUMBER, withdrawal#.., unreadable#SIGNATURE#N), or a merchant's id alone
    pub(crate) id: String,

    /// Show people's names, accounts and labels, and the signed text
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// A decision.
#[derive(Debug, Args)]
#[command(after_help = RESOLVE_HELP)]
pub(crate) struct Resolve {
    /// A key of the table, or a withdrawal's id alone
    pub(crate) id: String,

    /// What was found out
    #[arg(long = "as", value_name = "OUTCOME", value_parser = outcomes())]
    pub(crate) outcome: Outcome,

    /// Why, for the record
    #[arg(long)]
    pub(crate) reason: String,

    /// Where the evidence is, for the record: a ticket, a line of the provider's statement
    #[arg(long)]
    pub(crate) evidence: String,

    /// Who decides, for the record
    #[arg(long, env = "USER")]
    pub(crate) by: String,

    /// The order to credit, where the provider names none that is known
    #[arg(long, value_name = "CUSTOM_TRANSACTION_ID")]
    pub(crate) order: Option<String>,

    /// Only if the row still has this version, as `show` and --dry-run print it
    #[arg(long, value_name = "N")]
    pub(crate) if_version: Option<u64>,

    /// Show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What to send again.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
pub(crate) struct Replay {
    /// The key of a row that keeps a postback: payment#WALLET#NUMBER or unreadable#SIGNATURE#N
    #[arg(group = "what")]
    pub(crate) id: Option<String>,

    /// A postback's whole body, to the letter as the provider sent it
    #[arg(long, value_name = "FILE", group = "what")]
    pub(crate) file: Option<PathBuf>,

    /// The user's label, where the row keeps none
    #[arg(long)]
    pub(crate) label: Option<String>,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// At most so many letters
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,

    /// Show what would be done with each letter, and leave them
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How to check.
#[derive(Debug, Args)]
#[command(after_help = AUDIT_HELP)]
pub(crate) struct Audit {
    /// Take evidence that no key of today verifies for a broken rule
    #[arg(long)]
    pub(crate) strict: bool,
}

const AUDIT_HELP: &str = "\
Rules, of which each break is a line:
  unreadable    every row can be read, under its own key
  evidence      what a row keeps of the provider says, signed, what the row says
  decision      each end was signed by the provider or decided by a person; nothing was refused while it was in doubt
  credits       each credited payment current once in its order, with its amount, currency and label, and so do the sums
  journal       the bytes that are sent to the provider say what was asked for
  state         no row is in a state that cannot be
  index         what needs a person is in the index `attention`, and nothing else
  unverifiable  no break, unless --strict: evidence that no key of today verifies, such as that of a key that was rotated away

Rows are read as the scan comes by them; where two differ they are read again before it is said.";

fn kinds() -> impl TypedValueParser<Value = AttentionKind> {
    let names = PossibleValuesParser::new(AttentionKind::ALL.map(AttentionKind::as_str));
    names.try_map(|name| AttentionKind::named(&name).ok_or("is an unknown kind"))
}

fn outcomes() -> impl TypedValueParser<Value = Outcome> {
    let names = PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str));
    names.try_map(|name| Outcome::named(&name).ok_or("is no outcome"))
}

const AFTER_HELP: &str = "\
Where the stack is: --local, or --env-file, or the environment variables TABLE_NAME, QUEUE_URL, DEAD_LETTER_QUEUE_URL, SECRET_ID
and API_URL, of which each command needs only its own. Credentials and region are those that AWS tools use: AWS_PROFILE, roles,
credential_process.

Exit status:
  0  done, and all is as it should be
  1  done, and something was found: a difference, a broken rule, an answer that is not ok
  2  the command line, a setting or a file is wrong
  3  refused: there is no such row, or its state does not allow it
  4  the stack does not answer; what was asked for may stand all the same: look, and repeat it";

const RESOLVE_HELP: &str = "\
What may be decided:
  a withdrawal that is unknown, submitted or waiting     paid or failed; it ends so
  an ended withdrawal, or a payment, with a conflict     the conflict is closed, the end stays as it is
  an unmatched withdrawal                                paid or failed, for the record
  a payment that is quarantined or unmatched             credited, to its order, or rejected
  a number that an order only claims                     rejected: any order may claim it again
  an unreadable element                                  anything, for the record

A payment is credited with its signed amount to the label that is stored with its order.";
