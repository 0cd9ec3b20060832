//! What to write instead of an operator or a function that has no form for its values.
//!
//! The person who wrote the filter reads one line: what stands there, and what would be right, with
//! their own names in it where these are short. Nothing here decides what is refused: that is
//! [`forms`](super::forms).
//!
//! It refuses to rewrite the filter: what was meant is known to its author only.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};

use super::{
    tree::{Function, Operator},
    types::Kinds,
};

/// Longest part of an expression that is repeated, in bytes.
const WRITTEN_BYTES_MAX: usize = 60;

/// A part of the expression, and what it can be.
pub(super) type Operand<'t> = (&'t IdedExpr, Kinds);

/// For `+`, `-`, `*`, `/` and `%`.
pub(super) fn arithmetic(operator: Operator, one: Operand<'_>, other: Operand<'_>) -> String {
    let is_sum = matches!(operator, Operator::Add | Operator::Subtract);
    if one.1.is_mostly(Kinds::NUMBERS) && other.1.is_mostly(Kinds::NUMBERS) {
        return numbers(operator, one, other);
    }
    for ((tree, kinds), (text_tree, beside)) in [(one, other), (other, one)] {
        let is_number = kinds.is_mostly(Kinds::NUMBERS);
        if is_number && is_sum && beside.is_mostly(Kinds::TIME.or(Kinds::DURATION)) {
            return duration(tree);
        }
        if is_number && operator != Operator::Add && beside.meets(Kinds::TEXT) {
            return "a number is written without quotes, and `int(…)` reads one from a text".into();
        }
        let is_scalar = kinds.is_mostly(Kinds::NUMBERS.or(Kinds::BOOL));
        if is_scalar && operator == Operator::Add && beside.is_mostly(Kinds::TEXT) {
            let as_text = text((tree, kinds));
            return match &text_tree.expr {
                Expr::Literal(_) => as_text,
                _ if kinds.is_mostly(Kinds::NUMBERS) => {
                    format!("{as_text}, or `int({})` to add numbers", written(text_tree))
                }
                _ => as_text,
            };
        }
    }
    let takes = match operator {
        Operator::Add => "it takes two numbers of one type, texts or lists, or a duration",
        Operator::Subtract => "it takes two numbers of one type, times or durations",
        Operator::Remainder => "it takes two whole numbers of one type",
        _ => "it takes two numbers of one type",
    };
    takes.to_owned()
}

/// Two numbers of different types: a literal is written in the other's type, else one is converted.
fn numbers(operator: Operator, one: Operand<'_>, other: Operand<'_>) -> String {
    if operator == Operator::Remainder && one.1.or(other.1).meets(Kinds::DOUBLE) {
        return "it takes whole numbers; `int(…)` makes one of a double".to_owned();
    }
    for ((tree, _), (_, beside)) in [(one, other), (other, one)] {
        if let Some(instead) = converted(tree, beside) {
            return format!("write `{instead}` instead of `{}`", written(tree));
        }
    }
    for ((tree, kinds), (_, beside)) in [(one, other), (other, one)] {
        if beside.is_mostly(Kinds::DOUBLE) {
            return format!("write `double({})`", written(tree));
        }
        if kinds.is_mostly(Kinds::UINT) && beside.is_mostly(Kinds::INT) {
            return format!("write `int({})`", written(tree));
        }
    }
    "both must be of one type; `int(…)` and `double(…)` convert".to_owned()
}

/// A literal as one of the type `wanted`, if it has such a value.
fn converted(literal: &IdedExpr, wanted: Kinds) -> Option<String> {
    let Expr::Literal(literal) = &literal.expr else { return None };
    let whole = match literal {
        LiteralValue::Int(int) => i128::from(*int.inner()),
        LiteralValue::UInt(uint) => i128::from(*uint.inner()),
        LiteralValue::Double(double) => {
            let double = *double.inner();
            let is_whole = double.fract() == 0.0 && double.abs() < 1e15;
            is_whole.then_some(double as i128)?
        }
        _ => return None,
    };
    if wanted.is_mostly(Kinds::INT) {
        i64::try_from(whole).ok().map(|int| int.to_string())
    } else if wanted.is_mostly(Kinds::UINT) {
        u64::try_from(whole).ok().map(|uint| format!("{uint}u"))
    } else {
        wanted.is_mostly(Kinds::DOUBLE).then(|| format!("{whole}.0"))
    }
}

/// For a number where a length of time should be.
fn duration(tree: &IdedExpr) -> String {
    match &tree.expr {
        Expr::Literal(LiteralValue::Int(seconds)) => {
            format!("write `duration(\"{}s\")`", seconds.inner())
        }
        _ => "a length of time is written `duration(\"1h30m\")`".to_owned(),
    }
}

