//! `scripts/nightly fuzz` runs this. A normal test replays the corpus.
#![no_main]

#[path = "../check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
