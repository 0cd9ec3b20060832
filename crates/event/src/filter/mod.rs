//! Choosing events: what a watch, a sink or a principal's mandatory filter lets through.
//!
//! A [`Filter`] is a conjunction. The sugar (`type`, `source`, `subject`, a span of time) is
//! compared as text and costs nanoseconds; an expression in CEL, the
//! [Common Expression Language](https://cel.dev), can ask anything, of `data` too.
//!
//! ```text
//!  text ─▶ lexical ─▶ cel's parser ─▶ read ─▶ tree ─▶ cost: refused, or
//!         (bounded)                  (names)            evaluate(event, meter)
//! ```
//!
//! Anybody who reads may send an expression, so it must not be able to hold the server up. The parser
//! is the crate `cel`'s; its interpreter has no hook to count work with and compiles a regular
//! expression at every event, so the parsed tree is walked here: every step is counted
//! ([`Meter`]), and a bound of all steps is worked out before the first event (`cost`).
//!
//! What a name means:
//!
//! - an attribute by its own name (`type`, `subject`, `account`, …); one that the event does not
//!   have is `null`, so `account != "x"` holds for it;
//! - `time` and `recordedtime` are times; they also compare with, and read as, RFC 3339 text in UTC;
//! - `data` is the payload as JSON, `null` if it is none;
//! - `event.NAME`, `has(event.NAME)` and `"NAME" in event` reach any attribute, also those that
//!   Pluvio's own sources never write; plain names that they never write are refused.
//!
//! A filter never fails at run time: an expression that errs on an event (a missing field, a wrong
//! type) does not match it. What can be known before is told when the filter is made.

mod advice;
mod cost;
mod error;
mod evaluate;
mod expression;
mod forms;
mod function;
mod lexical;
mod limits;
mod meter;
mod names;
mod pattern;
mod re2;
mod read;
mod regex;
mod states;
mod time;
mod tree;
mod types;
mod value;

use jiff::Timestamp;

use crate::{Data, Event, known::DEAD_LETTER_TYPE};
use cost::{Bound, LARGEST, SMALL};
pub use error::{FilterError, RegexError};
use evaluate::Subject;
use expression::Expression;
pub use limits::{
    EVENT_UNITS_MAX, EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_OPERATORS_MAX,
    PATTERN_BYTES_MAX, PATTERNS_BYTES_MAX, SMALL_EVENT_UNITS_MAX,
};
pub use meter::{Meter, Stopped};
pub use names::hint;
pub use pattern::Pattern;

/// Most letters within letters that are looked into: a sink of a stream of dead letters makes two.
const LETTERS_MAX: usize = 4;

