//! A few threads that take one slice of work after the other.
//!
//! ```text
//!  light ──┐ first      ┌─▶ thread 1 … n: as many as there are cores, less one
//!  normal ─┴────────────┘
//!  heavy ────────────────▶ one more thread
//! ```
//!
//! As many as there are cores, less one, so that requests always find a core; at least one, at most
//! [`THREADS_MAX`]. They have a low priority, so that even on a busy machine requests come first. A slice
//! whose reader is gone is not begun, and one that runs is told.
//!
//! A single evaluation is not interrupted, and on the largest event it may take some tenths of a second.
//! So a reader is in the [`Lane`] that its last slice put it in: whoever needs little waits for no heavy
//! one, and for at most one slice of the others.
//!
//! It refuses to look at anything but how long slices took: within a lane it is first come, first
//! served, and nobody has two in the queue.

use std::{
    collections::VecDeque,
    io,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// Most threads: filters are not what a server is for.
const THREADS_MAX: usize = 4;
/// Stack of a thread, in bytes: as the workers have, since an expression is walked by recursion.
const STACK_BYTES: usize = 8 << 20;
/// How nice the threads are to others: where everything else wants all of a core, two fifths of what it
/// gets. Much nicer, filters would starve beside the other work of a busy machine.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 4;
/// The longest slice of a light reader.
const LIGHT_MAX: Duration = Duration::from_micros(500);
/// The longest slice of a normal one: a turn, and the evaluation that was begun at its end.
const NORMAL_MAX: Duration = Duration::from_millis(6);

type Job = Box<dyn FnOnce() + Send>;

/// Where a reader queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) enum Lane {
    Light,
    /// Also whoever is not known yet.
    #[default]
    Normal,
    Heavy,
}

impl Lane {
    /// Of a reader whose last slice took so long.
    pub(in crate::http) fn of(took: Duration) -> Self {
        match took {
            took if took <= LIGHT_MAX => Self::Light,
            took if took <= NORMAL_MAX => Self::Normal,
            _ => Self::Heavy,
        }
    }
}

/// The threads; they end when this is dropped and the queues are empty.
pub(in crate::http) struct Pool(Arc<Queues>);

#[derive(Default)]
struct Queues {
    state: Mutex<State>,
    /// A light or a normal job came.
    quick: Condvar,
    /// A heavy one came.
    heavy: Condvar,
}

#[derive(Default)]
struct State {
    light: VecDeque<Job>,
    normal: VecDeque<Job>,
    heavy: VecDeque<Job>,
    is_closed: bool,
}

/// The work was not done: it panicked. The log says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Broken;

impl Pool {
    /// Starts the threads.
    pub(in crate::http) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let pool = Self(Arc::default());
        let quick = cores.saturating_sub(1).clamp(1, THREADS_MAX);
        for number in 0..=quick {
            let queues = Arc::clone(&pool.0);
            let builder = thread::Builder::new().name("pluvio-filter".to_owned());
            builder.stack_size(STACK_BYTES).spawn(move || {
                be_nice();
                while let Some(job) = queues.next(number == quick) {
                    job();
                }
            })?;
        }
        Ok(pool)
    }

    /// Does `work` on one of the threads when it is its turn. `work` is given a question to ask now
    /// and then: whether this future was dropped, so that nobody waits for the result.
    pub(in crate::http) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
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
        self.0.push(lane, Box::new(job));
        result.await.map_err(|_| Broken)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.quick.notify_all();
        self.0.heavy.notify_all();
    }
}

impl Queues {
    fn push(&self, lane: Lane, job: Job) {
        let mut state = self.lock();
        let (queue, came) = match lane {
            Lane::Light => (&mut state.light, &self.quick),
            Lane::Normal => (&mut state.normal, &self.quick),
            Lane::Heavy => (&mut state.heavy, &self.heavy),
        };
        queue.push_back(job);
        came.notify_one();
    }

    /// The next job of a thread; `None` when there will be none.
    fn next(&self, is_for_heavy: bool) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let job = match is_for_heavy {
                true => state.heavy.pop_front(),
                false => state.light.pop_front().or_else(|| state.normal.pop_front()),
            };
            if job.is_some() || state.is_closed {
                return job;
            }
            let came = if is_for_heavy { &self.heavy } else { &self.quick };
            state = came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lowers the priority of this thread; where that is not possible, it has the usual one.
#[cfg(target_os = "linux")]
fn be_nice() {
    // Linux has priorities of threads, and calls a thread a process here.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

#[cfg(not(target_os = "linux"))]
fn be_nice() {}

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
        assert_eq!(pool.run(Lane::Normal, |_| 1 + 1).await, Ok(2));
        let broken = pool.run(Lane::Normal, |_| {
            "x".parse::<u8>().map_or_else(|_| unreachable!("on purpose"), u32::from)
        });
        assert_eq!(broken.await, Err(Broken));
        assert_eq!(pool.run(Lane::Normal, |is_left| is_left()).await, Ok(false));
    }

    #[tokio::test]
    async fn work_whose_reader_is_gone_is_told_and_ends() {
        let pool = Pool::start().unwrap_or_else(|error| unreachable!("{error}"));
        let (began, begun) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let endless = pool.run(Lane::Normal, move |is_left| {
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
    #[tokio::test]
    async fn who_needs_little_waits_for_no_heavy_one() {
        let pool = Pool::start().unwrap_or_else(|error| unreachable!("{error}"));
        let (began, begun) = oneshot::channel();
        let heavy = pool.run(Lane::Heavy, move |is_left| {
            let _ = began.send(());
            while !is_left() {}
        });
        let light = async {
            assert!(begun.await.is_ok());
            pool.run(Lane::Light, |_| 1).await
        };
        tokio::select! {
            _ = heavy => unreachable!("it ends only when its reader is gone"),
            done = light => assert_eq!(done, Ok(1)),
        }
    }

    #[test]
    fn a_reader_is_in_the_lane_of_its_last_slice() {
        let lane = |micros| Lane::of(Duration::from_micros(micros));
        assert_eq!(
            [lane(20), lane(2_100), lane(400_000)],
            [Lane::Light, Lane::Normal, Lane::Heavy]
        );
    }
}
