//! `[principals.NAME]`: who is let in, and how far.
//!
//! The sections are kept while Pluvio runs, because their tokens and passwords may change on disk. At the
//! start all of them must be usable. Later each stands for itself: a file that cannot be used keeps its
//! principal at the previous secret, and nobody else at a revoked one.

use std::{path::PathBuf, sync::Arc};

use pluvio_event::{Filter, Pattern};
use pluvio_runtime::{AccessTable, Chain, Principal, Streams, Verb};
use pluvio_secret::{Secret, SecretSource};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Problem, section_spans::SectionSpans};

/// A token that is shorter is a word, or was typed by hand.
const TOKEN_CHARS_MIN: usize = 16;

/// All sections, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Principals(Vec<(SectionSpans, PrincipalSection)>);

/// A secret that could not be read again.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Whose it is.
    pub(crate) principal: String,
    pub(crate) problem: Problem,
}

impl Principals {
    pub(super) fn push(&mut self, place: SectionSpans, section: PrincipalSection) {
        self.0.push((place, section));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether everybody must say who they are.
    pub(crate) fn demand_authentication(&self) -> bool {
        !self.0.is_empty()
    }

    /// Reads all tokens and passwords now. Open to all if nobody is named.
    pub(crate) fn table(&self) -> Result<AccessTable, Vec<Problem>> {
        if self.0.is_empty() {
            return Ok(AccessTable::open());
        }
        let (mut table, mut problems) = (AccessTable::closed(), Vec::new());
        for (place, section) in &self.0 {
            if let Err((key, message)) = section.add_to(&place.name, &mut table) {
                problems.push(place.problem(Some(key), format!("`{key}`: {message}")));
            }
        }
        if problems.is_empty() { Ok(table) } else { Err(problems) }
    }

    /// Reads all tokens and passwords again, for `before`, which was made of the same sections. A secret
    /// that cannot be used now stays what it was, and what is wrong with it is told; all others are
    /// replaced.
    pub(crate) fn renewed(&self, before: &AccessTable) -> (AccessTable, Vec<Kept>) {
        let (mut table, mut problems, mut tokens) = (before.clone(), Vec::new(), Vec::new());
        let mut kept = |place: &SectionSpans, key: &str, message: String| {
            let name = &place.name;
            let message = format!(
                "`{key}` of principal `{name}`: {message}; its previous {key} stays valid until this is \
                 mended"
            );
            let problem = place.problem(Some(key), message);
            problems.push(Kept { principal: name.clone(), problem });
        };
        for (place, section) in &self.0 {
            if let Some(token) = &section.token {
                match usable_token(token) {
                    Ok(token) => tokens.push((place, token)),
                    Err(message) => kept(place, "token", message),
                }
            }
            if let Some(password) = &section.password {
                match usable(password) {
                    Ok(password) => table.replace_password(&place.name, password.expose()),
                    Err(message) => kept(place, "password", message),
                }
            }
        }
        let tokens_now: Vec<_> =
            tokens.iter().map(|(place, token)| (place.name.as_str(), token.expose())).collect();
        for (name, same) in table.replace_tokens(&tokens_now) {
            if let Some((place, _)) = tokens.iter().find(|(place, _)| place.name == name) {
                kept(place, "token", same.to_string());
            }
        }
        (table, problems)
    }

    /// What may be and ought to be otherwise: tokens that can be guessed, and principals that may do nothing.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        let is_short = |token: &SecretSource| {
            token.resolve().is_ok_and(|token| token.expose().chars().count() < TOKEN_CHARS_MIN)
        };
        let of = |(place, section): &(SectionSpans, PrincipalSection)| {
            section.token.as_ref().filter(|token| is_short(token))?;
            let message = format!(
                "the token of principal `{}` is shorter than {TOKEN_CHARS_MIN} characters, so it could \
                 be guessed; make one with `openssl rand -hex 32`",
                place.name
            );
            Some(place.problem(Some("token"), message))
        };
        let short = self.0.iter().filter_map(of);
        let useless = self.0.iter().filter(|(_, section)| section.may_do_nothing()).map(|(place, _)| {
            let message = format!(
                "principal `{}` may do nothing: its only verb is `status`, which counts only without \
                 a `filter` and with all `streams`; leave them out",
                place.name
            );
            place.problem(Some("verbs"), message)
        });
        short.chain(useless).collect()
    }

    /// The files that tokens and passwords are read from.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let secrets = self.0.iter().flat_map(|(_, section)| [&section.token, &section.password]);
        let file = |secret: &Option<SecretSource>| match secret {
            Some(SecretSource::File(path)) => Some(path.clone()),
            _ => None,
        };
        secrets.filter_map(file).collect()
    }
}

