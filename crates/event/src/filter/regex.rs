//! The patterns of `matches`: compiled once, when the filter is read, with a bounded size and a known
//! cost a byte.
//!
//! Patterns have RE2's syntax, as CEL says: `\w`, `\d`, `\s` and `\b` mean ASCII, which also keeps
//! them small. A pattern becomes a table (a DFA) that looks at each byte once; where the table would
//! be too large, it is run as an automaton (NFA) that costs each of its states for each byte, and is
//! charged so.
//!
//! It refuses patterns that are not literal, that would need more than [`PATTERN_BYTES_MAX`], and
//! lazy tables: they are fast on average, and an adversary chooses the worst case.

use std::sync::{Arc, Mutex, PoisonError};

use regex_automata::{
    Anchored, Input,
    dfa::{Automaton, dense},
    nfa::thompson::{self, NFA, pikevm},
    util::syntax,
};
use regex_syntax::ast::{self, Ast, parse::ParserBuilder};

/// Largest compiled pattern, in bytes; the text of a person's pattern needs about a tenth.
pub const PATTERN_BYTES_MAX: usize = 32 << 10;
/// Largest size of all patterns of one request or configured filter, in bytes: every watch keeps its
/// own.
pub const PATTERNS_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting of groups.
const NEST_MAX: u32 = 32;
/// Work of one byte in a table, in units.
const TABLE_UNITS: u64 = 2;
/// Work of one state for one byte in an automaton, in units.
const STATE_UNITS: u64 = 6;

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// Not a string literal.
    #[error("is not a string literal; a pattern is compiled when the filter is read")]
    NotLiteral,
    /// It does not parse.
    #[error("does not parse: {0}")]
    Syntax(String),
    /// It needs more memory than [`PATTERN_BYTES_MAX`].
    #[error(
        "needs more than {PATTERN_BYTES_MAX} bytes when compiled; shorten repetitions and classes"
    )]
    TooLarge,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Regex(Arc<Machine>);

#[derive(Debug)]
enum Machine {
    Table(Box<dense::DFA<Vec<u32>>>),
    States {
        engine: Box<pikevm::PikeVM>,
        cache: Box<Mutex<pikevm::Cache>>,
        states: u64,
        bytes: usize,
    },
}

impl Regex {
    pub(super) fn new(pattern: &str) -> Result<Self, RegexError> {
        let pattern = ascii_classes(pattern)?;
        let syntax = syntax::Config::new().utf8(false).nest_limit(NEST_MAX);
        let parsed = syntax::parse_with(&pattern, &syntax)
            .map_err(|error| RegexError::Syntax(one_line(&error)))?;
        let config = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(PATTERN_BYTES_MAX))
            .which_captures(thompson::WhichCaptures::None);
        let nfa = NFA::compiler()
            .configure(config)
            .build_from_hir(&parsed)
            .map_err(|_| RegexError::TooLarge)?;
        let table = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(regex_automata::dfa::StartKind::Unanchored)
                    .dfa_size_limit(Some(PATTERN_BYTES_MAX))
                    .determinize_size_limit(Some(4 * PATTERN_BYTES_MAX)),
            )
            .build_from_nfa(&nfa);
        if let Ok(table) = table {
            return Ok(Self(Arc::new(Machine::Table(Box::new(table)))));
        }
        let (states, bytes) = (nfa.states().len() as u64, nfa.memory_usage());
        let engine = pikevm::PikeVM::builder()
            .build_from_nfa(nfa)
            .map_err(|error| RegexError::Syntax(one_line(&error)))?;
        let cache = Box::new(Mutex::new(engine.create_cache()));
        let engine = Box::new(engine);
        Ok(Self(Arc::new(Machine::States { engine, cache, states, bytes })))
    }

    /// Whether `text` holds a match.
    pub(super) fn is_match(&self, text: &str) -> bool {
        let input = Input::new(text).anchored(Anchored::No).earliest(true);
        match &*self.0 {
            // A table without quit bytes gives no error.
            Machine::Table(table) => matches!(table.try_search_fwd(&input), Ok(Some(_))),
            Machine::States { engine, cache, .. } => {
                let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
                engine.is_match(&mut cache, input)
            }
        }
    }

    /// Units of work for one byte of text, at most.
    pub(super) fn units_per_byte(&self) -> u64 {
        match &*self.0 {
            Machine::Table(_) => TABLE_UNITS,
            Machine::States { states, .. } => STATE_UNITS.saturating_mul(*states),
        }
    }

    /// What it keeps in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match &*self.0 {
            Machine::Table(table) => table.memory_usage(),
            Machine::States { states, bytes, .. } => {
                bytes.saturating_add(usize::try_from(states * 32).unwrap_or(usize::MAX))
            }
        }
    }
}

