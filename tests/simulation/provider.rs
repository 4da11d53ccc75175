//! The provider: what it signs and how it sends it; and an attacker, who has seen it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::{Direction, ListHash};
use paykassma::{
    JsonObject, JsonToken, PostbackBody, UnsignedFields, WrittenAmount, WrittenMoney, deposit_element,
    withdrawal_element, write_list,
};
use secrecy::SecretString;
use signing::{PostbackKeys, Spelling, verify};

use super::functions::{LIMIT_MS, receive_postback};
use super::world::{Answer, World};
use super::{intruder, many_payments, restored, rules, wrong};

pub(super) const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";

/// How the provider treats ids, the balance and labels. Nobody has said which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub dedups: bool,
    pub balance_first: bool,
    /// An activation's id may be used once.
    pub wants_unique_ids: bool,
    pub labels: Labels,
}

/// What becomes of a label at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    AsSent,
    Trimmed,
    Normalised,
}

impl Labels {
    pub(super) const ALL: [Self; 3] = [Self::AsSent, Self::Trimmed, Self::Normalised];

    /// The label as a postback has it.
    fn reported(self, label: &str) -> String {
        match self {
            Self::AsSent => label.to_owned(),
            Self::Trimmed => label.trim().to_owned(),
            Self::Normalised => label.replace("e\u{301}", "é"),
        }
    }
}

impl Model {
    /// One that takes an activation's id again, and labels as they are.
    pub(super) const fn of(dedups: bool, balance_first: bool) -> Self {
        Self { dedups, balance_first, wants_unique_ids: false, labels: Labels::AsSent }
    }

    pub(super) const ALL: [Self; 4] =
        [Self::of(true, true), Self::of(true, false), Self::of(false, true), Self::of(false, false)];
}

/// What it says to a submission.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Accepted,
    Rejected(String),
}

/// What a signed element says, and the label that travels beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub subject: Subject,
    pub amount: String,
    pub label: String,
    pub written: Written,
}

/// How the provider writes a payment's number and wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    AsItIs,
    /// With a zero in front.
    Longer,
    /// With a space behind.
    Spaced,
    /// As a number with a fraction.
    Fraction,
    /// Under another wallet.
    OtherWallet,
}

impl Written {
    /// The spellings in which it is no number that we take.
    pub(super) fn is_odd(self) -> bool {
        matches!(self, Self::Spaced | Self::Fraction)
    }

    pub(super) fn number(self, number: &str) -> String {
        match self {
            Self::AsItIs | Self::OtherWallet => number.to_owned(),
            Self::Longer => format!("0{number}"),
            Self::Spaced => format!("{number} "),
            Self::Fraction => format!("{number}.0"),
        }
    }

    pub(super) fn wallet(self) -> &'static str {
        if self == Self::OtherWallet { "bkash" } else { "paytm" }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Payment { number: String, order: String },
    Withdrawal { id: String, status: i64 },
}

/// A withdrawal that it has accepted.
#[derive(Clone, Debug)]
pub(super) struct Withdrawal {
    pub id: String,
    pub amount: u64,
    pub accepted_ms: u64,
    /// The final status that it said first.
    pub said: Option<i64>,
    /// It says one thing and then another.
    pub is_contradicted: bool,
}

/// Money that a user has really paid.
#[derive(Clone, Debug)]
pub(super) struct Money {
    pub amount: String,
    /// Under which order it is reported, and to whom: the label as the order has it.
    pub bound: Option<(String, String)>,
    pub is_contradicted: bool,
    /// One genuine, unaltered report was answered ok.
    pub is_acknowledged: bool,
}

pub(super) struct Provider {
    pub model: Model,
    /// Whether it says what becomes of a withdrawal by itself.
    pub settles: bool,
    pub balance: u64,
    pub withdrawals: Vec<Withdrawal>,
    /// Ids that someone has used by hand in its back office.
    pub foreign: BTreeSet<String>,
    pub money: BTreeMap<String, Money>,
    /// Numbers that were entered before their money came.
    pub wishes: BTreeMap<String, (String, String)>,
    /// The ids under which it was asked to look for a number.
    pub used_ids: BTreeSet<String>,
    pub signed: BTreeMap<(String, usize), Fact>,
    /// The postbacks by the names of their lists.
    pub lists: BTreeMap<String, Arc<Postback>>,
    /// When each postback was sent first.
    pub sent: BTreeMap<String, u64>,
    outbox: BTreeMap<(String, bool, &'static str), Vec<Fact>>,
    postbacks: u64,
}

impl Provider {
    pub(super) fn new(model: Model) -> Self {
        Self {
            model,
            settles: true,
            balance: 5_000,
            withdrawals: Vec::new(),
            foreign: BTreeSet::new(),
            money: BTreeMap::new(),
            wishes: BTreeMap::new(),
            used_ids: BTreeSet::new(),
            signed: BTreeMap::new(),
            lists: BTreeMap::new(),
            sent: BTreeMap::new(),
            outbox: BTreeMap::new(),
            postbacks: 0,
        }
    }
}

/// The fields that the signature does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Top {
    pub label: String,
    pub amount: String,
    pub currency_code: &'static str,
    pub wallet_type: &'static str,
    pub direction: Direction,
}

