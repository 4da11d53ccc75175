//! What an operator calls a row.

use domain::{CustomTransactionId, InvalidValue, PaymentKey, PaymentSystems, TransactionId, WalletType, WithdrawalId};
use futures_util::future::try_join_all;
use store::{AnyRow, ReadAny, RowId, StoreError, UnreadableRow, read_key};

use crate::failure::Failure;

/// Finds the row that is meant: by its key, or by a merchant's id where only one row has it.
pub(crate) async fn find(table: &impl ReadAny, id: &str) -> Result<AnyRow, Failure> {
    let candidates = candidates(id)?.map_err(|broken| Failure::Usage(format!("ID {broken}")))?;
    let mut found = read_all(table, &candidates).await?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(Failure::NotAllowed(format!("there is no row {id}"))),
        (Some(row), true) => row.map_err(|bad| Failure::NotAllowed(format!("the row cannot be read: {bad}"))),
        (Some(last), false) => {
            let keys: Vec<_> = found.iter().chain([&last]).map(key).collect();
            Err(Failure::NotAllowed(format!("{id} may be any of {}: give the whole key", keys.join(", "))))
        }
    }
}

/// Finds all rows that may be meant: as [`find`] does, and payments of this number in these payment systems.
pub(crate) async fn find_all(
    table: &impl ReadAny,
    id: &str,
    systems: &PaymentSystems,
) -> Result<Vec<Result<AnyRow, UnreadableRow>>, Failure> {
    let mut candidates = candidates(id)?.unwrap_or_default();
    let mut elsewhere = String::new();
    if !id.contains('#') {
        let number = TransactionId::parse(id).map_err(|broken| Failure::Usage(format!("ID {broken}")))?;
        let wallets: Vec<_> = systems.wallet_types().filter_map(|it| WalletType::parse(it).ok()).collect();
        let names: Vec<_> = wallets.iter().map(WalletType::as_str).collect();
        elsewhere = format!(
            ": no order, no withdrawal, and no payment by {}. `operator find --number {id}` looks for all wallets and spellings",
            names.join(", ")
        );
        let payment = |wallet_type| RowId::Payment(PaymentKey { wallet_type, transaction_id: number.clone() });
        candidates.extend(wallets.into_iter().map(payment));
    }
    let found = read_all(table, &candidates).await?;
    if found.is_empty() {
        return Err(Failure::NotAllowed(format!("there is no row {id}{elsewhere}")));
    }
    Ok(found)
}

fn key(row: &Result<AnyRow, UnreadableRow>) -> String {
    row.as_ref().map_or_else(|bad| bad.key.clone(), AnyRow::key)
}

async fn read_all(table: &impl ReadAny, ids: &[RowId]) -> Result<Vec<Result<AnyRow, UnreadableRow>>, StoreError> {
    let read = async |id: &RowId| read_key(table, &id.key()).await;
    Ok(try_join_all(ids.iter().map(read)).await?.into_iter().flatten().collect())
}

/// The rows that a key or a merchant's id names. The inner error says why it is not a merchant's id.
fn candidates(id: &str) -> Result<Result<Vec<RowId>, InvalidValue>, Failure> {
    if id.contains('#') {
        let rule = "must be deposit#ID, payment#WALLET#NUMBER, withdrawal#ID, unreadable#LIST#N, list#LIST, evidence#LIST, number#ORDER#NUMBER, waiting#ORDER#PAGE, entries#HASH, ceiling#SYSTEM#DAY, proposal#KEY or table#";
        return RowId::parse(id).map(|id| Ok(vec![id])).ok_or_else(|| Failure::Usage(format!("ID {rule}")));
    }
    let deposit = CustomTransactionId::parse(id).map(RowId::Deposit);
    let withdrawal = WithdrawalId::parse(id).map(RowId::Withdrawal);
    Ok(match (deposit, withdrawal) {
        (Err(broken), Err(_)) => Err(broken),
        (deposit, withdrawal) => Ok(deposit.into_iter().chain(withdrawal).collect()),
    })
}
