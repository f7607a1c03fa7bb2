//! Processes that end when a test tells them to.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tako_engine::port::{
    Captured, Exit, ExitStatus, Observer, Running, Runtime, RuntimeError, StepCommand, StepFiles, StopSignal,
};
use tako_schemas::id::RunId;
use tako_schemas::journal::{Process, Spawned};
use tokio::sync::{Notify, watch};

/// Starts processes that do nothing: a script of `exit N` ends at once, any other when it is told to.
#[derive(Debug, Default)]
pub struct FakeRuntime {
    started: Mutex<VecDeque<FakeProcess>>,
    news: Notify,
    /// Processes that were asked to be reaped.
    pub reaped: Mutex<Vec<Process>>,
}

/// A process of a test's.
#[derive(Clone, Debug)]
pub struct FakeProcess {
    /// What it was started with.
    pub command: StepCommand,
    /// What it is told: its end, or to stop within a grace period.
    state: watch::Sender<Told>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Told {
    end: Option<ExitStatus>,
    stop: Option<Duration>,
}

impl FakeRuntime {
    /// The next process that was started and did not end by itself; waits for it.
    ///
    /// # Panics
    ///
    /// If another test has panicked in here.
    pub async fn next(&self) -> FakeProcess {
        loop {
            let news = self.news.notified();
            if let Some(process) = self.started.lock().expect("no test panics in here").pop_front() {
                return process;
            }
            news.await;
        }
    }
}

impl FakeProcess {
    /// Lets it exit.
    pub fn exit(&self, code: i32) {
        self.state.send_modify(|told| told.end = Some(ExitStatus::Code(code)));
    }

    /// Waits until it is told to stop, and returns the grace period.
    ///
    /// # Panics
    ///
    /// Never: the process holds what it waits for.
    pub async fn stopped(&self) -> Duration {
        let mut told = self.state.subscribe();
        let told = told.wait_for(|told| told.stop.is_some()).await;
        told.expect("the sender is here").stop.expect("waited for")
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn start(
        &self,
        command: StepCommand,
        _observer: Arc<dyn Observer>,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        let state = watch::Sender::new(Told::default());
        let process = FakeProcess { command, state };
        match process.command.script.strip_prefix("exit ").and_then(|code| code.trim().parse().ok()) {
            Some(code) => process.exit(code),
            None => {
                self.started.lock().expect("no test panics in here").push_back(process.clone());
                self.news.notify_one();
            }
        }
        Ok(Box::new(process))
    }

    async fn reap(&self, left: &Spawned) -> Result<bool, RuntimeError> {
        self.reaped.lock().expect("no test panics in here").extend(left.process);
        Ok(true)
    }

    async fn leave(&self, _: &RunId, _: &Path) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn read_file(&self, _: &Path, path: &str, _: usize) -> Result<Vec<u8>, RuntimeError> {
        Err(RuntimeError::Confined { path: path.to_owned() })
    }
}

#[async_trait]
impl Running for FakeProcess {
    fn spawned(&self) -> Spawned {
        Spawned { process: Some(Process { pid: 4711, start_ticks: 42 }), container: None }
    }

    fn stopper(&self) -> Arc<dyn StopSignal> {
        Arc::new(self.clone())
    }

    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        let mut told = self.state.subscribe();
        let told = told.wait_for(|told| told.end.is_some()).await;
        let status = told.ok().and_then(|told| told.end).unwrap_or(ExitStatus::Signal(9));
        Ok(Exit { status, captured: Captured::default(), files: StepFiles::default() })
    }
}

impl StopSignal for FakeProcess {
    fn stop(&self, grace: Duration) {
        self.state.send_modify(|told| {
            told.stop = Some(grace);
            told.end.get_or_insert(ExitStatus::Signal(15));
        });
    }
}
