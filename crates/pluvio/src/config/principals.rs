//! `[principals.NAME]`: who is let in, and how far.
//!
//! The sections are kept while Pluvio runs, because their tokens and passwords may change on disk: a
//! table is made of them as often as that happens.

use std::{path::PathBuf, sync::Arc};

use pluvio_event::{Filter, Pattern};
use pluvio_net::{SecretError, SecretSource};
use pluvio_runtime::{AccessTable, Chain, Principal, Streams, Verb};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Problem, reader::Place};

/// A token that is shorter is a word, or was typed by hand.
const TOKEN_CHARS_MIN: usize = 16;

/// All sections, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Principals(Vec<(Place, PrincipalSection)>);

impl Principals {
    pub(super) fn push(&mut self, place: Place, section: PrincipalSection) {
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

    /// What may be and ought to be otherwise: tokens that can be guessed.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        let is_short = |token: &SecretSource| {
            token.resolve().is_ok_and(|token| token.expose().chars().count() < TOKEN_CHARS_MIN)
        };
        let of = |(place, section): &(Place, PrincipalSection)| {
            section.token.as_ref().filter(|token| is_short(token))?;
            let message = format!(
                "the token of principal `{}` is shorter than {TOKEN_CHARS_MIN} characters, so it could \
                 be guessed; make one with `openssl rand -hex 32`",
                place.name
            );
            Some(place.problem(Some("token"), message))
        };
        self.0.iter().filter_map(of).collect()
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
        let patterns = self.streams.iter().map(|text| Pattern::parse(text));
        let patterns =
            patterns.collect::<Result<_, _>>().map_err(|e| ("streams", e.to_string()))?;
        let principal = Arc::new(Principal {
            name: name.to_owned(),
            streams: Streams::Matching(patterns),
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
        let secret = |key, source: &SecretSource| match source.resolve() {
            Ok(secret) if secret.is_empty() => Err((key, "is empty".to_owned())),
            // No client could present it: neither HTTP nor SASL lets it through.
            Ok(secret) if secret.expose().contains(char::is_control) => Err((
                key,
                "holds a line end or another control character; write one line".to_owned(),
            )),
            resolved => resolved.map_err(|error: SecretError| (key, Chain(&error).to_string())),
        };
        if let Some(token) = &self.token {
            let added = table.add_bearer(secret("token", token)?.expose(), Arc::clone(&principal));
            added.map_err(|error| ("token", error.to_string()))?;
        }
        if let Some(password) = &self.password {
            table.add_password(secret("password", password)?.expose(), principal);
        }
        Ok(())
    }
}
