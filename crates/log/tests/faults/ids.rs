//! What looking for ids of long ago costs others.

use std::sync::Arc;

use pluvio_event::{Data, Event};
use pluvio_log::{
    Embedded, EmbeddedConfig, EventId, Log as _, Position, ReadLimit, Record, SourceName,
    StreamName,
    disk::{Failure, Fault, Operation, SimulatedDisk},
};

const BATCHES: usize = 60;
const RECORDS: usize = 16;
const DATA_BYTES: usize = 2 << 10;
/// Of some ten batches.
const CACHE_BYTES: u64 = 512 << 10;

fn id(batch: usize, record: usize) -> EventId {
    EventId { source: "urn:cloud".to_owned(), id: format!("{batch}-{record}") }
}

fn record(id: &EventId) -> Record {
    let data = Data::json(format!("\"{}\"", "x".repeat(DATA_BYTES))).unwrap();
    Record {
        event: Event::builder(&*id.id, &*id.source, "t").data(data).build().unwrap(),
        source: SourceName::new("cloud").unwrap(),
        position: Position::new(format!("after {}", id.id)).unwrap(),
        at_least: None,
    }
}

/// A sweep asks for each event of a day. Whoever follows the newest must not notice.
#[tokio::test]
async fn looking_for_ids_of_long_ago_leaves_in_memory_what_is_read_now() {
    let disk = SimulatedDisk::new(40);
    let stream = StreamName::new("a").unwrap();
    let log = Embedded::open(EmbeddedConfig {
        disk: Arc::new(disk.clone()),
        reserve_bytes: 0,
        segment_bytes_max: 64 << 10,
        cache_bytes_max: CACHE_BYTES,
        ..EmbeddedConfig::new("/log")
    });
    let log = log.unwrap();
    log.open(&stream).await.unwrap();
    for batch in 0..BATCHES {
        let records = (0..RECORDS).map(|number| record(&id(batch, number))).collect();
        log.append(&stream, records).await.unwrap();
    }
    let newest = log.extent(&stream).unwrap().latest.unwrap();
    // Twice, for what is asked for again is kept longer.
    let old = BATCHES - 1;
    for batch in (0..old).chain(0..old) {
        let ids: Vec<_> = (0..RECORDS).rev().map(|number| id(batch, number)).collect();
        let found = log.find(&stream, &ids).await.unwrap();
        let found: Vec<_> = found.iter().map(|it| it.unwrap().offset.get() as usize).collect();
        let there: Vec<_> = (0..RECORDS).rev().map(|number| batch * RECORDS + number).collect();
        assert_eq!(found, there);
    }
    disk.inject(Fault::new(Operation::Read, Failure::Io).on(".log"));
    let chunk = log.read(&stream, newest, ReadLimit::default()).await.unwrap();
    assert_eq!(chunk.records().count(), 1, "read without the disk");
}
