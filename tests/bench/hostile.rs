//! How long `tako validate` and `tako lint` take over the worst files we know of, beside starting a program at all.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tako_tests::binary::tako;
use tako_tests::home::Home;
use tako_tests::{hostile, stopwatch};

/// How many of the slowest are named.
const NAMED: usize = 5;

fn main() {
    assert!(tako().ends_with("release/tako"), "start this with tests/bench/run");
    let home = Home::new();
    let file = home.path().join("tako.yml");
    let nothing = stopwatch::median(9, || (Command::new("true"), ()));
    println!("{:<52} {:>10} {:>10} {:>8}", "", "tako", "baseline", "ratio");
    for command in ["validate", "lint"] {
        let mut times: Vec<(Duration, &str)> = hostile::files()
            .into_iter()
            .map(|hostile| {
                fs::write(&file, hostile.bytes).unwrap();
                let mut tako = home.command(&[command, file.to_str().unwrap()]);
                let begin = Instant::now();
                tako.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
                (begin.elapsed(), hostile.name)
            })
            .collect();
        times.sort_unstable_by_key(|(time, _)| std::cmp::Reverse(*time));
        for (time, name) in times.iter().take(NAMED) {
            print(&format!("{command}: {name}, against true"), *time, nothing);
        }
        let sum: Duration = times.iter().map(|(time, _)| *time).sum();
        let count = u32::try_from(times.len()).unwrap();
        print(&format!("{command}: {count} hostile files, each"), sum / count, nothing);
    }
}

fn print(name: &str, tako: Duration, baseline: Duration) {
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    let ratio = tako.as_secs_f64() / baseline.as_secs_f64();
    println!("{name:<52} {:>10} {:>10} {ratio:>7.2}x", millis(tako), millis(baseline));
}
