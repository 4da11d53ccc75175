//! What a signature costs: `verify` of the provider's sample, beside a verifier that parses and writes again, and beside
//! the bare hashes.
//!
//!     cargo bench -p benches --bench signing

use std::hint::black_box;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha1::Sha1;
use signing::{PostbackKeys, verify};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const POSTBACK: &str = include_str!("../shared/signing/tests/fixtures/deposit.json");
const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";

fn main() {
    divan::main();
}

fn private_key() -> SecretString {
    SecretString::from("test_private_key")
}

#[divan::bench]
fn ours(bencher: Bencher<'_, '_>) {
    let private_key = private_key();
    let keys = PostbackKeys::new(ACCESS_KEY, &private_key);
    bencher.counter(BytesCount::of_str(POSTBACK)).bench_local(|| verify(black_box(POSTBACK.as_bytes()), &keys).is_ok());
}

/// What every public integration does: it fails on a number that is spelled in another way, and on keys that stand twice.
#[divan::bench]
fn parsed_and_written_again(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_str(POSTBACK)).bench_local(|| {
        let body: Value = serde_json::from_str(black_box(POSTBACK)).ok()?;
        let list = serde_json::to_string(body.get("additional_data")?).ok()?;
        Some(signature(&list) == body.get("signature")?.as_str()?)
    });
}

#[derive(Deserialize)]
struct Envelope<'a> {
    signature: &'a str,
    #[serde(borrow)]
    additional_data: &'a RawValue,
}

/// The same with the list cut out before it is parsed.
#[divan::bench]
fn cut_out_parsed_and_written_again(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::of_str(POSTBACK)).bench_local(|| {
        let body: Envelope<'_> = serde_json::from_str(black_box(POSTBACK)).ok()?;
        let list: Value = serde_json::from_str(body.additional_data.get()).ok()?;
        Some(signature(&serde_json::to_string(&list).ok()?) == body.signature)
    });
}

/// Less than this no verifier can do: the hashes of the list, and one look at each byte of the body.
#[divan::bench]
fn bare_floor(bencher: Bencher<'_, '_>) {
    let list = POSTBACK.find("[{").and_then(|start| POSTBACK.get(start..)).unwrap_or_default();
    bencher.counter(BytesCount::of_str(POSTBACK)).bench_local(|| {
        let structure = black_box(POSTBACK).bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'[' | b'{')).count();
        (signature(black_box(list)), structure)
    });
}

fn signature(list: &str) -> String {
    let hash = hex::encode(Md5::digest(list));
    let sha1 = Sha1::new().chain_update(ACCESS_KEY).chain_update(private_key().expose_secret()).chain_update(hash);
    hex::encode(sha1.finalize())
}
