//! What is known of an expression's types before there is an event, and what that rules out.
//!
//! A comparison of values of different types is no error when an event comes, it just does not match: a
//! filter such as `severitynumber > "3"` would pass nothing for months, and a mandatory one such as
//! `account != 7` everything. So it is refused, but only where both types are certain: of literals, of
//! operators, of functions, and of the attributes that Pluvio's own sources write with one type.
//! Everything may be absent, and so `null`.
//!
//! It refuses to guess: `data`, `event.NAME` (which a foreign producer may have written), variables of
//! loops and `dyn(…)` have no known type and pass.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};

use super::{
    names::{FUNCTIONS, LOOPS, OPERATORS, PARTS, find},
    tree::{Function, LoopKind, Operator},
};

/// A type that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Bool,
    /// `int`, `uint` and `double` compare with each other.
    Number,
    Text,
    Time,
    Duration,
    List,
    Map,
}

/// Attributes of [`known`](crate::known) that are numbers in every event of Pluvio's sources.
const NUMBERS: [&str; 5] =
    ["pluvioattempts", "pluvioredacted", "revision", "severitynumber", "usagetype"];

/// Attributes of [`known`](crate::known) that are texts in every event of Pluvio's sources.
const TEXTS: [&str; 26] = [
    "account",
    "accountid",
    "authid",
    "authtype",
    "datacontenttype",
    "dataomitted",
    "dataschema",
    "domain",
    "eventclass",
    "id",
    "level",
    "parentid",
    "pluvioflaw",
    "pluviooffset",
    "pluvioreason",
    "pluviosink",
    "pluviostream",
    "recordedtime",
    "recordid",
    "sequence",
    "severitytext",
    "source",
    "specversion",
    "state",
    "subject",
    "type",
];

impl Type {
    /// The type of `tree`, where it is certain; `locals` are the variables of the loops around it.
    pub(super) fn of(tree: &IdedExpr, locals: &[String]) -> Option<Self> {
        match &tree.expr {
            Expr::Literal(literal) => Some(match literal {
                LiteralValue::Null => Self::Null,
                LiteralValue::Boolean(_) => Self::Bool,
                LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => {
                    Self::Number
                }
                LiteralValue::String(_) => Self::Text,
                LiteralValue::Bytes(_) => return None,
            }),
            Expr::Ident(name) if !locals.contains(name) => Self::of_attribute(name),
            Expr::List(_) => Some(Self::List),
            Expr::Map(_) => Some(Self::Map),
            Expr::Call(call) => match (&*call.func_name, &*call.args) {
                ("_&&_" | "_||_" | "!_" | "has" | "matches", _) => Some(Self::Bool),
                ("_?_:_", [_, one, other]) => {
                    Self::of(one, locals).filter(|one| Self::of(other, locals) == Some(*one))
                }
                (name, args) => match find(&OPERATORS, name) {
                    Some(operator) => Self::of_operator(operator, args, locals),
                    None => Self::of_call(name),
                },
            },
            _ => None,
        }
    }

    fn of_attribute(name: &str) -> Option<Self> {
        if name == "time" {
            Some(Self::Time)
        } else if NUMBERS.contains(&name) {
            Some(Self::Number)
        } else {
            TEXTS.contains(&name).then_some(Self::Text)
        }
    }

    fn of_operator(operator: Operator, args: &[IdedExpr], locals: &[String]) -> Option<Self> {
        match operator {
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder => {
                let is_number = |arg| Self::of(arg, locals) == Some(Self::Number);
                args.iter().all(is_number).then_some(Self::Number)
            }
            _ => Some(Self::Bool),
        }
    }

    fn of_call(name: &str) -> Option<Self> {
        if find(&PARTS, name).is_some() {
            return Some(Self::Number);
        }
        if let Some(kind) = find(&LOOPS, name) {
            let is_list = matches!(kind, LoopKind::Map | LoopKind::Filter);
            return Some(if is_list { Self::List } else { Self::Bool });
        }
        let function = FUNCTIONS.iter().find(|(known, ..)| *known == name)?.3;
        Some(match function {
            Function::Size | Function::Int | Function::UInt | Function::Double => Self::Number,
            Function::Contains | Function::StartsWith | Function::EndsWith | Function::Bool => {
                Self::Bool
            }
            Function::LowerAscii | Function::UpperAscii | Function::Trim | Function::Text => {
                Self::Text
            }
            Function::Timestamp => Self::Time,
            Function::Duration => Self::Duration,
            Function::Dyn => return None,
        })
    }

    /// With its article, for an error.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Null => "`null`",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Time => "a time",
            Self::Duration => "a duration",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }

    /// Whether two values of these types can be equal. Whatever is absent is `null`.
    pub(super) fn can_equal(self, other: Self) -> bool {
        let is_time = |one, other| (one, other) == (Self::Time, Self::Text);
        self == other
            || self == Self::Null
            || other == Self::Null
            || is_time(self, other)
            || is_time(other, self)
    }

    /// Whether of two values of these types one can come first.
    pub(super) fn can_order(self, other: Self) -> bool {
        let has_order = |one| !matches!(one, Self::Null | Self::List | Self::Map);
        has_order(self) && has_order(other) && self.can_equal(other)
    }

    /// Whether a value of this type has fields or elements.
    pub(super) fn has_parts(self) -> bool {
        matches!(self, Self::List | Self::Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::{CORE_ATTRIBUTES, EXTENSIONS};

    #[test]
    fn every_attribute_with_a_type_is_known() {
        for name in NUMBERS.iter().chain(&TEXTS) {
            assert!(CORE_ATTRIBUTES.contains(name) || EXTENSIONS.contains(name), "{name}");
        }
    }
}
