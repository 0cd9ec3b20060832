//! How much filtering a client may ask for in a second: a token bucket.
//!
//! Half of a client's rate is shared by all its readers as they come; the other half is divided
//! among them, so that a reader with a modest filter goes on beside hostile ones of the same name
//! (on an open server, all local readers are one client). What a reader used beyond that is waited
//! for before its next slice, and stays owed when it leaves.
//!
//! It refuses to end anybody, and to know who is hostile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Lane;
use crate::http::client::Client;

/// What is saved up while nobody asks, in seconds.
const BURST_SECONDS: i64 = 2;
/// What a reader must have before a slice: about what one costs at most.
const SLICE_UNITS: i64 = 2_000_000;
/// Most clients remembered, addresses among them; those that owe nothing are forgotten first.
const CLIENTS_MAX: usize = 4096;

/// The budgets of all clients.
pub(in crate::http) struct Budgets {
    /// Half of a client's rate, in units a second: one half is shared, the other is divided.
    half: i64,
    clients: Mutex<HashMap<Client, Arc<Budget>>>,
}

/// One client's.
struct Budget {
    half: i64,
    state: Mutex<State>,
}

struct State {
    shared: i64,
    at: Instant,
    readers: i64,
    /// The lane of the last slice of any of its readers: where a new one begins.
    lane: Lane,
}

/// One reader's part of its client's budget.
pub(in crate::http) struct Allowance {
    budget: Arc<Budget>,
    own: i64,
    at: Instant,
    lane: Lane,
}

impl Budgets {
    /// Each client may use so many units of work in a second.
    pub(in crate::http) fn new(units_per_second: u64) -> Self {
        let half = i64::try_from(units_per_second / 2).unwrap_or(i64::MAX / 1000).max(1_000_000);
        Self { half, clients: Mutex::default() }
    }

    /// What a client may use in a second, in units.
    pub(in crate::http) fn units_per_second(&self) -> u64 {
        self.half.unsigned_abs().saturating_mul(2)
    }

    /// The part of a new reader of `client`.
    pub(in crate::http) fn join(&self, client: &Client) -> Allowance {
        let now = Instant::now();
        let mut clients = lock(&self.clients);
        if clients.len() >= CLIENTS_MAX {
            clients.retain(|_, budget| {
                let mut state = lock(&budget.state);
                budget.refill(&mut state, now);
                state.readers > 0 || state.shared < budget.burst()
            });
        }
        let budget = clients.entry(client.clone()).or_insert_with(|| {
            let state = State {
                shared: self.half * BURST_SECONDS,
                at: now,
                readers: 0,
                lane: Lane::Normal,
            };
            Arc::new(Budget { half: self.half, state: Mutex::new(state) })
        });
        let mut state = lock(&budget.state);
        state.readers += 1;
        let lane = state.lane;
        drop(state);
        Allowance { budget: Arc::clone(budget), own: 0, at: now, lane }
    }
}

impl Budget {
    /// Most that can be saved, and most that can be owed, in units.
    fn burst(&self) -> i64 {
        self.half * BURST_SECONDS
    }

    /// What half of the rate gives each of `readers` in `passed`, in units.
    fn earned(&self, passed: Duration, readers: i64) -> i64 {
        let micros = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        micros.saturating_mul(self.half / 1_000_000) / readers
    }

    fn refill(&self, state: &mut State, now: Instant) {
        let earned = self.earned(now.duration_since(state.at), 1);
        state.shared = state.shared.saturating_add(earned).min(self.burst());
        state.at = now;
    }
}

impl Allowance {
    /// How long to wait before the next slice; `None`: it may begin.
    pub(in crate::http) fn wait(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = lock(&self.budget.state);
        self.budget.refill(&mut state, now);
        let readers = state.readers.max(1);
        let own = self.own.saturating_add(self.budget.earned(now.duration_since(self.at), readers));
        (self.own, self.at) = (own.min((self.budget.burst() / readers).max(SLICE_UNITS)), now);
        let missing = SLICE_UNITS - self.own;
        if missing <= 0 {
            return None;
        }
        if state.shared >= missing {
            state.shared -= missing;
            self.own += missing;
            return None;
        }
        let units = u64::try_from(missing.saturating_mul(readers)).unwrap_or(u64::MAX);
        // Rounded up, or the last microsecond would be waited for again and again.
        Some(Duration::from_micros(units / (self.budget.half.unsigned_abs() / 1_000_000) + 1))
    }

