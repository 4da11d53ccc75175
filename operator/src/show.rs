//! `show`: what happened to a transaction, on what evidence, and why the rules decided so.

use clap::Args;
use domain::{
    Contradiction, DepositRow, Evidence, Resolution, SignedFacts, Timestamp, Withdrawal, WithdrawalRow, WithdrawalState,
};
use paykassma::signed_elements;
use serde::Serialize;
use serde_json::Value;
use store::AnyRow;

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::mask::mask;
use crate::output::Output;
use crate::postback::Lists;
use crate::{id, rows};

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A key of the table (deposit#.., payment#WALLET#NUMBER, withdrawal#.., unreadable#LIST#N), or a merchant's id alone
    pub(crate) id: String,

    /// Show people's names, accounts and labels, and the signed text
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// All that is known of a transaction.
#[derive(Serialize)]
struct Shown {
    id: String,
    state: &'static str,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention: Option<&'static str>,
    version: u64,
    history: Vec<Happened>,
    /// The signed elements that decided or contradict, as they were signed.
    evidence: Vec<Signed>,
    row: Value,
}

/// One thing that happened.
#[derive(Serialize)]
struct Happened {
    at_ms: Timestamp,
    what: String,
}

/// What the provider signed.
#[derive(Serialize)]
struct Signed {
    signature: String,
    element: usize,
    received_at_ms: Timestamp,
    said: Value,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Show) -> Result<Done, Failure> {
    let table = deployment.table()?;
    let row = id::find(&table, &arguments.id).await?;
    let lists = Lists::read(&table, evidence(&row)).await?;
    let mut shown = Shown::of(&row, &lists)?;
    if !arguments.reveal {
        mask(&mut shown.row);
        shown.evidence.iter_mut().for_each(|it| mask(&mut it.said));
    }
    output.line(&shown, || shown.text());
    Ok(Done::Well)
}

impl Shown {
    fn of(row: &AnyRow, lists: &Lists) -> Result<Self, Failure> {
        let mut history = history(row);
        history.sort_by_key(|it| it.at_ms);
        let json = row.serialize_row(serde_json::value::Serializer);
        Ok(Self {
            id: row.key(),
            state: row.state_name(),
            why: rows::why(row),
            attention: row.attention().map(|it| it.kind.as_str()),
            version: row.version(),
            history,
            evidence: evidence(row).into_iter().map(|it| Signed::of(lists, it)).collect(),
            row: json.map_err(|error| Failure::NoAnswer(error.to_string()))?,
        })
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("{}  {}  version {}", self.id, self.state, self.version)];
        lines.push(format!("  why        {}", self.why));
        lines.extend(self.attention.map(|kind| format!("  attention  {kind}")));
        lines.push("\nHistory".into());
        lines.extend(self.history.iter().map(|it| format!("  {}  {}", rows::time(it.at_ms), it.what)));
        for it in &self.evidence {
            lines.push(format!(
                "\nSigned, element {} of {}, received {}",
                it.element,
                it.signature,
                rows::time(it.received_at_ms)
            ));
            lines.push(pretty(&it.said));
        }
        lines.push("\nRow".into());
        lines.push(pretty(&self.row));
        lines.join("\n")
    }
}

fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

impl Signed {
    fn of(lists: &Lists, evidence: &Evidence) -> Self {
        Self {
            signature: lists.of(evidence).map(|list| list.signature.clone()).unwrap_or_default(),
            element: evidence.element,
            received_at_ms: evidence.received_at,
            said: element(lists, evidence).unwrap_or_default(),
        }
    }
}

/// The signed element that a row is about.
fn element(lists: &Lists, evidence: &Evidence) -> Option<Value> {
    let elements = signed_elements(&lists.of(evidence)?.additional_data);
    serde_json::from_str(elements.texts.get(evidence.element)?).ok()
}

fn evidence(row: &AnyRow) -> Vec<&Evidence> {
    let (facts, contradictions): (Option<&SignedFacts>, &[Contradiction]) = match row {
        AnyRow::Deposit(_)
        | AnyRow::EntryCount(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::ListProgress(_) => (None, &[]),
        AnyRow::Payment(it) => (it.row.facts(), &it.row.contradictions),
        AnyRow::Withdrawal(it) => match &it.row {
            WithdrawalRow::Registered(row) => (facts(row), &row.contradictions),
            WithdrawalRow::Foreign(row) => (Some(&row.facts), &row.contradictions),
        },
        AnyRow::Unreadable(it) => return vec![&it.row.evidence],
    };
    let against = contradictions.iter().filter_map(|it| it.facts.as_ref());
    facts.into_iter().chain(against).map(|it| &it.evidence).collect()
}

fn facts(row: &Withdrawal) -> Option<&SignedFacts> {
    match &row.state {
        WithdrawalState::Paid { facts } | WithdrawalState::Failed { facts } => facts.as_ref(),
        WithdrawalState::Sending
        | WithdrawalState::Waiting
        | WithdrawalState::Unknown
        | WithdrawalState::Submitted
        | WithdrawalState::Rejected { .. } => None,
    }
}

fn history(row: &AnyRow) -> Vec<Happened> {
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
        },
        AnyRow::Unreadable(it) => {
            let what = "a signed element that was not understood".into();
            let came = Happened { at_ms: it.row.evidence.received_at, what };
            std::iter::once(came).chain(resolved(&it.row.resolutions)).collect()
        }
        AnyRow::ListProgress(it) => {
            let what = format!("a signed list of {} elements came", it.row.elements);
            vec![Happened { at_ms: it.row.received_at, what }]
        }
        AnyRow::EntryCount(_) | AnyRow::CreditedNumber(_) | AnyRow::WaitingPage(_) | AnyRow::StoredList(_) => {
            Vec::new()
        }
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
        what: format!("{} decided: {}, because {} ({})", it.by, it.outcome.as_str(), it.reason, it.evidence),
    })
}
