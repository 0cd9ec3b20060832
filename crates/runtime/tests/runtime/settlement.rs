//! What was answered for stays answered for, whatever else happens: a target that answers as it likes,
//! and what the supervisor makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use pluvio_log::Offset;
use pluvio_runtime::{
    Answers, Connected, Delivered, Outcome, Response, Sink, Standing, Writer,
    status::{ComponentStatus, State},
};

use crate::target::{House, Running, Scripted};

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
struct Held {
    /// How often it has acknowledged each.
    taken: BTreeMap<i64, u32>,
    /// How often it has refused each.
    refused: BTreeMap<i64, u32>,
    /// The events of each write.
    writes: Vec<Vec<i64>>,
    connects: usize,
}

type Act = dyn Fn(&Scene<'_>) -> Option<Outcome<Scripted>> + Send + Sync;

/// A target that does with each write what a function says; without an outcome it takes its time and
/// then takes what is left.
#[derive(Clone)]
struct Playing {
    held: Arc<Mutex<Held>>,
    act: Arc<Act>,
    /// Between two answers.
    pace: Duration,
}

/// One write.
struct Scene<'a> {
    batch: &'a [Delivered],
    answers: &'a Answers,
    held: &'a Mutex<Held>,
}

impl Scene<'_> {
    fn offsets(&self) -> Vec<Offset> {
        self.batch.iter().map(Delivered::offset).collect()
    }

    fn take(&self, offset: Offset) {
        *self.held.lock().unwrap().taken.entry(offset.get()).or_default() += 1;
        self.answers.taken(offset);
    }

    fn refuse(&self, offset: Offset) {
        *self.held.lock().unwrap().refused.entry(offset.get()).or_default() += 1;
        self.answers.rejected(offset, "as it likes".to_owned());
    }
}

impl Playing {
    fn new(act: impl Fn(&Scene<'_>) -> Option<Outcome<Scripted>> + Send + Sync + 'static) -> Self {
        Self { held: Arc::default(), act: Arc::new(act), pace: Duration::ZERO }
    }

    fn taken(&self) -> Vec<i64> {
        self.held.lock().unwrap().taken.keys().copied().collect()
    }

    /// Nothing was acknowledged twice.
    fn assert_once(&self) {
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

    async fn close(self) {}
}

fn broken(sent_to: Offset) -> Outcome<Scripted> {
    Outcome::Broken { error: Scripted(Response::Retry), sent_to }
}

fn run(house: &House, playing: &Playing) -> Running {
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

async fn until_at(running: &Running, next: &str) -> ComponentStatus {
    let there = until(running, |status| status.position.as_deref() == Some(next)).await;
    there.unwrap_or_else(|| panic!("not at {next}: {:?}", running.status.components()))
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
    let mut is_answered = false;
    for offset in offsets {
        match dice.roll(10) {
            0..5 => scene.take(offset),
            5 => scene.refuse(offset),
            // Failed, lost, or late.
            _ => continue,
        }
        is_answered = true;
    }
    Some(match dice.roll(6) {
        0 => Outcome::NotConnected(Scripted(Response::Retry)),
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
