//! What a target never takes becomes one dead letter, before the cursor passes it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pluvio_event::{Data, Event, json};
use pluvio_log::{
    Embedded, EmbeddedConfig, Entry, Log as _, LogHandle, Offset, Table,
    disk::{Disk as _, SimulatedDisk},
};
use pluvio_runtime::{status::State, supervise::sink::dead_stream};

use crate::target::{Act, House, Target, events};

fn offset_of(letter: &Event) -> String {
    letter.extension("pluviooffset").unwrap().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_rejected_event_is_buried_with_its_reason_and_all_others_arrive() {
    for named in [true, false] {
        let house = House::new().await;
        house.store(1..=25).await;
        let target = Target::default().never(&["7", "23"], named);
        let running = house.run(&[("a", &target)]);
        let good: Vec<String> =
            (1..=25).filter(|n| *n != 7 && *n != 23).map(|n| n.to_string()).collect();
        assert_eq!(target.has(23).await, good, "named: {named}");
        let status = running.until("a", |s| s.position.as_deref() == Some("25")).await;
        assert_eq!(status.sink.unwrap().dead_letters, 2);
        let letters = house.letters().await;
        assert_eq!(letters.iter().map(offset_of).collect::<Vec<_>>(), ["6", "22"]);
        let letter = &letters[0];
        assert_eq!(letter.event_type(), "pluvio.dead.v0");
        assert_eq!(letter.extension("pluviosink"), Some(&"a".into()));
        assert_eq!(letter.extension("pluviostream"), Some(&"events".into()));
        assert!(letter.extension("pluvioreason").unwrap().to_string().contains("poison"));
        let original = json::decode(letter.data().map(Data::as_bytes).unwrap()).unwrap();
        assert_eq!(original.id(), "7");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_tells_how_often_its_event_was_tried() {
    let house = House::new().await;
    house.store(1..=1).await;
    let acts = [Act::DropAfter(0), Act::DropAfter(0)];
    let target = Target::new(&[], &acts).never(&["1"], true);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("1")).await;
    assert_eq!(house.letters().await[0].extension("pluvioattempts"), Some(&3.into()));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_rejects_everything_is_asked_ever_more_slowly_until_it_takes_one() {
    for named in [true, false] {
        let house = House::new().await;
        let ids = house.store(1..=200).await;
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        let target = Target::default().never(&all, named);
        let running = house.run(&[("a", &target)]);
        let status = running.until("a", |status| status.retry_at.is_some()).await;
        let error = status.error.unwrap();
        assert!(error.message.contains("rejected the last"), "{}", error.message);
        assert!(error.remedy.unwrap().contains("pluvio dead list"));
        let before = house.letters().await.len();
        let begun = tokio::time::Instant::now();
        running.until("a", |_| begun.elapsed() > Duration::from_secs(60)).await;
        let more = house.letters().await.len() - before;
        assert!((1..=12).contains(&more), "named: {named}: {more} within a minute");

        let taken = target.clone().never(&[], named);
        running.until("a", |status| status.position.as_deref() == Some("200")).await;
        let letters = house.letters().await;
        assert_eq!(letters.len() + taken.ids().len(), 200);
        assert!(letters.len() < 60, "named: {named}: {}", letters.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_something_arrives_does_not_brake_however_many_are_rejected() {
    let mut house = House::new().await;
    house.limits.events_max = 50;
    let ids = house.store(1..=100).await;
    let bad: Vec<&str> = ids.iter().filter(|id| !id.ends_with('0')).map(String::as_str).collect();
    let target = Target::default().never(&bad, true);
    let running = house.run(&[("a", &target)]);
    let status = running.until("a", |status| status.position.as_deref() == Some("100")).await;
    assert_eq!((target.ids().len(), house.letters().await.len()), (10, 90));
    assert!(status.error.is_none(), "{:?}", status.error);
}

#[tokio::test(start_paused = true)]
async fn what_arrives_meanwhile_does_not_make_a_letter_forget() {
    let house = House::new().await;
    house.store(1..=2).await;
    let acts = [Act::DropAfter(0), Act::TakeFirst(1)];
    let target = Target::new(&[], &acts).never(&["2"], true);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("2")).await;
    assert_eq!(house.letters().await[0].extension("pluvioattempts"), Some(&2.into()));
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_letter_and_cursor_makes_no_second_letter() {
    let house = House::new().await;
    house.store(1..=3).await;
    let target = Target::default().never(&["2"], true);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("3")).await;
    assert!(running.supervisor.drain().await);
    // As after a crash that came before the cursor was put.
    let entry = Entry { key: "a".into(), value: None };
    house.log.put(Table::Cursors, vec![entry]).await.unwrap();
    let again = Target::default().never(&["2"], false);
    let running = house.run(&[("a", &again)]);
    let status = running.until("a", |status| status.position.as_deref() == Some("3")).await;
    assert_eq!(house.letters().await.len(), 1);
    assert_eq!(status.sink.unwrap().dead_letters, 0, "it was there");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_rejected_again_after_retention_took_its_letter_has_another_one() {
    let house = House::new().await;
    house.store(1..=6).await;
    let target = Target::default().never(&["2", "4"], true);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("6")).await;
    assert!(running.supervisor.drain().await);
    let dead = dead_stream(&events()).unwrap();
    house.log.trim(&dead, Offset::new(1).unwrap()).await.unwrap();
    assert_eq!(house.letters().await.iter().map(offset_of).collect::<Vec<_>>(), ["3"]);
    let entry = Entry { key: "a".into(), value: None };
    house.log.put(Table::Cursors, vec![entry]).await.unwrap();
    let running = house.run(&[("a", &target)]);
    let status = running.until("a", |status| status.position.as_deref() == Some("6")).await;
    assert_eq!(house.letters().await.iter().map(offset_of).collect::<Vec<_>>(), ["3", "1"]);
    assert_eq!(status.sink.unwrap().dead_letters, 1, "the other was there");
}

/// Files of a log, with what is in them.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(disk: &SimulatedDisk) -> Files {
    let all = disk.paths().into_iter();
    all.filter_map(|path| disk.read_file(&path).map(|content| (path, content))).collect()
}

fn log_on(disk: &SimulatedDisk) -> LogHandle {
    let config = EmbeddedConfig { disk: Arc::new(disk.clone()), ..EmbeddedConfig::new("log") };
    LogHandle::new(Embedded::open(config).unwrap())
}

#[tokio::test]
async fn another_event_at_the_offset_of_a_letter_has_a_letter_of_its_own() {
    let disk = SimulatedDisk::new(7);
    let house = House::on(log_on(&disk)).await;
    house.store(1..=1).await;
    let copied = files(&disk);
    house.store(2..=3).await;
    let running = house.run(&[("a", &Target::default().never(&["2"], true))]);
    running.when("a", |status| status.position.as_deref() == Some("3")).await;
    assert!(running.supervisor.drain().await);

    // What a copy has where the letters were copied last: one of an offset that is given out again.
    let are_letters = |path: &Path| path.starts_with("log/events.dead");
    let mut copy: Files = files(&disk).into_iter().filter(|(path, _)| are_letters(path)).collect();
    copy.extend(copied);
    let disk = SimulatedDisk::new(8);
    for (path, content) in copy {
        disk.create_folder(path.parent().unwrap()).unwrap();
        let file = disk.create(&path).unwrap();
        file.write_at(&content, 0).unwrap();
    }
    let house = House::on(log_on(&disk)).await;
    house.store(12..=13).await;
    let target = Target::default().never(&["12"], true);
    let running = house.run(&[("a", &target)]);
    let status = running.when("a", |status| status.position.as_deref() == Some("3")).await;
    assert_eq!(
        (target.ids(), status.sink.unwrap().dead_letters),
        (vec!["1".into(), "13".into()], 1)
    );
    let originals = house.letters().await;
    let originals = originals.iter().map(|it| json::decode(it.data().unwrap().as_bytes()).unwrap());
    assert_eq!(originals.map(|it| it.id().to_owned()).collect::<Vec<_>>(), ["2", "12"]);
}

#[tokio::test]
async fn while_letters_find_no_room_on_the_disk_the_sink_waits_and_passes_nothing() {
    for is_begun in [false, true] {
        let disk = SimulatedDisk::new(7);
        let config = EmbeddedConfig {
            disk: Arc::new(disk.clone()),
            reserve_bytes: 1 << 20,
            ..EmbeddedConfig::new("log")
        };
        let house = House::on(LogHandle::new(Embedded::open(config).unwrap())).await;
        house.store(1..=3).await;
        if is_begun {
            house.log.open(&dead_stream(&events()).unwrap()).await.unwrap();
        }
        disk.capacity(Some(0));
        let target = Target::default().never(&["2"], true);
        let running = house.run(&[("a", &target)]);
        let told = running.when("a", |status| status.error.is_some() && status.retry_at.is_some());
        let error = told.await.error.unwrap();
        assert!(error.message.contains("dead letters"), "{}", error.message);
        assert!(error.remedy.unwrap().starts_with("free some room"));
        assert_eq!(target.ids(), ["1", "3"]);
        assert_eq!(house.cursor("a").await, None);
        disk.capacity(None);
        running.when("a", |status| status.position.as_deref() == Some("3")).await;
        assert_eq!(house.letters().await.len(), 1);
        assert_eq!(target.ids(), ["1", "3"], "what had arrived did not come again");
        assert!(running.supervisor.drain().await);
        assert_eq!(house.cursor("a").await, Some(3));
    }
}

#[tokio::test(start_paused = true)]
async fn two_sinks_that_reject_one_event_write_a_letter_each() {
    let house = House::new().await;
    house.store(1..=3).await;
    let (a, b) = (Target::default().never(&["2"], true), Target::default().never(&["2"], true));
    let running = house.run(&[("a", &a), ("b", &b)]);
    for sink in ["a", "b"] {
        running.until(sink, |status| status.position.as_deref() == Some("3")).await;
    }
    let mut sinks: Vec<_> = house
        .letters()
        .await
        .iter()
        .map(|letter| letter.extension("pluviosink").unwrap().to_string())
        .collect();
    sinks.sort();
    assert_eq!(sinks, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_too_large_to_bury_whole_is_buried_without_its_data() {
    let house = House::with(pluvio_log::MemoryConfig {
        record_bytes_max: 200,
        ..pluvio_log::MemoryConfig::default()
    })
    .await;
    let expected = house.store(1..=1).await;
    let target = Target::default().never(&[expected[0].as_str()], true);
    let running = house.run(&[("a", &target)]);
    // A letter's attributes alone are larger than this log takes: it cannot be written at all.
    let status = running.until("a", |status| status.error.is_some()).await;
    let message = status.error.unwrap().message;
    assert!(message.contains("failed to append dead letters"), "{message}");
    assert_eq!(house.letters().await.len(), 0);
    assert_eq!(house.cursor("a").await, Some(0), "the sink waits");

    let house = House::with(pluvio_log::MemoryConfig {
        record_bytes_max: 600,
        ..pluvio_log::MemoryConfig::default()
    })
    .await;
    let event = Event::builder("1", "urn:test", "t");
    let event = event.data(Data::json(format!("\"{}\"", "x".repeat(500))).unwrap()).build();
    let record = pluvio_log::Record {
        event: event.unwrap(),
        source: pluvio_log::SourceName::new("test").unwrap(),
        position: pluvio_log::Position::new("1").unwrap(),
        at_least: None,
    };
    house.log.append(&events(), vec![record]).await.unwrap();
    let target = Target::default().never(&["1"], true);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("1")).await;
    let letters = house.letters().await;
    assert_eq!(letters[0].data(), None);
    assert!(letters[0].extension("dataomitted").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_sink_crashed_at_any_point_loses_nothing_and_doubles_only_what_was_not_noted() {
    for seed in 0..60_u64 {
        let house = House::new().await;
        let expected = house.store(1..=60).await;
        let target = Target::default().never(&["13", "44"], seed % 2 == 0);
        let mut life = 0;
        loop {
            let acts = [
                Act::Take,
                Act::DropAfter((seed % 11) as usize),
                Act::Throttle(Duration::from_millis(seed * 7)),
                Act::Slow(Duration::from_millis(seed * 13)),
            ];
            target.act(acts[(seed as usize + life) % 4]);
            let running = house.run(&[("a", &target)]);
            // Each life lasts a little longer, and ends without a word.
            let end = Duration::from_millis(1 + (seed * 37 + life as u64 * 211) % 1900);
            tokio::time::sleep(end).await;
            let done = running.status.components()[0].position.as_deref() == Some("60");
            if done {
                running.until("a", |status| status.state == State::Running).await;
                break;
            }
            drop(running);
            life += 1;
            assert!(life < 200, "seed {seed} comes to no end");
        }
        check(&target, &expected, seed);
        let letters: Vec<_> = house.letters().await.iter().map(offset_of).collect();
        assert_eq!(letters, ["12", "43"], "seed {seed}");
    }
}

/// All is there but the poison, and no event for the first time before an earlier one.
fn check(target: &Target, expected: &[String], seed: u64) {
    let mut first = Vec::new();
    for id in target.ids() {
        if !first.contains(&id) {
            first.push(id);
        }
    }
    let good: Vec<_> = expected.iter().filter(|id| *id != "13" && *id != "44").cloned().collect();
    assert_eq!(first, good, "seed {seed}");
}
