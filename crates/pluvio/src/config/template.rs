//! The default configuration as text, and its schema: both made from the types that read it, so
//! they cannot be stale.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::{LogSection, principals::PrincipalSection, sinks};
use crate::registry::{LISTENERS, SINKS, SOURCES};

const HEAD: &str = "\
# Pluvio's configuration. Every key stands here, commented out: `#key` with its default, `##key` with
# an example where it has no default, or one that depends on other keys. A section says the same
# with one `#` taken off each of its lines; what is marked as required must be filled in.
# A secret is a literal, { env = \"NAME\" } or { file = \"path\" }; files are read again at each
# connection. Durations and sizes have units: \"500ms\", \"30s\", \"10m\", \"1h\", \"30d\"; \"64 KiB\", \"10 GiB\".
# Check a file with `pluvio check`, and with `pluvio check --connect` ask the clouds too.
";

/// Says in a key's schema that its default depends on other keys: to write it down is not to leave it out.
const DEFAULT_VARIES: &str = "x-default-varies";

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
    keys(out, "", None, false, schema, schema);
}

/// One commented line a key, its description above it; nested tables as dotted keys. `optional`: the
/// table that they are keys of, if it may be left out; `is_absent`: one of its keys alone would say something,
/// because without any there is none.
fn keys(
    out: &mut String,
    prefix: &str,
    optional: Option<&str>,
    is_absent: bool,
    schema: &Json,
    root: &Json,
) {
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
            let is_absent = is_absent || may_be_null(property);
            keys(out, &format!("{prefix}{name}."), optional, is_absent, target, root);
            continue;
        }
        let text = property["description"].as_str().or_else(|| target["description"].as_str());
        for line in wrapped(text.unwrap_or_default()) {
            let _infallible = writeln!(out, "# {line}");
        }
        let varies = property[DEFAULT_VARIES] == true;
        let has_default = default(property, target).is_some();
        let (sign, mark) = match (is_required, optional) {
            (true, None) => ("#", "  # required".to_owned()),
            (true, Some(optional)) => ("##", format!("  # required if there is `{optional}`")),
            (false, _) if varies => {
                ("##", "  # its default, unless other keys change it".to_owned())
            }
            (false, _) if has_default && !is_absent => ("#", String::new()),
            (false, _) => ("##", String::new()),
        };
        let value = value(property, target);
        let _infallible = writeln!(out, "{sign}{prefix}{name} = {value}{mark}");
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

/// Whether a key is an `Option`.
fn may_be_null(schema: &Json) -> bool {
    let any = schema["anyOf"].as_array().into_iter().flatten();
    any.chain([schema]).any(|it| it["type"] == "null")
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

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use pluvio_connect::{
        amqp, cloudstack, file, fluentd, kafka, mongodb, mqtt, opensearch, rabbitmq, s3, stdout,
        vsphere, webhook,
    };
    use pluvio_listen::{http, kafka as kafka_listener};
    use serde::de::DeserializeOwned;

    use super::*;

    /// The lines of a section behind its head, with one `#` taken off each.
    fn uncommented(section: &str) -> Vec<String> {
        let (template, head) = (template(), format!("#[{section}]"));
        let lines = template.lines().skip_while(|line| !line.starts_with(&head)).skip(1);
        let lines = lines.take_while(|line| !line.starts_with("#["));
        lines.filter_map(|line| line.strip_prefix('#')).map(str::to_owned).collect()
    }

    /// What `lines` say to a component; what all of its kind have is read elsewhere.
    fn read<C: Debug + DeserializeOwned>(lines: &[String], common: &[String]) -> String {
        // Prose begins with a space.
        let lines = lines.iter().filter(|line| !line.starts_with([' ', '#']));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        let table = text.parse::<toml::Table>();
        let mut table = table.unwrap_or_else(|error| unreachable!("{error}: {text}"));
        table.retain(|key, _| !common.iter().any(|it| it == key));
        let read = table.try_into::<C>();
        format!("{:#?}", read.unwrap_or_else(|error| unreachable!("{error}: {text}")))
    }

    /// What a section says with a `#` taken off each line, and what it says with what is required alone.
    fn both<C: Debug + DeserializeOwned>(section: &str, common: &[String]) -> [String; 2] {
        let lines = uncommented(section);
        assert!(lines.len() > 2, "{section}");
        let required = lines.iter().filter(|line| line.ends_with("# required"));
        let required: Vec<_> = required.cloned().collect();
        [read::<C>(&lines, common), read::<C>(&required, common)]
    }

    #[test]
    fn a_section_says_the_same_once_its_comment_signs_are_taken_off() {
        let none = [String::new()];
        let mut sinks = sinks::common_keys();
        let sources = ["stream".to_owned(), "type".to_owned()];
        sinks.push("type".to_owned());
        let pairs = [
            ("log", both::<LogSection>("log", &none)),
            ("listeners.http", both::<http::Config>("listeners.http", &none)),
            ("listeners.kafka", both::<kafka_listener::Config>("listeners.kafka", &none)),
            ("sources.vsphere", both::<vsphere::Config>("sources.my-vsphere", &sources)),
            ("sources.cloudstack", both::<cloudstack::Config>("sources.my-cloudstack", &sources)),
            (
                "sources.cloudstack-usage",
                both::<cloudstack::usage::Config>("sources.my-cloudstack-usage", &sources),
            ),
            ("sinks.stdout", both::<stdout::Config>("sinks.my-stdout", &sinks)),
            ("sinks.file", both::<file::Config>("sinks.my-file", &sinks)),
            ("sinks.webhook", both::<webhook::Config>("sinks.my-webhook", &sinks)),
            ("sinks.kafka", both::<kafka::Config>("sinks.my-kafka", &sinks)),
            ("sinks.rabbitmq", both::<rabbitmq::Config>("sinks.my-rabbitmq", &sinks)),
            ("sinks.amqp", both::<amqp::Config>("sinks.my-amqp", &sinks)),
            ("sinks.mqtt", both::<mqtt::Config>("sinks.my-mqtt", &sinks)),
            ("sinks.mongodb", both::<mongodb::Config>("sinks.my-mongodb", &sinks)),
            ("sinks.opensearch", both::<opensearch::Config>("sinks.my-opensearch", &sinks)),
            ("sinks.s3", both::<s3::Config>("sinks.my-s3", &sinks)),
            ("sinks.fluentd", both::<fluentd::Config>("sinks.my-fluentd", &sinks)),
        ];
        assert_eq!(pairs.len(), 1 + SOURCES.len() + SINKS.len() + LISTENERS.len());
        for (section, [uncommented, left_out]) in pairs {
            assert_eq!(uncommented, left_out, "{section}");
        }
    }

    #[test]
    fn a_key_without_a_default_of_its_own_does_not_look_like_one_with_it() {
        let template = template();
        for line in [
            "##retention_records = 1000",
            "##retention_size = \"10 GiB\"  # its default, unless other keys change it",
            "##connections_max = 5000  # its default, unless other keys change it",
            "##capped_size = \"1 MiB\"",
            "##path_style = false",
            "##filter = \"…\"",
            "##tls.cert_file = \"…\"  # required if there is `tls`",
            "#segment_size = \"128 MiB\"",
            "#url = \"…\"  # required",
        ] {
            assert!(template.lines().any(|it| it == line), "{line}");
        }
    }
}
