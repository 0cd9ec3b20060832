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
    /// That share of all events is committed that long after it was created; 0 percent ends it.
    Late {
        /// From creation to commit.
        seconds: u32,
        /// Share of the events, 0 to 100.
        percent: u8,
    },
    /// The second management server's clock runs ahead (or behind, if negative): its events carry
    /// the wrong time; 0 ends it.
    ServerSkew {
        /// Seconds ahead.
        seconds: i64,
    },
    /// The whole cloud's clock runs ahead (or behind): `Date`, expiry of signatures, events.
    Skew {
        /// Seconds ahead.
        seconds: i64,
    },
    /// Events happen at once, all in one second.
    Burst {
        /// How many.
        count: usize,
    },
    /// Each answered `listEvents` is followed by new events, so that later pages shift; 0 ends it.
    Shift {
        /// Events per answer.
        count: usize,
    },
    /// The next `count` calls are answered with 429 and a hint.
    Throttled {
        /// Number of calls.
        count: u32,
        /// The hint in milliseconds.
        retry_ms: u64,
    },
    /// The next `count` calls are answered with 401, as if the signature were wrong.
    Unauthorized {
        /// Number of calls.
        count: u32,
    },
    /// The next `count` calls are answered with 503, as by a server that shuts down.
    Unavailable {
        /// Number of calls.
        count: u32,
    },
    /// The next `count` calls are answered with 530.
    Internal {
        /// Number of calls.
        count: u32,
    },
    /// A proxy answers the next `count` requests with a page of HTML.
    Proxy {
        /// Number of requests.
        count: u32,
        /// The HTTP status: 502, or 200.
        status: u16,
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
    /// Answers take this long; 0 ends it.
    Slow {
        /// Delay in milliseconds.
        ms: u64,
    },
    /// The next `count` answers of `listEvents` with rows count zero of them, and so are no JSON.
    Malformed {
        /// Number of answers.
        count: u32,
    },
    /// `count` of every `listEvents` is off by that; 0 ends it.
    WrongCount {
        /// What is added.
        by: i64,
    },
    /// Events older than that are deleted at once.
    Purge {
        /// Age in seconds.
        older_than_seconds: u32,
    },
    /// The next `count` asynchronous jobs fail.
    FailJobs {
        /// Number of jobs.
        count: u32,
    },
    /// The usage records of that many machines are printed as of machines that were purged: without their
    /// ids, also in the words; 0 ends it.
    PurgedMachines {
        /// Number of machines, the oldest first.
        count: usize,
    },
    /// The usage server ran again and counted that much more of each record; 0 ends it.
    Recounted {
        /// Seconds.
        seconds: u32,
    },
    /// The first records of each list of usage have no valid date; 0 ends it.
    UnreadableUsage {
        /// Number of records.
        count: usize,
    },
    /// All sessions end.
    SessionLost,
}

/// Faults in force.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Troubles {
    pub(crate) late_percent: u8,
    pub(crate) late_seconds: u32,
    pub(crate) server_skew_seconds: i64,
    pub(crate) shift_events: usize,
    pub(crate) purged_machines: usize,
    pub(crate) recounted_seconds: u32,
    pub(crate) unreadable_usage: usize,
    pub(crate) throttled: u32,
    pub(crate) throttled_retry_ms: u64,
    pub(crate) unauthorized: u32,
    pub(crate) unavailable: u32,
    pub(crate) internal: u32,
    pub(crate) proxied: u32,
    pub(crate) proxied_status: u16,
    pub(crate) resets: u32,
    pub(crate) cuts: u32,
    pub(crate) slow_ms: u64,
    pub(crate) malformed: u32,
    pub(crate) wrong_count_by: i64,
    pub(crate) failing_jobs: u32,
}

/// What happens to one request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Normal,
    Proxied(u16),
    Reset,
    Cut,
}

/// What the management server answers before it looks at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Throttled(u64),
    Unauthorized,
    Unavailable,
    Internal,
}

impl Troubles {
    /// Decides the fate of the next request.
    pub(crate) fn next_transport(&mut self) -> (Transport, Duration) {
        let delay = Duration::from_millis(self.slow_ms);
        let fate = if used(&mut self.resets) {
            Transport::Reset
        } else if used(&mut self.proxied) {
            Transport::Proxied(self.proxied_status)
        } else if used(&mut self.cuts) {
            Transport::Cut
        } else {
            Transport::Normal
        };
        (fate, delay)
    }

    /// Decides whether the next call is looked at.
    pub(crate) fn next_call(&mut self) -> Result<(), Refused> {
        if used(&mut self.unavailable) {
            Err(Refused::Unavailable)
        } else if used(&mut self.unauthorized) {
            Err(Refused::Unauthorized)
        } else if used(&mut self.throttled) {
            Err(Refused::Throttled(self.throttled_retry_ms))
        } else if used(&mut self.internal) {
            Err(Refused::Internal)
        } else {
            Ok(())
        }
    }

    /// Whether the next job is to fail.
    pub(crate) fn next_failing_job(&mut self) -> bool {
        used(&mut self.failing_jobs)
    }

    /// Whether the next answer with rows is to be malformed.
    pub(crate) fn next_malformed(&mut self) -> bool {
        used(&mut self.malformed)
    }
}

fn used(counter: &mut u32) -> bool {
    let some = *counter > 0;
    *counter = counter.saturating_sub(1);
    some
}

#[cfg(test)]
mod tests {
    use super::{Fault, Refused, Transport, Troubles};

    #[test]
    fn counted_faults_are_used_up() {
        let mut troubles =
            Troubles { resets: 1, proxied: 1, proxied_status: 502, ..Troubles::default() };
        assert_eq!(troubles.next_transport().0, Transport::Reset);
        assert_eq!(troubles.next_transport().0, Transport::Proxied(502));
        assert_eq!(troubles.next_transport().0, Transport::Normal);
        troubles.internal = 1;
        assert_eq!(troubles.next_call(), Err(Refused::Internal));
        assert_eq!(troubles.next_call(), Ok(()));
    }

    #[test]
    fn a_fault_is_spelled_the_same_in_json() {
        let text = serde_json::to_string(&Fault::WrongCount { by: -3 }).unwrap_or_default();
        assert_eq!(text, r#"{"fault":"wrong-count","by":-3}"#);
    }
}
