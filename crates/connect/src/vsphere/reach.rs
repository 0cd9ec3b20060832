//! How far a listing was read, though some hosts have a clock that is ahead.
//!
//! Events come in the order in which the vCenter took them, and each has the time of the host that it is of. While
//! days are caught up with, one that is dated a day ahead is no sign that the day was read: a listing that begins
//! anew at its time would pass over all that lies between. So while a listing goes on only the earliest of the last
//! pages' times counts, behind a page that is not full the time of its last event, and the latest time when the
//! listing is at its end. It refuses to judge events.

use std::collections::VecDeque;

use jiff::Timestamp;

/// Pages whose earliest time counts. As many must be dated ahead, event by event, before that is believed.
const PAGES: usize = 4;

/// What a listing has shown since it began, or was last at its end.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The earliest time of each of the last pages; the newest last.
    earliest: VecDeque<Timestamp>,
    latest: Option<Timestamp>,
}

impl Reach {
    /// Takes in the times of a page's events, in their order. `is_full`: there is probably more behind it. Everything
    /// up to the time that comes back was read; `None`: that cannot be told yet.
    pub(super) fn page(
        &mut self,
        times: impl Iterator<Item = Timestamp>,
        is_full: bool,
    ) -> Option<Timestamp> {
        let (mut earliest, mut last) = (None, None);
        for time in times {
            earliest = Some(earliest.map_or(time, |it: Timestamp| it.min(time)));
            self.latest = self.latest.max(Some(time));
            last = Some(time);
        }
        if !is_full {
            return last;
        }
        self.earliest.extend(earliest);
        if self.earliest.len() > PAGES {
            self.earliest.pop_front();
        }
        self.earliest.iter().min().copied().filter(|_| self.earliest.len() == PAGES)
    }

    /// The listing is at its end: everything up to the time that comes back was read.
    pub(super) fn end(&mut self) -> Option<Timestamp> {
        std::mem::take(self).latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn page(reach: &mut Reach, seconds: &[i64]) -> Option<i64> {
        reach.page(seconds.iter().copied().map(at), true).map(Timestamp::as_second)
    }

    #[test]
    fn an_event_that_is_dated_ahead_says_nothing_until_the_listing_is_at_its_end() {
        let mut reach = Reach::default();
        assert_eq!(page(&mut reach, &[1, 2, 3]), None);
        assert_eq!(page(&mut reach, &[4, 9_000, 5]), None);
        assert_eq!(page(&mut reach, &[9_000, 9_001]), None, "a page of the host's alone");
        assert_eq!(page(&mut reach, &[6, 7]), Some(1));
        assert_eq!(page(&mut reach, &[]), Some(1), "a page without times");
        assert_eq!(page(&mut reach, &[8]), Some(4));
        assert_eq!(reach.page([at(9_000), at(9)].into_iter(), false), Some(at(9)), "not full");
        assert_eq!(reach.end(), Some(at(9_001)));
        assert_eq!(reach.end(), None);
        assert_eq!(page(&mut reach, &[9_002]), None, "it begins anew");
    }
}
