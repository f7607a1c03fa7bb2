//! What a step writes: log, observer, captured streams, and the files it talks to Tako through.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tako_engine::port::{Captured, ExitStatus, Observer, Runtime, RuntimeError};
use tako_runtime::log_path;

mod support;
use support::{Place, run, stderr, stdout, step, succeeded};

#[tokio::test]
async fn exits() {
    let cases = [
        ("success", "true", ExitStatus::Code(0)),
        ("a code", "exit 7", ExitStatus::Code(7)),
        ("the first failure ends it", "false; echo no", ExitStatus::Code(1)),
        ("the largest code", "exit 255", ExitStatus::Code(255)),
        ("a signal", "kill -SEGV $$", ExitStatus::Signal(11)),
        ("a signal without a name", "kill -40 $$", ExitStatus::Signal(40)),
        ("stdin is empty", "cat", ExitStatus::Code(0)),
    ];
    for (name, script, want) in cases {
        let exit = Place::new().run_script(script).await;
        assert_eq!(exit.status, want, "{name}");
    }
}

#[tokio::test]
async fn log_observer_and_capture_agree() {
    let place = Place::new();
    let exit = place.run_script("echo out; echo err >&2; printf last").await;
    assert!(succeeded(&exit));
    assert_eq!((stdout(&exit).as_str(), stderr(&exit).as_str()), ("out\nlast", "err\n"));
    let log = place.log();
    assert_eq!(place.observer.bytes(), log);
    let mut lines: Vec<_> = std::str::from_utf8(&log).unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["err", "last", "out"]);
}

#[tokio::test]
async fn streams_mix_by_whole_lines() {
    let place = Place::new();
    // Each writes its lines in two halves.
    let script = "
        each() { i=0; while [ $i -lt 2000 ]; do printf $1; printf $1\\\\n; i=$((i+1)); done; printf $1; }
        each a & each b >&2
        wait";
    let exit = place.run_script(script).await;
    assert!(succeeded(&exit), "{:?}", exit.status);
    let log = String::from_utf8(place.log()).unwrap();
    let count = |line: &str| log.lines().filter(|found| *found == line).count();
    assert_eq!((count("aa"), count("bb"), count("a"), count("b")), (2000, 2000, 1, 1));
    assert_eq!(log.lines().count(), 4002);
    assert_eq!(stdout(&exit), "aa\n".repeat(2000) + "a");
}

#[tokio::test]
async fn long_lines_are_split_and_nothing_is_dropped() {
    let place = Place::new();
    let script = "head -c 200000 /dev/zero | tr '\\0' x; echo; echo end; head -c 65536 /dev/zero | tr '\\0' y; echo; \
                  head -c 70000 /dev/zero | tr '\\0' z";
    let exit = place.run_script(script).await;
    let raw = format!("{}\nend\n{}\n{}", "x".repeat(200_000), "y".repeat(65_536), "z".repeat(70_000));
    assert!(stdout(&exit) == raw, "what is captured is as it was");
    let log = String::from_utf8(place.log()).unwrap();
    assert_eq!(
        log.lines().map(|line| (&line[..1], line.len())).collect::<Vec<_>>(),
        [
            ("x", 65_536),
            ("x", 65_536),
            ("x", 65_536),
            ("x", 3_392),
            ("e", 3),
            ("y", 65_536),
            ("z", 65_536),
            ("z", 4_464),
        ]
    );
    assert_eq!(place.observer.bytes(), log.as_bytes());
}

#[tokio::test]
async fn captured_output_is_bounded_and_the_log_is_not() {
    let place = Place::new();
    let mut command = place.command("seq 1 5000; echo err >&2");
    command.capture_limit_bytes = 1000;
    let exit = place.run(command).await.unwrap();
    assert_eq!(exit.captured.stdout, Some(Err("stdout is longer than 1000 bytes".to_owned())));
    assert_eq!(stderr(&exit), "err\n");
    let log = String::from_utf8(place.log()).unwrap();
    assert_eq!(log.lines().count(), 5001);

    let mut command = place.command("printf 1234567890");
    (command.capture, command.capture_limit_bytes) = (Captured { stdout: true, stderr: false }, 10);
    let exit = place.run(command).await.unwrap();
    assert_eq!(stdout(&exit), "1234567890", "just as long as it may be");
    assert_eq!(exit.captured.stderr, None);
}