/// Which events pass. The default passes all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    types: Vec<Pattern>,
    sources: Vec<Pattern>,
    subjects: Vec<Pattern>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    expressions: Vec<Expression>,
    /// As they were written.
    texts: Vec<String>,
    small: Bound,
    largest: Bound,
}

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

    /// Adds an expression that must hold. All expressions of one filter share one bound of work:
    /// sixty cheap ones are one dear one.
    pub fn and_expression(mut self, cel: &str) -> Result<Self, FilterError> {
        let expression = Expression::parse(cel)?;
        self.small = self.small.and(expression.small);
        self.largest = self.largest.and(expression.largest);
        let (small, largest) = (self.small.total(SMALL), self.largest.total(LARGEST));
        if small > SMALL_EVENT_UNITS_MAX || largest > EVENT_UNITS_MAX {
            return Err(FilterError::TooCostly { small, largest });
        }
        if self.largest.pattern_bytes > PATTERNS_BYTES_MAX {
            return Err(FilterError::PatternsTooLarge { bytes: self.largest.pattern_bytes });
        }
        self.expressions.push(expression);
        self.texts.push(cel.to_owned());
        Ok(self)
    }

    /// Both filters must pass, this one first: a principal's mandatory filter is laid under a
    /// request's, which is never evaluated on an event that the mandatory one hides.
    #[must_use]
    pub fn and(self, then: Self) -> Conjunction {
        Conjunction { first: self, then }
    }

    /// What it says, in one text: two filters with the same text let the same events pass.
    pub fn text(&self) -> String {
        let Self { types, sources, subjects, since, until, texts, .. } = self;
        format!("{types:?} {sources:?} {subjects:?} {since:?} {until:?} {texts:?}")
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

    /// Units of work on the largest event, at most; see [`Meter`].
    pub fn units_max(&self) -> u64 {
        self.largest.total(LARGEST)
    }

    /// Whether `event` passes.
    pub fn matches(&self, event: &Event) -> bool {
        let mut meter = Meter::counting();
        // A meter that only counts never stops.
        self.passes(&Subject::new(event), &mut meter).unwrap_or(false)
    }

    /// Whether `event` passes, with the work counted.
    pub fn matches_metered(&self, event: &Event, meter: &mut Meter<'_>) -> Result<bool, Stopped> {
        self.passes(&Subject::new(event), meter)
    }

    /// Whether a reader for whom this filter is mandatory may see `event`. A dead letter is judged by
    /// the event that it carries, and is hidden if that cannot be told: otherwise
    /// `account != "x"` would show x's events inside letters, which have no account.
    pub fn admits(&self, event: &Event) -> bool {
        let mut meter = Meter::counting();
        self.admits_metered(event, &mut meter).unwrap_or(false)
    }

    fn admits_metered(&self, event: &Event, meter: &mut Meter<'_>) -> Result<bool, Stopped> {
        if self.passes_all() {
            return Ok(true);
        }
        let mut carried: Option<Event> = None;
        for _ in 0..LETTERS_MAX {
            let letter = carried.as_ref().unwrap_or(event);
            if letter.event_type() != DEAD_LETTER_TYPE {
                return self.passes(&Subject::new(letter), meter);
            }
            let original = match letter.data() {
                Some(Data::Json(json)) => crate::json::decode(json.get().as_bytes()).ok(),
                _ => None,
            };
            match original {
                Some(original) => carried = Some(original),
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    fn passes(&self, subject: &Subject<'_>, meter: &mut Meter<'_>) -> Result<bool, Stopped> {
        if !self.passes_sugar(subject.event()) {
            return Ok(false);
        }
        for expression in &self.expressions {
            if !expression.matches(subject, meter)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn passes_sugar(&self, event: &Event) -> bool {
        let any = |patterns: &[Pattern], value: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(value))
        };
        let types = &self.types;
        (types.is_empty() || types.iter().any(|p| p.matches_type(event.event_type())))
            && any(&self.sources, event.source())
            && any(&self.subjects, event.subject().unwrap_or_default())
            && self.since.is_none_or(|since| event.time().is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| event.time().is_some_and(|time| time < until))
    }
}

/// Two filters, one laid under the other; see [`Filter::and`].
#[derive(Clone, Debug, Default)]
pub struct Conjunction {
    first: Filter,
    then: Filter,
}

impl Conjunction {
    /// Whether neither filters anything.
    pub fn passes_all(&self) -> bool {
        self.first.passes_all() && self.then.passes_all()
    }

    /// Units of work of the second filter on the largest event, at most: what a client asked for.
    pub fn units_max(&self) -> u64 {
        self.then.units_max()
    }

    /// What the compiled patterns of the second filter keep in memory, in bytes.
    pub fn pattern_bytes(&self) -> usize {
        self.then.largest.pattern_bytes
    }

    /// Whether the first [admits](Filter::admits) `event` and the second passes it.
    pub fn matches(&self, event: &Event) -> bool {
        self.first.admits(event) && self.then.matches(event)
    }

    /// As [`matches`](Self::matches), with the work of the second counted by `meter`; that of the first
    /// is counted by `hidden`, for it depends on events that a client may not see.
    pub fn matches_metered(
        &self,
        event: &Event,
        hidden: &mut Meter<'_>,
        meter: &mut Meter<'_>,
    ) -> Result<bool, Stopped> {
        Ok(self.first.admits_metered(event, hidden)? && self.then.matches_metered(event, meter)?)
    }
}
