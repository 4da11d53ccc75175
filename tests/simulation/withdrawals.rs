//! The provider's side of withdrawals: it accepts, refuses, pays or fails, and says so.

use domain::{Submission, WithdrawalRow, WithdrawalState};
use serde_json::Value;

use super::provider::{Fact, Said, Subject, Withdrawal, Written, report};
use super::restored;
use super::rules::{break_rule, check};
use super::table::row;
use super::world::World;

/// What became of one send, as far as our side can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    /// No answer yet; for ever, if the function died.
    InFlight,
    NotSent,
    Rejected,
    Accepted,
    Unknown,
}

impl Send {
    pub(super) fn may_have_arrived(self) -> bool {
        matches!(self, Self::InFlight | Self::Unknown | Self::Accepted)
    }
}

/// A send that has begun.
pub(super) struct Sending {
    id: String,
    index: usize,
}

/// A send begins: it must be journalled, with these very bytes.
pub(super) fn begin(world: &World, body: &str) -> Sending {
    let asked: Value = serde_json::from_str(body).unwrap();
    let id = asked["withdrawal_id"].as_str().unwrap().to_owned();
    let sends = world.with(|state| state.rules.sends.get(&id).map_or(0, Vec::len));
    let current = row(world, &domain::WithdrawalId::parse(&*id).unwrap());
    let is_journalled = current.as_ref().is_some_and(|row| match row {
        WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_) => false,
        WithdrawalRow::Registered(journal) => {
            let is_idle = matches!(journal.state, WithdrawalState::Waiting | WithdrawalState::Rejected { .. });
            journal.body == body && !is_idle && journal.attempts.len() > sends
        }
    });
    if !is_journalled {
        break_rule(world, "what is sent is journalled", &format!("send {} of {id}: {current:?}", sends + 1));
    }
    restored::waits(world, || format!("{id} is sent"));
    let was_sent = world.with(|state| {
        let known = state.rules.sends.get(&id).map_or(0, Vec::len);
        let lost = state.history.sends.get(&id).into_iter().flatten().skip(known);
        !state.settings.resend_unknown && lost.into_iter().any(|(_, send)| send.may_have_arrived())
    });
    check(world, restored::SENT_AGAIN, !was_sent, || id.clone());
    world.with(|state| {
        let sends = state.rules.sends.entry(id.clone()).or_default();
        sends.push((body.to_owned(), Send::InFlight));
        let (count, is_same) = (sends.len(), sends.iter().all(|(sent, _)| sent == body));
        if !is_same {
            state.rules.break_rule("one id never goes out with two bodies", &id);
        }
        Sending { id, index: count - 1 }
    })
}

impl Sending {
    pub(super) fn came_to(&self, world: &World, submission: &Submission) {
        let send = match submission {
            Submission::Accepted => Send::Accepted,
            Submission::Rejected(_) => Send::Rejected,
            Submission::NotSent(_) => Send::NotSent,
            Submission::Unknown(_) => Send::Unknown,
        };
        world.with(|state| {
            state.reached.insert(match send {
                Send::Accepted => "accepted",
                Send::Rejected => "answered fail",
                Send::NotSent => "not sent",
                Send::Unknown | Send::InFlight => "unknown",
            });
            if let Some(it) = state.rules.sends.get_mut(&self.id).and_then(|it| it.get_mut(self.index)) {
                it.1 = send;
            }
        });
    }
}

/// The provider has got a request.
pub(super) fn submit(world: &World, body: &str) -> Said {
    let asked: Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| asked[name].as_str().unwrap().to_owned();
    let (id, label, amount) = (text("withdrawal_id"), text("label"), asked["amount"].as_u64().unwrap());
    let (refusal, count) = world.with(|state| {
        let provider = &state.provider;
        let count = provider.withdrawals.iter().filter(|it| it.id == id).count();
        let is_known = provider.model.dedups && (count > 0 || provider.foreign.contains(&id));
        let duplicate = is_known.then(|| "duplicate".to_owned());
        let poor = (provider.balance < amount).then(|| "withdrawals_sum_amount: Insufficient balance".to_owned());
        let refusal = if provider.model.balance_first { poor.or(duplicate) } else { duplicate.or(poor) };
        (refusal, count)
    });
    if let Some(message) = refusal {
        world.note(|| format!("the provider refuses {id}: {message}"));
        return Said::Rejected(message);
    }
    world.note(|| format!("the provider accepts {id}"));
    let index = world.with(|state| {
        state.provider.balance -= amount;
        state.provider.withdrawals.push(Withdrawal {
            id: id.clone(),
            amount,
            accepted_ms: state.now_ms,
            said: None,
            is_contradicted: false,
        });
        state.provider.withdrawals.len() - 1
    });
    let name = format!("withdrawal {id}.{count}");
    let wait =
        world.chance.below(&format!("{name} ends"), 600_000) * world.chance.below(&format!("{name} waits"), 4).min(1);
    if world.with(|state| state.provider.settles) {
        world.after(wait, move |world| end_withdrawal(world, index, label, &name));
    }
    if world.happens(&format!("{id} refused and accepted"), 2) {
        world.with(|state| {
            state.provider.withdrawals[index].is_contradicted = true;
            state.reached.insert("answered fail and accepted");
        });
        return Said::Rejected("a mistake".into());
    }
    Said::Accepted
}

fn end_withdrawal(world: &World, index: usize, label: String, name: &str) {
    let status = if world.chance.percent(&format!("{name} fails"), 30) { 5 } else { 1 };
    let is_contradicted = world.happens(&format!("{name} contradicted"), 3);
    let fact = world.with(|state| {
        let withdrawal = &mut state.provider.withdrawals[index];
        withdrawal.said = Some(status);
        withdrawal.is_contradicted |= is_contradicted;
        let (id, amount) = (withdrawal.id.clone(), withdrawal.amount);
        if status == 5 {
            state.provider.balance += amount;
        }
        Fact {
            subject: Subject::Withdrawal { id, status },
            amount: amount.to_string(),
            label,
            written: Written::AsItIs,
        }
    });
    let said = |status: i64| {
        let mut fact = fact.clone();
        if let Subject::Withdrawal { status: it, .. } = &mut fact.subject {
            *it = status;
        }
        fact
    };
    if world.happens(&format!("{name} undocumented"), 10) {
        report(world, said(3));
    }
    let later = |what: &str| world.chance.below(&format!("{name} {what}"), 300_000);
    if is_contradicted {
        let other = said(6 - status);
        world.after(later("contradiction"), move |world| report(world, other));
    }
    if !world.happens(&format!("{name} misstated"), 4) {
        return report(world, fact);
    }
    let other = Fact { amount: "77".into(), ..fact.clone() };
    world.after(later("misstatement"), move |world| report(world, other));
    world.after(later("truth"), move |world| report(world, fact));
}

/// Somebody has paid out by hand, under an id that is not ours: the provider reports it as it does all others, once or more.
pub(super) fn report_foreign(world: &World, number: u64, at: u64, label: &str) {
    let id = format!("by-hand-{number}");
    for word in 0..world.chance.between(&format!("{id} words"), 1, 3) {
        let of = |what: &str| format!("{id} {what} {word}");
        let status = world.chance.one_of(&of("status"), &[1, 3, 5]);
        let amount = world.chance.one_of(&of("amount"), &["1000", "1000", "77"]).to_owned();
        let fact = Fact {
            subject: Subject::Withdrawal { id: id.clone(), status },
            amount,
            label: label.to_owned(),
            written: Written::AsItIs,
        };
        world.after(at + world.chance.below(&of("said"), 300_000), move |world| report(world, fact));
    }
}
