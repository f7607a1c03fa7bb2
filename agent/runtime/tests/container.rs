//! What steps in containers can do, and what becomes of their files and output, with a real engine.
//!
//! The engine is `TAKO_TEST_ENGINE`, else `DOCKER_HOST`, else Docker's usual socket; the image `TAKO_TEST_IMAGE`, which
//! needs `/bin/sh` and the usual tools. Without an engine these tests say so and pass, except where `CI` is set.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tako_engine::port::{ExitStatus, Mount, Place, Profile, Runtime, RuntimeError};
use tako_schemas::journal::Spawned;

mod contained;
mod support;
use contained::Contained;
use support::{stderr, stdout, succeeded};

#[tokio::test]
async fn a_step_is_confined() {
    let Some(place) = Contained::new().await else { return };
    let cases = [
        ("user", "id -u; id -g", "1001\n1001\n"),
        ("working directory", "pwd; cd sub && pwd", "/workspace\n/workspace/sub\n"),
        (
            "the root is read-only",
            "touch /x /etc/x /bin/x 2>/dev/null; ls /x /etc/x /bin/x 2>/dev/null; true",
            "",
        ),
        ("no network but loopback", "ls /sys/class/net", "lo\n"),
        ("no engine", "ls /run/docker.sock /var/run/docker.sock 2>/dev/null; true", ""),
        (
            "no privileges",
            "grep -E '^(CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'",
            "CapPrm:0000000000000000\nCapEff:0000000000000000\nCapBnd:0000000000000000\n\
             CapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n",
        ),
        ("nothing of the machine's environment", "env | grep -c -E '^(CARGO|RUST|TAKO_TEST)' || true", "0\n"),
        ("no core dumps, few files", "ulimit -c; ulimit -n", "0\n1024\n"),
        ("temporary files may be run", "cp /bin/busybox /tmp && /tmp/busybox echo yes", "yes\n"),
        ("limits", "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true", "128\n"),
    ];
    for (name, script, want) in cases {
        let exit = place.run_script(script).await;
        assert_eq!(
            (stdout(&exit).as_str(), exit.status),
            (want, ExitStatus::Code(0)),
            "{name}: {}",
            stderr(&exit)
        );
    }
    // What keeps the container is out of reach.
    let exit = place
        .run_script("for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || kill -9 ${p#/proc/} 2>/dev/null; done; cat /proc/1/environ")
        .await;
    assert!(!succeeded(&exit) && stderr(&exit).contains("Permission denied"), "{}", stderr(&exit));
    assert!(succeeded(&place.run_script("true").await));
    assert_eq!(place.containers().await.len(), 1, "all of it in one container");
}

#[tokio::test]
async fn exit_codes_and_directories() {
    let Some(place) = Contained::new().await else { return };
    for code in [0, 1, 42, 126, 255] {
        let exit = place.run_script(&format!("exit {code}")).await;
        assert_eq!(exit.status, ExitStatus::Code(code));
    }
    assert_eq!(place.run_script("kill -9 $$").await.status, ExitStatus::Code(137));
    let missing = place.run(place.with_argv(&["no-such-program"])).await.unwrap();
    assert_eq!(missing.status, ExitStatus::Code(127));
    let shebang = place.with_argv(&["{0}"]);
    let mut shebang = shebang;
    shebang.script = "#!/bin/sh\necho direct".to_owned();
    assert_eq!(stdout(&place.run(shebang).await.unwrap()), "direct\n");

    let enter = |path: &str| {
        let mut command = place.command("pwd");
        command.working_directory = Some(path.to_owned());
        place.run(command)
    };
    for (path, want) in
        [("sub", "/workspace/sub\n"), ("/workspace/sub", "/workspace/sub\n"), (".", "/workspace\n")]
    {
        assert_eq!(stdout(&enter(path).await.unwrap()), want, "{path}");
    }
    place.run_script("ln -s /proc/self/fd fds").await;
    for path in ["nope", "../..", "/etc", "/proc/self/fd/7", "fds/7"] {
        let error = enter(path).await.err().unwrap();
        assert!(error.is_users(), "{path}: {error}");
    }
}

