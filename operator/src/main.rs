//! The operator's tool, as a program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    operator::run().await
}
