//! Several batches and one sync: what is broken in a group that another one follows was acknowledged; what is broken
//! in the last one was perhaps never written.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use pluvio_event::Event;
use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, Offset, OpenError, Position, Record, SourceName,
    StreamName,
    batch::Header,
    disk::{Disk as _, SimulatedDisk},
    inspect::{self, Repair},
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
    killed_with(1).await
}

/// The same, with records `apart` offsets from each other.
async fn killed_with(apart: usize) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let log = Embedded::open(config(&disk)).unwrap();
    log.open(&StreamName::events()).await.unwrap();
    for group in 0..GROUPS {
        let records = (0..BATCHES).map(|batch| record(group * BATCHES + batch, apart));
        log.append(&StreamName::events(), records.collect()).await.unwrap();
    }
    std::mem::forget(log);
    disk.kill();
    disk
}

fn record(nth: usize, apart: usize) -> Record {
    Record {
        event: Event::builder(format!("{nth}"), "urn:cloud", "t").build().unwrap(),
        source: SourceName::new("cloud").unwrap(),
        position: Position::new("p").unwrap(),
        at_least: Offset::new((nth * apart) as i64),
    }
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

/// One bit of an offset, which no checksum covers, in each of its bytes: where it is not of the last group, no sound
/// batch is cut.
#[tokio::test]
async fn an_offset_that_rots_into_a_greater_one_costs_its_own_batch_and_none_behind_it() {
    for (broken, byte) in (0..(GROUPS - 1) * BATCHES).flat_map(|nth| (0..7).map(move |n| (nth, n)))
    {
        let what = format!("byte {byte} of the offset of batch {broken}");
        let disk = killed().await;
        // It is noted where the first group ends: what lies before is not looked at by a start.
        disk.remove(Path::new("/log/ENDS")).unwrap();
        let (at, _) = batches(&disk)[broken];
        assert!(disk.flip(segment(), at + byte, 1));
        match Embedded::open(config(&disk)) {
            Err(OpenError::Damaged { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
            Ok(_) => panic!("{what}: a start takes it"),
        }
        assert!(is_damaged(&disk), "{what}: `verify` says nothing");
        let told = repaired(&disk);
        let named = format!("records {broken} to {broken} are lost");
        assert!(told.iter().any(|step| step.contains(&named)), "{what}: {told:?}");
        let log = Embedded::open(config(&disk)).unwrap();
        let next = log.extent(&StreamName::events()).unwrap().next.get();
        assert_eq!(next, (GROUPS * BATCHES) as i64, "{what}");
    }
}

/// What a repair says that it does.
fn repaired(disk: &SimulatedDisk) -> Vec<String> {
    let mut told = Vec::new();
    let repair = Repair::plan(Arc::new(disk.clone()), Path::new("/log"), &mut |_, _| {}).unwrap();
    repair.apply(&mut |done| told.push(done.what)).unwrap();
    told
}

fn is_damaged(disk: &SimulatedDisk) -> bool {
    let verified = inspect::verify(disk, Path::new("/log"), &mut |_, _| {}).unwrap();
    verified.damage().next().is_some()
}

#[tokio::test]
async fn a_batch_taken_out_in_front_of_another_of_its_group_is_told_and_named_as_lost() {
    let in_front = (0..GROUPS * BATCHES).filter(|nth| nth % BATCHES < BATCHES - 1);
    for (taken, is_noted) in in_front.flat_map(|nth| [(nth, true), (nth, false)]) {
        let disk = killed().await;
        let (from, to) = (batches(&disk)[taken].0, batches(&disk)[taken + 1].0);
        let file = disk.open(segment()).unwrap();
        let mut behind = vec![0; (file.len().unwrap() - to) as usize];
        file.read_at(&mut behind, to).unwrap();
        file.write_at(&behind, from).unwrap();
        file.set_len(from + behind.len() as u64).unwrap();
        drop(file);
        if !is_noted {
            disk.remove(Path::new("/log/ENDS")).unwrap();
        }
        let refused = Embedded::open(config(&disk));
        assert!(matches!(refused, Err(OpenError::Damaged { .. })), "batch {taken} was not missed");
        assert!(is_damaged(&disk), "batch {taken}");
        let told = repaired(&disk);
        let named = format!("records {taken} to {taken} are lost");
        assert!(told.iter().any(|step| step.contains(&named)), "batch {taken}: {told:?}");
        assert!(!is_damaged(&disk), "batch {taken}");
        let log = Embedded::open(config(&disk)).unwrap();
        let next = log.extent(&StreamName::events()).unwrap().next.get();
        assert_eq!(next, (GROUPS * BATCHES) as i64, "batch {taken}");
    }
}

/// What lies between two batches of a group may never have been given out.
#[tokio::test]
async fn offsets_that_a_group_left_out_are_no_loss_not_even_behind_a_repair_in_it() {
    const APART: usize = 10;
    for is_sealed in [false, true] {
        for broken in 0..(GROUPS - 1) * BATCHES {
            let disk = killed_with(APART).await;
            assert!(!is_damaged(&disk));
            let log = Embedded::open(EmbeddedConfig {
                segment_bytes_max: if is_sealed { 1 } else { 1 << 20 },
                ..config(&disk)
            });
            let log = log.unwrap();
            let last = record(GROUPS * BATCHES, APART);
            log.append(&StreamName::events(), vec![last]).await.unwrap();
            drop(log);
            let (at, _) = batches(&disk)[broken];
            assert!(disk.flip(segment(), at + 30, 1));
            assert!(is_damaged(&disk));
            repaired(&disk);
            assert!(!is_damaged(&disk), "batch {broken}, sealed: {is_sealed}");
            assert!(repaired(&disk).is_empty(), "batch {broken}, sealed: {is_sealed}");
            assert!(Embedded::open(config(&disk)).is_ok(), "batch {broken}, sealed: {is_sealed}");
        }
    }
}
