//! The simulated vCenter as its clients see it: over HTTP, from outside.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod client;
mod collectors;
mod control;
mod faults;
mod inventory;
mod performance;
mod recorded;
mod sessions;
mod updates;

use pluvio_sim::{VCenter, VCenterConfig};

/// A small cloud in which nothing happens by itself.
fn quiet() -> VCenterConfig {
    VCenterConfig { machines: 20, events_per_second: 0.0, ..VCenterConfig::default() }
}

/// A quiet cloud in which that many events have happened.
async fn cloud(events: usize) -> VCenter {
    VCenter::start(VCenterConfig { backlog_events: events, ..quiet() }).await.unwrap()
}
