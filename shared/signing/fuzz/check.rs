//! What must be true for any bytes: the scanner agrees with `serde_json`, and the spellings agree with what `serde_json` writes.

use secrecy::SecretString;
use serde_json::Value;
use serde_json::value::RawValue;
use signing::{Malformed, PostbackKeys, Spelling, sign_postback, verify};

const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";

/// Checks `data` as the body of a postback, then as the list in a postback.
pub(crate) fn check(data: &[u8]) {
    check_body(data);
    if let Ok(text) = str::from_utf8(data) {
        check_list(text);
    }
}

fn check_body(data: &[u8]) -> bool {
    let private_key = private_key();
    let keys = PostbackKeys::new(ACCESS_KEY, &private_key);
    let verified = verify(data, &keys);
    if let Ok(verified) = verified {
        assert_eq!(verified.body().as_bytes(), data);
        serde_json::from_str::<&RawValue>(verified.body()).expect("JSON");
        expect_list_or_object(verified.additional_data());
    }
    verified.is_ok()
}

fn check_list(text: &str) {
    let value = serde_json::from_str::<Value>(text);
    match sign_postback(text, Spelling::Raw, ACCESS_KEY, &private_key()) {
        Ok(_) => {}
        Err(Malformed::Unexpected { .. }) => {
            assert!(!value.is_ok_and(|value| value.is_array() || value.is_object()), "a list or an object");
            return;
        }
        Err(_) => return,
    }
    expect_list_or_object(text);
    for spelling in [Spelling::Flagged, Spelling::Default, Spelling::Raw] {
        assert!(check_body(body(text, &sign(text, spelling)).as_bytes()));
    }
    if let Ok(value) = value
        && is_spelled_alike(&value)
    {
        let flagged = flagged(&value);
        assert_eq!(sign(text, Spelling::Flagged), sign(&flagged, Spelling::Raw));
        let default = default(&flagged);
        assert_eq!(sign(text, Spelling::Default), sign(&default, Spelling::Raw));
    }
}

fn expect_list_or_object(text: &str) {
    let raw: &RawValue = serde_json::from_str(text).expect("JSON");
    assert!(raw.get().starts_with(['[', '{']), "a list or an object");
}

/// Whether `serde_json` writes the value as PHP does. It does not if there are numbers, which it spells anew, or several keys,
/// which it sorts.
fn is_spelled_alike(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(_) => false,
        Value::Array(items) => items.iter().all(is_spelled_alike),
        Value::Object(members) => members.len() < 2 && members.values().all(is_spelled_alike),
    }
}

fn flagged(value: &Value) -> String {
    let spelled = value.to_string();
    let spelled = spelled.replace('\u{2028}', "\\u2028");
    spelled.replace('\u{2029}', "\\u2029")
}

fn default(flagged: &str) -> String {
    let unit = |unit: &mut u16| format!("\\u{unit:04x}");
    let spell = |char: char| match char {
        '/' => "\\/".to_owned(),
        _ if char.is_ascii() => char.to_string(),
        _ => char.encode_utf16(&mut [0; 2]).iter_mut().map(unit).collect(),
    };
    flagged.chars().map(spell).collect()
}

fn body(list: &str, signature: &str) -> String {
    format!(r#"{{"signature":"{signature}","access_key":"{ACCESS_KEY}","additional_data":{list}}}"#)
}

fn sign(list: &str, spelling: Spelling) -> String {
    sign_postback(list, spelling, ACCESS_KEY, &private_key()).expect("a list or an object")
}

fn private_key() -> SecretString {
    SecretString::from("test_private_key")
}
