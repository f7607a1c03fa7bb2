//! Events that are declared: what is emitted must be as the repository says.

use serde_json::Value;
use tako_tests::home::{Home, states};

/// A workflow `go` that emits `built` with the version and schema version that it is given, then says so.
const BUILD: &str = r#"
workflows:
  go:
    inputs:
      version: {default: 1.0.0}
    steps:
      - id: build
        run: echo building
        produces:
          events:
            - type: built
              schema_version: SCHEMA_VERSION
              payload: {version: "{{ .inputs.version }}", parts: [{name: core}, {name: "{{ .inputs.version }}"}]}
      - run: echo "went on"
"#;

/// Versions are three numbers, parts have short names.
const SCHEMA: &str = r##"{
  "type": "object",
  "required": ["version"],
  "properties": {
    "version": {"type": "string", "pattern": "^\\d+\\.\\d+\\.\\d+$"},
    "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}}
  },
  "$defs": {"part": {"required": ["name"], "properties": {"name": {"maxLength": 5}}}}
}"##;

fn build(declaration: &str, schema_version: &str) -> String {
    let workflow = BUILD.replace("SCHEMA_VERSION", schema_version);
    format!("version: 1\nevents:\n  built: {declaration}\n{workflow}")
}

/// The first step of a tree.
fn first(tree: &Value) -> (&str, &str) {
    let step = &tree["steps"][0];
    (step["state"].as_str().unwrap(), step["cause"].as_str().unwrap_or_default())
}

#[test]
fn a_payload_must_fit_its_schema_wherever_that_stands() {
    let inline = SCHEMA.replace('\n', "");
    for (place, schema) in [("inline", inline.as_str()), ("in a file", "schemas/built.json")] {
        let home = Home::new();
        let repo = home.add("o/a", &build(&format!("{{schema: {schema}}}"), "1.0.0"));
        repo.write("schemas/built.json", SCHEMA).commit("The schema");

        let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(0);
        assert!(done.stdout.contains("went on"), "{place}: {}", done.stdout);
        let tree = home.status(None);
        assert_eq!(tree["events"][0]["payload"]["version"], "1.0.0", "{place}");

        let done = home.tako(&["exec", "go", "--repo=o/a", "--inputs.version=v1.0.0"]).expect(1);
        assert!(!done.stdout.contains("went on"), "{place}: {}", done.stdout);
        let tree = home.status(None);
        let want = "the event `built` does not fit its schema: `parts[1].name`: \"v1.0.0\" is longer than 5 \
                    characters; `version`: \"v1.0.0\" does not match \"^\\d+\\.\\d+\\.\\d+$\"";
        assert_eq!(first(&tree), ("failure", want), "{place}");
        assert_eq!(tree["events"].as_array().map_or(0, Vec::len), 0, "{place}: it is not recorded");
        assert!(done.stdout.contains(want), "{place}: the user is told: {}", done.stdout);
    }
}

#[test]
fn a_schema_is_read_before_a_step_can_change_it() {
    let home = Home::new();
    let manifest = build("{schema: built.json}", "1.0.0").replace("echo building", "echo true > built.json");
    home.add("o/a", &manifest).write("built.json", "{\"required\": [\"nothing\"]}").commit("The schema");
    home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    let tree = home.status(None);
    let want = "the event `built` does not fit its schema: \"nothing\" is a required property";
    assert_eq!(first(&tree), ("failure", want));
}

#[test]
fn only_listed_versions_are_emitted() {
    let declaration = "{versions: [1.1.0, 2.0.0], deprecated: 1.0.0}";
    let cases = [
        ("in use", "2.0.0", 0, ("success", "")),
        ("deprecated", "1.0.0", 0, ("success", "")),
        (
            "not listed",
            "3.0.0",
            1,
            ("failure", "the event `built` is declared with other versions than 3.0.0: 1.1.0, 2.0.0, 1.0.0"),
        ),
    ];
    for (name, version, code, want) in cases {
        let home = Home::new();
        home.add("o/a", &build(declaration, version));
        home.tako(&["exec", "go", "--repo=o/a"]).expect(code);
        assert_eq!(first(&home.status(None)), want, "{name}");
    }
}

