//! A page for each component, made from the types that read its section: what it is, an example that a
//! test has read, and every key. `pluvio config --page sinks.file` prints one; docs/reference holds all.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value as Json;

use super::{
    sinks,
    template::{add_common_keys, default, resolved},
};
use crate::registry::{LISTENERS, SINKS, SOURCES};

/// All pages by name, such as `sinks.file`.
pub(crate) fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for source in SOURCES {
        let mut schema = Json::from((source.schema)());
        add_common_keys(&mut schema, source.name);
        let page = Page { of: "sources", name: source.name, summary: source.summary };
        pages.insert(page.key(), page.text(source.example, &schema, &[]));
    }
    let shared = sinks::common_keys();
    let shared: Vec<_> = shared.iter().map(String::as_str).collect();
    for sink in SINKS {
        let page = Page { of: "sinks", name: sink.name, summary: sink.summary };
        pages.insert(page.key(), page.text(sink.example, &sinks::schema(sink), &shared));
    }
    for listener in LISTENERS {
        let page = Page { of: "listeners", name: listener.name, summary: listener.summary };
        pages.insert(page.key(), page.text("", &(listener.schema)().into(), &[]));
    }
    pages
}

/// What a page is about.
struct Page {
    of: &'static str,
    name: &'static str,
    summary: &'static str,
}

impl Page {
    fn key(&self) -> String {
        format!("{}.{}", self.of, self.name)
    }

    /// `shared`: keys that all components of the kind have; they stand in a table of their own.
    fn text(&self, example: &str, schema: &Json, shared: &[&str]) -> String {
        let Self { of, name, summary } = self;
        let one = capitalized(of.trim_end_matches('s'));
        let mut text = format!("# {one} `{name}`\n\n{}.\n", capitalized(summary));
        if let Some(description) = schema["description"].as_str() {
            let _infallible = write!(text, "\n{description}\n");
        }
        if !example.is_empty() {
            let _infallible = write!(
                text,
                "\n## Example\n\n```toml\n{}\n```\n\n`pluvio check --connect` tells whether it is right \
                 and what answers there.\n",
                example.trim()
            );
        }
        let mut rows = Vec::new();
        table(&mut rows, "", None, schema, schema);
        let is_shared = |row: &&Row| shared.contains(&row.key.as_str());
        let own: Vec<_> = rows.iter().filter(|row| !is_shared(row)).collect();
        let shared: Vec<_> = rows.iter().filter(is_shared).collect();
        push(&mut text, "Keys", &own);
        if !shared.is_empty() {
            push(&mut text, &format!("Keys that all {of} have"), &shared);
        }
        text
    }
}

/// A key.
struct Row {
    key: String,
    default: String,
    description: String,
}

/// `optional`: the table that they are keys of, if it may be left out.
fn table(rows: &mut Vec<Row>, prefix: &str, optional: Option<&str>, schema: &Json, root: &Json) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let target = resolved(property, root);
        let key = format!("{prefix}{name}");
        let is_required = required.contains(&name.as_str());
        if target["properties"].is_object() {
            let optional = optional.or_else(|| (!is_required).then_some(name.as_str()));
            table(rows, &format!("{key}."), optional, target, root);
            continue;
        }
        let default = match default(property, target) {
            _ if is_required => match optional {
                Some(optional) => format!("required if there is `{optional}`"),
                None => "required".to_owned(),
            },
            None => "–".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let text = property["description"].as_str().or_else(|| target["description"].as_str());
        let description = text.unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        rows.push(Row { key, default, description });
    }
    rows.sort_by_key(|row| row.default != "required");
}

fn push(text: &mut String, title: &str, rows: &[&Row]) {
    let _infallible =
        write!(text, "\n## {title}\n\n| key | default | what it is |\n|---|---|---|\n");
    for Row { key, default, description } in rows {
        let _infallible = writeln!(text, "| `{key}` | {default} | {description} |");
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, parse};

    /// Secrets that are files are not there where tests run.
    fn without_files(example: &str) -> String {
        let mut parts = example.split("{ file = ");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.split_once('}').map_or("", |(_, rest)| rest);
            text.push_str("\"secret\"");
            text.push_str(rest);
        }
        text
    }

    #[test]
    fn every_source_and_sink_has_an_example_that_can_be_read_as_it_stands() {
        let sources = SOURCES.iter().map(|source| (source.name, source.example));
        let sinks = SINKS.iter().map(|sink| (sink.name, sink.example));
        for (name, example) in sources.chain(sinks) {
            let document = Document::new(name.to_owned(), without_files(example));
            let problems = parse(&document).err().unwrap_or_default();
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            assert!(problems.is_empty(), "{name}: {problems:?}");
            assert!(example.contains(&format!("type = \"{name}\"")), "{name} is not shown");
        }
    }
}
