//! Whether the table is the one that the stack serves.

use std::sync::{Arc, OnceLock};

use domain::TableIdentity;

use crate::{Change, Read, StoreError, TableId, Write, Written};

/// Checks that the table names the stream that the stack reads. A restored or copied table names another one, and nothing may be
/// paid or credited on it before a person has adopted it. Clones share what
/// was found.
#[derive(Clone, Debug)]
pub struct TableCheck {
    stream: String,
    generation: Arc<OnceLock<u64>>,
}

impl TableCheck {
    /// The check for a stack that reads the stream of this ARN.
    #[must_use]
    pub fn new(stream: impl Into<String>) -> Self {
        Self { stream: stream.into(), generation: Arc::default() }
    }

    /// Gives the table's generation. The row is read until it names the right stream, and then no more. If there is none, the table
    /// is new, and the row is written.
    ///
    /// # Errors
    /// [`StoreError::WrongTable`] if the row names another stream; another [`StoreError`] if the table fails.
    pub async fn generation(&self, table: &(impl Read<TableId> + Write<TableIdentity>)) -> Result<u64, StoreError> {
        if let Some(generation) = self.generation.get() {
            return Ok(*generation);
        }
        let current = match table.read(&TableId).await? {
            Some(stored) => stored.row,
            None => self.write(table).await?,
        };
        if current.stream != self.stream {
            return Err(StoreError::WrongTable);
        }
        Ok(*self.generation.get_or_init(|| current.generation))
    }

    async fn write(&self, table: &impl Write<TableIdentity>) -> Result<TableIdentity, StoreError> {
        let own = TableIdentity::new(&self.stream);
        match table.write(Change::new(own.clone())).await? {
            Written::Done => Ok(own),
            Written::Conflict { current: Some(stored) } => Ok(stored.row),
            Written::Conflict { current: None } => Err(StoreError::transient("the table's row is being written")),
        }
    }
}
