//! A small log on a simulated disk: three sealed segments and an active one, positions, cursors.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pluvio_event::Event;
use pluvio_log::{
    Embedded, EmbeddedConfig, Entry, Log as _, Offset, Position, Positions, Record, Retention,
    SourceName, StreamName, Table,
    batch::Compression,
    disk::{Disk, SimulatedDisk},
    inspect::{self, Finding, Repair, Severity, Verified},
};

pub(crate) struct Site {
    pub(crate) disk: SimulatedDisk,
}

pub(crate) const FOLDER: &str = "/log";

pub(crate) fn events() -> StreamName {
    StreamName::events()
}

pub(crate) fn at(offset: i64) -> Offset {
    Offset::new(offset).unwrap()
}

/// A file of the stream of events.
pub(crate) fn file(base: i64, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{FOLDER}/events/{base:020}.{suffix}"))
}

pub(crate) fn event(nth: i64) -> Event {
    let event = Event::builder(format!("id-{nth}"), "/test", "test.v0");
    let event = if nth % 3 == 0 { event } else { event.subject(format!("thing/{nth}")) };
    event.time(Timestamp::from_second(1_000 + nth).unwrap()).build().unwrap()
}

pub(crate) fn record(nth: i64, at_least: Option<i64>) -> Record {
    Record {
        event: event(nth),
        source: SourceName::new(if nth % 2 == 0 { "even" } else { "odd" }).unwrap(),
        position: Position::new(format!("p{nth}")).unwrap(),
        at_least: at_least.map(at),
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

impl Site {
    /// Offsets 0 1 2 | 3 4 5 | 10 11 12 | 13: each group a batch, two batches in the first segment.
    pub(crate) fn new() -> Self {
        let site = Self { disk: SimulatedDisk::new(7) };
        block_on(async {
            let log = site.open(1 << 20);
            log.open(&events()).await.unwrap();
            append(&log, 0, None).await;
            append(&log, 3, None).await;
            drop(log);
            // So small that each batch from now on has its segment.
            let log = site.open(1);
            append(&log, 6, Some(10)).await;
            append(&log, 9, None).await;
            append(&log, 12, None).await;
            let source = SourceName::new("quiet").unwrap();
            log.checkpoint(&events(), &source, Position::new("q").unwrap()).await.unwrap();
            for (key, value) in [("sink-a", "1"), ("sink-b", "2"), ("sink-a", "3")] {
                let change = Entry {
                    key: Bytes::from_static(key.as_bytes()),
                    value: Some(Bytes::from_static(value.as_bytes())),
                };
                log.put(Table::Cursors, vec![change]).await.unwrap();
            }
        });
        site
    }

    /// Offsets 0 1 2, 3 4 5 | 6 7 8, 9 10 11 | 12: two batches in each of the sealed segments, and an hour
    /// later nothing has happened but that a source told where it stands.
    pub(crate) fn of_pairs() -> Self {
        let site = Self { disk: SimulatedDisk::new(7) };
        block_on(async {
            const LARGE: u64 = 1 << 20;
            for (nth, segment_bytes_max) in [(0, LARGE), (3, LARGE), (6, 1), (9, LARGE), (12, 1)] {
                let log = site.open(segment_bytes_max);
                log.open(&events()).await.unwrap();
                append(&log, nth, None).await;
            }
            let log = site.open_at("2026-11-20T11:00:00Z", 1).unwrap();
            let source = SourceName::new("quiet").unwrap();
            log.checkpoint(&events(), &source, Position::new("later").unwrap()).await.unwrap();
        });
        site
    }

    pub(crate) fn open(&self, segment_bytes_max: u64) -> Embedded {
        self.try_open(segment_bytes_max).unwrap()
    }

    pub(crate) fn try_open(
        &self,
        segment_bytes_max: u64,
    ) -> Result<Embedded, pluvio_log::OpenError> {
        self.open_at("2026-11-20T10:00:00Z", segment_bytes_max)
    }

    fn open_at(
        &self,
        now: &str,
        segment_bytes_max: u64,
    ) -> Result<Embedded, pluvio_log::OpenError> {
        let now = Mutex::new(now.parse::<Timestamp>().unwrap());
        Embedded::open(EmbeddedConfig {
            disk: Arc::new(self.disk.clone()),
            compression: Compression::None,
            retention: Retention::default(),
            segment_bytes_max,
            reserve_bytes: 0,
            clock: Arc::new(move || {
                let mut now = now.lock().unwrap();
                *now += SignedDuration::from_secs(1);
                *now
            }),
            ..EmbeddedConfig::new(FOLDER)
        })
    }

    pub(crate) fn verify(&self) -> Verified {
        inspect::verify(&self.disk, Path::new(FOLDER), &mut |_, _| {}).unwrap()
    }

    pub(crate) fn damage(&self) -> Vec<Finding> {
        self.verify().damage().cloned().collect()
    }

    pub(crate) fn harmless(&self) -> Vec<Finding> {
        let findings = self.verify().findings.into_iter();
        findings.filter(|finding| finding.severity == Severity::Harmless).collect()
    }

    pub(crate) fn try_repair(&self) -> Result<Vec<String>, pluvio_log::OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let mut told = Vec::new();
        let repair = Repair::plan(disk, Path::new(FOLDER), &mut |_, _| {})?;
        repair.apply(&mut |done| told.push(done.what))?;
        Ok(told)
    }

    /// Repairs, and finds no damage left.
    pub(crate) fn repair(&self) -> Vec<String> {
        let told = self.try_repair().unwrap();
        assert_eq!(self.damage(), [], "after a repair: {told:?}");
        assert!(self.try_repair().unwrap().is_empty(), "a second repair does nothing");
        told
    }

    /// Offset and type of each record, as a reader of the opened log gets them.
    pub(crate) fn read(&self) -> Vec<(i64, String)> {
        self.read_from(0)
    }

    pub(crate) fn read_from(&self, from: i64) -> Vec<(i64, String)> {
        block_on(async {
            let log = self.open(1);
            let mut next = at(from);
            let mut all = Vec::new();
            loop {
                let chunk = log.read(&events(), next, pluvio_log::ReadLimit::default()).await;
                let chunk = chunk.unwrap();
                if chunk.is_empty() {
                    return all;
                }
                all.extend(chunk.records().map(|record| {
                    let event = record.event().unwrap();
                    let is_gap = event.event_type() == "pluvio.gap.v0";
                    let told = if is_gap { "gap".to_owned() } else { event.id().to_owned() };
                    (record.offset.get(), told)
                }));
                next = chunk.next;
            }
        })
    }

    /// The records that each gap event names, as `FIRST to LAST`.
    pub(crate) fn lost(&self) -> Vec<String> {
        block_on(async {
            let log = self.open(1);
            let mut lost = Vec::new();
            let mut next = at(0);
            loop {
                let chunk = log.read(&events(), next, pluvio_log::ReadLimit::default()).await;
                let chunk = chunk.unwrap();
                if chunk.is_empty() {
                    return lost;
                }
                for record in chunk.records() {
                    let event = record.event().unwrap();
                    let json = String::from_utf8(pluvio_event::json::to_vec(&event)).unwrap();
                    if let Some((_, reason)) = json.split_once("\"reason\":\"records ") {
                        lost.push(reason.split_once(" of stream").unwrap().0.to_owned());
                    }
                }
                next = chunk.next;
            }
        })
    }

    pub(crate) fn positions(&self) -> Positions {
        let log = self.open(1);
        block_on(log.positions(&events())).unwrap()
    }

    pub(crate) fn bytes(&self, path: impl AsRef<Path>) -> Vec<u8> {
        self.disk.read_file(path).unwrap()
    }

    /// Puts other bytes in place of a file, or makes one of them.
    pub(crate) fn replace(&self, path: impl AsRef<Path>, content: &[u8]) {
        let path = path.as_ref();
        let _made_anew = self.disk.remove(path);
        let file = self.disk.create(path).unwrap();
        file.write_at(content, 0).unwrap();
        file.sync().unwrap();
        self.disk.sync_folder(path.parent().unwrap()).unwrap();
    }

    pub(crate) fn remove(&self, path: impl AsRef<Path>) {
        self.disk.remove(path.as_ref()).unwrap();
        self.disk.sync_folder(path.as_ref().parent().unwrap()).unwrap();
    }

    /// What was kept aside, by name.
    pub(crate) fn kept(&self, stream: &str) -> Vec<String> {
        let folder = PathBuf::from(FOLDER).join(stream).join("damaged");
        let listed = self.disk.list(&folder).unwrap_or_default();
        let mut names: Vec<_> = listed.into_iter().map(|entry| entry.name).collect();
        names.sort();
        names
    }
}

/// Three records from `nth` on, the first at offset `at_least` or behind.
async fn append(log: &Embedded, nth: i64, at_least: Option<i64>) {
    let count = if nth == 12 { 1 } else { 3 };
    let records = (0..count).map(|more| record(nth + more, at_least.filter(|_| more == 0)));
    log.append(&events(), records.collect()).await.unwrap();
}

/// All that the log holds when nothing is wrong: ids by offset.
pub(crate) fn whole() -> Vec<(i64, String)> {
    let offsets = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16];
    offsets.into_iter().zip((0..).map(|nth| format!("id-{nth}"))).collect()
}

/// The same, with a gap event at `gap` in place of what lies in `lost`.
pub(crate) fn without(lost: std::ops::RangeInclusive<i64>, gap: i64) -> Vec<(i64, String)> {
    let mut all = whole();
    all.retain(|(offset, _)| !lost.contains(offset));
    all.push((gap, "gap".to_owned()));
    all.sort();
    all
}
