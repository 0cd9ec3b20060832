//! The parameters behind the question mark: strict, because a mistyped filter that is ignored shows
//! events that nobody asked for.

use std::time::Duration;

use jiff::Timestamp;
use pluvio_event::{Filter, Pattern};
use pluvio_log::Offset;
use pluvio_net::unit::Period;

use super::{
    limits::{PAGE_EVENTS_MAX, PATTERN_OVERHEAD_BYTES},
    problem::Problem,
};

/// Parameters in their order, all of them known to the route.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

/// Most parameters of one request: each may be a pattern that every event is compared with.
const PARAMETERS_MAX: usize = 64;

impl Query {
    /// Decodes `text`; a name that is not `known` is refused with the nearest that is.
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self, Problem> {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        let pairs: Vec<(String, String)> = pairs.into_owned().take(PARAMETERS_MAX + 1).collect();
        if pairs.len() > PARAMETERS_MAX {
            let detail = format!("more than {PARAMETERS_MAX} parameters");
            return Err(Problem::invalid(detail));
        }
        match pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(unknown(name, known)),
            None => Ok(Self(pairs)),
        }
    }

    /// The value of `name`, which may be given once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Problem::invalid(format!("parameter `{name}` is given twice"))),
        }
    }

    /// All values of `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All but those in `left_out`, for links to the neighbouring pages.
    pub(super) fn others<'a>(
        &'a self,
        left_out: &'a [&str],
    ) -> impl Iterator<Item = &'a (String, String)> {
        self.0.iter().filter(move |(name, _)| !left_out.contains(&name.as_str()))
    }

    /// Whether this is a watch. Only `true` is; an empty value is none.
    pub(super) fn is_watch(&self) -> Result<bool, Problem> {
        match self.one("watch")? {
            None | Some("") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Problem::invalid(format!(
                "invalid watch parameter: `{}`; valid: `true`",
                shown(other)
            ))),
        }
    }

    /// `true` or `false`; an empty value is `true`, as in `?verbose`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.one(name)? {
            None | Some("false") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(Problem::invalid(format!(
                "parameter `{name}` is `{}`; valid: `true`, `false`",
                shown(other)
            ))),
        }
    }

    /// How many events a page holds.
    pub(super) fn limit(&self) -> Result<Option<usize>, Problem> {
        let Some(text) = self.one("limit")? else { return Ok(None) };
        match text.parse() {
            Ok(limit) if (1..=PAGE_EVENTS_MAX).contains(&limit) => Ok(Some(limit)),
            _ => Err(Problem::invalid(format!(
                "parameter `limit` is `{}`; valid: 1 to {PAGE_EVENTS_MAX}",
                shown(text)
            ))),
        }
    }

    /// A count of 1 or more.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        match text.parse() {
            Ok(count) if count > 0 => Ok(Some(count)),
            _ => Err(Problem::invalid(format!(
                "parameter `{name}` is `{}`; valid: 1 or more",
                shown(text)
            ))),
        }
    }

    /// A length of time: seconds, or with a unit.
    pub(super) fn period(&self, name: &str) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let period = match text.parse::<u32>() {
            Ok(seconds) => Some(Duration::from_secs(seconds.into())),
            Err(_) => text.parse::<Period>().ok().map(|period| period.0),
        };
        // A century: more than a watch needs, and no clock overflows.
        let fits = |period: &Duration| *period <= Duration::from_secs(100 * 365 * 86_400);
        period.filter(fits).map(Some).ok_or_else(|| {
            Problem::invalid(format!(
                "parameter `{name}` is `{}`; valid: seconds, or for example `500ms`, `1m30s`",
                shown(text)
            ))
        })
    }

    /// Whether there is an expression among the parameters.
    pub(super) fn has_expression(&self) -> bool {
        self.all("filter").next().is_some()
    }

    /// How long the expressions are together, in bytes.
    pub(super) fn expression_bytes(&self) -> usize {
        self.all("filter").map(str::len).sum()
    }

    /// How long the patterns for types, sources and subjects are together, in bytes, with what each takes beside
    /// its text.
    pub(super) fn pattern_bytes(&self) -> usize {
        let patterns = ["type", "source", "subject"].into_iter().flat_map(|name| self.all(name));
        patterns.map(|pattern| pattern.len() + PATTERN_OVERHEAD_BYTES).sum()
    }

    /// The filter that the parameters make.
    pub(super) fn filter(&self) -> Result<Filter, Problem> {
        let mut filter = Filter::default();
        for (name, value) in &self.0 {
            filter = match name.as_str() {
                "type" => filter.or_type(pattern(name, value)?),
                "source" => filter.or_source(pattern(name, value)?),
                "subject" => filter.or_subject(pattern(name, value)?),
                "filter" => filter
                    .and_expression(value)
                    .map_err(|error| Problem::invalid(format!("invalid filter: {error}")))?,
                _ => filter,
            };
        }
        if let Some(since) = self.time("since")? {
            filter = filter.since(since);
        }
        if let Some(until) = self.time("until")? {
            filter = filter.until(until);
        }
        Ok(filter)
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Problem::invalid(format!(
                "parameter `{name}` is `{}`; valid: a time as in RFC 3339, for example \
                 `2026-11-20T10:00:00Z`",
                shown(text)
            ))
        })
    }
}

fn pattern(name: &str, value: &str) -> Result<Pattern, Problem> {
    Pattern::parse(value)
        .map_err(|error| Problem::invalid(format!("parameter `{name}` is {error}")))
}

/// A number that may name a record; negative ones are told apart, for they are "out of range".
pub(super) enum Number {
    Offset(Offset),
    Negative(i64),
}

/// Reads an offset.
pub(super) fn offset(text: &str) -> Result<Number, Problem> {
    let number: i64 = text
        .parse()
        .map_err(|_| Problem::invalid(format!("invalid offset: `{}` is no number", shown(text))))?;
    Ok(Offset::new(number).map_or(Number::Negative(number), Number::Offset))
}

/// Most characters of what a client sent that are sent back.
const SHOWN_CHARS_MAX: usize = 100;

/// What a client sent, short enough to be sent back.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let name = shown(name);
    let hint = match nearest(&name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`? "),
        None => String::new(),
    };
    let valid = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Problem::invalid(format!("unknown parameter `{name}`; {hint}valid: {valid}"))
}

/// The most similar of `names`, if one is similar at all.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const SIMILAR: f64 = 0.6;
    names
        .map(|known| (strsim::normalized_damerau_levenshtein(name, known), known))
        .filter(|(similarity, _)| *similarity > SIMILAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}
