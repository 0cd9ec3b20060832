//! From files back to streams: what is there, what is torn, what is damaged.
//!
//! Reads `__positions`, the headers of indexes, and one segment of each stream: the last. Cuts a torn
//! tail and says so, makes missing indexes again, refuses damage. Running it twice, or being cut off
//! in the middle of it, changes nothing.

use std::{io, path::Path};

use bytes::Bytes;

use super::{
    ends::{End, Names},
    index::{self, BatchLocation, Id, Index, Summary, Unusable},
    layout::{self, Kind},
    scan::{PLAIN_BYTES_MAX, Scan, ScanError, Tail, scan},
};
use crate::{
    Batch, EventId, Offset, OpenError, StoredRecord,
    batch::{self, Compression, Decoded, Header},
    disk::{Disk, File},
};

/// What a stream's folder holds, in order.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) segments: Vec<Offset>,
    pub(super) indexes: Vec<Offset>,
}

/// Lists the folder and removes what a crash left half done.
pub(super) fn tidied(disk: &dyn Disk, folder: &Path) -> Result<Files, OpenError> {
    let (files, leftovers) = files(disk, folder)?;
    for name in leftovers {
        let path = folder.join(name);
        disk.remove(&path).map_err(|source| OpenError::disk("remove", path, source))?;
    }
    Ok(files)
}

/// What the folder holds, and the names of what a crash left half done.
pub(super) fn files(disk: &dyn Disk, folder: &Path) -> Result<(Files, Vec<String>), OpenError> {
    let listed = disk.list(folder).map_err(|source| OpenError::disk("list", folder, source))?;
    let (mut files, mut leftovers) = (Files::default(), Vec::new());
    for entry in listed {
        match layout::kind(&entry.name) {
            Some(Kind::Segment(base)) => files.segments.push(base),
            Some(Kind::Index(base)) => files.indexes.push(base),
            Some(Kind::Leftover) => leftovers.push(entry.name),
            None => {}
        }
    }
    files.segments.sort_unstable();
    files.indexes.sort_unstable();
    Ok((files, leftovers))
}

/// Makes a stream's folder with its manifest where it is not there.
pub(super) fn ensure(
    disk: &dyn Disk,
    folder: &Path,
) -> Result<super::manifest::Manifest, OpenError> {
    use super::manifest::Manifest;
    let made = |source| OpenError::disk("make", folder, source);
    disk.create_folder(folder).map_err(made)?;
    if let Some(manifest) = Manifest::read(disk, folder)? {
        return Ok(manifest);
    }
    let found = files(disk, folder)?.0;
    if let Some(base) = found.segments.first() {
        let path = folder.join(layout::MANIFEST);
        let reason = "it is missing although there are segments".to_owned();
        return Err(OpenError::Damaged { path, byte: 0, offset: *base, reason });
    }
    let manifest = Manifest::new();
    manifest.write(disk, folder).map_err(made)?;
    disk.sync_folder(folder.parent().unwrap_or(Path::new("."))).map_err(made)?;
    Ok(manifest)
}

/// Names the file in an error of a scan.
pub(super) fn damaged(path: &Path, error: ScanError) -> OpenError {
    match error {
        ScanError::Disk(source) => OpenError::disk("read", path, source),
        ScanError::Damage(damage) => {
            let (byte, offset, reason) = (damage.byte, damage.offset, damage.reason);
            OpenError::Damaged { path: path.to_owned(), byte, offset, reason }
        }
    }
}

/// Compares the segment `base` with where it was `noted` to end, if it is that one.
pub(super) fn checked_end(
    noted: Option<&End>,
    path: &Path,
    base: Offset,
    file: &dyn File,
    scan: &Scan,
) -> Result<(), OpenError> {
    let Some(noted) = noted.filter(|noted| noted.names(&[base]) == Names::Look) else {
        return Ok(());
    };
    let compared = noted.compare(file, scan.end);
    let compared = compared.map_err(|source| OpenError::disk("read", path, source))?;
    compared.map_err(|amiss| {
        let before = scan.places.iter().rev().find(|place| u64::from(place.at) < amiss.byte);
        let offset = before.map_or(base, |place| place.last().following());
        let torn = scan.torn.as_ref().map_or(String::new(), |torn| format!(" ({})", torn.reason));
        let (path, reason) = (path.to_owned(), amiss.reason + &torn);
        OpenError::Damaged { path, byte: amiss.byte, offset, reason }
    })
}

