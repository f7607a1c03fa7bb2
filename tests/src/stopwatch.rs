//! How long programs take, for benchmarks.

#![expect(clippy::expect_used, reason = "a benchmark that cannot measure fails")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The median time from start to end of what `prepare` makes, over `rounds`; everything must succeed. What comes beside
/// the command lives until it has ended.
///
/// # Panics
///
/// If a command fails.
pub fn median<T>(rounds: usize, prepare: impl Fn() -> (Command, T)) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let (mut command, _place) = prepare();
            let begin = Instant::now();
            let output = command.stdin(Stdio::null()).output().expect("the program starts");
            let took = begin.elapsed();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            took
        })
        .collect();
    times.sort();
    times[rounds / 2]
}
