//! `pluvio dead replay`: hands letters to their sink's target again.
//!
//! ```text
//!  <stream>.dead ─▶ originals ─▶ a log in memory ─▶ supervisor ─▶ the sink, as configured ─▶ target
//!  (read beside a                 each at its own                  (back-off, halves,
//!   running Pluvio)               offset                            rejected again)
//! ```
//!
//! The target gets what it would have got: the same event with the same `sequence`, by the same code, if the
//! sink's filter passes it.
//! A thousand letters at a time are put into the order of their originals. Where the next thousand begin before
//! those ended, because the sink had been moved back for example, the log in memory begins anew, and the sink
//! connects to its target once more.
//! Only `recordedtime` is that of the replay. The log's folder is read and not changed, so that it
//! works beside a running Pluvio; letters stay until retention takes them. Run twice, it hands over
//! twice: a target that tells events apart by their id does not mind. A replay that gives up names the first
//! letter that may not have arrived, or that was rejected with none taken behind it; going on from it leaves out
//! none of them, and repeats some of those behind it. What was rejected while others were taken is at fault
//! itself, and is not repeated.
//!
//! A target that rejects one letter after the other has not been mended: it is left alone after
//! [`REJECTED_MAX`] of them, for each costs it a request and a line in its log.
//!
//! It refuses sinks that keep their place in the target: what comes out of turn would move it.

mod letters;
mod progress;
mod stage;

use std::{collections::BTreeMap, path::Path, time::Duration};

use pluvio_runtime::SinkName;
use tokio::time::{Instant, sleep};

use crate::{
    cli::DeadReplay,
    command::{Failed, block_on, print_line},
    config::{self, ReadySink},
};
use letters::{Letter, Letters, rounds};
use progress::{Progress, tell_error};
use stage::{Looked, Stage, Stopped};

/// So many letters may be rejected again with none taken in between.
const REJECTED_MAX: usize = 20;
/// Between two looks at how far the sink is.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Replays what was asked for.
pub(super) fn replay(configuration: &Path, options: &DeadReplay) -> Result<(), Failed> {
    let sink = chosen(configuration, &options.sink)?;
    let letters = Letters::new(configuration, options, &sink.stream)?;
    block_on(run(letters, sink, options))
}

