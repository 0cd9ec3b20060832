//! `pluvio log info`: what a log holds.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use pluvio_event::shown;
use pluvio_log::{
    Offset, Recovery,
    disk::RealDisk,
    inspect::{self, IndexState, Info, SegmentInfo, StreamInfo},
};
use serde_json::{Value as Json, json};

use super::{
    Failed, failed, print_line,
    table::{aligned, counted, grouped, size},
};

/// More segments than these are not listed one by one.
const SEGMENTS_SHOWN: usize = 12;

pub(super) fn info(folder: &Path, is_json: bool) -> Result<(), Failed> {
    let info = inspect::info(&RealDisk, folder).map_err(failed)?;
    if is_json {
        print_line(&format!("{:#}", as_json(&info)));
        return Ok(());
    }
    let mut lines = head(&info);
    let (own, streams): (Vec<_>, Vec<_>) =
        info.streams.iter().partition(|stream| stream.name.is_internal());
    for stream in streams {
        lines.extend(told(stream));
    }
    if !own.is_empty() {
        lines.push("internal streams".to_owned());
        let rows = own.iter().map(|stream| {
            let entries = stream.entries.unwrap_or_default() as u64;
            vec![
                format!("  {}", stream.name),
                counted(entries, "entry", "entries"),
                counted(stream.segments.len() as u64, "segment", "segments"),
                size(stream.bytes),
            ]
        });
        lines.extend(aligned(&rows.collect::<Vec<_>>(), &[false, true, true, true]));
    }
    print_line(&lines.join("\n"));
    Ok(())
}

fn head(info: &Info) -> Vec<String> {
    let state = match (&info.holder, info.unsynced) {
        (Some(holder), false) => format!("in use by {holder}"),
        (Some(holder), true) => format!("in use by {holder}, which writes without syncing"),
        (None, false) => "not in use".to_owned(),
        (None, true) => {
            "not in use; the last process wrote without syncing and did not end well: the newest \
             records may be gone"
                .to_owned()
        }
    };
    let mut lines = vec![format!("{}: {state}", info.folder.display())];
    lines.extend(info.recovery.as_ref().map(recovered));
    lines.push(String::new());
    lines
}

fn recovered(recovery: &Recovery) -> String {
    let Recovery { at, took, read_bytes, cut_bytes, indexes_rebuilt, may_have_lost } = recovery;
    let (at, read) = (at.strftime("%F %TZ"), size(*read_bytes));
    let mut text = format!("last start {at}: {} ms, {read} read", took.as_millis());
    if *cut_bytes > 0 {
        text.push_str(&format!(", {} of a write that never ended cut off", size(*cut_bytes)));
    }
    if *indexes_rebuilt > 0 {
        let indexes = counted(*indexes_rebuilt, "index", "indexes");
        text.push_str(&format!(", {indexes} made again"));
    }
    if *may_have_lost {
        text.push_str(", after a stop that may have lost the newest records");
    }
    text
}

fn told(stream: &StreamInfo) -> Vec<String> {
    let mut lines = vec![stream.name.to_string()];
    let (records, bytes) = (counted(stream.records, "record", "records"), size(stream.bytes));
    let offset_or_none =
        |offset: Option<Offset>| offset.map_or("none".to_owned(), |o| o.to_string());
    let identity = match &stream.manifest {
        Ok((format, release, log_id)) => {
            format!("{log_id}, format {format}, written by pluvio {release}")
        }
        Err(reason) => format!("unknown: stream.json: {reason}"),
    };
    let range = format!(
        "start {}, earliest {}, latest {}, next {}",
        stream.start,
        offset_or_none(stream.earliest),
        offset_or_none(stream.latest),
        stream.next
    );
    for (name, text) in [
        ("log id", identity),
        ("offsets", range),
        ("holds", format!("{records}, {bytes}, {}", segments(stream))),
    ] {
        lines.push(format!("  {name:<9} {text}"));
    }
    if let Some(until) = recorded_ahead(stream) {
        lines.push(format!(
            "  clock     the newest record was recorded at {}, ahead of this machine's clock: recorded \
             times stand still until then, and nothing that recent is deleted by age",
            until.strftime("%F %TZ")
        ));
    }
    if !stream.positions.is_empty() {
        lines.push("  positions".to_owned());
        let rows = stream.positions.iter();
        let rows =
            rows.map(|(source, at)| vec![format!("    {source}"), shown(at.as_str()).into_owned()]);
        lines.extend(aligned(&rows.collect::<Vec<_>>(), &[]));
    }
    lines.extend(listed(&stream.segments));
    lines.push(String::new());
    lines
}

