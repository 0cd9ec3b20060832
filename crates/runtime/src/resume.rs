//! Where a source goes on, judged from every position in the log that may be its own.
//!
//! ```text
//!  its name in this stream ────┐
//!  other names in this stream ─┼─ of its `source` attribute ──▶ the one read farthest ──▶ Here, Elsewhere
//!  its name in other streams ──┘  (all but the first only if they asked for the same)
//!  other names in other streams ─ the same, if there is none of those ────────────────▶ Elsewhere
//!  its name, of another attribute, if there is none of all these ─────────────────────▶ Other
//!  any of its attribute that asked for something else, if there is none of all these ─▶ Other
//! ```
//!
//! Sections are renamed, given another stream, and given to another cloud, so neither a name nor a stream says
//! whose events were read. The `source` attribute does: no two sources that run in one stream share it. A section
//! that goes while another comes was renamed only if it asked for the same: two tenants of one cloud do not.
//! This module refuses to take over the position of a source that runs elsewhere at the same time.

use jiff::Timestamp;
use pluvio_log::{AppendError, Log, Position, SourceName, StreamName};
use tracing::info;

use crate::History;

/// Where a source resumes.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The position of its newest record or checkpoint; `None`: its name never wrote to this stream.
    pub position: Option<Position>,
    /// The positions of all other names in the stream, configured or not.
    pub others: Vec<(SourceName, Position)>,
    /// The positions in all other streams, except those of sources that run there.
    pub elsewhere: Vec<Elsewhere>,
    /// Its own past.
    pub history: History,
}

/// A position in another stream of the log.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// The stream.
    pub stream: StreamName,
    /// The name that stands there.
    pub name: SourceName,
    /// Where.
    pub position: Position,
}

/// Where a source stands, read from a position.
pub trait Resumable: Sized {
    /// Why a position is none of this kind.
    type Error;

    /// Reads it.
    fn parse(position: &Position) -> Result<Self, Self::Error>;

    /// Names the `source` attribute of the events: letters that may be part of a [`SourceName`], the same for
    /// the same attribute.
    fn mark(&self) -> &str;

    /// Whether it is a place in the events of this `source` attribute.
    fn is_of(&self, source: &str) -> bool;

    /// Names what was asked for, and as whom; `None`: it was not noted.
    fn scope(&self) -> Option<&str>;

    /// Up to when the cloud was read.
    fn time(&self) -> Timestamp;
}

/// Where a source starts, as far as the log knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start<P> {
    /// Nothing: it begins as far back as it is configured to.
    New,
    /// Its place in this stream. What was captured last is stored here.
    Here(P),
    /// Its place, noted in another stream. What was captured up to there is not stored here.
    Elsewhere(P),
    /// Its name stands in the events of another `source` attribute, or another name that is gone asked the same
    /// cloud for something else. This may be the same section with another attribute or other keys, of which
    /// nothing that happened since may be missed, or another cloud or tenant, of which nothing was captured
    /// yet. Up to when that name has read is all that this place tells of both.
    Other(P),
}

impl<P> Start<P> {
    /// Whether it goes on from a place of its own.
    pub fn is_resumed(&self) -> bool {
        matches!(self, Self::Here(_) | Self::Elsewhere(_))
    }
}

/// A place of the source's own `source` attribute.
struct Candidate<'a, P> {
    noted: Noted<'a>,
    place: P,
}

enum Noted<'a> {
    Here,
    AsOther(&'a SourceName),
    In(&'a StreamName, &'a SourceName),
}

/// Bytes of a section's name in the name that another cloud's position is kept under.
const KEPT_NAME_BYTES_MAX: usize = 200;

