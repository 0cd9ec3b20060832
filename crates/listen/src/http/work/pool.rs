//! A few threads that take one slice of work after the other.
//!
//! ```text
//!  light  ──▶ one thread
//!  normal ──▶ as many as there are cores, less one
//!  heavy  ──▶ one thread
//! ```
//!
//! A single evaluation is not interrupted, and on the largest event it may take some tenths of a second.
//! So a reader is in the [`Lane`] that its last slice put it in: whoever needs little waits for nobody
//! who needs more. Within a lane who waits for what happens now comes before who reads the past: the first
//! has something to do as often as events come, the others all the time. A slice whose reader is gone is not
//! begun, and one that runs is told.
//!
//! There may be more of these threads than cores, and a worker that is woken for a request on a core where
//! one of them runs waits up to four milliseconds for the scheduler. So the normal and the heavy ones keep
//! off one core where there are several: `/livez` beside hostile filters took 4.1 times as long as without
//! them (p99) before that, and 2.7 times since, on two cores. All offer their core to others some
//! thousand times a second ([`breathe`]). And they step back by a nice value of their own: with that, and
//! with the hostile clients of the measurement stepping back, too, another watcher came from 1.98 times to
//! 1.26 and 1.58 (two runs), one with a filter from 3.0 to 2.0 times; since clients take turns it is 1.70
//! and 1.60 (two runs; `cargo xtask bench hostile-filters`).
//!
//! Within a lane and a turn clients take turns, however many readers each has: a hundred readers of one
//! client are one place in the round. It refuses to look at anything but how long slices took, what they are
//! for and whose they are: among the readers of one client it is first come, first served.

use std::{
    collections::{HashMap, VecDeque},
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

use crate::http::client::Client;

/// Most threads of the normal lane: filters are not what a server is for.
const THREADS_MAX: usize = 4;
/// Stack of a thread, in bytes: as the workers have, since an expression is walked by recursion.
const STACK_BYTES: usize = 8 << 20;
/// Nice value of a thread of the normal lane.
#[cfg(target_os = "linux")]
const NICE_NORMAL: i32 = 10;
/// Nice value of a thread of the heavy lane.
#[cfg(target_os = "linux")]
const NICE_HEAVY: i32 = 19;
/// The longest slice of a light reader.
pub(super) const LIGHT_MAX: Duration = Duration::from_micros(500);
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
    /// Of a reader whose last slice took a core for so long.
    pub(in crate::http) fn of(took: Duration) -> Self {
        match took {
            took if took <= LIGHT_MAX => Self::Light,
            took if took <= NORMAL_MAX => Self::Normal,
            _ => Self::Heavy,
        }
    }
}

/// When a slice comes, within its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Turn {
    /// Before those who read the past: its reader waits for what happens now.
    First,
    /// Behind all that wait.
    Last,
}

/// The threads; they end when this is dropped and the queues are empty.
pub(in crate::http) struct Pool(Arc<Queues>);

/// One for each lane.
#[derive(Default)]
struct Queues {
    light: Queue,
    normal: Queue,
    heavy: Queue,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Default)]
struct State {
    first: Round,
    last: Round,
    is_closed: bool,
}

/// Clients that take turns, each with what waits for it.
#[derive(Default)]
struct Round {
    clients: VecDeque<Client>,
    jobs: HashMap<Client, VecDeque<Job>>,
}

impl Round {
    fn push(&mut self, client: &Client, job: Job) {
        match self.jobs.get_mut(client) {
            Some(jobs) => jobs.push_back(job),
            None => {
                self.jobs.insert(client.clone(), VecDeque::from([job]));
                self.clients.push_back(client.clone());
            }
        }
    }

    fn pop(&mut self) -> Option<Job> {
        let client = self.clients.pop_front()?;
        let jobs = self.jobs.get_mut(&client)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.jobs.remove(&client);
        } else {
            self.clients.push_back(client);
        }
        job
    }
}

/// The work was not done: it panicked. The log says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Broken;

impl Pool {
    /// Starts the threads.
    pub(in crate::http) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let pool = Self(Arc::default());
        let normal = cores.saturating_sub(1).clamp(1, THREADS_MAX);
        for (lane, count) in [(Lane::Light, 1), (Lane::Normal, normal), (Lane::Heavy, 1)] {
            for _ in 0..count {
                let queues = Arc::clone(&pool.0);
                let builder = thread::Builder::new().name("pluvio-filter".to_owned());
                builder.stack_size(STACK_BYTES).spawn(move || {
                    if lane != Lane::Light {
                        leave_a_core();
                        step_back(lane);
                    }
                    while let Some(job) = queues.of(lane).next() {
                        job();
                    }
                })?;
            }
        }
        Ok(pool)
    }

    /// Does `work` on one of the threads when it is its turn. `work` is given a question to ask now
    /// and then: whether this future was dropped, so that nobody waits for the result.
    pub(in crate::http) async fn run<T: Send + 'static>(
        &self,
        client: &Client,
        lane: Lane,
        turn: Turn,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Broken> {
        let left = Left(Arc::default());
        let flag = Arc::clone(&left.0);
        let (sender, result) = oneshot::channel();
        let job = move || {
            let is_left = || {
                breathe();
                flag.load(Ordering::Relaxed)
            };
            if !is_left()
                && let Ok(value) = catch_unwind(AssertUnwindSafe(|| work(&is_left)))
            {
                // Nobody waits: the value is not needed.
                let _ = sender.send(value);
            }
        };
        self.0.of(lane).push(client, turn, Box::new(job));
        result.await.map_err(|_| Broken)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for queue in [&self.0.light, &self.0.normal, &self.0.heavy] {
            queue.lock().is_closed = true;
            queue.came.notify_all();
        }
    }
}

