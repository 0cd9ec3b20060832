//! Which part of a batch is written next: all of it, or halves while somebody in it is looked for.
//! Pure.
//!
//! Parts are bounded by offsets and not by places in a batch, so they hold for the batch that is read
//! again after a connection ended, and while records leave it that were answered for.

use pluvio_log::Offset;

use crate::Delivered;

/// Where parts end; nothing: the batch is written whole.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The next one's end last; each is greater than the one behind it on the stack. At most the
    /// logarithm of the largest batch.
    ends: Vec<Offset>,
}

impl Parts {
    /// How many of `records`, from the first, are written next; 0: there is none.
    pub(super) fn next(&mut self, records: &[Delivered]) -> usize {
        while let Some(end) = self.ends.last() {
            match records.partition_point(|record| record.offset() < *end) {
                0 => self.ends.pop(),
                count => return count,
            };
        }
        records.len()
    }

    /// Tries those before the middle of `suspects` first. `false`: there is only one, and so it is the
    /// one to blame.
    pub(super) fn halve(&mut self, suspects: &[Offset]) -> bool {
        // Those behind the suspects go by themselves, once these are done.
        let behind = suspects.last().map(|last| last.following());
        let middle = suspects.get(suspects.len() / 2).filter(|_| suspects.len() > 1);
        for end in [behind, middle.copied()].into_iter().flatten() {
            if self.ends.last().is_none_or(|last| end < *last) {
                self.ends.push(end);
            }
        }
        middle.is_some()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pluvio_event::Event;

    use super::*;

    fn batch(count: i64) -> Vec<Delivered> {
        let event = Event::builder("1", "urn:a", "t").build();
        let event = event.unwrap_or_else(|e| unreachable!("{e}"));
        let at = |at| Offset::new(at).unwrap_or_default();
        (0..count)
            .map(|it| Delivered::made(at(it), at(it), Timestamp::UNIX_EPOCH, &event))
            .collect()
    }

    /// Plays a target that refuses any part with one of `bad` in it; what it took, what was found
    /// bad, and how many writes that cost.
    fn play(count: i64, bad: &[i64]) -> (Vec<i64>, Vec<i64>, usize) {
        let (mut parts, mut left) = (Parts::default(), batch(count));
        let (mut taken, mut found, mut writes) = (Vec::new(), Vec::new(), 0);
        loop {
            let next = parts.next(&left);
            if next == 0 {
                return (taken, found, writes);
            }
            writes += 1;
            let offsets: Vec<_> = left[..next].iter().map(Delivered::offset).collect();
            let numbers = offsets.iter().map(|it| it.get());
            if !offsets.iter().any(|at| bad.contains(&at.get())) {
                taken.extend(numbers);
                left.drain(..next);
            } else if !parts.halve(&offsets) {
                found.extend(numbers);
                left.drain(..next);
            }
        }
    }

    #[test]
    fn the_bad_ones_are_found_and_all_others_arrive_once_and_in_order() {
        for count in 0..20 {
            for first in 0..count {
                for second in first..count {
                    let mut bad = vec![first, second];
                    bad.dedup();
                    let (taken, found, _) = play(count, &bad);
                    assert_eq!(found, bad);
                    let good: Vec<_> = (0..count).filter(|at| !bad.contains(at)).collect();
                    assert_eq!(taken, good);
                }
            }
        }
    }

    #[test]
    fn finding_one_in_a_thousand_costs_about_twice_its_logarithm() {
        let (taken, found, writes) = play(1000, &[617]);
        assert_eq!((taken.len(), found), (999, vec![617]));
        assert!(writes <= 21, "{writes}");
    }

    #[test]
    fn parts_hold_for_a_batch_that_is_read_again_with_more_behind_it() {
        let (mut parts, first) = (Parts::default(), batch(8));
        let offsets: Vec<_> = first.iter().map(Delivered::offset).collect();
        assert!(parts.halve(&offsets[..6]), "the last two were not sent");
        let again = batch(20);
        assert_eq!(parts.next(&again), 3);
        assert_eq!(parts.next(&again[3..]), 3);
        assert_eq!(parts.next(&again[6..]), 14, "nobody is looked for behind the suspects");
    }
}
