//! Bad input: a clear error with a place or a hint, the right exit code, and nothing run.

use std::fmt::Write as _;
use std::net::TcpListener;

use tako_tests::home::Home;

const GOOD: &str = "version: 1\nworkflows:\n  build:\n    inputs:\n      level: {type: number, required: true}\n      env: {validation: {enum: [prod, dev]}}\n    steps: [touch ran]\n";

#[test]
fn wrong_use_says_what_where_and_what_to_do() {
    let home = Home::new();
    home.add("o/a", GOOD);
    home.add("o/syntax", "version: 1\nworkflows:\n  go:\n    steps: [\n");
    home.add("o/both", "version: 1\nworkflows:\n  go:\n    steps:\n      - run: a\n        uses: b\n");
    home.add("o/template", "version: 1\nworkflows:\n  go:\n    steps:\n      - run: echo {{ .inptus.x }}\n");
    home.add(
        "o/cel",
        "version: 1\nworkflows:\n  go:\n    steps:\n      - run: echo\n        if: inputs.x ==\n",
    );
    home.add("o/uses", "version: 1\nworkflows:\n  go:\n    steps:\n      - uses: tako/fan-uot@v1\n");
    home.add("o/param", "version: 1\nworkflows:\n  go:\n    steps:\n      - uses: tako/fan-out@v1\n        with: {event_typ: built}\n");
    let level = "--inputs.level=1";
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("bad YAML", &["exec", "go", "--repo=o/syntax"], &["tako.yml:"]),
        ("run and uses", &["exec", "go", "--repo=o/both"], &["o/both/main/tako.yml:6:9", "`run`", "`uses`"]),
        ("a mistyped root", &["exec", "go", "--repo=o/template"], &["tako.yml:5:22", "inputs"]),
        ("bad CEL", &["exec", "go", "--repo=o/cel"], &["tako.yml:6:"]),
        (
            "an unknown step",
            &["exec", "go", "--repo=o/uses"],
            &["tako.yml:5:", "did you mean `tako/fan-out@v1`?"],
        ),
        ("an unknown parameter", &["exec", "go", "--repo=o/param"], &["tako.yml:6:", "event_type"]),
        (
            "an unknown workflow",
            &["exec", "biuld", "--repo=o/a", level],
            &["no workflow `biuld`", "did you mean `build`?"],
        ),
        ("a missing input", &["exec", "build", "--repo=o/a"], &["level", "--inputs.level="]),
        (
            "an input of the wrong type",
            &["exec", "build", "--repo=o/a", "--inputs.level=high"],
            &["level", "number", "high"],
        ),
        (
            "an input outside its enum",
            &["exec", "build", "--repo=o/a", level, "--inputs.env=stage"],
            &["prod", "dev"],
        ),
        ("an unknown input", &["exec", "build", "--repo=o/a", level, "--inputs.evn=dev"], &["evn", "`env`"]),
        ("an input without =", &["exec", "build", "--repo=o/a", "--input", "level"], &["NAME=VALUE"]),
        (
            "a missing repository",
            &["exec", "go", "--repo=o/none"],
            &["o/none is not in the cache", "[clone]"],
        ),
        (
            "a repository that climbs",
            &["exec", "go", "--repo", "../..:x"],
            &["../..:x", "owner/repo[:branch]"],
        ),
        ("a repository that is a flag", &["exec", "go", "--repo=-o/a"], &["owner/repo[:branch]"]),
        ("an unknown flag", &["exec", "go", "--rep=o/a"], &["--repo"]),
        ("no slots", &["exec", "build", "--repo=o/a", "--max-concurrent-repos=0"], &["1.."]),
        ("a run that is no id", &["status", "../../etc/passwd"], &["exec-YYYYMMDD-HHMMSS-xxxxxxxx"]),
        ("a run that does not exist", &["status", "exec-20260101-000000-00000000"], &["there"]),
        ("a directory that is no repository", &["exec", "go", "--root", "/proc"], &["/proc"]),
    ];
    let mut wrong = String::new();
    for (name, arguments, parts) in cases {
        let refused = home.tako(arguments);
        let complete = parts.iter().all(|part| refused.stderr.contains(part));
        if refused.code != Some(2) || !complete || refused.stderr.contains("panicked") {
            let _ = writeln!(wrong, "{name}: wanted {parts:?}, got {refused:#?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(home.tako(&["status"]).expect(2).stderr.contains("there are no runs"), "nothing was begun");
    assert_eq!(std::fs::read_dir(home.path().join("workspaces")).unwrap().count(), 0);
}

#[test]
fn all_problems_of_a_file_are_reported_at_once() {
    let home = Home::new();
    home.add("o/a", "workflows:\n  go:\n    timeout: soon\n    steps:\n      - {run: a, uses: b}\n      - run: echo {{ nope(1) }}\n");
    let refused = home.tako(&["validate", "--repo=o/a"]).expect(2);
    let codes = refused.stderr.matches("error[TK").count();
    assert!(codes >= 3, "{}", refused.stderr);
}

#[test]
fn a_failed_fetch_is_the_surroundings_fault() {
    let home = Home::new();
    // A port on which nobody listens any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config =
        format!("[clone]\nurl = \"http://127.0.0.1:{port}/{{owner}}/{{repo}}.git\"\ntimeout_secs = 2\n");
    std::fs::write(home.path().join("config.toml"), config).unwrap();
    let refused = home.tako(&["exec", "build", "--repo=o/a"]).expect(3);
    assert!(refused.stderr.contains("repository o/a is not in the cache"), "{}", refused.stderr);
    assert!(refused.stderr.contains("Reason:"), "{}", refused.stderr);
    assert!(!home.path().join("cache/repos/o").exists(), "nothing half-written is left");
}

#[test]
fn a_configuration_with_an_unknown_key_is_refused_with_its_place() {
    let home = Home::new();
    home.add("o/a", GOOD);
    std::fs::write(home.path().join("config.toml"), "max_depth = 3\n[clone]\nurll = \"x\"\n").unwrap();
    let refused = home.tako(&["exec", "build", "--repo=o/a", "--inputs.level=1"]).expect(2);
    assert!(refused.stderr.contains("config.toml:3:1"), "{}", refused.stderr);
}

#[test]
fn a_home_that_others_can_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.add("o/a", GOOD);
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = home.tako(&["exec", "build", "--repo=o/a", "--inputs.level=1"]).expect(2);
    assert!(refused.stderr.contains("can be written by others"), "{}", refused.stderr);
}

#[test]
fn a_database_of_something_else_is_refused_and_left_alone() {
    let home = Home::new();
    home.add("o/a", GOOD);
    let database = home.path().join("tako.db");
    std::fs::write(&database, "not a database at all, but somebody's notes".repeat(40)).unwrap();
    let before = std::fs::read(&database).unwrap();
    let refused = home.tako(&["exec", "build", "--repo=o/a", "--inputs.level=1"]).expect(3);
    assert!(refused.stderr.contains("tako.db"), "{}", refused.stderr);
    assert_eq!(std::fs::read(&database).unwrap(), before);
}

#[test]
fn small_slips_are_caught() {
    let home = Home::new();
    home.add("o/a", GOOD);
    let twice = ["exec", "build", "--repo=o/a", "--inputs.level=1", "--input", "level=2"];
    assert!(home.tako(&twice).expect(2).stderr.contains("the input `level` is given twice"));
    let artifact = "version: 1\nartifacts: {library: {path: x}}\nworkflows: {go: {steps: [{run: echo, produces: {artifact: libary}}]}}\n";
    home.add("o/b", artifact);
    let warned = home.tako(&["validate", "--repo=o/b"]).expect(0);
    assert!(warned.stderr.contains("did you mean `library`?"), "{}", warned.stderr);
    let quiet = home.tako(&["exec", "go", "--repo=o/b", "-q"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn validate_needs_no_more_than_the_file() {
    let home = Home::new();
    let directory = home.outside("plain");
    std::fs::create_dir_all(&directory).unwrap();
    let root = directory.to_str().unwrap();
    assert!(home.tako(&["validate", "--root", root]).expect(2).stderr.contains("there is no tako.yml"));
    home.tako(&["init", "--root", root]).expect(0);
    home.tako(&["validate", "--root", root]).expect(0);
    std::fs::write(directory.join("tako.yaml"), "").unwrap();
    assert!(home.tako(&["validate", "--root", root]).expect(2).stderr.contains("remove one of them"));
}

#[test]
fn a_variable_that_no_process_takes_is_named() {
    let home = Home::new();
    let text = "version: 1\nworkflows:\n  go:\n    steps:\n      - printf 'LARGE=' >> $TAKO_ENV; head -c 200000 /dev/zero | tr '\\0' x >> $TAKO_ENV; echo >> $TAKO_ENV\n      - echo never\n";
    home.add("o/a", text);
    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(1);
    assert!(done.stdout.contains("the variable `LARGE` is 200000 bytes long"), "{}", done.stdout);
}
