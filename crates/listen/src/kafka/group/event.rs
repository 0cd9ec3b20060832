//! What a group is told, what it answers, and what it knows of a member: plain data.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::vote::Protocols;
use crate::kafka::limits::{MEMBER_OVERHEAD_BYTES, PROTOCOL_OVERHEAD_BYTES};

/// Since the coordinator began.
pub(super) type Time = Duration;
/// A member's, instance's or protocol's name.
pub(super) type Name = Arc<str>;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// A request to join.
#[derive(Clone, Debug)]
pub(super) struct Join {
    /// Empty for somebody new.
    pub(super) member: Name,
    /// Somebody new was told that name before.
    pub(super) is_given: bool,
    /// The name that somebody new gets.
    pub(super) fresh: Name,
    /// A name that survives restarts of the client.
    pub(super) instance: Option<Name>,
    pub(super) client: String,
    pub(super) host: String,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    /// What the group is for: `consumer`.
    pub(super) protocol_type: Name,
    pub(super) protocols: Protocols,
    /// Somebody new is told its name and comes again with it (KIP-394), so that a client that gives
    /// up half-way leaves nobody behind.
    pub(super) must_return: bool,
    /// The client knows that a leader may have nothing to assign (KIP-814).
    pub(super) can_skip: bool,
}

/// Part of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) generation: i32,
    pub(super) protocol_type: Name,
    pub(super) protocol: Name,
    pub(super) leader: Name,
    pub(super) member: Name,
    /// The leader knows all members, but need not assign.
    pub(super) skip_assignment: bool,
    /// For the leader only: name, instance, and what each says of itself.
    pub(super) members: Vec<(Name, Option<Name>, Bytes)>,
}

/// Not part of it. `member` is the name to come again with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotJoined {
    pub(super) error: ResponseError,
    pub(super) member: Name,
}

/// A member's assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Synced {
    pub(super) protocol_type: Name,
    pub(super) protocol: Name,
    pub(super) assignment: Bytes,
}

/// Who speaks: a member of a generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    pub(super) member: &'a str,
    pub(super) instance: Option<&'a str>,
    pub(super) generation: i32,
}

/// An answer that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Join(Ticket, Result<Joined, NotJoined>),
    Sync(Ticket, Result<Synced, ResponseError>),
}

/// A member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) instance: Option<Name>,
    pub(super) client: String,
    pub(super) host: String,
    pub(super) assignment: Bytes,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Protocols,
    /// When it is given up.
    pub(super) until: Time,
    pub(super) joining: Option<Ticket>,
    pub(super) syncing: Option<Ticket>,
}

/// What it costs, in bytes, that somebody says something under all protocols.
pub(super) fn said(protocols: &Protocols) -> usize {
    let cost =
        |(name, metadata): &(Name, Bytes)| PROTOCOL_OVERHEAD_BYTES + name.len() + metadata.len();
    protocols.iter().map(cost).sum()
}

impl Member {
    /// What it costs, in bytes.
    pub(super) fn bytes(&self) -> usize {
        MEMBER_OVERHEAD_BYTES + said(&self.protocols) + self.assignment.len()
    }

    /// What it says of itself under `protocol`.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| **name == *protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}
