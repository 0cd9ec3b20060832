//! Where this source stands in a vCenter's history, as each record carries it.
//!
//! The position is ours to read years later, so it is small JSON with words in it:
//! `{"of":"…","in":"…","uuid":"…","epoch":2,"key":63,"own":12,"time":"…","last":"…","begin":"…"}`.

use std::fmt::Write as _;

use jiff::Timestamp;
use pluvio_log::{Position, PositionTooLong};
use pluvio_runtime::Resumable;
use serde::{Deserialize, Serialize};

use crate::inbound::mark::{mark_of, note_scope};

/// Below each key, which has 32 bits.
const NO_KEY: i64 = i32::MIN as i64 - 1;

/// A place in one vCenter's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The [mark](mark_of) of the `source` attribute.
    of: String,
    /// The [mark](crate::inbound::mark::scope_of) of what the vCenter was asked for; `None` in positions of releases
    /// that did not write it.
    #[serde(rename = "in", default)]
    scope: Option<String>,
    /// `about.instanceUuid` of the vCenter that was read.
    pub(super) uuid: String,
    /// Which life of the keys this is, from 1: a restored or reinstalled vCenter uses keys again.
    pub(super) epoch: u16,
    /// The greatest key of all epochs. A greater one cannot have been stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) key: Option<i64>,
    /// The greatest key of this epoch that was read, and not only swept: a sweep shows the newest day while others
    /// are caught up with. `None` where that is `key`, [`NO_KEY`] where there is none yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    own: Option<i64>,
    /// Everything up to here was read, by the vCenter's clock, to the millisecond; goes back only with
    /// [that](Self::set_back), also before the beginning.
    pub(super) time: Timestamp,
    /// When the newest stored event was created; `None` after a gap or a change of scope, when a re-list
    /// cannot be expected to show it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) last: Option<Timestamp>,
    /// No re-list reaches before this: what happened earlier was never ours to capture. To the millisecond.
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
        let (of, scope, begin) =
            (mark_of(source), Some(scope.to_owned()), to_the_millisecond(begin));
        Self { of, scope, uuid, epoch: 1, key: None, own: None, time: begin, last: None, begin }
    }

    /// Takes in that events were read before, up to `other`: their keys are looked up, in whatever epoch they are,
    /// and their order says nothing of what is listed again. Those of another vCenter are of an epoch before.
    pub(super) fn read_before_as(&mut self, other: &Self) {
        let is_another = other.uuid != self.uuid && !other.uuid.is_empty() && !self.uuid.is_empty();
        self.epoch = self.epoch.max(other.epoch.saturating_add(is_another.into()));
        (self.key, self.own) = (self.key.max(other.key), Some(NO_KEY));
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
        (self.last, self.begin) = (None, self.begin.max(to_the_millisecond(begin)));
    }

    /// Begins anew at `begin`, as if nothing had been captured.
    pub(super) fn begin_at(&mut self, begin: Timestamp) {
        let begin = to_the_millisecond(begin);
        (self.begin, self.time, self.last) = (begin, begin, None);
    }

    /// The greatest key of this epoch that was read, if it has one yet.
    pub(super) fn own_key(&self) -> Option<i64> {
        self.own.or(self.key).filter(|own| *own > NO_KEY)
    }

    /// As a record carries it: two marks, a UUID, two or three numbers and three times, about 235 bytes.
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
        if let Some(own) = self.own {
            let _infallible = write!(text, ",\"own\":{own}");
        }
        let _infallible = write!(text, ",\"time\":\"{}\"", self.time);
        if let Some(last) = self.last {
            let _infallible = write!(text, ",\"last\":\"{last}\"");
        }
        let _infallible = write!(text, ",\"begin\":\"{}\"}}", self.begin);
        Position::new(text)
    }

    /// Takes in an event that is stored; `is_swept`: not by the listing that is read on and on. How far events were
    /// read is [another question](Self::read_up_to).
    pub(super) fn pass(&mut self, key: Option<i64>, time: Option<Timestamp>, is_swept: bool) {
        if let Some(key) = key {
            let own = self.own.or(self.key).unwrap_or(NO_KEY);
            let is_read = !is_swept && i32::try_from(key).is_ok();
            let own = if is_read { own.max(key) } else { own };
            self.key = Some(self.key.map_or(key, |max| max.max(key)));
            self.own = Some(own).filter(|_| self.key != Some(own));
        }
        if let Some(time) = time {
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    /// Everything up to `time` was read.
    pub(super) fn read_up_to(&mut self, time: Option<Timestamp>) {
        self.time = time.map_or(self.time, |time| to_the_millisecond(time).max(self.time));
    }

    /// Goes back to `to`, by a clock that was set back. When the newest stored event was created is kept
    /// unless that is later than `latest`, when nothing can have happened yet.
    pub(super) fn set_back(&mut self, to: Timestamp, latest: Timestamp) {
        (self.time, self.last) = (to_the_millisecond(to), self.last.filter(|last| *last <= latest));
    }

    /// Begins another life of the keys. The greatest key of all stays: a re-list shows events of the
    /// earlier lives, too, and they must be looked up.
    pub(super) fn open_epoch(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        self.own = Some(NO_KEY);
    }
}

/// The same or a little earlier, in fewer letters.
fn to_the_millisecond(time: Timestamp) -> Timestamp {
    let nanoseconds = time.subsec_nanosecond();
    Timestamp::new(time.as_second(), nanoseconds - nanoseconds % 1_000_000).unwrap_or(time)
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
        place.pass(Some(i64::MIN), Some(end), false);
        place.epoch = u16::MAX - 1;
        place.open_epoch();
        assert_eq!(Place::parse(&place.position().unwrap()).unwrap().last, Some(end));
    }

    #[test]
    fn a_position_is_read_back_as_it_was() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let first =
            Place::first("urn:a", SCOPE, "524c-x".into(), at("2026-11-20T04:17:06.007764Z"));
        let mut later = first.clone();
        later.pass(Some(2_147_483_647), Some(at("2026-11-20T05:00:00.123456789Z")), false);
        let mut restored = later.clone();
        restored.open_epoch();
        let mut went_on = restored.clone();
        went_on.pass(Some(-2_147_483_648), None, false);
        let keys = [&first, &later, &restored, &went_on].map(Place::own_key);
        assert_eq!(keys, [None, Some(2_147_483_647), None, Some(-2_147_483_648)]);
        for place in [first, later, restored, went_on] {
            assert_eq!(Place::parse(&place.position().unwrap()).unwrap(), place);
        }
    }

    #[test]
    fn a_hostile_uuid_still_gives_a_position_that_fits() {
        let place = Place::first("urn:a", SCOPE, "\"\\ü".repeat(1000), Timestamp::UNIX_EPOCH);
        assert_eq!(Place::parse(&place.position().unwrap()).unwrap().uuid, "");
    }
}
