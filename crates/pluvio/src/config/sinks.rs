//! `[sinks.NAME]`: what every sink has beside the component's own keys, and how it becomes a sink that
//! can start.

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use pluvio_connect::{
    file::{File, Names},
    s3::{Clash, Keys},
};
use pluvio_event::Filter;
use pluvio_log::{Offset, StreamName};
use pluvio_net::unit::{ByteSize, Period};
use pluvio_runtime::{
    Chain, SinkName,
    supervise::sink::{BatchLimits, Begin, dead_stream},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use toml::{Spanned, de::DeValue};

use super::{
    Configuration, LogSection, LogType, Problem,
    reader::Reader,
    section_spans::{SectionSpans, header},
};
use crate::registry::{self, BuildError, BuiltSink, SinkType};

/// What every sink has.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct CommonKeys {
    /// The stream that it is handed. What a sink named `x` cannot hand over is in `<stream>.dead`,
    /// each with the extension `pluviosink` = `x`; another sink can be handed that stream.
    stream: String,
    /// CEL expression that an event must satisfy, for example
    /// `type.startsWith("org.apache.cloudstack.VM.")`.
    filter: Option<String>,
    /// Where it begins when it is new: `earliest`, `latest`, an offset such as `"44"`, or a time such
    /// as `"2026-11-20T10:00:00Z"`. Later starts go on where it stood.
    from: String,
    /// Most events in a batch.
    #[schemars(range(min = 1, max = 100_000))]
    batch_events: usize,
    /// Most bytes in a batch; a larger event goes alone.
    batch_size: ByteSize,
    /// How long the first event of a batch waits for others; what has come meanwhile goes together
    /// even with `0s`.
    batch_age: Period,
}

impl Default for CommonKeys {
    fn default() -> Self {
        let BatchLimits { events_max, bytes_max, age_max } = BatchLimits::default();
        Self {
            stream: StreamName::events().to_string(),
            filter: None,
            from: "earliest".to_owned(),
            batch_events: events_max,
            batch_size: ByteSize(bytes_max as u64),
            batch_age: Period(age_max),
        }
    }
}

/// A batch is held in memory.
const BATCH_BYTES_MAX: u64 = 16 << 20;
/// An event that waits longer is late.
const BATCH_AGE_MAX: Duration = Duration::from_secs(600);

/// A section in which every key is known and has its type.
pub(super) struct SinkSection {
    place: SectionSpans,
    name: SinkName,
    common: CommonKeys,
    build: Box<dyn FnOnce() -> Result<BuiltSink, BuildError>>,
}

/// A sink that can start.
pub(crate) struct ReadySink {
    pub(crate) name: SinkName,
    pub(crate) stream: StreamName,
    pub(crate) filter: Filter,
    pub(crate) from: Begin,
    pub(crate) limits: BatchLimits,
    pub(crate) built: BuiltSink,
}

/// What a sink's section may hold: the component's keys, and those that every sink has.
pub(super) fn schema(entry: &SinkType) -> Json {
    let mut schema = Json::from((entry.schema)());
    let common = Json::from(schemars::schema_for!(CommonKeys));
    let kind = json!({
        "const": entry.name, "type": "string", "description": "What kind of sink this is.",
    });
    schema["properties"]["type"] = kind;
    for (key, property) in common["properties"].as_object().into_iter().flatten() {
        schema["properties"][key] = property.clone();
    }
    for (key, value) in (entry.batch)() {
        schema["properties"][key]["default"] = json!(value);
    }
    match schema["required"].as_array_mut() {
        Some(required) => required.insert(0, json!("type")),
        None => schema["required"] = json!(["type"]),
    }
    schema
}

