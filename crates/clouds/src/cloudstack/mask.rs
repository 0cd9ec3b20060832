//! Takes secrets out of what a server said, before it gets into an error and is cut for that.
//!
//! Proxies print the address they could not reach, with its query; answers of `listUsers` hold the
//! keys of all users. So two things are blanked: the secrets that are [known](pluvio_secret), however escaped,
//! and whatever stands behind a [telling name](super::names). Each becomes one mark of fixed length, which
//! tells nothing of it.

use std::ops::Range;

use pluvio_secret::{blanked, places, united};

use super::names;

/// How much of an answer is looked at for something to show.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The same on each side of a place in it.
const SIDE_BYTES_MAX: usize = 4096;

/// The beginning of a text, 64 KiB at most, with a mark for each secret.
pub(super) fn masked(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let mut found = places(text);
    found.extend(names::places(text));
    blanked(text, &united(found))
}

/// What stands around byte `at`, at most 4 KiB before it and 4 KiB behind. A secret that stands on both sides
/// is marked in the first. Names are looked for in all of the text, for a value may be longer than that.
pub(super) fn masked_around(text: &str, at: usize) -> (String, String) {
    let begin = text.floor_char_boundary(at.saturating_sub(SIDE_BYTES_MAX));
    let end = text.ceil_char_boundary(at.saturating_add(SIDE_BYTES_MAX));
    let named = names::places(text).into_iter();
    let named = named.filter(|place| place.start < end && place.end > begin);
    let within = |place: Range<usize>| {
        place.start.saturating_sub(begin)..place.end.min(end).saturating_sub(begin)
    };
    let (text, at) = (&text[begin..end], at.saturating_sub(begin));
    let found = united(named.map(within).chain(places(text)).collect());
    let (before, behind): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it.start < at);
    let at = before.last().map_or(at, |place| place.end.max(at));
    let (first, rest) = text.split_at(text.ceil_char_boundary(at));
    let from = |at: usize| at.saturating_sub(first.len());
    let behind: Vec<_> = behind.iter().map(|it| from(it.start)..from(it.end)).collect();
    (blanked(first, &before), blanked(rest, &behind))
}

#[cfg(test)]
mod tests {
    use pluvio_secret::note;

    use super::*;

    #[test]
    fn secrets_that_are_known_are_blanked_in_each_encoding_and_their_length_is_not_told() {
        note("a+b/c=");
        assert_eq!(masked("a+b/c= or a%2Bb%2Fc%3D, x"), "*** or ***, x");
        assert_eq!(masked(r"(a%2bb%2fc%3d) a+b\/c= a&#43;b&#x2f;c="), "(***) *** ***");
        let named = "password=a+b/c=&x password=longer-than-that";
        assert_eq!(masked(named), "password=***&x password=***");
    }

    #[test]
    fn a_place_in_a_text_is_kept_and_a_secret_on_it_is_blanked() {
        note("se-ret");
        let around = |at| {
            let (before, behind) = masked_around("a se-ret é se-ret b", at);
            format!("{before}|{behind}")
        };
        assert_eq!(around(0), "|a *** é *** b");
        assert_eq!(around(2), "a |*** é *** b");
        assert_eq!(around(4), "a ***| é *** b");
        assert_eq!(around(10), "a *** é| *** b");
        assert_eq!(around(20), "a *** é *** b|");
    }

    #[test]
    fn a_value_that_is_longer_than_what_is_looked_at_is_known_by_its_name() {
        let text = format!("{{\"userdata\":\"{}\",\"id\":1", "x".repeat(10_000));
        let (before, behind) = masked_around(&text, text.len() - 20);
        assert_eq!((before.as_str(), behind.as_str()), ("***", "\",\"id\":1"));
    }
}
