//! A disk that answers with errors, and one without room.

use std::{path::Path, sync::Arc};

use pluvio_event::{Data, Event};
use pluvio_log::{
    AppendError, Embedded, EmbeddedConfig, Entry, EventId, Log as _, Offset, OpenError, Position,
    ReadLimit, Record, Shortage, SourceName, Span, StreamName, Table, Trouble,
    batch::Compression,
    disk::{Disk as _, Failure, Fault, Operation, SimulatedDisk},
};

fn config(disk: &SimulatedDisk) -> EmbeddedConfig {
    EmbeddedConfig { disk: Arc::new(disk.clone()), reserve_bytes: 0, ..EmbeddedConfig::new("/log") }
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

async fn append(log: &Embedded, name: &str, id: &str) -> Result<Span, AppendError> {
    let record = Record {
        event: Event::builder(id, "urn:cloud", "t").build().unwrap(),
        source: SourceName::new("cloud").unwrap(),
        position: Position::new(format!("after {id}")).unwrap(),
        at_least: None,
    };
    log.append(&stream(name), vec![record]).await
}

async fn ids(log: &Embedded, name: &str) -> Vec<String> {
    let limit = ReadLimit { records_max: usize::MAX, ..ReadLimit::default() };
    let (mut ids, mut from) = (Vec::new(), log.extent(&stream(name)).unwrap().start);
    loop {
        let chunk = log.read(&stream(name), from, limit).await.unwrap();
        if chunk.is_empty() {
            return ids;
        }
        ids.extend(chunk.records().map(|record| record.event().unwrap().id().to_owned()));
        from = chunk.next;
    }
}

fn trouble(log: &Embedded, name: &str) -> Option<Trouble> {
    let health = log.health();
    let told = health.streams.iter().find(|told| told.stream == stream(name)).unwrap();
    told.trouble.clone()
}

async fn two_streams(disk: &SimulatedDisk) -> Embedded {
    let log = Embedded::open(config(disk)).unwrap();
    for name in ["a", "b"] {
        log.open(&stream(name)).await.unwrap();
        append(&log, name, "1").await.unwrap();
    }
    log
}

#[tokio::test]
async fn a_failed_sync_stops_its_stream_tells_why_and_leaves_the_others_alone() {
    let disk = SimulatedDisk::new(1);
    let log = two_streams(&disk).await;
    disk.inject(Fault::new(Operation::Sync, Failure::Io).on("/a/"));
    let refused = append(&log, "a", "2").await;
    assert!(matches!(refused, Err(AppendError::Stopped { .. })), "{refused:?}");
    let again = append(&log, "a", "2").await;
    assert!(matches!(again, Err(AppendError::Stopped { .. })), "never tried again");
    assert!(matches!(trouble(&log, "a"), Some(Trouble::Stopped(_))));
    append(&log, "b", "2").await.unwrap();
    assert_eq!(
        (ids(&log, "a").await, ids(&log, "b").await),
        (vec!["1".into()], vec!["1".into(), "2".into()])
    );
    drop(log);
    disk.kill();
    let log = Embedded::open(config(&disk)).unwrap();
    assert_eq!(ids(&log, "a").await, ["1"], "what was never acknowledged is not there");
    append(&log, "a", "2").await.unwrap();
}

#[tokio::test]
async fn a_failed_write_stops_its_stream_and_nothing_of_it_is_found_later() {
    let disk = SimulatedDisk::new(2);
    let log = two_streams(&disk).await;
    disk.inject(Fault::new(Operation::Write, Failure::Io).on("/a/"));
    assert!(append(&log, "a", "2").await.is_err());
    append(&log, "b", "2").await.unwrap();
    drop(log);
    disk.restart();
    let log = Embedded::open(config(&disk)).unwrap();
    assert_eq!(ids(&log, "a").await, ["1"]);
}

#[tokio::test]
async fn a_failed_read_is_told_and_the_next_one_may_work() {
    let disk = SimulatedDisk::new(3);
    let log = two_streams(&disk).await;
    drop(log);
    disk.kill();
    let mut config = config(&disk);
    config.cache_bytes_max = 0;
    let log = Embedded::open(config).unwrap();
    disk.inject(Fault::new(Operation::Read, Failure::Io).on("/a/"));
    let failed = log.read(&stream("a"), Offset::ZERO, ReadLimit::default()).await;
    assert!(failed.unwrap_err().to_string().contains("/log/a/00000000000000000000.log"));
    assert_eq!(ids(&log, "a").await, ["1"]);
}

#[tokio::test]
async fn a_full_disk_refuses_appends_and_serves_on_and_goes_on_by_itself() {
    let disk = SimulatedDisk::new(4);
    let log = two_streams(&disk).await;
    let mut acknowledged = vec!["1".to_owned()];
    for round in 0..5 {
        // Some bytes more than there are, so that it is not always the same write that fails.
        let used: u64 = disk.paths().iter().map(|p| disk.read_file(p).unwrap().len() as u64).sum();
        disk.capacity(Some(used + round * 37));
        let mut refusals = 0;
        for number in 0.. {
            let id = format!("{round}-{number}");
            match append(&log, "a", &id).await {
                Ok(_) => acknowledged.push(id),
                Err(AppendError::DiskFull { .. }) if refusals < 3 => refusals += 1,
                Err(AppendError::DiskFull { .. }) => break,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(matches!(trouble(&log, "a"), Some(Trouble::Full { .. })));
        assert_eq!(ids(&log, "a").await, acknowledged, "it is served as before");
        disk.capacity(None);
        let id = format!("{round}-room");
        append(&log, "a", &id).await.unwrap();
        acknowledged.push(id);
        assert_eq!(trouble(&log, "a"), None);
    }
    drop(log);
    disk.restart();
    let log = Embedded::open(config(&disk)).unwrap();
    assert_eq!(ids(&log, "a").await, acknowledged, "none twice: what was refused is not there");
}

#[tokio::test]
async fn an_append_of_several_batches_that_finds_no_room_for_a_later_one_leaves_none_of_them() {
    let disk = SimulatedDisk::new(21);
    let plain = || EmbeddedConfig { compression: Compression::None, ..config(&disk) };
    let log = Embedded::open(plain()).unwrap();
    log.open(&stream("a")).await.unwrap();
    append(&log, "a", "1").await.unwrap();
    let many = |round: u64| -> Vec<_> {
        let data = Data::json(format!("\"{}\"", "x".repeat(800))).unwrap();
        let record = |number| Record {
            event: Event::builder(format!("{round}-{number}"), "urn:cloud", "t")
                .data(data.clone())
                .build()
                .unwrap(),
            source: SourceName::new("cloud").unwrap(),
            position: Position::new(format!("after {round}-{number}")).unwrap(),
            at_least: None,
        };
        (0..1500).map(record).collect()
    };
    let mut refusals = 0;
    for round in 0.. {
        let used: u64 = disk.paths().iter().map(|p| disk.read_file(p).unwrap().len() as u64).sum();
        disk.capacity(Some(used + round * 150_000));
        match log.append(&stream("a"), many(round)).await {
            Ok(_) => break,
            Err(AppendError::DiskFull { .. }) => refusals += 1,
            Err(other) => panic!("{other}"),
        }
        assert_eq!(ids(&log, "a").await, ["1"]);
    }
    assert!(refusals > 4, "there was room too early: {refusals}");
    let last = ids(&log, "a").await;
    assert_eq!(last.len(), 1501);
    drop(log);
    disk.restart();
    let log = Embedded::open(plain()).unwrap();
    assert_eq!(ids(&log, "a").await, last, "what was refused is not there");
}

#[tokio::test]
async fn a_stream_that_may_open_no_file_takes_nothing_until_it_may_and_loses_nothing() {
    // Every call of a roll that opens something: the mark's table, the index, the next segment.
    let opens = [
        (Operation::Create, "/a/", 0),
        (Operation::SyncFolder, "/log/a", 0),
        (Operation::Create, "/a/", 1),
        (Operation::SyncFolder, "/log/a", 1),
    ];
    for (seed, (operation, part, after)) in (20..).zip(opens) {
        let told = format!("{operation:?} {part} after {after}");
        let disk = SimulatedDisk::new(seed);
        let small = EmbeddedConfig { segment_bytes_max: 1, ..config(&disk) };
        let log = Embedded::open(small.clone()).unwrap();
        log.open(&stream("a")).await.unwrap();
        append(&log, "a", "1").await.unwrap();
        disk.inject(Fault::new(operation, Failure::Files).on(part).after(after).times(1));
        let refused = append(&log, "a", "2").await.unwrap_err();
        assert!(
            matches!(refused, AppendError::DiskFull { shortage: Shortage::Files, .. }),
            "{told}: {refused}"
        );
        assert_eq!(trouble(&log, "a"), Some(Trouble::NoFiles), "{told}");
        assert!(Trouble::NoFiles.to_string().contains("LimitNOFILE="));
        for id in ["2", "3"] {
            append(&log, "a", id).await.unwrap_or_else(|error| panic!("{told}: {error}"));
        }
        assert_eq!(trouble(&log, "a"), None, "{told}");
        drop(log);
        disk.kill();
        let log = Embedded::open(small).unwrap();
        assert_eq!(ids(&log, "a").await, ["1", "2", "3"], "{told}: none twice, none lost");
    }
}

#[tokio::test]
async fn a_table_that_may_open_no_file_keeps_its_entries_where_they_are() {
    let opens = [(Operation::Create, 0), (Operation::SyncFolder, 0), (Operation::SyncFolder, 1)];
    for (seed, (operation, after)) in (30..).zip(opens) {
        let disk = SimulatedDisk::new(seed);
        let log = Embedded::open(config(&disk)).unwrap();
        let put = async |round: u8| {
            let value = Some(vec![round; 60 << 10].into());
            log.put(Table::Offsets, vec![Entry { key: "key".into(), value }]).await.unwrap();
        };
        let fault = Fault::new(operation, Failure::Files).on("__offsets").after(after).times(2);
        disk.inject(fault);
        // Several rewrites: the table is written anew each 4 MiB.
        for round in 0..=255 {
            put(round).await;
        }
        drop(log);
        disk.kill();
        let log = Embedded::open(config(&disk)).unwrap();
        let entries = log.entries(Table::Offsets).await.unwrap();
        let newest = entries.get(&b"key"[..]).map(|value| value[0]);
        assert_eq!(newest, Some(255), "{operation:?} after {after}");
        let segments = disk.paths().into_iter().filter(|path| {
            let path = path.to_string_lossy();
            path.contains("__offsets") && path.ends_with(".log")
        });
        assert!(segments.count() <= 2, "{operation:?} after {after}: nothing piles up");
    }
}

#[tokio::test]
async fn nothing_is_appended_that_would_take_the_reserve() {
    let disk = SimulatedDisk::new(5);
    let log = Embedded::open(EmbeddedConfig { reserve_bytes: 1 << 20, ..config(&disk) }).unwrap();
    log.open(&stream("a")).await.unwrap();
    disk.capacity(Some(1 << 20));
    let refused = append(&log, "a", "1").await;
    let Err(AppendError::DiskFull { shortage, .. }) = refused else { panic!("{refused:?}") };
    assert!(matches!(shortage, Shortage::Room { reserve_bytes: 1_048_576, .. }), "{shortage:?}");
    let position = Position::new("looked").unwrap();
    let source = SourceName::new("cloud").unwrap();
    log.checkpoint(&stream("a"), &source, position).await.unwrap();
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_is_there() {
    let disk = SimulatedDisk::new(6);
    let _first = Embedded::open(config(&disk)).unwrap();
    let refused = Embedded::open(config(&disk)).map(drop).unwrap_err().to_string();
    assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_says_which_release_wrote_it() {
    let disk = SimulatedDisk::new(7);
    drop(two_streams(&disk).await);
    disk.kill();
    let manifest = Path::new("/log/a/stream.json");
    disk.remove(manifest).unwrap();
    let newer = br#"{"format":2,"release":"9.1.0","whatever":"it likes"}"#;
    disk.create(manifest).unwrap().write_at(newer, 0).unwrap();
    let refused = Embedded::open(config(&disk)).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::FormatTooNew { format: 2, newest: 1, .. }));
    assert!(refused.to_string().contains("pluvio 9.1.0"), "{refused}");
}

#[tokio::test]
async fn damage_in_the_middle_is_refused_with_its_place_and_what_to_run() {
    let disk = SimulatedDisk::new(8);
    let log = two_streams(&disk).await;
    append(&log, "a", "2").await.unwrap();
    append(&log, "a", "3").await.unwrap();
    drop(log);
    disk.kill();
    let segment = "/log/a/00000000000000000000.log";
    let before = disk.read_file(segment).unwrap();
    let second = 12 + u32::from_be_bytes(before[8..12].try_into().unwrap()) as u64;
    assert!(disk.flip(segment, second + 70, 1));
    let refused = Embedded::open(config(&disk)).map(drop).unwrap_err().to_string();
    assert!(refused.contains(&format!("`{segment}` is damaged at byte {second}, at offset 1")));
    assert!(refused.contains("pluvio log repair"), "{refused}");
    let after = disk.read_file(segment).unwrap();
    assert_eq!(after.len(), before.len(), "nothing was cut");
}

#[tokio::test]
async fn a_segment_that_is_missing_between_others_is_noticed() {
    let disk = SimulatedDisk::new(9);
    let small = EmbeddedConfig { segment_bytes_max: 1, ..config(&disk) };
    let log = Embedded::open(small.clone()).unwrap();
    log.open(&stream("a")).await.unwrap();
    for id in ["1", "2", "3", "4"] {
        append(&log, "a", id).await.unwrap();
    }
    drop(log);
    disk.kill();
    disk.remove(Path::new("/log/a/00000000000000000001.log")).unwrap();
    let refused = Embedded::open(small).map(drop).unwrap_err().to_string();
    assert!(refused.contains("00000000000000000001.log` is damaged"), "{refused}");
    assert!(refused.contains("the next segment begins at 2"), "{refused}");
}

#[tokio::test]
async fn a_batch_whose_offset_changed_is_damage_and_costs_no_batch_behind_it() {
    let disk = SimulatedDisk::new(10);
    let log = two_streams(&disk).await;
    for id in ["2", "3"] {
        append(&log, "a", id).await.unwrap();
    }
    drop(log);
    disk.kill();
    let segment = "/log/a/00000000000000000000.log";
    let before = disk.read_file(segment).unwrap();
    assert!(disk.flip(segment, 5, 1), "the base offset is not under the checksum");
    let refused = Embedded::open(config(&disk)).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert_eq!(disk.read_file(segment).unwrap().len(), before.len(), "nothing was cut");
}

#[tokio::test]
async fn ids_of_deleted_records_are_given_up_when_their_index_is_damaged_and_that_is_told() {
    let disk = SimulatedDisk::new(11);
    let log = Embedded::open(EmbeddedConfig { segment_bytes_max: 1, ..config(&disk) }).unwrap();
    log.open(&stream("a")).await.unwrap();
    for id in ["1", "2", "3"] {
        append(&log, "a", id).await.unwrap();
    }
    log.trim(&stream("a"), Offset::new(2).unwrap()).await.unwrap();
    for ghost in ["/log/a/00000000000000000000.idx", "/log/a/00000000000000000001.idx"] {
        let last = disk.read_file(ghost).unwrap().len() as u64 - 1;
        assert!(disk.flip(ghost, last, 1));
    }
    let id = |id: &str| EventId { source: "urn:cloud".to_owned(), id: id.to_owned() };
    let ids = [id("1"), id("2"), id("3"), id("x")];
    let refused = log.find(&stream("a"), &ids).await.unwrap_err().to_string();
    assert!(refused.contains("the ids of deleted records in it are forgotten"), "{refused}");
    // Once, however many are damaged.
    let found = log.find(&stream("a"), &ids).await.unwrap();
    let found: Vec<_> = found.iter().map(|found| found.map(|found| found.offset.get())).collect();
    assert_eq!(found, [None, None, Some(2), None]);
    assert!(log.extent(&stream("a")).unwrap().ids_forgotten_until.is_some());
}

#[tokio::test]
async fn ids_are_found_and_others_not_however_often_they_are_asked_for() {
    let disk = SimulatedDisk::new(33);
    let log = with_a_ghost(&disk).await;
    let ids = ["1", "2", "3", "x"].map(|id| EventId { source: "urn:cloud".into(), id: id.into() });
    for _ in 0..3 {
        let found = log.find(&stream("a"), &ids).await.unwrap();
        let offsets: Vec<_> = found.iter().map(|it| it.map(|it| it.offset.get())).collect();
        assert_eq!(offsets, [Some(0), Some(1), Some(2), None]);
    }
    // By now a filter in memory says that it is nowhere.
    disk.inject(Fault::new(Operation::Read, Failure::Files).on(".idx").times(1));
    assert_eq!(log.find(&stream("a"), &ids[3..]).await.unwrap(), [None]);
    log.find(&stream("a"), &ids[..1]).await.unwrap_err();
}

/// A log whose first record was deleted; its id is known by an index alone.
async fn with_a_ghost(disk: &SimulatedDisk) -> Embedded {
    let log = Embedded::open(EmbeddedConfig { segment_bytes_max: 1, ..config(disk) }).unwrap();
    log.open(&stream("a")).await.unwrap();
    for id in ["1", "2", "3"] {
        append(&log, "a", id).await.unwrap();
    }
    log.trim(&stream("a"), Offset::new(1).unwrap()).await.unwrap();
    log
}

#[tokio::test]
async fn a_shortage_of_open_files_makes_no_id_of_a_deleted_record_forgotten() {
    for (seed, operation) in [(30, Operation::Open), (31, Operation::Read)] {
        let disk = SimulatedDisk::new(seed);
        let log = with_a_ghost(&disk).await;
        let ids = ["1", "x"].map(|id| EventId { source: "urn:cloud".into(), id: id.into() });
        let shortage = || Fault::new(operation, Failure::Files).on("00000000.idx").times(1);
        disk.inject(shortage());
        let refused = log.find(&stream("a"), &ids).await.unwrap_err();
        assert!(matches!(refused, pluvio_log::ReadError::Disk { .. }), "{refused}");
        let found = log.find(&stream("a"), &ids).await.unwrap();
        let offsets: Vec<_> = found.iter().map(|it| it.map(|it| it.offset.get())).collect();
        assert_eq!(offsets, [Some(0), None]);
        assert_eq!(log.extent(&stream("a")).unwrap().ids_forgotten_until, None);
        drop(log);
        disk.restart();
        disk.inject(shortage());
        let again = EmbeddedConfig { segment_bytes_max: 1, ..config(&disk) };
        let refused = Embedded::open(again.clone()).map(drop).unwrap_err();
        assert!(refused.to_string().contains("00000000.idx"), "{refused}");
        let log = Embedded::open(again).unwrap();
        let found = log.find(&stream("a"), &ids).await.unwrap();
        assert!(found[0].is_some(), "nothing was removed at the start that failed");
    }
}

#[tokio::test]
async fn a_start_that_finds_the_ids_of_deleted_records_damaged_tells_from_when_on_ids_are_known() {
    let disk = SimulatedDisk::new(32);
    drop(with_a_ghost(&disk).await);
    disk.restart();
    assert!(disk.flip("/log/a/00000000000000000000.idx", 3, 1));
    let log = Embedded::open(EmbeddedConfig { segment_bytes_max: 1, ..config(&disk) }).unwrap();
    log.open(&stream("a")).await.unwrap();
    assert!(log.extent(&stream("a")).unwrap().ids_forgotten_until.is_some());
}

#[tokio::test]
async fn a_first_or_last_segment_that_is_missing_is_noticed() {
    for (seed, gone, told) in [
        (12, "00000000000000000000.log", "the first segment begins at 1"),
        (13, "00000000000000000003.log", "records up to 3 are missing"),
    ] {
        let disk = SimulatedDisk::new(seed);
        let small = EmbeddedConfig { segment_bytes_max: 1, ..config(&disk) };
        let log = Embedded::open(small.clone()).unwrap();
        log.open(&stream("a")).await.unwrap();
        for id in ["1", "2", "3", "4"] {
            append(&log, "a", id).await.unwrap();
        }
        drop(log);
        disk.kill();
        disk.remove(Path::new(&format!("/log/a/{gone}"))).unwrap();
        if seed == 13 {
            // The one before as well: the mark was written when it was sealed.
            disk.remove(Path::new("/log/a/00000000000000000002.log")).unwrap();
            // Even if nobody noted where the stream ended.
            disk.remove(Path::new("/log/ENDS")).unwrap();
        }
        let refused = Embedded::open(small).map(drop).unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}
