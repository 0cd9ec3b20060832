//! What one byte of text costs in an automaton (NFA) that is run state by state.
//!
//! At each byte every *active* state is looked at. All of them being active at once would be a bound, but
//! a class of Unicode has hundreds of states of which few can be: `\pL` is a tree of byte ranges, three
//! levels deep, and no two ranges of one state overlap. Whoever enters the tree at some byte is, one byte
//! later, at one state of the second level or nowhere, and so on. So of the states that lie a given
//! number of bytes behind one entrance, and can be reached by reading bytes only, at most one is active.
//!
//! It refuses to look at the text: a bound for each byte is what can be charged before there is one.

use regex_automata::nfa::thompson::{NFA, State};

/// Work of one active state for one byte, in units.
const STATE_UNITS: u64 = 6;
/// Work of comparing a byte with one range of a state, in units.
const RANGE_UNITS: u64 = 1;

/// Units of work for one byte of text, at most.
pub(super) fn units_per_byte(nfa: &NFA) -> u64 {
    let all = (0..nfa.states().len()).fold(0, |sum: u64, at| sum.saturating_add(weight(nfa, at)));
    active(nfa).map_or(all, |active| active.min(all))
}

/// The weight of all states that can be active at once; `None` if that takes too long
/// to find out.
fn active(nfa: &NFA) -> Option<u64> {
    let count = nfa.states().len();
    let mut is_entered = vec![false; count];
    let mut enter = |at: usize| {
        if let Some(entered) = is_entered.get_mut(at) {
            *entered = true;
        }
    };
    enter(nfa.start_anchored().as_usize());
    enter(nfa.start_unanchored().as_usize());
    for state in nfa.states() {
        match state {
            State::Look { next, .. } | State::Capture { next, .. } => enter(next.as_usize()),
            State::Union { alternates } => alternates.iter().for_each(|at| enter(at.as_usize())),
            State::BinaryUnion { alt1, alt2 } => {
                enter(alt1.as_usize());
                enter(alt2.as_usize());
            }
            // The compiler makes none for these patterns; all states are a bound for it, too.
            State::Dense(_) => return None,
            State::ByteRange { .. } | State::Sparse(_) | State::Fail | State::Match { .. } => {}
        }
    }
    let is_within = |at: &usize| !is_entered.get(*at).copied().unwrap_or(true) && reads(nfa, *at);
    // Each state is looked at once from its entrance; more than a few entrances to the same states
    // are given up on, so that this stays linear.
    let mut steps = 4 * count;
    let mut sum = 0_u64;
    for at in 0..count {
        if is_within(&at) {
            continue;
        }
        sum = sum.saturating_add(weight(nfa, at));
        let mut level = next(nfa, at).into_iter().filter(is_within).collect::<Vec<_>>();
        while !level.is_empty() {
            level.sort_unstable();
            level.dedup();
            steps = steps.checked_sub(level.len())?;
            let heaviest = level.iter().map(|at| weight(nfa, *at)).max().unwrap_or(0);
            sum = sum.saturating_add(heaviest);
            level = level.iter().flat_map(|at| next(nfa, *at)).filter(is_within).collect();
        }
    }
    Some(sum)
}

/// Whether a state reads a byte.
fn reads(nfa: &NFA, at: usize) -> bool {
    matches!(nfa.states().get(at), Some(State::ByteRange { .. } | State::Sparse(_)))
}

/// The states behind the next byte.
fn next(nfa: &NFA, at: usize) -> Vec<usize> {
    match nfa.states().get(at) {
        Some(State::ByteRange { trans }) => vec![trans.next.as_usize()],
        Some(State::Sparse(sparse)) => {
            sparse.transitions.iter().map(|range| range.next.as_usize()).collect()
        }
        _ => Vec::new(),
    }
}

