//! A log in memory with originals at their own offsets, and the configured sink on it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use pluvio_event::{Event, json as envelope};
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, ReadLimit, Record, Retention,
    SourceName, StreamName,
};
use pluvio_runtime::{
    status::{ErrorReport, SinkStatus, StatusBoard},
    supervise::{
        Supervisor,
        sink::{Begin, REASON, Repeats, SinkContext, dead_stream},
    },
};

use super::{
    super::attribute,
    letters::{Letter, original_of},
};
use crate::{command::Failed, config::ReadySink};

/// See the module.
pub(super) struct Stage {
    log: LogHandle,
    stream: StreamName,
    status: StatusBoard,
    supervisor: Supervisor,
    /// Behind the last original.
    pub(super) end: Offset,
    /// Where each original lies that may not have arrived, and the offset of its letter.
    sent: Vec<(Offset, i64)>,
    /// From here on lie the letters of those that were rejected again.
    rejected_from: Offset,
}

/// How the sink does.
#[derive(Default)]
pub(super) struct Looked {
    /// The offset behind what is done.
    pub(super) next: i64,
    /// Events that arrived.
    pub(super) taken: u64,
    /// Events that the target rejected.
    pub(super) rejected: u64,
    /// What went wrong last.
    pub(super) error: Option<ErrorReport>,
}

/// How a stage ended.
pub(super) struct Stopped {
    pub(super) looked: Looked,
    /// How many were rejected again, by reason.
    pub(super) rejected: BTreeMap<String, u64>,
    /// How many may not have arrived.
    pub(super) waiting: usize,
}

impl Stage {
    /// An empty log, and `sink` on it, beside one of its name that may be running.
    pub(super) async fn begin(sink: &ReadySink) -> Result<Self, Failed> {
        let retention = Retention { bytes_max: None, ..Retention::default() };
        let config = MemoryConfig { retention, ..MemoryConfig::default() };
        let (log, stream) = (LogHandle::new(Memory::new(config)), sink.stream.clone());
        log.open(&stream).await.context("failed to open a log in memory")?;
        let status = StatusBoard::default();
        let supervisor = Supervisor::new(status.clone(), log.clone());
        let context = SinkContext {
            name: sink.name.clone(),
            log: log.clone(),
            stream: stream.clone(),
            filter: sink.filter.clone(),
            from: Begin::Earliest,
            limits: sink.limits,
            repeats: Repeats::default(),
            is_beside: true,
        };
        (sink.built.start)(&supervisor, context);
        let (end, rejected_from) = (Offset::ZERO, Offset::ZERO);
        Ok(Self { log, stream, status, supervisor, end, sent: Vec::new(), rejected_from })
    }

    /// Puts originals at their offsets, all behind those before; gives the offsets of their letters.
    pub(super) async fn put(&mut self, letters: Vec<Letter>) -> Result<Vec<i64>, Failed> {
        let source = SourceName::new("replay").context("no name for letters")?;
        for Letter { offset, original, event } in letters {
            let position = Position::new("").context("no position for letters")?;
            let record = Record { event, source: source.clone(), position, at_least: original };
            let appended = self.log.append(&self.stream, vec![record]).await;
            let span = appended.context("failed to keep letters in memory")?;
            self.sent.push((span.start, offset));
            self.end = span.end;
        }
        Ok(self.sent.iter().map(|(_, letter)| *letter).collect())
    }

    /// How the sink does.
    pub(super) fn looked(&self) -> Looked {
        looked(&self.status)
    }

    /// The offset of the first letter, by its own offset, that may not have arrived.
    pub(super) fn first_waiting(&self) -> Option<i64> {
        waiting(&self.sent, &self.looked()).min()
    }

    /// The offsets of the letters that were rejected again with none taken behind them, and whether none was
    /// taken before them either.
    pub(super) async fn rejected_last(&self) -> Result<(Vec<i64>, bool), Failed> {
        let mut again = BTreeSet::new();
        let note = |letter: Option<Event>| again.extend(letter.as_ref().and_then(original_of));
        each_rejected(&self.log, &self.stream, self.rejected_from, note).await?;
        let next = self.looked().next;
        let done: Vec<_> = self.sent.iter().filter(|(at, _)| at.get() < next).collect();
        let last = done.iter().rev().take_while(|(at, _)| again.contains(at));
        let last: Vec<_> = last.map(|(_, letter)| *letter).collect();
        let is_all = last.len() == done.len();
        Ok((last, is_all))
    }

    /// All have arrived, or were rejected again: the memory is free for others.
    pub(super) async fn forget(&mut self) -> Result<(), Failed> {
        self.sent.clear();
        self.rejected_from =
            each_rejected(&self.log, &self.stream, self.rejected_from, |_| ()).await?;
        Ok(self.log.trim(&self.stream, self.end).await.context("failed to forget letters")?)
    }

    /// Stops the sink.
    pub(super) async fn stop(self) -> Result<Stopped, Failed> {
        let Self { log, stream, status, supervisor, sent, .. } = self;
        supervisor.drain().await;
        let looked = looked(&status);
        let waiting = waiting(&sent, &looked).count();
        Ok(Stopped { rejected: rejected(&log, &stream).await?, waiting, looked })
    }
}

/// The offsets of letters that may not have arrived.
fn waiting(sent: &[(Offset, i64)], looked: &Looked) -> impl Iterator<Item = i64> {
    sent.iter().filter(|(at, _)| at.get() >= looked.next).map(|(_, letter)| *letter)
}

fn looked(status: &StatusBoard) -> Looked {
    let sink = status.components().into_iter().find(|it| it.sink.is_some());
    let Some(component) = sink else { return Looked::default() };
    let SinkStatus { offset, dead_letters, .. } = component.sink.unwrap_or_default();
    Looked {
        next: offset.unwrap_or(0),
        taken: component.events,
        rejected: dead_letters,
        error: component.error,
    }
}

/// How many were rejected again, by reason.
async fn rejected(log: &LogHandle, stream: &StreamName) -> Result<BTreeMap<String, u64>, Failed> {
    let mut reasons = BTreeMap::new();
    let count = |letter: Option<Event>| {
        let reason = letter.map(|letter| attribute(&letter, REASON.as_str()));
        *reasons.entry(reason.unwrap_or_default()).or_default() += 1;
    };
    each_rejected(log, stream, Offset::ZERO, count).await?;
    Ok(reasons)
}

/// Visits the letters, from `from` on, of those that were rejected again; gives the offset behind the last.
async fn each_rejected(
    log: &LogHandle,
    stream: &StreamName,
    from: Offset,
    mut visitor: impl FnMut(Option<Event>),
) -> Result<Offset, Failed> {
    let dead = dead_stream(stream).context("no name for dead letters")?;
    log.open(&dead).await.context("failed to open a log in memory")?;
    let mut next = from;
    loop {
        let read = log.read(&dead, next, ReadLimit::default()).await;
        let chunk = read.context("failed to read the letters that were rejected again")?;
        if chunk.next == next {
            return Ok(next);
        }
        next = chunk.next;
        chunk.records().for_each(|record| visitor(envelope::decode(&record.value).ok()));
    }
}
