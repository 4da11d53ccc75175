//! Sorts more records than fit into memory: sorted runs in temporary files, then merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::marker::PhantomData;
use std::mem::take;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most records that are held in memory.
pub(crate) const RUN: usize = 32_768;

/// Takes records in any order.
pub(crate) struct Sorter<T> {
    most: usize,
    held: Vec<T>,
    runs: Vec<Run<T>>,
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
        self.runs.push(Run::write(take(&mut self.held))?);
        Ok(())
    }

    /// Gives all records in order.
    pub(crate) fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.spill()?;
        let mut sorted = Sorted { runs: self.runs, heads: BinaryHeap::new() };
        sorted.rewind()?;
        Ok(sorted)
    }
}

/// Records in order, in a file: the length of each, and then it.
struct Run<T> {
    file: BufReader<File>,
    all: usize,
    left: usize,
    bytes: Vec<u8>,
    records: PhantomData<T>,
}

impl<T: Ord + Serialize + DeserializeOwned> Run<T> {
    fn write(mut records: Vec<T>) -> io::Result<Self> {
        records.sort_unstable();
        let all = records.len();
        let mut file = BufWriter::new(tempfile::tempfile()?);
        let mut bytes = Vec::new();
        for record in records {
            bytes.clear();
            bytes = postcard::to_extend(&record, bytes).map_err(io::Error::other)?;
            file.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes())?;
            file.write_all(&bytes)?;
        }
        let file = file.into_inner()?;
        Ok(Self { file: BufReader::new(file), all, left: all, bytes, records: PhantomData })
    }

    fn next(&mut self) -> io::Result<Option<T>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        self.bytes.resize(usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?, 0);
        self.file.read_exact(&mut self.bytes)?;
        postcard::from_bytes(&self.bytes).map(Some).map_err(io::Error::other)
    }
}

/// The records in order.
pub(crate) struct Sorted<T> {
    runs: Vec<Run<T>>,
    /// The least record of each run that is not at its end.
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

impl<T: Ord + Serialize + DeserializeOwned> Sorted<T> {
    /// Begins at the first record again.
    pub(crate) fn rewind(&mut self) -> io::Result<()> {
        self.heads.clear();
        for run in &mut self.runs {
            run.file.rewind()?;
            run.left = run.all;
        }
        (0..self.runs.len()).try_for_each(|run| self.advance(run))
    }

    fn advance(&mut self, run: usize) -> io::Result<()> {
        if let Some(record) = self.runs.get_mut(run).map_or(Ok(None), Run::next)? {
            self.heads.push(Reverse((record, run)));
        }
        Ok(())
    }
}

impl<T: Ord + Serialize + DeserializeOwned> Iterator for Sorted<T> {
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
        fn records_come_in_order_and_none_is_lost_however_often_they_are_read(mut records: Vec<(u8, String)>, most in 1_usize..20) {
            let mut sorter = Sorter::new(most);
            for record in &records {
                sorter.push(record.clone()).unwrap();
            }
            let mut sorted = sorter.sorted().unwrap();
            records.sort();
            for _ in 0..2 {
                prop_assert_eq!(sorted.by_ref().collect::<io::Result<Vec<_>>>().unwrap(), records.clone());
                sorted.rewind().unwrap();
            }
        }
    }
}
