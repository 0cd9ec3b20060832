//! A few threads that take one slice of work after the other.
//!
//! As many as there are cores, less one, so that requests always find a core; at least one, at most
//! [`THREADS_MAX`]. A slice whose reader is gone is not begun, and one that runs is told.
//!
//! It refuses priorities: first come, first served, and nobody has two in the queue.

use std::{
    io,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use tokio::sync::oneshot;

/// Most threads: filters are not what a server is for.
const THREADS_MAX: usize = 4;
/// Stack of a thread, in bytes: as the workers have, since an expression is walked by recursion.
const STACK_BYTES: usize = 8 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end when this is dropped and the queue is empty.
pub(in crate::http) struct Pool {
    queue: mpsc::Sender<Job>,
}

/// The work was not done: it panicked. The log says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Broken;

impl Pool {
    /// Starts the threads.
    pub(in crate::http) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..cores.saturating_sub(1).clamp(1, THREADS_MAX) {
            let jobs = Arc::clone(&jobs);
            let builder = thread::Builder::new().name("pluvio-filter".to_owned());
            builder.stack_size(STACK_BYTES).spawn(move || {
                while let Ok(job) = next(&jobs) {
                    job();
                }
            })?;
        }
        Ok(Self { queue })
    }

    /// Does `work` on one of the threads when it is its turn. `work` is given a question to ask now
    /// and then: whether this future was dropped, so that nobody waits for the result.
    pub(in crate::http) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Broken> {
        let left = Left(Arc::default());
        let flag = Arc::clone(&left.0);
        let (sender, result) = oneshot::channel();
        let job = move || {
            let is_left = || flag.load(Ordering::Relaxed);
            if !is_left()
                && let Ok(value) = catch_unwind(AssertUnwindSafe(|| work(&is_left)))
            {
                // Nobody waits: the value is not needed.
                let _ = sender.send(value);
            }
        };
        self.queue.send(Box::new(job)).map_err(|_| Broken)?;
        result.await.map_err(|_| Broken)
    }
}

fn next(jobs: &Mutex<mpsc::Receiver<Job>>) -> Result<Job, mpsc::RecvError> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv()
}

/// Set when the reader is gone.
struct Left(Arc<AtomicBool>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_costs_only_its_own_reader() {
        let pool = Pool::start().unwrap_or_else(|error| unreachable!("{error}"));
        assert_eq!(pool.run(|_| 1 + 1).await, Ok(2));
        let broken =
            pool.run(|_| "x".parse::<u8>().map_or_else(|_| unreachable!("on purpose"), u32::from));
        assert_eq!(broken.await, Err(Broken));
        assert_eq!(pool.run(|is_left| is_left()).await, Ok(false));
    }

    #[tokio::test]
    async fn work_whose_reader_is_gone_is_told_and_ends() {
        let pool = Pool::start().unwrap_or_else(|error| unreachable!("{error}"));
        let (began, begun) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let endless = pool.run(move |is_left| {
            let _ = began.send(());
            while !is_left() {}
            let _ = ended.send(());
        });
        tokio::select! {
            _ = endless => unreachable!("it ends only when its reader is gone"),
            _ = begun => {}
        }
        assert!(end.await.is_ok());
    }
}