#[derive(Debug)]
pub(super) struct Postback {
    pub name: String,
    pub facts: Vec<Fact>,
    pub list: String,
    pub signature: String,
    /// The name of the list, where it is stored by itself.
    pub hash: String,
    pub top: Top,
}

impl Postback {
    pub(super) fn body(&self, top: &Top) -> Vec<u8> {
        spelled(top, &self.list, &self.signature)
    }
}

pub(super) fn spelled(top: &Top, list: &str, signature: &str) -> Vec<u8> {
    let Top { label, amount, currency_code, wallet_type, direction } = top;
    let unsigned = UnsignedFields {
        wallet_type: Some((*wallet_type).to_owned()),
        amount: WrittenAmount::parse(amount),
        currency_code: Some((*currency_code).to_owned()),
        label: Some(label.clone()),
        direction: Some(*direction),
        ..UnsignedFields::default()
    };
    let body = PostbackBody::around(list, signature, ACCESS_KEY).unwrap();
    body.with_unsigned(&unsigned).to_string().into_bytes()
}

impl Fact {
    fn element(&self) -> JsonObject {
        let amount = WrittenAmount::parse(&self.amount).unwrap();
        let money = WrittenMoney { amount: &amount, currency_code: "INR", wallet_type: self.written.wallet() };
        let element = match &self.subject {
            Subject::Payment { number, order } => {
                let number = self.written.number(number);
                let element = deposit_element(&number, order, money);
                match self.written {
                    Written::Fraction => element.with("transaction_id", JsonToken::parse(&number).unwrap()),
                    _ => element,
                }
            }
            Subject::Withdrawal { id, status } => withdrawal_element(id, *status, money),
        };
        let account = format!("person-account of {}", self.label);
        element.with("comment", "a/b é").with("account_name", account.as_str())
    }
}

/// Signs with the key that the provider uses now.
pub(super) fn sign(world: &World, facts: &[Fact], spelling: Spelling) -> (String, String) {
    let elements: Vec<_> = facts.iter().map(Fact::element).collect();
    let list = write_list(&elements);
    let body = PostbackBody::sign(&list, spelling, ACCESS_KEY, &intruder::signing_key(world)).unwrap();
    (list, body.signature().to_owned())
}

/// The name of a signed list.
fn list_hash(private_key: &SecretString, top: &Top, list: &str, signature: &str) -> String {
    let keys = PostbackKeys::new(ACCESS_KEY, private_key);
    let body = spelled(top, list, signature);
    ListHash::from(verify(&body, &keys).unwrap().list_hash()).as_str().to_owned()
}

/// Reports a fact: at once, or with others of the same user in one postback.
pub(super) fn report(world: &World, mut fact: Fact) {
    fact.label = world.with(|state| state.provider.model.labels.reported(&fact.label));
    let key = (fact.label.clone(), matches!(fact.subject, Subject::Withdrawal { .. }), fact.written.wallet());
    let name = match fact.written {
        Written::AsItIs => format!("{:?}", fact.subject),
        written => format!("{:?} {written:?}", fact.subject),
    };
    let outbox = key.clone();
    world.with(|state| state.provider.outbox.entry(key).or_default().push(fact));
    let wait = if world.happens(&format!("several: {name}"), 20) { 200_000 } else { 0 };
    world.after(wait, move |world| post(world, &outbox));
}

/// Reports many facts of one user in one postback.
pub(super) fn report_all(world: &World, facts: Vec<Fact>) {
    let Some(Fact { label, .. }) = facts.first() else { return };
    let outbox = (label.clone(), false, "paytm");
    world.with(|state| state.provider.outbox.entry(outbox.clone()).or_default().extend(facts));
    post(world, &outbox);
}

