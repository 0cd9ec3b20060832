//! Keeps a cloud's workload at its rate.
//!
//! Time that passed is turned into events that are due. What is due is bounded to a second's worth:
//! after a pause of the machine the cloud continues, it does not catch up with a flood. A recording is
//! another matter: what is due of it is played, however much that is, in portions.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::shared::{Living, Shared};

const TICK: Duration = Duration::from_millis(20);

/// Events made while the lock is held once; bounds how long a client waits for it.
pub(crate) const EVENTS_PER_LOCK: usize = 250;

/// Makes events until the simulator stops.
pub(crate) async fn tick<C: Living>(shared: Arc<Shared<C>>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut last = Instant::now();
    let mut due = 0.0_f64;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = shared.stop.cancelled() => return,
        }
        let now = Instant::now();
        while shared.with(Living::settle) {
            tokio::task::yield_now().await;
        }
        let rate = shared.with(|cloud| cloud.events_per_second());
        due = (due + now.duration_since(last).as_secs_f64() * rate).min(rate.max(1.0));
        last = now;
        let whole = due.floor();
        due -= whole;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the largest rate"
        )]
        work(&shared, whole as usize);
    }
}

/// Makes events in portions, so that clients get the lock in between.
pub(crate) fn work<C: Living>(shared: &Shared<C>, count: usize) {
    let mut left = count;
    while left > 0 {
        let portion = left.min(EVENTS_PER_LOCK);
        shared.with(|cloud| cloud.work(portion));
        left -= portion;
    }
}
