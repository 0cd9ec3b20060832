//! From the parser's tree to ours: every name is looked up, every pattern compiled.
//!
//! The parser is told to expand no macros, so that `all`, `map` and `has` arrive as the calls they
//! are written as, with their places, and are evaluated as loops and not as what the expansion makes
//! of them (whose lists grow by copying).
//!
//! It refuses names that no event and no function has, patterns that are not literal, and the parts
//! of CEL that a filter has no use for: bytes, messages and optional values.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use jiff::tz::TimeZone;

use super::{
    FilterError,
    names::{self, FUNCTIONS, Form, LOOPS, OPERATORS, PARTS, find},
    regex::{PATTERNS_BYTES_MAX, Patterns, RegexError},
    tree::{Function, Literal, Loop, LoopKind, Node, Operator, Part},
    types::Type,
};
use crate::known::{CORE_ATTRIBUTES, EXTENSIONS};

/// The map of all attributes: `event.traceparent`, for names that no source of Pluvio writes.
const EVENT: &str = "event";
/// Longest name that is shown in an error, in characters.
const SHOWN_CHARS_MAX: usize = 100;
/// Longest message of the parser that is shown, in characters: it repeats what was written.
const SYNTAX_CHARS_MAX: usize = 200;

/// Parses `cel`, whose text [`lexical`](super::lexical) has checked.
pub(super) fn read(cel: &str) -> Result<Node, FilterError> {
    let parser = cel::Env::default().with_optional_support(false).parser();
    let parsed = parser.parse_with_source_info(cel);
    let (tree, source) = parsed.map_err(|errors| FilterError::Syntax(first(&errors)))?;
    let mut reader =
        Reader { source, locals: Vec::new(), patterns: Patterns::default(), pattern_bytes: 0 };
    let node = reader.node(&tree)?;
    reader.check_condition("a filter that is", &tree)?;
    Ok(node)
}

struct Reader {
    source: SourceInfo,
    /// The variables of the loops around, the innermost last.
    locals: Vec<String>,
    patterns: Patterns,
    /// Bytes of the patterns compiled so far.
    pattern_bytes: usize,
}

type Read<T = Node> = Result<T, FilterError>;

