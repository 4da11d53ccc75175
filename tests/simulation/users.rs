//! Merchants and their users: who asks for what, again, twice, wrongly, or for someone else's number.

use domain::{CustomTransactionId, DepositRow, WindowUrl, WithdrawalId, WithdrawalRow, WithdrawalState};
use serde_json::{Value, json};

use super::functions::{LIMIT_MS, activate, create_deposit, create_withdrawal};
use super::table::row;
use super::withdrawals;
use super::world::{Answer, Job, World};
use super::{activations, ceilings, deposits, many_payments, queue, reporter, restored, rules, wrong};

/// What a merchant asks for.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Deposit { id: String, label: String, amount: Option<u64> },
    Activation { id: String, number: String, amount: String },
    Withdrawal { id: String, label: String, amount: u64 },
}

impl Ask {
    fn job(&self, world: &World) -> Job {
        let raw = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        match self {
            Self::Deposit { id, label, amount } => {
                let label = wrong::asked_label(world, id, label);
                let mut body = json!({"custom_transaction_id": id, "label": label, "currency_code": "INR"});
                if let Some(amount) = amount {
                    body["amount"] = json!(amount);
                }
                if let Some(success_url) = success_url(world, id) {
                    body["window"] = json!({"success_url": success_url});
                }
                create_deposit(world, body.to_string())
            }
            Self::Activation { id, number, amount } => {
                let body = json!({"key1": number, "amount": raw(amount)});
                activate(world, id.clone(), body.to_string())
            }
            Self::Withdrawal { id, label, amount } => {
                let body = json!({"withdrawal_id": id, "label": label, "amount": amount, "currency_code": "INR",
                    "account_number": "1234560079"});
                create_withdrawal(world, body.to_string())
            }
        }
    }

    /// Holds an answer against the table.
    fn check(&self, world: &World, status: u16, body: &str, was_on_record: bool) {
        rules::shown(world, body);
        if body.contains("limit_reached") {
            return ceilings::refused(world, was_on_record, || format!("{self:?} was answered {status} {body}"));
        }
        let holds = match self {
            Self::Deposit { id, label, .. } if matches!(status, 200 | 201) => {
                let url = success_url(world, id);
                url.as_ref().is_none_or(|url| body.contains(&format!("&success_url={url}")))
                    && matches!(row(world, &CustomTransactionId::parse(&**id).unwrap()),
                        Some(DepositRow::Registered(it)) if it.order.label.as_str() == label
                            && it.order.window.success_url == url.and_then(|url| WindowUrl::parse(url).ok()))
            }
            Self::Activation { id, number, amount } if matches!(status, 200 | 202 | 409) => {
                activations::is_entered(world, id, number, amount)
            }
            Self::Withdrawal { id, amount, .. } if matches!(status, 200..=202 | 422) => {
                matches!(row(world, &WithdrawalId::parse(&**id).unwrap()),
                    Some(WithdrawalRow::Registered(it)) if it.request.amount.to_string() == amount.to_string()
                        && (status != 422 || matches!(it.state, WithdrawalState::Rejected { .. })))
            }
            _ => true,
        };
        rules::recorded(world, holds, || format!("{self:?} was answered {status} {body}"));
    }
}

/// The page to which some orders want their user back.
fn success_url(world: &World, order: &str) -> Option<String> {
    world.chance.percent(&format!("{order} has a page"), 30).then(|| format!("page-of-{order}"))
}

