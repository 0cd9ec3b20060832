//! Where a section stands, for problems that are found after it was read.
//!
//! Each section keeps its place until its component is ready, so this lies below the sections and what reads them.
//! It refuses to find anything: what a place says, the reader has looked up.

use std::collections::BTreeMap;

use super::Problem;

/// A section's name and where it stands, for problems found later.
#[derive(Clone, Debug)]
pub(super) struct SectionSpans {
    pub(super) name: String,
    /// `file:line:column` of each key, and of the section itself under the empty key.
    pub(super) keys: BTreeMap<String, String>,
}

impl SectionSpans {
    pub(super) fn problem(&self, key: Option<&str>, message: String) -> Problem {
        let place = key.and_then(|key| self.keys.get(key)).or_else(|| self.keys.get(""));
        Problem { place: place.cloned().unwrap_or_default(), message }
    }
}

/// A section's header as TOML writes it: `[sinks.billing]`, `[principals."billing [prod]"]`.
pub(super) fn header(section: &str, name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) {
        return format!("[{section}.{name}]");
    }
    // Rust's escapes for what cannot be printed are not all TOML's; whoever reads it understands both.
    format!("[{section}.{name:?}]")
}
