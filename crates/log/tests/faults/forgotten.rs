//! Ids of deleted records that are lost with their index: that they are is known as long as it matters, over
//! every restart. Otherwise a source that lists these events again stores them twice.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use pluvio_event::Event;
use pluvio_log::{
    Embedded, EmbeddedConfig, EventId, IDS_OUTLIVE, Log as _, Offset, OpenError, Position, Record,
    SourceName, StreamName,
    disk::{Disk as _, Failure, Fault, Operation, SimulatedDisk},
};

const GHOST: &str = "/log/events/00000000000000000000.idx";
/// Of the index of one batch: in its header, and in its ids.
const HEADER_BYTE: u64 = 40;
const ID_BYTE: u64 = 110;

struct Machine {
    disk: SimulatedDisk,
    now: Arc<Mutex<Timestamp>>,
}

fn events() -> StreamName {
    StreamName::events()
}

impl Machine {
    /// A log of the records 0, 1 and 2, a minute apart, of which the first `deleted` are.
    async fn with_deleted(seed: u64, deleted: i64) -> Self {
        let now = Arc::new(Mutex::new(Self::recorded(0)));
        let it = Self { disk: SimulatedDisk::new(seed), now };
        let log = it.open().unwrap();
        log.open(&events()).await.unwrap();
        for id in 0..3 {
            it.append(&log, id).await;
            it.pass(SignedDuration::from_mins(1));
        }
        log.trim(&events(), Offset::new(deleted).unwrap()).await.unwrap();
        drop(log);
        it.disk.restart();
        it
    }

    fn open(&self) -> Result<Embedded, OpenError> {
        let (now, passed) = (Arc::clone(&self.now), Arc::clone(&self.now));
        Embedded::open(EmbeddedConfig {
            disk: Arc::new(self.disk.clone()),
            reserve_bytes: 0,
            segment_bytes_max: 1,
            clock: Arc::new(move || *now.lock().unwrap()),
            passed: Arc::new(move || {
                let passed = passed.lock().unwrap().duration_since(Self::recorded(0));
                passed.try_into().unwrap()
            }),
            ..EmbeddedConfig::new("/log")
        })
    }

    /// Opens it, and knows up to when ids are forgotten and whether the first record's is known.
    async fn start(&self) -> (Option<Timestamp>, bool) {
        let log = self.open().unwrap();
        let id = EventId { source: "urn:cloud".to_owned(), id: "0".to_owned() };
        let found = log.find(&events(), &[id]).await.unwrap();
        let forgotten = log.extent(&events()).unwrap().ids_forgotten_until;
        drop(log);
        self.disk.restart();
        (forgotten, found[0].is_some())
    }

    async fn append(&self, log: &Embedded, id: i64) {
        let record = Record {
            event: Event::builder(id.to_string(), "urn:cloud", "t").build().unwrap(),
            source: SourceName::new("cloud").unwrap(),
            position: Position::new(format!("after {id}")).unwrap(),
            at_least: None,
        };
        log.append(&events(), vec![record]).await.unwrap();
    }

    fn pass(&self, time: SignedDuration) {
        *self.now.lock().unwrap() += time;
    }

    /// When record `nth` was recorded.
    fn recorded(nth: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + 60 * nth).unwrap()
    }
}

#[tokio::test]
async fn every_later_start_knows_that_ids_were_forgotten_with_their_index() {
    let machine = Machine::with_deleted(1, 1).await;
    assert_eq!(machine.start().await, (None, true));
    assert!(machine.disk.flip(GHOST, HEADER_BYTE, 1));
    for start in 1..=3 {
        let left = Machine::recorded(1);
        assert_eq!(machine.start().await, (Some(left), false), "start {start}");
        assert!(machine.disk.read_file(GHOST).is_none());
    }
}

