//! The bound of an expression's work, worked out from its tree when the filter is read.
//!
//! A bound is worked out for two events: a *small* one, because work that does not depend on the
//! event (loops over lists in the expression) would cost it at every event, and the *largest* one.
//! Every cost that [`evaluate`](super::evaluate) charges has its bound here, and a property test
//! compares the two.
//!
//! Costs and sizes are [`Linear`] in the sizes of the loops' variables. A loop over a list costs the
//! constant part of its body once an element, and what depends on the size of its variable once for
//! the whole list, for the elements' sizes add up to the list's. So a loop within a loop over the
//! same payload is linear, and only one that crosses two lists multiplies them. Where two variables
//! meet, one is replaced by its largest size, which bounds too much, never too little.
//!
//! It refuses to be exact: it must be simple enough to be believed.

use super::regex::Regex;
use super::tree::{Function, Loop, LoopKind, Node, Operator};
use super::types::RECORDED;
use super::value::{COMPARE_UNITS, NODE_UNITS, TIME_UNITS};

/// Work of making one element of a list, in units.
pub(super) const ELEMENT_UNITS: u64 = 40;
/// Work of making one byte of text, in units.
pub(super) const MADE_UNITS: u64 = 4;
/// Work of parsing one byte of the payload, in units.
pub(super) const PARSE_UNITS: u64 = 2;
/// Most bytes that a number, a time or a duration has as text.
const SCALAR_TEXT_BYTES: u64 = 400;

/// How large the parts of an event can be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// One attribute, in bytes.
    attribute: u64,
    /// The payload, in bytes.
    data: u64,
}

/// An event of a cloud; most are smaller.
pub(super) const SMALL: Sizes = Sizes { attribute: 256, data: 4 << 10 };
/// The largest event: a source cuts attributes at 1 KiB, and `log.record_max` is 512 KiB.
pub(super) const LARGEST: Sizes = Sizes { attribute: 8 << 10, data: 512 << 10 };

/// Work, or a size in bytes: a constant, and so much for each byte of each loop's variable.
#[derive(Clone, Debug, Default)]
struct Linear {
    constant: u64,
    locals: Vec<u64>,
}

impl Linear {
    fn of(constant: u64) -> Self {
        Self { constant, locals: Vec::new() }
    }

    fn local(at: usize) -> Self {
        let mut locals = vec![0; at];
        locals.push(1);
        Self { constant: 0, locals }
    }

    fn merge(mut self, other: &Self, with: fn(u64, u64) -> u64) -> Self {
        self.constant = with(self.constant, other.constant);
        if self.locals.len() < other.locals.len() {
            self.locals.resize(other.locals.len(), 0);
        }
        for (at, local) in self.locals.iter_mut().enumerate() {
            *local = with(*local, other.locals.get(at).copied().unwrap_or(0));
        }
        self
    }

    fn plus(self, other: &Self) -> Self {
        self.merge(other, u64::saturating_add)
    }

    /// At least as much as either.
    fn or(self, other: &Self) -> Self {
        self.merge(other, u64::max)
    }

    fn times(mut self, factor: u64) -> Self {
        self.constant = self.constant.saturating_mul(factor);
        for local in &mut self.locals {
            *local = local.saturating_mul(factor);
        }
        self
    }

    fn is_constant(&self) -> bool {
        self.locals.iter().all(|local| *local == 0)
    }

    /// The largest value, where the loops' variables have at most these sizes.
    fn max(&self, locals: &[u64]) -> u64 {
        let parts = self.locals.iter().zip(locals).map(|(count, size)| count.saturating_mul(*size));
        parts.fold(self.constant, u64::saturating_add)
    }

    /// Not more than the smaller of both.
    fn smaller(self, other: Self) -> Self {
        match (self.is_constant(), other.is_constant()) {
            (true, true) => Self::of(self.constant.min(other.constant)),
            (false, true) => other,
            _ => self,
        }
    }
}

/// What is known of a value before there is one.
#[derive(Clone, Debug)]
struct Shape {
    /// Its bytes: of a text, or of the JSON that a list or map was.
    size: Linear,
    /// How many elements a loop over it has.
    count: Linear,
    /// Whether it can be a time, or hold one.
    is_time: bool,
    /// Whether its elements can be lists or maps themselves.
    is_deep: bool,
    /// Whether it can be a list or map that the expression makes, or hold one: keys of such a map are
    /// searched, and an element may have more elements than the list.
    is_made: bool,
}

