//! The simulated world: one scheduler, one clock, one seed. Functions are futures that it polls, kills and cuts off.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use store::{AnyRow, Memory, TableCheck};

use super::faults::Faults;
use super::intruder::{Forgery, Rotation};
use super::provider::Provider;
use super::push::{Push, Server};
use super::queue::Messages;
use super::random::Chance;
use super::releases::Releases;
use super::replays::Replays;
use super::restored::{History, Restore};
use super::rules::Rules;
use super::stream::Stream;
use super::table::now;
use super::wrong::Wrong;

/// The moment at which every run begins.
pub(super) const EPOCH_MS: u64 = 1_760_000_000_000;
/// The stream that the functions are deployed with.
pub(super) const STREAM: &str = "arn:stream";
/// More steps than any run needs. Beyond them the run does not end.
const MAX_EVENTS: u32 = 60_000;

/// What a function answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Reply(u16, String),
    Handled(lambda::Handled),
    /// So many changes are done.
    Published(usize),
    /// The ages that a report has, and whether none is missing.
    Ages(attention_reporter::Ages, bool),
}

pub(super) type Job = Pin<Box<dyn Future<Output = Answer> + Send>>;
type End = Box<dyn FnOnce(&World, Option<Answer>) + Send>;
type Happening = Box<dyn FnOnce(&World) + Send>;

enum Event {
    Wake(u64),
    Kill(u64),
    Happen(Happening),
}

struct Task {
    name: String,
    job: Option<Job>,
    end: End,
    calls: usize,
}

