//! Finding secrets in a text that somebody else wrote, and taking them out.
//!
//! A server that repeats what it was sent repeats it in its own way: escaped for JSON, XML, HTML, an address, a
//! shell, some of these within others, in another letter case, cut off or shortened in the middle. So a text
//! is read as it is and with its escapes undone, up to four times, and each time in two ways: for each secret
//! as it is, and for runs of its letters and digits with everything else left out. A run of twelve is enough,
//! wherever in the secret it begins: what is cut off in either place is found by what is left.
//!
//! It refuses to find what was encoded as a whole: compressed, encrypted, in base64; and parts of a secret that
//! have fewer than twelve letters and digits.

mod escape;

use std::{collections::HashSet, fmt, ops::Range, sync::OnceLock};

use aho_corasick::AhoCorasick;

use self::escape::{Plain, fold, letters};

/// A shorter secret would be found in half of all words.
const SECRET_BYTES_MIN: usize = 4;
/// A shorter secret of nothing but letters and digits counts where it is a word of its own.
const WORD_BYTES_MAX: usize = 7;
/// Fewer letters and digits in a row are found in texts that have nothing to do with a secret.
const RUN_BYTES_MIN: usize = 8;
/// So many of a longer secret are enough.
const RUN_BYTES_MAX: usize = 12;
/// Escapes within escapes: JSON in XML in a page of HTML, and one more.
const ESCAPES_DEPTH_MAX: usize = 4;

/// What a secret becomes, whatever its length.
const BLANK: &str = "***";

/// What must not be shown when somebody else repeats it.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// As they are and with their own escapes undone, folded.
    forms: Vec<Vec<u8>>,
    /// Finds all forms at once; made when it is needed. `None`: they are too many for it.
    finder: OnceLock<Option<AhoCorasick>>,
    /// Letters and digits in a row that are in one of them, by how many: from [`RUN_BYTES_MIN`] on.
    runs: [HashSet<Vec<u8>>; RUN_BYTES_MAX - RUN_BYTES_MIN + 1],
}

/// How many; never which.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.forms.len())
    }
}

impl Secrets {
    /// Adds one. With fewer than four bytes it is not looked for: it would be found in half of all words.
    pub(crate) fn add(&mut self, secret: &str) {
        let mut form = secret.as_bytes().to_vec();
        fold(&mut form);
        for _ in 0..=ESCAPES_DEPTH_MAX {
            if form.len() < SECRET_BYTES_MIN {
                return;
            }
            self.add_runs(&form);
            let plain = Plain::of(&form);
            self.forms.push(form);
            self.finder = OnceLock::new();
            let Some(plain) = plain else { return };
            form = plain.bytes;
        }
    }

    fn add_runs(&mut self, form: &[u8]) {
        let letters: Vec<u8> = letters(form).into_iter().map(|(letter, _)| letter).collect();
        let length = letters.len().min(RUN_BYTES_MAX);
        let runs = length.checked_sub(RUN_BYTES_MIN).and_then(|at| self.runs.get_mut(at));
        if let Some(runs) = runs {
            runs.extend(letters.windows(length).map(<[u8]>::to_vec));
        }
    }

