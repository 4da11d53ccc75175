//! Work that takes long. It runs beside the pages: one of them shows how far it is, stops it, and has its result.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::Timestamp;
use futures_util::{Stream, stream};
use indicatif::ProgressBar;
use lambda::{Clock, System};
use maud::{Markup, html};
use pages::{Page, Updates, see};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinHandle};

use super::events::Events;
use super::reconcile::Compared;
use super::{Ask, Console, Shared, sentence, when};
use crate::failure::Failure;
use crate::rows;

/// Most jobs that run at the same time.
const RUNNING: usize = 4;
/// Most jobs that are held in memory. The oldest one that has ended makes room.
const HELD: usize = 16;
/// A page learns that jobs have moved at most this often.
const TICK: Duration = Duration::from_millis(500);

/// The jobs of this program, the oldest first.
#[derive(Default)]
pub(super) struct Jobs {
    all: Mutex<Vec<Arc<Job>>>,
    /// Says that one has begun or ended.
    changed: watch::Sender<()>,
}

/// A piece of work.
pub(super) struct Job {
    /// 128 random bits.
    id: String,
    /// The entry of the menu that has begun it.
    page: &'static str,
    /// What it does, for people.
    what: String,
    began_ms: u64,
    /// How far it is. Its message says of what the position is the number.
    bar: ProgressBar,
    task: AbortHandle,
    ended: OnceLock<(u64, End)>,
}

type Done = Result<Finished, Failure>;
type Task = JoinHandle<Done>;

/// How a job has ended.
enum End {
    Done(Finished),
    Failed(Failure),
    Stopped,
}

/// What a job gives.
pub(super) struct Finished {
    /// The result, as it is shown.
    pub(super) main: Markup,
    /// What the next step needs of it.
    pub(super) kept: Kept,
}

/// What is held of a job's result besides its page.
pub(super) enum Kept {
    Nothing,
    Events(Events),
    Compared(Compared),
}

impl Kept {
    /// What the job's page shows of it, below the result.
    fn show(&self, console: &Console, id: &str) -> Markup {
        match self {
            Self::Nothing => html! {},
            Self::Events(events) => events.show(console, id),
            Self::Compared(compared) => compared.show(console, id),
        }
    }
}

impl Jobs {
    fn all(&self) -> Vec<Arc<Job>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, id: &str) -> Option<Arc<Job>> {
        self.all().into_iter().find(|job| job.id == id)
    }

    fn is_any_running(&self) -> bool {
        self.all().iter().any(|job| job.is_running())
    }

    /// Begins one more and gives it, if there is room.
    fn begin(&self, begin: impl FnOnce(String) -> (Job, Task)) -> Result<(Arc<Job>, Task), Failure> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| Failure::Usage(format!("no random bits: {error}")))?;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.iter().filter(|job| job.is_running()).count() >= RUNNING {
            return Err(Failure::NotAllowed(format!("{RUNNING} jobs are running; stop one, or wait for its end")));
        }
        if all.len() >= HELD
            && let Some(oldest) = all.iter().position(|job| !job.is_running())
        {
            all.remove(oldest);
        }
        let (job, task) = begin(hex::encode(id));
        let job = Arc::new(job);
        all.push(Arc::clone(&job));
        Ok((job, task))
    }
}

impl Job {
    fn is_running(&self) -> bool {
        self.ended.get().is_none()
    }

    /// How far it is, or how far it came, and in which time.
    fn progress(&self) -> String {
        let until_ms = self.ended.get().map_or_else(|| System.now_ms(), |(at_ms, _)| *at_ms);
        format!("{} {} in {}", self.bar.position(), self.bar.message(), rows::age(Timestamp(self.began_ms), until_ms))
    }

    /// What it gave, if it is done.
    pub(super) fn kept(&self) -> Option<&Kept> {
        match self.ended.get() {
            Some((_, End::Done(Finished { kept, .. }))) => Some(kept),
            Some((_, End::Failed(_) | End::Stopped)) | None => None,
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.ended.get() {
            None => "running",
            Some((_, End::Done(_))) => "done",
            Some((_, End::Failed(_))) => "failed",
            Some((_, End::Stopped)) => "stopped",
        })
    }
}

impl From<Result<Done, JoinError>> for End {
    fn from(joined: Result<Done, JoinError>) -> Self {
        match joined {
            Ok(Ok(finished)) => Self::Done(finished),
            Ok(Err(failure)) => Self::Failed(failure),
            Err(error) if error.is_cancelled() => Self::Stopped,
            Err(error) => Self::Failed(Failure::NoAnswer(format!("a fault of this program: {error}"))),
        }
    }
}

impl Console {
    /// Begins work, and sends the browser to the page that shows how far it is. `page` is the menu's entry and `what` says what is done;
    /// the bar counts rows, unless the work gives it another message. Stopping drops the future that `work` gives.
    pub(super) fn start<Work>(
        self: &Arc<Self>,
        page: &'static str,
        what: String,
        work: impl FnOnce(Shared, ProgressBar) -> Work,
    ) -> Response
    where
        Work: Future<Output = Done> + Send + 'static,
    {
        let begun = self.jobs.begin(|id| {
            let bar = ProgressBar::hidden().with_message("rows looked at");
            let (console, work) = (Arc::clone(self), work(Arc::clone(self), bar.clone()));
            let task = tokio::spawn(async move {
                match work.await {
                    Err(failure) => Err(console.explained(failure).await),
                    done @ Ok(_) => done,
                }
            });
            let (began_ms, handle) = (System.now_ms(), task.abort_handle());
            (Job { id, page, what, began_ms, bar, task: handle, ended: OnceLock::new() }, task)
        });
        let (job, task) = match begun {
            Ok(begun) => begun,
            Err(failure) => return self.problem(page, "Not begun", &failure, &html! {}),
        };
        let (console, address) = (Arc::clone(self), self.job(&job));
        console.jobs.changed.send_replace(());
        tokio::spawn(async move {
            let end = End::from(task.await);
            job.ended.get_or_init(|| (System.now_ms(), end));
            console.jobs.changed.send_replace(());
        });
        see(&address)
    }

