//! `tako demo`, as a newcomer runs it.

use std::fs;

use tako_tests::home::Home;

#[test]
fn the_demo_shows_a_push_and_leaves_nothing() {
    let home = Home::new();
    let temporary = home.outside("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let output = home.command(&["demo"]).env("TMPDIR", &temporary).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in [
        "Isolation: host",
        "git push origin main",
        "refs/heads/main of acme/greeting was told to the server",
        "[acme/web build] building web with greeting 1.4.0",
        "[acme/mail test] mail works",
        "Success: true",
        "acme/legacy:main rebuild: filter 1 is false: semver.major(payload.version) == 0",
        "tako demo --keep",
    ] {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "it leaves nothing");
    assert!(!home.path().join("tako.db").exists(), "nor in the user's own home");
}

#[test]
fn a_kept_demo_can_be_looked_at() {
    let home = Home::new();
    let temporary = home.outside("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let output = home.command(&["demo", "--keep"]).env("TMPDIR", &temporary).output().unwrap();
    assert!(output.status.success());
    let folder = fs::read_dir(&temporary).unwrap().next().unwrap().unwrap().path();
    let server = folder.join("server");
    let look = |arguments: &[&str]| {
        let output = home.command(arguments).env("TAKO_HOME", &server).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(look(&["status", "--show-events"]).contains("acme/web:main rebuild — success"));
    assert!(look(&["logs"]).contains("Hello from greeting 1.4.0"));
    assert!(look(&["deliveries", "list"]).contains("started"));
}
