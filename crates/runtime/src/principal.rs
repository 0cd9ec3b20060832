//! Who is asking, and what they may see.
//!
//! Every listener turns a connection into a [`Principal`] before it does anything else. It refuses to know how that
//! is proved: who presents what is in the [`AccessTable`](crate::AccessTable).

use std::collections::BTreeSet;

use pluvio_event::{Filter, Pattern};
use pluvio_log::StreamName;

use crate::supervise::sink::DEAD_SUFFIX;

/// Someone who was let in, and how far.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The configured name; `anonymous` where nobody needs to say who they are.
    pub name: String,
    /// Which streams there are, as far as this principal is concerned.
    pub streams: Streams,
    /// What it may do with them.
    pub verbs: BTreeSet<Verb>,
    /// Laid over everything it reads: a tenant sees its own account and cannot ask for more.
    pub filter: Filter,
}

/// Which streams a principal sees.
#[derive(Clone, Debug)]
pub enum Streams {
    /// All that are not internal.
    All,
    /// Those that match one of these.
    Matching(Vec<Pattern>),
}

/// What can be done to a stream.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Deserialize,
    schemars::JsonSchema,
    serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Read and watch events.
    Read,
    /// Append events.
    Write,
    /// See status and metrics: of all there is, and so only without a filter and with all streams.
    Status,
}

impl Principal {
    /// Who is let in where nothing is configured: may read everything and see status.
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".to_owned(),
            streams: Streams::All,
            verbs: BTreeSet::from([Verb::Read, Verb::Status]),
            filter: Filter::default(),
        }
    }

    /// Whether `verb` on `stream` is allowed. A stream that is not readable does not exist for the
    /// principal: say "no such stream", not "forbidden".
    ///
    /// Dead letters name sinks, their targets and what these said, whomever the event inside is of: a
    /// principal with a filter sees them only where `streams` names them.
    pub fn may(&self, verb: Verb, stream: &StreamName) -> bool {
        let is_told_apart = stream.as_str().ends_with(DEAD_SUFFIX) && !self.filter.passes_all();
        let sees = match &self.streams {
            Streams::All => !is_told_apart,
            Streams::Matching(patterns) => patterns.iter().any(|pattern| {
                let is_named = pattern.text().contains(DEAD_SUFFIX);
                pattern.matches(stream.as_str()) && (is_named || !is_told_apart)
            }),
        };
        self.verbs.contains(&verb) && sees && !stream.is_internal()
    }

    /// Whether it may read anything at all.
    pub fn reads(&self) -> bool {
        self.verbs.contains(&Verb::Read)
    }

    /// Whether it may read every stream and every event: nothing in the log has to be kept from it.
    pub fn sees_everything(&self) -> bool {
        self.reads() && self.is_unlimited()
    }

    /// Whether status and metrics may be seen: they count all events of all streams and name every
    /// source and sink, so a principal with a filter, or with some streams only, does not see them,
    /// whatever verbs it has. One that is not limited in either way sees them also if it may not read:
    /// whatever scrapes metrics need not see events.
    pub fn may_see_status(&self) -> bool {
        self.verbs.contains(&Verb::Status) && self.is_unlimited()
    }

    /// Whether it is held to no streams and no events.
    fn is_unlimited(&self) -> bool {
        let sees_all = match &self.streams {
            Streams::All => true,
            Streams::Matching(patterns) => patterns.contains(&Pattern::new("*")),
        };
        sees_all && self.filter.passes_all()
    }
}

/// What a client presents.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A bearer token.
    Bearer(&'a str),
    /// A name and a password.
    Basic {
        /// The principal's name.
        user: &'a str,
        /// Its password.
        password: &'a str,
    },
}

/// Nobody is known by this credential. It does not say which part was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("credentials are missing or wrong")]
pub struct Unauthenticated;

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> Principal {
        let streams = Streams::Matching(vec![Pattern::new("tenant-*")]);
        let verbs = BTreeSet::from([Verb::Read]);
        Principal { name: "acme".into(), streams, verbs, filter: Filter::default() }
    }

    #[test]
    fn only_who_may_read_all_streams_unfiltered_sees_everything() {
        assert!(Principal::anonymous().sees_everything());
        assert!(!tenant().sees_everything());
        let verbs = BTreeSet::from([Verb::Status]);
        let scraper = Principal { verbs, ..Principal::anonymous() };
        assert!(!scraper.reads() && !scraper.sees_everything());
    }

    #[test]
    fn status_is_for_who_is_held_to_no_streams_and_no_events_whether_it_reads_or_not() {
        let verbs = BTreeSet::from([Verb::Status]);
        let scraper = Principal { verbs: verbs.clone(), ..Principal::anonymous() };
        assert!(scraper.may_see_status() && Principal::anonymous().may_see_status());
        let held = Principal { verbs, ..tenant() };
        assert!(!held.may_see_status());
    }

    #[test]
    fn a_principal_may_do_its_verbs_on_its_streams() {
        let stream = |name| StreamName::new(name).unwrap_or_else(|_| StreamName::events());
        assert!(tenant().may(Verb::Read, &stream("tenant-acme")));
        assert!(!tenant().may(Verb::Write, &stream("tenant-acme")));
        assert!(!tenant().may(Verb::Read, &stream("events")));
        assert!(!Principal::anonymous().may(Verb::Read, &stream("__positions")));
    }
}
