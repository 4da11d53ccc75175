//! Signed lists that have rows of their own. Rows are sorted by the list that they are about, so that each list is read and
//! verified once, however many elements it has.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::iter::Peekable;
use std::sync::Arc;

use domain::{ListHash, ListProgress, Separator, SignedList, Timestamp, WithdrawalRow};
use futures_util::{StreamExt, stream};
use paykassma::{Unproved, VerifiedList};
use serde::{Deserialize, Serialize};
use store::{AnyRow, ListProgressId, Read, ReadAny, RowId, RowKey, StoredListId, read_any};

use super::batches::verify_all;
use super::quote::Quote;
use super::report::{Break, Rule};
use crate::failure::Failure;
use crate::postback::row_of;
use crate::verifier::Verifier;

/// What a row says about a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OfList {
    list: ListHash,
    said: Said,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Said {
    /// There is a row with the list.
    Stored,
    /// There is a row that says how far it is.
    Progress(Progress),
    /// An element says so.
    Quote(Quote),
}

/// How far a list is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Progress {
    elements: usize,
    /// When the first copy came.
    received_at: Option<Timestamp>,
    /// Since when it has not been done.
    unfinished_since: Option<Timestamp>,
}

impl From<&ListProgress> for Progress {
    fn from(row: &ListProgress) -> Self {
        Self {
            elements: row.elements,
            received_at: row.copies.iter().map(|copy| copy.received_at).min(),
            unfinished_since: row.attention().map(|it| it.at),
        }
    }
}

impl OfList {
    /// What the rows of the list itself say.
    pub(crate) fn of(row: &AnyRow) -> Option<Self> {
        match row {
            AnyRow::StoredList(it) => Some(Self { list: it.row.hash.clone(), said: Said::Stored }),
            AnyRow::ListProgress(it) => {
                Some(Self { list: it.row.hash.clone(), said: Said::Progress(Progress::from(&it.row)) })
            }
            AnyRow::Deposit(_)
            | AnyRow::Payment(_)
            | AnyRow::Withdrawal(_)
            | AnyRow::Unreadable(_)
            | AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::Proposal(_)
            | AnyRow::TableIdentity(_) => None,
        }
    }

    /// What another row quotes of the list.
    pub(crate) fn quote(list: ListHash, quote: Quote) -> Self {
        Self { list, said: Said::Quote(quote) }
    }
}

/// Most lists that are read at the same time, and most of what is said about them that is held in memory.
const LISTS: usize = 16;
const RECORDS: usize = 5_000;

/// A list that is unfinished for longer is reported. The alarm fires then, too.
const UNFINISHED_MS: u64 = 15 * 60 * 1_000;

/// Checks what is said about each list. Whatever is said about one list comes in one piece.
pub(crate) async fn check(
    table: &impl ReadAny,
    verifier: &impl Verifier,
    now: Timestamp,
    said: impl Iterator<Item = io::Result<OfList>>,
    mut report: impl FnMut(Break),
) -> Result<(), Failure> {
    let mut said = said.peekable();
    let mut current: Option<OneList> = None;
    while said.peek().is_some() {
        let part = part(&mut said)?;
        let hashes: BTreeSet<_> = part.iter().map(|it| it.list.clone()).collect();
        let lists = verified(table, verifier, hashes).await?;
        for OfList { list: hash, said } in part {
            let Some(list) = lists.get(&hash) else { continue };
            if let Some(last) = current.take_if(|it| it.hash != hash) {
                last.end(table, now, &mut report).await;
            }
            current.get_or_insert_with(|| OneList::new(hash, Arc::clone(list))).add(said, &mut report);
        }
    }
    if let Some(last) = current {
        last.end(table, now, &mut report).await;
    }
    Ok(())
}

/// The next that is said, about so many lists at most.
fn part(said: &mut Peekable<impl Iterator<Item = io::Result<OfList>>>) -> io::Result<Vec<OfList>> {
    let (mut part, mut lists) = (Vec::new(), BTreeSet::new());
    while part.len() < RECORDS {
        let fits = |it: &OfList| lists.len() < LISTS || lists.contains(&it.list);
        let Some(next) = said.next_if(|next| next.as_ref().is_ok_and(fits) || next.is_err()) else { break };
        let next = next?;
        lists.insert(next.list.clone());
        part.push(next);
    }
    Ok(part)
}

type Checked = Arc<Result<VerifiedList, Unproved>>;

/// Reads and verifies lists.
async fn verified(
    table: &impl Read<StoredListId>,
    verifier: &impl Verifier,
    hashes: BTreeSet<ListHash>,
) -> Result<BTreeMap<ListHash, Checked>, Failure> {
    let reads = stream::iter(hashes).map(async |hash| (read(table, &hash).await, hash));
    let (mut found, mut checked) = (Vec::new(), BTreeMap::new());
    for (list, hash) in reads.buffered(LISTS).collect::<Vec<_>>().await {
        match list {
            Ok(list) => found.push((hash, list)),
            Err(error) => drop(checked.insert(hash, Arc::new(Err(error)))),
        }
    }
    let (hashes, lists): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let verdicts = verify_all(verifier, &lists).await?;
    checked.extend(hashes.into_iter().zip(verdicts.into_iter().map(Arc::new)));
    Ok(checked)
}

async fn read(table: &impl Read<StoredListId>, hash: &ListHash) -> Result<SignedList, Unproved> {
    match table.read(&StoredListId(hash.clone())).await {
        Ok(Some(stored)) => Ok(stored.row.list),
        Ok(None) => Err(Unproved::no_list()),
        Err(error) => Err(Unproved::NoEvidence(error.to_string())),
    }
}