/// The keys that every sink has.
pub(super) fn common_keys() -> Vec<String> {
    let keys = Json::from(schemars::schema_for!(CommonKeys));
    keys["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

impl Reader<'_> {
    /// Reads `[sinks.NAME]`.
    pub(super) fn sink(
        &mut self,
        path: &str,
        place: SectionSpans,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        into: &mut Configuration,
    ) {
        let found = self.entry_of(path, value, registry::SINKS, |entry| entry.name, None);
        let Some(entry) = found else { return };
        let Some(mut own) = self.checked(path, value, &schema(entry), &[]) else { return };
        own.remove("type");
        let keys = common_keys().into_iter();
        let mut common = (entry.batch)();
        common.extend(keys.filter_map(|key| own.remove_entry(&key)));
        let Some(common) = self.deserialised(value, CommonKeys::deserialize(common)) else {
            return;
        };
        match SinkName::new(name.get_ref()) {
            Ok(name) => {
                let build = Box::new(move || (entry.build)(own));
                into.sinks.push(SinkSection { place, name, common, build });
            }
            Err(error) => self.problem(name, error.to_string()),
        }
    }
}

impl Configuration {
    /// Makes all sinks; everything that is wrong with them is told at once.
    pub(crate) fn sinks(&mut self) -> Result<Vec<ReadySink>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut ready: Vec<ReadySink> = Vec::new();
        for section in std::mem::take(&mut self.sinks) {
            let place = section.place.clone();
            let sink = match section.ready() {
                Ok(sink) => sink,
                Err(found) => {
                    problems.extend(found);
                    continue;
                }
            };
            if let Begin::Time(time) = sink.from
                && let Some(ahead) = ahead(time, Timestamp::now())
            {
                let message = format!(
                    "`from` lies {ahead} ahead of this machine's clock: no event is that new, so a new \
                     sink begins with the next one, as with \"latest\"; check the time and the clock"
                );
                self.warnings.push(place.problem(Some("from"), message));
            }
            for (key, secret) in &sink.built.secrets {
                if let Err(error) = secret.check() {
                    let message = format!("`{key}`: {}", Chain(&error));
                    problems.push(place.problem(Some(key), message));
                }
            }
            let file = sink.file();
            let is_twin = |other: &&ReadySink| {
                let (ours, theirs) = (&sink.built.target, &other.built.target);
                // In a bucket it is the names that may not be the same; see `shares_keys`.
                let is_one_target = ours.exclusive.is_some()
                    && ours.bucket().is_none()
                    && theirs.exclusive == ours.exclusive;
                is_one_target || file.is_some() && other.file() == file
            };
            if let (Some(twin), Some(target)) =
                (ready.iter().find(is_twin), &sink.built.target.exclusive)
            {
                let twin = header("sinks", twin.name.as_str());
                let message =
                    format!("writes to {target}, as {twin} does; give each a target of its own");
                problems.push(place.problem(sink.built.target.local().map(|_| "path"), message));
            }
            if let Some(wrong) = file.and_then(|file| wrong_file(&file, &self.log)) {
                problems.push(place.problem(Some("path"), wrong));
            } else if let Some(wrong) = sink.built.target.local().and_then(File::wrong_kind) {
                problems.push(place.problem(Some("path"), format!("`path`: {wrong}")));
            }
            let too_long = sink.built.target.too_long(sink.name.as_str(), sink.stream.as_str());
            problems.extend(too_long.map(|(key, wrong)| place.problem(Some(key), wrong)));
            let beside = ready.iter().chain([&sink]).filter_map(|other| sink.meets(other));
            problems.extend(beside.map(|(key, wrong)| place.problem(Some(key), wrong)));
            let beside = ready.iter().filter_map(|other| sink.shares_keys(other));
            problems.extend(beside.map(|(key, wrong)| place.problem(Some(key), wrong)));
            ready.push(sink);
        }
        if problems.is_empty() { Ok(ready) } else { Err(problems) }
    }

    /// The streams that sinks are handed, as far as their names are right.
    pub(super) fn sink_streams(&self) -> impl Iterator<Item = StreamName> {
        self.sinks.iter().filter_map(|sink| StreamName::new(&sink.common.stream).ok())
    }
}

impl SinkSection {
    fn ready(self) -> Result<ReadySink, Vec<Problem>> {
        let Self { place, name, common, build } = self;
        let mut problems = Vec::new();
        let mut note = |key, message: String| {
            problems.push(place.problem(Some(key), format!("`{key}`: {message}")));
        };
        let stream = stream(&common.stream).map_err(|message| note("stream", message));
        let mut cel = common.filter.iter();
        let filter = cel.try_fold(Filter::default(), |filter, cel| filter.and_expression(cel));
        let filter = filter.map_err(|error| note("filter", error.to_string()));
        let from = begin(&common.from).map_err(|message| note("from", message));
        let limits = limits(&common).map_err(|(key, message)| note(key, message));
        let built = build().map_err(|BuildError { key, message }| {
            problems.push(place.problem(key, message));
        });
        match (stream, filter, from, limits, built) {
            (Ok(stream), Ok(filter), Ok(from), Ok(limits), Ok(built)) => {
                // A constant of ours, which its own test parses.
                let only = built.only.and_then(|cel| filter.clone().and_expression(cel).ok());
                let filter = only.unwrap_or(filter);
                Ok(ReadySink { name, stream, filter, from, limits, built })
            }
            _ => Err(problems),
        }
    }
}