impl Resume {
    /// Where a source of these events goes on; `scope`: what it asks for. Fails where its own position cannot be
    /// read, and where another cloud's position under its name cannot be kept.
    pub async fn place<P, E>(&self, source: &str, scope: &str) -> Result<Start<P>, E>
    where
        P: Resumable,
        E: From<P::Error> + From<AppendError>,
    {
        let own = self.position.as_ref().map(P::parse).transpose()?;
        let (own, other) = match own {
            Some(place) if !place.is_of(source) => (None, Some(place)),
            own => (own, None),
        };
        if let (Some(position), Some(other)) = (&self.position, &other) {
            self.keep(position, other).await?;
        }
        let of = self.history.source();
        let Some(Candidate { noted, place }) = self.farthest(own, source, scope) else {
            let other = other
                .or_else(|| self.own_elsewhere().max_by_key(P::time))
                .or_else(|| self.places_of(source).max_by_key(P::time));
            return Ok(match other {
                Some(place) => {
                    let why = match place.is_of(source) {
                        true => "the same cloud was asked for something else before",
                        false => "events of another `source` were captured under this name",
                    };
                    info!(source = %of, read_until = %place.time(), "{why}: beginning anew");
                    Start::Other(place)
                }
                None => Start::New,
            });
        };
        Ok(match noted {
            Noted::Here => Start::Here(place),
            Noted::AsOther(was) => {
                info!(
                    source = %of, %was, from = %place.time(),
                    "going on where the same cloud was left under another name"
                );
                Start::Here(place)
            }
            Noted::In(stream, was) => {
                info!(
                    source = %of, %was, %stream, from = %place.time(),
                    "going on where the same cloud was left in another stream"
                );
                Start::Elsewhere(place)
            }
        })
    }

    /// The place of this `source` attribute that was read farthest; the own one where several were.
    fn farthest<P: Resumable>(
        &self,
        own: Option<P>,
        source: &str,
        scope: &str,
    ) -> Option<Candidate<'_, P>> {
        // Another kind of source, or of another version, is not ours to judge.
        let parse = |position| P::parse(position).ok().filter(|place| place.is_of(source));
        let asked_the_same = |place: &P| place.scope().is_none_or(|asked| asked == scope);
        let elsewhere = |is_own: bool| {
            let named = self.elsewhere.iter().filter(move |it| self.is_own(it) == is_own);
            named.filter_map(move |it| {
                let noted = Noted::In(&it.stream, &it.name);
                let place = parse(&it.position).filter(asked_the_same);
                place.map(|place| Candidate { noted, place })
            })
        };
        let others = self.others.iter().filter_map(|(name, position)| {
            let noted = Noted::AsOther(name);
            let place = parse(position).filter(asked_the_same);
            place.map(|place| Candidate { noted, place })
        });
        let own = own.map(|place| Candidate { noted: Noted::Here, place });
        let time = |candidate: &Candidate<'_, P>| candidate.place.time();
        let farthest = elsewhere(true).chain(others).chain(own).max_by_key(time);
        // A name that is gone may have read the same cloud for a stream of its own, so it counts only where
        // nothing else does.
        farthest.or_else(|| elsewhere(false).max_by_key(time))
    }

    /// The places of this `source` attribute under other names, whatever was asked for.
    pub fn places_of<P: Resumable>(&self, source: &str) -> impl Iterator<Item = P> {
        let here = self.others.iter().map(|(_, position)| position);
        let elsewhere = self.elsewhere.iter().map(|it| &it.position);
        let places = here.chain(elsewhere).filter_map(|position| P::parse(position).ok());
        places.filter(move |place| place.is_of(source))
    }

    fn own_elsewhere<P: Resumable>(&self) -> impl Iterator<Item = P> {
        let own = self.elsewhere.iter().filter(|it| self.is_own(it));
        own.filter_map(|it| P::parse(&it.position).ok())
    }

    fn is_own(&self, elsewhere: &Elsewhere) -> bool {
        elsewhere.name == *self.history.source()
    }

    /// Keeps the position of another cloud, which this source is about to replace: the section that captures
    /// that cloud from now on may not have noted its own yet, or may not be configured yet.
    async fn keep<P: Resumable>(&self, position: &Position, place: &P) -> Result<(), AppendError> {
        let History { log, stream, source } = &self.history;
        let name: String = source.as_str().chars().take(KEPT_NAME_BYTES_MAX).collect();
        // What is no part of a name was not written by a source.
        let Ok(name) = SourceName::new(&format!("{name}.{}", place.mark())) else { return Ok(()) };
        let is_kept = self.others.iter().any(|(other, kept)| {
            *other == name && P::parse(kept).is_ok_and(|kept| kept.time() >= place.time())
        });
        if is_kept {
            return Ok(());
        }
        log.checkpoint(stream, &name, position.clone()).await
    }
}
