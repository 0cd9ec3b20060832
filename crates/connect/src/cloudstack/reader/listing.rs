//! One slice, listed in full: first its counts, then its pages.
//!
//! Pages are counted from the newest row, so what appears while they are read shifts rows to the
//! next page: rows are told apart by id. What disappears shifts them the other way, onto a page that was read:
//! where the count falls, or a page that must have rows has none, the page before is read again. A listing is
//! whole only if it has as many rows as the server counts. A page may be short of rows that the server hides:
//! while it counts more, another page is asked for.

use pluvio_clouds::cloudstack::Paging;

use super::{
    super::{
        Error,
        ledger::{RowId, RowIds, id_of},
        lists::{Expected, List, Lists},
        order::Row,
        slices::Listed,
        span::Span,
    },
    Reader, SLICE_ROWS_MAX,
};

/// Most rows held of a second that has more than a slice may have: some 30 MB.
const ROWS_HELD_MAX: usize = 20_000;

/// Pages are asked for early only of spans that ended so long ago; a row that appears there later is found by a
/// check or a sweep.
const EARLY_BEHIND_S: i64 = 60;

/// Part of the likely rows that pages are expected for: a page too many is asked for in vain, and one too few
/// is asked for as soon as the count tells of it.
const LIKELY: f64 = 0.9;
/// So many pages are told ahead.
const EXPECTED_MAX: usize = 8;
/// So often a list goes back to pages that it read: more, and rows are deleted as fast as they are listed.
const STEPS_BACK_MAX: u32 = 32;

/// A listing under way.
#[derive(Debug)]
pub(super) struct Listing {
    span: Span,
    lists: Vec<Listed1>,
    /// Index of the list that is read.
    at: usize,
    /// Its next page.
    page: u32,
    rows: Vec<Row>,
    /// Its pages, and the first of what the walk lists next, may be asked for before their turn.
    is_early: bool,
}

/// What was seen of one list.
#[derive(Debug)]
struct Listed1 {
    list: List,
    /// As the server says; `None`: it was not asked yet.
    count: Option<u64>,
    ids: RowIds,
    steps_back: u32,
    /// The last page from which it went back; up to it a page may bring nothing new.
    back_from: u32,
    owners: Owners,
}

impl Listed1 {
    fn new(list: List, count: Option<u64>) -> Self {
        let owners = Owners::Nobody;
        Self { list, count, ids: RowIds::default(), steps_back: 0, back_from: 0, owners }
    }
}

/// Whose the rows of a list are.
#[derive(Debug, PartialEq, Eq)]
enum Owners {
    Nobody,
    /// An account, by name, and its domain.
    One(Option<String>, Option<String>),
    Several,
}

impl Owners {
    fn note(&mut self, row: &Row) {
        let Ok(event) = row else { return };
        let (name, domain) = (event.account.as_deref(), event.domain_id.as_deref());
        match self {
            Self::Nobody => {
                *self = Self::One(name.map(str::to_owned), domain.map(str::to_owned));
            }
            Self::One(of, within) if of.as_deref() != name || within.as_deref() != domain => {
                *self = Self::Several;
            }
            Self::One(..) | Self::Several => {}
        }
    }
}

/// How a listing begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// With counts: nothing is known of the span.
    Counts,
    /// With rows: it has few enough, as far as one can know. Their pages tell the counts as well.
    Rows,
}

/// What a listing gave.
#[derive(Debug)]
pub(super) enum Found {
    /// It has too many rows, at least so many, and can be divided.
    TooMany { halves: (Span, Span), rows: u64 },
    /// The first rows of a second that has too many: the same listing gives the rest.
    Part(Vec<Row>),
    /// Its rows, or the last of them.
    Whole(Vec<Row>, Listed),
}

impl<L: Lists> Reader<L> {
    /// Rows of a span in some lists, as the server counts them: one call and at most one row each.
    pub(super) async fn counts(
        &mut self,
        span: Span,
        lists: &[List],
    ) -> Result<Vec<(List, u64)>, Error> {
        let mut counts = Vec::with_capacity(lists.len());
        for list in lists {
            let answer = self.ask(*list, span, Paging { page: 1, page_rows: 1 }).await?;
            let count = if answer.rows.is_empty() { 0 } else { answer.count };
            counts.push((*list, count));
        }
        Ok(counts)
    }

    /// Lists a span, or says that it has too many rows for that.
    pub(super) async fn list(
        &mut self,
        span: Span,
        lists: Vec<List>,
        ask: Ask,
    ) -> Result<Found, Error> {
        let mut listing = match self.listing.take().filter(|listing| listing.span == span) {
            Some(listing) => listing,
            None => {
                let lists = match ask {
                    Ask::Counts => {
                        let counts = self.counts(span, &lists).await?;
                        let of = |(list, count)| Listed1::new(list, Some(count));
                        counts.into_iter().map(of).collect()
                    }
                    Ask::Rows => lists.into_iter().map(|list| Listed1::new(list, None)).collect(),
                };
                let is_old = span.to + EARLY_BEHIND_S < self.lists.now().as_second();
                let is_early = ask == Ask::Rows && is_old;
                Listing { span, lists, at: 0, page: 1, rows: Vec::new(), is_early }
            }
        };
        while listing.at < listing.lists.len() {
            let rows = listing.lists.iter().filter_map(|seen| seen.count).sum();
            if let Some(halves) = span.halves().filter(|_| rows > SLICE_ROWS_MAX) {
                return Ok(Found::TooMany { halves, rows });
            }
            if let Err(error) = self.read_page(&mut listing).await {
                // Should it be asked again, it goes on with the page that failed.
                self.listing = Some(listing);
                return Err(error);
            }
            if listing.rows.len() >= ROWS_HELD_MAX {
                let rows = std::mem::take(&mut listing.rows);
                self.listing = Some(listing);
                return Ok(Found::Part(rows));
            }
        }
        self.learn(&listing);
        if self.is_walking() {
            let density = |seen: &Listed1| seen.ids.len() as f64 / span.seconds() as f64;
            self.densities = listing.lists.iter().map(|seen| (seen.list, density(seen))).collect();
        }
        let enough = self.enough_lists();
        let seen = listing.lists.iter().filter(|seen| enough.contains(&seen.list));
        let listed = Listed {
            span,
            said: seen.filter_map(|seen| seen.count).sum(),
            is_whole: listing.lists.iter().all(|seen| Some(seen.ids.len() as u64) == seen.count),
            at: self.lists.now().as_second(),
        };
        Ok(Found::Whole(listing.rows, listed))
    }

