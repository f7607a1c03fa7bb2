//! A TAKO_HOME of a test's own, with a repository set in it, and the `tako` program at work there.

#![expect(clippy::expect_used, clippy::panic, reason = "a harness that cannot do its work fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary;
use crate::git::TestRepo;

/// A home in a temporary directory; gone when it is dropped.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
}

/// What a finished `tako` left.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// An empty home.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[must_use]
    pub fn new() -> Self {
        Self {
            directory: tempfile::Builder::new().prefix("tako-test").tempdir().expect("a temporary directory"),
        }
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A directory of the test's own beside Tako's.
    #[must_use]
    pub fn outside(&self, name: &str) -> PathBuf {
        self.path().join("outside").join(name)
    }

    /// Adds `name` (`owner/repo`) at branch main to the repository set, with one commit.
    pub fn add(&self, name: &str, manifest: &str) -> TestRepo {
        let repo = TestRepo::at(&self.path().join("cache/repos").join(name).join("main"));
        repo.write("tako.yml", manifest).commit("The first commit");
        repo
    }

    /// A repository outside of the set, with one commit.
    pub fn checkout(&self, name: &str, manifest: &str) -> TestRepo {
        let repo = TestRepo::at(&self.outside(name));
        repo.write("tako.yml", manifest).commit("The first commit");
        repo
    }

    /// `tako` with this home and nothing of the caller's environment but PATH.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary::tako());
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.env("TAKO_HOME", self.path()).env("HOME", self.path()).env("LC_ALL", "C.UTF-8");
        command
    }

    /// Runs `tako` to its end.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn tako(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).output().expect("tako starts").into()
    }

    /// `tako status RUN --json`, the newest run where none is named.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn status(&self, run: Option<&str>) -> Value {
        let mut arguments = vec!["status", "--json"];
        arguments.extend(run);
        let finished = self.tako(&arguments).expect(0);
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
    }

    /// The journal entries that `tako exec … --output json` printed.
    ///
    /// # Panics
    ///
    /// If a line is no JSON.
    #[must_use]
    pub fn journal(finished: &Finished) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        finished.stdout.lines().map(parse).collect()
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Finished {
    /// This, if its exit code is `code`.
    ///
    /// # Panics
    ///
    /// If it is another one.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Lines of stdout that hold `part`.
    #[must_use]
    pub fn lines_with(&self, part: &str) -> Vec<&str> {
        self.stdout.lines().filter(|line| line.contains(part)).collect()
    }

    /// The run that the last block names.
    ///
    /// # Panics
    ///
    /// If it names none.
    #[must_use]
    pub fn run(&self) -> String {
        let all = format!("{}{}", self.stdout, self.stderr);
        let named = all
            .lines()
            .find_map(|line| line.strip_prefix("Execution ")?.split(": ").nth(1).map(str::to_owned));
        named.unwrap_or_else(|| panic!("no run in {all}"))
    }
}

/// Every node of a tree that `tako status --json` printed: the node itself and all below it.
#[must_use]
pub fn nodes(tree: &Value) -> Vec<&Value> {
    let mut all = vec![tree];
    let below = tree["children"].as_array().into_iter().flatten();
    all.extend(below.flat_map(nodes));
    all
}

/// The repositories of a tree with their states, sorted: `my-org/api:main success`.
#[must_use]
pub fn states(tree: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<String> = nodes(tree)
        .iter()
        .map(|node| format!("{} {}", text(&node["repository"]), text(&node["state"])))
        .collect();
    all.sort();
    all
}
