//! An instance of a function: one process of a function, and one event at a time for it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use simulator::guard;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::{now_ms, request_id};
use crate::logs::Logs;
use crate::process::{Launcher, Process};
use crate::runtime_api::{Delivery, Report, router};

/// How long a process may take until it asks for its first event, as in Lambda.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Why an invocation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The function reported an error; its process lives on.
    #[error("the function reported an error: {0}")]
    Reported(String),
    /// The function did not get as far as asking for an event.
    #[error("the function did not start: {0}")]
    NotStarted(String),
    /// The process ended, or was killed, in the middle.
    #[error("the process ended before it answered")]
    Ended,
    /// The process outlived its time limit and was killed.
    #[error("the function timed out after {0:?}")]
    TimedOut(Duration),
    /// All processes that the function may have are busy.
    #[error("the function is throttled")]
    Throttled,
    /// The stack is shutting down.
    #[error("the stack has stopped")]
    Stopped,
}

/// What it takes to start a process of a function.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) launcher: Arc<Launcher>,
    pub(crate) logs: Arc<Logs>,
}

/// A running process that takes one event at a time. It is killed when this is dropped.
pub(crate) struct Instance {
    pub(crate) process: Process,
    events: mpsc::Sender<Delivery>,
    reports: mpsc::Receiver<Report>,
    _api: JoinSet<()>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.process.start_kill();
    }
}

impl Instance {
    /// Starts the process and the API that it will poll.
    pub(crate) async fn launch(recipe: &Recipe) -> io::Result<Instance> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (events, deliveries) = mpsc::channel(1);
        let (reporter, reports) = mpsc::channel(8);
        let mut api = JoinSet::new();
        let routes = guard(router(recipe.name, deliveries, reporter), address.port(), None);
        api.spawn(async { axum::serve(listener, routes).await.unwrap_or_default() });

        let mut variables = recipe.variables.clone();
        variables.push(("AWS_LAMBDA_RUNTIME_API".into(), address.to_string().into()));
        let mut child = recipe.launcher.spawn(&recipe.program, &variables).await?;
        if let Some(output) = child.stdout.take() {
            tokio::spawn(Arc::clone(&recipe.logs).follow(recipe.name, output));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(Arc::clone(&recipe.logs).follow(recipe.name, output));
        }
        Ok(Instance { process: Process::adopt(child), events, reports, _api: api })
    }

    /// Waits until the process asks for an event: its start-up is over, or the answer before has left it.
    pub(crate) async fn ready(&mut self) -> Result<(), Failure> {
        let polled = async {
            loop {
                match self.report().await? {
                    Report::Polled => return Ok(()),
                    Report::InitFailed(error) => return Err(Failure::NotStarted(text(&error))),
                    Report::Answered(..) | Report::Failed(..) => {}
                }
            }
        };
        match timeout(INIT_LIMIT, polled).await {
            Ok(Err(Failure::Ended)) => Err(Failure::NotStarted("the process ended".into())),
            Ok(ready) => ready,
            Err(_) => Err(Failure::NotStarted(format!("no sign of life for {INIT_LIMIT:?}"))),
        }
    }

    /// Hands an event to the process and waits for the answer; a process that takes longer is killed.
    pub(crate) async fn invoke(&mut self, event: Bytes, limit: Duration) -> Result<Bytes, Failure> {
        let id = request_id();
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let delivery = Delivery { id: id.clone(), deadline_ms: now_ms().saturating_add(limit_ms), event };
        self.events.send(delivery).await.map_err(|_| Failure::Ended)?;
        let Ok(answer) = timeout(limit, self.answer(&id)).await else {
            self.process.kill().await;
            return Err(Failure::TimedOut(limit));
        };
        answer
    }

    async fn answer(&mut self, current: &str) -> Result<Bytes, Failure> {
        loop {
            match self.report().await? {
                Report::Answered(id, answer) if id == current => return Ok(answer),
                Report::Failed(id, error) if id == current => return Err(Failure::Reported(text(&error))),
                Report::Polled | Report::Answered(..) | Report::Failed(..) | Report::InitFailed(_) => {}
            }
        }
    }

    async fn report(&mut self) -> Result<Report, Failure> {
        tokio::select! {
            biased;
            Some(report) = self.reports.recv() => Ok(report),
            () = self.process.end() => Err(Failure::Ended),
        }
    }
}

fn text(error: &[u8]) -> String {
    String::from_utf8_lossy(error).into_owned()
}
