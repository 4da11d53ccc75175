//! The first request with the share of a processor that Lambda gives to 128 MB: a quota of a cgroup, set after start-up,
//! which Lambda does not throttle. Needs root and the `cpu` controller of cgroup v1, or a cgroup v2 that may be divided.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{Process, Subject};
use crate::report::{line, percentiles, say};

/// 128 MB of the 1,769 MB at which Lambda gives a whole processor.
const QUOTA_US: u64 = 1_446;
const PERIOD: Duration = Duration::from_millis(20);

/// A group of processes that share the quota. It is removed when this is dropped.
struct Group(PathBuf);

impl Group {
    fn make() -> Result<Self, Box<dyn Error>> {
        let name = format!("benches-{}", std::process::id());
        let (v1, v2) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let group = Self(if v1.is_dir() { v1.join(&name) } else { v2.join(&name) });
        fs::create_dir_all(&group.0)?;
        if v1.is_dir() {
            fs::write(group.0.join("cpu.cfs_period_us"), PERIOD.as_micros().to_string())?;
            fs::write(group.0.join("cpu.cfs_quota_us"), QUOTA_US.to_string())?;
        } else {
            fs::write(v2.join("cgroup.subtree_control"), "+cpu")?;
            fs::write(group.0.join("cpu.max"), format!("{QUOTA_US} {}", PERIOD.as_micros()))?;
        }
        Ok(group)
    }

    fn take(&self, process: &Process) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(self.0.join("cgroup.procs"), process.pid().to_string())?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

pub(crate) async fn measure(subjects: &[Subject], rounds: usize) -> Result<(), Box<dyn Error>> {
    let group = Group::make()?;
    let mut all = vec![(Vec::new(), Vec::new()); subjects.len()];
    for _ in 0..rounds {
        for (subject, (first, warm)) in subjects.iter().zip(&mut all) {
            let (mut process, _) = Process::start(subject, &[]).await?;
            // What the subject before used beyond its quota is taken from the group's next periods.
            tokio::time::sleep(PERIOD.saturating_mul(50)).await;
            group.take(&process)?;
            first.push(process.invoke(subject).await?.wall);
            for _ in 0..5 {
                warm.push(process.invoke(subject).await?.wall);
            }
            process.end().await?;
        }
    }
    say(&format!("microseconds by the wall's clock, p50/p99, with {QUOTA_US} us per {PERIOD:?}; {rounds} processes"));
    say(&line("", &["first request", "later request"]));
    for (subject, (first, warm)) in subjects.iter().zip(all) {
        say(&line(&subject.name, &[percentiles(first), percentiles(warm)]));
    }
    Ok(())
}
