//! Puts a restored or copied table into service.

use domain::TableIdentity;
use serde::Serialize;
use store::{Change, Read, StoreError, TableId, Write, Written};

/// A table that was put into service, or that would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// The stream that the table named before; `None` if it named none.
    pub before: Option<String>,
    /// The stream that it names now.
    pub stream: String,
    /// Its generation.
    pub generation: u64,
    /// Whether that is new.
    pub is_new: bool,
}

/// Puts the table into service for the stack that reads this stream. Nothing is written if it is so already, or with `is_dry_run`.
///
/// # Errors
/// [`StoreError`] if the table fails, or if somebody else has adopted it meanwhile.
pub async fn adopt(
    table: &(impl Read<TableId> + Write<TableIdentity>),
    stream: &str,
    is_dry_run: bool,
) -> Result<Adopted, StoreError> {
    let current = table.read(&TableId).await?;
    let before = current.as_ref().map(|it| it.row.stream.clone());
    let adopted = TableIdentity::adopted(current.as_ref().map(|it| &it.row), stream);
    let is_new = adopted.is_some();
    let row = adopted.clone().or_else(|| current.as_ref().map(|it| it.row.clone()));
    let TableIdentity { stream, generation } = row.unwrap_or_else(|| TableIdentity::new(stream));
    if let Some(row) = adopted.filter(|_| !is_dry_run)
        && table.write(Change::of(row, current.as_ref())).await? != Written::Done
    {
        return Err(StoreError::transient("somebody else has adopted the table meanwhile"));
    }
    Ok(Adopted { before, stream, generation, is_new })
}

#[cfg(test)]
mod tests {
    use store::{Memory, TableCheck};

    use super::*;

    #[tokio::test]
    async fn a_table_is_adopted_once_and_then_works_for_its_stream() {
        let table = Memory::default();
        TableCheck::new("arn:original").generation(&table).await.unwrap();
        let restored = TableCheck::new("arn:restored");
        let shown = adopt(&table, "arn:restored", true).await.unwrap();
        assert_eq!((shown.generation, shown.is_new), (2, true));
        assert_eq!(restored.generation(&table).await, Err(StoreError::WrongTable), "it was only shown");
        let adopted = adopt(&table, "arn:restored", false).await.unwrap();
        assert_eq!((adopted.before.as_deref(), adopted.generation), (Some("arn:original"), 2));
        assert_eq!(restored.generation(&table).await, Ok(2));
        let again = adopt(&table, "arn:restored", false).await.unwrap();
        assert_eq!((again.generation, again.is_new), (2, false), "a second time changes nothing");
    }
}