    /// Where they stand: places in bytes, ascending and apart from one another.
    pub(crate) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        if self.forms.is_empty() {
            return places;
        }
        let mut text = text.to_vec();
        fold(&mut text);
        let mut undone: Vec<Plain> = Vec::new();
        loop {
            let text = undone.last().map_or(&text, |plain| &plain.bytes);
            let back = |at| undone.iter().rev().fold(at, |at, plain| plain.back(at));
            let found = self.whole(text).chain(self.parts(text));
            places.extend(found.map(|place| back(place.start)..back(place.end)));
            match Plain::of(text) {
                Some(plain) if undone.len() < ESCAPES_DEPTH_MAX => undone.push(plain),
                _ => return united(places),
            }
        }
    }

    /// Each secret as it is.
    fn whole<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
        let finder = self.finder.get_or_init(|| AhoCorasick::new(&self.forms).ok());
        let found = finder.iter().flat_map(move |finder| finder.find_overlapping_iter(text));
        found.map(|found| found.range()).filter(move |place| {
            let form = text.get(place.clone()).unwrap_or_default();
            let is_word =
                form.len() <= WORD_BYTES_MAX && form.iter().all(u8::is_ascii_alphanumeric);
            !is_word || is_apart(text, place)
        })
    }

    /// Letters and digits in a row, whatever stands between them.
    fn parts(&self, text: &[u8]) -> Vec<Range<usize>> {
        let letters = letters(text);
        let bytes: Vec<u8> = letters.iter().map(|(letter, _)| *letter).collect();
        let mut places = Vec::new();
        for (length, runs) in (RUN_BYTES_MIN..).zip(&self.runs).filter(|(_, it)| !it.is_empty()) {
            let found = bytes.windows(length).zip(letters.windows(length));
            let found = found.filter(|(run, _)| runs.contains(*run));
            places.extend(found.filter_map(|(_, at)| Some(at.first()?.1..at.last()?.1 + 1)));
        }
        places
    }
}

/// Whether what stands there is no part of a longer word.
fn is_apart(text: &[u8], place: &Range<usize>) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let before = place.start.checked_sub(1).and_then(|at| text.get(at));
    !is_letter(before) && !is_letter(text.get(place.end))
}

/// `text` with a fixed mark at each of `places`, which are in bytes and ascend.
pub fn blanked(text: &str, places: &[Range<usize>]) -> String {
    let (mut blanked, mut done) = (String::with_capacity(text.len()), 0);
    for place in places {
        // A place that begins or ends within a character takes all of it.
        let start = text.floor_char_boundary(place.start).max(done);
        blanked.push_str(text.get(done..start).unwrap_or_default());
        blanked.push_str(BLANK);
        done = text.ceil_char_boundary(place.end).max(start);
    }
    blanked.push_str(text.get(done..).unwrap_or_default());
    blanked
}

