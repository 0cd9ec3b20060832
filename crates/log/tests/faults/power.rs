//! Power is cut at a random change of the disk: while appending, rolling, deleting, recovering.

use pluvio_log::{Fsync, Log as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::model::{Model, lost_power, small, stream};

/// Each seed's log goes through so many losses of power.
const LOSSES: usize = 4;
/// Steps between two losses, at most.
const STEPS_MAX: usize = 60;

/// A trim beyond the end after lost records; a start above all records that were left; a torn
/// sector that kept a batch but for the first bytes of its offset; the same behind a first batch; a disk
/// that failed under a reader, who was told that retention had passed; a torn offset within a group, behind a
/// batch that had left out offsets.
const FAILED_ONCE: [(u64, Fsync); 7] = [
    (9342048842972012050, Fsync::Os),
    (245198305297034332, Fsync::Os),
    (5894563813820654936, Fsync::Always),
    (1795191909840395367, Fsync::Always),
    (1795191909840413070, Fsync::Always),
    (1795193321995056337, Fsync::Always),
    (10545198905666058410, Fsync::Always),
];

#[test]
fn what_failed_once_is_survived_now() {
    for (seed, fsync) in FAILED_ONCE {
        for seed in (0..20).map(|n| seed.wrapping_add(n)) {
            run(seed, fsync);
        }
    }
}

/// A number from the environment.
pub(crate) fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn without_syncs_what_is_left_is_whole_and_no_offset_is_used_twice() {
    let first = variable("PLUVIO_FAULTS_SEED").unwrap_or_else(rand::random);
    let losses = variable("PLUVIO_FAULTS_RUNS").map_or(400, |runs| runs / 10);
    for seed in (0..losses / LOSSES as u64).map(|n| first.wrapping_add(n)) {
        run(seed, Fsync::Os);
    }
}

#[test]
fn nothing_acknowledged_is_lost_doubled_or_moved_by_power_losses() {
    let runs = variable("PLUVIO_FAULTS_RUNS").unwrap_or(2000);
    let first = variable("PLUVIO_FAULTS_SEED");
    let seeds = first.unwrap_or_else(rand::random);
    let seeds: Vec<u64> = match first {
        Some(seed) if variable("PLUVIO_FAULTS_RUNS").is_none() => vec![seed],
        _ => (0..runs.div_ceil(LOSSES as u64)).map(|n| seeds.wrapping_add(n)).collect(),
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = seeds.len().div_ceil(workers);
    std::thread::scope(|scope| {
        for some in seeds.chunks(share) {
            scope.spawn(move || some.iter().for_each(|seed| run(*seed, Fsync::Always)));
        }
    });
}

/// Prints the seed when the test fails.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "whoever repeats the failure needs it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "to repeat: PLUVIO_FAULTS_SEED={} cargo test -p pluvio-log --test faults power",
                self.0
            );
        }
    }
}

fn run(seed: u64, fsync: Fsync) {
    let _told = Seed(seed);
    // One thread that may block, so that a group is written as it was put together.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
    runtime.unwrap().block_on(life(seed, fsync));
}

async fn life(seed: u64, fsync: Fsync) {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut model = Model::new(seed, random);
    model.config.fsync = fsync;
    for _ in 0..LOSSES {
        model.disk.power_off_after(1 + small(random, 1 << 11));
        let mut interruptions = random.random_range(0..3);
        let log = loop {
            match model.open() {
                Ok(log) => break Some(log),
                Err(error) if lost_power(&error) => {
                    model.disk.restart();
                    // Recovery is cut, too, but comes to its end at last.
                    if interruptions > 0 {
                        interruptions -= 1;
                        model.disk.power_off_after(1 + small(random, 1 << 4));
                    }
                }
                Err(error) => panic!("recovery refused: {}", chain(&error)),
            }
        };
        if let Some(log) = log {
            live(&mut model, &log, random).await;
        }
        model.disk.restart();
        let log = model.open().unwrap_or_else(|error| panic!("not opened: {}", chain(&error)));
        model.compare(&log).await;
    }
}

/// Works on the log until the power goes or it was enough.
async fn live(model: &mut Model, log: &pluvio_log::Embedded, random: &mut StdRng) {
    if log.open(&stream()).await.is_err() {
        return;
    }
    for _ in 0..random.random_range(1..STEPS_MAX) {
        if !model.step(log, random).await {
            return;
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
