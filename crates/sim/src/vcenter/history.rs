//! The history of events, in memory.
//!
//! Events are addressed by their place in the order of recording, not by key: keys may jump, turn
//! negative or start again, and a collector's cursor must survive all of it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::events::Event;

/// All events that the cloud still remembers.
#[derive(Debug)]
pub(crate) struct History {
    events: VecDeque<Arc<Event>>,
    start: u64,
    events_max: Option<usize>,
    /// Whether each event's key is greater than the one before it.
    is_ascending: bool,
}

impl History {
    /// An empty history that forgets its oldest events beyond the limit, if there is one.
    pub(crate) fn new(events_max: Option<usize>) -> Self {
        Self { events: VecDeque::new(), start: 0, events_max, is_ascending: true }
    }

    /// The place of the oldest event.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The place that the next event will get.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.events.len() as u64
    }

    /// The event at a place, unless it is forgotten or still to come.
    pub(crate) fn get(&self, place: u64) -> Option<&Arc<Event>> {
        let index = place.checked_sub(self.start)?;
        self.events.get(usize::try_from(index).ok()?)
    }

    /// The newest event.
    pub(crate) fn latest(&self) -> Option<&Arc<Event>> {
        self.events.back()
    }

    /// The events behind a key, the next one first: greater ones, or smaller ones if not `is_forward`.
    pub(crate) fn by_key(
        &self,
        key: i32,
        is_forward: bool,
    ) -> Box<dyn Iterator<Item = &Arc<Event>> + '_> {
        if self.is_ascending {
            let behind = self.events.partition_point(|event| event.key <= key);
            let from = self.events.partition_point(|event| event.key < key);
            return match is_forward {
                true => Box::new(self.events.range(behind..)),
                false => Box::new(self.events.range(..from).rev()),
            };
        }
        let is_meant = |event: &&Arc<Event>| match is_forward {
            true => event.key > key,
            false => event.key < key,
        };
        let mut events: Vec<_> = self.events.iter().filter(is_meant).collect();
        events.sort_by_key(|event| event.key);
        match is_forward {
            true => Box::new(events.into_iter()),
            false => Box::new(events.into_iter().rev()),
        }
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.is_ascending &= self.events.back().is_none_or(|last| last.key < event.key);
        self.events.push_back(Arc::new(event));
        if self.events_max.is_some_and(|max| self.events.len() > max) {
            self.events.pop_front();
            self.start += 1;
        }
    }

    /// Forgets everything after the event with that key, as a restore from backup does.
    pub(crate) fn truncate_after(&mut self, key: i32) {
        while self.events.back().is_some_and(|event| event.key > key) {
            self.events.pop_back();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.start = self.end();
        self.events.clear();
        self.is_ascending = true;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::History;
    use crate::vcenter::events::{Draft, Event, Place, Stamp, render};
    use crate::vcenter::inventory::Inventory;

    fn event(key: i32) -> Event {
        let inventory = Inventory::build(0, &mut StdRng::seed_from_u64(1));
        let draft = Draft::new("GeneralUserEvent", "", String::new(), Place::default());
        render(draft, Stamp { key, chain_id: key, created: Timestamp::UNIX_EPOCH }, &inventory)
    }

    #[test]
    fn a_limited_history_forgets_its_oldest_events() {
        let mut history = History::new(Some(2));
        (1..=5).for_each(|key| history.push(event(key)));
        assert_eq!((history.start(), history.end()), (3, 5));
        assert!(history.get(2).is_none());
        assert_eq!(history.get(3).map(|event| event.key), Some(4));
    }

    #[test]
    fn events_are_found_by_their_keys_also_when_these_began_again() {
        let mut history = History::new(None);
        let keys = |history: &History, key, is_forward| -> Vec<i32> {
            history.by_key(key, is_forward).map(|event| event.key).collect()
        };
        [4, 6, 9].into_iter().for_each(|key| history.push(event(key)));
        assert_eq!(keys(&history, 4, true), [6, 9]);
        assert_eq!(keys(&history, 9, false), [6, 4]);
        [1, 2].into_iter().for_each(|key| history.push(event(key)));
        assert_eq!(keys(&history, 1, true), [2, 4, 6, 9]);
        assert_eq!(keys(&history, 6, false), [4, 2, 1]);
    }

    #[test]
    fn a_restore_forgets_its_newest_events() {
        let mut history = History::new(None);
        (1..=5).for_each(|key| history.push(event(key)));
        history.truncate_after(3);
        assert_eq!(history.latest().map(|event| event.key), Some(3));
    }
}
