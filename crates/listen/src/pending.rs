//! How a connection stands, seen from outside.
//!
//! The socket and TLS note here what they wait for, and the listener looks at it now and then to find whom to drop:
//! numbers, so that a stalled reader costs no timer of its own. It refuses to judge; limits are the listener's.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::holder::Holder;

/// Of which room for what comes over TLS a connection holds some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum TlsRoom {
    None,
    /// That of connections that have not said who they are.
    Strangers,
    /// That of all others.
    Known,
}

/// How a connection stands, seen from outside.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    number: u64,
    /// Since when a write has been pending, in milliseconds since the listener's epoch and plus one;
    /// zero: none is.
    since: AtomicU64,
    /// Bytes that the reader has taken.
    taken: AtomicU64,
    /// Whose it is, once the client has said who it is, or what it wants where nobody must.
    holder: OnceLock<Holder>,
    /// Since when the client has asked for nothing, where that is noted; as `since`.
    idle_since: AtomicU64,
    /// Told when another connection of the same client takes the place.
    displaced: Notify,
    /// Since when a TLS record that holds room has not become whole; as `since`.
    cut_since: AtomicU64,
    /// A [`TlsRoom`].
    tls_room: AtomicU8,
}

impl Pending {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// Which of its listener's connections it is, counted from the first.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether a write was pending without progress for `limit` at `now`, or a large TLS record has not
    /// become whole for as long.
    pub(crate) fn is_stalled(&self, now: Duration, limit: Duration) -> bool {
        [&self.since, &self.cut_since].into_iter().any(|since| {
            match since.load(Ordering::Relaxed) {
                0 => false,
                since => now.saturating_sub(Duration::from_millis(since - 1)) >= limit,
            }
        })
    }

    /// Notes whether a large TLS record is not whole yet.
    pub(crate) fn set_cut(&self, is_cut: bool, epoch: Instant) {
        if is_cut {
            begin(&self.cut_since, epoch);
        } else {
            self.cut_since.store(0, Ordering::Relaxed);
        }
    }

    /// Notes what it holds of the rooms for what comes over TLS.
    pub(crate) fn set_tls_room(&self, room: TlsRoom) {
        self.tls_room.store(room as u8, Ordering::Relaxed);
    }

    /// Whether that is some of `room`.
    pub(crate) fn holds_tls_room(&self, room: TlsRoom) -> bool {
        self.tls_room.load(Ordering::Relaxed) == room as u8
    }

    /// A write waits for the reader.
    pub(crate) fn waits(&self, epoch: Instant) {
        begin(&self.since, epoch);
    }

    /// The reader has taken so many bytes more, and nothing waits for it.
    pub(crate) fn took(&self, bytes: u64) {
        self.since.store(0, Ordering::Relaxed);
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether a write is pending.
    pub(crate) fn is_waiting(&self) -> bool {
        self.since.load(Ordering::Relaxed) != 0
    }

    /// Bytes that the reader has taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The client is somebody: its connection is not given up for one of anybody else any more. To be
    /// called by who counts what each has.
    pub(crate) fn known(&self, holder: Holder) {
        let _ = self.holder.set(holder);
    }

    pub(crate) fn is_known(&self) -> bool {
        self.holder.get().is_some()
    }

    pub(crate) fn holder(&self) -> Option<&Holder> {
        self.holder.get()
    }

    /// Notes whether the client asks for nothing. Who does not note it is never taken for idle.
    pub(crate) fn set_idle(&self, is_idle: bool, epoch: Instant) {
        if is_idle {
            begin(&self.idle_since, epoch);
        } else {
            self.idle_since.store(0, Ordering::Relaxed);
        }
    }

    /// How long the client has asked for nothing at `now`; `None` while it asks for something.
    pub(crate) fn idle(&self, now: Duration) -> Option<Duration> {
        let since = self.idle_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(now.saturating_sub(Duration::from_millis(since)))
    }

    /// Another connection of the same client has the place.
    pub(crate) fn displace(&self) {
        self.displaced.notify_one();
    }

    /// Resolves when that has happened.
    pub(crate) async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

/// Notes that something begins now, if it has not begun yet.
fn begin(since: &AtomicU64, epoch: Instant) {
    let now = u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
    let _ = since.compare_exchange(0, now + 1, Ordering::Relaxed, Ordering::Relaxed);
}
