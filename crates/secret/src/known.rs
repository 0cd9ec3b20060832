//! The secrets that this process has read, and the search of a text for all of them.
//!
//! It is one set for the process: a gateway in front of one system may quote what was sent to another, and
//! whoever prints an error does not know which secrets its words may hold. It refuses to grow for ever: those
//! of sessions go when newer ones come, and so do those of the configuration, after ten thousand.

use std::{
    borrow::Cow,
    collections::VecDeque,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use url::Url;

use crate::search::{Secrets, blanked};

/// Of the configuration: a principal's token that is rotated each hour is one of these for a year.
const CONFIGURED_MAX: usize = 10_000;
/// Of sessions, which clouds end after half an hour or so.
const PASSING_MAX: usize = 256;
/// A shorter part of a path is a word that helps who reads the answer, such as `events` or `2026-11-29`.
const PATH_PART_BYTES_MIN: usize = 16;
/// A shorter value of a query is a word of the receiver's, such as `format=json`.
const QUERY_VALUE_BYTES_MIN: usize = 6;
/// Passwords of fresh installations and of examples. Everybody knows them, and as words they are in so many
/// honest texts that hiding them would tell more than it hides.
const COMMON: [&str; 13] = [
    "admin", "changeme", "default", "demo", "guest", "pass", "password", "pluvio", "public",
    "root", "secret", "token", "user",
];

static KNOWN: RwLock<Known> = RwLock::new(Known::NONE);

struct Known {
    configured: VecDeque<String>,
    passing: VecDeque<String>,
    /// Made when it is needed, from both.
    search: Option<Arc<Secrets>>,
}

/// Remembers a secret of the configuration.
pub fn note(secret: &str) {
    remember(secret, |known| (&mut known.configured, CONFIGURED_MAX));
}

/// Remembers one that a server gave out, such as the key of a session: the oldest of 256 goes.
pub fn note_passing(secret: &str) {
    remember(secret, |known| (&mut known.passing, PASSING_MAX));
}

/// Remembers the secrets of an address: the values of its query, its user's password, and long parts of its
/// path, for some receivers know their senders by nothing else.
pub fn note_address(url: &Url) {
    for pair in url.query().unwrap_or_default().split('&') {
        let value = match pair.split_once('=') {
            // A parameter without a value may be nothing but the secret.
            Some((name, "")) => name,
            Some((_, value)) => value,
            None => pair,
        };
        if value.len() >= QUERY_VALUE_BYTES_MIN {
            note(value);
        }
    }
    url.path().split('/').filter(|part| part.len() >= PATH_PART_BYTES_MIN).for_each(note);
    note(url.password().unwrap_or_default());
}

/// The text without any secret that was noted, in whatever escapes: `***` for each. What it takes grows with
/// the text, so that whoever quotes bounds it first.
pub fn hidden(text: &str) -> Cow<'_, str> {
    let places = places(text);
    if places.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(blanked(text, &places)) }
}

/// Where in a text such secrets stand: places in bytes, ascending and apart from one another.
pub fn places(text: &str) -> Vec<Range<usize>> {
    search().places(text.as_bytes())
}

fn remember(secret: &str, list: impl Fn(&mut Known) -> (&mut VecDeque<String>, usize)) {
    if COMMON.iter().any(|common| common.eq_ignore_ascii_case(secret)) {
        return;
    }
    let is_known = |known: &Known| {
        [&known.configured, &known.passing].iter().any(|list| list.iter().any(|it| it == secret))
    };
    if is_known(&KNOWN.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let (list, longest) = list(&mut known);
    push(list, secret, longest);
    known.search = None;
}

fn push(list: &mut VecDeque<String>, secret: &str, longest: usize) {
    if list.len() >= longest {
        list.pop_front();
    }
    list.push_back(secret.to_owned());
}

fn search() -> Arc<Secrets> {
    if let Some(search) = &KNOWN.read().unwrap_or_else(PoisonError::into_inner).search {
        return Arc::clone(search);
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let mut secrets = Secrets::default();
    known.configured.iter().chain(&known.passing).for_each(|secret| secrets.add(secret));
    Arc::clone(known.search.insert(Arc::new(secrets)))
}

impl Known {
    const NONE: Self = Self { configured: VecDeque::new(), passing: VecDeque::new(), search: None };
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::{Secret, SecretSource};

    #[test]
    fn what_was_read_as_a_secret_is_hidden_from_then_on_and_a_user_name_is_not() {
        let said = "no login for some-user-name with Some-Pass-Word";
        let (name, word) = (SecretSource::literal("some-user-name"), "Some-Pass-Word");
        name.resolve_name().unwrap();
        assert_eq!(hidden(said), said);
        SecretSource::literal(word).resolve().unwrap();
        assert_eq!(hidden(said), "no login for some-user-name with ***");
        let _session = Secret::passing("1d6b7c0a-session-key");
        assert_eq!(hidden("key 1d6b7c0a-session-key"), "key ***");
    }

    #[test]
    fn what_is_secret_in_an_address_is_hidden() {
        let url = "https://a.example/services/AbCdEfGh01234567/x?token=s3%20cret&b=1&only-this-1";
        note_address(&Url::parse(url).unwrap());
        note_address(&Url::parse("https://user-a:pass-of-a@a.example/").unwrap());
        let told =
            "no /services/AbCdEfGh01234567/x?token=s3%20cret&b=1&only-this-1, s3 cret, s3+cret";
        assert_eq!(hidden(told), "no /services/***/x?token=***&b=1&***, ***, ***");
        assert_eq!(hidden("user-a pass-of-a"), "user-a ***");
    }

    #[test]
    fn passwords_that_everybody_knows_are_words_and_are_shown() {
        for common in COMMON {
            note(common);
        }
        assert_eq!(hidden("the Password of guest is wrong"), "the Password of guest is wrong");
    }

    #[test]
    fn the_key_of_an_old_session_goes_when_there_are_many() {
        let mut list = VecDeque::new();
        for secret in ["first", "second", "third"] {
            push(&mut list, secret, 2);
        }
        assert_eq!(list, ["second", "third"]);
    }
}
