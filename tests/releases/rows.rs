//! One row of every kind and state that this code writes, in every form that its attributes have.

use domain::*;
use store::{AnyRow, Row, Stored};

use crate::parts::{
    AT, amount, attempt_id, decision, decision_of_two, element, facts, inr, key, label, later, list, number, odd_facts,
    order_id, paytm, remark, signed, withdrawal_element, withdrawal_facts, withdrawal_id,
};

/// A row with a name that says what it is an example of.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) row: AnyRow,
}

fn example<R: Row>(name: &'static str, row: R) -> Example {
    Example { name, row: R::into_any(Stored { row, version: 0 }) }
}

/// All examples. No two have the same key.
pub(crate) fn examples() -> Vec<Example> {
    let kinds = [deposits(), claims(), held_payments(), credited_payments(), withdrawals(), ended_withdrawals()];
    kinds
        .into_iter()
        .chain([contradicted_withdrawals(), other_withdrawals(), unreadable(), others()])
        .flatten()
        .collect()
}

fn order(id: &str) -> Order {
    Order {
        custom_transaction_id: order_id(id),
        label: label("631317234"),
        currency_code: inr(),
        wallet_type: paytm(),
        amount: None,
        lang: None,
        window: Window::default(),
    }
}

fn full_order(id: &str) -> Order {
    Order { amount: Some(amount("700.00")), lang: Some(Lang::parse("hi").unwrap()), ..order(id) }
}

/// All parameters that an order may add to its link.
fn window() -> Window {
    let (page, url) = (|id: &str| WindowPageId::parse(id).ok(), |text: &str| WindowUrl::parse(text).ok());
    Window {
        payment_url_success_id: page("12"),
        payment_url_fail_id: page("13"),
        payment_url_pending_id: page("999999999999999"),
        success_url: url("eyJpdiI6Ik9+/=="),
        fail_url: url("https://shop.example.com/orders/order-8?paid=no&x=%20"),
        pending_url: url("1"),
    }
}

