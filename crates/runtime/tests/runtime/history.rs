//! What a source may believe of its own past.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use pluvio_event::Event;
use pluvio_log::{
    IDS_OUTLIVE, Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, Record, SourceName,
    StreamName,
};
use pluvio_runtime::History;

#[tokio::test]
async fn ids_are_known_as_far_back_as_records_or_a_day_reach_once_retention_took_some() {
    let now = Timestamp::now();
    let says = Arc::new(Mutex::new(now - SignedDuration::from_hours(60)));
    let clock = Arc::clone(&says);
    let config =
        MemoryConfig { clock: Arc::new(move || *clock.lock().unwrap()), ..Default::default() };
    let log = LogHandle::new(Memory::new(config));
    let (events, source) = (StreamName::events(), SourceName::new("a").unwrap());
    log.open(&events).await.unwrap();
    let history = History::new(log.clone(), events.clone(), source.clone());
    let append = async |id: i64, hours_ago: i64| {
        *says.lock().unwrap() = now - SignedDuration::from_hours(hours_ago);
        let event = Event::builder(id.to_string(), "urn:a", "t").build().unwrap();
        let position = Position::new("").unwrap();
        let record = Record { event, source: source.clone(), position, at_least: None };
        log.append(&events, vec![record]).await.unwrap();
    };
    for (id, hours_ago) in [(0, 60), (1, 40), (2, 1)] {
        append(id, hours_ago).await;
    }
    assert_eq!(history.remembers_from().await.unwrap(), None, "nothing is gone");
    let hour = SignedDuration::from_hours(1);
    for (gone, hours_ago) in [(1, SignedDuration::from_hours(40)), (2, IDS_OUTLIVE)] {
        log.trim(&events, Offset::new(gone).unwrap()).await.unwrap();
        let from = history.remembers_from().await.unwrap().unwrap();
        let off = from.duration_since(now - hours_ago).abs();
        assert!(off < hour, "{gone} gone: {from}");
    }
    // What a clock that is ahead for a while has forgotten is forgotten once it is right, too.
    append(3, 1).await;
    log.trim(&events, Offset::new(3).unwrap()).await.unwrap();
    *says.lock().unwrap() = now + SignedDuration::from_hours(30);
    log.maintain().await;
    *says.lock().unwrap() = now;
    let from = history.remembers_from().await.unwrap().unwrap();
    assert!(from.duration_since(now - hour).abs() < SignedDuration::from_secs(1), "{from}");
}
