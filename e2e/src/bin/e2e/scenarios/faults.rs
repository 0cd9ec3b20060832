//! Trouble on demand: whatever our simulated vCenter does to Pluvio, in the end the feed holds exactly
//! what happened.
//!
//! Each case is a line of the table: what is asked of the control URL between two ordinary batches
//! of events. Afterwards all faults are cleared and the session is ended once more, because the list
//! that is read again then is where doubles would come from.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use pluvio_e2e::{
    feed::{self, Collector, Seen},
    folder::Folder,
    servers::{Pluvio, Produced, Simulator, Source},
    stage::Stage,
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use crate::{
    report::Counts,
    runner::{Lane, Scenario},
};

/// A fault, and what it leaves behind.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    /// Verbs of the control URL. A bare number posts so many events and waits until everything that
    /// happened so far is captured; `a second` lets so much time pass that keys may begin again.
    steps: &'static [&'static str],
    /// Events whose key or time cannot be told.
    odd: usize,
    /// Gap events: history that is known to be gone.
    gaps: usize,
    /// Lives of the keys.
    lives: u32,
    /// The API version of the vCenter.
    version: &'static str,
    lane: Lane,
}

const CASE: Case = Case {
    name: "",
    steps: &[],
    odd: 0,
    gaps: 0,
    lives: 1,
    version: Simulator::VERSION,
    lane: Lane::Busy,
};
/// A version that lists events by their keys, whose keys end and begin again.
const NINE: &str = "9.1.0.0";

/// For ordinary faults: back-off after several failures in a row included.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// For faults that only a quiet minute uncovers.
const WATCHDOG_MAX: Duration = Duration::from_secs(150);

/// The step that lets time pass.
const A_SECOND: &str = "a second";

const CASES: &[Case] = &[
    Case {
        name: "fault: an event behind an empty page is found though nothing rings again",
        steps: &["faults/empty-pages?count=1", "1"],
        lane: Lane::Patient,
        ..CASE
    },
    Case {
        name: "fault: a collector is stranded after a single ring",
        steps: &["faults/stranded", "1"],
        lane: Lane::Patient,
        ..CASE
    },
    Case {
        name: "fault: empty pages before events, and thousands of hidden keys",
        steps: &["faults/key-gap?count=5000", "faults/empty-pages?count=4", "30"],
        lane: Lane::Patient,
        ..CASE
    },
    Case {
        name: "fault: a collector is stranded while events come",
        steps: &["faults/stranded", "30"],
        lane: Lane::Patient,
        ..CASE
    },
    Case { name: "fault: answers end in the middle", steps: &["faults/cut?count=3", "30"], ..CASE },
    Case { name: "fault: the session is lost", steps: &["faults/session-lost", "30"], ..CASE },
    Case {
        name: "fault: pages are short",
        steps: &["faults/short-pages?events_max=7", "300"],
        ..CASE
    },
    Case { name: "fault: keys jump", steps: &["faults/key-gap?count=100000", "30"], ..CASE },
    Case {
        name: "fault: keys overflow and go on below zero",
        steps: &["faults/next-key?key=2147483640", "30"],
        ..CASE
    },
    Case {
        name: "fault: keys of a vCenter 9 end and begin again",
        steps: &[A_SECOND, "faults/next-key?key=2147479990", "30"],
        lives: 2,
        version: NINE,
        ..CASE
    },
    Case {
        name: "fault: keys come back through zero and are used again",
        steps: &[A_SECOND, "faults/next-key?key=-5", "30"],
        lives: 2,
        ..CASE
    },
    Case {
        name: "fault: a restore from backup uses keys again",
        steps: &[A_SECOND, "faults/restore?key=20", "post?count=40", "30"],
        lives: 2,
        ..CASE
    },
    Case {
        name: "fault: events are malformed in five ways",
        steps: &[
            "faults/malformed?kind=time",
            "faults/malformed?kind=missing-key",
            "faults/malformed?kind=key",
            "faults/malformed?kind=content",
            "faults/malformed?kind=ill-formed",
            "30",
        ],
        odd: 4,
        ..CASE
    },
    Case {
        name: "fault: an event's class is unknown",
        steps: &["faults/unknown-class", "30"],
        ..CASE
    },
    Case { name: "fault: answers are slow", steps: &["faults/slow?ms=600", "30"], ..CASE },
    Case {
        name: "fault: requests are answered with 503",
        steps: &["faults/unavailable?count=3", "30"],
        ..CASE
    },
    Case { name: "fault: connections are reset", steps: &["faults/reset?count=3", "30"], ..CASE },
    Case {
        name: "fault: the clock is set ahead and back",
        steps: &["faults/skew?seconds=120", "30", "faults/skew?seconds=0", "30"],
        ..CASE
    },
    Case {
        name: "fault: the clock is set back while the session is lost",
        steps: &["faults/skew?seconds=-120", "faults/session-lost", "30"],
        ..CASE
    },
    Case {
        name: "fault: events appear late, also while nobody is connected",
        steps: &[
            "faults/late?seconds=45&count=5",
            "10",
            "faults/session-lost",
            "faults/late?seconds=45&count=5",
            "30",
        ],
        ..CASE
    },
    Case { name: "fault: the vCenter restarts", steps: &["restart", "30"], ..CASE },
    Case {
        name: "fault: the vCenter restarts with another identity",
        steps: &["restart?new_instance=true", "30"],
        lives: 2,
        ..CASE
    },
    Case {
        name: "fault: the vCenter forgets everything and counts from one",
        steps: &[A_SECOND, "restart?drop_history=true", "30"],
        gaps: 1,
        lives: 2,
        ..CASE
    },
    Case {
        name: "fault: another vCenter with a history of its own takes its place",
        steps: &[A_SECOND, "restart?new_instance=true&drop_history=true", "30"],
        gaps: 1,
        lives: 2,
        ..CASE
    },
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let cases = CASES
        .iter()
        .copied()
        .map(|case| Scenario::new(case.name, move |stage| one_case(stage, case)).lane(case.lane));
    let series = Scenario::new("fault: a series of random faults", a_series_of_random_faults);
    let nine = Scenario::new("fault: each of them at a vCenter 9, which is read by keys", at_nine);
    cases.chain([series, nine]).collect()
}

