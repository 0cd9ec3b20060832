//! The spelling of times in the protocol; the clock itself is every cloud's.

use jiff::Timestamp;

/// The spelling of a time in XML: UTC with six digits.
pub(crate) fn xml_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
