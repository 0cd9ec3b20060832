//! How far sinks have come, by `__cursors`: a log that ends before that has lost what they took.
//!
//! Who writes cursors is not the log; of their values it reads three fields (docs/log-format.md), and what
//! has another form says nothing.

use serde::Deserialize;
use uuid::Uuid;

use crate::{Entries, Offset};

/// The furthest cursor of this incarnation of a stream.
pub(super) fn reach(entries: &Entries, stream: &str, log_id: Uuid) -> Offset {
    #[derive(Deserialize)]
    struct Cursor {
        stream: String,
        log_id: Uuid,
        next: i64,
    }
    let cursors = entries.values().filter_map(|value| serde_json::from_slice::<Cursor>(value).ok());
    let ours = cursors.filter(|cursor| cursor.stream == stream && cursor.log_id == log_id);
    ours.filter_map(|cursor| Offset::new(cursor.next)).max().unwrap_or_default()
}
