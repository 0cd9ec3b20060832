//! Where a sink stands: in memory at once, in `__cursors` a moment later.
//!
//! A cursor that is behind costs repeated events after a crash; one that is ahead would cost lost
//! ones. So it only ever names what was acknowledged, and is put at most once in
//! [`PUT_INTERVAL`], because each put is a sync of the disk.

use std::time::Duration;

use bytes::Bytes;
use pluvio_log::{
    AppendError, Entries, Entry, Log as _, LogHandle, Offset, ReadError, StreamName, Table,
};
use rangemap::RangeSet;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{SinkName, sought::Sought};

/// Offsets in stretches, each from one up to another, which is not among them.
pub(super) type Offsets = RangeSet<i64>;

/// How often a cursor is put, at most.
pub(super) const PUT_INTERVAL: Duration = Duration::from_secs(1);

/// What stands in `__cursors` under a sink's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) stream: String,
    pub(super) log_id: Uuid,
    pub(super) next: i64,
    /// The last move by an operator; `None`: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sought: Option<Sought>,
    /// What is being handed over again; `None`: nothing, or everything from `next` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<Again>,
    /// Numbers the last place that was decided here and not by the target; 0: there was none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) moves: u64,
    /// Where the stream ended when the first process started that has not heard the target yet: no cursor
    /// of the target can lie behind it. `None`: the last process has heard it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reach: Option<i64>,
    /// Where the sink began, or was moved to last: what lies from there to `next` was handed over.
    #[serde(default)]
    pub(super) began: i64,
    /// What was handed over before moves by operators: offsets from one up to another, which is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) handed: Vec<(i64, i64)>,
    /// Behind `next`, in the same form: where nothing waits any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) settled: Vec<(i64, i64)>,
    /// With which filter that is so; another one may let events pass there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settled_by: Option<Uuid>,
    /// Behind the last record that the sink was ever handed and that is settled. `None`: that is `next`. The log
    /// compares it with where the stream ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) furthest: Option<i64>,
}

impl Stored {
    /// What is stored of a sink that stands at `next` and has had nothing else.
    pub(super) fn new(stream: &str, log_id: Uuid, next: Offset) -> Self {
        Self {
            stream: stream.to_owned(),
            log_id,
            next: next.get(),
            sought: None,
            again: None,
            moves: 0,
            reach: None,
            began: next.get(),
            handed: Vec::new(),
            settled: Vec::new(),
            settled_by: None,
            furthest: None,
        }
    }

    /// Where everything that was ever handed over and is settled lies before.
    pub(super) fn furthest(&self) -> Offset {
        Offset::new(self.furthest.unwrap_or(self.next).max(self.next)).unwrap_or_default()
    }

    /// Notes how far all of it reaches.
    pub(super) fn with_furthest(mut self) -> Self {
        let back_to = self.again.map(|again| again.back_to);
        let ends = self.handed.iter().chain(&self.settled).map(|(_, end)| *end);
        let furthest = ends.chain(back_to).max();
        self.furthest = furthest.filter(|furthest| *furthest > self.next);
        self
    }

