//! What holds for every input of the language, however hostile: nothing panics or hangs, places lie within their
//! source, and what is read can be written and read again.
//!
//! One function for each fuzz target of `tests/fuzz`; `tests/tests/corpus.rs` calls them with every input that is
//! kept there. They panic where an invariant is broken.

#![expect(clippy::expect_used, reason = "an invariant that is broken must be heard of")]

use std::ops::Range;
use std::sync::LazyLock;

use serde_json::json;
use tako_engine::check;
use tako_expr::cel::{Activation, CelError, Kind, Program, Status};
use tako_expr::template::{Context, MAX_OUTPUT, Template};
use tako_schemas::diagnostic::{Diagnostic, SourceFile, Text};
use tako_schemas::load;
use tako_schemas::range::{VersionRange, foreign_version};
use tako_schemas::workflow::{Action, Manifest, Step};
use tako_schemas::{duration, quantity};

/// A `tako.yml` as YAML and as a model.
pub fn load(data: &[u8]) {
    let Some(file) = file(data) else { return };
    let loaded = load::load(&file);
    let broken = loaded.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(loaded.manifest.is_none(), broken, "a manifest is there exactly where no error is");
    assert_eq!(loaded.draft.is_some(), broken, "a draft is there exactly where an error is");
    places(&file, &loaded.diagnostics);
    let sorted = loaded.diagnostics.is_sorted_by_key(|found| found.span.start);
    assert!(sorted, "problems stand in the order of the file");
    for text in loaded.manifest.iter().chain(&loaded.draft).flat_map(texts) {
        characters(&file, text);
    }
    let again = load::load(&file);
    assert_eq!(again.diagnostics, loaded.diagnostics, "the same file has the same problems");
    assert_eq!(again.manifest, loaded.manifest, "the same file says the same");
}

/// A `tako.yml` with its templates, expressions and built-in steps.
pub fn check(data: &[u8]) {
    let Some(file) = file(data) else { return };
    let checked = check::load(&file, &tako_steps::Registry);
    let broken = checked.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(checked.manifest.is_none(), broken, "a manifest is there exactly where no error is");
    places(&file, &checked.diagnostics);
    let sorted = checked.diagnostics.is_sorted_by_key(|found| found.span.start);
    assert!(sorted, "problems stand in the order of the file");
    let Some(manifest) = &checked.manifest else { return };
    for workflow in manifest.workflows.keys().filter_map(|name| manifest.effective(name)) {
        places(&file, &check::unsupported(manifest, &workflow));
    }
}

/// A template.
pub fn template(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let template = match Template::compile(&source) {
        Ok(template) => template,
        Err(error) => return within(&source, &error.range),
    };
    for reference in template.references() {
        within(&source, &reference.range);
    }
    let rendered = template.render(&CONTEXT);
    if !source.contains("{{") {
        assert!(template.is_literal(), "a text without actions is no template");
        assert_eq!(rendered.as_deref(), Ok(source.as_ref()), "a text without actions renders itself");
        return;
    }
    let rendered = match rendered {
        Ok(rendered) => rendered,
        Err(error) => return within(&source, &error.range),
    };
    assert!(rendered.len() <= MAX_OUTPUT, "an output is bounded");
    // Text around a template stays as it is, and changes nothing in it.
    let (before, after) = ("${x} {% if %} {# \n\u{fe}", "\u{fe}\n #} {% endif %} }}");
    let around = Template::compile(&format!("{before}{source}{after}")).and_then(|it| it.render(&CONTEXT));
    if rendered.len() + before.len() + after.len() <= MAX_OUTPUT {
        assert_eq!(around, Ok(format!("{before}{rendered}{after}")), "text outside of actions is kept");
    }
    let mut rest = rendered.as_str();
    for text in plain_texts(&source).unwrap_or_default() {
        let at = rest.find(text);
        rest = &rest[at.expect("text between actions is kept, in order") + text.len()..];
    }
}

