//! What an operator calls a row.

use domain::{CustomTransactionId, WithdrawalId};
use store::{AnyRow, ReadAny, RowId, UnreadableRow, read_any};

use crate::failure::Failure;

/// Finds the row that is meant: by its key, or by a merchant's id where only one row has it.
pub(crate) async fn find(table: &impl ReadAny, id: &str) -> Result<AnyRow, Failure> {
    find_any(table, id).await?.map_err(|bad| Failure::NotAllowed(format!("the row cannot be read: {bad}")))
}

/// Does as [`find`], also where the row cannot be read.
pub(crate) async fn find_any(table: &impl ReadAny, id: &str) -> Result<Result<AnyRow, UnreadableRow>, Failure> {
    let mut found = Vec::new();
    for candidate in candidates(id)? {
        match read_any(table, &candidate).await {
            Ok(row) => found.extend(row.map(Ok)),
            Err(error) => found.push(Err(error.unreadable_row()?)),
        }
    }
    match found.len() {
        0 => Err(Failure::NotAllowed(format!("there is no row {id}"))),
        1 => found.pop().ok_or_else(|| Failure::NotAllowed(format!("there is no row {id}"))),
        _ => {
            let key =
                |row: &Result<AnyRow, UnreadableRow>| row.as_ref().map_or_else(|bad| bad.key.clone(), AnyRow::key);
            let keys: Vec<_> = found.iter().map(key).collect();
            Err(Failure::NotAllowed(format!("{id} may be any of {}: give the whole key", keys.join(", "))))
        }
    }
}

fn candidates(id: &str) -> Result<Vec<RowId>, Failure> {
    if id.contains('#') {
        let rule = "must be deposit#ID, payment#WALLET#NUMBER, withdrawal#ID, unreadable#LIST#N, list#LIST, evidence#LIST, number#ORDER#NUMBER, waiting#ORDER#PAGE, entries#HASH, ceiling#SYSTEM#DAY or table#";
        return RowId::parse(id).map(|id| vec![id]).ok_or_else(|| Failure::Usage(format!("ID {rule}")));
    }
    let deposit = CustomTransactionId::parse(id).map(RowId::Deposit);
    let withdrawal = WithdrawalId::parse(id).map(RowId::Withdrawal);
    match (deposit, withdrawal) {
        (Err(broken), Err(_)) => Err(Failure::Usage(format!("ID {broken}"))),
        (deposit, withdrawal) => Ok(deposit.into_iter().chain(withdrawal).collect()),
    }
}
