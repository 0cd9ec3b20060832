//! The simulated CloudStack as its clients see it: over HTTP, from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod apis;
mod client;
mod control;
mod dates;
mod events;
mod faults;
mod groups;
mod orders;
mod recorded;
mod scoping;
mod speed;
mod versions;

use std::time::Duration;

use pluvio_sim::{CloudStack, CloudStackConfig};

/// A small cloud in which nothing happens by itself, and whose clock stands.
fn quiet() -> CloudStackConfig {
    CloudStackConfig {
        machines: 20,
        events_per_second: 0.0,
        starts_at: "2026-11-20T12:00:00Z".parse().ok(),
        sends_date: true,
        job_duration: Duration::ZERO,
        ..CloudStackConfig::default()
    }
}

/// A quiet cloud in which that many events have happened.
async fn cloud(events: usize) -> CloudStack {
    CloudStack::start(CloudStackConfig { backlog_events: events, ..quiet() }).await.unwrap()
}