fn post(world: &World, outbox: &(String, bool, &'static str)) {
    let Some(facts) = world.with(|state| state.provider.outbox.remove(outbox)) else { return };
    let number = world.with(|state| {
        state.provider.postbacks += 1;
        state.provider.postbacks
    });
    let name = format!("postback {number}");
    let spelling = world.chance.one_of(&name, &[Spelling::Flagged, Spelling::Default, Spelling::Raw]);
    let (list, signature) = sign(world, &facts, spelling);
    let top = Top {
        label: outbox.0.clone(),
        amount: facts[0].amount.clone(),
        currency_code: "INR",
        wallet_type: outbox.2,
        direction: if outbox.1 { Direction::Outgoing } else { Direction::Ingoing },
    };
    let hash = list_hash(&intruder::signing_key(world), &top, &list, &signature);
    world.with(|state| {
        for (element, fact) in facts.iter().enumerate() {
            for name in [&signature, &hash] {
                state.provider.signed.insert((name.clone(), element), fact.clone());
            }
        }
        if facts.len() > 1 {
            state.reached.insert("several elements");
        }
    });
    let postback = Arc::new(Postback { name, facts, list, signature, hash, top });
    world.with(|state| state.provider.lists.insert(postback.hash.clone(), Arc::clone(&postback)));
    let late = if world.happens(&format!("{} late", postback.name), 30) {
        world.chance.below(&postback.name, 600_000)
    } else {
        0
    };
    attack(world, &postback);
    let genuine = Arc::clone(&postback);
    world.after(late, move |world| deliver(world, &genuine, 1));
    for again in 0..2 {
        let name = format!("{} repeated {again}", postback.name);
        if world.happens(&name, 15) {
            let copy = Arc::clone(&postback);
            let at = world.chance.below(&format!("{name} at"), 900_000);
            world.after(at, move |world| {
                send(world, &name, copy.body(&copy.top), copy.top.clone(), &copy, |_, _| {});
            });
        }
    }
}

/// Sends it until it is answered ok. After one answer that is not ok the provider may give up, if the list is on record.
fn deliver(world: &World, postback: &Arc<Postback>, attempt: u64) {
    let name = format!("{} try {attempt}", postback.name);
    let again = Arc::clone(postback);
    world.with(|state| {
        let now_ms = state.now_ms;
        state.provider.sent.entry(postback.name.clone()).or_insert(now_ms);
    });
    send(world, &name, postback.body(&postback.top), postback.top.clone(), postback, move |world, is_ok| {
        if is_ok {
            return rules::delivered(world, &again);
        }
        if many_payments::is_given_up(world, &again) {
            return;
        }
        let wait = 5_000 * attempt * attempt;
        world.after(wait, move |world| deliver(world, &again, attempt + 1));
    });
}

/// All that it has ever sent, once more: a person has asked for it.
pub(super) fn send_all_again(world: &World) {
    let postbacks = world.with(|state| {
        let was_sent = |it: &&Arc<Postback>| state.provider.sent.contains_key(&it.name);
        state.provider.lists.values().filter(was_sent).cloned().collect::<Vec<_>>()
    });
    for postback in postbacks {
        let late = world.chance.below(&format!("{} after the restore", postback.name), 200_000);
        world.after(late, move |world| send_after_restore(world, &postback, 1));
    }
}

fn send_after_restore(world: &World, postback: &Arc<Postback>, attempt: u64) {
    let (name, again) = (format!("{} after the restore {attempt}", postback.name), Arc::clone(postback));
    send(world, &name, postback.body(&postback.top), postback.top.clone(), postback, move |world, is_ok| {
        if is_ok {
            return rules::delivered(world, &again);
        }
        world.after(20_000, move |world| send_after_restore(world, &again, attempt + 1));
    });
}

pub(super) fn send(
    world: &World,
    name: &str,
    body: Vec<u8>,
    top: Top,
    postback: &Arc<Postback>,
    end: impl FnOnce(&World, bool) + Send + 'static,
) {
    let body = wrong::postback(world, postback, &top, body);
    let postback = Arc::clone(postback);
    let job = wrong::receiver(world, &postback).unwrap_or_else(|| receive_postback(world, body));
    world.start(name, LIMIT_MS, job, move |world, answer| {
        let is_ok = match answer {
            Some(Answer::Reply(200, _)) => true,
            Some(_) => wrong::is_answered_ok_always(world),
            None => false,
        };
        if is_ok {
            restored::waits(world, || format!("{} was answered ok", postback.name));
            rules::acknowledged(world, &postback, &top);
        }
        end(world, is_ok);
    });
}

/// Someone who has seen a genuine postback sends it with other unsigned fields, or with another element.
fn attack(world: &World, postback: &Arc<Postback>) {
    for number in 0..3 {
        let name = format!("attack {number} on {}", postback.name);
        if !world.happens(&name, 18) {
            continue;
        }
        let at = world.chance.below(&format!("{name} at"), 900_000) * world.chance.below(&format!("{name} waits"), 2);
        let mut top = postback.top.clone();
        let postback = Arc::clone(postback);
        match world.chance.below(&format!("{name} how"), 8) {
            0..=2 => top.label = format!("thief-{number}"),
            3 => top.amount = "999999".into(),
            4 => top.currency_code = "USD",
            5 => top.wallet_type = "bkash",
            6 => {
                top.direction = match top.direction {
                    Direction::Ingoing => Direction::Outgoing,
                    Direction::Outgoing => Direction::Ingoing,
                }
            }
            _ => {
                world.after(at, move |world| forge(world, &name, &postback));
                continue;
            }
        }
        world.after(at, move |world| {
            send(world, &name, postback.body(&top), top, &postback, |_, _| {});
        });
    }
}

/// An element that the provider has not signed, under the signature of one that it has.
fn forge(world: &World, name: &str, postback: &Arc<Postback>) {
    let mut facts = postback.facts.clone();
    facts[0].amount = "88888".into();
    let (list, _) = sign(world, &facts, Spelling::Raw);
    let body = wrong::forged(world, spelled(&postback.top, &list, &postback.signature), &facts, postback);
    let job = receive_postback(world, body);
    world.start(name, LIMIT_MS, job, |world, answer| {
        world.with(|state| state.reached.insert("a forged postback"));
        if let Some(Answer::Reply(200, _)) = answer {
            rules::break_rule(world, "a forged postback is refused", "it was answered ok");
        }
    });
}
