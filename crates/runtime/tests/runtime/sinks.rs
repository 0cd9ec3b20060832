//! Whatever becomes of a target, at the end everything is there, in order; doubled only where a
//! batch was not acknowledged.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pluvio_event::Filter;
use pluvio_log::{Entry, Log as _, MemoryConfig, Offset, ReadLimit, Retention, Table};
use pluvio_runtime::{
    Response, Taken,
    status::{ComponentStatus, State},
    supervise::{
        Supervisor,
        sink::{BatchLimits, Begin, expect_targets},
    },
};

use crate::target::{Act, Door, House, Target, events};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_in_order_in_batches_and_the_status_tells_it() {
    let house = House::new().await;
    let mut expected = house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    assert_eq!(target.has(25).await, expected);
    expected.extend(house.store(26..=27).await);
    assert_eq!(target.has(27).await, expected, "what comes later arrives, too");
    let status = running.until("a", |status| status.events == 27).await;
    assert_eq!(status.state, State::Running);
    assert_eq!(status.position.as_deref(), Some("27"));
    let sink = status.sink.unwrap();
    assert_eq!((sink.offset, sink.batches, sink.dead_letters), (Some(27), 4, 0));
    let sizes: Vec<_> = target.held.lock().unwrap().writes.iter().map(|(n, _)| *n).collect();
    assert_eq!(sizes, [10, 10, 5, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_down_is_asked_ever_more_slowly_and_then_gets_everything_once() {
    let house = House::new().await;
    let expected = house.store(1..=5).await;
    let doors = [Door::Refuse(Response::Retry); 4];
    let target = Target::new(&doors, &[]);
    let running = house.run(&[("a", &target)]);
    let status = running.until("a", |status| status.error.is_some()).await;
    let error = status.error.unwrap();
    assert_eq!(error.message, "as scripted");
    assert_eq!(error.remedy.as_deref(), Some("change the script"));
    assert_eq!(target.has(5).await, expected);
    let held = target.held.lock().unwrap();
    let waits: Vec<_> = held.connects.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    for (wait, nominal) in waits.iter().zip([1, 2, 4, 8].map(seconds)) {
        assert!(*wait >= nominal / 2 && *wait <= nominal + seconds(1) / 10, "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_sink_leaves_the_account_alone_for_a_minute() {
    let house = House::new().await;
    house.store(1..=1).await;
    let target = Target::new(&[Door::Refuse(Response::Denied)], &[]);
    let _running = house.run(&[("a", &target)]);
    target.has(1).await;
    let held = target.held.lock().unwrap();
    assert!(held.connects[1].1 - held.connects[0].1 >= seconds(60));
}

#[tokio::test(start_paused = true)]
async fn only_a_batch_that_was_not_acknowledged_is_repeated() {
    let house = House::new().await;
    house.store(1..=25).await;
    let acts = [Act::Take, Act::DropAfter(4), Act::Take, Act::TakeFirst(2), Act::DropAfter(0)];
    let target = Target::new(&[], &acts);
    let _running = house.run(&[("a", &target)]);
    let arrived = target.has(29).await;
    let numbers: Vec<u32> = arrived.iter().map(|id| id.parse().unwrap()).collect();
    let expected: Vec<u32> = (1..=14).chain(11..=25).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_costs_no_other_sink_anything() {
    let house = House::new().await;
    let expected = house.store(1..=50).await;
    let (slow, fast) = (Target::new(&[], &[Act::Slow(seconds(100)); 5]), Target::default());
    let begun = tokio::time::Instant::now();
    let _running = house.run(&[("slow", &slow), ("fast", &fast)]);
    assert_eq!(fast.has(50).await, expected);
    assert!(begun.elapsed() < seconds(1));
    assert!(slow.ids().is_empty());
    assert_eq!(slow.has(50).await, expected);
}

#[tokio::test(start_paused = true)]
async fn patience_is_had_as_long_as_asked_for_and_told() {
    let house = House::new().await;
    let expected = house.store(1..=3).await;
    let target = Target::new(&[], &[Act::Throttle(seconds(42)), Act::Throttle(Duration::ZERO)]);
    let running = house.run(&[("a", &target)]);
    let throttled = |status: &pluvio_runtime::status::ComponentStatus| {
        status.sink.as_ref().is_some_and(|sink| sink.throttled_until.is_some())
    };
    let status = running.until("a", throttled).await;
    assert_eq!(status.state, State::Running);
    assert_eq!(status.error.unwrap().message, "the target says: not now");
    assert!(status.retry_at.is_some());
    assert_eq!(target.has(3).await, expected);
    let held = target.held.lock().unwrap();
    assert!(held.writes[1].1 - held.writes[0].1 >= seconds(42));
    let ours = held.writes[2].1 - held.writes[1].1;
    assert!(ours >= seconds(1) / 2 && ours <= seconds(2), "without a time, ours: {ours:?}");
    assert_eq!(held.connects.len(), 1, "nobody connects again for that");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_ends_is_told_as_stalled_and_then_given_up() {
    let house = House::new().await;
    let expected = house.store(1..=3).await;
    let target = Target::new(&[], &[Act::Hang]);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.state == State::Stalled).await;
    let status = running.until("a", |status| status.error.is_some()).await;
    assert!(status.error.unwrap().message.contains("no answer to a batch within 300s"));
    assert_eq!(target.has(3).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_reported_and_the_sink_is_made_anew() {
    let house = House::new().await;
    let expected = house.store(1..=3).await;
    let target = Target::new(&[], &[Act::Panic]);
    let running = house.run(&[("a", &target)]);
    let status = running.until("a", |status| status.error.is_some()).await;
    assert_eq!(status.error.unwrap().message, "the sink panicked: as scripted");
    assert_eq!(target.has(3).await, expected);
    assert_eq!(target.held.lock().unwrap().made, 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_what_was_not_given_is_no_acknowledgement() {
    let house = House::new().await;
    let expected = house.store(1..=3).await;
    let target = Target::new(&[], &[Act::Confuse]);
    let running = house.run(&[("a", &target)]);
    let status = running.until("a", |status| status.error.is_some()).await;
    assert!(status.error.unwrap().message.contains("outside its batch"));
    assert_eq!(target.has(3).await, expected);
    assert!(house.letters().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_targets_own_cursor_wins_unless_it_is_of_another_log() {
    let house = House::new().await;
    house.store(1..=9).await;
    let target = Target::new(&[Door::At(6)], &[]);
    let _running = house.run(&[("a", &target)]);
    assert_eq!(target.has(3).await, ["7", "8", "9"]);
    let other = Target::new(&[Door::At(5000)], &[]);
    let _running = house.run(&[("b", &other)]);
    assert_eq!(other.has(9).await.len(), 9, "no record lies before 5000");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_set_back_is_noticed_however_much_is_stored_before_the_target_is_there() {
    let house = House::new().await;
    house.store(1..=5).await;
    let doors = [Door::Refuse(Response::Retry), Door::At(8), Door::At(8), Door::At(8)];
    let target = Target::new(&doors, &[Act::DropAfter(0)]);
    let running = house.run(&[("a", &target)]);
    let status = running.until("a", |status| status.error.is_some()).await;
    assert_eq!(status.sink.unwrap().offset, Some(0));
    house.store(6..=20).await;
    let all: Vec<_> = (1..=20).map(|number| number.to_string()).collect();
    assert_eq!(target.has(20).await, all);
    let held = target.held.lock().unwrap();
    let ends: Vec<_> = held.connects.iter().map(|(standing, _)| standing.end.get()).collect();
    assert_eq!(ends, [5, 5, 5, 10], "the start's, then the end of what was handed over");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_set_back_is_noticed_by_whichever_start_hears_the_target_first() {
    let house = House::new().await;
    house.store(1..=5).await;
    for stored in [6..=10, 11..=20] {
        let away = Target::new(&[Door::Refuse(Response::Retry); 9], &[]);
        let running = house.run(&[("a", &away)]);
        running.until("a", |status| status.error.is_some()).await;
        house.store(stored).await;
        assert!(running.supervisor.drain().await);
    }
    let target = Target::new(&[Door::At(8)], &[]);
    let _running = house.run(&[("a", &target)]);
    let all: Vec<_> = (1..=20).map(|number| number.to_string()).collect();
    assert_eq!(target.has(20).await, all, "it had 8 before the first of them was started");
}

#[tokio::test(start_paused = true)]
async fn a_target_of_a_log_before_it_was_set_back_is_told_for_good_that_its_cursor_does_not_count()
{
    let house = House::new().await;
    house.store(1..=5).await;
    let target = Target::new(&[Door::At(8)], &[Act::Hang]);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.state == State::Stalled).await;
    assert!(running.supervisor.drain().await);
    let seeks = |target: &Target| -> Vec<_> {
        let held = target.held.lock().unwrap();
        held.connects.iter().map(|(standing, _)| standing.moves.last).collect()
    };
    let first = seeks(&target);
    assert!(matches!(first[..], [0, decided] if decided > 0), "{first:?}");
    house.store(6..=20).await;
    let target = Target::default();
    let _running = house.run(&[("a", &target)]);
    target.has(20).await;
    assert_eq!(seeks(&target), first[1..], "a cursor with a lower number is from before");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_set_back_is_noticed_by_sinks_that_were_not_configured_at_its_first_start() {
    let house = House::new().await;
    house.store(1..=5).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("5")).await;
    assert!(running.supervisor.drain().await);
    expect_targets(&house.log).await.unwrap();
    house.store(6..=20).await;
    expect_targets(&house.log).await.unwrap();
    let target = Target::new(&[Door::At(8)], &[]);
    let _running = house.run(&[("a", &target)]);
    let rest: Vec<_> = (6..=20).map(|number| number.to_string()).collect();
    assert_eq!(target.has(15).await, rest, "it had 8 before the first of them");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_set_back_and_grew_again_is_noticed_by_a_sink_that_it_knows_nothing_of() {
    let house = House::new().await;
    house.store(1..=5).await;
    let recorded = async |offset: i64| {
        let from = Offset::new(offset).unwrap();
        let chunk = house.log.read(&events(), from, ReadLimit::default()).await.unwrap();
        chunk.records().next().unwrap().recorded
    };
    // What the target took last was recorded behind the copy, and before it was put back.
    let then = recorded(4).await + SignedDuration::from_millis(1);
    while Timestamp::now() <= then + SignedDuration::from_millis(1) {
        tokio::task::yield_now().await;
    }
    house.store(6..=20).await;
    let offset = Offset::new(8).unwrap();
    let target = Target::new(&[Door::Took(Taken { offset, recorded: then })], &[]);
    let _running = house.run(&[("a", &target)]);
    let rest: Vec<_> = (6..=20).map(|number| number.to_string()).collect();
    assert_eq!(target.has(15).await, rest, "all that was stored since");
    let seeks = moves(&target);
    assert!(matches!(seeks[..], [0, decided] if decided > 0), "it is told so: {seeks:?}");

    let same = Target::new(&[Door::Took(Taken { offset, recorded: recorded(8).await })], &[]);
    let _running = house.run(&[("b", &same)]);
    assert_eq!(same.has(11).await, rest[4..], "the same log");
}

/// The number of the last move that the target was told of, at each connection.
fn moves(target: &Target) -> Vec<u64> {
    let held = target.held.lock().unwrap();
    held.connects.iter().map(|(standing, _)| standing.moves.last).collect()
}

/// A moment that lies behind all that was recorded, and before all that will be.
async fn a_moment() -> Timestamp {
    let then = Timestamp::now() + SignedDuration::from_millis(1);
    while Timestamp::now() <= then + SignedDuration::from_millis(1) {
        tokio::task::yield_now().await;
    }
    then
}

#[tokio::test(start_paused = true)]
async fn a_log_that_grew_before_a_hole_where_the_target_has_its_last_event_was_set_back() {
    let house = House::new().await;
    house.store(1..=5).await;
    let then = a_moment().await;
    house.store(6..=6).await;
    house.store_at(7, 100).await;
    house.store(8..=8).await;
    let last = Taken { offset: Offset::new(50).unwrap(), recorded: then };
    let target = Target::new(&[Door::Took(last)], &[]);
    let _running = house.run(&[("a", &target)]);
    assert_eq!(target.has(3).await, ["6", "7", "8"]);
    let seeks = moves(&target);
    assert!(matches!(seeks[..], [0, decided] if decided > 0), "it is told so: {seeks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hole_that_a_machines_end_left_at_the_end_of_a_log_is_no_sign_of_another_log() {
    let house = House::new().await;
    house.store(1..=5).await;
    // The cursor lost its last puts, too.
    let log_id = house.log.extent(&events()).unwrap().log_id;
    let stale = format!(r#"{{"stream":"events","log_id":"{log_id}","next":2}}"#);
    let entry = Entry { key: "a".into(), value: Some(stale.into()) };
    house.log.put(Table::Cursors, vec![entry]).await.unwrap();
    let then = a_moment().await;
    house.store_at(6, 100).await;
    house.store(7..=8).await;
    let last = Taken { offset: Offset::new(8).unwrap(), recorded: then };
    let target = Target::new(&[Door::Took(last)], &[]);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("103")).await;
    assert_eq!(target.ids(), ["6", "7", "8"], "it has all that lies before the hole");
    let seeks = moves(&target);
    assert_eq!(seeks, [0], "its cursor counts");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_repair_replaced_after_it_was_handed_over_is_no_sign_of_another_log() {
    let house = House::new().await;
    house.store(1..=5).await;
    let running = house.run(&[("a", &Target::default())]);
    running.until("a", |status| status.position.as_deref() == Some("5")).await;
    assert!(running.supervisor.drain().await);
    let offset = Offset::new(4).unwrap();
    let took = || Door::Took(Taken { offset, recorded: Timestamp::UNIX_EPOCH });
    let target = Target::new(&[took(), took(), took()], &[]);
    let _running = house.run(&[("a", &target)]);
    house.store(6..=8).await;
    assert_eq!(target.has(3).await, ["6", "7", "8"]);
    assert_eq!(target.held.lock().unwrap().connects.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_sink_has_noted_that_its_target_was_heard_before_anything_is_handed_over() {
    let house = House::new().await;
    house.store(1..=5).await;
    let target = Target::default();
    let _running = house.run(&[("a", &target)]);
    target.has(5).await;
    let entries = house.log.entries(Table::Cursors).await.unwrap();
    let noted = String::from_utf8_lossy(&entries[b"a".as_slice()]).into_owned();
    assert!(
        !noted.contains("reach"),
        "after a crash, five would be more than it can have: {noted}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_waits_for_an_offset_to_come_waits_on_after_a_restart() {
    let mut house = House::new().await;
    house.from = Begin::Offset(Offset::new(10).unwrap());
    house.store(1..=5).await;
    let target = Target::default();
    for stored in [6..=8, 9..=12] {
        let running = house.run(&[("a", &target)]);
        running.until("a", |status| status.state == State::Running).await;
        assert_eq!(house.cursor("a").await, None, "it would say that records were taken");
        house.store(stored).await;
        if target.held.lock().unwrap().made == 2 {
            assert_eq!(target.has(2).await, ["11", "12"]);
        }
        assert!(running.supervisor.drain().await);
    }
    assert_eq!(house.cursor("a").await, Some(12));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_took_what_it_did_not_acknowledge_is_followed_beyond_the_end_at_the_start() {
    let house = House::new().await;
    house.store(1..=5).await;
    let target = Target::new(&[Door::At(0), Door::At(8)], &[Act::Take, Act::DropAfter(3)]);
    let _running = house.run(&[("a", &target)]);
    target.has(5).await;
    house.store(6..=8).await;
    target.has(8).await;
    house.store(9..=9).await;
    let all: Vec<_> = (1..=9).map(|number| number.to_string()).collect();
    assert_eq!(target.has(9).await, all, "nothing comes there again");
}

#[tokio::test(start_paused = true)]
async fn a_cursor_behind_the_end_at_the_start_passes_nothing_that_is_stored_before_the_sink_looks()
{
    let house = House::new().await;
    house.store(1..=3).await;
    let log_id = house.log.extent(&events()).unwrap().log_id;
    let ahead = format!(r#"{{"stream":"events","log_id":"{log_id}","next":9}}"#);
    let entry = Entry { key: "a".into(), value: Some(ahead.into()) };
    house.log.put(Table::Cursors, vec![entry]).await.unwrap();
    let target = Target::default();
    let _running = house.run(&[("a", &target)]);
    let expected = house.store(4..=12).await;
    assert_eq!(target.has(9).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_filter_leaves_events_out_and_the_cursor_passes_them() {
    let mut house = House::new().await;
    house.filter = Filter::default().and_expression("int(id) % 10 == 0").unwrap();
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    assert_eq!(target.has(2).await, ["10", "20"]);
    running.until("a", |status| status.position.as_deref() == Some("25")).await;
    house.store(26..=28).await;
    let passed = running.until("a", |status| status.position.as_deref() == Some("28")).await;
    assert_eq!(passed.sink.unwrap().filtered, 26);
    assert!(running.supervisor.drain().await);
    assert_eq!(house.cursor("a").await, Some(28));
}

#[tokio::test(start_paused = true)]
async fn a_filter_sees_an_events_place_as_its_readers_do() {
    let mut house = House::new().await;
    house.filter = Filter::default()
        .and_expression("int(id) % 10 == 0 && sequence >= '0' && recordedtime.getFullYear() > 2000")
        .unwrap();
    house.store(1..=25).await;
    let target = Target::default();
    let _running = house.run(&[("a", &target)]);
    assert_eq!(target.has(2).await, ["10", "20"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_sink_begins_where_it_is_told_and_an_old_one_where_it_stood() {
    for (from, first) in [
        (Begin::Earliest, "1"),
        (Begin::Latest, "6"),
        (Begin::Offset(Offset::new(3).unwrap()), "4"),
        (Begin::Time("2000-01-01T00:00:00Z".parse().unwrap()), "1"),
    ] {
        let mut house = House::new().await;
        house.store(1..=5).await;
        house.from = from;
        let refusing = Target::new(&[Door::Refuse(Response::Retry)], &[]);
        let running = house.run(&[("a", &refusing)]);
        running.until("a", |status| status.error.is_some()).await;
        assert!(running.supervisor.drain().await);
        house.store(6..=7).await;
        let target = Target::default();
        let running = house.run(&[("a", &target)]);
        let arrived = target.has(2).await;
        assert_eq!(arrived[0], first, "{from:?}: its place was noted at its first start");
        running.until("a", |status| status.position.as_deref() == Some("7")).await;
        assert!(running.supervisor.drain().await);
        house.store(8..=8).await;
        let target = Target::default();
        let _running = house.run(&[("a", &target)]);
        assert_eq!(target.has(1).await, ["8"], "{from:?}: now its cursor counts");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_of_another_log_is_left_aside() {
    let house = House::new().await;
    let expected = house.store(1..=3).await;
    let foreign =
        br#"{"stream":"events","log_id":"00000000-0000-0000-0000-000000000001","next":2}"#;
    let entry = Entry { key: "a".into(), value: Some(foreign.to_vec().into()) };
    house.log.put(Table::Cursors, vec![entry]).await.unwrap();
    let target = Target::default();
    let _running = house.run(&[("a", &target)]);
    assert_eq!(target.has(3).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_behind_the_end_of_its_stream_passes_nothing_that_comes() {
    let house = House::new().await;
    house.store(1..=3).await;
    let log_id = house.log.extent(&events()).unwrap().log_id;
    let ahead = format!(r#"{{"stream":"events","log_id":"{log_id}","next":9}}"#);
    let entry = Entry { key: "a".into(), value: Some(ahead.into()) };
    house.log.put(Table::Cursors, vec![entry]).await.unwrap();
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.position.as_deref() == Some("3")).await;
    let expected = house.store(4..=6).await;
    assert_eq!(target.has(3).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_when_its_first_event_has_waited_long_enough() {
    let mut house = House::new().await;
    house.limits = BatchLimits { age_max: seconds(3), ..house.limits };
    house.store(1..=2).await;
    let target = Target::default();
    let begun = tokio::time::Instant::now();
    let _running = house.run(&[("a", &target)]);
    tokio::time::sleep(seconds(1)).await;
    house.store(3..=4).await;
    target.has(4).await;
    let held = target.held.lock().unwrap();
    assert_eq!(held.writes.len(), 1);
    assert!(held.writes[0].1 - begun >= seconds(3));
}

/// A sink `a` was handed five events and stopped; of the forty that there are, retention took what came next.
async fn passed_by_retention() -> House {
    let retention = Retention { records_max: Some(10), ..Retention::default() };
    let house = House::with(MemoryConfig { retention, ..MemoryConfig::default() }).await;
    house.store(1..=5).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(5).await;
    assert!(running.supervisor.drain().await);
    for number in 6..=40 {
        house.store(number..=number).await;
    }
    house.log.maintain().await;
    house
}

#[tokio::test(start_paused = true)]
async fn what_retention_took_from_a_stopped_sink_is_told_in_its_feed() {
    let house = passed_by_retention().await;
    let start = house.log.extent(&events()).unwrap().start.get();
    let target = Target::default();
    let _running = house.run(&[("a", &target)]);
    let arrived = target.has(11).await;
    assert!(arrived[0].starts_with("gap/a/5-"), "{arrived:?}");
    assert_eq!(target.held.lock().unwrap().arrived[0].0, start - 1);
    let rest: Vec<i64> = arrived[1..].iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(rest, ((start + 1)..=40).collect::<Vec<_>>());
    // A batch with it that is sent again is the same, whenever that is.
    let held = target.held.lock().unwrap();
    assert_eq!(held.recorded[0], held.recorded[1]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_did_not_arrive_is_told_again_as_it_was() {
    let house = passed_by_retention().await;
    let target = Target::new(&[], &[Act::DropAfter(0), Act::DropAfter(0)]);
    let _running = house.run(&[("a", &target)]);
    let arrived = target.has(11).await;
    assert!(arrived[0].starts_with("gap/a/5-"), "{arrived:?}");
}

#[tokio::test(start_paused = true)]
async fn what_retention_takes_from_a_sink_that_waits_is_told_while_it_waits() {
    let retention = Retention { records_max: Some(10), ..Retention::default() };
    let house = House::with(MemoryConfig { retention, ..MemoryConfig::default() }).await;
    house.store(1..=5).await;
    let target = Target::new(&[Door::Refuse(Response::Retry); 60], &[]);
    let running = house.run(&[("a", &target)]);
    let lag = |status: &ComponentStatus| status.sink.clone().unwrap_or_default();
    running.until("a", |status| lag(status).lag_records_max == 5).await;
    for number in 6..=40 {
        house.store(number..=number).await;
    }
    house.log.maintain().await;
    let start = house.log.extent(&events()).unwrap().start.get();
    assert!(start > 0);
    let missed = start.unsigned_abs();
    let status = running.until("a", |status| lag(status).missed_records_max == missed).await;
    assert_eq!(lag(&status).lag_records_max, 40, "it does not shrink by what is lost");
    target.has(11).await;
    running.until("a", |status| lag(status).missed_records_max == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_the_batch_in_flight_end_and_notes_where_the_sink_stands() {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::new(&[], &[Act::Slow(seconds(1))]);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.state == State::Running).await;
    while target.held.lock().unwrap().writes.is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(running.supervisor.drain().await);
    assert_eq!(target.ids().len(), 10, "the batch in flight and no other");
    assert_eq!(house.cursor("a").await, Some(10));
    assert_eq!(target.held.lock().unwrap().closes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_write_that_never_ends() {
    let house = House::new().await;
    house.store(1..=5).await;
    let target = Target::new(&[], &[Act::Take, Act::Hang]);
    let running = house.run(&[("a", &target)]);
    target.has(5).await;
    house.store(6..=9).await;
    while target.held.lock().unwrap().writes.len() < 2 {
        tokio::task::yield_now().await;
    }
    let begun = tokio::time::Instant::now();
    assert!(running.supervisor.drain().await, "it ends by itself");
    assert!(begun.elapsed() < Supervisor::DRAIN_MAX);
    assert_eq!(house.cursor("a").await, Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_target_whose_reader_has_ended_ends_pluvio_and_is_no_failure() {
    let house = House::new().await;
    house.store(1..=5).await;
    let target = Target::new(&[], &[Act::End]);
    let running = house.run(&[("a", &target)]);
    running.supervisor.ended().await;
    let status = running.until("a", |status| status.state == State::Stopped).await;
    assert_eq!(status.error, None);
    assert_eq!(house.cursor("a").await, Some(0), "nothing counts as arrived");
}

/// Found by an attack: a closed pipe ended Pluvio with status 0, and a webhook beside it got nothing more.
#[tokio::test(start_paused = true)]
async fn a_target_whose_reader_has_ended_ends_no_other_sink() {
    let house = House::new().await;
    house.store(1..=5).await;
    let (target, other) = (Target::new(&[], &[Act::End]), Target::default());
    let running = house.run(&[("a", &target), ("b", &other)]);
    let status = running.until("a", |status| status.state == State::Stopped).await;
    assert!(status.error.unwrap().remedy.unwrap().contains("restart Pluvio with a reader"));
    house.store(6..=9).await;
    assert_eq!(other.has(9).await.len(), 9);
    assert!(futures::poll!(std::pin::pin!(running.supervisor.ended())).is_pending());
}
