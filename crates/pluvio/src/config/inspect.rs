//! Compares a parsed file with the schema of what it configures, before anything is deserialised.
//!
//! serde stops at the first mistake and forgets where it was. The schema knows every key, type,
//! choice and format, so one walk finds all mistakes with their places.

use std::cell::RefCell;

use pluvio_net::shown_address;
use pluvio_runtime::Chain;
use pluvio_secret::SecretSource;
use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    document::{Document, Problem, suggestion},
    exposed::Sensitive,
};

/// How a secret is written.
const SECRET_FORMS: &str = "a string, { env = \"NAME\" } or { file = \"path\" }";

/// The keys of a secret that is a table: one of them.
const SECRET_KEYS: [&str; 2] = ["env", "file"];

/// Walks one table with its schema.
pub(crate) struct Inspection<'a> {
    document: &'a Document,
    /// The whole schema, for `$ref`.
    root: &'a Json,
    sensitive: RefCell<Sensitive>,
}

impl<'a> Inspection<'a> {
    /// A walk that has seen nothing yet; `root` is the whole schema.
    pub(crate) fn new(document: &'a Document, root: &'a Json) -> Self {
        Self { document, root, sensitive: RefCell::default() }
    }

    /// The secrets and key files that the walk met.
    pub(crate) fn into_sensitive(self) -> Sensitive {
        self.sensitive.into_inner()
    }

    /// All that is wrong with `table`, called `path` in messages.
    pub(crate) fn table(
        &self,
        path: &str,
        table: &Spanned<DeTable<'_>>,
        schema: &Json,
    ) -> Vec<Problem> {
        let schema = self.resolve(schema);
        let empty = serde_json::Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&empty);
        let others = &schema["additionalProperties"];
        let mut problems = Vec::new();
        for (key, value) in table.get_ref() {
            let name = key.get_ref().as_ref();
            match (properties.get(name), others) {
                (Some(schema), _) => problems.extend(self.value(name, value, schema)),
                (None, Json::Object(_)) => problems.extend(self.value(name, value, others)),
                (None, _) => problems.push(self.document.problem(
                    key.span(),
                    unknown_key(path, name, properties.keys().map(String::as_str)),
                )),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !table.get_ref().contains_key(name) {
                let message = format!("{path} lacks the key `{name}`");
                problems.push(self.document.problem(table.span(), message));
            }
        }
        problems
    }

