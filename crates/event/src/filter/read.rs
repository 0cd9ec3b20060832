//! From the parser's tree to ours: every name is looked up, every pattern compiled.
//!
//! The parser is told to expand no macros, so that `all`, `map` and `has` arrive as the calls they
//! are written as, with their places, and are evaluated as loops and not as what the expansion makes
//! of them (whose lists grow by copying).
//!
//! With each node goes what is known of its type, and what that rules out is refused. An operator or a
//! function that has no form for its values is an error on every event, and an event on which a filter
//! errs does not match: `severitynumber * 1.5 >= 13` would pass nothing for months. A comparison of
//! values of different types is no error, but says the same of every event: a mandatory filter such as
//! `account != 7` would pass everything. Both are refused wherever they stand, also beside an `||`: no
//! filter needs them.
//!
//! It refuses names that no event and no function has, patterns that are not literal, and the parts
//! of CEL that a filter has no use for: bytes, messages and optional values.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, SourceInfo};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    FilterError, RegexError, advice, forms,
    limits::PATTERNS_BYTES_MAX,
    names::{self, FUNCTIONS, Form, LOOPS, OPERATORS, PARTS, find},
    regex::Patterns,
    time::{self, Compared},
    tree::{Function, Literal, Loop, LoopKind, Node, Operator, Part},
    types::{Kinds, Type},
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
    let filter = reader.node(&tree)?;
    reader.check_condition("a filter that is", &tree, filter.known)?;
    Ok(filter.node)
}

struct Reader {
    source: SourceInfo,
    /// The variables of the loops around and what they can be, the innermost last.
    locals: Vec<(String, Type)>,
    patterns: Patterns,
    /// Bytes of the patterns compiled so far.
    pattern_bytes: usize,
}

/// A node, and what is known of its value.
struct Typed {
    node: Node,
    known: Type,
}

type Read<T = Typed> = Result<T, FilterError>;

/// A node whose value is of `kinds`.
fn typed(node: Node, kinds: Kinds) -> Typed {
    Typed { node, known: Type::of(kinds) }
}

