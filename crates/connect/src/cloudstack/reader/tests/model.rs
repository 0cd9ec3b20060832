//! A `listEvents` in memory: what it shows depends on when it is asked, and by which clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use pluvio_clouds::cloudstack::{
    BrokenAnswer, Error as CallError, Flaw, NativeEvent, Paging, Row as _,
};
use serde_json::value::RawValue;

use super::super::super::{
    Error,
    lists::{Answer, Expected, List, Lists},
    order::Row,
    span::{Span, at},
    unread::Unread,
};

/// When the model's time begins: no full quarter.
pub(super) const START: i64 = 1_792_886_407;
/// When summer time begins or ends in it: 02:00 UTC and some.
const CHANGE: i64 = 1_792_893_600;

/// An event that truly happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    pub(super) created: i64,
    pub(super) visible: i64,
    pub(super) project: bool,
    /// It is of the account that asks.
    pub(super) own: bool,
    pub(super) archived: Option<i64>,
    /// It cannot be read.
    pub(super) is_unread: bool,
}

impl Fact {
    pub(super) fn at(created: i64) -> Self {
        Self {
            created,
            visible: created,
            project: false,
            own: false,
            archived: None,
            is_unread: false,
        }
    }
}

/// What the list of projects holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Projects {
    /// Their events and no others: up to 4.13.
    Only,
    /// Everything: a newer server, asked by an administrator of the whole cloud.
    All,
    /// Their events and those of the account that asks: a newer server, asked by one of a domain.
    AndOwn,
}

/// How the server reads dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    Offsets,
    SummerBegins,
    SummerEnds,
}

impl Zone {
    /// Seconds east before and after the change.
    fn offsets(self) -> (i64, i64) {
        match self {
            Self::Offsets => (0, 0),
            Self::SummerBegins => (3600, 7200),
            Self::SummerEnds => (7200, 3600),
        }
    }

    fn offset(self, second: i64) -> i64 {
        let (before, after) = self.offsets();
        if second < CHANGE { before } else { after }
    }

    /// The later of the instants that show this wall clock; one that none shows moves on, as Java
    /// does it.
    fn read(self, wall: i64) -> i64 {
        let (before, after) = self.offsets();
        if wall - after >= CHANGE { wall - after } else { wall - before }
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) calls: u64,
    pub(super) rows: u64,
    /// Pages that were asked for before their turn, and then wanted.
    pub(super) early: u64,
}

#[derive(Debug)]
struct State {
    now: i64,
    facts: Vec<Fact>,
    /// By second of creation.
    index: BTreeMap<i64, Vec<usize>>,
    purged_before: i64,
    shift: usize,
    shifts_left: usize,
    race_each: u32,
    miscount: i64,
    /// After each so many answers with a full page, one of its rows is deleted; 0: never.
    delete_each: u64,
    full_pages: u64,
    deleted: BTreeSet<usize>,
    /// A page with an event of such a second fails.
    poison: BTreeSet<i64>,
    /// A wider span fails.
    widest_s: i64,
    cost: Cost,
}

impl State {
    fn happen(&mut self, fact: Fact) {
        self.index.entry(fact.created).or_default().push(self.facts.len());
        self.facts.push(fact);
    }
}

/// A cloud; clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Model {
    state: Arc<Mutex<State>>,
    page_rows: u32,
    projects: Projects,
    zone: Zone,
    /// The offset that this connection writes dates with.
    offset: i64,
    /// Pages asked for before their turn, as they were then; `None`: the answer was broken.
    early: Vec<(Expected, Option<Answer>)>,
}

/// Pages that are asked for before their turn.
const EARLY_MAX: usize = 6;

impl Model {
    pub(super) fn of(facts: Vec<Fact>, page_rows: u32) -> Self {
        let mut state = State {
            now: START,
            facts: Vec::new(),
            index: BTreeMap::new(),
            purged_before: i64::MIN,
            shift: 0,
            shifts_left: 0,
            race_each: 0,
            miscount: 0,
            delete_each: 0,
            full_pages: 0,
            deleted: BTreeSet::new(),
            poison: BTreeSet::new(),
            widest_s: i64::MAX,
            cost: Cost::default(),
        };
        facts.into_iter().for_each(|fact| state.happen(fact));
        let state = Arc::new(Mutex::new(state));
        let (zone, early) = (Zone::Offsets, Vec::new());
        Self { state, page_rows, projects: Projects::Only, zone, offset: 0, early }
    }

