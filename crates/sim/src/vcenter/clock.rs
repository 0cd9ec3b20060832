//! The cloud's clock: the machine's, in microseconds, moved by a skew that a test may set.

use jiff::{SignedDuration, Timestamp};

/// A clock that may be wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    /// How far it runs ahead of the machine's clock.
    pub(crate) skew: SignedDuration,
}

impl Clock {
    /// The time that the cloud believes it is.
    pub(crate) fn now(&self) -> Timestamp {
        microseconds(Timestamp::now().saturating_add(self.skew).unwrap_or(Timestamp::MAX))
    }
}

/// Cuts a time to the precision that the protocol carries.
pub(crate) fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// The spelling of a time in XML: UTC with six digits.
pub(crate) fn xml_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
