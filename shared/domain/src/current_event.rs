//! The events that a row still says, for a receiver that has missed them.
//!
//! A row says its present state, its contradictions and its decisions. It does not say a state that another one has replaced: a
//! withdrawal that is paid was submitted before, and a payment that is credited may have been held.

use crate::{
    Credit, Credited, Deposit, DepositRow, Event, Payment, PaymentState, Timestamp, Unreadable, WithdrawalRow,
};

/// An event that a row still says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentEvent {
    /// The event, with the id that it always has.
    pub event: Event,
    /// When it happened, as far as the row says.
    pub at: Timestamp,
}

impl DepositRow {
    /// The numbers that the provider refused. What is credited, the rows of the payments say: an order's row remembers only the
    /// last credits.
    #[must_use]
    pub fn current_events(&self) -> Vec<CurrentEvent> {
        let Self::Registered(deposit) = self else { return Vec::new() };
        let failed = deposit.failures(None).map(|failed| {
            let attempt = deposit.attempt(&failed.key1);
            let at = attempt.map_or(deposit.created_at, |attempt| attempt.started_at);
            CurrentEvent { event: Event::DepositActivationFailed(failed), at }
        });
        failed.collect()
    }
}

impl Payment {
    /// What is held, credited, contradicted or decided. `order` is the order to which it is credited; without it, the event of the
    /// credit has its id, but not all of its facts, and its time may be too early: the payment may have waited for the order.
    ///
    /// That several users entered the number is left out: the row does not say when.
    #[must_use]
    pub fn current_events(&self, order: Option<&Deposit>) -> Vec<CurrentEvent> {
        let others = self.events(None).into_iter().filter_map(|event| event.at().map(|at| CurrentEvent { event, at }));
        self.current_credit(order).into_iter().chain(others).collect()
    }

    fn current_credit(&self, deposit: Option<&Deposit>) -> Option<CurrentEvent> {
        let PaymentState::Credited { order, credited_label, facts } = &self.state else { return None };
        let credit = Credit { payment: self.key.clone(), amount: facts.amount };
        let event = match deposit {
            Some(deposit) => {
                let known = deposit.numbered_credits().find(|(_, known)| known.payment == self.key);
                deposit.credited_event(credit, known.map(|(number, _)| number))
            }
            None => Credited {
                custom_transaction_id: order.clone(),
                label: credited_label.clone(),
                payment: credit.payment,
                amount: credit.amount,
                currency_code: facts.currency_code.clone(),
                requested_amount: None,
                amount_matches: None,
                payment_number: None,
                decided_by: None,
            },
        };
        let decided = self.resolutions.iter().filter(|it| it.credited_to.as_ref() == Some(order)).map(|it| it.at);
        let at = decided.chain(deposit.map(|it| it.created_at)).fold(facts.evidence.received_at, Ord::max);
        Some(CurrentEvent { event: Event::DepositCredited(event), at })
    }
}

impl WithdrawalRow {
    /// Its state, what contradicts it, and what people decided.
    #[must_use]
    pub fn current_events(&self) -> Vec<CurrentEvent> {
        let at = |event: &Event| match self {
            Self::Registered(row) if event.is_state() => row.state_since,
            Self::Registered(row) => event.at().unwrap_or(row.changed_at),
            Self::Foreign(row) => event.at().unwrap_or(row.facts.evidence.received_at),
            Self::Reserved(row) => row.reserved_at,
        };
        self.events(None).into_iter().map(|event| CurrentEvent { at: at(&event), event }).collect()
    }
}

impl Unreadable {
    /// That it was not understood, and what people decided.
    #[must_use]
    pub fn current_events(&self) -> Vec<CurrentEvent> {
        let at = |event: &Event| event.at().unwrap_or(self.evidence.received_at);
        self.events(None).into_iter().map(|event| CurrentEvent { at: at(&event), event }).collect()
    }
}
