//! The events of one cloud, out of a log, as a simulated cloud is to play them.
//!
//! ```text
//!  log ──▶ record ──▶ Event ── of this cloud? of this source? in time? ──▶ take ──▶ Recording
//!                                    │ no: counted, with why                  │
//!                                    ▼                                        └ secrets replaced
//!                                  Taken, which the user is told
//! ```
//!
//! The log is only read, beside the Pluvio that may be writing to it. It refuses to choose between
//! several clouds, and to hold more than [`TEXT_BYTES_MAX`].

use std::{collections::BTreeMap, fmt::Write as _, ops::ControlFlow, path::Path};

use jiff::Timestamp;
use pluvio_event::{AttributeValue, Data, Event, json};
use pluvio_log::{
    Offset, StreamName,
    disk::{Disk as _, RealDisk},
    inspect::{self, Dumped},
};

use super::super::{
    Failed,
    log::{self, Meter},
    print_line,
};
use crate::cli::{Beginning, SimulateFrom};

/// The most text of events that is held in memory: a simulator is a tool for a laptop.
const TEXT_BYTES_MAX: usize = 1 << 30;

/// Of sources and types of events, this many are listed.
const LISTED_MAX: usize = 12;

/// What a cloud makes of the events in a log.
pub(super) trait Recorder {
    /// What every type of its events begins with.
    const PREFIX: &'static str;
    /// What it is called.
    const CLOUD: &'static str;
    /// Types with the prefix that are no events of the cloud, and what they are.
    const FOREIGN: &'static [(&'static str, &'static str)];

    /// Takes an event behind those that were taken; gives how many secrets were replaced, or why it cannot
    /// be played.
    fn take(&mut self, event: &Event, data: &str, time: Timestamp) -> Result<usize, String>;
}

/// What was taken.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// How many events.
    count: usize,
    /// The time of the first one.
    first: Option<Timestamp>,
    /// The earliest time and the latest.
    span: Option<(Timestamp, Timestamp)>,
    /// Bytes of their data.
    bytes: usize,
    /// How many values were replaced.
    redacted: usize,
    /// Why others cannot be played, and how many.
    refused: BTreeMap<String, usize>,
    /// The sources of the cloud's events, and how many each has.
    sources: BTreeMap<String, usize>,
    /// What else there is: source and type.
    others: BTreeMap<(String, String), usize>,
}

impl Taken {
    /// Where the clock begins.
    pub(super) fn beginning(&self, asked: Option<Beginning>) -> Option<Timestamp> {
        match asked {
            Some(Beginning::At(time)) => Some(time),
            Some(Beginning::End) => self.span.map(|(_, latest)| latest),
            None => self.first,
        }
    }

    /// What Pluvio says about a source of the cloud in its own name is left out as well.
    fn leave_out<R: Recorder>(&mut self, wanted: Option<&str>) {
        for ((source, kind), count) in &self.others {
            let is_ours = self.sources.contains_key(source)
                && wanted.is_none_or(|wanted| wanted == source)
                && !kind.starts_with(R::PREFIX);
            if is_ours {
                let reason = format!("`{kind}` is none of a {}'s", R::CLOUD);
                *self.refused.entry(reason).or_default() += count;
            }
        }
    }

