//! A release across repositories, as the README shows it.

use std::fs;
use std::path::Path;

use tako_tests::binary::workspace;
use tako_tests::git::TestRepo;
use tako_tests::home::{Home, states};

/// The sample repositories, as a set.
fn samples() -> Home {
    let home = Home::new();
    let samples = workspace().join("tests/samples");
    for owner in fs::read_dir(&samples).unwrap().map(Result::unwrap) {
        for repo in fs::read_dir(owner.path()).unwrap().map(Result::unwrap) {
            let name = repo.path().strip_prefix(&samples).unwrap().to_owned();
            let copy = TestRepo::at(&home.path().join("cache/repos").join(name).join("main"));
            copy_files(&repo.path(), copy.path());
            copy.commit("Sample repository");
        }
    }
    home
}

fn copy_files(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn exactly_the_matching_subscribers_run_with_mapped_inputs() {
    let home = samples();
    let done =
        home.tako(&["exec", "release", "--repo=my-org/go-lib", "--inputs.version-bump=minor"]).expect(0);
    assert!(
        done.stdout.starts_with("Executing workflow 'release'\nRepository: my-org/go-lib:main\n"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("Inputs: version-bump=minor\n"));
    assert!(done.stdout.contains(&format!("Execution completed: {}\nSuccess: true\n", done.run())));
    for service in ["api-service", "web-service"] {
        assert!(done.stdout.contains(&format!("[my-org/{service} test] {service} passes with go-lib 1.5.0")));
    }

    let tree = home.status(Some(&done.run()));
    let want =
        ["my-org/api-service:main success", "my-org/go-lib:main success", "my-org/web-service:main success"];
    assert_eq!(states(&tree), want);

    let why = home.tako(&["status", "--show-events"]).expect(0);
    assert!(why.stdout.contains("my-org/legacy-service:main update: filter 1 is false"), "{}", why.stdout);
    assert!(why.stdout.contains("payload.version = "), "the values that it saw: {}", why.stdout);
    assert!(!why.stdout.contains("my-org/docs"), "a subscription to another event is no candidate");
}

#[test]
fn a_filter_sees_the_payload() {
    let home = samples();
    let done =
        home.tako(&["exec", "release", "--repo", "my-org/go-lib", "--input", "version-bump=major"]).expect(0);
    assert_eq!(states(&home.status(None)), ["my-org/go-lib:main success"]);
    assert_eq!(done.lines_with("Runs: "), ["Runs: 1"]);
}

#[test]
fn the_readme_command_works() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let command = readme.lines().find(|line| line.starts_with("cargo run")).unwrap();
    let mut words = command.split(' ');
    let output = std::process::Command::new(words.next().unwrap())
        .args(words)
        .current_dir(workspace())
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Success: true") && text.contains("Runs: 3"), "{text}");
}
