//! Faults on demand: what a real cloud does to its clients on a bad day.
//!
//! One definition serves Rust tests and the control URL: each variant is a verb of the URL, its
//! fields are the parameters. A fault that lasts is kept in [`Troubles`] until it is used up or
//! cleared; one that happens at once leaves nothing behind.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Something that goes wrong in the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// All sessions end; the next call of each client faults `NotAuthenticated`.
    SessionLost,
    /// The next `count` reads answer with an empty page although there are events.
    EmptyPages {
        /// Number of empty pages.
        count: u32,
    },
    /// Every read returns at most `events_max` events; 0 ends it.
    ShortPages {
        /// Events per page.
        events_max: usize,
    },
    /// The next `count` keys are never seen, as if their events were hidden from the client.
    KeyGap {
        /// Keys to skip.
        count: u32,
    },
    /// The next event gets this key: negative, or near the largest number so that it overflows.
    NextKey {
        /// The key.
        key: i32,
    },
    /// A restore from backup: events after `key` are forgotten, keys continue from there, and
    /// sessions end.
    Restore {
        /// The last key in the backup.
        key: i32,
    },
    /// One event that is not as it should be.
    Malformed {
        /// What is wrong with it.
        kind: Malformation,
    },
    /// One event of a class that no client has heard of.
    UnknownClass,
    /// Answers take this long; 0 ends it.
    Slow {
        /// Delay in milliseconds.
        ms: u64,
    },
    /// The next `count` requests are answered with HTTP status 503.
    Unavailable {
        /// Number of requests.
        count: u32,
    },
    /// The connection is reset at each of the next `count` requests.
    Reset {
        /// Number of requests.
        count: u32,
    },
    /// The answers to the next `count` requests end in the middle.
    Cut {
        /// Number of requests.
        count: u32,
    },
    /// The answers to the next `count` requests end in the middle, and are whole for HTTP: somebody on the
    /// way gave up.
    CutWhole {
        /// Number of requests.
        count: u32,
    },
    /// Whatever `beginTime` a filter names, events from before it are shown, too.
    BeginIgnored,
    /// The cloud's clock runs this far ahead (or behind, if negative).
    Skew {
        /// Seconds ahead.
        seconds: i64,
    },
    /// Existing event collectors read nothing ever again; new ones work.
    Stranded,
    /// Events of a host whose clock runs ahead.
    Early {
        /// How far ahead they were created.
        seconds: u32,
        /// How many.
        count: u32,
    },
    /// Events that appear now but were created in the past.
    Late {
        /// How long ago they were created.
        seconds: u32,
        /// How many.
        count: u32,
    },
}

/// What is wrong with a malformed event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Malformation {
    /// `createdTime` is no time.
    Time,
    /// There is no `key`.
    MissingKey,
    /// `key` is no number.
    Key,
    /// An element of the class holds other elements where text belongs.
    Content,
    /// A tag is never closed: the whole page is no XML any more.
    IllFormed,
}

/// Faults in force.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Troubles {
    pub(crate) empty_pages: u32,
    pub(crate) page_events_max: Option<usize>,
    pub(crate) slow_ms: u64,
    pub(crate) unavailable: u32,
    pub(crate) resets: u32,
    pub(crate) cuts: u32,
    pub(crate) whole_cuts: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) begin_ignored: bool,
}

/// What happens to one request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Normal,
    Unavailable,
    Reset,
    Cut,
    CutWhole,
}

impl Troubles {
    /// Decides the fate of the next request.
    pub(crate) fn next_transport(&mut self) -> (Transport, Duration) {
        let delay = Duration::from_millis(self.slow_ms);
        let fate = if used(&mut self.resets) {
            Transport::Reset
        } else if used(&mut self.unavailable) {
            Transport::Unavailable
        } else if used(&mut self.cuts) {
            Transport::Cut
        } else if used(&mut self.whole_cuts) {
            Transport::CutWhole
        } else {
            Transport::Normal
        };
        (fate, delay)
    }

    /// The number of events that a read may return, of those it asked for.
    pub(crate) fn page(&mut self, asked: usize) -> usize {
        if used(&mut self.empty_pages) {
            return 0;
        }
        self.page_events_max.map_or(asked, |max| asked.min(max))
    }
}

fn used(counter: &mut u32) -> bool {
    let some = *counter > 0;
    *counter = counter.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use super::{Fault, Transport, Troubles};

    #[test]
    fn counted_faults_are_used_up() {
        let mut troubles = Troubles { resets: 1, cuts: 1, empty_pages: 1, ..Troubles::default() };
        assert_eq!(troubles.next_transport().0, Transport::Reset);
        assert_eq!(troubles.next_transport().0, Transport::Cut);
        assert_eq!(troubles.next_transport().0, Transport::Normal);
        assert_eq!((troubles.page(10), troubles.page(10)), (0, 10));
    }

    #[test]
    fn a_fault_is_spelled_the_same_in_json() {
        let text = serde_json::to_string(&Fault::KeyGap { count: 3 }).unwrap_or_default();
        assert_eq!(text, r#"{"fault":"key-gap","count":3}"#);
    }
}