/// An order as it is when it is registered.
pub(crate) fn created(id: &str) -> Deposit {
    Deposit::new(full_order(id), r#"{"identifier":"6234234234","wallet_type":"paytm"}"#.into(), AT)
}

/// The same order once it was credited for a number.
pub(crate) fn credited(deposit: Deposit, transaction_id: &str, text: &str) -> Deposit {
    deposit.credit(Credit { payment: key(transaction_id), amount: amount(text) }).0
}

/// A number that was sent, and its outcome is unknown.
pub(crate) fn started(order: &str, transaction_id: &str) -> Attempt {
    Attempt {
        transaction_id: number(transaction_id),
        id: Some(attempt_id(order, transaction_id)),
        amount: amount("700"),
        outcome: AttemptState::Started,
        started_at: AT,
        message: None,
        deposit_amount: None,
        ended_calls: Vec::new(),
        refusal: None,
    }
}

/// A number that the provider refused.
pub(crate) fn failed(order: &str, transaction_id: &str) -> Attempt {
    let message = Some("transaction not found for ***".into());
    Attempt { outcome: AttemptState::Failed, message, ..started(order, transaction_id) }
}

/// Attempts in every outcome.
fn attempts(order: &str) -> Vec<Attempt> {
    use AttemptState::{Activated, NotSent, Pending, Possible};
    let of = |transaction_id: &str, outcome| Attempt { outcome, ..started(order, transaction_id) };
    let said = |message: &str| Some(message.to_owned());
    vec![
        Attempt {
            ended_calls: vec!["call-2".into()],
            refusal: said("duplicate custom_transaction_id"),
            ..started(order, "47752130001")
        },
        Attempt { deposit_amount: Some(amount("699.50")), ..of("47752130002", Activated) },
        Attempt { message: said("wait"), ..of("47752130003", Pending) },
        Attempt { message: said("the payment is being looked for"), ..of("47752130004", Possible) },
        of("47752130005", NotSent),
        failed(order, "47752130006"),
    ]
}

fn deposits() -> Vec<Example> {
    let unregistered = |id: &str, newest: &[&str], pages| {
        let waiting = Waiting { newest: newest.iter().map(|number| key(number)).collect(), pages };
        DepositRow::Unregistered(Unregistered { custom_transaction_id: order_id(id), waiting })
    };
    let bare = Deposit::new(order("order-2"), "{}".into(), AT);
    let of_window = Deposit::new(Order { window: window(), ..order("order-8") }, "{}".into(), AT);
    let twice = credited(credited(created("order-4"), "47752120020", "700"), "47752120021", "0.25");
    let waiting = Waiting { newest: vec![key("47752110021")], pages: 1 };
    let registered = DepositRow::Registered;
    vec![
        example("deposit unregistered", unregistered("order-0", &["47752110000"], 0)),
        example("deposit unregistered, with full pages", unregistered("order-1", &["47752110001"], 2)),
        example("deposit created, with nothing else", registered(bare)),
        example("deposit created, with parameters of the payment window", registered(of_window)),
        example("deposit created", registered(Deposit { attempts: attempts("order-3"), ..created("order-3") })),
        example("deposit created, not matched to the end", registered(Deposit { waiting, ..created("order-5") })),
        example("deposit credited", registered(credited(created("order-6"), "47752120006", "700.00"))),
        example("deposit credited twice", registered(twice)),
    ]
}

/// Who entered a number.
fn entry(user: &str, order: &str, text: &str) -> Entry {
    let entered = Entered { order: order_id(order), amount: amount(text), has_asked: false, failed_id: None };
    Entry { label: label(user), entered: vec![entered] }
}

fn two_entries() -> Vec<Entry> {
    let mut first = entry("631317234", "order-3", "700");
    let lost = Entered {
        order: order_id("order-8"),
        amount: amount("700"),
        has_asked: true,
        failed_id: Some(attempt_id("order-8", "47752120101")),
    };
    first.entered.push(lost);
    vec![first, entry("160496026", "order-9", "699.5")]
}

/// A number that an order claims.
pub(crate) fn claimed(order: &str, transaction_id: &str) -> Payment {
    let journal = Journal {
        id: attempt_id(order, transaction_id),
        claimed_at: AT,
        calls: vec![Call { nonce: "call-1".into(), at: AT }],
        may_have_arrived: false,
    };
    let state = PaymentState::Claimed { order: order_id(order), journal: Some(journal) };
    Payment { entries: vec![entry("631317234", order, "700")], ..Payment::new(key(transaction_id), state) }
}

/// The same number, which a user of another label has entered too.
pub(crate) fn contested(order: &str, transaction_id: &str) -> Payment {
    let payment = claimed(order, transaction_id);
    let entries = payment.entries.iter().cloned().chain([entry("160496026", "order-9", "700")]).collect();
    Payment { entries, ..payment }
}

fn claims() -> Vec<Example> {
    let journal = Journal {
        id: attempt_id("order-3", "47752120101"),
        claimed_at: AT,
        calls: vec![Call { nonce: "call-7".into(), at: AT }, Call { nonce: "call-8".into(), at: later(1) }],
        may_have_arrived: true,
    };
    let state = PaymentState::Claimed { order: order_id("order-3"), journal: Some(journal) };
    let claimed_by_many =
        Payment { entries: two_entries(), has_more_entries: true, ..Payment::new(key("47752120101"), state) };
    let released = |transaction_id: &str| {
        let state = PaymentState::Released { order: order_id("order-3") };
        Payment { entries: two_entries(), ..Payment::new(key(transaction_id), state) }
    };
    let taken_from = Some(order_id("order-3"));
    let taken = Resolution { taken_from, ..decision(Outcome::Rejected) };
    vec![
        example("payment claimed", claimed("order-3", "47752120100")),
        example("payment claimed, and entered by others", claimed_by_many),
        example("payment released", released("47752120102")),
        example("payment released by a person", Payment { resolutions: vec![taken], ..released("47752120103") }),
    ]
}

/// A payment whose order is not known.
pub(crate) fn unmatched(order: &str, transaction_id: &str) -> Payment {
    let facts = facts(order, transaction_id, "700.00");
    Payment::new(key(transaction_id), PaymentState::Unmatched { facts, labels: Vec::new() })
}

/// A payment that is held for this reason.
pub(crate) fn quarantined(transaction_id: &str, mismatch: Mismatch) -> Payment {
    let facts = facts("order-3", transaction_id, "700.00");
    Payment::new(key(transaction_id), PaymentState::Quarantined { facts, mismatch })
}

/// What a further postback says of a payment.
pub(crate) fn against(mismatch: Mismatch, transaction_id: &str) -> Contradiction {
    Contradiction { mismatch, facts: Some(facts("order-3", transaction_id, "70000")) }
}

/// The same, in a row that has no room for the signed text.
fn without_text(contradiction: Contradiction) -> Contradiction {
    let mut contradiction = contradiction;
    if let Some(ListPlace::Here(list)) = contradiction.facts.as_mut().map(|facts| &mut facts.evidence.place) {
        list.additional_data.clear();
    }
    contradiction
}

fn held_payments() -> Vec<Example> {
    use Mismatch::{
        Amount, Contested, CurrencyCode, Direction, EarlierPostback, Label, OrderCurrencyCode, OrderUnwritable,
        OrderWalletType, SameNumber, TakenAway, WalletType,
    };
    let labels = vec![label("631317234 "), label("user 7")];
    let relabelled = Payment {
        state: PaymentState::Unmatched { facts: facts("order-0", "47752120201", "1"), labels },
        contradictions: vec![against(EarlierPostback, "47752120201")],
        ..unmatched("order-0", "47752120201")
    };
    let rejected = Payment {
        resolutions: vec![decision(Outcome::Rejected)],
        ..Payment::new(key("47752120202"), PaymentState::Rejected { facts: facts("", "47752120202", "12.5") })
    };
    let reasons = [
        ("payment quarantined: direction", Direction),
        ("payment quarantined: amount", Amount),
        ("payment quarantined: currency_code", CurrencyCode),
        ("payment quarantined: wallet_type", WalletType),
        ("payment quarantined: label", Label),
        ("payment quarantined: order_currency_code", OrderCurrencyCode),
        ("payment quarantined: order_wallet_type", OrderWalletType),
        ("payment quarantined: same_number", SameNumber),
        ("payment quarantined: order_unwritable", OrderUnwritable),
        ("payment quarantined: contested", Contested),
        ("payment quarantined: taken_away", TakenAway),
    ];
    let held = (0_u32..).zip(reasons);
    let held = held.map(|(place, (name, reason))| example(name, quarantined(&format!("477521203{place:02}"), reason)));
    let mut examples = vec![
        example("payment unmatched", unmatched("order-0", "47752110000")),
        example("payment unmatched, with further labels", relabelled),
        example("payment rejected", rejected),
    ];
    examples.extend(held);
    examples
}

fn credited_to(order: &str, transaction_id: &str, facts: SignedFacts) -> Payment {
    let credited_label = label("631317234");
    let state = PaymentState::Credited { order: order_id(order), credited_label, facts };
    Payment::new(key(transaction_id), state)
}

fn credited_payments() -> Vec<Example> {
    let hyphen = SignedFacts {
        order_before_hyphen: Some(order_id("order-4")),
        ..facts("order-4-47752120021", "47752120021", "0.25")
    };
    let elsewhere = Evidence { place: ListPlace::Stored { list: list().hash }, element: 1, received_at: AT };
    let elsewhere = SignedFacts { evidence: elsewhere, ..facts("order-4", "47752120020", "700") };
    let by_person = Payment {
        resolutions: vec![Resolution {
            credited_to: Some(order_id("order-7")),
            is_different_payment: true,
            ..decision_of_two(Outcome::Credited, "quarantined")
        }],
        ..credited_to("order-7", "47752120402", SignedFacts { label: None, ..facts("order-99", "47752120402", "5") })
    };
    let number = "47752120403";
    let contradicted = Payment {
        contradictions: vec![
            against(Mismatch::EarlierPostback, number),
            without_text(against(Mismatch::Label, number)),
        ],
        resolutions: vec![Resolution { closes: 1, ..decision(Outcome::Credited) }],
        ..credited_to("order-3", number, facts("order-3", number, "700.00"))
    };
    let entries = vec![entry("631317234", "order-6", "700")];
    let signed = credited_to("order-6", "47752120006", facts("order-6.47752120006", "47752120006", "700.00"));
    vec![
        example("payment credited", Payment { entries, ..signed }),
        example("payment credited, of an id with a hyphen", credited_to("order-4", "47752120021", hyphen)),
        example("payment credited, its list elsewhere", credited_to("order-4", "47752120020", elsewhere)),
        example("payment credited by a person to another order", by_person),
        example("payment credited, and contradicted", contradicted),
    ]
}

fn request(id: &str) -> WithdrawalRequest {
    WithdrawalRequest {
        withdrawal_id: withdrawal_id(id),
        label: label("160496026"),
        amount: amount("1000"),
        currency_code: inr(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: paytm(),
        comment: None,
        is_test: false,
    }
}

/// A withdrawal whose first attempt is about to be sent.
pub(crate) fn sending(id: &str) -> Withdrawal {
    let request = request(id);
    let body = paykassma::withdrawal_body(&request, &"test_withdrawal_key".into());
    Withdrawal::new(request, body, "sender-1".into(), AT)
}

/// A withdrawal in this state, once its attempts ended so.
pub(crate) fn withdrawal(id: &str, state: WithdrawalState, submissions: &[Submission]) -> Withdrawal {
    let mut row = Withdrawal { state, changed_at: later(2), state_since: later(1), ..sending(id) };
    row.attempts = (1..)
        .zip(submissions)
        .map(|(place, submission)| SubmissionAttempt {
            sender: format!("sender-{place}"),
            started_at: AT,
            ended: Some(Ended { at: later(1), submission: submission.clone() }),
        })
        .collect();
    row
}

fn ours(row: Withdrawal) -> WithdrawalRow {
    WithdrawalRow::Registered(Box::new(row))
}

fn withdrawals() -> Vec<Example> {
    use WithdrawalState::{Rejected, Submitted, Unknown, Waiting};
    let not_sent = Submission::NotSent("HTTP 429".into());
    let lost = Submission::Unknown("the connection was closed".into());
    let refused = Submission::Rejected("insufficient balance of ***".into());
    let mut commented = sending("withdrawal-1");
    commented.request.comment = Some(Comment::parse("for \u{201e}Asha\u{201c}").unwrap());
    commented.request.is_test = true;
    let mut review = withdrawal("withdrawal-2", Waiting, &[not_sent.clone(), not_sent.clone()]);
    review.needs_review = Some("its attempts are used up".into());
    let rejected = Rejected { message: "insufficient balance of ***".into() };
    vec![
        example("withdrawal sending", ours(sending("withdrawal-0"))),
        example("withdrawal sending, with a comment", ours(commented)),
        example("withdrawal waiting, for a person", ours(review)),
        example("withdrawal waiting", ours(withdrawal("withdrawal-3", Waiting, std::slice::from_ref(&not_sent)))),
        example("withdrawal unknown", ours(withdrawal("withdrawal-4", Unknown, &[not_sent, lost]))),
        example("withdrawal submitted", ours(withdrawal("withdrawal-5", Submitted, &[Submission::Accepted]))),
        example("withdrawal rejected", ours(withdrawal("withdrawal-6", rejected, &[refused]))),
    ]
}

/// A withdrawal that a person has ended.
pub(crate) fn ended_by_person(id: &str, outcome: Outcome) -> Withdrawal {
    let state = match outcome {
        Outcome::Paid => WithdrawalState::Paid { facts: None },
        Outcome::Failed | Outcome::Credited | Outcome::Rejected => WithdrawalState::Failed { facts: None },
    };
    Withdrawal { resolutions: vec![decision(outcome)], ..withdrawal(id, state, &[Submission::Unknown("reset".into())]) }
}

fn ended_withdrawals() -> Vec<Example> {
    use WithdrawalState::{Failed, Paid};
    let of = |id: &str, state| ours(withdrawal(id, state, &[Submission::Accepted]));
    let paid = |id| Paid { facts: Some(withdrawal_facts(id, 1, "1000")) };
    let failed = |id| Failed { facts: Some(withdrawal_facts(id, 5, "1000")) };
    vec![
        example("withdrawal paid", of("withdrawal-10", paid("withdrawal-10"))),
        example("withdrawal paid, as a person found", ours(ended_by_person("withdrawal-11", Outcome::Paid))),
        example("withdrawal failed", of("withdrawal-12", failed("withdrawal-12"))),
        example("withdrawal failed, as a person found", ours(ended_by_person("withdrawal-13", Outcome::Failed))),
    ]
}

fn contradicted_withdrawals() -> Vec<Example> {
    use Mismatch::{Outcome, Status, WithdrawalAmount, WithdrawalCurrencyCode, WithdrawalPaymentSystem};
    let reported = |mismatch, id: &str| Contradiction { mismatch, facts: Some(withdrawal_facts(id, 1, "999")) };
    let open = Withdrawal {
        contradictions: [Status, WithdrawalAmount, WithdrawalCurrencyCode, WithdrawalPaymentSystem]
            .map(|mismatch| reported(mismatch, "withdrawal-14"))
            .into(),
        ..withdrawal("withdrawal-14", WithdrawalState::Submitted, &[Submission::Accepted])
    };
    let mut paid = ended_by_person("withdrawal-15", domain::Outcome::Paid);
    paid.contradictions = vec![Contradiction { mismatch: Outcome, facts: None }];
    vec![
        example("withdrawal submitted, and contradicted", ours(open)),
        example("withdrawal paid, and contradicted by an answer", ours(paid)),
    ]
}

/// A withdrawal that was never made here.
pub(crate) fn foreign(id: &str) -> ForeignWithdrawal {
    ForeignWithdrawal {
        withdrawal_id: withdrawal_id(id),
        withdrawal_status: Some(1),
        facts: withdrawal_facts(id, 1, "250"),
        contradictions: Vec::new(),
        resolutions: Vec::new(),
    }
}

fn other_withdrawals() -> Vec<Example> {
    let foreign_row = |row: ForeignWithdrawal| WithdrawalRow::Foreign(Box::new(row));
    let facts = Some(withdrawal_facts("withdrawal-21", 5, "250"));
    let further = ForeignWithdrawal {
        withdrawal_status: None,
        contradictions: vec![Contradiction { mismatch: Mismatch::EarlierPostback, facts }],
        resolutions: vec![Resolution { closes: 1, ..decision(Outcome::Paid) }],
        ..foreign("withdrawal-21")
    };
    let reserved = |id: &str, known_to| {
        WithdrawalRow::Reserved(ReservedId { withdrawal_id: withdrawal_id(id), reserved_at: AT, known_to })
    };
    vec![
        example("withdrawal foreign", foreign_row(foreign("withdrawal-20"))),
        example("withdrawal foreign, and contradicted", foreign_row(further)),
        example("withdrawal reserved, known to the provider", reserved("withdrawal-22", KnownTo::Provider)),
        example("withdrawal reserved, known to the merchant", reserved("withdrawal-23", KnownTo::Merchant)),
    ]
}

/// An element that was not understood, the only one of its list.
pub(crate) fn not_understood(text: &str, payment: Option<OddPayment>) -> Unreadable {
    let list = signed(text);
    let hash = ListHash::from(signing::list_hash(&list.additional_data).unwrap());
    let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: AT };
    Unreadable::new(hash, evidence, "its number is neither a string nor an integer", payment)
}

fn unreadable() -> Vec<Example> {
    let (odd, bare) = odd_facts();
    let resolved = not_understood("[7]", None);
    let resolved = Unreadable { resolutions: vec![decision(Outcome::Rejected)], ..resolved };
    let element = r#"{"transaction_id":4.775e10,"plugin_custom_order_id":"order-3"}"#;
    vec![
        example("unreadable", not_understood(r#"["\u0939/\u00e9 \u201eé\u201c"]"#, None)),
        example("unreadable, a payment", not_understood(&format!("[{element}]"), Some(odd))),
        example("unreadable, a payment of which little is readable", not_understood("[{}]", Some(bare))),
        example("unreadable, and decided", resolved),
    ]
}

fn copy(unsigned: Unsigned, is_done: bool) -> ListCopy {
    ListCopy { unsigned, received_at: AT, is_done }
}

fn lists() -> Vec<Example> {
    let full = |direction| Unsigned {
        wallet_type: Some(paytm()),
        amount: Some(amount("700.00")),
        currency_code: Some(inr()),
        label: Some(label("631317234")),
        direction: Some(direction),
    };
    let stored = list();
    let hash = stored.hash.clone();
    let copies = vec![copy(full(Direction::Ingoing), true), copy(full(Direction::Outgoing), false)];
    let unfinished = ListProgress { hash: hash.clone(), state: ListState::Unfinished, elements: 3, copies };
    let hash = ListHash::from(signing::list_hash("[1,2]").unwrap());
    let copies = vec![copy(Unsigned::default(), true)];
    let done = ListProgress { hash, state: ListState::Done, elements: 2, copies };
    vec![example("evidence", stored), example("list unfinished", unfinished), example("list done", done)]
}

fn others() -> Vec<Example> {
    let of_label =
        EntryCount { label_hash: LabelHash::of(&label("631317234")), day: 20_784, entered: 3, nonce: "call-3".into() };
    let credited = |number: &str| CreditedNumber { order: order_id("order-4"), payment: key(number) };
    let payments = (1..=20).map(|number| key(&format!("477521100{number:02}"))).collect();
    let page = WaitingPage { custom_transaction_id: order_id("order-1"), page: 2, payments };
    let table = TableIdentity {
        stream: "arn:aws:dynamodb:ap-south-1:123456789012:table/paykassma/stream/2026-11-27T00:00:00.000".into(),
        generation: 2,
    };
    let mut examples = vec![
        example("number", credited("47752120020")),
        example("waiting page", page),
        example("entries", of_label),
        example("table", table),
    ];
    let proposal = |about: &str, order, number| Proposal {
        about: about.into(),
        resolution: Resolution { proposed_by: None, ..decision_of_two(Outcome::Credited, "quarantined") },
        order,
        number,
    };
    let number = key("47752120021").transaction_id;
    examples.push(example("proposal", proposal("payment#paytm#47752120021", None, None)));
    let stated = proposal(&format!("unreadable#{}#1", list().hash.as_str()), Some(order_id("order-4")), Some(number));
    examples.push(example("proposal with an order and a number", stated));
    examples.extend(lists());
    examples
}

/// The elements of the list that is stored by itself: two payments and a withdrawal.
pub(crate) fn elements() -> [serde_json::Value; 3] {
    [
        element("order-77", "47752120500", "1"),
        element("order-4", "47752120020", "700"),
        withdrawal_element("withdrawal-77", 1, "1000"),
    ]
}

/// Why a person decided.
pub(crate) fn reasons() -> [Remark; 3] {
    [remark("ann@example.com"), remark("seen in the back office: \u{201e}paid\u{201c}"), remark("statement, line 7")]
}