#[tokio::test]
async fn the_environment_is_exactly_as_given() {
    let place = Place::new();
    let mut command = place.command("");
    command.argv = vec!["env".to_owned()];
    let awkward = [("A", "1"), ("EMPTY", ""), ("LINES", "a b\"\n$x `y` é"), ("TAKO_OUTPUT", "not this")];
    command.env.extend(awkward.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let exit = place.run(command).await.unwrap();
    let printed = stdout(&exit);
    let mut names: Vec<_> =
        printed.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    let want = [
        "A",
        "EMPTY",
        "GITHUB_ENV",
        "GITHUB_OUTPUT",
        "GITHUB_PATH",
        "GITHUB_STEP_SUMMARY",
        "LINES",
        "PATH",
        "TAKO_ENV",
        "TAKO_OUTPUT",
        "TAKO_PATH",
        "TAKO_STEP_SUMMARY",
    ];
    assert_eq!(names, want);
    assert!(
        printed.contains("LINES=a b\"\n$x `y` é\n") && printed.contains("PATH=/usr/bin:/bin\n"),
        "{printed}"
    );
    assert!(!printed.contains("not this"), "{printed}");
}

#[tokio::test]
async fn a_step_talks_through_files() {
    let place = Place::new();
    let exit = place
        .run_script(
            "[ $TAKO_OUTPUT = $GITHUB_OUTPUT ] && [ $TAKO_ENV = $GITHUB_ENV ]
            [ $TAKO_PATH = $GITHUB_PATH ] && [ $TAKO_STEP_SUMMARY = $GITHUB_STEP_SUMMARY ]
            echo a=1 >> $TAKO_OUTPUT; echo b=2 >> $GITHUB_OUTPUT
            echo C=3 >> $TAKO_ENV; echo /d >> $TAKO_PATH; echo '# e' >> $TAKO_STEP_SUMMARY
            dirname $TAKO_OUTPUT; stat -c %a $(dirname $TAKO_OUTPUT) $TAKO_OUTPUT",
        )
        .await;
    assert!(succeeded(&exit), "{}", stderr(&exit));
    assert_eq!(exit.files.output, b"a=1\nb=2\n");
    assert_eq!(exit.files.env, b"C=3\n");
    assert_eq!(exit.files.path, b"/d\n");
    assert_eq!(exit.files.summary, b"# e\n");
    let [dir, dir_mode, file_mode] =
        stdout(&exit).lines().map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((dir_mode.as_str(), file_mode.as_str()), ("700", "600"));
    assert!(dir.starts_with(place.path("scratch").to_str().unwrap()), "{dir}");
    place.leave().await;
    assert_eq!(fs::read_dir(place.path("scratch")).unwrap().count(), 0, "nothing is left");
}

#[tokio::test]
async fn step_files_are_not_trusted() {
    let place = Place::new();
    fs::write(place.path("secret"), "secret").unwrap();
    let cases = [
        ("a link", format!("ln -sf {} $TAKO_OUTPUT", place.path("secret").display()), "Io"),
        ("a link that stays inside", "ln -sf env $TAKO_OUTPUT".to_owned(), "Io"),
        ("a FIFO", "rm $TAKO_OUTPUT; mkfifo $TAKO_OUTPUT".to_owned(), "Io"),
        ("a directory", "rm $TAKO_OUTPUT; mkdir $TAKO_OUTPUT".to_owned(), "Io"),
        ("too much", "head -c 1048577 /dev/zero > $TAKO_OUTPUT".to_owned(), "TooLarge"),
        ("as much as may be", "head -c 1048576 /dev/zero > $TAKO_OUTPUT".to_owned(), "fine"),
        ("none", "rm $TAKO_OUTPUT".to_owned(), "fine"),
        ("the directory is gone", "rm -r $(dirname $TAKO_OUTPUT)".to_owned(), "fine"),
        (
            "another directory in its place",
            format!("d=$(dirname $TAKO_OUTPUT); mv $d $d.x; ln -s {} $d", place.path("").display()),
            "fine",
        ),
    ];
    for (name, script, want) in cases {
        let got = match place.run(place.command(&script)).await {
            Ok(exit) => {
                assert!(succeeded(&exit) && !exit.files.output.starts_with(b"secret"), "{name}");
                "fine"
            }
            Err(RuntimeError::TooLarge { what, .. }) => {
                assert_eq!(what, "`$TAKO_OUTPUT`");
                "TooLarge"
            }
            Err(error) => {
                assert!(error.is_users(), "{name}: {error}");
                "Io"
            }
        };
        assert_eq!(got, want, "{name}");
    }
    assert_eq!(fs::read(place.path("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn logs_are_private_and_one_per_try() {
    let place = Place::new();
    for attempt in [1, 2] {
        let mut command = place.command(&format!("echo try {attempt}"));
        command.attempt = attempt;
        place.run(command).await.unwrap();
        let log = log_path(&place.path("logs"), &run(), &step(), attempt);
        assert_eq!(fs::read_to_string(&log).unwrap(), format!("try {attempt}\n"));
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(log.as_path()), mode(log.parent().unwrap()), mode(&place.path("logs"))),
            (0o600, 0o700, 0o700)
        );
    }
}

#[tokio::test]
async fn programs_and_arguments() {
    let place = Place::new();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let cases = [
        ("the script's file", words(&["cat", "{0}"]), Ok("SCRIPT")),
        ("inside of a word", words(&["sh", "-c", "cat {0}"]), Ok("SCRIPT")),
        ("the script itself", words(&["{0}"]), Ok("ran\n")),
        ("no script", words(&["echo", "a b", "$x"]), Ok("a b $x\n")),
        ("no such program", words(&["nope-nope"]), Err(true)),
        ("no such path", words(&["/nope/nope"]), Err(true)),
        ("not executable", words(&["/etc/passwd"]), Err(true)),
        ("no program", words(&[]), Err(true)),
    ];
    for (name, argv, want) in cases {
        let script = if argv == ["{0}"] { "#!/bin/sh\necho ran" } else { "SCRIPT" };
        let mut command = place.command(script);
        command.argv = argv;
        let got = place.run(command).await.map(|exit| stdout(&exit)).map_err(|error| {
            assert!(matches!(error, RuntimeError::Spawn { .. }), "{name}: {error}");
            error.is_users()
        });
        assert_eq!(got.as_deref().map_err(|is_users| *is_users), want, "{name}");
    }
}

#[tokio::test]
async fn working_directories_stay_in_the_workspace() {
    let place = Place::new();
    fs::create_dir_all(place.workspace().join("a/b")).unwrap();
    std::os::unix::fs::symlink("../..", place.workspace().join("a/up")).unwrap();
    let run_in = async |directory: &str| {
        let mut command = place.command("pwd");
        command.working_directory = Some(directory.to_owned());
        place.run(command).await
    };
    let inside = run_in("a/b").await.unwrap();
    assert_eq!(stdout(&inside).trim_end(), place.workspace().join("a/b").to_str().unwrap());
    for directory in ["..", "a/../..", "/", "a/up", "/proc/self/fd/7"] {
        let error = run_in(directory).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Confined { .. }) && error.is_users(), "{directory}: {error}");
    }
    let missing = run_in("nope").await.unwrap_err();
    assert!(missing.is_users(), "{missing}");
    place.leave().await;
    assert_eq!(
        fs::read_dir(place.path("scratch"))
            .unwrap_or_else(|_| fs::read_dir(place.workspace().join("a/b")).unwrap())
            .count(),
        0
    );
}

