//! What a warden does: starts one step, collects whatever dies of it, and ends the rest.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::io::Errno;
use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};

use super::kin::Kin;
use super::tako::Tako;
use super::{LAST_GRACE, Message, Order, Report, Wish};
use crate::procfs::{process_identity, signalable};

/// Between two looks at what was killed.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// And once nobody waits for that any more.
const LOOK_SELDOM: Duration = Duration::from_millis(500);
/// How long killed processes have to disappear. Only the kernel, or a crowd that breeds faster than it is killed, makes it
/// longer than an instant.
const DEATH_LIMIT: Duration = Duration::from_secs(2);

/// How wait(2) says that SIGKILL ended a process.
const KILLED: i32 = Signal::SIGKILL as i32;

/// Runs the steps that are ordered, one after the other, until nobody orders any more.
pub(super) fn run() -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    let mut tako = Tako::of_stdin()?;
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        mask.add(signal);
    }
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    loop {
        let order = loop {
            match tako.message()? {
                Some(Message::Run(order)) => break order,
                // What it was meant for is over.
                Some(Message::Do(..)) => {}
                None if tako.read()? == 0 => return Ok(()),
                None => {}
            }
        };
        if !serve(&order, &mut tako, &mask, &signals)? {
            return Ok(());
        }
    }
}

/// Runs what is ordered. Whether more can be ordered.
fn serve(order: &Order, tako: &mut Tako, mask: &SigSet, signals: &SignalFd) -> io::Result<bool> {
    let mut step = match spawn(order, tako) {
        Ok(step) => step,
        Err(error) => {
            tako.tell(Report::Refused(error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())))?;
            return Ok(true);
        }
    };
    // Only now: a step inherits which signals are blocked.
    let blocked = mask.thread_block();
    // It cannot have been collected yet, so `/proc` shows it even if it has ended.
    let (Ok(()), Some(leader)) = (blocked, process_identity(step.id())) else {
        step.kill()?;
        return Err(io::Error::other("the step cannot be watched"));
    };
    let mut watch = Watch { number: order.number, leader: leader.pid, status: None, mode: Mode::Lives };
    // Whoever should hear it may be gone: that is noticed in the loop.
    let _ = tako.tell(Report::Started(leader));
    let over = watch.until_over(tako, signals);
    if over.is_err()
        && watch.status.is_none()
        && let Some(group) = signalable(leader.pid)
    {
        // Without `/proc` or poll(2) there is nothing else to end it with.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let more = over?;
    mask.thread_unblock()?;
    Ok(more)
}

/// Starts what is ordered. A script that is executed itself may seem to be open for writing for a moment: a process
/// that Tako has just started holds copies of its descriptors until its exec(2).
fn spawn(order: &Order, tako: &mut Tako) -> io::Result<Child> {
    let mut descriptor = || tako.descriptor().ok_or(Errno::BADF);
    let (out, err) = (descriptor()?, descriptor()?);
    let mut command = Command::new(&order.program);
    command
        .arg0(&order.name)
        .args(&order.arguments)
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.directory)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0);
    for _ in 0..100 {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
    command.spawn()
}

/// How far the end of a step has come.
#[derive(Clone, Copy)]
enum Mode {
    Lives,
    /// It was asked to end, and is killed at this time at the latest.
    Asked(Option<Instant>),
    /// Everything is killed since this time.
    Dies(Instant),
}

/// A step that runs.
struct Watch {
    /// Of its order.
    number: u64,
    leader: u32,
    /// How the leader ended, once it has been collected.
    status: Option<i32>,
    mode: Mode,
}

