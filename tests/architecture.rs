//! What depends on what, and what must not be in any function.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use local::function_names;
use serde_json::Value;

/// Each shared crate, and the shared crates that it may depend on.
const SHARED: [(&str, &[&str]); 5] =
    [("domain", &[]), ("lambda", &[]), ("paykassma", &["domain", "signing"]), ("signing", &[]), ("store", &["domain"])];

/// The pages that people see on their own machine. No function has any.
const PAGES: &str = "pages";

fn is_function(name: &str) -> bool {
    function_names().any(|function| function == name)
}

fn cargo(arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--no-deps", "--locked", "--offline", "--format-version", "1"]);
    let mut metadata: Value = serde_json::from_str(&metadata).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!() };
    packages
}

/// The workspace's own crates that a package depends on, not counting what only its tests use.
fn own_dependencies(package: &Value) -> BTreeSet<&str> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let own = dependencies.filter(|it| it["path"].is_string() && it["kind"] != "dev");
    own.map(|it| it["name"].as_str().unwrap()).collect()
}

#[test]
fn the_arrows_point_one_way() {
    for package in packages().iter().filter(|package| package["name"] != "tests") {
        let name = package["name"].as_str().unwrap();
        let found = own_dependencies(package);
        let shared: Vec<_> = SHARED.iter().map(|(name, _)| *name).collect();
        let of_operator = [&shared[..], &[PAGES]].concat();
        let allowed: &[&str] = match SHARED.iter().find(|(shared, _)| *shared == name) {
            Some((_, allowed)) => allowed,
            None if is_function(name) => &shared,
            None if name == PAGES => &[],
            None if name == "operator" => &of_operator,
            None if name == "simulator" => &["domain", PAGES, "paykassma", "signing"],
            None if name == "local" => &["signing", "simulator"],
            None if ["benches", "floor"].contains(&name) => &["signing"],
            None => panic!("{name} has no place in the architecture"),
        };
        assert!(found.iter().all(|it| allowed.contains(it)), "{name} may use {allowed:?} and uses {found:?}");
    }
}

#[test]
fn a_folder_is_a_package_and_a_function_is_one_binary() {
    for package in &packages() {
        let name = package["name"].as_str().unwrap();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        assert_eq!(manifest.parent().unwrap().file_name().unwrap().to_str(), Some(name));
        if is_function(name) {
            let targets = package["targets"].as_array().unwrap().iter();
            let binaries: Vec<_> = targets.filter(|target| target["kind"][0] == "bin").map(|it| &it["name"]).collect();
            assert_eq!(binaries, [name]);
        }
    }
}

#[test]
fn a_function_has_one_tls_stack_and_one_http_stack() {
    for function in function_names() {
        let tree = cargo(&["tree", "-p", function, "-e", "normal", "--prefix", "none", "--locked", "--offline"]);
        let crates: BTreeSet<_> =
            tree.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once(' ')).collect();
        let banned = |(name, version): &(&str, &str)| {
            let is_other_tls = name.starts_with("aws-lc") || matches!(*name, "openssl" | "openssl-sys" | "native-tls");
            let is_old = (*name == "rustls" && !version.starts_with("v0.23."))
                || (*name == "hyper" && version.starts_with("v0."));
            is_other_tls || is_old
        };
        let found: Vec<_> = crates.iter().filter(|it| banned(it)).collect();
        assert!(found.is_empty(), "{function}: {found:?}");
        assert!(crates.iter().any(|(name, _)| *name == "ring"), "{function} has no TLS at all");
    }
}