/// Someone who may connect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrincipalSection {
    /// Bearer token that it presents.
    pub(crate) token: Option<SecretSource>,
    /// Password that it presents; the user name is the section's name.
    pub(crate) password: Option<SecretSource>,
    /// Streams that it sees: names, or beginnings followed by `*`. At least one, unless its only verb is
    /// `status`.
    #[serde(default = "all")]
    pub(crate) streams: Vec<String>,
    /// What it may do: `read`, `write`, `status`.
    #[serde(default = "read")]
    pub(crate) verbs: Vec<Verb>,
    /// CEL expression that every event it reads must satisfy, for example `account == "acme"`.
    pub(crate) filter: Option<String>,
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

fn read() -> Vec<Verb> {
    vec![Verb::Read]
}

/// Why a principal cannot be: the key and the reason.
pub(crate) type KeyError = (&'static str, String);

impl PrincipalSection {
    /// Whether it only holds `status`, which it cannot have.
    fn may_do_nothing(&self) -> bool {
        let is_held = self.filter.is_some()
            || !(self.streams.is_empty() || self.streams.iter().any(|stream| stream == "*"));
        is_held && !self.verbs.is_empty() && self.verbs.iter().all(|verb| *verb == Verb::Status)
    }

    /// Lets the principal called `name` in.
    pub(crate) fn add_to(&self, name: &str, table: &mut AccessTable) -> Result<(), KeyError> {
        let mut filter = Filter::default();
        if let Some(cel) = &self.filter {
            filter = filter.and_expression(cel).map_err(|e| ("filter", e.to_string()))?;
        }
        let asks_for_streams = self.verbs.iter().any(|verb| *verb != Verb::Status);
        if self.streams.is_empty() && asks_for_streams {
            let wrong = "is empty, so nothing could be read; name streams, such as [\"events\"], or \
                         write [\"*\"] for all";
            return Err(("streams", wrong.to_owned()));
        }
        if let Some(text) =
            self.streams.iter().find(|text| text.is_empty() || text.starts_with("__"))
        {
            let wrong =
                format!("`{text}` is no stream that can be read; write a name, or `*` for all");
            return Err(("streams", wrong));
        }
        let patterns = self.streams.iter().map(|text| Pattern::parse(text));
        let patterns: Vec<_> =
            patterns.collect::<Result<_, _>>().map_err(|e| ("streams", e.to_string()))?;
        // Who reads nothing is held to no streams, and sees the status of all.
        let streams = if patterns.is_empty() { Streams::All } else { Streams::Matching(patterns) };
        let principal = Arc::new(Principal {
            name: name.to_owned(),
            streams,
            verbs: self.verbs.iter().copied().collect(),
            filter,
        });
        if self.password.is_some() && name.contains(':') {
            let wrong =
                "a name with `:` cannot log in with a password; use `token`, or another name";
            return Err(("password", wrong.to_owned()));
        }
        if self.verbs.is_empty() {
            return Err(("verbs", "give at least one of `read`, `write`, `status`".to_owned()));
        }
        if self.token.is_none() && self.password.is_none() {
            return Err(("token", "set `token` or `password`: nobody could be this".to_owned()));
        }
        if let Some(token) = &self.token {
            let token = usable_token(token).map_err(|message| ("token", message))?;
            let added = table.add_bearer(token.expose(), Arc::clone(&principal));
            added.map_err(|error| ("token", error.to_string()))?;
        }
        if let Some(password) = &self.password {
            let password = usable(password).map_err(|message| ("password", message))?;
            table.add_password(password.expose(), principal);
        }
        Ok(())
    }
}

/// Reads a token now, or says why no client could present it.
fn usable_token(source: &SecretSource) -> Result<Secret, String> {
    let token = usable(source)?;
    match token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token),
        false => {
            Err("holds a blank or a letter beyond ASCII, which the header of a request does not \
                      carry; write letters, digits and signs"
                .to_owned())
        }
    }
}

