//! `replay --held`: all payments that are held for one reason are judged again.

use std::collections::BTreeMap;

use domain::{AttentionKind, ListPlace, Mismatch, Payment, PaymentKey, PaymentState, Timestamp};
use serde::Serialize;
use store::{AnyRow, FindAttention, PAGE, ReadAny, RowKey, Stored, UnreadableRow, read_key};

use super::rebuilt::rebuilt;
use crate::api::Answer;
use crate::failure::{Done, Failure};
use crate::output::{Output, complain};
use crate::rows;
use crate::verifier::Verifier;

/// The reasons for which a payment is held while the unsigned copies agree: the same postback may be judged in another way today.
pub(crate) const HELD: [(&str, Mismatch); 6] = [
    ("order_unwritable", Mismatch::OrderUnwritable),
    ("order_currency_code", Mismatch::OrderCurrencyCode),
    ("order_wallet_type", Mismatch::OrderWalletType),
    ("same_number", Mismatch::SameNumber),
    ("contested", Mismatch::Contested),
    ("taken_away", Mismatch::TakenAway),
];

/// How many payments have become what.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Became {
    state: &'static str,
    why: &'static str,
    payments: usize,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Replayed {
    payments: usize,
    lists: usize,
    /// Lists that could not be sent, or were not answered ok.
    failed: usize,
    still_held: usize,
    /// Rows that cannot be read.
    unreadable: usize,
    #[serde(skip)]
    became: Vec<Became>,
}

pub(crate) async fn run(
    table: &(impl FindAttention + ReadAny),
    verifier: &impl Verifier,
    output: Output,
    mismatch: Mismatch,
    send: impl AsyncFn(Vec<u8>) -> Result<Answer, Failure>,
) -> Result<Done, Failure> {
    let replayed = replay(table, verifier, mismatch, send).await?;
    output.records(&replayed.became, ["STATE", "PAYMENTS", "WHY"], |it| {
        [it.state.to_owned(), it.payments.to_string(), it.why.to_owned()]
    });
    output.line(&replayed, || {
        let Replayed { payments, lists, failed, still_held, unreadable, .. } = &replayed;
        format!(
            "\n{payments} payments in {lists} lists; {failed} lists failed, {still_held} payments are still held, {unreadable} rows cannot be read"
        )
    });
    Ok(replayed.done())
}

impl Replayed {
    fn cannot_read(&mut self, bad: &UnreadableRow) {
        self.unreadable = self.unreadable.saturating_add(1);
        complain(&format!("the row cannot be read: {bad}"));
    }

    fn done(&self) -> Done {
        if self.failed == 0 && self.still_held == 0 && self.unreadable == 0 { Done::Well } else { Done::Found }
    }
}

/// Sends the list of each payment that is held for this reason, and looks what has become of the payments.
async fn replay(
    table: &(impl FindAttention + ReadAny),
    verifier: &impl Verifier,
    mismatch: Mismatch,
    send: impl AsyncFn(Vec<u8>) -> Result<Answer, Failure>,
) -> Result<Replayed, Failure> {
    let mut replayed = Replayed::default();
    let mut became = BTreeMap::<_, usize>::new();
    for payments in find(table, mismatch, &mut replayed).await?.into_values() {
        replayed.lists = replayed.lists.saturating_add(1);
        let Some(first) = payments.first() else { continue };
        if let Err(why) = replay_list(table, verifier, first, &send).await? {
            replayed.failed = replayed.failed.saturating_add(1);
            complain(&format!("{}: {why}", first.key()));
        }
        for key in payments {
            let it = match read_key(table, &key.key()).await? {
                Some(Ok(AnyRow::Payment(it))) => it,
                Some(Err(bad)) => {
                    replayed.cannot_read(&bad);
                    continue;
                }
                Some(Ok(_)) | None => continue,
            };
            replayed.payments = replayed.payments.saturating_add(1);
            let why = match &it.row.state {
                PaymentState::Quarantined { mismatch, .. } => {
                    replayed.still_held = replayed.still_held.saturating_add(1);
                    rows::disagree(*mismatch)
                }
                PaymentState::Claimed { .. }
                | PaymentState::Released { .. }
                | PaymentState::Unmatched { .. }
                | PaymentState::Credited { .. }
                | PaymentState::Rejected { .. } => "",
            };
            let count = became.entry((it.row.state.name(), why)).or_default();
            *count = count.saturating_add(1);
        }
    }
    replayed.became = became.into_iter().map(|((state, why), payments)| Became { state, why, payments }).collect();
    Ok(replayed)
}

/// Sends the list of a payment. The inner error says why that list was not stored; the others are sent all the same.
async fn replay_list(
    table: &impl ReadAny,
    verifier: &impl Verifier,
    payment: &PaymentKey,
    send: &impl AsyncFn(Vec<u8>) -> Result<Answer, Failure>,
) -> Result<Result<(), String>, Failure> {
    // It may have been decided since it was found.
    let row = match read_key(table, &payment.key()).await? {
        Some(Ok(AnyRow::Payment(row))) => row,
        Some(Err(bad)) => return Ok(Err(bad.to_string())),
        Some(Ok(_)) | None => return Ok(Err("there is no such row any more".into())),
    };
    if !matches!(row.row.state, PaymentState::Quarantined { .. }) {
        return Ok(Ok(()));
    }
    let bodies = match rebuilt(table, &AnyRow::Payment(row), None, verifier).await {
        Ok(bodies) => bodies,
        Err(error @ (Failure::Usage(_) | Failure::NotAllowed(_) | Failure::Denied(_) | Failure::Changed(_))) => {
            return Ok(Err(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    for body in bodies {
        let answer = send(body).await?;
        if answer.done() != Done::Well {
            return Ok(Err(answer.text()));
        }
    }
    Ok(Ok(()))
}

/// The payments that are held for this reason, by the list that has them: all are found before the first is sent. A row that cannot
/// be read may be one of them, and is counted.
async fn find(
    table: &(impl FindAttention + ReadAny),
    mismatch: Mismatch,
    replayed: &mut Replayed,
) -> Result<BTreeMap<String, Vec<PaymentKey>>, Failure> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    let mut after = None;
    loop {
        let page = table.find_attention(AttentionKind::Quarantined, Timestamp(0), after.as_ref(), PAGE).await?;
        for entry in &page.entries {
            match read_key(table, &entry.key).await? {
                Some(Ok(AnyRow::Payment(Stored { row, .. }))) => {
                    if let Some(list) = list_of(&row, mismatch) {
                        found.entry(list).or_default().push(row.key);
                    }
                }
                Some(Err(bad)) => replayed.cannot_read(&bad),
                Some(Ok(_)) | None => {}
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// What names the list of a payment that is held for this reason.
fn list_of(row: &Payment, mismatch: Mismatch) -> Option<String> {
    match &row.state {
        PaymentState::Quarantined { facts, mismatch: own } if *own == mismatch => match &facts.evidence.place {
            ListPlace::Stored { list } => Some(list.as_str().to_owned()),
            ListPlace::Here(_) => Some(row.key.key()),
        },
        PaymentState::Quarantined { .. }
        | PaymentState::Claimed { .. }
        | PaymentState::Released { .. }
        | PaymentState::Unmatched { .. }
        | PaymentState::Credited { .. }
        | PaymentState::Rejected { .. } => None,
    }
}
