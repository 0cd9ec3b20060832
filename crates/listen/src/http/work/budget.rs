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

use crate::http::watch::Client;

/// What one client's filters may cost in a second, in units of about a nanosecond: a fifth of a core.
pub(in crate::http) const UNITS_PER_SECOND: u64 = 200_000_000;
/// What is saved up while nobody asks, in seconds.
const BURST_SECONDS: i64 = 2;
/// The half that is shared, and the half that is divided, in units a second.
const HALF: i64 = UNITS_PER_SECOND as i64 / 2;
/// Most that can be saved, and most that can be owed, in units.
const BURST: i64 = HALF * BURST_SECONDS;
/// What a reader must have before a slice: about what one costs at most.
const SLICE_UNITS: i64 = 2_000_000;
/// Most clients remembered, addresses among them; those that owe nothing are forgotten first.
const CLIENTS_MAX: usize = 4096;

/// The budgets of all clients.
#[derive(Default)]
pub(in crate::http) struct Budgets(Mutex<HashMap<Client, Arc<Budget>>>);

/// One client's.
struct Budget(Mutex<State>);

struct State {
    shared: i64,
    at: Instant,
    readers: i64,
}

/// One reader's part of its client's budget.
pub(in crate::http) struct Allowance {
    budget: Arc<Budget>,
    own: i64,
    at: Instant,
}

impl Budgets {
    /// The part of a new reader of `client`.
    pub(in crate::http) fn join(&self, client: &Client) -> Allowance {
        let now = Instant::now();
        let mut clients = lock(&self.0);
        if clients.len() >= CLIENTS_MAX {
            clients.retain(|_, budget| {
                let mut state = lock(&budget.0);
                state.refill(now);
                state.readers > 0 || state.shared < BURST
            });
        }
        let budget = clients.entry(client.clone()).or_insert_with(|| {
            Arc::new(Budget(Mutex::new(State { shared: BURST, at: now, readers: 0 })))
        });
        lock(&budget.0).readers += 1;
        Allowance { budget: Arc::clone(budget), own: 0, at: now }
    }
}

impl State {
    fn refill(&mut self, now: Instant) {
        let passed = earned(now.duration_since(self.at), 1);
        self.shared = self.shared.saturating_add(passed).min(BURST);
        self.at = now;
    }
}

impl Allowance {
    /// How long to wait before the next slice; `None`: it may begin.
    pub(in crate::http) fn wait(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = lock(&self.budget.0);
        state.refill(now);
        let readers = state.readers.max(1);
        let own = self.own.saturating_add(earned(now.duration_since(self.at), readers));
        (self.own, self.at) = (own.min((BURST / readers).max(SLICE_UNITS)), now);
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
        Some(Duration::from_micros(units / (HALF as u64 / 1_000_000) + 1))
    }

    /// Pays for a slice.
    pub(in crate::http) fn pay(&mut self, units: u64) {
        self.own = self.own.saturating_sub(i64::try_from(units).unwrap_or(i64::MAX));
    }
}

impl Drop for Allowance {
    /// What is left goes back, and what is owed stays owed.
    fn drop(&mut self) {
        let mut state = lock(&self.budget.0);
        state.readers -= 1;
        state.shared = state.shared.saturating_add(self.own).clamp(-BURST, BURST);
    }
}

/// What `half` of the rate gives each of `readers` in `passed`, in units.
fn earned(passed: Duration, readers: i64) -> i64 {
    let micros = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
    micros.saturating_mul(HALF / 1_000_000) / readers
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    allowance.pay(units);
                    used += units;
                }
            }
        }
        used
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_its_rate_and_its_burst_and_no_more() {
        let budgets = Budgets::default();
        let mut allowance = budgets.join(&client("a"));
        let used = greedy(&mut allowance, 100, 3_000_000).await;
        let most = UNITS_PER_SECOND * 102 + 10_000_000;
        assert!(used <= most && used > UNITS_PER_SECOND * 95, "{used}");
    }

    #[tokio::test(start_paused = true)]
    async fn coming_again_and_again_gets_no_more() {
        let budgets = Budgets::default();
        let end = Instant::now() + Duration::from_secs(100);
        let mut used = 0;
        while Instant::now() < end {
            let mut allowance = budgets.join(&client("a"));
            match allowance.wait() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    allowance.pay(3_000_000);
                    used += 3_000_000;
                }
            }
        }
        assert!(used <= UNITS_PER_SECOND * 102, "{used}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_modest_reader_is_not_slowed_beside_greedy_ones_of_the_same_client() {
        let budgets = Budgets::default();
        let mut modest = budgets.join(&client("a"));
        let mut greedy_ones: Vec<Allowance> = (0..8).map(|_| budgets.join(&client("a"))).collect();
        let mut waits = 0;
        for _ in 0..1000 {
            for one in &mut greedy_ones {
                while one.wait().is_none() {
                    one.pay(3_000_000);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            waits += u32::from(modest.wait().is_some());
            modest.pay(50_000);
        }
        // Until it has saved its first slice.
        assert!(waits <= 3, "{waits}");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_owe_nothing_are_forgotten_first() {
        let budgets = Budgets::default();
        let mut debtor = budgets.join(&client("debtor"));
        debtor.pay(u64::MAX);
        drop(debtor);
        for number in 0..CLIENTS_MAX * 2 {
            drop(budgets.join(&client(&number.to_string())));
        }
        assert!(lock(&budgets.0).len() <= CLIENTS_MAX);
        assert!(budgets.join(&client("debtor")).wait().is_some());
    }
}