    /// The same for a stream that ends at `end`: nothing is known of what comes there.
    pub(super) fn ending_at(mut self, end: Offset) -> Self {
        let end = end.get();
        self.next = self.next.min(end);
        self.again = self.again.map(|again| Again {
            until: again.until.min(end),
            back_to: again.back_to.min(end),
            ..again
        });
        for stretches in [&mut self.handed, &mut self.settled] {
            stretches.retain(|(from, _)| *from < end);
            stretches.iter_mut().for_each(|(_, to)| *to = (*to).min(end));
        }
        self.with_furthest()
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A stretch that is handed over again, and where the sink goes on behind it. Offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Again {
    /// Behind the last of the stretch.
    pub(super) until: i64,
    /// Everything before it was settled before the stretch began.
    pub(super) back_to: i64,
    /// The number of the place at which it stood then: a target's cursor with that number knows better.
    pub(super) before: u64,
}

impl Again {
    /// The stretch of a move, if it ends with a jump. `before`: the number of the place at which the sink
    /// stands.
    pub(super) fn of(sought: &Sought, before: u64) -> Option<Self> {
        Some(Self { until: sought.until?, back_to: sought.back_to?, before })
    }
}

/// What was found in `__cursors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recalled {
    /// Nothing: the sink is new.
    New,
    /// It stood here.
    At(Offset, Box<Stored>),
    /// It stood in another stream, which is named.
    Elsewhere(String),
    /// It stood in another log, or what is there cannot be read: no offset of it means anything.
    Foreign,
}

/// Looks up among the entries of the table where `sink` stood in this incarnation of `stream`.
pub(super) fn recall(
    entries: &Entries,
    sink: &SinkName,
    stream: &StreamName,
    log_id: Uuid,
) -> Recalled {
    let Some(value) = entries.get(sink.as_str().as_bytes()) else { return Recalled::New };
    match serde_json::from_slice::<Stored>(value) {
        Ok(stored) if stored.log_id == log_id => {
            let next = Offset::new(stored.next);
            next.map_or(Recalled::Foreign, |next| Recalled::At(next, Box::new(stored)))
        }
        Ok(stored) if stored.stream != stream.as_str() => Recalled::Elsewhere(stored.stream),
        _ => Recalled::Foreign,
    }
}

/// Notes beside every cursor where its stream ends now, unless an earlier start did and the target was not
/// heard since: no cursor of a target can lie behind that. Of sinks that are not configured, too: a log may be
/// set back, and grow, while they are not. To be called before anything is stored. Durable on return.
pub async fn expect_targets(log: &LogHandle) -> Result<(), ExpectError> {
    let entries = log.entries(Table::Cursors).await?;
    let noted = entries.iter().filter_map(|(key, value)| {
        let stored: Stored = serde_json::from_slice(value).ok()?;
        let extent = log.extent(&StreamName::new(&stored.stream).ok()?).ok()?;
        let is_due = stored.reach.is_none() && stored.log_id == extent.log_id;
        let noted = Stored { reach: Some(extent.next.get()), ..stored };
        let value = is_due.then(|| serde_json::to_vec(&noted).ok()).flatten()?;
        Some(Entry { key: key.clone(), value: Some(value.into()) })
    });
    let noted: Vec<_> = noted.collect();
    if noted.is_empty() {
        return Ok(());
    }
    Ok(log.put(Table::Cursors, noted).await?)
}

/// Why the ends of streams were not noted.
#[derive(Debug, thiserror::Error)]
pub enum ExpectError {
    /// The cursors cannot be read.
    #[error("failed to read where sinks stood")]
    Read(#[from] ReadError),
    /// They cannot be written.
    #[error("failed to note where streams end")]
    Put(#[from] AppendError),
}

/// The number of the last place of `sink` that was decided here, in whatever stream and log: what a target
/// remembers of it may be from there.
pub(super) fn moves(entries: &Entries, sink: &SinkName) -> u64 {
    let stored = entries.get(sink.as_str().as_bytes());
    stored.and_then(|value| serde_json::from_slice::<Stored>(value).ok()).map_or(0, |it| it.moves)
}

/// Where a sink stands, and how much of that is durable. Pure: time is told.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    next: Offset,
    durable: Option<Offset>,
    /// Not before then.
    put_after: Instant,
}

impl Cursor {
    /// `durable`: what `__cursors` says.
    pub(super) fn new(next: Offset, durable: Option<Offset>, now: Instant) -> Self {
        Self { next, durable, put_after: now }
    }

    /// Everything before it was acknowledged or left out.
    pub(super) fn next(&self) -> Offset {
        self.next
    }

    /// Everything before `next` was acknowledged or left out. Never goes back.
    pub(super) fn advance(&mut self, next: Offset) {
        self.next = self.next.max(next);
    }

    /// The target itself says where it stands, or an operator does; that may be further back.
    pub(super) fn set(&mut self, next: Offset) {
        self.next = next;
    }

