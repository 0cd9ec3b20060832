//! Where things lie in the folder, and what they are called. `docs/log-format.md` is the same in
//! prose.
//!
//! ```text
//! data/
//!   LOCK                          held by the process that writes; names its pid
//!   UNSYNCED                      there while a process writes without syncing
//!   RECOVERY                      what the last start found and mended; for people
//!   ENDS                          where each stream ended when that was last noted
//!   events/
//!     stream.json                 format, log_id, start
//!     00000000000000000000.log    record batches, then zeros written ahead
//!     00000000000000000000.idx    index of a sealed segment
//! ```

use std::path::{Path, PathBuf};

use crate::Offset;

/// The newest format that is written and read.
pub(super) const FORMAT: u32 = 1;

pub(super) const MANIFEST: &str = "stream.json";
/// The internal stream that holds the newest position of every source.
pub(super) const POSITIONS: &str = "__positions";

/// What a file in a stream's folder is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Segment(Offset),
    Index(Offset),
    /// Half of a replacement that a crash left.
    Leftover,
}

pub(super) fn kind(name: &str) -> Option<Kind> {
    if name.ends_with(".new") {
        return Some(Kind::Leftover);
    }
    let (digits, suffix) = name.split_once('.')?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let base = digits.parse().ok().and_then(Offset::new)?;
    match suffix {
        "log" => Some(Kind::Segment(base)),
        "idx" => Some(Kind::Index(base)),
        _ => None,
    }
}

pub(super) fn segment(folder: &Path, base: Offset) -> PathBuf {
    folder.join(format!("{:020}.log", base.get()))
}

pub(super) fn index(folder: &Path, base: Offset) -> PathBuf {
    folder.join(format!("{:020}.idx", base.get()))
}

/// What small files of JSON have behind their content: CRC-32C, as eight hexadecimal digits.
pub(super) fn checksum(json: &str) -> String {
    format!("{:08x}", crc32c::crc32c(json.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_by_its_base_offset() {
        let base = Offset::new(1234).unwrap_or_default();
        let path = segment(Path::new("data/events"), base);
        assert_eq!(path, Path::new("data/events/00000000000000001234.log"));
        assert_eq!(kind("00000000000000001234.log"), Some(Kind::Segment(base)));
        assert_eq!(kind("00000000000000001234.idx"), Some(Kind::Index(base)));
        assert_eq!(kind("stream.json.new"), Some(Kind::Leftover));
        for foreign in
            ["stream.json", "1234.log", "0000000000000000123x.log", "99999999999999999999.log"]
        {
            assert_eq!(kind(foreign), None, "{foreign}");
        }
    }
}
