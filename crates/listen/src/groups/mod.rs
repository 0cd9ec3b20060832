//! Consumer groups: who reads what, and how far they came.
//!
//! ```text
//!   request ─▶ kafka::group ─▶ Coordinator ── events, now ──▶ state::Group     pure
//!                                  │ ▲                            │
//!                       Table::Offsets │                       actions: answer this ticket …
//!                                  ▼ └──── one timer for all groups, and none while no one is a member
//!                                offsets
//! ```
//!
//! The classic protocol: members join, one of them (the leader) assigns, all sync, each beats its
//! heart. With one partition a stream, a group reads each stream with one of its members while the
//! others stand by.
//!
//! **Whose groups are whose.** A group's name says nothing about who may use it, so names are kept
//! apart: principals that see everything share one space of names (what an operator's tool shows is
//! what the operator's consumers use); every other principal has a space of its own, in which it can
//! neither see nor disturb anybody else's groups, and in which it has room for fewer. Who may not
//! read has no groups at all. Of what all share (groups, what members say, committed offsets) each space
//! has a part that others cannot use up.
//!
//! **Whose they are not** is a listener's: all Kafka listeners of a process have the same groups
//! ([`Shared`](crate::Shared)), so members may come through any of them, and each sees what others committed.
//!
//! Offsets are durable before a commit is answered. They are kept per stream *and incarnation of the
//! stream*: an offset of a log that was wiped is no offset of its successor.

mod coordinator;
mod error;
pub(crate) mod event;
pub(crate) mod limits;
pub(crate) mod meter;
pub(crate) mod names;
pub(crate) mod offsets;
mod share;
mod state;
mod vote;

pub(crate) use coordinator::Coordinator;
pub(crate) use state::Group;
