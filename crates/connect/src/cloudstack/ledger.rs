//! Which listed rows are new, their order, and the place that each of them leads to.
//!
//! An id names an event for ever, so what the log holds decides. Asking it for each row of each poll
//! would be waste, so the ids of the overlap are remembered; so are those of the last pulls, whose
//! records may still be on their way into the log.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use foldhash::HashSet;
use jiff::Timestamp;
use pluvio_log::{EventId, Position, PositionTooLong};
use pluvio_runtime::{History, supervise::PULLS_ON_THE_WAY};
use uuid::Uuid;

use super::{
    Error,
    map::Mapping,
    order::{self, Row},
    place::Place,
    span::{Span, at},
};

/// A walk gives rows on one pull after they were admitted, and that many pulls may be on their way into the
/// log when it is asked for the next; the rest is margin.
const PULLS_IN_FLIGHT: usize = PULLS_ON_THE_WAY + 4;
/// Ids remembered of the overlap: some 8 MB. Beyond it the oldest are asked of the log.
const RECENT_IDS_MAX: usize = 200_000;
/// Ids of one question to the log.
const QUESTION_IDS_MAX: usize = 5000;

/// The judge of one connection; made anew with each, because only the log knows what was stored.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) place: Place,
    /// Everything up to here was read before this connection.
    read_before: Timestamp,
    /// What was there before the first start, if that was in this connection: it is not ours, though the place
    /// begins anew before it.
    pub(super) past: RowIds,
    pub(super) history: History,
    in_flight: VecDeque<RowIds>,
    /// By second of creation.
    recent: BTreeMap<i64, RowIds>,
    recent_ids: usize,
    /// From this second on `recent` is complete.
    recent_from: i64,
}

/// What a row is called: a number of 128 bits where it is a UUID as CloudStack writes them, which takes a
/// third of the memory of its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum RowId {
    /// In lower case, with hyphens.
    Uuid(Uuid),
    /// Anything else: a number from old servers.
    Text(Box<str>),
}

/// Each row is looked for in several of them, so that the standard hasher was a twentieth of a walk's
/// processor time; this one has a seed of its own as well.
pub(super) type RowIds = HashSet<RowId>;

impl RowId {
    fn of(text: &str) -> Self {
        match Uuid::try_parse(text) {
            // Texts that differ are different ids.
            Ok(uuid) if text == &*uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) => {
                Self::Uuid(uuid)
            }
            _ => Self::Text(text.into()),
        }
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => uuid.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A row that becomes a record.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) row: Row,
    /// Where the source stands behind it.
    pub(super) position: Position,
}

/// What a row is called.
pub(super) fn id_of(row: &Row) -> RowId {
    match row {
        Ok(event) => RowId::of(&event.id),
        Err(unread) => RowId::of(&unread.id),
    }
}

/// When it was created, as far as that can be read: one that cannot be read moves no place, but it has its age.
fn dated(row: &Row) -> Option<Timestamp> {
    match row {
        Ok(event) => Some(event.created.at),
        Err(unread) => unread.created,
    }
}

/// When it was created, if it can be read.
pub(super) fn created(row: &Row) -> Option<Timestamp> {
    row.as_ref().ok().map(|event| event.created.at)
}

impl Ledger {
    /// `recent_from`: ids created later are remembered from now on.
    pub(super) fn new(place: Place, history: History, recent_from: i64) -> Self {
        let in_flight = VecDeque::from([RowIds::default()]);
        // Where a record was the last that was read, others of its second may be missing.
        let is_within = place.last.is_some_and(|last| last >= place.time);
        let read_before = at(place.time.as_second() - i64::from(is_within));
        let (past, recent, recent_ids) = (RowIds::default(), BTreeMap::new(), 0);
        Self { place, read_before, past, history, in_flight, recent, recent_ids, recent_from }
    }

    /// Begins anew at `begin`; what was given on stays known.
    pub(super) fn begin_anew(&mut self, begin: Timestamp) {
        self.place.begin_anew(begin);
        self.read_before = self.place.time;
        // Complete from a second on that the clock has not come to again.
        (self.recent, self.recent_ids, self.recent_from) = (BTreeMap::new(), 0, i64::MIN);
    }

