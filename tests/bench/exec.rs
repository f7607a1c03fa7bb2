//! What `tako exec` costs, beside what it is compared with, measured in the same minutes.
//!
//! `tests/bench/run` prints ratios; absolute times depend on the machine. Only the release
//! binary is measured.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use tako_tests::binary::tako;
use tako_tests::home::Home;
use tako_tests::stopwatch;

/// Repetitions of each measurement; the median counts.
const ROUNDS: usize = 9;

fn main() {
    // A debug build would be compared with optimised programs.
    assert!(tako().ends_with("release/tako"), "start this with tests/bench/run");
    println!("{:<44} {:>10} {:>10} {:>8}", "", "tako", "baseline", "ratio");
    twenty_steps();
    fifty_repositories();
    cold_start();
}

fn twenty_steps() {
    let home = Home::new();
    let mut manifest = "version: 1\nworkflows:\n  go:\n    steps:\n".to_owned();
    let mut recipe = "go:\n".to_owned();
    for _ in 0..20 {
        manifest.push_str("      - 'true'\n");
        recipe.push_str("    @sh -e -c true\n");
    }
    home.add("o/a", &manifest);
    let justfile = home.path().join("justfile");
    std::fs::write(&justfile, recipe).unwrap();
    let tako = median(|| home.command(&["exec", "go", "--repo=o/a", "-q"]));
    let shell = median(|| {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sh -e -c true; done",
        ]);
        command
    });
    print("20 trivial steps, against a shell loop", tako, Some(shell));
    let just = Command::new("just").arg("--version").output().is_ok().then(|| {
        median(|| {
            let mut command = Command::new("just");
            command.arg("--justfile").arg(&justfile).arg("go");
            command
        })
    });
    print("20 trivial steps, against just", tako, just);
}

fn fifty_repositories() {
    let home = Home::new();
    home.add("o/root", "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n");
    let mut list = String::new();
    for index in 0..50 {
        let _ = writeln!(list, "{index}");
        home.add(
            &format!("o/r{index}"),
            "version: 1\nworkflows: {go: {steps: ['true']}}\nsubscriptions: [{artifact: 'o/root:default', events: [built], workflow: go}]\n",
        );
    }
    let names = home.path().join("names");
    std::fs::write(&names, list).unwrap();
    let tako = median(|| home.command(&["exec", "go", "--repo=o/root", "--max-concurrent-repos=4", "-q"]));
    let xargs = median(|| {
        let mut command = Command::new("xargs");
        command.arg("-a").arg(&names).args(["-P4", "-I{}", "sh", "-e", "-c", "true"]);
        command
    });
    print("50 repositories x 1 step, against xargs -P4", tako, Some(xargs));
}

fn cold_start() {
    let home = Home::new();
    let mut manifest = "version: 1\nworkflows:\n".to_owned();
    for index in 0..33 {
        let _ = write!(
            manifest,
            "  w{index}:\n    inputs: {{x: {{default: a}}}}\n    steps:\n      - id: one\n        if: inputs.x != \"none\"\n        run: |\n          echo {{{{ .inputs.x | shell_quote }}}}\n      - id: two\n        run: echo\n"
        );
    }
    let file = home.path().join("tako.yml");
    let lines = manifest.lines().count();
    std::fs::write(&file, manifest).unwrap();
    let nothing = median(|| Command::new("true"));
    print("tako --version, against true", median(|| home.command(&["--version"])), Some(nothing));
    let path = file.to_str().unwrap();
    let name = format!("tako validate of {lines} lines, against true");
    print(&name, median(|| home.command(&["validate", path])), Some(nothing));
}

fn print(name: &str, tako: Duration, baseline: Option<Duration>) {
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    match baseline {
        Some(baseline) => {
            let ratio = tako.as_secs_f64() / baseline.as_secs_f64();
            println!("{name:<44} {:>10} {:>10} {ratio:>7.2}x", millis(tako), millis(baseline));
        }
        None => println!("{name:<44} {:>10} {:>10} {:>8}", millis(tako), "missing", "-"),
    }
}

fn median(command: impl Fn() -> Command) -> Duration {
    stopwatch::median(ROUNDS, || (command(), ()))
}