/// What a run is made with.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part of the world that is there or not")]
pub(super) struct Settings {
    pub seed: u64,
    pub faults: Faults,
    pub wrong: Option<Wrong>,
    /// Things that would happen by chance, and do not: what the shrinking has taken away.
    pub skipped: BTreeSet<String>,
    pub is_traced: bool,
    /// When nothing goes wrong any more.
    pub quiet_from_ms: u64,
    pub provider: super::provider::Model,
    pub resend_unknown: bool,
    pub separator: domain::Separator,
    pub max_receive_count: u32,
    /// The ceilings on outgoing money, if there are any.
    pub outgoing: Option<super::ceilings::Outgoing>,
    /// Of a hundred messages, so many are lost. They expire, and throttled invocations use them up, as often or less.
    pub lost_messages: u64,
    /// Whether the table's stream has a reader. It writes nothing: without it a run is the same, and shorter.
    pub has_publisher: bool,
    pub has_operators: bool,
    /// Whether a decision about a large amount takes two people.
    pub takes_two: bool,
    /// How many units the table can write in a second. `None`: any number.
    pub units_per_second: Option<u64>,
    /// The order whose row cannot be used, from and until when.
    pub unwritable: Option<(&'static str, u64, u64)>,
    /// From when and until when a newer release runs beside ours. Then it alone runs.
    pub newer: Option<(u64, u64)>,
    /// Whether somebody writes to the table past all rules.
    pub has_intruder: bool,
    /// When the provider's private key is rotated.
    pub rotation: Option<Rotation>,
    /// When two releases of the functions run side by side.
    pub releases: Option<Releases>,
    /// The table is replaced by its state of an earlier moment.
    pub restore: Option<Restore>,
    /// The merchant's server, if events are posted to one.
    pub server: Option<Server>,
    /// Whether a run ends with the first rule that is broken.
    pub is_strict: bool,
}

/// Everything that is true at a moment.
pub(super) struct State {
    pub settings: Settings,
    pub now_ms: u64,
    pub skew_ms: i64,
    pub provider: Provider,
    pub messages: Messages,
    /// What the index had at an earlier moment.
    pub late_index: Vec<(domain::AttentionKind, store::IndexEntry)>,
    /// The run is over: nothing goes wrong any more, and only the last reports are made.
    pub is_at_rest: bool,
    pub stream: Stream,
    pub push: Push,
    pub replays: Replays,
    pub rules: Rules,
    /// The table's history: which it is, and what was in the one before.
    pub history: History,
    /// The rows that an intruder has written, and how they are forged.
    pub forged: BTreeMap<String, Forgery>,
    /// The rows that have what the newer release alone writes.
    pub newer_rows: BTreeSet<String>,
    /// What people have been shown: a row's key and its version.
    pub previews: BTreeSet<(String, u64)>,
    /// What the functions that are warm know of their table.
    pub check: TableCheck,
    pub trace: Vec<String>,
    pub happened: Vec<String>,
    /// How many effects there were.
    pub effects: usize,
    pub reached: BTreeSet<&'static str>,
    /// What a wrong variant remembers.
    pub kept_in_mind: BTreeSet<String>,
    /// The table's units that are left, and since when.
    units: (i64, u64),
    events: BTreeMap<(u64, u64), Event>,
    tasks: BTreeMap<u64, Task>,
    current: u64,
    last_task: u64,
    last_event: u64,
    starts: u64,
    instances: u64,
}

/// The world; clones are the same one.
#[derive(Clone)]
pub(super) struct World {
    state: Arc<Mutex<State>>,
    pub table: Memory,
    pub chance: Chance,
    /// Whether what runs here is of the newer release.
    pub is_newer: bool,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        let chance = Chance(settings.seed);
        let (table, check) = (Memory::default(), TableCheck::new(STREAM));
        now(check.generation(&table)).unwrap();
        let state = State {
            now_ms: 0,
            skew_ms: settings.outgoing.map_or(0, |it| i64::try_from(it.ahead_ms).unwrap()),
            provider: Provider::new(settings.provider),
            settings,
            messages: Messages::default(),
            late_index: Vec::new(),
            is_at_rest: false,
            stream: Stream::default(),
            push: Push::default(),
            replays: Replays::new(),
            rules: Rules::default(),
            history: History::default(),
            forged: BTreeMap::new(),
            newer_rows: BTreeSet::new(),
            previews: BTreeSet::new(),
            check,
            trace: Vec::new(),
            happened: Vec::new(),
            effects: 0,
            reached: BTreeSet::new(),
            kept_in_mind: BTreeSet::new(),
            units: (0, 0),
            events: BTreeMap::new(),
            tasks: BTreeMap::new(),
            current: 0,
            last_task: 0,
            last_event: 0,
            starts: 0,
            instances: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), table, chance, is_newer: false }
    }

    /// Looks at, or changes, what is true now.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// The rows that are not an intruder's.
    pub(super) fn rows(&self) -> BTreeMap<String, AnyRow> {
        let mut rows = self.table.rows();
        self.with(|state| rows.retain(|key, _| !state.forged.contains_key(key)));
        rows
    }

    pub(super) fn is(&self, wrong: Wrong) -> bool {
        self.with(|state| state.settings.wrong == Some(wrong))
    }

    /// The name of what is running.
    pub(super) fn running(&self) -> String {
        self.with(|state| state.tasks.get(&state.current).map(|task| task.name.clone()).unwrap_or_default())
    }

    /// Whether an operator's tool is running.
    pub(super) fn is_operator(&self) -> bool {
        self.with(|state| state.tasks.get(&state.current).is_some_and(|task| task.name.starts_with("operator")))
    }

    /// Our functions' clock, which may jump.
    pub(super) fn clock_ms(&self) -> u64 {
        self.with(|state| EPOCH_MS.saturating_add(state.now_ms).saturating_add_signed(state.skew_ms))
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.with(|state| state.note(line));
    }

    /// Whether something optional happens now: by chance, unless it was taken away or faults are over.
    pub(super) fn happens(&self, name: &str, percent: u64) -> bool {
        let happens = self.chance.percent(name, percent);
        happens && self.with(|state| state.settings.faults.are_by_chance() && state.happens(name))
    }

    /// Has something happen later.
    pub(super) fn after(&self, ms: u64, happening: impl FnOnce(&World) + Send + 'static) {
        self.with(|state| {
            let at = state.now_ms.saturating_add(ms);
            state.schedule(at, Event::Happen(Box::new(happening)));
        });
    }

    /// Starts a function; it is killed when it takes longer than its limit.
    pub(super) fn start(
        &self,
        name: &str,
        limit_ms: u64,
        job: Job,
        end: impl FnOnce(&World, Option<Answer>) + Send + 'static,
    ) {
        self.with(|state| {
            state.last_task += 1;
            let task = state.last_task;
            state.note(|| format!("{name}: started"));
            state.tasks.insert(task, Task { name: name.to_owned(), job: Some(job), end: Box::new(end), calls: 0 });
            let now = state.now_ms;
            state.schedule(now, Event::Wake(task));
            state.schedule(now.saturating_add(limit_ms), Event::Kill(task));
        });
        if super::restored::is_down(self, name) {
            let task = self.with(|state| state.last_task);
            return self.end(task, Some(Answer::Reply(503, "the stack is being deployed".into())));
        }
        let name = format!("killed: {name}");
        if self.happens(&name, 3) {
            let task = self.with(|state| state.last_task);
            let at = self.chance.below(&format!("{name} at"), 6_000);
            self.with(|state| {
                let at = state.now_ms.saturating_add(at);
                state.schedule(at, Event::Kill(task));
            });
        }
    }

    /// A name for what the running function does next.
    pub(super) fn next_call(&self, what: &str) -> String {
        self.with(|state| {
            let Some(task) = state.tasks.get_mut(&state.current) else { return what.to_owned() };
            task.calls += 1;
            format!("{}/{} {what}", task.name, task.calls)
        })
    }

    /// Lets time pass for the running function.
    pub(super) fn sleep(&self, ms: u64) -> impl Future<Output = ()> + Send + use<> {
        let world = self.clone();
        let mut until = None;
        std::future::poll_fn(move |_| {
            world.with(|state| match until {
                Some(at) if at <= state.now_ms => Poll::Ready(()),
                Some(_) => Poll::Pending,
                None => {
                    let at = state.now_ms.saturating_add(ms);
                    until = Some(at);
                    state.schedule(at, Event::Wake(state.current));
                    Poll::Pending
                }
            })
        })
    }

    /// The running function's process ends here.
    pub(super) fn die(&self) -> impl Future<Output = ()> + Send + use<> {
        self.with(|state| {
            let now = state.now_ms;
            state.schedule(now, Event::Kill(state.current));
        });
        std::future::pending()
    }

    /// Runs until nothing is left to happen, or a rule is broken.
    pub(super) fn run(&self) {
        for _ in 0..MAX_EVENTS {
            let next = self.with(|state| {
                if state.settings.is_strict && !state.rules.broken.is_empty() {
                    return None;
                }
                let ((at, _), event) = state.events.pop_first()?;
                state.now_ms = at;
                Some(event)
            });
            match next {
                None => return,
                Some(Event::Wake(task)) => self.poll(task),
                Some(Event::Kill(task)) => self.kill(task),
                Some(Event::Happen(happening)) => happening(self),
            }
        }
        self.with(|state| state.rules.break_rule("comes to rest", "it does not"));
    }

    /// Ends what runs and is named so.
    pub(super) fn kill_all(&self, is_meant: impl Fn(&str) -> bool) {
        let tasks = self.with(|state| {
            let tasks = state.tasks.iter().filter(|(_, task)| is_meant(&task.name));
            tasks.map(|(task, _)| *task).collect::<Vec<_>>()
        });
        for task in tasks {
            self.kill(task);
        }
    }

    fn poll(&self, task: u64) {
        let job = self.with(|state| {
            state.current = task;
            state.tasks.get_mut(&task).and_then(|it| it.job.take())
        });
        let Some(mut job) = job else { return };
        match job.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.with(|state| {
                if let Some(it) = state.tasks.get_mut(&task) {
                    it.job = Some(job);
                }
            }),
            Poll::Ready(answer) => {
                drop(job);
                self.end(task, Some(answer));
            }
        }
    }

    fn kill(&self, task: u64) {
        self.end(task, None);
    }

    fn end(&self, task: u64, answer: Option<Answer>) {
        let ended = self.with(|state| {
            let ended = state.tasks.remove(&task);
            if let Some(task) = &ended {
                let name = &task.name;
                state.note(|| match &answer {
                    Some(answer) => format!("{name}: {answer:?}"),
                    None => format!("{name}: killed"),
                });
            }
            ended
        });
        if let Some(Task { job, end, .. }) = ended {
            drop(job);
            end(self, answer);
        }
    }
}

