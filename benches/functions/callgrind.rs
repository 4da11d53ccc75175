//! Instructions, which repeat: a run under callgrind for each number of requests, and the differences between them.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::process::{Process, Subject};

/// The request after which nothing is done for the first time any more, and the last one.
const WARM: (u64, u64) = (3, 13);

/// How many instructions each step takes, in the process itself: what the kernel does for it is not counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instructions {
    pub(crate) start: u64,
    pub(crate) first: u64,
    pub(crate) warm: u64,
}

/// The most instructions that a function may take (`--limits`): 4 % above what it took when this was written. A change that
/// needs more says why, and moves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    start: u64,
    warm: u64,
}

impl Limit {
    /// The limit of one of the four functions for which a person or the provider waits.
    pub(crate) fn of(function: &str) -> Option<Self> {
        let (start, warm) = match function {
            "postback-receiver" => (9_400_000, 1_370_000),
            "create-deposit" => (9_850_000, 2_260_000),
            "activate" => (9_850_000, 4_860_000),
            "create-withdrawal" => (10_700_000, 4_000_000),
            _ => return None,
        };
        Some(Self { start, warm })
    }

    pub(crate) fn allows(self, counted: &Instructions) -> bool {
        counted.start <= self.start && counted.warm <= self.warm
    }
}

impl Instructions {
    pub(crate) async fn count(subject: &Subject, work: &Path) -> Result<Self, Box<dyn Error>> {
        let start = run(subject, work, 0).await?;
        let first = run(subject, work, 1).await?.saturating_sub(start);
        let (from, to) = (run(subject, work, WARM.0).await?, run(subject, work, WARM.1).await?);
        let requests = WARM.1.saturating_sub(WARM.0);
        let warm = to.saturating_sub(from).checked_div(requests).unwrap_or_default();
        Ok(Self { start, first, warm })
    }
}

async fn run(subject: &Subject, work: &Path, requests: u64) -> Result<u64, Box<dyn Error>> {
    let out = work.join("callgrind.out");
    let wrapper = [
        "/usr/bin/valgrind".to_owned(),
        "--tool=callgrind".into(),
        "--quiet".into(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let (mut process, _) = Process::start(subject, &wrapper).await?;
    for _ in 0..requests {
        process.invoke(subject).await?;
    }
    process.end().await?;
    let counted = fs::read_to_string(&out)?;
    let total = counted.lines().find_map(|line| line.strip_prefix("totals:").or(line.strip_prefix("summary:")));
    Ok(total.ok_or("callgrind has counted nothing")?.trim().parse()?)
}