/// A filter and a condition.
pub fn cel(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    for (kind, activation) in [(Kind::Filter, &*FILTER), (Kind::Condition, &*CONDITION)] {
        match Program::compile(&source, kind) {
            Ok(program) => {
                for reference in program.references() {
                    within(&source, &reference.range);
                }
                assert_ne!(program.evaluate(activation), Err(CelError::Interpreter), "nothing panics");
                // The values that it names may be missing; showing that must not fail.
                assert_eq!(program.seen(activation).len(), program.references().len());
            }
            Err(error) => {
                assert_ne!(error, CelError::Interpreter, "nothing panics");
                within(&source, &error.range().unwrap_or_default());
            }
        }
    }
}

/// A version range on the first line, a version on the second.
pub fn range(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (range, version) = text.split_once('\n').unwrap_or((&text, "1.2.3"));
    let Ok(parsed) = range.parse::<VersionRange>() else { return };
    assert_eq!(parsed.to_string(), range, "a range is kept as written");
    assert_eq!(parsed.to_string().parse(), Ok(parsed.clone()), "what is written parses back");
    assert_eq!(parsed.matches(""), Ok(true), "no version is any version");
    let matches = parsed.matches(version);
    assert_eq!(matches.is_err(), !version.trim().is_empty() && foreign_version(version).is_err());
    if parsed.is_any() {
        assert!(matches.unwrap_or(true), "any range holds every version");
    }
    if let Ok(exact) = semver::Version::parse(range.trim()) {
        assert_eq!(parsed.matches(&exact.to_string()), Ok(true), "a version is in the range of itself");
    }
    // An interval of plain versions and the comparators of the same bounds hold the same versions.
    if let (Some(comparators), Ok(version)) = (comparators(range), foreign_version(version))
        && version.pre.is_empty()
    {
        let other = comparators.parse::<VersionRange>().expect("comparators of plain versions");
        assert_eq!(
            parsed.matches(&version.to_string()),
            other.matches(&version.to_string()),
            "{comparators}"
        );
    }
}

/// A duration, an amount of CPU, and one of memory.
pub fn amount(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(duration) = duration::parse(&text) {
        assert_eq!(duration::parse(&duration::format(duration)), Ok(duration), "a duration parses back");
    }
    if let Ok(millis) = quantity::parse_cpu(&text) {
        assert_eq!(quantity::parse_cpu(&format!("{millis}m")), Ok(millis), "thousandths of a CPU parse back");
    }
    if let Ok(bytes) = quantity::parse_bytes(&text) {
        assert_eq!(quantity::parse_bytes(&format!("{bytes}B")), Ok(bytes), "bytes parse back");
    }
}

fn file(data: &[u8]) -> Option<SourceFile> {
    String::from_utf8(data.to_vec()).ok().map(|text| SourceFile::new("tako.yml", text))
}

/// Every diagnostic can be shown.
fn places(file: &SourceFile, diagnostics: &[Diagnostic]) {
    for found in diagnostics {
        let labels = found.labels.iter().map(|label| label.span);
        for span in labels.chain([found.span]) {
            within(file.text(), &span.into());
        }
        assert!(!found.message.is_empty() && found.code.starts_with("TK"), "{found:?}");
        assert!(!file.one_line(found).is_empty());
    }
}

fn within(source: &str, range: &Range<usize>) {
    let boundary = |at| source.is_char_boundary(at);
    let good = range.start <= range.end && boundary(range.start) && boundary(range.end);
    assert!(good, "{range:?} is no place of {source:?}");
}

/// Every character of a value stands in the file where the value says it does.
fn characters(file: &SourceFile, text: &Text) {
    within(file.text(), &text.span().into());
    for (at, c) in text.as_str().char_indices().filter(|(_, c)| *c != '\n') {
        let span = text.locate(at..at + c.len_utf8());
        let found = file.text().get(span.start..span.end);
        let known = span != text.span();
        assert!(!known || found == Some(c.encode_utf8(&mut [0; 4])), "{c:?} at {at} of {text:?}: {found:?}");
    }
}

