//! Secrets that come back: some servers, gateways and debug services answer with the request that they got,
//! and what they answer is quoted in errors, logs and dead letters.
//!
//! Blanked are the values of headers that were marked as sensitive, what stands in them behind a scheme's
//! name, and of `Basic` what it stands for. Cookies are left alone: the session that they name is in honest
//! answers, too. Of an address that is said to be secret, blanked are the values of its query, its user and
//! password, and long parts of its path, for some receivers know their senders by nothing else. Who sends a
//! secret elsewhere, as in a body, [names it](Secrets::add).
//!
//! They are found in any letter case, behind the escapes of JSON, XML, HTML and addresses, and behind some
//! of these within others. It refuses to find what was encoded as a whole: compressed, encrypted, in base64.

mod escape;

use std::{fmt, ops::Range};

use ::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use memchr::memmem;
use url::Url;

use self::escape::{Plain, fold};

/// A shorter part of a request is in every answer, and is no secret.
const PART_BYTES_MIN: usize = 6;
/// A shorter secret would be found in half of all words.
const SECRET_BYTES_MIN: usize = 4;
/// A shorter part of a path is a word that helps who reads the answer, such as `events` or `2026-11-29`.
const PATH_PART_BYTES_MIN: usize = 16;
/// A shorter beginning of a secret, where a text was cut off, may be a word; and it tells little.
const BEGINNING_BYTES_MIN: usize = 16;
/// Escapes within escapes: JSON in XML in a page of HTML, and one more.
const ESCAPES_DEPTH_MAX: usize = 4;
/// What is looked through at a time, in bytes: it bounds what the way back through escapes takes.
const WINDOW_BYTES: usize = 1 << 20;
/// How many bytes one byte may become by escapes, at most, for a secret to be found on a window's end.
const ESCAPED_BYTES_MAX: usize = 16;

/// What a secret becomes, whatever its length.
const BLANK: &str = "***";

/// What must not be shown when the other side sends it back.
#[derive(Clone, Default)]
pub struct Secrets {
    /// As they are and with their own escapes undone, folded.
    forms: Vec<Vec<u8>>,
}

/// How many; never which.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.forms.len())
    }
}

impl Secrets {
    /// Those of a request's headers, and of its address where that is secret.
    pub(super) fn of(headers: &HeaderMap, address: Option<&Url>) -> Self {
        let sensitive = headers
            .iter()
            .filter(|(name, value)| value.is_sensitive() && *name != header::COOKIE)
            .flat_map(|(_, value)| in_value(value));
        let mut secrets = Self::default();
        for part in sensitive.chain(address.into_iter().flat_map(in_address)) {
            secrets.note(part, PART_BYTES_MIN);
        }
        secrets
    }

    /// Adds one that is sent otherwise. With fewer than four bytes it is not looked for: it would be found
    /// in half of all words.
    pub fn add(&mut self, secret: &str) {
        self.note(secret.as_bytes().to_vec(), SECRET_BYTES_MIN);
    }

    fn note(&mut self, mut form: Vec<u8>, bytes_min: usize) {
        fold(&mut form);
        for _ in 0..=ESCAPES_DEPTH_MAX {
            if form.len() < bytes_min {
                return;
            }
            let plain = Plain::of(&form);
            if !self.forms.contains(&form) {
                self.forms.push(form);
            }
            let Some(plain) = plain else { return };
            form = plain.bytes;
        }
    }

