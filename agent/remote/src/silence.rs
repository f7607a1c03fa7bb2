//! Whether nobody listens where the server should be.
//!
//! Much hangs on it: whoever is refused by the server's own machine knows that no lease is given away meanwhile.
//! Timeouts, broken connections and refusals by a proxy say nothing of the kind.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::{Host, Url};

/// How long to look.
const PATIENCE: Duration = Duration::from_secs(2);

/// A name with more addresses than that is not looked into.
const MOST_ADDRESSES: usize = 16;

/// Whether a connection was refused.
pub(crate) fn is_refusal(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// After a refusal: whether every address of the host refuses. One of them alone may be a server that has moved on
/// behind a name, while another one is only out of reach.
pub(crate) async fn nobody_listens(url: &Url) -> bool {
    let Some(port) = url.port_or_known_default() else { return false };
    let name = match url.host() {
        Some(Host::Domain(name)) => name,
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => return true,
        None => return false,
    };
    let all_refuse = async {
        let addresses: Vec<_> = lookup_host((name, port)).await.ok()?.take(MOST_ADDRESSES + 1).collect();
        if addresses.is_empty() || addresses.len() > MOST_ADDRESSES {
            return None;
        }
        for address in addresses {
            match TcpStream::connect(address).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                _ => return None,
            }
        }
        Some(())
    };
    timeout(PATIENCE, all_refuse).await.ok().flatten().is_some()
}
