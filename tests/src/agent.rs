//! `tako agent` at work in a home of its own.

#![expect(clippy::expect_used, reason = "a harness that cannot do its work fails the test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::home::Home;
use crate::process::Process;
use crate::server::ServerProcess;

/// An agent; killed when it is dropped. Containers and processes of its steps are not.
#[derive(Debug)]
pub struct AgentProcess {
    // Before the home, so that it ends before its files go.
    process: Process,
    name: String,
    home: Home,
}

/// The agents of a test process so far: each has a name of its own.
static AGENTS: AtomicU32 = AtomicU32::new(1);

impl AgentProcess {
    /// Registers an agent at `server` in a home of its own, and starts it. `config` is its `agent.toml`.
    ///
    /// # Panics
    ///
    /// If it cannot be registered.
    #[must_use]
    pub fn start(server: &ServerProcess, config: &str) -> Self {
        Self::start_at(Home::new(), &server.url(), &server.token("registration"), config)
    }

    /// The same in `home`, at a URL, with a registration token.
    ///
    /// # Panics
    ///
    /// If it cannot be registered.
    #[must_use]
    pub fn start_at(home: Home, url: &str, registration: &str, config: &str) -> Self {
        fs::write(home.path().join("agent.toml"), config).expect("room for agent.toml");
        // Never an argument: those can be read by everybody on the machine.
        let token = home.outside("registration");
        fs::create_dir_all(home.outside("")).expect("a directory of the test's own");
        fs::write(&token, registration).expect("room for a token");
        fs::set_permissions(&token, Permissions::from_mode(0o600)).expect("a new mode");
        let token = token.to_str().expect("a path in UTF-8");
        let name = format!("agent-{}", AGENTS.fetch_add(1, Ordering::Relaxed));
        let register = ["agent", "register", "--server", url, "--token-file", token, "--name", &name];
        let _ = home.tako(&register).expect(0);
        let process = spawn(&home);
        Self { process, name, home }
    }

    /// What it is called, unlike every other agent of this test process.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Its process: output, signals.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it with `SIGKILL`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to finish what it does and end; see [`AgentProcess::wait`].
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn terminate(&self) {
        self.process.signal("TERM");
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    /// Starts it again as the same agent, in the same home; kills it first if it still runs.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.home);
    }
}

fn spawn(home: &Home) -> Process {
    Process::start("tako agent", home.command(&["agent"]), &home.outside("agent.log"))
}