    /// When it has to be put; `None`: it stands there already.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.durable != Some(self.next)).then_some(self.put_after)
    }

    /// Nothing is put before then.
    pub(super) fn put_after(&self) -> Instant {
        self.put_after
    }

    /// A put of `next` ended.
    pub(super) fn put(&mut self, next: Offset, is_durable: bool, now: Instant) {
        if is_durable {
            self.durable = Some(next);
        }
        self.put_after = now + PUT_INTERVAL;
    }

    /// What stands in `__cursors` is not known: it is put again.
    pub(super) fn unknown(&mut self) {
        self.durable = None;
    }
}

/// Puts the cursor of `sink`; durable on return.
pub(super) async fn store(
    log: &LogHandle,
    sink: &SinkName,
    stored: &Stored,
) -> Result<(), AppendError> {
    let value = serde_json::to_vec(stored).unwrap_or_default();
    let key = Bytes::copy_from_slice(sink.as_str().as_bytes());
    log.put(Table::Cursors, vec![Entry { key, value: Some(value.into()) }]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Offset {
        Offset::new(offset).unwrap_or_default()
    }

    #[test]
    fn a_cursor_is_put_at_most_once_a_moment_and_not_again_where_it_stands() {
        let now = Instant::now();
        let mut cursor = Cursor::new(at(5), Some(at(5)), now);
        assert_eq!(cursor.due(), None);
        cursor.advance(at(7));
        assert_eq!(cursor.due(), Some(now));
        cursor.put(at(7), true, now);
        assert_eq!(cursor.due(), None);
        cursor.advance(at(9));
        assert_eq!(cursor.due(), Some(now + PUT_INTERVAL));
        cursor.put(at(9), false, now + PUT_INTERVAL);
        assert_eq!(cursor.due(), Some(now + 2 * PUT_INTERVAL), "a failed put is tried again");
    }

    #[test]
    fn a_cursor_never_goes_back_unless_its_target_says_so() {
        let mut cursor = Cursor::new(at(5), None, Instant::now());
        cursor.advance(at(3));
        assert_eq!(cursor.next(), at(5));
        cursor.set(at(3));
        assert_eq!(cursor.next(), at(3));
    }

    #[test]
    fn a_new_sink_has_its_first_place_put_before_anything_arrives() {
        let now = Instant::now();
        assert_eq!(Cursor::new(at(5), None, now).due(), Some(now));
    }

    #[test]
    fn a_cursor_of_another_log_means_nothing() {
        let (log_id, sink) = (Uuid::from_u128(1), SinkName::new("a"));
        let sink = sink.unwrap_or_else(|e| unreachable!("{e}"));
        let again = Some(Again { until: 9, back_to: 20, before: 0 });
        let stored = Stored { again, moves: 3, ..Stored::new("events", log_id, at(8)) };
        let value = serde_json::to_vec(&stored).unwrap_or_default();
        let entries = |value: Vec<u8>| Entries::from([(Bytes::from_static(b"a"), value.into())]);
        let events = StreamName::events();
        let recalled = |entries: Entries, log_id| recall(&entries, &sink, &events, log_id);
        assert_eq!(
            recalled(entries(value.clone()), log_id),
            Recalled::At(at(8), stored.clone().into())
        );
        assert_eq!(recalled(entries(value), Uuid::from_u128(2)), Recalled::Foreign);
        assert_eq!(recalled(entries(b"{}".to_vec()), log_id), Recalled::Foreign);
        assert_eq!(recalled(Entries::new(), log_id), Recalled::New);
        let others = Stored { stream: "others".into(), ..stored };
        let value = serde_json::to_vec(&others).unwrap_or_default();
        let elsewhere = Recalled::Elsewhere("others".into());
        assert_eq!(recalled(entries(value.clone()), Uuid::from_u128(2)), elsewhere);
        assert_eq!(moves(&entries(value), &sink), 3, "a target may remember it all the same");
    }
}
