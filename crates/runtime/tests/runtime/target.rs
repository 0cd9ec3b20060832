//! A sink whose target misbehaves by script, and the stage it plays on.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use pluvio_event::{Data, Event, Filter};
use pluvio_log::{
    Entry, Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, ReadLimit, Record,
    SourceName, StreamName, Table,
};
use pluvio_runtime::{
    Answers, Connected, Delivered, Failure, Outcome, Rejected, Response, Sink, SinkName, Standing,
    Taken, TargetCursor, Writer,
    status::{ComponentStatus, StatusBoard},
    supervise::{
        Supervisor,
        sink::{BatchLimits, Begin, Repeats, SinkContext},
    },
};
use tokio::time::Instant;

/// How the target treats one write; without a line left it takes everything it can.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Takes all.
    Take,
    /// Takes this many and says so.
    TakeFirst(usize),
    /// Takes this many and drops the connection without a word.
    DropAfter(usize),
    /// Says how long to wait.
    Throttle(Duration),
    /// Takes this long.
    Slow(Duration),
    /// Never answers.
    Hang,
    /// The component breaks.
    Panic,
    /// Answers for an offset that it was not given.
    Confuse,
    /// Nobody reads any more.
    End,
}

/// How the target treats one connect; without a line left it accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    Refuse(Response),
    /// Accepts, and says which record it took last.
    Took(Taken),
    /// Accepts, and says where it stands.
    At(i64),
    /// Accepts, and says where it stood before the last move.
    Stood(i64),
}

#[derive(Debug, thiserror::Error)]
#[error("as scripted")]
pub(crate) struct Scripted(pub(crate) Response);

impl Failure for Scripted {
    fn response(&self) -> Response {
        self.0
    }

    fn remedy(&self) -> Option<String> {
        Some("change the script".into())
    }
}

/// What the target holds and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Everything that arrived, in the order of arrival: offset and id.
    pub(crate) arrived: Vec<(i64, String)>,
    /// And when each was recorded.
    pub(crate) recorded: Vec<Timestamp>,
    /// Of gaps.
    pub(crate) reasons: Vec<String>,
    /// How many events each write held, and when it came.
    pub(crate) writes: Vec<(usize, Instant)>,
    pub(crate) connects: Vec<(Standing, Instant)>,
    pub(crate) closes: usize,
    pub(crate) made: usize,
}

/// A target; its clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Target {
    pub(crate) held: Arc<Mutex<Held>>,
    doors: Arc<Mutex<VecDeque<Door>>>,
    acts: Arc<Mutex<VecDeque<Act>>>,
    /// Ids that it never takes, and whether it says which ones.
    poison: Arc<Mutex<(Vec<String>, bool)>>,
}

impl Target {
    pub(crate) fn new(doors: &[Door], acts: &[Act]) -> Self {
        let target = Self::default();
        target.doors.lock().unwrap().extend(doors);
        target.acts.lock().unwrap().extend(acts);
        target
    }

    /// Never takes these; `named`: says which of a batch they are.
    pub(crate) fn never(self, ids: &[&str], named: bool) -> Self {
        *self.poison.lock().unwrap() = (ids.iter().map(|id| (*id).to_owned()).collect(), named);
        self
    }

    pub(crate) fn act(&self, act: Act) {
        self.acts.lock().unwrap().push_back(act);
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.held.lock().unwrap().arrived.iter().map(|(_, id)| id.clone()).collect()
    }

    pub(crate) async fn has(&self, count: usize) -> Vec<String> {
        while self.ids().len() < count {
            tokio::time::advance(Duration::from_millis(20)).await;
            tokio::task::yield_now().await;
        }
        self.ids()
    }

    fn take(&self, records: &[Delivered]) {
        let mut held = self.held.lock().unwrap();
        for record in records {
            let id = record.event().unwrap().id().to_owned();
            held.arrived.push((record.offset().get(), id));
            if record.event().unwrap().event_type() == "pluvio.gap.v0" {
                let data = record.event().unwrap().data().unwrap().as_bytes();
                let data: serde_json::Value = serde_json::from_slice(data).unwrap();
                held.reasons.push(data["reason"].as_str().unwrap().to_owned());
            }
            held.recorded.push(record.recorded());
        }
    }

