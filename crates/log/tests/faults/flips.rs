//! Single bytes that change by themselves, in sealed segments and their indexes.

use std::{collections::BTreeMap, sync::Arc};

use crate::power::variable;
use pluvio_event::{Data, Event};
use pluvio_log::{
    Embedded, EmbeddedConfig, EventId, Log as _, Offset, Position, ReadError, ReadLimit, Record,
    SourceName, StreamName, batch::Compression, disk::SimulatedDisk,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

const RECORDS: i64 = 60;
/// Changes tried, over all compressions, unless told otherwise: `cargo xtask faults` tries 10,000.
const FLIPS: u64 = 1000;

fn config(disk: &SimulatedDisk, compression: Compression) -> EmbeddedConfig {
    EmbeddedConfig {
        disk: Arc::new(disk.clone()),
        compression,
        segment_bytes_max: 700,
        reserve_bytes: 0,
        cache_bytes_max: 0,
        ..EmbeddedConfig::new("/log")
    }
}

async fn filled(disk: &SimulatedDisk, compression: Compression) -> BTreeMap<i64, Event> {
    let log = Embedded::open(config(disk, compression)).unwrap();
    let stream = StreamName::events();
    log.open(&stream).await.unwrap();
    let mut events = BTreeMap::new();
    for batch in 0..RECORDS / 3 {
        let records = (0..3).map(|n| {
            let id = (batch * 3 + n).to_string();
            let data = Data::json(format!("\"{}\"", id.repeat(60))).unwrap();
            let event = Event::builder(&*id, "urn:cloud", "t").data(data).build().unwrap();
            events.insert(batch * 3 + n, event.clone());
            Record {
                event,
                source: SourceName::new("cloud").unwrap(),
                position: Position::new(id).unwrap(),
                at_least: None,
            }
        });
        log.append(&stream, records.collect()).await.unwrap();
    }
    events
}

/// Whoever reads gets the events as they were, or is told which are damaged.
async fn serves_nothing_wrong(log: &Embedded, events: &BTreeMap<i64, Event>) -> bool {
    let (stream, mut from, mut is_told) = (StreamName::events(), Offset::ZERO, false);
    let mut seen = BTreeMap::new();
    let one = ReadLimit { records_max: 1, ..ReadLimit::default() };
    while let Some(end) = Offset::new(RECORDS).filter(|end| from < *end) {
        match log.read(&stream, from, one).await {
            Ok(chunk) => {
                for record in chunk.records() {
                    seen.insert(record.offset.get(), record.event().unwrap());
                }
                from = chunk.next.min(end);
            }
            Err(ReadError::Damaged { offset, .. }) => {
                is_told = true;
                from = from.max(offset).following();
            }
            Err(other) => panic!("{other}"),
        }
    }
    for (offset, event) in &seen {
        assert_eq!(events.get(offset), Some(event), "a wrong event was served");
    }
    assert!(is_told || seen.len() == events.len(), "events are missing and nobody was told");
    is_told
}

#[tokio::test]
async fn no_byte_that_changed_is_served_as_a_good_event() {
    let seed = variable("PLUVIO_FAULTS_SEED").unwrap_or_else(rand::random);
    let flips = variable("PLUVIO_FAULTS_FLIPS").unwrap_or(FLIPS);
    let random = &mut StdRng::seed_from_u64(seed);
    for compression in [Compression::None, Compression::Lz4] {
        let disk = SimulatedDisk::new(1);
        let events = filled(&disk, compression).await;
        disk.kill();
        let paths = disk.paths();
        let last = paths
            .iter()
            .rfind(|p| p.extension().is_some_and(|e| e == "log") && p.starts_with("/log/events"));
        let active = last.unwrap().clone();
        let sealed: Vec<_> = paths
            .into_iter()
            .filter(|path| path.starts_with("/log/events") && *path != active)
            .filter(|path| path.extension().is_some_and(|e| e == "log" || e == "idx"))
            .collect();
        assert!(sealed.len() > 6);
        let log = Embedded::open(config(&disk, compression)).unwrap();
        for _ in 0..flips / 2 {
            let path = &sealed[random.random_range(0..sealed.len())];
            let before = disk.read_file(path).unwrap();
            let byte = random.random_range(0..before.len() as u64);
            let xor = random.random_range(1..=255);
            assert!(disk.flip(path, byte, xor));
            let told = format!("seed {seed}: {} byte {byte} xor {xor}", path.display());
            let is_segment = path.extension().is_some_and(|extension| extension == "log");
            let is_damaged = serves_nothing_wrong(&log, &events).await;
            assert!(is_damaged || !is_segment || is_epoch(&before, byte), "{told}: nobody noticed");
            let ids: Vec<_> = (0..RECORDS).step_by(7).map(|n| n.to_string()).collect();
            let ids = ids.into_iter().map(|id| EventId { source: "urn:cloud".into(), id });
            if !is_segment {
                let found =
                    log.find(&StreamName::events(), &ids.collect::<Vec<_>>()).await.unwrap();
                assert!(found.iter().all(Option::is_some), "{told}: an id was lost");
                continue; // The index was made again, or nobody read that part of it.
            }
            assert!(disk.flip(path, byte, xor));
        }
    }
}

/// The leader epoch carries nothing: neither the checksum nor a reader looks at it.
fn is_epoch(segment: &[u8], byte: u64) -> bool {
    let mut at = 0;
    while at + 12 <= segment.len() {
        let length = u32::from_be_bytes(segment[at + 8..at + 12].try_into().unwrap()) as usize;
        if (at + 12..at + 16).contains(&(byte as usize)) {
            return true;
        }
        at += 12 + length;
    }
    false
}