impl Reader {
    fn node(&mut self, tree: &IdedExpr) -> Read {
        match &tree.expr {
            Expr::Ident(name) => self.name(name, tree.id),
            Expr::Literal(literal) => self.literal(literal, tree.id),
            Expr::Select(select) => self.select(&select.operand, &select.field, false, tree.id),
            Expr::Call(call) => self.call(call, tree.id),
            Expr::List(list) => {
                let elements: Read<Vec<Node>> =
                    list.elements.iter().map(|element| self.node(element)).collect();
                Ok(Node::List(elements?))
            }
            Expr::Map(map) => {
                let mut entries = Vec::new();
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(self.unsupported("a message", tree.id));
                    };
                    entries.push((self.node(&entry.key)?, self.node(&entry.value)?));
                }
                Ok(Node::Map(entries))
            }
            Expr::Struct(_) => Err(self.unsupported("a message", tree.id)),
            Expr::Comprehension(_) | Expr::Unspecified => {
                Err(self.unsupported("this expression", tree.id))
            }
        }
    }

    fn literal(&self, literal: &LiteralValue, id: u64) -> Read {
        Ok(Node::Literal(match literal {
            LiteralValue::Null => Literal::Null,
            LiteralValue::Boolean(bool) => Literal::Bool(*bool.inner()),
            LiteralValue::Int(int) => Literal::Int(*int.inner()),
            LiteralValue::UInt(uint) => Literal::UInt(*uint.inner()),
            LiteralValue::Double(double) => Literal::Double(*double.inner()),
            LiteralValue::String(text) => Literal::Text(text.inner().into()),
            LiteralValue::Bytes(_) => return Err(self.unsupported("a bytes literal", id)),
        }))
    }

    fn name(&self, name: &str, id: u64) -> Read {
        if let Some(at) = self.locals.iter().rposition(|local| local == name) {
            return Ok(Node::Local(at));
        }
        if name == "data" {
            return Ok(Node::Data);
        }
        if CORE_ATTRIBUTES.contains(&name) || EXTENSIONS.contains(&name) {
            return Ok(Node::Attribute(name.into()));
        }
        let hint = if name == EVENT {
            "; write `event.` and the name of an attribute".to_owned()
        } else {
            let locals = self.locals.iter().map(String::as_str);
            let known = CORE_ATTRIBUTES.into_iter().chain(EXTENSIONS).chain(locals);
            let near = names::hint(name, known);
            format!(
                "{near}; an attribute that Pluvio does not write itself is read as `event.NAME`"
            )
        };
        Err(self.unknown("attribute", name, id, hint))
    }

    fn select(&mut self, of: &IdedExpr, field: &str, is_test: bool, id: u64) -> Read {
        if self.is_event(of) {
            return self.attribute(field, is_test, id);
        }
        let node = self.node(of)?;
        if let Some(known) = self.type_of(of).filter(|known| *known != Type::Map) {
            let what = format!("`.{}` of {}", cut(field, SHOWN_CHARS_MAX), known.shown());
            let is_method = names::methods().any(|method| method == field);
            let instead = if is_method {
                format!("a function is called with brackets: `.{field}(…)`")
            } else {
                "only `data` and maps have fields".to_owned()
            };
            return Err(self.never(what, id, &instead));
        }
        Ok(Node::Select { of: Box::new(node), field: field.into(), is_test })
    }

    fn is_event(&self, tree: &IdedExpr) -> bool {
        matches!(&tree.expr, Expr::Ident(name)
            if name == EVENT && !self.locals.iter().any(|local| local == EVENT))
    }

    /// `event.NAME`: any attribute that an event may have.
    fn attribute(&self, name: &str, is_test: bool, id: u64) -> Read {
        if name == "data" && !is_test {
            return Ok(Node::Data);
        }
        let is_core = CORE_ATTRIBUTES.contains(&name);
        if !is_core && crate::AttributeName::new(name).is_err() {
            let hint = "; an attribute's name has 1 to 20 lower-case letters and digits";
            return Err(self.unknown("attribute", name, id, hint.to_owned()));
        }
        let name = name.into();
        Ok(if is_test { Node::Present(name) } else { Node::Attribute(name) })
    }

    fn call(&mut self, call: &CallExpr, id: u64) -> Read {
        match &call.target {
            None => self.global(&call.func_name, &call.args, id),
            Some(target) => self.method(&call.func_name, target, &call.args, id),
        }
    }

    fn global(&mut self, name: &str, args: &[IdedExpr], id: u64) -> Read {
        if let Some(operator) = find(&OPERATORS, name) {
            return self.binary(operator, args, id);
        }
        match (name, args) {
            ("_&&_", [one, other]) => {
                Ok(Node::And(Box::new([self.condition(one)?, self.condition(other)?])))
            }
            ("_||_", [one, other]) => {
                Ok(Node::Or(Box::new([self.condition(one)?, self.condition(other)?])))
            }
            ("!_", [one]) => Ok(Node::Not(Box::new(self.condition(one)?))),
            ("-_", [one]) => Ok(Node::Negate(Box::new(self.node(one)?))),
            ("_?_:_", [condition, one, other]) => {
                let condition = self.condition(condition)?;
                Ok(Node::If(Box::new([condition, self.node(one)?, self.node(other)?])))
            }
            ("_[_]", [of, at]) => self.index(of, at, id),
            ("has", [tested]) => match &tested.expr {
                Expr::Select(select) => self.select(&select.operand, &select.field, true, id),
                _ => Err(self.arguments(
                    name,
                    id,
                    "takes a field, for example `has(data.Vm)`; an \
                     attribute that an event does not have is `null`",
                )),
            },
            ("matches", [text, pattern]) => self.matches(text, pattern, id),
            ("has", _) => Err(self.arguments(name, id, "takes 1 argument")),
            ("matches", _) => Err(self.arguments(name, id, "takes 2 arguments")),
            _ => self.function(name, Form::Global, args.iter().collect(), id),
        }
    }

    fn binary(&mut self, operator: Operator, args: &[IdedExpr], id: u64) -> Read {
        match args {
            // `x in event`: whether the attribute is there.
            [name, map] if operator == Operator::In && self.is_event(map) => match text(name) {
                Some(name) => self.attribute(name, true, id),
                None => Err(self.arguments("in event", id, "takes a name in quotes")),
            },
            [one, other] => {
                let parts = Box::new([self.node(one)?, self.node(other)?]);
                self.check_types(operator, one, other, id)?;
                Ok(Node::Binary(operator, parts))
            }
            _ => Err(self.unsupported("this operator", id)),
        }
    }

    /// What is a side of `&&`, `||` and the like.
    fn condition(&mut self, tree: &IdedExpr) -> Read {
        let node = self.node(tree)?;
        self.check_condition("a condition that is", tree)?;
        Ok(node)
    }

    /// Refuses what is certainly no boolean where one decides.
    fn check_condition(&self, what: &str, tree: &IdedExpr) -> Read<()> {
        match self.type_of(tree) {
            None | Some(Type::Bool) => Ok(()),
            Some(known) => {
                let instead = match &tree.expr {
                    Expr::Ident(name) if known == Type::Number => {
                        format!("compare it, for example `{name} >= 13`")
                    }
                    Expr::Ident(name) => format!("compare it, for example `{name} != null`"),
                    Expr::Literal(LiteralValue::String(_)) => {
                        "compare each text, for example `type == \"a\" || type == \"b\"`; `true` is \
                         written without quotes"
                            .to_owned()
                    }
                    _ => "compare it with something".to_owned(),
                };
                Err(self.never(format!("{what} {}", known.shown()), tree.id, &instead))
            }
        }
    }

    /// Refuses a comparison whose sides are certainly of different types.
    fn check_types(&self, by: Operator, one: &IdedExpr, other: &IdedExpr, id: u64) -> Read<()> {
        let (Some(left), Some(right)) = (self.type_of(one), self.type_of(other)) else {
            return Ok(());
        };
        let is_fine = match by {
            Operator::In if right.has_parts() => return self.check_elements(left, other, id),
            Operator::In => {
                let what = format!("`in` with {} behind it", right.shown());
                let instead =
                    "it looks into lists and maps; `type.contains(\"Vm\")` looks into a text";
                return Err(self.never(what, id, instead));
            }
            Operator::Equal | Operator::NotEqual => left.can_equal(right),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => left.can_order(right),
            _ => true,
        };
        if is_fine {
            return Ok(());
        }
        Err(match self.different(left, right, id) {
            FilterError::SameForAll { what, column, instead, .. } if by == Operator::NotEqual => {
                FilterError::SameForAll { what, column, verdict: "always true", instead }
            }
            error => error,
        })
    }

    /// Refuses a list with an element that `left` can certainly not be equal to.
    fn check_elements(&self, left: Type, list: &IdedExpr, id: u64) -> Read<()> {
        let Expr::List(list) = &list.expr else { return Ok(()) };
        let types = list.elements.iter().filter_map(|element| self.type_of(element));
        match types.into_iter().find(|element| !left.can_equal(*element)) {
            Some(element) => Err(self.different(left, element, id)),
            None => Ok(()),
        }
    }

    fn different(&self, left: Type, right: Type, id: u64) -> FilterError {
        let what = format!("a comparison of {} with {}", left.shown(), right.shown());
        let instead = match (left, right) {
            (Type::Number, Type::Text) | (Type::Text, Type::Number) => {
                "a number is written without quotes and a text with them"
            }
            (Type::Null, _) | (_, Type::Null) => "`null` is only equal or not",
            _ => "both sides must be of one type",
        };
        self.never(what, id, instead)
    }

    fn never(&self, what: String, id: u64, instead: &str) -> FilterError {
        let (column, instead) = (self.column("", id), instead.to_owned());
        FilterError::SameForAll { what, column, verdict: "never true", instead }
    }

    fn type_of(&self, tree: &IdedExpr) -> Option<Type> {
        Type::of(tree, &self.locals)
    }

    fn index(&mut self, of: &IdedExpr, at: &IdedExpr, id: u64) -> Read {
        match (self.is_event(of), text(at)) {
            (true, Some(name)) => self.attribute(name, false, id),
            (true, None) => Err(self.arguments("event[…]", id, "takes a name in quotes")),
            (false, _) => Ok(Node::Index(Box::new([self.node(of)?, self.node(at)?]))),
        }
    }

    fn method(&mut self, name: &str, target: &IdedExpr, args: &[IdedExpr], id: u64) -> Read {
        if let Some(kind) = find(&LOOPS, name) {
            return self.looped(name, kind, target, args, id);
        }
        if let Some(part) = find(&PARTS, name) {
            return self.part(name, part, target, args, id);
        }
        match (name, args) {
            ("matches", [pattern]) => self.matches(target, pattern, id),
            ("matches", _) => Err(self.arguments(name, id, "takes 1 argument")),
            _ => {
                let args = std::iter::once(target).chain(args).collect();
                self.function(name, Form::Method, args, id)
            }
        }
    }

    fn function(&mut self, name: &str, form: Form, args: Vec<&IdedExpr>, id: u64) -> Read {
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == name);
        let Some((_, known_form, count, function)) = known else {
            let (kind, hint) = match form {
                Form::Method => ("method", names::hint(name, names::methods())),
                _ => ("function", names::hint(name, names::functions())),
            };
            return Err(self.unknown(kind, name, id, hint));
        };
        if *known_form != Form::Both && *known_form != form {
            let expected = match known_form {
                Form::Method => format!("is called on a value: `x.{name}(…)`"),
                _ => format!("is called with its value in brackets: `{name}(x)`"),
            };
            return Err(self.arguments(name, id, &expected));
        }
        if args.len() != *count {
            let count = if form == Form::Method { count - 1 } else { *count };
            let plural = if count == 1 { "" } else { "s" };
            return Err(self.arguments(name, id, &format!("takes {count} argument{plural}")));
        }
        let literal = args.first().and_then(|arg| text(arg));
        if let Some(literal) = literal {
            self.check_literal(*function, literal, name, id)?;
        }
        let args: Read<Vec<Node>> = args.into_iter().map(|arg| self.node(arg)).collect();
        Ok(Node::Call(*function, args?))
    }

    /// A constant that will never be a time or a duration is told now.
    fn check_literal(&self, function: Function, literal: &str, name: &str, id: u64) -> Read<()> {
        let expected = match function {
            Function::Timestamp if literal.parse::<jiff::Timestamp>().is_err() => {
                "takes a time as in RFC 3339, for example `2026-11-20T10:00:00Z`"
            }
            Function::Duration if super::time::duration(literal).is_none() => {
                "takes a length of time, for example `1h30m`, `90s`, `500ms`"
            }
            _ => return Ok(()),
        };
        Err(self.arguments(name, id, expected))
    }

    fn matches(&mut self, of: &IdedExpr, pattern: &IdedExpr, id: u64) -> Read {
        let column = self.column("matches", id);
        let regex = match text(pattern) {
            Some(pattern) => self.patterns.compile(pattern),
            None => Err(RegexError::NotLiteral),
        };
        let regex = regex.map_err(|error| FilterError::Regex { column, error })?;
        self.pattern_bytes = self.pattern_bytes.saturating_add(regex.bytes());
        if self.pattern_bytes > PATTERNS_BYTES_MAX {
            return Err(FilterError::PatternsTooLarge { bytes: self.pattern_bytes });
        }
        Ok(Node::Matches(Box::new(self.node(of)?), regex))
    }

    fn part(&mut self, name: &str, part: Part, of: &IdedExpr, args: &[IdedExpr], id: u64) -> Read {
        let zone = match args {
            [] => Some(TimeZone::UTC),
            [zone] => text(zone).and_then(super::time::zone),
            _ => None,
        };
        let expected = "takes no argument, or a time zone in quotes, for example \
             `\"Europe/Berlin\"` or `\"+02:00\"`";
        let zone = zone.ok_or_else(|| self.arguments(name, id, expected))?;
        Ok(Node::Part(part, Box::new(self.node(of)?), zone))
    }

    fn looped(
        &mut self,
        name: &str,
        kind: LoopKind,
        of: &IdedExpr,
        args: &[IdedExpr],
        id: u64,
    ) -> Read {
        let (variable, condition, body) = match (kind, args) {
            (_, [variable, body]) => (variable, None, body),
            (LoopKind::Map, [variable, condition, body]) => (variable, Some(condition), body),
            _ => {
                let expected = format!("takes a name and an expression: `{name}(x, x == 1)`");
                return Err(self.arguments(name, id, &expected));
            }
        };
        let Expr::Ident(variable) = &variable.expr else {
            return Err(self.arguments(name, id, "takes a simple name as its first argument"));
        };
        let range = self.node(of)?;
        self.locals.push(variable.clone());
        let inner = (|| Ok((condition.map(|c| self.node(c)).transpose()?, self.node(body)?)))();
        self.locals.pop();
        let (condition, body) = inner?;
        Ok(Node::Loop(Box::new(Loop { kind, range, condition, body })))
    }

    fn unknown(&self, kind: &'static str, name: &str, id: u64, hint: String) -> FilterError {
        let column = self.column(name, id);
        let name = name.chars().take(SHOWN_CHARS_MAX).collect();
        FilterError::Unknown { kind, name, column, hint }
    }

    fn arguments(&self, name: &str, id: u64, expected: &str) -> FilterError {
        let column = self.column(name, id);
        FilterError::Arguments { name: name.to_owned(), column, expected: expected.to_owned() }
    }

    fn unsupported(&self, what: &'static str, id: u64) -> FilterError {
        FilterError::Unsupported { what, column: self.column("", id) }
    }

    /// Where `name` of the expression `id` begins: the parser remembers the place of a call's
    /// bracket or of a field's dot, so the name is looked for beside it.
    fn column(&self, name: &str, id: u64) -> usize {
        let at = self.source.offset_for(id).map_or(0, |(start, _)| start as usize);
        let before: String = self.source.source.chars().take(at).collect();
        let before = before.trim_end();
        let begin = match before.strip_suffix(name) {
            Some(rest) if !name.is_empty() => rest.chars().count(),
            _ => at,
        };
        begin + 1
    }
}

/// The text of a string literal.
fn text(tree: &IdedExpr) -> Option<&str> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The first of the parser's errors with its place: the others mostly follow from it, and each repeats
/// the whole expression.
fn first(errors: &cel::ParseErrors) -> String {
    let Some(error) = errors.errors.first() else {
        return "the parser does not say why".to_owned();
    };
    let (line, column) = error.pos;
    let line = if line > 1 { format!("line {line}, ") } else { String::new() };
    let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    format!("{line}column {column}: {}", cut(message, SYNTAX_CHARS_MAX))
}

/// At most `max` characters of `text`, in one line.
fn cut(text: &str, max: usize) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(max).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{}{more}", crate::shown(&shown))
}
