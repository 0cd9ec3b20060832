//! Records of one stream, as they are stored. It stops at damage: to go on behind it is for
//! [`verify`](super::verify), which says so.

use std::{ops::ControlFlow, path::Path};

use bytes::Bytes;

use super::{
    folder::{self, Listed},
    walk::{self, Known},
};
use crate::{
    Offset, OpenError, StreamName,
    batch::{self, Decoded},
    disk::Disk,
    embedded::{
        ends::{self, End, Names},
        layout,
        recover::is_gone,
        scan::PLAIN_BYTES_MAX,
    },
};

/// A stored record, of any stream.
pub type Dumped = Decoded;

/// Gives the records of `stream` from `from` on, those of internal streams too, until `visit` breaks
/// off or the newest was given. Records below the stream's start are left out. Blocks.
///
/// # Errors
///
/// [`OpenError::Damaged`] where the bytes are not what was written, or end before what was noted of them;
/// when there is no such stream.
pub fn dump(
    disk: &dyn Disk,
    folder: &Path,
    stream: &StreamName,
    from: Offset,
    visit: &mut dyn FnMut(Dumped) -> ControlFlow<()>,
) -> Result<(), OpenError> {
    // Before the segments: what is written meanwhile only adds to it. Where it is rotten, nothing is known.
    let noted = ends::read(disk, folder).ok().flatten();
    let noted = noted.and_then(|noted| noted.streams.get(stream.as_str()).cloned());
    let listed = folder::listed(disk, folder, stream)?;
    let from = from.max(listed.start());
    let is_used = folder::used(disk, folder)?.holder.is_some();
    let mut reached = from;
    for (base, next) in listed.segments() {
        if next.is_some_and(|next| next <= from) {
            continue;
        }
        if base > reached && !stream.is_internal() {
            let (path, offset) = (layout::segment(&listed.folder, reached), reached);
            let reason = format!("it is missing: the next segment begins at {base}");
            return Err(OpenError::Damaged { path, byte: 0, offset, reason });
        }
        let path = layout::segment(&listed.folder, base);
        let told = |source| OpenError::disk("read", path.clone(), source);
        let file = match disk.open(&path) {
            Err(error) if is_gone(&error) => {
                reached = next.unwrap_or(reached);
                continue;
            }
            opened => opened.map_err(told)?,
        };
        let index = folder::indexed(disk, &listed.folder, base, file.len().map_err(told)?);
        let places = if next.is_some() { index.places() } else { &[] };
        // Not collected: a segment unpacked is several times its size.
        let mut flow = ControlFlow::Continue(());
        let mut is_broken = false;
        let mut sees = |_, bytes: Option<&Bytes>| {
            is_broken |= bytes.is_none();
            if !is_broken && flow.is_continue() {
                flow = each(bytes, from, visit);
            }
        };
        let is_written = next.is_none() && is_used;
        let end = noted.as_ref().filter(|end| end.base() == base && next.is_none());
        let known = Known { is_written, noted: end, ..Known::new(base, places, next) };
        let walk = walk::walk(&*file, known, &mut sees).map_err(told)?;
        if flow.is_break() {
            return Ok(());
        }
        if let Some(broken) = walk.broken().find(|broken| next.is_some() || !broken.is_tail) {
            let (byte, offset, reason) = (broken.from, broken.offset, broken.reason.clone());
            return Err(OpenError::Damaged { path, byte, offset, reason });
        }
        reached = reached.max(walk.end);
        let behind = walk.broken().map(|broken| broken.from).next().or(walk.zeros);
        let compared = end.map(|end| end.compare(&*file, behind.unwrap_or(walk.length)));
        if let Some(Err(amiss)) = compared.transpose().map_err(told)? {
            let (byte, offset, reason) = (amiss.byte, walk.end, amiss.reason);
            return Err(OpenError::Damaged { path, byte, offset, reason });
        }
    }
    is_there(noted.as_ref(), &listed)
}

/// Refused where the last segment that was noted is gone.
fn is_there(noted: Option<&End>, listed: &Listed) -> Result<(), OpenError> {
    let Some(noted) = noted else { return Ok(()) };
    let Names::Missing(reason) = noted.names(&listed.files.segments) else { return Ok(()) };
    let (path, offset) = (layout::segment(&listed.folder, noted.base()), noted.base());
    Err(OpenError::Damaged { path, byte: 0, offset, reason })
}

fn each(
    bytes: Option<&Bytes>,
    from: Offset,
    visit: &mut dyn FnMut(Dumped) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let records = bytes.map(|bytes| batch::decode(bytes, PLAIN_BYTES_MAX).unwrap_or_default());
    let records = records.unwrap_or_default().into_iter();
    records.filter(|record| record.offset >= from.get()).try_for_each(visit)
}
