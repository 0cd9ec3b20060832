//! The table of events, in memory, and the orders in which it is read.
//!
//! ```text
//!  rows     0 1 2 3 4 5 …             by number, never removed: what truly happened
//!  listed   0 1 3 2 5 …               by (created, number): what the API may show now
//!  views    1 3 5 …  one per audience   the same, of some accounts only
//!  late     (when, 4)                 committed later than created
//! ```
//!
//! A page of a time slice is two binary searches and a copy, whatever the size of the table. A view
//! is built when its audience first asks, and then follows. It knows nothing about permissions.

mod ids;
mod recorded;
mod row;

pub(crate) use ids::mix;
pub(crate) use recorded::Recorded;
pub use row::{Level, State};
pub(crate) use row::{Mark, Row};

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use ids::Ids;

/// Audiences whose views are kept; the oldest makes room.
const VIEWS_MAX: usize = 32;

/// What an event is about.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) kind: &'static str,
    pub(crate) id: Uuid,
    pub(crate) name: Box<str>,
}

/// Whose events are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audience {
    /// By account.
    pub(crate) accounts: Vec<bool>,
    /// Whether events that only admins see are among them.
    pub(crate) hidden: bool,
    /// Whether the archived ones are asked for, instead of the others.
    pub(crate) archived: bool,
}

impl Audience {
    fn sees(&self, row: &Row) -> bool {
        self.accounts.get(usize::from(row.account)).copied().unwrap_or(false)
            && row.mark.is_archived() == self.archived
            && (self.hidden || !row.mark.is_hidden())
    }
}

/// All events.
#[derive(Debug)]
pub(crate) struct History {
    ids: Ids,
    rows: Vec<Row>,
    kinds: Vec<Arc<str>>,
    kinds_by_name: HashMap<Arc<str>, u16>,
    resources: Vec<Resource>,
    /// Descriptions that cannot be computed.
    texts: HashMap<u32, Box<str>>,
    /// Events that happened once before, with an identifier of their own.
    recorded: HashMap<u32, Recorded>,
    recorded_ids: HashMap<Box<str>, u32>,
    listed: Vec<u32>,
    views: Vec<(Audience, Vec<u32>)>,
    late: BinaryHeap<Reverse<(Timestamp, u32)>>,
}

impl History {
    pub(crate) fn new(seed: u64, capacity: usize) -> Self {
        Self {
            ids: Ids::new(seed),
            rows: Vec::with_capacity(capacity),
            kinds: Vec::new(),
            kinds_by_name: HashMap::new(),
            resources: Vec::new(),
            texts: HashMap::new(),
            recorded: HashMap::new(),
            recorded_ids: HashMap::new(),
            listed: Vec::with_capacity(capacity),
            views: Vec::new(),
            late: BinaryHeap::new(),
        }
    }

    /// How many events ever happened.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many events the API may show now.
    pub(crate) fn listed_len(&self) -> usize {
        self.listed.len()
    }

    pub(crate) fn row(&self, number: u32) -> &Row {
        &self.rows[number as usize]
    }

    pub(crate) fn id(&self, number: u32) -> Uuid {
        self.ids.id(number)
    }

    /// The number of an event that did not happen once before, whether or not it is shown.
    pub(crate) fn number(&self, id: Uuid) -> Option<u32> {
        let is_there = |number: &u32| (*number as usize) < self.rows.len();
        self.ids.number(id).filter(|n| is_there(n) && !self.recorded.contains_key(n))
    }

    /// The number of an event by its identifier as a client writes it.
    pub(crate) fn find(&self, id: &str) -> Option<u32> {
        let recorded = self.recorded_ids.get(id).copied();
        recorded.or_else(|| self.number(id.parse().ok()?))
    }

    /// The identifier of an event as clients see it.
    pub(crate) fn name(&self, number: u32) -> String {
        let recorded = self.recorded(number).map(|recorded| recorded.id.to_string());
        recorded.unwrap_or_else(|| self.id(number).to_string())
    }

    /// What happened once before.
    pub(crate) fn recorded(&self, number: u32) -> Option<&Recorded> {
        self.recorded.get(&number)
    }

