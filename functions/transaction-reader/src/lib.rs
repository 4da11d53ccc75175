//! `GET /deposits/{custom_transaction_id}`, `GET /withdrawals/{withdrawal_id}`, `GET /transactions`: answers from the table,
//! and asks nobody else.

mod refused;
mod search;
mod view;

pub use refused::Refused;

use domain::{AttentionKind, CustomTransactionId, DepositRow, Payment, Timestamp, WithdrawalId, WithdrawalRow};
use edge::{Answer, Question, Reply, StatusCode};
use serde::Serialize;
use store::{FindAttention, Read, Row, RowId, Stored, Unavailable, Unreadable};
use tracing::info;

use crate::search::Search;
use crate::view::{DepositView, Open, PaymentView, UnknownWithdrawalView, UnreadableView, WithdrawalView};

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S> {
    /// The table.
    pub table: S,
}

/// All that this function may do to the table.
pub trait Table:
    Read<DepositRow> + Read<Payment> + Read<WithdrawalRow> + Read<Unreadable> + FindAttention + Send
{
}

impl<S> Table for S where
    S: Read<DepositRow> + Read<Payment> + Read<WithdrawalRow> + Read<Unreadable> + FindAttention + Send
{
}

impl<S: Table> Answer for Deps<S> {
    type Refusal = Refused;

    async fn answer(&self, question: Question) -> Result<Reply, Refused> {
        if let Some(id) = question.path_parameter("custom_transaction_id") {
            return self.deposit(id).await;
        }
        if let Some(id) = question.path_parameter("withdrawal_id") {
            return self.withdrawal(id).await;
        }
        self.search(&Search::read(&question)?).await
    }
}

impl<S: Table> Deps<S> {
    async fn deposit(&self, id: &str) -> Result<Reply, Refused> {
        let id = CustomTransactionId::parse(id).map_err(|_| Refused::NotFound)?;
        info!(reference = DepositRow::key(&id), "asked for");
        match Read::<DepositRow>::read(&self.table, &id).await? {
            Some(Stored { row: DepositRow::Registered(row), version }) => {
                Ok(Reply::new(StatusCode::OK, &DepositView::of(&row, version)))
            }
            Some(Stored { row: DepositRow::Unannounced(_), .. }) | None => Err(Refused::NotFound),
        }
    }

    async fn withdrawal(&self, id: &str) -> Result<Reply, Refused> {
        let id = WithdrawalId::parse(id).map_err(|_| Refused::NotFound)?;
        info!(reference = WithdrawalRow::key(&id), "asked for");
        match Read::<WithdrawalRow>::read(&self.table, &id).await? {
            Some(Stored { row: WithdrawalRow::Registered(row), version }) => {
                Ok(Reply::new(StatusCode::OK, &WithdrawalView::of(&row, version)))
            }
            Some(Stored { row: WithdrawalRow::Unmatched(_), .. }) | None => Err(Refused::NotFound),
        }
    }

    /// The index only says where to look: the rows are read as they stand, and one that is settled meanwhile is left out.
    async fn search(&self, search: &Search) -> Result<Reply, Refused> {
        let page = self.table.find_attention(search.kind, search.since, search.after.as_ref()).await?;
        let mut rows = Vec::new();
        for id in &page.rows {
            rows.push(self.look(id).await?);
        }
        let open = rows.iter().flatten().filter_map(|row| row.open(search.kind));
        let found = Found { transactions: open.collect(), cursor: page.next.as_ref().map(search::encode) };
        Ok(Reply::new(StatusCode::OK, &found))
    }

    async fn look(&self, id: &RowId) -> Result<Option<Seen>, Unavailable> {
        Ok(match id {
            RowId::Payment(key) => Read::<Payment>::read(&self.table, key).await?.map(Seen::Payment),
            RowId::Withdrawal(id) => Read::<WithdrawalRow>::read(&self.table, id).await?.map(Seen::Withdrawal),
            RowId::Unreadable(signature, element) => {
                let id = (signature.clone(), *element);
                Read::<Unreadable>::read(&self.table, &id).await?.map(Seen::Unreadable)
            }
        })
    }
}

/// A row that was found.
enum Seen {
    Payment(Stored<Payment>),
    Withdrawal(Stored<WithdrawalRow>),
    Unreadable(Stored<Unreadable>),
}

impl Seen {
    fn open(&self, kind: AttentionKind) -> Option<Entry<'_>> {
        let (attention, row) = match self {
            Self::Payment(stored) => (stored.row.attention(), Open::Payment(PaymentView::of(stored))),
            Self::Withdrawal(Stored { row, version }) => (
                row.attention(),
                match row {
                    WithdrawalRow::Registered(row) => Open::Withdrawal(WithdrawalView::of(row, *version)),
                    WithdrawalRow::Unmatched(row) => Open::UnknownWithdrawal(UnknownWithdrawalView::of(row, *version)),
                },
            ),
            Self::Unreadable(stored) => (stored.row.attention(), Open::Unreadable(UnreadableView::of(stored))),
        };
        let attention = attention.filter(|it| it.kind == kind)?;
        Some(Entry { attention: kind, attention_at_ms: attention.at, row })
    }
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
