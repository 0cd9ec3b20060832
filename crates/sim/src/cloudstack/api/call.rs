//! One call, its parameters, and what can be answered.

use std::collections::HashMap;

use serde_json::Value;

use super::table::Command;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::Role;
use crate::cloudstack::version::Version;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: usize,
    pub(crate) user: usize,
}

/// A command with its parameters; names are lower case.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) command: &'static Command,
    pub(crate) caller: Caller,
    pub(crate) version: Version,
    pub(crate) parameters: &'a HashMap<String, String>,
}

/// What a command answers, inside the envelope.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A list under the name of its objects; `count` is what the answer claims.
    List { object: &'static str, rows: Vec<Value>, count: usize },
    /// A list that is JSON already, with the number of its rows.
    Text { json: String, rows: usize },
    /// An object.
    Object(Value),
}

/// An answer that is an error; the HTTP status is its code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl ApiError {
    pub(crate) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// The credentials, whatever is wrong with them.
    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "unable to verify user credentials and/or request signature")
    }

    /// A parameter is wrong.
    pub(crate) fn parameter(text: impl Into<String>) -> Self {
        Self::new(431, text)
    }
}

impl Call<'_> {
    /// A parameter's text. One that is empty counts as absent, and so does one that the table of
    /// commands does not name for this release.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let text = self.parameters.get(name).map(String::as_str)?;
        (!text.is_empty() && self.command.takes(name, self.version)).then_some(text)
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| {
            let command = self.command.name.to_ascii_lowercase();
            let text =
                format!("Unable to execute API command {command} due to missing parameter {name}");
            ApiError::parameter(text)
        })
    }

    /// A truth value; everything but `true` is false.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| self.invalid(name, text))
    }

    /// The index of what a parameter identifies, in a list of identifiers.
    pub(crate) fn index_of(
        &self,
        name: &str,
        mut ids: impl Iterator<Item = impl ToString>,
    ) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let place = ids.position(|id| id.to_string().eq_ignore_ascii_case(text));
        place.map(Some).ok_or_else(|| self.invalid(name, text))
    }

    /// As [`index_of`](Self::index_of), of a parameter that must be there.
    pub(crate) fn index_required(
        &self,
        name: &str,
        ids: impl Iterator<Item = impl ToString>,
    ) -> Result<usize, ApiError> {
        let text = self.required(name)?;
        self.index_of(name, ids)?.ok_or_else(|| self.invalid(name, text))
    }

    /// The error about a value that is of the wrong form, or identifies nothing.
    pub(crate) fn invalid(&self, name: &str, value: &str) -> ApiError {
        let command = self.command.name.to_ascii_lowercase();
        ApiError::parameter(format!(
            "Unable to execute API command {command} due to invalid value. Invalid parameter \
             {name} value={value} due to incorrect long value format, or entity does not exist or \
             due to incorrect parameter annotation for the field in api cmd class."
        ))
    }

    pub(crate) fn role(&self, cloud: &Cloud) -> Role {
        cloud.directory.accounts[self.caller.account].role
    }

    /// Whether the caller is an admin of the whole cloud or of a domain.
    pub(crate) fn is_admin(&self, cloud: &Cloud) -> bool {
        matches!(self.role(cloud), Role::Admin | Role::DomainAdmin)
    }
}