    /// Tells the user what was taken and what was not.
    pub(super) fn tell(&self) {
        if let Some((from, to)) = self.span {
            print_line(&format!("recording: {}, {from} to {to}", counted(self.count, "event")));
        }
        if self.redacted > 0 {
            print_line(&format!("redacted:  {}", counted(self.redacted, "value")));
        }
        for (reason, count) in &self.refused {
            print_line(&format!("left out:  {}: {reason}", counted(*count, "event")));
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

/// Reads the events of a cloud from the log in `folder`.
pub(super) fn read<R: Recorder>(
    folder: &Path,
    options: &SimulateFrom,
    recorder: &mut R,
) -> Result<Taken, Failed> {
    if !folder.is_dir() {
        return Err(Failed::Usage(format!(
            "there is no folder `{}`; --from takes the data folder of a Pluvio: what `dir` of [log] \
             names, `data` if it names nothing",
            folder.display()
        )));
    }
    let folder = log::folder(Path::new(""), Some(folder))?;
    let stream = stream(&folder, &options.stream)?;
    let mut taken = Taken::default();
    let (mut failed, mut meter, mut read) = (None, Meter::new(), 0);
    let mut visit = |record: Dumped| {
        read += 1;
        meter.count(read);
        match one(&record, &stream, options, recorder, &mut taken) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let dumped = inspect::dump(&RealDisk, &folder, &stream, Offset::default(), &mut visit);
    meter.clear();
    dumped.map_err(log::failed)?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    check::<R>(&taken, &folder, options)?;
    taken.leave_out::<R>(options.source.as_deref());
    Ok(taken)
}

/// The stream, if there is such a one.
fn stream(folder: &Path, name: &str) -> Result<StreamName, Failed> {
    let listed = RealDisk.list(folder).unwrap_or_default();
    let is_stream = |name: &str| RealDisk.open(&folder.join(name).join("stream.json")).is_ok();
    let names = listed.iter().filter(|entry| entry.bytes.is_none()).map(|entry| &*entry.name);
    let mut names: Vec<&str> =
        names.filter(|name| !name.starts_with("__") && is_stream(name)).collect();
    names.sort_unstable();
    let stream = StreamName::new(name).ok().filter(|stream| names.contains(&stream.as_str()));
    stream.ok_or_else(|| {
        let (folder, names) = (folder.display(), names.join(", "));
        Failed::Usage(format!(
            "there is no stream `{name}` in `{folder}`; --stream takes one of: {names}"
        ))
    })
}

/// Looks at one record.
fn one<R: Recorder>(
    record: &Dumped,
    stream: &StreamName,
    options: &SimulateFrom,
    recorder: &mut R,
    taken: &mut Taken,
) -> Result<(), Failed> {
    let event = record.value.as_deref().map(json::decode);
    let Some(Ok(event)) = event else {
        let (offset, from) = (record.offset, options.from.as_deref().unwrap_or(Path::new("data")));
        let from = from.display();
        return Err(Failed::Usage(format!(
            "record {offset} of `{stream}` is no event; look at it with `pluvio log dump {from} \
             --stream {stream} --from {offset} --limit 1`, and choose another stream with --stream"
        )));
    };
    let (source, kind) = (event.source(), event.event_type());
    let is_ours = kind.starts_with(R::PREFIX);
    let is_wanted = options.source.as_deref().is_none_or(|wanted| wanted == source);
    let foreign = R::FOREIGN.iter().find(|(known, _)| *known == kind);
    if is_ours && foreign.is_none() {
        *taken.sources.entry(source.to_owned()).or_default() += 1;
    }
    if !is_ours || !is_wanted {
        if taken.others.len() < 1000 || taken.others.contains_key(&(source.into(), kind.into())) {
            *taken.others.entry((source.to_owned(), kind.to_owned())).or_default() += 1;
        }
        return Ok(());
    }
    let refuse = |taken: &mut Taken, reason: &str| {
        *taken.refused.entry(reason.to_owned()).or_default() += 1;
        Ok(())
    };
    if let Some((known, what)) = foreign {
        return refuse(taken, &format!("`{known}` {what}"));
    }
    let Some(time) = event.time() else { return refuse(taken, "no `time`") };
    if options.since.is_some_and(|since| time < since)
        || options.until.is_some_and(|until| time >= until)
    {
        return Ok(());
    }
    let Some(Data::Json(data)) = event.data() else { return refuse(taken, "no JSON in `data`") };
    taken.bytes += data.get().len();
    if taken.bytes > TEXT_BYTES_MAX {
        return Err(Failed::Usage(format!(
            "there are more than {} MiB of events, which is more than a recording holds; take a part \
             of them with --since and --until",
            TEXT_BYTES_MAX >> 20
        )));
    }
    match recorder.take(&event, data.get(), time) {
        Err(reason) => refuse(taken, &reason),
        Ok(redacted) => {
            taken.count += 1;
            taken.redacted += redacted;
            taken.first.get_or_insert(time);
            let (from, to) = taken.span.unwrap_or((time, time));
            taken.span = Some((from.min(time), to.max(time)));
            Ok(())
        }
    }
}

/// Refuses a recording of nothing, and one of several clouds.
fn check<R: Recorder>(taken: &Taken, folder: &Path, options: &SimulateFrom) -> Result<(), Failed> {
    let (cloud, folder, stream) = (R::CLOUD, folder.display(), &options.stream);
    if options.source.is_none() && taken.sources.len() > 1 {
        let sources = listed(
            taken
                .sources
                .iter()
                .map(|(source, count)| format!("{source}  ({})", counted(*count, "event"))),
        );
        return Err(Failed::Usage(format!(
            "`{stream}` holds events of several {cloud}s; choose one with --source:{sources}"
        )));
    }
    if taken.count > 0 {
        return Ok(());
    }
    let source = options.source.as_deref();
    let of = source.map_or_else(String::new, |source| format!(" with the source `{source}`"));
    let mut text = format!("`{stream}` in `{folder}` holds no event of a {cloud}{of}");
    let is_there = source.map_or(!taken.sources.is_empty(), |s| taken.sources.contains_key(s));
    if is_there && taken.refused.is_empty() {
        text.push_str(" in that time; there are some at others: see --since and --until");
    } else if is_there {
        text.push_str(" that can be played:");
        let reasons = taken.refused.iter();
        text += &listed(reasons.map(|(why, count)| format!("{}: {why}", counted(*count, "event"))));
    } else if !taken.sources.is_empty() {
        text.push_str("; there are the sources");
        text += &listed(taken.sources.keys().cloned());
    } else if taken.others.is_empty() {
        text.push_str("; it is empty");
    } else {
        text.push_str("; it holds");
        text += &listed(taken.others.iter().map(|((source, kind), count)| {
            format!("{kind} of {source}  ({})", counted(*count, "event"))
        }));
    }
    Err(Failed::Usage(text))
}

/// Each on a line of its own, the first few.
fn listed(lines: impl ExactSizeIterator<Item = String>) -> String {
    let left = lines.len().saturating_sub(LISTED_MAX);
    let mut text = String::new();
    for line in lines.take(LISTED_MAX) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {line}");
    }
    if left > 0 {
        let _ = write!(text, "\n  and {left} more");
    }
    text
}

/// An extension attribute that is text.
pub(super) fn extension<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    match event.extension(name)? {
        AttributeValue::String(text) => Some(text),
        _ => None,
    }
}
