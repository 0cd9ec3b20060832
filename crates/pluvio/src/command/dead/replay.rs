//! `pluvio dead replay`: hands letters to their sink's target again.
//!
//! ```text
//!  <stream>.dead ─▶ originals ─▶ a log in memory ─▶ supervisor ─▶ the sink, as configured ─▶ target
//!  (read beside a                 each at its own                  (back-off, halves,
//!   running Pluvio)               offset                            rejected again)
//! ```
//!
//! The target gets what it would have got: the same event with the same `sequence`, by the same code.
//! Only `recordedtime` is that of the replay. The log's folder is read and not changed, so that it
//! works beside a running Pluvio; letters stay until retention takes them. Run twice, it hands over
//! twice: a target that tells events apart by their id does not mind.
//!
//! A target that rejects one letter after the other has not been mended: it is left alone after
//! [`REJECTED_MAX`] of them, for each costs it a request and a line in its log.
//!
//! It refuses sinks that keep their place in the target: what comes out of turn would move it.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write as _},
    ops::ControlFlow,
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use pluvio_event::{Event, Filter, json as envelope, shown};
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, ReadLimit, Record, Retention,
    SourceName, StreamName, disk::RealDisk, inspect,
};
use pluvio_runtime::{
    SinkName,
    status::{ErrorReport, SinkStatus, StatusBoard},
    supervise::{
        Supervisor,
        sink::{Begin, OFFSET, REASON, Repeats, SINK, SinkContext, dead_stream},
    },
};
use tokio::time::{Instant, sleep};

use super::{attribute, visit};
use crate::{
    cli::DeadReplay,
    command::{Failed, block_on, log::folder, print_line},
    config::{self, ReadySink},
};

/// Letters that are in memory at a time, by number and by stored bytes.
const LETTERS_MAX: usize = 1000;
const BYTES_MAX: usize = 8 << 20;
/// So many letters may be rejected again with none taken in between.
const REJECTED_MAX: u64 = 20;
/// Between two lines of progress where nobody looks at a terminal.
const TOLD_INTERVAL: Duration = Duration::from_secs(10);
/// Between two looks at how far the sink is.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Replays what was asked for.
pub(super) fn replay(configuration: &Path, options: &DeadReplay) -> Result<(), Failed> {
    let sink = chosen(configuration, &options.sink)?;
    let letters = Letters::new(configuration, options, &sink.stream)?;
    block_on(run(letters, sink, options))
}

/// The configured sink of that name.
fn chosen(configuration: &Path, name: &str) -> Result<ReadySink, Failed> {
    let sinks = config::load(configuration)?.sinks()?;
    let names: Vec<_> = sinks.iter().map(|sink| sink.name.to_string()).collect();
    let Some(sink) = sinks.into_iter().find(|sink| sink.name.as_str() == name) else {
        let configuration = configuration.display();
        let known = match names.as_slice() {
            [] => "there are none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        return Err(Failed::Usage(format!("no sink `{name}` in `{configuration}`; {known}")));
    };
    if let Some(target) = &sink.built.exclusive {
        return Err(Failed::Usage(format!(
            "`{name}` keeps its place in {target}, and letters would come out of turn; give them a \
             sink of their own: stream = \"{}.dead\"",
            sink.stream
        )));
    }
    Ok(sink)
}

/// What is handed over again.
struct Letter {
    /// The letter's own offset.
    offset: i64,
    /// The event's offset in its stream.
    original: Option<Offset>,
    event: Event,
}

/// The letters that were asked for, some at a time.
struct Letters<'a> {
    configuration: &'a Path,
    options: &'a DeadReplay,
    stream: StreamName,
    next: Offset,
    /// Letters without an event that could be handed over.
    unreadable: u64,
}

impl<'a> Letters<'a> {
    fn new(
        configuration: &'a Path,
        options: &'a DeadReplay,
        stream: &StreamName,
    ) -> Result<Self, Failed> {
        let next = i64::try_from(options.from).ok().and_then(Offset::new);
        let next = next.ok_or_else(|| Failed::Usage("`--from` is beyond the last".to_owned()))?;
        Ok(Self { configuration, options, stream: stream.clone(), next, unreadable: 0 })
    }

    /// Visits those that were asked for from `from` on; gives the offset behind the last one looked at.
    fn each(
        &self,
        from: Offset,
        mut visitor: impl FnMut(i64, &Event) -> ControlFlow<()>,
    ) -> Result<Offset, Failed> {
        let DeadReplay { sink, reason, to, dir, .. } = self.options;
        let mut behind = from;
        let mut look = |offset: i64, letter: &Event| {
            if to.is_some_and(|to| offset.unsigned_abs() > to) {
                return ControlFlow::Break(());
            }
            behind = Offset::new(offset + 1).unwrap_or(behind);
            let has_reason = |text: &String| attribute(letter, REASON.as_str()).contains(text);
            let is_meant =
                attribute(letter, SINK.as_str()) == *sink && reason.as_ref().is_none_or(has_reason);
            if is_meant { visitor(offset, letter) } else { ControlFlow::Continue(()) }
        };
        visit(self.configuration, dir.as_deref(), &self.stream, from, &mut look)?;
        Ok(behind)
    }

