//! Steps that are given secrets, and everything that must not hold one afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tako_tests::home::{Finished, Home};

/// Has characters that every encoding writes in its own way.
const TOKEN: &str = "p@ss \"w0rd'/+&\\ zz";

/// A file as an operator writes it, for the owner alone.
fn write_private(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn finish(command: &mut Command) -> Finished {
    command.output().unwrap().into()
}

/// Every file under `directory` that holds `text`; databases and logs among them.
fn holding(directory: &Path, text: &str) -> Vec<String> {
    let found = Command::new("grep").args(["-rlaF", "-e", text]).arg(directory).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn sources_are_the_environment_a_file_and_a_directory() {
    let home = Home::new();
    let (file, directory) = (home.path().join("secrets/file"), home.path().join("secrets/directory"));
    write_private(&file, "FROM_FILE=of the file\nBOTH=of the file too\n");
    write_private(&directory.join("FROM_DIRECTORY"), "of the directory\n");
    write_private(&directory.join("BOTH"), "of the directory too\n");
    let config = format!("[secrets]\nfile = {file:?}\ndirectory = {directory:?}\n");
    fs::write(home.path().join("config.toml"), config).unwrap();
    // What a step was given is compared inside the step: nothing that it prints tells.
    home.add(
        "o/a",
        r#"version: 1
workflows:
  go:
    secrets: [FROM_ENV, FROM_FILE, FROM_DIRECTORY, BOTH]
    env: {A: FROM_ENV}
    steps:
      - id: look
        env: {B: FROM_FILE, C: FROM_DIRECTORY, D: BOTH, E: FROM_ENV_NOT}
        run: |
          test "$A" = 'of the environment' || exit 11
          test "$B" = 'of the file' || exit 12
          test "$C" = 'of the directory' || exit 13
          test "$D" = 'of the file too' || exit 14
          test "$E" = FROM_ENV_NOT || exit 15
          test -z "$FROM_ENV$FROM_FILE$BOTH" || exit 16
      - id: later
        run: 'test -z "$B$C$D" || exit 17'
"#,
    );
    let mut command = home.command(&["exec", "go", "--repo=o/a"]);
    finish(command.env("FROM_ENV", "of the environment")).expect(0);

    fs::set_permissions(directory.join("FROM_DIRECTORY"), fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = home.command(&["exec", "go", "--repo=o/a"]);
    let done = finish(command.env("FROM_ENV", "of the environment")).expect(2);
    assert!(done.stderr.contains("can be read by others; run chmod 600"), "{}", done.stderr);

    let done = home.tako(&["exec", "go", "--repo=o/a"]).expect(2);
    assert!(done.stderr.contains("`FROM_ENV` has no value"), "{}", done.stderr);
    let done = finish(home.command(&["exec", "go", "--repo=o/a"]).env("FROM_ENV", "abc")).expect(2);
    assert!(
        done.stderr.contains("fewer than 4 characters") && !done.stderr.contains("abc"),
        "{}",
        done.stderr
    );
    let runs: Vec<_> = home.tako(&["runs"]).expect(0).stdout.lines().map(str::to_owned).collect();
    assert_eq!(
        runs.iter().filter(|line| line.contains("exec-")).count(),
        1,
        "a refused run never began: {runs:?}"
    );
}

/// A step that writes the secret in every way that is masked, to everything that is kept.
const SPILLING: &str = r#"version: 1
workflows:
  go:
    secrets: [TOKEN]
    steps:
      - id: spill
        continue_on_error: true
        env: {IT: TOKEN}
        run: |
          printf '%s\n' "$IT"
          printf '%s' "$IT" | base64 -w0; echo
          printf 'user:%s' "$IT" | base64 -w0; echo
          printf '%s' "$IT" | od -An -tx1 -v | tr -d ' \n'; echo
          printf '%s' "$IT" | sed 's/%/%25/g; s/ /%20/g; s/"/%22/g; s/@/%40/g; s,/,%2F,g; s/+/%2B/g; s/&/%26/g; s/\\/%5C/g; s/'"'"'/%27/g'; echo
          printf '%s' "$IT" | sed 's/[\\"]/\\&/g'; echo
          printf '%s' "$IT" | sed "s/'/'\\\\''/g"; echo
          printf '%s' "$IT" >&2
          half=$(printf '%s' "$IT" | cut -c1-6); rest=$(printf '%s' "$IT" | cut -c7-)
          printf '%s' "$half"; sleep 0.2; printf '%s\n' "$rest"
          printf '%s\033[1m%s\033[0m\n' "$half" "$rest"
          printf '%s\n' "::error::$IT"
          echo "it=$IT" >> "$TAKO_OUTPUT"
          echo "PASSED=$IT" >> "$TAKO_ENV"
          echo "of the summary: $IT" >> "$TAKO_STEP_SUMMARY"
          printf '%s' "$IT" > kept
          exit 3
        produces:
          outputs: {whole: from_stdout, kept: 'from_file:kept'}
      - id: passed
        continue_on_error: true
        run: printf '%s\n' "$PASSED"; echo "$PASSED"
      - id: tell
        env: {IT: TOKEN}
        run: printf '{"v":"%s"}' "$(printf '%s' "$IT" | sed 's/[\\"]/\\&/g')" > told
        produces:
          outputs: {told: 'from_file:told'}
          events: [{type: built, payload: {told: '{{ .outputs.told }}', version: '1.0.0'}}]
      - uses: tako/fan-out@v1
        with: {event_type: built, wait_for_children: true}
      - id: fail
        env: {IT: TOKEN}
        run: printf '%s\n' "$IT"; exit 4
"#;

const SUBSCRIBER: &str = r#"version: 1
subscriptions:
  - {artifact: 'o/a:default', events: [built], workflow: heard, inputs: {told: '{{ .event.payload.told }}'}}
workflows:
  heard:
    inputs: {told: {default: x}}
    steps: [{id: hear, run: 'echo "$TAKO_INPUT_TOLD"'}]
"#;

#[test]
fn nothing_that_is_kept_or_shown_holds_a_secret() {
    let home = Home::new();
    home.add("o/a", SPILLING);
    home.add("o/b", SUBSCRIBER);
    let done = finish(home.command(&["exec", "go", "--repo=o/a"]).env("TOKEN", TOKEN)).expect(1);
    let run = home.status(None)["run"].as_str().unwrap().to_owned();
    let mut shown = vec![("exec", done)];
    for (name, arguments) in [
        ("status", vec!["status", &run, "--show-events"]),
        ("status --json", vec!["status", &run, "--json", "--show-events"]),
        ("logs", vec!["logs", &run]),
        ("why", vec!["why", &run]),
    ] {
        shown.push((name, home.tako(&arguments)));
    }
    let resumed = home.command(&["exec", "--resume", &run, "--output=json"]).env("TOKEN", TOKEN).output();
    shown.push(("exec --resume", resumed.unwrap().into()));

    let spill = home.tako(&["logs", &run, "--step", "spill"]).expect(0).stdout;
    assert!(spill.starts_with("***\n***\n"), "{spill}");
    let base64 = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(TOKEN).unwrap();
    let forms = [
        TOKEN.to_owned(),
        base64(TOKEN),
        // The end of `user:…`, whose bytes lie otherwise in the groups of three.
        base64(&format!("user:{TOKEN}"))[8..].to_owned(),
        hex,
        json[1..json.len() - 1].to_owned(),
        "p%40ss%20%22w0rd%27%2F%2B%26%5C%20zz".to_owned(),
        TOKEN.replace('\'', "'\\''"),
        TOKEN[..10].to_owned(),
        TOKEN[8..].to_owned(),
    ];
    for form in forms {
        for (name, output) in &shown {
            let text = format!("{}{}", output.stdout, output.stderr);
            assert!(!text.contains(&form), "`tako {name}` shows {form}:\n{text}");
        }
        // The workspace of a failed run is kept, and is the step's own.
        let held = holding(home.path(), &form);
        let held: Vec<_> = held.iter().filter(|path| !path.contains("/workspaces/")).collect();
        assert!(held.is_empty(), "{form}: {held:?}");
    }
    let heard = home.tako(&["logs", &run, "--repo=o/b", "--step=hear"]);
    assert!(heard.stdout.contains("***"), "{heard:?}");
}

#[test]
fn no_step_inherits_a_secret_from_the_callers_environment() {
    let home = Home::new();
    let root = r#"version: 1
workflows:
  go:
    secrets: [TOKEN]
    steps:
      - {id: look, run: 'test -z "$TOKEN$OF_CHILD" && test "$PLAIN" = plain'}
      - uses: tako/fan-out@v1
        with: {event_type: built, wait_for_children: true}
"#;
    let child = r"version: 1
subscriptions: [{artifact: 'o/a:default', events: [built], workflow: heard}]
workflows:
  heard:
    secrets: [OF_CHILD]
    steps: [{id: look, env: {A: OF_CHILD}, run: 'test -z $TOKEN && test $A = of-child'}]
";
    home.add("o/a", root);
    home.add("p/b", child);
    let exec = |allowed: &[&str]| {
        let mut command = home.command(&["exec", "go", "--repo=o/a"]);
        command.args(allowed).env("TOKEN", "of-root").env("OF_CHILD", "of-child").env("PLAIN", "plain");
        finish(&mut command)
    };
    let refused = exec(&[]).expect(1);
    let text = format!("{}{}", refused.stdout, refused.stderr);
    assert!(text.contains("p/b may not have the secret `OF_CHILD`"), "{text}");
    exec(&["--allow-secrets=p/*"]).expect(0);
    exec(&["--allow-secrets=q/*", "--allow-secrets=p/b"]).expect(0);
    let bad = exec(&["--allow-secrets=p"]).expect(2);
    assert!(bad.stderr.contains("--allow-secrets: `p` is no pattern of repositories"), "{}", bad.stderr);
}

#[test]
fn templates_see_no_secret() {
    let home = Home::new();
    let text = r"version: 1
workflows:
  go:
    secrets: [TOKEN]
    steps: [{id: look, env: {A: TOKEN}, run: 'echo [{{ .env.A }}]'}]
";
    home.add("o/a", text);
    let done = finish(home.command(&["exec", "go", "--repo=o/a"]).env("TOKEN", "hunter22"));
    // As any variable that is not set.
    assert_eq!(done.expect(0).lines_with("[o/a look] [").len(), 1);
    assert_eq!(home.tako(&["logs", "--step=look"]).expect(0).stdout, "[]\n");
    assert_eq!(holding(home.path(), "hunter22"), Vec::<String>::new());
}
