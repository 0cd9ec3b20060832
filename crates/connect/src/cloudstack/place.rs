//! Where this source stands in a CloudStack's history, as each record carries it.
//!
//! The position is ours to read years later, so it is small JSON with words in it:
//! `{"v":2,"of":"…","in":"…","time":"…","last":"…","begin":"…","begun":"…"}`. There is no number that grows and no id of
//! the cloud to put into it: CloudStack tells neither.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pluvio_log::{Position, PositionTooLong};
use pluvio_runtime::Resumable;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{clock::UNTOLD_S, span::at};
use crate::inbound::mark::{mark_of, note_scope};

/// What is written and read; another version is refused rather than guessed at.
const VERSION: u32 = 2;

/// A place in one CloudStack's history, by its clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The version of this format.
    v: u32,
    /// The [mark](mark_of) of the `source` attribute.
    of: String,
    /// The [mark](crate::inbound::mark::scope_of) of what the cloud was asked for, and as whom; `None` in positions of
    /// releases that did not write it.
    #[serde(rename = "in", default)]
    scope: Option<String>,
    /// Everything that was listed up to here was read; never goes back.
    pub(super) time: Timestamp,
    /// When the newest stored event was created; `None` after a gap or a change of scope, when a re-list
    /// cannot be expected to show it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) last: Option<Timestamp>,
    /// No re-list reaches before this: what happened earlier was never ours to capture.
    pub(super) begin: Timestamp,
    /// When the first look was, by our clock: what tells how long ago that was where the cloud's clock went back
    /// behind `begin`. `None` in positions of releases that did not write it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    begun: Option<Timestamp>,
}

/// How `begin` lies to the cloud's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Before now.
    Right,
    /// Ahead: it was taken from a clock that was wrong, or the clock fell back a little since.
    Ahead,
    /// Ahead of a clock that fell back by more than is followed.
    LongPast,
}

/// A position that is not one of ours, or of a version to come.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPlace {
    /// It is not written like one.
    #[error("failed to read the stored position `{text}`")]
    Text {
        /// What is stored.
        text: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It was written by a newer Pluvio.
    #[error("stored position has version {found}; this Pluvio reads {version}")]
    Version {
        /// Its version.
        found: u32,
        /// The one that is read.
        version: u32,
    },
}

impl Place {
    /// A first look at the events of this `source` attribute, at `begin`: a whole second, as events have.
    /// `scope`: what is asked for.
    pub(super) fn first(source: &str, scope: &str, begin: Timestamp) -> Self {
        let (of, scope, begin) = (mark_of(source), Some(scope.to_owned()), at(begin.as_second()));
        let begun = Some(at(Timestamp::now().as_second()));
        Self { v: VERSION, of, scope, time: begin, last: None, begin, begun }
    }

    /// How long ago the first look was, by our clock; `None`: that cannot be told, for our clock is behind it.
    pub(super) fn age(&self) -> Option<Duration> {
        let age =
            self.begun.map_or(SignedDuration::ZERO, |begun| Timestamp::now().duration_since(begun));
        Duration::try_from(age).ok()
    }

    /// Judges `begin`, where an event can have happened up to `latest` by the cloud's clock. A clock that fell back
    /// by more than a quarter of an hour is not followed: what is dated so cannot be told from history, and behind
    /// a beginning that lies in the past all of that would be ours once the clock is right again.
    pub(super) fn judged(&self, latest: Timestamp, overlap_s: i64) -> Beginning {
        let ahead_s = self.begin.as_second() - latest.as_second();
        if ahead_s <= 0 {
            return Beginning::Right;
        }
        let was_ahead = self.begin.as_second() > Timestamp::now().as_second() + overlap_s;
        let is_young =
            self.age().is_none_or(|age| age <= Duration::from_secs(UNTOLD_S.unsigned_abs()));
        match was_ahead || (is_young && ahead_s <= UNTOLD_S) {
            true => Beginning::Ahead,
            false => Beginning::LongPast,
        }
    }

    /// The first look was at `begin`, and nothing was read since.
    pub(super) fn begin_anew(&mut self, begin: Timestamp) {
        let begin = at(begin.as_second());
        (self.begin, self.time, self.last) = (begin, begin, None);
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
        (self.last, self.begin) = (None, self.begin.max(at(begin.as_second())));
    }