/// Where a stream has no record left, nothing in it tells when those were recorded that it had.
#[tokio::test]
async fn ids_of_a_stream_that_is_empty_now_are_forgotten_up_to_its_last_record() {
    let machine = Machine::with_deleted(2, 3).await;
    let last = "/log/events/00000000000000000002.idx";
    assert!(machine.disk.flip(last, HEADER_BYTE, 1));
    for start in 1..=2 {
        let (forgotten, _) = machine.start().await;
        assert!(forgotten >= Some(Machine::recorded(2)), "start {start}: {forgotten:?}");
    }
}

#[tokio::test]
async fn a_start_that_loses_power_anywhere_leaves_the_ids_or_the_note_that_they_are_forgotten() {
    for seed in 0..5 {
        for step in 1.. {
            let machine = Machine::with_deleted(seed, 1).await;
            assert!(machine.disk.flip(GHOST, HEADER_BYTE, 1));
            machine.disk.power_off_after(step);
            let is_over = machine.open().is_ok();
            machine.disk.restart();
            let told = machine.start().await;
            let left = Machine::recorded(1);
            assert_eq!(told, (Some(left), false), "seed {seed}, power lost at change {step}");
            if is_over {
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_index_stays_as_long_as_it_cannot_be_noted_that_its_ids_are_forgotten() {
    let machine = Machine::with_deleted(3, 1).await;
    assert!(machine.disk.flip(GHOST, HEADER_BYTE, 1));
    let fault = Fault::new(Operation::Sync, Failure::Io).on("stream.json");
    machine.disk.inject(fault);
    let refused = machine.open().map(drop).unwrap_err().to_string();
    assert!(refused.contains("manifest"), "{refused}");
    assert!(machine.disk.read_file(GHOST).is_some());
    machine.disk.restart();
    machine.disk.clear_faults();
    assert_eq!(machine.start().await, (Some(Machine::recorded(1)), false));
}

#[tokio::test]
async fn ids_that_were_given_up_while_running_are_forgotten_behind_a_restart_too() {
    type Hurt = fn(&SimulatedDisk);
    let hurts: [(&str, Hurt); 2] = [
        ("damaged", |disk| assert!(disk.flip(GHOST, ID_BYTE, 1))),
        ("gone", |disk| {
            disk.remove(Path::new(GHOST)).unwrap();
            disk.sync_folder(Path::new("/log/events")).unwrap();
        }),
    ];
    for (what, hurt) in hurts {
        let machine = Machine::with_deleted(4, 1).await;
        let log = machine.open().unwrap();
        hurt(&machine.disk);
        let id = EventId { source: "urn:cloud".to_owned(), id: "0".to_owned() };
        log.find(&events(), std::slice::from_ref(&id)).await.unwrap_err();
        let forgotten = Some(Machine::recorded(0));
        assert_eq!(log.extent(&events()).unwrap().ids_forgotten_until, forgotten, "{what}");
        drop(log);
        machine.disk.restart();
        let log = machine.open().unwrap();
        assert_eq!(log.extent(&events()).unwrap().ids_forgotten_until, forgotten, "{what}");
    }
}

#[tokio::test]
async fn that_ids_are_lost_is_forgotten_when_they_would_be_and_not_before() {
    let machine = Machine::with_deleted(5, 1).await;
    assert!(machine.disk.flip(GHOST, HEADER_BYTE, 1));
    let left = Some(Machine::recorded(1));
    let log = machine.open().unwrap();
    machine.pass(IDS_OUTLIVE - SignedDuration::from_mins(5));
    machine.append(&log, 3).await;
    log.maintain().await;
    assert_eq!(log.extent(&events()).unwrap().ids_forgotten_until, left);
    // A quiet stream: its sources still stand there.
    machine.pass(SignedDuration::from_hours(1));
    log.maintain().await;
    assert_eq!(log.extent(&events()).unwrap().ids_forgotten_until, left);
    machine.append(&log, 4).await;
    log.maintain().await;
    assert_eq!(log.extent(&events()).unwrap().ids_forgotten_until, None);
    drop(log);
    machine.disk.restart();
    assert_eq!(machine.start().await.0, None, "of the disk, too");
}
