//! An intruder, who can write to the table past all rules: forged credits, forged ends of withdrawals, genuine evidence in a wrong
//! place. And the rotation of the key by which genuine evidence is known.

use domain::{
    AccountNumber, Amount, Credit, CurrencyCode, CustomTransactionId, Deposit, DepositRow, DepositState, Evidence,
    Label, ListHash, ListPlace, Order, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, SignedFacts,
    SignedList, StoredList, Timestamp, TransactionId, WalletType, Window, Withdrawal, WithdrawalId, WithdrawalRequest,
    WithdrawalRow, WithdrawalState,
};
use secrecy::SecretString;
use signing::Spelling;
use store::{Change, Read, Row, RowKey, Write};

use super::functions::{NEXT_PRIVATE_KEY, PRIVATE_KEY};
use super::provider::{ACCESS_KEY, Fact, Subject, Written, sign};
use super::random::Chance;
use super::rules::check;
use super::stream;
use super::table::now;
use super::world::World;
use super::wrong::Wrong;

pub(super) const FORGED: &str = "nothing is published as money that does not verify";
const STAYS: &str = "what does not verify is set aside and stays there";

/// How an intruder's rows are forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgery {
    /// A credit with a signature that nobody made.
    Invented,
    /// A credit with what was signed of another number.
    OtherNumber,
    /// A credit of another amount than was signed.
    OtherAmount,
    /// A credit to another order than was signed.
    OtherOrder,
    /// A credit with what was signed of a withdrawal.
    OtherSubject,
    /// A credit with a list of its own, whose signature nobody made.
    InventedList,
    /// A credit with a genuine list under the hash of another.
    OtherList,
    /// A credit in the order's row alone.
    NoPayment,
    /// The end of a withdrawal with a signature that nobody made.
    InventedEnd,
    /// The end of a withdrawal with what was signed of another one.
    OtherWithdrawal,
    /// The end of a withdrawal of another amount than was signed.
    OtherWithdrawalAmount,
    /// The end of a withdrawal with what was signed of its opposite.
    OtherEnd,
    /// The end of a withdrawal without anything signed, and without a person's decision.
    NoFacts,
}

impl Forgery {
    const ALL: [Self; 13] = [
        Self::Invented,
        Self::OtherNumber,
        Self::OtherAmount,
        Self::OtherOrder,
        Self::OtherSubject,
        Self::InventedList,
        Self::OtherList,
        Self::NoPayment,
        Self::InventedEnd,
        Self::OtherWithdrawal,
        Self::OtherWithdrawalAmount,
        Self::OtherEnd,
        Self::NoFacts,
    ];

    fn is_of_withdrawal(self) -> bool {
        matches!(
            self,
            Self::InventedEnd | Self::OtherWithdrawal | Self::OtherWithdrawalAmount | Self::OtherEnd | Self::NoFacts
        )
    }
}

/// When the provider's private key is rotated: in our secret, and at the provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotation {
    ours_ms: u64,
    providers_ms: u64,
}

/// So long a warm function knows the old keys.
const CACHED_MS: u64 = 300_000;

impl Rotation {
    /// What a seed makes of it.
    pub(super) fn of(chance: Chance) -> Option<Self> {
        let ours_ms = 60_000 + chance.below("rotated at", 600_000);
        let providers_ms = chance.one_of("the provider rotates", &[ours_ms - 30_000, ours_ms, ours_ms + 120_000]);
        chance.percent("a rotation", 20).then_some(Self { ours_ms, providers_ms })
    }
}

/// The key with which the provider signs now.
pub(super) fn signing_key(world: &World) -> SecretString {
    let (rotation, now_ms) = world.with(|state| (state.settings.rotation, state.now_ms));
    let is_next = rotation.is_some_and(|it| it.providers_ms <= now_ms);
    SecretString::from(if is_next { NEXT_PRIVATE_KEY } else { PRIVATE_KEY })
}

