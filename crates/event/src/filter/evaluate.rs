//! Evaluating an expression on one event: CEL's meaning, with every step counted.
//!
//! An error (a missing field, a wrong type, an overflow) travels up as CEL says: `&&` and `||` take
//! the side that decides, whichever it is; everything else fails, and the event does not match.
//!
//! It refuses recursion beyond the tree: the tree's depth was bounded before it was parsed.

use std::{cell::OnceCell, rc::Rc};

use jiff::SignedDuration;
use serde_json::Value as Json;

use super::cost::{ELEMENT_UNITS, MADE_UNITS, PARSE_UNITS};
use super::function;
use super::meter::Meter;
use super::time;
use super::tree::{Literal, Loop, LoopKind, Node, Operator, Part};
use super::types::RECORDED;
use super::value::{Fault, NODE_UNITS, TIME_UNITS, Text, Value};
use crate::{AttributeValue, Data, Event, whole_characters};

/// An event under evaluation, shared by all expressions that look at it: the payload is parsed once,
/// and only if one of them asks for it.
pub(super) struct Subject<'e> {
    event: &'e Event,
    data: OnceCell<Json>,
}

/// Evaluates `node` to whether `subject` matches.
pub(super) fn holds(
    node: &Node,
    subject: &Subject<'_>,
    meter: &mut Meter<'_>,
) -> Result<bool, Fault> {
    let mut evaluation = Evaluation { subject, meter, locals: Vec::new() };
    evaluation.node(node)?.bool()
}

impl<'e> Subject<'e> {
    pub(super) fn new(event: &'e Event) -> Self {
        Self { event, data: OnceCell::new() }
    }

    pub(super) fn event(&self) -> &'e Event {
        self.event
    }

    fn attribute(&self, name: &str) -> Value<'_> {
        let event = self.event;
        let optional = |text: Option<&'e str>| text.map_or(Value::Null, Value::text);
        match name {
            "id" => Value::text(event.id()),
            "source" => Value::text(event.source()),
            "type" => Value::text(event.event_type()),
            "specversion" => Value::text("1.0"),
            "subject" => optional(event.subject()),
            "datacontenttype" => optional(event.datacontenttype()),
            "dataschema" => optional(event.dataschema()),
            "time" => event.time().map_or(Value::Null, Value::Time),
            extension => match event.extension(extension) {
                Some(AttributeValue::Boolean(value)) => Value::Bool(*value),
                Some(AttributeValue::Integer(value)) => Value::Int(i64::from(*value)),
                Some(AttributeValue::String(value)) => Value::text(value),
                None => Value::Null,
            },
        }
    }

    fn is_present(&self, name: &str) -> bool {
        match name {
            "data" => self.event.data().is_some(),
            _ => !matches!(self.attribute(name), Value::Null),
        }
    }

    fn data(&self, meter: &mut Meter<'_>) -> Result<Value<'_>, Fault> {
        if self.data.get().is_none() {
            let json = match self.event.data() {
                Some(Data::Json(raw)) => {
                    meter.charge(PARSE_UNITS.saturating_mul(raw.get().len() as u64))?;
                    serde_json::from_str(&whole_characters(raw.get())).unwrap_or(Json::Null)
                }
                _ => Json::Null,
            };
            return Ok(Value::json(self.data.get_or_init(|| json)));
        }
        Ok(self.data.get().map_or(Value::Null, Value::json))
    }
}

struct Evaluation<'s, 'm, 'stop> {
    subject: &'s Subject<'s>,
    meter: &'m mut Meter<'stop>,
    /// The loops' variables, the innermost last.
    locals: Vec<Value<'s>>,
}

type Evaluated<'s> = Result<Value<'s>, Fault>;

impl<'s> Evaluation<'s, '_, '_> {
    fn node(&mut self, node: &'s Node) -> Evaluated<'s> {
        self.meter.charge(NODE_UNITS)?;
        match node {
            Node::Literal(literal) => Ok(constant(literal)),
            Node::Attribute(name) => self.attribute(name),
            Node::Present(name) => Ok(Value::Bool(self.subject.is_present(name))),
            Node::Data => self.subject.data(self.meter),
            Node::Local(at) => self.locals.get(*at).cloned().ok_or(Fault::Error),
            Node::Select { of, field, is_test } => self.select(of, field, *is_test),
            Node::Index(parts) => self.index(&parts[0], &parts[1]),
            Node::List(elements) => {
                let mut list = Vec::with_capacity(elements.len());
                for element in elements {
                    list.push(self.element(element)?);
                }
                Ok(Value::List(Rc::new(list)))
            }
            Node::Map(entries) => {
                let mut map = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    map.push((self.element(key)?, self.element(value)?));
                }
                Ok(Value::Map(Rc::new(map)))
            }
            Node::Not(one) => Ok(Value::Bool(!self.node(one)?.bool()?)),
            Node::Negate(one) => negated(&self.node(one)?),
            Node::And(parts) => self.decided(&parts[0], &parts[1], false),
            Node::Or(parts) => self.decided(&parts[0], &parts[1], true),
            Node::If(parts) => {
                let chosen = if self.node(&parts[0])?.bool()? { &parts[1] } else { &parts[2] };
                self.node(chosen)
            }
            Node::Binary(operator, parts) => self.binary(*operator, &parts[0], &parts[1]),
            Node::Call(function, args) => {
                let first = self.node(args.first().ok_or(Fault::Error)?)?;
                let second = args.get(1).map(|arg| self.node(arg)).transpose()?;
                function::call(*function, first, second, self.meter)
            }
            Node::Matches(of, regex) => {
                let text = self.node(of)?.as_text(self.meter)?;
                let bytes = text.as_str().len() as u64;
                self.meter.charge(regex.units_per_byte().saturating_mul(bytes + 1))?;
                Ok(Value::Bool(regex.is_match(text.as_str())))
            }
            Node::Part(part, of, zone) => self.part(*part, of, zone),
            Node::Loop(inner) => self.looped(inner),
        }
    }