    /// A job by its id.
    pub(super) fn find_job(&self, id: &str) -> Result<Arc<Job>, Failure> {
        let gone = || Failure::NotAllowed("it was dropped for later ones, or this program was started again".into());
        self.jobs.find(id).ok_or_else(gone)
    }

    /// The jobs that an entry of the menu has begun, the newest first.
    pub(super) fn jobs_of(&self, page: &'static str) -> Markup {
        let jobs: Vec<_> = self.jobs.all().into_iter().rev().filter(|job| job.page == page).collect();
        html! {
            @if !jobs.is_empty() {
                h2 { "Since this program was started" }
                ul { @for job in jobs { li { (when(Timestamp(job.began_ms))) " " a href=(self.job(&job)) { (job.what) } " (" (*job) ")" } } }
            }
        }
    }

    fn job(&self, job: &Job) -> String {
        format!("{}/jobs/{}", self.base, job.id)
    }

    fn no_job(&self, failure: &Failure) -> Response {
        let mut page = self.problem("", "No such job", failure, &html! {});
        *page.status_mut() = StatusCode::NOT_FOUND;
        page
    }
}

/// `GET /jobs/ID`: how far it is, or its result.
pub(super) async fn show(State(console): Ask, Path(id): Path<String>) -> Response {
    let job = match console.find_job(&id) {
        Ok(job) => job,
        Err(failure) => return console.no_job(&failure),
    };
    let progress = html! { p { (job.progress()) "." } };
    match job.ended.get() {
        None => {
            let banner = console.stack.describe();
            let page = console.page(job.page, &job.what, &banner, &running(&console, &job));
            Page { updates: Updates::Silent, ..page }.into_response()
        }
        Some((_, End::Done(Finished { main, kept }))) => {
            console.answer(job.page, &job.what, &html! { (progress) (main) (kept.show(&console, &job.id)) })
        }
        Some((_, End::Stopped)) => console.answer(
            job.page,
            &job.what,
            &html! { p { span.state.wait { "Stopped." } " What was done until then stays done." } (progress) },
        ),
        // The page itself is there, so that the script shows it whatever became of the job.
        Some((_, End::Failed(failure))) => {
            let failed = html! { p.error role="alert" { (sentence(failure)) } (progress) };
            console.answer(job.page, &job.what, &failed)
        }
    }
}

fn running(console: &Console, job: &Job) -> Markup {
    html! {
        p { span.state.wait { "Running: " } (job.progress()) "." }
        @if let Some(length) = job.bar.length() {
            p { progress aria-label="How far it is" value=(job.bar.position()) max=(length.max(1)) {} }
        }
        div.actions {
            form method="post" action={ (console.job(job)) "/stop" } { button { "Stop" } }
            a.button href=(console.job(job)) { "Look again" }
        }
    }
}

/// `POST /jobs/ID/stop`
pub(super) async fn stop(State(console): Ask, Path(id): Path<String>) -> Response {
    let job = match console.find_job(&id) {
        Ok(job) => job,
        Err(failure) => return console.no_job(&failure),
    };
    let mut changes = console.jobs.changed.subscribe();
    job.task.abort();
    while job.is_running() && changes.changed().await.is_ok() {}
    see(&console.job(&job))
}

/// `GET /live`: an event whenever a job begins or ends, and from time to time while one runs.
pub(super) async fn live(State(console): Ask) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let changes = console.jobs.changed.subscribe();
    let events = stream::unfold((console, changes), |(console, mut changes)| async move {
        if console.jobs.is_any_running() {
            tokio::time::sleep(TICK).await;
        } else {
            changes.changed().await.ok()?;
        }
        changes.mark_unchanged();
        Some((Ok(Event::default().data("moved")), (console, changes)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(jobs: &Jobs) -> Result<Arc<Job>, Failure> {
        let job = |id| {
            let task = tokio::spawn(std::future::pending::<Done>());
            let (bar, handle) = (ProgressBar::hidden(), task.abort_handle());
            let job = Job { id, page: "", what: String::new(), began_ms: 0, bar, task: handle, ended: OnceLock::new() };
            (job, task)
        };
        jobs.begin(job).map(|(job, _)| job)
    }

    #[tokio::test]
    async fn a_few_jobs_run_at_a_time_and_the_oldest_that_has_ended_makes_room() {
        let jobs = Jobs::default();
        let end = |job: &Job| assert!(job.ended.set((0, End::Stopped)).is_ok());
        let running = begin(&jobs).unwrap();
        let ended: Vec<_> = (1..HELD).map(|_| begin(&jobs).inspect(|job| end(job)).unwrap()).collect();
        let last = begin(&jobs).unwrap();
        assert_eq!(jobs.all().len(), HELD);
        assert!(jobs.find(&ended[0].id).is_none());
        assert!([&running, &ended[1], &last].into_iter().all(|job| jobs.find(&job.id).is_some()));
        (2..RUNNING).for_each(|_| drop(begin(&jobs).unwrap()));
        assert!(begin(&jobs).is_err());
        end(&running);
        assert!(begin(&jobs).is_ok());
    }
}
