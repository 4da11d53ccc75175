//! The programs of this workspace: where cargo puts them, and building them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// Variables that `cargo run` and `cargo test` set for what they start. A build script that watches one of them would be
/// run again, and half of the dependencies be built again, if they reached the next cargo.
const CARGOS_OWN: [&str; 6] =
    ["CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR"];

/// The directory with the programs that cargo builds like the running one: `target/debug`, `target/release`.
///
/// # Errors
///
/// The running program's path cannot be read.
pub(crate) fn directory() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let directory = program.parent().unwrap_or(Path::new("."));
    Ok(if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory }.to_owned())
}

/// Whether cargo has started this program, as `cargo run` does. A program that was started by itself has its functions beside it.
#[must_use]
pub fn is_run_by_cargo() -> bool {
    std::env::var_os("CARGO").is_some()
}

/// Builds these programs of the workspace where cargo has built the running one, with cargo's output shown.
///
/// # Errors
///
/// Cargo cannot be started, or the build fails.
pub async fn build(programs: impl IntoIterator<Item = &str>) -> io::Result<()> {
    let directory = directory()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = match directory.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let mut command = Command::new(cargo);
    command
        // The whole workspace decides about the features, so that no crate is built twice.
        .args(["build", "--workspace", "--profile", profile, "--target-dir"])
        .arg(directory.parent().unwrap_or(&directory))
        .args(programs.into_iter().flat_map(|program| ["--bin", program]))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if CARGOS_OWN.iter().any(|own| name.to_string_lossy().starts_with(own)) {
            command.env_remove(name);
        }
    }
    let status = command.status().await?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("cargo ended with {status}"))) }
}
