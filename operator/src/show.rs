//! `show`: what happened to a transaction, on what evidence, and why the rules decided so.

use clap::Args;
use domain::{
    Contradiction, DepositRow, Evidence, ListCopy, PaymentSystems, Resolution, SignedFacts, SignedList, Timestamp,
    Withdrawal, WithdrawalRow, WithdrawalState,
};
use paykassma::{SignedElements, signed_elements};
use serde::Serialize;
use store::{AnyRow, ReadAny, UnreadableRow};

use crate::deployment::Deployment;
use crate::escape::{self, one_line};
use crate::failure::{Done, Failure};
use crate::mask::{mask, mask_signed};
use crate::output::Output;
use crate::postback::Lists;
use crate::spelled::Spelled;
use crate::{id, rows};

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A key of the table (deposit#.., payment#WALLET#NUMBER, withdrawal#.., unreadable#LIST#N, list#LIST, evidence#LIST), or alone:
    /// a merchant's id, or the number of a payment
    pub(crate) id: String,

    /// Show people's names, accounts and labels, and the signed text
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// All that is known of a transaction.
#[derive(Serialize)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    pub(crate) why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attention: Option<&'static str>,
    pub(crate) version: u64,
    pub(crate) history: Vec<Happened>,
    /// The signed elements that decided or contradict, as they were signed.
    pub(crate) evidence: Vec<Signed>,
    pub(crate) row: Spelled,
}

/// A row that cannot be read.
#[derive(Serialize)]
struct ShownUnreadable {
    id: String,
    state: &'static str,
    why: String,
}

/// One thing that happened.
#[derive(Serialize)]
pub(crate) struct Happened {
    pub(crate) at_ms: Timestamp,
    pub(crate) what: String,
}

/// What the provider signed.
#[derive(Serialize)]
pub(crate) struct Signed {
    pub(crate) signature: String,
    /// The access key of the keys that verified it.
    pub(crate) access_key: String,
    /// How many elements the list has.
    pub(crate) elements: usize,
    /// Which of them this is, from 0; absent if it is the whole list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) element: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) received_at_ms: Option<Timestamp>,
    pub(crate) said: Spelled,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Show) -> Result<Done, Failure> {
    let table = deployment.table()?;
    let mut done = Done::Well;
    for row in shown(&table, &arguments.id, &deployment.payment_systems()?, arguments.reveal).await? {
        match row {
            Ok(shown) => output.line(&shown, || shown.text()),
            Err(bad) => {
                done = Done::Found;
                let shown = ShownUnreadable { id: bad.key, state: rows::UNREADABLE, why: bad.reason };
                output.line(&shown, || format!("{}  {}\n  why        {}", shown.id, shown.state, one_line(&shown.why)));
            }
        }
    }
    Ok(done)
}

/// All that is known of the rows that may be meant.
pub(crate) async fn shown(
    table: &impl ReadAny,
    id: &str,
    systems: &PaymentSystems,
    reveal: bool,
) -> Result<Vec<Result<Shown, UnreadableRow>>, Failure> {
    let mut all = Vec::new();
    for row in id::find_all(table, id, systems).await? {
        all.push(match row {
            Ok(row) => {
                let lists = Lists::read(table, evidence(&row)).await?;
                let shown = Shown::of(&row, &lists)?;
                Ok(if reveal { shown } else { shown.masked() })
            }
            Err(bad) => Err(bad),
        });
    }
    Ok(all)
}

impl Shown {
    fn of(row: &AnyRow, lists: &Lists) -> Result<Self, Failure> {
        let mut history = history(row);
        history.sort_by_key(|it| it.at_ms);
        let mut json = Vec::new();
        let written = row.serialize_row(&mut serde_json::Serializer::new(&mut json));
        written.map_err(|error| Failure::NotAllowed(format!("the row cannot be shown: {error}")))?;
        Ok(Self {
            id: row.key(),
            state: row.state_name(),
            why: rows::why(row),
            attention: row.attention().map(|it| it.kind.as_str()),
            version: row.version(),
            history,
            evidence: signed(row, lists),
            row: Spelled::read(&String::from_utf8_lossy(&json)),
        })
    }

