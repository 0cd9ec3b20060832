//! What a review proved once, each as the promise that it broke.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::executor::block_on;
use jiff::Timestamp;
use pluvio_event::{Data, Event};
use pluvio_log::{
    AppendError, Embedded, EmbeddedConfig, Entry, EventId, Fsync, Log as _, Offset, Position,
    ReadLimit, Record, SourceName, Span, StreamName, Table,
    batch::{Compression, Header},
    disk::{Failure, Fault, Operation, SimulatedDisk},
};

fn config(disk: &SimulatedDisk) -> EmbeddedConfig {
    EmbeddedConfig { disk: Arc::new(disk.clone()), reserve_bytes: 0, ..EmbeddedConfig::new("/log") }
}

fn os(disk: &SimulatedDisk) -> EmbeddedConfig {
    EmbeddedConfig { fsync: Fsync::Os, ..config(disk) }
}

fn a() -> StreamName {
    StreamName::new("a").unwrap()
}

fn cloud() -> SourceName {
    SourceName::new("cloud").unwrap()
}

fn record(id: &str, bytes: usize) -> Record {
    let data = Data::json(format!("\"{}\"", "x".repeat(bytes))).unwrap();
    Record {
        event: Event::builder(id, "urn:cloud", "t").data(data).build().unwrap(),
        source: cloud(),
        position: Position::new(format!("after {id}")).unwrap(),
        at_least: None,
    }
}

async fn append(log: &Embedded, id: &str, bytes: usize) -> Result<Span, AppendError> {
    log.append(&a(), vec![record(id, bytes)]).await
}

async fn opened(config: EmbeddedConfig) -> Embedded {
    let log = Embedded::open(config).unwrap();
    log.open(&a()).await.unwrap();
    log
}

async fn count(log: &Embedded) -> usize {
    let limit = ReadLimit { records_max: usize::MAX, ..ReadLimit::default() };
    let (mut count, mut from) = (0, log.extent(&a()).unwrap().start);
    loop {
        let chunk = log.read(&a(), from, limit).await.unwrap();
        if chunk.is_empty() {
            return count;
        }
        count += chunk.records().count();
        from = chunk.next;
    }
}

fn id(id: &str) -> EventId {
    EventId { source: "urn:cloud".to_owned(), id: id.to_owned() }
}

fn entry(key: &str, value: Option<Vec<u8>>) -> Vec<Entry> {
    vec![Entry { key: key.to_owned().into(), value: value.map(Bytes::from) }]
}

#[tokio::test]
async fn a_reader_behind_the_last_record_waits_and_ends_although_offsets_were_left_out() {
    let disk = SimulatedDisk::new(1);
    let log = opened(os(&disk)).await;
    let span = append(&log, "1", 1).await.unwrap();
    std::mem::forget(log);
    disk.kill();
    let log = opened(os(&disk)).await;
    assert!(log.extent(&a()).unwrap().next > span.end);
    let limit = ReadLimit { wait: Duration::from_millis(50), ..ReadLimit::default() };
    let chunk = log.read(&a(), span.end, limit).await.unwrap();
    assert!(chunk.is_empty());
    let limit = ReadLimit { wait: Duration::from_secs(60), ..limit };
    let log = Arc::new(log);
    let waiting = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.read(&a(), span.end, limit).await.unwrap().records().count() }
    });
    tokio::task::yield_now().await;
    append(&log, "2", 1).await.unwrap();
    assert_eq!(waiting.await.unwrap(), 1);
}

#[tokio::test]
async fn a_failed_sync_without_syncs_each_time_is_not_forgotten_by_a_good_end() {
    for seed in 0..60 {
        let disk = SimulatedDisk::new(seed);
        let log = opened(os(&disk)).await;
        let first = append(&log, "1", 1).await.unwrap();
        disk.inject(Fault::new(Operation::Sync, Failure::Io).on("/a/"));
        let looked = || Position::new("looked").unwrap();
        assert!(log.checkpoint(&a(), &cloud(), looked()).await.is_err());
        assert!(log.checkpoint(&a(), &cloud(), looked()).await.is_err(), "never asked twice");
        drop(log);
        disk.restart();
        let log = opened(os(&disk)).await;
        assert!(log.health().recovery.unwrap().may_have_lost, "seed {seed}");
        assert!(append(&log, "2", 1).await.unwrap().start >= first.end, "seed {seed}");
    }
}

