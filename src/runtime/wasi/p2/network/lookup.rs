//! Resolving names, with the resolver of the system. It blocks its thread, and nothing ends it early.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;

/// The maximum number of names that are resolved at one time for all guests of the process. Each has a thread.
const MAX_LOOKUPS: usize = 8;

/// Returns the addresses of a name.
///
/// # Errors
/// Those of the resolver.
pub(super) async fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    static LOOKUPS: LazyLock<Arc<Semaphore>> =
        LazyLock::new(|| Arc::new(Semaphore::new(MAX_LOOKUPS)));

    let name = name.to_owned();
    let permit = LOOKUPS.clone().acquire_owned().await;
    let permit = permit.map_err(io::Error::other)?;
    let looked_up = tokio::task::spawn_blocking(move || {
        // Until the resolver has returned, even if nobody waits for it any more.
        let _permit = permit;
        let found = (name.as_str(), 0).to_socket_addrs()?;
        Ok(found.map(|address| address.ip()).collect())
    });
    looked_up.await?
}
