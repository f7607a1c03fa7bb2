//! What a run costs: steps, output, journals, trees, and many processes on one store.
//!
//! `tests/bench/run` prints it; absolute times depend on the machine. Only the release binary is measured.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tako_tests::binary::tako;
use tako_tests::home::Home;
use tako_tests::stopwatch;

/// Repetitions of short measurements; the median counts.
const ROUNDS: usize = 5;

fn main() {
    // A debug build would be compared with optimised programs.
    assert!(tako().ends_with("release/tako"), "start this with tests/bench/run");
    trivial_steps();
    much_output();
    long_journal();
    large_tree();
    many_processes();
}

/// A workflow of `count` steps that do nothing.
fn steps(count: usize) -> String {
    format!("version: 1\nworkflows:\n  go:\n    steps:\n{}", "      - 'true'\n".repeat(count))
}

fn trivial_steps() {
    const STEPS: usize = 200;
    let home = Home::new();
    home.add("o/one", &steps(1));
    home.add("o/many", &steps(1 + STEPS));
    let exec = |repo: &'static str| {
        stopwatch::median(ROUNDS, || (home.command(&["exec", "go", "--repo", repo, "-q"]), ()))
    };
    let shell = stopwatch::median(ROUNDS, || {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("i=0; while [ $i -lt {STEPS} ]; do sh -e -c true; i=$((i+1)); done")]);
        (shell, ())
    });
    let each = |time: Duration| time.as_secs_f64() * 1e3 / STEPS as f64;
    let (tako, shell) = (each(exec("o/many").saturating_sub(exec("o/one"))), each(shell));
    println!(
        "a trivial step                {tako:.2} ms, in a shell loop {shell:.2} ms, difference {:.2} ms",
        tako - shell
    );
    println!(
        "  of that, a durable append of 200 bytes to a file: {:.2} ms, of which a step makes three",
        append_ms(&home)
    );
}

/// What an append that survives a power cut costs on this disk.
fn append_ms(home: &Home) -> f64 {
    const APPENDS: u32 = 200;
    let mut file = File::create(home.path().join("appended")).unwrap();
    let began = Instant::now();
    for _ in 0..APPENDS {
        file.write_all(&[b'x'; 200]).unwrap();
        file.sync_data().unwrap();
    }
    began.elapsed().as_secs_f64() * 1e3 / f64::from(APPENDS)
}

fn much_output() {
    const LINES: usize = 10_000_000;
    // 107 bytes and a newline: a little more than a GiB.
    let line = "x".repeat(106);
    let script = format!("yes {line} | head -n {LINES}");
    let home = Home::new();
    let manifest = format!(
        "version: 1\nworkflows: {{go: {{secrets: [TOKEN], steps: [{{id: loud, env: {{T: TOKEN}}, run: '{script}'}}]}}}}\n"
    );
    home.add("o/loud", &manifest);
    let began = Instant::now();
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdout(File::create(home.path().join("plain")).unwrap());
    assert!(shell.status().unwrap().success());
    let plain = began.elapsed();
    fs::remove_file(home.path().join("plain")).unwrap();

    let began = Instant::now();
    let mut command = home.command(&["exec", "go", "--repo=o/loud", "-q"]);
    command.env("TOKEN", "correct horse battery staple").stdout(Stdio::null());
    let mut running = command.spawn().unwrap();
    let mut peak = 0;
    while running.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(running.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(running.wait().unwrap().success());
    let took = began.elapsed();
    println!(
        "1 GiB in 10 M lines, masked   {:.1} s, `sh > file` {:.1} s, {:.2} of its speed; {} MB of memory at most",
        took.as_secs_f64(),
        plain.as_secs_f64(),
        plain.as_secs_f64() / took.as_secs_f64(),
        peak / 1024,
    );
}

/// The most memory that a process has had so far.
fn peak_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

fn long_journal() {
    let home = Home::new();
    home.add("o/long", &steps(332));
    home.tako(&["exec", "go", "--repo=o/long", "-q"]).expect(0);
    let entries = count(&home, "SELECT count(*) FROM entries");
    let status = stopwatch::median(ROUNDS, || (home.command(&["status"]), ()));
    let nothing = stopwatch::median(ROUNDS, || (home.command(&["--version"]), ()));
    println!(
        "status of {entries} entries        {:.1} ms, --version {:.1} ms",
        status.as_secs_f64() * 1e3,
        nothing.as_secs_f64() * 1e3
    );
}

fn large_tree() {
    const CHILDREN: usize = 200;
    let home = Home::new();
    home.add("o/root", "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n");
    let gate = home.path().join("gate");
    for index in 0..CHILDREN {
        let mut text =
            "version: 1\nsubscriptions: [{artifact: 'o/root:default', events: [built], workflow: go}]\n"
                .to_owned();
        let _ = writeln!(text, "workflows: {{go: {{steps: ['true', 'test -e {}']}}}}", gate.display());
        home.add(&format!("o/r{index}"), &text);
    }
    let began = Instant::now();
    home.tako(&["exec", "go", "--repo=o/root", "-q"]).expect(1);
    let first = began.elapsed();
    let run = home.status(None)["run"].as_str().unwrap().to_owned();
    fs::write(gate, "").unwrap();
    let began = Instant::now();
    home.tako(&["exec", "--resume", &run, "-q"]).expect(0);
    println!(
        "a tree of {CHILDREN} children        {:.1} s, resumed with all of them failed {:.1} s",
        first.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
}

fn many_processes() {
    const PROCESSES: usize = 50;
    const STEPS: usize = 5;
    let home = Home::new();
    for index in 0..PROCESSES {
        home.add(&format!("o/r{index}"), &steps(STEPS));
    }
    let exec = |index: usize| {
        let mut command = home.command(&["exec", "go", "--repo", &format!("o/r{index}"), "-q"]);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let began = Instant::now();
    for index in 0..PROCESSES {
        assert!(exec(index).wait().unwrap().success());
    }
    let one_by_one = began.elapsed();
    let entries = "SELECT count(*) FROM entries";
    let each = count(&home, entries);
    let began = Instant::now();
    let all: Vec<_> = (0..PROCESSES).map(exec).collect();
    for mut running in all {
        assert!(running.wait().unwrap().success());
    }
    let took = began.elapsed();
    assert_eq!(count(&home, entries), 2 * each, "an entry is lost");
    let whole = "SELECT count(*) FROM runs WHERE (SELECT count(*) FROM entries WHERE entries.run = runs.run) = \
         (SELECT max(seq) FROM entries WHERE entries.run = runs.run)";
    assert_eq!(count(&home, whole), 2 * PROCESSES as i64, "a journal has a gap");
    println!(
        "{PROCESSES} concurrent exec            {:.1} s, one after the other {:.1} s; {each} entries, none lost",
        took.as_secs_f64(),
        one_by_one.as_secs_f64()
    );
}

fn count(home: &Home, sql: &str) -> i64 {
    let store = Connection::open(home.path().join("tako.db")).unwrap();
    store.query_row(sql, [], |row| row.get(0)).unwrap()
}