/// For an argument that `function` does not take.
pub(super) fn argument(function: Function, (tree, kinds): Operand<'_>) -> String {
    let takes = match function {
        Function::Size => "it counts the characters of a text, or what a list or a map holds",
        Function::Bool if kinds.is_mostly(Kinds::NUMBERS) => {
            return format!("compare it, for example `{} != 0`", written(tree));
        }
        Function::Bool => "it takes a boolean or a text",
        Function::Int => "it takes a number, a text or a time",
        Function::UInt | Function::Double => "it takes a number or a text",
        Function::Text => "it takes a text, a boolean, a number, a time or a duration",
        Function::Timestamp => "it takes a text as in RFC 3339, or seconds since 1970 as an int",
        Function::Duration if kinds.is_mostly(Kinds::INT) => return duration(tree),
        Function::Duration => "it takes a text, for example `\"1h30m\"`",
        _ => return text((tree, kinds)),
    };
    takes.to_owned()
}

/// For what should be a text.
pub(super) fn text((tree, kinds): Operand<'_>) -> String {
    if kinds.is_mostly(Kinds::NUMBERS.or(Kinds::BOOL)) {
        return match &tree.expr {
            Expr::Literal(_) => format!("write `\"{}\"`, with quotes", written(tree)),
            _ => format!("write `string({})`", written(tree)),
        };
    }
    if kinds.is_mostly(Kinds::LISTS) {
        return format!("`in` looks into a list: `\"a\" in {}`", written(tree));
    }
    "it takes a text".to_owned()
}

/// For what should be a time.
pub(super) fn time((tree, kinds): Operand<'_>) -> String {
    if kinds.is_mostly(Kinds::DURATION) {
        return "a duration has hours, minutes, seconds and milliseconds".to_owned();
    }
    if kinds.meets(Kinds::TEXT) {
        return format!("it takes a time: `timestamp({})` reads one from a text", written(tree));
    }
    "it takes a time or a duration".to_owned()
}

/// For what should be a list or a map.
pub(super) fn container(kinds: Kinds) -> &'static str {
    if kinds.is_mostly(Kinds::TEXT) {
        "it looks into lists and maps; `contains`, `startsWith` and `matches` look into a text"
    } else {
        "it looks into lists and maps"
    }
}

/// For what should be a boolean.
pub(super) fn condition((tree, kinds): Operand<'_>) -> String {
    match &tree.expr {
        Expr::Ident(name) if kinds.is_mostly(Kinds::NUMBERS) => {
            format!("compare it, for example `{name} >= 13`")
        }
        Expr::Ident(name) => format!("compare it, for example `{name} != null`"),
        Expr::Literal(LiteralValue::String(_)) => {
            "compare each text, for example `type == \"a\" || type == \"b\"`; `true` is written \
             without quotes"
                .to_owned()
        }
        _ => "compare it with something".to_owned(),
    }
}

/// For a comparison of what is never of one type.
pub(super) fn comparison(left: Kinds, right: Kinds) -> &'static str {
    let (number, text) = (Kinds::NUMBERS, Kinds::TEXT);
    let is_one_null = |one: Kinds| one == Kinds::NULL;
    if (left.is_mostly(number) && right.is_mostly(text))
        || (left.is_mostly(text) && right.is_mostly(number))
    {
        "a number is written without quotes and a text with them"
    } else if is_one_null(left) || is_one_null(right) {
        "`null` is only equal or not"
    } else {
        "both sides must be of one type"
    }
}

/// `tree` as it was written, as far as it is a name, a number, a field or a call with one value; `…`
/// for all else, and for what is long.
fn written(tree: &IdedExpr) -> String {
    let written = short(tree).filter(|text| text.len() <= WRITTEN_BYTES_MAX);
    written.map_or_else(|| "…".to_owned(), |text| crate::shown(&text).to_string())
}

fn short(tree: &IdedExpr) -> Option<String> {
    match &tree.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Literal(LiteralValue::Boolean(bool)) => Some(bool.inner().to_string()),
        Expr::Literal(LiteralValue::Int(int)) => Some(int.inner().to_string()),
        Expr::Literal(LiteralValue::UInt(uint)) => Some(format!("{}u", uint.inner())),
        Expr::Literal(LiteralValue::Double(double)) => Some(format!("{:?}", double.inner())),
        Expr::Select(select) => Some(format!("{}.{}", short(&select.operand)?, select.field)),
        Expr::Call(call) if call.target.is_none() && is_name(&call.func_name) => {
            match &*call.args {
                [one] => Some(format!("{}({})", call.func_name, short(one)?)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether the parser's name for a call is that of a function, and not of an operator.
fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
