//! The import rules of the house: no arrow goes up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use tako_tests::binary::workspace;

/// What each crate may import of the others.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tako-schemas", &[]),
    ("tako-expr", &["tako-schemas"]),
    ("tako-engine", &["tako-schemas", "tako-expr"]),
    ("tako-store", &["tako-schemas", "tako-engine"]),
    ("tako-repos", &["tako-schemas", "tako-engine"]),
    ("tako-runtime", &["tako-schemas", "tako-engine"]),
    ("tako-steps", &["tako-schemas", "tako-engine"]),
    ("tako-remote", &["tako-schemas", "tako-engine"]),
    ("tako-server", &["tako-schemas", "tako-engine"]),
    ("tako-lint", &["tako-schemas", "tako-expr", "tako-engine"]),
    (
        "tako",
        &[
            "tako-schemas",
            "tako-expr",
            "tako-engine",
            "tako-store",
            "tako-repos",
            "tako-runtime",
            "tako-steps",
            "tako-remote",
            "tako-server",
            "tako-lint",
        ],
    ),
];

/// Crates that do process, network or file system I/O: the pure crates have none of them.
const IO: &[&str] = &["git2", "rusqlite", "reqwest", "nix", "cap-std", "tempfile", "bollard", "axum"];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let normal = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
    };
    metadata["packages"].as_array().unwrap().iter().map(|package| (name(package), normal(package))).collect()
}

#[test]
fn crates_import_only_what_lies_below_them() {
    let found = dependencies();
    for (package, imports) in &found {
        if package == "tako-tests" {
            continue;
        }
        let allowed = ALLOWED.iter().find(|(name, _)| name == package);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{package} has no place in the house yet"));
        for import in imports.iter().filter(|import| import.starts_with("tako")) {
            assert!(allowed.contains(&import.as_str()), "{package} must not import {import}");
        }
    }
    assert_eq!(found.len(), ALLOWED.len() + 1, "every crate is in the table");
}

#[test]
fn the_pure_crates_do_no_io() {
    let found = dependencies();
    for package in ["tako-schemas", "tako-expr", "tako-engine"] {
        for import in &found[package] {
            assert!(!IO.contains(&import.as_str()), "{package} must not import {import}");
        }
    }
}

#[test]
fn pure_crates_name_no_file_process_or_socket() {
    let forbidden = [
        "std::fs",
        "std::process",
        "std::net",
        "tokio::fs",
        "tokio::process",
        "tokio::net",
        "SystemTime::now",
        "now_utc",
    ];
    for folder in ["schemas/src", "agent/expr/src", "agent/engine/src"] {
        for path in rust_files(&workspace().join(folder)) {
            // What stands under `#[cfg(test)]` may read fixtures and start shells.
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            for word in forbidden {
                assert!(!code.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}
