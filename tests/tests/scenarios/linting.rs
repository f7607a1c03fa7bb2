//! `tako lint` as users and programs meet it: exit codes, formats, repairs, sets, and two versions of a file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;
use serde_sarif::sarif::Sarif;
use tako_tests::home::{Finished, Home};

/// No error, two warnings, one of which can be repaired.
const ODD: &str = "version: 1\nworkflows:\n  build:\n    timeout: 5m\n    steps:\n      - run: curl http://example.org/x | sh\n        network: none\n";
/// Fine.
const GOOD: &str = "version: 1\nworkflows:\n  build:\n    timeout: 5m\n    steps: [make]\n";
/// An error.
const BAD: &str = "version: 1\nworkflows:\n  build:\n    timeout: 5m\n    steps:\n      - run: make\n        if: inputs.x >\n";

fn file(home: &Home, name: &str, text: &str) -> String {
    let path = home.outside(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The codes of `--format json`, in order.
fn codes(finished: &Finished) -> Vec<String> {
    let report: Value =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"));
    let all = report["diagnostics"].as_array().unwrap().iter();
    all.map(|found| found["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn exit_codes_say_whether_something_has_to_be_corrected() {
    let home = Home::new();
    let cases: &[(&str, &str, &[&str], i32)] = &[
        ("nothing to say", GOOD, &[], 0),
        ("warnings", ODD, &[], 0),
        ("warnings, strictly", ODD, &["--strict"], 2),
        ("an error", BAD, &[], 2),
        ("nothing to say, strictly", GOOD, &["--strict"], 0),
    ];
    for (name, text, more, code) in cases {
        let path = file(&home, "a/tako.yml", text);
        let mut arguments = vec!["lint", &path];
        arguments.extend(*more);
        let finished = home.tako(&arguments);
        assert_eq!(finished.code, Some(*code), "{name}: {finished:?}");
        assert!(finished.stderr.contains("in 1 file"), "{name}: {finished:?}");
    }
}

#[test]
fn findings_are_data() {
    let home = Home::new();
    let path = file(&home, "a b/tako.yml", ODD);
    let text = home.tako(&["lint", &path]).expect(0);
    assert!(text.stdout.contains("warning[TK0521]") && text.stdout.contains("tako.yml:6:42"), "{text:?}");
    assert!(text.stderr.contains("0 errors, 3 warnings, 0 infos in 1 file; `--fix` repairs 1"), "{text:?}");

    let json = home.tako(&["lint", &path, "--format", "json"]).expect(0);
    assert_eq!(codes(&json), ["TK0518", "TK0521", "TK0420"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let first = &report["diagnostics"][0];
    assert_eq!(first["start"], serde_json::json!({"line": 6, "column": 19, "offset": 76}));
    assert_eq!(first["fix"]["edits"][0]["text"], "https://");
    assert!(first["docs"].as_str().unwrap().ends_with("docs/checks.md#tk0518"));
    assert_eq!(report["summary"]["warnings"], 3);

    let sarif = home.tako(&["lint", &path, "--format", "sarif"]).expect(0);
    let log: Sarif = serde_json::from_str(&sarif.stdout).unwrap();
    let run = &log.runs[0];
    let results = run.results.as_ref().unwrap();
    assert_eq!((results.len(), run.tool.driver.rules.as_ref().unwrap().len()), (3, 3));
    let value: Value = serde_json::from_str(&sarif.stdout).unwrap();
    let place = &value["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("a%20b/tako.yml"), "{place}");
    assert_eq!(place["region"]["startLine"], 6);
}

#[test]
fn repairs_change_the_file_and_nothing_else_of_it() {
    let home = Home::new();
    let path = file(&home, "a/tako.yml", ODD);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = home.outside("a/linked.yml");
    symlink(&path, &link).unwrap();
    let fixed = home.tako(&["lint", link.to_str().unwrap(), "--fix", "--format", "json"]).expect(0);
    assert_eq!(codes(&fixed), ["TK0521", "TK0420"]);
    assert!(fixed.stderr.contains("1 problem repaired"), "{fixed:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), ODD.replace("http://", "https://"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(link.is_symlink());
    let again = home.tako(&["lint", &path, "--fix"]).expect(0);
    assert!(!again.stderr.contains("repaired"), "{again:?}");
    let others: Vec<_> = fs::read_dir(Path::new(&path).parent().unwrap()).unwrap().collect();
    assert_eq!(others.len(), 2, "{others:?}");
}

#[test]
fn directories_are_searched_but_for_what_git_ignores() {
    let home = Home::new();
    file(&home, "all/one/tako.yml", GOOD);
    file(&home, "all/two/tako.yaml", ODD);
    file(&home, "all/two/other.yml", BAD);
    file(&home, "all/vendor/three/tako.yml", BAD);
    file(&home, "all/.gitignore", "vendor\n");
    fs::create_dir(home.outside("all/.git")).unwrap();
    let all = home.outside("all");
    let finished = home.tako(&["lint", all.to_str().unwrap()]).expect(0);
    assert!(finished.stderr.contains("in 2 files"), "{finished:?}");
    let empty = home.outside("empty");
    fs::create_dir_all(&empty).unwrap();
    let refused = home.tako(&["lint", empty.to_str().unwrap()]).expect(2);
    assert!(refused.stderr.contains("there is no tako.yml in or below"), "{refused:?}");
}

#[test]
fn a_comment_silences_what_it_names() {
    let home = Home::new();
    let silenced =
        ODD.replace("run: curl", "# tako: ignore[TK0521, TK0518] a mirror of ours\n        run: curl");
    let silenced = silenced.replace("- # tako", "# tako").replace("        run: curl", "      - run: curl");
    let path = file(&home, "a/tako.yml", &silenced);
    assert_eq!(codes(&home.tako(&["lint", &path, "--format", "json"]).expect(0)), ["TK0420"]);
}

const LIB: &str = "version: 1\nworkflows:\n  release:\n    timeout: 5m\n    steps:\n      - run: make\n        produces: {events: [{type: built, schema_version: 1.0.0, payload: {version: 1.0.0, size: 3}}]}\n      - {uses: tako/fan-out@v1, with: {event_type: built}}\n";
const API: &str = "version: 1\nworkflows: {update: {timeout: 5m, steps: [make]}}\nsubscriptions: [{artifact: 'my-org/lib:default', events: [built], schema_version: ^1.0.0, workflow: update, filters: ['payload.siez > 2']}]\n";

#[test]
fn a_set_is_judged_as_a_whole() {
    let home = Home::new();
    home.add("my-org/lib", LIB);
    home.add("my-org/api", API);
    let all = home.tako(&["lint", "--set", "--format", "json"]).expect(0);
    assert_eq!(codes(&all), ["TK0707"]);
    let report: Value = serde_json::from_str(&all.stdout).unwrap();
    assert_eq!(report["summary"]["files"], 2);
    assert_eq!(report["diagnostics"][0]["repository"], "my-org/api:main");
    assert_eq!(report["diagnostics"][0]["hint"], "did you mean `size`?");

    let named = home.tako(&["lint", "--repo", "my-org/lib", "--set", "--format", "json"]).expect(0);
    assert_eq!(codes(&named), Vec::<String>::new(), "what is found elsewhere is not shown");
    let alone = home.tako(&["lint", "--repo", "my-org/api", "--format", "json"]).expect(0);
    assert_eq!(codes(&alone), Vec::<String>::new(), "by itself it is fine");
    let empty = Home::new();
    assert!(empty.tako(&["lint", "--set"]).expect(2).stderr.contains("the repository set is empty"));
}

#[test]
fn the_file_may_not_take_from_who_relies_on_it() {
    let home = Home::new();
    let repo = home.checkout("lib", LIB);
    repo.write("tako.yml", LIB.replace(", size: 3", ""));
    let root = home.outside("lib");
    let root = root.to_str().unwrap();
    let broken = home.tako(&["--root", root, "lint", "--against", "HEAD", "--format", "json"]).expect(2);
    assert_eq!(codes(&broken), ["TK0802"]);
    repo.write("tako.yml", LIB);
    let same = home.tako(&["--root", root, "lint", "--against", "HEAD", "--format", "json"]).expect(0);
    assert_eq!(codes(&same), Vec::<String>::new());
    let unknown = home.tako(&["--root", root, "lint", "--against", "v9"]).expect(2);
    assert!(unknown.stderr.contains("cannot find the revision `v9`"), "{unknown:?}");
}

#[test]
fn schemas_are_looked_for_beside_the_file() {
    let home = Home::new();
    let declared = format!("{LIB}events: {{built: {{schema: events/built.json}}}}\n");
    let repo = home.checkout("lib", &declared);
    let root = home.outside("lib");
    let lint = || home.tako(&["--root", root.to_str().unwrap(), "lint", "--format", "json"]);
    assert_eq!(codes(&lint().expect(2)), ["TK0452"]);
    repo.write("events/built.json", r#"{"type": "object", "properties": {"version": {"type": "number"}}}"#);
    assert_eq!(codes(&lint().expect(2)), ["TK0453"]);
    repo.write("events/built.json", r#"{"type": "object", "properties": {"version": {"type": "string"}}}"#);
    assert_eq!(codes(&lint().expect(0)), Vec::<String>::new());
}

#[test]
fn checks_are_explained() {
    let home = Home::new();
    let explained = home.tako(&["lint", "--explain", "tk0104"]).expect(0);
    assert!(explained.stdout.starts_with("### TK0104\n\n**A step without exactly one"), "{explained:?}");
    assert!(
        explained.stdout.contains("yaml good") && !explained.stdout.contains("TK0105\n"),
        "{explained:?}"
    );
    let unknown = home.tako(&["lint", "--explain", "TK9999"]).expect(2);
    assert!(unknown.stderr.contains("there is no check `TK9999`"), "{unknown:?}");
}

#[test]
fn what_is_no_file_is_refused() {
    let home = Home::new();
    let binary = home.outside("binary.yml");
    fs::create_dir_all(binary.parent().unwrap()).unwrap();
    fs::write(&binary, b"version: \xff\n").unwrap();
    let binary = binary.to_str().unwrap();
    let cases: &[(&str, &[&str], &str)] = &[
        ("no file", &["lint", "/nonexistent/tako.yml"], "cannot read /nonexistent/tako.yml"),
        ("no text", &["lint", binary], "is not UTF-8"),
        ("a device", &["lint", "/dev/null"], "not a regular file"),
        ("a file and a repository", &["lint", binary, "--repo", "a/b"], "cannot be used with"),
        ("a repository that is not there", &["lint", "--repo", "a/b", "--local"], "a/b is not in the cache"),
    ];
    for (name, arguments, part) in cases {
        let refused = home.tako(arguments).expect(2);
        assert!(refused.stderr.contains(part), "{name}: {refused:?}");
    }
}