impl ReadySink {
    /// The file that it writes, by the path that the system would come to.
    fn file(&self) -> Option<PathBuf> {
        self.built.target.local().map(|file| real(file.path()))
    }

    /// The names of the files that it finishes, and their folder; the name of the one that grows there.
    fn finished(&self) -> Option<(PathBuf, Names, String)> {
        let file = self.built.target.local()?;
        let folder = real(file.path().parent()?);
        let grown = file.path().file_name()?.to_string_lossy().into_owned();
        Some((folder, file.finished(self.name.as_str(), self.stream.as_str()), grown))
    }

    /// Which key would let a file of its own have the name of one of `other`'s, which may be itself; and
    /// what to write instead. A sink waits for ever where the name of a finished file is that of one that
    /// grows.
    fn meets(&self, other: &Self) -> Option<(&'static str, String)> {
        let (folder, finished, grown) = self.finished()?;
        let (beside, others, other_grown) = other.finished()?;
        if folder != beside {
            return None;
        }
        let header = header("sinks", other.name.as_str());
        if self.name == other.name {
            return finished.contain(&grown).then(|| {
                let message = format!(
                    "`path` can be the name of a finished file, such as `{finished}`; give it another, \
                     such as \"events.ndjson\""
                );
                ("path", message)
            });
        }
        if finished.contain(&other_grown) || others.contain(&grown) {
            let message = format!(
                "a finished file can have the name of the file that grows, here and in {header}; let \
                 `path` lie in another folder"
            );
            return Some(("path", message));
        }
        finished.meet(&others).then(|| {
            let message = format!(
                "finished files can have the names of those of {header}, such as `{finished}`; write \
                 {{sink}} into `finished`, or let `path` lie in another folder"
            );
            ("finished", message)
        })
    }

    /// What it puts into a bucket, if it is one of S3.
    fn keys(&self) -> Option<Keys> {
        let bucket = self.built.target.bucket()?;
        Some(bucket.keys(self.name.as_str(), self.stream.as_str()))
    }

    /// Which key would let an object have the key of one of `other`'s, and what to write instead. Neither could
    /// tell what it has put from what the other has.
    fn shares_keys(&self, other: &Self) -> Option<(&'static str, String)> {
        let clash = self.keys()?.clash(&other.keys()?)?;
        let header = header("sinks", other.name.as_str());
        Some(match clash {
            Clash::Objects(key) => {
                let message = format!(
                    "objects can have the keys of those of {header}, such as `{key}`; write {{sink}} into \
                     `name` of both, or let one have a `prefix` that the other's keys do not begin with"
                );
                ("name", message)
            }
            Clash::Cursor(key) => {
                let message = format!(
                    "the object `{key}`, which keeps the place of a sink, can be overwritten, here or in \
                     {header}; let one have a `prefix` that the other's keys do not begin with"
                );
                ("name", message)
            }
        })
    }
}

/// Why `file` cannot be written beside a log, if so.
fn wrong_file(file: &Path, log: &LogSection) -> Option<String> {
    if log.log_type == LogType::Disk && file.starts_with(real(&log.dir)) {
        let log = log.dir.display();
        return Some(format!(
            "`path` lies in `{log}`, the folder of the log, which takes no other files; name one in \
             another folder"
        ));
    }
    let kind = std::fs::metadata(file).ok().filter(|kind| !kind.is_file())?;
    let what = if kind.is_dir() { "is the folder" } else { "is no regular file:" };
    let file = file.display();
    Some(format!("`path` {what} `{file}`; name a file, such as \"events.ndjson\""))
}

