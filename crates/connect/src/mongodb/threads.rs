//! Threads of the driver's own.
//!
//! The driver reckons as long as a server asks it to before it has proved anything (a login of 2³¹ rounds takes many
//! minutes, mongodb 3.9), and gives nobody else a turn meanwhile. Here that costs this sink alone: capture,
//! listeners and other sinks have other threads, and Pluvio ends without waiting for these.

use std::{io, sync::Arc};

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// One may be held up while the other tells that it takes too long.
const THREADS: usize = 2;

/// Where the driver runs.
#[derive(Clone, Debug)]
pub(super) struct Threads(Arc<Owned>);

#[derive(Debug)]
struct Owned(Option<Runtime>);

impl Threads {
    /// Starts the threads.
    pub(super) fn start() -> io::Result<Self> {
        let mut threads = Builder::new_multi_thread();
        threads.worker_threads(THREADS).max_blocking_threads(THREADS).thread_name("mongodb");
        Ok(Self(Arc::new(Owned(Some(threads.enable_all().build()?)))))
    }

    /// Runs `question` there; it is given up when nobody waits any more. A panic goes on in the caller.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        question: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let Some(runtime) = &self.0.0 else { return Err(io::ErrorKind::NotConnected.into()) };
        match AbortOnDropHandle::new(runtime.spawn(question)).await {
            Ok(answer) => Ok(answer),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_driver_that_gives_nobody_a_turn_holds_up_nobody_else() {
        let threads = Threads::start().unwrap();
        let (end, ended) = mpsc::channel::<()>();
        let mut held_up = Box::pin(threads.run(async move { ended.recv() }));
        tokio::select! {
            biased;
            _ = &mut held_up => unreachable!("nobody has ended it"),
            // This test has one thread, which goes on.
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(threads.run(async { 7 }).await.unwrap(), 7);
        drop(end);
        assert!(held_up.await.unwrap().is_err());
    }
}