#[tokio::test]
async fn files_of_the_workspace_are_read_confined() {
    let place = Place::new();
    fs::write(place.workspace().join("version"), "1.2.3\n").unwrap();
    let read = async |path: &str, limit| place.runtime.read_file(&place.workspace(), path, limit).await;
    assert_eq!(read("version", 6).await.unwrap(), b"1.2.3\n");
    assert!(matches!(read("version", 5).await, Err(RuntimeError::TooLarge { .. })));
    assert!(matches!(read("../secret", 5).await, Err(RuntimeError::Confined { .. })));
}

/// Takes its time, so that output waits for it.
struct Slow {
    seen: tokio::sync::Mutex<Vec<u8>>,
}

#[async_trait::async_trait]
impl Observer for Slow {
    async fn entry(&self, _: &tako_schemas::id::RunId, _: &tako_schemas::journal::Recorded) {}

    async fn output(&self, _: &tako_schemas::id::RunId, _: &tako_schemas::id::StepId, bytes: &[u8]) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        self.seen.lock().await.extend_from_slice(bytes);
    }
}

#[tokio::test]
async fn a_slow_observer_misses_nothing() {
    let place = Place::new();
    let observer = Arc::new(Slow { seen: tokio::sync::Mutex::default() });
    let command = place.command("seq 1 200000");
    let mut running = place.runtime.start(command, Arc::clone(&observer) as Arc<dyn Observer>).await.unwrap();
    assert!(succeeded(&running.wait().await.unwrap()));
    let want: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    assert!(*observer.seen.lock().await == want.as_bytes());
    assert!(place.log() == want.as_bytes());
}

