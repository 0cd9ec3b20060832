//! How long records stay.

use std::time::Duration;

use jiff::SignedDuration;

/// So long ids are known after their records were recorded, also where those are gone: a day, which is how far back
/// a sweep looks, and an hour for it to take.
pub const IDS_OUTLIVE: SignedDuration = SignedDuration::from_hours(25);

/// When records may be deleted: as soon as one of the limits is passed, oldest first, whole batches,
/// never the newest batch. `None` means without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Delete what was *recorded* longer ago than this. Event time does not count: it would delete
    /// back-filled events as they come.
    pub age: Option<Duration>,
    /// Keep at most this many bytes.
    pub bytes_max: Option<u64>,
    /// Keep at most this many records.
    pub records_max: Option<u64>,
}
