//! Whole folders that are gone from a log: refused, and a repair says what it costs to go on without.

use std::{fs, path::PathBuf, sync::Arc};

use pluvio_log::{
    Embedded, EmbeddedConfig, Entry, Log as _, OpenError, Position, ReadLimit, Record, SourceName,
    StreamName, Table,
    disk::RealDisk,
    inspect::{Repair, verify},
};

use crate::site::{at, block_on, event, events};

/// A log on the machine's disk with three events and a cursor, closed. It goes with the test.
struct Closed(PathBuf);

impl Closed {
    fn new(name: &str) -> Self {
        let name = format!("pluvio-gone-{}-{name}", std::process::id());
        let closed = Self(std::env::temp_dir().join(name));
        block_on(async {
            let log = closed.open().unwrap();
            log.open(&events()).await.unwrap();
            append(&log, 0..3).await;
            let entry = Entry { key: "sink".into(), value: Some("3".into()) };
            log.put(Table::Cursors, vec![entry]).await.unwrap();
        });
        closed
    }

    fn open(&self) -> Result<Embedded, OpenError> {
        Embedded::open(EmbeddedConfig { reserve_bytes: 0, ..EmbeddedConfig::new(&self.0) })
    }

    fn lose(&self, name: &str) {
        fs::remove_dir_all(self.0.join(name)).unwrap();
    }

    /// What a repair says that it does, and whether it keeps anything.
    fn repair(&self) -> (Vec<String>, bool) {
        let repair = Repair::plan(Arc::new(RealDisk), &self.0, &mut |_, _| {}).unwrap();
        let told = (repair.steps().collect(), repair.keeps());
        repair.apply(&mut |_| {}).unwrap();
        let again = Repair::plan(Arc::new(RealDisk), &self.0, &mut |_, _| {}).unwrap();
        assert_eq!(again.steps().len(), 0, "a second repair does nothing");
        told
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.0);
    }
}

async fn append(log: &Embedded, numbers: std::ops::Range<i64>) -> pluvio_log::Span {
    let record = |nth| Record {
        event: event(nth),
        source: SourceName::new("cloud").unwrap(),
        position: Position::new(format!("{nth}")).unwrap(),
        at_least: None,
    };
    log.append(&events(), numbers.map(record).collect()).await.unwrap()
}

#[test]
fn a_stream_that_is_gone_becomes_a_gap_event_and_no_offset_is_given_out_again() {
    let closed = Closed::new("stream");
    closed.lose("events");
    let refused = closed.open().map(drop).unwrap_err().to_string();
    assert!(refused.contains("events") && refused.contains("reached offset 3"), "{refused}");
    let (steps, keeps) = closed.repair();
    assert!(steps.iter().any(|step| step.contains("records 0 to 2 are lost")), "{steps:?}");
    assert!(!keeps, "nothing is left that could be kept");
    block_on(async {
        let log = closed.open().unwrap();
        let limit = ReadLimit::default();
        let chunk = log.read(&StreamName::events(), at(0), limit).await.unwrap();
        let kinds: Vec<_> = chunk
            .records()
            .map(|record| (record.offset, record.event().unwrap().event_type().to_owned()))
            .collect();
        assert_eq!(kinds, [(at(2), "pluvio.gap.v0".to_owned())]);
        assert_eq!(append(&log, 3..4).await.start, at(3));
    });
}

/// Found by an attack: `verify` found nothing, and a repair gave 600 offsets out again that a sink had taken.
#[test]
fn a_folder_that_went_with_the_note_of_the_ends_is_missed_by_what_sources_and_sinks_say() {
    for is_started in [false, true] {
        let closed = Closed::new(if is_started { "unnoted-started" } else { "unnoted" });
        let taken = block_on(async {
            // A roll notes positions.
            let log = Embedded::open(EmbeddedConfig {
                reserve_bytes: 0,
                segment_bytes_max: 1,
                ..EmbeddedConfig::new(&closed.0)
            });
            let log = log.unwrap();
            let log_id = log.extent(&events()).unwrap().log_id;
            append(&log, 3..6).await;
            let end = append(&log, 6..9).await.end;
            let cursor = format!(r#"{{"stream":"events","log_id":"{log_id}","next":{end}}}"#);
            let entry = Entry { key: "sink".into(), value: Some(cursor.into()) };
            log.put(Table::Cursors, vec![entry]).await.unwrap();
            end
        });
        closed.lose("events");
        fs::remove_file(closed.0.join("ENDS")).unwrap();
        if is_started {
            let opened =
                closed.open().map(|log| block_on(async { log.open(&events()).await.err() }));
            assert!(!matches!(opened, Ok(None)), "a start refuses it");
        }
        let verified = verify(&RealDisk, &closed.0, &mut |_, _| {}).unwrap();
        assert!(verified.damage().count() > 0, "started: {is_started}");
        closed.repair();
        block_on(async {
            let log = closed.open().unwrap();
            log.open(&events()).await.unwrap();
            assert_eq!(append(&log, 9..10).await.start, taken, "started: {is_started}");
        });
    }
}

/// Without a note of the ends, what sinks took tells how far the log once reached.
#[test]
fn records_that_a_sink_has_taken_are_missed_also_when_nothing_else_tells_of_them() {
    for (is_rolled, is_again) in [(false, false), (true, false), (false, true)] {
        let name = if is_again { "again" } else { "taken" };
        let closed = Closed::new(if is_rolled { "rolled" } else { name });
        let last = block_on(async {
            let log = Embedded::open(EmbeddedConfig {
                reserve_bytes: 0,
                segment_bytes_max: if is_rolled { 1 } else { 1 << 20 },
                ..EmbeddedConfig::new(&closed.0)
            });
            let log = log.unwrap();
            let end = append(&log, 3..5).await.end;
            let log_id = log.extent(&events()).unwrap().log_id;
            // A stretch may be handed over again: then what was taken before counts.
            let next = if is_again { 1 } else { end.get() };
            let cursor = format!(
                r#"{{"stream":"events","log_id":"{log_id}","next":{next},"furthest":{end}}}"#
            );
            let entry = Entry { key: "sink".into(), value: Some(cursor.into()) };
            log.put(Table::Cursors, vec![entry]).await.unwrap();
            end
        });
        let segments = closed.0.join("events");
        let mut names: Vec<_> = fs::read_dir(&segments)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        names.sort();
        assert_eq!(names.len() > 1, is_rolled);
        fs::remove_file(names.pop().unwrap()).unwrap();
        fs::remove_file(closed.0.join("ENDS")).unwrap();
        // Positions know of it as well, unless they are gone, too.
        fs::remove_dir_all(closed.0.join("__positions")).unwrap();
        assert!(closed.open().is_err(), "rolled: {is_rolled}");
        let (steps, _) = closed.repair();
        assert!(!steps.is_empty(), "rolled: {is_rolled}");
        block_on(async {
            let log = closed.open().unwrap();
            assert_eq!(append(&log, 9..10).await.start, last, "rolled: {is_rolled}");
        });
    }
}

#[test]
fn a_table_that_is_gone_is_begun_anew_and_what_that_costs_is_said_before() {
    for (name, cost) in [
        ("__cursors", "every sink begins where its `from` says"),
        ("__offsets", "what the groups of Kafka clients committed is lost"),
        ("__positions", "where each source stands"),
    ] {
        let closed = Closed::new(name);
        closed.lose(name);
        assert!(closed.open().is_err(), "{name}");
        let (steps, _) = closed.repair();
        assert!(steps.iter().any(|step| step.contains(cost)), "{name}: {steps:?}");
        closed.open().unwrap();
    }
}
