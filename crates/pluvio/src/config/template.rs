//! The default configuration as text, and its schema: both made from the types that read it, so
//! they cannot be stale.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::{LogSection, principals::PrincipalSection, sinks};
use crate::registry::{LISTENERS, SINKS, SOURCES};

const HEAD: &str = "\
# Pluvio's configuration. Every key stands here with its default, commented out.
# A secret is a literal, { env = \"NAME\" } or { file = \"path\" }; files are read again at each
# connection. Durations and sizes have units: \"500ms\", \"30s\", \"10m\", \"1h\", \"30d\"; \"64 KiB\", \"10 GiB\".
# Check a file with `pluvio check`, and with `pluvio check --connect` ask the clouds too.
";

/// What `pluvio config` prints.
pub(crate) fn template() -> String {
    let mut out = HEAD.to_owned();
    section(&mut out, "log", "", &schemars::schema_for!(LogSection).into());
    let of = "who may connect; without any section, everybody on this machine";
    section(&mut out, "principals.NAME", of, &schemars::schema_for!(PrincipalSection).into());
    for source in SOURCES {
        let name = format!("sources.my-{}", source.name);
        let mut schema = Json::from((source.schema)());
        add_common_keys(&mut schema, source.name);
        section(&mut out, &name, source.summary, &schema);
    }
    for sink in SINKS {
        let name = format!("sinks.my-{}", sink.name);
        section(&mut out, &name, sink.summary, &sinks::schema(sink));
    }
    for listener in LISTENERS {
        let name = format!("listeners.{}", listener.name);
        section(&mut out, &name, listener.summary, &(listener.schema)().into());
    }
    out
}

/// What `pluvio config --schema` prints: JSON Schema of the whole file, for editors.
pub(crate) fn schema() -> Json {
    let sources = SOURCES.iter().map(|source| {
        let mut schema = Json::from((source.schema)());
        add_common_keys(&mut schema, source.name);
        schema
    });
    let sinks = SINKS.iter().map(sinks::schema);
    let listeners = LISTENERS.iter().map(|listener| Json::from((listener.schema)()));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pluvio's configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "log": schemars::schema_for!(LogSection),
            "principals": { "additionalProperties": schemars::schema_for!(PrincipalSection) },
            "sources": { "additionalProperties": { "anyOf": sources.collect::<Vec<_>>() } },
            "sinks": { "additionalProperties": { "anyOf": sinks.collect::<Vec<_>>() } },
            "listeners": { "additionalProperties": { "anyOf": listeners.collect::<Vec<_>>() } },
        },
    })
}

pub(super) fn add_common_keys(schema: &mut Json, name: &str) {
    schema["properties"]["type"] =
        json!({ "const": name, "type": "string", "description": "What kind of source this is." });
    schema["properties"]["stream"] = json!({
        "type": "string",
        "default": "events",
        "description": "The stream that it writes to. All sources share one unless told otherwise. A source that \
            is given another stream goes on there where it stood in the one before, and so it does when it is \
            given the first one back; events of about that time may stand in both, as far as they are listed \
            again (`overlap`).",
    });
    if let Some(required) = schema["required"].as_array_mut() {
        required.insert(0, json!("type"));
    }
}

fn section(out: &mut String, name: &str, summary: &str, schema: &Json) {
    let summary = if summary.is_empty() { String::new() } else { format!("  # {summary}") };
    let _infallible = writeln!(out, "\n#[{name}]{summary}");
    keys(out, "", None, schema, schema);
}

/// One commented line a key, its description above it; nested tables as dotted keys. `optional`: the
/// table that they are keys of, if it may be left out.
fn keys(out: &mut String, prefix: &str, optional: Option<&str>, schema: &Json, root: &Json) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let Some(properties) = schema["properties"].as_object() else { return };
    let (first, rest): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(name, _)| required.contains(&name.as_str()));
    for (name, property) in first.into_iter().chain(rest) {
        let target = resolved(property, root);
        let is_required = required.contains(&name.as_str());
        if target["properties"].is_object() {
            let optional = optional.or_else(|| (!is_required).then_some(name.as_str()));
            keys(out, &format!("{prefix}{name}."), optional, target, root);
            continue;
        }
        let text = property["description"].as_str().or_else(|| target["description"].as_str());
        for line in wrapped(text.unwrap_or_default()) {
            let _infallible = writeln!(out, "# {line}");
        }
        let mark = match (is_required, optional) {
            (true, None) => "  # required".to_owned(),
            (true, Some(optional)) => format!("  # required if there is `{optional}`"),
            (false, _) => String::new(),
        };
        let value = value(property, target);
        let _infallible = writeln!(out, "#{prefix}{name} = {value}{mark}");
    }
}

/// The key's own default, or that of its type.
pub(super) fn default<'s>(property: &'s Json, target: &'s Json) -> Option<&'s Json> {
    [&property["default"], &target["default"]].into_iter().find(|default| !default.is_null())
}

/// The default, or an example of the right form.
fn value(property: &Json, target: &Json) -> String {
    if let Some(default) = default(property, target) {
        return default.to_string();
    }
    if let Some(only) = target["const"].as_str() {
        return format!("\"{only}\"");
    }
    if let Some(first) = target["oneOf"][0]["const"].as_str() {
        return format!("\"{first}\"");
    }
    let kind = target["type"].as_str().or_else(|| target["type"][0].as_str());
    if target["additionalProperties"].is_object() {
        return "{ NAME = \"…\" }".to_owned();
    }
    match (kind, target["format"].as_str()) {
        (_, Some("duration")) => "\"1m\"".to_owned(),
        (_, Some("bytes")) => "\"1 MiB\"".to_owned(),
        (Some("integer"), _) => "1000".to_owned(),
        (Some("boolean"), _) => "false".to_owned(),
        (Some("array"), _) => "[]".to_owned(),
        (Some("string"), _) => "\"…\"".to_owned(),
        _ => "{ file = \"/run/secrets/…\" }".to_owned(),
    }
}

/// Follows a reference, and `Option` to what it holds.
pub(super) fn resolved<'s>(schema: &'s Json, root: &'s Json) -> &'s Json {
    if let Some(path) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return root.pointer(path).unwrap_or(schema);
    }
    let some =
        schema["anyOf"].as_array().and_then(|any| any.iter().find(|s| s["$ref"].is_string()));
    some.map_or(schema, |some| resolved(some, root))
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < 96 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
