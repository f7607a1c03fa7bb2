//! Steps in containers, on an agent and under `tako exec`.

use std::fs;

use tako_tests::engine::Engine;
use tako_tests::home::Home;

use super::farm::Farm;

fn manifest(image: &str) -> String {
    format!(
        "version: 1\nworkflows:\n  test:\n    on: push\n    image: {image}\n    steps:\n      - id: who\n        run: id -u; ls /sys/class/net\n      - id: make\n        run: mkdir -p out/deep && echo made > out/deep/file && touch /outside\n        continue_on_error: true\n      - id: use\n        run: cat out/deep/file; echo \"ws $TAKO_WORKSPACE\"; echo \"v=1\" >> $TAKO_OUTPUT\n      - run: echo \"v is {{{{ .steps.use.v }}}}\"\n"
    )
}

#[test]
fn a_push_runs_in_a_container_on_an_agent_that_runs_nothing_else() {
    let Some(engine) = Engine::required_or_skip("a push in a container") else { return };
    let (mut farm, repos) = Farm::new(&[
        ("o/app", &manifest(engine.image())),
        ("o/bare", "version: 1\nworkflows: {go: {on: push, steps: ['echo hi']}}\n"),
    ]);
    let _agent = farm.agent(&format!("engine = \"{}\"\n", engine.address()));
    let run = farm.push(&repos[0]);
    let tree = farm.ended(&run);
    assert_eq!(tree["state"], "success", "{tree}");
    let logs = farm.tako(&["logs", &run]).expect(0).stdout;
    assert!(logs.contains("[o/app who] 1001\n[o/app who] lo\n"), "{logs}");
    assert!(logs.contains("Read-only file system"), "{logs}");
    assert!(logs.contains("[o/app use] made\n[o/app use] ws /workspace"), "{logs}");
    assert!(logs.contains("v is 1"), "{logs}");

    let refused = farm.push(&repos[1]);
    let tree = farm.ended(&refused);
    assert_ne!(tree["state"], "success");
    assert!(tree.to_string().contains("isolation = \\\"host\\\""), "{tree}");
}

#[test]
fn exec_leaves_no_container_and_files_that_can_be_deleted() {
    let Some(engine) = Engine::required_or_skip("exec in containers") else { return };
    let home = Home::new();
    home.add(
        "o/app",
        &manifest(engine.image())
            .replace("touch /outside", "exit 1")
            .replace("        continue_on_error: true\n", ""),
    );
    fs::write(home.path().join("config.toml"), format!("engine = \"{}\"\n", engine.address())).unwrap();
    for _ in 0..20 {
        let failed = home.tako(&["exec", "test", "--repo=o/app"]).expect(1);
        // The workspace of a failed run is kept, and is ours.
        let kept = home.path().join("workspaces").join(failed.run()).join("app/out/deep/file");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "made\n");
        fs::remove_dir_all(kept.parent().unwrap().parent().unwrap()).unwrap();
        let label = format!("label=dev.tako.run={}", failed.run());
        assert_eq!(engine.docker(&["ps", "--all", "--quiet", "--filter", &label]), "");
    }
}

#[test]
fn without_an_engine_a_step_with_an_image_fails_and_says_so() {
    let home = Home::new();
    home.add("o/app", &manifest("busybox"));
    fs::write(home.path().join("config.toml"), "engine = \"unix:///nowhere/docker.sock\"\n").unwrap();
    let failed = home.tako(&["exec", "test", "--repo=o/app"]);
    assert_ne!(failed.code, Some(0));
    let all = format!("{}{}", failed.stdout, failed.stderr);
    assert!(all.contains("no container engine answers") && all.contains("/nowhere/docker.sock"), "{all}");
    assert!(!all.contains("uid"), "it did not run here instead");
}

#[test]
fn the_policy_of_the_operator_wins() {
    let home = Home::new();
    let manifest = "version: 1\nworkflows: {go: {steps: [{run: id, image: busybox, network: host}]}}\n";
    home.add("o/app", manifest);
    let refused = home.tako(&["exec", "go", "--repo=o/app"]).expect(1);
    assert!(refused.stdout.contains("`policy.networks`, which allows bridge"), "{}", refused.stdout);
    // What the operator says about one thing changes nothing about the others.
    fs::write(home.path().join("config.toml"), "[policy]\nvolumes = [\"/srv\"]\n").unwrap();
    let refused = home.tako(&["exec", "go", "--repo=o/app"]).expect(1);
    assert!(refused.stdout.contains("which allows bridge"), "{}", refused.stdout);
    home.add("o/plain", "version: 1\nworkflows: {go: {steps: ['echo hi']}}\n");
    home.tako(&["exec", "go", "--repo=o/plain"]).expect(0);
}

#[test]
fn a_silent_container_times_out_and_a_failing_one_is_tried_again() {
    let Some(engine) = Engine::required_or_skip("time limits of containers") else { return };
    let home = Home::new();
    let image = engine.image();
    home.add(
        "o/app",
        &format!(
            "version: 1\nworkflows:\n  go:\n    image: {image}\n    steps:\n      - {{id: shaky, run: 'test -e shaken || {{ touch shaken; exit 1; }}', retry: {{attempts: 2, delay: 0s}}}}\n      - {{id: silent, run: 'echo begun; (setsid sleep 600 &); sleep 600', no_output_timeout: 1s}}\n"
        ),
    );
    fs::write(home.path().join("config.toml"), format!("engine = \"{}\"\n", engine.address())).unwrap();
    let ended = home.tako(&["exec", "go", "--repo=o/app"]).expect(4);
    assert!(ended.stdout.contains("wrote nothing for its no_output_timeout of 1s"), "{}", ended.stdout);
    let tree = home.status(None);
    assert_eq!((&tree["steps"][0]["attempt"], &tree["steps"][0]["state"]), (&2.into(), &"success".into()));
    let label = format!("label=dev.tako.run={}", ended.run());
    assert_eq!(engine.docker(&["ps", "--all", "--quiet", "--filter", &label]), "");

    // What is resumed goes on in a container of its own.
    let run = ended.run();
    let silent = home.tako(&["exec", "--resume", &run]).expect(4);
    assert!(silent.stdout.contains("silent"), "{}", silent.stdout);
    assert_eq!(home.status(Some(&run))["steps"][1]["attempt"], 2);
}
