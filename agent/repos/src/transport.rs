//! How bytes of a fetch travel: http and https over one shared client, ssh and local paths through the programs made
//! for them, git:// over plain TCP.
//!
//! libgit2 knows these transports by scheme, for the whole process and for ever; what a single fetch may do (until
//! when, with which credentials, how much) is its [`Context`], which is found by the thread that fetches.
//! Whatever a transport waits for, it stops waiting at the fetch's deadline: no thread is left behind.

mod channel;
mod context;
mod daemon;
mod error;
mod helper;
mod http;
mod io;
mod local;
mod process;
mod ssh;

use std::sync::{Arc, OnceLock};

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use git2::{Error, ErrorClass, ErrorCode};

pub(crate) use context::{Context, Signal, sanitized};
pub(crate) use error::TransportError;
pub(crate) use io::Io;

use channel::{Channel, Stream};

/// Bytes of references that a server may announce: some two million of them.
const MAX_ADVERTISEMENT: u64 = 256 << 20;

/// Makes libgit2 use our transports. Later calls do nothing.
pub(crate) fn register() {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        for (scheme, stateless) in
            [("http", true), ("https", true), ("ssh", false), ("file", false), ("git", false)]
        {
            if let Err(error) = register_one(scheme, stateless) {
                tracing::error!(scheme, reason = error.message(), "the transport is not available");
            }
        }
    });
}

#[expect(unsafe_code, reason = "libgit2 keeps its table of transports without a lock")]
fn register_one(scheme: &str, stateless: bool) -> Result<(), Error> {
    // SAFETY: libgit2 asks that nobody creates a transport meanwhile. Transports are created by fetches alone, those
    // only by a `GitRepos`, and every `GitRepos` begins with `register`, whose `OnceLock` lets one thread in here and
    // holds up the others until all schemes are registered.
    unsafe {
        git2::transport::register(scheme, move |remote| {
            Transport::smart(remote, stateless, Subtransport::new(stateless))
        })
    }
}

/// One connection of libgit2's. What it talks to is decided by the URL's scheme.
struct Subtransport {
    context: Option<Arc<Context>>,
    http: Option<http::Session>,
}

impl Subtransport {
    fn new(stateless: bool) -> Self {
        let context = Context::current();
        let http =
            context.as_ref().filter(|_| stateless).map(|context| http::Session::new(Arc::clone(context)));
        Self { context, http }
    }
}

impl SmartSubtransport for Subtransport {
    fn action(&self, url: &str, action: Service) -> Result<Box<dyn SmartSubtransportStream>, Error> {
        let Some(context) = &self.context else {
            return Err(Error::new(
                ErrorCode::GenericError,
                ErrorClass::Net,
                "no fetch is under way on this thread",
            ));
        };
        if !matches!(action, Service::UploadPackLs | Service::UploadPack) {
            return Err(Error::new(ErrorCode::GenericError, ErrorClass::Net, "nothing is pushed this way"));
        }
        let opened: Result<Box<dyn Channel>, TransportError> = match (&self.http, action) {
            (Some(session), Service::UploadPackLs) => session.advertisement(url),
            (Some(session), _) => session.request(),
            (None, _) if url.starts_with("git://") => daemon::connect(context, url),
            (None, _) if url.starts_with("file://") => local::start(context, url),
            (None, _) => ssh::start(context, url),
        };
        match opened {
            Ok(channel) => Ok(Box::new(Stream::new(Arc::clone(context), channel, action))),
            Err(error) => {
                Err(Error::new(ErrorCode::GenericError, ErrorClass::Net, context.failed(error).to_string()))
            }
        }
    }

    /// What is open ends with its stream.
    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
