//! The log in memory keeps the promises; and forgets by its own limits.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use pluvio_log::{Log as _, LogHandle, Memory, MemoryConfig, Retention};

use crate::conformance::{Bench, record, stream};

/// A log with the retention a test asks for, on a clock that the test owns.
pub(crate) fn memory(retention: Retention) -> Bench {
    let now = Arc::new(Mutex::new("2026-11-20T10:00:00Z".parse::<Timestamp>().unwrap()));
    let clock = Arc::clone(&now);
    let config = MemoryConfig {
        retention,
        clock: Arc::new(move || *clock.lock().unwrap()),
        record_bytes_max: 4096,
        ..MemoryConfig::default()
    };
    Bench { log: LogHandle::new(Memory::new(config)), now }
}

conformance!(memory);

#[tokio::test]
async fn an_id_is_remembered_for_25_hours_after_its_record_went() {
    let retention = Retention { records_max: Some(1), ..Retention::default() };
    let bench = memory(retention);
    let created = "2026-11-20T09:00:00Z".parse::<Timestamp>().unwrap();
    let mut timed = record("a", None);
    timed.event =
        pluvio_event::Event::builder("a", "urn:cloud", "t").time(created).build().unwrap();
    bench.append(&[]).await;
    bench.log.append(&stream(), vec![timed, record("b", None)]).await.unwrap();
    bench.append(&["c"]).await;
    let known = |bench: &Bench| {
        let (log, id) = (bench.log.clone(), bench.id("a"));
        async move { pluvio_log::Log::find(&log, &stream(), &[id]).await.unwrap()[0] }
    };
    assert_eq!(known(&bench).await.unwrap().time, Some(created), "with the event's own time");
    bench.advance(SignedDuration::from_hours(25));
    bench.append(&["d"]).await;
    assert!(known(&bench).await.is_some());
    bench.advance(SignedDuration::from_mins(1));
    bench.append(&["e"]).await;
    assert!(known(&bench).await.is_none());
}
