//! What lies in the folder of a log, by name: streams, tables, segments, indexes.
//!
//! Beside a running Pluvio a file may go between being listed and being opened; such a file is taken
//! for one that was never there. Nothing is opened for writing.

use std::{
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{
    Entries, Offset, OpenError, StreamName,
    disk::Disk,
    embedded::{
        hold,
        index::{BatchLocation, Index},
        layout,
        manifest::Manifest,
        recover::{self, Files, is_gone},
        table,
    },
    held::Held,
    own_file,
};

/// A stream's folder, listed.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) name: StreamName,
    pub(super) folder: PathBuf,
    pub(super) files: Files,
    pub(super) leftovers: Vec<String>,
    pub(super) manifest: Result<Manifest, String>,
}

impl Listed {
    /// The positions table has its own rules.
    pub(super) fn is_positions(&self) -> bool {
        self.name.as_str() == layout::POSITIONS
    }

    /// The manifest's start; without a manifest the first segment's.
    pub(super) fn start(&self) -> Offset {
        let first = || self.files.segments.first().copied().unwrap_or_default();
        self.manifest.as_ref().map_or_else(|_| first(), Manifest::start)
    }

    /// Each segment and where the next one begins.
    pub(super) fn segments(&self) -> impl Iterator<Item = (Offset, Option<Offset>)> {
        let behind = self.files.segments.iter().skip(1).copied().map(Some).chain([None]);
        self.files.segments.iter().copied().zip(behind)
    }
}

/// Who uses the folder, and how the last one left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) holder: Option<String>,
    pub(super) unsynced: bool,
}

pub(super) fn used(disk: &dyn Disk, folder: &Path) -> Result<Use, OpenError> {
    let path = folder.join(own_file::LOCK);
    let told = |source| OpenError::disk("look at", path.clone(), source);
    let locked = match disk.is_locked(&path) {
        Err(error) if is_gone(&error) => false,
        asked => asked.map_err(told)?,
    };
    let holder = locked.then(|| hold::holder_of(disk, &path));
    let listed = disk.list(folder).map_err(|e| OpenError::disk("list", folder, e))?;
    let unsynced = listed.iter().any(|entry| entry.name == own_file::UNSYNCED);
    Ok(Use { holder, unsynced })
}

/// All streams, the internal ones first: what they say of others is then never ahead of these.
pub(super) fn streams(disk: &dyn Disk, folder: &Path) -> Result<Vec<StreamName>, OpenError> {
    let listed = disk.list(folder).map_err(|e| OpenError::disk("list", folder, e))?;
    let folders = listed.into_iter().filter(|entry| entry.bytes.is_none());
    let mut names: Vec<_> = folders.filter_map(|e| StreamName::new(&e.name).ok()).collect();
    names.sort_by_key(|name| (!name.is_internal(), name.clone()));
    Ok(names)
}

pub(super) fn listed(
    disk: &dyn Disk,
    folder: &Path,
    name: &StreamName,
) -> Result<Listed, OpenError> {
    let folder = folder.join(name.as_str());
    let (files, leftovers) = recover::files(disk, &folder)?;
    // Behind the listing: the start moves before segments go.
    let manifest = match Manifest::read(disk, &folder) {
        Ok(Some(manifest)) => Ok(manifest),
        Ok(None) => Err("it is missing".to_owned()),
        Err(OpenError::Damaged { reason, .. }) => Err(reason),
        Err(OpenError::Disk { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
            Err(source.to_string())
        }
        Err(error) => return Err(error),
    };
    Ok(Listed { name: name.clone(), folder, files, leftovers, manifest })
}

/// A segment's index, if it is whole and of this segment.
#[derive(Debug)]
pub(super) enum Indexed {
    Missing,
    Unusable(String),
    /// Of a segment of another length.
    Stale(u64),
    Fits(Index, Vec<BatchLocation>),
}

impl Indexed {
    pub(super) fn places(&self) -> &[BatchLocation] {
        match self {
            Self::Fits(_, places) => places,
            _ => &[],
        }
    }
}

pub(super) fn indexed(disk: &dyn Disk, folder: &Path, base: Offset, bytes: u64) -> Indexed {
    use crate::embedded::index::Unusable;
    let opened = Index::open(disk, &layout::index(folder, base));
    let read = opened.and_then(|index| index.places().map(|places| (index, places)));
    match read {
        Ok((index, _)) if index.summary.bytes != bytes => Indexed::Stale(index.summary.bytes),
        Ok((index, places)) => Indexed::Fits(index, places),
        Err(Unusable::Disk(error)) if is_gone(&error) => Indexed::Missing,
        Err(error) => Indexed::Unusable(error.to_string()),
    }
}

/// The live entries of a table, as far as its batches are whole.
pub(super) fn entries(
    disk: &dyn Disk,
    folder: &Path,
    name: &StreamName,
) -> Result<Entries, OpenError> {
    /// A table that is rewritten meanwhile is read again.
    const TRIES: usize = 5;
    let mut tries = 0;
    loop {
        tries += 1;
        let mut held = Held::default();
        let read = (|| {
            for (base, limit) in listed(disk, folder, name)?.segments() {
                let path = layout::segment(&folder.join(name.as_str()), base);
                let told = |source| OpenError::disk("read", path.clone(), source);
                let file = disk.open(&path).map_err(told)?;
                let known = super::walk::Known::new(base, &[], limit);
                let mut replay = |_, bytes: Option<&Bytes>| {
                    if let Some(bytes) = bytes {
                        table::replay(&mut held, bytes);
                    }
                };
                super::walk::walk(&*file, known, &mut replay).map_err(told)?;
            }
            Ok(())
        })();
        match read {
            Err(OpenError::Disk { source, .. }) if is_gone(&source) && tries < TRIES => {}
            read => return read.map(|()| held.entries),
        }
    }
}