impl Shape {
    fn scalar(size: u64) -> Self {
        Self {
            size: Linear::of(size),
            count: Linear::default(),
            is_time: false,
            is_deep: false,
            is_made: false,
        }
    }

    /// Whether a loop over it can have a turn.
    fn has_elements(&self) -> bool {
        self.count.constant > 0 || !self.count.is_constant()
    }

    /// What a look into it gives: a part of the payload has no more elements than the whole; a part
    /// of what was made has at most one a byte.
    fn part(self) -> Self {
        match (self.is_deep, self.is_made) {
            (true, true) => Self { count: self.size.clone(), ..self },
            (true, false) => self,
            (false, _) => Self { count: Linear::default(), ..self },
        }
    }

    fn or(self, other: &Self) -> Self {
        Self {
            size: self.size.or(&other.size),
            count: self.count.or(&other.count),
            is_time: self.is_time || other.is_time,
            is_deep: self.is_deep || other.is_deep,
            is_made: self.is_made || other.is_made,
        }
    }
}

/// Bounds of one expression.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bound {
    /// Units of work, without parsing the payload.
    pub(super) units: u64,
    /// Whether the payload is looked at; parsing it is paid once for all expressions.
    pub(super) parses: bool,
    /// Bytes of the compiled patterns.
    pub(super) pattern_bytes: usize,
}

impl Bound {
    pub(super) fn of(tree: &Node, sizes: Sizes) -> Self {
        Self::with_longest(tree, sizes).0
    }

    /// The bound, and the costliest single `matches`.
    pub(super) fn with_longest(tree: &Node, sizes: Sizes) -> (Self, Option<Match>) {
        let mut bounder = Bounder {
            sizes,
            locals: Vec::new(),
            ranges: Vec::new(),
            bound: Self::default(),
            longest: None,
        };
        let (work, _) = bounder.node(tree);
        (Self { units: work.max(&[]), ..bounder.bound }, bounder.longest)
    }

    /// Both, one after the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            units: self.units.saturating_add(other.units),
            parses: self.parses || other.parses,
            pattern_bytes: self.pattern_bytes.saturating_add(other.pattern_bytes),
        }
    }

    /// All the work on one event.
    pub(super) fn total(self, sizes: Sizes) -> u64 {
        let parsing = if self.parses { PARSE_UNITS.saturating_mul(sizes.data) } else { 0 };
        self.units.saturating_add(parsing)
    }
}

/// One `matches`, and what it costs at most.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) regex: Regex,
    /// Bytes of the largest text that it can be asked for.
    pub(super) bytes: u64,
    pub(super) units: u64,
}

struct Bounder {
    sizes: Sizes,
    /// The largest size of each loop's variable.
    locals: Vec<u64>,
    /// What each loop runs over.
    ranges: Vec<Shape>,
    bound: Bound,
    longest: Option<Match>,
}

impl Bounder {
    /// The work of `node`, and what its value can be.
    fn node(&mut self, node: &Node) -> (Linear, Shape) {
        let (work, shape) = self.inner(node);
        (work.plus(&Linear::of(NODE_UNITS)), shape)
    }