impl Reader {
    fn node(&mut self, tree: &IdedExpr) -> Read {
        match &tree.expr {
            Expr::Ident(name) => self.name(name, tree.id),
            Expr::Literal(literal) => self.literal(literal, tree.id),
            Expr::Select(select) => self.select(&select.operand, &select.field, false, tree.id),
            Expr::Call(call) => self.call(call, tree.id),
            Expr::List(list) => Ok(listed(self.elements(list)?)),
            Expr::Map(map) => {
                let mut entries = Vec::new();
                let (mut keys, mut values) = (Kinds::NONE, Kinds::NONE);
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return Err(self.unsupported("a message", tree.id));
                    };
                    let (key, value) = (self.node(&entry.key)?, self.node(&entry.value)?);
                    keys = keys.or(key.known.kinds);
                    values = values.or(value.known.kinds);
                    entries.push((key.node, value.node));
                }
                Ok(Typed { node: Node::Map(entries), known: Type::map(keys, values) })
            }
            Expr::Struct(_) => Err(self.unsupported("a message", tree.id)),
            Expr::Comprehension(_) | Expr::Unspecified => {
                Err(self.unsupported("this expression", tree.id))
            }
        }
    }

    fn elements(&mut self, list: &ListExpr) -> Read<Vec<Typed>> {
        list.elements.iter().map(|element| self.node(element)).collect()
    }

    fn literal(&self, literal: &LiteralValue, id: u64) -> Read {
        let (literal, kinds) = match literal {
            LiteralValue::Null => (Literal::Null, Kinds::NULL),
            LiteralValue::Boolean(bool) => (Literal::Bool(*bool.inner()), Kinds::BOOL),
            LiteralValue::Int(int) => (Literal::Int(*int.inner()), Kinds::INT),
            LiteralValue::UInt(uint) => (Literal::UInt(*uint.inner()), Kinds::UINT),
            LiteralValue::Double(double) => (Literal::Double(*double.inner()), Kinds::DOUBLE),
            LiteralValue::String(text) => (Literal::Text(text.inner().into()), Kinds::TEXT),
            LiteralValue::Bytes(_) => return Err(self.unsupported("a bytes literal", id)),
        };
        Ok(typed(Node::Literal(literal), kinds))
    }

    fn name(&self, name: &str, id: u64) -> Read {
        let local = self.locals.iter().enumerate().rev().find(|(_, (local, _))| local == name);
        if let Some((at, (_, known))) = local {
            return Ok(Typed { node: Node::Local(at), known: *known });
        }
        if name == "data" {
            return Ok(Typed { node: Node::Data, known: Type::data() });
        }
        if CORE_ATTRIBUTES.contains(&name) || EXTENSIONS.contains(&name) {
            let node = Node::Attribute(name.into());
            return Ok(Typed { node, known: Type::of_attribute(name) });
        }
        let hint = if name == EVENT {
            "; write `event.` and the name of an attribute".to_owned()
        } else {
            let locals = self.locals.iter().map(|(local, _)| local.as_str());
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
        let Typed { node, known } = self.node(of)?;
        if !known.kinds.meets(Kinds::MAPS) {
            let what = format!("`.{}` of {}", cut(field, SHOWN_CHARS_MAX), known.kinds.shown());
            let is_method = names::methods().any(|method| method == field);
            let instead = if is_method {
                format!("a function is called with brackets: `.{field}(…)`")
            } else {
                "only `data` and maps have fields".to_owned()
            };
            return Err(self.never(what, id, &instead));
        }
        let known = if is_test { Type::of(Kinds::BOOL) } else { known.parts() };
        let node = Node::Select { of: Box::new(node), field: field.into(), is_test };
        Ok(Typed { node, known })
    }

    fn is_event(&self, tree: &IdedExpr) -> bool {
        matches!(&tree.expr, Expr::Ident(name)
            if name == EVENT && !self.locals.iter().any(|(local, _)| local == EVENT))
    }

    /// `event.NAME`: any attribute that an event may have.
    fn attribute(&self, name: &str, is_test: bool, id: u64) -> Read {
        if name == "data" && !is_test {
            return Ok(Typed { node: Node::Data, known: Type::data() });
        }
        let is_core = CORE_ATTRIBUTES.contains(&name);
        if !is_core && crate::AttributeName::new(name).is_err() {
            let hint = "; an attribute's name has 1 to 20 lower-case letters and digits";
            return Err(self.unknown("attribute", name, id, hint.to_owned()));
        }
        if is_test {
            return Ok(typed(Node::Present(name.into()), Kinds::BOOL));
        }
        Ok(Typed { node: Node::Attribute(name.into()), known: Type::of_any_attribute(name) })
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
                let both = Box::new([self.condition(one)?, self.condition(other)?]);
                Ok(typed(Node::And(both), Kinds::BOOL))
            }
            ("_||_", [one, other]) => {
                let both = Box::new([self.condition(one)?, self.condition(other)?]);
                Ok(typed(Node::Or(both), Kinds::BOOL))
            }
            ("!_", [one]) => Ok(typed(Node::Not(Box::new(self.condition(one)?)), Kinds::BOOL)),
            ("-_", [one]) => self.negated(one, id),
            ("_?_:_", [condition, one, other]) => {
                let condition = self.condition(condition)?;
                let (one, other) = (self.node(one)?, self.node(other)?);
                let node = Node::If(Box::new([condition, one.node, other.node]));
                Ok(Typed { node, known: one.known.or(other.known) })
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
            _ => {
                let args: Vec<&IdedExpr> = args.iter().collect();
                self.function(name, Form::Global, &args, id)
            }
        }
    }

    fn binary(&mut self, operator: Operator, args: &[IdedExpr], id: u64) -> Read {
        match args {
            // `x in event`: whether the attribute is there.
            [name, map] if operator == Operator::In && self.is_event(map) => match text(name) {
                Some(name) => self.attribute(name, true, id),
                None => Err(self.arguments("in event", id, "takes a name in quotes")),
            },
            [one, other] => match (operator, &other.expr) {
                (Operator::In, Expr::List(list)) => {
                    let left = self.node(one)?;
                    let elements = self.elements(list)?;
                    for (tree, element) in list.elements.iter().zip(&elements) {
                        self.check_equal(operator, left.known.kinds, element.known.kinds, id)?;
                        self.check_time(operator, left.known.kinds, tree)?;
                    }
                    let parts = Box::new([left.node, listed(elements).node]);
                    Ok(typed(Node::Binary(operator, parts), Kinds::BOOL))
                }
                _ => {
                    let (left, right) = (self.node(one)?, self.node(other)?);
                    let sides = [(one, left.known), (other, right.known)];
                    let known = self.joined(operator, sides, id)?;
                    self.check_time(operator, left.known.kinds, other)?;
                    self.check_time(operator, right.known.kinds, one)?;
                    let parts = Box::new([left.node, right.node]);
                    Ok(Typed { node: Node::Binary(operator, parts), known })
                }
            },
            _ => Err(self.unsupported("this operator", id)),
        }
    }

    /// What is a side of `&&`, `||` and the like.
    fn condition(&mut self, tree: &IdedExpr) -> Read<Node> {
        let Typed { node, known } = self.node(tree)?;
        self.check_condition("a condition that is", tree, known)?;
        Ok(node)
    }

    /// Refuses what is certainly no boolean where one decides.
    fn check_condition(&self, what: &str, tree: &IdedExpr, known: Type) -> Read<()> {
        if known.kinds.meets(Kinds::BOOL) {
            return Ok(());
        }
        let instead = advice::condition((tree, known.kinds));
        Err(self.never(format!("{what} {}", known.kinds.shown()), tree.id, &instead))
    }

    /// What a binary operator makes of its sides.
    fn joined(
        &self,
        operator: Operator,
        [(one, left), (other, right)]: [(&IdedExpr, Type); 2],
        id: u64,
    ) -> Read<Type> {
        match operator {
            Operator::In if !right.kinds.meets(Kinds::LISTS.or(Kinds::MAPS)) => {
                let what = format!("`in` with {} behind it", right.kinds.shown());
                let instead =
                    "it looks into lists and maps; `type.contains(\"Vm\")` looks into a text";
                return Err(self.never(what, id, instead));
            }
            Operator::In => self.check_equal(operator, left.kinds, right.items().kinds, id)?,
            Operator::Equal | Operator::NotEqual => {
                self.check_equal(operator, left.kinds, right.kinds, id)?;
            }
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                if !forms::can_order(left.kinds, right.kinds) {
                    return Err(self.different(operator, left.kinds, right.kinds, id));
                }
            }
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder => {
                return forms::arithmetic(operator, left, right).ok_or_else(|| {
                    let (left, right) = (left.kinds, right.kinds);
                    let what = format!("{} and {}", left.shown_exactly(), right.shown_exactly());
                    let instead = advice::arithmetic(operator, (one, left), (other, right));
                    self.no_form(symbol(operator), self.column("", id), &what, &instead)
                });
            }
        }
        Ok(Type::of(Kinds::BOOL))
    }

    /// Refuses a comparison whose sides can certainly not be equal. `timestamp(data.at) != null` is
    /// taken: it asks whether there is an error. So is `null` in a list, beside what can be equal.
    fn check_equal(&self, by: Operator, left: Kinds, right: Kinds, id: u64) -> Read<()> {
        let is_null = left == Kinds::NULL || right == Kinds::NULL;
        let is_harmless = is_null && matches!(by, Operator::NotEqual | Operator::In);
        if is_harmless || forms::can_equal(left, right) {
            return Ok(());
        }
        Err(self.different(by, left, right, id))
    }

    /// Refuses a text that a time, which `beside` is, has no order with, or that it never equals.
    fn check_time(&self, by: Operator, beside: Kinds, tree: &IdedExpr) -> Read<()> {
        let Some(literal) = text(tree).filter(|_| beside.is_mostly(Kinds::TIME)) else {
            return Ok(());
        };
        let orders =
            [Operator::Less, Operator::LessOrEqual, Operator::Greater, Operator::GreaterOrEqual];
        let equals = [Operator::Equal, Operator::NotEqual, Operator::In];
        let takes = match time::compared(literal) {
            _ if !orders.contains(&by) && !equals.contains(&by) => return Ok(()),
            Some(Compared::Time(_)) => return Ok(()),
            Some(Compared::Beginning(_)) if orders.contains(&by) => return Ok(()),
            Some(Compared::Beginning(_)) => {
                "is the beginning of a time, and equals none; write `time >= …` and `time < …`"
            }
            None => {
                "is no time; a time is compared with a text as in RFC 3339, `2026-11-20T09:30:00Z`, or its \
                 beginning, `2026-11-20T09`"
            }
        };
        let (name, column) = (cut(literal, SHOWN_CHARS_MAX), self.column("", tree.id));
        Err(FilterError::Arguments { name, column, expected: takes.to_owned() })
    }

    fn different(&self, by: Operator, left: Kinds, right: Kinds, id: u64) -> FilterError {
        FilterError::SameForAll {
            what: format!("a comparison of {} with {}", left.shown(), right.shown()),
            column: self.column("", id),
            verdict: if by == Operator::NotEqual { "always true" } else { "never true" },
            instead: advice::comparison(left, right).to_owned(),
        }
    }

    fn never(&self, what: String, id: u64, instead: &str) -> FilterError {
        let (column, instead) = (self.column("", id), instead.to_owned());
        FilterError::SameForAll { what, column, verdict: "never true", instead }
    }

    /// An operator or a function called `name` that takes nothing of what it is given.
    fn no_form(&self, name: &str, column: usize, what: &str, instead: &str) -> FilterError {
        let expected = format!("has no form for {what}; {instead}");
        FilterError::Arguments { name: name.to_owned(), column, expected }
    }

    /// [`no_form`](Self::no_form) of a function for one value.
    fn not_taken(&self, name: &str, id: u64, kinds: Kinds, instead: &str) -> FilterError {
        self.no_form(name, self.column(name, id), &kinds.shown(), instead)
    }

    fn negated(&mut self, one: &IdedExpr, id: u64) -> Read {
        let Typed { node, known } = self.node(one)?;
        match forms::negated(known) {
            Some(known) => Ok(Typed { node: Node::Negate(Box::new(node)), known }),
            None => {
                let (what, column) = (known.kinds.shown_exactly(), self.column("", id));
                let instead = "it takes an int, a double or a duration";
                Err(self.no_form("-", column, &what, instead))
            }
        }
    }

    fn index(&mut self, of: &IdedExpr, at: &IdedExpr, id: u64) -> Read {
        match (self.is_event(of), text(at)) {
            (true, Some(name)) => self.attribute(name, false, id),
            (true, None) => Err(self.arguments("event[…]", id, "takes a name in quotes")),
            (false, _) => {
                let (of, at) = (self.node(of)?, self.node(at)?);
                let (held, key) = (of.known.kinds, at.known.kinds);
                let Some(known) = forms::index(of.known, at.known) else {
                    let column = self.column("", id);
                    let instead = advice::container(held);
                    if !held.meets(Kinds::LISTS.or(Kinds::MAPS)) {
                        return Err(self.no_form("[…]", column, &held.shown(), instead));
                    }
                    let what = format!("{} and {}", held.shown(), key.shown_exactly());
                    let instead = "a list takes a whole number from 0, a map one of its keys";
                    return Err(self.no_form("[…]", column, &what, instead));
                };
                Ok(Typed { node: Node::Index(Box::new([of.node, at.node])), known })
            }
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
                let args: Vec<&IdedExpr> = std::iter::once(target).chain(args).collect();
                self.function(name, Form::Method, &args, id)
            }
        }
    }

    fn function(&mut self, name: &str, form: Form, args: &[&IdedExpr], id: u64) -> Read {
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
        match args.first().map(|arg| &arg.expr) {
            Some(Expr::Literal(LiteralValue::String(literal))) => {
                self.check_literal(*function, literal.inner(), name, id)?;
            }
            Some(Expr::Literal(LiteralValue::Int(seconds)))
                if *function == Function::Timestamp
                    && Timestamp::from_second(*seconds.inner()).is_err() =>
            {
                let expected = "takes seconds since 1970, not milliseconds, up to the year 9999";
                return Err(self.arguments(name, id, expected));
            }
            _ => {}
        }
        let (mut nodes, mut types) = (Vec::new(), Vec::new());
        for arg in args {
            let Typed { node, known } = self.node(arg)?;
            nodes.push(node);
            types.push(known);
        }
        let known = forms::call(*function, &types).map_err(|wrong| {
            let kinds = types.get(wrong).map_or(Kinds::NONE, |known| known.kinds);
            let instead = args.get(wrong).map(|arg| advice::argument(*function, (arg, kinds)));
            self.not_taken(name, id, kinds, &instead.unwrap_or_default())
        })?;
        Ok(Typed { node: Node::Call(*function, nodes), known })
    }

    /// A constant that will never be a time or a duration is told now.
    fn check_literal(&self, function: Function, literal: &str, name: &str, id: u64) -> Read<()> {
        let expected = match function {
            Function::Timestamp if time::timestamp(literal).is_none() => {
                "takes a time as in RFC 3339, for example `2026-11-20T10:00:00Z`"
            }
            Function::Duration if time::duration(literal).is_none() => {
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
        let Typed { node, known } = self.node(of)?;
        if !known.kinds.meets(forms::READS) {
            let instead = advice::text((of, known.kinds));
            return Err(self.not_taken("matches", id, known.kinds, &instead));
        }
        Ok(typed(Node::Matches(Box::new(node), regex), Kinds::BOOL))
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
        let Typed { node, known } = self.node(of)?;
        let Some(given) = forms::part(part, known) else {
            let instead = advice::time((of, known.kinds));
            return Err(self.not_taken(name, id, known.kinds, &instead));
        };
        Ok(Typed { node: Node::Part(part, Box::new(node), zone), known: given })
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
        if !range.known.kinds.meets(Kinds::LISTS.or(Kinds::MAPS)) {
            let instead = advice::container(range.known.kinds);
            return Err(self.not_taken(name, id, range.known.kinds, instead));
        }
        self.locals.push((variable.clone(), range.known.items()));
        let inner = self.turn(kind, condition, body);
        self.locals.pop();
        let (condition, body) = inner?;
        let known = match kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Type::of(Kinds::BOOL),
            LoopKind::Map => Type::list(body.known.kinds),
            LoopKind::Filter => Type::list(range.known.items().kinds),
        };
        let inner = Loop { kind, range: range.node, condition, body: body.node };
        Ok(Typed { node: Node::Loop(Box::new(inner)), known })
    }

    /// What a loop does with each element: only `map` makes something else than a decision of it.
    fn turn(
        &mut self,
        kind: LoopKind,
        condition: Option<&IdedExpr>,
        body: &IdedExpr,
    ) -> Read<(Option<Node>, Typed)> {
        let condition = condition.map(|condition| self.condition(condition)).transpose()?;
        let body = match kind {
            LoopKind::Map => self.node(body)?,
            _ => typed(self.condition(body)?, Kinds::BOOL),
        };
        Ok((condition, body))
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

/// A list that the expression writes.
fn listed(elements: Vec<Typed>) -> Typed {
    let kinds = elements.iter().fold(Kinds::NONE, |all, element| all.or(element.known.kinds));
    let nodes = elements.into_iter().map(|element| element.node).collect();
    Typed { node: Node::List(nodes), known: Type::list(kinds) }
}

/// An operator as it is written.
fn symbol(operator: Operator) -> &'static str {
    let found = OPERATORS.iter().find(|(_, known)| *known == operator);
    found.map_or("", |(name, _)| name.trim_matches(['_', '@']))
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
    let message = match error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg) {
        // The parser's own words are about its source.
        incomplete if incomplete.starts_with("Incomplete") && incomplete.contains("_?_:_") => {
            "a condition has three parts, `a ? b : c`; one within another stands in brackets"
        }
        incomplete if incomplete.starts_with("Incomplete") => "something is missing here",
        message => message,
    };
    format!("{line}column {column}: {}", cut(message, SYNTAX_CHARS_MAX))
}

/// At most `max` characters of `text`, in one line.
fn cut(text: &str, max: usize) -> String {
    let mut chars = text.chars();
    let shown: String = chars.by_ref().take(max).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{}{more}", crate::shown(&shown))
}
