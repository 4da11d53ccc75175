//! A stack in which each function does as it is asked.

use std::os::unix::fs::symlink;
use std::path::Path;

use local::{StackOptions, function_names};
use tempfile::TempDir;

/// A directory in which every function is the fake one.
pub(crate) fn fakes() -> TempDir {
    let fake = Path::new(env!("CARGO_BIN_EXE_local")).with_file_name("examples").join("fake-function");
    let directory = tempfile::tempdir().unwrap();
    for function in function_names() {
        symlink(&fake, directory.path().join(function)).unwrap();
    }
    directory
}

pub(crate) fn options(fakes: &TempDir) -> StackOptions {
    StackOptions { binaries: Some(fakes.path().to_owned()), ..StackOptions::default() }
}
