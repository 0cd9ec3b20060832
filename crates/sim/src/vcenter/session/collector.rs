//! An event history collector: a filter, a cursor, and the latest page.
//!
//! The cursor moves over the history in the order of recording. The latest page is kept up to date
//! from the events since the last look, so that a client which waits for it costs nothing while
//! other things happen.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::vcenter::events::Event;
use crate::vcenter::filter::Filter;
use crate::vcenter::history::History;
use crate::vcenter::inventory::Inventory;
use crate::vcenter::soap::SoapFault;

/// The most events that one answer may carry.
pub(crate) const PAGE_EVENTS_MAX: usize = 1000;
/// The size of a page that nobody set.
const PAGE_EVENTS_DEFAULT: usize = 10;

/// State of one collector.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) filter: Filter,
    /// The filter as the client wrote it.
    pub(crate) spec: String,
    cursor: u64,
    page_size: usize,
    page: VecDeque<Arc<Event>>,
    page_end: u64,
    /// Grows whenever the latest page changes.
    pub(crate) page_revision: u64,
    /// Reads nothing ever again.
    pub(crate) stranded: bool,
}

impl Collector {
    /// A collector before its oldest event.
    pub(crate) fn new(
        filter: Filter,
        history: &History,
        inventory: &Inventory,
    ) -> Result<Self, SoapFault> {
        let page_size = match filter.count_max {
            None => PAGE_EVENTS_DEFAULT,
            Some(size @ 1..=PAGE_EVENTS_MAX) => size,
            Some(_) => return Err(SoapFault::InvalidArgument("filter.maxCount")),
        };
        let delayed = filter.delayed;
        let mut collector = Self {
            filter,
            spec: String::new(),
            cursor: history.start(),
            page_size,
            page: VecDeque::new(),
            page_end: history.end(),
            page_revision: 0,
            stranded: false,
        };
        if !delayed {
            collector.rebuild_page(history, inventory);
        }
        Ok(collector)
    }

    /// Moves forward over at most `max` events that match and returns them, oldest first.
    pub(crate) fn read_next(
        &mut self,
        history: &History,
        inventory: &Inventory,
        max: usize,
    ) -> Vec<Arc<Event>> {
        let mut found = Vec::new();
        if self.stranded {
            return found;
        }
        self.cursor = self.cursor.max(history.start());
        while found.len() < max {
            let Some(event) = history.get(self.cursor) else { break };
            self.cursor += 1;
            if self.filter.matches(event, inventory) {
                found.push(Arc::clone(event));
            }
        }
        found
    }

    /// Moves backward over at most `max` events that match and returns them, newest first.
    pub(crate) fn read_previous(
        &mut self,
        history: &History,
        inventory: &Inventory,
        max: usize,
    ) -> Vec<Arc<Event>> {
        let mut found = Vec::new();
        if self.stranded {
            return found;
        }
        while found.len() < max && self.cursor > history.start() {
            self.cursor -= 1;
            if let Some(event) = history.get(self.cursor)
                && self.filter.matches(event, inventory)
            {
                found.push(Arc::clone(event));
            }
        }
        found
    }

    /// Moves before the oldest event.
    pub(crate) fn rewind(&mut self, history: &History) {
        self.cursor = history.start();
    }

    /// Moves before the latest page, which is filled afresh.
    pub(crate) fn reset(&mut self, history: &History, inventory: &Inventory) {
        self.cursor = self.rebuild_page(history, inventory);
    }

    /// Changes the size of the latest page.
    pub(crate) fn set_page_size(&mut self, size: usize, history: &History, inventory: &Inventory) {
        self.page_size = size;
        self.rebuild_page(history, inventory);
    }

    /// Takes events into the latest page that came since the last look.
    pub(crate) fn refresh_page(&mut self, history: &History, inventory: &Inventory) {
        self.page_end = self.page_end.max(history.start());
        while let Some(event) = history.get(self.page_end) {
            self.page_end += 1;
            if self.filter.matches(event, inventory) {
                self.page.push_front(Arc::clone(event));
                self.page.truncate(self.page_size);
                self.page_revision += 1;
            }
        }
    }

    /// The latest page, newest event first.
    pub(crate) fn page(&self) -> impl Iterator<Item = &Event> {
        self.page.iter().map(AsRef::as_ref)
    }

    /// Fills the latest page and returns the place before its oldest event.
    fn rebuild_page(&mut self, history: &History, inventory: &Inventory) -> u64 {
        self.page.clear();
        self.page_end = history.end();
        self.page_revision += 1;
        let mut at = history.end();
        while self.page.len() < self.page_size && at > history.start() {
            at -= 1;
            if let Some(event) = history.get(at)
                && self.filter.matches(event, inventory)
            {
                self.page.push_back(Arc::clone(event));
            }
        }
        at
    }
}
