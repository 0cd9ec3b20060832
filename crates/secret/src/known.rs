//! The secrets that this process has read, and the search of a text for all of them.
//!
//! It is one set for the process: a gateway in front of one system may quote what was sent to another, and
//! whoever prints an error does not know which secrets its words may hold.
//!
//! It refuses to grow for ever. What stands in the configuration itself is as bounded as that. Of each file and
//! variable, at least the newest sixteen values are kept, for a connection may use one long after it was replaced; of
//! what a server gave out, such as keys of sessions, the newest 64.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, VecDeque},
    ops::Range,
    sync::{LazyLock, PoisonError, RwLock},
};

use url::Url;

use crate::search::{Secrets, blanked};

/// Of one file or variable: sixteen values, each with what is made of it, such as a pair for `Basic`.
const OF_PLACE_MAX: usize = 32;
/// Of one server: keys and cookies of sessions, of which there is one at a time.
const OF_SERVER_MAX: usize = 64;
/// A shorter one is not believed to be a session's: a server could take words out of our log with it.
const PASSING_BYTES_MIN: usize = 16;
/// A shorter value may be any word, even if digits are in it.
const LIKELY_BYTES_MIN: usize = 8;
/// Behind a cut so much is looked at, in which a secret that begins before it is found.
const SECRET_CHARACTERS: usize = 1024;
/// A shorter part of a path is a word that helps who reads the answer, such as `events` or `2026-11-29`.
const PATH_PART_BYTES_MIN: usize = 16;
/// What the name of a parameter or header has in it whose value is secret.
const TELLING: [&str; 11] =
    ["auth", "code", "cookie", "cred", "key", "pass", "pwd", "secret", "session", "sig", "token"];
/// Such names that are parts of others: `shipping`, `inside`.
const TELLING_WHOLE: [&str; 3] = ["otp", "pin", "sid"];
/// Passwords of fresh installations and of examples. Everybody knows them, and as words they are in so many
/// honest texts that hiding them would tell more than it hides.
const COMMON: [&str; 13] = [
    "admin", "changeme", "default", "demo", "guest", "pass", "password", "pluvio", "public",
    "root", "secret", "token", "user",
];

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

#[derive(Default)]
struct Known {
    search: Secrets,
    /// They stand in the configuration.
    fixed: HashSet<String>,
    /// By the file or variable that they were read from, or the server that they are sent to; the newest is the last.
    read: HashMap<String, VecDeque<String>>,
    /// By the server that gave them out; the newest is the last.
    passing: HashMap<String, VecDeque<String>>,
}

/// Remembers a secret that stands in the configuration or the command line, for good.
pub fn note(secret: &str) {
    if is_common(secret) || reading(|known| known.fixed.contains(secret)) {
        return;
    }
    changing(|known| {
        if known.fixed.insert(secret.to_owned()) {
            known.search.add(secret);
        }
    });
}

/// Remembers one that was read from `place`, a file or a variable, or is used there, at a server's address: the
/// oldest of 32 goes.
pub fn note_of(place: &str, secret: &str) {
    if is_common(secret) || reading(|known| is_newest(&known.read, place, secret)) {
        return;
    }
    changing(|known| {
        let list = known.read.entry(place.to_owned()).or_default();
        push(&mut known.search, list, secret, OF_PLACE_MAX);
    });
}

/// Remembers one that a server gave out, such as the key of a session, if it is as long as those are and has
/// letters and digits. `server`: its address, or another name.
pub fn note_passing(server: &str, secret: &str) {
    let is_random = secret.len() >= PASSING_BYTES_MIN && is_mixed(secret);
    if !is_random || reading(|known| is_newest(&known.passing, server, secret)) {
        return;
    }
    changing(|known| {
        let list = known.passing.entry(server.to_owned()).or_default();
        push(&mut known.search, list, secret, OF_SERVER_MAX);
    });
}

/// Remembers a parameter or a header of the configuration, if its name or its value looks like a secret's:
/// `level=warning` does not.
pub fn note_likely(name: &str, value: &str) {
    let name = name.to_ascii_lowercase();
    let is_telling = TELLING.iter().any(|word| name.contains(word))
        || TELLING_WHOLE.iter().any(|word| name.trim_start_matches("x-") == *word);
    if is_telling || (value.len() >= LIKELY_BYTES_MIN && is_mixed(value)) {
        note(value);
    }
}

/// Remembers the secrets of an address: what looks like one in its query, its user's password, and long parts
/// of its path, for some receivers know their senders by nothing else.
pub fn note_address(url: &Url) {
    for pair in url.query().unwrap_or_default().split('&') {
        match pair.split_once('=') {
            // A parameter without a value may be nothing but the secret.
            Some((name, "")) => note_likely("", name),
            Some((name, value)) => note_likely(name, value),
            None => note_likely("", pair),
        }
    }
    let parts = url.path().split('/').filter(|part| part.len() >= PATH_PART_BYTES_MIN);
    parts.for_each(|part| note_likely("", part));
    note(url.password().unwrap_or_default());
}

/// The text without any secret that was noted, in whatever escapes: `***` for each. What it takes grows with
/// the text.
pub fn hidden(text: &str) -> Cow<'_, str> {
    let places = places(text);
    if places.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(blanked(text, &places)) }
}

