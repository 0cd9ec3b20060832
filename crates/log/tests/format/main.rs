//! A log that was written once and is kept: whatever the code becomes, it reads these bytes.
//!
//! `tests/format-1/` is the log. It is never made again for a change of the code: a change that
//! cannot read it is another format. [`make`] made it, and says how.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pluvio_event::{Data, Event, Json};
use pluvio_log::{
    Embedded, EmbeddedConfig, Entry, EventId, Log as _, Offset, Position, ReadLimit, Record,
    Retention, Seek, SourceName, StreamName, Table,
    batch::Compression,
    disk::{Disk, RealDisk, SimulatedDisk},
    inspect::{self, IndexState, Severity},
};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1")
}

fn events() -> StreamName {
    StreamName::events()
}

fn at(offset: i64) -> Offset {
    Offset::new(offset).unwrap()
}

fn time(second: i64) -> Timestamp {
    "2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// Each batch: which compression, and its records: offset wished for, and number of the event.
const BATCHES: [(Compression, &[(i64, i64)]); 4] = [
    (Compression::None, &[(0, 0), (1, 1), (7, 2)]),
    (Compression::Lz4, &[(100, 3), (101, 4), (102, 5), (200, 6)]),
    // The second segment begins here.
    (Compression::Lz4, &[(300, 7), (301, 8)]),
    (Compression::None, &[(1 << 40, 9)]),
];
/// The log was trimmed to here: inside the first batch.
const START: i64 = 1;

/// Number 2 has no subject, so no key; number 8 no time.
fn event(nth: i64) -> Event {
    let source = if nth % 2 == 0 { "https://even.example.org/sdk" } else { "/odd" };
    let data = format!("{{\"nth\":{nth},\"text\":\"{}\"}}", "grün ".repeat(20));
    let event = Event::builder(format!("id-{nth}"), source, "org.example.made.v0")
        .datacontenttype("application/json")
        .data(Data::Json(Json::as_written(data)));
    let event = if nth == 2 { event } else { event.subject(format!("VirtualMachine/vm-{nth}")) };
    let event = if nth == 8 { event } else { event.time(time(nth - 1_000)) };
    event.build().unwrap()
}

fn source(nth: i64) -> SourceName {
    SourceName::new(if nth % 2 == 0 { "even" } else { "odd" }).unwrap()
}

fn config(disk: Arc<dyn Disk>, folder: &Path) -> EmbeddedConfig {
    let retention = Retention::default();
    EmbeddedConfig { disk, retention, reserve_bytes: 0, ..EmbeddedConfig::new(folder) }
}

/// What the log holds, as a copy on a disk in memory.
fn copied() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    copy(&sample(), Path::new("/log"), &disk);
    disk
}

fn copy(from: &Path, to: &Path, disk: &SimulatedDisk) {
    disk.create_folder(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to, disk);
        } else {
            let file = disk.create(&to).unwrap();
            file.write_at(&fs::read(entry.path()).unwrap(), 0).unwrap();
        }
    }
}

fn opened() -> Embedded {
    Embedded::open(config(Arc::new(copied()), Path::new("/log"))).unwrap()
}

/// All that was appended and not trimmed: offset, number of the batch, number of the event.
fn expected() -> Vec<(i64, i64, i64)> {
    let batches = (0..).zip(BATCHES).flat_map(|(batch, (_, records))| {
        records.iter().map(move |(offset, nth)| (*offset, batch, *nth))
    });
    batches.filter(|(offset, ..)| *offset >= START).collect()
}

#[tokio::test]
async fn every_record_of_format_1_is_read() {
    let log = opened();
    let (mut read, mut packed, mut next) = (Vec::new(), Vec::new(), at(START));
    while next < log.extent(&events()).unwrap().next {
        let chunk = log.read(&events(), next, ReadLimit::default()).await.unwrap();
        read.extend(chunk.records().cloned());
        packed.extend(chunk.batches.iter().map(|batch| batch.encoded()[22] & 7));
        next = chunk.next;
    }
    assert_eq!(read.len(), expected().len());
    for (record, (offset, batch, nth)) in read.into_iter().zip(expected()) {
        assert_eq!(record.offset, at(offset));
        assert_eq!(record.recorded, time(batch * 60));
        assert_eq!(record.event().unwrap(), event(nth));
        assert_eq!(record.key.as_deref(), event(nth).subject().map(str::as_bytes));
    }
    assert_eq!(packed, [0, 3, 3, 0], "attributes: lz4 is 3");
}

