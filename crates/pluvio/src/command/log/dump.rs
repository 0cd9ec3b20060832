//! `pluvio log dump`: records as they are stored, one line of JSON each.

use std::{ops::ControlFlow, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pluvio_log::{
    Offset, StreamName,
    disk::{Disk as _, RealDisk},
    inspect::{self, Dumped},
};
use serde_json::{Value as Json, json, value::RawValue};

use super::{Failed, failed, print_line};
use crate::cli::LogDump;

pub(super) fn dump(folder: &Path, options: &LogDump) -> Result<(), Failed> {
    let usage = |text: String| Failed::Usage(text);
    let stream = StreamName::new(&options.stream).map_err(|e| usage(e.to_string()))?;
    if RealDisk.list(&folder.join(stream.as_str())).is_err() {
        return Err(usage(format!("there is no stream `{stream}` in `{}`", folder.display())));
    }
    let from = i64::try_from(options.from).ok().and_then(Offset::new);
    let from = from.ok_or_else(|| usage("--from is beyond the last offset".to_owned()))?;
    let mut left = options.limit.unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(());
    }
    let mut visit = |record: Dumped| {
        left -= 1;
        if print_line(&line(&record)) && left > 0 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    inspect::dump(&RealDisk, folder, &stream, from, &mut visit).map_err(failed)
}

/// A record; its value as it is if that is one line of JSON.
fn line(record: &Dumped) -> String {
    let recorded = jiff::Timestamp::from_millisecond(record.timestamp);
    let recorded = recorded.map_or(Json::from(record.timestamp), |at| at.to_string().into());
    let headers = record.headers.iter().map(|(name, content)| {
        let name = String::from_utf8_lossy(name).into_owned();
        json!([name, content.map(text)])
    });
    let head = json!({
        "offset": record.offset,
        "recorded": recorded,
        "key": record.key.as_deref().map(text),
        "headers": headers.collect::<Vec<_>>(),
    });
    let value = record.value.as_deref().map_or("\"value\":null".to_owned(), value);
    let head = head.to_string();
    format!("{},{value}}}", head.trim_end_matches('}'))
}

/// JSON as it is stored, if that is one line; what is no JSON under a name that says what it is.
fn value(bytes: &[u8]) -> String {
    if let Ok(raw) = serde_json::from_slice::<Box<RawValue>>(bytes)
        && !bytes.contains(&b'\n')
    {
        return format!("\"value\":{}", raw.get());
    }
    match (serde_json::from_slice::<Json>(bytes), std::str::from_utf8(bytes)) {
        (Ok(value), _) => format!("\"value\":{value}"),
        (Err(_), Ok(text)) => format!("\"value_text\":{}", Json::from(text)),
        (Err(_), Err(_)) => format!("\"value_base64\":\"{}\"", BASE64_STANDARD.encode(bytes)),
    }
}

/// Text as it is, other bytes in base64 behind a prefix that says so.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("base64:{}", BASE64_STANDARD.encode(bytes)),
    }
}