    /// Where the next slice queues.
    pub(in crate::http) fn lane(&self) -> Lane {
        self.lane
    }

    /// Pays for a slice, and goes into the lane that it was one for.
    pub(in crate::http) fn pay(&mut self, units: u64, lane: Lane) {
        self.lane = lane;
        self.own = self.own.saturating_sub(i64::try_from(units).unwrap_or(i64::MAX));
    }
}

impl Drop for Allowance {
    /// What is left goes back, and what is owed stays owed.
    fn drop(&mut self) {
        let mut state = lock(&self.budget.state);
        state.readers -= 1;
        // Coming again and again does not make anybody lighter.
        state.lane = if self.lane == Lane::Light { Lane::Normal } else { self.lane };
        state.shared = state.shared.saturating_add(self.own);
        state.shared = state.shared.clamp(-self.budget.burst(), self.budget.burst());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS_PER_SECOND: u64 = 200_000_000;

    fn client(name: &str) -> Client {
        Client::Principal(name.to_owned())
    }

    /// Uses all that `allowance` may for `seconds`, in slices of `units`; gives the sum.
    async fn greedy(allowance: &mut Allowance, seconds: u64, units: u64) -> u64 {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut used = 0;
        while Instant::now() < end {
            match allowance.wait() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    allowance.pay(units, Lane::Normal);
                    used += units;
                }
            }
        }
        used
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_its_rate_and_its_burst_and_no_more() {
        let budgets = Budgets::new(UNITS_PER_SECOND);
        let mut allowance = budgets.join(&client("a"));
        let used = greedy(&mut allowance, 100, 3_000_000).await;
        let most = UNITS_PER_SECOND * 102 + 10_000_000;
        assert!(used <= most && used > UNITS_PER_SECOND * 95, "{used}");
    }

    #[tokio::test(start_paused = true)]
    async fn coming_again_and_again_gets_no_more() {
        let budgets = Budgets::new(UNITS_PER_SECOND);
        let end = Instant::now() + Duration::from_secs(100);
        let mut used = 0;
        while Instant::now() < end {
            let mut allowance = budgets.join(&client("a"));
            match allowance.wait() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    allowance.pay(3_000_000, Lane::Normal);
                    used += 3_000_000;
                }
            }
        }
        assert!(used <= UNITS_PER_SECOND * 102, "{used}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_modest_reader_is_not_slowed_beside_greedy_ones_of_the_same_client() {
        let budgets = Budgets::new(UNITS_PER_SECOND);
        let mut modest = budgets.join(&client("a"));
        let mut greedy_ones: Vec<Allowance> = (0..8).map(|_| budgets.join(&client("a"))).collect();
        let mut waits = 0;
        for _ in 0..1000 {
            for one in &mut greedy_ones {
                while one.wait().is_none() {
                    one.pay(3_000_000, Lane::Normal);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            waits += u32::from(modest.wait().is_some());
            modest.pay(50_000, Lane::Normal);
        }
        // Until it has saved its first slice.
        assert!(waits <= 3, "{waits}");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_owe_nothing_are_forgotten_first() {
        let budgets = Budgets::new(UNITS_PER_SECOND);
        let mut debtor = budgets.join(&client("debtor"));
        debtor.pay(u64::MAX, Lane::Normal);
        drop(debtor);
        for number in 0..CLIENTS_MAX * 2 {
            drop(budgets.join(&client(&number.to_string())));
        }
        assert!(lock(&budgets.clients).len() <= CLIENTS_MAX);
        assert!(budgets.join(&client("debtor")).wait().is_some());
    }
}