#[tokio::test]
async fn what_format_1_says_beside_its_records_is_read() {
    let log = opened();
    let extent = log.extent(&events()).unwrap();
    assert_eq!(extent.log_id.to_string(), LOG_ID);
    assert_eq!((extent.start, extent.earliest), (at(START), Some(at(1))));
    assert_eq!((extent.latest, extent.next), (Some(at(1 << 40)), at((1 << 40) + 1)));
    assert_eq!(extent.records, 9);
    let positions = log.positions(&events()).await.unwrap();
    let positions = positions.iter().map(|(name, at)| (name.as_str(), at.as_str()));
    let known = [("even", "after 8"), ("odd", "after 9"), ("quiet", "looked = nothing new")];
    assert_eq!(positions.collect::<Vec<_>>(), known);
    let cursors = log.entries(Table::Cursors).await.unwrap();
    let cursors = cursors.iter().map(|(key, value)| (&key[..], &value[..]));
    assert_eq!(cursors.collect::<Vec<_>>(), [(&b"archive"[..], &b"{\"next\":8}"[..])]);
    assert_eq!(log.entries(Table::Offsets).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_id_and_time_of_format_1_is_found() {
    let log = opened();
    for (offset, _, nth) in expected() {
        let id = EventId::of(&event(nth));
        let found = log.find(&events(), std::slice::from_ref(&id)).await.unwrap();
        let found = found[0].unwrap();
        assert_eq!((found.offset, found.time), (at(offset), event(nth).time()));
        assert_eq!(log.seek(&events(), Seek::Id(id)).await.unwrap(), at(offset));
    }
    for (batch, first) in (0..).zip([1, 100, 300, 1 << 40]) {
        assert_eq!(log.seek(&events(), Seek::Time(time(batch * 60))).await.unwrap(), at(first));
    }
}

#[test]
fn format_1_is_sound_where_it_lies_but_for_its_torn_tail() {
    let verified = inspect::verify(&RealDisk, &sample(), &mut |_, _| {}).unwrap();
    let told: Vec<_> = verified.findings.iter().map(|it| (it.severity, it.offset)).collect();
    assert_eq!(told, [(Severity::Harmless, Some(at((1 << 40) + 1)))], "{:?}", verified.findings);
    let info = inspect::info(&RealDisk, &sample()).unwrap();
    let segments: Vec<_> = info.streams[0].segments.iter().map(|s| (s.base, s.index)).collect();
    assert_eq!(segments, [(at(0), IndexState::Ok), (at(201), IndexState::None)]);
    let mut offsets = Vec::new();
    let mut visit = |record: inspect::Dumped| {
        offsets.push(record.offset);
        let nth = expected().iter().find(|(offset, ..)| *offset == record.offset).unwrap().2;
        let position = format!("{}=after {nth}", source(nth));
        assert_eq!(record.headers.get("pluvio-pos"), Some(position.as_bytes()));
        ControlFlow::Continue(())
    };
    inspect::dump(&RealDisk, &sample(), &events(), Offset::ZERO, &mut visit).unwrap();
    assert_eq!(offsets, expected().iter().map(|(offset, ..)| *offset).collect::<Vec<_>>());
}

const LOG_ID: &str = "985b68cd-9d97-4c2f-a8bf-18aabd8975e7";

/// `cargo test -p pluvio-log --test format -- --ignored make`, once for each format; the `log_id` that
/// it draws goes into `LOG_ID`.
#[tokio::test]
#[ignore = "makes the sample that the other tests read; only a new format needs a new one"]
async fn make() {
    let folder = sample();
    let _not_there = fs::remove_dir_all(&folder);
    let now = Arc::new(Mutex::new(time(0)));
    for (batch, (compression, records)) in (0..).zip(BATCHES) {
        let clock = Arc::clone(&now);
        let log = Embedded::open(EmbeddedConfig {
            compression,
            segment_bytes_max: if batch == 2 { 1 } else { 1 << 20 },
            clock: Arc::new(move || *clock.lock().unwrap()),
            ..config(Arc::new(RealDisk), &folder)
        });
        let log = log.unwrap();
        log.open(&events()).await.unwrap();
        *now.lock().unwrap() = time(batch * 60);
        let record = |(offset, nth): &(i64, i64)| Record {
            event: event(*nth),
            source: source(*nth),
            position: Position::new(format!("after {nth}")).unwrap(),
            at_least: Some(at(*offset)),
        };
        log.append(&events(), records.iter().map(record).collect()).await.unwrap();
        if batch == 1 {
            let quiet = SourceName::new("quiet").unwrap();
            let position = Position::new("looked = nothing new").unwrap();
            log.checkpoint(&events(), &quiet, position).await.unwrap();
            log.trim(&events(), at(START)).await.unwrap();
        }
        let put = |table, key: &'static str, value: Option<&'static str>| {
            let (key, value) = (Bytes::from(key), value.map(Bytes::from));
            log.put(table, vec![Entry { key, value }])
        };
        put(Table::Cursors, "archive", Some("{\"next\":8}")).await.unwrap();
        put(Table::Cursors, "gone", (batch < 3).then_some("1")).await.unwrap();
        put(Table::Offsets, "group\0events", Some("7")).await.unwrap();
    }
    fs::remove_file(folder.join("LOCK")).unwrap();
    shorten(&folder);
}

/// Leaves some of the zeros written ahead, and puts a write that never ended behind the events.
fn shorten(folder: &Path) {
    for stream in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(stream.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let mut content = fs::read(&path).unwrap();
            if path.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            let end = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            content.truncate(end + 100);
            if path.ends_with("events/00000000000000000201.log") {
                content[end + 61..end + 80].fill(0xa5);
            }
            fs::write(&path, content).unwrap();
        }
    }
}
