//! `stream.json`: what a stream is, and where it begins.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::layout::{FORMAT, MANIFEST};
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
        Self { format: FORMAT, release, log_id: Uuid::new_v4(), start: 0, next: 0 }
    }

    pub(super) fn start(&self) -> Offset {
        Offset::new(self.start).unwrap_or(Offset::ZERO)
    }

    pub(super) fn next(&self) -> Offset {
        Offset::new(self.next).unwrap_or(Offset::ZERO)
    }

    /// `None` where there is none.
    pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<Self>, OpenError> {
        let path = folder.join(MANIFEST);
        let content = match disk::contents(disk, &path, BYTES_MAX) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OpenError::disk("read", path, source)),
        };
        let head: Head = serde_json::from_slice(&content).map_err(|e| damaged(&path, &e))?;
        if head.format > FORMAT {
            let Head { format, release } = head;
            return Err(OpenError::FormatTooNew { path, format, newest: FORMAT, release });
        }
        serde_json::from_slice(&content).map(Some).map_err(|error| damaged(&path, &error))
    }

    pub(super) fn write(&self, disk: &dyn Disk, folder: &Path) -> std::io::Result<()> {
        let mut content = serde_json::to_vec(self)?;
        content.push(b'\n');
        disk::replace(disk, &folder.join(MANIFEST), &content)
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> OpenError {
    let path: PathBuf = path.to_owned();
    OpenError::Damaged { path, byte: 0, offset: Offset::ZERO, reason: error.to_string() }
}