#[tokio::test]
async fn steps_of_a_run_see_nothing_of_each_other() {
    let place = Place::new();
    let first = place
        .run_script("echo $PPID > warden; echo a=1 >> $TAKO_OUTPUT; echo x > $(dirname $TAKO_OUTPUT)/more")
        .await;
    assert_eq!(first.files.output, b"a=1\n");
    let mut command = place.command(
        "[ $PPID = $(cat warden) ] && [ ! -s $TAKO_OUTPUT ] && [ $(ls $(dirname $TAKO_OUTPUT) | wc -l) = 5 ] && echo b=2 > $TAKO_OUTPUT && ln $TAKO_OUTPUT kept",
    );
    command.env.push(("SECOND".to_owned(), "yes".to_owned()));
    let second = place.run(command).await.unwrap();
    assert!(succeeded(&second), "{}", stderr(&second));
    assert_eq!(second.files.output, b"b=2\n");
    // What a step kept a way to is not given to the next.
    let third = place
        .run_script(
            "[ -z \"$SECOND\" ] && [ $(cat kept) = b=2 ] && echo c=3 > $TAKO_OUTPUT && [ $(cat kept) = b=2 ]",
        )
        .await;
    assert!(succeeded(&third), "{}", stderr(&third));
    assert_eq!(third.files.output, b"c=3\n");

    // Who stops a step that is over stops no other.
    let mut over = place.start(place.command("true")).await.unwrap();
    let late = over.stopper();
    over.wait().await.unwrap();
    let mut running = place.start_ready("echo ready; until [ -e go ]; do sleep 0.02; done; echo done").await;
    late.stop(std::time::Duration::ZERO);
    drop(over);
    fs::write(place.workspace().join("go"), "").unwrap();
    assert!(succeeded(&running.wait().await.unwrap()));

    // One whose warden has died gets another.
    let killed: i32 = fs::read_to_string(place.workspace().join("warden")).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(killed), nix::sys::signal::Signal::SIGKILL).unwrap();
    while support::lives(u32::try_from(killed).unwrap()) {
        tokio::task::yield_now().await;
    }
    let fourth = place.run_script("[ $PPID != $(cat warden) ]").await;
    assert!(succeeded(&fourth), "{}", stderr(&fourth));
}

#[tokio::test]
async fn a_try_whose_warden_is_lost_is_not_begun_again() {
    let place = Place::new();
    assert!(succeeded(&place.run_script("true").await));
    let mut command = place.command("echo x >> begun; kill -9 $PPID; sleep 3600");
    command.env.push(("TAKO_RUN_ID".to_owned(), run().to_string()));
    // Whether that is heard of before the step has begun, or after.
    let error = match place.start(command).await {
        Ok(mut running) => running.wait().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(!error.is_users(), "{error}");
    assert_eq!(fs::read_to_string(place.workspace().join("begun")).unwrap(), "x\n");
    assert_eq!(place.runtime.processes().await.unwrap(), [], "nothing of it lives");
}

#[tokio::test]
async fn nothing_of_a_run_is_left_when_it_is_left() {
    let place = Place::new();
    assert!(succeeded(&place.run_script("true").await));
    assert_eq!(place.runtime.processes().await.unwrap().len(), 1, "its warden waits for more");
    place.leave().await;
    let gone = async || {
        while !place.runtime.processes().await.unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    gone().await;
    // The warden of a step that was abandoned goes by itself: the run has been left by then.
    let running = place.start_ready("echo ready; sleep 3600").await;
    drop(running);
    place.leave().await;
    gone().await;
}
