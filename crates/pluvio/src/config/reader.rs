//! From the text of a file to sections in which every key is known and every value has its type.
//!
//! The text is parsed once. A section is always the value that the parser gave for it, never looked
//! up again by a name: TOML can quote any name, and one that reads like a header must not hide its
//! section. It refuses to make components: that is [`Configuration`]'s next step.

use std::collections::BTreeMap;

use pluvio_log::{SourceName, StreamName};
use serde::Deserialize as _;
use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    Configuration, Problem, SourceSection,
    document::{Document, suggestion},
    exposed::Sensitive,
    inspect::{Inspection, unknown_key},
    listeners::ListenerSection,
    principals::{PrincipalSection, Principals},
    section_spans::{SectionSpans, header},
    sections::LogSection,
};
use crate::registry;

/// What a source's section may hold beside the component's own keys.
const SOURCE_KEYS: [&str; 2] = ["type", "stream"];
const SECTIONS: [&str; 5] = ["log", "principals", "sources", "sinks", "listeners"];
/// An empty table reads like "nobody", and a configuration without principals lets in everybody.
const NOBODY: &str = "[principals] names nobody; add a section such as [principals.billing], or remove \
                      `principals` to let in everybody who reaches the listeners";

/// Reads all sections; gives every problem there is, or the configuration.
pub(super) fn parse(document: &Document) -> Result<Configuration, Vec<Problem>> {
    let (root, mut problems) = document.parse();
    let mut configuration = Configuration {
        log: LogSection::default(),
        principals: Principals::default(),
        sources: Vec::new(),
        sinks: Vec::new(),
        listeners: Vec::new(),
        warnings: Vec::new(),
        original: None,
    };
    let mut reader = Reader { document, problems: Vec::new(), sensitive: Sensitive::default() };
    for (key, value) in root.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("log", DeValue::Table(_)) => {
                if let Some(log) = reader.plain::<LogSection>("[log]", value) {
                    if let Some(wrong) = log.wrong_record_max() {
                        reader.problem_of(
                            value,
                            "record_max",
                            format!("`record_max` of [log]: {wrong}"),
                        );
                    }
                    if let Some(wrong) = log.wrong_segment_size() {
                        let wrong = format!("`segment_size` of [log]: {wrong}");
                        reader.problem_of(value, "segment_size", wrong);
                    }
                    if let Some(wrong) = log.wrong_dir() {
                        reader.problem_of(value, "dir", format!("`dir` of [log]: {wrong}"));
                    }
                    configuration.log = log;
                }
            }
            (
                section @ ("principals" | "sources" | "sinks" | "listeners"),
                DeValue::Table(entries),
            ) => {
                if section == "principals" && entries.is_empty() {
                    reader.problem(value, NOBODY);
                }
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
    configuration.warnings = reader.sensitive.warnings(document);
    problems.extend(reader.problems);
    problems.sort_by_key(|problem| document.position(&problem.place));
    if problems.is_empty() { Ok(configuration) } else { Err(problems) }
}

/// Reads sections and collects what is wrong with them.
pub(super) struct Reader<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
    sensitive: Sensitive,
}

impl Reader<'_> {
    pub(super) fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.problems.push(self.document.problem(at.span(), message));
    }

    /// A problem with one key of a section.
    fn problem_of(&mut self, section: &Spanned<DeValue<'_>>, key: &str, message: String) {
        let own = section.get_ref().as_table().and_then(|table| table.get(key));
        self.problem(own.unwrap_or(section), message);
    }

    fn entry(
        &mut self,
        section: &str,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        into: &mut Configuration,
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            let header = header(section, name.get_ref());
            return self.problem(value, format!("write a section: {header}"));
        };
        let place = self.place(name, value, table);
        let path = header(section, &place.name);
        if let Some(wrong) = wrong_name(&place.name) {
            return self.problem(name, format!("the name in {path} {wrong}"));
        }
        match section {
            "principals" => {
                if let Some(principal) = self.plain::<PrincipalSection>(&path, value) {
                    into.principals.push(place, principal);
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
    ) -> SectionSpans {
        let at = |span| self.document.problem(span, "").place;
        let keys = table.iter().map(|(key, v)| (key.get_ref().to_string(), at(v.span())));
        let mut keys: BTreeMap<_, _> = keys.collect();
        keys.insert(String::new(), at(value.span()));
        SectionSpans { name: name.get_ref().to_string(), keys }
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
    pub(super) fn checked(
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
        let inspection = Inspection::new(self.document, &schema);
        let found = inspection.table(path, &Spanned::new(value.span(), table.clone()), &schema);
        self.sensitive.extend(inspection.into_sensitive());
        if !found.is_empty() {
            self.problems.extend(found);
            return None;
        }
        let section = Spanned::new(value.span(), value.get_ref().clone());
        let plain = toml::Table::deserialize(ValueDeserializer::from(section));
        self.deserialised(value, plain)
    }

    pub(super) fn deserialised<T>(
        &mut self,
        at: &Spanned<DeValue<'_>>,
        result: Result<T, toml::de::Error>,
    ) -> Option<T> {
        result.map_err(|error| self.problem(at, error.message())).ok()
    }

    fn source(
        &mut self,
        path: &str,
        place: SectionSpans,
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
            Ok(stream) if stream.as_str().ends_with(".dead") => {
                let wrong = format!(
                    "`stream`: `{stream}` is where sinks put what they cannot hand over; write a name \
                     that does not end in `.dead`"
                );
                return self.problem_of(value, "stream", wrong);
            }
            Ok(stream) if !stream.is_internal() => stream,
            Ok(stream) => {
                let wrong = format!("`stream`: stream `{stream}` is the log's own");
                return self.problem_of(value, "stream", wrong);
            }
            Err(error) => {
                return self.problem_of(value, "stream", format!("`stream`: {error}"));
            }
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
        place: SectionSpans,
        value: &Spanned<DeValue<'_>>,
        into: &mut Configuration,
    ) {
        let default = Some(place.name.as_str());
        let found = self.entry_of(path, value, registry::LISTENERS, |entry| entry.name, default);
        let Some(entry) = found else { return };
        let schema = Json::from((entry.schema)());
        let Some(mut table) = self.checked(path, value, &schema, &["type"]) else { return };
        table.remove("type");
        let resolve = Box::new(move |is_closed| (entry.resolve)(table, is_closed));
        into.listeners.push(ListenerSection { place, resolve });
    }

    /// The registry's entry for a section's `type`.
    pub(super) fn entry_of<'r, E>(
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
                    let hint =
                        near.map_or_else(|| ";".to_owned(), |n| format!("; did you mean \"{n}\"?"));
                    format!("unknown type \"{wanted}\" in {path}{hint} valid: {valid}")
                }
            };
            self.problem(given.unwrap_or(value), message);
        }
        found
    }
}

/// Longest name of a section, in bytes: as long as a stream's may be, with room for a suffix.
const NAME_BYTES_MAX: usize = 240;

/// Why nothing can be called `name`; components may refuse more.
fn wrong_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("is empty".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Some(format!("is longer than {NAME_BYTES_MAX} bytes"));
    }
    if let Some(c) = name.chars().find(|c| c.is_control()) {
        return Some(format!("contains the control character {c:?}"));
    }
    let hidden = name.chars().find(|c| is_hidden(*c));
    hidden.map(|c| format!("contains U+{:04X}, which nobody sees; leave it out", u32::from(c)))
}

/// Whether it leaves no mark where it stands, so that two names could look alike, or makes the text around
/// it read otherwise: Unicode's `Default_Ignorable_Code_Point`, separators of lines, annotations.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}
