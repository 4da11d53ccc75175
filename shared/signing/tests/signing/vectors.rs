//! The vectors of docs/provider-protocol.md 2.4 and 3.1.

use signing::Spelling::{Default, Flagged, Raw};
use signing::{WithdrawalValue, sign_withdrawal, verify_withdrawal};

use crate::sample::{DEPOSIT, WITHDRAWAL, body, private_key, sign, verify};

const MIXED: &str = r#"[{"comment":"оплата a/b \"q\" \\ \u2028 é","amount":"700","transaction_id":"1","plugin_custom_order_id":"x/1"}]"#;
const MIXED_ESCAPED: &str = r#"[ {"comment": "\u043E\u043f\u043b\u0430\u0442\u0430 a\/b \u0022q\" \u005c \u2028 \u00e9",
    "amount":"700", "transaction_id":"1", "plugin_custom_order_id":"x\/1"}]"#;

#[test]
fn the_page_s_deposit_verifies() {
    let verified = verify(DEPOSIT.as_bytes()).unwrap();
    assert_eq!(verified.signature(), "538e53f8c22edacda31df8caa6a31efc8274c554");
    assert_eq!(verified.body(), DEPOSIT);
    assert_eq!(format!("{verified:?}"), "Verified { .. }", "nothing of the body is shown");
    let (_, list) = DEPOSIT.split_once("\"additional_data\": ").unwrap();
    assert_eq!(Some(verified.additional_data()), list.trim_end().strip_suffix(" }"));
}

#[test]
fn the_page_s_withdrawal_verifies() {
    let verified = verify(WITHDRAWAL.as_bytes()).unwrap();
    assert_eq!(verified.signature(), "8a157417e42232637e301e3d5625b071f2914f6e");
}

#[test]
fn both_spellings_of_php_have_their_own_signature_on_any_wire() {
    for wire in [MIXED, MIXED_ESCAPED] {
        assert_eq!(sign(wire, Flagged), "cf2ba3cb549cdf8a2247fad1aa4fbbbb0a9634a9");
        assert_eq!(sign(wire, Default), "e717404062e7e66b361410cfd2adc476cfd974bb");
        for spelling in [Flagged, Default, Raw] {
            verify(body(wire, &sign(wire, spelling)).as_bytes()).unwrap();
        }
    }
}

#[test]
fn the_raw_spelling_is_the_slice_on_the_wire_and_no_other() {
    assert_eq!(sign(MIXED, Raw), sign(MIXED, Flagged));
    assert_ne!(sign(MIXED_ESCAPED, Raw), sign(MIXED, Raw));
    verify(body(MIXED, &sign(MIXED_ESCAPED, Raw)).as_bytes()).unwrap_err();
}

/// What PHP's `json_encode` makes of a list without its second element.
const FILTERED: &str = r#"{"0":{"comment":"оплата a/b","amount":"700"},"2":{"comment":"é \u2028","amount":1.5}}"#;
const FILTERED_ESCAPED: &str = r#"{ "\u0030": {"comment":"\u043e\u043f\u043b\u0430\u0442\u0430 a\/b", "amount":"700"},
    "2": {"comment":"\u00e9 \u2028", "amount":1.5} }"#;

#[test]
fn an_object_in_place_of_the_list_verifies_in_all_three_spellings_on_any_wire() {
    let flagged = "3c0e99dcaa152b540c78182c164b0c455c0da219";
    let default = "a080e299d51bed03ed94fd5526d04935330893a3";
    for (wire, other) in [(FILTERED, FILTERED_ESCAPED), (FILTERED_ESCAPED, FILTERED)] {
        assert_eq!((sign(wire, Flagged).as_str(), sign(wire, Default).as_str()), (flagged, default));
        for signature in [sign(other, Flagged), sign(other, Default), sign(wire, Raw)] {
            let body = body(wire, &signature);
            assert_eq!(verify(body.as_bytes()).unwrap().additional_data(), wire);
        }
    }
    assert_ne!(sign(FILTERED_ESCAPED, Raw), sign(FILTERED, Raw));
    verify(body(FILTERED, &sign(FILTERED_ESCAPED, Raw)).as_bytes()).unwrap_err();
}

#[test]
fn a_list_and_the_object_with_its_elements_have_different_signatures() {
    for (list, object) in [("[]", "{}"), (r#"[{"a":1}]"#, r#"{"0":{"a":1}}"#), (r#"[{"a":1}]"#, r#"{"a":1}"#)] {
        for spelling in [Flagged, Default, Raw] {
            verify(body(object, &sign(object, spelling)).as_bytes()).unwrap();
            verify(body(object, &sign(list, spelling)).as_bytes()).unwrap_err();
            verify(body(list, &sign(object, spelling)).as_bytes()).unwrap_err();
        }
    }
}

fn withdrawal(is_test: bool) -> Vec<(&'static str, WithdrawalValue<'static>)> {
    vec![
        ("withdrawal_id", WithdrawalValue::Text("85858053")),
        ("payment_system", WithdrawalValue::Text("paytm")),
        ("amount", WithdrawalValue::Text("1000")),
        ("currency_code", WithdrawalValue::Text("INR")),
        ("label", WithdrawalValue::Text("160496026")),
        ("comment", WithdrawalValue::Text("withdrawal")),
        ("account_number", WithdrawalValue::Text("1234560079")),
        ("is_test", WithdrawalValue::Flag(is_test)),
    ]
}

#[test]
fn a_withdrawal_is_signed_over_its_values_in_the_order_of_their_names() {
    let key = private_key();
    let mut reversed = withdrawal(true);
    reversed.reverse();
    for fields in [withdrawal(true), reversed] {
        assert_eq!(sign_withdrawal(fields, &key), "3d8fc365d83ffeaeff1d10df2087ccd8729e00c0");
    }
    assert_eq!(sign_withdrawal(withdrawal(false), &key), "44f8e60f5697fb262b306d426ec90ebc2d615377");
}

#[test]
fn a_withdrawal_s_comment_is_signed_only_when_sent() {
    let mut fields = withdrawal(false);
    fields.retain(|(name, _)| *name != "comment");
    assert_eq!(sign_withdrawal(fields.clone(), &private_key()), "e110daf4bf5b55b32764022b7eff34bf2b8df725");
}

#[test]
fn null_false_and_an_empty_text_are_signed_alike() {
    let signatures = [WithdrawalValue::Null, WithdrawalValue::Flag(false), WithdrawalValue::Text("")]
        .map(|nothing| sign_withdrawal([("a", WithdrawalValue::Text("x")), ("b", nothing)], &private_key()));
    assert_eq!(signatures[0], signatures[1]);
    assert_eq!(signatures[0], signatures[2]);
    let alone = sign_withdrawal([("a", WithdrawalValue::Text("x"))], &private_key());
    assert_ne!(signatures[0], alone);
}

#[test]
fn a_withdrawal_s_own_signature_is_no_part_of_what_is_signed() {
    let signature = "3d8fc365d83ffeaeff1d10df2087ccd8729e00c0";
    let mut fields = withdrawal(true);
    fields.push(("signature", WithdrawalValue::Text(signature)));
    assert!(verify_withdrawal(fields, signature, &private_key()));
    assert!(!verify_withdrawal(withdrawal(false), signature, &private_key()));
    assert!(!verify_withdrawal(withdrawal(true), "", &private_key()));
}
