//! Sorts more records than fit into memory: sorted runs in temporary files, then merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Lines, Seek, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most records that are held in memory.
pub(crate) const RUN: usize = 100_000;

/// Takes records in any order.
pub(crate) struct Sorter<T> {
    most: usize,
    held: Vec<T>,
    runs: Vec<File>,
}

impl<T: Ord + Serialize + DeserializeOwned> Sorter<T> {
    /// A sorter that holds at most so many records in memory, and the others in unnamed files of the temporary directory.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Vec::new(), runs: Vec::new() }
    }

    pub(crate) fn push(&mut self, record: T) -> io::Result<()> {
        if self.held.len() >= self.most {
            self.spill()?;
        }
        self.held.push(record);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let mut file = tempfile::tempfile()?;
        let mut writer = BufWriter::new(&mut file);
        for record in self.held.drain(..) {
            serde_json::to_writer(&mut writer, &record)?;
            writer.write_all(b"\n")?;
        }
        writer.flush()?;
        drop(writer);
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    /// Gives all records in order.
    pub(crate) fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.spill()?;
        let runs: Vec<_> = self.runs.into_iter().map(|run| BufReader::new(run).lines()).collect();
        let mut sorted = Sorted { runs, heads: BinaryHeap::new() };
        for run in 0..sorted.runs.len() {
            sorted.advance(run)?;
        }
        Ok(sorted)
    }
}

/// The records in order.
pub(crate) struct Sorted<T> {
    runs: Vec<Lines<BufReader<File>>>,
    /// The least record of each run that is not at its end.
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

impl<T: Ord + DeserializeOwned> Sorted<T> {
    fn advance(&mut self, run: usize) -> io::Result<()> {
        if let Some(line) = self.runs.get_mut(run).and_then(Iterator::next) {
            self.heads.push(Reverse((serde_json::from_str(&line?)?, run)));
        }
        Ok(())
    }
}

impl<T: Ord + DeserializeOwned> Iterator for Sorted<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<io::Result<T>> {
        let Reverse((record, run)) = self.heads.pop()?;
        Some(self.advance(run).map(|()| record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_in_order_and_none_is_lost(mut records: Vec<(u8, String)>, most in 1_usize..20) {
            let mut sorter = Sorter::new(most);
            for record in &records {
                sorter.push(record.clone()).unwrap();
            }
            let sorted: Vec<_> = sorter.sorted().unwrap().collect::<io::Result<_>>().unwrap();
            records.sort();
            prop_assert_eq!(sorted, records);
        }
    }
}
