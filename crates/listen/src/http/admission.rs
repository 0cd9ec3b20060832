//! How many watch, in all and of one client.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use metrics::gauge;

use super::{
    client::Client,
    meter,
    problem::{Kind, Problem},
};
use crate::Shared;

/// Counts watches of one listener.
pub(super) struct Admission {
    total_max: usize,
    client_max: usize,
    shared: Shared,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    total: usize,
    by_client: HashMap<Client, usize>,
}

/// One watch's place; dropped with the watch.
pub(super) struct Permit {
    admission: Arc<Admission>,
    client: Client,
}

impl Admission {
    pub(super) fn new(total_max: usize, client_max: usize, shared: Shared) -> Self {
        Self { total_max, client_max, shared, counts: Mutex::default() }
    }

    /// 503 when the house is full, 429 when it is this client's fault.
    pub(super) fn admit(self: &Arc<Self>, client: Client) -> Result<Permit, Problem> {
        let mut counts = self.lock();
        if counts.by_client.get(&client).is_some_and(|count| *count >= self.client_max) {
            let detail = format!("at most {} watches of one client at a time", self.client_max);
            return Err(Problem::new(Kind::TooManyWatches, detail));
        }
        if counts.total >= self.total_max {
            let detail = format!("at most {} watches at a time", self.total_max);
            return Err(Problem::new(Kind::Full, detail));
        }
        counts.total += 1;
        *counts.by_client.entry(client.clone()).or_default() += 1;
        self.shared.watch_opened();
        gauge!(meter::WATCHES).increment(1);
        Ok(Permit { admission: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.total -= 1;
        if let Some(count) = counts.by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.by_client.remove(&self.client);
            }
        }
        self.admission.shared.watch_closed();
        gauge!(meter::WATCHES).decrement(1);
    }
}
