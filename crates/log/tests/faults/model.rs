//! What the log was told and what it said: the truth that recovery is compared with.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use pluvio_event::Event;
use pluvio_log::{
    AppendError, Embedded, EmbeddedConfig, Entry, EventId, Fsync, Log as _, Offset, OpenError,
    Position, ReadError, ReadLimit, Record, Retention, SourceName, StreamName, Table,
    batch::Compression,
    disk::{SimulatedDisk, is_power_off},
};
use rand::{Rng, RngExt as _, rngs::StdRng};
use uuid::Uuid;

/// An append whose outcome nobody told: its records' ids, in their order.
type Unknown = Vec<String>;

pub(crate) struct Model {
    pub(crate) disk: SimulatedDisk,
    pub(crate) config: EmbeddedConfig,
    now: Arc<Mutex<Timestamp>>,
    log_id: Option<Uuid>,
    /// What was acknowledged: the id at each offset.
    records: BTreeMap<i64, String>,
    /// Acknowledged trims and deletions that a reader was told of.
    start: i64,
    /// No later record may have a smaller offset.
    next: i64,
    unknown: Vec<Unknown>,
    /// What may be each source's position: more than one after an unknown outcome.
    positions: BTreeMap<String, BTreeSet<String>>,
    /// What each record carries.
    carried: BTreeMap<String, (String, String)>,
    /// What may be each key's value.
    table: BTreeMap<String, BTreeSet<Option<String>>>,
    made: u64,
}

pub(crate) fn stream() -> StreamName {
    StreamName::events()
}

const ALL: ReadLimit =
    ReadLimit { records_max: usize::MAX, bytes_max: usize::MAX, wait: std::time::Duration::ZERO };

