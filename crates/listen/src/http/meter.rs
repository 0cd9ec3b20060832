//! The names of this listener's metrics, and what they mean.

use metrics::{Unit, describe_counter, describe_gauge};

use crate::connections::Meters;

/// Requests by `route` and `status`.
pub(super) const REQUESTS: &str = "pluvio_http_requests_total";
/// Bytes written to clients, framing included, encryption not.
pub(super) const SENT_BYTES: &str = "pluvio_http_sent_bytes_total";
/// Pages asked for by watches, by `cache`: `hit` or `miss`.
pub(super) const PAGES: &str = "pluvio_http_pages_total";
/// Readers that were dropped because they took nothing.
pub(super) const STALLED: &str = "pluvio_http_stalled_total";
/// Connections that ended in a panic.
pub(super) const PANICS: &str = "pluvio_http_panics_total";
/// Open watches.
pub(super) const WATCHES: &str = "pluvio_http_watches";
/// Open connections.
pub(super) const CONNECTIONS: &str = "pluvio_http_connections";

/// Silent or idle connections that were closed for newer ones.
pub(super) const DISPLACED: &str = "pluvio_http_displaced_total";

/// The metrics of connections, for what watches over them.
pub(super) const CONNECTION_METERS: Meters =
    Meters { open: CONNECTIONS, panics: PANICS, stalled: STALLED, displaced: DISPLACED };

/// Registers the descriptions of these metrics.
pub(super) fn describe() {
    describe_counter!(REQUESTS, "Requests by route and status.");
    describe_counter!(SENT_BYTES, Unit::Bytes, "Bytes written to clients.");
    describe_counter!(PAGES, "Pages asked for by watches, from the cache or rendered.");
    describe_counter!(
        DISPLACED,
        "Connections closed for newer ones: of clients that had not said who they are, or asked for nothing."
    );
    describe_counter!(
        STALLED,
        "Readers dropped because they took nothing, and clients whose TLS record did not become whole."
    );
    describe_counter!(PANICS, "Connections that ended in a panic.");
    describe_gauge!(WATCHES, "Open watches.");
    describe_gauge!(CONNECTIONS, "Open connections.");
}