/// `places` in order, as one where they overlap or touch.
pub fn united(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_unstable_by_key(|place| place.start);
    let mut united: Vec<Range<usize>> = Vec::with_capacity(places.len());
    for place in places {
        match united.last_mut() {
            Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
            _ => united.push(place),
        }
    }
    united
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Secrets {
        fn blank(&self, text: &str) -> String {
            blanked(text, &self.places(text.as_bytes()))
        }
    }

    fn secrets(secret: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(secret);
        secrets
    }

    #[test]
    fn a_secret_that_comes_back_escaped_is_not_quoted() {
        let token = secrets(r#"q8/Zk+"<&%41'>é"#);
        for escaped in [
            r#"q8/Zk+"<&%41'>é"#,
            r#"q8\/Zk+\"<&%41'>é"#,
            r"q8\u002fZk\u002B\u0022\u003c\u0026%41\u0027\u003E\u00e9",
            r#"q8\\\/Zk+\\\"<&%41'>é"#,
            "q8/Zk+&quot;&lt;&amp;%41&#39;&gt;é",
            "q8&#x2F;Zk&#43;&#x22;&lt;&amp;%41&apos;&gt;&#233;",
            "q8/Zk+&amp;quot;&amp;lt;&amp;amp;%41&amp;#39;&amp;gt;é",
            "q8%2FZk%2B%22%3C%26%2541%27%3E%C3%A9",
            "q8%2fzk%2b%22%3c%26%2541%27%3e%c3%a9",
            r"q8%2FZk%2B%22%3C\u0026%2541%27%3E%C3%A9",
            r#"Q8/ZK+"<&%41'>é"#,
        ] {
            assert_eq!(token.blank(&format!("\"{escaped}\", é")), "\"***\", é", "{escaped}");
        }
    }

    /// As it comes back, and what is left of it: signs at its ends tell nothing.
    fn is_gone(secret: &str, said: &str) {
        let shown = secrets(secret).blank(said);
        let letters: Vec<u8> = letters(&shown.to_ascii_lowercase().into_bytes())
            .into_iter()
            .map(|(letter, _)| letter)
            .collect();
        assert_eq!(String::from_utf8_lossy(&letters), "gotxandon", "{said}: {shown}");
    }

    #[test]
    fn a_secret_whose_letters_were_written_otherwise_is_not_quoted() {
        for said in [
            "P&auml;ssw&ouml;rd-Gr&ouml;&szlig;e-2026",
            "P%E4ssw%F6rd-Gr%F6%DFe-2026",
            r"P\xe4ssw\xf6rd-Gr\xf6\xdfe-2026",
            r"P\u{e4}ssw\u{f6}rd-Gr\u{f6}\u{df}e-2026",
            "PÄSSWÖRD-GRÖẞE-2026",
            "Pa\u{308}sswo\u{308}rd-Gro\u{308}ße-2026",
        ] {
            is_gone("Pässwörd-Größe-2026", &format!("got {said} x and on"));
        }
        for (secret, said) in [
            ("It's-mine-2026", "It''s-mine-2026"),
            ("It's-mine-2026", r"It'\''s-mine-2026"),
            ("a \"quoted\" one", r#"a ""quoted"" one"#),
            ("two words-2026", "two&nbsp;words-2026"),
        ] {
            is_gone(secret, &format!("got {said} x and on"));
        }
    }

    #[test]
    fn a_secret_that_ends_in_the_beginning_of_an_escape_is_not_quoted() {
        let secret = r"q8Zk3Jd9s&Xw2LmPv7RtYb1u8AbCd\";
        is_gone(
            secret,
            r"<p>got q8Zk3Jd9s&amp;Xw2LmPv7RtYb1u8AbCd\<x/>and on".trim_start_matches("<p>"),
        );
        is_gone(r"ab&c-Secret12/3\", r"<got>ab&amp;c-Secret12/3\</x>and on");
    }

    #[test]
    fn what_is_left_of_a_secret_that_was_cut_off_or_shortened_is_not_quoted() {
        let token = secrets("0123456789/abcdefghij");
        assert_eq!(token.blank(r#"{"got":"0123456789\/abcdef"#), r#"{"got":"***"#);
        assert_eq!(token.blank(r#"{"got":"0123456789\/ab\"#), r#"{"got":"***\"#);
        assert_eq!(token.blank("0123456789/abcd... and on"), "***... and on");
        assert_eq!(token.blank("...789/abcdefghij and on"), "...*** and on");
        assert_eq!(token.blank("0123456789 and on"), "0123456789 and on", "ten of twenty");
    }

    #[test]
    fn a_short_secret_is_not_quoted_where_it_is_a_word() {
        assert_eq!(secrets("Zk3q9").blank("login of (Zk3q9) zk3q9"), "login of (***) ***");
        assert_eq!(secrets("pluto").blank("plutonium of pluto"), "plutonium of ***");
        assert_eq!(secrets("a-b!").blank("xa-b!y"), "x***y");
    }

    #[test]
    fn what_is_no_secret_is_quoted() {
        let mut named = secrets("abc");
        let body = "got abc, token-of-mine \\/ &amp; 100%";
        assert_eq!(named.blank(body), body);
        named.add("other/");
        assert_eq!(named.blank(body), body);
        assert_eq!(format!("{named:?}"), "Secrets(1)");
    }

    #[test]
    fn a_place_within_a_character_takes_all_of_it() {
        assert_eq!(blanked("aéb-c", &[2..3, 4..5]), "a***b***c");
        assert_eq!(united(vec![5..6, 0..2, 1..3, 3..4]), [0..4, 5..6]);
    }
}
