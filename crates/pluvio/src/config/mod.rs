//! From a file, or from the environment, to components that are ready to start.
//!
//! Parse, then resolve, then run: [`load`] finds everything that is wrong in one pass and gives
//! either a [`Configuration`] or all problems; [`Configuration::sources`], [`Configuration::sinks`]
//! and [`Configuration::listeners`] make components; nothing later sees a raw value.

mod document;
mod environment;
mod inspect;
mod page;
mod sections;
mod sinks;
mod template;

use std::{collections::BTreeMap, path::Path};

use pluvio_listen::{Context, http, kafka};
use pluvio_log::{LogHandle, SourceName, StreamName};
use pluvio_runtime::AccessTable;
use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(crate) use document::Problem;
pub(crate) use environment::{
    demo, from_environment, is_configured as environment_is_configured, is_debug,
};
pub(crate) use page::pages;
pub(crate) use sections::{LogSection, LogType};
pub(crate) use sinks::ReadySink;
pub(crate) use template::{schema, template};

use crate::registry::{self, BuildError, BuiltListener, BuiltSource, SourceSlot};
use document::{Document, suggestion};
use inspect::{Inspection, unknown_key};
use sections::PrincipalSection;
use sinks::SinkSection;

/// What a source's section may hold beside the component's own keys.
const SOURCE_KEYS: [&str; 2] = ["type", "stream"];
const SECTIONS: [&str; 5] = ["log", "principals", "sources", "sinks", "listeners"];

/// A configuration in which every key is known and every value has its type.
pub(crate) struct Configuration {
    pub(crate) log: LogSection,
    principals: Vec<(Place, PrincipalSection)>,
    sources: Vec<SourceSection>,
    sinks: Vec<SinkSection>,
    listeners: Vec<ListenerSection>,
}

/// A section's name and where it stands, for problems found later.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    /// `file:line:column` of each key, and of the section itself under the empty key.
    keys: BTreeMap<String, String>,
}

struct SourceSection {
    place: Place,
    stream: StreamName,
    name: SourceName,
    build: Box<dyn FnOnce(SourceSlot) -> Result<BuiltSource, BuildError>>,
}

struct ListenerSection {
    place: Place,
    /// As written, to tell two that want the same address.
    listen: Option<String>,
    build: Box<dyn FnOnce(Context) -> Result<BuiltListener, BuildError>>,
}

/// A source that can start.
pub(crate) struct ReadySource {
    pub(crate) name: SourceName,
    pub(crate) stream: StreamName,
    pub(crate) built: BuiltSource,
}

/// Reads and checks a file.
pub(crate) fn load(path: &Path) -> Result<Configuration, Vec<Problem>> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("failed to read the configuration: {error}");
        vec![Problem { place: shown.clone(), message }]
    })?;
    parse(&Document::new(shown, text))
}

fn parse(document: &Document) -> Result<Configuration, Vec<Problem>> {
    let (root, mut problems) = document.parse();
    let mut configuration = Configuration {
        log: LogSection::default(),
        principals: Vec::new(),
        sources: Vec::new(),
        sinks: Vec::new(),
        listeners: Vec::new(),
    };
    let mut reader = Reader { document, problems: Vec::new() };
    for (key, value) in root.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("log", DeValue::Table(_)) => {
                if let Some(log) = reader.plain::<LogSection>("[log]", value) {
                    if let Some(wrong) = log.wrong_record_max() {
                        reader.problem(value, format!("`record_max` of [log]: {wrong}"));
                    }
                    if let Some(wrong) = log.wrong_segment_size() {
                        reader.problem(value, format!("`segment_size` of [log]: {wrong}"));
                    }
                    configuration.log = log;
                }
            }
            (
                section @ ("principals" | "sources" | "sinks" | "listeners"),
                DeValue::Table(entries),
            ) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(name, _)| name.span().start);
                for (name, value) in entries {
                    reader.entry(section, name, value, &mut configuration);
                }
            }
            (section, _) if SECTIONS.contains(&section) => {
                reader.problem(value, format!("`{section}` must be a table: write [{section}…]"));
            }
            (name, _) => {
                let message = unknown_key("the file", name, SECTIONS.into_iter());
                reader.problems.push(document.problem(key.span(), message));
            }
        }
    }
    problems.extend(reader.problems);
    problems.sort_by_key(|problem| document.position(&problem.place));
    if problems.is_empty() { Ok(configuration) } else { Err(problems) }
}

