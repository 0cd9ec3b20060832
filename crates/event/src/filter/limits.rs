//! What an expression and its patterns may have, at most.
//!
//! Who sends a filter need not be trusted, so each limit is checked before the work is done that it bounds. The
//! errors name them, and what checks them returns these errors: so the limits lie below both.
//!
//! It refuses limits of what is shown in an error, and what a step costs: these stay where they are used.

/// Longest expression taken, in bytes: a person's filter has tens of bytes, and parsing is not
/// linear.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
/// Deepest nesting of brackets taken: the parser recurses, and 32 overflow a stack of 2 MiB.
pub const EXPRESSION_DEPTH_MAX: usize = 8;
/// Most operators taken, `.` among them, and each as one however it is written: a chain of them nests as
/// brackets do. Commas do not count: a list of eighty event types is an honest filter.
pub const EXPRESSION_OPERATORS_MAX: usize = 64;
/// Most tokens taken (names, numbers, texts, operators, brackets and commas): the parser needs up to
/// five microseconds for each. A list of 340 names of twelve bytes has 680 and fills
/// [`EXPRESSION_BYTES_MAX`].
pub(super) const EXPRESSION_TOKENS_MAX: usize = 1000;

/// Largest compiled pattern, in bytes; the text of a person's pattern needs about a tenth.
pub const PATTERN_BYTES_MAX: usize = 32 << 10;
/// Largest size of all patterns of one request or configured filter, in bytes: every watch keeps its
/// own.
pub const PATTERNS_BYTES_MAX: usize = 64 << 10;
/// Most patterns of one expression: to compile one takes up to a millisecond.
pub(super) const PATTERNS_MAX: usize = 10;
/// Most wide classes (see [`re2`](super::re2)) in the patterns of one expression: to build one from
/// Unicode's tables takes up to 0.2 ms, and some hundred fit into a pattern of 4 KiB.
pub(super) const WIDE_CLASSES_MAX: usize = 16;
/// Most work of all patterns of one expression that are run state by state, for one byte, in units: how long
/// the attempt to make a table of one takes grows with its states. One pattern alone has its limit where
/// it is used.
pub(super) const STATES_UNITS_MAX: u64 = 2500;
/// Deepest nesting of groups.
pub(super) const NEST_MAX: u32 = 32;

/// Most work on a small event, in units: in the order of what one reader's turn takes, two
/// milliseconds.
pub const SMALL_EVENT_UNITS_MAX: u64 = 2_000_000;
/// Most work on the largest event, in units: some tenths of a second for a payload of 250,000 numbers
/// that a loop with a few comparisons runs over; whether to stop is asked every 200,000 units.
pub const EVENT_UNITS_MAX: u64 = 400_000_000;
/// Most work of one `matches` on the largest text that it can be asked for, in units: the look for a closed
/// connection comes between two.
pub(super) const MATCH_UNITS_MAX: u64 = 10_000_000;