    /// How many were asked for.
    fn count(&self) -> Result<u64, Failed> {
        let mut count = 0;
        self.each(self.next, |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// The next ones; empty behind the last.
    fn some(&mut self) -> Result<Vec<Letter>, Failed> {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        let (mut omitted, mut unreadable) = (Vec::new(), 0);
        self.next = self.each(self.next, |offset, letter| {
            match letter.data().map(|data| envelope::decode(data.as_bytes())) {
                Some(Ok(event)) => {
                    bytes += letter.data().map_or(0, pluvio_event::Data::len);
                    letters.push(Letter { offset, original: original_of(letter), event });
                }
                Some(Err(_)) => unreadable += 1,
                None => omitted.push((offset, original_of(letter))),
            }
            let is_enough = letters.len() + omitted.len() >= LETTERS_MAX || bytes >= BYTES_MAX;
            if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.unreadable += unreadable;
        for (offset, original) in omitted {
            match self.stored(original)? {
                Some(event) => letters.push(Letter { offset, original, event }),
                None => self.unreadable += 1,
            }
        }
        // Each original goes to its own offset, and those only grow.
        letters.sort_by_key(|letter| letter.original);
        Ok(letters)
    }

    /// An original that was too large for its letter: it lies in its stream, unless retention took it.
    fn stored(&self, original: Option<Offset>) -> Result<Option<Event>, Failed> {
        let Some(original) = original else { return Ok(None) };
        let folder = folder(self.configuration, self.options.dir.as_deref())?;
        let mut found = None;
        let mut first = |record: inspect::Dumped| {
            if record.offset == original.get() {
                found = record.value.as_deref().and_then(|value| envelope::decode(value).ok());
            }
            ControlFlow::Break(())
        };
        let dumped = inspect::dump(&RealDisk, &folder, &self.stream, original, &mut first);
        dumped.map_err(crate::command::log::failed)?;
        Ok(found)
    }
}

fn original_of(letter: &Event) -> Option<Offset> {
    attribute(letter, OFFSET.as_str()).parse().ok().and_then(Offset::new)
}

async fn run(mut letters: Letters<'_>, sink: ReadySink, asked: &DeadReplay) -> Result<(), Failed> {
    let retention = Retention { bytes_max: None, ..Retention::default() };
    let log = LogHandle::new(Memory::new(MemoryConfig { retention, ..MemoryConfig::default() }));
    let (name, stream, target) = (format!("{}.replay", sink.name), sink.stream, sink.name);
    log.open(&stream).await.context("failed to open a log in memory")?;
    let status = StatusBoard::default();
    let supervisor = Supervisor::new(status.clone(), log.clone());
    let context = SinkContext {
        name: SinkName::new(&name).context("the sink's name leaves no room for `.replay`")?,
        log: log.clone(),
        stream: stream.clone(),
        filter: Filter::default(),
        from: Begin::Earliest,
        limits: sink.limits,
        repeats: Repeats::default(),
    };
    let progress = Progress::of(letters.count()?);
    let (patience, sent) = (asked.patience.0, Vec::new());
    let mut replay = Replay { log, stream, status, patience, progress, sent };
    let mut first = Some((sink.built.start, context));
    let mut count = 0;
    let done = loop {
        let some = letters.some()?;
        if some.is_empty() {
            break Ok(());
        }
        if let Some((start, context)) = first.take() {
            start(&supervisor, context);
        }
        count += some.len();
        if let Err(error) = replay.hand_over(some).await {
            break Err(error);
        }
    };
    replay.progress.end();
    supervisor.drain().await;
    let rejected = replay.rejected().await?;
    replay.tell(&target, count, letters.unreadable, &rejected);
    done?;
    if rejected.is_empty() {
        return Ok(());
    }
    Err(Failed::Running(anyhow::anyhow!("the target rejected letters again")))
}

/// The replay in the making.
struct Replay {
    log: LogHandle,
    stream: StreamName,
    status: StatusBoard,
    patience: Duration,
    progress: Progress,
    /// Where in the log in memory each letter lies that may not have arrived.
    sent: Vec<(Offset, i64)>,
}

impl Replay {
    /// Appends letters, and waits until the sink is behind them.
    async fn hand_over(&mut self, letters: Vec<Letter>) -> Result<(), Failed> {
        let source = SourceName::new("replay").context("no name for letters")?;
        let mut end = Offset::ZERO;
        self.sent.clear();
        for Letter { offset, original, event } in letters {
            let position = Position::new("").context("no position for letters")?;
            let record = Record { event, source: source.clone(), position, at_least: original };
            let appended = self.log.append(&self.stream, vec![record]).await;
            let span = appended.context("failed to keep letters in memory")?;
            self.sent.push((span.start, offset));
            end = span.end;
        }
        let (mut newest, mut told) = ((0, Instant::now()), None);
        loop {
            let Looked { next, taken, rejected, error } = self.looked();
            self.progress.tell(taken, rejected);
            if next >= end.get() {
                self.sent.clear();
                self.log.trim(&self.stream, end).await.context("failed to forget letters")?;
                return Ok(());
            }
            if next != newest.0 {
                newest = (next, Instant::now());
            }
            let left = self.sent.iter().find(|(at, _)| at.get() >= next).map_or(0, |it| it.1);
            let in_row = self.progress.rejected_in_row(taken, rejected);
            if in_row >= REJECTED_MAX {
                return Err(Failed::Running(anyhow::anyhow!(
                    "the target rejected {in_row} letters one after the other, so the rest was not \
                     sent; when it takes them, go on with `--from {left}`"
                )));
            }
            if let Some(error) = error.filter(|error| told.as_ref() != Some(error)) {
                self.progress.end();
                tell_error(&error);
                told = Some(error);
            }
            if newest.1.elapsed() > self.patience {
                return Err(Failed::Running(anyhow::anyhow!(
                    "nothing arrived for {}s; go on with `--from {left}`",
                    self.patience.as_secs()
                )));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// How the sink does.
    fn looked(&self) -> Looked {
        let sink = self.status.components().into_iter().find(|it| it.sink.is_some());
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
    async fn rejected(&self) -> Result<BTreeMap<String, u64>, Failed> {
        let mut reasons = BTreeMap::new();
        let dead = dead_stream(&self.stream).context("no name for dead letters")?;
        self.log.open(&dead).await.context("failed to open a log in memory")?;
        let mut next = Offset::ZERO;
        loop {
            let read = self.log.read(&dead, next, ReadLimit::default()).await;
            let chunk = read.context("failed to read the letters that were rejected again")?;
            if chunk.next == next {
                return Ok(reasons);
            }
            next = chunk.next;
            for record in chunk.records() {
                let letter = envelope::decode(&record.value).ok();
                let reason = letter.map(|letter| attribute(&letter, REASON.as_str()));
                *reasons.entry(reason.unwrap_or_default()).or_default() += 1;
            }
        }
    }

    /// The outcome, on standard output.
    fn tell(
        &self,
        sink: &SinkName,
        count: usize,
        unreadable: u64,
        rejected: &BTreeMap<String, u64>,
    ) {
        let Looked { next, .. } = self.looked();
        let waiting = self.sent.iter().filter(|(at, _)| at.get() >= next).count() as u64;
        let again: u64 = rejected.values().sum();
        let arrived = (count as u64).saturating_sub(again + waiting);
        let mut lines = vec![format!("{arrived} handed over to `{sink}` again")];
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                lines.push(format!("{count} {what}"));
            }
        };
        rejected.iter().for_each(|(reason, n)| note(*n, &format!("rejected again: {reason}")));
        note(waiting, "not handed over");
        note(unreadable, "left out: the original is no event, or retention took it");
        print_line(&lines.join("\n"));
    }
}

/// How the sink does.
#[derive(Default)]
struct Looked {
    /// The offset behind what is done.
    next: i64,
    /// Events that arrived.
    taken: u64,
    /// Events that the target rejected.
    rejected: u64,
    /// What went wrong last.
    error: Option<ErrorReport>,
}

/// What is told meanwhile, on standard error.
struct Progress {
    /// Letters that were asked for.
    count: u64,
    is_terminal: bool,
    /// Whether the cursor stands behind a line that is to be written over.
    is_in_line: bool,
    told_at: Instant,
    /// What arrived and what was rejected when something arrived last.
    last_taken: (u64, u64),
}

impl Progress {
    fn of(count: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { count, is_terminal, is_in_line: false, told_at: Instant::now(), last_taken: (0, 0) }
    }

    /// One line that is written over again and again, if somebody looks; otherwise one now and then.
    fn tell(&mut self, taken: u64, rejected: u64) {
        let mut err = std::io::stderr();
        let again =
            if rejected > 0 { format!(", {rejected} rejected again") } else { String::new() };
        let line = format!("{taken} of {} letters handed over{again}", self.count);
        if self.is_terminal {
            let _nobody_listens = write!(err, "\r\x1b[K{line}");
            self.is_in_line = true;
        } else if self.told_at.elapsed() >= TOLD_INTERVAL {
            let _nobody_listens = writeln!(err, "{line}");
            self.told_at = Instant::now();
        }
    }

    /// Lets other lines follow.
    fn end(&mut self) {
        if std::mem::take(&mut self.is_in_line) {
            let _nobody_listens = writeln!(std::io::stderr());
        }
    }

    /// How many were rejected since one was taken.
    fn rejected_in_row(&mut self, taken: u64, rejected: u64) -> u64 {
        if taken != self.last_taken.0 {
            self.last_taken = (taken, rejected);
        }
        rejected.saturating_sub(self.last_taken.1)
    }
}

fn tell_error(error: &ErrorReport) {
    let remedy = error.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    let _nobody_listens = writeln!(std::io::stderr(), "waiting: {}{remedy}", shown(&error.message));
}