    fn judge(&self, batch: &[Delivered]) -> Outcome<Scripted> {
        let (poison, named) = self.poison.lock().unwrap().clone();
        let is_bad = |r: &&Delivered| poison.iter().any(|id| id == r.event().unwrap().id());
        let bad: Vec<&Delivered> = batch.iter().filter(is_bad).collect();
        if bad.is_empty() {
            self.take(batch);
            return Outcome::AckedTo(batch.last().unwrap().offset());
        }
        if !named {
            return Outcome::BatchRejected("something in it is poison".into());
        }
        for record in batch.iter().filter(|record| !is_bad(record)) {
            self.take(std::slice::from_ref(record));
        }
        let rejected =
            |r: &&Delivered| Rejected { offset: r.offset(), reason: "poison".to_owned() };
        Outcome::Rejected(bad.iter().map(rejected).collect())
    }
}

impl Sink for Target {
    type Writer = Target;
    type Error = Scripted;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<Target>, Scripted> {
        self.held.lock().unwrap().connects.push((standing, Instant::now()));
        let door = self.doors.lock().unwrap().pop_front();
        let cursor = match door {
            Some(Door::Refuse(response)) => return Err(Scripted(response)),
            Some(Door::At(cursor)) => {
                Offset::new(cursor).map(|next| TargetCursor { next, last: None, is_older: false })
            }
            Some(Door::Stood(cursor)) => {
                Offset::new(cursor).map(|next| TargetCursor { next, last: None, is_older: true })
            }
            Some(Door::Took(last)) => Some(TargetCursor {
                next: last.offset.following(),
                last: Some(last),
                is_older: false,
            }),
            None => None,
        };
        Ok(Connected { writer: self.clone(), cursor })
    }

    async fn probe(&mut self) -> Result<String, Scripted> {
        Ok("a script".to_owned())
    }
}

impl Writer for Target {
    type Error = Scripted;

    async fn write(&mut self, batch: &[Delivered], _: &Answers) -> Outcome<Scripted> {
        assert!(batch.is_sorted_by(|a, b| a.offset() < b.offset()), "offsets ascend");
        self.held.lock().unwrap().writes.push((batch.len(), Instant::now()));
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Take);
        match act {
            Act::Take => self.judge(batch),
            Act::TakeFirst(count) => {
                self.take(&batch[..count]);
                Outcome::AckedTo(batch[count - 1].offset())
            }
            Act::DropAfter(count) => {
                self.take(&batch[..count.min(batch.len())]);
                Outcome::NotConnected(Scripted(Response::Retry))
            }
            Act::Throttle(wait) => {
                Outcome::Throttled { wait, why: "the target says: not now".to_owned() }
            }
            Act::Slow(time) => {
                tokio::time::sleep(time).await;
                self.judge(batch)
            }
            Act::Hang => std::future::pending().await,
            Act::Panic => std::panic::panic_any("as scripted"),
            Act::Confuse => {
                let offset = Offset::new(1 << 40).unwrap();
                Outcome::Rejected(vec![Rejected { offset, reason: "nobody asked".into() }])
            }
            Act::End => Outcome::Ended,
        }
    }

    async fn close(self) {
        self.held.lock().unwrap().closes += 1;
    }
}

/// A log that several supervisors may run on, one after the other.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) log: LogHandle,
    /// Of the sinks that run on it.
    pub(crate) limits: BatchLimits,
    pub(crate) from: Begin,
    pub(crate) filter: Filter,
    pub(crate) repeats: Repeats,
}

