//! Which of the positions in a log a source takes for its own.

use jiff::Timestamp;
use pluvio_log::{
    AppendError, Log as _, LogHandle, Memory, MemoryConfig, Position, SourceName, StreamName,
};
use pluvio_runtime::{Elsewhere, History, Resumable, Resume, Start, status::State};

use crate::scripted::{Line, Stage};

/// A `source` attribute, up to which second it was read, and, where it was noted, what was asked for:
/// `urn-x 100` or `urn-x 100 all`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    of: String,
    second: i64,
    scope: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("not a place")]
    Invalid,
    #[error(transparent)]
    Kept(#[from] AppendError),
}

/// Not a place.
struct Invalid;

impl From<Invalid> for Error {
    fn from(_: Invalid) -> Self {
        Self::Invalid
    }
}

impl Resumable for Place {
    type Error = Invalid;

    fn parse(position: &Position) -> Result<Self, Invalid> {
        let mut parts = position.as_str().split(' ');
        let (Some(of), Some(second)) = (parts.next(), parts.next()) else { return Err(Invalid) };
        let second = second.parse().map_err(|_| Invalid)?;
        Ok(Self { of: of.to_owned(), second, scope: parts.next().map(str::to_owned) })
    }

    fn mark(&self) -> &str {
        &self.of
    }

    fn is_of(&self, source: &str) -> bool {
        self.of == source
    }

    fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }
}

