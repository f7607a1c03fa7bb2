//! Connections: so many at once, and none that keeps its place without asking for something.
//!
//! The head of the first request must arrive within [`FIRST_HEAD`], that of each further one within [`NEXT_HEAD`]
//! after the answer to the one before. While a request is dealt with, or its answer is taken, there is no limit here:
//! what waits then has a deadline of its own.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Most connections at one moment; further ones wait until they are accepted.
const CONNECTIONS: usize = 4096;
/// How long the head of a connection's first request may take.
pub(crate) const FIRST_HEAD: Duration = Duration::from_secs(10);
/// How long a connection may lie idle between requests. Clients of ours let go of it earlier.
const NEXT_HEAD: Duration = Duration::from_secs(120);

/// A listener that bounds its connections.
pub(crate) struct Guarded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    first_head: Duration,
}

impl Guarded {
    pub(crate) fn new(listener: TcpListener, first_head: Duration) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS)), first_head }
    }
}

impl Listener for Guarded {
    type Io = Guard;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guard, SocketAddr) {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are small and awaited.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let guard = Guard {
            stream,
            activity: Activity::default(),
            seen: 0,
            deadline: Box::pin(tokio::time::sleep(self.first_head)),
            _place: place,
        };
        (guard, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What goes on over a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    /// Requests that are being dealt with.
    underway: AtomicUsize,
    /// Grows with every answer and every piece of one that was taken.
    answered: AtomicUsize,
}

impl Connected<IncomingStream<'_, Guarded>> for Activity {
    fn connect_info(stream: IncomingStream<'_, Guarded>) -> Self {
        stream.io().activity.clone()
    }
}

/// Tells the connection that a request is being dealt with.
pub(crate) async fn note(
    ConnectInfo(activity): ConnectInfo<Activity>,
    request: Request,
    next: Next,
) -> Response {
    let _underway = Underway::new(activity);
    next.run(request).await
}

struct Underway(Activity);

impl Underway {
    fn new(activity: Activity) -> Self {
        activity.0.underway.fetch_add(1, Ordering::AcqRel);
        Self(activity)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let Activity(counters) = &self.0;
        counters.answered.fetch_add(1, Ordering::AcqRel);
        counters.underway.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection that ends when it is idle for too long.
pub(crate) struct Guard {
    stream: TcpStream,
    activity: Activity,
    seen: usize,
    deadline: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Guard {
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Activity(counters) = &self.activity;
        if counters.underway.load(Ordering::Acquire) > 0 {
            return Poll::Pending;
        }
        let answered = counters.answered.load(Ordering::Acquire);
        if answered != self.seen {
            self.seen = answered;
            self.deadline.as_mut().reset(Instant::now() + NEXT_HEAD);
        }
        self.deadline.as_mut().poll(context)
    }

    fn progress(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(1..)) = written {
            self.activity.0.answered.fetch_add(1, Ordering::AcqRel);
        }
        written
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_idle(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.progress(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
