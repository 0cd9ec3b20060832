//! An operator moves a sink: what arrives again, what never does, and what a crash cannot undo.

use std::time::Duration;

use pluvio_event::Filter;
use pluvio_log::{Log as _, Offset};
use pluvio_runtime::{
    Response,
    status::{ComponentStatus, State},
    supervise::sink::{Begin, Repeats, Seek, SeekError, Sought, seek},
};
use tokio::time::Instant;

use crate::target::{Act, Door, House, Running, Target, events};

fn to(offset: i64) -> Seek {
    Seek { to: Begin::Offset(Offset::new(offset).unwrap()), until: None }
}

fn stretch(first: i64, until: i64) -> Seek {
    Seek { until: Some(Begin::Offset(Offset::new(until).unwrap())), ..to(first) }
}

fn numbers(range: impl Iterator<Item = u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

impl Running {
    /// Moves the sink `a` while it runs.
    async fn seek(&self, seek: Seek) -> Result<Sought, SeekError> {
        let deadline = Instant::now() + Duration::from_secs(10);
        self.supervisor.seeker().seek("a", seek, deadline).await
    }

    async fn stands_at(&self, offset: i64) {
        let is_there = |status: &ComponentStatus| {
            status.sink.as_ref().is_some_and(|sink| sink.offset == Some(offset))
        };
        self.until("a", is_there).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_moved_back_hands_over_again_from_there_and_the_status_tells_it() {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(25).await;
    running.stands_at(25).await;
    let sought = running.seek(to(12)).await.unwrap();
    assert_eq!((sought.from, sought.to), (25, 12));
    assert_eq!((sought.repeated_events, sought.skipped_events, sought.is_exact), (13, 0, true));
    assert_eq!(house.cursor("a").await, Some(12), "durable with the answer");
    assert_eq!(target.has(38).await, numbers((1..=25).chain(13..=25)));
    running.stands_at(25).await;
    let status = running.until("a", |status| status.state == State::Running).await;
    assert_eq!((status.sink.unwrap().sought, status.error), (Some(sought.clone()), None));
    house.store(26..=26).await;
    assert_eq!(target.has(39).await[38], "26");
    let held = target.held.lock().unwrap();
    let seeks: Vec<_> = held.connects.iter().map(|(standing, _)| standing.moves.last).collect();
    assert_eq!(
        (seeks, held.made),
        (vec![0, sought.number], 1),
        "one connection more, and nothing is made anew"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_moved_ahead_skips_and_says_how_many() {
    let mut house = House::new().await;
    house.filter = Filter::default().and_expression("int(id) % 2 == 0").unwrap();
    house.store(1..=30).await;
    let target = Target::new(&[], &[Act::Hang]);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.state == State::Running).await;
    let first = running.seek(to(20)).await.unwrap();
    assert_eq!((first.from, first.repeated_events, first.skipped_events), (1, 0, 10));
    assert_eq!(target.has(5).await, ["22", "24", "26", "28", "30"]);
    let sought = running.seek(Seek { to: Begin::Latest, until: None }).await.unwrap();
    assert!(sought.to == 30 && sought.number > first.number, "{sought:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_never_ends_does_not_keep_an_operator_waiting() {
    let house = House::new().await;
    house.store(1..=15).await;
    let target = Target::new(&[], &[Act::Take, Act::Hang]);
    let running = house.run(&[("a", &target)]);
    while target.held.lock().unwrap().writes.len() < 2 {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    let sought = running.seek(to(5)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!((sought.from, sought.to, sought.repeated_events), (10, 5, 5));
    assert_eq!(target.has(20).await, numbers((1..=10).chain(6..=15)));
    assert_eq!(target.held.lock().unwrap().closes, 1, "the connection was given back");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_down_does_not_keep_an_operator_waiting() {
    let house = House::new().await;
    house.store(1..=9).await;
    let target = Target::new(&[Door::Refuse(Response::Denied)], &[]);
    let running = house.run(&[("a", &target)]);
    running.until("a", |status| status.retry_at.is_some()).await;
    let begun = Instant::now();
    let sought = running.seek(to(4)).await.unwrap();
    assert_eq!((sought.skipped_events, begun.elapsed().as_secs()), (4, 0));
    assert_eq!(target.has(5).await, numbers(5..=9), "and it is asked anew at once");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_for_before_is_forgotten_and_comes_again() {
    let house = House::new().await;
    house.store(1..=5).await;
    let target = Target::default().never(&["3"], true);
    let running = house.run(&[("a", &target)]);
    target.has(4).await;
    running.stands_at(5).await;
    running.seek(to(0)).await.unwrap();
    assert_eq!(target.has(8).await, ["1", "2", "4", "5", "1", "2", "4", "5"]);
    running.stands_at(5).await;
    assert_eq!(house.letters().await.len(), 1, "the same event makes no second letter");
}

#[tokio::test(start_paused = true)]
async fn a_gap_in_a_stretch_that_is_handed_over_again_tells_of_no_event_behind_it_that_was_taken() {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.stands_at(25).await;
    assert!(running.supervisor.drain().await);
    seek(&house.context("a"), stretch(3, 10), false).await.unwrap();
    house.store(26..=40).await;
    house.log.trim(&events(), Offset::new(30).unwrap()).await.unwrap();
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.stands_at(40).await;
    let arrived = target.ids();
    assert_eq!(arrived[..2], ["gap/a/3-9", "gap/a/25-29"]);
    assert_eq!(arrived[2..], numbers(31..=40));
}

/// Found by an attack: the gap said of events that a receiver had taken that they were never handed to it.
#[tokio::test(start_paused = true)]
async fn what_retention_takes_of_a_move_without_an_end_is_told_apart_from_what_was_never_handed_over()
 {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.stands_at(25).await;
    assert!(running.supervisor.drain().await);
    seek(&house.context("a"), to(3), false).await.unwrap();
    house.store(26..=40).await;
    house.log.trim(&events(), Offset::new(30).unwrap()).await.unwrap();
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.stands_at(40).await;
    assert_eq!(target.ids()[..2], ["gap/a/3-24", "gap/a/25-29"]);
    let reasons = target.held.lock().unwrap().reasons.clone();
    assert!(reasons[0].ends_with("handed them again"), "{reasons:?}");
    assert!(reasons[1].ends_with("handed them"), "{reasons:?}");
}

/// Found by an attack: what a sink never had, because it began later or an operator skipped it, was told as handed
/// over before.
#[tokio::test(start_paused = true)]
async fn what_was_skipped_is_not_told_as_handed_over_before() {
    let mut house = House::new().await;
    house.store(1..=10).await;
    house.from = Begin::Latest;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.stands_at(10).await;
    house.store(11..=15).await;
    target.has(5).await;
    running.stands_at(15).await;
    assert!(running.supervisor.drain().await);
    house.store(16..=30).await;
    seek(&house.context("a"), Seek { to: Begin::Latest, until: None }, false).await.unwrap();
    seek(&house.context("a"), to(2), false).await.unwrap();
    house.log.trim(&events(), Offset::new(20).unwrap()).await.unwrap();
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    running.stands_at(30).await;
    assert_eq!(target.ids()[..3], ["gap/a/2-9", "gap/a/10-14", "gap/a/15-19"]);
    let reasons = target.held.lock().unwrap().reasons.clone();
    let is_again: Vec<_> = reasons.iter().map(|it| it.ends_with("handed them again")).collect();
    assert_eq!(is_again, [false, true, false]);
}

/// Found by an attack: a move forgot what was taken behind an event that waited, and retention then told it as lost.
#[tokio::test(start_paused = true)]
async fn what_was_taken_behind_a_waiting_event_stays_so_over_a_move_that_does_not_repeat_it() {
    for (sought, repeated, gaps) in [
        (to(4), 0, vec!["gap/a/4-4", "gap/a/10-11"]),
        (stretch(1, 3), 2, vec!["gap/a/1-2", "gap/a/4-4", "gap/a/10-11"]),
        (to(2), 7, vec!["gap/a/2-3", "gap/a/4-4", "gap/a/5-9", "gap/a/10-11"]),
    ] {
        let house = House::new().await;
        house.store(1..=10).await;
        house.has_taken_all_but_the_fifth_of_ten().await;
        let told = seek(&house.context("a"), sought, false).await.unwrap();
        assert_eq!(told.repeated_events, repeated, "{told:?}");
        house.store(11..=14).await;
        house.log.trim(&events(), Offset::new(12).unwrap()).await.unwrap();
        let target = Target::default();
        let running = house.run(&[("a", &target)]);
        running.stands_at(14).await;
        let arrived = target.ids();
        let told: Vec<_> = arrived.iter().filter(|id| id.starts_with("gap/")).collect();
        assert_eq!(told, gaps.iter().collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stretch_is_handed_over_again_and_then_the_sink_goes_on_where_it_stood() {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(25).await;
    running.stands_at(25).await;
    let sought = running.seek(stretch(3, 17)).await.unwrap();
    assert_eq!((sought.repeated_events, sought.until, sought.back_to), (14, Some(17), Some(25)));
    target.has(39).await;
    running.stands_at(25).await;
    house.store(26..=27).await;
    let expected = numbers((1..=25).chain(4..=17).chain(26..=27));
    assert_eq!(target.has(41).await, expected);
    assert!(running.supervisor.drain().await);
    assert_eq!(house.cursor("a").await, Some(27));
}

#[tokio::test(start_paused = true)]
async fn a_stretch_survives_a_crash_at_any_of_its_batches() {
    for batches in 0..=4 {
        let house = House::new().await;
        house.store(1..=50).await;
        let target = Target::default();
        let running = house.run(&[("a", &target)]);
        target.has(50).await;
        running.stands_at(50).await;
        for _ in 0..batches {
            target.act(Act::Take);
        }
        target.act(Act::Hang);
        running.seek(stretch(10, 40)).await.unwrap();
        let hangs = |target: &Target| target.held.lock().unwrap().writes.len() > 5 + batches;
        let begun = Instant::now();
        while !hangs(&target) && begun.elapsed() < Duration::from_secs(9) {
            tokio::time::advance(Duration::from_millis(20)).await;
            tokio::task::yield_now().await;
        }
        // Cut off: what the cursor was not put for is repeated, and nothing else changes.
        drop(running);
        house.store(51..=52).await;
        let again = Target::default();
        let running = house.run(&[("a", &again)]);
        running.stands_at(52).await;
        let (before, after) = (target.ids(), again.ids());
        let told = format!("{batches} batches: {before:?} {after:?}");
        assert_eq!(after[after.len() - 2..], ["51", "52"], "{told}");
        let both: Vec<u32> =
            before[50..].iter().chain(&after).map(|id| id.parse().unwrap()).collect();
        assert!((11..=40).all(|number| both.contains(&number)), "{told}");
        assert!(!both.iter().any(|number| (41..=50).contains(number) || *number <= 10), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_right_after_the_answer_begins_at_the_new_place() {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(25).await;
    running.stands_at(25).await;
    running.seek(to(20)).await.unwrap();
    drop(running);
    let again = Target::default();
    let running = house.run(&[("a", &again)]);
    assert_eq!(again.has(5).await, numbers(21..=25));
    let status = running.until("a", |status| status.state == State::Running).await;
    assert_eq!(status.sink.unwrap().sought.map(|sought| (sought.from, sought.to)), Some((25, 20)));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_does_not_run_is_moved_in_the_log_and_a_dry_run_moves_nothing() {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(25).await;
    running.stands_at(25).await;
    let dry = running.supervisor.seeker().dry_run("a", to(5)).await.unwrap();
    assert!(running.supervisor.drain().await);
    assert_eq!((dry.to, dry.repeated_events), (5, 20));
    let context = house.context("a");
    let dry = seek(&context, to(7), true).await.unwrap();
    assert_eq!((dry.from, dry.repeated_events, house.cursor("a").await), (25, 18, Some(25)));
    let sought = seek(&context, to(7), false).await.unwrap();
    assert!(sought.number > 0);
    assert_eq!(house.cursor("a").await, Some(7));
    let again = Target::default();
    let _running = house.run(&[("a", &again)]);
    assert_eq!(again.has(18).await, numbers(8..=25));
}

#[tokio::test(start_paused = true)]
async fn what_the_stream_does_not_have_is_refused_with_what_it_has() {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(25).await;
    running.stands_at(25).await;
    let time = |text: &str| Seek { to: Begin::Time(text.parse().unwrap()), until: None };
    for (asked, told) in [
        (to(26), "offset 26 is out of range: stream `events` has offsets 0 to 25"),
        (time("2001-01-01T00:00:00Z"), "the oldest event of stream `events` was stored at"),
        (time("2999-01-01T00:00:00Z"), "lies in the future"),
        (stretch(9, 9), "must lie behind"),
        (stretch(25, 26), "out of range"),
    ] {
        let error = running.seek(asked).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    running.seek(to(20)).await.unwrap();
    target.has(30).await;
    running.stands_at(25).await;
    let deadline = Instant::now() + Duration::from_secs(1);
    let unknown = running.supervisor.seeker().seek("b", to(1), deadline).await.unwrap_err();
    assert_eq!(unknown.to_string(), "no sink `b` is running; there are: a");
    assert!(matches!(running.seek(stretch(25, 25)).await, Err(SeekError::Empty { .. })));
    assert_eq!(target.ids().len(), 30, "nothing of that moved it");
}

#[tokio::test(start_paused = true)]
async fn who_gave_up_waiting_is_not_obeyed_later() {
    let house = House::new().await;
    house.store(1..=15).await;
    let target = Target::new(&[], &[Act::Take, Act::Hang]);
    let running = house.run(&[("a", &target)]);
    while target.held.lock().unwrap().writes.len() < 2 {
        tokio::task::yield_now().await;
    }
    let moved = running.supervisor.seeker().seek("a", to(0), Instant::now()).await;
    assert!(matches!(moved, Err(SeekError::TooLate)), "{moved:?}");
    assert_eq!(target.has(15).await, numbers(1..=15), "it goes on where it stood");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_holds_each_event_once_is_only_moved_ahead() {
    let mut house = House::new().await;
    house.repeats = Repeats::judged(|_| Some("move the file away first".to_owned()));
    house.store(1..=25).await;
    let target = Target::new(&[], &[Act::Take, Act::Hang]);
    let running = house.run(&[("a", &target)]);
    running.stands_at(10).await;
    let refused = running.seek(to(3)).await.unwrap_err();
    assert_eq!(refused.to_string(), "move the file away first");
    assert_eq!(running.seek(to(24)).await.unwrap().skipped_events, 14);
    assert_eq!(target.has(11).await[10], "25");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_keeps_the_cursor_learns_the_number_of_the_move_and_goes_on_by_its_own_after_it()
 {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(25).await;
    running.stands_at(25).await;
    let sought = running.seek(stretch(5, 15)).await.unwrap();
    target.has(35).await;
    running.stands_at(25).await;
    drop(running);
    // The jump was not noted yet, but the target's own cursor of that move is behind the stretch.
    let again = Target::new(&[Door::At(16)], &[]);
    let running = house.run(&[("a", &again)]);
    running.stands_at(25).await;
    assert_eq!(house.store(26..=26).await, again.has(1).await);
    let held = again.held.lock().unwrap();
    let standing = &held.connects[0].0;
    assert_eq!((standing.moves.last, standing.cursor.get()), (sought.number, 5));
}

/// A sink that handed over 50 events and was killed when the log knew of 25: a cursor is put once a second.
async fn killed() -> House {
    let house = House::new().await;
    house.store(1..=25).await;
    let target = Target::default();
    let running = house.run(&[("a", &target)]);
    target.has(25).await;
    assert!(running.supervisor.drain().await);
    let running = house.run(&[("a", &target)]);
    house.store(26..=50).await;
    target.has(50).await;
    drop(running);
    house
}

/// Found by an attack.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_stretch_counts_also_behind_the_place_that_the_log_knows() {
    for (stood, all) in [(50, numbers((6..=35).chain(51..=51))), (30, numbers(6..=51))] {
        let house = killed().await;
        let sought = seek(&house.context("a"), stretch(5, 35), false).await.unwrap();
        assert_eq!(
            (sought.until, sought.back_to, sought.repeated_events),
            (Some(35), Some(35), 20)
        );
        let again = Target::new(&[Door::Stood(stood)], &[]);
        let _running = house.run(&[("a", &again)]);
        house.store(51..=51).await;
        assert_eq!(again.has(all.len()).await, all);
    }
}

/// Found by an attack.
#[tokio::test(start_paused = true)]
async fn a_sink_goes_on_where_its_target_stood_though_the_log_did_not_know_that_when_it_was_moved()
{
    let house = killed().await;
    let sought = seek(&house.context("a"), stretch(5, 15), false).await.unwrap();
    assert_eq!(sought.back_to, Some(25), "what the log knows");
    // It is told once, and remembered: from then on the target's cursor is of the new move.
    let mut arrived = Vec::new();
    for (door, cut) in [(Door::Stood(50), true), (Door::At(8), false)] {
        let again = Target::new(&[door], if cut { &[Act::Hang] } else { &[] });
        let running = house.run(&[("a", &again)]);
        let status = running.until("a", |status| status.state == State::Running).await;
        let sought = status.sink.unwrap().sought.unwrap();
        assert_eq!(sought.back_to, Some(50));
        if !cut {
            house.store(51..=51).await;
            arrived = again.has(8).await;
        }
    }
    assert_eq!(arrived, numbers((9..=15).chain(51..=51)));
}
