//! Choosing events: what a watch, a sink or a principal's mandatory filter lets through.
//!
//! A [`Filter`] is a conjunction. The sugar (`type`, `source`, `subject`, a span of time) is
//! compared as text and costs nanoseconds; an expression in CEL, the
//! [Common Expression Language](https://cel.dev), can ask anything, of `data` too.
//!
//! A filter never fails at run time: an expression that errs on an event (a missing field, a wrong
//! type) does not match it. What can be known before is told when the filter is made.

mod expression;
mod pattern;

use jiff::Timestamp;

use crate::Event;
use expression::Expression;
pub use pattern::Pattern;

/// Which events pass. The default passes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    types: Vec<Pattern>,
    sources: Vec<Pattern>,
    subjects: Vec<Pattern>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    expressions: Vec<Expression>,
}

/// A filter that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The expression does not parse; the text says where and what.
    #[error("filter expression does not parse: {0}")]
    Syntax(String),
    /// The expression is longer than [`EXPRESSION_BYTES_MAX`].
    #[error("filter expression has {0} bytes; at most {EXPRESSION_BYTES_MAX} are taken")]
    TooLong(usize),
    /// The expression nests deeper than [`EXPRESSION_DEPTH_MAX`].
    #[error("filter expression nests deeper than {EXPRESSION_DEPTH_MAX} brackets")]
    TooDeep,
    /// The expression loops over lists more often than [`EXPRESSION_LOOPS_MAX`] times.
    #[error(
        "filter expression loops more than {EXPRESSION_LOOPS_MAX} times (all, exists, map, filter)"
    )]
    TooManyLoops,
    /// The expression holds more operators than [`EXPRESSION_OPERATORS_MAX`].
    #[error("filter expression has more than {EXPRESSION_OPERATORS_MAX} operators")]
    TooManyOperators,
    /// A comment could hide a loop.
    #[error("filter expression holds a comment (`//`); leave it out")]
    Comment,
    /// A counted repetition in a regular expression can cost more than all else together.
    #[error("filter expression uses `matches` and `{{`; counted repetitions are not taken")]
    CountedRepetition,
}

/// Longest expression taken: a person's filter has tens of bytes, and parsing is not linear.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
/// Deepest nesting of brackets taken: the parser recurses, and 32 overflow a stack of 2 MiB.
pub const EXPRESSION_DEPTH_MAX: usize = 8;
/// Most operators taken, `.` among them: a chain of them nests as brackets do.
pub const EXPRESSION_OPERATORS_MAX: usize = 64;

/// Most loops taken: each may run over a whole payload, and nested they multiply.
pub const EXPRESSION_LOOPS_MAX: usize = 1;

impl Filter {
    /// Adds a pattern for `type`; several are alternatives.
    #[must_use]
    pub fn or_type(mut self, pattern: Pattern) -> Self {
        self.types.push(pattern);
        self
    }

    /// Adds a pattern for `source`; several are alternatives.
    #[must_use]
    pub fn or_source(mut self, pattern: Pattern) -> Self {
        self.sources.push(pattern);
        self
    }

    /// Adds a pattern for `subject`; several are alternatives.
    #[must_use]
    pub fn or_subject(mut self, pattern: Pattern) -> Self {
        self.subjects.push(pattern);
        self
    }

    /// Passes only what happened at `time` or later, by the event's own `time`.
    #[must_use]
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Passes only what happened before `time`, by the event's own `time`.
    #[must_use]
    pub fn until(mut self, time: Timestamp) -> Self {
        self.until = Some(time);
        self
    }

    /// Adds an expression that must hold.
    pub fn and_expression(mut self, cel: &str) -> Result<Self, FilterError> {
        self.expressions.push(Expression::parse(cel)?);
        Ok(self)
    }

    /// Both filters must pass: how a principal's mandatory filter is laid over a request's.
    #[must_use]
    pub fn and(self, other: Self) -> Conjunction {
        Conjunction([self, other])
    }

    /// Whether nothing is filtered, so that a reader may skip decoding.
    pub fn passes_all(&self) -> bool {
        self.types.is_empty()
            && self.sources.is_empty()
            && self.subjects.is_empty()
            && self.since.is_none()
            && self.until.is_none()
            && self.expressions.is_empty()
    }

    /// Whether `event` passes.
    pub fn matches(&self, event: &Event) -> bool {
        let any = |patterns: &[Pattern], value: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(value))
        };
        let types = &self.types;
        (types.is_empty() || types.iter().any(|p| p.matches_type(event.event_type())))
            && any(&self.sources, event.source())
            && any(&self.subjects, event.subject().unwrap_or_default())
            && self.since.is_none_or(|since| event.time().is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| event.time().is_some_and(|time| time < until))
            && self.expressions.iter().all(|expression| expression.matches(event))
    }
}

/// Two filters laid over each other; see [`Filter::and`].
#[derive(Clone, Debug, Default)]
pub struct Conjunction([Filter; 2]);

impl Conjunction {
    /// Whether neither filters anything.
    pub fn passes_all(&self) -> bool {
        self.0.iter().all(Filter::passes_all)
    }

    /// Whether `event` passes both.
    pub fn matches(&self, event: &Event) -> bool {
        self.0.iter().all(|filter| filter.matches(event))
    }
}
