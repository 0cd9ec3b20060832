//! The Kafka sink under the supervisor, with brokers that fail by chance while retention takes what was not
//! sent: each event arrives, is a dead letter, or is told as lost by a gap event, and never two of these.

use std::time::Duration;

use pluvio_connect::{component::SinkConfig as _, kafka::Config};
use pluvio_event::{Event, EventBuilder, Filter, json};
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, ReadLimit, Record, SourceName,
    StoredRecord, StreamName,
};
use pluvio_runtime::{
    SinkName,
    status::{ComponentStatus, StatusBoard},
    supervise::{
        Supervisor,
        sink::{BatchLimits, Begin, Repeats, SinkContext, dead_stream},
    },
};

use crate::kafka_broker::{Brokers, Dice, POISON, TOPIC};

/// A log, and a sink that reads it.
struct Scene {
    log: LogHandle,
    brokers: Brokers,
    status: StatusBoard,
    supervisor: Supervisor,
    end: i64,
}

impl Scene {
    async fn begin(seed: u64) -> Self {
        let log = LogHandle::new(Memory::new(MemoryConfig::default()));
        log.open(&StreamName::events()).await.unwrap();
        let brokers = Brokers::start(seed).await;
        let (status, addresses) = (StatusBoard::default(), brokers.addresses());
        let supervisor = Supervisor::new(status.clone(), log.clone());
        let events_max = 1 + (seed % 37) as usize;
        let age_max = Duration::from_millis(seed % 2 * 500);
        let context = SinkContext {
            name: SinkName::new("a").unwrap(),
            log: log.clone(),
            stream: StreamName::events(),
            filter: Filter::default(),
            from: Begin::Earliest,
            limits: BatchLimits { events_max, age_max, ..BatchLimits::default() },
            repeats: Repeats::default(),
            is_beside: false,
        };
        let sink = Config { brokers: addresses, ..Config::new(String::new(), TOPIC) };
        let sink = sink.build().unwrap();
        supervisor.sink(context, "kafka", move || sink.clone());
        Self { log, brokers, status, supervisor, end: 0 }
    }

    /// Stores so many more events. One in 50 is never taken.
    async fn store(&mut self, count: u64, dice: &mut Dice) {
        let record = |number: i64| {
            let subject = match dice.roll(50) {
                0 => Some(POISON.to_owned()),
                1..40 => Some(format!("vm-{}", dice.roll(12))),
                _ => None,
            };
            let event = Event::builder(number.to_string(), "urn:test", "t");
            let event = subject.into_iter().fold(event, EventBuilder::subject).build().unwrap();
            let source = SourceName::new("test").unwrap();
            Record { event, source, position: Position::new("").unwrap(), at_least: None }
        };
        let end = self.end + count as i64;
        let records = (self.end..end).map(record).collect();
        self.log.append(&StreamName::events(), records).await.unwrap();
        self.end = end;
    }

    async fn trim(&self, start: i64) {
        self.log.trim(&StreamName::events(), Offset::new(start).unwrap()).await.unwrap();
    }

    fn component(&self) -> ComponentStatus {
        self.status.components().into_iter().find(|it| it.name == "a").unwrap()
    }

    async fn until_at(&self, next: i64) {
        self.until(|position| position == Some(next.to_string().as_str())).await;
    }

    async fn until(&self, wish: impl Fn(Option<&str>) -> bool) {
        while !wish(self.component().position.as_deref()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Which events are dead letters: of those that no broker takes.
    async fn letters(&self) -> Vec<i64> {
        let dead = dead_stream(&StreamName::events()).unwrap();
        if !self.log.streams().contains(&dead) {
            return Vec::new();
        }
        let chunk = self.log.read(&dead, Offset::ZERO, ReadLimit::default()).await.unwrap();
        let letter = |record: &StoredRecord| {
            let letter = record.event().unwrap();
            assert_eq!(letter.subject(), Some(POISON));
            letter.extension("pluviooffset").unwrap().to_string().parse().unwrap()
        };
        chunk.records().map(letter).collect()
    }
}

/// What a gap stands for, `None`: it is none.
fn lost(event: &Event) -> Option<std::ops::RangeInclusive<i64>> {
    if event.event_type() != "pluvio.gap.v0" {
        return None;
    }
    let data: serde_json::Value = serde_json::from_slice(event.data()?.as_bytes()).unwrap();
    Some(data["from_offset"].as_i64().unwrap()..=data["to_offset"].as_i64().unwrap())
}

fn sequence(event: &Event) -> i64 {
    event.extension("sequence").unwrap().to_string().parse().unwrap()
}

/// Time passes by itself whenever nothing else happens, and not by more than this: answers over TCP come
/// before the next tick.
async fn tick() {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_brokers_and_retention_do_each_event_arrives_or_is_told_as_lost_and_never_both() {
    let ticks = tokio::spawn(tick());
    let (mut gaps, mut known_again) = (0, 0);
    for seed in 0..100_u64 {
        let (mut scene, mut dice, mut start) = (Scene::begin(seed).await, Dice(!seed), 0);
        scene.store(40, &mut dice).await;
        // What is gone before a sink has begun is no loss to it.
        scene.until(|position| position.is_some()).await;
        while scene.end < 200 {
            tokio::time::sleep(Duration::from_millis(dice.roll(3000))).await;
            let more = 1 + dice.roll(30);
            scene.store(more, &mut dice).await;
            start += dice.roll((scene.end - start + 1) as u64) as i64;
            scene.trim(start).await;
        }
        scene.brokers.calm();
        scene.until_at(scene.end).await;
        let mut settled: Vec<i64> = Vec::new();
        let mut events = 0;
        for partition in scene.brokers.events() {
            let there: Vec<_> = partition.iter().map(|it| json::decode(it).unwrap()).collect();
            let arrived: Vec<_> =
                there.iter().filter(|it| lost(it).is_none()).map(sequence).collect();
            assert!(arrived.is_sorted(), "seed {seed}: in order: {arrived:?}");
            let told: Vec<_> = there.iter().filter_map(lost).collect();
            (events, gaps) = (events + there.len() as u64, gaps + told.len());
            settled.extend(arrived.into_iter().chain(told.into_iter().flatten()));
        }
        settled.extend(scene.letters().await);
        settled.sort_unstable();
        assert_eq!(settled, (0..scene.end).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(scene.component().events, events, "seed {seed}: each is counted");
        known_again += scene.brokers.known_again();
        assert!(scene.supervisor.drain().await);
    }
    ticks.abort();
    assert!(gaps > 100 && known_again > 100, "the dice do something: {gaps}, {known_again}");
}
