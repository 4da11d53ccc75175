//! Two releases of the functions side by side, as in every deployment that shifts traffic: each instance is of one of them by
//! chance. The newer one writes an attribute that the older one does not know, and the older one must not erase it.

use store::StoreError;

use super::random::Chance;
use super::rules::check;
use super::world::World;
use super::wrong::Wrong;

const ERASED: &str = "what a newer release wrote is never erased";

/// When which release runs. Before, the older one runs alone; at the end, the newer one.
#[derive(Clone, Debug)]
pub(super) struct Releases {
    /// When both run.
    both_ms: std::ops::Range<u64>,
    /// Until then the deployment is rolled back, and the older one runs alone again.
    rolled_back_until_ms: u64,
}

impl Releases {
    /// What a seed makes of it.
    pub(super) fn of(chance: Chance) -> Option<Self> {
        let from_ms = chance.below("two releases from", 300_000);
        let until_ms = from_ms + chance.between("two releases until", 60_000, 900_000);
        let rolled_back_ms = chance.one_of("rolled back for", &[0, 0, 120_000, 900_000]);
        let releases = Self { both_ms: from_ms..until_ms, rolled_back_until_ms: until_ms + rolled_back_ms };
        chance.percent("two releases", 20).then_some(releases)
    }

    /// Whether an instance that starts now is of the newer release, if it would be so by chance while both run.
    fn is_newer(&self, now_ms: u64, by_chance: bool) -> bool {
        now_ms >= self.rolled_back_until_ms || (by_chance && self.both_ms.contains(&now_ms))
    }
}

/// The world as an instance of a function sees it that starts now.
pub(super) fn instance(world: &World) -> World {
    let Some(releases) = world.with(|state| state.settings.releases.clone()) else { return world.clone() };
    let (number, now_ms) = world.with(|state| (state.next_instance(), state.now_ms));
    let by_chance = world.chance.percent(&format!("instance {number} is newer"), 50);
    let mut instance = world.clone();
    instance.is_newer = releases.is_newer(now_ms, by_chance);
    instance
}

/// Refuses a write over a row that a newer release has written, as DynamoDB's condition on the row's format does.
pub(super) fn refuse(world: &World, keys: &[String]) -> Result<(), StoreError> {
    let is_newer = keys.iter().any(|key| world.with(|state| state.newer_rows.contains(key)));
    if !is_newer || world.is_newer {
        return Ok(());
    }
    world.with(|state| state.reached.insert("an older release is refused a write"));
    if world.is(Wrong::WriteOverNewer) { Ok(()) } else { Err(StoreError::transient("a row has a newer format")) }
}

/// A row was written. The older release writes nothing of what it does not know.
pub(super) fn written(world: &World, key: &str) {
    if world.is_newer {
        world.with(|state| {
            if !state.newer_rows.insert(key.to_owned()) {
                state.reached.insert("what a newer release wrote is written over by it");
            }
        });
        return;
    }
    let was_newer = world.with(|state| state.newer_rows.remove(key));
    check(world, ERASED, !was_newer, || key.to_owned());
}
