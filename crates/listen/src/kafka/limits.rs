//! Limits that protect the process, with their reasons. But for the count of connections none is
//! configurable: an operator who needs another one has found a defect.

use std::time::Duration;

/// Largest request in bytes, without its length. A consumer's requests have some hundred bytes, a
/// group leader's assignment some thousand; but a producer that comes here by mistake sends batches
/// of up to 1 MiB (Java's and librdkafka's default), and is to be told that nothing is produced here
/// rather than to be cut off.
pub(super) const FRAME_BYTES_MAX: usize = (1 << 20) + (64 << 10);

/// The same before a client has said who it is: SCRAM needs some hundred bytes.
pub(super) const FRAME_BYTES_MAX_UNAUTHENTICATED: usize = 16 << 10;

/// Characters that are kept of what a client calls itself: for tools and the log.
pub(super) const CLIENT_CHARS_MAX: usize = 60;

/// Bytes of an unfinished request that every connection may hold without asking: whole requests of
/// consumers are smaller.
pub(super) const FRAME_BYTES_FREE: usize = 16 << 10;

/// Most bytes of requests beyond [`FRAME_BYTES_FREE`], all connections together, from their first byte
/// until they are answered, or wait for a record or a rebalance. A client for whose request nothing is left is
/// closed: it comes back, and whoever fills it up is slow.
pub(super) const FRAME_BYTES_MAX_TOTAL: usize = 8 << 20;

/// The part of [`FRAME_BYTES_MAX_TOTAL`] that one client may have: three of the largest requests.
pub(super) const FRAME_BYTES_MAX_CLIENT: usize = FRAME_BYTES_MAX_TOTAL / 2;

/// An answer may be this large without asking for room among those to fetches.
pub(super) const ANSWER_BYTES_FREE: usize = 16 << 10;

/// Most bytes read ahead while a request waits: enough to see that a client is gone, and the next
/// requests of one that pipelines.
pub(super) const READ_AHEAD_BYTES_MAX: usize = 16 << 10;

/// Most elements of all lists of one request together, and tagged fields ([`ITEMS_PER_TAG`]). A consumer names
/// each topic once, and the largest requests of tools name all groups ([`GROUPS_MAX`](crate::groups::limits::GROUPS_MAX)): twice as much and some
/// more. Without a limit, a list of empty names would cost thirty times its bytes in memory, and as much time.
pub(super) const REQUEST_ITEMS_MAX: usize = 2500;

/// As how many elements a tagged field counts. The codec keeps those that it does not know in a tree, which
/// takes some 400 bytes for the first; an element takes some 100.
pub(super) const ITEMS_PER_TAG: usize = 4;

/// A request with more elements than this, or more bytes than [`FRAME_BYTES_FREE`], is dear: it waits for its
/// client's turn. Consumers of dozens of streams stay below.
pub(super) const REQUEST_ITEMS_CHEAP: usize = 100;

/// Most bytes of record batches in one answer to a fetch. Clients ask for up to 50 MiB; eight keep
/// a link busy, and a client asks again at once.
pub(super) const FETCH_BYTES_MAX: usize = 8 << 20;

/// Most bytes of record batches in all answers that are being sent, and of other large answers. Each fetch
/// is given half of what is left at most. When they are used up, an answer to a fetch carries a single batch,
/// and waits for room for it; readers that take nothing are dropped sooner.
pub(super) const FETCH_BYTES_MAX_TOTAL: usize = 24 << 20;

/// The part of [`FETCH_BYTES_MAX_TOTAL`] that one client may have, in bytes: its largest answer, and twice as
/// much for all others.
pub(super) const FETCH_BYTES_MAX_CLIENT: usize = FETCH_BYTES_MAX_TOTAL / 3;

/// Look-ups of a time at once, of which one for each client: each has whole batches in memory for a moment, some
/// of them megabytes, to tell the offset of one record.
pub(super) const LOOKUPS_MAX: usize = 4;

/// The largest batch of events that are not larger themselves, in bytes.
pub(super) const FETCH_BYTES_SINGLE: usize = 256 << 10;

/// How long an answer waits for room for a single batch before it says that there is nothing: clients
/// ask again at once.
pub(super) const FETCH_ROOM_WAIT: Duration = Duration::from_secs(1);

/// Most bytes of what groups hold in one answer about groups: as much as the largest group can be
/// ([`GROUP_MEMBERS_MAX`](crate::groups::limits::GROUP_MEMBERS_MAX) members, with twice
/// [`MEMBER_BYTES_MAX`](crate::groups::limits::MEMBER_BYTES_MAX) each) and some more, so that
/// each can be asked for by itself. Without a limit, a few thousand bytes that name the same again
/// and again would be answered from gigabytes.
pub(super) const GROUP_ANSWER_BYTES_MAX: usize = 13 << 20;

/// Longest time that a fetch waits, whatever it asks for. Consumers ask for half a second by default.
pub(super) const FETCH_WAIT_MAX: Duration = Duration::from_secs(60);

/// A denied login is told after this, as Kafka does: clients try again at once and without end, and
/// whoever guesses passwords should not do so as fast as the network allows.
pub(super) const DENIED_PAUSE: Duration = Duration::from_millis(100);

/// Limits of time. Tests shorten them; they are no configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A TLS handshake, and authentication where it is needed, must be complete within this, both
    /// together. Default 10 s.
    pub login: Duration,
    /// A request that has begun must be complete within this. Default 30 s.
    pub begun: Duration,
    /// A client that asks for nothing for this long is closed, as Kafka does. Default 10 min.
    pub idle: Duration,
    /// A reader that takes no byte for this long is dropped. Default 30 s.
    pub stall: Duration,
    /// After a drain began, answers that are not taken within this are cut. Default 4 s: the
    /// supervisor waits 5 s in all.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login: Duration::from_secs(10),
            begun: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(4),
        }
    }
}
