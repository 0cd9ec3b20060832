//! Decides what to list next, one step at a time, and never waits: when is the source's business.
//!
//! - A **walk** catches up, oldest first: slices of at most 2,000 rows, found by asking for counts
//!   and halving in time. While records are made of one slice ([`building`]), the next is asked for.
//! - A **poll** takes the newest rows, newest first, until it meets one that is known and the server
//!   counts no others in its last five seconds. What becomes visible later is the slices' business.
//! - A **check** compares the slices of the overlap with what the server counts now, a **sweep**
//!   those of the day; see [`late`].
//!
//! A step that fails leaves nothing behind: it can be taken again. One that the server cannot answer is
//! taken in halves; see [`narrow`].

mod building;
mod late;
mod listing;
mod narrow;
mod poll;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use pluvio_clouds::cloudstack::Paging;
use pluvio_log::Record;
use pluvio_runtime::History;
use tracing::{debug, warn};

use self::{
    building::Building,
    late::Task,
    listing::{Ask, Found, Listing},
};
use super::{
    Error,
    ledger::{Admitted, Ledger, Moves, RowIds},
    lists::{Answer, List, Lists},
    map::Mapping,
    meter::Meter,
    order::Row,
    place::Place,
    slices::{Listed, Slices},
    span::{Span, at, beginning},
};
use crate::inbound::remembered::Remembered;

/// Most rows of a slice, and so of a pull: a few MB.
const SLICE_ROWS_MAX: u64 = 2000;

/// What an operator decided, in seconds.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) mapping: Mapping,
    /// How late a row may become visible to be found by a check.
    pub(super) overlap_s: i64,
    /// Between two sweeps.
    pub(super) sweep_s: i64,
    /// How far back a sweep reaches.
    pub(super) reach_s: i64,
    /// After how long the cloud forgets events.
    pub(super) purge_s: i64,
}

/// Reads one cloud.
#[derive(Debug)]
pub(super) struct Reader<L> {
    lists: L,
    rules: Rules,
    meter: Meter,
    pub(super) ledger: Ledger,
    slices: Slices,
    /// What is left to walk; the oldest last.
    walk: Vec<Ahead>,
    /// Rows a second where the walk counted last.
    density: f64,
    /// The same of each list, where the walk listed last.
    densities: Vec<(List, f64)>,
    /// Rows of the walk that are becoming records.
    building: Option<Building>,
    /// What is left to check or sweep; the next last.
    tasks: Vec<Task>,
    /// A slice of which a part was given on already.
    listing: Option<Listing>,
    /// The list of projects holds all other events as well.
    projects_hold_all: bool,
    /// By list: what the last poll brought.
    polled: [u32; 2],
    /// How many rows more than were seen the server counted when a poll listed all.
    unexplained: Option<i64>,
    /// What must be lost unless the walk shows something known.
    loss: Option<Loss>,
    /// Ids of events recorded before then may be forgotten, as it was when rows were looked up last.
    forgotten: Option<Timestamp>,
    remembered: Remembered,
    next_check: i64,
    next_sweep: i64,
    slack_s: i64,
    /// Questions in a row at which the server failed.
    failures: u32,
}

/// A part of a walk.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    span: Span,
    /// With counts, unless something was counted here or nearby.
    ask: Ask,
}

/// A loss that a walk may find.
#[derive(Clone, Copy, Debug)]
struct Loss {
    since: Timestamp,
    reason: &'static str,
}

/// The first sweep after a connection waits until the catching up is over.
const SETTLE_S: i64 = 60;
const PURGED: &str = "the cloud no longer lists the events captured last: a purge or a deletion \
                      passed them";
const OUTLIVED: &str = "the cloud was not asked for longer than it keeps events";

impl<L: Lists> Reader<L> {
    /// The cloud.
    pub(super) fn lists(&self) -> &L {
        &self.lists
    }