/// Replaces the classes that RE2 defines over ASCII, which Rust's syntax defines over Unicode.
fn ascii_classes(pattern: &str) -> Result<String, RegexError> {
    let ast = ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .build()
        .parse(pattern)
        .map_err(|error| RegexError::Syntax(one_line(error.kind())))?;
    let mut found = Found(Vec::new());
    let Ok(()) = ast::visit(&ast, &mut found);
    let Found(mut found) = found;
    found.sort_by_key(|(start, ..)| *start);
    let (mut out, mut at) = (String::new(), 0);
    for (start, end, replacement) in found {
        out.push_str(pattern.get(at..start).unwrap_or_default());
        out.push_str(replacement);
        at = end;
    }
    out.push_str(pattern.get(at..).unwrap_or_default());
    Ok(out)
}

/// Where a class stands, in bytes, and what it becomes.
struct Found(Vec<(usize, usize, &'static str)>);

impl Found {
    fn class(&mut self, class: &ast::ClassPerl) {
        use ast::ClassPerlKind as Kind;
        let replacement = match (&class.kind, class.negated) {
            (Kind::Digit, false) => "[0-9]",
            (Kind::Digit, true) => "[^0-9]",
            (Kind::Space, false) => "[\\t\\n\\f\\r\\x20]",
            (Kind::Space, true) => "[^\\t\\n\\f\\r\\x20]",
            (Kind::Word, false) => "[0-9A-Za-z_]",
            (Kind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.0.push((class.span.start.offset, class.span.end.offset, replacement));
    }
}

impl ast::Visitor for &mut Found {
    type Output = ();
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::ClassPerl(class) => self.class(class),
            Ast::Assertion(assertion) => {
                let replacement = match assertion.kind {
                    ast::AssertionKind::WordBoundary => "(?-u:\\b)",
                    ast::AssertionKind::NotWordBoundary => "(?-u:\\B)",
                    _ => return Ok(()),
                };
                let span = assertion.span;
                self.0.push((span.start.offset, span.end.offset, replacement));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), Self::Err> {
        if let ast::ClassSetItem::Perl(class) = item {
            self.class(class);
        }
        Ok(())
    }
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, text: &str) -> bool {
        Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
    }

    #[test]
    fn patterns_mean_what_re2_means() {
        for (pattern, yes, no) in [
            ("^web-[0-9]{1,3}$", "web-17", "web-1234"),
            (r"^\w+$", "vm_1", "größe"),
            (r"^[\w.-]+@[\w.-]+$", "a.b@example-1.org", "a b@c"),
            (r"^\W$", "ß", "s"),
            (r"\bvm\b", "a vm!", "avm"),
            (r"^\d{4}-\d\d$", "2026-11", "２０２６-11"),
            ("(?i)^ERROR", "error: x", "no error"),
            ("^.$", "é", "ee"),
            ("[äöü]", "grün", "gruen"),
            (r"^\S\s\S$", "a b", "a\u{a0}b"),
            ("a|^b", "xxa", "xxb"),
            ("", "", "\u{0}never"),
        ] {
            assert!(is_match(pattern, yes), "{pattern}");
            assert!(pattern.is_empty() || !is_match(pattern, no), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_does_not_parse_or_is_too_large_is_refused() {
        let refused = |pattern: &str| Regex::new(pattern).err();
        for broken in ["(", "a{2,1}", "[z-a]", "\\", "*"] {
            assert!(matches!(refused(broken), Some(RegexError::Syntax(_))), "{broken}");
        }
        let nested = "(".repeat(1000);
        assert!(matches!(refused(&nested), Some(RegexError::Syntax(_))));
        for large in ["((a{100}){100}){100}", "\\pL{200}", &r"\pL\pN".repeat(100)] {
            assert_eq!(refused(large), Some(RegexError::TooLarge), "{large}");
        }
    }

    #[test]
    fn a_pattern_whose_table_would_explode_is_run_state_by_state_and_charged_so() {
        let explodes = Regex::new("[ab]*a[ab]{12}x").ok();
        assert!(explodes.as_ref().is_some_and(|regex| regex.units_per_byte() > 20));
        assert!(explodes.is_some_and(|regex| regex.is_match("bbabbbbbbbbbbbbx")));
    }
}