/// The path that the system would come to, also of what is not there yet: without links and `..`.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = path.ancestors().find_map(|it| Some((it.canonicalize().ok()?, it)));
    let Some((mut there, found)) = found else { return path };
    let mut has_gone_up = false;
    for part in path.strip_prefix(found).unwrap_or(&path).components() {
        match part {
            Component::ParentDir => has_gone_up = there.pop(),
            part => there.push(part),
        }
    }
    // Behind a folder that is not there something may be.
    if has_gone_up { real(&there) } else { there }
}

fn stream(name: &str) -> Result<StreamName, String> {
    let stream = StreamName::new(name).map_err(|error| error.to_string())?;
    if stream.is_internal() {
        return Err(format!("stream `{stream}` is the log's own"));
    }
    dead_stream(&stream).map_err(|_| "the name leaves no room for `.dead`".to_owned())?;
    Ok(stream)
}

/// A place in a stream, as `from` and `pluvio sink seek` take it.
pub(crate) fn begin(text: &str) -> Result<Begin, String> {
    let offset = || text.parse::<i64>().ok().and_then(Offset::new).map(Begin::Offset);
    let time = || text.parse::<Timestamp>().ok().map(Begin::Time);
    match text {
        "earliest" => Ok(Begin::Earliest),
        "latest" => Ok(Begin::Latest),
        _ => offset().or_else(time).ok_or_else(|| {
            format!(
                "`{text}` is not valid; write \"earliest\", \"latest\", an offset such as \"44\", \
                 or a time such as \"2026-11-20T10:00:00Z\""
            )
        }),
    }
}

/// Two clocks that are right differ by less.
const AHEAD_MIN: SignedDuration = SignedDuration::from_mins(1);

/// How far `time` lies behind `now`, in words, if it does.
fn ahead(time: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = time.duration_since(now);
    let hours = ahead.as_hours();
    let counted = |count, unit| match count {
        1 => format!("1 {unit}"),
        count => format!("{count} {unit}s"),
    };
    (ahead >= AHEAD_MIN).then(|| match hours {
        0 => counted(ahead.as_mins(), "minute"),
        1..48 => counted(hours, "hour"),
        48..17_520 => counted(hours / 24, "day"),
        _ => counted(hours / 8766, "year"),
    })
}

fn limits(keys: &CommonKeys) -> Result<BatchLimits, (&'static str, String)> {
    let (size, age) = (keys.batch_size, keys.batch_age);
    if size.0 == 0 || size.0 > BATCH_BYTES_MAX {
        let max = ByteSize(BATCH_BYTES_MAX);
        return Err(("batch_size", format!("{size} is not between 1 B and {max}")));
    }
    if age.0 > BATCH_AGE_MAX {
        return Err(("batch_age", format!("{age} is longer than {}", Period(BATCH_AGE_MAX))));
    }
    let bytes_max = usize::try_from(size.0).unwrap_or(usize::MAX);
    Ok(BatchLimits { events_max: keys.batch_events, bytes_max, age_max: age.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_lies_ahead_is_told_in_words_that_fit() {
        let told = |hours| {
            let time = SignedDuration::from_hours(hours);
            let time = Timestamp::UNIX_EPOCH.checked_add(time).unwrap_or_default();
            ahead(time, Timestamp::UNIX_EPOCH)
        };
        assert_eq!((told(0), told(-9)), (None, None));
        assert_eq!(told(1).as_deref(), Some("1 hour"));
        assert_eq!(told(50).as_deref(), Some("2 days"));
        assert_eq!(told(73 * 8766).as_deref(), Some("73 years"));
    }

    #[test]
    fn a_path_is_the_same_by_whatever_name_also_before_it_is_there() {
        let folder = std::env::temp_dir().join(format!("pluvio-real-{}", std::process::id()));
        let made = std::fs::create_dir_all(folder.join("there"));
        made.unwrap_or_else(|error| unreachable!("{error}"));
        let link = folder.join("link");
        let linked = std::os::unix::fs::symlink(folder.join("there"), &link);
        linked.unwrap_or_else(|error| unreachable!("{error}"));
        let expected = real(&folder.join("there/a"));
        for name in ["link/a", "./there/../there/a", "new/../link/a"] {
            assert_eq!(real(&folder.join(name)), expected, "{name}");
        }
        assert_ne!(real(&folder.join("a")), expected);
        let _best_effort = std::fs::remove_dir_all(&folder);
    }
}
