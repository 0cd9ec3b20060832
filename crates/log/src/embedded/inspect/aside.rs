//! What a repair takes out is kept; what it puts in says so.
//!
//! Bytes go to `damaged/<file>@<byte>` in the stream's folder, durably, before anything is changed.
//! The same bytes are kept once, however often a repair is begun; others never take their place.

use std::{io, path::Path};

use bytes::Bytes;
use jiff::Timestamp;
use pluvio_event::{AttributeName, Data, Event, Json, json};
use uuid::Uuid;

use crate::{
    Offset,
    batch::{self, Builder, Compression},
    disk::{Disk, File},
    pack::CONTENT_TYPE,
};

const FOLDER: &str = "damaged";
const SEVERITY_TEXT: AttributeName = AttributeName::literal("severitytext");
const SEVERITY_NUMBER: AttributeName = AttributeName::literal("severitynumber");
/// Copied at once.
const PIECE_BYTES: u64 = 1 << 20;

/// Keeps `range` of the file called `name`.
pub(super) fn keep(
    disk: &dyn Disk,
    folder: &Path,
    name: &str,
    file: &dyn File,
    range: std::ops::Range<u64>,
) -> io::Result<()> {
    let (damaged, from) = (folder.join(FOLDER), range.start);
    disk.create_folder(&damaged).map_err(|error| {
        let text = format!("the folder {} cannot be made: {error}", damaged.display());
        io::Error::new(error.kind(), text)
    })?;
    disk.sync_folder(folder)?;
    let names = std::iter::once(format!("{name}@{from}"));
    for name in names.chain((2..).map(|nth| format!("{name}@{from}-{nth}"))) {
        let path = damaged.join(name);
        match disk.open(&path) {
            Ok(kept) if is_same(&*kept, file, &range)? => {
                kept.sync()?;
                return disk.sync_folder(&damaged);
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let kept = disk.create(&path)?;
                copy(file, range, &*kept, 0)?;
                kept.sync()?;
                return disk.sync_folder(&damaged);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_same(kept: &dyn File, file: &dyn File, range: &std::ops::Range<u64>) -> io::Result<bool> {
    if kept.len()? != range.end - range.start {
        return Ok(false);
    }
    let (mut at, mut one, mut other) = (range.start, Vec::new(), Vec::new());
    while at < range.end {
        let bytes = (range.end - at).min(PIECE_BYTES) as usize;
        one.resize(bytes, 0);
        other.resize(bytes, 0);
        kept.read_at(&mut one, at - range.start)?;
        file.read_at(&mut other, at)?;
        if one != other {
            return Ok(false);
        }
        at += bytes as u64;
    }
    Ok(true)
}

/// Copies `range` of one file to `at` of another.
pub(super) fn copy(
    file: &dyn File,
    range: std::ops::Range<u64>,
    to: &dyn File,
    at: u64,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut from = range.start;
    while from < range.end {
        buffer.resize((range.end - from).min(PIECE_BYTES) as usize, 0);
        file.read_at(&mut buffer, from)?;
        to.write_at(&buffer, at + (from - range.start))?;
        from += buffer.len() as u64;
    }
    Ok(())
}

/// Records that are lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss<'a> {
    pub(super) stream: &'a str,
    /// The first and the last offset that may be concerned.
    pub(super) from: Offset,
    pub(super) last: Offset,
    /// Between which times they were recorded, in milliseconds since 1970.
    pub(super) times: (i64, i64),
    pub(super) reason: &'a str,
}

/// The batch that tells of a loss: one event, at the *last* lost offset, so that whoever stands
/// anywhere in the gap still meets it, and the next segment follows it.
pub(super) fn gap(loss: Loss<'_>) -> io::Result<Bytes> {
    let Loss { stream, from, last, times, reason } = loss;
    let time = |at| Timestamp::from_millisecond(at).map_err(io::Error::other);
    let (since, until) = (time(times.0)?, time(times.1)?);
    let reason = format!("records {from} to {last} of stream {stream} were lost: {reason}");
    let source = format!("/pluvio/streams/{stream}");
    let name = format!("{source} {from} {last} {since}");
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string();
    let data = serde_json::json!({ "from": since, "to": until, "reason": reason }).to_string();
    let event = Event::builder(id, source, pluvio_event::known::GAP_TYPE)
        .time(until)
        .datacontenttype("application/json")
        .extension(SEVERITY_TEXT, "WARN")
        .extension(SEVERITY_NUMBER, 13)
        .data(Data::Json(Json::as_written(data)));
    let event = event.build().map_err(io::Error::other)?;
    let mut body = Vec::new();
    batch::body(&mut body, None, &json::to_vec(&event), &[CONTENT_TYPE]);
    let mut builder = Builder::new(last.get(), times.0);
    builder.push(last.get(), times.0, &body);
    Ok(builder.finish(Compression::None).encoded)
}
