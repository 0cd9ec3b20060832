//! Sources against simulated clouds: whatever the cloud does, the log holds what it produced.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;
mod vsphere;
