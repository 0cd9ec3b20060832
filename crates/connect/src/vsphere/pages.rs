//! How many events a page has. A server may fail at what is large, so fewer are asked for then, and slowly more again.

use std::sync::atomic::{AtomicU32, Ordering};

/// Most events of one read: the server's own limit.
pub(super) const PAGE_EVENTS_MAX: u32 = 1000;
/// After so many whole pages of fewer events than the server's limit, twice as many are asked for.
const GROW_AFTER: u32 = 16;
/// An event that is cut so often in a row, alone and with nothing whole in between, is never sent whole.
const CUTS_MAX: u32 = 3;

/// How many events are asked for at once: as many as the server gives, fewer where that failed. Lives as
/// long as the source.
#[derive(Debug)]
pub(super) struct Pages {
    events: AtomicU32,
    /// Whole pages read since that changed.
    reads: AtomicU32,
    /// How often the same event was cut, alone.
    cuts: AtomicU32,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            events: AtomicU32::new(PAGE_EVENTS_MAX),
            reads: AtomicU32::default(),
            cuts: AtomicU32::default(),
        }
    }
}

impl Pages {
    pub(super) fn events(&self) -> u32 {
        self.events.load(Ordering::Relaxed)
    }

    /// `events` were too many.
    pub(super) fn halve(&self, events: u32) {
        self.set((events / 2).max(1));
    }

    /// `events` were asked for, and came whole.
    pub(super) fn read(&self, events: u32) {
        self.cuts.store(0, Ordering::Relaxed);
        if events < PAGE_EVENTS_MAX && self.reads.fetch_add(1, Ordering::Relaxed) >= GROW_AFTER {
            self.set((events * 2).min(PAGE_EVENTS_MAX));
        }
    }

    /// `events` were asked for, and the answer was cut before the end of the first. Fewer are asked for from
    /// now on; `false`: it was alone and cut too often, and is taken as it stands.
    pub(super) fn ask_again_for_the_first_event(&self, events: u32) -> bool {
        self.halve(events);
        events > 1 || self.cuts.fetch_add(1, Ordering::Relaxed) + 1 < CUTS_MAX
    }

    fn set(&self, events: u32) {
        self.events.store(events, Ordering::Relaxed);
        self.reads.store(0, Ordering::Relaxed);
    }
}
