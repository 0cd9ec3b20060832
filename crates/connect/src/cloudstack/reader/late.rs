//! Rows that became visible late: checks of the overlap, sweeps of the day.
//!
//! Counts of all slices together are asked for first; where they differ, of each half, until the
//! slice is found. A quiet check costs one call for each list. Behind the checks every slice is
//! listed in full twice: when it leaves the overlap, and before it leaves the day.

use pluvio_log::Record;
use tracing::info;

use super::{
    super::{Error, ledger::Moves, lists::Lists, span::Span},
    Ask, Found, Reader,
};

/// The youngest slice ends so long before the polls: rows of seconds ago are still arriving.
const SETTLED_S: i64 = 10;
/// Rows after which the polls' domain is closed into a slice.
const CLOSED_ROWS: u64 = 1500;
/// A check each minute, or ten in an overlap.
const CHECK_S: i64 = 60;
/// The log forgets ids an hour after a day, where retention took their records.
const BEYOND_REACH_S: i64 = 1800;

/// What is left to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// Compare counts.
    Compare(Span),
    /// List what differs.
    List(Span),
    /// List for the last time in the overlap or in the day: in all lists.
    LastLook(Span),
}

impl Task {
    pub(super) fn span(self) -> Span {
        match self {
            Self::Compare(span) | Self::List(span) | Self::LastLook(span) => span,
        }
    }

    /// The same for another span.
    pub(super) fn of(self, span: Span) -> Self {
        match self {
            Self::Compare(_) => Self::Compare(span),
            Self::List(_) => Self::List(span),
            Self::LastLook(_) => Self::LastLook(span),
        }
    }
}

impl<L: Lists> Reader<L> {
    /// Takes one step; `None` if nothing is due. Not while a walk is under way.
    pub(in super::super) async fn late(&mut self) -> Result<Option<Vec<Record>>, Error> {
        if self.tasks.is_empty() {
            self.plan()?;
        }
        let Some(task) = self.tasks.last().copied() else { return Ok(None) };
        let (span, lists) = match task {
            Task::Compare(span) => {
                match self.compare(span).await {
                    Err(error) if self.bears(&error) => self.narrow_task(task, error).await?,
                    compared => compared?,
                }
                return Ok(Some(Vec::new()));
            }
            Task::List(span) => (span, self.enough_lists()),
            Task::LastLook(span) => (span, self.all_lists()),
        };
        let found = match self.list(span, lists, Ask::Counts).await {
            Err(error) if self.bears(&error) => {
                self.narrow_task(task, error).await?;
                return Ok(Some(Vec::new()));
            }
            found => found?,
        };
        let (rows, listed) = match found {
            Found::TooMany { halves: (before, after), .. } => {
                self.tasks.pop();
                self.tasks.extend([task.of(after), task.of(before)]);
                return Ok(Some(Vec::new()));
            }
            Found::Part(rows) => (rows, None),
            Found::Whole(rows, listed) => (rows, Some(listed)),
        };
        let known = self.known(&rows).await?;
        let admitted = self.ledger.admit(rows, &known, Moves::No)?;
        let records = self.records(admitted)?;
        if let Some(listed) = listed {
            self.tasks.pop();
            self.note(listed);
        }
        if !records.is_empty() {
            info!(source = %self.ledger.history.source(), events = records.len(), "found late events");
        }
        self.meter.new_rows(records.len());
        Ok(Some(records))
    }

    fn plan(&mut self) -> Result<(), Error> {
        let now = self.lists.now().as_second();
        let check_s = CHECK_S.min(self.rules.overlap_s / 10).max(1);
        // A clock that was set back must not end the checks for as long.
        self.next_check = self.next_check.min(now + check_s);
        self.next_sweep = self.next_sweep.min(now + self.rules.sweep_s);
        let overlap_s = self.overlap_s();
        if now >= self.next_sweep {
            self.next_sweep = now + self.rules.sweep_s;
            let reach_s = self.rules.reach_s;
            let remembered = self.remembered_from()?;
            // A slice that no sweep met in time is met by the next.
            self.slices.forget_before(remembered.max(now - reach_s - self.rules.sweep_s));
            self.compare_since(now - reach_s);
            let leaving = (reach_s - self.rules.sweep_s).max(overlap_s);
            let from = remembered.max(now - reach_s - BEYOND_REACH_S);
            self.last_look(now, leaving, from);
        }
        if now >= self.next_check {
            self.next_check = now + check_s;
            self.close(now);
            self.ledger.forget_before(now - 2 * overlap_s);
            self.compare_since(now - overlap_s);
            self.last_look(now, overlap_s, self.remembered_from()?);
        }
        Ok(())
    }

    /// Closes the polls' domain into a slice when there is enough in it.
    fn close(&mut self, now: i64) {
        let to = self.ledger.place.time.as_second().min(now) - SETTLED_S - self.slack_s;
        let Some(span) = Span::new(self.slices.open_from, to) else { return };
        let seen = self.ledger.seen_in(span);
        if to - span.from >= self.overlap_s() / 5 || seen.is_none_or(|rows| rows >= CLOSED_ROWS) {
            self.slices.close(to, seen);
        }
    }

    fn compare_since(&mut self, from: i64) {
        self.tasks.extend(self.slices.since(from).map(Task::Compare));
    }

    fn last_look(&mut self, now: i64, age_s: i64, from: i64) {
        let due = self.slices.due_for_a_last_look(now, age_s);
        let due = due.and_then(|due| Span::new(due.from.max(from), due.to));
        self.tasks.extend(due.map(Task::LastLook));
    }

    async fn compare(&mut self, span: Span) -> Result<(), Error> {
        let slices = self.slices.within(span);
        let (Some((first, _)), Some((last, _))) = (slices.first(), slices.last()) else {
            self.tasks.pop();
            return Ok(());
        };
        let whole = Span { from: first.from, to: last.to };
        let said: Option<u64> = slices.iter().map(|(_, said)| *said).sum();
        let must_be_listed = match said {
            Some(said) => {
                let counts = self.counts(whole, &self.enough_lists()).await?;
                let count: u64 = counts.iter().map(|(_, count)| count).sum();
                if count == said {
                    self.tasks.pop();
                    return Ok(());
                }
                slices.len() == 1 || count <= u64::from(self.lists.page_rows())
            }
            None => slices.iter().all(|(_, said)| said.is_none()),
        };
        self.tasks.pop();
        if must_be_listed {
            self.tasks.push(Task::List(whole));
            return Ok(());
        }
        let (before, after) = slices.split_at(slices.len() / 2);
        for half in [after, before] {
            if let (Some((first, _)), Some((last, _))) = (half.first(), half.last()) {
                self.tasks.push(Task::Compare(Span { from: first.from, to: last.to }));
            }
        }
        Ok(())
    }
}
