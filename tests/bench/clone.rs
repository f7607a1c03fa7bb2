//! What it costs to get a repository of 20,000 files from a server on loopback, beside the git program.
//!
//! `tests/bench/run` prints ratios; absolute times depend on the machine. Only the release binary is measured.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tako_tests::binary::tako;
use tako_tests::git::{self, HttpServer, TestRepo};
use tako_tests::home::Home;
use tako_tests::stopwatch;

/// Repetitions of each measurement; the median counts.
const ROUNDS: usize = 5;

const DIRECTORIES: usize = 200;
const FILES_EACH: usize = 100;

const MANIFEST: &str = "version: 1\nworkflows: {go: {steps: ['true']}}\n";

fn main() {
    // A debug build would be compared with optimised programs.
    assert!(tako().ends_with("release/tako"), "start this with tests/bench/run");
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    println!("{:<44} {:>10} {:>10} {:>8}", "", "tako", "baseline", "ratio");
    let plain = HttpServer::serve(root.path());
    print("clone of 20,000 files and a step, against git", tako_clones(&plain), git_clones(&plain));
    let tls = HttpServer::builder().tls().basic_auth("ci", "s3cret").serve(root.path());
    print("the same by https with a password", tako_clones(&tls), git_clones(&tls));
}

/// The bare repository `o/r.git` below `root`, with two commits: depth 1 is not everything.
fn make(root: &Path) {
    let repo = TestRepo::new();
    repo.write("tako.yml", MANIFEST);
    for directory in 0..DIRECTORIES {
        for file in 0..FILES_EACH {
            let text = format!("// {directory}/{file}\n").repeat(20);
            repo.write(&format!("src/{directory:03}/{file:03}.txt"), text);
        }
    }
    repo.commit("Everything");
    repo.write("README.md", "The newest.\n").commit("The newest");
    fs::create_dir(root.join("o")).unwrap();
    // Packed, as a server has it: what is measured is the way of the files, not their compression.
    repo.bare_clone(&root.join("o/r.git")).git(&["repack", "-a", "-d", "--quiet"]);
}

/// `tako exec` of a repository that it has to clone first, in a home of its own every time.
fn tako_clones(server: &HttpServer) -> Duration {
    stopwatch::median(ROUNDS, || {
        let home = Home::new();
        let mut config = format!("[clone]\nurl = {:?}\n", server.template());
        if server.url().starts_with("https") {
            let token = home.path().join("token");
            fs::write(&token, "s3cret").unwrap();
            fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
            config += &format!("ca_file = {:?}\n[[clone.credentials]]\n", server.ca_file());
            config += &format!("origin = {:?}\nusername = \"ci\"\ntoken_file = {token:?}\n", server.url());
        }
        fs::write(home.path().join("config.toml"), config).unwrap();
        let command = home.command(&["exec", "go", "--repo=o/r", "-q"]);
        (command, home)
    })
}

/// `git clone --depth 1` and a shell.
fn git_clones(server: &HttpServer) -> Duration {
    stopwatch::median(ROUNDS, || {
        let into = tempfile::tempdir().unwrap();
        let mut url = server.clone_url("o/r");
        let mut command = git::command(into.path());
        if server.url().starts_with("https") {
            url = url.replace("://", "://ci:s3cret@");
            command.env("GIT_SSL_CAINFO", server.ca_file());
        }
        command.args(["clone", "--quiet", "--depth=1", &url, "r"]);
        (command, into)
    })
}

fn print(name: &str, tako: Duration, baseline: Duration) {
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let ratio = tako.as_secs_f64() / baseline.as_secs_f64();
    println!("{name:<44} {:>10} {:>10} {ratio:>7.2}x", millis(tako), millis(baseline));
}
