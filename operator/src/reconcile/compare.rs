//! The two records of each transaction, compared.

use std::io;

use domain::Timestamp;
use serde::Serialize;

use super::entry::{Entry, OurRecord, ProviderRecord, Side};
use super::standing::Standing;

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    Matched,
    MissingHere,
    MissingThere,
    AmountDiffers,
    StatusDiffers,
    ByHand,
    Contradicting,
    Duplicated,
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::Matched,
        Self::MissingHere,
        Self::MissingThere,
        Self::AmountDiffers,
        Self::StatusDiffers,
        Self::ByHand,
        Self::Contradicting,
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
            Self::Contradicting => "contradicting",
            Self::Duplicated => "duplicated",
        }
    }
}

/// A transaction, compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding<'a> {
    pub(crate) class: Class,
    pub(crate) key: &'a str,
    pub(crate) ours: Option<&'a OurRecord>,
    pub(crate) theirs: Option<&'a ProviderRecord>,
    pub(crate) remark: &'static str,
}

impl Finding<'_> {
    /// The rule that the id of a line breaks, if the table does not have this id: then nobody can say which transaction is meant.
    pub(crate) fn odd_id(&self) -> Option<(u64, &str)> {
        let theirs = self.theirs.filter(|_| self.ours.is_none())?;
        Some((theirs.line, theirs.odd_id.as_deref()?))
    }
}

/// When what is missing in the export counts: the export is of some days, the table of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

/// A transaction, of which further lines may come.
struct Transaction {
    key: String,
    ours: Option<OurRecord>,
    /// The line that decides: if one says that the money moved, that one.
    deciding: Option<ProviderRecord>,
    /// The last line that says something else.
    last: Option<ProviderRecord>,
    is_contradicted: bool,
}