/// Asks, and asks again while there is no clear answer.
pub(super) fn ask(world: &World, name: String, asked: Ask, attempt: u64) {
    let (job, task) = (asked.job(world), format!("{name} try {attempt}"));
    world.with(|state| {
        if attempt == 1 && state.history.generation == 1 {
            state.history.asked.push((name.clone(), asked.clone()));
        }
    });
    if let Ask::Activation { id, number, .. } = &asked {
        activations::begins(world, task.clone(), id, number);
    }
    let was_on_record = ceilings::is_on_record(world, &asked);
    world.start(&task, LIMIT_MS, job, move |world, answer| match answer {
        Some(Answer::Reply(status, body)) if status < 500 => {
            if matches!(asked, Ask::Withdrawal { .. }) {
                restored::waits(world, || format!("{asked:?} was answered {status}"));
            }
            asked.check(world, status, &body, was_on_record);
        }
        _ if attempt < 6 => {
            let wait = world.chance.below(&format!("{name} waits {attempt}"), 40_000);
            world.after(wait, move |world| ask(world, name, asked, attempt + 1));
        }
        _ => world.note(|| format!("{name}: gives up")),
    });
}

/// Asks at a time, and perhaps twice.
pub(super) fn ask_at(world: &World, ms: u64, name: &str, asked: Ask) {
    if world.happens(&format!("{name} double"), 15) {
        let (twin, name) = (asked.clone(), format!("{name} twin"));
        let gap = world.chance.one_of(&name, &[0, 5, 300, 70_000]);
        world.after(ms + gap, move |world| ask(world, name, twin, 1));
    }
    let name = name.to_owned();
    world.after(ms, move |world| ask(world, name, asked, 1));
}

/// All that people mean to do in a run.
pub(super) fn plan(world: &World) {
    for number in 0..3 {
        if world.happens(&format!("deposit story {number}"), 60) {
            deposit_story(world, number);
        }
        if world.happens(&format!("withdrawal story {number}"), 60) {
            withdrawal_story(world, number);
        }
    }
    ceilings::plan(world);
    if world.happens("a flood of numbers", 10) {
        flood(world);
    }
    if world.happens("many payments", 8) {
        many_payments::plan(world);
    }
    for jump in 0..2 {
        let name = format!("clock jump {jump}");
        if world.happens(&name, 20) {
            let days = world.chance.one_of(&name, &[-2_i64, -1, 1, 2]);
            let at = world.chance.below(&format!("{name} at"), 300_000);
            world.after(at, move |world| {
                world.note(|| format!("the clock jumps by {days} days"));
                world.with(|state| state.skew_ms += days * 86_400_000);
            });
        }
    }
    for number in 0..2 {
        if world.happens(&format!("new messages {number}"), 30) {
            let at = world.chance.below(&format!("new messages {number} at"), 3_000_000);
            world.after(at, reporter::replace_messages);
        }
    }
    for redrive in 0..2 {
        let name = format!("redrive {redrive}");
        if world.happens(&name, 30) {
            world.after(world.chance.below(&format!("{name} at"), 3_000_000), queue::redrive);
        }
    }
}

const AMOUNTS: [&str; 4] = ["700", "700.10", "1234567890123456.78", "0.01"];

fn deposit_story(world: &World, number: u64) {
    let chance = world.chance;
    let name = format!("order{number}");
    let label = format!("person-{}", chance.below(&name, 2));
    let label = if world.happens(&format!("{name} has a label that changes"), 6) {
        chance.one_of(&format!("{name} label"), &[format!("{label} ").as_str(), "pe\u{301}rson"]).to_owned()
    } else {
        label
    };
    let at = chance.below(&format!("{name} at"), 200_000);
    let paid = chance.below(&format!("{name} paid"), 400_000);
    let money = format!("4775212351{number}");
    let amount = chance.one_of(&format!("{name} amount"), &AMOUNTS);
    let order = Ask::Deposit { id: name.clone(), label: label.clone(), amount: (number > 0).then_some(700) };
    if !world.happens(&format!("{name} is never registered"), 5) {
        ask_at(world, at, &format!("register {name}"), order);
    }
    if world.happens(&format!("{name} with other content"), 5) {
        let other = Ask::Deposit { id: name.clone(), label: "person-9".into(), amount: Some(1) };
        ask_at(world, at + 100, &format!("other {name}"), other);
    }
    let in_window = chance.percent(&format!("{name} in the window"), 40);
    let paid = if in_window && chance.percent(&format!("{name} paid first"), 60) { paid.min(at / 3) } else { paid };
    let edits = world.happens(&format!("{name} link edited"), 4);
    let bound = in_window.then(|| (name.clone(), if edits { "person-8".into() } else { label }));
    let payment = money.clone();
    world.after(paid, move |world| deposits::pay(world, &payment, amount, bound));
    if !in_window {
        enter_numbers(world, number, at, &money);
    }
    if world.happens(&format!("{name} squatted in the window"), 15) {
        let thief = format!("thief{number}");
        let order = Ask::Deposit { id: thief.clone(), label: "person-8".into(), amount: None };
        ask_at(world, at, &format!("register {thief}"), order);
        let entered = chance.below(&thief, 400_000);
        world.after(entered, move |world| deposits::enter_in_window(world, &money, &thief, "person-8"));
    }
}

