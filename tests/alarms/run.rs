//! A run of the local stack before, during and after something goes wrong, and what an alarm makes of it.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
#![expect(clippy::disallowed_methods, reason = "the stack has a real clock")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::LocalBoxFuture;
use local::StackOptions;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::alarms::alarm::{Alarm, State};
use crate::alarms::data::{Data, Time};
use crate::flows::support::Site;
use crate::template::document::Template;

/// Something that is done to a stack.
pub(super) type Deed = for<'a> fn(&'a Site) -> LocalBoxFuture<'a, ()>;

/// How an alarm is made to fire, and how its cause ends.
pub(super) struct Case {
    /// The name of its resource.
    pub(super) alarm: &'static str,
    provoke: Deed,
    /// Without it, the cause ends by itself.
    mend: Option<Deed>,
    /// An alarm that is about something else, although it watches the same.
    quiet: Option<&'static str>,
    /// How much longer a second is than in the run, for an age that cannot be had in seconds.
    stretch: f64,
}

impl Case {
    pub(super) const fn new(alarm: &'static str, provoke: Deed) -> Self {
        Self { alarm, provoke, mend: None, quiet: None, stretch: 1.0 }
    }

    pub(super) const fn and_not(self, quiet: &'static str) -> Self {
        Self { quiet: Some(quiet), ..self }
    }

    pub(super) const fn mended(self, mend: Deed) -> Self {
        Self { mend: Some(mend), ..self }
    }

    pub(super) const fn stretched(self, stretch: f64) -> Self {
        Self { stretch, ..self }
    }
}

/// What happens in one period, before, during and after the fault.
struct Run {
    healthy: Data,
    fault: Data,
    after: Data,
}

/// When the fault begins, on a clock of its own: data of the run is moved there, so that nobody waits.
const START: Time = 1_800_000_000_000;

impl Run {
    /// When the alarm does not do what it should, and its state then. It should be off while all is well, fire as soon as the cause has
    /// been there for as many periods as it asks for, and clear when nothing is left of it.
    fn failing(&self, alarm: &Alarm) -> Option<(&'static str, Option<State>)> {
        let periods = |count: usize| alarm.period * Time::try_from(count).unwrap();
        let mut now = START;
        let mut state = State::Ok;
        let mut all = Data::default();
        for (what, data, count, expected) in [
            ("before", &self.healthy, alarm.range(), State::Ok),
            ("during", &self.fault, alarm.datapoints(), State::Alarm),
            ("after", &self.after, alarm.range(), State::Ok),
        ] {
            (1..=count).for_each(|period| all.extend(data.ending(now + periods(period))));
            now += periods(count);
            let found = alarm.state(&all, now, state).unwrap_or_else(|reason| panic!("{reason}"));
            if found != Some(expected) {
                return Some((what, found));
            }
            state = expected;
        }
        None
    }
}

/// What the stack has reported since then.
async fn reported(site: &Site, since: Time) -> Data {
    Data::read(&site.stack.metrics().await.unwrap()).unwrap().since(since)
}

fn now() -> Time {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// Has attention-reporter report, as its schedule does.
pub(super) async fn report(site: &Site) {
    site.stack.invoke("attention-reporter", &json!({})).await.unwrap();
}

/// A deposit, a withdrawal and a report, and nothing wrong.
async fn healthy() -> &'static Data {
    static HEALTHY: OnceCell<Data> = OnceCell::const_new();
    HEALTHY
        .get_or_init(|| async {
            let site = Site::start().await;
            site.order("o1").await;
            site.activate("o1", "47752123511").await;
            site.pay("47752123511", "700").await;
            site.withdraw("w1").await;
            site.settle("w1", 1).await;
            site.events("withdrawal.paid", 1).await;
            site.events("deposit.credited", 1).await;
            report(&site).await;
            let is_beat = |line: &String| line.contains("stream.heartbeat");
            eventually(&site, "a heartbeat", async || site.stack.logs("event-publisher").iter().any(is_beat)).await;
            reported(&site, 0).await
        })
        .await
}

