//! Where usage stands, as each record carries it:
//! `{"v":2,"of":"…","in":"…","tick":"…","records":"…","begin":"…","seen":["…"]}`.
//!
//! `seen` names offerings that later ticks tell as 0. A position has 256 bytes, so the names that
//! are gone already come first, and those that do not fit are forgotten by a restart.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pluvio_log::{Position, PositionTooLong};
use pluvio_runtime::Resumable;
use serde::{Deserialize, Serialize};

use super::super::place::{InvalidPlace, read};
use crate::inbound::mark::mark_of;

/// What is written and read.
const VERSION: u32 = 2;

/// A place in one cloud's usage, by its clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    v: u32,
    /// The [mark](mark_of) of the `source` attribute.
    of: String,
    /// The [mark](crate::inbound::mark::scope_of) of what the cloud was asked for, and as whom; `None` in positions of
    /// releases that did not write it.
    #[serde(rename = "in", default)]
    scope: Option<String>,
    /// The newest tick that was taken, or passed.
    pub(super) tick: Timestamp,
    /// Records were listed up to here.
    pub(super) records: Timestamp,
    /// No record whose window began before is listed.
    pub(super) begin: Timestamp,
    /// Offerings told before, those that are gone first.
    #[serde(default)]
    pub(super) seen: Vec<String>,
}

impl Place {
    /// A first look at the usage of this `source` attribute; `scope`: what is asked for.
    pub(super) fn first(source: &str, scope: &str, tick: Timestamp, begin: Timestamp) -> Self {
        let (of, scope) = (mark_of(source), Some(scope.to_owned()));
        Self { v: VERSION, of, scope, tick, records: begin, begin, seen: Vec::new() }
    }

    /// From now on, this is asked for.
    pub(super) fn ask_for(&mut self, scope: &str) {
        self.scope = Some(scope.to_owned());
    }

    /// As a record carries it; with as many names as fit.
    pub(super) fn position(&self) -> Result<Position, PositionTooLong> {
        let Self { v, of, scope, tick, records, begin, seen } = self;
        let scope = scope.as_ref().map(|scope| format!(",\"in\":\"{scope}\"")).unwrap_or_default();
        let mut text = format!(
            "{{\"v\":{v},\"of\":\"{of}\"{scope},\"tick\":\"{tick}\",\"records\":\"{records}\",\"begin\":\"{begin}\",\"seen\":["
        );
        let mut is_first = true;
        for name in seen {
            let name = serde_json::Value::from(name.as_str()).to_string();
            if text.len() + name.len() + "],}".len() <= Position::BYTES_MAX {
                text.push_str(if is_first { "" } else { "," });
                text.push_str(&name);
                is_first = false;
            }
        }
        text.push_str("]}");
        Position::new(text)
    }

    /// Notes the names to come: `gone` are told as 0 now.
    pub(super) fn see(&mut self, gone: BTreeSet<String>, there: impl Iterator<Item = String>) {
        self.seen = gone.into_iter().chain(there).collect();
    }
}

impl Resumable for Place {
    type Error = InvalidPlace;

    fn parse(position: &Position) -> Result<Self, InvalidPlace> {
        read(position, VERSION)
    }

    fn mark(&self) -> &str {
        &self.of
    }

    fn is_of(&self, source: &str) -> bool {
        self.of == mark_of(source)
    }

    fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    fn time(&self) -> Timestamp {
        self.tick.max(self.records)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_position_is_read_back_with_as_many_names_as_fit() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut place = Place::first("urn:a", "0a1b2c", at(1_792_886_400), at(1_792_886_400));
        assert_eq!(Place::parse(&place.position().unwrap()).unwrap(), place);
        place.seen =
            ["Small \"Instance\"".to_owned(), "x".repeat(300), "t1.micro".to_owned()].into();
        let read = Place::parse(&place.position().unwrap()).unwrap();
        assert_eq!(read.seen, ["Small \"Instance\"", "t1.micro"]);
    }
}
