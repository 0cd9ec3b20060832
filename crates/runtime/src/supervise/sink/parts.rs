//! Which part of a batch is written next: the rest after a partial acknowledgement, halves after
//! "the batch is bad". Pure.

use std::ops::Range;

/// What is left of a batch, as ranges of its records, in order.
#[derive(Debug)]
pub(super) struct Parts {
    /// The next one last. None is empty; each begins where the one behind it on the stack ends.
    stack: Vec<Range<usize>>,
}

impl Parts {
    /// A whole batch of `count` records.
    pub(super) fn whole(count: usize) -> Self {
        Self { stack: (count > 0).then_some(0..count).into_iter().collect() }
    }

    /// What is written next; `None`: everything is done.
    pub(super) fn next(&self) -> Option<Range<usize>> {
        self.stack.last().cloned()
    }

    /// The first `count` of [`next`](Self::next) are done.
    pub(super) fn done(&mut self, count: usize) {
        if let Some(part) = self.stack.last_mut() {
            part.start += count;
            if part.start >= part.end {
                self.stack.pop();
            }
        }
    }

    /// Tries the next part in halves. `false`: it is a single record, and so is the one to blame.
    pub(super) fn halve(&mut self) -> bool {
        match self.stack.last().cloned() {
            Some(part) if part.len() > 1 => {
                self.stack.pop();
                let middle = part.start + part.len() / 2;
                self.stack.push(middle..part.end);
                self.stack.push(part.start..middle);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a target that refuses any part with one of `bad` in it; what it took, what was found
    /// bad, and how many writes that cost.
    fn play(count: usize, bad: &[usize]) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut parts, mut taken, mut found, mut writes) =
            (Parts::whole(count), Vec::new(), Vec::new(), 0);
        while let Some(part) = parts.next() {
            writes += 1;
            if !part.clone().any(|at| bad.contains(&at)) {
                taken.extend(part.clone());
                parts.done(part.len());
            } else if !parts.halve() {
                found.push(part.start);
                parts.done(1);
            }
        }
        (taken, found, writes)
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
    fn after_a_partial_acknowledgement_the_rest_comes() {
        let mut parts = Parts::whole(5);
        parts.done(2);
        assert_eq!(parts.next(), Some(2..5));
        assert!(parts.halve());
        assert_eq!(parts.next(), Some(2..3));
        parts.done(1);
        assert_eq!(parts.next(), Some(3..5));
        parts.done(2);
        assert_eq!(parts.next(), None);
    }
}
