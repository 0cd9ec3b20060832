//! A machine's clock that is wrong, at a start and while Pluvio runs: nothing is deleted, no event is
//! forgotten, no record gets a time that the next ones could not follow.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use pluvio_event::Event;
use pluvio_log::{
    AppendError, Embedded, EmbeddedConfig, EventId, Log as _, Position, ReadLimit, Record,
    Retention, SourceName, StreamName,
    disk::{Failure, Fault, Operation, SimulatedDisk},
};

const DAY: i64 = 86_400;
const TEN_YEARS: i64 = 3653 * DAY;

/// A machine that runs on, with a clock that anybody sets.
struct Machine {
    disk: SimulatedDisk,
    /// Seconds that passed, and how far the clock is ahead of the truth.
    time: Arc<Mutex<(i64, i64)>>,
}

fn truth(passed: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + passed).unwrap()
}

fn events() -> StreamName {
    StreamName::events()
}

impl Machine {
    fn new() -> Self {
        Self { disk: SimulatedDisk::new(1), time: Arc::default() }
    }

    fn set(&self, ahead: i64) {
        self.time.lock().unwrap().1 = ahead;
    }

    fn pass(&self, seconds: i64) {
        self.time.lock().unwrap().0 += seconds;
    }

    fn now(&self) -> Timestamp {
        truth(self.time.lock().unwrap().0)
    }

    async fn open(&self) -> Embedded {
        let (clock, passed) = (Arc::clone(&self.time), Arc::clone(&self.time));
        let log = Embedded::open(EmbeddedConfig {
            disk: Arc::new(self.disk.clone()),
            reserve_bytes: 0,
            segment_bytes_max: 1,
            retention: Retention { age: Some(Duration::from_hours(24)), ..Retention::default() },
            clock: Arc::new(move || {
                let (passed, ahead) = *clock.lock().unwrap();
                truth(passed + ahead)
            }),
            passed: Arc::new(move || Duration::from_secs(passed.lock().unwrap().0 as u64)),
            ..EmbeddedConfig::new("/log")
        });
        let log = log.unwrap();
        log.open(&events()).await.unwrap();
        log
    }
}

fn record(id: i64) -> Record {
    Record {
        event: Event::builder(id.to_string(), "urn:cloud", "t").build().unwrap(),
        source: SourceName::new("cloud").unwrap(),
        position: Position::new(format!("after {id}")).unwrap(),
        at_least: None,
    }
}

async fn append(log: &Embedded, id: i64) {
    log.append(&events(), vec![record(id)]).await.unwrap();
}

/// When each record was recorded.
async fn recorded(log: &Embedded) -> Vec<Timestamp> {
    let limit = ReadLimit { records_max: usize::MAX, ..ReadLimit::default() };
    let (mut times, mut from) = (Vec::new(), log.extent(&events()).unwrap().start);
    loop {
        let chunk = log.read(&events(), from, limit).await.unwrap();
        if chunk.is_empty() {
            return times;
        }
        times.extend(chunk.records().map(|record| record.recorded));
        from = chunk.next;
    }
}

async fn knows(log: &Embedded, id: i64) -> bool {
    let id = EventId { source: "urn:cloud".to_owned(), id: id.to_string() };
    log.find(&events(), &[id]).await.unwrap()[0].is_some()
}

fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() < SignedDuration::from_hours(1)
}

