//! `stream.json`: what a stream is, and where it begins.
//!
//! Its last field is the CRC-32C of the others: a start that a disk changed by itself would delete
//! segments. Without that field, as earlier releases wrote it, nothing is compared.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::layout::{FORMAT, MANIFEST, checksum};
use crate::{
    Offset, OpenError,
    disk::{self, Disk},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// The release that wrote it, for whoever cannot read it.
    pub(super) release: String,
    pub(super) log_id: Uuid,
    /// Records below it were deleted, also where their batch still lies there.
    pub(super) start: i64,
    /// No record gets an offset below it, whatever the segments hold: it was moved by a trim beyond
    /// the end, or by a stop that may have lost records whose offsets were told.
    pub(super) next: i64,
    /// Ids of records that were recorded up to then and deleted may be gone with a damaged index. It outlives that
    /// index, or the next start would take what a source lists again for new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ids_forgotten_until: Option<Timestamp>,
    /// Ids of records that were recorded up to then and deleted had outlived them for as long as they are to, by
    /// the clock as it was then. It may have been ahead: by the right one they were forgotten too early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ids_outlived_until: Option<Timestamp>,
}

/// The part that every format has.
#[derive(Deserialize)]
struct Head {
    format: u32,
    release: String,
}

/// No manifest is larger.
const BYTES_MAX: u64 = 64 << 10;

impl Manifest {
    pub(super) fn new() -> Self {
        let release = env!("CARGO_PKG_VERSION").to_owned();
        Self {
            format: FORMAT,
            release,
            log_id: Uuid::new_v4(),
            start: 0,
            next: 0,
            ids_forgotten_until: None,
            ids_outlived_until: None,
        }
    }

    pub(super) fn start(&self) -> Offset {
        Offset::new(self.start).unwrap_or(Offset::ZERO)
    }

    pub(super) fn next(&self) -> Offset {
        Offset::new(self.next).unwrap_or(Offset::ZERO)
    }

    /// Notes, durably, that ids of records recorded up to `until` are forgotten. Only behind it may the index go.
    pub(super) fn forget_ids(
        &mut self,
        disk: &dyn Disk,
        folder: &Path,
        until: Timestamp,
    ) -> std::io::Result<()> {
        if self.ids_forgotten_until.is_some_and(|noted| noted >= until) {
            return Ok(());
        }
        let noted = Self { ids_forgotten_until: Some(until), ..self.clone() };
        noted.write(disk, folder)?;
        *self = noted;
        Ok(())
    }

    /// `None` where there is none.
    pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<Self>, OpenError> {
        let path = folder.join(MANIFEST);
        let content = match disk::contents(disk, &path, BYTES_MAX) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OpenError::disk("read", path, source)),
        };
        let head: Head =
            serde_json::from_slice(&content).map_err(|e| damaged(&path, e.to_string()))?;
        if head.format > FORMAT {
            let Head { format, release } = head;
            return Err(OpenError::FormatTooNew { path, format, newest: FORMAT, release });
        }
        Self::parse(&content).map(Some).map_err(|reason| damaged(&path, reason))
    }

    fn parse(content: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(content).map_err(|error| error.to_string())?.trim_end();
        if let Some((fields, crc)) = text.rsplit_once(CRC_FIELD) {
            let expected = checksum(&format!("{fields}}}"));
            if crc.strip_suffix("\"}") != Some(&expected) {
                return Err("its checksum is another one".to_owned());
            }
        }
        let manifest: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match (manifest.start, manifest.next) {
            (0.., 0..) => Ok(manifest),
            _ => Err("`start` or `next` is below 0".to_owned()),
        }
    }

    pub(super) fn write(&self, disk: &dyn Disk, folder: &Path) -> std::io::Result<()> {
        disk::replace(disk, &folder.join(MANIFEST), self.content()?.as_bytes())
    }

    fn content(&self) -> serde_json::Result<String> {
        let fields = serde_json::to_string(self)?;
        let open = fields.strip_suffix('}').unwrap_or(&fields);
        Ok(format!("{open}{CRC_FIELD}{}\"}}\n", checksum(&fields)))
    }
}

/// Between the other fields and the checksum.
const CRC_FIELD: &str = ",\"crc\":\"";

fn damaged(path: &Path, reason: String) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), byte: 0, offset: Offset::ZERO, reason }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_no_changed_bit_passes_for_another_stream() {
        let plain = Manifest { start: 5390, next: 6000, ..Manifest::new() };
        let forgotten = Timestamp::from_millisecond(1_795_000_000_123).ok();
        let both = Manifest { ids_outlived_until: forgotten, ..plain.clone() };
        let both = Manifest { ids_forgotten_until: forgotten, ..both };
        for manifest in [both, plain] {
            let content = manifest.content().unwrap().into_bytes();
            assert_eq!(Manifest::parse(&content), Ok(manifest.clone()));
            for bit in 0..content.len() * 8 {
                let mut changed = content.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                if let Ok(read) = Manifest::parse(&changed) {
                    assert_eq!(read, manifest, "bit {bit}: {}", String::from_utf8_lossy(&changed));
                }
            }
        }
    }

    #[test]
    fn a_file_of_an_earlier_release_is_read_and_nonsense_is_not() {
        let of = |start: i64| {
            let id = "985b68cd-9d97-4c2f-a8bf-18aabd8975e7";
            let text = format!(
                r#"{{"format":1,"release":"0.1.0","log_id":"{id}","start":{start},"next":1}}"#
            );
            Manifest::parse(text.as_bytes())
        };
        let read = of(1).unwrap();
        assert_eq!(
            (read.start, read.ids_forgotten_until, read.ids_outlived_until),
            (1, None, None)
        );
        assert!(of(-1).unwrap_err().contains("below 0"));
    }
}
