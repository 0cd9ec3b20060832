//! What the bucket remembers: how far the sink has come, and what it was about to put.

use jiff::Timestamp;
use pluvio_log::Offset;
use pluvio_runtime::Taken;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The place of a sink.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) log_id: Uuid,
    pub(super) stream: String,
    /// Everything before it is in objects.
    pub(super) next: Offset,
    /// Which decision on the sink's place it is younger than; see [`Standing::seek`](pluvio_runtime::Standing).
    #[serde(default)]
    pub(super) seek: u64,
    /// The object that is put next, and may be there already; `None`: all puts were answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) putting: Option<Putting>,
    /// The last event in the objects before `next`; `None`: nothing was put yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Taken>,
}

/// An object on its way. As long as its put is not answered it may still happen, so it is repeated as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Putting {
    /// The offset of its first event.
    pub(super) first: Offset,
    /// The offset of its last one.
    pub(super) last: Offset,
    /// When that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recorded: Option<Timestamp>,
    /// Its name; what makes names may be configured otherwise by the time it is looked for.
    pub(super) key: String,
    /// Of its lines; see [`Lines`](super::lines::Lines).
    #[serde(default)]
    pub(super) sha256: String,
}

impl Putting {
    /// The last event that is in the bucket once this object is.
    pub(super) fn taken(&self) -> Option<Taken> {
        Some(Taken { offset: self.last, recorded: self.recorded? })
    }
}
