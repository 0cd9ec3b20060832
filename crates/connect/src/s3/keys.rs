//! What objects are called, and whether two sinks could give one name to two of them. Pure.
//!
//! A name tells which events its object holds. That it tells no more than that is why another object can have
//! it: a log that was put back from a copy has other events at the same offsets, and another filter takes other
//! ones of them. So names are numbered, from 2 on, and objects are put only where there is none.

use pluvio_log::Offset;
use pluvio_runtime::{Delivered, Standing};
use url::Url;
use uuid::Uuid;

use super::config::Settings;
use crate::outbound::object_name::{Content, Names};

/// Longest key of an object, by S3.
const KEY_BYTES_MAX: usize = 1024;
/// As often a log will not be put back, or a sink be moved with another filter, within one bucket.
pub(super) const NUMBER_MAX: u32 = 99;
/// What a cursor is called behind the id of the log.
const CURSOR_END: &str = ".json";
/// Digits of a number; 0: it is not written.
const DIGITS: [usize; 3] = [0, 1, 2];

/// All that a sink may put, so that two can be told apart.
#[derive(Debug)]
pub struct Keys {
    /// Whoever keeps it, and its name there.
    bucket: (Url, String),
    /// By the length of their numbers.
    objects: [Names; DIGITS.len()],
    /// By the logs that it may have.
    cursors: Names,
}

/// How two sinks would put objects under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// An object can have the key of one of the other's, such as this one.
    Objects(String),
    /// This is where one keeps its place, and the other does so, too, or can have an object there.
    Cursor(String),
}

impl Keys {
    /// Of a sink of that name with that stream.
    pub(super) fn new(settings: &Settings, sink: &str, stream: &str) -> Self {
        let Settings { endpoint, bucket, prefix, name, compression, .. } = settings;
        let names = |digits| {
            Names::numbered(name, stream, sink, digits).between(prefix, compression.suffix())
        };
        Self {
            bucket: (endpoint.clone(), bucket.clone()),
            objects: DIGITS.map(names),
            cursors: Names::of_logs(&beginning(settings, sink, stream), CURSOR_END),
        }
    }

    /// How these sinks would put objects under one key, if they can.
    pub fn clash(&self, other: &Self) -> Option<Clash> {
        if self.bucket != other.bucket {
            return None;
        }
        if let Some(names) = self.objects.iter().find(|it| other.objects.iter().any(|o| it.meet(o)))
        {
            return Some(Clash::Objects(names.to_string()));
        }
        let is_there = |one: &Self, cursors: &Names| {
            one.cursors.meet(cursors) || one.objects.iter().any(|names| names.meet(cursors))
        };
        let cursors = [(self, &other.cursors), (other, &self.cursors)];
        let cursors = cursors.into_iter().find(|(one, cursors)| is_there(one, cursors));
        cursors.map(|(_, cursors)| Clash::Cursor(cursors.to_string()))
    }

    /// Which key of the configuration makes the name of an object longer than S3 takes, and by how much.
    pub(super) fn too_long(&self) -> Option<(&'static str, String)> {
        let bytes = self.objects.iter().map(Names::bytes).max()?;
        let excess = bytes.checked_sub(KEY_BYTES_MAX).filter(|excess| *excess > 0)?;
        let message = format!(
            "`name` makes keys of {bytes} bytes, with `prefix` and a number, and a key has at most \
             {KEY_BYTES_MAX}; shorten it by {excess}"
        );
        Some(("name", message))
    }
}

/// Where a sink keeps its place in the log with this id: two Pluvios with sinks of one name may share a bucket, and
/// neither finds, or replaces, what the other has noted.
pub(super) fn cursor(settings: &Settings, sink: &str, stream: &str, log_id: Uuid) -> String {
    format!("{}{}{CURSOR_END}", beginning(settings, sink, stream), log_id.simple())
}

/// What a cursor is called before the id of the log.
fn beginning(settings: &Settings, sink: &str, stream: &str) -> String {
    format!("{}.pluvio/{sink}-{stream}-", settings.prefix)
}

/// What has no cursor's name.
pub(super) fn probe(settings: &Settings) -> String {
    format!("{}.pluvio/probe.json", settings.prefix)
}

/// What an object is called that holds the events from `first` to the one at `last`.
pub(super) fn object(
    settings: &Settings,
    standing: &Standing,
    first: &Delivered,
    last: Offset,
    number: u32,
) -> String {
    let (stream, sink) = (standing.stream.to_string(), standing.sink.to_string());
    let content = Content {
        first: first.offset(),
        last,
        recorded: first.recorded(),
        stream: &stream,
        sink: &sink,
        log_id: standing.log_id,
        number,
    };
    let suffix = settings.compression.suffix();
    format!("{}{}{suffix}", settings.prefix, settings.name.name(&content))
}
