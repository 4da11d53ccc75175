//! `GET /deposits/{custom_transaction_id}`, `GET /withdrawals/{withdrawal_id}`, `GET /transactions`: answers from the table
//! alone.

mod error;
mod search;
mod view;

pub use error::ApiError;

use domain::{AttentionKind, CustomTransactionId, DepositRow, Timestamp, WithdrawalId, WithdrawalRow};
use lambda::{Handler, Reply, Request, Right, StatusCode};
use serde::Serialize;
use store::{AnyRow, FindAttention, ReadAny, RowKey, Stored, read_any};
use tracing::info;

use crate::search::Search;
use crate::view::{DepositView, ForeignWithdrawalView, ListView, Open, PaymentView, UnreadableView, WithdrawalView};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["TABLE_NAME"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("deposit"),
    Right::ReadRows("payment"),
    Right::ReadRows("withdrawal"),
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

impl<S: ReadAny + FindAttention + Send> Handler for Deps<S> {
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

impl<S: ReadAny + FindAttention> Deps<S> {
    async fn deposit(&self, id: &str) -> Result<Reply, ApiError> {
        let id = CustomTransactionId::parse(id).map_err(|_| ApiError::NotFound)?;
        info!(reference = id.key(), "asked for");
        match self.table.read(&id).await? {
            Some(Stored { row: DepositRow::Registered(row), version }) => {
                Ok(Reply::new(StatusCode::OK, &DepositView::of(&row, version)))
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

    /// The index only says where to look: the rows themselves are read, and one that needs nobody any more is left out.
    async fn search(&self, search: &Search) -> Result<Reply, ApiError> {
        let page = self.table.find_attention(search.kind, search.since, search.after.as_ref()).await?;
        let mut rows = Vec::new();
        for id in &page.rows {
            rows.push(read_any(&self.table, id).await?);
        }
        let open = rows.iter().flatten().filter_map(|row| open(row, search.kind));
        let found = Found { transactions: open.collect(), cursor: page.next.as_ref().map(search::encode) };
        Ok(Reply::new(StatusCode::OK, &found))
    }
}

/// What a merchant sees of a row that somebody must look at for this reason. Nobody must look at rows of other kinds.
fn open(row: &AnyRow, kind: AttentionKind) -> Option<Entry<'_>> {
    let attention = row.attention().filter(|it| it.kind == kind)?;
    let row = match row {
        AnyRow::Deposit(_)
        | AnyRow::EntryCount(_)
        | AnyRow::ReservedSums(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::TableIdentity(_) => return None,
        AnyRow::Payment(stored) => Open::Payment(PaymentView::of(stored)),
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(row), version }) => {
            Open::Withdrawal(WithdrawalView::of(row, *version))
        }
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Foreign(row), version }) => {
            Open::ForeignWithdrawal(ForeignWithdrawalView::of(row, *version))
        }
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Reserved(_), .. }) => return None,
        AnyRow::Unreadable(stored) => Open::Unreadable(UnreadableView::of(stored)),
        AnyRow::ListProgress(stored) => Open::List(ListView::of(stored)),
    };
    Some(Entry { attention: kind, attention_at_ms: attention.at, row })
}

#[derive(Serialize)]
struct Entry<'a> {
    attention: AttentionKind,
    attention_at_ms: Timestamp,
    #[serde(flatten)]
    row: Open<'a>,
}

#[derive(Serialize)]
struct Found<'a> {
    transactions: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}