    pub(super) fn with_projects(self, projects: Projects) -> Self {
        Self { projects, ..self }
    }

    pub(super) fn in_zone(self, zone: Zone) -> Self {
        Self { zone, offset: zone.offset(START), ..self }
    }

    /// Each answer is followed by so many new events, until there were `shifts`.
    pub(super) fn shifting(&self, shift: usize, shifts: usize) {
        let mut state = self.state.lock().unwrap();
        (state.shift, state.shifts_left) = (shift, shifts);
    }

    /// Each n-th answer is broken; 0: none.
    pub(super) fn race_each(&self, calls: u32) {
        self.state.lock().unwrap().race_each = calls;
    }

    pub(super) fn miscount(&self, by: i64) {
        self.state.lock().unwrap().miscount = by;
    }

    /// After each n-th answer with a full page, one of its rows is deleted; 0: never.
    pub(super) fn delete_each(&self, answers: u64) {
        self.state.lock().unwrap().delete_each = answers;
    }

    pub(super) fn deleted(&self) -> usize {
        self.state.lock().unwrap().deleted.len()
    }

    /// Pages with an event of that second fail, or do not any more.
    pub(super) fn poison(&self, second: i64, is_poison: bool) {
        let poison = &mut self.state.lock().unwrap().poison;
        if is_poison {
            poison.insert(second)
        } else {
            poison.remove(&second)
        };
    }

    /// Spans of more seconds fail.
    pub(super) fn widest(&self, seconds: i64) {
        self.state.lock().unwrap().widest_s = seconds;
    }

    pub(super) fn advance(&mut self, seconds: i64) {
        self.state.lock().unwrap().now += seconds;
        // The next connection would learn it.
        self.offset = self.zone.offset(self.second());
    }

    pub(super) fn second(&self) -> i64 {
        self.state.lock().unwrap().now
    }

    pub(super) fn purge_before(&self, second: i64) {
        self.state.lock().unwrap().purged_before = second;
    }

    pub(super) fn cost(&self) -> Cost {
        self.state.lock().unwrap().cost
    }

    /// Of all that became visible and was not deleted.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        let state = self.state.lock().unwrap();
        let facts = state.facts.iter().enumerate();
        let visible = facts.filter(|(number, fact)| {
            let is_there = !state.deleted.contains(number);
            is_there && fact.visible <= state.now && fact.created >= START
        });
        visible.map(|(number, _)| id(number)).collect()
    }
}

/// In no order.
fn id(number: usize) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, &number.to_be_bytes()).to_string()
}

fn row(number: usize, fact: &Fact) -> Row {
    let created = jiff::tz::Offset::UTC.to_datetime(at(fact.created));
    let created = created.strftime("%Y-%m-%dT%H:%M:%S+0000");
    let account = match (fact.own, number % 2) {
        (true, _) => "own",
        (false, 0) => "web",
        (false, _) => "lab",
    };
    let text = format!(
        r#"{{"id":"{}","type":"VM.START","account":"{account}","created":"{created}"}}"#,
        id(number)
    );
    if fact.is_unread {
        let (text, flaw) = (String::new(), "as scripted".to_owned());
        return Err(Box::new(Unread {
            id: id(number),
            text,
            redacted: 0,
            flaw,
            created: Some(at(fact.created)),
        }));
    }
    Ok(Box::new(NativeEvent::read(&RawValue::from_string(text).unwrap()).unwrap()))
}

fn broken() -> Error {
    let broken =
        BrokenAnswer { flaw: Flaw::RowsAfterCount, at_byte: 0, bytes: 0, excerpt: String::new() };
    let (command, broken) = ("listEvents".to_owned(), Box::new(broken));
    Error::Call(CallError::Malformed { command, broken })
}

impl Lists for Model {
    fn clock(&self) -> Option<Timestamp> {
        Some(self.now())
    }