/// The summary of a sealed segment: from its index, which is made again where it is missing, stale
/// or damaged.
pub(super) fn sealed(
    disk: &dyn Disk,
    folder: &Path,
    base: Offset,
    rebuilt: &mut u64,
) -> Result<Summary, OpenError> {
    let (segment, path) = (layout::segment(folder, base), layout::index(folder, base));
    let told = |source| OpenError::disk("read", segment.clone(), source);
    let bytes = disk.open(&segment).and_then(|file| file.len()).map_err(told)?;
    match Index::open(disk, &path) {
        Ok(index) if index.summary.bytes == bytes => return Ok(index.summary),
        Ok(_) => tracing::warn!(path = %path.display(), "index is stale: making it again"),
        Err(Unusable::Passing(source)) => return Err(OpenError::disk("read", path, source)),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "index cannot be used: making it again");
        }
    }
    *rebuilt += 1;
    reindex(disk, folder, base)
}

/// Makes the index of a sealed segment from the segment.
pub(super) fn reindex(disk: &dyn Disk, folder: &Path, base: Offset) -> Result<Summary, OpenError> {
    let (segment, path) = (layout::segment(folder, base), layout::index(folder, base));
    let told = |source| OpenError::disk("read", segment.clone(), source);
    let file = disk.open(&segment).map_err(told)?;
    let mut ids = Vec::new();
    let walked = scan(&*file, base, Tail::Synced, 0, |_, bytes| ids.extend(ids_of(bytes)));
    let walked = walked.map_err(|error| damaged(&segment, error))?;
    if let Some(torn) = walked.torn {
        let offset = walked.places.last().map_or(base, |place| place.last().following());
        return Err(OpenError::Damaged {
            path: segment,
            byte: walked.end,
            offset,
            reason: torn.reason,
        });
    }
    index::write(disk, &path, &walked.places, ids, walked.end)
        .map_err(|source| OpenError::disk("write", path, source))
}

/// What the id index keeps of a batch. A record that is no event has no id.
pub(super) fn ids_of(bytes: &Bytes) -> Vec<Id> {
    let records = batch::decode(bytes, PLAIN_BYTES_MAX).unwrap_or_default();
    let id = |record: Decoded| {
        let offset = Offset::new(record.offset)?;
        let event = pluvio_event::json::decode(&record.value?).ok()?;
        let time = event.time().map(jiff::Timestamp::as_microsecond);
        Some(Id { hash: EventId::hash_of(event.source(), event.id()), offset, time })
    };
    records.into_iter().filter_map(id).collect()
}

/// A batch as it lies in its segment, checked: its own checksum, and that its base offset is the one
/// the index tells, which the checksum does not cover.
pub(super) fn checked(bytes: Bytes, place: &BatchLocation) -> Result<Bytes, String> {
    let header = batch::verify(&bytes).map_err(|error| error.to_string())?;
    if header.base_offset != place.base.get() {
        return Err(format!("it says offset {}, its index {}", header.base_offset, place.base));
    }
    if header.bytes != bytes.len() {
        return Err(format!("it has {} bytes, its index says {}", header.bytes, bytes.len()));
    }
    Ok(bytes)
}

/// Whether an error means that the file is not there.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// A checked batch, decoded.
pub(super) fn batch(bytes: Bytes) -> Result<Batch, String> {
    let decoded = batch::decode(&bytes, PLAIN_BYTES_MAX).map_err(|error| error.to_string())?;
    let header = Header::parse(&bytes).map_err(|error| error.to_string())?;
    let plain_bytes = match header.compression {
        Compression::None => bytes.len(),
        Compression::Lz4 => {
            let of = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
            let records = decoded.iter().map(|record| of(&record.key) + of(&record.value));
            batch::HEADER_BYTES + records.sum::<usize>()
        }
    };
    let record = |record: Decoded| {
        let offset = Offset::new(record.offset).ok_or("a negative offset")?;
        let recorded = jiff::Timestamp::from_millisecond(record.timestamp);
        let recorded = recorded.map_err(|error| error.to_string())?;
        let value = record.value.unwrap_or_default();
        Ok::<_, String>(StoredRecord { offset, recorded, key: record.key, value })
    };
    let records = decoded.into_iter().map(record).collect::<Result<Vec<_>, _>>()?;
    Batch::new(records, bytes, plain_bytes).ok_or_else(|| "it holds no record".to_owned())
}