/// Scripts, conditions and filters of a file.
fn texts(manifest: &Manifest) -> impl Iterator<Item = &Text> {
    fn of_step<'a>(step: &'a Step, into: &mut Vec<&'a Text>) {
        into.extend(&step.condition);
        into.extend(step.env.values());
        if let Action::Run(script) = &step.action {
            into.push(script);
        }
        step.on_failure.iter().chain(&step.on_cancellation).for_each(|step| of_step(step, into));
    }
    let mut found = Vec::new();
    for workflow in manifest.workflows.values() {
        let blocks = [&workflow.steps, &workflow.on_failure, &workflow.on_cancellation];
        blocks.into_iter().flatten().for_each(|step| of_step(step, &mut found));
    }
    found.extend(manifest.subscriptions.iter().flat_map(|subscription| &subscription.filters));
    found.into_iter()
}

/// What stands between the actions of a template that only prints values; nothing where more is going on.
fn plain_texts(source: &str) -> Option<Vec<&str>> {
    let mut texts = Vec::new();
    let mut rest = source;
    while let Some((text, behind)) = rest.split_once("{{") {
        let (action, after) = behind.split_once("}}")?;
        let simple = |c: char| c.is_ascii_alphanumeric() || " ._|".contains(c);
        let blocks = ["if", "else", "end", "range", "with"];
        let words = action.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| blocks.contains(&word));
        if !action.chars().all(simple) || words {
            return None;
        }
        texts.push(text);
        rest = after;
    }
    texts.push(rest);
    Some(texts)
}

/// `>=1.0.0 <2.0.0` for `[1.0.0...2.0.0)`, where both bounds are three plain numbers.
fn comparators(interval: &str) -> Option<String> {
    let interval = interval.trim();
    let lower = if interval.starts_with('[') { ">=" } else { ">" };
    let upper = if interval.ends_with(']') { "<=" } else { "<" };
    let inner = interval.strip_prefix(['[', '('])?.strip_suffix([']', ')'])?;
    let (from, to) = inner.split_once("...")?;
    let plain = tako_schemas::range::is_plain_version;
    (plain(from.trim()) && plain(to.trim())).then(|| format!("{lower}{} {upper}{}", from.trim(), to.trim()))
}

static CONTEXT: LazyLock<Context> = LazyLock::new(|| {
    Context::new(json!({
        "inputs": {
            "name": "it's {{ .inputs.env }}", "env": "prod", "flag": true, "off": false, "count": 3,
            "ratio": 1.5, "absent": null, "a-b": "dash", "empty": "", "list": ["a", "b", 3, null],
            "map": {"b": 2, "a": {"c": "deep"}},
        },
        "steps": {"build": {"outputs": {"version": "1.2.3"}}, "step-1": {"outputs": {"x": "y"}}},
        "outputs": {"version": "1.2.3"},
        "env": {"HOME": "/home/me"},
        "event": {
            "id": "e", "type": "built", "source": "o/r", "schema_version": "1.0.0",
            "timestamp": "2026-01-01T00:00:00Z", "payload": {"version": "2.0.0", "list": [{"name": "x"}]},
        },
        "run": {"id": "exec-1", "workflow": "w", "repo": "o/r", "branch": "main", "commit": "abc"},
    }))
});

static FILTER: LazyLock<Activation> = LazyLock::new(|| {
    let payload = json!({
        "version": "v2.1.0-rc.1", "n": 3, "half": 0.5, "ok": true, "none": null, "list": ["a", "b", "c"],
        "deps": [{"name": "x", "v": 1}, {"name": "y", "v": 2}], "map": {"a": 1, "b-c": 2}, "text": "Hello",
    });
    let variables = json!({
        "event": {"id": "e", "type": "built", "source": "o/r", "schema_version": "1.0.0", "payload": payload},
        "payload": payload, "event_type": "built", "schema_version": "1.0.0", "source": "o/r",
    });
    Activation::new(variables, Status::SUCCESS)
});

static CONDITION: LazyLock<Activation> = LazyLock::new(|| {
    let variables = json!({
        "inputs": {"a-b": "dash", "env": "prod", "flag": false, "count": 3, "list": [1, 2]},
        "steps": {"build": {"outputs": {"version": "1.0.0"}, "result": "success"}},
        "event": {"id": "e", "type": "built", "payload": {"ok": true}},
        "env": {"CI": "true"},
        "run": {"branch": "main"},
    });
    Activation::new(variables, Status::FAILURE)
});