#[tokio::test]
async fn files_are_ours_afterwards() {
    let Some(place) = Contained::new().await else { return };
    fs::write(place.workspace().join("mine"), "x").unwrap();
    let script = "echo y >> mine; mkdir -p d/e; echo z > d/e/f; chmod 0 d/e/f d/e d; cp /bin/busybox s; chmod 6755 s; \
                  ln -s /etc/passwd link; mkfifo fifo";
    assert!(succeeded(&place.run_script(script).await));
    let me = nix::unistd::geteuid().as_raw();
    // A step outside of the container that comes next can use the workspace.
    let mut host = place.command("cat mine && echo host > h && stat -c %u mine d");
    host.place = Place::Host;
    let exit = place.run(host).await.unwrap();
    assert_eq!(stdout(&exit), format!("xy\n{me}\n{me}\n"), "{}", stderr(&exit));
    // And then one inside of it what that one left.
    assert_eq!(stdout(&place.run_script("stat -c %u h mine; echo more >> h").await), "1001\n1001\n");
    place.leave().await;
    for name in ["", "mine", "d", "link", "fifo", "h", "s"] {
        let found = place.workspace().join(name).symlink_metadata().unwrap();
        assert_eq!(found.uid(), me, "{name}");
    }
    // Where steps are somebody else, they leave no programs that run as us.
    let set_id = fs::metadata(place.workspace().join("s")).unwrap().mode() & 0o6000;
    assert!(me == 1001 || set_id == 0, "{set_id:o}");
    assert_eq!(fs::read_to_string(place.workspace().join("h")).unwrap(), "host\nmore\n");
    fs::remove_dir_all(place.workspace()).unwrap();
    assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0);
}

#[tokio::test]
async fn output_is_complete() {
    let Some(place) = Contained::new().await else { return };
    let mut both = place.command(
        "(i=0; while [ $i -lt 50000 ]; do echo $i-oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo; i=$((i+1)); done) & \
         (i=0; while [ $i -lt 50000 ]; do echo $i-eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee; i=$((i+1)); done) >&2 & wait",
    );
    both.capture_limit_bytes = 10 << 20;
    let exit = place.run(both).await.unwrap();
    let (out, err) = (stdout(&exit), stderr(&exit));
    for (text, letter) in [(&out, 'o'), (&err, 'e')] {
        assert!(text.len() > 4 << 20);
        assert_eq!(text.lines().count(), 50_000);
        assert!(text.lines().enumerate().all(|(i, line)| line.starts_with(&format!("{i}-{letter}"))));
    }
    assert_eq!(place.log().len(), out.len() + err.len());

    let mut long = place.command("head -c 200000 /dev/zero | tr '\\0' x; printf '\\0\\377\\033]8;;x'");
    long.attempt = 2;
    let exit = place.run(long).await.unwrap();
    let got = exit.captured.stdout.unwrap().unwrap();
    assert_eq!(got.len(), 200_008);
    let log =
        fs::read(tako_runtime::log_path(&place.path("logs"), &support::run(), &support::step(), 2)).unwrap();
    assert!(log.split(|byte| *byte == b'\n').all(|line| line.len() <= 64 * 1024));
    assert_eq!(log.iter().filter(|byte| **byte != b'\n').count(), 200_008);

    let mut little = place.command("echo 12345678901");
    little.capture_limit_bytes = 10;
    assert!(place.run(little).await.unwrap().captured.stdout.unwrap().is_err());
    // Both streams closed long before the end.
    let exit = place.run_script("echo x; exec >&- 2>&-; sleep 0.3; exit 9").await;
    assert_eq!((stdout(&exit).as_str(), exit.status), ("x\n", ExitStatus::Code(9)));
}

#[tokio::test]
async fn the_files_of_a_step() {
    let Some(place) = Contained::new().await else { return };
    let exit = place
        .run_script(
            "echo a=1 >> $TAKO_OUTPUT; echo b=2 >> $GITHUB_ENV; echo /p >> $TAKO_PATH; echo '# hi' > $GITHUB_STEP_SUMMARY; \
             echo $TAKO_OUTPUT; echo $GITHUB_OUTPUT",
        )
        .await;
    assert_eq!(exit.files.output, b"a=1\n");
    assert_eq!(exit.files.env, b"b=2\n");
    assert_eq!(exit.files.path, b"/p\n");
    assert_eq!(exit.files.summary, b"# hi\n");
    assert_eq!(stdout(&exit), "/tako/build.1/output\n/tako/build.1/output\n");
    assert_eq!(
        stdout(&place.run_script("ls /tako; rm $TAKO_OUTPUT").await),
        "build.1\n",
        "and nothing of others"
    );

    fs::write(place.path("secret"), "secret").unwrap();
    let secret = place.path("secret");
    let secret = secret.display();
    let attacks = [
        ("a link to a file of the machine", format!("ln -sf {secret} $TAKO_OUTPUT")),
        (
            "a link to another of the step's files",
            "rm $TAKO_OUTPUT; ln $TAKO_ENV /tako/x; ln -s env $TAKO_OUTPUT".to_owned(),
        ),
        ("a FIFO", "rm $TAKO_OUTPUT; mkfifo $TAKO_OUTPUT".to_owned()),
        ("a directory", "rm $TAKO_OUTPUT; mkdir $TAKO_OUTPUT".to_owned()),
        ("too much", "head -c 2000000 /dev/zero > $TAKO_OUTPUT".to_owned()),
        (
            "another directory",
            format!("rm -rf /tako/build.1/* ; ln -s {} /tako/build.1/output", place.path("").display()),
        ),
    ];
    for (name, script) in attacks {
        let error = place.run(place.command(&format!("{script}; true"))).await.unwrap_err();
        assert!(error.is_users(), "{name}: {error}");
    }
    place.leave().await;
    assert_eq!(
        fs::read_dir(place.path("scratch"))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name() != "given")
            .count(),
        0
    );
}