/// The keys as a function knows them: the private key, and the one before. `is_read`: it has read them at this moment.
pub(super) fn known_keys(world: &World, is_read: bool) -> (SecretString, Option<SecretString>) {
    let (rotation, now_ms) = world.with(|state| (state.settings.rotation, state.now_ms));
    let since_ms = rotation.and_then(|it| now_ms.checked_sub(it.ours_ms));
    let name = format!("{} knows the old keys at {now_ms} ms", world.running());
    match since_ms {
        None => (SecretString::from(PRIVATE_KEY), None),
        Some(since_ms) if !is_read && since_ms < CACHED_MS && world.chance.percent(&name, 60) => {
            world.with(|state| state.reached.insert("old keys are known"));
            (SecretString::from(PRIVATE_KEY), None)
        }
        Some(_) => {
            let is_forgotten = world.is(Wrong::ForgetPreviousKey) && world.running().starts_with("publisher");
            let previous = (!is_forgotten).then(|| SecretString::from(PRIVATE_KEY));
            (SecretString::from(NEXT_PRIVATE_KEY), previous)
        }
    }
}

/// All that an intruder means to do in a run.
pub(super) fn plan(world: &World) {
    for number in 0..3 {
        let name = format!("intruder {number}");
        if world.happens(&name, 60) {
            let at = world.chance.below(&format!("{name} at"), 1_500_000);
            let forgery = world.chance.one_of(&format!("{name} forges"), &Forgery::ALL);
            world.after(at, move |world| forge(world, number, forgery));
        }
    }
}

fn forge(world: &World, number: u64, forgery: Forgery) {
    world.note(|| format!("an intruder forges {number}: {forgery:?}"));
    world.with(|state| state.reached.insert("a forged row"));
    if forgery.is_of_withdrawal() { forge_end(world, number, forgery) } else { forge_credit(world, number, forgery) }
}

fn at(world: &World) -> Timestamp {
    Timestamp(world.clock_ms())
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

/// Writes past all rules, and marks nothing as quiet.
fn write<R: Row>(world: &World, row: R, forgery: Forgery) {
    let id = row.id();
    let current = now(world.table.read(&id)).unwrap();
    now(world.table.write(Change::of(row, current.as_ref()))).unwrap();
    let stored = now(world.table.read(&id)).unwrap().unwrap();
    world.with(|state| state.forged.insert(id.key(), forgery));
    stream::forged(world, current.as_ref(), &stored);
}

/// A list as the provider signs it: of something that never came to us as a postback.
fn signed(world: &World, subject: Subject, amount: &str) -> SignedList {
    let fact = Fact { subject, amount: amount.into(), label: "thief".into(), written: Written::AsItIs };
    let (additional_data, signature) = sign(world, &[fact], Spelling::Flagged);
    SignedList { additional_data, signature, access_key: ACCESS_KEY.into() }
}

fn facts(world: &World, order: &str, place: ListPlace) -> SignedFacts {
    SignedFacts {
        custom_transaction_id: order.into(),
        order_before_hyphen: None,
        amount: amount("1000"),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: None,
        evidence: Evidence { place, element: 0, received_at: at(world) },
    }
}

fn invented(list: SignedList) -> SignedList {
    SignedList { signature: "0".repeat(list.signature.len()), ..list }
}

/// An order of the intruder's own, with a credit of 1000 that it never got.
fn forge_credit(world: &World, number: u64, forgery: Forgery) {
    let order = format!("forged{number}");
    let key = PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse(format!("66600000{number}")).unwrap(),
    };
    let paid = key.transaction_id.as_str();
    let payment = |number: &str, order: &str| Subject::Payment { number: number.into(), order: order.into() };
    let list = match forgery {
        Forgery::OtherNumber => signed(world, payment("777000001", &order), "1000"),
        Forgery::OtherAmount => signed(world, payment(paid, &order), "5"),
        Forgery::OtherOrder => signed(world, payment(paid, "another"), "1000"),
        Forgery::OtherSubject => signed(world, Subject::Withdrawal { id: "another".into(), status: 1 }, "1000"),
        _ => signed(world, payment(paid, &order), "1000"),
    };
    let list = if matches!(forgery, Forgery::Invented | Forgery::InventedList) { invented(list) } else { list };
    let place = if matches!(forgery, Forgery::InventedList | Forgery::OtherList) {
        let text = format!("{number:064x}");
        let hash = ListHash::parse(text.as_str()).unwrap();
        write(world, StoredList { hash: hash.clone(), list }, forgery);
        ListPlace::Stored { list: hash }
    } else {
        ListPlace::Here(list)
    };
    let signed_order = if forgery == Forgery::OtherOrder { "another" } else { &order };
    let facts = facts(world, signed_order, place);
    let order = CustomTransactionId::parse(order.as_str()).unwrap();
    let label = Label::parse("thief").unwrap();
    if forgery != Forgery::NoPayment {
        let state = PaymentState::Credited { order: order.clone(), credited_label: label.clone(), facts };
        let resolutions = word(world, paid, Outcome::Credited, Some(order.clone()));
        write(world, Payment { resolutions, ..Payment::new(key.clone(), state) }, forgery);
    }
    let order = Order {
        custom_transaction_id: order,
        label,
        currency_code: CurrencyCode::parse("INR").unwrap(),
        wallet_type: key.wallet_type.clone(),
        amount: None,
        lang: None,
        window: Window::default(),
    };
    let credited = vec![Credit { payment: key, amount: amount("1000") }];
    let deposit = Deposit::new(order, "{}".into(), at(world));
    write(world, DepositRow::Registered(Deposit { state: DepositState::Credited, credited, ..deposit }), forgery);
}

