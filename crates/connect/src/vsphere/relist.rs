//! Looking at what the cursor does not show: a sweep for late events, the newest events when the cursor may be deaf, and
//! what is to be known where it shows nothing.
//!
//! What is found is judged as what the cursor shows. It refuses to move the place by a sweep: that lists the past.

use jiff::{SignedDuration, Timestamp};
use pluvio_clouds::vsphere::Page;
use pluvio_log::Record;
use tracing::{info, warn};

use super::{
    Error,
    begin::{SAME_SECOND, reaches_back_to},
    cursor::Cursor,
    ledger::Read,
    listing::Listing,
    pages::PAGE_EVENTS_MAX,
    place::Place,
    source::{Reading, key_and_time},
};

/// Spans of known events that are asked for without the cursor at one look. Each holds a thousand; beyond
/// that the server shows other spans than it was asked for.
const SPANS_MAX: u32 = 100;

impl Reading {
    /// A sweep need not list what the log would not recognize.
    async fn sweep_from(&mut self) -> Result<Timestamp, Error> {
        let begin = self.ledger.place.begin;
        Ok(self.remembered_from().await?.map_or(begin, |from| from.max(begin)))
    }

    /// Lists one page of the sweep; `None` when none runs.
    pub(super) async fn sweep_a_page(&mut self) -> Result<Option<Vec<Record>>, Error> {
        if self.sweep.is_due() {
            let now = self.ask_the_time().await?;
            let from = self.sweep_from().await?;
            self.sweep.plan(from, now);
        }
        let (slice, listing) = match self.sweep.listing.clone() {
            Some(listed) => listed,
            None => {
                let Some((from, to)) = self.sweep.next_slice() else { return Ok(None) };
                let opened = self.session.list(&self.settings, from, Some(to)).await?;
                ((from, to), opened)
            }
        };
        // Kept while it is read, so that a failure gives it back.
        self.sweep.listing = Some((slice, listing.clone()));
        let (page, behind) = self.session.read(&self.settings, listing).await?;
        if !behind.goes_on() {
            if matches!(behind, Listing::Lost) {
                self.session.stop_listing_by_key();
            }
            self.sweep.listing = None;
            let reached = page.events.iter().rev().find_map(|listed| key_and_time(listed).1);
            let from = reached.filter(|_| page.is_cut).unwrap_or(slice.0);
            self.sweep.again((from.clamp(slice.0, slice.1), slice.1));
            self.session.close(behind).await;
        } else if page.events.is_empty() {
            self.sweep.listing = None;
            self.session.close(behind).await;
        } else {
            self.sweep.listing = Some((slice, behind));
        }
        self.ledger.set_sweeping(true);
        let records = self.records(page, Read::up_to(&self.ledger.place)).await;
        self.ledger.set_sweeping(false);
        let records = records?;
        if !records.is_empty() {
            info!(source = %self.history.source(), events = records.len(), "sweep found late events");
        }
        Ok(Some(records))
    }

    /// The cursor shows nothing where something known is expected. An empty page proves little, so
    /// the vCenter is asked without it; what comes then is taken, a gap event before it if nothing
    /// of it is known.
    pub(super) async fn instead_of_an_empty_list(&mut self) -> Result<Option<Vec<Record>>, Error> {
        let Some(since) = self.expects_known_since else { return Ok(None) };
        let now = self.ask_the_time().await?;
        let begin = since.checked_sub(SAME_SECOND).unwrap_or(since).max(self.lists_from());
        let (page, _) = self.oldest_without_cursor(begin, self.last(now)).await?;
        if !page.events.is_empty() {
            return self.records(page, self.ledger.read()).await.map(Some);
        }
        self.expects_known_since = None;
        if now <= since {
            // Its clock went back: nothing says that anything is gone.
            return Ok(None);
        }
        let gap = self.gap(self.ledger.place.clone(), since, Some(now))?;
        self.ledger.place.last = None;
        Ok(Some(vec![gap]))
    }

    /// Asks for the newest events without the cursor. Unknown ones mean that it is deaf: they are
    /// taken from the answer, oldest first, and the cursor is replaced.
    pub(super) async fn unseen_by_the_cursor(&mut self) -> Result<Vec<Record>, Error> {
        let now = self.ask_the_time().await?;
        // A moment earlier than the event stored last, in case the server rounds.
        let begin = self.ledger.place.time.min(now).checked_sub(SAME_SECOND).unwrap_or(now);
        let begin = begin.max(self.lists_from()).min(now);
        let (mut from, last) = (begin, self.last(now));
        // The answer begins with the event stored last, unless the vCenter forgot it.
        self.expects_known_since = self.ledger.place.last.filter(|last| *last >= begin);
        let read = Read::up_to(&self.ledger.place);
        let mut spans = 0;
        let records = loop {
            spans += 1;
            let (mut page, to) = self.oldest_without_cursor(from, last).await?;
            page.events.sort_by_key(|listed| {
                let (key, created) = key_and_time(listed);
                (created, key)
            });
            let records = self.records(page, read).await?;
            // A part of the span that holds only what is known says nothing of what follows.
            if !records.is_empty() || to >= last || spans >= SPANS_MAX {
                break records;
            }
            from = to.max(from.checked_add(SignedDuration::from_millis(1)).unwrap_or(last));
        };
        if !records.is_empty() {
            warn!(source = %self.history.source(), events = records.len(),
                "the listing did not show the newest events: beginning another one");
            self.session.stop_listing_by_key();
            self.replace_cursor(now).await?;
        }
        Ok(records)
    }

    /// Where the newest events end: clocks of servers differ.
    pub(super) fn last(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.settings.overlap).unwrap_or(now)
    }

    /// The oldest events from `begin` on, fewer than [`PAGE_EVENTS_MAX`], and up to when they are all that
    /// there are, `last` at most. An answer without a cursor holds the *newest* events of its span, so the
    /// span is halved until it holds all of them; a span that turns out to be empty is passed.
    async fn oldest_without_cursor(
        &self,
        begin: Timestamp,
        last: Timestamp,
    ) -> Result<(Page, Timestamp), Error> {
        let (mut from, mut to) = (begin, last);
        loop {
            let mut page = self.session.query(&self.settings, from, to).await?;
            let span = to.duration_since(from);
            if page.events.len() >= PAGE_EVENTS_MAX as usize && span.as_millis() > 1 {
                to = from.checked_add(span / 2).unwrap_or(from);
            } else if page.events.is_empty() && to < last {
                (from, to) = (to, last);
            } else {
                let begin = self.lists_from();
                page.events.retain(|it| key_and_time(it).1.is_none_or(|created| created >= begin));
                return Ok((page, to));
            }
        }
    }

    /// Before this nothing is asked for: the beginning, unless a clock that is behind it is read.
    fn lists_from(&self) -> Timestamp {
        let Place { time, begin, .. } = self.ledger.place;
        if time < begin { Timestamp::MIN } else { begin }
    }

    pub(super) async fn replace_cursor(&mut self, now: Timestamp) -> Result<(), Error> {
        let from = reaches_back_to(&self.settings, &self.ledger.place, now);
        let cursor = Cursor::open(&self.session, &self.settings, from).await?;
        self.forget_ahead();
        self.is_set_back = false;
        self.ledger.lists_anew();
        std::mem::replace(&mut self.cursor, cursor).close(&self.session).await;
        Ok(())
    }
}