/// Reads sections and collects what is wrong with them.
struct Reader<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.problems.push(self.document.problem(at.span(), message));
    }

    fn entry(
        &mut self,
        section: &str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        into: &mut Configuration,
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.problem(value, format!("write a section: [{section}.{}]", name.get_ref()));
        };
        let place = self.place(name, value, table);
        let path = format!("[{section}.{}]", place.name);
        match section {
            "principals" => {
                if let Some(principal) = self.plain::<PrincipalSection>(&path, value) {
                    into.principals.push((place, principal));
                }
            }
            "sources" => self.source(&path, place, name, value, into),
            "sinks" => self.sink(&path, place, name, value, into),
            _ => self.listener(&path, place, value, into),
        }
    }

    fn place(
        &self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        table: &DeTable<'_>,
    ) -> Place {
        let at = |span| self.document.problem(span, "").place;
        let keys = table.iter().map(|(key, v)| (key.get_ref().to_string(), at(v.span())));
        let mut keys: BTreeMap<_, _> = keys.collect();
        keys.insert(String::new(), at(value.span()));
        Place { name: name.get_ref().to_string(), keys }
    }

    /// A section that one type describes completely.
    fn plain<T>(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<T>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        let schema = Json::from(schemars::schema_for!(T));
        let table = self.checked(path, value, &schema, &[])?;
        self.deserialised(value, T::deserialize(table))
    }

    /// Walks a section with its schema, `extra` keys allowed; gives it as plain TOML if it is right.
    fn checked(
        &mut self,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        schema: &Json,
        extra: &[&str],
    ) -> Option<toml::Table> {
        let mut schema = schema.clone();
        for key in extra {
            schema["properties"][*key] = serde_json::json!({ "type": "string" });
        }
        let DeValue::Table(table) = value.get_ref() else { return None };
        let inspection = Inspection { document: self.document, root: &schema };
        let found = inspection.table(path, &Spanned::new(value.span(), table.clone()), &schema);
        let is_right = found.is_empty();
        self.problems.extend(found);
        let text = &self.document.text();
        let plain: toml::Table = toml::from_str(text).ok()?;
        is_right.then(|| section_at(plain, path))?
    }

    fn deserialised<T>(
        &mut self,
        at: &Spanned<DeValue<'_>>,
        result: Result<T, toml::de::Error>,
    ) -> Option<T> {
        result.map_err(|error| self.problem(at, error.message())).ok()
    }

    fn source(
        &mut self,
        path: &str,
        place: Place,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        into: &mut Configuration,
    ) {
        let Some(entry) = self.entry_of(path, value, registry::SOURCES, |entry| entry.name, None)
        else {
            return;
        };
        let schema = Json::from((entry.schema)());
        let Some(mut table) = self.checked(path, value, &schema, &SOURCE_KEYS) else { return };
        let stream = table.remove("stream");
        table.remove("type");
        let stream = stream.as_ref().and_then(toml::Value::as_str).unwrap_or("events");
        let stream = match StreamName::new(stream) {
            Ok(stream) if !stream.is_internal() => stream,
            Ok(stream) => {
                return self.problem(value, format!("stream `{stream}` is the log's own"));
            }
            Err(error) => return self.problem(value, error.to_string()),
        };
        match SourceName::new(name.get_ref()) {
            Ok(name) => {
                let build = Box::new(move |slot| (entry.build)(table, slot));
                into.sources.push(SourceSection { place, stream, name, build });
            }
            Err(error) => self.problem(name, error.to_string()),
        }
    }

    fn listener(
        &mut self,
        path: &str,
        place: Place,
        value: &Spanned<DeValue<'_>>,
        into: &mut Configuration,
    ) {
        let default = Some(place.name.as_str());
        let found = self.entry_of(path, value, registry::LISTENERS, |entry| entry.name, default);
        let Some(entry) = found else { return };
        let schema = Json::from((entry.schema)());
        let Some(mut table) = self.checked(path, value, &schema, &["type"]) else { return };
        table.remove("type");
        let listen = table.get("listen").and_then(toml::Value::as_str).map(str::to_owned);
        let twin = into.listeners.iter().find(|l| l.listen.is_some() && l.listen == listen);
        if let (Some(twin), Some(listen)) = (twin, &listen) {
            let message = format!("`listen` is {listen}, as in [listeners.{}]", twin.place.name);
            return self.problems.push(place.problem(Some("listen"), message));
        }
        let build = Box::new(move |context| (entry.build)(table, context));
        into.listeners.push(ListenerSection { place, listen, build });
    }

    /// The registry's entry for a section's `type`.
    fn entry_of<'r, E>(
        &mut self,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        entries: &'r [E],
        name_of: fn(&E) -> &'static str,
        default: Option<&str>,
    ) -> Option<&'r E> {
        let DeValue::Table(table) = value.get_ref() else { return None };
        let given = table.get("type");
        let wanted = match given.map(|value| (value, value.get_ref().as_str())) {
            Some((_, Some(name))) => name,
            Some((value, None)) => {
                self.problem(value, "`type` must be a string");
                return None;
            }
            None => default.unwrap_or_default(),
        };
        let found = entries.iter().find(|entry| name_of(entry) == wanted);
        if found.is_none() {
            let names: Vec<&str> = entries.iter().map(name_of).collect();
            let valid = names.join(", ");
            let message = match given {
                None => format!("{path} lacks the key `type`; valid: {valid}"),
                Some(_) => {
                    let near = suggestion(wanted, names.iter().copied());
                    let hint = near.map(|n| format!("; did you mean \"{n}\"?")).unwrap_or_default();
                    format!("unknown type \"{wanted}\" in {path}{hint} valid: {valid}")
                }
            };
            self.problem(given.unwrap_or(value), message);
        }
        found
    }
}

