//! A configuration file with its places: every problem says file, line and column.
//!
//! It refuses to stop at the first problem: whoever edits a file wants all of them at once.

use std::{fmt, ops::Range};

use toml::{Spanned, de::DeTable};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// `file:line:column`, or the environment variable.
    pub(crate) place: String,
    /// What is wrong and what would be right.
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// A file's text.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    name: String,
    text: String,
}

impl Document {
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Parses the text; syntax errors are problems like others.
    pub(crate) fn parse(&self) -> (Spanned<DeTable<'_>>, Vec<Problem>) {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let problem = |error: toml::de::Error| {
            self.problem(error.span().unwrap_or(0..0), one_line(error.message()))
        };
        (table, errors.into_iter().map(problem).collect())
    }

    /// The file's path as it was given.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A problem at `span`, bytes of the text.
    pub(crate) fn problem(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].chars().count() + 1;
        Problem { place: format!("{}:{line}:{column}", self.name), message: message.into() }
    }
}

impl Document {
    /// Line and column of a [`place`](Problem::place), to put problems into the order of reading.
    pub(crate) fn position(&self, place: &str) -> (usize, usize) {
        let rest = place.strip_prefix(&self.name).unwrap_or_default().trim_start_matches(':');
        let (line, column) = rest.split_once(':').unwrap_or_default();
        (line.parse().unwrap_or_default(), column.parse().unwrap_or_default())
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `; did you mean "x"?` for the candidate nearest to `word`, if one is near.
pub(crate) fn suggestion<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}
