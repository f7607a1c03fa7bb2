//! Secrets of an agent's operator, and of containers.

use std::fs;

use tako_tests::engine::Engine;
use tako_tests::home::Home;
use tako_tests::process::wait_until;

use super::farm::{Farm, HOST, private};

const TOKEN: &str = "correct horse battery staple";

const PUBLISHING: &str = "version: 1
workflows:
  publish:
    on: push
    secrets: [NPM_TOKEN]
    steps:
      - {id: publish, env: {AUTH: NPM_TOKEN}, run: 'test -n \"$AUTH\" && echo \"with $AUTH\"'}
      - {id: after, run: 'test -z \"$AUTH$NPM_TOKEN\"'}
";

#[test]
fn an_agent_gives_secrets_to_whom_its_operator_names() {
    let (mut farm, repos) = Farm::new(&[("o/web", PUBLISHING), ("o/other", PUBLISHING)]);
    let file = private(&farm.git.ca_file().with_file_name("secrets"), &format!("NPM_TOKEN={TOKEN}\n"));
    let rule = "[[secrets.allow]]\nnames = [\"NPM_*\"]\nrepositories = [\"o/web\"]\nbranches = [\"main\"]\nevents = [\"push\"]\n";
    let agent = farm.agent(&format!("{HOST}[secrets]\nfile = {file:?}\n{rule}"));

    let run = farm.push(&repos[0]);
    let tree = farm.ended(&run);
    assert_eq!(tree["state"], "success", "{tree}");
    let logs = farm.tako(&["logs", &run]).expect(0).stdout;
    assert!(logs.contains("[o/web publish] with ***\n"), "{logs}");

    let run = farm.push(&repos[1]);
    let tree = farm.ended(&run);
    assert_eq!(tree["state"], "failure", "{tree}");
    let why = "o/other may not have the secret `NPM_TOKEN` (started by `push`, branch main)";
    assert!(tree.to_string().contains(why), "{tree}");
    let logs = farm.tako(&["logs", &run]);
    assert!(!logs.stdout.contains("publish"), "it did not begin: {logs:?}");

    for home in [farm.server.home(), agent.home()] {
        let found =
            std::process::Command::new("grep").args(["-rla", TOKEN]).arg(home.path()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    }
}

#[test]
fn the_container_of_a_step_does_not_tell_its_secrets() {
    let Some(engine) = Engine::required_or_skip("secrets of containers") else { return };
    let home = Home::new();
    let manifest = format!(
        "version: 1
workflows:
  go:
    secrets: [TOKEN]
    image: {}
    steps:
      - id: hold
        env: {{IT: TOKEN}}
        run: 'echo \"$IT\"; touch begun; while ! test -e go-on; do sleep 0.1; done'
      - id: next
        run: 'test -z \"$IT$TOKEN\" && ! grep -aq horse /proc/[0-9]*/environ'
",
        engine.image()
    );
    home.add("o/app", &manifest);
    fs::write(home.path().join("config.toml"), format!("engine = \"{}\"\n", engine.address())).unwrap();
    let mut command = home.command(&["exec", "go", "--repo=o/app"]);
    let running = command.env("TOKEN", TOKEN).stdout(std::process::Stdio::null()).spawn().unwrap();
    let workspaces = home.path().join("workspaces");
    let workspace = wait_until("the step runs", || {
        let mut runs = fs::read_dir(&workspaces).ok()?.flatten();
        runs.find_map(|run| {
            let workspace = run.path().join("app");
            workspace.join("begun").exists().then_some(workspace)
        })
    });
    let run = workspace.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let container = engine.docker(&["ps", "--quiet", "--filter", &format!("label=dev.tako.run={run}")]);
    let told = engine.docker(&["inspect", container.trim()]);
    fs::write(workspace.join("go-on"), "").unwrap();
    let done = running.wait_with_output().unwrap();
    assert!(told.contains("dev.tako.run") && !told.contains("horse"), "{told}");
    assert!(done.status.success());
    assert_eq!(home.tako(&["logs", &run, "--step=hold"]).expect(0).stdout, "***\n");
}