/// A user of one label enters number after number.
fn flood(world: &World) {
    let order = Ask::Deposit { id: "flood".into(), label: "person-7".into(), amount: None };
    ask_at(world, 0, "register flood", order);
    for guess in 0..14 {
        let number = if guess < 3 { format!("4775212351{guess}") } else { format!("477521236{guess:02}") };
        let entered = Ask::Activation { id: "flood".into(), number, amount: "700".into() };
        let name = format!("guess {guess}");
        ask_at(world, 10_000 + world.chance.below(&name, 200_000), &name, entered);
    }
}

fn enter_numbers(world: &World, number: u64, at: u64, money: &str) {
    let name = format!("order{number}");
    let entered = |what: &str| at + world.chance.below(&format!("{name} {what}"), 300_000);
    let activation = |number: &str| {
        let amount = world.chance.one_of(&format!("{name} says"), &["700", "700.10"]).to_owned();
        Ask::Activation { id: name.clone(), number: number.to_owned(), amount }
    };
    if world.happens(&format!("{name} mistyped"), 20) {
        ask_at(world, entered("mistyped"), &format!("{name} mistypes"), activation("99999999999"));
    }
    if world.happens(&format!("{name} steals"), 25) {
        let other = format!("4775212351{}", (number + 1) % 3);
        ask_at(world, entered("steals"), &format!("{name} enters another's"), activation(&other));
    }
    let at = entered("enters");
    ask_at(world, at, &format!("{name} enters"), activation(money));
    if world.happens(&format!("{name} enters again"), 20) {
        ask_at(world, entered("again"), &format!("{name} enters once more"), activation(money));
    }
    for tap in 0..4 {
        let name = format!("{name} enters impatiently {tap}");
        if world.happens(&name, 12) {
            ask_at(world, at + world.chance.below(&format!("{name} at"), 8_000), &name, activation(money));
        }
    }
}

fn withdrawal_story(world: &World, number: u64) {
    let chance = world.chance;
    let id = format!("w{number}");
    let label = format!("person-{}", chance.below(&id, 2));
    let at = chance.below(&format!("{id} at"), 120_000);
    let amount = chance.one_of(&format!("{id} amount"), &[1_000, 2_000, 3_000]);
    if world.happens(&format!("{id} made by hand"), 4) {
        world.with(|state| state.provider.foreign.insert(id.clone()));
    }
    if world.happens(&format!("{id} beside one that is not ours"), 5) {
        withdrawals::report_foreign(world, number, at, &label);
    }
    ask_at(world, at, &format!("withdraw {id}"), Ask::Withdrawal { id: id.clone(), label: label.clone(), amount });
    if world.happens(&format!("{id} with other content"), 8) {
        let other = Ask::Withdrawal { id: id.clone(), label, amount: amount + 1 };
        ask_at(world, at + chance.below(&format!("{id} other"), 2_000), &format!("other {id}"), other);
    }
}
