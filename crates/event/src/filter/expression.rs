//! CEL over an event.
//!
//! Variables are the event's attributes by their names (`type`, `source`, `subject`, `account`, …;
//! an absent one is `null`), `time` as its RFC 3339 text in UTC, and `data` as the parsed payload.
//! Only what an expression mentions is made, so `type == "…"` never parses a payload.

use std::sync::Arc;

use cel::{Context, Program, Value, objects::Key};

use super::{
    EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_LOOPS_MAX, EXPRESSION_OPERATORS_MAX,
    FilterError,
};
use crate::{AttributeValue, Data, Event};

#[derive(Clone)]
pub(super) struct Expression {
    program: Arc<Program>,
    variables: Arc<[String]>,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expression").field("variables", &self.variables).finish_non_exhaustive()
    }
}

impl Expression {
    pub(super) fn parse(cel: &str) -> Result<Self, FilterError> {
        if cel.len() > EXPRESSION_BYTES_MAX {
            return Err(FilterError::TooLong(cel.len()));
        }
        check_cost(cel)?;
        let program =
            Program::compile(cel).map_err(|error| FilterError::Syntax(one_line(&error)))?;
        let variables = program.references().variables().into_iter().map(str::to_owned).collect();
        Ok(Self { program: Arc::new(program), variables })
    }

    pub(super) fn matches(&self, event: &Event) -> bool {
        let mut context = Context::default();
        for name in &*self.variables {
            context.add_variable_from_value(name.as_str(), variable(event, name));
        }
        matches!(self.program.execute(&context), Ok(Value::Bool(true)))
    }
}

fn variable(event: &Event, name: &str) -> Value {
    let text = |value: &str| Value::String(Arc::new(value.to_owned()));
    match name {
        "id" => text(event.id()),
        "source" => text(event.source()),
        "type" => text(event.event_type()),
        "specversion" => text("1.0"),
        "subject" => event.subject().map_or(Value::Null, text),
        "datacontenttype" => event.datacontenttype().map_or(Value::Null, text),
        "dataschema" => event.dataschema().map_or(Value::Null, text),
        "time" => event.time().map_or(Value::Null, |time| text(&time.to_string())),
        "data" => match event.data() {
            Some(Data::Json(raw)) => serde_json::from_str(raw.get()).map_or(Value::Null, value),
            _ => Value::Null,
        },
        extension => match event.extension(extension) {
            Some(AttributeValue::Boolean(value)) => Value::Bool(*value),
            Some(AttributeValue::Integer(value)) => Value::Int(i64::from(*value)),
            Some(AttributeValue::String(value)) => text(value),
            None => Value::Null,
        },
    }
}

/// JSON as CEL sees it: whole numbers are `int` so that `data.Key == 44` holds.
fn value(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(bool) => Value::Bool(bool),
        Json::String(string) => Value::String(Arc::new(string)),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(uint)) => Value::UInt(uint),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => {
            Value::List(Arc::new(items.into_iter().map(value).collect::<Vec<_>>()))
        }
        Json::Object(members) => {
            let members = members.into_iter().map(|(k, v)| (Key::from(k), value(v)));
            Value::Map(members.collect::<std::collections::HashMap<_, _>>().into())
        }
    }
}

/// Refuses what could overflow the parser's stack or run for ever, before it is parsed. Text in
/// string literals counts, too: a filter that needs more is better written otherwise.
fn check_cost(cel: &str) -> Result<(), FilterError> {
    let bare = without_strings(cel);
    if bare.contains("//") {
        return Err(FilterError::Comment);
    }
    if depth(cel) > EXPRESSION_DEPTH_MAX {
        return Err(FilterError::TooDeep);
    }
    let is_operator = |c: &char| "+-*/%.<>=&|?:!,".contains(*c);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let words = bare.split(|c| !is_word(c)).filter(|word| *word == "in").count();
    if bare.chars().filter(is_operator).count() + words > EXPRESSION_OPERATORS_MAX {
        return Err(FilterError::TooManyOperators);
    }
    if loops(cel) > EXPRESSION_LOOPS_MAX {
        return Err(FilterError::TooManyLoops);
    }
    if cel.contains("matches") && cel.contains('{') {
        return Err(FilterError::CountedRepetition);
    }
    Ok(())
}

/// The expression with the insides of its plain string literals left out. Raw and triple-quoted
/// literals are taken apart wrongly, which only counts too much of them.
fn without_strings(cel: &str) -> String {
    let (mut out, mut quote, mut is_escaped) = (String::new(), None, false);
    for c in cel.chars() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None => out.push(c),
        }
    }
    out
}

fn depth(cel: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    for byte in cel.bytes() {
        match byte {
            b'(' | b'[' | b'{' => now += 1,
            b')' | b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}

/// Macros that run over a list: nested, their cost multiplies.
fn loops(cel: &str) -> usize {
    ["all", "exists", "exists_one", "map", "filter"]
        .iter()
        .map(|name| {
            cel.match_indices(name)
                .filter(|(at, _)| cel[at + name.len()..].trim_start().starts_with('('))
                .count()
        })
        .sum()
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
