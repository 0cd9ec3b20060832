//! How far a listing was read, though some hosts have a clock that is ahead.
//!
//! Events come in the order in which the vCenter took them, and each has the time of the host that it is of. While
//! days are caught up with, one that is dated a day ahead is no sign that the day was read: a listing that begins
//! anew at its time would pass over all that lies between. So while a listing goes on only the earliest of the last
//! pages' times counts, and behind a page that is not full the earlier one of its last two events. An empty page
//! tells nothing: one may come in the middle. It refuses to judge events.

use std::collections::VecDeque;

use jiff::Timestamp;

/// Pages whose earliest time counts. As many must be dated ahead, event by event, before that is believed.
const PAGES: usize = 4;

/// What a listing has shown since it began.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The earliest time of each of the last full pages; the newest last.
    earliest: VecDeque<Timestamp>,
}

impl Reach {
    /// Takes in the times of a page's events, in their order. `is_full`: there is probably more behind it. Everything
    /// up to the time that comes back was read; `None`: that cannot be told yet.
    pub(super) fn page(
        &mut self,
        times: impl Iterator<Item = Timestamp>,
        is_full: bool,
    ) -> Option<Timestamp> {
        let (mut earliest, mut last_two) = (None, None);
        for time in times {
            earliest = Some(earliest.map_or(time, |it: Timestamp| it.min(time)));
            last_two = Some((last_two.map_or(time, |(_, before)| before), time));
        }
        if !is_full {
            return last_two.map(|(before, last)| last.min(before));
        }
        self.earliest.extend(earliest);
        if self.earliest.len() > PAGES {
            self.earliest.pop_front();
        }
        self.earliest.iter().min().copied().filter(|_| self.earliest.len() == PAGES)
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
    fn an_event_that_is_dated_ahead_says_nothing_of_those_behind_it() {
        let mut reach = Reach::default();
        assert_eq!(page(&mut reach, &[1, 2, 3]), None);
        assert_eq!(page(&mut reach, &[4, 9_000, 5]), None);
        assert_eq!(page(&mut reach, &[9_000, 9_001]), None, "a page of the host's alone");
        assert_eq!(page(&mut reach, &[6, 7]), Some(1));
        assert_eq!(page(&mut reach, &[]), Some(1), "a page without times");
        assert_eq!(page(&mut reach, &[8]), Some(4));
        let mut not_full = |times: &[i64]| reach.page(times.iter().copied().map(at), false);
        assert_eq!(not_full(&[9_000, 9]), Some(at(9)));
        assert_eq!(not_full(&[10, 11, 9_000]), Some(at(11)));
        assert_eq!(not_full(&[12]), Some(at(12)));
        assert_eq!(not_full(&[]), None);
    }
}