    /// All kinds of events that are known.
    pub(crate) fn kinds(&self) -> &[Arc<str>] {
        &self.kinds
    }

    /// The number of a kind of events, new if nobody has used it before.
    pub(crate) fn kind(&mut self, name: &str) -> u16 {
        if let Some(kind) = self.kinds_by_name.get(name) {
            return *kind;
        }
        // A cloud has hundreds of kinds; a test that made more would see the last one again.
        let kind = u16::try_from(self.kinds.len()).unwrap_or(u16::MAX);
        let name: Arc<str> = name.into();
        self.kinds.push(Arc::clone(&name));
        self.kinds_by_name.insert(name, kind);
        kind
    }

    pub(crate) fn find_kind(&self, name: &str) -> Option<u16> {
        self.kinds_by_name.get(name).copied()
    }

    pub(crate) fn kind_name(&self, kind: u16) -> &Arc<str> {
        &self.kinds[usize::from(kind)]
    }

    /// Makes a resource known and returns the number under which rows name it.
    pub(crate) fn add_resource(&mut self, resource: Resource) -> u32 {
        self.resources.push(resource);
        u32::try_from(self.resources.len()).unwrap_or_default()
    }

    pub(crate) fn resource(&self, row: &Row) -> Option<&Resource> {
        self.resources.get((row.resource as usize).checked_sub(1)?)
    }

    /// The number under which rows name the resource with that identifier.
    pub(crate) fn find_resource(&self, id: Uuid) -> Option<u32> {
        let index = self.resources.iter().position(|resource| resource.id == id)?;
        u32::try_from(index + 1).ok()
    }

    pub(crate) fn text(&self, number: u32) -> Option<&str> {
        self.texts.get(&number).map(AsRef::as_ref)
    }

    /// Records an event that becomes visible at once, or later.
    pub(crate) fn push(&mut self, row: Row, text: Option<&str>, visible: Option<Timestamp>) -> u32 {
        let number = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.rows.push(row);
        if let Some(text) = text {
            self.texts.insert(number, text.into());
        }
        match visible {
            Some(time) => self.late.push(Reverse((time, number))),
            None => self.list(number),
        }
        number
    }

    /// Lets an event happen once more; one that has already is not there twice.
    pub(crate) fn replay(&mut self, recorded: Recorded) {
        if self.recorded_ids.contains_key(&recorded.id) {
            return;
        }
        let parent = recorded.parent.as_ref().and_then(|id| self.recorded_ids.get(id));
        let row = Row {
            created: recorded.time.as_second(),
            parent: parent.map_or(0, |first| first + 1),
            resource: 0,
            kind: self.kind(&recorded.kind),
            account: recorded.account,
            user: recorded.user,
            level: recorded.level,
            mark: Mark::new(recorded.state, false),
        };
        // Before it is listed, so that it is never seen under another name.
        let number = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.recorded_ids.insert(recorded.id.clone(), number);
        self.recorded.insert(number, recorded);
        self.push(row, None, None);
    }

    /// Shows the late events whose time has come; tells whether there were any.
    pub(crate) fn commit(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while self.late.peek().is_some_and(|Reverse((visible, _))| *visible <= now) {
            if let Some(Reverse((_, number))) = self.late.pop() {
                self.list(number);
                any = true;
            }
        }
        any
    }

    fn list(&mut self, number: u32) {
        insert(&mut self.listed, &self.rows, number);
        let row = self.rows[number as usize];
        for (audience, view) in &mut self.views {
            if audience.sees(&row) {
                insert(view, &self.rows, number);
            }
        }
    }

    /// The events that an audience sees in a span of time, oldest first.
    pub(crate) fn slice(&mut self, audience: &Audience, span: RangeInclusive<i64>) -> &[u32] {
        let rows = &self.rows;
        let place = self.views.iter().position(|(other, _)| other == audience);
        let place = place.unwrap_or_else(|| {
            let view = self.listed.iter().copied().filter(|n| audience.sees(&rows[*n as usize]));
            let view = view.collect();
            if self.views.len() >= VIEWS_MAX {
                self.views.remove(0);
            }
            self.views.push((audience.clone(), view));
            self.views.len() - 1
        });
        let view = &self.views[place].1;
        let from = view.partition_point(|n| rows[*n as usize].created < *span.start());
        let to = view.partition_point(|n| rows[*n as usize].created <= *span.end());
        view.get(from..to).unwrap_or_default()
    }

