//! Finding secrets in a text that somebody else wrote, and taking them out.
//!
//! A server that repeats what it was sent repeats it in its own way: escaped for JSON, XML, HTML, an address, a
//! shell, as the numbers of its bytes, some of these within others, in another letter case, cut off or shortened
//! in the middle. So a text is read as it is and with its escapes undone, up to four times, and each time in
//! several ways: for each secret as it is, and for runs of its letters and digits with everything else left out,
//! also where numbers stand for bytes. A run of twelve is enough, wherever in the secret it begins: what is cut
//! off in either place is found by what is left.
//!
//! It refuses to find what was encoded as a whole: compressed, encrypted, in base64; and parts of a secret that
//! have fewer than twelve letters and digits, or, of a secret with more than 64, fewer than 23.

mod escape;
mod numbers;

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    ops::Range,
};

use self::{
    escape::{Letter, Plain, fold, letters},
    numbers::Written,
};

/// A shorter secret would be found in half of all words.
const SECRET_BYTES_MIN: usize = 4;
/// A shorter secret of nothing but letters and digits counts where it is a word of its own.
const WORD_BYTES_MAX: usize = 7;
/// Fewer letters and digits in a row are found in texts that have nothing to do with a secret.
const RUN_BYTES_MIN: usize = 8;
/// So many of a longer secret are enough.
const RUN_BYTES_MAX: usize = 12;
/// Of a secret with more letters and digits, only some runs are kept, or a thousand tokens of a kilobyte would
/// take a hundred megabytes: one in each twelve that follow each other, so that there is no gap between them.
const ALL_RUNS_BYTES_MAX: usize = 64;
/// Escapes within escapes: JSON in XML in a page of HTML, and one more.
const ESCAPES_DEPTH_MAX: usize = 4;
/// What is looked through at a time, in bytes: it bounds the memory that a long text takes.
const WINDOW_BYTES: usize = 64 << 10;
/// How far a window reaches into the next: further than a run does, whatever its letters are escaped to.
const OVERLAP_BYTES: usize = 4 << 10;

/// What a secret becomes, whatever its length.
const BLANK: &str = "***";

/// What must not be shown when somebody else repeats it. What is added twice is there until it was removed
/// twice.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Folded, as they are and with their own escapes undone, and how often each is there: those that runs do
    /// not find to their ends. By their first bytes.
    forms: HashMap<[u8; SECRET_BYTES_MIN], Vec<(Vec<u8>, u32)>>,
    /// Digests of letters and digits in a row that are in one of them, and how often, by how many: from
    /// [`RUN_BYTES_MIN`] on. A digest of 64 bits that nobody can foresee is as good as the letters.
    runs: [HashMap<u64, u32>; RUN_BYTES_MAX - RUN_BYTES_MIN + 1],
    digest: RandomState,
}

/// What to do with a secret's traces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Remove,
}

impl Secrets {
    /// Adds one. With fewer than four bytes it is not looked for: it would be found in half of all words.
    pub(crate) fn add(&mut self, secret: &str) {
        self.change(secret, Change::Add);
    }

    /// Takes one out that was added.
    pub(crate) fn remove(&mut self, secret: &str) {
        self.change(secret, Change::Remove);
    }

    fn change(&mut self, secret: &str, change: Change) {
        let mut form = secret.as_bytes().to_vec();
        fold(&mut form);
        for _ in 0..=ESCAPES_DEPTH_MAX {
            if form.len() < SECRET_BYTES_MIN {
                return;
            }
            let letters = Letters::of(&form);
            self.change_runs(letters.telling(), change);
            let plain = Plain::of(&form);
            let ends_with_letters = form.first().is_some_and(u8::is_ascii_alphanumeric)
                && form.last().is_some_and(u8::is_ascii_alphanumeric);
            if letters.telling().len() < RUN_BYTES_MIN || !ends_with_letters {
                self.change_form(form, change);
            }
            let Some(plain) = plain else { return };
            form = plain.bytes;
        }
    }

