//! A string which cannot be printed by accident.
//!
//! Invariant 7 of the design says that secrets never reach a log line, an error, an event, a
//! metric or an answer. A rule that people must remember is broken sooner or later, so the type
//! has no `Display`, no `Serialize`, and a `Debug` which says nothing; [`Secret::expose`] is the one
//! door, and a search for that word finds every use.
//!
//! It does not wipe memory: the value lives in request buffers and TLS records as well, so a
//! wiped copy here would promise more than it keeps.

use std::fmt;

use crate::known;

/// A value that may be used but not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value. It is not searched for in what is shown: [`SecretSource`](crate::SecretSource) sees to
    /// that when it is read.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// Wraps what a server gave out, such as the key of a session, and searches for it from now on.
    /// `server`: which one, by its address.
    pub fn passing(server: &str, value: impl Into<String>) -> Secret {
        let value = value.into();
        known::note_passing(server, &value);
        Secret(value)
    }

    /// The value itself: to be put into a request, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_exposed_only_on_request() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "hunter2");
    }
}