/// Those that are over soon, and that keys of any width can meet.
async fn at_nine(stage: Arc<Stage>) -> Result<Counts> {
    let is_wide = |case: &Case| case.steps.iter().any(|step| step.starts_with("faults/next-key"));
    let cases = CASES.iter().filter(|case| case.lane == Lane::Busy && !is_wide(case));
    let mut tried = 0;
    for case in cases {
        let case = Case { version: NINE, ..*case };
        let own = Arc::new(stage.with(Folder::new(case.name)?));
        if let Err(error) = one_case(Arc::clone(&own), case).await {
            own.folder.keep();
            let kept = own.folder.path().display();
            return Err(error.context(format!("{}; its logs are kept in {kept}", case.name)));
        }
        tried += 1;
    }
    Ok(Counts::default().with("faults", tried).with("missing", 0))
}

async fn one_case(stage: Arc<Stage>, case: Case) -> Result<Counts> {
    let simulator = Simulator::of_version(&stage, 0, case.version).await?;
    let source = Source { more: "begin = \"1h\"".to_owned(), ..Source::from(&simulator) };
    let pluvio = Pluvio::capture(&stage, source).await?;
    let collector = pluvio.collect().await?;
    simulator.control("post?count=50").await?;
    until_feed_is_true(&simulator, &collector, ARRIVAL_MAX).await?;
    let within = if case.lane == Lane::Patient { WATCHDOG_MAX } else { ARRIVAL_MAX };
    for step in case.steps {
        match step.parse::<u32>() {
            Err(_) if *step == A_SECOND => {
                wait::until_clock_shows(feed::keys_may_begin_again(&collector.seen())).await?;
            }
            Err(_) => simulator.control(step).await?,
            Ok(count) => {
                simulator.control(&format!("post?count={count}")).await?;
                let captured = until_feed_is_true(&simulator, &collector, within).await;
                captured.with_context(|| format!("with {step} events under the fault"))?;
            }
        }
    }
    simulator.control("clear").await?;
    simulator.control("post?count=20").await?;
    until_feed_is_true(&simulator, &collector, ARRIVAL_MAX).await.context("after the fault")?;
    let before = pluvio.reconnects().await?;
    simulator.control("faults/session-lost").await?;
    simulator.control("post?count=5").await?;
    pluvio.until_reconnected(before, ARRIVAL_MAX).await?;
    let figures = until_feed_is_true(&simulator, &collector, ARRIVAL_MAX).await;
    let figures = figures.context("after everything was listed again")?;
    judge(&collector.seen(), figures, case)
}

/// Compares what is left over with what the fault may leave.
fn judge(feed: &[Seen], figures: Figures, case: Case) -> Result<Counts> {
    feed::in_order_none_twice(feed)?;
    let Figures { produced, odd, gaps } = figures;
    ensure!(odd == case.odd, "{odd} events without their key or time instead of {}", case.odd);
    ensure!(gaps == case.gaps, "{gaps} gap events instead of {}", case.gaps);
    let lives = feed.iter().filter_map(Seen::key).map(|(_, life)| life).max().unwrap_or_default();
    ensure!(lives == case.lives, "{lives} lives of keys instead of {}", case.lives);
    let mut counts = Counts::default().with("happened", produced).with("watched", feed.len());
    counts = counts.with("missing", 0);
    for (name, figure) in [("odd", odd), ("gap events", gaps)] {
        if figure > 0 {
            counts = counts.with(name, figure);
        }
    }
    Ok(counts)
}