    fn change_runs(&mut self, letters: &[Letter], change: Change) {
        let length = letters.len().min(RUN_BYTES_MAX);
        let runs = length.checked_sub(RUN_BYTES_MIN).and_then(|at| self.runs.get_mut(at));
        let Some(runs) = runs else { return };
        let digests: Vec<u64> =
            letters.windows(length).map(|run| digest(&self.digest, run)).collect();
        for digest in picked(&digests) {
            if counted(runs.entry(digest).or_default(), change) == 0 {
                runs.remove(&digest);
            }
        }
    }

    fn change_form(&mut self, form: Vec<u8>, change: Change) {
        let Some(first) = form.first_chunk().copied() else { return };
        let forms = self.forms.entry(first).or_default();
        match forms.iter_mut().find(|(known, _)| *known == form) {
            Some((_, count)) => {
                counted(count, change);
            }
            None if change == Change::Add => forms.push((form, 1)),
            None => {}
        }
        forms.retain(|(_, count)| *count > 0);
        if forms.is_empty() {
            self.forms.remove(&first);
        }
    }

    /// Where they stand: places in bytes, ascending and apart from one another.
    pub(crate) fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        for begin in (0..text.len()).step_by(WINDOW_BYTES) {
            let end = text.len().min(begin + WINDOW_BYTES + OVERLAP_BYTES);
            let found = self.places_in(text.get(begin..end).unwrap_or_default());
            places.extend(found.into_iter().map(|it| begin + it.start..begin + it.end));
        }
        united(places)
    }

    fn places_in(&self, window: &[u8]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        let mut text = window.to_vec();
        fold(&mut text);
        let mut undone: Vec<Plain> = Vec::new();
        loop {
            let text = undone.last().map_or(&text, |plain| &plain.bytes);
            let back = |at| undone.iter().rev().fold(at, |at, plain| plain.back(at));
            let found = self.whole(text).into_iter().chain(self.parts(text));
            let found = found.chain(self.numbers(text));
            places.extend(found.map(|place| back(place.start)..back(place.end)));
            match Plain::of(text) {
                Some(plain) if undone.len() < ESCAPES_DEPTH_MAX => undone.push(plain),
                _ => return places,
            }
        }
    }

    /// Each secret as it is.
    fn whole(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        if self.forms.is_empty() {
            return places;
        }
        for at in 0..text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let forms = rest.first_chunk().and_then(|first| self.forms.get(first));
            for (form, _) in forms.into_iter().flatten().filter(|(form, _)| rest.starts_with(form))
            {
                let place = at..at + form.len();
                let is_word =
                    form.len() <= WORD_BYTES_MAX && form.iter().all(u8::is_ascii_alphanumeric);
                if !is_word || is_apart(text, &place) {
                    places.push(place);
                }
            }
        }
        places
    }

    /// The same of a text whose numbers are bytes.
    fn numbers(&self, text: &[u8]) -> Vec<Range<usize>> {
        let read =
            [Written::Decimal, Written::Hexadecimal].map(|written| numbers::read(text, written));
        let found = read.into_iter().flatten().map(|plain| {
            let back = |place: Range<usize>| plain.back(place.start)..plain.back(place.end);
            self.parts(&plain.bytes).into_iter().map(back).collect::<Vec<_>>()
        });
        found.flatten().collect()
    }

    /// Letters and digits in a row, whatever stands between them.
    fn parts(&self, text: &[u8]) -> Vec<Range<usize>> {
        let Letters { ascii, all } = Letters::of(text);
        let mut places = Vec::new();
        for (length, runs) in (RUN_BYTES_MIN..).zip(&self.runs).filter(|(_, it)| !it.is_empty()) {
            let runs_of = |letters: &[Letter]| {
                let found = letters.windows(length);
                let found = found.filter(|run| runs.contains_key(&digest(&self.digest, run)));
                let place = |run: &[Letter]| {
                    let last = run.last()?;
                    Some(run.first()?.at..last.at + last.c.len_utf8())
                };
                found.filter_map(place).collect::<Vec<_>>()
            };
            places.extend(runs_of(&ascii));
            if all.len() > ascii.len() {
                places.extend(runs_of(&all));
            }
        }
        places
    }
}