    /// When an event was stored travels as a text, and is a time to a filter as `time` is.
    fn attribute(&mut self, name: &str) -> Evaluated<'s> {
        let value = self.subject.attribute(name);
        match &value {
            Value::Text(text) if name == RECORDED => {
                self.meter.charge(TIME_UNITS)?;
                Ok(time::timestamp(text.as_str()).map_or(value, Value::Time))
            }
            _ => Ok(value),
        }
    }

    fn element(&mut self, node: &'s Node) -> Evaluated<'s> {
        self.meter.charge(ELEMENT_UNITS)?;
        self.node(node)
    }

    fn select(&mut self, of: &'s Node, field: &'s str, is_test: bool) -> Evaluated<'s> {
        let found = self.node(of)?.get(&Value::text(field), self.meter)?;
        if is_test { Ok(Value::Bool(found.is_some())) } else { found.ok_or(Fault::Error) }
    }

    fn index(&mut self, of: &'s Node, at: &'s Node) -> Evaluated<'s> {
        let (of, at) = (self.node(of)?, self.node(at)?);
        if of.list_len().is_none() {
            return of.get(&at, self.meter)?.ok_or(Fault::Error);
        }
        let at = match at {
            Value::Int(at) => usize::try_from(at).ok(),
            Value::UInt(at) => usize::try_from(at).ok(),
            _ => None,
        };
        at.and_then(|at| of.element(at)).ok_or(Fault::Error)
    }

    /// `&&` and `||`: the side that is `deciding` decides, even if the other one errs.
    fn decided(&mut self, one: &'s Node, other: &'s Node, deciding: bool) -> Evaluated<'s> {
        let one = match self.node(one).and_then(|value| value.bool()) {
            Ok(value) if value == deciding => return Ok(Value::Bool(deciding)),
            Err(Fault::Stopped) => return Err(Fault::Stopped),
            one => one,
        };
        let other = self.node(other)?.bool()?;
        if other == deciding { Ok(Value::Bool(deciding)) } else { one.map(Value::Bool) }
    }

    fn binary(&mut self, operator: Operator, one: &'s Node, other: &'s Node) -> Evaluated<'s> {
        let (one, other) = (self.node(one)?, self.node(other)?);
        let meter = &mut *self.meter;
        match operator {
            Operator::Equal => Ok(Value::Bool(one.equals(&other, meter)?)),
            Operator::NotEqual => Ok(Value::Bool(!one.equals(&other, meter)?)),
            Operator::In => contains(&one, &other, meter),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                let order = one.compare(&other, meter)?.ok_or(Fault::Error)?;
                Ok(Value::Bool(match operator {
                    Operator::Less => order.is_lt(),
                    Operator::LessOrEqual => order.is_le(),
                    Operator::Greater => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
            Operator::Add => added(&one, &other, meter),
            Operator::Subtract => subtracted(&one, &other),
            _ => function::arithmetic(operator, &one, &other),
        }
    }

    fn part(&mut self, part: Part, of: &'s Node, zone: &jiff::tz::TimeZone) -> Evaluated<'s> {
        let of = self.node(of)?;
        self.meter.charge(TIME_UNITS)?;
        match of {
            Value::Duration(duration) => {
                time::duration_part(duration, part).map(Value::Int).ok_or(Fault::Error)
            }
            Value::Time(time) => Ok(Value::Int(time::part(time, part, zone))),
            _ => Err(Fault::Error),
        }
    }

    fn looped(&mut self, inner: &'s Loop) -> Evaluated<'s> {
        let items = self.node(&inner.range)?.items()?;
        let (mut made, mut found) = (Vec::new(), 0_usize);
        let mut error = None;
        for item in items {
            self.meter.charge(NODE_UNITS)?;
            self.locals.push(item.clone());
            let result = self.turn(inner);
            self.locals.pop();
            match (inner.kind, result) {
                (_, Err(Fault::Stopped)) => return Err(Fault::Stopped),
                (LoopKind::All, Ok(Some(Value::Bool(false)))) => return Ok(Value::Bool(false)),
                (LoopKind::Exists, Ok(Some(Value::Bool(true)))) => return Ok(Value::Bool(true)),
                (LoopKind::All | LoopKind::Exists, Ok(Some(Value::Bool(_)))) => {}
                (LoopKind::All | LoopKind::Exists, _) => error = Some(Fault::Error),
                (_, Err(fault)) => return Err(fault),
                (LoopKind::ExistsOne, Ok(value)) => {
                    found += usize::from(value.ok_or(Fault::Error)?.bool()?);
                }
                (LoopKind::Filter, Ok(value)) => {
                    if value.ok_or(Fault::Error)?.bool()? {
                        self.meter.charge(ELEMENT_UNITS)?;
                        made.push(item);
                    }
                }
                (LoopKind::Map, Ok(value)) => {
                    if let Some(value) = value {
                        self.meter.charge(ELEMENT_UNITS)?;
                        made.push(value);
                    }
                }
            }
        }
        match (inner.kind, error) {
            (_, Some(error)) => Err(error),
            (LoopKind::All, None) => Ok(Value::Bool(true)),
            (LoopKind::Exists, None) => Ok(Value::Bool(false)),
            (LoopKind::ExistsOne, None) => Ok(Value::Bool(found == 1)),
            (LoopKind::Map | LoopKind::Filter, None) => Ok(Value::List(Rc::new(made))),
        }
    }

    /// One turn of a loop; `None`: the condition left it out.
    fn turn(&mut self, inner: &'s Loop) -> Result<Option<Value<'s>>, Fault> {
        match &inner.condition {
            Some(condition) if !self.node(condition)?.bool()? => Ok(None),
            _ => self.node(&inner.body).map(Some),
        }
    }
}

fn constant(literal: &Literal) -> Value<'_> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Int(value) => Value::Int(*value),
        Literal::UInt(value) => Value::UInt(*value),
        Literal::Double(value) => Value::Double(*value),
        Literal::Text(text) => Value::text(text),
    }
}

fn negated<'s>(value: &Value<'s>) -> Evaluated<'s> {
    match value {
        Value::Int(value) => value.checked_neg().map(Value::Int).ok_or(Fault::Error),
        Value::Double(value) => Ok(Value::Double(-value)),
        Value::Duration(value) => value.checked_neg().map(Value::Duration).ok_or(Fault::Error),
        _ => Err(Fault::Error),
    }
}

