//! Reading verified postbacks: the page's samples, hostile variants, and anything at all.

#![cfg(test)]

use domain::{Amount, Evidence, ListHash, ListPlace, Mismatch, OddPayment, SignedList, Timestamp};
use paykassma::{Element, read_postback, signed_elements};
use proptest::prelude::*;
use secrecy::SecretString;
use signing::{PostbackKeys, Spelling, sign_postback, verify};

const DEPOSIT: &str = r#"{"activated_datetime":"2023-08-25 13:47:40","exchanger_identifier":"99xxxx6690","comment":"","amount":"700","currency_code":"INR","wallet_type":"paytm","stockpiling_id":1430926,"transaction_id":"47752123519","transaction_type":0,"plugin_custom_order_id":"h8JxcM123DbmAvfn","withdrawal_id":null,"withdrawal_status":null,"account_number":"","account_name":"marker-person","account_email":"","bank_details":{"bank_code":"","branch_code":""}}"#;
const WITHDRAWAL: &str = r#"{"activated_datetime":"","exchanger_identifier":"","comment":"","amount":"20000","currency_code":"INR","wallet_type":"paytm","stockpiling_id":null,"transaction_id":"","transaction_type":null,"plugin_custom_order_id":"","withdrawal_id":"1071620","withdrawal_status":1,"account_number":"8541235719","account_name":"","account_email":"a@example.com","bank_details":{"bank_code":null,"branch_code":null}}"#;
const DEPOSIT_TOP: &str = r#""wallet_type":"paytm","amount":700,"currency_code":"INR","label":"631317234","converted_amount":{"USD":4.61,"BTC":1e-9},"direction":"ingoing","created_datetime":"2023-08-25 10:47:40","#;
const WITHDRAWAL_TOP: &str =
    r#""wallet_type":"paytm","amount":20000,"currency_code":"INR","label":"1237916","direction":"outgoing","#;

/// Signs `list` as the provider does and reads the postback.
fn read(top: &str, list: &str) -> Vec<Element> {
    let private_key = SecretString::from("test_private_key");
    let signature = sign_postback(list, Spelling::Flagged, "key", &private_key).unwrap();
    let body = format!(r#"{{"signature":"{signature}",{top}"access_key":"key","additional_data":{list}}}"#);
    let keys = PostbackKeys::new("key", &private_key);
    let verified = verify(body.as_bytes(), &keys).unwrap();
    let signed = SignedList { additional_data: list.into(), signature: signature.clone(), access_key: "key".into() };
    let place = ListPlace::Here(signed);
    let postback = read_postback(&verified);
    let elements: Vec<_> = postback.elements(&place, Timestamp(7), domain::Separator::Dot).collect();
    assert_eq!(elements.len(), postback.list.texts.len());
    for (index, element) in elements.iter().enumerate() {
        let evidence = match element {
            Element::Deposit(report) => &report.facts.evidence,
            Element::Withdrawal(report) => &report.facts.evidence,
            Element::Unreadable { evidence, .. } => evidence,
        };
        assert_eq!((&evidence.place, evidence.element, evidence.received_at), (&place, index, Timestamp(7)));
    }
    elements
}

fn one(top: &str, element: &str) -> Element {
    read(top, &format!("[{element}]")).remove(0)
}

/// The field that differs in a readable report, or why it is unreadable.
fn outcome(element: &Element) -> Result<Option<Mismatch>, &'static str> {
    match element {
        Element::Deposit(report) => Ok(report.mismatch),
        Element::Withdrawal(report) => Ok(report.mismatch),
        Element::Unreadable { reason, .. } => Err(reason),
    }
}

#[test]
fn the_page_deposit_is_read() {
    let Element::Deposit(report) = one(DEPOSIT_TOP, DEPOSIT) else { panic!("not a deposit") };
    assert_eq!(report.payment.wallet_type.as_str(), "paytm");
    assert_eq!(report.payment.transaction_id.as_str(), "47752123519");
    assert_eq!(report.facts.custom_transaction_id, "h8JxcM123DbmAvfn");
    assert_eq!(report.facts.amount.to_string(), "700");
    assert_eq!(report.facts.currency_code.as_str(), "INR");
    assert_eq!(report.facts.label.as_ref().unwrap().as_str(), "631317234");
    assert_eq!(report.mismatch, None);
    assert!(!format!("{report:?}").contains("marker-person"));
}

