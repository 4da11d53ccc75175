//! The body of a stored postback: its signed list unchanged, with its signature, and the unsigned fields.

use domain::{
    Amount, CurrencyCode, Direction, Evidence, Label, ListHash, ListPlace, PaymentState, Separator, SignedFacts,
    SignedList, Unsigned, WalletType,
};
use paykassma::{Element, UnsignedFields};
use store::{AnyRow, ListProgressId, ReadAny, StoredListId};

use crate::failure::Failure;
use crate::postback::body;
use crate::verifier::{Verifier, verify_one};

/// Rebuilds the bodies of the postbacks that a row stores: of a list, each copy that is not finished. `given` is the label for a row
/// that has none.
pub(crate) async fn rebuilt(
    table: &impl ReadAny,
    row: &AnyRow,
    given: Option<Label>,
    verifier: &impl Verifier,
) -> Result<Vec<Vec<u8>>, Failure> {
    if let AnyRow::ListProgress(it) = row {
        let list = read_list(table, &it.row.hash).await?;
        verify_one(verifier, &list).await??;
        let copies = it.row.unfinished().map(|copy| written(&list, &unsigned_fields(&copy.unsigned, given.clone())));
        return match copies.collect::<Result<Vec<_>, _>>()? {
            bodies if bodies.is_empty() => Err(Failure::NotAllowed("all its elements are stored".into())),
            bodies => Ok(bodies),
        };
    }
    let (evidence, label) = kept(row)?;
    let label = label.or(given);
    match &evidence.place {
        ListPlace::Here(list) => {
            let copies = understood(verifier, list, evidence).await?;
            let label =
                label.ok_or_else(|| Failure::Usage("the row has no label: give the user's with --label".into()))?;
            Ok(vec![written(list, &UnsignedFields { label: Some(label.into()), ..copies })?])
        }
        ListPlace::Stored { list: hash } => {
            let list = read_list(table, hash).await?;
            understood(verifier, &list, evidence).await?;
            let progress = table.read(&ListProgressId(hash.clone())).await?;
            let progress =
                progress.ok_or_else(|| Failure::NotAllowed(format!("there is no row list#{}", hash.as_str())))?;
            // The row's label tells which copy it was.
            let copies = &progress.row.copies;
            let copy = copies.iter().find(|copy| copy.unsigned.label == label).or(copies.first());
            let unsigned = copy.map(|copy| copy.unsigned.clone()).unwrap_or_default();
            Ok(vec![written(&list, &unsigned_fields(&unsigned, label))?])
        }
    }
}

async fn read_list(table: &impl ReadAny, hash: &ListHash) -> Result<SignedList, Failure> {
    let stored = table.read(&StoredListId(hash.clone())).await?;
    stored
        .map(|it| it.row.list)
        .ok_or_else(|| Failure::NotAllowed(format!("there is no row evidence#{}", hash.as_str())))
}

fn written(list: &SignedList, unsigned: &UnsignedFields) -> Result<Vec<u8>, Failure> {
    Ok(body(&list.access_key, list)?.with_unsigned(unsigned).to_string().into_bytes())
}

/// The unsigned fields that came with a list.
fn unsigned_fields(unsigned: &Unsigned, label: Option<Label>) -> UnsignedFields {
    UnsignedFields::from(Unsigned { label: unsigned.label.clone().or(label), ..unsigned.clone() })
}

/// Repeats what is signed of an element, if that is understood.
async fn understood(
    verifier: &impl Verifier,
    list: &SignedList,
    evidence: &Evidence,
) -> Result<UnsignedFields, Failure> {
    match verify_one(verifier, list).await??.element_of(evidence, Separator::Dot)? {
        Element::Deposit(report) => {
            let SignedFacts { amount, currency_code, .. } = report.facts;
            Ok(copies(Direction::Ingoing, &report.payment.wallet_type, amount, &currency_code))
        }
        Element::Withdrawal(report) => {
            let SignedFacts { amount, currency_code, .. } = report.facts;
            Ok(copies(Direction::Outgoing, &report.wallet_type, amount, &currency_code))
        }
        Element::Unreadable { reason, .. } => {
            Err(Failure::NotAllowed(format!("the element is not understood today either: {reason}")))
        }
    }
}

fn copies(direction: Direction, wallet: &WalletType, amount: Amount, currency_code: &CurrencyCode) -> UnsignedFields {
    UnsignedFields {
        wallet_type: Some(wallet.as_str().into()),
        amount: Some(amount.into()),
        currency_code: Some(currency_code.as_str().into()),
        direction: Some(direction),
        ..UnsignedFields::default()
    }
}

/// What is held and may be judged again. Where an unsigned copy differed, its rebuilt twin would be made up.
fn kept(row: &AnyRow) -> Result<(&Evidence, Option<Label>), Failure> {
    let refused = |why: &str| Err(Failure::NotAllowed(why.to_owned()));
    match row {
        AnyRow::Unreadable(it) => Ok((&it.row.evidence, it.row.payment.as_ref().and_then(|it| it.label.clone()))),
        AnyRow::Payment(it) => match &it.row.state {
            PaymentState::Quarantined { mismatch, .. } if mismatch.is_unsigned() => {
                refused("an unsigned copy differed, and what is sent again would not have it: resolve the payment")
            }
            PaymentState::Unmatched { facts, .. } | PaymentState::Quarantined { facts, .. } => {
                Ok((&facts.evidence, facts.label.clone()))
            }
            PaymentState::Claimed { .. } | PaymentState::Released { .. } => refused("no postback has come for it"),
            PaymentState::Credited { .. } | PaymentState::Rejected { .. } => refused("it is decided"),
        },
        AnyRow::StoredList(it) => {
            refused(&format!("replay the row that says how far the list is: list#{}", it.row.hash.as_str()))
        }
        AnyRow::Deposit(_)
        | AnyRow::Withdrawal(_)
        | AnyRow::EntryCount(_)
        | AnyRow::ReservedSums(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::ListProgress(_)
        | AnyRow::Proposal(_)
        | AnyRow::TableIdentity(_) => refused("replay a payment#, an unreadable# or a list# row"),
    }
}