pub(crate) fn events() -> StreamName {
    StreamName::events()
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(MemoryConfig::default()).await
    }

    pub(crate) async fn with(config: MemoryConfig) -> Self {
        Self::on(LogHandle::new(Memory::new(config))).await
    }

    pub(crate) async fn on(log: LogHandle) -> Self {
        log.open(&events()).await.unwrap();
        let limits = BatchLimits { events_max: 10, ..BatchLimits::default() };
        let (from, filter) = (Begin::Earliest, Filter::default());
        Self { log, limits, from, filter, repeats: Repeats::default() }
    }

    /// Stores an event at an offset that is further on.
    pub(crate) async fn store_at(&self, number: u32, offset: i64) {
        let record = Record { at_least: Offset::new(offset), ..record(number) };
        self.log.append(&events(), vec![record]).await.unwrap();
    }

    /// Stores events `first ..= last`, their numbers as ids; gives these.
    pub(crate) async fn store_event(&self, event: Event) {
        let (source, position) = (SourceName::new("test").unwrap(), Position::new("").unwrap());
        let record = Record { event, source, position, at_least: None };
        self.log.append(&events(), vec![record]).await.unwrap();
    }

    /// Notes that the sink `a` waits for the fifth event, and that the others of the first ten are settled.
    pub(crate) async fn has_taken_all_but_the_fifth_of_ten(&self) {
        let log_id = self.log.extent(&events()).unwrap().log_id;
        let filter = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.filter.text().as_bytes());
        let cursor = format!(
            r#"{{"stream":"events","log_id":"{log_id}","next":4,"settled":[[5,10]],"settled_by":"{filter}"}}"#
        );
        let entry = Entry { key: "a".into(), value: Some(cursor.into()) };
        self.log.put(Table::Cursors, vec![entry]).await.unwrap();
    }

    pub(crate) async fn store(&self, numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
        let records = numbers.clone().map(record).collect();
        self.log.append(&events(), records).await.unwrap();
        numbers.map(|number| number.to_string()).collect()
    }

    pub(crate) fn context(&self, name: &str) -> SinkContext {
        SinkContext {
            name: SinkName::new(name).unwrap(),
            log: self.log.clone(),
            stream: events(),
            filter: self.filter.clone(),
            from: self.from,
            limits: self.limits,
            repeats: self.repeats.clone(),
            is_beside: false,
        }
    }

    /// A supervisor with one sink of any kind.
    pub(crate) fn run_sink<S: Sink>(
        &self,
        name: &str,
        make: impl FnMut() -> S + Send + 'static,
    ) -> Running {
        let status = StatusBoard::default();
        let supervisor = Supervisor::new(status.clone(), self.log.clone());
        supervisor.sink(self.context(name), "scripted", make);
        Running { supervisor, status }
    }

    /// A supervisor with these sinks.
    pub(crate) fn run(&self, sinks: &[(&str, &Target)]) -> Running {
        let status = StatusBoard::default();
        let supervisor = Supervisor::new(status.clone(), self.log.clone());
        for (name, target) in sinks {
            let context = self.context(name);
            let target = (*target).clone();
            supervisor.sink(context, "scripted", move || {
                target.held.lock().unwrap().made += 1;
                target.clone()
            });
        }
        Running { supervisor, status }
    }

    /// What stands in `__cursors` for a sink.
    pub(crate) async fn cursor(&self, sink: &str) -> Option<i64> {
        let entries = self.log.entries(Table::Cursors).await.unwrap();
        let value = entries.get(sink.as_bytes())?;
        let value: BTreeMap<String, serde_json::Value> = serde_json::from_slice(value).unwrap();
        value["next"].as_i64()
    }

    /// All dead letters.
    pub(crate) async fn letters(&self) -> Vec<Event> {
        let dead = pluvio_runtime::supervise::sink::dead_stream(&events()).unwrap();
        if !self.log.streams().contains(&dead) {
            return Vec::new();
        }
        let limit = ReadLimit::default();
        let start = self.log.extent(&dead).unwrap().start;
        let chunk = self.log.read(&dead, start, limit).await.unwrap();
        chunk.records().map(|record| record.event().unwrap()).collect()
    }
}

pub(crate) struct Running {
    pub(crate) supervisor: Supervisor,
    pub(crate) status: StatusBoard,
}

impl Running {
    /// [`until`](Self::until) for a log whose disk takes real time: the clock runs by itself.
    pub(crate) async fn when(
        &self,
        sink: &str,
        wish: impl Fn(&ComponentStatus) -> bool,
    ) -> ComponentStatus {
        loop {
            let status =
                self.status.components().into_iter().find(|status| status.name == sink).unwrap();
            if wish(&status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn until(
        &self,
        sink: &str,
        wish: impl Fn(&ComponentStatus) -> bool,
    ) -> ComponentStatus {
        loop {
            let status =
                self.status.components().into_iter().find(|status| status.name == sink).unwrap();
            if wish(&status) {
                return status;
            }
            tokio::time::advance(Duration::from_millis(20)).await;
            tokio::task::yield_now().await;
        }
    }
}

/// An event with its number as its id.
fn record(number: u32) -> Record {
    let event = Event::builder(number.to_string(), "urn:test", "t")
        .data(Data::json(number.to_string()).unwrap())
        .build()
        .unwrap();
    Record {
        event,
        source: SourceName::new("test").unwrap(),
        position: Position::new(number.to_string()).unwrap(),
        at_least: None,
    }
}