#[test]
fn what_never_ran_because_the_process_ends_is_not_acknowledged() {
    let disk = SimulatedDisk::new(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = runtime.block_on(opened(config(&disk)));
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _entered = handle.enter();
    assert!(block_on(log.put(Table::Offsets, entry("k", Some(vec![1])))).is_err());
    let looked = Position::new("looked").unwrap();
    assert!(block_on(log.checkpoint(&a(), &cloud(), looked)).is_err());
    assert!(block_on(log.trim(&a(), Offset::new(5).unwrap())).is_err());
    assert!(block_on(append(&log, "1", 1)).is_err());
}

#[tokio::test]
async fn a_clock_set_forward_for_a_moment_deletes_nothing() {
    let disk = SimulatedDisk::new(1);
    let now = Arc::new(Mutex::new("2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap()));
    let clock = Arc::clone(&now);
    let clock = Arc::new(move || *clock.lock().unwrap());
    let log = opened(EmbeddedConfig { segment_bytes_max: 1, clock, ..config(&disk) }).await;
    for id in ["1", "2", "3"] {
        append(&log, id, 1).await.unwrap();
    }
    *now.lock().unwrap() = "2027-01-20T10:00:00Z".parse().unwrap();
    log.maintain().await;
    *now.lock().unwrap() = "2026-11-20T10:01:00Z".parse().unwrap();
    log.maintain().await;
    assert_eq!(count(&log).await, 3);
    assert!(log.find(&a(), &[id("1")]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn no_room_while_a_segment_is_sealed_passes() {
    let small = |disk: &SimulatedDisk| EmbeddedConfig {
        segment_bytes_max: 8192,
        compression: Compression::None,
        ..config(disk)
    };
    for retried in [10, 5000] {
        let disk = SimulatedDisk::new(1);
        let log = opened(small(&disk)).await;
        append(&log, "1", 5000).await.unwrap();
        disk.inject(Fault::new(Operation::SyncFolder, Failure::Full).on("/a").after(1));
        let full = append(&log, "2", 5000).await;
        assert!(matches!(full, Err(AppendError::DiskFull { .. })), "{full:?}");
        append(&log, "3", retried).await.unwrap();
        append(&log, "4", 5000).await.unwrap();
        drop(log);
        disk.kill();
        assert_eq!(count(&opened(small(&disk)).await).await, 3);
    }
}

#[tokio::test]
async fn a_segment_that_a_roll_made_and_never_used_does_not_keep_the_log_from_opening() {
    let disk = SimulatedDisk::new(1);
    let log = opened(config(&disk)).await;
    append(&log, "1", 1).await.unwrap();
    append(&log, "2", 1).await.unwrap();
    drop(log);
    disk.kill();
    let stray = std::path::Path::new("/log/a/00000000000000000001.log");
    pluvio_log::disk::Disk::create(&disk, stray).unwrap();
    let log = opened(config(&disk)).await;
    assert_eq!(count(&log).await, 2);
    assert_eq!(append(&log, "3", 1).await.unwrap().start, Offset::new(2).unwrap());
}

#[tokio::test]
async fn a_deleted_key_stays_deleted_when_power_goes_while_a_table_is_rewritten() {
    let fill = || entry("fill", Some(vec![1; 60 << 10]));
    let segments = |disk: &SimulatedDisk| -> Vec<String> {
        let all = disk.paths().into_iter().map(|path| path.to_string_lossy().into_owned());
        all.filter(|path| path.contains("__offsets") && path.ends_with(".log")).collect()
    };
    // What the first rewrite will be called.
    let disk = SimulatedDisk::new(0);
    let log = opened(config(&disk)).await;
    log.put(Table::Offsets, entry("doomed", Some(vec![1; 10]))).await.unwrap();
    let first = segments(&disk);
    while segments(&disk) == first {
        log.put(Table::Offsets, fill()).await.unwrap();
    }
    let second = segments(&disk).pop().unwrap();
    for seed in 0..60 {
        let disk = SimulatedDisk::new(seed);
        let log = opened(config(&disk)).await;
        log.put(Table::Offsets, entry("doomed", Some(vec![1; 10]))).await.unwrap();
        // It breaks off, so that two segments are older than the next one.
        disk.inject(Fault::new(Operation::Write, Failure::Full).on(second.clone()));
        while segments(&disk).len() < 2 {
            log.put(Table::Offsets, fill()).await.unwrap();
        }
        disk.clear_faults();
        log.put(Table::Offsets, entry("doomed", None)).await.unwrap();
        disk.inject(Fault::new(Operation::SyncFolder, Failure::Io).on("__offsets").after(1));
        for _ in 0..200 {
            if log.put(Table::Offsets, fill()).await.is_err() {
                break;
            }
        }
        drop(log);
        disk.restart();
        let entries = opened(config(&disk)).await.entries(Table::Offsets).await.unwrap();
        assert!(!entries.contains_key(&b"doomed"[..]), "seed {seed}");
    }
}

#[tokio::test]
async fn ids_of_the_active_segment_outlive_a_trim_after_a_restart() {
    let disk = SimulatedDisk::new(1);
    let log = opened(config(&disk)).await;
    for id in ["0", "1", "2", "3", "4"] {
        append(&log, id, 1).await.unwrap();
    }
    drop(log);
    disk.kill();
    let log = opened(config(&disk)).await;
    log.trim(&a(), Offset::new(3).unwrap()).await.unwrap();
    let found = log.find(&a(), &[id("0"), id("2"), id("4")]).await.unwrap();
    assert!(found.iter().all(Option::is_some), "{found:?}");
}

/// A source asks for the ids of its last minute: one rotten batch among them must not stop its capture.
#[tokio::test]
async fn the_id_of_a_record_that_rotted_is_known_and_its_damage_is_told() {
    let disk = SimulatedDisk::new(1);
    let small = EmbeddedConfig { segment_bytes_max: 1, ..config(&disk) };
    let log = opened(small).await;
    for id in ["0", "1", "2"] {
        append(&log, id, 1).await.unwrap();
    }
    drop(log);
    assert!(disk.flip("/log/a/00000000000000000001.log", 100, 1));
    let log = opened(config(&disk)).await;
    let found = log.find(&a(), &[id("0"), id("1"), id("x")]).await.unwrap();
    let offsets: Vec<_> = found.iter().map(|found| found.map(|it| it.offset.get())).collect();
    assert_eq!(offsets, [Some(0), Some(1), None]);
    let read = log.read(&a(), Offset::new(1).unwrap(), ReadLimit::default()).await;
    assert!(read.is_err(), "it is not served");
}

#[tokio::test]
async fn a_full_table_takes_changes_that_make_it_no_larger() {
    let disk = SimulatedDisk::new(1);
    let log = opened(config(&disk)).await;
    let value = || Some(vec![7; 60 << 10]);
    let mut keys = 0;
    while log.put(Table::Offsets, entry(&format!("{keys}"), value())).await.is_ok() {
        keys += 1;
    }
    log.put(Table::Offsets, entry("0", value())).await.unwrap();
    log.put(Table::Offsets, entry("0", None)).await.unwrap();
    log.put(Table::Offsets, entry("new", value())).await.unwrap();
}

#[tokio::test]
async fn an_empty_value_deletes_at_once_as_it_does_after_a_restart() {
    let disk = SimulatedDisk::new(1);
    let log = opened(config(&disk)).await;
    log.put(Table::Cursors, entry("k", Some(vec![1]))).await.unwrap();
    log.put(Table::Cursors, entry("k", Some(Vec::new()))).await.unwrap();
    assert!(log.entries(Table::Cursors).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_record_that_could_not_be_read_back_is_refused() {
    let disk = SimulatedDisk::new(1);
    let config = EmbeddedConfig { record_bytes_max: usize::MAX, ..config(&disk) };
    let log = opened(config).await;
    let refused = append(&log, "1", EmbeddedConfig::RECORD_BYTES_LIMIT + 1).await;
    assert!(matches!(refused, Err(AppendError::RecordTooLarge { .. })));
}

#[tokio::test]
async fn a_write_under_way_keeps_other_processes_out() {
    let disk = SimulatedDisk::new(1);
    let log = opened(config(&disk)).await;
    append(&log, "1", 1).await.unwrap();
    disk.delay(Operation::Write, Duration::from_millis(200));
    // The append is given up while it is written, and the log with it.
    let given_up = tokio::time::timeout(Duration::from_millis(50), append(&log, "old", 1)).await;
    assert!(given_up.is_err());
    drop(log);
    disk.delay(Operation::Write, Duration::ZERO);
    let log = opened(config(&disk)).await;
    let before = count(&log).await;
    append(&log, "new", 1).await.unwrap();
    assert_eq!(count(&log).await, before + 1, "nothing wrote into it");
}

#[tokio::test]
async fn a_last_batch_that_lost_the_first_bytes_of_its_offset_is_a_torn_tail() {
    for (before, lost) in [(0x101, 8), (0x101, 7), (1, 8)] {
        let disk = SimulatedDisk::new(1);
        // So soon behind the start that its end was not noted again.
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let log = opened(EmbeddedConfig { clock: Arc::new(move || now), ..config(&disk) }).await;
        for id in 0..=before {
            append(&log, &id.to_string(), 1).await.unwrap();
        }
        std::mem::forget(log);
        disk.kill();
        let path = std::path::Path::new("/log/a/00000000000000000000.log");
        let last = last_batch(&disk, path);
        let file = pluvio_log::disk::Disk::open(&disk, path).unwrap();
        file.write_at(&vec![0; lost], last).unwrap();
        file.sync().unwrap();
        drop(file);
        let log = opened(config(&disk)).await;
        assert_eq!(count(&log).await, before, "{lost} bytes lost");
        let span = append(&log, "new", 1).await.unwrap();
        assert_eq!(span.start, Offset::new(before as i64).unwrap());
    }
}

/// Where the last batch of a segment begins.
fn last_batch(disk: &SimulatedDisk, path: &std::path::Path) -> u64 {
    let file = pluvio_log::disk::Disk::open(disk, path).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let (mut at, mut last) = (0, 0);
    while let Ok(header) = Header::parse(&bytes[at..]) {
        (last, at) = (at, at + header.bytes);
    }
    last as u64
}
