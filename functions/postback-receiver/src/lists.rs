//! A postback whose list has a row of its own: it completes, however large it is, after a few deliveries at most.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use domain::{
    CustomTransactionId, DepositReport, ListHash, ListPlace, ListProgress, MAX_CREDITS, SignedList, StoredList,
    Timestamp, Unreadable, UnreadableId, Unsigned, WithdrawalId, WithdrawalRow,
};
use futures_util::future::join_all;
use lambda::Clock;
use paykassma::{Element, Postback};
use store::{Change, ListProgressId, MAX_TRIES, StoreError, Stored, Written, retry, update_from};

use crate::deposits::{Known, NewOrder};
use crate::{ApiError, Deps, Table, deposits, store_unreadable, withdrawals};

/// Orders whose elements are stored at the same time.
const LANES: usize = 16;
/// Payments of one order that are written in one transaction: the order's row remembers as many credits.
const TOGETHER: usize = MAX_CREDITS;

/// What must not happen at the same time: it changes one row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Order(CustomTransactionId),
    Withdrawal(WithdrawalId),
    Alone(usize),
}

impl Group {
    fn of(place: usize, element: &Element) -> Self {
        match element {
            Element::Deposit(report) => report.facts.order().map_or(Self::Alone(place), Self::Order),
            Element::Withdrawal(report) => Self::Withdrawal(report.withdrawal_id.clone()),
            Element::Unreadable { .. } => Self::Alone(place),
        }
    }
}

/// The rows of all elements, read at once.
#[derive(Default)]
struct ElementRows {
    known: BTreeMap<usize, Known>,
    withdrawals: BTreeMap<WithdrawalId, Stored<WithdrawalRow>>,
    /// Elements that were not understood, and have their rows.
    stored: BTreeSet<usize>,
}

impl ElementRows {
    /// A payment's report with its rows.
    fn report<'a>(&'a self, place: usize, element: &'a Element) -> Option<(&'a DepositReport, &'a Known)> {
        let Element::Deposit(report) = element else { return None };
        Some((report, self.known.get(&place)?))
    }
}

impl<S: Table, K: Sync, A: Clock> Deps<S, K, A> {
    /// Stores the list once, then its elements. Those that are decided already cost nothing but a part of a batch read.
    pub(crate) async fn store_list(
        &self,
        (list, hash): (SignedList, ListHash),
        postback: &Postback<'_>,
        received_at: Timestamp,
        may_start: impl Fn() -> bool + Sync,
    ) -> Result<(), ApiError> {
        let progress = self.begin(&hash, list, postback, received_at).await?;
        let place = ListPlace::Stored { list: hash.clone() };
        let elements: Vec<_> = postback.elements(&place, received_at, self.separator).collect();
        let rows = self.read_rows(&hash, &elements).await?;
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (place, element) in elements.into_iter().enumerate() {
            groups.entry(Group::of(place, &element)).or_default().push((place, element));
        }
        let groups = Mutex::new(groups.into_values());
        let lane = || async {
            let mut stored = Ok(());
            loop {
                let next = groups.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(group) = next else { return stored };
                stored = stored.and(self.store_group(&hash, group, &rows, &may_start).await);
            }
        };
        join_all(std::iter::repeat_with(lane).take(LANES)).await.into_iter().collect::<Result<(), _>>()?;
        self.end(progress, &postback.unsigned).await
    }

    /// Stores the list, and notes that this copy of it is unfinished: a provider that gives up leaves a trace.
    async fn begin(
        &self,
        hash: &ListHash,
        list: SignedList,
        postback: &Postback<'_>,
        received_at: Timestamp,
    ) -> Result<Option<Stored<ListProgress>>, StoreError> {
        let known = self.table.read(&ListProgressId(hash.clone())).await?;
        if known.is_none() {
            let list = StoredList { hash: hash.clone(), list };
            retry(&self.table, |_| async {
                let written = self.table.write(Change::new(list.clone())).await?;
                Ok::<_, StoreError>((written != Written::Conflict { current: None }).then_some(()))
            })
            .await?;
        }
        let decide = |current: Option<&ListProgress>| {
            let list = (hash, postback.list.texts.len());
            (ListProgress::begin(current, list, &postback.unsigned, received_at), ())
        };
        Ok(update_from(&self.table, known, decide).await?.current)
    }

    async fn end(&self, progress: Option<Stored<ListProgress>>, unsigned: &Unsigned) -> Result<(), ApiError> {
        let decide = |current: Option<&ListProgress>| (current.and_then(|it| it.end(unsigned)), ());
        update_from(&self.table, progress, decide).await?;
        Ok(())
    }

