//! Whatever a disk and a source do while several pulls are on their way: the log has each event once, in the
//! source's order.

use std::{sync::Arc, time::Duration};

use pluvio_event::Event;
use pluvio_log::{
    Embedded, EmbeddedConfig, Log as _, LogHandle, Offset, Position, ReadLimit, Record, SourceName,
    StreamName,
    disk::{self, Fault, Operation, SimulatedDisk},
};
use pluvio_runtime::{
    Connection, Failure, Ingest, Pull, Response, Resume, Source,
    status::StatusBoard,
    supervise::{SourceContext, Supervisor},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// How many events there are.
const EVENTS: u64 = 300;

/// A source of the numbers from 0 on, which fails and panics now and then.
struct Numbers {
    random: StdRng,
}

struct Counting {
    next: u64,
    random: StdRng,
}

#[derive(Debug, thiserror::Error)]
#[error("as the seed wants it")]
struct Broken;

impl Failure for Broken {
    fn response(&self) -> Response {
        Response::Retry
    }
}

impl Source for Numbers {
    type Connection = Counting;
    type Error = Broken;

    async fn connect(&mut self, resume: Resume) -> Result<Counting, Broken> {
        let next = resume.position.map_or(0, |position| position.as_str().parse().unwrap());
        Ok(Counting { next, random: StdRng::seed_from_u64(self.random.random()) })
    }

    async fn probe(&mut self) -> Result<String, Broken> {
        Ok("numbers".to_owned())
    }
}

impl Connection for Counting {
    type Error = Broken;

    async fn next(&mut self) -> Result<Pull, Broken> {
        if self.next == EVENTS {
            std::future::pending::<()>().await;
        }
        match self.random.random_range(0..20) {
            0 => return Err(Broken),
            1 => std::panic::panic_any("as the seed wants it"),
            _ => {}
        }
        let end = EVENTS.min(self.next + self.random.random_range(0..8));
        let records = (self.next..end).map(record).collect();
        self.next = end;
        let checkpoint = self.random.random::<bool>().then(|| position(end));
        Ok(Pull { records, checkpoint, ..Pull::default() })
    }

    async fn close(self) {}
}

fn position(next: u64) -> Position {
    Position::new(next.to_string()).unwrap()
}

fn name() -> SourceName {
    SourceName::new("numbers").unwrap()
}

fn record(number: u64) -> Record {
    let event = Event::builder(number.to_string(), "urn:numbers", "t").build().unwrap();
    Record { event, source: name(), position: position(number + 1), at_least: None }
}

/// Waits until all are there, or nothing comes any more.
async fn stored(log: &LogHandle) -> Vec<u64> {
    let (mut ids, mut from) = (Vec::new(), Offset::ZERO);
    while (ids.len() as u64) < EVENTS {
        let limit = ReadLimit { wait: Duration::from_secs(3600), ..ReadLimit::default() };
        let chunk = log.read(&StreamName::events(), from, limit).await.unwrap();
        if chunk.is_empty() {
            break;
        }
        ids.extend(
            chunk.records().map(|record| record.event().unwrap().id().parse::<u64>().unwrap()),
        );
        from = chunk.next;
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fills_up_again_and_again_costs_no_event_and_doubles_none() {
    for seed in 0..40 {
        let mut random = StdRng::seed_from_u64(seed);
        let memory = SimulatedDisk::new(seed);
        let config = EmbeddedConfig {
            disk: Arc::new(memory.clone()),
            reserve_bytes: 0,
            segment_bytes_max: 2000,
            ..EmbeddedConfig::new("/log")
        };
        let log = LogHandle::new(Embedded::open(config).unwrap());
        let stream = StreamName::events();
        log.open(&stream).await.unwrap();
        let mut after = 0;
        for _ in 0..random.random_range(0..12) {
            // What a full disk refused is taken back by the call behind it, which works.
            after += random.random_range(3..15);
            memory.inject(
                Fault::new(Operation::Write, disk::Failure::Full).on("events").after(after),
            );
        }
        let status = StatusBoard::default();
        let supervisor = Supervisor::new(status.clone(), log.clone());
        let ingest = Ingest::new(log.clone(), stream.clone(), name(), 1 << 20);
        let context = SourceContext { log: log.clone(), stream, ingest, running: Arc::default() };
        supervisor.source(context, "numbers", move || Numbers {
            random: StdRng::seed_from_u64(random.random()),
        });
        let ids = stored(&log).await;
        assert_eq!(ids, (0..EVENTS).collect::<Vec<_>>(), "seed {seed}: {:?}", status.components());
        supervisor.drain().await;
    }
}
