//! `tako hook`: plain git servers tell of pushes by a `post-receive` hook.

use std::fs;
use std::io::{BufRead, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use backoff::{ExponentialBuilder, Retryable};
use clap::Subcommand;
use tako_engine::wire::PushNotice;
use tako_remote::{Client, ClientError};
use tako_schemas::id::RepoId;

use super::written;
use crate::cli::Global;
use crate::error::CliError;
use crate::render::text::clean_line;
use crate::source::client;

/// The second line of hooks that are ours.
const MARK: &str = "# Tells Tako of every push. Written by `tako hook install`.";
/// How long a push may wait for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Have a git repository on this machine tell the server of every push
#[derive(clap::Args, Debug)]
pub(crate) struct HookArgs {
    #[command(subcommand)]
    command: HookCommand,
}

#[derive(Subcommand, Debug)]
enum HookCommand {
    /// Write the post-receive hook of a repository; --server and --token-file say whom it tells
    Install {
        /// What the server calls the repository
        #[arg(long, value_name = "OWNER/REPO")]
        repo: RepoId,

        /// The repository that is pushed to, bare or not
        #[arg(value_name = "DIR", default_value = ".")]
        directory: PathBuf,
    },
    /// What the hook runs: reads `<old> <new> <ref>` lines as git writes them
    PostReceive {
        /// What the server calls the repository
        #[arg(long, value_name = "OWNER/REPO")]
        repo: RepoId,
    },
}

pub(crate) async fn hook(
    args: &HookArgs,
    global: &Global,
    out: &mut dyn Write,
) -> Result<ExitCode, CliError> {
    match &args.command {
        HookCommand::Install { repo, directory } => {
            // A hook that could not work is better not written.
            let _ = client(global)?;
            let server = global.server.as_deref().unwrap_or_default();
            let token_file = global.token_file.as_deref().unwrap_or(Path::new(""));
            let token_file = std::path::absolute(token_file)
                .map_err(|error| CliError::io("find the token file", &error))?;
            let program =
                std::env::current_exe().map_err(|error| CliError::io("find tako itself", &error))?;
            let ca_file = global.ca_file.as_deref().map(std::path::absolute).transpose();
            let ca_file = ca_file.map_err(|error| CliError::io("find the file of authorities", &error))?;
            let hook = Hook {
                program: &program,
                repo,
                server,
                token_file: &token_file,
                ca_file: ca_file.as_deref(),
                allow_http: global.allow_http,
            };
            let path = hook.install(directory)?;
            written(writeln!(out, "wrote {}", path.display()))
        }
        HookCommand::PostReceive { repo } => post_receive(repo, &client(global)?, out).await,
    }
}

/// A `post-receive` hook that tells a server.
pub(crate) struct Hook<'a> {
    pub(crate) program: &'a Path,
    pub(crate) repo: &'a RepoId,
    pub(crate) server: &'a str,
    pub(crate) token_file: &'a Path,
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) allow_http: bool,
}

impl Hook<'_> {
    /// Writes it into the repository at `directory`. Somebody else's hook is left alone.
    pub(crate) fn install(&self, directory: &Path) -> Result<PathBuf, CliError> {
        let git = [directory.join(".git"), directory.to_owned()];
        let git = git.iter().find(|git| git.join("objects").is_dir()).ok_or_else(|| {
            CliError::usage(format!("{} is no git repository", directory.display()))
                .hint("name the repository that is pushed to")
        })?;
        let path = git.join("hooks/post-receive");
        let failed = |error: std::io::Error| CliError::io(format!("write {}", path.display()), &error);
        match fs::read_to_string(&path) {
            Ok(text) if !text.lines().any(|line| line == MARK) => {
                return Err(CliError::usage(format!("{} exists, and is not ours", path.display())).hint(
                    "call `tako hook post-receive --repo OWNER/REPO` from it, with what it reads from stdin",
                ));
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        fs::create_dir_all(git.join("hooks")).map_err(failed)?;
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o755).open(&path).map_err(failed)?;
        file.write_all(self.script().as_bytes()).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(path)
    }

    fn script(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let authorities = self.ca_file.map(|file| format!(" --ca-file {}", quoted(&file.to_string_lossy())));
        format!(
            "#!/bin/sh\n{MARK}\nexec {} hook post-receive --repo {} --server {} --token-file {}{}\n",
            quoted(&self.program.to_string_lossy()),
            quoted(&self.repo.to_string()),
            quoted(self.server),
            quoted(&self.token_file.to_string_lossy()),
            authorities.unwrap_or_default() + if self.allow_http { " --allow-http" } else { "" },
        )
    }
}

/// Tells the server of every reference that was pushed. The push itself has happened already: what fails here is told
/// to whoever pushed, and undoes nothing.
async fn post_receive(repo: &RepoId, client: &Client, out: &mut dyn Write) -> Result<ExitCode, CliError> {
    let mut failed = false;
    let end = tokio::time::Instant::now() + PATIENCE;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| CliError::io("read what was pushed", &error))?;
        let mut words = line.splitn(3, ' ');
        let (Some(before), Some(after), Some(reference)) = (words.next(), words.next(), words.next()) else {
            return Err(CliError::usage(format!("`{}` is not what git writes to a hook", clean_line(&line))));
        };
        let notice = PushNotice {
            id: uuid::Uuid::new_v4().to_string(),
            repo: repo.clone(),
            reference: reference.to_owned(),
            before: Some(before.to_owned()),
            after: Some(after.to_owned()),
            actor: std::env::var("TAKO_PUSHER").or_else(|_| std::env::var("USER")).ok(),
        };
        let telling = (|| client.push(&notice))
            .retry(ExponentialBuilder::default().with_jitter().without_max_times())
            .when(ClientError::is_transient);
        let told = match tokio::time::timeout_at(end, telling).await {
            Ok(told) => told.map_err(|error| error.to_string()),
            Err(_) => Err(format!("{} did not take it within {PATIENCE:?}", client.place())),
        };
        let shown = clean_line(reference);
        let said = match told {
            Ok(()) => writeln!(out, "tako: {shown} of {repo} was told to the server"),
            Err(error) => {
                failed = true;
                writeln!(out, "tako: {shown} of {repo} was NOT told to the server: {error}")
            }
        };
        written(said)?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
