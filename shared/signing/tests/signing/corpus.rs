//! Replays the fuzzer's corpus, and makes the same check with random bytes.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::check::check;
use crate::sample::DEPOSIT;

#[test]
fn the_fuzzer_s_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/verify");
    let mut seen = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        check(&fs::read(entry.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_pass(data: Vec<u8>) {
        check(&data);
    }

    #[test]
    fn arbitrary_text_of_json_s_alphabet_passes(
        text in r#"[\[{]([\[\]{}",:0-9\\u/abdefnrt \-+.Eé🙂]|"[a-f0-9\\/]{0,4}",?|\\u[0-9a-fA-F]{4}|null|true,|1,){0,12}[\]}]"#
    ) {
        check(text.as_bytes());
    }

    #[test]
    fn a_postback_with_arbitrary_bytes_in_it_passes(at in 0..DEPOSIT.len(), len in 0..4_usize, bytes: [u8; 3], put in 0..4_usize) {
        let mut body = DEPOSIT.as_bytes().to_vec();
        let end = body.len().min(at.saturating_add(len));
        body.splice(at..end, bytes.into_iter().take(put));
        check(&body);
    }
}