impl Watch {
    fn until_over(&mut self, tako: &mut Tako, signals: &SignalFd) -> io::Result<bool> {
        let (mut heard, mut over) = (true, false);
        while self.collect()? {
            let now = Instant::now();
            let patience = match self.mode {
                Mode::Lives if self.status.is_some() => {
                    self.mode = Mode::Dies(now);
                    Some(Duration::ZERO)
                }
                Mode::Asked(Some(at)) if at <= now => {
                    self.mode = Mode::Dies(now);
                    Some(Duration::ZERO)
                }
                Mode::Lives | Mode::Asked(None) => None,
                Mode::Asked(Some(at)) => Some(at - now),
                Mode::Dies(since) => {
                    // Where `/proc` cannot be read at the moment, it perhaps can be at the next.
                    let kin = Kin::of(std::process::id()).unwrap_or_default();
                    kin.signal(&[Signal::SIGKILL]);
                    if now - since > DEATH_LIMIT && !over {
                        // Nobody waits any longer, but what comes back to life is still killed.
                        over = true;
                        // Not all that is there can be seen.
                        let _ = tako.tell(self.over(kin.count().max(1)));
                    }
                    Some(if over { LOOK_SELDOM } else { LOOK_AGAIN })
                }
            };
            let (signalled, told) = wait_for(signals, heard.then_some(&*tako), patience)?;
            if signalled && ends(signals) {
                self.end();
            }
            if told && tako.read()? == 0 {
                // Nobody is there who could ask for anything.
                heard = false;
                self.end();
            }
            while let Some(message) = tako.message()? {
                match message {
                    Message::Do(number, wish) if number == self.number => match wish {
                        Wish::Stop => self.stop(None),
                        Wish::Kill => self.kill(),
                    },
                    // Of a step before.
                    Message::Do(..) => {}
                    Message::Run(_) => return Err(io::Error::other("one step at a time")),
                }
            }
        }
        if !over {
            // Whoever should hear it may be gone.
            let _ = tako.tell(self.over(0));
        }
        // Whoever heard that something is left goes elsewhere.
        Ok(heard && !over)
    }

    fn over(&self, survivors: usize) -> Report {
        Report::Over { status: self.status.unwrap_or(KILLED), survivors }
    }

    /// Collects who has died. Whether anybody is left.
    fn collect(&mut self) -> io::Result<bool> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if u32::try_from(pid.as_raw_nonzero().get()) == Ok(self.leader) {
                        self.status = Some(status.as_raw());
                    }
                }
                Ok(None) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(Errno::CHILD) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// As [`Wish::Stop`]; until `kill_at`, if there is a limit.
    fn stop(&mut self, kill_at: Option<Instant>) {
        if !matches!(self.mode, Mode::Lives) {
            return;
        }
        self.mode = Mode::Asked(kill_at);
        // SIGCONT, because a stopped process does not hear SIGTERM.
        let signals = [Signal::SIGTERM, Signal::SIGCONT];
        // As long as it is not collected, its number is nobody else's; a group hears a signal all at once.
        if self.status.is_none()
            && let Some(group) = signalable(self.leader)
        {
            for signal in signals {
                let _ = killpg(group, signal);
            }
        }
        Kin::of(std::process::id()).unwrap_or_default().outside(self.leader).signal(&signals);
    }

    fn kill(&mut self) {
        if !matches!(self.mode, Mode::Dies(_)) {
            self.mode = Mode::Dies(Instant::now());
        }
    }

    /// Ends a step that nobody wants any more.
    fn end(&mut self) {
        let kill_at = Instant::now() + LAST_GRACE;
        self.stop(Some(kill_at));
        if let Mode::Asked(at) = &mut self.mode {
            *at = Some(at.map_or(kill_at, |at| at.min(kill_at)));
        }
    }
}

/// Waits for signals, and for Tako as long as it is there. Which of them has something.
fn wait_for(signals: &SignalFd, tako: Option<&Tako>, patience: Option<Duration>) -> io::Result<(bool, bool)> {
    let signals = PollFd::new(signals.as_fd(), PollFlags::POLLIN);
    let tako = tako.map(|tako| PollFd::new(tako.socket.as_fd(), PollFlags::POLLIN));
    let mut watched: Vec<PollFd<'_>> = std::iter::once(signals).chain(tako).collect();
    // Rounded up: what is due in less than a millisecond is not due yet.
    let timeout = patience.map_or(PollTimeout::NONE, |patience| {
        let rounded = patience.as_micros().div_ceil(1000);
        PollTimeout::try_from(rounded).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut watched, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready = |at: usize| watched.get(at).and_then(PollFd::any).unwrap_or(false);
    Ok((ready(0), ready(1)))
}

/// Takes the signals that have come. Whether one asks for the end.
fn ends(signals: &SignalFd) -> bool {
    let mut ends = false;
    while let Ok(Some(signal)) = signals.read_signal() {
        ends |= i32::try_from(signal.ssi_signo) != Ok(Signal::SIGCHLD as i32);
    }
    ends
}