/// The first `characters` of a text, without any secret: a cut may leave so little of one that it is not found any
/// more.
pub fn beginning(text: &str, characters: usize) -> String {
    // The search costs what the text is long; what stands far behind the cut is of no use.
    let end =
        text.char_indices().nth(characters.saturating_add(SECRET_CHARACTERS)).map(|(at, _)| at);
    hidden(&text[..end.unwrap_or(text.len())]).chars().take(characters).collect()
}

/// Where in a text such secrets stand: places in bytes, ascending and apart from one another.
pub fn places(text: &str) -> Vec<Range<usize>> {
    reading(|known| known.search.places(text.as_bytes()))
}

fn push(search: &mut Secrets, list: &mut VecDeque<String>, secret: &str, longest: usize) {
    if let Some(at) = list.iter().position(|it| it == secret) {
        // Put back after it had been replaced.
        let again = list.remove(at);
        list.extend(again);
        return;
    }
    search.add(secret);
    list.push_back(secret.to_owned());
    if list.len() > longest
        && let Some(oldest) = list.pop_front()
    {
        search.remove(&oldest);
    }
}

fn is_newest(lists: &HashMap<String, VecDeque<String>>, of: &str, secret: &str) -> bool {
    lists.get(of).and_then(VecDeque::back).is_some_and(|newest| newest == secret)
}

/// Whether it has letters and digits.
fn is_mixed(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().any(u8::is_ascii_digit) && bytes.iter().any(u8::is_ascii_alphabetic)
}

fn is_common(secret: &str) -> bool {
    COMMON.iter().any(|common| common.eq_ignore_ascii_case(secret))
}

fn reading<T>(read: impl FnOnce(&Known) -> T) -> T {
    read(&KNOWN.read().unwrap_or_else(PoisonError::into_inner))
}

fn changing(change: impl FnOnce(&mut Known)) {
    change(&mut KNOWN.write().unwrap_or_else(PoisonError::into_inner));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::{Secret, SecretSource};

    #[test]
    fn a_secret_that_a_cut_goes_through_is_hidden_before() {
        note("Scissors-Proof");
        assert_eq!(beginning("said Scissors-Proof", 10), "said ***");
        assert_eq!(beginning("said Scissors-Proof of old", 10), "said *** o");
        assert_eq!(beginning(&"é".repeat(3000), 2), "éé");
    }

    #[test]
    fn a_short_name_tells_only_by_itself() {
        note_likely("X-Pin", "8754-3210");
        note_likely("Cookie", "sid=kaffeetasse");
        note_likely("shipping", "warenkorb");
        assert_eq!(hidden("8754-3210 sid=kaffeetasse warenkorb"), "*** *** warenkorb");
    }

    #[test]
    fn what_was_read_as_a_secret_is_hidden_from_then_on_and_a_user_name_is_not() {
        let said = "no login for some-user-name with Some-Pass-Word";
        let (name, word) = (SecretSource::literal("some-user-name"), "Some-Pass-Word");
        name.resolve_name().unwrap();
        assert_eq!(hidden(said), said);
        SecretSource::literal(word).resolve().unwrap();
        assert_eq!(hidden(said), "no login for some-user-name with ***");
        let _session = Secret::passing("server a", "1d6b7c0a-session-key");
        assert_eq!(hidden("key 1d6b7c0a-session-key"), "key ***");
    }

    #[test]
    fn a_server_takes_no_words_and_no_others_session_out_of_what_is_shown() {
        note_passing("server b", "0123456789abcdef-of-b");
        for word in ["component", "message-of-letters-only", "2026-11-30"] {
            note_passing("server c", word);
            assert_eq!(hidden(word), word);
        }
        for at in 0..5000 {
            note_passing("server c", &format!("0123456789-{at:05}-of-c"));
        }
        assert_eq!(hidden("got 0123456789abcdef-of-b"), "got ***");
    }

    #[test]
    fn what_is_secret_in_an_address_is_hidden_and_words_are_not() {
        let url = "https://a.example/services/AbCdEfGh01234567/production-events/x?token=s3%20cret\
                   &b=1&only-this-1&level=warning&key=abcdef";
        note_address(&Url::parse(url).unwrap());
        note_address(&Url::parse("https://user-a:pass-of-a@a.example/").unwrap());
        let told = "no /services/AbCdEfGh01234567/production-events/x?token=s3%20cret&b=1&only-this-1\
                    &level=warning&key=abcdef, s3 cret, s3+cret";
        let shown = "no /services/***/production-events/x?token=***&b=1&***&level=warning&key=***, ***, ***";
        assert_eq!(hidden(told), shown);
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
    fn a_secret_is_hidden_however_often_others_are_replaced_until_it_was_replaced_often_itself() {
        let value = |of: &str, at: usize| format!("{of}-value-number-{at:05}-of-many");
        note_of("file a", &value("a", 0));
        note(&value("fixed", 0));
        for at in 0..20_000 {
            note_of(&format!("file {}", at % 1500), &value("b", at));
        }
        assert_eq!(hidden(&value("a", 0)), "***");
        assert_eq!(hidden(&value("fixed", 0)), "***");
        for at in 1..=OF_PLACE_MAX {
            note_of("file a", &value("a", at));
        }
        let list = reading(|known| known.read.get("file a").cloned()).unwrap();
        assert!(!list.contains(&value("a", 0)) && list.contains(&value("a", 1)));
    }
}
