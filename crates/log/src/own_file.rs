//! What the log's own files are called that lie beside the folders of streams.
//!
//! A stream's folder is called as the stream, so [names](crate::StreamName) must know them, too. It refuses to know
//! where a folder is and what is in a file.

/// Held by the process that writes.
pub(crate) const LOCK: &str = "LOCK";
/// There while a process writes without syncing.
pub(crate) const UNSYNCED: &str = "UNSYNCED";
/// What the last start found and mended.
pub(crate) const RECOVERY: &str = "RECOVERY";
/// Where each stream ended when that was last noted.
pub(crate) const ENDS: &str = "ENDS";

/// Whether a file beside the streams' folders is or may be called that.
pub(crate) fn is_own(name: &str) -> bool {
    [LOCK, UNSYNCED, RECOVERY, ENDS].contains(&name) || name.ends_with(".new")
}