    /// As a record carries it: a number, two marks and four times, at most some 210 bytes.
    pub(super) fn position(&self) -> Result<Position, PositionTooLong> {
        let last = self.last.map(|last| format!(",\"last\":\"{last}\"")).unwrap_or_default();
        let scope =
            self.scope.as_ref().map(|scope| format!(",\"in\":\"{scope}\"")).unwrap_or_default();
        let begun = self.begun.map(|begun| format!(",\"begun\":\"{begun}\"")).unwrap_or_default();
        let Self { v, of, time, begin, .. } = self;
        Position::new(format!(
            "{{\"v\":{v},\"of\":\"{of}\"{scope},\"time\":\"{time}\"{last},\"begin\":\"{begin}\"{begun}}}"
        ))
    }

    /// Moves behind an event that was created then. `now` bounds it: a management server whose
    /// clock is ahead must not take us into the future.
    pub(super) fn pass(&mut self, created: Timestamp, now: Timestamp) {
        self.time = self.time.max(created.min(now));
        self.last = Some(self.last.map_or(created, |last| last.max(created)).min(self.time));
    }

    /// Whether anything was read since the first look: events, or that there are none.
    pub(super) fn was_read(&self) -> bool {
        self.last.is_some() || self.time > self.begin
    }

    /// Moves to a time up to which everything was read.
    pub(super) fn reach(&mut self, time: Timestamp) {
        self.time = self.time.max(time);
    }
}

/// Reads a position that has this version.
pub(super) fn read<P: DeserializeOwned>(
    position: &Position,
    version: u32,
) -> Result<P, InvalidPlace> {
    /// Read first, because a newer version may have other fields.
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let text = position.as_str();
    let wrong = |source| InvalidPlace::Text { text: text.to_owned(), source };
    let Versioned { v } = serde_json::from_str(text).map_err(wrong)?;
    if v != version {
        return Err(InvalidPlace::Version { found: v, version });
    }
    serde_json::from_str(text).map_err(wrong)
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
        self.time
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_position_is_read_back_as_it_was() {
        let first = Place::first("urn:a", "0a1b2c", time("2026-11-20T04:17:06.007764Z"));
        let mut later = first.clone();
        later.pass(time("2026-11-20T05:00:00Z"), Timestamp::MAX);
        let mut longest = Place::first("urn:a", "0a1b2c", Timestamp::MIN);
        longest.pass(time("-009998-11-20T05:00:00.123456789Z"), Timestamp::MAX);
        for place in [first, later, longest] {
            assert_eq!(Place::parse(&place.position().unwrap()).unwrap(), place);
        }
    }

    #[test]
    fn a_position_without_a_scope_is_read_and_has_the_one_that_is_asked_for() {
        let old = r#"{"v":2,"of":"0123456789abcdef","time":"2026-11-20T04:17:06Z","last":"2026-11-20T04:17:05Z","begin":"2026-11-20T04:00:00Z"}"#;
        let mut place = Place::parse(&Position::new(old).unwrap()).unwrap();
        assert_eq!(place.position().unwrap().as_str(), old);
        assert!(!place.ask_for("0a1b2c") && place.last.is_some());
        assert!(place.ask_for("another") && place.last.is_none());
    }

    #[test]
    fn a_position_of_a_version_to_come_is_refused_by_its_number() {
        let position = Position::new(r#"{"v":3,"cursor":"x"}"#).unwrap();
        let error = Place::parse(&position).unwrap_err();
        assert_eq!(error.to_string(), "stored position has version 3; this Pluvio reads 2");
    }

    #[test]
    fn an_event_from_a_clock_that_is_ahead_does_not_move_the_place_into_the_future() {
        let mut place = Place::first("urn:a", "0a1b2c", time("2026-11-20T04:00:00Z"));
        place.pass(time("2026-11-20T06:00:00Z"), time("2026-11-20T05:00:00Z"));
        assert_eq!(place.time, time("2026-11-20T05:00:00Z"));
        place.pass(time("2026-11-20T03:00:00Z"), time("2026-11-20T05:00:00Z"));
        assert_eq!((place.time, place.last), (time("2026-11-20T05:00:00Z"), Some(place.time)));
    }
}
