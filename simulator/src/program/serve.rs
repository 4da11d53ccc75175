//! `serve`: the simulated provider without the rest of a stack.

use std::io::{self, ErrorKind};
use std::time::Duration;

use secrecy::ExposeSecret;
use simulator::{Simulator, SimulatorOptions};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::program::cli::Serve;
use crate::program::console::say;
use crate::program::end::{Done, Failure};
use crate::program::stack_file::{StackFile, check_postback_url};

/// How long a late payment takes.
const LATE_AFTER: Duration = Duration::from_secs(10);

const CONTROL_API: &str = "\
    POST   payments                  a user has paid: transaction_id, amount
    GET    withdrawals/{id}          a withdrawal, and how often it was received
    POST   withdrawals/{id}/settle   a withdrawal ends: status (1 success, 5 fail)
    GET    postbacks                 the postbacks so far, and their answers
    POST   postbacks                 send any postbacks, genuine or tampered with
    POST   faults                    the next calls go wrong: on, fault
    DELETE faults                    cancel all ordered faults
    GET    settings                  how the provider behaves
    POST   settings                  change it
    GET    log                       what has happened";

/// The values that the provider shares with the merchant.
struct Shared {
    postback_url: String,
    access_key: String,
    postback_private_key: String,
    withdrawal_private_key: String,
    pluginapi_secret: String,
}

/// Runs the simulated provider until it is interrupted.
pub(crate) async fn run(arguments: &Serve) -> Result<Done, Failure> {
    let shared = match &arguments.postback_url {
        Some(url) => Shared::new(url).map_err(|error| Failure::Usage(format!("no random bits: {error}")))?,
        None => Shared::of_file(&StackFile::read(&arguments.stack)?)?,
    };
    let url = check_postback_url(&shared.postback_url, &arguments.stack)?;
    let started = |error: io::Error| Failure::Usage(format!("the simulated provider does not start: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(started)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(started)?;
    let new_keys = arguments.postback_url.as_ref().map(|_| shared.lines()).unwrap_or_default();
    let simulator = Simulator::start(SimulatorOptions {
        listener: bind(arguments.port).await?,
        postback_url: url.expose_secret().to_owned(),
        pluginapi_secret: shared.pluginapi_secret,
        withdrawal_private_key: shared.withdrawal_private_key,
        access_key: shared.access_key,
        postback_private_key: shared.postback_private_key,
        repeat_after: Duration::from_secs(arguments.repeat_seconds),
        late_after: LATE_AFTER,
        test_amounts: true,
        window_urls: arguments.window_url.iter().cloned().collect(),
        host: arguments.host.clone(),
    });
    let simulator = simulator.await.map_err(started)?;
    say(&format!("The simulated provider is running. Ctrl-C ends it.\n\n{}{new_keys}", addresses(simulator.url())));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(Done::Well)
}

async fn bind(port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
        Failure::Usage(if error.kind() == ErrorKind::AddrInUse {
            format!("port {port} is in use: choose another one with --port (0: any free one)")
        } else {
            format!("port {port}: {error}")
        })
    })
}

fn addresses(url: &str) -> String {
    format!("  provider     {url}\n  back office  {url}/backoffice\n  control API  {url}/_control\n\n{CONTROL_API}\n")
}

impl Shared {
    /// Makes new keys.
    fn new(postback_url: &str) -> Result<Self, getrandom::Error> {
        Ok(Self {
            postback_url: postback_url.to_owned(),
            access_key: random_hex()?,
            postback_private_key: random_hex()?,
            withdrawal_private_key: random_hex()?,
            pluginapi_secret: random_hex()?,
        })
    }

    fn of_file(file: &StackFile) -> Result<Self, Failure> {
        let value = |name| file.value(name).map(str::to_owned);
        Ok(Self {
            postback_url: value("POSTBACK_URL")?,
            access_key: value("ACCESS_KEY")?,
            postback_private_key: value("POSTBACK_PRIVATE_KEY")?,
            withdrawal_private_key: value("WITHDRAWAL_PRIVATE_KEY")?,
            pluginapi_secret: value("PLUGINAPI_SECRET")?,
        })
    }

    /// The lines of a file for `--env-file`.
    fn lines(&self) -> String {
        let Self { postback_url, access_key, postback_private_key, withdrawal_private_key, pluginapi_secret } = self;
        format!(
            "
New keys. Save these lines for `simulator send --env-file FILE`, and configure the merchant's side with them:

POSTBACK_URL={postback_url}
ACCESS_KEY={access_key}
POSTBACK_PRIVATE_KEY={postback_private_key}
WITHDRAWAL_PRIVATE_KEY={withdrawal_private_key}
PLUGINAPI_SECRET={pluginapi_secret}"
        )
    }
}

/// 32 hex digits of the system's randomness.
fn random_hex() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}
