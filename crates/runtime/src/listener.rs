//! What serves: a protocol on the log.

use std::{error::Error, future::Future};

use tokio_util::sync::CancellationToken;

/// A protocol that readers (and later writers) connect to. Its socket is bound when it is built, so
/// that an address in use is told before anything starts.
pub trait Listener: Send + 'static {
    /// Why it cannot go on.
    type Error: Error + Send + Sync + 'static;

    /// Serves until `drain` is cancelled, then tells its clients and returns: within 5 s, because
    /// the supervisor drops it then. Called again if it fails or panics, on the same socket.
    fn serve(
        &mut self,
        drain: CancellationToken,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