/// A decision under any name, in half of the forgeries. Nobody has verified a caller.
fn word(world: &World, id: &str, outcome: Outcome, credited_to: Option<CustomTransactionId>) -> Vec<Resolution> {
    let remark = || Remark::parse("the head of finance").unwrap();
    let resolution = Resolution::new(outcome, remark(), remark(), remark(), at(world));
    let is_given = world.chance.percent(&format!("{id} has a decision"), 50);
    is_given.then_some(Resolution { credited_to, ..resolution }).into_iter().collect()
}

/// A withdrawal of the intruder's own, which has ended.
fn forge_end(world: &World, number: u64, forgery: Forgery) {
    let id = format!("forged-w{number}");
    let is_paid = world.chance.percent(&format!("{id} is paid"), 50);
    let status = if is_paid { 1 } else { 5 };
    let withdrawal = |id: &str, status| Subject::Withdrawal { id: id.into(), status };
    let list = match forgery {
        Forgery::OtherWithdrawal => signed(world, withdrawal("another", status), "1000"),
        Forgery::OtherWithdrawalAmount => signed(world, withdrawal(&id, status), "5"),
        Forgery::OtherEnd => signed(world, withdrawal(&id, 6 - status), "1000"),
        Forgery::InventedEnd => invented(signed(world, withdrawal(&id, status), "1000")),
        _ => signed(world, withdrawal(&id, status), "1000"),
    };
    let facts = (forgery != Forgery::NoFacts).then(|| facts(world, "", ListPlace::Here(list)));
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse(id.as_str()).unwrap(),
        label: Label::parse("thief").unwrap(),
        amount: amount("1000"),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("666").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    };
    let sent = Withdrawal::new(request, "{}".into(), "an intruder".into(), at(world));
    let state = if is_paid { WithdrawalState::Paid { facts } } else { WithdrawalState::Failed { facts } };
    let resolutions = word(world, &id, if is_paid { Outcome::Paid } else { Outcome::Failed }, None);
    write(world, WithdrawalRow::Registered(Box::new(Withdrawal { state, resolutions, ..sent })), forgery);
}

/// A change was set aside as one that is not proved: it is an intruder's.
pub(super) fn set_aside(world: &World, message: &str) {
    let body: serde_json::Value = serde_json::from_str(message).unwrap();
    if body["reason"] == "unproved" {
        let key = stream::key_of(message).unwrap_or_default();
        let is_forged = world.with(|state| state.forged.contains_key(&key));
        check(world, "what is genuine is not refused", is_forged, || message.to_owned());
        world.with(|state| state.reached.insert("a forged change is set aside"));
    }
}

/// What an intruder forged waits for a person.
pub(super) fn at_rest(world: &World) {
    let forged = world.with(|state| state.forged.clone());
    let waiting = stream::keys_set_aside(world);
    for (key, forgery) in forged.iter().filter(|(key, _)| !key.starts_with("payment#") && !key.starts_with("evidence#"))
    {
        check(world, STAYS, waiting.contains(key), || format!("{key}: {forgery:?}"));
    }
}