#[tokio::test]
async fn a_start_with_a_wrong_clock_deletes_nothing_and_no_record_gets_its_time() {
    for ahead in [TEN_YEARS, -TEN_YEARS, DAY, -DAY] {
        let machine = Machine::new();
        let log = machine.open().await;
        for id in 0..4 {
            append(&log, id).await;
            machine.pass(60);
        }
        drop(log);
        machine.set(ahead);
        let log = machine.open().await;
        assert!(log.health().clock.is_some(), "{ahead}: nobody is told");
        for id in 4..8 {
            append(&log, id).await;
            machine.pass(60);
            log.maintain().await;
        }
        let times = recorded(&log).await;
        assert_eq!(times.len(), 8, "{ahead}");
        assert!(times.iter().all(|time| is_near(*time, machine.now())), "{ahead}: {times:?}");
        for id in 0..8 {
            assert!(knows(&log, id).await, "{ahead}: event {id} would be captured again");
        }
        drop(log);
        machine.set(0);
        let log = machine.open().await;
        append(&log, 8).await;
        assert!(log.health().clock.is_none(), "{ahead}");
        assert!(is_near(*recorded(&log).await.last().unwrap(), machine.now()), "{ahead}");
        assert!(log.health().streams.iter().all(|told| told.recorded_ahead.is_none()));
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_and_forth_while_running_deletes_nothing() {
    let machine = Machine::new();
    let log = machine.open().await;
    let mut count = 0;
    for ahead in [0, TEN_YEARS, -TEN_YEARS, DAY, 0, -DAY, TEN_YEARS, DAY] {
        machine.set(ahead);
        for _ in 0..3 {
            append(&log, count).await;
            count += 1;
            machine.pass(120);
            log.maintain().await;
        }
        let times = recorded(&log).await;
        assert_eq!(times.len() as i64, count, "{ahead}");
        assert!(is_near(*times.last().unwrap(), machine.now()), "{ahead}");
    }
    assert!(knows(&log, 0).await);
}

/// Found by an attack: a clock that was eight hours ahead for longer than an hour had ids forgotten that were asked
/// for once it was right, and 1,600 events of that day were stored twice.
#[tokio::test]
async fn what_a_clock_that_was_ahead_had_forgotten_too_early_is_told_also_by_later_starts() {
    const HOUR: i64 = 3600;
    let machine = Machine::new();
    let log = machine.open().await;
    append(&log, 0).await;
    let first = machine.now();
    machine.pass(HOUR / 2);
    append(&log, 1).await;
    assert_eq!(log.extent(&events()).unwrap().ids_outlived_until, None);
    machine.set(48 * HOUR);
    log.maintain().await;
    machine.pass(HOUR / 2);
    append(&log, 2).await;
    machine.pass(HOUR);
    log.maintain().await;
    log.maintain().await;
    assert!(!knows(&log, 0).await, "it was forgotten");
    for _ in 0..2 {
        let outlived = log.extent(&events()).unwrap().ids_outlived_until.unwrap();
        assert!(outlived >= first && outlived < machine.now(), "{outlived}");
    }
    drop(log);
    machine.set(0);
    let log = machine.open().await;
    let outlived = log.extent(&events()).unwrap().ids_outlived_until.unwrap();
    assert!(outlived >= first && outlived < machine.now(), "{outlived}");
}

/// A note from a future that was none would hide what comes late until then.
#[tokio::test]
async fn a_note_of_forgotten_ids_from_a_clock_that_was_ahead_is_set_right_with_the_clock() {
    const HOUR: i64 = 3600;
    let machine = Machine::new();
    let log = machine.open().await;
    append(&log, 0).await;
    machine.set(TEN_YEARS);
    log.maintain().await;
    machine.pass(2 * HOUR);
    log.maintain().await;
    // Recorded in ten years, and forgotten two days later.
    append(&log, 1).await;
    append(&log, 2).await;
    machine.pass(30 * HOUR);
    for _ in 0..3 {
        log.maintain().await;
    }
    assert!(!knows(&log, 1).await, "it was forgotten");
    machine.set(0);
    let right = machine.now();
    log.maintain().await;
    machine.pass(2 * HOUR);
    log.maintain().await;
    let outlived = log.extent(&events()).unwrap().ids_outlived_until.unwrap();
    assert!(is_near(outlived, right) || outlived <= machine.now(), "{outlived}");
    machine.pass(40 * HOUR);
    log.maintain().await;
    assert_eq!(log.extent(&events()).unwrap().ids_outlived_until, Some(outlived));
}

#[tokio::test]
async fn after_a_long_stop_a_source_tells_the_time_and_age_counts_an_hour_later() {
    let machine = Machine::new();
    let log = machine.open().await;
    for id in 0..3 {
        append(&log, id).await;
    }
    drop(log);
    // The machine was off: nothing passed that it knows of.
    machine.set(3 * DAY);
    let log = machine.open().await;
    log.heard(truth(3 * DAY + 5));
    assert!(log.health().clock.is_none());
    append(&log, 3).await;
    log.maintain().await;
    let times = recorded(&log).await;
    assert_eq!(times.len(), 4, "an hour has not passed");
    assert!(is_near(times[3], truth(3 * DAY)), "{times:?}");
    machine.pass(3601);
    log.maintain().await;
    assert_eq!(recorded(&log).await.len(), 1);
}

#[tokio::test]
async fn recorded_times_that_ran_ahead_are_told() {
    let machine = Machine::new();
    machine.set(TEN_YEARS);
    let log = machine.open().await;
    append(&log, 0).await;
    drop(log);
    machine.set(0);
    let log = machine.open().await;
    let health = log.health();
    let told = health.streams.iter().find(|told| told.stream == events()).unwrap();
    assert_eq!(told.recorded_ahead, Some(truth(TEN_YEARS)));
}

#[tokio::test]
async fn a_segment_whose_first_write_found_no_room_is_not_sealed_a_day_later() {
    let machine = Machine::new();
    let log = machine.open().await;
    machine.disk.inject(Fault::new(Operation::Write, Failure::Full).on("/events/"));
    let refused = log.append(&events(), vec![record(0)]).await;
    assert!(matches!(refused, Err(AppendError::DiskFull { .. })), "{refused:?}");
    machine.pass(DAY + 3600);
    log.maintain().await;
    let first = machine.disk.read_file("/log/events/00000000000000000000.log");
    assert!(first.is_some(), "the next record has offset 0");
    append(&log, 1).await;
    append(&log, 2).await;
    drop(log);
    let log = machine.open().await;
    assert_eq!(recorded(&log).await.len(), 2);
}
