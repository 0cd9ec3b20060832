//! Whether others could read what they should not.
//!
//! One rule for every protocol. It refuses to know why a listener is exposed: it names what is
//! missing, and the listener says it in its own error.

use std::net::SocketAddr;

/// What `listen` lacks to be reachable from beyond this machine; `None` if nothing, or if the
/// operator accepted the risk. `is_closed`: everybody must say who they are.
pub(crate) fn missing(
    listen: SocketAddr,
    is_closed: bool,
    has_tls: bool,
    is_insecure: bool,
) -> Option<&'static str> {
    if listen.ip().to_canonical().is_loopback() || is_insecure {
        return None;
    }
    match (is_closed, has_tls) {
        (true, true) => None,
        (true, false) => Some("TLS"),
        (false, true) => Some("authentication"),
        (false, false) => Some("authentication and TLS"),
    }
}
