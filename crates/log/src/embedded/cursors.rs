//! How far sinks have come, by `__cursors`: a log that ends before that has lost what they took.
//!
//! Who writes cursors is not the log; of their values it reads four fields (docs/log-format.md), and what
//! has another form says nothing.

use serde::Deserialize;
use uuid::Uuid;

use crate::{Entries, Offset};

/// The furthest cursor of this incarnation of a stream.
pub(super) fn reach(entries: &Entries, stream: &str, log_id: Uuid) -> Offset {
    furthest(cursors(entries, stream).filter(|cursor| cursor.log_id == log_id))
}

/// The furthest cursor of any incarnation of a stream, for one of which nothing is left.
pub(super) fn reach_of_any(entries: &Entries, stream: &str) -> Offset {
    furthest(cursors(entries, stream))
}

#[derive(Deserialize)]
struct Cursor {
    stream: String,
    log_id: Uuid,
    next: i64,
    #[serde(default)]
    furthest: Option<i64>,
}

fn cursors(entries: &Entries, stream: &str) -> impl Iterator<Item = Cursor> {
    let cursors = entries.values().filter_map(|value| serde_json::from_slice::<Cursor>(value).ok());
    cursors.filter(move |cursor| cursor.stream == stream)
}

fn furthest(ours: impl Iterator<Item = Cursor>) -> Offset {
    let furthest = ours.map(|cursor| cursor.next.max(cursor.furthest.unwrap_or_default()));
    furthest.filter_map(Offset::new).max().unwrap_or_default()
}
