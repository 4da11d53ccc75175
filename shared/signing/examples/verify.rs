//! Verifies the provider's sample postback as many times as the argument says. `scripts/check-instructions` counts the instructions.

use std::hint::black_box;
use std::process::ExitCode;

use secrecy::SecretString;
use signing::{PostbackKeys, verify};

const POSTBACK: &str = include_str!("../tests/fixtures/deposit.json");
const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";

fn main() -> ExitCode {
    let times = std::env::args().nth(1).and_then(|times| times.parse().ok()).unwrap_or(1);
    let private_key = SecretString::from("test_private_key");
    let keys = PostbackKeys::new(ACCESS_KEY, &private_key);
    let verified = (0..times).all(|_| verify(black_box(POSTBACK.as_bytes()), &keys).is_ok());
    if verified { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
