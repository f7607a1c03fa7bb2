//! The thread on which schemas are compiled and payloads are checked.
//!
//! Both recurse, deeper than an async runtime's threads allow, through code that is not ours. So each time they get a
//! thread of their own with a large stack. One that does not answer in time is left behind: what it does is bounded,
//! if not by much.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Address space, not memory: pages that are never touched cost nothing.
const STACK: usize = 128 << 20;
/// Far beyond what the limits allow on a machine that is not busy with something else.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `job` returns; nothing if it takes too long, panics, or no thread can be had.
pub(super) fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("payload".to_owned()).stack_size(STACK);
    let work = move || {
        // Nobody listens any more after a timeout.
        _ = answer.send(job());
    };
    thread.spawn(work).ok()?;
    answered.recv_timeout(PATIENCE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_and_panics_do_not() {
        assert_eq!(run(|| 1 + 1), Some(2));
        assert_eq!(run(|| -> u8 { panic!("expected by this test") }), None);
    }
}
