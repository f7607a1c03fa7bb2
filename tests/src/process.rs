//! A `tako` that goes on working while the test does other things.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a harness that cannot do its work fails the test, and shows what the process said"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Nothing that a test waits for takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that will happen soon.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A process that is killed when this is dropped; its output is shown if the test fails.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Option<Child>,
    output: PathBuf,
}

impl Process {
    /// Starts `command`; its stdout and stderr are added to the file `output`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(name: &str, mut command: Command, output: &Path) -> Self {
        fs::create_dir_all(output.parent().expect("a file in a directory")).expect("the file's directory");
        let file = File::options().create(true).append(true).open(output).expect("a file for the output");
        let second = file.try_clone().expect("a second handle of the file");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(second).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child: Some(child), output: output.to_owned() }
    }

    /// Everything that it has printed so far, to stdout and stderr.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it still runs.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_none()))
    }

    /// Sends it a signal, by name: `TERM`, `INT`, `STOP`.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn signal(&self, signal: &str) {
        let id = self.id().expect("a process that runs").to_string();
        let status = Command::new("kill").args([&format!("-{signal}"), &id]).status().expect("kill runs");
        assert!(status.success(), "{} cannot be sent {signal}", self.name);
    }

    /// Ends it with `SIGKILL`, and nobody else.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    ///
    /// If it does not, or did already.
    pub fn wait(&mut self) -> ExitStatus {
        wait_until(&format!("{} ends", self.name), || {
            let ended = self.child.as_mut().expect("a process that runs").try_wait();
            ended.expect("a process that can be waited for")
        })
    }

    /// Waits until `look` finds something, as long as the process runs.
    ///
    /// # Panics
    ///
    /// If it does not, or if the process ends before.
    pub fn wait_until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        wait_until(what, || {
            let found = look();
            let gone = found.is_none() && !self.runs();
            assert!(!gone, "{} ended before this: {what}\n{}", self.name, self.output());
            found
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- {} said ----\n{}----", self.name, self.output());
        }
    }
}

/// Waits until `look` finds something.
///
/// # Panics
///
/// If it does not within a minute.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "this did not happen within {PATIENCE:?}: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, output: &Path) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start("a shell", command, output)
    }

    #[test]
    fn a_process_is_waited_for_signalled_and_killed() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("logs/output");
        let mut process =
            shell("trap 'echo bye >&2; exit 3' TERM; echo ready; while :; do sleep 0.01; done", &output);
        process.wait_until("it is ready", || {
            fs::read_to_string(&output).unwrap().contains("ready").then_some(())
        });
        assert!(process.runs());
        process.signal("TERM");
        assert_eq!(process.wait().code(), Some(3));
        assert_eq!(process.output(), "ready\nbye\n");

        let mut process = shell("exec sleep 60", &output);
        process.kill();
        assert!(!process.runs());
    }

    #[test]
    #[should_panic(expected = "a shell ended before this: it is ready\nno\n")]
    fn a_process_that_ends_too_early_fails_the_test() {
        let directory = tempfile::tempdir().unwrap();
        shell("echo no", &directory.path().join("output")).wait_until("it is ready", || None::<()>);
    }
}
