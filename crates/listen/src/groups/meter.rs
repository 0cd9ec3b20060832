//! The names of the metrics of groups. They are described with the [listener's](crate::kafka) own,
//! for without one there are no groups.

/// Reads and commits that the log failed.
pub(crate) const LOG_ERRORS: &str = "pluvio_kafka_log_errors_total";
/// Groups that have members or offsets.
pub(crate) const GROUPS: &str = "pluvio_kafka_groups";
/// Bytes of committed offsets by `principal`; without one: of all who see everything.
pub(crate) const OFFSETS_BYTES: &str = "pluvio_kafka_offsets_bytes";
/// How many there may be.
pub(crate) const OFFSETS_BYTES_MAX: &str = "pluvio_kafka_offsets_bytes_max";
