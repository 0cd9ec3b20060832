//! Limits that protect the process, with their reasons. None is configurable: an operator who needs
//! another one has found a defect.

use std::time::Duration;

/// Longest request target (path and query) in bytes; longer is 414. A filter of 4 KiB, percent-
/// encoded, needs 12 KiB.
pub(super) const TARGET_BYTES_MAX: usize = 16 << 10;

/// Largest request head in bytes; larger is 431. Room for the target and for what proxies add.
/// It is also what hyper buffers at most for one connection before it writes.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// Bytes of a request's head that every connection may hold without asking: hyper's buffer has this
/// size from the beginning, and most heads have some hundred bytes.
pub(super) const HEAD_BYTES_FREE: usize = 8 << 10;

/// Most bytes of heads beyond [`HEAD_BYTES_FREE`], all connections together: room for 70 of the
/// largest at a time, where 5,000 would be 320 MB. A buffer that grew stays as long as its
/// connection, and is up to twice as large as what it holds.
pub(super) const HEAD_BYTES_MAX_TOTAL: usize = 4 << 20;

/// The part of that which the connections of one address may have.
pub(super) const HEAD_BYTES_MAX_ADDRESS: usize = HEAD_BYTES_MAX_TOTAL / 2;

/// Largest body of a page in bytes, before compression: 1,000 events of a cloud have about 2 MB.
/// A larger page ends early and links on.
pub(super) const PAGE_BYTES_MAX: usize = 4 << 20;

/// Most bytes of pages that are being made or sent, all connections together; a page whose reader
/// takes nothing is held until that one is dropped. Room to make one of the largest beside others, or 50
/// of 50 events, and to send 250 of those. Documents beyond [`ANSWER_BYTES_FREE`] are counted here, too.
pub(super) const PAGES_BYTES_MAX_TOTAL: usize = 16 << 20;

/// The part of [`PAGES_BYTES_MAX_TOTAL`] for large answers to all who have not said who they are, in bytes: to
/// them nothing is large but what a probe is told of hundreds of sources.
pub(super) const PAGES_BYTES_MAX_STRANGERS: usize = 1 << 20;

/// The part of [`PAGES_BYTES_MAX_TOTAL`] that one client may have, in bytes: room for its largest pages,
/// and as much for all others.
pub(super) const PAGES_BYTES_MAX_CLIENT: usize = PAGES_BYTES_MAX_TOTAL / 2;

/// Pages that are made for one client at a time; more wait for their turn. A page that finds nothing looks
/// through the log for as long as it may, with room for what it could find.
pub(super) const PAGES_PER_CLIENT_MAX: usize = 8;

/// Most bytes of filters that watches hold, all connections together: a watch lives for weeks, and its
/// filter with it.
pub(super) const FILTERS_BYTES_MAX_TOTAL: usize = 12 << 20;

/// The part of that which one client may have.
pub(super) const FILTERS_BYTES_MAX_CLIENT: usize = FILTERS_BYTES_MAX_TOTAL / 2;

/// What a filter that was read takes, for each byte of its text: a list of one-digit numbers takes most.
pub(super) const FILTER_BYTES_PER_CHARACTER: usize = 32;

/// What a pattern for types, sources or subjects takes beside its text: its place in a list that grows by
/// doubling, and what the allocator adds.
pub(super) const PATTERN_OVERHEAD_BYTES: usize = 64;

/// What reading a byte of an expression costs its client, in units of work: the worst of 4 KiB take some
/// milliseconds, and a unit is about a nanosecond.
pub(super) const READ_UNITS_PER_BYTE: u64 = 1000;

/// What a page reads of the log at once, in bytes.
pub(super) const PAGE_READ_BYTES: usize = 256 << 10;

/// What a page is given before it begins, in bytes: what it reads, and what it finds of that, for most
/// have 50 events of a kilobyte.
pub(super) const PAGE_BYTES_FIRST: usize = PAGE_READ_BYTES + (64 << 10);

/// Answers that are no events may be this large without asking for room: problems, and the status of most.
pub(super) const ANSWER_BYTES_FREE: usize = 16 << 10;

/// Reads of the past at a time, of all connections together, whatever they are for (pages, single events,
/// watches, where damage ends): each has whole batches in
/// memory for a moment, some of them megabytes, however little of them is wanted.
pub(super) const READS_MAX: usize = 4;

/// Most bytes of rendered events for watches, in the cache or on their way, all connections together:
/// half as much again as the cache.
pub(super) const RENDERED_BYTES_MAX_TOTAL: usize = 24 << 20;

/// The part of that which the readers of one client may have on their way, in bytes: a page of typical size
/// for each of 64 places in the log, and twice as much for all others.
pub(super) const RENDERED_BYTES_MAX_CLIENT: usize = RENDERED_BYTES_MAX_TOTAL / 3;

/// Most records that one page looks at: at about 5 µs for a filtered record, half a second.
pub(super) const PAGE_SCAN_RECORDS_MAX: usize = 100_000;

/// Most events of one page, and what `limit` may ask for.
pub(super) const PAGE_EVENTS_MAX: usize = 1000;

/// Events of one page when `limit` is not given, as vsphere-event-streaming has it.
pub(super) const PAGE_EVENTS_DEFAULT: usize = 50;

/// Connections above `connections_max` that are still told 503; beyond, they are closed unheard.
pub(super) const REFUSALS_MAX: usize = 64;

/// What a refused client is told to wait, in seconds: long enough for a retention pass or a
/// restart of others, short enough for a person.
pub(super) const RETRY_AFTER_SECONDS: u64 = 5;

/// Smallest body that is compressed, in bytes: below, the headers outweigh the gain.
pub(super) const GZIP_BYTES_MIN: usize = 1 << 10;

/// Shortest heartbeat: more often, heartbeats are the load.
pub(super) const HEARTBEAT_MIN: Duration = Duration::from_secs(1);

/// Limits of time and work. Tests shorten them; they are no configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A request's head must be complete, and a TLS handshake done, within this. Default 10 s.
    pub head: Duration,
    /// A reader that takes no byte for this long is dropped: it pins a page of the cache and room in
    /// the kernel, and a reader that lives takes at least an acknowledgement's worth. Default 30 s.
    pub stall: Duration,
    /// After a drain began, watchers that are still behind are ended cleanly after this. Default
    /// 3 s: the supervisor waits 5 s in all.
    pub drain: Duration,
    /// What the filters of one client may cost in a second, in units of work
    /// ([`Meter`](pluvio_event::filter::Meter)). Default 200,000,000: a fraction of a core.
    pub filter_units_per_second: u64,
    /// How long a page waits, in all, for its client's budget of filtering before it ends early or is
    /// refused: shorter than the patience of clients and proxies. Default 5 s.
    pub page_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(3),
            filter_units_per_second: 200_000_000,
            page_wait: Duration::from_secs(5),
        }
    }
}
