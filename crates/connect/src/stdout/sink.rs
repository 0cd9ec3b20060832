//! Writes lines, each batch in one piece.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::tz::TimeZone;
use pluvio_event::shown_lines;
use pluvio_runtime::{
    Answers, Connected, Delivered, Failure, Format, Outcome, Rejected, Response, Sink, Standing,
    Writer,
};
use tokio::task::{JoinError, spawn_blocking};

use super::{
    config::Form,
    line::{Palette, line},
};

/// Standard output could not be written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system said no.
    #[error("failed to write to standard output")]
    Write(#[source] io::Error),
    /// The task that wrote did not end.
    #[error("failed to write to standard output")]
    Task(#[source] JoinError),
}

impl Failure for Error {
    fn response(&self) -> Response {
        Response::Retry
    }

    fn remedy(&self) -> Option<String> {
        let is_full = matches!(self, Self::Write(error) if error.kind() == ErrorKind::StorageFull);
        is_full.then(|| "free some room where standard output leads".to_owned())
    }
}

/// Standard output as a sink.
#[derive(Clone)]
pub struct Stdout {
    pub(super) form: Form,
    pub(super) palette: Palette,
    pub(super) zone: TimeZone,
    /// One writer at a time: a write that was given up may still be at it.
    pub(super) out: Arc<Mutex<dyn Write + Send>>,
}

impl std::fmt::Debug for Stdout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stdout").field("form", &self.form).finish_non_exhaustive()
    }
}

impl Stdout {
    /// On any output, for tests: without colors, in UTC.
    pub fn on(form: Form, out: Arc<Mutex<dyn Write + Send>>) -> Self {
        Self { form, palette: Palette::plain(), zone: TimeZone::UTC, out }
    }
}

impl Sink for Stdout {
    type Writer = Self;
    type Error = Error;

    async fn connect(&mut self, _: Standing) -> Result<Connected<Self>, Error> {
        Ok(Connected { writer: self.clone(), cursor: None })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let is_terminal = io::stdout().is_terminal();
        let kind = if is_terminal { "a terminal" } else { "a pipe or a file" };
        Ok(format!("standard output is {kind}"))
    }
}

impl Writer for Stdout {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], _: &Answers) -> Outcome<Error> {
        let (mut lines, mut rejected) = (Vec::new(), Vec::new());
        for record in batch {
            if let Err(reason) = self.render(record, &mut lines) {
                rejected.push(Rejected { offset: record.offset(), reason });
            }
        }
        let out = Arc::clone(&self.out);
        let written = spawn_blocking(move || {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(&lines).and_then(|()| out.flush())
        });
        match (written.await, batch.last()) {
            (Ok(Ok(())), Some(last)) if rejected.is_empty() => Outcome::AckedTo(last.offset()),
            (Ok(Ok(())), _) => Outcome::Rejected(rejected),
            (Ok(Err(error)), _) if error.kind() == ErrorKind::BrokenPipe => Outcome::Ended,
            (Ok(Err(error)), _) => Outcome::NotConnected(Error::Write(error)),
            (Err(error), _) => Outcome::NotConnected(Error::Task(error)),
        }
    }

    async fn close(self) {}
}

impl Stdout {
    /// Appends one line; or says why the record has none.
    fn render(&self, record: &Delivered, out: &mut Vec<u8>) -> Result<(), String> {
        let format = match self.form {
            Form::Text => {
                let event = record.event().ok_or("the record is no event")?;
                out.extend_from_slice(line(event, self.palette, &self.zone).as_bytes());
                out.push(b'\n');
                return Ok(());
            }
            Form::Cloudevents => Format::Cloudevents,
            Form::CloudeventsStored => Format::CloudeventsStored,
            Form::Native => Format::Native,
        };
        let from = out.len();
        format.line(record, out).map_err(|error| pluvio_runtime::Chain(&error).to_string())?;
        // A pipe may end at a terminal, too, as that of a container does.
        if let Ok(Cow::Owned(line)) = str::from_utf8(&out[from..]).map(shown_lines) {
            out.splice(from.., line.into_bytes());
        }
        Ok(())
    }
}
