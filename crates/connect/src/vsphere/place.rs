//! Where this source stands in a vCenter's history, as each record carries it.
//!
//! The position is ours to read years later, so it is small JSON with words in it:
//! `{"of":"…","in":"…","uuid":"…","epoch":1,"key":63,"time":"…","last":"…","begin":"…"}`.

use std::fmt::Write as _;

use jiff::Timestamp;
use pluvio_log::{Position, PositionTooLong};
use pluvio_runtime::Resumable;
use serde::{Deserialize, Serialize};

use crate::mark::{mark_of, note_scope};

/// A place in one vCenter's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The [mark](mark_of) of the `source` attribute.
    of: String,
    /// The [mark](crate::mark::scope_of) of what the vCenter was asked for; `None` in positions of releases
    /// that did not write it.
    #[serde(rename = "in", default)]
    scope: Option<String>,
    /// `about.instanceUuid` of the vCenter that was read.
    pub(super) uuid: String,
    /// Which life of the keys this is, from 1: a restored or reinstalled vCenter uses keys again.
    pub(super) epoch: u32,
    /// The greatest key of all epochs. A greater one cannot have been stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) key: Option<i64>,
    /// Everything up to here was read, by the vCenter's clock; goes back only with [that](Self::set_back), also
    /// before the beginning.
    pub(super) time: Timestamp,
    /// When the newest stored event was created; `None` after a gap or a change of scope, when a re-list
    /// cannot be expected to show it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) last: Option<Timestamp>,
    /// No re-list reaches before this: what happened earlier was never ours to capture.
    pub(super) begin: Timestamp,
}

/// A position that is not one of ours, or of a version to come.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the stored position `{text}`")]
pub struct InvalidPlace {
    text: String,
    source: serde_json::Error,
}

/// What a position keeps of an instance UUID, so that a server that gives a novel for one costs
/// neither the capture nor, by being cut here and compared whole there, an epoch a connection.
pub(super) fn plain_uuid(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(36).collect()
}

impl Place {
    /// A first look at the events of this `source` attribute, at `begin`; `scope`: what is asked for.
    pub(super) fn first(source: &str, scope: &str, uuid: String, begin: Timestamp) -> Self {
        let (of, scope) = (mark_of(source), Some(scope.to_owned()));
        Self { of, scope, uuid, epoch: 1, key: None, time: begin, last: None, begin }
    }

    /// From now on, this is asked for; whether it was something else before. Then a re-list need not show what
    /// was stored last.
    pub(super) fn ask_for(&mut self, scope: &str) -> bool {
        let is_changed = note_scope(&mut self.scope, scope);
        if is_changed {
            self.last = None;
        }
        is_changed
    }

    /// Goes on in another stream, where nothing is stored: what happened before `begin` is not listed again.
    pub(super) fn leave_behind(&mut self, begin: Timestamp) {
        (self.last, self.begin) = (None, self.begin.max(begin));
    }

    /// As a record carries it: two marks, a UUID, two numbers and three times, about 235 bytes.
    pub(super) fn position(&self) -> Result<Position, PositionTooLong> {
        // Every record carries one: written by hand, which takes a third of the time.
        let mut text = String::with_capacity(Position::BYTES_MAX);
        text.push_str("{\"of\":\"");
        text.push_str(&self.of);
        if let Some(scope) = &self.scope {
            text.push_str("\",\"in\":\"");
            text.push_str(scope);
        }
        text.push_str("\",\"uuid\":\"");
        text.push_str(&plain_uuid(&self.uuid));
        let _infallible = write!(text, "\",\"epoch\":{}", self.epoch);
        if let Some(key) = self.key {
            let _infallible = write!(text, ",\"key\":{key}");
        }
        let _infallible = write!(text, ",\"time\":\"{}\"", self.time);
        if let Some(last) = self.last {
            let _infallible = write!(text, ",\"last\":\"{last}\"");
        }
        let _infallible = write!(text, ",\"begin\":\"{}\"}}", self.begin);
        Position::new(text)
    }

    /// Takes in an event that is stored. How far events were read is [another question](Self::read_up_to).
    pub(super) fn pass(&mut self, key: Option<i64>, time: Option<Timestamp>) {
        if let Some(key) = key {
            self.key = Some(self.key.map_or(key, |max| max.max(key)));
        }
        if let Some(time) = time {
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    /// Everything up to `time` was read.
    pub(super) fn read_up_to(&mut self, time: Option<Timestamp>) {
        self.time = time.map_or(self.time, |time| time.max(self.time));
    }

    /// Goes back to `to`, by a clock that was set back. When the newest stored event was created is kept
    /// unless that is later than `latest`, when nothing can have happened yet.
    pub(super) fn set_back(&mut self, to: Timestamp, latest: Timestamp) {
        (self.time, self.last) = (to, self.last.filter(|last| *last <= latest));
    }

    /// Begins another life of the keys. The greatest key stays: a re-list shows events of the
    /// earlier lives, too, and they must be looked up.
    pub(super) fn open_epoch(&mut self) {
        self.epoch += 1;
    }
}

impl Resumable for Place {
    type Error = InvalidPlace;

    fn parse(position: &Position) -> Result<Self, InvalidPlace> {
        let text = position.as_str();
        serde_json::from_str(text).map_err(|source| InvalidPlace { text: text.to_owned(), source })
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
        self.time
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const SCOPE: &str = "0a1b2c";

    #[test]
    fn a_position_without_a_scope_is_read_and_has_the_one_that_is_asked_for() {
        let old = r#"{"of":"0123456789abcdef","uuid":"u","epoch":1,"key":6,"time":"2026-11-20T04:17:06Z","last":"2026-11-20T04:17:05Z","begin":"2026-11-20T04:00:00Z"}"#;
        let mut place = Place::parse(&Position::new(old).unwrap()).unwrap();
        assert_eq!(place.position().unwrap().as_str(), old);
        assert!(!place.ask_for(SCOPE) && place.last.is_some());
        assert!(place.ask_for("another") && place.last.is_none());
    }

    #[test]
    fn the_longest_position_fits() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let end = at("9999-12-30T22:00:00.999999999Z");
        let mut place = Place::first("urn:a", SCOPE, "x".repeat(1000), end);
        place.pass(Some(i64::MIN), Some(end));
        place.epoch = u32::MAX;
        assert_eq!(Place::parse(&place.position().unwrap()).unwrap().last, Some(end));
    }

    #[test]
    fn a_position_is_read_back_as_it_was() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let first =
            Place::first("urn:a", SCOPE, "524c-x".into(), at("2026-11-20T04:17:06.007764Z"));
        let mut later = first.clone();
        later.pass(Some(-2_147_483_648), Some(at("2026-11-20T05:00:00.123456789Z")));
        later.open_epoch();
        for place in [first, later] {
            assert_eq!(Place::parse(&place.position().unwrap()).unwrap(), place);
        }
    }

    #[test]
    fn a_hostile_uuid_still_gives_a_position_that_fits() {
        let place = Place::first("urn:a", SCOPE, "\"\\ü".repeat(1000), Timestamp::UNIX_EPOCH);
        assert_eq!(Place::parse(&place.position().unwrap()).unwrap().uuid, "");
    }
}
