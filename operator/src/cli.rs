//! The command line: the commands of the other modules in one.

use clap::{Parser, Subcommand};

use crate::adopt::Adopt;
use crate::after_restore::AfterRestore;
use crate::audit::Audit;
use crate::console::Serve;
use crate::deployment::Where;
use crate::events::Events;
use crate::find::Find;
use crate::list::List;
use crate::reconcile::Reconcile;
use crate::redrive::Redrive;
use crate::replay::Replay;
use crate::resolve::Resolve;
use crate::show::Show;

/// Lists the payments and withdrawals that need a person, and lets that person decide with evidence.
///
/// Only `resolve` changes money, and only where the rules allow it. All other commands look, or send a postback, a queued message or an
/// event the way that it came.
#[derive(Debug, Parser)]
#[command(name = "operator", version, after_help = HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) stack: Where,

    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print the technical cause of a failure too
    #[arg(long, global = true)]
    pub(crate) verbose: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what needs a person and the withdrawals that have not ended, the oldest first
    List(List),
    /// Show a transaction: what happened, on what evidence, and why the rules decided so
    Show(Show),
    /// Find transactions by what a customer says: label, account, amount, day or number
    Find(Find),
    /// End an open transaction, or close what contradicts its end
    Resolve(Resolve),
    /// Send a stored postback, or one from a file, through the receiver again
    Replay(Replay),
    /// Send dead letters back to the submission queue, or a new message for a withdrawal whose message was lost
    Redrive(Redrive),
    /// Compare the provider's back-office export with the table
    Reconcile(Reconcile),
    /// Check the money rules of all rows
    Audit(Audit),
    /// List the events that the rows still say, or have them published again
    Events(Events),
    /// Put a restored or copied table into service
    Adopt(Adopt),
    /// Make a restored table safe to send withdrawals from
    AfterRestore(AfterRestore),
    /// Show all this as pages in a browser on this machine
    Serve(Serve),
}

const HELP: &str = "\
Which stack: --local, or --env-file, or the environment variables TABLE_NAME, QUEUE_URL, DEAD_LETTER_QUEUE_URL and
OPERATOR_API_URL (each command needs only its own), and PAYMENT_SYSTEMS if the stack has that parameter. Credentials and region are
found as by all AWS tools: AWS_PROFILE, roles, credential_process. AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_DYNAMODB and
AWS_ENDPOINT_URL_SQS are honoured. What the file says goes before the environment.

Exit status:
  0  done, and all is as it should be
  1  done, and something was found: a difference, a broken rule, an answer that is not ok; `find`: nothing, or not all was read
  2  the command line, a setting or a file is wrong
  3  not allowed: there is no such row, or its state does not allow it
  4  the stack does not answer, or the output cannot be written; the request may have been done all the same: look, then repeat it
If the reader of the output has read enough and closes the pipe, the command goes on in silence and ends with its own status.";
