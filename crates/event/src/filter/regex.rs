//! The patterns of `matches`: compiled once, when the filter is read, with a bounded size and a known
//! cost a byte.
//!
//! Patterns have RE2's syntax, as CEL says ([`re2`](super::re2)). A pattern becomes a table (a DFA) that looks at each byte once; where the table would
//! be too large, it is run as an automaton (NFA) that costs each of its active states for each byte, and
//! is charged so ([`states`](super::states)).
//!
//! Compiling one takes up to a millisecond, so the patterns of one expression are counted before they are
//! compiled ([`Patterns`]).
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

use super::limits::{
    NEST_MAX, PATTERN_BYTES_MAX, PATTERNS_MAX, STATES_UNITS_MAX, WIDE_CLASSES_MAX,
};
use super::{RegexError, re2, states};

/// Longest pattern that is shown in an error, in characters.
const SHOWN_CHARS_MAX: usize = 60;
/// Work of one byte in a table, in units.
const TABLE_UNITS: u64 = 2;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Regex(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    /// As it was written, cut.
    shown: Box<str>,
    machine: Machine,
}

#[derive(Debug)]
enum Machine {
    Table(Box<dense::DFA<Vec<u32>>>),
    States {
        engine: Box<pikevm::PikeVM>,
        cache: Box<Mutex<pikevm::Cache>>,
        /// Units of work for one byte of text, at most.
        units: u64,
        bytes: usize,
    },
}

/// What the patterns of one expression have used so far.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    count: usize,
    wide_classes: usize,
    /// Work for one byte in those that are run state by state, in units.
    states_units: u64,
}

impl Patterns {
    /// Compiles the next pattern, if there is room for it.
    pub(super) fn compile(&mut self, pattern: &str) -> Result<Regex, RegexError> {
        self.count += 1;
        if self.count > PATTERNS_MAX {
            return Err(RegexError::TooMany);
        }
        // One that is over the limit by itself took its time already.
        if self.states_units > STATES_UNITS_MAX {
            return Err(RegexError::TogetherTooCostly { units: self.states_units });
        }
        let read = re2::read(pattern)?;
        self.wide_classes += read.wide_classes;
        if self.wide_classes > WIDE_CLASSES_MAX {
            return Err(RegexError::TooLarge);
        }
        let machine = Machine::new(&read.pattern)?;
        if let Machine::States { units, .. } = &machine {
            let is_first = self.states_units == 0;
            self.states_units = self.states_units.saturating_add(*units);
            if !is_first && self.states_units > STATES_UNITS_MAX {
                return Err(RegexError::TogetherTooCostly { units: self.states_units });
            }
        }
        Ok(Regex(Arc::new(Compiled { shown: cut(pattern), machine })))
    }
}

impl Machine {
    fn new(pattern: &str) -> Result<Self, RegexError> {
        let syntax = syntax::Config::new().utf8(false).nest_limit(NEST_MAX);
        let parsed = syntax::parse_with(pattern, &syntax)
            .map_err(|error| RegexError::Syntax(re2::reason(&error)))?;
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
                    .determinize_size_limit(Some(PATTERN_BYTES_MAX)),
            )
            .build_from_nfa(&nfa);
        if let Ok(table) = table {
            return Ok(Self::Table(Box::new(table)));
        }
        let units = states::units_per_byte(&nfa);
        let bytes = nfa.memory_usage().saturating_add(nfa.states().len().saturating_mul(32));
        let engine =
            pikevm::PikeVM::builder().build_from_nfa(nfa).map_err(|_| RegexError::TooLarge)?;
        let cache = Box::new(Mutex::new(engine.create_cache()));
        let engine = Box::new(engine);
        Ok(Self::States { engine, cache, units, bytes })
    }
}

impl Regex {
    /// The pattern as it was written, cut to some characters.
    pub(super) fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Whether `text` holds a match.
    pub(super) fn is_match(&self, text: &str) -> bool {
        let input = Input::new(text).anchored(Anchored::No).earliest(true);
        match &self.0.machine {
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
        match &self.0.machine {
            Machine::Table(_) => TABLE_UNITS,
            Machine::States { units, .. } => *units,
        }
    }

    /// What it keeps in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match &self.0.machine {
            Machine::Table(table) => table.memory_usage(),
            Machine::States { bytes, .. } => *bytes,
        }
    }
}

/// The first characters of `pattern`, as it is shown in an error.
fn cut(pattern: &str) -> Box<str> {
    let mut chars = pattern.chars();
    let shown: String = chars.by_ref().take(SHOWN_CHARS_MAX).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{}{more}", crate::shown(&shown)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Regex {
        fn new(pattern: &str) -> Result<Self, RegexError> {
            Patterns::default().compile(pattern)
        }
    }

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
    fn what_people_write_becomes_a_table() {
        for pattern in [
            "^(web|db|app)-[0-9]{1,4}(\\.[a-z0-9-]+)*$",
            "(?i)error.*(timeout|refused|unreachable)",
            "^com\\.vmware\\.vsphere\\.(Vm|Host|Datastore|Cluster)[A-Za-z]+Event\\.v0$",
            r"^[\w.+-]+@[\w-]+\.[\w.-]+$",
            r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
            "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "(?i)(failed|error|denied|refused|timeout|unreachable|disconnected|lost)",
            "^(VmPoweredOnEvent|VmPoweredOffEvent|VmCreatedEvent|VmRemovedEvent|VmMigratedEvent)$",
            "(?i)^(vm|volume|snapshot|network)\\.(create|delete|start|stop|attach|detach)$",
        ] {
            let units = Regex::new(pattern).map(|regex| regex.units_per_byte());
            assert_eq!(units, Ok(TABLE_UNITS), "{pattern}");
        }
    }

    #[test]
    fn patterns_of_one_expression_are_counted_together() {
        let all = |pattern: &str, count: usize| {
            let mut patterns = Patterns::default();
            (0..count).try_for_each(|_| patterns.compile(pattern).map(|_| ()))
        };
        assert_eq!(all("^web-", PATTERNS_MAX), Ok(()));
        assert_eq!(all("^web-", PATTERNS_MAX + 1), Err(RegexError::TooMany));
        assert_eq!(all(r"^[\p{L} -]+$", 4), Ok(()));
        let many = all("[ab]*a[ab]{70}x", 7);
        assert!(matches!(many, Err(RegexError::TogetherTooCostly { units }) if units > 2500));
        let mut patterns = Patterns { states_units: STATES_UNITS_MAX + 1, ..Patterns::default() };
        let next = patterns.compile("^web-").map(|_| ());
        assert!(matches!(next, Err(RegexError::TogetherTooCostly { .. })));
        let classes = all(&format!("(?i)[{}]", r"\pL".repeat(500)), 1);
        assert_eq!(classes, Err(RegexError::TooLarge));
    }

    #[test]
    fn a_pattern_whose_table_would_explode_is_run_state_by_state_and_charged_so() {
        let explodes = Regex::new("[ab]*a[ab]{12}x").ok();
        assert!(explodes.as_ref().is_some_and(|regex| regex.units_per_byte() > 20));
        assert!(explodes.is_some_and(|regex| regex.is_match("bbabbbbbbbbbbbbx")));
    }
}
