//! The newest rows, newest first, until one is known.
//!
//! A page holds rows in no order, but all that are newer than the oldest of them: as soon as one of
//! them is known, what is missing behind it is late. Rows late by a second are common, because a
//! transaction takes its time; so a poll begins five seconds before the newest event, and compares
//! the server's count with the events that were seen there. If they agree, a poll costs little more
//! than what it brings; else all of the five seconds is listed. A server that always miscounts by
//! the same number is told from one with news by that number.
//!
//! Wall clocks make spans of hours, which cannot be compared: there a poll reads on until it is five
//! seconds back.

use pluvio_clouds::cloudstack::Paging;
use pluvio_log::Record;

use super::{
    super::{
        Error,
        ledger::{Moves, RowIds, created, id_of},
        lists::{List, Lists},
        order::Row,
        place::Place,
        span::{Span, at},
    },
    Reader, SLICE_ROWS_MAX,
};

/// A poll begins so long before the newest event that is stored.
const POLL_BEFORE_S: i64 = 5;
/// Rows that a poll asks for beyond twice those that the last one brought.
const POLL_ROWS_MORE: u32 = 10;

impl<L: Lists> Reader<L> {
    /// Takes the newest rows. A burst that is too large for one pull becomes a walk.
    pub(in super::super) async fn poll(&mut self) -> Result<Vec<Record>, Error> {
        let now = self.lists.now();
        let Place { time, last, begin, .. } = self.ledger.place;
        let (read, end) = (time.min(now).as_second(), self.lists.latest().as_second());
        let newest = last.unwrap_or(time).as_second().min(read);
        let from = (newest - POLL_BEFORE_S).max(read - self.overlap_s()).max(begin.as_second());
        let span = Span { from: from.min(end), to: end };
        let rows = match self.newest(span).await {
            // A walk knows what to do about it.
            Err(error) if self.bears(&error) => None,
            rows => rows?,
        };
        let Some(rows) = rows else {
            self.walk_to(self.lists.now().as_second() + self.slack_s);
            return Ok(Vec::new());
        };
        let (known, moves) = (RowIds::default(), Moves::Behind(now));
        let admitted = self.ledger.admit(rows, &known, moves)?;
        let records = self.records(admitted)?;
        self.ledger.place.reach(now);
        self.meter.new_rows(records.len());
        Ok(records)
    }

    /// All unknown rows of a span, as far as nothing says that there are more; `None` if they are
    /// too many.
    async fn newest(&mut self, span: Span) -> Result<Option<Vec<Row>>, Error> {
        let mut brought = self.polled;
        let mut fresh = Fresh::default();
        for (list, brought) in self.poll_lists().into_iter().zip(&mut brought) {
            let before = fresh.rows.len();
            let page_rows = brought.saturating_mul(2).saturating_add(POLL_ROWS_MORE);
            if !self.poll_list(list, span, Some(page_rows), &mut fresh).await? {
                return Ok(None);
            }
            *brought = u32::try_from(fresh.rows.len() - before).unwrap_or(u32::MAX);
        }
        self.polled = brought;
        if self.slack_s > 0 || fresh.unexplained(self.ledger.seen_in(span)) == self.unexplained {
            return Ok(Some(fresh.rows));
        }
        let mut all = Fresh::default();
        for list in self.poll_lists() {
            if !self.poll_list(list, span, None, &mut all).await? {
                return Ok(None);
            }
        }
        self.unexplained = all.unexplained(self.ledger.seen_in(span));
        Ok(Some(all.rows))
    }

    /// Takes one list's unknown rows: in pages of so many until one is known, or in large pages to
    /// the end of the span. `false`: there are too many.
    async fn poll_list(
        &mut self,
        list: List,
        span: Span,
        page_rows: Option<u32>,
        fresh: &mut Fresh,
    ) -> Result<bool, Error> {
        let most = self.lists.page_rows();
        let mut paging = Paging { page: 1, page_rows: page_rows.unwrap_or(most).min(most) };
        let before = fresh.rows.len();
        let mut counted = 0;
        loop {
            let answer = self.ask(list, span.widened(self.slack_s), paging).await?;
            let known = self.known(&answer.rows).await?;
            let oldest = answer.rows.iter().filter_map(created).min();
            let is_back = self.slack_s == 0 || oldest.is_some_and(|oldest| oldest < at(span.from));
            let is_last = answer.rows.len() < paging.page_rows as usize
                || (page_rows.is_some() && !known.is_empty() && is_back);
            if page_rows.is_some() && known.is_empty() && !is_last && paging.page_rows < most {
                // More than expected: from here on in large pages.
                fresh.rows.truncate(before);
                paging = Paging { page: 1, page_rows: most };
                continue;
            }
            // Behind the last page 4.20.1 and later count nothing.
            counted = match (answer.rows.is_empty(), paging.page) {
                (true, 1) => 0,
                (true, _) => counted,
                (false, _) => answer.count,
            };
            fresh.rows.extend(answer.rows.into_iter().filter(|row| !known.contains(&id_of(row))));
            if is_last {
                fresh.count += counted;
                return Ok(true);
            }
            if fresh.rows.len() as u64 >= SLICE_ROWS_MAX {
                return Ok(false);
            }
            paging.page += 1;
        }
    }
}

/// What a poll found.
#[derive(Debug, Default)]
struct Fresh {
    /// Unknown rows.
    rows: Vec<Row>,
    /// Rows of all lists, known ones included, as the server says.
    count: u64,
}

impl Fresh {
    /// How many rows more than those seen the server counts; `None` where it is not known what was
    /// seen.
    fn unexplained(&self, seen: Option<u64>) -> Option<i64> {
        let ids: RowIds = self.rows.iter().map(id_of).collect();
        let seen = seen?.saturating_add(ids.len() as u64);
        i64::try_from(self.count).ok()?.checked_sub(i64::try_from(seen).ok()?)
    }
}
