//! The parameters of one command.
//!
//! Each name stands once: the server takes the first or the last of two, by version, and signs
//! neither as we would. Names compare without case, as the server's do, and are sent as written,
//! for keys of maps (`details[0].cpuNumber`) are mixed.

use std::fmt;

/// Names and values, in the order they were given.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// No parameters.
    pub fn new() -> Params {
        Params::default()
    }

    /// With a parameter; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Params {
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// With a parameter, if there is a value.
    #[must_use]
    pub fn with_some<V: Into<String>>(self, name: &str, value: Option<V>) -> Params {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With `name=true`, if so; else the server's default, which is `false` for all we send.
    #[must_use]
    pub(super) fn with_flag(self, name: &str, flag: bool) -> Params {
        if flag { self.with(name, "true") } else { self }
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Names only: values may be passwords.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}
