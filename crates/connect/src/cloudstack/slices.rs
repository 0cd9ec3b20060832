//! What the server counted in each slice of the last day.
//!
//! Nothing tells that a row appeared late but a count that changed, and asking for a count costs the
//! server one row. So time behind the polls is divided into slices, and of each is remembered what
//! the server *said*, not how many ids we saw: a server that miscounts does so the same way twice.
//! A count can stay the same when one row goes as another comes, so each slice is listed once more
//! when it leaves the overlap, and once more before it leaves the day.
//!
//! Slices touch each other and never overlap. 2,000 rows each, of 2 M ids a day, make a thousand
//! slices: the sweep's memory is theirs and one listing's. Pure.

use std::collections::BTreeMap;

use pluvio_runtime::supervise::PULLS_ON_THE_WAY;

use super::span::{Span, beginning};

/// A listing that does not agree with its own count is repeated so often before it is believed.
const LISTINGS_MAX: u8 = 3;
/// What these last pulls brought may not be stored: those on their way, and the one that is being asked for.
const PULLS_UNSTORED: u64 = PULLS_ON_THE_WAY as u64 + 1;

/// The slices of one source, by their first second.
#[derive(Clone, Debug)]
pub(super) struct Slices {
    by_start: BTreeMap<i64, Slice>,
    /// The first second that is in no slice: here the polls' domain begins.
    pub(super) open_from: i64,
    /// Counts pulls, to tell what is surely stored.
    pull: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    to: i64,
    /// Rows in all lists, as the server said; `None`: it must be listed.
    said: Option<u64>,
    /// The server's time when it was listed last.
    listed_at: Option<i64>,
    listings: u8,
    /// The pull in which this was learned.
    pull: u64,
}

/// What one listing of a span found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) span: Span,
    /// Rows in all lists, as the server said.
    pub(super) said: u64,
    /// Whether as many rows came.
    pub(super) is_whole: bool,
    /// The server's time.
    pub(super) at: i64,
}

impl Slices {
    /// No slices; the first will begin at `from`.
    pub(super) fn new(from: i64) -> Self {
        Self { by_start: BTreeMap::new(), open_from: from, pull: 0 }
    }

    /// A time of which nothing is known yet.
    pub(super) fn add_unknown(&mut self, span: Span) {
        let pull = self.pull;
        let slice = Slice { to: span.to, said: None, listed_at: None, listings: 0, pull };
        self.by_start.insert(span.from, slice);
    }

    /// The polls leave the time up to `to`; in it they saw `said` rows, if they know.
    pub(super) fn close(&mut self, to: i64, said: Option<u64>) {
        // The next one must not begin where an hour may.
        let to = beginning(to + 1) - 1;
        if let Some(span) = Span::new(self.open_from, to) {
            let pull = self.pull;
            let slice = Slice { to, said, listed_at: None, listings: 0, pull };
            self.by_start.insert(span.from, slice);
            self.open_from = to + 1;
        }
    }

    /// Notes a listing. Slices that it cuts are unknown in what is left of them.
    pub(super) fn note(&mut self, listed: Listed) {
        let Listed { span, said, is_whole, at } = listed;
        let mut listings = 0;
        for (start, slice) in self.touching(span) {
            self.by_start.remove(&start);
            if (start, slice.to) == (span.from, span.to) {
                listings = slice.listings;
            }
            let rest = Slice { said: None, listed_at: None, listings: 0, ..slice };
            if start < span.from {
                self.by_start.insert(start, Slice { to: span.from - 1, ..rest });
            }
            if span.to < slice.to {
                self.by_start.insert(span.to + 1, rest);
            }
        }
        let listings = if is_whole { 0 } else { listings + 1 };
        let said = (is_whole || listings >= LISTINGS_MAX).then_some(said);
        let listed_at = said.map(|_| at);
        let slice = Slice { to: span.to, said, listed_at, listings, pull: self.pull };
        self.by_start.insert(span.from, slice);
        self.open_from = self.open_from.max(span.to + 1);
    }

    /// The slices that lie in a span, whole, in their order, and what was said of them.
    pub(super) fn within(&self, span: Span) -> Vec<(Span, Option<u64>)> {
        let slices = self.by_start.range(span.from..=span.to);
        let whole = slices.filter(|(_, slice)| slice.to <= span.to);
        whole.map(|(from, slice)| (Span { from: *from, to: slice.to }, slice.said)).collect()
    }

    /// From the first slice that reaches beyond `from`, to the last slice.
    pub(super) fn since(&self, from: i64) -> Option<Span> {
        let (start, _) = self.by_start.iter().find(|(_, slice)| slice.to >= from)?;
        Span::new(*start, self.open_from - 1)
    }

