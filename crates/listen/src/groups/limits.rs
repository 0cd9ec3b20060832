//! Limits of what groups hold in memory and in the log, and of how long they wait, with their reasons.
//!
//! None is configurable: an operator who needs another one has found a defect.

use std::time::Duration;

/// Most groups of those who see everything, and share a space: each costs memory as long as it has
/// members or offsets. Nobody else can use this up.
pub(crate) const GROUPS_MAX: usize = 1000;

/// Most groups of a principal with a space of its own: one tenant's applications are a few dozen.
pub(crate) const GROUPS_MAX_OWN: usize = 100;

/// Most groups of all principals with spaces of their own together, beyond those that each can always
/// have: what bounds the memory where hundreds of tenants are configured.
pub(crate) const GROUPS_MAX_OWN_TOTAL: usize = 4000;

/// Groups that a principal with a space of its own can always have, however many others have.
pub(crate) const GROUPS_RESERVED_OWN: usize = 4;

/// Most members of one group: with one partition a stream, more than a few stand idle.
pub(crate) const GROUP_MEMBERS_MAX: usize = 100;

/// Most bytes of what members of groups say and are assigned, all groups of those who see everything
/// together. A consumer says some hundred bytes; Kafka Connect's workers, the largest known, some
/// thousand.
pub(crate) const GROUPS_BYTES_MAX: usize = 16 << 20;

/// The same for a principal with a space of its own.
pub(crate) const GROUPS_BYTES_MAX_OWN: usize = 4 << 20;

/// The same for all principals with spaces of their own together, beyond what each can always have.
pub(crate) const GROUPS_BYTES_MAX_OWN_TOTAL: usize = 16 << 20;

/// What a principal with a space of its own can always have of it: a few consumers.
pub(crate) const GROUPS_BYTES_RESERVED_OWN: usize = 16 << 10;

/// Most bytes of committed offsets ([`OFFSET_OVERHEAD_BYTES`] included), all groups of those who see
/// everything together: some 12,000 offsets with short names, or 900 with the longest texts.
pub(crate) const OFFSETS_BYTES_MAX: usize = 4 << 20;

/// The same for a principal with a space of its own: 100 groups on 25 streams each.
pub(crate) const OFFSETS_BYTES_MAX_OWN: usize = 1 << 20;

/// The same for all principals with spaces of their own together, beyond what each can always have. With
/// [`OFFSETS_BYTES_MAX`] it is a quarter of what the log's table takes
/// ([`Table::BYTES_MAX`](pluvio_log::Table::BYTES_MAX)); the rest is for what is reserved for each.
pub(crate) const OFFSETS_BYTES_MAX_OWN_TOTAL: usize = 4 << 20;

/// What a principal with a space of its own can always have of it: some 40 offsets.
pub(crate) const OFFSETS_BYTES_RESERVED_OWN: usize = 16 << 10;

/// What an offset costs in memory beside its key and value, in the log's table and in the groups' own:
/// places in two trees, its stream's name and what the allocator adds.
pub(crate) const OFFSET_OVERHEAD_BYTES: usize = 256;

/// What a member costs beside what it says: its names, times and places in tables, in bytes.
pub(crate) const MEMBER_OVERHEAD_BYTES: usize = 512;

/// Most protocols (ways to assign) that a member offers. Clients offer up to five; whether two members
/// have one in common is looked for by comparing each with each.
pub(crate) const PROTOCOLS_MAX: usize = 32;

/// What a protocol costs beside its name and what is said under it, in bytes.
pub(crate) const PROTOCOL_OVERHEAD_BYTES: usize = 100;

/// Longest name of a group, a member, an instance or a protocol, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Most bytes of what a member says of itself (its subscription, by protocol), and of what the
/// leader assigns to one member.
pub(crate) const MEMBER_BYTES_MAX: usize = 64 << 10;

/// Longest text that is kept with an offset, in bytes; Kafka's default.
pub(crate) const OFFSET_METADATA_BYTES_MAX: usize = 4096;

/// A group's offsets are forgotten when nobody has used them for this long; Kafka's default.
pub(crate) const OFFSETS_RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// After a start, a group gets at least this long to come back before its offsets are forgotten.
pub(crate) const OFFSETS_GRACE: Duration = Duration::from_secs(3600);

/// An offset that is committed again unchanged is written again after this: more often would be a
/// write each five seconds from every idle consumer, less often it would look unused.
pub(crate) const OFFSET_REFRESH: Duration = Duration::from_secs(3600);

/// Bounds of a member's session time-out. Kafka's lower bound is 6 s; below one second a pause of
/// the machine looks like a death.
pub(crate) const SESSION_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// See [`SESSION_TIMEOUT_MIN`]; Kafka's default.
pub(crate) const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(30 * 60);
/// Shortest time that a rebalance may take: with none at all, nobody could join again before it is
/// over, and a group of members that sleep would be looked at without end.
pub(crate) const REBALANCE_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// Longest time that a rebalance may take: longer than any client's default (5 min).
pub(crate) const REBALANCE_TIMEOUT_MAX: Duration = Duration::from_secs(30 * 60);

/// Longest time between the answers to those who joined and the assignment of their leader, and the
/// request for it by each of them. Clients ask at once. Who joined under one name after the other and went
/// away would otherwise take up groups for the longest rebalance.
pub(crate) const SYNC_TIMEOUT_MAX: Duration = Duration::from_secs(60);
