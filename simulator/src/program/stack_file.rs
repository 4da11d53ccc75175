//! The values of a stack: KEY=VALUE lines, as the local stack writes them.

use std::path::{Path, PathBuf};

use reqwest::Url;
use secrecy::SecretString;
use simulator::is_loopback;

use crate::program::cli::Stack;
use crate::program::end::Failure;

/// A file of KEY=VALUE lines.
pub(crate) struct StackFile {
    file: PathBuf,
    values: Vec<(String, String)>,
}

impl StackFile {
    /// Reads the file that the command line names, or else the file of the local stack.
    pub(crate) fn read(stack: &Stack) -> Result<Self, Failure> {
        let (file, hint) = match &stack.env_file {
            Some(file) => (file.clone(), ""),
            None => {
                (local_stack_file()?, " (no local stack is running: start one with `cargo run`, or give --env-file)")
            }
        };
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Failure::Usage(format!("{}: {error}{hint}", file.display())))?;
        let values = text.lines().filter_map(|line| line.trim().split_once('='));
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { file, values })
    }

    /// Gives a value.
    pub(crate) fn value(&self, name: &str) -> Result<&str, Failure> {
        let found = self.values.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Failure::Usage(format!("{} is missing in {}", name, self.file.display())))
    }
}

/// The file that a running local stack writes: in cargo's target directory, two levels above this program.
fn local_stack_file() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::Usage(format!("this program's path: {error}")))?;
    Ok(program.ancestors().nth(2).unwrap_or(Path::new(".")).join("stack.env"))
}

/// Checks where postbacks are sent to. A stack on another machine must be one for testing.
pub(crate) fn check_postback_url(url: &str, stack: &Stack) -> Result<SecretString, Failure> {
    let parsed = Url::parse(url).map_err(|error| Failure::Usage(format!("the postback URL: {error}")))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(Failure::Usage("the postback URL must start with http:// or https://".into()));
    }
    if !is_loopback(&parsed) && !stack.test_stack {
        return Err(Failure::NotAllowed(
            "the postback URL is not on this machine, and a stack credits what is simulated: give --test-stack if the \
             stack is one for testing"
                .into(),
        ));
    }
    Ok(url.into())
}
