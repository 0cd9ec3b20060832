//! Names to addresses by the system's resolver.
//!
//! The only reason for our own is its error: a name that does not resolve is a typing mistake in
//! the configuration, and must be told from a host that is down.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// `getaddrinfo`, off the event loop.
pub(super) struct SystemResolver;

/// The name has no address.
#[derive(Debug, thiserror::Error)]
#[error("failed to resolve `{name}`")]
pub(super) struct ResolveError {
    name: String,
    #[source]
    source: std::io::Error,
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            // The port is replaced by the caller's.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map(Iterator::collect::<Vec<_>>);
            let addresses = found.map_err(|source| ResolveError { name, source })?;
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}
