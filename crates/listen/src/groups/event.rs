//! What a group is told, what it answers, and what it knows of a member: plain data.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::vote::Protocols;
use crate::groups::limits::{MEMBER_OVERHEAD_BYTES, PROTOCOL_OVERHEAD_BYTES};

/// Since the coordinator began.
pub(crate) type Time = Duration;
/// A member's, instance's or protocol's name.
pub(crate) type Name = Arc<str>;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// A request to join.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    /// Empty for somebody new.
    pub(crate) member: Name,
    /// Somebody new was told that name before.
    pub(crate) is_given: bool,
    /// The name that somebody new gets.
    pub(crate) fresh: Name,
    /// A name that survives restarts of the client.
    pub(crate) instance: Option<Name>,
    pub(crate) client: String,
    pub(crate) host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    /// What the group is for: `consumer`.
    pub(crate) protocol_type: Name,
    pub(crate) protocols: Protocols,
    /// Somebody new is told its name and comes again with it (KIP-394), so that a client that gives
    /// up half-way leaves nobody behind.
    pub(crate) must_return: bool,
    /// The client knows that a leader may have nothing to assign (KIP-814).
    pub(crate) can_skip: bool,
}

/// Part of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: Name,
    pub(crate) protocol: Name,
    pub(crate) leader: Name,
    pub(crate) member: Name,
    /// The leader knows all members, but need not assign.
    pub(crate) skip_assignment: bool,
    /// For the leader only: name, instance, and what each says of itself.
    pub(crate) members: Vec<(Name, Option<Name>, Bytes)>,
}

/// Not part of it. `member` is the name to come again with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotJoined {
    pub(crate) error: ResponseError,
    pub(crate) member: Name,
}

/// A member's assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: Name,
    pub(crate) protocol: Name,
    pub(crate) assignment: Bytes,
}

/// Who speaks: a member of a generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker<'a> {
    pub(crate) member: &'a str,
    pub(crate) instance: Option<&'a str>,
    pub(crate) generation: i32,
}

/// An answer that is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Join(Ticket, Result<Joined, NotJoined>),
    Sync(Ticket, Result<Synced, ResponseError>),
}

/// A member.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<Name>,
    pub(crate) client: String,
    pub(crate) host: String,
    pub(crate) assignment: Bytes,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocols: Protocols,
    /// When it is given up.
    pub(crate) until: Time,
    pub(crate) joining: Option<Ticket>,
    pub(crate) syncing: Option<Ticket>,
}

/// What it costs, in bytes, that somebody says something under all protocols.
pub(crate) fn said(protocols: &Protocols) -> usize {
    let cost =
        |(name, metadata): &(Name, Bytes)| PROTOCOL_OVERHEAD_BYTES + name.len() + metadata.len();
    protocols.iter().map(cost).sum()
}

impl Member {
    /// What it costs, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        MEMBER_OVERHEAD_BYTES + said(&self.protocols) + self.assignment.len()
    }

    /// What it says of itself under `protocol`.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| **name == *protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}