    fn inner(&mut self, node: &Node) -> (Linear, Shape) {
        let nothing = Linear::default;
        match node {
            Node::Literal(super::tree::Literal::Text(text)) => {
                (nothing(), Shape::scalar(text.len() as u64))
            }
            Node::Literal(_) => (nothing(), Shape::scalar(8)),
            Node::Attribute(name) => {
                let size = self.sizes.attribute;
                let is_read = &**name == RECORDED;
                let is_time = &**name == "time" || is_read;
                let work = Linear::of(if is_read { TIME_UNITS } else { 0 });
                (work, Shape { is_time, ..Shape::scalar(size) })
            }
            Node::Present(_) => (nothing(), Shape::scalar(8)),
            Node::Data => {
                self.bound.parses = true;
                let (size, count) =
                    (Linear::of(self.sizes.data), Linear::of(self.sizes.data / 2 + 1));
                (nothing(), Shape { size, count, is_deep: true, ..Shape::scalar(0) })
            }
            Node::Local(at) => {
                // Every element has at least as many bytes as elements of its own.
                let size = Linear::local(*at);
                let range = self.ranges.get(*at).cloned().unwrap_or_else(|| Shape::scalar(0));
                let count = if range.is_deep { size.clone() } else { Linear::default() };
                (nothing(), Shape { size, count, ..range })
            }
            Node::Select { of, field, .. } => {
                let (work, shape) = self.node(of);
                let looking = self.lookup(&shape, Linear::of(field.len() as u64));
                (work.plus(&looking), shape.part())
            }
            Node::Index(parts) => self.index(&parts[0], &parts[1]),
            Node::List(elements) => self.made(elements.iter()),
            Node::Map(entries) => {
                let parts = entries.iter().flat_map(|(key, value)| [key, value]);
                self.made(parts)
            }
            Node::Not(one) | Node::Negate(one) => self.node(one),
            Node::And(parts) | Node::Or(parts) => {
                let (one, _) = self.node(&parts[0]);
                let (other, _) = self.node(&parts[1]);
                (one.plus(&other), Shape::scalar(8))
            }
            Node::If(parts) => {
                let (condition, _) = self.node(&parts[0]);
                let (one, shape) = self.node(&parts[1]);
                let (other, other_shape) = self.node(&parts[2]);
                (condition.plus(&one.or(&other)), shape.or(&other_shape))
            }
            Node::Binary(operator, parts) => self.binary(*operator, &parts[0], &parts[1]),
            Node::Call(function, args) => self.call(*function, args),
            Node::Matches(of, regex) => {
                let (work, shape) = self.node(of);
                let units = shape.size.clone().plus(&Linear::of(1)).times(regex.units_per_byte());
                self.keep_longest(regex, shape.size.max(&self.locals), units.max(&self.locals));
                self.bound.pattern_bytes = self.bound.pattern_bytes.saturating_add(regex.bytes());
                (work.plus(&units).plus(&self.reading(&shape)), Shape::scalar(8))
            }
            Node::Part(_, of, _) => {
                let (work, _) = self.node(of);
                (work.plus(&Linear::of(TIME_UNITS)), Shape::scalar(8))
            }
            Node::Loop(inner) => self.looped(inner),
        }
    }

    fn keep_longest(&mut self, regex: &Regex, bytes: u64, units: u64) {
        if self.longest.as_ref().is_none_or(|longest| longest.units < units) {
            self.longest = Some(Match { regex: regex.clone(), bytes, units });
        }
    }

