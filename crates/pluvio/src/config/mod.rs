//! From a file, or from the environment, to components that are ready to start.
//!
//! Parse, then resolve, then run: [`load`] finds everything that is wrong in one pass and gives
//! either a [`Configuration`] or all problems; [`Configuration::resolve`] makes components, and touches
//! neither a port nor the log nor a server; nothing later sees a raw value. `pluvio check` ends where
//! `pluvio run` goes on, so both refuse the same with the same words.

mod document;
mod environment;
mod exposed;
mod inspect;
mod listeners;
mod original;
mod page;
mod principals;
mod reader;
mod resolve;
mod section_spans;
mod sections;
mod sinks;
mod template;

use std::{io, path::Path};

use pluvio_connect::component::SourceSlot;
use pluvio_log::{SourceName, StreamName};

pub(crate) use document::{Problem, suggestion};
pub(crate) use environment::{
    demo, from_environment, is_configured as environment_is_configured, is_debug,
};
pub(crate) use listeners::ReadyListener;
pub(crate) use original::Original;
pub(crate) use page::pages;
pub(crate) use principals::{Kept, Principals};
pub(crate) use resolve::Resolved;
pub(crate) use sections::{LogSection, LogType};
pub(crate) use sinks::{ReadySink, begin};
pub(crate) use template::{schema, template};

use crate::registry::{BuildError, BuiltSource};
use document::Document;
use listeners::ListenerSection;
use reader::parse;
use section_spans::SectionSpans;
use sinks::SinkSection;

/// A configuration in which every key is known and every value has its type.
pub(crate) struct Configuration {
    pub(crate) log: LogSection,
    principals: Principals,
    sources: Vec<SourceSection>,
    sinks: Vec<SinkSection>,
    listeners: Vec<ListenerSection>,
    /// What is not wrong and ought to be otherwise: secrets in files that others can read, and what
    /// [`Self::resolve`] finds.
    pub(crate) warnings: Vec<Problem>,
    /// The file that it was read from, if it was.
    pub(crate) original: Option<Original>,
}

struct SourceSection {
    place: SectionSpans,
    stream: StreamName,
    name: SourceName,
    build: Box<dyn FnOnce(SourceSlot) -> Result<BuiltSource, BuildError>>,
}

/// A source that can start.
pub(crate) struct ReadySource {
    pub(crate) name: SourceName,
    pub(crate) stream: StreamName,
    pub(crate) built: BuiltSource,
}

/// Reads and checks a file, or what a shell hands over as one: `--config <(…)`, `/dev/stdin`.
pub(crate) fn load(path: &Path) -> Result<Configuration, Vec<Problem>> {
    let is_handed_over = path == Path::new("/dev/stdin")
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc/self/fd");
    read(path, is_handed_over)
}

/// Reads and checks the file once more: a regular one, for a pipe has no second reading.
fn load_again(path: &Path) -> Result<Configuration, Vec<Problem>> {
    read(path, false)
}

fn read(path: &Path, may_be_pipe: bool) -> Result<Configuration, Vec<Problem>> {
    let shown = path.display().to_string();
    let text = text_of(path, may_be_pipe).map_err(|error| {
        let message = format!("failed to read the configuration: {error}");
        vec![Problem { place: shown.clone(), message }]
    })?;
    let original = Original::new(path, &text);
    parse(&Document::new(shown, text)).map(|read| Configuration { original, ..read })
}

/// Opening a named pipe waits for a writer, who may never come; one that a shell hands over has it.
fn text_of(path: &Path, may_be_pipe: bool) -> io::Result<String> {
    let kind = std::fs::metadata(path)?;
    if !kind.is_file() && !kind.is_dir() && !may_be_pipe {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    std::fs::read_to_string(path)
}

impl Configuration {
    /// Makes all sources; everything that is wrong with them is told at once.
    pub(crate) fn sources(&mut self) -> Result<Vec<ReadySource>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut ready: Vec<ReadySource> = Vec::new();
        let streams: Vec<StreamName> = self.sources.iter().map(|s| s.stream.clone()).collect();
        for section in std::mem::take(&mut self.sources) {
            let SourceSection { place, stream, name, build } = section;
            let is_alone = streams.iter().filter(|other| **other == stream).count() == 1;
            match build(SourceSlot { is_alone }) {
                Ok(built) => {
                    let is_twin = |other: &&ReadySource| {
                        other.stream == stream && other.built.identity == built.identity
                    };
                    if let Some(twin) = ready.iter().find(is_twin) {
                        let message = format!(
                            "captures {} like [sources.{}], so every event would be stored twice",
                            built.identity, twin.name
                        );
                        problems.push(place.problem(None, message));
                    }
                    for (key, secret) in &built.secrets {
                        if let Err(error) = secret.check() {
                            let message = pluvio_runtime::Chain(&error).to_string();
                            problems.push(place.problem(Some(key), format!("`{key}`: {message}")));
                        }
                    }
                    ready.push(ReadySource { name, stream, built });
                }
                Err(BuildError { key, message }) => problems.push(place.problem(key, message)),
            }
        }
        if problems.is_empty() { Ok(ready) } else { Err(problems) }
    }

    /// Everybody who is let in.
    pub(crate) fn principals(&self) -> &Principals {
        &self.principals
    }

    /// The streams that must be there: those that sources write to and sinks are handed, and the
    /// default one.
    pub(crate) fn streams(&self) -> Vec<StreamName> {
        let mut streams: Vec<_> = self.sources.iter().map(|s| s.stream.clone()).collect();
        streams.extend(self.sink_streams());
        streams.push(StreamName::events());
        streams.sort();
        streams.dedup();
        streams
    }
}

#[cfg(test)]
mod tests;
