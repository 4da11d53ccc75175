//! The two sides of each transaction, compared by what they come to.

use std::io;

use domain::Timestamp;
use serde::Serialize;

use super::entry::{Entry, Here, Side, Standing, There};

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    Matched,
    MissingHere,
    MissingThere,
    AmountDiffers,
    StatusDiffers,
    ByHand,
    Duplicated,
}

impl Class {
    pub(crate) const ALL: [Self; 7] = [
        Self::Matched,
        Self::MissingHere,
        Self::MissingThere,
        Self::AmountDiffers,
        Self::StatusDiffers,
        Self::ByHand,
        Self::Duplicated,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::MissingHere => "missing_here",
            Self::MissingThere => "missing_there",
            Self::AmountDiffers => "amount_differs",
            Self::StatusDiffers => "status_differs",
            Self::ByHand => "by_hand",
            Self::Duplicated => "duplicated",
        }
    }
}

/// A transaction, compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding<'a> {
    pub(crate) class: Class,
    pub(crate) key: &'a str,
    pub(crate) here: Option<&'a Here>,
    pub(crate) there: Option<&'a There>,
    pub(crate) remark: &'static str,
}

/// When what is missing in the export counts: the export is of some days, the table of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

/// Compares the entries, which come in order, and reports each finding. Holds one transaction at a time.
pub(crate) fn compare<E: From<io::Error>>(
    entries: impl Iterator<Item = io::Result<Entry>>,
    period: Period,
    mut report: impl FnMut(Finding<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: Option<(String, Here)> = None;
    let mut compared = None;
    for entry in entries {
        let Entry { key, side } = entry?;
        if open.as_ref().is_some_and(|(it, _)| *it != key) {
            missing_there(open.take(), period, &mut report)?;
        }
        match side {
            Side::Here(here) => open = Some((key, here)),
            Side::There(there) => {
                let is_again = compared.as_ref() == Some(&key);
                let here = open.take().map(|(_, here)| here);
                let (class, remark) =
                    if is_again { (Class::Duplicated, AGAIN) } else { classify(&key, here.as_ref(), &there) };
                report(Finding { class, key: &key, here: here.as_ref(), there: Some(&there), remark })?;
                compared = Some(key);
            }
        }
    }
    missing_there(open, period, &mut report)
}

const AGAIN: &str = "the export has this id on an earlier line, which was compared";

fn missing_there<E>(
    open: Option<(String, Here)>,
    period: Period,
    report: &mut impl FnMut(Finding<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let Some((key, here)) = open.filter(|(_, here)| here.is_expected && period.has(here.at)) else { return Ok(()) };
    let remark = match here.standing {
        Standing::Success => "the provider's books do not have money that moved here",
        Standing::Fail => "the provider's books do not have what it reported as failed",
        Standing::Other => "not ended here; if the export is complete, the provider does not have it",
    };
    report(Finding { class: Class::MissingThere, key: &key, here: Some(&here), there: None, remark })
}

fn classify(key: &str, here: Option<&Here>, there: &There) -> (Class, &'static str) {
    let is_withdrawal = key.starts_with("withdrawal#");
    let Some(here) = here else {
        return match (is_withdrawal, there.standing) {
            (true, _) if there.by_hand => (Class::ByHand, "made in the back office, which sends no postback"),
            (true, _) => {
                (Class::MissingHere, "never made here; made by hand in the back office, if the export cannot report")
            }
            (false, Standing::Success) => {
                (Class::MissingHere, "no postback has come: ask the provider to send it again")
            }
            (false, Standing::Fail | Standing::Other) => (Class::Matched, "no money there, and none here"),
        };
    };
    if here.money != there.money {
        return (Class::AmountDiffers, "the amount or its currency is not the same");
    }
    match (here.standing, there.standing) {
        (here, there) if here == there => (Class::Matched, ""),
        (Standing::Success, Standing::Fail) => (Class::StatusDiffers, "money moved here, and not there"),
        (Standing::Fail, Standing::Success) => (Class::StatusDiffers, "money moved there, and not here"),
        (Standing::Other, _) if is_withdrawal => (Class::StatusDiffers, "ended there, and open here: resolve it"),
        (Standing::Other, _) => (Class::StatusDiffers, "ended there, and held here: resolve it"),
        (_, _) => (Class::StatusDiffers, "ended here, and not there"),
    }
}

impl Period {
    fn has(self, at: Timestamp) -> bool {
        self.since <= at && at < self.until
    }
}

#[cfg(test)]
mod tests {
    use domain::{Amount, CurrencyCode};
    use proptest::prelude::*;

    use super::super::entry::Money;
    use super::*;

    const ALWAYS: Period = Period { since: Timestamp(0), until: Timestamp(u64::MAX) };

    fn money(amount: &str) -> Money {
        Money { amount: Amount::parse(amount).unwrap(), currency_code: CurrencyCode::parse("INR").unwrap() }
    }

    fn here(amount: &str, standing: Standing) -> Here {
        Here { money: money(amount), standing, state: "a state".into(), at: Timestamp(5), is_expected: true }
    }

    fn there(line: u64, amount: &str, standing: Standing) -> There {
        There { line, money: money(amount), standing, by_hand: false }
    }

    fn compared(mut entries: Vec<Entry>, period: Period) -> Vec<(Class, String, Option<u64>)> {
        entries.sort();
        let mut found = Vec::new();
        compare(entries.into_iter().map(Ok), period, |it| {
            found.push((it.class, it.key.to_owned(), it.there.map(|there| there.line)));
            Ok::<_, io::Error>(())
        })
        .unwrap();
        found
    }

    fn pair(key: &str, ours: Option<Here>, theirs: &[There]) -> Vec<Entry> {
        let entry = |side| Entry { key: key.into(), side };
        ours.map(Side::Here).into_iter().chain(theirs.iter().cloned().map(Side::There)).map(entry).collect()
    }

    #[test]
    fn each_pair_has_its_class() {
        use Standing::{Fail, Other, Success};
        let (payment, withdrawal) = ("payment#paytm#1", "withdrawal#w1");
        let ours = |standing| Some(here("7", standing));
        let by_hand = There { by_hand: true, ..there(2, "7", Success) };
        for (key, ours, theirs, class) in [
            (payment, ours(Success), there(2, "7.00", Success), Class::Matched),
            (payment, ours(Success), there(2, "7.01", Success), Class::AmountDiffers),
            (payment, ours(Success), there(2, "7", Fail), Class::StatusDiffers),
            (payment, ours(Other), there(2, "7", Success), Class::StatusDiffers),
            (payment, None, there(2, "7", Success), Class::MissingHere),
            (payment, None, there(2, "7", Fail), Class::Matched),
            (withdrawal, ours(Fail), there(2, "7", Success), Class::StatusDiffers),
            (withdrawal, ours(Other), there(2, "7", Fail), Class::StatusDiffers),
            (withdrawal, ours(Other), there(2, "7", Other), Class::Matched),
            (withdrawal, ours(Success), there(2, "7", Other), Class::StatusDiffers),
            (withdrawal, None, there(2, "7", Fail), Class::MissingHere),
            (withdrawal, None, by_hand.clone(), Class::ByHand),
            (withdrawal, ours(Success), by_hand, Class::Matched),
        ] {
            let found = compared(pair(key, ours.clone(), std::slice::from_ref(&theirs)), ALWAYS);
            assert_eq!(found, [(class, key.to_owned(), Some(2))], "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn a_currency_is_part_of_the_amount() {
        let mut theirs = there(2, "7", Standing::Success);
        theirs.money.currency_code = CurrencyCode::parse("BDT").unwrap();
        let found = compared(pair("payment#paytm#1", Some(here("7", Standing::Success)), &[theirs]), ALWAYS);
        assert_eq!(found[0].0, Class::AmountDiffers);
    }

    #[test]
    fn what_the_export_lacks_counts_within_the_period_and_where_it_is_expected() {
        let row = here("7", Standing::Success);
        let of = |row: &Here, since, until| {
            let period = Period { since: Timestamp(since), until: Timestamp(until) };
            compared(pair("payment#paytm#1", Some(row.clone()), &[]), period).len()
        };
        assert_eq!((of(&row, 5, 6), of(&row, 0, 5), of(&row, 6, 9)), (1, 0, 0));
        assert_eq!(of(&Here { is_expected: false, ..row }, 5, 6), 0);
    }

    #[test]
    fn the_first_line_of_an_id_is_compared_and_each_further_one_reported() {
        let theirs =
            [there(9, "7", Standing::Success), there(2, "7", Standing::Success), there(4, "8", Standing::Fail)];
        let found = compared(pair("payment#paytm#1", Some(here("7", Standing::Success)), &theirs), ALWAYS);
        let classes: Vec<_> = found.iter().map(|(class, _, line)| (*class, line.unwrap())).collect();
        assert_eq!(classes, [(Class::Matched, 2), (Class::Duplicated, 4), (Class::Duplicated, 9)]);
    }

    proptest! {
        #[test]
        fn every_line_is_reported_once_and_every_row_without_one_too(sides in proptest::collection::vec((0_u8..6, any::<bool>()), 0..40)) {
            let mut entries = Vec::new();
            let mut rows = std::collections::BTreeSet::new();
            let mut keys_there = std::collections::BTreeSet::new();
            for (line, (key, is_here)) in (2..).zip(sides) {
                let key = format!("payment#paytm#{key}");
                if !is_here {
                    keys_there.insert(key.clone());
                    entries.push(Entry { key, side: Side::There(there(line, "7", Standing::Success)) });
                } else if rows.insert(key.clone()) {
                    entries.push(Entry { key, side: Side::Here(here("7", Standing::Success)) });
                }
            }
            let lines = entries.iter().filter(|it| matches!(it.side, Side::There(_))).count();
            let found = compared(entries, ALWAYS);
            let count = |class| found.iter().filter(|it| it.0 == class).count();
            prop_assert_eq!(found.iter().filter(|it| it.2.is_some()).count(), lines);
            prop_assert_eq!(count(Class::Matched), rows.intersection(&keys_there).count());
            prop_assert_eq!(count(Class::MissingThere), rows.difference(&keys_there).count());
            prop_assert_eq!(count(Class::MissingHere), keys_there.difference(&rows).count());
        }
    }
}