#[test]
fn a_fan_out_emits_nothing_that_does_not_fit() {
    let subscriber = "version: 1\nworkflows: {go: {steps: ['echo heard']}}\nsubscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n";
    let manifest = |record: &str, with: &str| {
        format!(
            "version: 1\nevents: {{built: {{versions: 1.0.0, schema: {{properties: {{level: {{enum: [1, 2]}}}}, required: [level]}}}}}}\n\
             workflows:\n  go:\n    steps:\n{record}      - {{id: tell, uses: tako/fan-out@v1, with: {{event_type: built, wait_for_children: true, {with}}}}}\n"
        )
    };
    let recorded =
        "      - {id: make, run: echo, produces: {events: [{type: built, payload: {level: 1}}]}}\n";
    let prefix = "the event `built` does not fit its schema: ";
    let cases = [
        ("the recorded event", recorded, "", None),
        ("a new one that fits", recorded, "payload: {level: 2}", None),
        (
            "an override that does not",
            recorded,
            "payload: {level: 3}",
            Some(format!("{prefix}`level`: 3 is not one of 1 or 2")),
        ),
        ("nothing recorded", "", "", Some(format!("{prefix}\"level\" is a required property"))),
        ("nothing recorded, and a payload", "", "payload: {level: 2}", None),
        (
            "a version that is not declared",
            recorded,
            "schema_version: 2.0.0",
            Some("the event `built` is declared with other versions than 2.0.0: 1.0.0".to_owned()),
        ),
    ];
    for (name, record, with, refusal) in cases {
        let home = Home::new();
        home.add("o/a", &manifest(record, with));
        home.add("o/b", subscriber);
        home.tako(&["exec", "go", "--repo=o/a"]).expect(refusal.as_ref().map_or(0, |_| 1));
        let tree = home.status(None);
        let steps = tree["steps"].as_array().unwrap();
        let tell = steps.iter().find(|step| step["id"] == "tell").unwrap();
        assert_eq!(tell["cause"].as_str(), refusal.as_deref(), "{name}");
        let want: &[&str] = match refusal {
            None => &["o/a:main success", "o/b:main success"],
            Some(_) => &["o/a:main failure"],
        };
        assert_eq!(states(&tree), want, "{name}");
    }
}

#[test]
fn a_schema_that_cannot_be_used_is_refused_before_anything_runs() {
    let cases = [
        ("a file that is not there", "none.json", "`none.json`: there is no such file", "by its path"),
        ("a path out of the repository", "../a.json", "`../a.json`: it is no path of a file", "by its path"),
        ("a link", "link.json", "`link.json`: a link is on the way to it", "by its path"),
        (
            "a file that is no JSON",
            "text.json",
            "`text.json` is not JSON: expected ident at line 1",
            "one JSON value",
        ),
        ("a file that is no schema", "list.json", "`list.json`: [1] is not of types", ""),
        ("YAML", "schema.yml", "`schema.yml` is no `.json` file", "ends in `.json`"),
        ("no schema", "{type: strin}", "`strin` is no type (at `#`)", "did you mean `string`?"),
        (
            "another document",
            "{$ref: 'https://example.com/a.json'}",
            "leads out of the schema (at `#`)",
            "$defs",
        ),
        ("a bomb", "{$ref: '#'}", "refers to itself", ""),
    ];
    for (name, schema, reason, hint) in cases {
        let home = Home::new();
        let repo = home.add("o/a", &build(&format!("{{schema: {schema}}}"), "1.0.0"));
        repo.write("text.json", "text")
            .write("list.json", "[1]")
            .link("link.json", "list.json")
            .commit("Files");
        let refused = home.tako(&["exec", "go", "--repo=o/a"]).expect(2);
        let what = "o/a/main/tako.yml:3:11: the schema of the event `built` cannot be used";
        for part in [what, reason, hint] {
            assert!(refused.stderr.contains(part), "{name}: no `{part}` in {}", refused.stderr);
        }
        assert!(!refused.stdout.contains("building"), "{name}");
        assert!(home.tako(&["status"]).expect(2).stderr.contains("there are no runs"), "{name}");
        let validated = home.tako(&["validate", "--repo=o/a"]).expect(2);
        assert!(validated.stderr.contains("TK0451") || validated.stderr.contains("TK0452"), "{name}");
    }
}

#[test]
fn a_subscriber_whose_schema_cannot_be_used_is_a_failed_child() {
    let home = Home::new();
    home.add("o/a", "version: 1\nworkflows: {go: {steps: [{uses: tako/fan-out@v1, with: {event_type: built, wait_for_children: true}}]}}\n");
    let broken = build("{schema: none.json}", "1.0.0");
    let subscriptions = "subscriptions: [{artifact: 'o/a:default', events: [built], workflow: go}]\n";
    home.add("o/b", &format!("{broken}{subscriptions}"));
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert_eq!(states(&home.status(None)), ["o/a:main failure", "o/b:main failure"]);
    assert!(done.stdout.contains("`none.json`: there is no such file"), "{}", done.stdout);
    assert!(!done.stdout.contains("building"), "{}", done.stdout);
}
