//! Files that somebody writes to make Tako hang, run out of memory, or fall over: `validate` and `lint` end by
//! themselves, say what is wrong with a place, and stay small.
//!
//! A program of its own, for the most that any child of it has used is asked of the kernel.

use std::fmt::Write as _;
use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use tako_tests::home::Home;
use tako_tests::hostile;

/// What one process may use.
const MOST_KIB: i64 = 200 << 10;
/// What one process may print: problems are shortened and counted.
const MOST_PRINTED_BYTES: usize = 256 << 10;

#[test]
fn a_huge_file_is_not_read() {
    let home = Home::new();
    let path = home.path().join("tako.yml");
    fs::File::create(&path).unwrap().set_len(300 << 20).unwrap();
    for command in ["validate", "lint"] {
        let told = home.tako(&[command, path.to_str().unwrap()]).expect(2);
        assert!(format!("{}{}", told.stdout, told.stderr).contains("TK0002"), "{told:?}");
    }
    let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(most < MOST_KIB, "{most} KiB of memory were used");
}

#[test]
fn hostile_files_are_refused_or_bounded() {
    let home = Home::new();
    let file = home.path().join("tako.yml");
    let mut wrong = String::new();
    for hostile::HostileFile { name, bytes, refused } in hostile::files() {
        fs::write(&file, bytes).unwrap();
        for command in ["validate", "lint"] {
            let told = home.tako(&[command, file.to_str().unwrap()]);
            let all = format!("{}{}", told.stdout, told.stderr);
            let mut complain = |what: &str| {
                let start: String = all.chars().take(600).collect();
                _ = writeln!(wrong, "{command}, {name}: {what}, code {:?}\n{start}", told.code);
            };
            match (refused, told.code) {
                (Some(said), _) if !all.contains(said) => complain(said),
                (None, Some(0)) | (_, Some(2)) => {}
                _ => complain("another exit code"),
            }
            if refused.is_none() && command == "validate" && told.code != Some(0) {
                complain("nothing is wrong with it");
            }
            if all.contains("panicked") || all.contains("overflow") {
                complain("it fell over");
            }
            if all.len() > MOST_PRINTED_BYTES {
                complain(&format!("{} bytes are printed", all.len()));
            }
            if all.contains(['\u{1b}', '\u{202e}', '\u{2066}', '\0']) {
                complain("what is printed controls the terminal");
            }
            let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
            if most > MOST_KIB {
                complain(&format!("{most} KiB of memory were used"));
                assert!(wrong.is_empty(), "{wrong}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn hostile_runs_end_with_a_reason() {
    let doubling = format!(
        "{{{{ $x := \"xxxxxxxx\" }}}}{}echo {{{{ $x }}}}",
        "{{ $x = printf \"%s%s\" $x $x }}".repeat(60)
    );
    let growing = format!("[\"x\"]{}.size() > 0", ".map(x, x + x)".repeat(60));
    let large = "head -c 10485760 /dev/zero | tr \"\\\\0\" x";
    let cases = [
        ("a template that doubles a text", format!("      - run: '{doubling}'\n"), "larger than"),
        (
            "an expression that doubles a text",
            format!("      - {{run: make, if: '{growing}'}}\n"),
            "the expression exceeds",
        ),
        (
            "10 MB on stdout",
            format!("      - {{run: '{large}', produces: {{outputs: {{all: from_stdout}}}}}}\n"),
            "1048576 bytes",
        ),
        (
            "10 MB for $TAKO_OUTPUT",
            format!("      - run: '(echo \"a<<E\"; {large}; echo; echo E) >> \"$TAKO_OUTPUT\"'\n"),
            "1048576 bytes",
        ),
        (
            "10 MB for $TAKO_ENV",
            format!("      - run: '(printf A=; {large}) >> \"$TAKO_ENV\"'\n"),
            "1048576 bytes",
        ),
    ];
    for (name, steps, reason) in cases {
        let home = Home::new();
        home.add("o/a", &format!("version: 1\nworkflows:\n  go:\n    steps:\n{steps}"));
        let told = home.tako(&["exec", "go", "--repo=o/a"]);
        let all = format!("{}{}", told.stdout, told.stderr);
        let shown: String = all.chars().take(2_000).collect();
        assert_eq!(told.code, Some(1), "{name}: {shown}");
        assert!(all.contains(reason), "{name}: {shown}");
        let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
        assert!(most < MOST_KIB, "{name}: {most} KiB of memory were used");
    }
}