impl Model {
    pub(crate) fn new(seed: u64, random: &mut StdRng) -> Self {
        let disk = SimulatedDisk::new(seed);
        let now = Arc::new(Mutex::new("2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap()));
        let clock = Arc::clone(&now);
        // The same for the same calls, so that a seed does the same again.
        let passed = AtomicU64::new(0);
        let records_max = [None, None, Some(20), Some(200)][random.random_range(0..4)];
        let config = EmbeddedConfig {
            disk: Arc::new(disk.clone()),
            compression: [Compression::None, Compression::Lz4][random.random_range(0..2)],
            retention: Retention { records_max, ..Retention::default() },
            batch_bytes_max: [1, 400, 256 << 10][random.random_range(0..3)],
            segment_bytes_max: [1, 600, 3000, 1 << 20][random.random_range(0..4)],
            cache_bytes_max: [0, 1 << 20][random.random_range(0..2)],
            reserve_bytes: 0,
            clock: Arc::new(move || *clock.lock().unwrap()),
            passed: Arc::new(move || Duration::from_secs(passed.fetch_add(20, Ordering::Relaxed))),
            ..EmbeddedConfig::new("/log")
        };
        Self {
            disk,
            config,
            now,
            log_id: None,
            records: BTreeMap::new(),
            start: 0,
            next: 0,
            unknown: Vec::new(),
            positions: BTreeMap::new(),
            carried: BTreeMap::new(),
            table: BTreeMap::new(),
            made: 0,
        }
    }

    pub(crate) fn open(&self) -> Result<Embedded, OpenError> {
        Embedded::open(self.config.clone())
    }

    /// One thing that a user of the log does. `false`: the power went.
    pub(crate) async fn step(&mut self, log: &Embedded, random: &mut StdRng) -> bool {
        match random.random_range(0..20) {
            0 => self.trim(log, random).await,
            1 | 2 => self.checkpoint(log, random).await,
            3 | 4 => self.put(log, random).await,
            5 => {
                let seconds = random.random_range(-100_000..100_000);
                *self.now.lock().unwrap() += SignedDuration::from_secs(seconds);
                log.maintain().await;
                self.note_retention(log);
                true
            }
            6 => self.read_some(log, random).await,
            _ => self.append(log, random).await,
        }
    }

    /// Several appends at once, in one group if they fit.
    async fn append(&mut self, log: &Embedded, random: &mut StdRng) -> bool {
        let appends: Vec<Vec<Record>> =
            (0..random.random_range(1..5)).map(|_| self.records(random)).collect();
        let ids: Vec<Vec<String>> = appends
            .iter()
            .map(|records| records.iter().map(|record| record.event.id().to_owned()).collect())
            .collect();
        let mut is_powered = true;
        for (ids, outcome) in ids.into_iter().zip(together(log, appends).await) {
            match outcome {
                Ok(offsets) => self.acknowledge(&ids, &offsets),
                Err(AppendError::Stopped { .. } | AppendError::DiskFull { .. }) => {
                    self.doubt(ids);
                    is_powered = false;
                }
                Err(other) => panic!("an append failed: {other}"),
            }
        }
        self.note_retention(log);
        is_powered
    }

    fn records(&mut self, random: &mut StdRng) -> Vec<Record> {
        let source = format!("source-{}", random.random_range(0..3));
        // A thousand are several batches.
        let count = match random.random_ratio(1, 40) {
            true => [300, 1000][random.random_range(0..2)],
            false => random.random_range(1..6),
        };
        (0..count)
            .map(|_| {
                self.made += 1;
                let id = format!("{}", self.made);
                let gap =
                    random.random_ratio(1, 10).then(|| self.next + random.random_range(0..50));
                self.carried.insert(id.clone(), (source.clone(), format!("after {id}")));
                let padding = "x".repeat(random.random_range(0..400));
                let data = pluvio_event::Data::json(format!("\"{padding}\"")).unwrap();
                Record {
                    event: Event::builder(&*id, "urn:cloud", "t").data(data).build().unwrap(),
                    source: SourceName::new(&source).unwrap(),
                    position: Position::new(format!("after {id}")).unwrap(),
                    at_least: gap.and_then(Offset::new),
                }
            })
            .collect()
    }

    fn acknowledge(&mut self, ids: &[String], offsets: &[i64]) {
        for (id, offset) in ids.iter().zip(offsets) {
            assert!(*offset >= self.next, "offset {offset} was used or promised before");
            self.records.insert(*offset, id.clone());
            self.next = offset + 1;
            let (source, position) = self.carried[id].clone();
            self.positions.insert(source, BTreeSet::from([position]));
        }
    }

    /// Nobody knows whether these are stored.
    fn doubt(&mut self, ids: Unknown) {
        self.unknown.push(ids);
    }

    async fn checkpoint(&mut self, log: &Embedded, random: &mut StdRng) -> bool {
        let source = format!("source-{}", random.random_range(0..3));
        self.made += 1;
        let position = format!("looked {}", self.made);
        let (name, told) =
            (SourceName::new(&source).unwrap(), Position::new(position.clone()).unwrap());
        let outcome = log.checkpoint(&stream(), &name, told).await;
        let known = self.positions.entry(source).or_default();
        match outcome {
            Ok(()) => *known = BTreeSet::from([position]),
            Err(_) => drop(known.insert(position)),
        }
        outcome.is_ok()
    }

    async fn put(&mut self, log: &Embedded, random: &mut StdRng) -> bool {
        let key = format!("key-{}", random.random_range(0..4));
        let bytes = if random.random_ratio(1, 4) { 60_000 } else { 10 };
        let value = random.random_ratio(3, 4).then(|| {
            self.made += 1;
            format!("{}{}", self.made, "y".repeat(bytes))
        });
        let entry = Entry { key: key.clone().into(), value: value.clone().map(Bytes::from) };
        let outcome = log.put(Table::Offsets, vec![entry]).await;
        let known = self.table.entry(key).or_insert_with(|| BTreeSet::from([None]));
        match outcome {
            Ok(()) => *known = BTreeSet::from([value]),
            Err(_) => drop(known.insert(value)),
        }
        outcome.is_ok()
    }

    async fn trim(&mut self, log: &Embedded, random: &mut StdRng) -> bool {
        let beyond = if random.random_ratio(1, 5) { 30 } else { 0 };
        let before = random.random_range(self.start..=self.next + beyond);
        let trimmed = log.trim(&stream(), Offset::new(before).unwrap()).await;
        if trimmed.is_ok() {
            self.start = self.start.max(before);
            self.next = self.next.max(before);
        }
        self.note_retention(log);
        trimmed.is_ok()
    }

    /// Retention deletes by itself; what it was seen to delete stays deleted.
    fn note_retention(&mut self, log: &Embedded) {
        let extent = log.extent(&stream()).unwrap();
        assert!(extent.start.get() >= self.start, "the start went back");
        self.start = extent.start.get();
        self.next = self.next.max(extent.next.get());
    }

    async fn read_some(&self, log: &Embedded, random: &mut StdRng) -> bool {
        let from = random.random_range(self.start..=self.next);
        let limit = ReadLimit { records_max: random.random_range(1..30), ..ALL };
        let chunk = match log.read(&stream(), Offset::new(from).unwrap(), limit).await {
            Ok(chunk) => chunk,
            Err(ReadError::Disk { source, .. }) if is_power_off(&source) => return false,
            Err(other) => panic!("a read failed: {other}"),
        };
        for record in chunk.records() {
            let event = record.event().unwrap();
            assert_eq!(self.records.get(&record.offset.get()).unwrap(), event.id());
        }
        true
    }

    /// Compares what recovery found with the truth, and settles what was unknown.
    pub(crate) async fn compare(&mut self, log: &Embedded) {
        let stream = stream();
        let extent = log.open(&stream).await.unwrap();
        assert_eq!(*self.log_id.get_or_insert(extent.log_id), extent.log_id, "another log");
        assert!(extent.start.get() >= self.start, "the start went back to {}", extent.start);
        self.start = extent.start.get();
        let mut found = BTreeMap::new();
        let mut from = extent.start;
        loop {
            let chunk = log.read(&stream, from, ALL).await.unwrap();
            if chunk.is_empty() {
                break;
            }
            for record in chunk.records() {
                let id = record.event().unwrap().id().to_owned();
                assert!(found.insert(record.offset.get(), id).is_none());
            }
            from = chunk.next;
        }
        assert_eq!(extent.records, found.len() as u64, "the count of records is wrong");
        assert_eq!(extent.earliest.map(Offset::get), found.keys().next().copied());
        if self.config.fsync == Fsync::Os {
            return self.accept_losses(log, found).await;
        }
        self.settle(&found);
        let kept: BTreeMap<_, _> = self.records.range(self.start..).collect();
        let seen: BTreeMap<_, _> = found.iter().collect();
        assert_eq!(seen, kept, "records that were acknowledged, and no others");
        assert!(extent.next.get() >= self.next, "an offset is used again");
        self.next = extent.next.get();
        self.compare_positions(log).await;
        self.compare_ids(log, &found).await;
        self.compare_table(log).await;
    }

    /// Without syncs the newest records may be gone, but what is left is whole: no record without
    /// those before it, and no position ahead of the records.
    async fn accept_losses(&mut self, log: &Embedded, found: BTreeMap<i64, String>) {
        let end = found.keys().next_back().map_or(self.start, |last| last + 1);
        let unknown: BTreeSet<&String> = self.unknown.iter().flatten().collect();
        for (offset, id) in self.records.range(self.start..end) {
            assert_eq!(found.get(offset), Some(id), "a record is gone and a later one is there");
        }
        for (offset, id) in &found {
            assert!(self.records.get(offset) == Some(id) || unknown.contains(id));
        }
        for (source, position) in log.positions(&stream()).await.unwrap() {
            let own = |id: &&String| self.carried[*id].0 == source.to_string();
            let newest = found.values().rfind(own);
            let number = |text: &str| text.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
            let (is_checkpoint, told) =
                (position.as_str().starts_with("looked"), number(position.as_str()));
            let newest = newest.map_or(0, |id| number(id));
            // Records below the start are gone but were seen.
            let is_deleted = newest == 0;
            assert!(told == newest || is_checkpoint && told > newest || is_deleted, "{source}");
            self.positions.insert(source.to_string(), BTreeSet::from([position.as_str().into()]));
        }
        self.records.retain(|offset, _| found.contains_key(offset) || *offset < self.start);
        self.records.extend(found);
        self.unknown.clear();
        let next = log.extent(&stream()).unwrap().next.get();
        assert!(next >= self.next, "offset {next} may have been told before");
        self.next = next;
    }

    /// Each append whose outcome is unknown is there as a prefix of its records.
    fn settle(&mut self, found: &BTreeMap<i64, String>) {
        let places: BTreeMap<&String, i64> = found.iter().map(|(at, id)| (id, *at)).collect();
        assert_eq!(places.len(), found.len(), "an event is there twice");
        for ids in std::mem::take(&mut self.unknown) {
            let there: Vec<_> = ids.iter().map(|id| places.get(id).copied()).collect();
            let count = there.iter().take_while(|place| place.is_some()).count();
            assert!(there[count..].iter().all(Option::is_none), "an append has a hole");
            let offsets: Vec<i64> = there.into_iter().flatten().collect();
            for (id, offset) in ids.iter().zip(offsets) {
                self.records.insert(offset, id.clone());
                self.next = self.next.max(offset + 1);
                let (source, position) = self.carried[id].clone();
                let known = self.positions.entry(source).or_default();
                // A checkpoint may have followed whose outcome is as unknown.
                known.retain(|position| position.starts_with("looked"));
                known.insert(position);
            }
        }
    }

    async fn compare_positions(&mut self, log: &Embedded) {
        let told = log.positions(&stream()).await.unwrap();
        let told: BTreeMap<_, _> =
            told.iter().map(|(s, p)| (s.to_string(), p.as_str().to_owned())).collect();
        for (source, known) in &mut self.positions {
            match told.get(source) {
                Some(position) => {
                    assert!(known.contains(position), "{source} is at {position}, not {known:?}");
                    *known = BTreeSet::from([position.clone()]);
                }
                None => assert!(known.iter().all(|p| p.starts_with("looked")), "{source} is lost"),
            }
        }
        assert!(told.keys().all(|source| self.positions.contains_key(source)));
    }

    async fn compare_ids(&self, log: &Embedded, found: &BTreeMap<i64, String>) {
        let id = |id: &str| EventId { source: "urn:cloud".to_owned(), id: id.to_owned() };
        let ids: Vec<EventId> = found.values().rev().take(5).map(|text| id(text)).collect();
        let told = log.find(&stream(), &ids).await.unwrap();
        for ((offset, _), told) in found.iter().rev().take(5).zip(told) {
            assert_eq!(told.map(|told| told.offset.get()), Some(*offset));
        }
        let never = log.find(&stream(), &[id("never made")]).await.unwrap();
        assert_eq!(never, [None]);
    }

    async fn compare_table(&mut self, log: &Embedded) {
        let entries = log.entries(Table::Offsets).await.unwrap();
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let told: BTreeMap<_, _> = entries.iter().map(|(k, v)| (text(k), text(v))).collect();
        for (key, known) in &mut self.table {
            let value = told.get(key).cloned();
            assert!(known.contains(&value), "{key} has a value that nobody gave it");
            *known = BTreeSet::from([value]);
        }
    }
}

/// Appends all at once, the same way each time: nobody writes before all wait.
async fn together(log: &Embedded, appends: Vec<Vec<Record>>) -> Vec<Result<Vec<i64>, AppendError>> {
    let (open, gate) = mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let gate = tokio::task::spawn_blocking(move || {
        begun.send(()).unwrap();
        gate.recv()
    });
    // Whoever wrote before has left the only thread that may block.
    has_begun.await.unwrap();
    let name = stream();
    let mut wishes = Vec::new();
    for records in &appends {
        wishes.push(records.iter().map(|record| record.at_least).collect::<Vec<_>>());
    }
    let mut all = pin!(join_all(appends.into_iter().map(|records| log.append(&name, records))));
    let early = futures::poll!(&mut all);
    assert!(early.is_pending(), "appends wait behind the gate");
    open.send(()).unwrap();
    let outcomes = all.await;
    let _closed = gate.await.unwrap();
    let offsets = |(outcome, wishes): (Result<pluvio_log::Span, AppendError>, Vec<_>)| {
        outcome.map(|span| offsets(span.start.get(), &wishes))
    };
    outcomes.into_iter().zip(wishes).map(offsets).collect()
}

/// The offsets that records get which begin at `start`.
fn offsets(start: i64, wishes: &[Option<Offset>]) -> Vec<i64> {
    let mut next = start;
    let place = |wish: &Option<Offset>| {
        let offset = wish.map_or(next, |wish| wish.get().max(next));
        next = offset + 1;
        offset
    };
    wishes.iter().map(place).collect()
}

/// Whether opening failed because the power went once more.
pub(crate) fn lost_power(error: &OpenError) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(is_power_off) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A number that is small most of the time.
pub(crate) fn small(random: &mut impl Rng, most: u64) -> u64 {
    let bits = random.random_range(0..=most.ilog2());
    random.random_range(0..=1 << bits)
}
