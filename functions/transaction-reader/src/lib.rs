//! `GET /deposits/{custom_transaction_id}`, `GET /withdrawals/{withdrawal_id}`, `GET /transactions`: answers from the table
//! alone.

mod error;
mod search;
mod view;

pub use error::ApiError;

use std::collections::BTreeMap;

use domain::{
    AttentionFilter, AttentionKind, CustomTransactionId, DepositRow, PaymentKey, Timestamp, WithdrawalId, WithdrawalRow,
};
use lambda::{Handler, Reply, Request, Right, StatusCode};
use serde::Serialize;
use store::{
    AnyRow, FindAttention, IndexEntry, PAGE, ReadAny, ReadMany, RowKey, StoreError, Stored, UnreadableRow, read_each,
    read_key,
};
use tracing::{info, warn};

use crate::search::{Place, Search};
use crate::view::{
    DepositView, ForeignWithdrawalView, ListView, Open, PaymentView, Payments, UnreadableRowView, UnreadableView,
    WithdrawalView, open_payments,
};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["TABLE_NAME"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("deposit"),
    Right::ReadRows("payment"),
    Right::ReadManyRows("payment"),
    Right::ReadRows("withdrawal"),
    Right::ReadManyRows("withdrawal"),
    Right::ReadRows("unreadable"),
    Right::ReadRows("list"),
    Right::FindAttention,
];

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S> {
    /// The table.
    pub table: S,
}

impl<S: ReadAny + ReadMany<PaymentKey> + ReadMany<WithdrawalId> + FindAttention + Send> Handler for Deps<S> {
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        if let Some(id) = request.path_parameter("custom_transaction_id") {
            return self.deposit(id).await;
        }
        if let Some(id) = request.path_parameter("withdrawal_id") {
            return self.withdrawal(id).await;
        }
        self.search(&Search::read(request)?).await
    }
}

impl<S: ReadAny + ReadMany<PaymentKey> + ReadMany<WithdrawalId> + FindAttention> Deps<S> {
    async fn deposit(&self, id: &str) -> Result<Reply, ApiError> {
        let id = CustomTransactionId::parse(id).map_err(|_| ApiError::NotFound)?;
        info!(reference = id.key(), "asked for");
        match self.table.read(&id).await? {
            Some(Stored { row: DepositRow::Registered(row), version }) => {
                let payments = match open_payments(&row) {
                    none if none.is_empty() => Payments::new(),
                    keys => read_each(&self.table, &keys).await?,
                };
                Ok(Reply::new(StatusCode::OK, &DepositView::of(&row, version, &payments)))
            }
            Some(Stored { row: DepositRow::Unregistered(_), .. }) | None => Err(ApiError::NotFound),
        }
    }

