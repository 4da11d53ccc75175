//! Chance that is named: every draw depends on the seed and on its own name alone, so that taking one thing away leaves
//! all others as they were, and a failing run can be made smaller.

/// The seed of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(pub u64);

impl Chance {
    /// A number below `bound`.
    pub(super) fn below(self, name: &str, bound: u64) -> u64 {
        self.hash(name) % bound.max(1)
    }

    /// A number from `least` to `most`.
    pub(super) fn between(self, name: &str, least: u64, most: u64) -> u64 {
        least + self.below(name, most - least + 1)
    }

    /// Yes in so many of a hundred.
    pub(super) fn percent(self, name: &str, percent: u64) -> bool {
        self.below(name, 100) < percent
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(self, name: &str, of: &[T]) -> T {
        *self.any_of(name, of).unwrap()
    }

    /// One of these, if there are any.
    pub(super) fn any_of<'a, T>(self, name: &str, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(name, of.len().try_into().unwrap())).unwrap())
    }

    /// FNV-1a over the name, stirred with the seed.
    fn hash(self, name: &str) -> u64 {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let named = name.bytes().fold(0xcbf2_9ce4_8422_2325 ^ self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15), fnv);
        let stirred = (named ^ (named >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (stirred ^ (stirred >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 16
    }
}
