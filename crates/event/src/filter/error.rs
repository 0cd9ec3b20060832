//! Why a filter cannot be used, in words for the person who wrote it.
//!
//! It refuses to wait for the first event: all of these are found when the filter is read.

use super::limits::{
    EVENT_UNITS_MAX, EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_OPERATORS_MAX,
    EXPRESSION_TOKENS_MAX, MATCH_UNITS_MAX, PATTERN_BYTES_MAX, PATTERNS_BYTES_MAX, PATTERNS_MAX,
    SMALL_EVENT_UNITS_MAX, STATES_UNITS_MAX,
};

/// A filter that cannot be used.
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
    /// The expression holds more operators than [`EXPRESSION_OPERATORS_MAX`].
    #[error("filter expression has more than {EXPRESSION_OPERATORS_MAX} operators")]
    TooManyOperators,
    /// The expression holds more tokens than are taken, because parsing one takes its time.
    #[error(
        "filter expression has {0} names, values, operators, brackets and commas; at most \
         {EXPRESSION_TOKENS_MAX} are taken"
    )]
    TooManyTokens(usize),
    /// A comment could hide an operator from the count.
    #[error("filter expression holds a comment (`//`); leave it out")]
    Comment,
    /// No such function, or no such attribute.
    #[error("unknown {kind} `{name}` at column {column}{hint}")]
    Unknown {
        /// `function`, `method` or `attribute`.
        kind: &'static str,
        /// As it was written, cut to 100 characters.
        name: String,
        /// Where it stands, in characters from 1.
        column: usize,
        /// The nearest valid names, or what to write instead.
        hint: String,
    },
    /// A function is called with the wrong number or kind of arguments.
    #[error("`{name}` at column {column} {expected}")]
    Arguments {
        /// The function.
        name: String,
        /// Where it stands, in characters from 1.
        column: usize,
        /// What is right.
        expected: String,
    },
    /// Valid CEL that a filter has no use for.
    #[error("{what} at column {column} cannot be used in a filter")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// Where it stands, in characters from 1.
        column: usize,
    },
    /// Valid CEL that says the same of every event.
    #[error("{what} at column {column} is {verdict}; {instead}")]
    SameForAll {
        /// What it is, and of which types.
        what: String,
        /// Where it stands, in characters from 1.
        column: usize,
        /// What it says: `never true` or `always true`.
        verdict: &'static str,
        /// What to write.
        instead: String,
    },
    /// The pattern of `matches` cannot be used.
    #[error("the pattern of `matches` at column {column} {error}")]
    Regex {
        /// Where it stands, in characters from 1.
        column: usize,
        /// What is wrong with it.
        error: RegexError,
    },
    /// The patterns of all expressions together are too large.
    #[error(
        "the patterns of `matches` need {bytes} bytes in all; at most {PATTERNS_BYTES_MAX} are taken"
    )]
    PatternsTooLarge {
        /// What they need.
        bytes: usize,
    },
    /// The work on one event could be too much.
    #[error(
        "filter can cost {small} units of work on a small event and {largest} on the largest; at \
         most {SMALL_EVENT_UNITS_MAX} and {EVENT_UNITS_MAX} are taken. Loops within loops, \
         long lists, and patterns over the payload cost most"
    )]
    TooCostly {
        /// Bound of the work on a small event, in units.
        small: u64,
        /// Bound of the work on the largest event, in units.
        largest: u64,
    },
    /// One `matches` could take too long, and nothing is looked at meanwhile.
    #[error(
        "the pattern `{pattern}` of `matches` can cost {per_byte} units of work a byte, which makes {units} on \
         the largest text that it can be asked for ({bytes} bytes); at most {MATCH_UNITS_MAX} are taken. \
         Classes of Unicode (`\\pL`) and repetitions such as `[ab]{{12}}` behind a `*` cost most; an \
         attribute (`subject`, `type`) is shorter than a text of `data`"
    )]
    MatchTooCostly {
        /// The pattern, cut.
        pattern: String,
        /// Bound of its work on one byte, in units.
        per_byte: u64,
        /// Size of the largest text, in bytes.
        bytes: u64,
        /// Bound of its work on that text, in units.
        units: u64,
    },
    /// A pattern of `type`, `source` or `subject` with a star where none can be.
    #[error("`{0}`: `*` stands only at the end; `matches` in a CEL filter can do more")]
    Star(String),
    /// An empty pattern, as an unset variable leaves it.
    #[error("empty, which no event has; leave it out, or write `*` for all")]
    Blank,
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// Not a string literal.
    #[error("is not a string literal; a pattern is compiled when the filter is read")]
    NotLiteral,
    /// It does not parse.
    #[error("does not parse: {0}")]
    Syntax(String),
    /// It is read, but means something else in RE2's syntax.
    #[error("holds {what}; {instead}")]
    NotRe2 {
        /// What it is, and what RE2 takes it for.
        what: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// It needs more memory than [`PATTERN_BYTES_MAX`], or would while it is compiled.
    #[error(
        "needs more than {PATTERN_BYTES_MAX} bytes when compiled; shorten repetitions and classes, \
         above all those of Unicode (`\\pL`, `[à-ž]`)"
    )]
    TooLarge,
    /// Together with those before it, it has too many states.
    #[error(
        "and those before it cost {units} units of work a byte; at most {STATES_UNITS_MAX} are taken. \
         Classes of Unicode (`\\pL`) and repetitions such as `[ab]{{12}}` behind a `*` cost most"
    )]
    TogetherTooCostly {
        /// What they cost, in units.
        units: u64,
    },
    /// The expression has too many patterns.
    #[error(
        "is one too many: a filter expression may have {PATTERNS_MAX}; alternatives can share one, \
         for example `^(web|db)-`"
    )]
    TooMany,
}