/// When the newest record was recorded, if that is more than an hour ahead of this machine's clock.
fn recorded_ahead(stream: &StreamInfo) -> Option<Timestamp> {
    let newest = stream.segments.iter().rev().find_map(|segment| segment.recorded)?;
    (newest.duration_since(Timestamp::now()) > SignedDuration::from_hours(1)).then_some(newest)
}

fn segments(stream: &StreamInfo) -> String {
    counted(stream.segments.len() as u64, "segment", "segments")
}

fn listed(segments: &[SegmentInfo]) -> Vec<String> {
    let left_out = segments.len().saturating_sub(SEGMENTS_SHOWN);
    let head = ["    segment", "first", "last", "records", "size", "newest", "", "index"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let offset = |offset: Option<Offset>| offset.map_or("-".to_owned(), |o| o.to_string());
    rows.extend(segments.iter().skip(left_out).map(|segment| {
        vec![
            format!("    {:020}", segment.base.get()),
            offset(segment.first),
            offset(segment.last),
            grouped(segment.records),
            size(segment.bytes),
            segment.recorded.map_or("-".to_owned(), |at| at.strftime("%F %TZ").to_string()),
            if segment.is_sealed { "sealed" } else { "active" }.to_owned(),
            state(segment.index).to_owned(),
        ]
    }));
    let mut lines = aligned(&rows, &[false, true, true, true, true]);
    if left_out > 0 {
        let older = counted(left_out as u64, "older one", "older ones");
        lines.insert(1, format!("    … {older}; --json lists all"));
    }
    lines
}

fn state(index: IndexState) -> &'static str {
    match index {
        IndexState::None => "",
        IndexState::Ok => "ok",
        IndexState::Missing => "missing",
        IndexState::Stale => "stale",
        IndexState::Damaged => "damaged",
    }
}

fn as_json(info: &Info) -> Json {
    json!({
        "folder": info.folder.display().to_string(),
        "holder": info.holder,
        "unsynced": info.unsynced,
        "recovery": info.recovery.as_ref().map(recovery_json),
        "streams": info.streams.iter().map(stream_json).collect::<Vec<_>>(),
    })
}

fn recovery_json(recovery: &Recovery) -> Json {
    json!({
        "at": recovery.at.to_string(),
        "took_ms": recovery.took.as_millis() as u64,
        "read_bytes": recovery.read_bytes,
        "cut_bytes": recovery.cut_bytes,
        "indexes_rebuilt": recovery.indexes_rebuilt,
        "may_have_lost": recovery.may_have_lost,
    })
}

fn stream_json(stream: &StreamInfo) -> Json {
    let manifest = stream.manifest.as_ref().ok();
    let positions = stream.positions.iter();
    let positions = positions.map(|(source, at)| (source.to_string(), Json::from(at.as_str())));
    json!({
        "name": stream.name.as_str(),
        "internal": stream.name.is_internal(),
        "log_id": manifest.map(|(_, _, log_id)| log_id.to_string()),
        "format": manifest.map(|(format, ..)| format),
        "release": manifest.map(|(_, release, _)| release),
        "problem": stream.manifest.as_ref().err(),
        "start": stream.start.get(),
        "earliest": stream.earliest.map(Offset::get),
        "latest": stream.latest.map(Offset::get),
        "next": stream.next.get(),
        "records": stream.records,
        "bytes": stream.bytes,
        "entries": stream.entries,
        "recorded_ahead": recorded_ahead(stream).map(|at| at.to_string()),
        "positions": positions.collect::<serde_json::Map<_, _>>(),
        "segments": stream.segments.iter().map(segment_json).collect::<Vec<_>>(),
    })
}

fn segment_json(segment: &SegmentInfo) -> Json {
    let index = state(segment.index);
    json!({
        "base": segment.base.get(),
        "first": segment.first.map(Offset::get),
        "last": segment.last.map(Offset::get),
        "recorded": segment.recorded.map(|at| at.to_string()),
        "records": segment.records,
        "bytes": segment.bytes,
        "sealed": segment.is_sealed,
        "index": (!index.is_empty()).then_some(index),
    })
}