/// Keeps this thread off the first of its cores, if there are others; where that is not possible it runs
/// anywhere.
#[cfg(target_os = "linux")]
fn leave_a_core() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(mut cores) = sched_getaffinity(None) else { return };
    let first = (0..CpuSet::MAX_CPU).find(|core| cores.is_set(*core));
    if let Some(first) = first
        && cores.count() > 1
    {
        cores.unset(first);
        let _ = sched_setaffinity(None, &cores);
    }
}

#[cfg(not(target_os = "linux"))]
fn leave_a_core() {}

/// Lets whoever else wants a core have it before this thread: on Linux each thread has a nice value of its
/// own.
#[cfg(target_os = "linux")]
fn step_back(lane: Lane) {
    let nice = if lane == Lane::Heavy { NICE_HEAVY } else { NICE_NORMAL };
    let _ = rustix::process::setpriority_process(None, nice);
}

#[cfg(not(target_os = "linux"))]
fn step_back(_lane: Lane) {}

/// Lets another thread have this core, if one waits for it.
pub(super) fn breathe() {
    thread::yield_now();
}

impl Queues {
    fn of(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Light => &self.light,
            Lane::Normal => &self.normal,
            Lane::Heavy => &self.heavy,
        }
    }
}

impl Queue {
    fn push(&self, client: &Client, turn: Turn, job: Job) {
        let mut state = self.lock();
        match turn {
            Turn::First => state.first.push(client, job),
            Turn::Last => state.last.push(client, job),
        }
        drop(state);
        self.came.notify_one();
    }

    /// The next job; `None` when there will be none.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            let job = state.first.pop().or_else(|| state.last.pop());
            if job.is_some() || state.is_closed {
                return job;
            }
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const ANYBODY: Client = Client::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));

    #[tokio::test]
    async fn work_is_done_and_a_panic_costs_only_its_own_reader() {
        let pool = Pool::start().unwrap_or_else(|error| unreachable!("{error}"));
        assert_eq!(pool.run(&ANYBODY, Lane::Normal, Turn::Last, |_| 1 + 1).await, Ok(2));
        let broken = pool.run(&ANYBODY, Lane::Normal, Turn::Last, |_| {
            "x".parse::<u8>().map_or_else(|_| unreachable!("on purpose"), u32::from)
        });
        assert_eq!(broken.await, Err(Broken));
        assert_eq!(
            pool.run(&ANYBODY, Lane::Normal, Turn::Last, |is_left| is_left()).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn work_whose_reader_is_gone_is_told_and_ends() {
        let pool = Pool::start().unwrap_or_else(|error| unreachable!("{error}"));
        let (began, begun) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let endless = pool.run(&ANYBODY, Lane::Normal, Turn::Last, move |is_left| {
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
        let heavy = pool.run(&ANYBODY, Lane::Heavy, Turn::Last, move |is_left| {
            let _ = began.send(());
            while !is_left() {}
        });
        let light = async {
            assert!(begun.await.is_ok());
            pool.run(&ANYBODY, Lane::Light, Turn::Last, |_| 1).await
        };
        tokio::select! {
            _ = heavy => unreachable!("it ends only when its reader is gone"),
            done = light => assert_eq!(done, Ok(1)),
        }
    }

    #[tokio::test]
    async fn who_waits_for_what_happens_now_comes_before_who_reads_the_past() {
        let pool = Pool::start().unwrap_or_else(|error| unreachable!("{error}"));
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let (began, begun) = oneshot::channel();
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| {
            let order = Arc::clone(&order);
            move |_: &dyn Fn() -> bool| {
                order.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            }
        };
        let running = pool.run(&ANYBODY, Lane::Light, Turn::Last, move |_| {
            let _ = began.send(());
            gone.recv()
        });
        let rest = async {
            assert!(begun.await.is_ok());
            let (mut past, mut now) = (
                Box::pin(pool.run(&ANYBODY, Lane::Light, Turn::Last, note("past"))),
                Box::pin(pool.run(&ANYBODY, Lane::Light, Turn::First, note("now"))),
            );
            // Each is in the queue when it was polled once.
            assert!(
                futures::poll!(&mut past).is_pending() && futures::poll!(&mut now).is_pending()
            );
            drop(go);
            assert_eq!(tokio::join!(past, now), (Ok(()), Ok(())));
        };
        let (_, ()) = tokio::join!(running, rest);
        assert_eq!(*order.lock().unwrap_or_else(PoisonError::into_inner), ["now", "past"]);
    }

    #[test]
    fn a_reader_is_in_the_lane_of_its_last_slice() {
        let lane = |micros| Lane::of(Duration::from_micros(micros));
        assert_eq!(
            [lane(20), lane(2_100), lane(400_000)],
            [Lane::Light, Lane::Normal, Lane::Heavy]
        );
    }

    #[test]
    fn a_client_with_one_reader_waits_for_one_slice_of_a_client_with_a_hundred() {
        let order = Arc::new(Mutex::new(String::new()));
        let mut round = Round::default();
        let client = |name: &str| Client::Principal(name.to_owned());
        for name in ["a"; 100].iter().chain(&["b", "c", "b"]) {
            let order = Arc::clone(&order);
            let job = move || order.lock().unwrap_or_else(PoisonError::into_inner).push_str(name);
            round.push(&client(name), Box::new(job));
        }
        while let Some(job) = round.pop() {
            job();
        }
        let order = order.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(order.starts_with("abcabaaa") && order.len() == 103, "{order}");
    }
}