impl State {
    /// Takes units from the table, which has room for one second's worth. `false`: it is throttled, and nothing is taken.
    pub(super) fn take_units(&mut self, units: u64) -> bool {
        let is_limited =
            self.settings.faults.are_by_chance() && self.now_ms < self.settings.quiet_from_ms && !self.is_at_rest;
        let Some(per_second) = self.settings.units_per_second.filter(|_| is_limited) else { return true };
        let (left, since) = self.units;
        let most = i64::try_from(per_second).unwrap();
        let gained = most * i64::try_from(self.now_ms - since).unwrap() / 1_000;
        let left = (left + gained).min(most);
        let has_room = left > 0;
        let taken = if has_room { i64::try_from(units).unwrap() } else { 0 };
        if gained > 0 || taken > 0 {
            self.units = (left - taken, self.now_ms);
        }
        has_room
    }

    /// A number for the next function that is started.
    pub(super) fn next_start(&mut self) -> u64 {
        self.starts += 1;
        self.starts
    }

    /// A number for the next instance of a function.
    pub(super) fn next_instance(&mut self) -> u64 {
        self.instances += 1;
        self.instances
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.last_event += 1;
        self.events.insert((at, self.last_event), event);
    }

    /// Whether an optional thing may happen; notes that it did.
    pub(super) fn happens(&mut self, name: &str) -> bool {
        let may_happen = self.now_ms < self.settings.quiet_from_ms && !self.is_at_rest;
        let happens = may_happen && !self.settings.skipped.contains(name);
        if happens {
            self.happened.push(name.to_owned());
            self.note(|| format!("* {name}"));
        }
        happens
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.settings.is_traced {
            let line = format!("{:>9} ms  {}", self.now_ms, line());
            self.trace.push(line);
        }
    }
}