    async fn withdrawal(&self, id: &str) -> Result<Reply, ApiError> {
        let id = WithdrawalId::parse(id).map_err(|_| ApiError::NotFound)?;
        info!(reference = id.key(), "asked for");
        match self.table.read(&id).await? {
            Some(Stored { row: WithdrawalRow::Registered(row), version }) => {
                Ok(Reply::new(StatusCode::OK, &WithdrawalView::of(&row, version)))
            }
            Some(Stored { row: WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_), .. }) | None => {
                Err(ApiError::NotFound)
            }
        }
    }

    /// The index only says where to look: the rows themselves are read, and one that is not what is asked for is left out. Where a
    /// filter leaves out many, the search goes on within the request, up to a bound.
    async fn search(&self, search: &Search) -> Result<Reply, ApiError> {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let mut place = Some(search.from.clone());
        while let Some(from) = place.take() {
            let limit = if is_narrow(search, from.kind) { BATCH } else { PAGE };
            let page = self.table.find_attention(from.kind, search.since, from.after.as_ref(), limit).await?;
            looked_at = page.entries.len().saturating_add(looked_at);
            let mut rows = self.read(&page.entries).await?;
            let next = page.next.map(|next| Place { kind: from.kind, after: Some(next) });
            place = next.or_else(|| from.next_part(search.filter));
            let last = page.entries.last().cloned();
            for entry in page.entries {
                let Some(row) = rows.remove(&entry.key) else { continue };
                if !shows(search, from.kind, &row) {
                    continue;
                }
                let is_last = last.as_ref() == Some(&entry);
                if found.len().saturating_add(1) == PAGE && !is_last {
                    place = Some(Place { kind: from.kind, after: Some(entry.clone()) });
                }
                found.push((entry, row));
                if found.len() == PAGE {
                    break;
                }
            }
            if found.len() == PAGE || looked_at >= MOST_LOOKED_AT {
                break;
            }
        }
        let transactions = found.iter().filter_map(|(entry, row)| Listed::of(search, entry, row)).collect();
        Ok(Reply::new(StatusCode::OK, &Found { transactions, cursor: place.as_ref().map(search::encode) }))
    }

    /// The rows of these entries by their keys. Withdrawals are read many at a time.
    async fn read(
        &self,
        entries: &[IndexEntry],
    ) -> Result<BTreeMap<String, Result<AnyRow, UnreadableRow>>, StoreError> {
        let withdrawals: Vec<_> = entries.iter().filter_map(IndexEntry::withdrawal_id).collect();
        let read = read_each(&self.table, &withdrawals).await?.into_iter();
        let mut rows: BTreeMap<_, _> = read.map(|(id, row)| (id.key(), row.map(AnyRow::Withdrawal))).collect();
        for entry in entries.iter().filter(|entry| entry.withdrawal_id().is_none()) {
            rows.extend(read_key(&self.table, &entry.key).await?.map(|row| (entry.key.clone(), row)));
        }
        Ok(rows)
    }
}

/// Most rows that are read at a time.
const BATCH: usize = 100;
/// Most rows that one request looks at.
const MOST_LOOKED_AT: usize = 2_000;

/// Whether the search leaves out rows of this part of the index.
fn is_narrow(search: &Search, kind: AttentionKind) -> bool {
    kind == AttentionKind::Open && search.filter != AttentionFilter::Open
}

/// Whether the search shows a row that was found in this part of the index. One that cannot be read may be anything.
fn shows(search: &Search, kind: AttentionKind, row: &Result<AnyRow, UnreadableRow>) -> bool {
    let Ok(row) = row else { return true };
    row.attention().is_some_and(|it| it.kind == kind) && search.filter.has(kind, row.withdrawal())
}

/// What a merchant sees of a row. Nobody must look at rows of other kinds.
fn view(row: &AnyRow) -> Option<Open<'_>> {
    Some(match row {
        AnyRow::Deposit(_)
        | AnyRow::EntryCount(_)
        | AnyRow::ReservedSums(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::Proposal(_)
        | AnyRow::TableIdentity(_)
        | AnyRow::Withdrawal(Stored { row: WithdrawalRow::Reserved(_), .. }) => return None,
        AnyRow::Payment(stored) => Open::Payment(PaymentView::of(stored)),
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(row), version }) => {
            Open::Withdrawal(WithdrawalView::of(row, *version))
        }
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Foreign(row), version }) => {
            Open::ForeignWithdrawal(ForeignWithdrawalView::of(row, *version))
        }
        AnyRow::Unreadable(stored) => Open::Unreadable(UnreadableView::of(stored)),
        AnyRow::ListProgress(stored) => Open::List(ListView::of(stored)),
    })
}

#[derive(Serialize)]
struct Listed<'a> {
    attention: AttentionFilter,
    attention_at_ms: Timestamp,
    #[serde(flatten)]
    row: Open<'a>,
}

impl<'a> Listed<'a> {
    fn of(search: &Search, entry: &'a IndexEntry, row: &'a Result<AnyRow, UnreadableRow>) -> Option<Self> {
        let row = match row {
            Ok(row) => view(row)?,
            Err(UnreadableRow { key, .. }) => {
                warn!(reference = key, "the row cannot be read");
                Open::UnreadableRow(UnreadableRowView::of(key))
            }
        };
        Some(Self { attention: search.filter, attention_at_ms: entry.at, row })
    }
}

#[derive(Serialize)]
struct Found<'a> {
    transactions: Vec<Listed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}
