//! Every input that the fuzzer's corpus keeps, and every file of the diagnostics' snapshots and the schema's corpus, holds
//! the invariants.

#![expect(clippy::unwrap_used, reason = "a corpus that cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use tako_tests::binary::workspace;
use tako_tests::invariants;

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn hold(target: &str, invariant: fn(&[u8])) {
    let kept = files(&workspace().join("tests/fuzz/corpus").join(target));
    assert!(!kept.is_empty(), "the corpus of {target} is empty");
    for file in kept {
        invariant(&fs::read(&file).unwrap());
    }
}

#[test]
fn files_hold_what_always_holds() {
    hold("load", invariants::load);
    hold("check", invariants::check);
    for directory in
        ["tests/diagnostics", "schemas/corpus/good", "schemas/corpus/bad", "schemas/corpus/loader-only"]
    {
        for file in files(&workspace().join(directory)).iter().filter(|file| file.is_file()) {
            let data = fs::read(file).unwrap();
            invariants::load(&data);
            invariants::check(&data);
        }
    }
}

#[test]
fn templates_hold_what_always_holds() {
    hold("template", invariants::template);
}

#[test]
fn expressions_hold_what_always_holds() {
    hold("cel", invariants::cel);
}

#[test]
fn ranges_and_amounts_hold_what_always_holds() {
    hold("range", invariants::range);
    hold("amount", invariants::amount);
}
