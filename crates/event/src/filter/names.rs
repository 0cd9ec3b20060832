//! The names that an expression may use, and which of them is nearest to a misspelt one.
//!
//! It refuses to guess: a name that is not known is an error with a suggestion.

use super::tree::{Function, LoopKind, Operator, Part};

/// How a function is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `size(x)`.
    Global,
    /// `x.startsWith(y)`.
    Method,
    /// Both ways.
    Both,
}

/// The functions, how they are called and with how many values, the one before the dot included.
pub(super) const FUNCTIONS: [(&str, Form, usize, Function); 15] = [
    ("bool", Form::Global, 1, Function::Bool),
    ("contains", Form::Method, 2, Function::Contains),
    ("double", Form::Global, 1, Function::Double),
    ("duration", Form::Global, 1, Function::Duration),
    ("dyn", Form::Global, 1, Function::Dyn),
    ("endsWith", Form::Method, 2, Function::EndsWith),
    ("int", Form::Global, 1, Function::Int),
    ("lowerAscii", Form::Method, 1, Function::LowerAscii),
    ("size", Form::Both, 1, Function::Size),
    ("startsWith", Form::Method, 2, Function::StartsWith),
    ("string", Form::Global, 1, Function::Text),
    ("timestamp", Form::Global, 1, Function::Timestamp),
    ("trim", Form::Method, 1, Function::Trim),
    ("uint", Form::Global, 1, Function::UInt),
    ("upperAscii", Form::Method, 1, Function::UpperAscii),
];

/// Parts of times and durations.
pub(super) const PARTS: [(&str, Part); 10] = [
    ("getDate", Part::Date),
    ("getDayOfMonth", Part::DayOfMonth),
    ("getDayOfWeek", Part::DayOfWeek),
    ("getDayOfYear", Part::DayOfYear),
    ("getFullYear", Part::FullYear),
    ("getHours", Part::Hours),
    ("getMilliseconds", Part::Milliseconds),
    ("getMinutes", Part::Minutes),
    ("getMonth", Part::Month),
    ("getSeconds", Part::Seconds),
];

/// Macros over lists and maps.
pub(super) const LOOPS: [(&str, LoopKind); 6] = [
    ("all", LoopKind::All),
    ("exists", LoopKind::Exists),
    ("existsOne", LoopKind::ExistsOne),
    ("exists_one", LoopKind::ExistsOne),
    ("filter", LoopKind::Filter),
    ("map", LoopKind::Map),
];

/// Binary operators by the parser's names.
pub(super) const OPERATORS: [(&str, Operator); 12] = [
    ("_==_", Operator::Equal),
    ("_!=_", Operator::NotEqual),
    ("_<_", Operator::Less),
    ("_<=_", Operator::LessOrEqual),
    ("_>_", Operator::Greater),
    ("_>=_", Operator::GreaterOrEqual),
    ("_+_", Operator::Add),
    ("_-_", Operator::Subtract),
    ("_*_", Operator::Multiply),
    ("_/_", Operator::Divide),
    ("_%_", Operator::Remainder),
    ("@in", Operator::In),
];

/// What `name` stands for in `table`.
pub(super) fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// What is called `x.name(…)`.
pub(super) fn methods() -> impl Iterator<Item = &'static str> {
    let functions = FUNCTIONS.iter().filter(|(_, form, ..)| *form != Form::Global);
    let functions = functions.map(|(name, ..)| *name);
    let parts = PARTS.iter().map(|(name, _)| *name);
    functions.chain(parts).chain(LOOPS.iter().map(|(name, _)| *name)).chain(["matches"])
}

/// What is called `name(…)`.
pub(super) fn functions() -> impl Iterator<Item = &'static str> {
    let functions = FUNCTIONS.iter().filter(|(_, form, ..)| *form != Form::Method);
    functions.map(|(name, ..)| *name).chain(["has", "matches"])
}

/// Longest name that a similar one is looked for, in bytes: comparing two takes the product of their
/// lengths, and no known name is half as long.
const COMPARED_BYTES_MAX: usize = 64;

/// `; did you mean …?` with the nearest of `known`, at most two; empty if none is near.
pub fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// Below, a suggestion misleads more than it helps.
    const SIMILAR: f64 = 0.6;
    if name.len() > COMPARED_BYTES_MAX {
        return String::new();
    }
    let name = name.to_ascii_lowercase();
    let score = |known: &str| {
        let known = known.to_ascii_lowercase();
        // Somebody who writes half of a long name means that name, but a whole one comes first.
        let beginning: String = known.chars().take(name.chars().count() + 1).collect();
        let whole = strsim::normalized_damerau_levenshtein(&name, &known);
        whole.max(0.9 * strsim::normalized_damerau_levenshtein(&name, &beginning))
    };
    let mut near: Vec<(f64, &str)> = known.map(|known| (score(known), known)).collect();
    near.retain(|(score, _)| *score > SIMILAR);
    near.sort_by(|(one, a), (other, b)| other.total_cmp(one).then(a.cmp(b)));
    let best = near.first().map_or(0.0, |(score, _)| *score);
    let names: Vec<String> = near
        .iter()
        .take_while(|(score, _)| best - score < 0.01)
        .take(2)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) }
}