    /// Where they stand: places in bytes, ascending and apart from one another.
    pub fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let longest = self.forms.iter().map(Vec::len).max().unwrap_or_default();
        let mut places = Vec::new();
        // What stands on the end of one window stands whole in it.
        for begin in (0..text.len()).step_by(WINDOW_BYTES) {
            let end = begin + WINDOW_BYTES + ESCAPED_BYTES_MAX * longest;
            let window = text.get(begin..end.min(text.len())).unwrap_or_default();
            let found = self.places_in(window, end >= text.len());
            places.extend(found.into_iter().map(|it| begin + it.start..begin + it.end));
        }
        united(places)
    }

    fn places_in(&self, window: &[u8], is_last: bool) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        if self.forms.is_empty() {
            return places;
        }
        let mut text = window.to_vec();
        fold(&mut text);
        let mut undone: Vec<Plain> = Vec::new();
        loop {
            let text = undone.last().map_or(&text, |plain| &plain.bytes);
            let back = |at| undone.iter().rev().fold(at, |at, plain| plain.back(at));
            for form in &self.forms {
                let whole = memmem::find_iter(text, form).map(|at| at..at + form.len());
                let cut_off = is_last.then(|| beginning(text, form)).flatten();
                let found = whole.chain(cut_off.map(|length| text.len() - length..text.len()));
                places.extend(found.map(|it| back(it.start)..back(it.end)));
            }
            match Plain::of(text) {
                Some(plain) if undone.len() < ESCAPES_DEPTH_MAX => undone.push(plain),
                _ => return places,
            }
        }
    }

    /// The text without them.
    pub fn blank(&self, text: &str) -> String {
        blanked(text, &self.places(text.as_bytes()))
    }

    /// The same for an answer's body.
    pub(super) fn blank_body(&self, body: Bytes) -> Bytes {
        let places = self.places(&body);
        if places.is_empty() {
            return body;
        }
        let (mut blanked, mut done) = (Vec::with_capacity(body.len()), 0);
        for place in places {
            blanked.extend_from_slice(body.get(done..place.start).unwrap_or_default());
            blanked.extend_from_slice(BLANK.as_bytes());
            done = place.end;
        }
        blanked.extend_from_slice(body.get(done..).unwrap_or_default());
        blanked.into()
    }

    /// The same for its headers: a redirect is told by the host that it leads to.
    pub(super) fn blank_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let text = Bytes::copy_from_slice(value.as_bytes());
            let blanked = self.blank_body(text);
            if blanked != value.as_bytes()
                && let Ok(blanked) = HeaderValue::from_maybe_shared(blanked)
            {
                *value = blanked;
            }
        }
    }
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

/// How much of the beginning of `form` a text ends with: answers are cut off where they are long.
fn beginning(text: &[u8], form: &[u8]) -> Option<usize> {
    let is_end = |length: &usize| form.get(..*length).is_some_and(|begin| text.ends_with(begin));
    (BEGINNING_BYTES_MIN..form.len()).rev().find(is_end)
}

fn in_value(value: &HeaderValue) -> Vec<Vec<u8>> {
    let value = value.as_bytes();
    let mut found = vec![value.to_vec()];
    let after = |bytes: &[u8], mark| {
        let at = bytes.iter().position(|byte| *byte == mark)?;
        bytes.get(at + 1..).map(<[u8]>::to_vec)
    };
    let Some(credentials) = after(value, b' ') else { return found };
    let scheme = value.get(..value.len() - credentials.len() - 1).unwrap_or_default();
    if scheme.eq_ignore_ascii_case(b"basic")
        && let Ok(pair) = BASE64_STANDARD.decode(&credentials)
    {
        found.extend(after(&pair, b':'));
        found.push(pair);
    }
    found.push(credentials);
    found
}

