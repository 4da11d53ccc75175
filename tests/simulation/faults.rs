//! What can go wrong with one effect: a call of the table, the queue, the secrets or the provider.

use std::collections::BTreeMap;

use super::world::World;

/// How one effect goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// It fails, and was not applied.
    Before,
    /// It was applied, and its answer is lost.
    After,
    /// It was applied, its answer is lost, and the SDK does it again.
    Again,
    /// It fails, and is applied later all the same.
    Late,
    /// It never answers; not applied.
    HangBefore,
    /// It never answers; applied.
    HangAfter,
    /// The process dies before it is applied.
    KillBefore,
    /// The process dies after it is applied.
    KillAfter,
    /// It takes very long.
    Slow,
}

impl Fault {
    pub(super) const ALL: [Self; 9] = [
        Self::Before,
        Self::After,
        Self::Again,
        Self::Late,
        Self::HangBefore,
        Self::HangAfter,
        Self::KillBefore,
        Self::KillAfter,
        Self::Slow,
    ];
}

/// When effects go wrong.
#[derive(Clone)]
pub(super) enum Faults {
    /// By chance, each in so many of a thousand.
    ByChance(u64),
    /// The n-th effect of the run, as planned; all else goes well and at once, but for the submissions' answers.
    Planned { faults: BTreeMap<usize, Fault>, submission_ms: u64 },
}

impl Faults {
    pub(super) fn are_by_chance(&self) -> bool {
        matches!(self, Self::ByChance(_))
    }
}

/// The effects that are not at the table.
const OUTSIDE: [&str; 14] = [
    "arm",
    "defer",
    "create",
    "activate",
    "submit",
    "secrets",
    "put events",
    "set aside",
    "post event",
    "put an event off",
    "set an event aside",
    "take a waiting event",
    "remove a waiting event",
    "move events back",
];

/// What waits for an effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Our time limit for it: then it counts as lost.
    Ms(u64),
    /// For ever: until the function is killed.
    Endless,
}

struct Course {
    fault: Option<Fault>,
    before_ms: u64,
    after_ms: u64,
    gap_ms: u64,
}

impl World {
    /// Does something to the world outside of the running function. `Err` when no answer came; it may be done all the same.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        what: &str,
        patience: Patience,
        mut apply: impl FnMut(&Self) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let Course { fault, before_ms, after_ms, gap_ms } = self.course(what);
        self.sleep(before_ms).await;
        match fault {
            None | Some(Fault::Slow) => {}
            Some(Fault::Before) => return self.lost(after_ms, Fault::Before).await,
            Some(Fault::Late) => {
                let (own, history) = (self.clone(), self.with(|state| state.history.generation));
                let is_at_table = !OUTSIDE.contains(&what);
                self.after(gap_ms, move |world| {
                    // What comes late to the table that was there before a restore changes nothing in the restored one.
                    let is_past = world.with(|state| state.history.generation) != history;
                    if !(is_at_table && is_past) {
                        drop(apply(&own));
                    }
                });
                return self.lost(after_ms, Fault::Late).await;
            }
            Some(Fault::HangBefore) => return self.hang(patience, Fault::HangBefore).await,
            Some(Fault::KillBefore) => self.die().await,
            Some(Fault::Again | Fault::After | Fault::HangAfter | Fault::KillAfter) => {
                let first = apply(self);
                match fault {
                    Some(Fault::KillAfter) => self.die().await,
                    Some(Fault::HangAfter) => return self.hang(patience, Fault::HangAfter).await,
                    Some(Fault::Again) if patience == Patience::Endless => self.sleep(gap_ms).await,
                    _ => return self.lost(after_ms, Fault::After).await,
                }
                drop(first);
            }
        }
        let answer = apply(self);
        self.sleep(after_ms).await;
        Ok(answer)
    }

    async fn lost<T>(&self, after_ms: u64, fault: Fault) -> Result<T, Fault> {
        self.sleep(after_ms).await;
        Err(fault)
    }

    async fn hang<T>(&self, patience: Patience, fault: Fault) -> Result<T, Fault> {
        match patience {
            Patience::Ms(ms) => self.sleep(ms).await,
            Patience::Endless => std::future::pending().await,
        }
        Err(fault)
    }

    fn course(&self, what: &str) -> Course {
        let name = self.next_call(what);
        if self.with(|state| state.is_at_rest) {
            return Course { fault: None, before_ms: 1, after_ms: 1, gap_ms: 0 };
        }
        let (faults, number) = self.with(|state| {
            state.note(|| name.clone());
            state.effects += 1;
            (state.settings.faults.clone(), state.effects - 1)
        });
        let of_thousand = match faults {
            Faults::ByChance(of_thousand) => of_thousand,
            Faults::Planned { faults, submission_ms } => {
                let after_ms = if what == "submit" { submission_ms } else { 1 };
                let fault = faults.get(&number).copied();
                let slow_ms = if fault == Some(Fault::Slow) { 7_000 } else { 0 };
                if let Some(fault) = fault {
                    self.note(|| format!("  {fault:?}"));
                }
                return Course { fault, before_ms: 1, after_ms: after_ms + slow_ms, gap_ms: 700 };
            }
        };
        let fault = self.fault(what, &name, of_thousand);
        let latency = |part: &str| {
            let draw = self.chance.below(&format!("{name} {part}"), 3_000_000);
            match draw % 10 {
                0..=6 => draw % 20,
                7..=8 => draw % 300,
                _ => draw % 3_000,
            }
        };
        let slow_ms =
            if fault == Some(Fault::Slow) { self.chance.between(&format!("{name} slow"), 3_000, 18_000) } else { 0 };
        let gap_ms = self.chance.below(&format!("{name} gap"), 8_000);
        Course { fault, before_ms: latency("before"), after_ms: latency("after") + slow_ms, gap_ms }
    }

    fn fault(&self, what: &str, name: &str, of_thousand: u64) -> Option<Fault> {
        // the provider is farther away than the table, and often it is not reached at all
        let is_far = matches!(what, "submit" | "activate" | "post event");
        let of_thousand = if is_far { of_thousand * 4 } else { of_thousand };
        if self.chance.below(&format!("{name} fault"), 1000) >= of_thousand {
            return None;
        }
        let which = format!("{name} which");
        let is_before = is_far && self.chance.percent(&format!("{which} before"), 50);
        let fault = if is_before { Fault::Before } else { self.chance.one_of(&which, &Fault::ALL) };
        self.with(|state| state.happens(&format!("{fault:?}: {name}"))).then_some(fault)
    }
}
