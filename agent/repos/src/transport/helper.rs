//! `git credential`: the credential helpers of the user that Tako runs as.
//!
//! It runs in `/`, so that no repository's configuration names a helper, and it cannot ask anybody anything.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use url::Url;

use super::process::kill_group;
use super::{Context, TransportError};
use crate::credentials::{Login, origin_of};

/// How long a helper may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that are read of its answer.
const MAX_ANSWER: u64 = 64 << 10;

/// Asks for a login for `url`.
pub(super) fn fill(context: &Context, url: &Url, username: Option<&str>) -> Result<Login, TransportError> {
    let origin = origin_of(url);
    let refused = |why: &str| TransportError::Helper { origin: origin.clone(), why: why.to_owned() };
    let mut question = description(url);
    if let Some(username) = username.filter(|name| !name.contains(['\n', '\0'])) {
        question.push_str(&format!("username={username}\n"));
    }
    let answer = ask(context, "fill", &question).map_err(|why| match why {
        Failure::Transport(error) => error,
        Failure::Helper(why) => refused(&why),
    })?;
    let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    match (value("username"), value("password")) {
        (Some(username), Some(password)) => Ok(Login {
            username: username.to_owned().into(),
            password: password.to_owned().into(),
            hide_username: false,
        }),
        _ => Err(refused("it answered without a username or password")),
    }
}

/// Tells the helpers whether `login` was good. That they do not hear it harms nobody.
pub(super) fn report(context: &Context, url: &Url, login: &Login, good: bool) {
    let (username, password) = (login.username.reveal(), login.password.reveal());
    let question = format!("{}username={username}\npassword={password}\n", description(url));
    let verb = if good { "approve" } else { "reject" };
    if ask(context, verb, &question).is_err() {
        tracing::debug!(verb, origin = origin_of(url), "git credential did not take the report");
    }
}

/// What is opened, in the words of git-credential(1). A URL holds no line ends.
fn description(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_start_matches('/');
    format!("protocol={}\nhost={host}{port}\npath={path}\n", url.scheme())
}

enum Failure {
    Transport(TransportError),
    Helper(String),
}

fn ask(context: &Context, verb: &str, question: &str) -> Result<String, Failure> {
    let handle = context.io.handle().map_err(Failure::Transport)?;
    let _entered = handle.enter();
    let program = &context.programs.git;
    let mut child = Command::new(program)
        .args(["credential", verb])
        .current_dir("/")
        .env("GIT_TERMINAL_PROMPT", "0")
        // An empty one wins over configured ones, and asks nobody.
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Failure::Transport(TransportError::Start { program: program.clone(), source }))?;
    let answered = context.wait(async { tokio::time::timeout(PATIENCE, talk(&mut child, question)).await });
    kill_group(&child);
    match answered.map_err(Failure::Transport)? {
        Ok(Ok((true, answer))) => Ok(answer),
        Ok(Ok((false, _))) => Err(Failure::Helper("no helper knows any".into())),
        Ok(Err(error)) => Err(Failure::Helper(error.to_string())),
        Err(_) => Err(Failure::Helper(format!("it did not answer within {PATIENCE:?}"))),
    }
}

async fn talk(child: &mut Child, question: &str) -> std::io::Result<(bool, String)> {
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read the question says so by its exit code.
        let _ = stdin.write_all(format!("{question}\n").as_bytes()).await;
    }
    let mut answer = String::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_ANSWER).read_to_string(&mut answer).await?;
    }
    Ok((child.wait().await?.success(), answer))
}