#[tokio::test]
async fn what_cannot_be_had() {
    let Some(place) = Contained::new().await else { return };
    let mut command = place.command("true");
    place.plan(&mut command, |plan| plan.image = "tako-test/nope:1".to_owned());
    let error = place.run(command).await.unwrap_err();
    assert!(matches!(&error, RuntimeError::Image { missing: true, .. }), "{error}");

    if place.has_image("tako-test/empty:1").await {
        let mut command = place.command("true");
        place.plan(&mut command, |plan| plan.image = "tako-test/empty:1".to_owned());
        let error = place.run(command).await.unwrap_err();
        assert!(matches!(&error, RuntimeError::Image { missing: true, .. }), "{error}");
        assert!(error.to_string().contains("/bin/sh"), "{error}");
    }
    for (name, source) in [("missing", place.path("nope")), ("through a link", place.path("link"))] {
        let _ = symlink(place.workspace(), place.path("link"));
        let mut command = place.command("true");
        place.plan(&mut command, |plan| {
            plan.mounts = vec![Mount { source, destination: "/data".to_owned(), read_only: false }];
        });
        let error = place.run(command).await.unwrap_err();
        assert!(error.is_users(), "{name}: {error}");
    }
    assert_eq!(place.containers().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_an_engine() {
    let place = Contained::with_engine("unix:///nope/docker.sock");
    let error = place.run(place.command("true")).await.unwrap_err();
    assert!(
        matches!(&error, RuntimeError::NoEngine { reason } if reason.contains("/nope/docker.sock")),
        "{error}"
    );
    assert!(!error.is_users());
    let mut host = place.command("echo host");
    host.place = Place::Host;
    assert_eq!(stdout(&place.run(host).await.unwrap()), "host\n");
    place.leave().await;
    let left = Spawned { process: None, container: Some("abc".to_owned()) };
    assert!(!place.runtime.reap(&left).await.unwrap());
    assert_eq!(place.runtime.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn volumes_and_profiles() {
    let Some(place) = Contained::new().await else { return };
    fs::create_dir(place.path("a:b")).unwrap();
    fs::write(place.path("a:b").join("f"), "data\n").unwrap();
    for (read_only, want) in [(true, "data\nrefused\n"), (false, "data\nfine\n")] {
        fs::set_permissions(place.path("a:b"), fs::Permissions::from_mode(0o777)).unwrap();
        let mut command =
            place.command("cat /data/f; touch /data/g 2>/dev/null && echo fine || echo refused");
        let source = place.path("a:b");
        place.plan(&mut command, |plan| {
            plan.mounts = vec![Mount { source, destination: "/data".to_owned(), read_only }];
        });
        assert_eq!(stdout(&place.run(command).await.unwrap()), want);
    }
    let script = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'; id -u";
    for (profile, want) in [
        (Profile::Moderate, "CapEff:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n1001\n"),
        (Profile::Minimal, "CapEff:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n1001\n"),
    ] {
        let mut command = place.command(script);
        place.plan(&mut command, |plan| plan.profile = profile);
        assert_eq!(stdout(&place.run(command).await.unwrap()), want, "{profile:?}");
    }
}

#[tokio::test]
async fn objects_of_mirrors_are_borrowed_and_of_others_not() {
    let Some(place) = Contained::new().await else { return };
    let objects = place.path("mirrors/a.git/objects");
    for directory in [&objects, &place.workspace().join(".git/objects/info"), &place.path("other")] {
        fs::create_dir_all(directory).unwrap();
    }
    fs::write(objects.join("o"), "object\n").unwrap();
    fs::write(place.path("other/o"), "other\n").unwrap();
    fs::write(
        place.workspace().parent().unwrap().join("borrowed objects"),
        format!("{}\n", objects.display()),
    )
    .unwrap();
    let script = format!("cat {0}/o; touch {0}/x 2>/dev/null || echo refused", objects.display());
    assert_eq!(stdout(&place.run_script(&script).await), "object\nrefused\n");
    // A step asks the next container for more.
    let evil = format!(
        "echo {} > .git/objects/info/alternates; sleep 3600 >/dev/null 2>&1 &",
        place.path("mirrors").display()
    );
    place.run_script(&evil).await;
    let exit = place
        .run_script(&format!("cat {}/o; ls {}", objects.display(), place.path("mirrors/a.git").display()))
        .await;
    assert_eq!(stdout(&exit), "object\nobjects\n");
}
