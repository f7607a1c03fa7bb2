//! What `tako lint` costs, beside starting a program at all and parsing the YAML alone, measured in the same minutes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use tako_lint::{Around, NoFiles, check};
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::tree;
use tako_steps::Registry;
use tako_tests::binary::tako;
use tako_tests::home::Home;
use tako_tests::stopwatch;

/// Repetitions of each measurement; the median counts.
const ROUNDS: usize = 9;
/// Files of the large run.
const FILES: usize = 1_000;

fn main() {
    assert!(tako().ends_with("release/tako"), "start this with tests/bench/run");
    println!("{:<52} {:>10} {:>10} {:>8}", "", "tako", "baseline", "ratio");
    let text = manifest(0);
    let lines = text.lines().count();
    cold(&text, lines);
    warm(&text, lines);
    many();
}

/// A file of some 300 lines as people write them: five workflows, conditions, templates, events, subscriptions.
fn manifest(seed: usize) -> String {
    let mut text = format!(
        "version: 0.{seed}.0\nartifacts:\n  lib{seed}: {{path: dist/lib, description: Library}}\nworkflows:\n"
    );
    for flow in 0..5 {
        _ = write!(
            text,
            "  flow{flow}:\n    description: Workflow {flow} of {seed}\n    timeout: 30m\n    on: {{push: {{branches: [main, 'release/**']}}}}\n    inputs:\n      version: {{default: 1.0.{seed}}}\n      target:\n        validation: {{enum: [staging, production]}}\n        default: staging\n"
        );
        text.push_str("    steps:\n");
        for step in 0..6 {
            _ = write!(
                text,
                "      - id: step{step}\n        name: Step {step}\n        if: inputs.target == \"staging\" || success()\n        env:\n          TARGET: '{{{{ .inputs.target | upper }}}}'\n        run: |\n          make step{step} VERSION={{{{ .inputs.version | shell_quote }}}}\n          echo \"result={step}\" >> \"$TAKO_OUTPUT\"\n"
            );
        }
        _ = write!(
            text,
            "      - id: pack\n        run: make pack\n        produces:\n          artifact: lib{seed}\n          events:\n            - {{type: built{flow}, schema_version: 1.0.0, payload: {{version: '{{{{ .inputs.version }}}}'}}}}\n      - {{uses: tako/fan-out@v1, with: {{event_type: built{flow}, wait_for_children: true, timeout: 20m}}}}\n"
        );
    }
    text
}

fn cold(text: &str, lines: usize) {
    let home = Home::new();
    let file = home.path().join("tako.yml");
    fs::write(&file, text).unwrap();
    let nothing = median(|| Command::new("true"));
    let lint = median(|| home.command(&["lint", file.to_str().unwrap()]));
    print(&format!("cold lint of {lines} lines, against true"), lint, nothing);
    let validate = median(|| home.command(&["validate", file.to_str().unwrap()]));
    print("the same, against cold validate", lint, validate);
}

fn warm(text: &str, lines: usize) {
    let source = SourceFile::new("tako.yml", text);
    let around = Around { steps: &Registry, repo: None, files: &NoFiles };
    let lint = rounds(|| drop(check(&source, around)));
    let parse = rounds(|| drop(tree::parse(&source)));
    print(&format!("warm lint of {lines} lines, against the YAML alone"), lint, parse);
}

fn many() {
    let home = Home::new();
    let all = home.outside("all");
    for at in 0..FILES {
        let directory = all.join(format!("r{at}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("tako.yml"), manifest(at)).unwrap();
    }
    let lint = stopwatch::median(3, || (home.command(&["lint", all.to_str().unwrap()]), ()));
    let begin = Instant::now();
    for at in 0..FILES {
        let source = SourceFile::new("tako.yml", manifest(at));
        drop(tree::parse(&source));
    }
    let parse = begin.elapsed();
    print(&format!("{FILES} such files, against their YAML alone"), lint, parse);
    println!("{:<52} {:>10}", "  each", millis(lint / u32::try_from(FILES).unwrap()));
}

fn rounds(work: impl Fn()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..51)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    times.sort();
    times[25]
}

fn print(name: &str, tako: Duration, baseline: Duration) {
    let ratio = tako.as_secs_f64() / baseline.as_secs_f64();
    println!("{name:<52} {:>10} {:>10} {ratio:>7.2}x", millis(tako), millis(baseline));
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn median(command: impl Fn() -> Command) -> Duration {
    stopwatch::median(ROUNDS, || (command(), ()))
}