/// Reads a token or password now, or says why no client could present it.
fn usable(source: &SecretSource) -> Result<Secret, String> {
    match source.resolve() {
        Ok(secret) if secret.is_empty() => Err("is empty".to_owned()),
        // Neither HTTP nor SASL lets it through.
        Ok(secret) if secret.expose().contains(char::is_control) => {
            Err("holds a line end or another control character; write one line".to_owned())
        }
        resolved => resolved.map_err(|error| Chain(&error).to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::path::Path;

    use pluvio_runtime::Credential;

    use super::*;

    /// Principals whose tokens are files called as they are, and `p` with a password in `p.password`.
    fn principals(folder: &Path, names: &[&str]) -> Principals {
        let section = |key: &str, file: &str| {
            let path = folder.join(file);
            toml::from_str(&format!("{key} = {{ file = {path:?} }}")).unwrap()
        };
        let mut principals = Principals::default();
        let place = |name: &str| SectionSpans { name: name.to_owned(), keys: Default::default() };
        for name in names {
            principals.push(place(name), section("token", name));
        }
        principals.push(place("p"), section("password", "p.password"));
        principals
    }

    fn who(table: &AccessTable, token: &str) -> Option<String> {
        Some(table.authenticate(Credential::Bearer(token)).ok()?.name.clone())
    }

    #[test]
    fn who_only_holds_status_needs_no_streams_and_sees_status_without_any() {
        let principal = |keys: &str| {
            let mut table = AccessTable::closed();
            let section: PrincipalSection =
                toml::from_str(&format!("token = \"t\"\n{keys}")).unwrap();
            section.add_to("prometheus", &mut table).unwrap();
            table.authenticate(Credential::Bearer("t")).unwrap()
        };
        for streams in ["", "streams = []", "streams = [\"*\"]"] {
            let scraper = principal(&format!("verbs = [\"status\"]\n{streams}"));
            assert!(scraper.may_see_status() && !scraper.reads(), "{streams}");
        }
        let held = principal("verbs = [\"status\"]\nstreams = [\"events\"]");
        assert!(!held.may_see_status());
    }

    #[test]
    fn a_file_that_cannot_be_used_keeps_its_own_principal_back_and_nobody_else() {
        let folder = std::env::temp_dir().join(format!("pluvio-renewed-of-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        for name in ["a", "b", "c", "d", "p.password"] {
            write(name, &format!("old-{name}"));
        }
        let principals = principals(&folder, &["a", "b", "c", "d"]);
        let before = principals.table().unwrap();
        std::fs::remove_file(folder.join("a")).unwrap();
        write("b", "new-b\n");
        write("c", "\n");
        write("d", "one\ntwo");
        write("p.password", "new-p");

        let (table, problems) = principals.renewed(&before);
        let told: Vec<_> = problems.iter().map(|kept| kept.problem.message.as_str()).collect();
        assert_eq!(told.len(), 3, "{told:#?}");
        for (told, name) in told.iter().zip(["a", "c", "d"]) {
            assert!(told.starts_with(&format!("`token` of principal `{name}`: ")), "{told}");
            assert!(told.contains("its previous token stays valid"), "{told}");
            assert_eq!(who(&table, &format!("old-{name}")).as_deref(), Some(name));
        }
        assert_eq!((who(&table, "new-b").as_deref(), who(&table, "old-b")), (Some("b"), None));
        let logs_in =
            |password| table.authenticate(Credential::Basic { user: "p", password }).is_ok();
        assert!(logs_in("new-p") && !logs_in("old-p.password"));
        assert!(principals.table().is_err(), "at the start all must be usable");

        // Once they are mended, nobody is let in with what was replaced.
        for name in ["a", "c", "d"] {
            write(name, &format!("new-{name}"));
        }
        std::fs::remove_file(folder.join("p.password")).unwrap();
        let (table, problems) = principals.renewed(&table);
        assert_eq!(problems.len(), 1, "{problems:?}");
        for name in ["a", "b", "c", "d"] {
            assert_eq!(who(&table, &format!("new-{name}")).as_deref(), Some(name));
            assert_eq!(who(&table, &format!("old-{name}")), None);
        }
        assert!(table.authenticate(Credential::Basic { user: "p", password: "new-p" }).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_token_that_two_files_hold_is_given_to_neither_and_both_are_told() {
        let folder = std::env::temp_dir().join(format!("pluvio-equal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        for name in ["a", "b", "c", "p.password"] {
            write(name, &format!("old-{name}"));
        }
        let principals = principals(&folder, &["a", "b", "c"]);
        let before = principals.table().unwrap();
        for (name, token) in [("a", "same"), ("b", "same"), ("c", "new-c")] {
            write(name, token);
        }
        let (table, problems) = principals.renewed(&before);
        assert_eq!(who(&table, "same"), None);
        for (token, name) in [("old-a", "a"), ("old-b", "b"), ("new-c", "c")] {
            assert_eq!(who(&table, token).as_deref(), Some(name));
        }
        let told: Vec<_> = problems.iter().map(|kept| kept.problem.message.as_str()).collect();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told[0].contains("also that of principal `b`"), "{told:#?}");
        assert!(told[1].contains("also that of principal `a`"), "{told:#?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
