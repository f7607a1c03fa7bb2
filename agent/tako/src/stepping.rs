//! `tako exec --debug`: asks before each step.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::{Signal, raise};
use tako_engine::port::{
    Captured, Exit, ExitStatus, Observer, Running, Runtime, RuntimeError, StepCommand, StepFiles, StopSignal,
};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Process, Spawned};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, watch};

use crate::render::text::{clean, clean_line};

/// Most lines of a script that are shown.
const MOST_LINES: usize = 40;

/// Where steps run, once somebody at the terminal says so.
pub(crate) struct Stepping {
    inner: Arc<dyn Runtime>,
    /// Whether nobody is to be asked any more.
    all: AtomicBool,
    /// Held while somebody is asked: one thing at a time.
    turn: Mutex<()>,
}

enum Answer {
    Run,
    All,
    Environment,
    Cancel,
}

impl Stepping {
    /// Asks before each step that `inner` would run. `None` where there is no terminal to ask at.
    pub(crate) fn new(inner: Arc<dyn Runtime>) -> Option<Self> {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        terminal.then(|| Self { inner, all: AtomicBool::new(false), turn: Mutex::new(()) })
    }

    /// Whether the step shall run.
    async fn ask(&self, command: &StepCommand) -> bool {
        let _turn = self.turn.lock().await;
        if self.all.load(Ordering::Relaxed) {
            return true;
        }
        let Ok(mut interrupted) = signal(SignalKind::interrupt()) else { return true };
        let mut shown = introduce(command);
        loop {
            let answer = tokio::select! {
                answer = prompt(shown) => answer,
                // The whole tree is cancelled: what cleans up after that is asked about no more.
                _ = interrupted.recv() => {
                    self.all.store(true, Ordering::Relaxed);
                    return false;
                }
            };
            match answer {
                Answer::Run => return true,
                Answer::All => {
                    self.all.store(true, Ordering::Relaxed);
                    return true;
                }
                Answer::Environment => shown = environment(command),
                Answer::Cancel => {
                    self.all.store(true, Ordering::Relaxed);
                    // The same as Ctrl-C, which the whole tree is cancelled by.
                    let _ = raise(Signal::SIGINT);
                    return false;
                }
            }
        }
    }
}

/// Shows `text` and waits for an answer. Where nobody can answer any more, it goes on by itself.
async fn prompt(text: String) -> Answer {
    let asked = tokio::task::spawn_blocking(move || {
        let mut terminal = std::io::stderr();
        let question =
            "  [Enter] run it  [c] this and all that follow  [e] its environment  [q] cancel the run: ";
        let told = terminal.write_all(format!("{text}{question}").as_bytes()).and_then(|()| terminal.flush());
        let mut line = String::new();
        let read = told.and_then(|()| std::io::stdin().lock().read_line(&mut line));
        match (read, line.trim()) {
            (Err(_) | Ok(0), _) | (_, "c") => Answer::All,
            (_, "e") => Answer::Environment,
            (_, "q") => Answer::Cancel,
            _ => Answer::Run,
        }
    });
    asked.await.unwrap_or(Answer::All)
}

/// What the step would do.
fn introduce(command: &StepCommand) -> String {
    let repository = variable(command, "TAKO_REPO").unwrap_or_default();
    let mut text = format!("── {repository} {}", command.step);
    if command.attempt > 1 {
        let _ = write!(text, ", try {}", command.attempt);
    }
    let directory = command.workspace.join(command.working_directory.as_deref().unwrap_or_default());
    let _ = writeln!(text, "\n  in {}", clean_line(&directory.display().to_string()));
    let lines: Vec<&str> = command.script.lines().collect();
    for line in lines.iter().take(MOST_LINES) {
        let _ = writeln!(text, "  │ {}", clean(line.as_bytes()));
    }
    if lines.len() > MOST_LINES {
        let _ = writeln!(text, "  │ … and {} more lines", lines.len() - MOST_LINES);
    }
    text
}

/// Its variables, without what they say where that is secret.
fn environment(command: &StepCommand) -> String {
    let mut text = String::new();
    for (name, value) in &command.env {
        let mut line = format!("{name}={value}");
        command.masker.hide(&mut line);
        let _ = writeln!(text, "  {}", clean_line(&line));
    }
    for (name, _) in &command.secrets {
        let _ = writeln!(text, "  {name}=***");
    }
    text
}

fn variable<'a>(command: &'a StepCommand, name: &str) -> Option<&'a str> {
    command.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[async_trait]
impl Runtime for Stepping {
    async fn start(
        &self,
        command: StepCommand,
        observer: Arc<dyn Observer>,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        match self.ask(&command).await {
            true => self.inner.start(command, observer).await,
            false => Ok(Box::new(Held(Arc::default()))),
        }
    }

    async fn reap(&self, left: &Spawned) -> Result<bool, RuntimeError> {
        self.inner.reap(left).await
    }

    async fn processes(&self) -> Result<Vec<(Process, RunId)>, RuntimeError> {
        self.inner.processes().await
    }

    async fn leave(&self, run: &RunId, workspace: &Path) -> Result<(), RuntimeError> {
        self.inner.leave(run, workspace).await
    }

    async fn read_file(
        &self,
        workspace: &Path,
        path: &str,
        limit_bytes: usize,
    ) -> Result<Vec<u8>, RuntimeError> {
        self.inner.read_file(workspace, path, limit_bytes).await
    }
}

/// How long a step that shall not run waits for the cancellation.
const HELD: Duration = Duration::from_secs(5);

/// A step that does not run: it waits for the cancellation that somebody has asked for instead.
struct Held(Arc<watch::Sender<bool>>);

struct Release(Arc<watch::Sender<bool>>);

impl StopSignal for Release {
    fn stop(&self, _grace: Duration) {
        self.0.send_replace(true);
    }
}

#[async_trait]
impl Running for Held {
    fn spawned(&self) -> Spawned {
        Spawned { process: None, container: None }
    }

    fn stopper(&self) -> Arc<dyn StopSignal> {
        Arc::new(Release(Arc::clone(&self.0)))
    }

    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        // The sender is here: it cannot be gone. What cleans up after a cancellation is not stopped by it.
        let mut stopped = self.0.subscribe();
        let _ = tokio::time::timeout(HELD, stopped.wait_for(|stopped| *stopped)).await;
        let status = ExitStatus::Signal(Signal::SIGTERM as i32);
        Ok(Exit { status, captured: Captured::default(), files: StepFiles::default() })
    }
}