    /// Without what is people's own.
    fn masked(mut self) -> Self {
        mask(&mut self.row);
        for it in &mut self.evidence {
            mask_signed(&mut it.said);
        }
        self
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("{}  {}  version {}", self.id, self.state, self.version)];
        lines.push(format!("  why        {}", one_line(&self.why)));
        lines.extend(self.attention.map(|kind| format!("  attention  {kind}")));
        lines.push("\nHistory".into());
        lines.extend(self.history.iter().map(|it| format!("  {}  {}", rows::time(it.at_ms), one_line(&it.what))));
        for it in &self.evidence {
            lines.push(it.head());
            lines.push(pretty(&it.said));
        }
        lines.push("\nRow".into());
        lines.push(pretty(&self.row));
        lines.join("\n")
    }
}

pub(crate) fn pretty(value: &Spelled) -> String {
    let text = escape::json(&serde_json::to_string_pretty(value).unwrap_or_default());
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

impl Signed {
    /// The element that a row is about.
    fn of(lists: &Lists, evidence: &Evidence) -> Self {
        let list = lists.of(evidence);
        let texts = list.map(|list| signed_elements(&list.additional_data).texts).unwrap_or_default();
        let said = Spelled::read(texts.get(evidence.element).unwrap_or(&"null"));
        Self {
            signature: list.map(|list| list.signature.clone()).unwrap_or_default(),
            access_key: list.map(|list| list.access_key.clone()).unwrap_or_default(),
            elements: texts.len(),
            element: Some(evidence.element),
            received_at_ms: Some(evidence.received_at),
            said,
        }
    }

    /// All elements of a list.
    fn whole(list: &SignedList) -> Self {
        let SignedElements { texts, .. } = signed_elements(&list.additional_data);
        Self {
            signature: list.signature.clone(),
            access_key: list.access_key.clone(),
            elements: texts.len(),
            element: None,
            received_at_ms: None,
            said: Spelled::List(texts.iter().map(|text| Spelled::read(text)).collect()),
        }
    }

    fn head(&self) -> String {
        let Self { signature, access_key, elements, .. } = self;
        let which = self.element.map_or_else(
            || format!("all {elements} elements"),
            |element| format!("element {element} (from 0) of {elements}"),
        );
        let received = self.received_at_ms.map(|at| format!(", received {}", rows::time(at))).unwrap_or_default();
        format!("\nSigned, {which}, by {signature} with the access key {access_key}{received}")
    }
}

fn signed(row: &AnyRow, lists: &Lists) -> Vec<Signed> {
    if let AnyRow::StoredList(it) = row {
        return vec![Signed::whole(&it.row.list)];
    }
    evidence(row).into_iter().map(|it| Signed::of(lists, it)).collect()
}

/// What proves what a row says, or contradicts it.
pub(crate) fn evidence(row: &AnyRow) -> Vec<&Evidence> {
    let (facts, contradictions): (Option<&SignedFacts>, &[Contradiction]) = match row {
        AnyRow::Deposit(_)
        | AnyRow::EntryCount(_)
        | AnyRow::ReservedSums(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::ListProgress(_)
        | AnyRow::Proposal(_)
        | AnyRow::TableIdentity(_) => (None, &[]),
        AnyRow::Payment(it) => (it.row.facts(), &it.row.contradictions),
        AnyRow::Withdrawal(it) => match &it.row {
            WithdrawalRow::Registered(row) => (facts(row), &row.contradictions),
            WithdrawalRow::Foreign(row) => (Some(&row.facts), &row.contradictions),
            WithdrawalRow::Reserved(_) => (None, &[]),
        },
        AnyRow::Unreadable(it) => return vec![&it.row.evidence],
    };
    let against = contradictions.iter().filter_map(|it| it.facts.as_ref());
    facts.into_iter().chain(against).map(|it| &it.evidence).collect()
}

/// What the provider signed about the end of a withdrawal.
pub(crate) fn facts(row: &Withdrawal) -> Option<&SignedFacts> {
    match &row.state {
        WithdrawalState::Paid { facts } | WithdrawalState::Failed { facts } => facts.as_ref(),
        WithdrawalState::Sending
        | WithdrawalState::Waiting
        | WithdrawalState::Unknown
        | WithdrawalState::Submitted
        | WithdrawalState::Rejected { .. } => None,
    }
}

/// What happened to a row, in no order.
pub(crate) fn history(row: &AnyRow) -> Vec<Happened> {
    match row {
        AnyRow::Deposit(it) => match &it.row {
            DepositRow::Registered(deposit) => {
                let registered = Happened { at_ms: deposit.created_at, what: "registered".into() };
                let tried = deposit.attempts.iter().map(|it| Happened {
                    at_ms: it.started_at,
                    what: format!("the user entered {} over {}: {:?}", it.transaction_id, it.amount, it.outcome),
                });
                std::iter::once(registered).chain(tried).collect()
            }
            DepositRow::Unregistered(_) => Vec::new(),
        },
        AnyRow::Payment(it) => {
            let said = it.row.facts().map(|facts| came(facts, "a signed postback that decided"));
            said.into_iter().chain(against(&it.row.contradictions)).chain(resolved(&it.row.resolutions)).collect()
        }
        AnyRow::Withdrawal(it) => match &it.row {
            WithdrawalRow::Registered(row) => withdrawal(row),
            WithdrawalRow::Foreign(row) => {
                let status = row.withdrawal_status.map_or("null".into(), |status| status.to_string());
                let what = format!("a signed postback: status {status}");
                let said = std::iter::once(came(&row.facts, &what));
                said.chain(against(&row.contradictions)).chain(resolved(&row.resolutions)).collect()
            }
            WithdrawalRow::Reserved(row) => {
                vec![Happened { at_ms: row.reserved_at, what: "the id was reserved".into() }]
            }
        },
        AnyRow::Unreadable(it) => {
            let what = "a signed element that was not understood".into();
            let came = Happened { at_ms: it.row.evidence.received_at, what };
            std::iter::once(came).chain(resolved(&it.row.resolutions)).collect()
        }
        AnyRow::ListProgress(it) => {
            let came = |copy: &ListCopy| Happened {
                at_ms: copy.received_at,
                what: format!("a copy of a signed list of {} elements came", it.row.elements),
            };
            it.row.copies.iter().map(came).collect()
        }
        AnyRow::EntryCount(_)
        | AnyRow::ReservedSums(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::Proposal(_)
        | AnyRow::TableIdentity(_) => Vec::new(),
    }
}

fn withdrawal(row: &Withdrawal) -> Vec<Happened> {
    let mut history = vec![Happened { at_ms: row.created_at, what: "journalled".into() }];
    for (attempt, number) in row.attempts.iter().zip(1..) {
        history.push(Happened { at_ms: attempt.started_at, what: format!("attempt {number} began") });
        history.extend(attempt.ended.as_ref().map(|ended| Happened {
            at_ms: ended.at,
            what: format!("attempt {number} {}", rows::submission(&ended.submission)),
        }));
    }
    history.extend(facts(row).map(|it| came(it, "a signed postback that decided")));
    history.extend(against(&row.contradictions));
    history.extend(resolved(&row.resolutions));
    history
}

fn came(facts: &SignedFacts, what: &str) -> Happened {
    Happened { at_ms: facts.evidence.received_at, what: format!("{what}: {} {}", facts.amount, facts.currency_code) }
}

fn against(contradictions: &[Contradiction]) -> impl Iterator<Item = Happened> {
    contradictions.iter().map(|it| match &it.facts {
        Some(facts) => came(facts, &format!("a signed postback that contradicts: {}", rows::disagree(it.mismatch))),
        None => Happened { at_ms: Timestamp(0), what: "the provider's answer contradicts what was decided".into() },
    })
}

fn resolved(resolutions: &[Resolution]) -> impl Iterator<Item = Happened> {
    resolutions.iter().map(|it| Happened {
        at_ms: it.at,
        what: {
            let caller = it.caller.as_ref().map_or_else(String::new, |caller| format!(" [{caller}]"));
            format!("{}{caller} decided: {}, because {} ({})", it.by, it.outcome.as_str(), it.reason, it.evidence)
        },
    })
}

#[cfg(test)]
mod tests {
    use domain::{
        Amount, CurrencyCode, CustomTransactionId, Direction, Label, ListHash, ListPlace, ListProgress, OddPayment,
        Payment, PaymentKey, PaymentState, StoredList, TransactionId, Unreadable, Unsigned, WalletType,
    };
    use serde_json::json;
    use store::{Change, Memory, Row, Write};

    use super::*;

    /// A list that names a person in each of its elements, one of which is no object.
    fn stored_list() -> StoredList {
        let element =
            |number: &str, name: &str| json!({"transaction_id": number, "account_name": name, "amount": "700"});
        let additional_data = json!([element("1", "Alice"), element("2", "Bob"), "Carol"]).to_string();
        let list = SignedList { additional_data, signature: "538e".into(), access_key: "public".into() };
        StoredList { hash: ListHash::from([7; 32]), list }
    }

    fn evidence(element: usize) -> Evidence {
        let place = ListPlace::Stored { list: ListHash::from([7; 32]) };
        Evidence { place, element, received_at: Timestamp(7) }
    }

    fn odd(label: Option<&str>) -> OddPayment {
        OddPayment {
            wallet_type: WalletType::parse("paytm").unwrap(),
            transaction_id: None,
            custom_transaction_id: "o1".into(),
            amount: Amount::parse("700").unwrap(),
            currency_code: CurrencyCode::parse("INR").unwrap(),
            label: label.map(|label| Label::parse(label).unwrap()),
        }
    }

    /// What is printed about a row: for everyone, and revealed.
    async fn shown<R: Row>(row: R) -> [String; 2] {
        let table = Memory::default();
        table.write(Change::new(stored_list())).await.unwrap();
        let row = R::into_any(Change::new(row).written());
        let lists = Lists::read(&table, super::evidence(&row)).await.unwrap();
        let shown = || Shown::of(&row, &lists).unwrap();
        [shown().masked().text(), shown().text()]
    }

    fn has(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    fn has_not(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }

    #[tokio::test]
    async fn a_list_is_shown_with_its_key_and_all_its_elements_and_without_names() {
        let [masked, revealed] = shown(stored_list()).await;
        has(&masked, &["all 3 elements, by 538e with the access key public", r#""transaction_id": "2""#]);
        has_not(&masked, &["Alice", "Bob", "Carol"]);
        has(&revealed, &["Alice", "Bob", "Carol"]);
    }

    #[tokio::test]
    async fn a_payment_of_a_list_is_shown_with_its_own_element() {
        let order = CustomTransactionId::parse("o1").unwrap();
        let facts = odd(Some("u1")).facts(&evidence(1));
        let credited_label = Label::parse("u1").unwrap();
        let key = PaymentKey {
            wallet_type: WalletType::parse("paytm").unwrap(),
            transaction_id: TransactionId::parse("2").unwrap(),
        };
        let row = Payment::new(key, PaymentState::Credited { order, credited_label, facts });
        let [masked, revealed] = shown(row).await;
        has(&masked, &["element 1 (from 0) of 3, by 538e", r#""transaction_id": "2""#]);
        has_not(&masked, &["Alice", "Bob", "u1", r#""transaction_id": "1""#]);
        has(&revealed, &["Bob", "u1"]);
        has_not(&revealed, &["Alice"]);
    }

    #[tokio::test]
    async fn the_progress_of_a_list_is_shown_with_its_unsigned_fields_and_without_the_label() {
        let unsigned = Unsigned {
            wallet_type: None,
            amount: Some(Amount::parse("1400").unwrap()),
            currency_code: None,
            label: Some(Label::parse("user-1").unwrap()),
            direction: Some(Direction::Ingoing),
        };
        let hash = ListHash::from([7; 32]);
        let row = ListProgress::begin(None, (&hash, 3), &unsigned, Timestamp(7)).unwrap();
        let [masked, revealed] = shown(row.clone()).await;
        has(
            &masked,
            &["unfinished", "some of its 3 elements may not be stored", "1400", "ingoing", "signed list of 3"],
        );
        has_not(&masked, &["user-1"]);
        has(&revealed, &["user-1"]);
        let [done, _] = shown(row.end(&unsigned).unwrap()).await;
        has(&done, &["done", "all its 3 elements are stored"]);
    }

    #[tokio::test]
    async fn an_odd_payment_is_shown_with_what_is_readable_of_it() {
        let hash = ListHash::from([7; 32]);
        let reason = "`transaction_id` cannot be read";
        let [masked, revealed] =
            shown(Unreadable::new(hash.clone(), evidence(2), reason, Some(odd(Some("user-1"))))).await;
        has(&masked, &["`transaction_id` cannot be read; a payment of 700 INR by paytm, order o1", "***"]);
        has_not(&masked, &["user-1", "Carol"]);
        has(&revealed, &["user-1", "Carol"]);
        let [masked, _] = shown(Unreadable::new(hash, evidence(2), reason, None)).await;
        has_not(&masked, &["a payment of"]);
    }
}