/// The letters and digits of a text.
struct Letters {
    /// Those of ASCII.
    ascii: Vec<Letter>,
    all: Vec<Letter>,
}

impl Letters {
    fn of(text: &[u8]) -> Self {
        let all = letters(text);
        let ascii = all.iter().filter(|it| it.c.is_ascii()).copied().collect();
        Self { ascii, all }
    }

    /// Those that a secret is known by: of ASCII, for others are written in too many ways, unless these are too
    /// few.
    fn telling(&self) -> &[Letter] {
        if self.ascii.len() < RUN_BYTES_MIN { &self.all } else { &self.ascii }
    }
}

fn digest(state: &RandomState, run: &[Letter]) -> u64 {
    let mut hasher = state.build_hasher();
    for letter in run {
        hasher.write_u32(u32::from(letter.c));
    }
    hasher.finish()
}

/// Of the digests of all runs of a secret, those that are kept.
fn picked(digests: &[u64]) -> Vec<u64> {
    if digests.len() + RUN_BYTES_MAX <= ALL_RUNS_BYTES_MAX {
        return digests.to_vec();
    }
    let least = digests.windows(RUN_BYTES_MAX).filter_map(|some| some.iter().min());
    let ends = digests.first().into_iter().chain(digests.last());
    let mut picked: Vec<u64> = least.chain(ends).copied().collect();
    // The least of neighbours is most often the same.
    picked.dedup();
    picked
}