    async fn read_rows(&self, hash: &ListHash, elements: &[Element]) -> Result<ElementRows, StoreError> {
        let (mut payments, mut orders) = (BTreeSet::new(), BTreeSet::new());
        let (mut withdrawals, mut unreadable) = (BTreeSet::new(), BTreeSet::new());
        for (place, element) in elements.iter().enumerate() {
            match element {
                Element::Deposit(report) => {
                    payments.insert(report.payment.clone());
                    orders.extend(report.facts.order());
                }
                Element::Withdrawal(report) => drop(withdrawals.insert(report.withdrawal_id.clone())),
                Element::Unreadable { .. } => {
                    unreadable.insert(UnreadableId { list: hash.clone(), element: place });
                }
            }
        }
        let payments = self.table.read_many(&Vec::from_iter(payments)).await?;
        let orders = self.table.read_many(&Vec::from_iter(orders)).await?;
        let withdrawals = self.table.read_many(&Vec::from_iter(withdrawals)).await?;
        let unreadable = self.table.read_many(&Vec::from_iter(unreadable)).await?;
        let known = elements.iter().enumerate().filter_map(|(place, element)| {
            let Element::Deposit(report) = element else { return None };
            let order = report.facts.order().and_then(|id| orders.get(&id).cloned());
            Some((place, Known { payment: payments.get(&report.payment).cloned(), order, ..Known::default() }))
        });
        let stored = unreadable.into_keys().map(|id| id.element).collect();
        Ok(ElementRows { known: known.collect(), withdrawals, stored })
    }

    /// Stores elements that change one row, one after the other; payments of one order several at a time, as long as nobody else
    /// changes their rows. If one of them cannot be stored, the others are all the same.
    async fn store_group(
        &self,
        hash: &ListHash,
        group: Vec<(usize, Element)>,
        rows: &ElementRows,
        may_start: &(impl Fn() -> bool + Sync),
    ) -> Result<(), ApiError> {
        let mut stored = Ok(());
        let mut order: Option<NewOrder> = None;
        let (mut left, mut is_undisturbed) = (group.as_slice(), true);
        while let [(place, element), others @ ..] = left {
            if !may_start() {
                return Err(ApiError::Unfinished);
            }
            if is_undisturbed {
                let reports: Vec<_> =
                    left.iter().map_while(|(place, it)| rows.report(*place, it)).take(TOGETHER).collect();
                let current =
                    order.clone().unwrap_or_else(|| reports.first().and_then(|(_, known)| known.order.clone()));
                let written = match reports.as_slice() {
                    [] | [_] => Ok(None),
                    reports => deposits::write_decisions(&self.table, current, reports).await,
                };
                if let Ok(Some((done, row))) = written {
                    (left, order) = (left.get(done..).unwrap_or_default(), Some(row));
                    continue;
                }
                is_undisturbed = reports.len() < 2;
            }
            left = others;
            let known = rows.known.get(place).cloned().unwrap_or_default();
            let known = Known { order: order.take().unwrap_or_else(|| known.order.clone()), ..known };
            for tries in 0..MAX_TRIES {
                let written = match element {
                    Element::Deposit(report) if tries == 0 => {
                        deposits::store_known(&self.table, report, &known).await.map(Some)
                    }
                    Element::Deposit(report) => deposits::read_and_store(&self.table, report).await.map(Some),
                    Element::Withdrawal(report) => {
                        let current = rows.withdrawals.get(&report.withdrawal_id).filter(|_| tries == 0);
                        withdrawals::store_known(&self.table, report, current).await.map(|()| None)
                    }
                    Element::Unreadable { .. } if rows.stored.contains(place) => Ok(None),
                    Element::Unreadable { evidence, reason, payment } => {
                        let row = Unreadable::new(hash.clone(), evidence.clone(), *reason, payment.clone());
                        store_unreadable(&self.table, row).await.map(|()| None)
                    }
                };
                match written {
                    Ok(written) => {
                        order = written;
                        break;
                    }
                    // The table may be throttled: it is asked again, more slowly.
                    Err(StoreError::Transient(_) | StoreError::NoAnswer(_))
                        if tries.saturating_add(1) < MAX_TRIES && may_start() =>
                    {
                        self.table.back_off(tries).await;
                    }
                    Err(error) => {
                        stored = stored.and(Err(error.into()));
                        break;
                    }
                }
            }
        }
        stored
    }
}