fn name(name: &str) -> SourceName {
    SourceName::new(name).unwrap()
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

/// Positions by stream and name, all of which are in the log.
struct Stands {
    log: LogHandle,
}

impl Stands {
    async fn of(positions: &[(&str, &str, &str)]) -> Self {
        let log = LogHandle::new(Memory::new(MemoryConfig::default()));
        log.open(&StreamName::events()).await.unwrap();
        for (stream_name, source, position) in positions {
            log.open(&stream(stream_name)).await.unwrap();
            let position = Position::new(*position).unwrap();
            log.checkpoint(&stream(stream_name), &name(source), position).await.unwrap();
        }
        Self { log }
    }

    /// Where a source of that name in the stream `events` goes on, which asks for all.
    async fn place(&self, source: &str, of: &str) -> Start<Place> {
        let (events, mut elsewhere) = (StreamName::events(), Vec::new());
        let mut positions = self.log.positions(&events).await.unwrap();
        for stream in self.log.streams().into_iter().filter(|it| *it != events) {
            for (name, position) in self.log.positions(&stream).await.unwrap() {
                elsewhere.push(Elsewhere { stream: stream.clone(), name, position });
            }
        }
        let position = positions.remove(&name(source));
        let others = positions.into_iter().collect();
        let history = History::new(self.log.clone(), events, name(source));
        let resume = Resume { position, others, elsewhere, history };
        resume.place::<Place, Error>(of, "all").await.unwrap()
    }
}

fn at(of: &str, second: i64) -> Place {
    Place { of: of.to_owned(), second, scope: None }
}

#[tokio::test]
async fn a_name_alone_does_not_tell_whose_events_were_read() {
    let stands = Stands::of(&[("events", "a", "urn-x 100")]).await;
    assert_eq!(stands.place("a", "urn-x").await, Start::Here(at("urn-x", 100)));
    assert_eq!(stands.place("a", "urn-y").await, Start::Other(at("urn-x", 100)));
    assert_eq!(stands.place("b", "urn-x").await, Start::Here(at("urn-x", 100)));
    assert_eq!(stands.place("b", "urn-y").await, Start::New);
}

#[tokio::test]
async fn of_all_places_of_a_source_the_one_that_was_read_farthest_counts() {
    let mut positions = vec![("events", "a", "urn-x 100"), ("events", "c", "usage")];
    for (more, expected) in [
        (("events", "b", "urn-x 90"), Start::Here(at("urn-x", 100))),
        (("events", "b", "urn-x 110"), Start::Here(at("urn-x", 110))),
        (("clouds", "a", "urn-x 105"), Start::Here(at("urn-x", 110))),
        (("clouds", "a", "urn-x 120"), Start::Elsewhere(at("urn-x", 120))),
        (("events", "d", "urn-x 120"), Start::Here(at("urn-x", 120))),
    ] {
        positions.push(more);
        assert_eq!(Stands::of(&positions).await.place("a", "urn-x").await, expected, "{more:?}");
    }
}

#[tokio::test]
async fn another_name_in_another_stream_counts_only_where_nothing_else_does() {
    let mut positions = vec![("clouds", "b", "urn-x 200"), ("clouds", "a", "urn-y 150")];
    let stands = Stands::of(&positions).await;
    assert_eq!(stands.place("a", "urn-x").await, Start::Elsewhere(at("urn-x", 200)));
    assert_eq!(stands.place("a", "urn-z").await, Start::Other(at("urn-y", 150)));
    positions.push(("events", "a", "urn-x 100"));
    let stands = Stands::of(&positions).await;
    assert_eq!(stands.place("a", "urn-x").await, Start::Here(at("urn-x", 100)));
}

#[tokio::test]
async fn a_section_that_went_was_renamed_only_if_it_asked_for_the_same() {
    let with = |scope: &str| Place { scope: Some(scope.to_owned()), ..at("urn-x", 100) };
    for stream in ["events", "clouds"] {
        let stands = Stands::of(&[(stream, "b", "urn-x 100 some")]).await;
        assert_eq!(stands.place("a", "urn-x").await, Start::Other(with("some")), "{stream}");
    }
    // Under its own name it is the same section, which was configured anew.
    let stands = Stands::of(&[("events", "a", "urn-x 100 some")]).await;
    assert_eq!(stands.place("a", "urn-x").await, Start::Here(with("some")));
    // In another stream it may be the name of another section by now.
    let stands = Stands::of(&[("clouds", "a", "urn-x 100 some")]).await;
    assert_eq!(stands.place("a", "urn-x").await, Start::Other(with("some")));
    let stands = Stands::of(&[("events", "b", "urn-x 100 all")]).await;
    assert_eq!(stands.place("a", "urn-x").await, Start::Here(with("all")));
}

#[tokio::test]
async fn a_position_is_still_found_after_another_cloud_took_its_name() {
    let stands = Stands::of(&[("events", "a", "urn-x 100"), ("events", "b", "urn-y 200")]).await;
    let noted = async |source: &str, position: &str| {
        let position = Position::new(position).unwrap();
        stands.log.checkpoint(&StreamName::events(), &name(source), position).await.unwrap();
    };
    // The names are swapped, and one of the two is not reached before the other has noted its place.
    assert_eq!(stands.place("a", "urn-y").await, Start::Here(at("urn-y", 200)));
    noted("a", "urn-y 210").await;
    assert_eq!(stands.place("b", "urn-x").await, Start::Here(at("urn-x", 100)));
    noted("b", "urn-x 110").await;
    // And once more, to other clouds.
    assert_eq!(stands.place("a", "urn-z").await, Start::Other(at("urn-y", 210)));
    noted("a", "urn-z 300").await;
    assert_eq!(stands.place("a", "urn-y").await, Start::Here(at("urn-y", 210)));
    assert_eq!(stands.place("c", "urn-x").await, Start::Here(at("urn-x", 110)));
}

#[tokio::test]
async fn a_position_that_was_kept_never_goes_back() {
    let stands = Stands::of(&[("events", "a", "x 100"), ("events", "a.x", "x 150")]).await;
    assert_eq!(stands.place("a", "y").await, Start::Other(at("x", 100)));
    assert_eq!(stands.place("a", "x").await, Start::Here(at("x", 150)));
}

#[tokio::test(start_paused = true)]
async fn a_source_is_told_of_its_positions_in_other_streams_but_not_of_those_of_others_that_run() {
    let positions = [("clouds", "script", "1"), ("clouds", "runs", "2"), ("clouds", "gone", "3")];
    let log = Stands::of(&positions).await.log;
    let running = [(StreamName::events(), name("script")), (stream("clouds"), name("runs"))];
    let stage = Stage::play_beside(&[Line::Connect], log, &running).await;
    stage.until(|status| status.state == State::Running).await;
    let told = &stage.script.played.lock().unwrap().elsewhere;
    let told: Vec<_> = told
        .iter()
        .map(|it| (it.stream.as_str(), it.name.as_str(), it.position.as_str()))
        .collect();
    assert_eq!(told, [("clouds", "gone", "3"), ("clouds", "script", "1")]);
}
