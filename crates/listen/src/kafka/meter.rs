//! The names of this listener's metrics, and what they mean.

use metrics::{Unit, describe_counter, describe_gauge};

use crate::{
    connections::Meters,
    groups::meter::{GROUPS, LOG_ERRORS, OFFSETS_BYTES, OFFSETS_BYTES_MAX},
};

/// Requests by `api`.
pub(super) const REQUESTS: &str = "pluvio_kafka_requests_total";
/// Bytes written to clients, framing included, encryption not.
pub(super) const SENT_BYTES: &str = "pluvio_kafka_sent_bytes_total";
/// Fetches that had to wait for a record.
pub(super) const FETCH_WAITS: &str = "pluvio_kafka_fetch_waits_total";
/// Connections that this side closed, by `reason`.
pub(super) const HANGUPS: &str = "pluvio_kafka_hangups_total";
/// Failed logins.
pub(super) const DENIED: &str = "pluvio_kafka_denied_total";
/// Readers that were dropped because they took nothing.
pub(super) const STALLED: &str = "pluvio_kafka_stalled_total";
/// Connections that ended in a panic.
pub(super) const PANICS: &str = "pluvio_kafka_panics_total";
/// Open connections.
pub(super) const CONNECTIONS: &str = "pluvio_kafka_connections";
/// Silent or idle connections that were closed for newer ones.
pub(super) const DISPLACED: &str = "pluvio_kafka_displaced_total";

/// The metrics of connections, for what watches over them.
pub(super) const CONNECTION_METERS: Meters =
    Meters { open: CONNECTIONS, panics: PANICS, stalled: STALLED, displaced: DISPLACED };

/// Registers the descriptions of these metrics.
pub(super) fn describe() {
    describe_counter!(REQUESTS, "Requests by API.");
    describe_counter!(SENT_BYTES, Unit::Bytes, "Bytes written to clients.");
    describe_counter!(FETCH_WAITS, "Fetches that had to wait for a record.");
    describe_counter!(HANGUPS, "Connections closed from this side, by reason.");
    describe_counter!(DENIED, "Failed logins.");
    describe_counter!(LOG_ERRORS, "Reads and commits that the log failed.");
    describe_counter!(
        DISPLACED,
        "Connections closed for newer ones: of clients that had not said who they are, or asked for nothing."
    );
    describe_counter!(
        STALLED,
        "Readers dropped because they took nothing, and clients whose TLS record did not become whole."
    );
    describe_counter!(PANICS, "Connections that ended in a panic.");
    describe_gauge!(CONNECTIONS, "Open connections.");
    describe_gauge!(GROUPS, "Groups that have members or offsets.");
    describe_gauge!(
        OFFSETS_BYTES,
        Unit::Bytes,
        "Committed offsets of a principal's groups; without a principal: of all who see everything."
    );
    describe_gauge!(OFFSETS_BYTES_MAX, Unit::Bytes, "How much they may take.");
}
