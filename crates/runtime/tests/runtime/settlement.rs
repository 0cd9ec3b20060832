//! What was answered for stays answered for, whatever else happens: a target that answers as it likes,
//! and what the supervisor makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use pluvio_event::{Event, Filter, json};
use pluvio_log::{Log as _, Offset};
use pluvio_runtime::{
    Answers, Connected, Delivered, Outcome, Response, Sink, Standing, Writer,
    status::{ComponentStatus, State},
};

use crate::target::{House, Running, Scripted, events};

/// Pseudo-random numbers from a seed (SplitMix64).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What the target knows.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// How often it has acknowledged each.
    taken: BTreeMap<i64, u32>,
    /// The gaps that it has acknowledged: first and last offset.
    pub(crate) told: Vec<(i64, i64)>,
    /// Taken when a connection ended, and not acknowledged yet.
    unheard: Vec<Offset>,
    /// How often it has refused each.
    refused: BTreeMap<i64, u32>,
    /// The events of each write.
    pub(crate) writes: Vec<Vec<i64>>,
    connects: usize,
}

/// What a gap stands for: its first and last offset.
pub(crate) fn lost(event: &Event) -> Option<(i64, i64)> {
    if event.event_type() != "pluvio.gap.v0" {
        return None;
    }
    let data: serde_json::Value = serde_json::from_slice(event.data()?.as_bytes()).unwrap();
    Some((data["from_offset"].as_i64().unwrap(), data["to_offset"].as_i64().unwrap()))
}

type Act = dyn Fn(&Scene<'_>) -> Option<Outcome<Scripted>> + Send + Sync;

/// A target that does with each write what a function says; without an outcome it takes its time and
/// then takes what is left.
#[derive(Clone)]
pub(crate) struct Playing {
    pub(crate) held: Arc<Mutex<Held>>,
    act: Arc<Act>,
    /// Between two answers.
    pub(crate) pace: Duration,
}

/// One write.
pub(crate) struct Scene<'a> {
    pub(crate) batch: &'a [Delivered],
    answers: &'a Answers,
    held: &'a Mutex<Held>,
}

impl Scene<'_> {
    pub(crate) fn offsets(&self) -> Vec<Offset> {
        self.batch.iter().map(Delivered::offset).collect()
    }

    pub(crate) fn take(&self, offset: Offset) {
        self.keep(offset);
        self.answers.taken(offset);
    }

    /// Takes it, and says so over the next connection only.
    fn take_unheard(&self, offset: Offset) {
        self.keep(offset);
        self.held.lock().unwrap().unheard.push(offset);
    }

    fn keep(&self, offset: Offset) {
        let record = self.batch.iter().find(|record| record.offset() == offset);
        let mut held = self.held.lock().unwrap();
        match record.and_then(Delivered::event).and_then(lost) {
            Some(lost) => held.told.push(lost),
            None => *held.taken.entry(offset.get()).or_default() += 1,
        }
    }

    fn refuse(&self, offset: Offset) {
        *self.held.lock().unwrap().refused.entry(offset.get()).or_default() += 1;
        self.answers.rejected(offset, "as it likes".to_owned());
    }
}

impl Playing {
    pub(crate) fn new(
        act: impl Fn(&Scene<'_>) -> Option<Outcome<Scripted>> + Send + Sync + 'static,
    ) -> Self {
        Self { held: Arc::default(), act: Arc::new(act), pace: Duration::ZERO }
    }

    pub(crate) fn taken(&self) -> Vec<i64> {
        self.held.lock().unwrap().taken.keys().copied().collect()
    }

    /// Nothing was acknowledged twice.
    pub(crate) fn assert_once(&self) {
        let held = self.held.lock().unwrap();
        let twice: Vec<_> = held.taken.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "taken more than once: {twice:?}");
    }
}

impl Sink for Playing {
    type Writer = Playing;
    type Error = Scripted;

