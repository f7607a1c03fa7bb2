//! What `tako validate` says of bad files, as it says it: `tests/diagnostics/NAME.yml` is a file, `NAME.txt` the answer.
//! `DIAGNOSTICS=overwrite` writes the answers anew.
//!
//! The name of a file begins with the code it is about.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::{Assert, Data};
use tako_schemas::code;
use tako_tests::binary::{self, workspace};

fn folder() -> PathBuf {
    workspace().join("tests/diagnostics")
}

/// The bad files, in order.
fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "yml")).collect();
    files.sort();
    files
}

/// The code that a file is about.
fn code_of(file: &Path) -> String {
    let name = file.file_name().unwrap().to_str().unwrap();
    name.split('_').next().unwrap().to_uppercase()
}

/// What is said of a file.
fn said(file: &Path) -> String {
    let output = Command::new(binary::tako())
        .current_dir(folder())
        .arg("validate")
        .arg(file.file_name().unwrap())
        .env("NO_COLOR", "1")
        .env("TAKO_HOME", "/nonexistent/tako")
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

#[test]
fn bad_files_are_told_what_to_do() {
    let assert = Assert::new().action_env("DIAGNOSTICS");
    let mut wrong = String::new();
    for file in files() {
        let said = said(&file);
        if !said.contains(&format!("[{}]", code_of(&file))) {
            _ = writeln!(wrong, "{}: it is not told its code\n{said}", file.display());
        }
        // Raw: the answers hold `...` and backslashes that are meant.
        let expected = Data::read_from(&file.with_extension("txt"), None).raw();
        if let Err(error) = assert.try_eq(Some(&file.display()), Data::text(said).raw(), expected) {
            _ = writeln!(wrong, "{error}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_answer_has_its_file() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt")
            && !path.with_extension("yml").exists()
        {
            panic!("{} answers nothing", path.display());
        }
    }
}

#[test]
fn every_code_of_loading_is_shown() {
    // A file of more than 1 MiB is not kept here.
    let mut shown: HashSet<String> = HashSet::from([code::TOO_LARGE.to_owned()]);
    shown.extend(files().iter().map(|file| code_of(file)));
    for (code, meaning) in code::ALL.iter().filter(|(code, _)| *code < "TK0400") {
        assert!(shown.contains(*code), "no file is about {code}: {meaning}");
    }
}
