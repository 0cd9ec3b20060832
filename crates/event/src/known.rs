//! The attributes that events of Pluvio's own sources can have, in one place.
//!
//! A filter that names anything else can never match, so it is refused when it is read instead of
//! passing nothing for months. Attributes of foreign producers are reached through the map `event`
//! (see [`filter`](crate::filter)). A test compares this list with what the code writes.
//!
//! It refuses to say which source writes what: docs/events.md does.

/// `type` of a dead letter: an event that a sink's target never took, carried as the data of another.
pub const DEAD_LETTER_TYPE: &str = "pluvio.dead.v0";
/// The type of an event that says which records or events are missing.
pub const GAP_TYPE: &str = "pluvio.gap.v0";

/// The attributes of CloudEvents 1.0 §3.1 and the payload, by their names in a filter.
pub const CORE_ATTRIBUTES: [&str; 9] = [
    "data",
    "datacontenttype",
    "dataschema",
    "id",
    "source",
    "specversion",
    "subject",
    "time",
    "type",
];

/// The extension attributes that sources, sinks (in dead letters and gaps) and the log write.
pub const EXTENSIONS: [&str; 28] = [
    "account",
    "accountid",
    "authid",
    "authtype",
    "dataomitted",
    "domain",
    "eventclass",
    "level",
    "parentid",
    "pluvioattempts",
    "pluvioflaw",
    "pluviooffset",
    "pluvioreason",
    "pluvioredacted",
    "pluviosink",
    "pluviostream",
    "recordedtime",
    "recordfigure",
    "recordgroup",
    "recordid",
    "recordpurged",
    "revision",
    "sequence",
    "severitynumber",
    "severitytext",
    "state",
    "usagetype",
    "userid",
];