    async fn connect(&mut self, _: Standing) -> Result<Connected<Playing>, Scripted> {
        self.held.lock().unwrap().connects += 1;
        Ok(Connected { writer: self.clone(), cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Scripted> {
        Ok("a game".to_owned())
    }
}

impl Writer for Playing {
    type Error = Scripted;

    async fn write(&mut self, batch: &[Delivered], answers: &Answers) -> Outcome<Scripted> {
        let offsets = batch.iter().map(|record| record.offset().get()).collect();
        self.held.lock().unwrap().writes.push(offsets);
        let scene = Scene { batch, answers, held: &self.held };
        if let Some(outcome) = (self.act)(&scene) {
            // Answers come before the end.
            tokio::task::yield_now().await;
            return outcome;
        }
        for offset in scene.offsets() {
            tokio::time::sleep(self.pace).await;
            scene.take(offset);
        }
        Outcome::Answered
    }

    fn arrived(&mut self) -> Vec<Offset> {
        std::mem::take(&mut self.held.lock().unwrap().unheard)
    }

    async fn close(self) {}
}

fn broken(sent_to: Offset) -> Outcome<Scripted> {
    Outcome::Broken { error: Scripted(Response::Retry), sent_to }
}

pub(crate) fn run(house: &House, playing: &Playing) -> Running {
    let playing = playing.clone();
    house.run_sink("a", move || playing.clone())
}

/// Lets time pass until the sink's status is as wished, for a day at most.
async fn until(
    running: &Running,
    wish: impl Fn(&ComponentStatus) -> bool,
) -> Option<ComponentStatus> {
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(86_400) {
        let status = running.status.components().into_iter().find(|it| it.name == "a").unwrap();
        if wish(&status) {
            return Some(status);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    None
}

pub(crate) async fn until_at(running: &Running, next: &str) -> ComponentStatus {
    let there = until(running, |status| status.position.as_deref() == Some(next)).await;
    there.unwrap_or_else(|| panic!("not at {next}: {:?}", running.status.components()))
}

/// Whom a target lets in.
#[derive(Clone, Copy)]
enum Door {
    Open,
    NoGaps,
    Shut,
}

/// One answer after the other, until the dice end the write.
fn at_random(dice: &Mutex<Dice>, scene: &Scene<'_>) -> Option<Outcome<Scripted>> {
    let mut dice = dice.lock().unwrap();
    let mut offsets = scene.offsets();
    let count = offsets.len() as u64;
    // Some are not sent, and answers come in any order.
    let sent = 1 + dice.roll(count);
    let sent_to = offsets[sent as usize - 1];
    offsets.truncate(sent as usize);
    for at in (1..offsets.len()).rev() {
        offsets.swap(at, dice.roll(at as u64 + 1) as usize);
    }
    let (mut is_answered, mut silent) = (false, Vec::new());
    for offset in offsets {
        match dice.roll(10) {
            0..5 => scene.take(offset),
            5 => scene.refuse(offset),
            // Failed, lost, or late.
            _ => {
                silent.push(offset);
                continue;
            }
        }
        is_answered = true;
    }
    Some(match dice.roll(6) {
        0 => {
            silent.retain(|_| dice.roll(2) == 0);
            silent.into_iter().for_each(|offset| scene.take_unheard(offset));
            Outcome::NotConnected(Scripted(Response::Retry))
        }
        1 | 2 => broken(sent_to),
        3 => Outcome::Throttled { wait: Duration::ZERO, why: "busy".to_owned() },
        4 if count > 1 => Outcome::BatchRejected("one of them".to_owned()),
        _ if is_answered => Outcome::Answered,
        _ => Outcome::Throttled { wait: Duration::from_millis(5), why: "full".to_owned() },
    })
}

#[tokio::test(start_paused = true)]
async fn whatever_a_target_answers_each_event_is_settled_once_and_each_answer_is_progress() {
    for seed in 0..200_u64 {
        let mut house = House::new().await;
        house.limits.events_max = 1 + (seed % 37) as usize;
        house.store(1..=80).await;
        let dice = Mutex::new(Dice(seed));
        let playing = Playing::new(move |scene| at_random(&dice, scene));
        let running = run(&house, &playing);
        let there = until(&running, |status| status.position.as_deref() == Some("80")).await;
        let status = there.unwrap_or_else(|| panic!("seed {seed} comes to no end"));
        playing.assert_once();
        let letters = house.letters().await;
        let held = playing.held.lock().unwrap();
        let buried: Vec<i64> = letters
            .iter()
            .map(|it| it.extension("pluviooffset").unwrap().to_string().parse().unwrap())
            .collect();
        let unique: BTreeSet<_> = buried.iter().copied().collect();
        assert_eq!(unique.len(), buried.len(), "seed {seed}: one letter each");
        let all: BTreeSet<i64> = held.taken.keys().copied().chain(buried.iter().copied()).collect();
        assert_eq!(all, (0..80).collect(), "seed {seed}: all are settled");
        assert_eq!(held.taken.len() + buried.len(), 80, "seed {seed}: in one way");
        // An event that was answered for is in no later write, but for refused ones that the brake
        // holds back.
        let sink = status.sink.unwrap();
        assert_eq!(status.events, held.taken.len() as u64, "seed {seed}");
        assert_eq!(sink.dead_letters, buried.len() as u64, "seed {seed}");
    }
}

/// Offsets of events that were settled, as often as they were: taken, buried, or told to be lost.
async fn settled(house: &House, playing: &Playing) -> Vec<i64> {
    let (mut settled, mut gaps) = {
        let held = playing.held.lock().unwrap();
        (held.taken.keys().copied().collect::<Vec<_>>(), held.told.clone())
    };
    for letter in house.letters().await {
        let original = json::decode(letter.data().unwrap().as_bytes()).unwrap();
        match lost(&original) {
            Some(lost) => gaps.push(lost),
            None => {
                let offset = letter.extension("pluviooffset").unwrap().to_string();
                settled.push(offset.parse().unwrap());
            }
        }
    }
    settled.extend(gaps.into_iter().flat_map(|(from, to)| from..=to));
    settled.sort_unstable();
    settled
}

#[tokio::test(start_paused = true)]
async fn whatever_retention_takes_meanwhile_each_event_is_taken_or_buried_or_told_to_be_lost_once()
{
    let mut lost = 0;
    for seed in 0..200_u64 {
        let mut house = House::new().await;
        house.limits.events_max = 1 + (seed % 37) as usize;
        house.limits.age_max = Duration::from_millis(seed % 2 * 500);
        let is_filtered = seed % 3 == 0;
        if is_filtered {
            house.filter = Filter::default().and_expression("int(id) % 3 != 0").unwrap();
        }
        house.store(1..=40).await;
        let dice = Mutex::new(Dice(seed));
        let playing = Playing::new(move |scene| at_random(&dice, scene));
        let running = run(&house, &playing);
        let (mut dice, mut start, mut end) = (Dice(!seed), 0, 40_u32);
        while end < 160 {
            tokio::time::sleep(Duration::from_millis(dice.roll(3000))).await;
            let more = 1 + dice.roll(20) as u32;
            house.store(end + 1..=end + more).await;
            end += more;
            start += dice.roll(u64::from(end) - start + 1);
            house.log.trim(&events(), Offset::new(start as i64).unwrap()).await.unwrap();
        }
        let at_end = |status: &ComponentStatus| {
            status.position.as_deref().is_some_and(|at| at == end.to_string())
        };
        let there = until(&running, at_end).await;
        assert!(there.is_some(), "seed {seed} comes to no end");
        playing.assert_once();
        let settled = settled(&house, &playing).await;
        // What a filter leaves out may lie within a gap: nobody looked at it.
        let is_asked = |offset: &i64| !is_filtered || (offset + 1) % 3 != 0;
        let asked: Vec<_> = settled.into_iter().filter(is_asked).collect();
        let all: Vec<_> = (0..i64::from(end)).filter(is_asked).collect();
        assert_eq!(asked, all, "seed {seed}: {:?}", playing.held.lock().unwrap().told);
        lost += playing.held.lock().unwrap().told.len();
    }
    assert!(lost > 200, "the dice lost something often: {lost}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waited_until_retention_took_it_is_told_as_lost_and_none_that_was_taken() {
    let house = House::new().await;
    house.store(1..=10).await;
    let playing = Playing::new(move |scene| {
        // One is denied, and not for its own sake.
        let is_denied = |offset: &Offset| {
            offset.get() == 4 && scene.batch.iter().all(|it| it.event().and_then(lost).is_none())
        };
        let offsets = scene.offsets();
        offsets.iter().filter(|it| !is_denied(it)).for_each(|offset| scene.take(*offset));
        match offsets.iter().any(is_denied) {
            true => Some(Outcome::NotConnected(Scripted(Response::Retry))),
            false => Some(Outcome::Answered),
        }
    });
    let running = run(&house, &playing);
    until_at(&running, "4").await;
    house.log.trim(&events(), Offset::new(10).unwrap()).await.unwrap();
    until_at(&running, "10").await;
    assert_eq!(playing.held.lock().unwrap().told, [(4, 4)]);
    playing.assert_once();
}

#[tokio::test(start_paused = true)]
async fn what_connecting_shows_to_have_arrived_moves_the_cursor_and_no_gap_tells_of_it() {
    let house = House::new().await;
    house.store(1..=10).await;
    let playing = Playing::new(move |scene| {
        let offsets = scene.offsets();
        if offsets.len() < 10 {
            return None;
        }
        // 5 is lost on the way, and the connection ends before anything is said.
        let mut taken = offsets.into_iter().filter(|it| it.get() != 5);
        taken.by_ref().for_each(|offset| scene.take_unheard(offset));
        Some(Outcome::NotConnected(Scripted(Response::Retry)))
    });
    let running = run(&house, &playing);
    until(&running, |status| status.error.is_some()).await;
    house.log.trim(&events(), Offset::new(8).unwrap()).await.unwrap();
    let status = until_at(&running, "10").await;
    assert_eq!(playing.held.lock().unwrap().told, [(5, 5)]);
    let writes = playing.held.lock().unwrap().writes.clone();
    assert_eq!(writes[1..], [[5]], "the gap alone");
    assert_eq!(status.events, 10);
    playing.assert_once();
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_waited_until_retention_took_what_lay_behind_it_is_still_told() {
    let mut house = House::new().await;
    // A gap goes with what lies behind it.
    house.limits.age_max = Duration::from_millis(500);
    house.store(1..=5).await;
    let door = Arc::new(Mutex::new(Door::Open));
    let at_door = Arc::clone(&door);
    let playing = Playing::new(move |scene| {
        let door = *at_door.lock().unwrap();
        let is_gap = |it: &Delivered| it.event().and_then(lost).is_some();
        let is_let_in = |it: &&Delivered| match door {
            Door::Open => true,
            Door::NoGaps => !is_gap(it),
            Door::Shut => false,
        };
        scene.batch.iter().filter(is_let_in).for_each(|record| scene.take(record.offset()));
        match door {
            Door::Open => Some(Outcome::Answered),
            _ => Some(Outcome::NotConnected(Scripted(Response::Retry))),
        }
    });
    let running = run(&house, &playing);
    until_at(&running, "5").await;
    *door.lock().unwrap() = Door::Shut;
    house.store(6..=30).await;
    until(&running, |status| status.error.is_some()).await;
    house.log.trim(&events(), Offset::new(20).unwrap()).await.unwrap();
    *door.lock().unwrap() = Door::NoGaps;
    until(&running, |status| status.events == 14).await;
    house.store(31..=40).await;
    house.log.trim(&events(), Offset::new(35).unwrap()).await.unwrap();
    *door.lock().unwrap() = Door::Open;
    until_at(&running, "40").await;
    assert_eq!(playing.held.lock().unwrap().told, [(5, 19), (29, 34)]);
    assert_eq!(settled(&house, &playing).await, (0..40).collect::<Vec<_>>());
    playing.assert_once();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_ends_connections_after_some_answers_gets_on_and_nothing_twice() {
    let house = House::new().await;
    house.store(1..=35).await;
    let playing = Playing::new(|scene| {
        let offsets = scene.offsets();
        offsets.iter().take(3).for_each(|offset| scene.take(*offset));
        Some(broken(offsets[offsets.len() - 1]))
    });
    let running = run(&house, &playing);
    until_at(&running, "35").await;
    playing.assert_once();
    assert!(house.letters().await.is_empty());
    let connects = playing.held.lock().unwrap().connects;
    assert!((12..=13).contains(&connects), "three of each connection: {connects}");
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_behind_one_that_waits_is_not_sent_again_over_any_connection() {
    let house = House::new().await;
    house.store(1..=10).await;
    let is_open = Arc::new(Mutex::new(false));
    let gate = Arc::clone(&is_open);
    let playing = Playing::new(move |scene| {
        for offset in scene.offsets() {
            if offset.get() != 4 || *gate.lock().unwrap() {
                scene.take(offset);
            }
        }
        Some(Outcome::NotConnected(Scripted(Response::Retry)))
    });
    let running = run(&house, &playing);
    until_at(&running, "4").await;
    running.until("a", |status| status.reconnects == 4).await;
    assert_eq!(playing.taken().len(), 9);
    let writes = playing.held.lock().unwrap().writes.clone();
    assert!(writes.len() > 3 && writes[0].len() == 10);
    assert!(writes[1..].iter().all(|write| *write == [4]), "{writes:?}");
    *is_open.lock().unwrap() = true;
    until_at(&running, "10").await;
    playing.assert_once();
}

#[tokio::test(start_paused = true)]
async fn the_cursor_follows_while_the_write_goes_on_which_may_take_as_long_as_answers_come() {
    let house = House::new().await;
    house.store(1..=10).await;
    let mut playing = Playing::new(|_| None);
    playing.pace = Duration::from_secs(100);
    let running = run(&house, &playing);
    until_at(&running, "3").await;
    while house.cursor("a").await < Some(3) {
        tokio::time::advance(Duration::from_millis(500)).await;
        tokio::task::yield_now().await;
    }
    let status = running.until("a", |status| status.position.as_deref() != Some("3")).await;
    assert_eq!((status.state, status.reconnects), (State::Running, 0));
    until_at(&running, "10").await;
    let held = playing.held.lock().unwrap();
    assert_eq!((held.connects, held.writes.len()), (1, 1), "a write of 1,000 s");
}

/// Takes events in order until one of `poison`, which ends the connection.
fn dies_of(poison: &'static [i64], scene: &Scene<'_>) -> Outcome<Scripted> {
    let offsets = scene.offsets();
    match offsets.iter().position(|offset| poison.contains(&offset.get())) {
        None => {
            offsets.iter().for_each(|offset| scene.take(*offset));
            Outcome::Answered
        }
        // Acknowledgements of those before are lost with the connection.
        Some(_) => broken(offsets[offsets.len() - 1]),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_ends_every_connection_is_found_and_is_a_dead_letter() {
    for poison in [&[0_i64][..], &[17], &[38, 37], &[0, 1, 2, 20]] {
        let mut house = House::new().await;
        house.limits.events_max = 100;
        house.store(1..=41).await;
        let poison: &'static [i64] = poison.to_vec().leak();
        let playing = Playing::new(move |scene| Some(dies_of(poison, scene)));
        let running = run(&house, &playing);
        let begun = tokio::time::Instant::now();
        until_at(&running, "41").await;
        assert!(begun.elapsed() < Duration::from_secs(300), "{poison:?}: {:?}", begun.elapsed());
        playing.assert_once();
        let letters = house.letters().await;
        assert_eq!(letters.len(), poison.len(), "{poison:?}");
        let reason = letters[0].extension("pluvioreason").unwrap().to_string();
        assert!(reason.contains("sent alone") && reason.contains("as scripted"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_ends_every_connection_makes_no_dead_letter_however_long() {
    let house = House::new().await;
    house.store(1..=40).await;
    let is_up = Arc::new(Mutex::new(false));
    let gate = Arc::clone(&is_up);
    let playing = Playing::new(move |scene| match *gate.lock().unwrap() {
        true => Some(dies_of(&[], scene)),
        false => scene.offsets().last().map(|last| broken(*last)),
    });
    let running = run(&house, &playing);
    assert!(until(&running, |status| status.reconnects >= 200).await.is_some());
    assert!(house.letters().await.is_empty());
    *is_up.lock().unwrap() = true;
    until_at(&running, "40").await;
    playing.assert_once();
    assert!(house.letters().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_everything_is_refused_at_once_does_not_become_dead_letters_at_once() {
    let mut house = House::new().await;
    house.limits.events_max = 500;
    house.store(1..=500).await;
    let is_mended = Arc::new(Mutex::new(false));
    let gate = Arc::clone(&is_mended);
    let playing = Playing::new(move |scene| {
        let is_mended = *gate.lock().unwrap();
        for offset in scene.offsets() {
            if is_mended { scene.take(offset) } else { scene.refuse(offset) }
        }
        Some(Outcome::Answered)
    });
    let running = run(&house, &playing);
    let begun = tokio::time::Instant::now();
    running.until("a", |_| begun.elapsed() > Duration::from_secs(60)).await;
    let letters = house.letters().await.len();
    assert!((20..=32).contains(&letters), "{letters} within a minute");
    *is_mended.lock().unwrap() = true;
    until_at(&running, "500").await;
    assert_eq!(playing.taken().len() + house.letters().await.len(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_refuses_each_event_gets_no_more_of_a_batch_than_become_letters() {
    let mut house = House::new().await;
    house.limits.events_max = 500;
    house.store(1..=500).await;
    let is_mended = Arc::new(Mutex::new(false));
    let gate = Arc::clone(&is_mended);
    let playing = Playing::new(move |scene| {
        for offset in scene.offsets() {
            if !scene.answers.may_send() {
                break;
            }
            if *gate.lock().unwrap() { scene.take(offset) } else { scene.refuse(offset) }
        }
        Some(Outcome::Answered)
    });
    let running = run(&house, &playing);
    let begun = tokio::time::Instant::now();
    running.until("a", |_| begun.elapsed() > Duration::from_secs(60)).await;
    let refused = playing.held.lock().unwrap().refused.clone();
    assert_eq!(refused.len(), house.letters().await.len(), "each that was sent is a letter");
    assert!(refused.values().all(|count| *count == 1), "and was sent once: {refused:?}");
    *is_mended.lock().unwrap() = true;
    until_at(&running, "500").await;
    playing.assert_once();
    assert_eq!(playing.taken().len() + house.letters().await.len(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_mended_error_leaves_the_status_with_the_first_event_that_arrives() {
    let house = House::new().await;
    house.store(1..=5).await;
    let count = Mutex::new(0);
    let playing = Playing::new(move |scene| {
        let mut count = count.lock().unwrap();
        *count += 1;
        match *count {
            1 => Some(Outcome::NotConnected(Scripted(Response::Retry))),
            2 => Some(Outcome::Throttled {
                wait: Duration::from_secs(7),
                why: "blocked: low on memory".into(),
            }),
            _ => Some(dies_of(&[], scene)),
        }
    });
    let running = run(&house, &playing);
    let told = |text: &'static str| {
        move |status: &pluvio_runtime::status::ComponentStatus| {
            status.error.as_ref().is_some_and(|error| error.message == text)
        }
    };
    running.until("a", told("as scripted")).await;
    running.until("a", told("blocked: low on memory")).await;
    until_at(&running, "5").await;
    let status = running.until("a", |status| status.events == 5).await;
    assert_eq!((status.error, status.retry_at), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_drain_asks_a_write_to_send_nothing_more_and_keeps_what_was_answered() {
    let house = House::new().await;
    house.store(1..=10).await;
    let playing = Playing { pace: Duration::from_millis(400), ..Playing::new(|_| None) };
    let running = run(&house, &playing);
    until_at(&running, "3").await;
    assert!(running.supervisor.drain().await);
    let taken = playing.taken().len() as i64;
    assert!((3..10).contains(&taken));
    assert_eq!(
        house.cursor("a").await,
        Some(taken),
        "the write was given up, its answers were not"
    );
}
