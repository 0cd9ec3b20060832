//! Several batches and one sync: what is broken in a group that another one follows was acknowledged; what is broken
//! in the last one was perhaps never written.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use pluvio_event::Event;
use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, OpenError, Position, Record, SourceName, StreamName,
    batch::Header,
    disk::{Disk as _, SimulatedDisk},
};

const GROUPS: usize = 3;
const BATCHES: usize = 3;

/// Each record has a batch of its own, and the end is noted once, behind the first group.
fn config(disk: &SimulatedDisk) -> EmbeddedConfig {
    let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
    EmbeddedConfig {
        disk: Arc::new(disk.clone()),
        reserve_bytes: 0,
        batch_bytes_max: 1,
        clock: Arc::new(move || now),
        ..EmbeddedConfig::new("/log")
    }
}

/// A log whose process was killed behind its last group.
async fn killed() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let log = Embedded::open(config(&disk)).unwrap();
    log.open(&StreamName::events()).await.unwrap();
    for group in 0..GROUPS {
        let records = (0..BATCHES).map(|batch| Record {
            event: Event::builder(format!("{group}-{batch}"), "urn:cloud", "t").build().unwrap(),
            source: SourceName::new("cloud").unwrap(),
            position: Position::new("p").unwrap(),
            at_least: None,
        });
        log.append(&StreamName::events(), records.collect()).await.unwrap();
    }
    std::mem::forget(log);
    disk.kill();
    disk
}

fn segment() -> &'static Path {
    Path::new("/log/events/00000000000000000000.log")
}

/// The byte at which each batch begins, and whether it begins a group.
fn batches(disk: &SimulatedDisk) -> Vec<(u64, bool)> {
    let file = disk.open(segment()).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let (mut at, mut batches) = (0, Vec::new());
    while let Ok(header) = Header::parse(&bytes[at..]) {
        batches.push((at as u64, header.begins_group()));
        at += header.bytes;
    }
    batches
}

#[tokio::test]
async fn each_batch_says_whether_it_begins_a_group() {
    let begins: Vec<bool> = batches(&killed().await).iter().map(|(_, begins)| *begins).collect();
    assert_eq!(begins, [true, false, false].repeat(GROUPS));
}

#[tokio::test]
async fn a_broken_batch_is_damage_if_another_group_lies_behind_it_and_else_a_write_that_never_ended()
 {
    for broken in 0..GROUPS * BATCHES {
        let disk = killed().await;
        let (at, _) = batches(&disk)[broken];
        assert!(disk.flip(segment(), at + 30, 1));
        let is_in_last = broken >= (GROUPS - 1) * BATCHES;
        match Embedded::open(config(&disk)) {
            Ok(log) if is_in_last => {
                let next = log.extent(&StreamName::events()).unwrap().next.get();
                assert_eq!(next, broken as i64, "what lies before it is kept");
            }
            Err(OpenError::Damaged { byte, .. }) if !is_in_last => assert_eq!(byte, at),
            Ok(_) => panic!("batch {broken} was acknowledged"),
            Err(error) => panic!("batch {broken}: {error}"),
        }
    }
}