    /// Whether the API may show an event now.
    pub(crate) fn is_listed(&self, number: u32) -> bool {
        let key = (self.row(number).created, number);
        let at = self.listed.binary_search_by_key(&key, |n| (self.row(*n).created, *n));
        at.is_ok()
    }

    /// Archives events.
    pub(crate) fn archive(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.rows[*number as usize].mark.archive();
        }
        self.views.clear();
    }

    /// Shows no event again of which the condition holds; returns how many those were.
    pub(crate) fn forget(&mut self, condition: impl Fn(u32, &Row) -> bool) -> usize {
        let before = self.listed.len();
        let rows = &self.rows;
        self.listed.retain(|number| !condition(*number, &rows[*number as usize]));
        self.views.clear();
        before - self.listed.len()
    }
}

/// Puts an event where it belongs by (created, number), which is nearly always the end.
fn insert(list: &mut Vec<u32>, rows: &[Row], number: u32) {
    let key = |n: u32| (rows[n as usize].created, n);
    if list.last().is_none_or(|last| key(*last) < key(number)) {
        list.push(number);
    } else {
        let place = list.partition_point(|n| key(*n) < key(number));
        list.insert(place, number);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Audience, History, Level, Mark, Row, State};

    fn row(created: i64, account: u16) -> Row {
        let mark = Mark::new(State::Completed, false);
        Row { created, parent: 0, resource: 0, kind: 0, account, user: 0, level: Level::Info, mark }
    }

    fn audience(accounts: &[bool]) -> Audience {
        Audience { accounts: accounts.to_vec(), hidden: true, archived: false }
    }

    #[test]
    fn a_slice_is_ordered_by_time_and_then_by_number() {
        let mut history = History::new(1, 0);
        for created in [5, 7, 6, 7, 9] {
            history.push(row(created, 0), None, None);
        }
        assert_eq!(history.slice(&audience(&[true]), 6..=7), [2, 1, 3]);
        assert!(history.slice(&audience(&[true]), 10..=20).is_empty());
    }

    #[test]
    fn a_view_follows_what_happens_after_it_was_made() {
        let mut history = History::new(1, 0);
        let only_second = audience(&[false, true]);
        history.push(row(1, 1), None, None);
        assert_eq!(history.slice(&only_second, 0..=9), [0]);
        history.push(row(2, 0), None, None);
        history.push(row(0, 1), None, None);
        assert_eq!(history.slice(&only_second, 0..=9), [2, 0]);
    }

    #[test]
    fn a_late_event_appears_in_its_place_when_its_time_has_come() {
        let mut history = History::new(1, 0);
        let visible = Timestamp::from_second(30).ok();
        history.push(row(1, 0), None, visible);
        history.push(row(2, 0), None, None);
        assert!(!history.commit(Timestamp::UNIX_EPOCH));
        assert_eq!(history.slice(&audience(&[true]), 0..=9), [1]);
        assert!(history.commit(Timestamp::MAX));
        assert_eq!(history.slice(&audience(&[true]), 0..=9), [0, 1]);
    }

    #[test]
    fn what_is_archived_or_forgotten_is_no_longer_in_a_slice() {
        let mut history = History::new(1, 0);
        (0..4).for_each(|created| {
            history.push(row(created, 0), None, None);
        });
        history.archive(&[1]);
        assert_eq!(history.forget(|_, row| row.created == 2), 1);
        assert_eq!(history.slice(&audience(&[true]), 0..=9), [0, 3]);
        let archived = Audience { archived: true, ..audience(&[true]) };
        assert_eq!(history.slice(&archived, 0..=9), [1]);
        assert!(history.is_listed(3) && !history.is_listed(2));
    }
}
