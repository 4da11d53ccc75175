//! A function's process, the Runtime API that it polls, and what it has used.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use nix::sys::signal::{Signal, kill};
use nix::time::ClockId;
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Far more than anything takes, interpreters under callgrind included.
const PATIENCE: Duration = Duration::from_mins(5);

/// What is measured: a program, its environment, an event and a piece of the answer that shows that it did its work.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) program: Vec<PathBuf>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) event: Bytes,
    pub(crate) expected: &'static str,
}

/// What one step took: by the wall's clock, and of the processors by all threads of the process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

enum Report {
    Polled(Instant),
    Answered(Instant, StatusCode, Bytes),
}

struct Api {
    events: Mutex<mpsc::Receiver<Bytes>>,
    reports: mpsc::Sender<Report>,
}

/// A running function. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    events: mpsc::Sender<Bytes>,
    reports: mpsc::Receiver<Report>,
    _api: JoinSet<()>,
}

impl Process {
    /// Starts it under `wrapper`, which is empty or a command that runs it, and waits until it asks for its first event.
    pub(crate) async fn start(subject: &Subject, wrapper: &[String]) -> Result<(Self, Took), Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (events, taken) = mpsc::channel(1);
        let (reporter, reports) = mpsc::channel(8);
        let mut api = JoinSet::new();
        let routes = router(Api { events: Mutex::new(taken), reports: reporter });
        api.spawn(async { axum::serve(listener, routes).await.unwrap_or_default() });
        let mut command = wrapper.iter().map(PathBuf::from).chain(subject.program.iter().cloned());
        let started = now();
        let child = Command::new(command.next().ok_or("no program")?)
            .args(command)
            .env_clear()
            .envs(subject.environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id().ok_or("it has ended")?)?);
        let mut process = Self { child, pid, events, reports, _api: api };
        let polled = process.polled().await?;
        let cpu = process.cpu()?;
        Ok((process, Took { wall: polled.duration_since(started), cpu }))
    }

    /// Hands it the event. The wall's clock stops at the answer; the processor's when it asks for the next event.
    pub(crate) async fn invoke(&mut self, subject: &Subject) -> Result<Took, Box<dyn Error>> {
        let before = self.cpu()?;
        let sent = now();
        self.events.send(subject.event.clone()).await?;
        let Report::Answered(answered, status, answer) = self.report().await? else {
            return Err(format!("{} did not answer", subject.name).into());
        };
        let answer = String::from_utf8_lossy(&answer).replace("\": ", "\":");
        if status != StatusCode::ACCEPTED || !answer.contains(subject.expected) {
            return Err(format!("{} answered {answer}", subject.name).into());
        }
        self.polled().await?;
        let cpu = self.cpu()?.saturating_sub(before);
        Ok(Took { wall: answered.duration_since(sent), cpu })
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let digits = peak.and_then(|peak| peak.trim().strip_suffix(" kB")).ok_or("no VmHWM")?;
        Ok(digits.trim().parse()?)
    }

    /// Ends it by a signal that valgrind takes as the moment to write what it has counted.
    pub(crate) async fn end(mut self) -> Result<(), Box<dyn Error>> {
        kill(self.pid, Signal::SIGTERM)?;
        timeout(PATIENCE, self.child.wait()).await??;
        Ok(())
    }

    fn cpu(&self) -> Result<Duration, Box<dyn Error>> {
        Ok(ClockId::pid_cpu_clock_id(self.pid)?.now()?.into())
    }

    async fn polled(&mut self) -> Result<Instant, Box<dyn Error>> {
        match self.report().await? {
            Report::Polled(at) => Ok(at),
            Report::Answered(_, _, said) => Err(String::from_utf8_lossy(&said).into()),
        }
    }

    async fn report(&mut self) -> Result<Report, Box<dyn Error>> {
        tokio::select! {
            biased;
            report = self.reports.recv() => Ok(report.ok_or("the Runtime API has ended")?),
            ended = self.child.wait() => Err(format!("it ended with {}", ended?).into()),
            () = tokio::time::sleep(PATIENCE) => Err("it takes too long".into()),
        }
    }
}

fn router(api: Api) -> Router {
    let routes = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/response", post(|api, answer| answered(api, StatusCode::ACCEPTED, answer)))
        .route("/invocation/{id}/error", post(|api, error| answered(api, StatusCode::BAD_GATEWAY, error)))
        .route("/init/error", post(|api, error| answered(api, StatusCode::BAD_GATEWAY, error)));
    Router::new().nest("/2018-06-01/runtime", routes).with_state(Arc::new(api))
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let polled = api.reports.send(Report::Polled(now())).await;
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-south-1:123456789012:function:subject"),
        ("content-type", "application/json"),
    ];
    polled.map_or_else(|_| StatusCode::GONE.into_response(), |()| (headers, event).into_response())
}

async fn answered(State(api): State<Arc<Api>>, status: StatusCode, answer: Bytes) -> StatusCode {
    match api.reports.send(Report::Answered(now(), status, answer)).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured is time itself")]
fn now() -> Instant {
    Instant::now()
}