#[test]
fn the_page_withdrawal_is_read() {
    let Element::Withdrawal(report) = one(WITHDRAWAL_TOP, WITHDRAWAL) else { panic!("not a withdrawal") };
    assert_eq!(report.withdrawal_id.as_str(), "1071620");
    assert_eq!(report.withdrawal_status, Some(1));
    assert_eq!((report.facts.amount.to_string(), report.mismatch), ("20000".into(), None));
    assert_eq!(report.facts.custom_transaction_id, "");
}

#[test]
fn an_unsigned_copy_that_is_altered_missing_or_of_another_type_differs() {
    for (field, mismatch) in [
        (r#""wallet_type":"paytm","#, Mismatch::WalletType),
        (r#""amount":700,"#, Mismatch::Amount),
        (r#""currency_code":"INR","#, Mismatch::CurrencyCode),
        (r#""direction":"ingoing","#, Mismatch::Direction),
    ] {
        let (name, _) = field.split_once(':').unwrap();
        for value in ["null", "[]", "{}", "true", "-1", "1e999", r#""""#, r#""x\u0000""#, r#""outgoing""#, r#""USD""#] {
            let top = DEPOSIT_TOP.replace(field, &format!("{name}:{value},"));
            assert_eq!(outcome(&one(&top, DEPOSIT)), Ok(Some(mismatch)), "{name}: {value}");
        }
        assert_eq!(outcome(&one(&DEPOSIT_TOP.replace(field, ""), DEPOSIT)), Ok(Some(mismatch)), "no {name}");
    }
    assert_eq!(outcome(&one("", DEPOSIT)), Ok(Some(Mismatch::Direction)));
    for label in ["null", "[]", r#""""#, r#""a\nb""#] {
        let Element::Deposit(report) = one(&DEPOSIT_TOP.replace(r#""631317234""#, label), DEPOSIT) else {
            panic!("not a deposit")
        };
        assert_eq!((report.facts.label, report.mismatch), (None, None), "{label}");
    }
}

#[test]
fn spellings_of_one_unsigned_amount_agree_and_a_float_does_not_blur_it() {
    let with = |amount: &str| {
        outcome(&one(&DEPOSIT_TOP.replace(r#""amount":700"#, &format!(r#""amount":{amount}"#)), DEPOSIT)).unwrap()
    };
    for same in ["700", "700.0", "700.00", r#""700""#, r#""700.0""#] {
        assert_eq!(with(same), None, "{same}");
    }
    for other in ["700.00000001", "7e2", "700.000000001", "70", "-700", "\"7e2\"", "\" 700\""] {
        assert_eq!(with(other), Some(Mismatch::Amount), "{other}");
    }
    let big = "1234567890123456.78";
    let element = one(&DEPOSIT_TOP.replace(":700,", &format!(":{big},")), &DEPOSIT.replace(r#""700""#, big));
    let Element::Deposit(report) = element else { panic!("not a deposit") };
    assert_eq!((report.facts.amount, report.mismatch), (Amount::parse(big).unwrap(), None));
}

#[test]
fn a_signed_element_that_can_not_be_understood_is_unreadable_and_says_where() {
    let cases = [
        (DEPOSIT, r#""amount":"700""#, r#""amount":"0""#, "amount"),
        (DEPOSIT, r#""amount":"700""#, r#""amount":null"#, "amount"),
        (DEPOSIT, r#""amount":"700""#, r#""amount":"7e2""#, "amount"),
        (DEPOSIT, r#""amount":"700""#, r#""amount":{"a":1}"#, "amount"),
        (DEPOSIT, r#""amount":"700","#, "", "amount"),
        (DEPOSIT, r#""INR""#, r#""inr""#, "currency_code"),
        (DEPOSIT, r#""paytm""#, r#""Pay TM""#, "wallet_type"),
        (DEPOSIT, r#""47752123519""#, r#""""#, "transaction_id"),
        (DEPOSIT, r#""47752123519""#, "null", "transaction_id"),
        (DEPOSIT, r#""47752123519""#, "[1]", "transaction_id"),
        (DEPOSIT, r#""47752123519""#, r#""a\u0000""#, "transaction_id"),
        (DEPOSIT, r#""h8JxcM123DbmAvfn""#, "{}", "plugin_custom_order_id"),
        (DEPOSIT, r#""withdrawal_id":null"#, r#""withdrawal_id":false"#, "withdrawal_id"),
        (WITHDRAWAL, r#""1071620""#, r#""a b""#, "withdrawal_id"),
        (WITHDRAWAL, r#""1071620""#, "null", "transaction_id"),
        (WITHDRAWAL, r#""withdrawal_status":1"#, r#""withdrawal_status":1.5"#, "withdrawal_status"),
        (WITHDRAWAL, r#""withdrawal_status":1"#, r#""withdrawal_status":"+1""#, "withdrawal_status"),
        (WITHDRAWAL, r#""withdrawal_status":1"#, r#""withdrawal_status":"""#, "withdrawal_status"),
        (WITHDRAWAL, r#""withdrawal_status":1"#, r#""withdrawal_status":true"#, "withdrawal_status"),
    ];
    for (element, from, to, field) in cases {
        let altered = element.replace(from, to);
        assert_ne!(altered, element, "{from}");
        let reason = outcome(&one(DEPOSIT_TOP, &altered)).unwrap_err();
        assert!(reason.contains(&format!("`{field}`")), "{to}: {reason}");
    }
    for no_object in ["null", "1", r#""a""#, "[]", r#"["700","INR","paytm","1","x","",null]"#] {
        assert_eq!(outcome(&one(DEPOSIT_TOP, no_object)), Err("the element is not an object"), "{no_object}");
    }
}

#[test]
fn ids_and_statuses_are_read_in_each_of_their_spellings() {
    for (status, read) in [("1", Some(1)), (r#""5""#, Some(5)), ("-3", Some(-3)), ("99", Some(99)), ("null", None)] {
        let element = WITHDRAWAL.replace(":1,", &format!(":{status},")).replace(r#""1071620""#, "1071620");
        let Element::Withdrawal(report) = one(WITHDRAWAL_TOP, &element) else { panic!("not a withdrawal") };
        assert_eq!((report.withdrawal_id.as_str(), report.withdrawal_status), ("1071620", read));
    }
    let Element::Deposit(report) =
        one(DEPOSIT_TOP, &DEPOSIT.replace(r#""47752123519""#, "47752123519").replace(r#""h8JxcM123DbmAvfn""#, "null"))
    else {
        panic!("not a deposit")
    };
    assert_eq!(report.payment.transaction_id.as_str(), "47752123519");
    assert_eq!(report.facts.custom_transaction_id, "");
}

#[test]
fn an_element_with_both_ids_is_a_withdrawal() {
    let both = WITHDRAWAL.replace(r#""transaction_id":"""#, r#""transaction_id":"47752123519""#);
    assert!(matches!(one(WITHDRAWAL_TOP, &both), Element::Withdrawal(_)));
}

#[test]
fn elements_keep_their_order_and_an_unreadable_one_touches_no_neighbour() {
    let second = DEPOSIT.replace("47752123519", "47752123520").replace(r#""700""#, r#""300.50""#);
    let elements = read(DEPOSIT_TOP, &format!("[ {DEPOSIT},\n [],{second} , {WITHDRAWAL}]"));
    let outcomes: Vec<_> = elements.iter().map(outcome).collect();
    let not_an_object = "the element is not an object";
    // with several elements the top level's amount says nothing
    assert_eq!(outcomes, [Ok(None), Err(not_an_object), Ok(None), Ok(Some(Mismatch::Direction))]);
}

#[test]
fn an_empty_list_is_one_unreadable_element() {
    for list in ["[]", "[ \n ]", "{}", "{ \n }"] {
        let outcomes: Vec<_> = read(DEPOSIT_TOP, list).iter().map(outcome).collect();
        assert_eq!(outcomes, [Err("the list is empty")], "{list}");
    }
}

/// What is readable of an element that is not wholly readable.
fn odd(element: &str) -> (&'static str, OddPayment) {
    let read = one(DEPOSIT_TOP, element);
    let Element::Unreadable { reason, payment: Some(payment), .. } = read else { panic!("{read:?}") };
    (reason, payment)
}

#[test]
fn a_number_is_a_string_or_an_integer_of_visible_ascii_and_all_else_is_kept_for_a_person() {
    let with = |token: &str| DEPOSIT.replace(r#""47752123519""#, token);
    for token in ["47752123519", r#""47752123519""#, "4775212351912346000000", "0", r#""a-B_9.!~""#] {
        let Element::Deposit(report) = one(DEPOSIT_TOP, &with(token)) else { panic!("{token}") };
        assert_eq!(report.payment.transaction_id.as_str(), token.trim_matches('"'));
    }
    for token in [
        "4.775212351912346e+22",
        "47752120004.0",
        "4e3",
        "-5",
        "-0",
        r#""47752120004 ""#,
        r#"" 47752120004""#,
        r#""4775 2120004""#,
        r#""47752120004\u00a0""#,
        r#""4775\u200b2120004""#,
        r#""４７７５""#,
        "\"\"",
        "null",
        "true",
        "[1]",
    ] {
        let (reason, payment) = odd(&with(token));
        assert!(reason.contains("`transaction_id`"), "{token}: {reason}");
        let order = payment.custom_transaction_id.as_str();
        assert_eq!((payment.transaction_id, order), (None, "h8JxcM123DbmAvfn"), "{token}");
        assert_eq!((payment.amount.to_string().as_str(), payment.currency_code.as_str()), ("700", "INR"));
        assert_eq!((payment.wallet_type.as_str(), payment.label.unwrap().as_str()), ("paytm", "631317234"));
    }
}

#[test]
fn an_order_id_or_a_withdrawals_id_may_be_an_integer_and_no_other_number() {
    let with = |token: &str| DEPOSIT.replace(r#""h8JxcM123DbmAvfn""#, token);
    let Element::Deposit(report) = one(DEPOSIT_TOP, &with("47752120004")) else { panic!("not a deposit") };
    assert_eq!(report.facts.custom_transaction_id, "47752120004");
    let long = format!("\"{}\"", "x".repeat(1_001));
    for token in ["47752120004.0", "4.7e3", "-1", "true", "[]", long.as_str()] {
        let (reason, payment) = odd(&with(token));
        assert!(reason.contains("`plugin_custom_order_id`"), "{token}: {reason}");
        let number = payment.transaction_id.map(String::from);
        assert_eq!((number.as_deref(), payment.custom_transaction_id.as_str()), (Some("47752123519"), ""), "{token}");
    }
    for token in ["1071620.0", "1.071620e6", "-1"] {
        let element = WITHDRAWAL.replace(r#""1071620""#, token);
        assert_eq!(outcome(&one(WITHDRAWAL_TOP, &element)), Err("`withdrawal_id` cannot be read"), "{token}");
    }
}

#[test]
fn escapes_are_decoded() {
    let escaped = DEPOSIT.replace("h8JxcM123DbmAvfn", r"\u0939\/\ud83d\ude00").replace("amount", r"\u0061mount");
    let Element::Deposit(report) = one(DEPOSIT_TOP, &escaped) else { panic!("not a deposit") };
    assert_eq!(report.facts.custom_transaction_id, "ह/😀");
    assert_eq!(report.facts.amount.to_string(), "700");
}

/// The reports without their evidence, which differs with the spelling of the signed text.
fn reports(elements: Vec<Element>) -> Vec<Element> {
    let nowhere = ListPlace::Stored { list: ListHash::from([0; 32]) };
    let bare = |evidence: &mut Evidence| evidence.place.clone_from(&nowhere);
    let without_evidence = |mut element| {
        match &mut element {
            Element::Deposit(report) => bare(&mut report.facts.evidence),
            Element::Withdrawal(report) => bare(&mut report.facts.evidence),
            Element::Unreadable { evidence, .. } => bare(evidence),
        }
        element
    };
    elements.into_iter().map(without_evidence).collect()
}

#[test]
fn an_object_with_numbers_as_keys_is_read_as_a_list_in_the_order_in_which_it_stands() {
    let second = DEPOSIT.replace("47752123519", "47752123520");
    for [first_key, second_key] in [["0", "1"], ["0", "2"], ["17", "3"], ["99999999999999999999999", r"\u0030"]] {
        let object = format!("{{ \"{first_key}\" : {DEPOSIT},\n\"{second_key}\":{second} }}");
        let list = format!("[{DEPOSIT},{second}]");
        assert_eq!(reports(read(DEPOSIT_TOP, &object)), reports(read(DEPOSIT_TOP, &list)), "{first_key} {second_key}");
    }
}

#[test]
fn the_unsigned_amount_must_be_that_of_the_only_element_of_an_object() {
    let top = DEPOSIT_TOP.replace(":700,", ":900,");
    let only = read(&top, &format!(r#"{{"5":{DEPOSIT}}}"#));
    assert_eq!(only.iter().map(outcome).collect::<Vec<_>>(), [Ok(Some(Mismatch::Amount))]);
    let two = read(&top, &format!(r#"{{"5":{DEPOSIT},"6":{DEPOSIT}}}"#));
    assert_eq!(two.iter().map(outcome).collect::<Vec<_>>(), [Ok(None), Ok(None)]);
}

#[test]
fn an_object_with_any_other_key_is_one_unreadable_element() {
    let reason = "`additional_data` is neither a list nor an object with only numbers as keys";
    for key in ["", "00", "01", "+1", "-1", "-0", " 1", "1 ", "1.0", "1e0", "0x1", "١", "a", "amount"] {
        for object in [
            format!(r#"{{"{key}":{DEPOSIT}}}"#),
            format!(r#"{{"0":{DEPOSIT},"{key}":{DEPOSIT}}}"#),
            format!(r#"{{"{key}":1,"0":{DEPOSIT}}}"#),
        ] {
            let outcomes: Vec<_> = read(DEPOSIT_TOP, &object).iter().map(outcome).collect();
            assert_eq!(outcomes, [Err(reason)], "{object}");
            assert_eq!(signed_elements(&object).texts, [object.as_str()]);
        }
    }
    for bare in [DEPOSIT, WITHDRAWAL] {
        assert_eq!(read(DEPOSIT_TOP, bare).iter().map(outcome).collect::<Vec<_>>(), [Err(reason)]);
    }
}

#[test]
fn stored_text_that_was_cut_is_one_unreadable_element() {
    for text in ["", "[", "{", r#"{"0":{}"#, r#"{"0":{}}x"#, "null", "1"] {
        let elements = signed_elements(text);
        assert_eq!((elements.texts, elements.fault.is_some()), (vec![text], true), "{text}");
    }
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,10})?([eE][+-]?[0-9]{1,3})?",
        "[a-z0-9.+ -]{0,12}".prop_map(|text| format!("\"{text}\"")),
        Just(r#""\u0000\\\"""#.to_owned()),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            inner.prop_map(|value| format!(r#"{{"amount":{value}}}"#)),
        ]
    })
}

proptest! {
    #[test]
    fn every_element_of_any_list_comes_out_once(fields in prop::collection::vec(json(), 12), extra in json()) {
        let names = ["amount", "currency_code", "wallet_type", "transaction_id", "plugin_custom_order_id", "withdrawal_id",
            "withdrawal_status"];
        let object: Vec<_> = names.iter().zip(&fields).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let object = format!("{{{}}}", object.join(", "));
        let top: Vec<_> = ["amount", "currency_code", "wallet_type", "label", "direction"].iter().zip(&fields[7..])
            .map(|(name, value)| format!("\"{name}\":{value},")).collect();
        let elements = read(&top.concat(), &format!("[{extra},{DEPOSIT},{object}]"));
        prop_assert_eq!(elements.len(), 3);
        let deposit = matches!(elements[1], Element::Deposit(_));
        prop_assert!(deposit);
    }

    #[test]
    fn an_object_with_the_keys_from_0_gives_the_reports_of_the_list(extra in prop::collection::vec(json(), 0..4), at: prop::sample::Index) {
        let mut elements = extra;
        elements.extend([DEPOSIT.to_owned(), WITHDRAWAL.to_owned()]);
        let turned = at.index(elements.len());
        elements.rotate_left(turned);
        let members: Vec<_> = elements.iter().enumerate().map(|(place, element)| format!("\"{place}\":{element}")).collect();
        let (list, object) = (format!("[{}]", elements.join(",")), format!("{{{}}}", members.join(",")));
        prop_assert_eq!(signed_elements(&object), signed_elements(&list));
        prop_assert_eq!(reports(read(DEPOSIT_TOP, &object)), reports(read(DEPOSIT_TOP, &list)));
    }

    #[test]
    fn a_signed_amount_survives_to_the_digit(text in "[1-9][0-9]{0,17}(\\.[0-9]{1,8})?", quoted: bool) {
        let amount = if quoted { format!("\"{text}\"") } else { text.clone() };
        let element = one(&DEPOSIT_TOP.replace(":700,", &format!(":{text},")), &DEPOSIT.replace(r#""700""#, &amount));
        let Element::Deposit(report) = element else { panic!("not a deposit") };
        prop_assert_eq!(report.facts.amount.to_string(), text);
        prop_assert_eq!(report.mismatch, None);
    }
}
