//! Compares the state diagrams of docs/architecture.md with the changes of state that the domain makes.
//!
//! The real changes are found by exploration: start without any row, apply every operation with every input that matters,
//! and continue from every new row. Both directions are checked: no line may be missing, and none may be too many.

#![cfg(test)]

mod deposits;
mod withdrawals;

use std::collections::{BTreeSet, HashMap, VecDeque};

use domain::{
    Amount, Contradiction, CurrencyCode, Evidence, Label, ListPlace, Outcome, Remark, Resolution, SignedFacts,
    SignedList, Timestamp,
};
use serde::Serialize;

const DOCUMENT: &str = include_str!("../../../../docs/architecture.md");

/// What Mermaid calls the state before there is a row.
const NO_ROW: &str = "[*]";

/// Changes of state: from, to.
type Changes = BTreeSet<(String, String)>;

#[test]
fn the_diagrams_of_deposits_and_payments_show_every_change_and_no_other() {
    let changes = explore(deposits::Rows::default());
    compare("Payment states", &changes[0]);
    let of_either_order: Changes = changes[1..].iter().flatten().cloned().collect();
    compare("Deposit states", &of_either_order);
}

#[test]
fn the_diagram_of_withdrawals_shows_every_change_and_no_other() {
    compare("Withdrawal states", &explore(withdrawals::Rows::default())[0]);
}

fn compare(heading: &str, real: &Changes) {
    let drawn = diagram(heading);
    let missing: Vec<_> = real.difference(&drawn).collect();
    let wrong: Vec<_> = drawn.difference(real).collect();
    assert!(
        missing.is_empty(),
        "{heading}: the domain makes these changes, and the diagram does not show them: {missing:?}"
    );
    assert!(
        wrong.is_empty(),
        "{heading}: the diagram shows these changes, and the domain does not make them: {wrong:?}"
    );
}

/// The lines `from --> to: reason` of the diagram under this heading.
fn diagram(heading: &str) -> Changes {
    let (_, section) = DOCUMENT.split_once(&format!("\n### {heading}\n")).unwrap();
    let (_, block) = section.split_once("\n```mermaid\nstateDiagram-v2\n").unwrap();
    let (block, _) = block.split_once("\n```").unwrap();
    let mut changes = Changes::new();
    for line in block.lines() {
        let (from, to, reason) = change(line).unwrap_or_else(|| panic!("{heading}: cannot read the line {line:?}"));
        assert!(!reason.is_empty(), "{heading}: no reason in the line {line:?}");
        assert!(changes.insert((from.into(), to.into())), "{heading}: two lines from {from} to {to}");
    }
    changes
}

fn change(line: &str) -> Option<(&str, &str, &str)> {
    let (states, reason) = line.split_once(':')?;
    let (from, to) = states.split_once("-->")?;
    Some((from.trim(), to.trim(), reason.trim()))
}

/// What the exploration goes through: rows, and every operation on them.
trait World: Sized {
    /// Worlds with one key are one. A row's history is not in it, because it grows without end.
    fn key(&self) -> String;
    /// What every operation makes of it.
    fn next(&self) -> Vec<Self>;
    /// The states of its rows.
    fn states(&self) -> Vec<String>;
}

/// Visits every world that can be reached, breadth-first, and gives the changes of each of its rows.
fn explore<W: World>(start: W) -> Vec<Changes> {
    let mut changes = vec![Changes::new(); start.states().len()];
    let mut seen = HashMap::from([(start.key(), start.states())]);
    let mut open = VecDeque::from([start]);
    while let Some(world) = open.pop_front() {
        let before = world.states();
        for after in world.next() {
            let key = after.key();
            if !seen.contains_key(&key) {
                seen.insert(key.clone(), after.states());
                open.push_back(after);
            }
            let steps = before.iter().zip(&seen[&key]).zip(&mut changes);
            for ((before, after), changes) in steps.filter(|((before, after), _)| before != after) {
                changes.insert((before.clone(), after.clone()));
            }
        }
    }
    changes
}

fn state<R: Serialize>(row: Option<&R>) -> String {
    let Some(row) = row else { return NO_ROW.into() };
    serde_json::to_value(row).unwrap()["state"].as_str().unwrap().into()
}

/// All of a row's history that decides what can happen next: whether a contradiction is open, and whether a person has decided.
fn essence(contradictions: &[Contradiction], resolutions: &[Resolution]) -> (bool, bool) {
    let last = resolutions.last();
    (contradictions.len() > last.map_or(0, |last| last.closes), last.is_some())
}

fn facts(order: &str, amount: &str, currency: &str, label: Option<&str>) -> SignedFacts {
    let list = SignedList {
        additional_data: String::new(),
        signature: format!("{order} {amount} {currency}"),
        access_key: "key".into(),
    };
    let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(0) };
    SignedFacts {
        custom_transaction_id: order.into(),
        order_before_hyphen: None,
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse(currency).unwrap(),
        label: label.map(|label| Label::parse(label).unwrap()),
        evidence,
    }
}

fn resolution(outcome: Outcome) -> Resolution {
    let remark = Remark::parse("x").unwrap();
    let (by, reason, evidence) = (remark.clone(), remark.clone(), remark);
    Resolution::new(outcome, by, reason, evidence, Timestamp(0))
}
