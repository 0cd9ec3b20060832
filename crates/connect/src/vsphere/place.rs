//! Where this source stands in a vCenter's history, as each record carries it.
//!
//! The position is ours to read years later, so it is small JSON with words in it:
//! `{"uuid":"…","epoch":1,"key":63,"time":"…","last":"…","begin":"…"}`.

use jiff::Timestamp;
use pluvio_log::{Position, PositionTooLong};
use serde::{Deserialize, Serialize};

/// A place in one vCenter's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// `about.instanceUuid` of the vCenter that was read.
    pub(super) uuid: String,
    /// Which life of the keys this is, from 1: a restored or reinstalled vCenter uses keys again.
    pub(super) epoch: u32,
    /// The greatest key of all epochs. A greater one cannot have been stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) key: Option<i64>,
    /// Everything up to here was read, by the vCenter's clock; never goes back in an epoch.
    pub(super) time: Timestamp,
    /// When the newest stored event was created; `None` after a gap, when a re-list cannot be
    /// expected to show it again.
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

impl Place {
    /// A first look, at `begin`.
    pub(super) fn first(uuid: String, begin: Timestamp) -> Self {
        Self { uuid, epoch: 1, key: None, time: begin, last: None, begin }
    }

    pub(super) fn parse(position: &Position) -> Result<Self, InvalidPlace> {
        let text = position.as_str();
        serde_json::from_str(text).map_err(|source| InvalidPlace { text: text.to_owned(), source })
    }

    /// As a record carries it: a UUID, two numbers and three times, about 210 bytes.
    pub(super) fn position(&self) -> Result<Position, PositionTooLong> {
        let mut place = self.clone();
        // A server that gives a novel for a UUID costs us the identity check, not the capture.
        place.uuid.truncate(place.uuid.floor_char_boundary(36));
        Position::new(serde_json::to_string(&place).unwrap_or_default())
    }

    /// Moves behind an event.
    pub(super) fn pass(&mut self, key: Option<i64>, time: Option<Timestamp>) {
        if let Some(key) = key {
            self.key = Some(self.key.map_or(key, |max| max.max(key)));
        }
        if let Some(time) = time {
            self.time = self.time.max(time);
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }

    /// Begins another life of the keys. The greatest key stays: a re-list shows events of the
    /// earlier lives, too, and they must be looked up.
    pub(super) fn open_epoch(&mut self) {
        self.epoch += 1;
    }
}
