//! A client at work: a process whose standard output is records, line by line.

use std::{collections::BTreeSet, process::ExitStatus, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use super::Consumed;
use crate::{process::Process, wait};

/// How long a client may take for what lies there already, on a busy machine.
const READ_MAX: Duration = Duration::from_secs(45);
/// How long it may take to say good-bye.
const END_MAX: Duration = Duration::from_secs(15);

/// What a line of a client means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A record.
    Record(Consumed),
    /// The topics that it holds from now on.
    Assigned(BTreeSet<String>),
    /// Something else.
    Other,
}

/// A running client; stopped when dropped.
#[derive(Debug)]
pub struct Session {
    pub(super) process: Process,
    pub(super) parse: fn(&str) -> Result<Line>,
    /// After how many records it ends.
    pub(super) count: Option<usize>,
}

impl Session {
    /// What it has printed so far.
    pub fn records(&self) -> Result<Vec<Consumed>> {
        let lines = self.lines()?.into_iter();
        Ok(lines
            .filter_map(|line| if let Line::Record(it) = line { Some(it) } else { None })
            .collect())
    }

    /// The topics that its group gave it last, if it is a member.
    pub fn assigned(&self) -> Result<Option<BTreeSet<String>>> {
        let lines = self.lines()?.into_iter().rev();
        let mut assigned =
            lines.filter_map(|line| if let Line::Assigned(it) = line { Some(it) } else { None });
        Ok(assigned.next())
    }

    fn lines(&self) -> Result<Vec<Line>> {
        let text = self.process.stdout();
        // What follows the last line break is still being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter(|line| !line.is_empty()).map(self.parse).collect()
    }

    /// Waits until so many records were printed.
    pub async fn until(&mut self, count: usize) -> Result<Vec<Consumed>> {
        self.until_that(&format!("{count} records"), |seen| seen.len() >= count).await
    }

    /// Waits until what was printed satisfies `is_enough`.
    pub async fn until_that(
        &mut self,
        what: &str,
        is_enough: impl Fn(&[Consumed]) -> bool,
    ) -> Result<Vec<Consumed>> {
        wait::until(&format!("a Kafka client to see {what}"), READ_MAX, async || {
            let ended = self.process.ended()?;
            let seen = self.records()?;
            let is_enough = is_enough(&seen);
            ensure!(
                is_enough || ended.is_none(),
                "a client ended after {} records without {what}: {}",
                seen.len(),
                self.process.stderr()
            );
            Ok(is_enough.then_some(seen))
        })
        .await
    }

    /// Waits until its group gave it exactly these topics.
    pub async fn until_assigned(&mut self, topics: &[&str]) -> Result<()> {
        let wanted: BTreeSet<String> = topics.iter().map(ToString::to_string).collect();
        self.until_that_assigned(&format!("{topics:?}"), |assigned| *assigned == wanted).await
    }

    /// Waits until what its group gave it satisfies `is_right`; nothing is an assignment, too.
    pub async fn until_that_assigned(
        &mut self,
        what: &str,
        is_right: impl Fn(&BTreeSet<String>) -> bool,
    ) -> Result<()> {
        wait::until(&format!("a group to assign {what}"), READ_MAX, async || {
            let ended = self.process.ended()?;
            ensure!(ended.is_none(), "a member ended: {}", self.process.stderr());
            Ok(self.assigned()?.filter(&is_right).map(|_| ()))
        })
        .await
    }

    /// Waits for its own end after its count and gives everything.
    pub async fn finish(mut self) -> Result<Vec<Consumed>> {
        let status = self.process.end(READ_MAX).await;
        let status = status.with_context(|| format!("it said: {}", self.process.stderr()))?;
        let seen = self.records()?;
        ensure!(status.success(), "a client ended with {status}: {}", self.process.stderr());
        let wanted = self.count.unwrap_or(seen.len());
        ensure!(seen.len() == wanted, "a client read {} of {wanted} records", seen.len());
        Ok(seen)
    }

    /// Waits for an end with an error, and gives what it said.
    pub async fn fail(mut self) -> Result<String> {
        let status = self.process.end(READ_MAX).await?;
        ensure!(!status.success(), "a client that should have failed ended well");
        Ok(self.process.stderr())
    }

    /// Waits until it has said this on standard error; some clients try for ever.
    pub async fn until_said(&mut self, what: &str) -> Result<()> {
        self.process.says(what, READ_MAX, |text| text.contains(what).then_some(())).await
    }

    /// What it said on standard error so far.
    pub fn said(&self) -> String {
        self.process.stderr()
    }

    /// Lets it leave properly; gives everything that it printed.
    pub async fn leave(mut self) -> Result<Vec<Consumed>> {
        self.process.signal(Signal::TERM)?;
        let _status: ExitStatus = self.process.end(END_MAX).await?;
        self.records()
    }

    /// Kills it; gives everything that it printed.
    pub async fn kill(mut self) -> Result<Vec<Consumed>> {
        self.process.kill().await?;
        self.records()
    }
}