    /// The cloud's time, if it told it.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        self.lists.clock()
    }

    /// A reader that begins with a walk from where `place` tells. `kept`: what an earlier
    /// connection of this process is certain of.
    pub(super) fn new(
        lists: L,
        rules: Rules,
        place: Place,
        is_resumed: bool,
        history: History,
        kept: Option<Slices>,
    ) -> Result<Self, Error> {
        let meter = Meter::of(history.source());
        let now = lists.now();
        let slack_s = lists.slack_s();
        let mut reader = Self {
            lists,
            meter,
            ledger: Ledger::new(place, history, i64::MIN),
            slices: Slices::new(0),
            walk: Vec::new(),
            density: 0.0,
            densities: Vec::new(),
            building: None,
            tasks: Vec::new(),
            listing: None,
            projects_hold_all: false,
            polled: [0; 2],
            unexplained: Some(0),
            loss: None,
            forgotten: None,
            remembered: Remembered::default(),
            next_check: now.as_second(),
            next_sweep: now.as_second()
                + if is_resumed { SETTLE_S.min(rules.sweep_s) } else { rules.sweep_s },
            slack_s,
            failures: 0,
            rules,
        };
        // What a connection of minutes ago counted is as good as counting again.
        let is_recent = now.duration_since(reader.ledger.place.time).as_secs() < reader.overlap_s();
        let is_going_on = is_resumed && is_recent && reader.ledger.place.was_read();
        match kept.filter(|_| is_going_on && slack_s == 0) {
            Some(kept) => reader.slices = kept,
            None => reader.begin(is_resumed, now)?,
        }
        reader.ledger.forget_before(reader.slices.open_from);
        reader.walk_to(now.as_second());
        Ok(reader)
    }

    fn begin(&mut self, is_resumed: bool, now: Timestamp) -> Result<(), Error> {
        let Place { time, last, begin, .. } = self.ledger.place;
        let newest = last.unwrap_or(time).min(time).min(now).as_second();
        let earliest = time.min(now).as_second() - self.rules.reach_s;
        let from = (newest.max(earliest) - self.overlap_s()).max(begin.as_second());
        // A second earlier if it is a full quarter; what is not ours is not taken.
        let from = beginning(from - 1);
        self.slices = Slices::new(from);
        if !is_resumed {
            return Ok(());
        }
        if let Some(last) = last.filter(|last| last.as_second() >= from) {
            self.loss = Some(Loss { since: last, reason: PURGED });
        } else if self.ledger.place.was_read()
            && now.as_second() - time.as_second() > self.rules.purge_s
        {
            // A first start may begin before what the cloud keeps: as long as nothing was read, nothing is lost.
            self.loss = Some(Loss { since: time, reason: OUTLIVED });
        }
        let day = (now.as_second() - self.rules.reach_s).max(self.remembered_from()?);
        if let Some(unknown) = Span::new(beginning(day), from - 1) {
            self.slices.add_unknown(unknown);
        }
        Ok(())
    }

    /// The place begins anew at `begin`, with a walk from there, as with a new connection. Not while a walk is
    /// under way.
    pub(super) fn begin_anew(&mut self, begin: Timestamp) -> Result<(), Error> {
        let now = self.lists.now();
        self.ledger.begin_anew(begin);
        self.begin(false, now)?;
        self.ledger.forget_before(self.slices.open_from);
        self.tasks.clear();
        (self.listing, self.loss) = (None, None);
        (self.polled, self.unexplained) = ([0; 2], Some(0));
        self.walk_to(now.as_second());
        Ok(())
    }

    /// Whether a walk is under way: nothing else may be read before it ends.
    pub(super) fn is_walking(&self) -> bool {
        !self.walk.is_empty() || self.building.is_some()
    }

    /// Marks the start of the next pull, which ages ids still in flight.
    pub(super) fn next_pull(&mut self) {
        self.slices.next_pull();
        self.ledger.next_pull();
    }

    /// What a later connection may believe.
    pub(super) fn into_certain(self) -> Slices {
        self.slices.certain()
    }

    /// Lists one slice of the walk, or divides it; gives on the records of the one before.
    pub(super) async fn walk(&mut self) -> Result<Vec<Record>, Error> {
        let Some(Ahead { span, ask }) = self.walk.last().copied() else {
            return self.built().await;
        };
        if let Some(halves) = self.too_large(span).filter(|_| ask == Ask::Rows) {
            self.divide(halves);
            return Ok(Vec::new());
        }
        let found = match self.list(span, self.enough_lists(), ask).await {
            // What was read before comes first, and before a gap; then the span is asked for again.
            Err(error) if self.building.is_some() => {
                debug!(%error, "what was read before is given on first");
                return self.built().await;
            }
            Err(error) if self.bears(&error) => return self.narrow_walk(span, error).await,
            found => found?,
        };
        let now = self.lists.now();
        let (rows, listed) = match found {
            Found::TooMany { halves, rows } => {
                self.density = rows as f64 / span.seconds() as f64;
                self.divide(halves);
                return Ok(Vec::new());
            }
            // Not in order with what follows, so the place stays until all of it was given on.
            Found::Part(rows) => (rows, None),
            Found::Whole(rows, listed) => (rows, Some(listed)),
        };
        self.density = rows.len() as f64 / span.seconds() as f64;
        let known = self.known(&rows).await?;
        let first = rows.iter().filter_map(super::ledger::created).min();
        let is_over = listed.is_some() && self.walk.len() == 1;
        let mut gap = None;
        if !known.is_empty() {
            self.loss = None;
        } else if let Some(loss) = self.loss.take_if(|_| first.is_some() || is_over) {
            gap = Some(self.gap(loss, first.unwrap_or(now))?);
        }
        let moves = if listed.is_some() { Moves::Behind(now) } else { Moves::No };
        let admitted = self.ledger.admit(rows, &known, moves)?;
        if listed.is_some() {
            self.walk.pop();
            self.reach(span, now);
            self.ledger.forget_before(now.as_second() - 2 * self.overlap_s());
        }
        let next = Building::begin(gap, admitted, listed, &self.rules.mapping, &self.ledger);
        let before = self.building.replace(next);
        self.end(before).await
    }

    /// The records of what was listed last, if they were not given on yet.
    pub(super) async fn built(&mut self) -> Result<Vec<Record>, Error> {
        let last = self.building.take();
        self.end(last).await
    }

    async fn end(&mut self, building: Option<Building>) -> Result<Vec<Record>, Error> {
        let Some(building) = building else { return Ok(Vec::new()) };
        let (records, listed) = building.end().await?;
        if let Some(listed) = listed {
            self.slices.note(listed);
        }
        self.meter.new_rows(records.len());
        Ok(records)
    }

    /// The records of rows that the ledger admitted.
    fn records(&self, admitted: Vec<Admitted>) -> Result<Vec<Record>, Error> {
        building::records_of(admitted, &self.rules.mapping, self.ledger.history.source())
    }

    /// Goes on with the halves of a span that has too many rows.
    fn divide(&mut self, (before, after): (Span, Span)) {
        self.walk.pop();
        self.walk.extend([after, before].map(|span| Ahead { span, ask: Ask::Rows }));
    }

    /// The halves of a span that has too many rows, if it is like what was listed last.
    fn too_large(&self, span: Span) -> Option<(Span, Span)> {
        let rows = self.density * span.seconds() as f64;
        span.halves().filter(|_| rows > SLICE_ROWS_MAX as f64)
    }

    /// What the walk lists next but one, if it will ask for rows at once.
    fn behind(&self) -> Option<Span> {
        let Ahead { span: mut next, ask } = *self.walk.iter().rev().nth(1)?;
        if ask == Ask::Counts {
            return None;
        }
        while let Some((before, _)) = self.too_large(next) {
            next = before;
        }
        Some(next)
    }

    /// Walks from the end of the slices.
    fn walk_to(&mut self, end: i64) {
        let span = Span::new(self.slices.open_from, end);
        self.walk = span.into_iter().map(|span| Ahead { span, ask: Ask::Counts }).collect();
    }

    /// Asks, and once more where that may well help: a step that takes several answers would never come to
    /// its end where each fourth fails.
    async fn ask(&mut self, list: List, span: Span, paging: Paging) -> Result<Answer, Error> {
        let mut answer = self.lists.page(list, span, paging).await;
        if answer.as_ref().is_err_and(Error::is_race) {
            self.meter.call(0);
            answer = self.lists.page(list, span, paging).await;
        }
        self.meter.call(answer.as_ref().map_or(0, |answer| answer.rows.len()));
        self.failures = match &answer {
            Err(error) if error.may_be_of_span() => self.failures + 1,
            _ => 0,
        };
        let answer = answer?;
        let slack_s = self.lists.slack_s();
        if slack_s != self.slack_s {
            // The server's zone was learned: spans are written in another way from now on.
            self.slack_s = slack_s;
            self.slices.forget_counts();
        }
        Ok(answer)
    }

    /// Moves the place behind a span that the walk is done with. It stays while a loss may have to be told, which
    /// begins there; and at a first start until there is an event or the walk ends, so that a restart takes
    /// the place for one from which nothing was read.
    fn reach(&mut self, span: Span, now: Timestamp) {
        if self.loss.is_none() && (self.walk.is_empty() || self.ledger.place.was_read()) {
            self.ledger.place.reach(at(span.to - self.slack_s).min(now));
        }
    }

    fn gap(&mut self, loss: Loss, to: Timestamp) -> Result<Record, Error> {
        let Loss { since, reason } = loss;
        let (source, to) = (self.ledger.history.source().clone(), to.max(since));
        warn!(%source, from = %since, %to, "events were lost: {reason}");
        let event = self.rules.mapping.gap(since, to, reason)?;
        // No re-list can show what is lost: the next one must not expect it.
        self.ledger.place.last = None;
        self.ledger.place.reach(since);
        let position = self.ledger.place.position()?;
        Ok(Record { event, source, position, at_least: None })
    }

    /// How far back checks reach; in wall clock mode beyond the hour that may occur twice.
    fn overlap_s(&self) -> i64 {
        match self.slack_s {
            0 => self.rules.overlap_s,
            slack_s => self.rules.overlap_s.max(slack_s + 600),
        }
    }

    /// Which of the rows are no news.
    async fn known(&mut self, rows: &[Row]) -> Result<RowIds, Error> {
        self.forgotten = self.remembered.from(&self.ledger.history).await?;
        self.ledger.known(&self.rules.mapping, rows, self.remembered_from()?).await
    }

    /// Nothing may be listed that the log would not recognize.
    fn remembered_from(&self) -> Result<i64, Error> {
        let forgotten = self.ledger.history.forgotten_until()?.max(self.forgotten);
        // The log's times are ours: a cloud whose clock is ahead dates later what it holds.
        let ahead_s = self.lists.now().duration_since(Timestamp::now()).as_secs().max(0);
        let remembered = forgotten.map(|until| until.as_second() + self.overlap_s() + ahead_s);
        let begin = self.ledger.place.begin.as_second();
        Ok(remembered.map_or(begin, |from| from.max(begin)))
    }

    fn all_lists(&self) -> Vec<List> {
        self.lists_of(&[false, true])
    }

    /// The lists that hold every event.
    fn enough_lists(&self) -> Vec<List> {
        if self.projects_hold_all { self.lists_of(&[true]) } else { self.all_lists() }
    }

    fn poll_lists(&self) -> Vec<List> {
        self.enough_lists().into_iter().filter(|list| !list.archived).collect()
    }

    fn lists_of(&self, projects: &[bool]) -> Vec<List> {
        let archived: &[bool] = if self.lists.knows_archived() { &[false, true] } else { &[false] };
        let of = |projects: &bool| {
            let projects = *projects;
            archived.iter().map(move |archived| List { projects, archived: *archived })
        };
        projects.iter().flat_map(of).collect()
    }

    fn note(&mut self, listed: Listed) {
        self.slices.note(listed);
    }
}