/// Figures of a feed that is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// What happened.
    pub(super) produced: usize,
    /// How much of it is in the feed without its key or time.
    pub(super) odd: usize,
    /// Gap events beside it.
    pub(super) gaps: usize,
}

/// Waits until the feed holds exactly what the control URL says has happened.
pub(super) async fn until_feed_is_true(
    simulator: &Simulator,
    collector: &Collector,
    within: Duration,
) -> Result<Figures> {
    let mut difference = String::new();
    let waited = wait::until("the feed to hold what happened", within, async || {
        let produced = simulator.produced().await?;
        match compare(&produced, &collector.seen()) {
            Ok(figures) => Ok(Some(figures)),
            Err(error) => {
                difference = format!("{error:#}");
                Ok(None)
            }
        }
    });
    waited.await.with_context(|| difference.clone())
}

/// Each event that happened is there once, by key and time. What is left on both sides must be
/// equally much: events that cannot be told apart any more.
fn compare(produced: &[Produced], feed: &[Seen]) -> Result<Figures> {
    let mut left = feed::bag(produced.iter().map(|event| (event.key, event.created_time)));
    let gaps = feed.iter().filter(|seen| seen.is_gap()).count();
    let mut strange = Vec::new();
    for seen in feed.iter().filter(|seen| !seen.is_gap()) {
        let key = seen.key().zip(seen.time).map(|((key, _), time)| (key, time));
        match key.and_then(|key| left.get_mut(&key)).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => strange.push(seen.id.as_str()),
        }
    }
    left.retain(|_, count| *count > 0);
    let missing: usize = left.values().sum();
    if missing != strange.len() {
        let some: Vec<_> = left.keys().take(5).collect();
        bail!(
            "{} happened, {} watched, {missing} missing (first {some:?}), {} strange {:?}",
            produced.len(),
            feed.len() - gaps,
            strange.len(),
            strange.iter().take(5).collect::<Vec<_>>(),
        );
    }
    Ok(Figures { produced: produced.len(), odd: missing, gaps })
}

/// Faults that heal by themselves, in any order.
const RANDOM: &[&str] = &[
    "faults/session-lost",
    "faults/key-gap?count=7",
    "faults/short-pages?events_max=3",
    "faults/short-pages?events_max=0",
    "faults/unknown-class",
    "faults/slow?ms=50",
    "faults/slow?ms=0",
    "faults/unavailable?count=1",
    "faults/reset?count=1",
    "faults/cut?count=1",
    "faults/late?seconds=20&count=3",
    "faults/skew?seconds=5",
    "faults/skew?seconds=-5",
    "restart",
];

async fn a_series_of_random_faults(stage: Arc<Stage>) -> Result<Counts> {
    const FAULTS: usize = 25;
    let simulator = Simulator::start(&stage, 0).await?;
    let source = Source { more: "begin = \"1h\"".to_owned(), ..Source::from(&simulator) };
    let pluvio = Pluvio::capture(&stage, source).await?;
    let collector = pluvio.collect().await?;
    let mut rng = StdRng::seed_from_u64(stage.seed);
    for _ in 0..FAULTS {
        let fault = RANDOM.choose(&mut rng).context("there are no faults")?;
        simulator.control(fault).await?;
        let count: u32 = rng.random_range(1..40);
        simulator.control(&format!("post?count={count}")).await?;
        // Some faults meet a reader that is up to date, others one that is behind.
        if rng.random_bool(0.3) {
            until_feed_is_true(&simulator, &collector, ARRIVAL_MAX).await?;
        }
    }
    simulator.control("clear").await?;
    simulator.control("post?count=20").await?;
    let figures = until_feed_is_true(&simulator, &collector, ARRIVAL_MAX).await?;
    let reconnects = pluvio.reconnects().await?;
    let counts = judge(&collector.seen(), figures, CASE)?;
    Ok(counts.with("faults", FAULTS).with("reconnects", reconnects))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produced(key: i64) -> Produced {
        Produced { key, created_time: jiff::Timestamp::UNIX_EPOCH, class: String::new() }
    }

    fn seen(id: &str) -> Result<Seen> {
        let time = "1970-01-01T00:00:00Z";
        let line = format!(r#"{{"id":"{id}","type":"x","time":"{time}","sequence":"1"}}"#);
        Seen::parse(line.as_bytes())
    }

    #[test]
    fn a_feed_is_compared_with_the_truth_event_by_event() -> Result<()> {
        let truth = [produced(1), produced(2)];
        let odd = |feed: &[Seen]| compare(&truth, feed).map(|figures| figures.odd).ok();
        assert_eq!(odd(&[seen("1")?, seen("2")?]), Some(0));
        assert_eq!(odd(&[seen("1")?, seen("no-key")?]), Some(1), "its key cannot be told");
        assert_eq!(odd(&[seen("1")?]), None, "one is missing");
        assert_eq!(odd(&[seen("1")?, seen("2")?, seen("2-2")?]), None, "one is there twice");
        Ok(())
    }
}