    fn latest(&self) -> Timestamp {
        self.now()
    }

    fn now(&self) -> Timestamp {
        at(self.second())
    }

    fn knows_archived(&self) -> bool {
        true
    }

    fn page_rows(&self) -> u32 {
        self.page_rows
    }

    fn slack_s(&self) -> i64 {
        if self.zone == Zone::Offsets { 0 } else { 3600 }
    }

    fn expect(&mut self, pages: &[Expected]) {
        self.early.retain(|(expected, _)| pages.contains(expected));
        for page in pages.iter().take(EARLY_MAX) {
            if self.early.iter().all(|(expected, _)| expected != page) {
                let Expected { list, span, paging } = *page;
                self.early.push((*page, self.answer(list, span, paging).ok()));
            }
        }
    }

    async fn page(&mut self, list: List, span: Span, paging: Paging) -> Result<Answer, Error> {
        let wanted = Expected { list, span, paging };
        match self.early.iter().position(|(expected, _)| *expected == wanted) {
            Some(place) => {
                self.state.lock().unwrap().cost.early += 1;
                self.early.swap_remove(place).1.ok_or_else(broken)
            }
            None => {
                self.early.clear();
                self.answer(list, span, paging)
            }
        }
    }
}

impl Model {
    fn answer(&self, list: List, span: Span, paging: Paging) -> Result<Answer, Error> {
        assert!(paging.page_rows <= self.page_rows, "a larger page is refused");
        let mut state = self.state.lock().unwrap();
        state.cost.calls += 1;
        if state.race_each > 0 && state.cost.calls.is_multiple_of(state.race_each.into()) {
            return Err(broken());
        }
        if span.to - span.from >= state.widest_s {
            return Err(broken());
        }
        let read = |second| self.zone.read(second + self.offset);
        let (from, to) = (read(span.from), read(span.to));
        // Newest first; of a second, by number.
        let numbers = state.index.range(from..=to.max(from)).rev();
        let numbers = numbers.flat_map(|(_, numbers)| numbers.iter().rev().copied());
        let facts = numbers.map(|number| (number, &state.facts[number]));
        let listed = facts.filter(|(number, fact)| {
            let is_archived = fact.archived.is_some_and(|at| at <= state.now);
            from <= to
                && !state.deleted.contains(number)
                && fact.visible <= state.now
                && fact.created >= state.purged_before
                && is_archived == list.archived
                && match (list.projects, self.projects) {
                    (false, _) => !fact.project,
                    (true, Projects::Only) => fact.project,
                    (true, Projects::All) => true,
                    (true, Projects::AndOwn) => fact.project || fact.own,
                }
        });
        let listed: Vec<_> = listed.collect();
        let count = listed.len() as i64;
        let skip = (paging.page - 1) as usize * paging.page_rows as usize;
        let page: Vec<_> = listed.into_iter().skip(skip).take(paging.page_rows as usize).collect();
        if page.iter().any(|(_, fact)| state.poison.contains(&fact.created)) {
            return Err(broken());
        }
        let first = page.first().map(|(number, _)| *number);
        let page = page.into_iter();
        let mut rows: Vec<_> = page.map(|(number, fact)| row(number, fact)).collect();
        rows.sort_by_key(|row| match row {
            Ok(event) => event.id.clone(),
            Err(unread) => unread.id.clone(),
        });
        // Beyond the last page 4.20.1 and later say nothing at all, which is read as 0.
        let count = if rows.is_empty() { 0 } else { (count + state.miscount).max(1) };
        state.cost.rows += rows.len() as u64;
        let shift = state.shift.min(state.shifts_left);
        state.shifts_left -= shift;
        let is_full = rows.len() == self.page_rows as usize && paging.page_rows == self.page_rows;
        if is_full && state.delete_each > 0 {
            state.full_pages += 1;
            if state.full_pages.is_multiple_of(state.delete_each) {
                state.deleted.extend(first);
            }
        }
        let now = state.now;
        (0..shift).for_each(|_| state.happen(Fact::at(now)));
        Ok(Answer { count: count as u64, rows })
    }
}