/// What a count becomes.
fn counted(count: &mut u32, change: Change) -> u32 {
    *count = match change {
        Change::Add => count.saturating_add(1),
        Change::Remove => count.saturating_sub(1),
    };
    *count
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
        let letters: String = letters(shown.as_bytes()).into_iter().map(|it| it.c).collect();
        assert_eq!(letters, "gotxandon", "{said}: {shown}");
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
            r"P\303\244ssw\303\266rd-Gr\303\266\303\237e-2026",
            r"P\x{e4}ssw\x{f6}rd-Gr\x{f6}\x{df}e-2026",
        ] {
            is_gone("Pässwörd-Größe-2026", &format!("got {said} x and on"));
        }
        for (secret, said) in [
            ("It's-mine-2026", "It''s-mine-2026"),
            ("It's-mine-2026", r"It'\''s-mine-2026"),
            ("a \"quoted\" one", r#"a ""quoted"" one"#),
            ("two words-2026", "two&nbsp;words-2026"),
            ("Пароль-Секрет-один", "ПАРОЛЬ СЕКРЕТ ОДИН"),
            ("Пароль-Секрет-один", "Пароль-Секрет-оди"),
        ] {
            is_gone(secret, &format!("got {said} x and on"));
        }
    }

    #[test]
    fn a_secret_that_ends_in_the_beginning_of_an_escape_is_not_quoted() {
        let secret = r"q8Zk3Jd9s&Xw2LmPv7RtYb1u8AbCd\";
        is_gone(secret, r"got q8Zk3Jd9s&amp;Xw2LmPv7RtYb1u8AbCd\<x/>and on");
        is_gone(r"ab&c-Secret12/3\", r"<got>ab&amp;c-Secret12/3\</x>and on");
    }

    #[test]
    fn a_secret_that_comes_back_as_the_numbers_of_its_bytes_is_not_quoted() {
        let token = secrets("hUnter2Secret99xYz");
        let bytes = b"hUnter2Secret99xYz";
        let each = |form: fn(&u8) -> String| bytes.iter().map(form).collect::<String>();
        for said in [
            format!("{bytes:?}"),
            format!("<<{}>>", each(|byte| format!("{byte},"))),
            each(|byte| format!("{byte:03} ")),
            each(|byte| format!("{byte:02x}")),
            each(|byte| format!("{byte:02X} ")),
            each(|byte| format!("0x{byte:02x}, ")),
            each(|byte| format!("={byte:02X}")),
            each(|byte| format!("U+{byte:04X} ")),
        ] {
            let shown = token.blank(&format!("got {said} and on"));
            let digits = shown.bytes().filter(|byte| matches!(byte, b'1'..=b'9')).count();
            assert!(shown.starts_with("got ") && shown.ends_with(" and on"), "{said}: {shown}");
            assert!(shown.contains("***") && digits == 0, "{said}: {shown}");
        }
        // Within the numbers of more.
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let request =
            "POST / HTTP/1.1\r\nauthorization: Bearer hUnter2Secret99xYz\r\nhost: a\r\n\r\n";
        for mark in ["", "0x", r"\x"] {
            let shown = token.blank(&format!("got {mark}{} and on", hex(request)));
            let expected = format!(
                "got {mark}{}***{} and on",
                hex("POST / HTTP/1.1\r\nauthorization: Bearer "),
                hex("\r\nhost: a\r\n\r\n")
            );
            assert_eq!(shown, expected);
        }
        let honest = "rows 104, 85, 110, 116, 101, 114, 50, 83, 101 of 68556e7465723253";
        assert_eq!(token.blank(honest), honest, "nine and eight of eighteen");
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
    fn a_long_secret_is_hidden_as_a_whole_and_where_it_was_cut_off() {
        let letters = |at: u64| format!("{:016x}.", at.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let token: String = (1..64).map(letters).collect();
        let secrets = secrets(&token);
        let kept: usize = secrets.runs.iter().map(HashMap::len).sum();
        assert!(kept < token.len() / 4, "{kept} of {}", token.len());
        assert_eq!(secrets.blank(&format!("got {token} and on")), "got *** and on");
        for (begin, end) in [(0, 40), (100, 140), (0, 500), (313, 900), (1000, token.len())] {
            let shown = secrets.blank(&format!("[[{}]]", &token[begin..end]));
            // At both ends less than a run; a dot between two runs may be shown.
            let left = shown.bytes().filter(u8::is_ascii_alphanumeric).count();
            assert!(left <= 2 * 11 && shown.contains("***"), "{begin}..{end}: {shown}");
        }
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
    }

    #[test]
    fn what_was_added_twice_is_found_until_it_was_removed_twice() {
        for secret in ["0123456789/abcdefghij", "short", "(symbols-at-both-ends)"] {
            let mut secrets = secrets(secret);
            secrets.add(secret);
            secrets.add("another-one-that-stays");
            secrets.remove(secret);
            assert_eq!(secrets.blank(secret), "***");
            secrets.remove(secret);
            assert_eq!(secrets.blank(secret), secret);
            assert!(secrets.forms.is_empty(), "nothing of it is left");
            assert_eq!(secrets.blank("another-one-that-stays"), "***");
        }
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands_in_a_long_text() {
        for secret in ["to/ken", "token/of/many-letters"] {
            let secrets = secrets(secret);
            for before in [WINDOW_BYTES - 17, WINDOW_BYTES - 3, WINDOW_BYTES, 2 * WINDOW_BYTES - 1]
            {
                let text = format!("{}{secret} and on", ".".repeat(before));
                let blanked = secrets.blank(&text);
                assert!(
                    blanked.ends_with(".*** and on") && blanked.len() == before + 10,
                    "{before}"
                );
            }
        }
    }

    #[test]
    fn a_place_within_a_character_takes_all_of_it() {
        assert_eq!(blanked("aéb-c", &[2..3, 4..5]), "a***b***c");
        assert_eq!(united(vec![5..6, 0..2, 1..3, 3..4]), [0..4, 5..6]);
    }
}