/// As they are sent; what they stand for is found by undoing their escapes.
fn in_address(url: &Url) -> Vec<Vec<u8>> {
    let query = url.query().unwrap_or_default().split('&');
    // A parameter without a value may be nothing but the secret.
    let values = query.map(|pair| {
        pair.split_once('=').map_or(
            pair,
            |(name, value)| {
                if value.is_empty() { name } else { value }
            },
        )
    });
    let path = url.path().split('/').filter(|part| part.len() >= PATH_PART_BYTES_MIN);
    let user = [url.username(), url.password().unwrap_or_default()];
    values.chain(path).chain(user).map(|part| part.as_bytes().to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(value: &str, is_sensitive: bool) -> Secrets {
        let mut headers = HeaderMap::new();
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(is_sensitive);
            headers.insert(header::AUTHORIZATION, value);
        }
        Secrets::of(&headers, None)
    }

    fn of_address(url: &str) -> Secrets {
        let url = Url::parse(url).unwrap_or_else(|error| unreachable!("{error}"));
        Secrets::of(&HeaderMap::new(), Some(&url))
    }

    #[test]
    fn what_was_sent_in_confidence_is_not_quoted_when_it_comes_back() {
        let blanked = |value, body: &str| secrets(value, true).blank_body(body.to_owned().into());
        let token = "Bearer token-of-mine";
        assert_eq!(blanked(token, "got Bearer token-of-mine, why?"), "got ***, why?");
        assert_eq!(blanked(token, "token-of-mine twice: token-of-mine"), "*** twice: ***");
        assert_eq!(blanked(token, "nothing"), "nothing");
        // "somebody:a-password"
        let basic = "Basic c29tZWJvZHk6YS1wYXNzd29yZA==";
        let body = "c29tZWJvZHk6YS1wYXNzd29yZA== is somebody:a-password, so a-password";
        assert_eq!(blanked(basic, body), "*** is ***, so ***");
        assert_eq!(blanked("a b", "a banana"), "a banana", "too short to be one");
    }

    #[test]
    fn what_is_secret_in_an_address_is_not_quoted_when_it_comes_back() {
        let blanked = |url: &str, body: &str| of_address(url).blank(body);
        let url = "https://a.example/services/AbCdEfGh01234567/x?token=s3%20cret&b=1&only-this";
        let told =
            "no /services/AbCdEfGh01234567/x?token=s3%20cret&b=1&only-this, s3 cret, s3+cret";
        assert_eq!(blanked(url, told), "no /services/***/x?token=***&b=1&***, ***, ***");
        assert_eq!(blanked("https://user-a:pass-a@a.example/", "user-a pass-a"), "*** ***");
    }

    #[test]
    fn a_secret_that_comes_back_escaped_is_not_quoted() {
        let token = secrets(r#"Bearer q8/Zk+"<&%41'>é"#, true);
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
        let address = of_address("https://a.example/?token=Ab%2Fcd%26ef");
        for escaped in
            ["Ab%2Fcd%26ef", "Ab/cd&ef", "ab/cd&amp;ef", r"AB\/CD&EF", "Ab%252Fcd%2526ef"]
        {
            assert_eq!(address.blank(escaped), "***", "{escaped}");
        }
    }

    #[test]
    fn a_host_that_is_a_secret_is_not_told_as_where_a_redirect_leads() {
        let location = HeaderValue::from_static("http://secret-token.example/?a=SECRET%2DToken");
        let mut headers: HeaderMap = [(header::LOCATION, location)].into_iter().collect();
        of_address("https://a.example/?token=Secret-Token").blank_headers(&mut headers);
        let location = headers.get(header::LOCATION).map(HeaderValue::as_bytes);
        assert_eq!(location, Some(&b"http://***.example/?a=***"[..]));
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands_in_a_long_answer() {
        let mut secrets = Secrets::default();
        secrets.add("to/ken");
        for before in [WINDOW_BYTES - 7, WINDOW_BYTES - 3, WINDOW_BYTES, 2 * WINDOW_BYTES - 1] {
            let text = format!("{}to\\/ken and on", "x".repeat(before));
            let blanked = secrets.blank(&text);
            assert!(blanked.ends_with("x*** and on") && blanked.len() == before + 10, "{before}");
        }
    }

    #[test]
    fn the_beginning_of_a_secret_that_an_answer_was_cut_off_in_is_not_quoted() {
        let token = secrets("Bearer 0123456789/abcdefghij", true);
        assert_eq!(token.blank(r#"{"got":"0123456789\/abcdef"#), r#"{"got":"***"#);
        assert_eq!(token.blank("0123456789/abcdef and on"), "0123456789/abcdef and on");
    }

    #[test]
    fn what_is_no_secret_is_quoted() {
        let body = "got Bearer token-of-mine \\/ &amp; 100%";
        assert_eq!(secrets("Bearer token-of-mine", false).blank(body), body);
        let mut named = Secrets::default();
        named.add("abc");
        named.add("other/");
        assert_eq!(named.blank(body), body);
        assert_eq!(format!("{named:?}"), "Secrets(1)");
    }
}
