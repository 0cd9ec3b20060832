//! What a reader met that is damaged: known to whoever asks how the log is, until it reads well again.

use std::{path::PathBuf, sync::Arc};

use pluvio_event::Event;
use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, Offset, Position, ReadError, ReadLimit, Record, SourceName,
    StreamName, disk::SimulatedDisk,
};

#[tokio::test]
async fn damage_that_a_reader_met_is_known_until_it_is_gone() {
    let disk = SimulatedDisk::new(1);
    let events = StreamName::events();
    let log = Embedded::open(EmbeddedConfig {
        disk: Arc::new(disk.clone()),
        reserve_bytes: 0,
        segment_bytes_max: 1,
        cache_bytes_max: 0,
        ..EmbeddedConfig::new("/log")
    });
    let log = log.unwrap();
    log.open(&events).await.unwrap();
    for id in ["0", "1", "2"] {
        let record = Record {
            event: Event::builder(id, "urn:cloud", "t").build().unwrap(),
            source: SourceName::new("cloud").unwrap(),
            position: Position::new(id).unwrap(),
            at_least: None,
        };
        log.append(&events, vec![record]).await.unwrap();
    }
    let damage = || log.health().streams.iter().find_map(|told| told.damage.clone());
    let read = async |from: i64| {
        let from = Offset::new(from).unwrap();
        log.read(&events, from, ReadLimit { records_max: 1, ..ReadLimit::default() }).await
    };
    let path = PathBuf::from(format!("/log/events/{:020}.log", 1));
    assert!(disk.flip(&path, 90, 1));
    assert_eq!(damage(), None, "nobody met it yet");
    for _ in 0..3 {
        assert!(matches!(read(1).await, Err(ReadError::Damaged { .. })));
    }
    let told = damage().unwrap();
    assert_eq!((told.path, told.offset.get(), told.places), (path.clone(), 1, 1));
    assert!(read(2).await.is_ok() && damage().is_some(), "another place reads well");
    assert!(disk.flip(&path, 90, 1));
    assert!(read(1).await.is_ok());
    assert_eq!(damage(), None, "it was the way there that was wrong");
    assert!(disk.flip(&path, 90, 1));
    assert!(read(1).await.is_err() && damage().is_some());
    log.trim(&events, Offset::new(2).unwrap()).await.unwrap();
    assert_eq!(damage(), None, "it was deleted");
}
