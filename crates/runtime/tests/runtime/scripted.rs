//! A source that follows a script, and the stage it plays on.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use pluvio_event::{Data, Event};
use pluvio_log::{
    Log as _, LogHandle, Memory, MemoryConfig, Offset, Position, ReadLimit, Record, SourceName,
    StreamName,
};
use pluvio_runtime::{
    Connection, Elsewhere, Failure, Ingest, Pull, Response, Resume, Source,
    status::{ComponentStatus, StatusBoard},
    supervise::{SourceContext, Supervisor},
};
use tokio::time::Instant;

/// One line of a script.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// `connect` succeeds; the lines up to the next of these are what `next` gives.
    Connect,
    /// `connect` fails.
    Refuse(Response),
    /// `next` gives these ids.
    Pull(&'static [&'static str]),
    /// `next` gives an event with a payload of this many bytes.
    Large(&'static str, usize),
    /// `next` fails.
    Fail,
    /// `next` panics.
    Panic,
}

#[derive(Debug, thiserror::Error)]
#[error("as scripted")]
pub(crate) struct Scripted(Response);

impl Failure for Scripted {
    fn response(&self) -> Response {
        self.0
    }

    fn remedy(&self) -> Option<String> {
        Some("change the script".into())
    }
}

/// What the source did, to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Positions it was resumed with, and when.
    pub(crate) connects: Vec<(Option<String>, Instant)>,
    /// What the last connection was told of other streams.
    pub(crate) elsewhere: Vec<Elsewhere>,
    pub(crate) closes: usize,
    pub(crate) made: usize,
}

#[derive(Clone)]
pub(crate) struct Script {
    lines: Arc<Mutex<VecDeque<Line>>>,
    pub(crate) played: Arc<Mutex<Played>>,
}

impl Script {
    pub(crate) fn new(lines: &[Line]) -> Self {
        let lines = Arc::new(Mutex::new(lines.iter().cloned().collect()));
        Self { lines, played: Arc::default() }
    }

    fn take(&self) -> Option<Line> {
        self.lines.lock().unwrap().pop_front()
    }
}

impl Source for Script {
    type Connection = Script;
    type Error = Scripted;

    async fn connect(&mut self, resume: Resume) -> Result<Script, Scripted> {
        let position = resume.position.map(|position| position.as_str().to_owned());
        {
            let mut played = self.played.lock().unwrap();
            played.connects.push((position, Instant::now()));
            played.elsewhere = resume.elsewhere;
        }
        match self.take() {
            Some(Line::Connect) => Ok(self.clone()),
            Some(Line::Refuse(response)) => Err(Scripted(response)),
            None => std::future::pending().await,
            line => unreachable!("{line:?} is no line for connect"),
        }
    }

    async fn probe(&mut self) -> Result<String, Scripted> {
        Ok("a script".to_owned())
    }
}

impl Connection for Script {
    type Error = Scripted;

    async fn next(&mut self) -> Result<Pull, Scripted> {
        let record = |id: &&str| record(id, 0);
        match self.take() {
            Some(Line::Pull(ids)) => {
                Ok(Pull { records: ids.iter().map(record).collect(), ..Pull::default() })
            }
            Some(Line::Large(id, bytes)) => {
                Ok(Pull { records: vec![self::record(id, bytes)], ..Pull::default() })
            }
            Some(Line::Fail) => Err(Scripted(Response::Retry)),
            Some(Line::Panic) => std::panic::panic_any("as scripted"),
            None => std::future::pending().await,
            line => unreachable!("{line:?} is no line for next"),
        }
    }

    async fn close(self) {
        self.played.lock().unwrap().closes += 1;
    }
}

fn record(id: &str, bytes: usize) -> Record {
    let data = Data::json(format!("\"{}\"", "x".repeat(bytes))).unwrap();
    Record {
        event: Event::builder(id, "urn:script", "t").data(data).build().unwrap(),
        source: SourceName::new("script").unwrap(),
        position: Position::new(format!("after {id}")).unwrap(),
        at_least: None,
    }
}

/// A supervisor that plays a script into a log.
pub(crate) struct Stage {
    pub(crate) log: LogHandle,
    pub(crate) status: StatusBoard,
    pub(crate) supervisor: Supervisor,
    pub(crate) script: Script,
}

/// Events larger than this are stored as stubs.
pub(crate) const RECORD_BYTES_MAX: usize = 128 << 10;

impl Stage {
    pub(crate) async fn play(lines: &[Line]) -> Self {
        Self::play_beside(lines, LogHandle::new(Memory::new(MemoryConfig::default())), &[]).await
    }

    /// On a log that other sources write to.
    pub(crate) async fn play_beside(
        lines: &[Line],
        log: LogHandle,
        running: &[(StreamName, SourceName)],
    ) -> Self {
        let script = Script::new(lines);
        let running = Arc::new(running.iter().cloned().collect());
        let stream = StreamName::events();
        log.open(&stream).await.unwrap();
        let status = StatusBoard::default();
        let supervisor = Supervisor::new(status.clone(), log.clone());
        let name = SourceName::new("script").unwrap();
        let ingest = Ingest::new(log.clone(), stream.clone(), name, RECORD_BYTES_MAX);
        let (played, made) = (script.clone(), Arc::clone(&script.played));
        let context = SourceContext { log: log.clone(), stream, ingest, running };
        supervisor.source(context, "script", move || {
            made.lock().unwrap().made += 1;
            played.clone()
        });
        Self { log, status, supervisor, script }
    }

    /// Waits until `count` events are stored and gives their ids.
    pub(crate) async fn stored(&self, count: usize) -> Vec<String> {
        let (mut ids, mut from) = (Vec::new(), Offset::ZERO);
        while ids.len() < count {
            let limit = ReadLimit { wait: Duration::from_secs(3600), ..ReadLimit::default() };
            let chunk = self.log.read(&StreamName::events(), from, limit).await.unwrap();
            assert!(!chunk.is_empty(), "only {ids:?} came");
            ids.extend(chunk.records().map(|record| record.event().unwrap().id().to_owned()));
            from = chunk.next;
        }
        ids
    }

    /// Waits until the source's status is as wished.
    pub(crate) async fn until(&self, wish: impl Fn(&ComponentStatus) -> bool) -> ComponentStatus {
        loop {
            let status = self.status.components().into_iter().next().unwrap();
            if wish(&status) {
                return status;
            }
            tokio::time::advance(Duration::from_millis(50)).await;
        }
    }
}