    /// The oldest slices in a row that end at least `age_s` before `now` and were not listed since
    /// they were so old.
    pub(super) fn due_for_a_last_look(&self, now: i64, age_s: i64) -> Option<Span> {
        let is_due = |slice: &Slice| {
            slice.to <= now - age_s && slice.listed_at.is_none_or(|at| at < slice.to + age_s)
        };
        let mut due = self.by_start.iter().skip_while(|(_, slice)| !is_due(slice));
        let (from, first) = due.next()?;
        let to = due.take_while(|(_, slice)| is_due(slice)).last().map_or(first.to, |(_, l)| l.to);
        Some(Span { from: *from, to })
    }

    /// Forgets slices that end before `second`.
    pub(super) fn forget_before(&mut self, second: i64) {
        self.by_start.retain(|_, slice| slice.to >= second);
    }

    /// Forgets what was said of all slices: it was asked in another way.
    pub(super) fn forget_counts(&mut self) {
        for slice in self.by_start.values_mut() {
            (slice.said, slice.listings) = (None, 0);
        }
    }

    /// Begins another pull.
    pub(super) fn next_pull(&mut self) {
        self.pull += 1;
    }

    /// What may be believed in the next connection: not what the last [`PULLS_UNSTORED`] pulls learned.
    pub(super) fn certain(mut self) -> Self {
        let is_unstored = |slice: &&mut Slice| slice.pull + PULLS_UNSTORED > self.pull;
        for slice in self.by_start.values_mut().filter(is_unstored) {
            (slice.said, slice.listed_at, slice.listings) = (None, None, 0);
        }
        self
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_start.len()
    }

    fn touching(&self, span: Span) -> Vec<(i64, Slice)> {
        let slices = self.by_start.range(..=span.to).rev();
        slices.take_while(|(_, s)| s.to >= span.from).map(|(from, s)| (*from, *s)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span { from, to }
    }

    fn listed(from: i64, to: i64, said: u64, at: i64) -> Listed {
        Listed { span: span(from, to), said, is_whole: true, at }
    }

    fn of(slices: &Slices) -> Vec<(i64, i64, Option<u64>)> {
        let whole = slices.within(span(i64::MIN, i64::MAX));
        whole.into_iter().map(|(span, said)| (span.from, span.to, said)).collect()
    }

    #[test]
    fn a_listing_cuts_what_it_does_not_cover() {
        let mut slices = Slices::new(10);
        slices.close(19, Some(5));
        slices.close(29, Some(6));
        slices.note(listed(15, 24, 7, 100));
        assert_eq!(of(&slices), [(10, 14, None), (15, 24, Some(7)), (25, 29, None)]);
        slices.note(listed(10, 29, 11, 100));
        assert_eq!(of(&slices), [(10, 29, Some(11))]);
        assert_eq!(slices.open_from, 30);
    }

    #[test]
    fn no_slice_of_the_polls_begins_where_an_hour_may() {
        let mut slices = Slices::new(800);
        slices.close(899, Some(1));
        assert_eq!(slices.open_from, 901);
        slices.close(899, Some(1));
        assert_eq!(slices.len(), 1, "nothing to close");
    }

    #[test]
    fn a_listing_that_does_not_agree_with_its_count_is_repeated_and_then_believed() {
        let mut slices = Slices::new(10);
        for expected in [None, None, Some(3)] {
            slices.note(Listed { is_whole: false, ..listed(10, 19, 3, 50) });
            assert_eq!(of(&slices), [(10, 19, expected)]);
        }
    }

    #[test]
    fn a_slice_is_due_until_it_was_listed_old_enough() {
        let mut slices = Slices::new(10);
        slices.close(19, Some(5));
        slices.close(29, Some(6));
        slices.close(39, Some(6));
        assert_eq!(slices.due_for_a_last_look(78, 60), None);
        assert_eq!(slices.due_for_a_last_look(90, 60), Some(span(10, 29)));
        slices.note(listed(10, 19, 5, 79));
        assert_eq!(slices.due_for_a_last_look(90, 60), Some(span(20, 29)));
        slices.note(listed(10, 19, 5, 78));
        assert_eq!(slices.due_for_a_last_look(90, 60), Some(span(10, 29)), "a second too early");
    }

    #[test]
    fn what_pulls_learned_that_may_not_be_stored_is_not_believed_by_the_next_connection() {
        let mut slices = Slices::new(10);
        let unstored = PULLS_ON_THE_WAY + 1;
        for pull in 0..2 + unstored {
            slices.next_pull();
            slices.close(19 + 10 * pull as i64, Some(1));
        }
        let said: Vec<_> = of(&slices.certain()).into_iter().map(|(_, _, said)| said).collect();
        assert_eq!(said, [vec![Some(1); 2], vec![None; unstored]].concat());
    }
}