/// A list, while what is said about it comes.
struct OneList {
    hash: ListHash,
    list: Checked,
    is_stored: bool,
    progress: Option<Progress>,
    /// The elements about which a row says something.
    quoted: BTreeSet<usize>,
}

impl OneList {
    fn new(hash: ListHash, list: Checked) -> Self {
        Self { hash, list, is_stored: false, progress: None, quoted: BTreeSet::new() }
    }

    fn add(&mut self, said: Said, report: &mut impl FnMut(Break)) {
        match said {
            Said::Stored => {
                self.is_stored = true;
                self.stored().into_iter().for_each(report);
            }
            Said::Progress(progress) => {
                self.counted(&progress).into_iter().for_each(report);
                self.progress = Some(progress);
            }
            Said::Quote(quote) => {
                if self.list.as_ref().as_ref().is_ok_and(|list| quote.element < list.elements()) {
                    self.quoted.insert(quote.element);
                }
                quote.check(self.list.as_ref().as_ref().map_err(Clone::clone)).into_iter().for_each(report);
            }
        }
    }

    fn progress_key(&self) -> String {
        ListProgressId(self.hash.clone()).key()
    }

    /// What is wrong with the row that has the list.
    fn stored(&self) -> Option<Break> {
        let evidence = StoredListId(self.hash.clone()).key();
        match self.list.as_ref() {
            Ok(list) if *list.hash() == self.hash => None,
            Ok(_) => Some(Break::new(Rule::Evidence, evidence, "the list has another hash")),
            Err(error @ Unproved::NoKey) => Some(Break::new(Rule::Unverifiable, evidence, error.to_string())),
            Err(error) => Some(Break::new(Rule::Evidence, evidence, error.to_string())),
        }
    }

    /// What is wrong with the row that says how far the list is.
    fn counted(&self, progress: &Progress) -> Option<Break> {
        match self.list.as_ref() {
            Ok(list) if list.elements() != progress.elements => {
                let what = format!("it says {} elements, and the list has {}", progress.elements, list.elements());
                Some(Break::new(Rule::State, self.progress_key(), what))
            }
            Err(error @ Unproved::NoEvidence(_)) => {
                Some(Break::new(Rule::Evidence, self.progress_key(), error.to_string()))
            }
            Ok(_) | Err(Unproved::NoKey) => None,
        }
    }

    /// Reports what is missing. Rows are read again first, for they may have changed while the table was scanned.
    async fn end(self, table: &impl ReadAny, now: Timestamp, report: &mut impl FnMut(Break)) {
        let id = ListProgressId(self.hash.clone());
        let progress = match &self.progress {
            Some(progress) if progress.unfinished_since.is_none() => Some(progress.clone()),
            None if !self.is_stored => return,
            Some(_) | None => match table.read(&id).await {
                Ok(row) => row.map(|it| Progress::from(&it.row)),
                Err(error) => return report(Break::new(Rule::List, id.key(), error.to_string())),
            },
        };
        let Some(progress) = progress else {
            let what = format!("there is no {}: some of its elements may not be stored", id.key());
            return report(Break::new(Rule::List, StoredListId(self.hash).key(), what));
        };
        match progress.unfinished_since {
            Some(since) if now.0.saturating_sub(since.0) > UNFINISHED_MS => {
                report(Break::new(Rule::List, id.key(), "some of its elements may not be stored: replay it"));
            }
            Some(_) => {}
            None => self.check_elements(table, progress.received_at, report).await,
        }
    }

    /// Reports each element of a finished list that no row is about. If an element was known before the list came, its row quotes
    /// another list.
    async fn check_elements(
        &self,
        table: &impl ReadAny,
        received_at: Option<Timestamp>,
        report: &mut impl FnMut(Break),
    ) {
        let (Ok(list), Some(received_at)) = (self.list.as_ref(), received_at) else { return };
        let unquoted = (0..list.elements()).filter(|element| !self.quoted.contains(element));
        let rows = unquoted.filter_map(|element| {
            let read = list.element(element, received_at, Separator::Dot).ok()?;
            Some((element, row_of(&self.hash, &read)))
        });
        let missing = stream::iter(rows).map(async |(element, key)| Some((element, missing(table, &key).await?)));
        for (element, what) in missing.buffered(LISTS).filter_map(async |it| it).collect::<Vec<_>>().await {
            let what = format!("it is done, and of its element {element} {what}");
            report(Break::new(Rule::List, self.progress_key(), what));
        }
    }
}

/// What is wrong with the row of an element.
async fn missing(table: &impl ReadAny, key: &str) -> Option<String> {
    let there_is_none = || Some(format!("there is no {key}"));
    let Some(id) = RowId::parse(key) else { return there_is_none() };
    match read_any(table, &id).await {
        Ok(Some(row)) => (!has_report(&row)).then(|| format!("{key} says nothing")),
        Ok(None) => there_is_none(),
        Err(error) => Some(format!("{key} cannot be read: {error}")),
    }
}

/// Whether some signed element has changed the row.
fn has_report(row: &AnyRow) -> bool {
    match row {
        AnyRow::Payment(it) => it.row.facts().is_some(),
        AnyRow::Withdrawal(it) => match &it.row {
            WithdrawalRow::Registered(row) => row.is_final() || !row.contradictions.is_empty(),
            WithdrawalRow::Foreign(_) => true,
            WithdrawalRow::Reserved(_) => false,
        },
        AnyRow::Unreadable(_) => true,
        AnyRow::Deposit(_)
        | AnyRow::EntryCount(_)
        | AnyRow::ReservedSums(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::ListProgress(_)
        | AnyRow::Proposal(_)
        | AnyRow::TableIdentity(_) => false,
    }
}