/// Runs the cases one after the other on one stack. What is reported during a case is looked at by itself.
pub(super) async fn run(options: StackOptions, cases: &[Case]) {
    run_on(&Site::start_with(options).await, cases).await;
}

/// The same on a stack that runs.
pub(super) async fn run_on(site: &Site, cases: &[Case]) {
    let template = Template::read();
    let read = |name: &str| Alarm::read(&template, template.properties(name)).unwrap();
    for Case { alarm: name, provoke, mend, quiet, stretch } in cases {
        let alarm = read(name);
        let healthy = healthy().await.clone();
        let mut run = Run { after: healthy.clone(), fault: Data::default(), healthy };
        let since = now();
        provoke(site).await;
        until_right(name, &alarm, site, since, &mut run, |run, data| run.fault = data.scaled(AGE, *stretch)).await;
        if let Some(quiet) = quiet {
            assert_eq!(run.failing(&read(quiet)), Some(("during", Some(State::Ok))), "{quiet}");
        }
        if let Some(mend) = mend {
            let since = now();
            mend(site).await;
            until_right(name, &alarm, site, since, &mut run, |run, data| run.after = data).await;
        }
    }
}

/// Whether an alarm fires one period after everything has fallen silent.
pub(super) async fn fires_on_silence(alarm: &Alarm) -> bool {
    let healthy = healthy().await.clone();
    Run { after: healthy.clone(), fault: Data::default(), healthy }.failing(alarm).is_none()
}

/// The age that is stretched.
const AGE: &str = "IteratorAge";

/// Takes what is reported since then, until the alarm does what it should.
async fn until_right(
    name: &str,
    alarm: &Alarm,
    site: &Site,
    since: Time,
    run: &mut Run,
    take: impl Fn(&mut Run, Data),
) {
    let mut failing = None;
    for _ in 0..POLLS {
        let data = reported(site, since).await;
        assert!(data.duration() < alarm.period, "{name}: what takes so long does not fit into a period");
        take(run, data);
        failing = run.failing(alarm);
        if failing.is_none() {
            return;
        }
        tokio::time::sleep(BETWEEN_POLLS).await;
    }
    panic!("{name}: {failing:?}; fault: {:#?}; after: {:#?}; logs: {:#?}", run.fault, run.after, site.logs());
}

const POLLS: u32 = 300;
const BETWEEN_POLLS: Duration = Duration::from_millis(100);

/// Makes a row older, as if it had been written so many minutes ago.
pub(super) fn made_older(mut row: Value, minutes: u64) -> Value {
    for name in ["created_at", "changed_at", "state_since", "attention_at"] {
        if let Some(at) = row[name]["N"].as_str().and_then(|at| at.parse::<Time>().ok()) {
            row[name]["N"] = (at - minutes * 60_000).to_string().into();
        }
    }
    row
}

/// Takes all messages out of a queue.
pub(super) async fn empty(site: &Site, queue_url: String) {
    site.stack.sqs("PurgeQueue", &json!({"QueueUrl": queue_url})).await.unwrap();
    until_empty(site, &queue_url).await;
}

pub(super) async fn until_empty(site: &Site, queue_url: &str) {
    let get = json!({"QueueUrl": queue_url, "AttributeNames": ["All"]});
    let places = ["", "NotVisible", "Delayed"].map(|place| format!("ApproximateNumberOfMessages{place}"));
    eventually(site, "an empty queue", async || {
        let got = site.stack.sqs("GetQueueAttributes", &get).await.unwrap();
        places.iter().all(|place| got["Attributes"][place] == "0")
    })
    .await;
}

/// Waits until something is so.
pub(super) async fn eventually(site: &Site, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..POLLS {
        if is_so().await {
            return;
        }
        tokio::time::sleep(BETWEEN_POLLS).await;
    }
    panic!("never: {what}; logs: {:#?}", site.logs());
}
