//! Which bodies and lists are not accepted, and with which error.

use secrecy::SecretString;
use signing::{KeyPair, Malformed, NotVerified, PostbackKeys, Spelling, WhichPair, sign_postback};

use crate::sample::{ACCESS_KEY, DEPOSIT, body, private_key, sign, verify};

const LIST: &str = r#"[{"amount":"700","transaction_type":0}]"#;

fn refused(body: &str) -> NotVerified {
    verify(body.as_bytes()).unwrap_err()
}

/// Signs any list, so that only its form can be the reason for an error.
fn signing_refuses(list: &str) -> Malformed {
    sign_postback(list, Spelling::Raw, ACCESS_KEY, &private_key()).unwrap_err()
}

fn signed() -> String {
    body(LIST, &sign(LIST, Spelling::Flagged))
}

fn duplicate() -> NotVerified {
    NotVerified::Malformed(Malformed::DuplicateKey)
}

#[test]
fn every_changed_bit_of_the_signed_list_is_refused() {
    let genuine = verify(DEPOSIT.as_bytes()).unwrap();
    let start = DEPOSIT.find(genuine.additional_data()).unwrap();
    for at in start..start + genuine.additional_data().len() {
        for bit in 0..8 {
            let mut body = DEPOSIT.as_bytes().to_vec();
            body[at] ^= 1 << bit;
            let whitespace = |byte: u8| b" \n\r\t".contains(&byte);
            if !(whitespace(body[at]) && whitespace(DEPOSIT.as_bytes()[at])) {
                assert!(verify(&body).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}

#[test]
fn what_stands_outside_the_list_is_not_signed() {
    verify(DEPOSIT.replace("\"amount\": 700,", "\"amount\": 900,").as_bytes()).unwrap();
    verify(DEPOSIT.replace("631317234", "631317235").as_bytes()).unwrap();
}

#[test]
fn another_access_key_is_refused_before_the_signature_is_looked_at() {
    let body = signed().replace(ACCESS_KEY, "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHk");
    assert_eq!(refused(&body), NotVerified::AccessKey);
    assert_eq!(refused(&signed().replace(ACCESS_KEY, "")), NotVerified::AccessKey);
}

#[test]
fn the_access_key_may_be_spelled_with_escapes() {
    verify(signed().replace("\"FQ9j", "\"\\u0046Q9j").as_bytes()).unwrap();
}

#[test]
fn a_signature_is_forty_lower_case_hex_digits() {
    let right = sign(LIST, Spelling::Flagged);
    let wrong = [
        String::new(),
        right[..39].to_owned(),
        format!("{right}0"),
        format!(" {right}"),
        right.to_uppercase(),
        "z".repeat(40),
        "0".repeat(40),
        right.replacen(|_: char| true, &format!("\\u{:04x}", right.as_bytes()[0]), 1),
    ];
    for signature in wrong {
        assert_eq!(refused(&body(LIST, &signature)), NotVerified::Signature);
    }
}

#[test]
fn the_key_before_a_rotation_verifies_until_it_is_taken_away() {
    let (new, old) = (SecretString::from("new"), private_key());
    let old = KeyPair { access_key: ACCESS_KEY, private_key: &old };
    let body = signed();
    for access_key in [ACCESS_KEY, "another"] {
        let keys = PostbackKeys::new(access_key, &new);
        let verified = signing::verify(body.as_bytes(), &PostbackKeys { previous: Some(old), ..keys });
        assert_eq!(verified.unwrap().pair(), WhichPair::Previous);
        let refusal = signing::verify(body.as_bytes(), &keys).unwrap_err();
        let other = if access_key == ACCESS_KEY { NotVerified::Signature } else { NotVerified::AccessKey };
        assert_eq!(refusal, other);
    }
    let both = PostbackKeys { current: old, previous: Some(KeyPair { access_key: "another", ..old }) };
    assert_eq!(signing::verify(body.as_bytes(), &both).unwrap().pair(), WhichPair::Current);
}

#[test]
fn a_private_key_signs_only_with_the_access_key_of_its_pair() {
    let (new, old) = (SecretString::from("new"), private_key());
    let previous = KeyPair { access_key: "another", private_key: &old };
    let keys =
        PostbackKeys { current: KeyPair { access_key: ACCESS_KEY, private_key: &new }, previous: Some(previous) };
    assert_eq!(signing::verify(signed().as_bytes(), &keys).unwrap_err(), NotVerified::Signature);
}

#[test]
fn an_empty_private_key_verifies_nothing() {
    let empty = SecretString::from("");
    let signature = sign_postback(LIST, Spelling::Flagged, ACCESS_KEY, &empty).unwrap();
    let body = body(LIST, &signature);
    let pair = |private_key| KeyPair { access_key: ACCESS_KEY, private_key };
    let only = PostbackKeys { current: pair(&empty), previous: None };
    assert_eq!(signing::verify(body.as_bytes(), &only).unwrap_err(), NotVerified::AccessKey);
    let genuine = private_key();
    let one = PostbackKeys { current: pair(&genuine), previous: Some(pair(&empty)) };
    assert_eq!(signing::verify(body.as_bytes(), &one).unwrap_err(), NotVerified::Signature);
}

#[test]
fn a_missing_field_is_named() {
    for field in ["signature", "access_key", "additional_data"] {
        let body = signed().replace(&format!("\"{field}\""), "\"other\"");
        assert_eq!(refused(&body), NotVerified::Malformed(Malformed::Missing(field)));
    }
}

#[test]
fn a_second_key_at_the_top_is_refused_however_it_is_spelled() {
    for twice in [
        "\"additional_data\":[]",
        r#""additional\u005fdata":[]"#,
        r#""\u0061ccess_key":"""#,
        "\"label\":1,\"label\":1",
        r#""a/b":1,"c":2,"a\/b":1"#,
    ] {
        let body = signed().replacen('{', &format!("{{{twice},"), 1);
        assert_eq!(refused(&body), duplicate(), "{twice}");
    }
}

#[test]
fn a_second_key_in_a_signed_object_is_refused_at_any_depth() {
    for list in [
        r#"[{"amount":"1","amount":"2"}]"#,
        r#"[{"amount":"1","\u0061mount":"2"}]"#,
        r#"[{"a":{"b":1,"c":{},"b":1}}]"#,
        r#"[[{"é":1,"\u00e9":2}]]"#,
        r#"[{"🙂":1,"\ud83d\ude42":2}]"#,
        r#"[{"":1,"":2}]"#,
        r#"{"0":{},"0":{}}"#,
        r#"{"0":{},"\u0030":{}}"#,
        r#"{"0":{"amount":"1","amount":"2"},"1":{}}"#,
    ] {
        assert_eq!(signing_refuses(list), Malformed::DuplicateKey, "{list}");
        assert_eq!(refused(&body(list, "")), duplicate(), "{list}");
    }
}

#[test]
fn the_same_key_in_two_objects_is_no_duplicate() {
    for list in [r#"[{"a":1},{"a":1}]"#, r#"{"0":{"0":1},"2":{"0":1}}"#, r#"[{"a":{"a":{"a":1}},"b":[{"a":1,"b":2}]}]"#]
    {
        verify(body(list, &sign(list, Spelling::Flagged)).as_bytes()).unwrap();
    }
}

#[test]
fn anything_before_or_behind_the_body_is_refused_but_whitespace() {
    verify(format!(" \r\n\t{}\n ", signed()).as_bytes()).unwrap();
    for extra in ["{}", "\0", ",", "x", "\u{feff}", "\u{a0}", "\u{b}", "//"] {
        assert!(verify(format!("{}{extra}", signed()).as_bytes()).is_err());
        assert!(verify(format!("{extra}{}", signed()).as_bytes()).is_err());
    }
}

#[test]
fn a_cut_body_is_refused_at_every_length() {
    for len in 0..DEPOSIT.trim_end().len() {
        let refusal = verify(&DEPOSIT.as_bytes()[..len]).unwrap_err();
        let NotVerified::Malformed(Malformed::Unexpected { at }) = refusal else {
            panic!("{refusal:?}");
        };
        assert!(at <= len, "a token that was cut is refused at its start");
    }
}

#[test]
fn signed_fields_of_another_type_are_refused() {
    for (field, value) in [
        ("additional_data", "\"[]\""),
        ("additional_data", "\"{}\""),
        ("additional_data", "0"),
        ("additional_data", "true"),
        ("additional_data", "null"),
        ("signature", "1"),
        ("signature", "[]"),
        ("access_key", "null"),
        ("access_key", "{}"),
    ] {
        let body = signed().replace(&format!("\"{field}\":"), &format!("\"{field}\":{value},"));
        assert!(matches!(refused(&body), NotVerified::Malformed(Malformed::Unexpected { .. })), "{field}: {value}");
    }
    for body in ["", " ", "[]", "null", "\"\"", "0"] {
        assert!(matches!(refused(body), NotVerified::Malformed(_)), "{body}");
    }
}

#[test]
fn what_is_not_strict_json_is_refused_wherever_it_stands() {
    for value in [
        "",
        "01",
        "-",
        "-01",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "+1",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "nullx",
        "True",
        "tru",
        "falsey",
        "'a'",
        "a",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        "{1:2}",
        r#"{"a":1 "b":2}"#,
        "[}",
        "{]",
        "/**/1",
        "\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "\"\u{1f}\"",
        r#""\"#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u+123""#,
        r#""\u00g0""#,
        r#""\U0041""#,
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\u0041""#,
        r#""\ud800\ud800""#,
        r#""\ud83d\\ude42""#,
        r#""\udc00\ud800""#,
        "\u{feff}1",
        "1\u{a0}",
    ] {
        let unsigned = signed().replacen('{', &format!("{{\"x\":{value},"), 1);
        for text in [body(&format!("[{value}, 1]"), ""), unsigned] {
            assert!(matches!(refused(&text), NotVerified::Malformed(Malformed::Unexpected { .. })), "{text}");
        }
    }
}

#[test]
fn what_is_not_utf8_is_refused() {
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\xa4"] {
        let mut body = signed().into_bytes();
        let inside = body.len() - LIST.len() + 3;
        body.splice(inside..inside, bytes.iter().copied());
        let refusal = verify(&body).unwrap_err();
        assert_eq!(refusal, NotVerified::Malformed(Malformed::Utf8));
    }
}

#[test]
fn values_nest_up_to_the_limit_and_no_deeper() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deepest = nested(63);
    verify(body(&deepest, &sign(&deepest, Spelling::Flagged)).as_bytes()).unwrap();
    assert_eq!(signing_refuses(&nested(64)), Malformed::TooDeep);
    let in_object = |depth: usize| format!(r#"{{"0":{}}}"#, nested(depth));
    let deepest = in_object(62);
    verify(body(&deepest, &sign(&deepest, Spelling::Flagged)).as_bytes()).unwrap();
    assert_eq!(signing_refuses(&in_object(63)), Malformed::TooDeep);
    for text in [body(&nested(64), ""), body("[]", "").replacen('{', &format!("{{\"x\":{},", nested(100_000)), 1)] {
        assert_eq!(refused(&text), NotVerified::Malformed(Malformed::TooDeep));
    }
}

#[test]
fn only_one_list_or_object_and_whitespace_around_it_can_be_signed() {
    assert_eq!(sign(" [1]\n", Spelling::Raw), sign("[1]", Spelling::Raw));
    assert_eq!(sign("\t{\"0\":1} ", Spelling::Raw), sign("{\"0\":1}", Spelling::Raw));
    for text in ["", "1", "null", "\"{}\"", "[1],[2]", "[1]x", "{},{}", "{}x", "{", "{]", "[}"] {
        assert!(matches!(signing_refuses(text), Malformed::Unexpected { .. }));
    }
}

#[test]
fn no_refusal_and_no_debug_output_repeats_what_was_sent() {
    let secret = "MARKER";
    let bodies = [
        body(r#"["MARKER"]"#, "MARKER"),
        body(r#"[{"MARKER":1,"MARKER":2}]"#, ""),
        signed().replace(ACCESS_KEY, secret),
        format!("{}MARKER", signed()),
    ];
    for text in bodies {
        let refusal = refused(&text);
        assert!(!format!("{refusal} {refusal:?}").contains(secret));
    }
    let verified = signed();
    assert!(!format!("{:?}", verify(verified.as_bytes()).unwrap()).contains("700"));
}