fn weight(nfa: &NFA, at: usize) -> u64 {
    let ranges = match nfa.states().get(at) {
        Some(State::Sparse(sparse)) => sparse.transitions.len() as u64,
        _ => 0,
    };
    STATE_UNITS + RANGE_UNITS * ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(pattern: &str) -> (u64, u64) {
        let nfa = NFA::new(pattern).ok();
        let all = nfa.as_ref().map_or(0, |nfa| STATE_UNITS * nfa.states().len() as u64);
        (nfa.map_or(0, |nfa| units_per_byte(&nfa)), all)
    }

    #[test]
    fn a_class_of_unicode_is_charged_for_a_path_through_it_and_not_for_all_of_it() {
        let (one, all) = units(r"^[\p{L}0-9 ._-]+$");
        assert!(one < 400 && all > 1000, "{one} of {all}");
        let (two, _) = units(r"^[\p{L}0-9 ._-]+ [\p{L}0-9 ._-]+$");
        assert!((one + one / 2..=2 * one).contains(&two), "{two}, and {one} for one");
    }

    /// Adds a state and all that are reached from it without a byte, as an engine does.
    fn add(nfa: &NFA, at: usize, set: &mut std::collections::BTreeSet<usize>) {
        if !set.insert(at) {
            return;
        }
        match nfa.states().get(at) {
            Some(State::Look { next, .. } | State::Capture { next, .. }) => {
                add(nfa, next.as_usize(), set);
            }
            Some(State::Union { alternates }) => {
                alternates.iter().for_each(|at| add(nfa, at.as_usize(), set));
            }
            Some(State::BinaryUnion { alt1, alt2 }) => {
                add(nfa, alt1.as_usize(), set);
                add(nfa, alt2.as_usize(), set);
            }
            _ => {}
        }
    }

    #[test]
    fn no_text_makes_more_states_active_than_are_charged() {
        let letters = "aßĀ一𝒜ab b😀\u{10fffd}aaab";
        for pattern in [
            r"^[\p{L}0-9 ._-]+$",
            r"\pL\pL*\PL|[^\p{Greek}]{3}x",
            r"(\pL|a)*a(\pL|b){6}x",
            "[ab]*a[ab]{12}x",
            "abab|aaab|(ba|ab)+[à-ž]|..b",
            r"(?i)(?:ß|k|\p{Lu}+)*x",
            r"(?s-u:\xff.{4})|(?s).{5}z",
        ] {
            let config = regex_automata::util::syntax::Config::new().utf8(false);
            let compiler = NFA::compiler().syntax(config).build(pattern);
            assert!(compiler.is_ok(), "{pattern}");
            let Ok(nfa) = compiler else { continue };
            let bound = units_per_byte(&nfa);
            let mut set = std::collections::BTreeSet::new();
            for byte in letters.repeat(4).bytes() {
                // A search begins anew at each byte.
                add(&nfa, nfa.start_anchored().as_usize(), &mut set);
                let work: u64 = set.iter().map(|at| weight(&nfa, *at)).sum();
                assert!(work <= bound, "{pattern}: {work} > {bound}");
                let mut then = std::collections::BTreeSet::new();
                for at in &set {
                    let next = match nfa.states().get(*at) {
                        Some(State::ByteRange { trans }) if trans.matches_byte(byte) => trans.next,
                        Some(State::Sparse(sparse)) => match sparse.matches_byte(byte) {
                            Some(next) => next,
                            None => continue,
                        },
                        _ => continue,
                    };
                    add(&nfa, next.as_usize(), &mut then);
                }
                set = then;
            }
        }
    }

    #[test]
    fn states_that_are_active_together_are_charged_together() {
        for pattern in ["[ab]*a[ab]{12}x", "a?a?a?a?aaaa", "(.*a.){5}", "abcdefgh"] {
            let (some, all) = units(pattern);
            assert!(some >= all / 3, "{pattern}: {some} of {all}");
        }
        let (short, _) = units("[ab]*a[ab]{12}x");
        let (long, _) = units("[ab]*a[ab]{24}x");
        assert!(long >= short + 12 * STATE_UNITS, "{long} after {short}");
    }
}
