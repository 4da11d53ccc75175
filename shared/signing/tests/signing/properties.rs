//! Properties over random values, in random spellings.

use std::fmt::Write;

use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use signing::Spelling::{self, Default, Flagged, Raw};

use crate::sample::{body, sign, verify};

/// A JSON value that is not spelled yet. A number is its token.
#[derive(Clone, Debug)]
enum Json {
    Token(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn text() -> impl Strategy<Value = String> {
    let special = select(
        "/\"\\'<&\u{0}\u{8}\n\u{1f}\u{7f}\u{80}éह🙂\u{2028}\u{2029}\u{ffff}\u{10ffff}".chars().collect::<Vec<_>>(),
    );
    vec(prop_oneof![any::<char>(), special, proptest::char::range('0', 'z')], 0..6).prop_map(String::from_iter)
}

fn json() -> impl Strategy<Value = Json> {
    let word = select(vec!["null", "true", "false"]).prop_map(|word| Json::Token(word.to_owned()));
    let number = "-?(0|[1-9][0-9]{0,12})(\\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?".prop_map(Json::Token);
    let leaf = prop_oneof![word, number, text().prop_map(Json::Text)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::List),
            hash_map(text(), inner, 0..4).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// A list, or an object in its place.
fn list() -> impl Strategy<Value = Json> {
    prop_oneof![
        vec(json(), 0..4).prop_map(Json::List),
        hash_map(prop_oneof!["0|[1-9][0-9]?", text()], json(), 0..4)
            .prop_map(|members| Json::Object(members.into_iter().collect())),
    ]
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..40)
}

/// Spells a value as JSON. A cycle of bytes decides each free choice: whitespace, escapes, upper or lower case.
struct Speller<'a, C> {
    out: String,
    choices: &'a mut C,
}

fn spell(json: &Json, choices: &[u8]) -> String {
    let mut speller = Speller { out: String::new(), choices: &mut choices.iter().copied().cycle() };
    speller.value(json);
    speller.out
}

impl<C: Iterator<Item = u8>> Speller<'_, C> {
    fn choice<T: Copy, const N: usize>(&mut self, from: [T; N]) -> T {
        let chosen = self.choices.next().unwrap();
        *from.iter().cycle().nth(usize::from(chosen)).unwrap()
    }

    fn value(&mut self, json: &Json) {
        match json {
            Json::Token(token) => self.out.push_str(token),
            Json::Text(text) => self.text(text),
            Json::List(items) => self.items(['[', ']'], items, Self::value),
            Json::Object(members) => self.items(['{', '}'], members, |speller, (key, value)| {
                speller.text(key);
                speller.mark(':');
                speller.value(value);
            }),
        }
    }

    fn items<T>(&mut self, [open, close]: [char; 2], items: &[T], item: impl Fn(&mut Self, &T)) {
        self.out.push(open);
        self.space();
        for (at, one) in items.iter().enumerate() {
            if at > 0 {
                self.mark(',');
            }
            item(self, one);
        }
        self.space();
        self.out.push(close);
    }

    fn mark(&mut self, mark: char) {
        self.space();
        self.out.push(mark);
        self.space();
    }

    fn space(&mut self) {
        let space = ["", "", "", " ", "\n    ", "\t", "\r\n"];
        let chosen = self.choice(space);
        self.out.push_str(chosen);
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for char in text.chars() {
            let short = "\"\"\\\\//\u{8}b\u{c}f\nn\rr\tt".chars().collect::<Vec<_>>();
            let short = short.chunks(2).find(|pair| pair[0] == char);
            let must_escape = matches!(char, '"' | '\\' | ..' ') && char != ' ';
            match (self.choice([0, 1, 2, 3]), short) {
                (0 | 1, _) if !must_escape => self.out.push(char),
                (0..=2, Some(pair)) => self.out.extend(['\\', pair[1]]),
                (choice, _) => self.units(char, choice),
            }
        }
        self.out.push('"');
    }

    fn units(&mut self, char: char, choice: u32) {
        for unit in char.encode_utf16(&mut [0; 2]) {
            match choice % 2 {
                0 => write!(self.out, "\\u{unit:04x}").unwrap(),
                _ => write!(self.out, "\\u{unit:04X}").unwrap(),
            }
        }
    }
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn spelling() -> impl Strategy<Value = Spelling> {
    select(vec![Flagged, Default, Raw])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_signed_verifies_in_every_spelling(list in list(), ours in choices(), theirs in choices()) {
        let (signed, wire) = (spell(&list, &ours), spell(&list, &theirs));
        prop_assert_eq!(value(&signed), value(&wire));
        for signature in [sign(&signed, Flagged), sign(&signed, Default), sign(&wire, Raw)] {
            let body = body(&wire, &signature);
            let verified = verify(body.as_bytes()).unwrap();
            prop_assert_eq!(verified.additional_data(), &wire);
            prop_assert_eq!(verified.body(), &body);
        }
    }

    #[test]
    fn the_flagged_spelling_means_the_same_and_is_its_own(list in list(), choices in choices()) {
        let wire = spell(&list, &choices);
        let plain = spell(&list, &[0]);
        for spelling in [Flagged, Default] {
            prop_assert_eq!(sign(&wire, spelling), sign(&plain, spelling));
        }
    }

    #[test]
    fn a_changed_value_is_refused(
        list in list(), choices in choices(), spelling in spelling(), at: Index, put in vec(any::<u8>(), 0..3), cut in 0..3_usize,
    ) {
        let wire = spell(&list, &choices);
        let signature = sign(&wire, spelling);
        let mut changed = wire.clone().into_bytes();
        let at = at.index(changed.len());
        let end = changed.len().min(at.saturating_add(cut));
        changed.splice(at..end, put);
        if let Ok(changed) = String::from_utf8(changed)
            && verify(body(&changed, &signature).as_bytes()).is_ok()
        {
            prop_assert_eq!(value(&changed), value(&wire), "only another spelling verifies");
        }
    }

    #[test]
    fn one_list_s_signature_verifies_no_other(one in list(), other in list(), choices in choices(), spelling in spelling()) {
        let (one, other) = (spell(&one, &choices), spell(&other, &choices));
        prop_assume!(value(&one) != value(&other));
        prop_assert!(verify(body(&other, &sign(&one, spelling)).as_bytes()).is_err());
    }
}
