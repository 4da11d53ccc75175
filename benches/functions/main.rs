//! Runs the release builds of all functions, the floor and the peers against stand-ins over TLS, and prints what they take.
//!
//!     cargo bench -p benches --bench functions [-- [--as-built] [--instructions | --limits | --share] [--rounds N] [NAME..]]
//!
//! It needs Linux: it reads processor times and memory from the kernel.

mod callgrind;
mod certificate;
mod process;
mod report;
mod share;
mod stand_in;
mod subjects;

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use crate::callgrind::{Instructions, Limit};
use crate::process::{Process, Subject, Took};
use crate::report::{line, say};
use crate::subjects::{FLOOR, Places, all, ours};

/// Warm requests of one process.
const WARM: usize = 50;
/// How often a count above its limit is made again: a connection that took too long on a busy machine was made twice.
const RETRIES: usize = 2;
/// Requests of one process that count as neither first nor warm.
const BETWEEN: usize = 5;

/// What is measured.
#[derive(Debug, Default, PartialEq)]
enum Measure {
    #[default]
    Times,
    Instructions,
    /// Instructions of the functions that have a [`Limit`]. More are an error.
    Limits,
    Share,
}

#[derive(Debug, Default)]
struct Options {
    as_built: bool,
    measure: Measure,
    rounds: Option<usize>,
    names: Vec<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // cargo's own
                "--bench" => {}
                "--as-built" => options.as_built = true,
                "--instructions" => options.measure = Measure::Instructions,
                "--limits" => options.measure = Measure::Limits,
                "--share" => options.measure = Measure::Share,
                "--rounds" => options.rounds = Some(arguments.next().ok_or("--rounds needs a number")?.parse()?),
                name if !name.starts_with('-') => options.names.push(name.into()),
                unknown => return Err(format!("{unknown} is not an option").into()),
            }
        }
        Ok(options)
    }

    /// Whether the subject with this name is measured: one of the names is a part of it, or there are none.
    fn is_chosen(&self, subject: &str) -> bool {
        if self.measure == Measure::Limits && Limit::of(subject).is_none() {
            return false;
        }
        self.names.is_empty() || self.names.iter().any(|name| subject.contains(name.as_str()))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let places = Places::find()?;
    if !options.as_built {
        build(&places, &options)?;
    }
    let subjects = all(&places, |name| options.is_chosen(name)).await?;
    match options.measure {
        Measure::Instructions => count(&subjects, &places, false).await,
        Measure::Limits => count(&subjects, &places, true).await,
        Measure::Share => share::measure(&subjects, options.rounds.unwrap_or(10)).await,
        Measure::Times => times(&subjects, options.rounds.unwrap_or(10)).await,
    }
}

/// Builds the functions as they are delivered, but for the root that they trust, and the floor by itself: together they would have each
/// other's features.
fn build(places: &Places, options: &Options) -> Result<(), Box<dyn Error>> {
    let (floor, functions): (Vec<_>, Vec<_>) =
        ours().map(|(name, ..)| name).filter(|name| options.is_chosen(name)).partition(|name| *name == FLOOR);
    let roots = ["-p=lambda", "-p=paykassma", "--features=lambda/extra-root,paykassma/extra-root"];
    for (names, more) in [(functions, roots.as_slice()), (floor, &[])] {
        if names.is_empty() {
            continue;
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--locked", "--quiet", "--bins", "--target-dir"]).arg(places.target());
        cargo.args(names.iter().map(|name| format!("-p={name}"))).args(more).current_dir(&places.root);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
            cargo.env_remove(name);
        }
        if !cargo.status()?.success() {
            return Err("the functions cannot be built".into());
        }
    }
    Ok(())
}

async fn count(subjects: &[Subject], places: &Places, has_limits: bool) -> Result<(), Box<dyn Error>> {
    say(&line("thousands of instructions", &["start", "first request", "warm request"]));
    let mut too_many = Vec::new();
    for subject in subjects {
        let limit = Limit::of(&subject.name).filter(|_| has_limits);
        let mut counted = Instructions::count(subject, &places.work).await?;
        let exceeded = |counted: &Instructions| limit.filter(|limit| !limit.allows(counted));
        for _ in 0..RETRIES {
            if exceeded(&counted).is_some() {
                counted = Instructions::count(subject, &places.work).await?;
            }
        }
        let Instructions { start, first, warm } = counted;
        say(&line(&subject.name, &[start, first, warm].map(report::thousands)));
        if let Some(limit) = exceeded(&counted) {
            too_many.push(format!("{} takes more instructions than its limit: {limit:?}", subject.name));
        }
    }
    if too_many.is_empty() { Ok(()) } else { Err(too_many.join("; ").into()) }
}

#[derive(Clone, Debug, Default)]
struct Measured {
    start: Vec<Took>,
    first: Vec<Took>,
    warm: Vec<Took>,
    peak_kib: u64,
}

/// All subjects in turn, several times, so that whatever else the machine does meets all of them.
async fn times(subjects: &[Subject], rounds: usize) -> Result<(), Box<dyn Error>> {
    let mut all = vec![Measured::default(); subjects.len()];
    for _ in 0..rounds {
        for (subject, measured) in subjects.iter().zip(&mut all) {
            measure(subject, measured).await?;
        }
    }
    say(&format!("microseconds: CPU p50/p99, wall p50/p99; {rounds} processes, {WARM} warm requests of each"));
    say(&line(
        "",
        &["start CPU", "start wall", "first CPU", "first wall", "warm CPU", "warm wall", "peak KiB", "bytes/zipped"],
    ));
    for (subject, Measured { start, first, warm, peak_kib }) in subjects.iter().zip(&all) {
        let mut cells: Vec<_> = [start, first, warm].into_iter().flat_map(|took| both(took)).collect();
        cells.push(peak_kib.to_string());
        cells.push(report::size(&subject.program)?);
        say(&line(&subject.name, &cells));
    }
    Ok(())
}

async fn measure(subject: &Subject, measured: &mut Measured) -> Result<(), Box<dyn Error>> {
    let (mut process, start) = Process::start(subject, &[]).await?;
    measured.start.push(start);
    measured.first.push(process.invoke(subject).await?);
    for request in 0..BETWEEN.saturating_add(WARM) {
        let took = process.invoke(subject).await?;
        if request >= BETWEEN {
            measured.warm.push(took);
        }
    }
    measured.peak_kib = measured.peak_kib.max(process.peak_kib()?);
    process.end().await
}

fn both(took: &[Took]) -> [String; 2] {
    let of = |part: fn(&Took) -> Duration| report::percentiles(took.iter().map(part).collect());
    [of(|took| took.cpu), of(|took| took.wall)]
}