/// `one in other`.
fn contains<'s>(one: &Value<'s>, other: &Value<'s>, meter: &mut Meter<'_>) -> Evaluated<'s> {
    if other.entries_len().is_some() {
        return Ok(Value::Bool(other.get(one, meter)?.is_some()));
    }
    for item in other.items()? {
        meter.charge(NODE_UNITS)?;
        if item.equals(one, meter)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn added<'s>(one: &Value<'s>, other: &Value<'s>, meter: &mut Meter<'_>) -> Evaluated<'s> {
    match (one, other) {
        (Value::Time(time), Value::Duration(by)) | (Value::Duration(by), Value::Time(time)) => {
            time.checked_add(*by).map(Value::Time).map_err(|_| Fault::Error)
        }
        (Value::Duration(one), Value::Duration(other)) => {
            one.checked_add(*other).map(Value::Duration).ok_or(Fault::Error)
        }
        (Value::Text(_), Value::Text(_) | Value::Time(_)) | (Value::Time(_), Value::Text(_)) => {
            let (one, other) = (one.as_text(meter)?, other.as_text(meter)?);
            let text = [one.as_str(), other.as_str()].concat();
            meter.charge(MADE_UNITS.saturating_mul(text.len() as u64))?;
            Ok(Value::Text(Text::Made(text.into())))
        }
        _ if one.list_len().is_some() && other.list_len().is_some() => {
            let mut list = Vec::new();
            for item in one.items()?.chain(other.items()?) {
                meter.charge(ELEMENT_UNITS)?;
                list.push(item);
            }
            Ok(Value::List(Rc::new(list)))
        }
        _ => function::arithmetic(Operator::Add, one, other),
    }
}

fn subtracted<'s>(one: &Value<'s>, other: &Value<'s>) -> Evaluated<'s> {
    match (one, other) {
        (Value::Time(one), Value::Time(other)) => Ok(Value::Duration(one.duration_since(*other))),
        (Value::Time(time), Value::Duration(by)) => {
            let by: SignedDuration = by.checked_neg().ok_or(Fault::Error)?;
            time.checked_add(by).map(Value::Time).map_err(|_| Fault::Error)
        }
        (Value::Duration(one), Value::Duration(other)) => {
            one.checked_sub(*other).map(Value::Duration).ok_or(Fault::Error)
        }
        _ => function::arithmetic(Operator::Subtract, one, other),
    }
}