/// The configured sink of that name.
fn chosen(configuration: &Path, name: &str) -> Result<ReadySink, Failed> {
    let sinks = config::load(configuration)?.sinks()?;
    let names: Vec<_> = sinks.iter().map(|sink| sink.name.to_string()).collect();
    let Some(sink) = sinks.into_iter().find(|sink| sink.name.as_str() == name) else {
        let configuration = configuration.display();
        let known = match names.as_slice() {
            [] => "there are none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        return Err(Failed::Usage(format!("no sink `{name}` in `{configuration}`; {known}")));
    };
    if let Some(client) = &sink.built.target.client {
        return Err(Failed::Usage(format!(
            "`{name}` connects as {client}, which can be connected only once; put another `client_id` into a \
             copy of `{}`, and hand the letters over with that",
            configuration.display()
        )));
    }
    if let Some(target) = &sink.built.target.exclusive {
        return Err(Failed::Usage(format!(
            "`{name}` keeps its place in {target}, and letters would come out of turn; give them a \
             sink of their own: stream = \"{}.dead\"",
            sink.stream
        )));
    }
    Ok(sink)
}

async fn run(mut letters: Letters<'_>, sink: ReadySink, asked: &DeadReplay) -> Result<(), Failed> {
    let target = sink.name.clone();
    let mut replay = Replay {
        sink,
        patience: asked.patience.0,
        progress: Progress::of(letters.count()?),
        stage: None,
        ended: Ended::default(),
        unsent: Vec::new(),
        rejected_last: Vec::new(),
    };
    let mut count = 0;
    let done = loop {
        let some = letters.some()?;
        if some.is_empty() {
            break Ok(());
        }
        count += some.len() as u64;
        if let Err(error) = replay.hand_over(some).await {
            break Err(error);
        }
    };
    replay.progress.end();
    replay.end_stage().await?;
    let Ended { waiting, taken, reasons: rejected, .. } = replay.ended;
    let unread = if done.is_err() { letters.count()? } else { 0 };
    let waiting = (waiting + replay.unsent.len()) as u64 + unread;
    let all = Outcome { count: count + unread, taken, waiting, unreadable: letters.unreadable };
    print_line(&all.told(&target, &rejected));
    done?;
    if rejected.is_empty() {
        return Ok(());
    }
    Err(Failed::Running(anyhow::anyhow!("the target rejected letters again")))
}

/// The replay in the making.
struct Replay {
    sink: ReadySink,
    patience: Duration,
    progress: Progress,
    /// `None`: there was no letter yet.
    stage: Option<Stage>,
    ended: Ended,
    /// Letters in memory that are not on the stage yet.
    unsent: Vec<i64>,
    /// Letters that are not on the stage any more: rejected with none taken behind them.
    rejected_last: Vec<i64>,
}

/// What became of letters on stages that have ended.
#[derive(Default)]
struct Ended {
    taken: u64,
    rejected: u64,
    /// How many may not have arrived.
    waiting: usize,
    /// How many were rejected, by reason.
    reasons: BTreeMap<String, u64>,
}

impl Replay {
    /// Hands these over, in as many rounds as that takes.
    async fn hand_over(&mut self, letters: Vec<Letter>) -> Result<(), Failed> {
        self.unsent = letters.iter().map(|letter| letter.offset).collect();
        for round in rounds(letters) {
            let first = round.first().and_then(|letter| letter.original);
            let is_behind = |stage: &Stage| first.is_none_or(|first| first >= stage.end);
            if !self.stage.as_ref().is_some_and(is_behind) {
                self.end_stage().await?;
                self.stage = Some(Stage::begin(&self.sink).await?);
            }
            let Some(stage) = &mut self.stage else { continue };
            let sent = stage.put(round).await?;
            self.unsent.retain(|offset| !sent.contains(offset));
            self.all_done().await?;
        }
        Ok(())
    }

    /// Waits until the sink is behind all letters that it has.
    async fn all_done(&mut self) -> Result<(), Failed> {
        let (mut newest, mut told) = ((0, Instant::now()), None);
        let (mut before, mut in_row) = ((0, 0), 0);
        while let Some(stage) = &mut self.stage {
            let Looked { next, taken, rejected, error } = stage.looked();
            let (taken, rejected) = (self.ended.taken + taken, self.ended.rejected + rejected);
            self.progress.tell(taken, rejected);
            if next >= stage.end.get() {
                return self.forget().await;
            }
            if next != newest.0 {
                newest = (next, Instant::now());
            }
            if rejected > 0 && (next, rejected) != before {
                // By their places: what is counted as taken and as rejected meanwhile tells no order.
                (before, in_row) = ((next, rejected), self.rejected_last().await?.len());
            }
            if in_row >= REJECTED_MAX {
                return Err(Failed::Running(anyhow::anyhow!(
                    "the target rejected {in_row} letters one after the other, so the rest was not \
                     sent; when it takes them, go on with `--from {}`",
                    self.first_left().await?
                )));
            }
            if let Some(error) = error.filter(|error| told.as_ref() != Some(error)) {
                self.progress.end();
                tell_error(&error);
                told = Some(error);
            }
            if newest.1.elapsed() > self.patience {
                return Err(Failed::Running(anyhow::anyhow!(
                    "nothing arrived for {}s; go on with `--from {}`",
                    self.patience.as_secs(),
                    self.first_left().await?
                )));
            }
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    /// The letter from which on all are handed over that were not: the first in memory by its own offset,
    /// and not by its original's. All behind these were not read yet.
    async fn first_left(&self) -> Result<i64, Failed> {
        let on_stage = self.stage.as_ref().and_then(Stage::first_waiting);
        let rejected = self.rejected_last().await?;
        let left = self.unsent.iter().copied().chain(on_stage).chain(rejected);
        Ok(left.min().unwrap_or_default())
    }

    /// The letters that were rejected with none taken behind them.
    async fn rejected_last(&self) -> Result<Vec<i64>, Failed> {
        let Some(stage) = &self.stage else { return Ok(self.rejected_last.clone()) };
        let (mut last, is_all) = stage.rejected_last().await?;
        if is_all {
            last.extend(&self.rejected_last);
        }
        Ok(last)
    }

    /// All on the stage are done: their memory is free for others.
    async fn forget(&mut self) -> Result<(), Failed> {
        self.rejected_last = self.rejected_last().await?;
        match &mut self.stage {
            Some(stage) => stage.forget().await,
            None => Ok(()),
        }
    }

    async fn end_stage(&mut self) -> Result<(), Failed> {
        let Some(stage) = self.stage.take() else { return Ok(()) };
        let Stopped { looked, rejected, waiting } = stage.stop().await?;
        self.ended.taken += looked.taken;
        self.ended.rejected += looked.rejected;
        self.ended.waiting += waiting;
        for (reason, count) in rejected {
            *self.ended.reasons.entry(reason).or_default() += count;
        }
        Ok(())
    }
}

/// What became of all letters, in numbers.
struct Outcome {
    count: u64,
    taken: u64,
    /// May not have arrived.
    waiting: u64,
    /// Have no original to be handed over.
    unreadable: u64,
}

impl Outcome {
    /// In lines. `rejected`: how many were rejected again, by reason.
    fn told(&self, sink: &SinkName, rejected: &BTreeMap<String, u64>) -> String {
        let Self { count, taken, waiting, unreadable } = *self;
        let again: u64 = rejected.values().sum();
        let mut lines = vec![format!("{taken} handed over to `{sink}` again")];
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                lines.push(format!("{count} {what}"));
            }
        };
        rejected.iter().for_each(|(reason, n)| note(*n, &format!("rejected again: {reason}")));
        note(count.saturating_sub(taken + again + waiting), "left out by the sink's `filter`");
        note(waiting, "not handed over");
        note(unreadable, "left out: the original is no event, or retention took it");
        lines.join("\n")
    }
}
