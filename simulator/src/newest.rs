//! A list that forgets its oldest entries, so that a flood of calls cannot fill the memory.

use std::collections::VecDeque;

/// The newest entries of a list. Each entry has an id, which counts all entries from 0.
pub struct Newest<T> {
    most: usize,
    most_bytes: usize,
    bytes: usize,
    forgotten: usize,
    entries: VecDeque<(usize, T)>,
}

impl<T> Newest<T> {
    /// Makes an empty list that holds at most so many entries, and so many bytes.
    #[must_use]
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Self { most, most_bytes, bytes: 0, forgotten: 0, entries: VecDeque::new() }
    }

    /// Adds an entry that needs `bytes`, and gives its id. The newest entry stays, however large it is.
    pub fn add(&mut self, entry: T, bytes: usize) -> usize {
        self.entries.push_back((bytes, entry));
        self.bytes = self.bytes.saturating_add(bytes);
        while self.entries.len() > 1 && (self.entries.len() > self.most || self.bytes > self.most_bytes) {
            let Some((bytes, _)) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(bytes);
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.forgotten.saturating_add(self.entries.len()).saturating_sub(1)
    }

    /// Finds an entry. `None` if it was forgotten, or never added.
    pub(crate) fn get(&self, id: usize) -> Option<&T> {
        self.entries.get(id.checked_sub(self.forgotten)?).map(|(_, entry)| entry)
    }

    /// Finds an entry to change it.
    pub(crate) fn get_mut(&mut self, id: usize) -> Option<&mut T> {
        self.entries.get_mut(id.checked_sub(self.forgotten)?).map(|(_, entry)| entry)
    }

    /// Gives the entries with their ids, the oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &T)> + ExactSizeIterator {
        self.entries.iter().enumerate().map(|(place, (_, entry))| (self.forgotten.saturating_add(place), entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_are_forgotten_and_ids_stay() {
        let mut newest = Newest::new(3, 100);
        let ids: Vec<_> = (0..5).map(|entry| newest.add(entry, 10)).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4]);
        assert_eq!(newest.iter().collect::<Vec<_>>(), [(2, &2), (3, &3), (4, &4)]);
        assert_eq!((newest.get(1), newest.get(2), newest.get(5)), (None, Some(&2), None));
    }

    #[test]
    fn large_entries_push_out_more_of_them_but_never_themselves() {
        let mut newest = Newest::new(100, 25);
        for entry in 0..3 {
            newest.add(entry, 10);
        }
        assert_eq!(newest.iter().len(), 2);
        let id = newest.add(3, 1000);
        assert_eq!(newest.iter().collect::<Vec<_>>(), [(id, &3)]);
        newest.add(4, 10);
        assert_eq!(newest.iter().collect::<Vec<_>>(), [(4, &4)]);
    }
}