    /// A list or map that the expression writes.
    fn made<'n>(&mut self, parts: impl Iterator<Item = &'n Node>) -> (Linear, Shape) {
        let (mut work, mut shape) = (Linear::default(), Shape::scalar(0));
        shape.is_made = true;
        for part in parts {
            let (one, part) = self.node(part);
            work = work.plus(&one).plus(&Linear::of(ELEMENT_UNITS));
            shape.size = shape.size.plus(&part.size).plus(&Linear::of(8));
            shape.count = shape.count.plus(&Linear::of(1));
            shape.is_deep |= part.is_deep || part.has_elements();
            shape.is_time |= part.is_time;
        }
        (work, shape)
    }

    fn index(&mut self, of: &Node, at: &Node) -> (Linear, Shape) {
        let (work, shape) = self.node(of);
        let (key_work, key) = self.node(at);
        let looking = self.lookup(&shape, key.size);
        (work.plus(&key_work).plus(&looking), shape.part())
    }

    /// Looking `key` up in a map: one search, or a comparison with each key that was written.
    fn lookup(&self, shape: &Shape, key: Linear) -> Linear {
        let key = key.times(1 + COMPARE_UNITS);
        if !shape.is_made {
            return key;
        }
        let keys = shape.count.clone().times(2 * NODE_UNITS + 2 * TIME_UNITS);
        key.plus(&keys).plus(&shape.size.clone().times(COMPARE_UNITS))
    }

    fn binary(&mut self, operator: Operator, one: &Node, other: &Node) -> (Linear, Shape) {
        let (work, left) = self.node(one);
        let (more, right) = self.node(other);
        let work = work.plus(&more);
        let is_time = left.is_time || right.is_time;
        let times = Linear::of(if is_time { 2 * TIME_UNITS } else { 0 });
        match operator {
            Operator::In => {
                // Each element or key is compared.
                let looks = right
                    .count
                    .clone()
                    .times(2 * NODE_UNITS + if is_time { TIME_UNITS } else { 0 });
                let bytes = right.size.clone().times(COMPARE_UNITS);
                let key = left.size.clone();
                (work.plus(&looks).plus(&bytes).plus(&key), Shape::scalar(8))
            }
            Operator::Add => {
                let size = left.size.clone().plus(&right.size);
                let count = left.count.clone().plus(&right.count);
                let made = size.clone().times(MADE_UNITS).plus(&count.clone().times(ELEMENT_UNITS));
                let shape = Shape { size, count, ..left.or(&right) };
                let is_made = shape.is_made || shape.has_elements();
                (work.plus(&made).plus(&times), Shape { is_made, ..shape })
            }
            Operator::Subtract => (work, Shape { is_time, ..Shape::scalar(8) }),
            Operator::Multiply | Operator::Divide | Operator::Remainder => (work, Shape::scalar(8)),
            _ => {
                let bytes = left.size.smaller(right.size).times(COMPARE_UNITS);
                let base = Linear::of(2 * NODE_UNITS);
                (work.plus(&bytes).plus(&times).plus(&base), Shape::scalar(8))
            }
        }
    }

    fn call(&mut self, function: Function, args: &[Node]) -> (Linear, Shape) {
        let (mut work, mut shapes) = (Linear::default(), Vec::new());
        for arg in args {
            let (one, shape) = self.node(arg);
            work = work.plus(&one).plus(&self.reading(&shape));
            shapes.push(shape);
        }
        let sizes = shapes.iter().fold(Linear::default(), |sum, shape| sum.plus(&shape.size));
        let first = shapes.into_iter().next().unwrap_or_else(|| Shape::scalar(0));
        match function {
            Function::Dyn => (work, first),
            Function::Size | Function::Contains | Function::StartsWith | Function::EndsWith => {
                (work.plus(&sizes), Shape::scalar(8))
            }
            Function::LowerAscii | Function::UpperAscii | Function::Trim => {
                let size = sizes.clone().plus(&Linear::of(SCALAR_TEXT_BYTES));
                let made = size.clone().times(MADE_UNITS);
                (work.plus(&made), Shape { size, ..Shape::scalar(0) })
            }
            Function::Text => {
                let size = sizes.plus(&Linear::of(SCALAR_TEXT_BYTES));
                (work.plus(&Linear::of(TIME_UNITS)), Shape { size, ..Shape::scalar(0) })
            }
            Function::Int | Function::UInt | Function::Double | Function::Bool => {
                (work.plus(&Linear::of(TIME_UNITS)), Shape::scalar(8))
            }
            Function::Timestamp => {
                let shape = Shape { is_time: true, ..Shape::scalar(64) };
                (work.plus(&Linear::of(TIME_UNITS)), shape)
            }
            Function::Duration => (work.plus(&Linear::of(TIME_UNITS)), Shape::scalar(64)),
        }
    }

    /// What reading a value as a text can cost.
    fn reading(&self, shape: &Shape) -> Linear {
        Linear::of(if shape.is_time { TIME_UNITS } else { 0 })
    }

    fn looped(&mut self, inner: &Loop) -> (Linear, Shape) {
        let (work, range) = self.node(&inner.range);
        let at = self.locals.len();
        self.locals.push(range.size.max(&self.locals));
        self.ranges.push(range.clone());
        let (mut body, mut shape) = self.node(&inner.body);
        if let Some(condition) = &inner.condition {
            let (condition, _) = self.node(condition);
            body = body.plus(&condition);
        }
        let made =
            if matches!(inner.kind, LoopKind::Map | LoopKind::Filter) { ELEMENT_UNITS } else { 0 };
        // A map of the expression hands out a list of its keys.
        let body = body.plus(&Linear::of(NODE_UNITS + made + ELEMENT_UNITS));
        shape.size = shape.size.plus(&Linear::of(8));
        let body = self.summed(body, at, &range);
        let size = self.summed(shape.size.clone(), at, &range);
        self.locals.pop();
        self.ranges.pop();
        let shape = match inner.kind {
            LoopKind::Filter => range,
            LoopKind::Map => {
                let is_deep = shape.is_deep || shape.has_elements();
                Shape { size, count: range.count, is_deep, is_made: true, ..shape }
            }
            _ => Shape::scalar(8),
        };
        (work.plus(&body), shape)
    }

    /// The sum of `each` over all elements of `range`, whose variable is the one at `at`.
    fn summed(&self, mut each: Linear, at: usize, range: &Shape) -> Linear {
        let per_byte = if each.locals.len() > at { each.locals.remove(at) } else { 0 };
        let bytes = range.size.clone().times(per_byte);
        let locals = self.locals.get(..at).unwrap_or_default();
        let counted = if range.count.is_constant() {
            each.times(range.count.constant)
        } else if each.is_constant() {
            range.count.clone().times(each.constant)
        } else {
            range.count.clone().times(each.max(locals))
        };
        counted.plus(&bytes)
    }
}
