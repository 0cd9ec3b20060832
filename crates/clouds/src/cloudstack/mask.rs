//! Takes secrets out of what a server said, before it gets into an error.
//!
//! Proxies print the address they could not reach, with its query; answers of `listUsers` hold the
//! keys of all users. So two things are blanked: the values that were sent, however escaped, and
//! whatever stands behind a [telling name](super::names). Each becomes one mark of fixed length, which
//! tells nothing of it.

use std::ops::Range;

use pluvio_secret::{Secrets, blanked, united};

use super::names;

/// The secrets of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Mask(Secrets);

impl Mask {
    pub(super) fn add(&mut self, value: &str) {
        self.0.add(value);
    }

    /// The text with a mark for each secret.
    pub(super) fn apply(&self, text: &str) -> String {
        blanked(text, &self.places(text))
    }

    /// The same in two parts: what stands before byte `at`, and the rest. A secret that stands on both
    /// sides is marked in the first.
    pub(super) fn apply_around(&self, text: &str, at: usize) -> (String, String) {
        let (before, behind): (Vec<_>, Vec<_>) =
            self.places(text).into_iter().partition(|place| place.start < at);
        let at = before.last().map_or(at, |place| place.end.max(at));
        let (first, rest) = text.split_at(text.ceil_char_boundary(at));
        let behind: Vec<_> = behind
            .into_iter()
            .map(|place| {
                place.start.saturating_sub(first.len())..place.end.saturating_sub(first.len())
            })
            .collect();
        (blanked(first, &before), blanked(rest, &behind))
    }

    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut places = self.0.places(text.as_bytes());
        places.extend(names::places(text));
        united(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_were_sent_are_blanked_in_each_encoding_and_their_length_is_not_told() {
        let mut mask = Mask::default();
        mask.add("a+b/c=");
        mask.add("x");
        assert_eq!(mask.apply("a+b/c= or a%2Bb%2Fc%3D, x"), "*** or ***, x");
        assert_eq!(mask.apply(r"(a%2bb%2fc%3d) a+b\/c= a&#43;b&#x2f;c="), "(***) *** ***");
        assert_eq!(
            mask.apply("password=a+b/c=&x password=longer-than-that"),
            "password=***&x password=***"
        );
    }

    #[test]
    fn a_place_in_a_text_is_kept_and_a_secret_on_it_is_blanked() {
        let mut mask = Mask::default();
        mask.add("secret");
        let around = |at| {
            let (before, behind) = mask.apply_around("a secret é secret b", at);
            format!("{before}|{behind}")
        };
        assert_eq!(around(0), "|a *** é *** b");
        assert_eq!(around(2), "a |*** é *** b");
        assert_eq!(around(4), "a ***| é *** b");
        assert_eq!(around(10), "a *** é| *** b");
        assert_eq!(around(20), "a *** é *** b|");
    }
}