/// `[sources.x]` of a plain document.
fn section_at(root: toml::Table, path: &str) -> Option<toml::Table> {
    let keys = path.trim_matches(['[', ']']);
    let (section, name) = match keys.split_once('.') {
        Some((section, name)) => (section, Some(name)),
        None => (keys, None),
    };
    let mut table = root;
    for key in std::iter::once(section).chain(name) {
        table = match table.remove(key)? {
            toml::Value::Table(table) => table,
            _ => return None,
        };
    }
    Some(table)
}

impl Place {
    fn problem(&self, key: Option<&str>, message: String) -> Problem {
        let place = key.and_then(|key| self.keys.get(key)).or_else(|| self.keys.get(""));
        Problem { place: place.cloned().unwrap_or_default(), message }
    }
}

impl Configuration {
    /// Makes all sources; everything that is wrong with them is told at once.
    pub(crate) fn sources(&mut self) -> Result<Vec<ReadySource>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut ready: Vec<ReadySource> = Vec::new();
        let streams: Vec<StreamName> = self.sources.iter().map(|s| s.stream.clone()).collect();
        for section in std::mem::take(&mut self.sources) {
            let SourceSection { place, stream, name, build } = section;
            let is_alone = streams.iter().filter(|other| **other == stream).count() == 1;
            match build(SourceSlot { is_alone }) {
                Ok(built) => {
                    let is_twin = |other: &&ReadySource| {
                        other.stream == stream && other.built.identity == built.identity
                    };
                    if let Some(twin) = ready.iter().find(is_twin) {
                        let message = format!(
                            "captures {} like [sources.{}], so every event would be stored twice",
                            built.identity, twin.name
                        );
                        problems.push(place.problem(None, message));
                    }
                    for (key, secret) in &built.secrets {
                        if let Err(error) = secret.check() {
                            let message = pluvio_runtime::Chain(&error).to_string();
                            problems.push(place.problem(Some(key), format!("`{key}`: {message}")));
                        }
                    }
                    ready.push(ReadySource { name, stream, built });
                }
                Err(BuildError { key, message }) => problems.push(place.problem(key, message)),
            }
        }
        if problems.is_empty() { Ok(ready) } else { Err(problems) }
    }

    /// Everybody who is let in; open to all if nobody is named.
    pub(crate) fn access(&self) -> Result<AccessTable, Vec<Problem>> {
        if self.principals.is_empty() {
            return Ok(AccessTable::open());
        }
        let (mut table, mut problems) = (AccessTable::closed(), Vec::new());
        for (place, section) in &self.principals {
            if let Err((key, message)) = section.add_to(&place.name, &mut table) {
                problems.push(place.problem(Some(key), format!("`{key}`: {message}")));
            }
        }
        if problems.is_empty() { Ok(table) } else { Err(problems) }
    }

    /// Makes all listeners and binds their sockets. Without any, HTTP and Kafka on their default
    /// addresses; Kafka only if nobody else has its port.
    pub(crate) fn listeners(
        &mut self,
        log: &LogHandle,
        status: &pluvio_runtime::status::StatusBoard,
        metrics: &registry::Metrics,
    ) -> Result<Vec<(String, BuiltListener)>, Vec<Problem>> {
        let table = self.access()?;
        let context = Context {
            log: log.clone(),
            stream: StreamName::events(),
            access: std::sync::Arc::new(table),
            status: status.clone(),
            metrics: std::sync::Arc::clone(metrics),
            version: crate::VERSION,
            retention: self.log.kept(),
            record_bytes_max: self.log.record_bytes_max(),
        };
        let (mut problems, mut ready) = (Vec::new(), Vec::new());
        if self.listeners.is_empty() {
            let build = Box::new(|context| registry::build_http(http::Config::default(), context));
            let place = Place { name: "http".to_owned(), keys: BTreeMap::new() };
            self.listeners.push(ListenerSection { place, listen: None, build });
            match registry::build_kafka(kafka::Config::default(), context.clone()) {
                Ok(listener) => ready.push(("kafka".to_owned(), listener)),
                Err(BuildError { message, .. }) => tracing::warn!(
                    message,
                    "not serving Kafka's clients; [listeners.kafka] takes another address"
                ),
            }
        }
        for ListenerSection { place, build, .. } in std::mem::take(&mut self.listeners) {
            match build(context.clone()) {
                Ok(listener) => ready.push((place.name, listener)),
                Err(BuildError { key, message }) => problems.push(place.problem(key, message)),
            }
        }
        if problems.is_empty() { Ok(ready) } else { Err(problems) }
    }

    /// The streams that must be there: those that sources write to and sinks are handed, and the
    /// default one.
    pub(crate) fn streams(&self) -> Vec<StreamName> {
        let mut streams: Vec<_> = self.sources.iter().map(|s| s.stream.clone()).collect();
        streams.extend(self.sink_streams());
        streams.push(StreamName::events());
        streams.sort();
        streams.dedup();
        streams
    }
}

#[cfg(test)]
mod tests;