/// Compares the entries, which come in order, and reports each finding. Holds one transaction at a time, whatever lines it has.
pub(crate) fn compare<E: From<io::Error>>(
    entries: impl Iterator<Item = io::Result<Entry>>,
    period: Period,
    mut report: impl FnMut(Finding<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: Option<Transaction> = None;
    for entry in entries {
        let Entry { key, side } = entry?;
        let mut current = match open.take() {
            Some(current) if current.key == key => current,
            ended => {
                ended.map_or(Ok(()), |ended| ended.end(period, &mut report))?;
                Transaction { key, ours: None, deciding: None, last: None, is_contradicted: false }
            }
        };
        match side {
            Side::Ours(ours) => current.ours = Some(ours),
            Side::Providers(theirs) => current.add(theirs, &mut report)?,
        }
        open = Some(current);
    }
    open.map_or(Ok(()), |ended| ended.end(period, &mut report))
}

const AGAIN: &str = "another line says the same, and was compared";
const EARLIER: &str = "another line says how it ended, and was compared";
const CONTRADICTING: &str = "the lines with this id contradict each other: ask the provider which one is right";

impl Transaction {
    /// Reports each line but the one that decides, which is reported at the end, or with the first line that contradicts it.
    fn add<E>(
        &mut self,
        theirs: ProviderRecord,
        report: &mut impl FnMut(Finding<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { key, ours, deciding, last, is_contradicted } = self;
        let Some(deciding) = deciding else {
            *deciding = Some(theirs);
            return Ok(());
        };
        let mut line = |class, theirs: &ProviderRecord, remark| {
            report(Finding { class, key, ours: ours.as_ref(), theirs: Some(theirs), remark })
        };
        if last.as_ref().unwrap_or(deciding).is_same(&theirs) {
            return line(Class::Duplicated, &theirs, AGAIN);
        }
        if theirs.standing == Standing::Other && theirs.money == deciding.money {
            line(Class::Duplicated, &theirs, EARLIER)?;
        } else {
            if !*is_contradicted {
                line(Class::Contradicting, deciding, CONTRADICTING)?;
            }
            *is_contradicted = true;
            line(Class::Contradicting, &theirs, CONTRADICTING)?;
        }
        *last = Some(theirs);
        Ok(())
    }

    fn end<E>(self, period: Period, report: &mut impl FnMut(Finding<'_>) -> Result<(), E>) -> Result<(), E> {
        let Self { key, ours, deciding, .. } = self;
        match deciding {
            None => missing_there(ours.map(|ours| (key, ours)), period, report),
            Some(_) if self.is_contradicted => Ok(()),
            Some(theirs) => {
                let (class, remark) = classify(&key, ours.as_ref(), &theirs);
                report(Finding { class, key: &key, ours: ours.as_ref(), theirs: Some(&theirs), remark })
            }
        }
    }
}

fn missing_there<E>(
    open: Option<(String, OurRecord)>,
    period: Period,
    report: &mut impl FnMut(Finding<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let Some((key, ours)) = open.filter(|(_, ours)| ours.is_expected && period.has(ours.at)) else { return Ok(()) };
    let remark = match ours.standing {
        Standing::Success => "money moved in our records, and is missing in the provider's",
        Standing::Fail => "the provider's books do not have what it reported as failed",
        Standing::Other => "it has not ended in our records; if the export is complete, the provider does not have it",
    };
    report(Finding { class: Class::MissingThere, key: &key, ours: Some(&ours), theirs: None, remark })
}

fn classify(key: &str, ours: Option<&OurRecord>, theirs: &ProviderRecord) -> (Class, &'static str) {
    let is_withdrawal = key.starts_with("withdrawal#");
    let Some(ours) = ours else {
        return match (is_withdrawal, theirs.standing) {
            (true, _) if theirs.by_hand => (Class::ByHand, "made in the back office, which sends no postback"),
            (true, _) => (
                Class::MissingHere,
                "not made by the stack; it may be by hand in the back office, if the export does not say who made it",
            ),
            (false, Standing::Success) => {
                (Class::MissingHere, "no postback has come: ask the provider to send it again")
            }
            (false, Standing::Fail | Standing::Other) => (Class::Matched, "no money in either record"),
        };
    };
    if ours.money != theirs.money {
        return (Class::AmountDiffers, "the amount or its currency is not the same");
    }
    match (ours.standing, theirs.standing) {
        (ours, theirs) if ours == theirs => (Class::Matched, ""),
        (Standing::Success, Standing::Fail) => {
            (Class::StatusDiffers, "money moved in our records, and not in the provider's")
        }
        (Standing::Fail, Standing::Success) => {
            (Class::StatusDiffers, "money moved in the provider's records, and not in ours")
        }
        (Standing::Other, _) if is_withdrawal => {
            (Class::StatusDiffers, "ended in the provider's records, and open in ours: resolve it")
        }
        (Standing::Other, _) => (Class::StatusDiffers, "ended in the provider's records, and held in ours: resolve it"),
        (_, _) => (Class::StatusDiffers, "ended in our records, and not in the provider's"),
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

    fn ours(amount: &str, standing: Standing) -> OurRecord {
        OurRecord { money: money(amount), standing, state: "a state".into(), at: Timestamp(5), is_expected: true }
    }

    fn theirs(line: u64, amount: &str, standing: Standing) -> ProviderRecord {
        ProviderRecord { standing, money: money(amount), by_hand: false, line, odd_id: None }
    }

    fn compared(mut entries: Vec<Entry>, period: Period) -> Vec<(Class, String, Option<u64>)> {
        entries.sort();
        let mut found = Vec::new();
        compare(entries.into_iter().map(Ok), period, |it| {
            found.push((it.class, it.key.to_owned(), it.theirs.map(|theirs| theirs.line)));
            Ok::<_, io::Error>(())
        })
        .unwrap();
        found
    }

    fn pair(key: &str, ours: Option<OurRecord>, theirs: &[ProviderRecord]) -> Vec<Entry> {
        let entry = |side| Entry { key: key.into(), side };
        ours.map(Side::Ours).into_iter().chain(theirs.iter().cloned().map(Side::Providers)).map(entry).collect()
    }

    #[test]
    fn each_pair_has_its_class() {
        use Standing::{Fail, Other, Success};
        let (payment, withdrawal) = ("payment#paytm#1", "withdrawal#w1");
        let ours = |standing| Some(ours("7", standing));
        let by_hand = ProviderRecord { by_hand: true, ..theirs(2, "7", Success) };
        for (key, ours, theirs, class) in [
            (payment, ours(Success), theirs(2, "7.00", Success), Class::Matched),
            (payment, ours(Success), theirs(2, "7.01", Success), Class::AmountDiffers),
            (payment, ours(Success), theirs(2, "7", Fail), Class::StatusDiffers),
            (payment, ours(Other), theirs(2, "7", Success), Class::StatusDiffers),
            (payment, None, theirs(2, "7", Success), Class::MissingHere),
            (payment, None, theirs(2, "7", Fail), Class::Matched),
            (withdrawal, ours(Fail), theirs(2, "7", Success), Class::StatusDiffers),
            (withdrawal, ours(Other), theirs(2, "7", Fail), Class::StatusDiffers),
            (withdrawal, ours(Other), theirs(2, "7", Other), Class::Matched),
            (withdrawal, ours(Success), theirs(2, "7", Other), Class::StatusDiffers),
            (withdrawal, None, theirs(2, "7", Fail), Class::MissingHere),
            (withdrawal, None, by_hand.clone(), Class::ByHand),
            (withdrawal, ours(Success), by_hand, Class::Matched),
        ] {
            let found = compared(pair(key, ours.clone(), std::slice::from_ref(&theirs)), ALWAYS);
            assert_eq!(found, [(class, key.to_owned(), Some(2))], "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn a_currency_is_part_of_the_amount() {
        let mut theirs = theirs(2, "7", Standing::Success);
        theirs.money.currency_code = CurrencyCode::parse("BDT").unwrap();
        let found = compared(pair("payment#paytm#1", Some(ours("7", Standing::Success)), &[theirs]), ALWAYS);
        assert_eq!(found[0].0, Class::AmountDiffers);
    }

    #[test]
    fn what_the_export_lacks_counts_within_the_period_and_where_it_is_expected() {
        let row = ours("7", Standing::Success);
        let of = |row: &OurRecord, since, until| {
            let period = Period { since: Timestamp(since), until: Timestamp(until) };
            compared(pair("payment#paytm#1", Some(row.clone()), &[]), period).len()
        };
        assert_eq!((of(&row, 5, 6), of(&row, 0, 5), of(&row, 6, 9)), (1, 0, 0));
        assert_eq!(of(&OurRecord { is_expected: false, ..row }, 5, 6), 0);
    }

    /// The class of each line of a payment.
    fn classes(ours: Option<OurRecord>, lines: &[ProviderRecord]) -> Vec<(u64, Class)> {
        let found = compared(pair("payment#paytm#1", ours, lines), ALWAYS);
        let mut classes: Vec<_> = found.iter().map(|(class, _, line)| (line.unwrap(), *class)).collect();
        classes.sort_unstable();
        classes
    }

    #[test]
    fn the_line_that_says_that_money_moved_decides() {
        use Class::{Duplicated, Matched, MissingHere, StatusDiffers};
        use Standing::{Fail, Other, Success};
        let pending = [theirs(2, "7", Other), theirs(5, "7.0", Success), theirs(9, "7", Other)];
        assert_eq!(classes(None, &pending), [(2, Duplicated), (5, MissingHere), (9, Duplicated)]);
        assert_eq!(classes(Some(ours("7", Success)), &pending), [(2, Duplicated), (5, Matched), (9, Duplicated)]);
        assert_eq!(classes(Some(ours("7", Success)), &pending[..1]), [(2, StatusDiffers)]);
        let failed = [theirs(2, "7", Other), theirs(5, "7", Fail)];
        assert_eq!(classes(Some(ours("7", Success)), &failed), [(2, Duplicated), (5, StatusDiffers)]);
    }

    #[test]
    fn equal_lines_count_once() {
        let lines = [
            theirs(9, "7", Standing::Success),
            theirs(2, "7", Standing::Success),
            theirs(4, "7.00", Standing::Success),
        ];
        assert_eq!(
            classes(Some(ours("7", Standing::Success)), &lines),
            [(2, Class::Matched), (4, Class::Duplicated), (9, Class::Duplicated)]
        );
    }

    #[test]
    fn lines_that_contradict_each_other_are_not_compared() {
        use Class::{Contradicting, Duplicated};
        use Standing::{Fail, Other, Success};
        let mut other_currency = theirs(3, "7", Success);
        other_currency.money.currency_code = CurrencyCode::parse("BDT").unwrap();
        for contradicting in [theirs(3, "7", Fail), theirs(3, "8", Success), theirs(3, "8", Other), other_currency] {
            for ours in [None, Some(ours("7", Success))] {
                let lines = [theirs(2, "7", Success), contradicting.clone(), theirs(4, "7", Success)];
                let expected = [(2, Contradicting), (3, Contradicting), (4, Duplicated)];
                assert_eq!(classes(ours, &lines), expected, "{contradicting:?}");
            }
        }
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
                    entries.push(Entry { key, side: Side::Providers(theirs(line, "7", Standing::Success)) });
                } else if rows.insert(key.clone()) {
                    entries.push(Entry { key, side: Side::Ours(ours("7", Standing::Success)) });
                }
            }
            let lines = entries.iter().filter(|it| matches!(it.side, Side::Providers(_))).count();
            let found = compared(entries, ALWAYS);
            let count = |class| found.iter().filter(|it| it.0 == class).count();
            prop_assert_eq!(found.iter().filter(|it| it.2.is_some()).count(), lines);
            prop_assert_eq!(count(Class::Matched), rows.intersection(&keys_there).count());
            prop_assert_eq!(count(Class::MissingThere), rows.difference(&keys_there).count());
            prop_assert_eq!(count(Class::MissingHere), keys_there.difference(&rows).count());
        }
    }
}
