//! Gates: where a simulated task stops, and may never go on.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

thread_local! {
    static STOPPED: Cell<Stop> = const { Cell::new(Stop::Outside) };
}

/// Why a task did not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It waits for work on another thread, which will wake it.
    Outside,
    /// It may go on.
    Gate,
    /// It waits for news, or for time to pass.
    Idle,
}

/// Counts the operations of a simulated process.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<AtomicU32>);

impl Gate {
    /// How many gates were passed.
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Does `work` in one go, between two gates.
    pub(super) async fn through<T>(&self, work: impl Future<Output = T>) -> T {
        self.pass().await;
        let done = at_once(work);
        self.pass().await;
        done
    }

    /// Lets others go first.
    async fn pass(&self) {
        stop(Stop::Gate).await;
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Stops once.
pub(super) async fn stop(why: Stop) {
    let mut stopped = false;
    poll_fn(|_| {
        if std::mem::replace(&mut stopped, true) {
            return Poll::Ready(());
        }
        STOPPED.set(match (STOPPED.get(), why) {
            // Of several branches that are polled together, one that may go on decides.
            (Stop::Gate, _) => Stop::Gate,
            _ => why,
        });
        Poll::Pending
    })
    .await;
}

/// Polls `task` until it has come to its next gate. Work on other threads is waited for.
pub(super) fn step<T>(mut task: std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Result<T, Stop> {
    let alarm = Arc::new(Alarm { thread: thread::current(), rung: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&alarm));
    let mut patience = 0;
    loop {
        STOPPED.set(Stop::Outside);
        if let Poll::Ready(done) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(done);
        }
        match STOPPED.get() {
            Stop::Gate => return Err(Stop::Gate),
            // Another branch may wait for another thread: that is only seen by giving it time.
            Stop::Idle if patience == 1 => return Err(Stop::Idle),
            Stop::Idle => {
                patience += 1;
                alarm.wait(Some(IDLE));
            }
            Stop::Outside => alarm.wait(None),
        }
    }
}

/// How long work on another thread may take before a task beside it is taken for idle.
const IDLE: Duration = Duration::from_micros(300);

/// Waits for `work` without letting anybody else go on.
pub(super) fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let alarm = Arc::new(Alarm { thread: thread::current(), rung: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&alarm));
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return done;
        }
        alarm.wait(None);
    }
}

struct Alarm {
    thread: Thread,
    rung: AtomicBool,
}

impl Alarm {
    fn wait(&self, limit: Option<Duration>) {
        while !self.rung.swap(false, Ordering::Acquire) {
            match limit {
                None => thread::park(),
                Some(limit) => {
                    thread::park_timeout(limit);
                    self.rung.store(false, Ordering::Release);
                    return;
                }
            }
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