    async fn read_page(&mut self, listing: &mut Listing) -> Result<(), Error> {
        let (span, page) = (listing.span, listing.page);
        let Some(seen) = listing.lists.get(listing.at) else { return Ok(()) };
        if seen.count == Some(0) {
            listing.at += 1;
            return Ok(());
        }
        let (list, page_rows) = (seen.list, self.lists.page_rows());
        if listing.is_early {
            let expected = self.expected(listing);
            self.lists.expect(&expected);
        }
        let answer = self.ask(list, span, Paging { page, page_rows }).await?;
        let Some(seen) = listing.lists.get_mut(listing.at) else { return Ok(()) };
        let is_full = answer.rows.len() >= page_rows as usize;
        let asked = u64::from(page).saturating_mul(u64::from(page_rows));
        let before = seen.ids.len();
        // Behind the last page 4.20.1 and later count nothing.
        let count = match (answer.rows.is_empty(), page) {
            (true, 1) => 0,
            (true, _) => seen.count.unwrap_or(0),
            (false, _) => answer.count,
        };
        let read = asked - u64::from(page_rows);
        let gone = match answer.rows.is_empty() {
            true if seen.back_from < page => {
                seen.count.map_or(0, |count| count.saturating_sub(read))
            }
            true => 0,
            false => seen.count.map_or(0, |before| before.saturating_sub(count)),
        };
        seen.count = Some(count);
        listing.rows.reserve(answer.rows.len());
        for row in answer.rows {
            if seen.ids.insert(id_of(&row)) {
                seen.owners.note(&row);
                listing.rows.push(row);
            }
        }
        if gone > 0 && page > 1 && seen.steps_back < STEPS_BACK_MAX {
            let pages = u32::try_from(gone.div_ceil(u64::from(page_rows))).unwrap_or(u32::MAX);
            listing.page = page.saturating_sub(pages).max(1);
            (seen.steps_back, seen.back_from) = (seen.steps_back + 1, page.max(seen.back_from));
            return Ok(());
        }
        // A full page that brings nothing would go on for ever.
        let is_news = seen.ids.len() > before || page <= seen.back_from;
        if (is_full || asked < count) && is_news {
            listing.page += 1;
        } else {
            (listing.at, listing.page) = (listing.at + 1, 1);
        }
        Ok(())
    }

    /// The pages of a listing that are left, and those of what is listed next, as far as counts or the listing
    /// before tell.
    fn expected(&self, listing: &Listing) -> Vec<Expected> {
        let page_rows = self.lists.page_rows();
        let pages_of = |list: List, span: Span, first: u32, count: Option<u64>| {
            let density = self.densities.iter().find(|(of, _)| *of == list);
            let likely = || density.map_or(0.0, |(_, density)| density * span.seconds() as f64);
            let rows = count.map_or_else(|| likely() * LIKELY, |count| count as f64);
            let last = (rows / f64::from(page_rows)).ceil() as u32;
            (first..=last.max(1)).map(move |page| Expected {
                list,
                span,
                paging: Paging { page, page_rows },
            })
        };
        let left = listing.lists.iter().enumerate().skip(listing.at).flat_map(|(at, seen)| {
            let first = if at == listing.at { listing.page } else { 1 };
            pages_of(seen.list, listing.span, first, seen.count)
        });
        let next = self.behind().into_iter().flat_map(|span| {
            listing.lists.iter().flat_map(move |seen| pages_of(seen.list, span, 1, None))
        });
        left.chain(next).take(EXPECTED_MAX).collect()
    }

    /// New servers list everything with `projectid=-1`, older ones events of projects only: asked
    /// for the same span, the two tell which this is.
    ///
    /// To an administrator of a domain new servers list beside projects what is its own, and nothing of
    /// others: only events of several accounts prove that everything is there.
    fn learn(&mut self, listing: &Listing) {
        let of = |projects, archived| {
            let list = List { projects, archived };
            listing.lists.iter().find(|seen| seen.list == list)
        };
        let (Some(others), Some(projects)) = (of(false, false), of(true, false)) else { return };
        // What was archived between the two lists is in the fourth.
        let archived = of(true, true);
        let is_there = |id: &RowId| {
            projects.ids.contains(id) || archived.is_some_and(|seen| seen.ids.contains(id))
        };
        let holds_all = others.ids.iter().all(is_there);
        if holds_all && others.owners != Owners::Several {
            return;
        }
        if holds_all != self.projects_hold_all {
            self.projects_hold_all = holds_all;
            self.polled = [0; 2];
            self.slices.forget_counts();
        }
    }
}
