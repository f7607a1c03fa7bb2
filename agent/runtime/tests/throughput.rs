//! How fast output gets into the log: a gibibyte in ten million lines, against the shell's own redirection.
//!
//! Run it with `cargo test --release -p tako-runtime --test throughput -- --ignored --nocapture`.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tako_engine::port::{Captured, ExitStatus, Observer, Runtime};
use tako_runtime::log_path;

mod support;
use support::{Blind, Place, run, step};

/// Ten million lines of 107 bytes.
const SCRIPT: &str = "yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | head -n 10000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes gigabytes; a measurement"]
async fn a_gibibyte_in_ten_million_lines() {
    let place = Place::new();
    let direct = place.path("direct");
    for round in 1..=3 {
        let since = Instant::now();
        let status =
            Command::new("sh").arg("-c").arg(SCRIPT).stdout(fs::File::create(&direct).unwrap()).status();
        assert!(status.unwrap().success());
        let size = fs::metadata(&direct).unwrap().len();
        let by_shell = since.elapsed().as_secs_f64();

        let mut command = place.command(SCRIPT);
        command.capture = Captured::default();
        let since = Instant::now();
        let mut running = place.runtime.start(command, Arc::new(Blind) as Arc<dyn Observer>).await.unwrap();
        assert_eq!(running.wait().await.unwrap().status, ExitStatus::Code(0));
        let by_us = since.elapsed().as_secs_f64();
        let log = log_path(&place.path("logs"), &run(), &step(), 1);
        assert_eq!(fs::metadata(&log).unwrap().len(), size);

        let rate = |seconds: f64| f64::from(u32::try_from(size / 1024).unwrap()) / 1024.0 / seconds;
        println!("round {round}: sh > file {:.0} MiB/s, step {:.0} MiB/s", rate(by_shell), rate(by_us));
        fs::remove_file(log).unwrap();
        fs::remove_file(&direct).unwrap();
    }
}
