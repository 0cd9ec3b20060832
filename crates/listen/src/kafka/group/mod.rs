//! Requests about consumer groups: from Kafka's messages to the [coordinator](crate::groups::Coordinator) and back.
//!
//! It refuses to keep anything: groups are the same through all listeners of a process.

mod commits;
mod delete;
mod members;
mod room;
mod tools;

pub(super) use commits::{commit, fetch};
pub(super) use delete::{delete, delete_offsets};
pub(super) use members::{Joining, Syncing, heartbeat, join, leave, sync};
pub(super) use tools::{describe, find_coordinator, list};
