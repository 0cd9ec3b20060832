//! Which cloud a position is of: a short mark of its `source` attribute, so that a section that was renamed
//! finds its own place again ([`Resume::place`](pluvio_runtime::Resume::place)).
//!
//! It refuses to be an identity: it tells the few positions of one stream apart, and the attribute itself would
//! not fit beside them.

use uuid::Uuid;

/// Sixteen hexadecimal digits.
pub(crate) fn mark_of(source: &str) -> String {
    let mut mark = Uuid::new_v5(&Uuid::NAMESPACE_URL, source.as_bytes()).simple().to_string();
    mark.truncate(16);
    mark
}
