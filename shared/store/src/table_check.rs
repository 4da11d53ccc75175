//! Whether the table is the one that the stack serves.

use std::sync::{Arc, OnceLock};

use domain::TableIdentity;

use crate::{Change, Read, StoreError, Stored, TableId, Write, Written};

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
        let generation = self.read(table).await?.row.generation;
        Ok(*self.generation.get_or_init(|| generation))
    }

    /// Writes the row again as it is, so that the stream has a change. The publisher counts such a change: if it counts none, no
    /// event is published.
    ///
    /// # Errors
    /// As of [`TableCheck::generation`].
    pub async fn beat(&self, table: &(impl Read<TableId> + Write<TableIdentity>)) -> Result<(), StoreError> {
        let current = self.read(table).await?;
        // Who was faster has changed the row, too, and the next heartbeat comes soon.
        table.write(Change::heartbeat(current)).await.map(drop)
    }

    /// The row, which names the right stream. If there is none, it is written.
    async fn read(
        &self,
        table: &(impl Read<TableId> + Write<TableIdentity>),
    ) -> Result<Stored<TableIdentity>, StoreError> {
        let current = match table.read(&TableId).await? {
            Some(current) => current,
            None => self.write(table).await?,
        };
        if current.row.stream == self.stream { Ok(current) } else { Err(StoreError::WrongTable) }
    }

    async fn write(&self, table: &impl Write<TableIdentity>) -> Result<Stored<TableIdentity>, StoreError> {
        let own = Change::new(TableIdentity::new(&self.stream));
        match table.write(own.clone()).await? {
            Written::Done => Ok(own.written()),
            Written::Conflict { current: Some(current) } => Ok(current),
            Written::Conflict { current: None } => Err(StoreError::transient("the table's row is being written")),
        }
    }
}
