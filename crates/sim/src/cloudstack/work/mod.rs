//! What happens in the cloud: operations in steps, each step an event.
//!
//! ```text
//!  workload ─▶ Chain ─▶ Agenda ─(due)─▶ step ─▶ row in the history, change in the inventory
//!  command ──▶ Chain ─▶ Agenda ─(due)─▶ step ─▶ …, and the job's result at the last one
//! ```
//!
//! It works on the whole cloud and therefore lies above it; what an operation is, is [`life`](super::life)'s.

mod jobs;
mod steps;
mod workload;

pub(crate) use steps::Draft;
