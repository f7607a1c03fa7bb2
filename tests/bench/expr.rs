//! What rendering a template and evaluating an expression cost once they are compiled, beside parsing the YAML of a file
//! of 300 lines.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and fails where it cannot go on"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tako_expr::cel::{self, Activation, Kind, Program, Status};
use tako_expr::template::{Context, Template};
use tako_schemas::diagnostic::SourceFile;
use tako_schemas::tree;

/// How long each measurement lasts, at least.
const LASTING: Duration = Duration::from_millis(300);

fn main() {
    println!("{:<58} {:>10} {:>12} {:>10}", "", "each", "per second", "to YAML");
    let text = file();
    let source = SourceFile::new("tako.yml", text);
    let yaml = each(|| tree::parse(&source));
    print("the YAML of 300 lines", yaml, yaml);
    templates(yaml);
    expressions(yaml);
}

fn file() -> String {
    let mut text = "version: 1\nworkflows:\n".to_owned();
    for flow in 0..37 {
        _ = write!(
            text,
            "  flow{flow}:\n    inputs:\n      version: {{default: 1.0.0}}\n    steps:\n      - id: build\n        if: inputs.version != \"\"\n        run: |\n          make VERSION={{{{ .inputs.version | shell_quote }}}}\n"
        );
    }
    text
}

fn payload(elements: usize) -> Value {
    let list: Vec<Value> =
        (0..elements).map(|at| json!({"name": format!("lib{at}"), "version": "1.2.3"})).collect();
    json!({"version": "1.4.2", "channel": "stable", "files": list})
}

fn templates(yaml: Duration) {
    let context = Context::new(json!({
        "inputs": {"version": "1.4.2", "target": "prod"},
        "steps": {"build": {"outputs": {"digest": "sha256:abc"}}},
        "event": {"payload": payload(100)},
        "env": {}, "run": {"id": "r"},
    }));
    let cases = [
        ("template: a field", "{{ .inputs.version }}"),
        (
            "template: a script of three fields, quoted",
            "make V={{ .inputs.version | shell_quote }} T={{ .inputs.target | shell_quote }} D={{ .steps.build.digest | shell_quote }}",
        ),
        ("template: a choice", "{{ if eq .inputs.target \"prod\" }}live{{ else }}test{{ end }}"),
        (
            "template: a loop over 100 elements",
            "{{ range .event.payload.files }}{{ .name }}={{ .version }} {{ end }}",
        ),
    ];
    for (name, source) in cases {
        let template = Template::compile(source).unwrap();
        print(name, each(|| template.render(&context).unwrap()), yaml);
    }
    let mut round = 0;
    let compiled = each(|| {
        round += 1;
        Template::compile(&format!("make V={{{{ .inputs.version | shell_quote }}}} {round}")).unwrap()
    });
    print("template: compiling one that is not cached", compiled, yaml);
}

fn expressions(yaml: Duration) {
    let seen = |payload: Value| {
        json!({
            "payload": payload, "event": {"payload": payload}, "event_type": "built", "schema_version": "1.0.0",
            "source": "o/r",
        })
    };
    let small = Activation::new(seen(payload(3)), Status::SUCCESS);
    let large = Activation::new(seen(payload(1_000)), Status::SUCCESS);
    let cases = [
        ("CEL: a comparison", "payload.channel == 'stable'", &small),
        (
            "CEL: three comparisons",
            "payload.channel == 'stable' && source == 'o/r' && event_type == 'built'",
            &small,
        ),
        ("CEL: a text's beginning", "payload.version.startsWith('1.')", &small),
        ("CEL: a range of versions", "semver.satisfies(payload.version, '^1.2.0')", &small),
        ("CEL: a regular expression", "payload.version.matches('^1[.][0-9]+[.][0-9]+$')", &small),
        ("CEL: exists over 3 elements", "payload.files.exists(f, f.name == 'lib2')", &small),
        ("CEL: exists over 1,000 elements", "payload.files.exists(f, f.name == 'lib999')", &large),
        (
            "CEL: a map and a filter over 1,000 elements",
            "payload.files.filter(f, f.version == '1.2.3').map(f, f.name).size() > 3",
            &large,
        ),
        ("CEL: a comparison beside 1,000 elements", "payload.channel == 'stable'", &large),
    ];
    for (name, source, activation) in cases {
        let program = Program::compile(source, Kind::Filter).unwrap();
        // As filters of one event are: one after the other, on the thread that is fit for them.
        print(name, cel::apart(|| each(|| program.evaluate(activation).unwrap())), yaml);
    }
    let single = Program::compile("payload.channel == 'stable'", Kind::Filter).unwrap();
    print("CEL: a comparison by itself", each(|| single.evaluate(&small).unwrap()), yaml);
    let mut round = 0;
    let compiled = each(|| {
        round += 1;
        let source = format!("payload.channel == 'stable' && payload.version != '{round}'");
        Program::compile(&source, Kind::Filter).unwrap();
    });
    print("CEL: compiling one that is not cached", compiled, yaml);
    let variables = seen(payload(1_000));
    let prepared = each(|| Activation::new(variables.clone(), Status::SUCCESS));
    print("CEL: taking in an event of 1,000 elements", prepared, yaml);
}

/// The time of one of many.
fn each<T>(mut work: impl FnMut() -> T) -> Duration {
    black_box(work());
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed() < LASTING {
        black_box(work());
        count += 1;
    }
    begin.elapsed() / count.max(1)
}

fn print(name: &str, time: Duration, yaml: Duration) {
    let micros = format!("{:.1} µs", time.as_secs_f64() * 1e6);
    let rate = format!("{:.0}", 1.0 / time.as_secs_f64());
    println!("{name:<58} {micros:>10} {rate:>12} {:>9.4}x", time.as_secs_f64() / yaml.as_secs_f64());
}
