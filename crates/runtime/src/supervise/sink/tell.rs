//! What operators see of a sink: its line of the status board and its metrics.

use std::{
    sync::{Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;
use metrics::{counter, gauge};
use pluvio_log::Offset;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{SinkContext, seeker::Stands};
use crate::{
    LineLimit, Rejected,
    sought::Sought,
    status::{ErrorReport, Reporter, SinkStatus},
};

/// What helps when a target rejects everything.
const BRAKED_REMEDY: &str = "read why with `pluvio dead list` and change the sink's address, format or \
    filter; then `pluvio dead replay` hands these events over again";

/// A target that asks for patience for the same reason again is logged so often: a full queue that is
/// emptied slowly would ask once a second.
const SAME_WHY_INTERVAL: Duration = Duration::from_secs(600);

/// Tells what a sink does.
pub(super) struct Teller {
    reporter: Reporter,
    sink: String,
    /// Where it stands; read by the meter, and when an operator asks.
    next: Stands,
    /// Why the target asked for patience last, and when that was logged.
    last_why: Mutex<Option<(String, Instant)>>,
    buried: Mutex<Buried>,
}

/// How far a sink is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Lag {
    /// Records that lie before it, deleted ones included, at most: offsets leave gaps, so their difference is
    /// a bound and no count.
    pub(super) records_max: u64,
    /// How long ago the first of them was stored, at least.
    pub(super) seconds: f64,
    /// Those among them that retention deleted, at most.
    pub(super) missed_max: u64,
}

/// What was rejected and not told yet.
#[derive(Default)]
struct Buried {
    lines: LineLimit,
    newest: Option<(Offset, String)>,
}

impl Buried {
    /// A line about `count` more, and about all that had none; one a minute.
    fn tell(&mut self, sink: &str, count: u64) {
        let due = self.lines.add(count);
        if let (Some(count), Some((offset, reason))) = (due, &self.newest) {
            warn!(sink, count, %offset, reason, "the target rejected events: they are dead letters");
        }
    }
}

impl Teller {
    pub(super) fn new(context: &SinkContext, reporter: Reporter, stands: Stands) -> Self {
        let stream = context.stream.to_string();
        reporter.update(|status| {
            status.sink = Some(SinkStatus { stream, ..SinkStatus::default() });
        });
        let sink = context.name.to_string();
        let (last_why, buried) = (Mutex::default(), Mutex::default());
        Self { reporter, sink, next: stands, last_why, buried }
    }

    pub(super) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Where the sink stands; `None` before that is known.
    pub(super) fn next(&self) -> Option<Offset> {
        Offset::new(self.next.load(Ordering::Relaxed))
    }

    /// Everything before `next` is done.
    pub(super) fn place(&self, next: Offset) {
        if self.next.swap(next.get(), Ordering::Relaxed) == next.get() {
            return;
        }
        gauge!("pluvio_sink_next_offset", "sink" => self.sink.clone()).set(next.get() as f64);
        self.update(|sink| sink.offset = Some(next.get()));
        self.reporter.update(|status| status.position = Some(next.to_string()));
    }

    /// An operator moved the sink.
    pub(super) fn sought(&self, sought: &Sought) {
        let Sought { from, to, until, repeated_events, skipped_events, is_exact, .. } = *sought;
        let (sink, until) = (&self.sink, until.map_or_else(String::new, |until| until.to_string()));
        info!(
            sink,
            from,
            to,
            until,
            repeated_events,
            skipped_events,
            is_exact,
            "an operator moved the sink"
        );
        self.reporter.update(|status| (status.error, status.retry_at) = (None, None));
        self.update(|sink| sink.sought = Some(sought.clone()));
    }

    /// What `__cursors` says of the last time. Told if nothing was handed over since: most likely it
    /// was while Pluvio did not run.
    pub(super) fn recalled(&self, sought: Option<&Sought>, next: Offset) {
        let mut is_known = true;
        self.update(|sink| {
            let number = |sought: &Sought| sought.number;
            is_known = sink.sought.as_ref().map(number) == sought.map(number);
            sink.sought = sought.cloned();
        });
        let sought = sought.filter(|sought| !is_known && sought.to == next.get());
        if let Some(sought) = sought {
            let Sought { at, from, to, until, repeated_events, skipped_events, .. } = sought;
            let (sink, until) = (&self.sink, until.map_or_else(String::new, |at| at.to_string()));
            info!(
                sink,
                %at, from, to, until, repeated_events, skipped_events, "an operator moved the sink before this start"
            );
        }
    }

    /// Something of a write arrived.
    pub(super) fn wrote(&self) {
        counter!("pluvio_sink_batches_total", "sink" => self.sink.clone()).increment(1);
        self.update(|sink| sink.batches += 1);
    }

    /// So many arrived, of so many stored bytes: whatever was wrong is mended.
    pub(super) fn arrived(&self, events: u64, bytes: u64) {
        if events == 0 {
            return;
        }
        counter!("pluvio_sink_events_total", "sink" => self.sink.clone()).increment(events);
        counter!("pluvio_sink_bytes_total", "sink" => self.sink.clone()).increment(bytes);
        self.reporter.update(|status| {
            status.events += events;
            (status.error, status.retry_at) = (None, None);
        });
        self.update(|sink| sink.bytes += bytes);
    }

    /// The filter left out so many.
    pub(super) fn filtered(&self, events: u64) {
        if events > 0 {
            counter!("pluvio_sink_filtered_total", "sink" => self.sink.clone()).increment(events);
            self.update(|sink| sink.filtered += events);
        }
    }

    /// `count` new dead letters, for `rejected`.
    pub(super) fn buried(&self, count: usize, rejected: &[Rejected]) {
        let count = count as u64;
        counter!("pluvio_sink_dead_letters_total", "sink" => self.sink.clone()).increment(count);
        self.update(|sink| sink.dead_letters += count);
        if let (1.., Some(first)) = (count, rejected.first()) {
            let mut buried = self.buried.lock().unwrap_or_else(PoisonError::into_inner);
            buried.newest = Some((first.offset, first.reason.clone()));
            buried.tell(&self.sink, count);
        }
    }

    /// Nothing has arrived for `in_row` records, each of them rejected: the next is tried after `pause`.
    pub(super) fn braked(&self, in_row: usize, pause: Duration) {
        let message = format!("the target rejected the last {in_row} events, one after the other");
        let (sink, remedy, now) = (&self.sink, BRAKED_REMEDY, Timestamp::now());
        let mut is_news = true;
        self.reporter.update(|status| {
            let last = status.error.as_ref().and_then(|last| last.remedy.as_deref());
            is_news = last != Some(remedy);
            status.error = Some(ErrorReport::new(&message, Some(remedy)));
            status.retry_at = now.checked_add(pause).ok();
        });
        if is_news {
            warn!(sink, remedy, "{message}: from now on one at a time, with pauses");
        }
    }

    /// The target asked for patience; `why`: in its words.
    pub(super) fn throttled(&self, wait: Duration, why: &str) {
        counter!("pluvio_sink_throttled_total", "sink" => self.sink.clone()).increment(1);
        let until = Timestamp::now().checked_add(wait).ok();
        self.reporter.update(|status| {
            status.error = Some(ErrorReport::new(why, None));
            status.retry_at = until;
        });
        self.update(|sink| {
            sink.throttled += 1;
            sink.throttled_until = until;
        });
        let mut last = self.last_why.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news =
            last.as_ref().is_none_or(|(last, at)| last != why || at.elapsed() >= SAME_WHY_INTERVAL);
        if is_news {
            warn!(sink = self.sink, why, "the target asks for patience");
            *last = Some((why.to_owned(), Instant::now()));
        }
    }

    /// It had patience.
    pub(super) fn unthrottled(&self) {
        self.reporter.update(|status| status.retry_at = None);
        self.update(|sink| sink.throttled_until = None);
    }

    /// An attempt failed.
    pub(super) fn failed(&self) {
        counter!("pluvio_sink_failures_total", "sink" => self.sink.clone()).increment(1);
    }

    /// How far it is behind. Looked at every few seconds: whatever waits for its line is told, too.
    pub(super) fn lag(&self, Lag { records_max, seconds, missed_max }: Lag) {
        self.buried.lock().unwrap_or_else(PoisonError::into_inner).tell(&self.sink, 0);
        gauge!("pluvio_sink_missed_records_max", "sink" => self.sink.clone())
            .set(missed_max as f64);
        gauge!("pluvio_sink_lag_records_max", "sink" => self.sink.clone()).set(records_max as f64);
        gauge!("pluvio_sink_lag_seconds", "sink" => self.sink.clone()).set(seconds);
        self.update(|sink| {
            sink.lag_records_max = records_max;
            sink.lag_seconds = seconds;
            sink.missed_records_max = missed_max;
        });
    }

    fn update(&self, change: impl FnOnce(&mut SinkStatus)) {
        self.reporter.update(|status| change(status.sink.get_or_insert_default()));
    }
}