    /// Which of the rows are stored, or about to be, or never will, because they are older than what is
    /// captured. What was created before `remembered_from` may be stored without the log's knowing it, unless
    /// it is newer than all that was read before: what happened since is known.
    pub(super) async fn known(
        &self,
        mapping: &Mapping,
        rows: &[Row],
        remembered_from: i64,
    ) -> Result<RowIds, Error> {
        let may_be_forgotten = |row: &Row| {
            dated(row).is_some_and(|created| {
                created.as_second() < remembered_from && created <= self.read_before
            })
        };
        let mut known = RowIds::default();
        let mut asked = Vec::new();
        for row in rows {
            let id = id_of(row);
            if !self.is_ours(row) || self.remembers(&id, dated(row)) || may_be_forgotten(row) {
                known.insert(id);
            } else {
                asked.push(id);
            }
        }
        for ids in asked.chunks(QUESTION_IDS_MAX) {
            let of = |id: &RowId| EventId { source: mapping.source.clone(), id: id.to_string() };
            let found = self.history.find(&ids.iter().map(of).collect::<Vec<_>>()).await?;
            let stored = ids.iter().zip(found).filter(|(_, found)| found.is_some());
            known.extend(stored.map(|(id, _)| id.clone()));
        }
        Ok(known)
    }

    /// Takes the rows that are not `known`, oldest first. With `moves`, the place moves behind each;
    /// without, rows were late, and it stays. Once only: the rows are known from now on, so their
    /// records must be given on.
    pub(super) fn admit(
        &mut self,
        mut rows: Vec<Row>,
        known: &RowIds,
        moves: Moves,
    ) -> Result<Vec<Admitted>, PositionTooLong> {
        order::sort(&mut rows);
        let mut admitted = Vec::with_capacity(rows.len());
        // Written once for all rows of a second.
        let mut written: Option<(Place, Position)> = None;
        for row in rows {
            let (id, created, dated) = (id_of(&row), created(&row), dated(&row));
            let is_new = !known.contains(&id)
                && self.is_ours(&row)
                && !self.remembers(&id, dated)
                && self.in_flight.back_mut().is_some_and(|pull| pull.insert(id.clone()));
            self.remember(id, dated);
            if !is_new {
                continue;
            }
            if let (Some(created), Moves::Behind(now)) = (created, moves) {
                self.place.pass(created, now);
            }
            let position = match &written {
                Some((place, position)) if *place == self.place => position.clone(),
                _ => {
                    let position = self.place.position()?;
                    written = Some((self.place.clone(), position.clone()));
                    position
                }
            };
            admitted.push(Admitted { row, position });
        }
        Ok(admitted)
    }

    /// How many events of a span were seen; `None` where it is not remembered.
    pub(super) fn seen_in(&self, span: Span) -> Option<u64> {
        let seen = self.recent.range(span.from..=span.to).map(|(_, ids)| ids.len() as u64);
        (span.from >= self.recent_from).then(|| seen.sum())
    }

    /// Forgets what was created before `second`.
    pub(super) fn forget_before(&mut self, second: i64) {
        while let Some(entry) = self.recent.first_entry() {
            if *entry.key() >= second && self.recent_ids <= RECENT_IDS_MAX {
                break;
            }
            self.recent_from = self.recent_from.max(entry.key() + 1);
            self.recent_ids -= entry.remove().len();
        }
        self.recent_from = self.recent_from.max(second);
    }

    /// Marks the start of the next pull, which ages ids still in flight.
    pub(super) fn next_pull(&mut self) {
        // A pull that brought nothing new must not push out what is in flight.
        if self.in_flight.back().is_some_and(RowIds::is_empty) {
            return;
        }
        self.in_flight.push_back(RowIds::default());
        while self.in_flight.len() > PULLS_IN_FLIGHT {
            self.in_flight.pop_front();
        }
    }

    fn is_ours(&self, row: &Row) -> bool {
        dated(row).is_none_or(|created| created >= self.place.begin)
            && !self.past.contains(&id_of(row))
    }

    fn remembers(&self, id: &RowId, created: Option<Timestamp>) -> bool {
        let second = created.map(Timestamp::as_second);
        let recent = second.and_then(|second| self.recent.get(&second));
        recent.is_some_and(|ids| ids.contains(id))
            || self.in_flight.iter().any(|pull| pull.contains(id))
    }

    fn remember(&mut self, id: RowId, created: Option<Timestamp>) {
        let Some(second) = created.map(Timestamp::as_second) else { return };
        if second >= self.recent_from && self.recent.entry(second).or_default().insert(id) {
            self.recent_ids += 1;
        }
    }
}

/// Whether rows move the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moves {
    /// All older rows were read: each record's position is behind it, but not behind this time.
    Behind(Timestamp),
    /// They were late.
    No,
}
