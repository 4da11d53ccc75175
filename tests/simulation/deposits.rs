//! The provider's side of deposits: users pay, it looks for the numbers they enter, and reports the money.

use domain::Amount;
use paykassma::Activation;

use super::provider::{Fact, Money, Subject, Written, report};
use super::world::World;

/// A user pays.
pub(super) fn pay(world: &World, number: &str, amount: &str, bound: Option<(String, String)>) {
    let bound = world.with(|state| {
        let bound = bound.or_else(|| state.provider.wishes.remove(number));
        let money =
            Money { amount: amount.into(), bound: bound.clone(), is_contradicted: false, is_acknowledged: false };
        state.provider.money.insert(number.into(), money);
        bound
    });
    world.note(|| format!("{amount} is paid as {number}, for {bound:?}"));
    if bound.is_some() {
        report_money(world, number.to_owned());
    }
}

/// It is asked to look for a number.
pub(super) fn activate(world: &World, id: &str, number: &str, amount: &str, label: &str) -> Activation {
    let is_used =
        world.with(|state| !state.provider.used_ids.insert(id.to_owned()) && state.provider.model.wants_unique_ids);
    if is_used {
        world.with(|state| state.reached.insert("a used id is rejected"));
        return Activation::Rejected("custom_transaction_id has been used".into());
    }
    let known = world.with(|state| {
        let money = state.provider.money.get(number);
        money.map(|money| money.bound.clone()).or_else(|| state.provider.wishes.get(number).cloned().map(Some))
    });
    let name = format!("{id} asks for {number}");
    match known {
        Some(Some((holder, _))) if holder != id => Activation::Rejected("used already".into()),
        Some(None) => {
            let bound = (id.to_owned(), label.to_owned());
            world.with(|state| {
                state.provider.money.entry(number.into()).and_modify(|it| it.bound = Some(bound));
            });
            report_money(world, number.to_owned());
            says(world, &name, amount)
        }
        None if world.chance.percent(&format!("{name}: fail"), 30) => Activation::Rejected("not found".into()),
        None => {
            let wish = (id.to_owned(), label.to_owned());
            world.with(|state| state.provider.wishes.insert(number.into(), wish));
            Activation::Pending("wait".into())
        }
        Some(Some(_)) => says(world, &name, amount),
    }
}

fn says(world: &World, name: &str, amount: &str) -> Activation {
    match world.chance.below(name, 3) {
        0 => Activation::Activated { deposit_amount: Amount::parse(amount).ok() },
        1 => Activation::Pending("wait".into()),
        _ => Activation::Possible("maybe".into()),
    }
}

/// Someone enters a number in the payment window, for an order of their own.
pub(super) fn enter_in_window(world: &World, number: &str, order: &str, label: &str) {
    let wish = (order.to_owned(), label.to_owned());
    let is_free = world.with(|state| match state.provider.money.get_mut(number) {
        None => {
            state.provider.wishes.entry(number.into()).or_insert(wish);
            false
        }
        Some(money) if money.bound.is_none() => {
            money.bound = Some(wish);
            true
        }
        Some(_) => false,
    });
    if is_free {
        report_money(world, number.to_owned());
    }
}

fn report_money(world: &World, number: String) {
    let wait = world.chance.below(&format!("{number} is reported"), 300_000) * world.chance.below(&number, 2);
    world.after(wait, move |world| {
        let Some((fact, name)) = world.with(|state| {
            let money = state.provider.money.get(&number)?;
            let (order, label) = money.bound.clone()?;
            let subject = Subject::Payment { number: number.clone(), order };
            let written = Written::AsItIs;
            Some((Fact { subject, amount: money.amount.clone(), label, written }, format!("{number} contradicted")))
        }) else {
            return;
        };
        report_respelled(world, &number, &fact);
        report(world, fact.clone());
        if world.happens(&name, 6) {
            contradict(world, &number, fact);
        }
    });
}

/// It reports the same payment in another spelling, or under another wallet, before or after the right one.
fn report_respelled(world: &World, number: &str, fact: &Fact) {
    const SPELLINGS: [Written; 4] = [Written::Longer, Written::Spaced, Written::Fraction, Written::OtherWallet];
    let name = format!("{number} respelled");
    if !world.happens(&name, 12) {
        return;
    }
    world.with(|state| state.reached.insert("a respelled payment"));
    let fact = Fact { written: world.chance.one_of(&name, &SPELLINGS), ..fact.clone() };
    let wait = world.chance.below(&format!("{name} at"), 600_000) * world.chance.below(&format!("{name} waits"), 2);
    world.after(wait, move |world| report(world, fact));
}

/// It says something else of the same payment.
fn contradict(world: &World, number: &str, mut fact: Fact) {
    world.with(|state| {
        state.reached.insert("a contradicted payment");
        state.provider.money.entry(number.into()).and_modify(|it| it.is_contradicted = true);
    });
    let name = format!("{number} contradiction");
    if world.chance.percent(&name, 50) {
        fact.amount = "1".into();
    } else if let Subject::Payment { order, .. } = &mut fact.subject {
        "order0".clone_into(order);
    }
    let wait = world.chance.below(&format!("{name} at"), 600_000);
    world.after(wait, move |world| report(world, fact));
}