    fn value(&self, name: &str, value: &Spanned<DeValue<'_>>, schema: &Json) -> Vec<Problem> {
        let is_secret = schema["$ref"].as_str().is_some_and(|path| path.ends_with("/SecretSource"));
        let schema = self.resolve(schema);
        let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema[*key].as_array());
        if let Some(alternatives) = alternatives {
            if is_secret && !matches!(value.get_ref(), DeValue::String(_) | DeValue::Table(_)) {
                let found = article(kind_of(value.get_ref()));
                let message = format!("`{name}` must be {SECRET_FORMS}, not {found}");
                return vec![self.problem(value, message)];
            }
            if let (true, DeValue::Table(table)) = (is_secret, value.get_ref())
                && let Some(wrong) = wrong_secret(name, table)
            {
                return vec![self.problem(value, wrong)];
            }
            let problems = self.one_of(name, value, alternatives);
            let is_right = problems.is_empty() && is_secret;
            return if is_right { self.secret(name, value) } else { problems };
        }
        if let Some(problem) = self.wrong_type(name, value, schema) {
            return vec![problem];
        }
        match value.get_ref() {
            DeValue::Table(table) => {
                let table = Spanned::new(value.span(), table.clone());
                self.table(&format!("`{name}`"), &table, schema)
            }
            DeValue::Array(items) => {
                items.iter().flat_map(|item| self.value(name, item, &schema["items"])).collect()
            }
            DeValue::String(text) => {
                if name == "key_file" {
                    self.sensitive.borrow_mut().file(text.as_ref().as_ref(), value.span());
                }
                self.text(name, text, schema, value)
            }
            DeValue::Integer(number) => {
                let number = i128::from_str_radix(number.as_str(), number.radix()).ok();
                let (min, max) = bounds(schema);
                if number.is_some_and(|number| (min..=max).contains(&number)) {
                    return Vec::new();
                }
                let bound = match schema["maximum"].as_i64() {
                    None if number.is_some_and(|number| number < min) => format!("at least {min}"),
                    _ => format!("from {min} to {max}"),
                };
                vec![self.problem(value, format!("`{name}` must be {bound}"))]
            }
            DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => Vec::new(),
        }
    }

    /// None of several schemas fits: tell about the one that fits the value's kind, or list them.
    fn one_of(&self, name: &str, value: &Spanned<DeValue<'_>>, schemas: &[Json]) -> Vec<Problem> {
        let choices: Vec<&str> = schemas.iter().filter_map(|s| s["const"].as_str()).collect();
        if let (DeValue::String(text), false) = (value.get_ref(), choices.is_empty()) {
            return self.choice(name, text, &choices, value);
        }
        let is_null = |schema: &&Json| schema["type"] == "null";
        if let ([some], true) =
            (&*schemas.iter().filter(|s| !is_null(s)).collect::<Vec<_>>(), schemas.len() == 2)
        {
            return self.value(name, value, some);
        }
        let mut nearest: Option<Vec<Problem>> = None;
        for schema in schemas {
            let problems = self.value(name, value, schema);
            if problems.is_empty() {
                return problems;
            }
            let schema = self.resolve(schema);
            if is_kind(value.get_ref(), schema["type"].as_str().unwrap_or_default()) {
                nearest = Some(problems);
            }
        }
        nearest.unwrap_or_else(|| {
            let kinds = schemas.iter().filter_map(|s| self.resolve(s)["type"].as_str());
            let mut kinds: Vec<_> = kinds.filter(|kind| *kind != "null").map(article).collect();
            kinds.dedup();
            let message = format!("`{name}` must be {}", kinds.join(" or "));
            vec![self.problem(value, message)]
        })
    }

    /// Whether a secret is there; its value is not kept.
    fn secret(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Vec<Problem> {
        if let DeValue::String(literal) = value.get_ref() {
            self.sensitive.borrow_mut().literal(value.span());
            return self.unreadable(name, value, &SecretSource::literal(literal.as_ref()));
        }
        let DeValue::Table(table) = value.get_ref() else { return Vec::new() };
        let text = |key| table.get(key).and_then(|value| value.get_ref().as_str());
        let source = match (text("file"), text("env")) {
            (Some(path), _) => SecretSource::File(path.into()),
            (None, Some(variable)) => SecretSource::Env(variable.to_owned()),
            (None, None) => return Vec::new(),
        };
        if let SecretSource::File(path) = &source {
            self.sensitive.borrow_mut().file(path, value.span());
        }
        self.unreadable(name, value, &source)
    }

    fn unreadable(
        &self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        source: &SecretSource,
    ) -> Vec<Problem> {
        let wrong = source.check().err().map(|error| Chain(&error).to_string());
        wrong.map(|wrong| self.problem(value, format!("`{name}`: {wrong}"))).into_iter().collect()
    }

    fn text(
        &self,
        name: &str,
        text: &str,
        schema: &Json,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<Problem> {
        let choices = schema["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let choices: Vec<&str> = choices.chain(schema["const"].as_str()).collect();
        if !choices.is_empty() {
            return self.choice(name, text, &choices, value);
        }
        let wrong = match schema["format"].as_str() {
            Some("duration") => error_of::<pluvio_net::unit::Period>(text),
            Some("bytes") => error_of::<pluvio_net::unit::ByteSize>(text),
            Some("socket-address") => error_of::<std::net::SocketAddr>(text).map(|_| {
                let address = shown_address(text);
                format!(
                    "{address} is no address with a port; write an IP address and a port of at most \
                         65535, for example \"127.0.0.1:8080\""
                )
            }),
            _ => None,
        };
        wrong.map(|wrong| self.problem(value, format!("`{name}`: {wrong}"))).into_iter().collect()
    }

    fn choice(
        &self,
        name: &str,
        text: &str,
        choices: &[&str],
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<Problem> {
        if choices.contains(&text) {
            return Vec::new();
        }
        let hint = suggestion(text, choices.iter().copied());
        let hint =
            hint.map_or_else(|| ";".to_owned(), |near| format!("; did you mean \"{near}\"?"));
        let valid = choices.join(", ");
        vec![self.problem(value, format!("unknown {name} \"{text}\"{hint} valid: {valid}"))]
    }

    fn wrong_type(
        &self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        schema: &Json,
    ) -> Option<Problem> {
        let kinds: Vec<&str> = match &schema["type"] {
            Json::String(kind) => vec![kind],
            Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).collect(),
            _ => return None,
        };
        if kinds.iter().any(|kind| is_kind(value.get_ref(), kind)) {
            return None;
        }
        let kinds: Vec<_> = kinds.into_iter().filter(|k| *k != "null").map(article).collect();
        let (expected, found) = (kinds.join(" or "), article(kind_of(value.get_ref())));
        Some(self.problem(value, format!("`{name}` must be {expected}, not {found}")))
    }

    fn problem(&self, value: &Spanned<DeValue<'_>>, message: String) -> Problem {
        self.document.problem(value.span(), message)
    }

    fn resolve<'s>(&'s self, schema: &'s Json) -> &'s Json {
        match schema["$ref"].as_str().and_then(|path| self.root.pointer(path.strip_prefix('#')?)) {
            Some(target) => target,
            None => schema,
        }
    }
}

/// What is wrong with the keys of a secret's table: it has one of two, and so the schema has a table for each,
/// which knows nothing of the other.
fn wrong_secret(name: &str, table: &DeTable<'_>) -> Option<String> {
    let keys: Vec<&str> = table.keys().map(|key| key.get_ref().as_ref()).collect();
    match keys.iter().find(|key| !SECRET_KEYS.contains(key)) {
        Some(unknown) => Some(unknown_key(&format!("`{name}`"), unknown, SECRET_KEYS.into_iter())),
        None if keys.len() == 1 => None,
        None => Some(format!("`{name}` must be {SECRET_FORMS}, and one of them only")),
    }
}

/// `unknown key …` with the nearest valid one and all of them.
pub(crate) fn unknown_key<'k>(
    path: &str,
    name: &str,
    valid: impl Iterator<Item = &'k str>,
) -> String {
    let mut valid: Vec<&str> = valid.collect();
    valid.sort_unstable();
    let hint = suggestion(name, valid.iter().copied());
    let hint = hint.map_or_else(|| ";".to_owned(), |near| format!("; did you mean `{near}`?"));
    format!("unknown key `{name}` in {path}{hint} valid: {}", valid.join(", "))
}

/// The least and the greatest number: the schema's own, and what the type and TOML can hold.
fn bounds(schema: &Json) -> (i128, i128) {
    let (min, max) = match schema["format"].as_str() {
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    let bound = |key: &str| schema[key].as_i64().map(i128::from);
    (bound("minimum").unwrap_or(min), bound("maximum").unwrap_or(max))
}

fn error_of<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Option<String> {
    text.parse::<T>().err().map(|error| error.to_string())
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date-time",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn is_kind(value: &DeValue<'_>, kind: &str) -> bool {
    let own = kind_of(value);
    own == kind || (own == "integer" && kind == "number")
}

/// A JSON type in TOML's words.
fn article(kind: &str) -> String {
    match kind {
        "integer" => "a whole number".to_owned(),
        "object" => "a table".to_owned(),
        "array" => "an array".to_owned(),
        other => format!("a {other}"),
    }
}
