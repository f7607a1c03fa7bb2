//! Threads on which the parser and the interpreter run.
//!
//! Both recurse, deeper than an async runtime's threads allow, and a bug in either may panic. So they run on
//! threads of their own with a large stack. A thread that does not answer in time is left behind: it ends when
//! its job does.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::error::{CelError, Limit};

/// Address space, not memory: pages that are never touched cost nothing.
const STACK: usize = 256 << 20;
/// Threads kept for the next job.
const IDLE: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// Whether this thread has the stack already.
    static APART: Cell<bool> = const { Cell::new(false) };
}

/// Threads that wait for a job.
static POOL: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

/// Runs `job` on a thread of the pool for at most `patience`.
///
/// # Errors
///
/// [`Limit::Deadline`] when it takes longer, [`CelError::Interpreter`] when it panics or no thread can be had.
pub(crate) fn run<T: Send + 'static>(
    patience: Duration,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CelError> {
    if APART.get() {
        return catch_unwind(AssertUnwindSafe(job)).map_err(|_| CelError::Interpreter);
    }
    let (answer, answered) = mpsc::sync_channel(1);
    let mut job: Job = Box::new(move || {
        let result = catch_unwind(AssertUnwindSafe(job)).ok();
        // Nobody listens any more after a timeout.
        _ = answer.send(result);
    });
    let worker = loop {
        let idle = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let fresh = idle.is_none();
        let worker = idle.map_or_else(spawn, Ok)?;
        match worker.send(job) {
            Ok(()) => break worker,
            Err(_) if fresh => return Err(CelError::Interpreter),
            Err(unsent) => job = unsent.0,
        }
    };
    let result = match answered.recv_timeout(patience) {
        Ok(result) => result.ok_or(CelError::Interpreter),
        Err(RecvTimeoutError::Timeout) => return Err(CelError::over(Limit::Deadline)),
        Err(RecvTimeoutError::Disconnected) => return Err(CelError::Interpreter),
    };
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if pool.len() < IDLE {
        pool.push(worker);
    }
    result
}

fn spawn() -> Result<Sender<Job>, CelError> {
    let (jobs, queue) = mpsc::channel::<Job>();
    let thread = thread::Builder::new().name("cel".to_owned()).stack_size(STACK);
    thread.spawn(move || queue.into_iter().for_each(|job| job())).map_err(|_| CelError::Interpreter)?;
    Ok(jobs)
}

/// Does work on many expressions on one thread that is fit for them: each by itself takes the way to a thread and back,
/// which is far longer than most of them take. Blocks.
///
/// The patience for a single expression does not apply here: for work that somebody can interrupt.
pub fn apart<T: Send>(mut work: impl FnMut() -> T + Send) -> T {
    if APART.get() {
        return work();
    }
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().name("cel".to_owned()).stack_size(STACK);
        let spawned = thread.spawn_scoped(scope, || {
            APART.set(true);
            work()
        });
        Some(spawned.ok()?.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    // Where no thread can be had, each expression looks for one of its own.
    done.unwrap_or_else(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_and_panics_do_not() {
        let patience = Duration::from_secs(60);
        assert_eq!(run(patience, || 1 + 1), Ok(2));
        assert_eq!(run(patience, || -> u8 { panic!("expected by this test") }), Err(CelError::Interpreter));
        assert_eq!(run(patience, || 3), Ok(3));
    }

    #[test]
    fn work_apart_stays_on_its_thread() {
        let own = || thread::current().id();
        let (outer, inner) = apart(|| (own(), run(Duration::from_secs(60), own)));
        assert_eq!(inner, Ok(outer));
        assert_ne!(outer, own());
        let caught = apart(|| run(Duration::from_secs(60), || -> u8 { panic!("expected by this test") }));
        assert_eq!(caught, Err(CelError::Interpreter));
    }

    #[test]
    fn a_thread_that_does_not_answer_is_left_behind() {
        let (release, wait) = mpsc::channel::<()>();
        let stuck = run(Duration::from_millis(1), move || wait.recv().is_err());
        assert_eq!(stuck, Err(CelError::over(Limit::Deadline)));
        drop(release);
    }
}
