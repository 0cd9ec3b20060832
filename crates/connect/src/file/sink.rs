//! The sink: lines for a batch, and the blocking work in a thread of its own.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use pluvio_runtime::{
    Answers, Connected, Delivered, Failure as _, Outcome, Rejected, Sink, Standing, Writer,
};
use tokio::task::spawn_blocking;

use super::{
    config::Settings,
    error::{Doing, Error},
    lines::Lines,
    note,
    spool::{Spool, check_kind},
};
use crate::outbound::object_name::Names;

/// Longest name of a file on Linux, `NAME_MAX`.
const NAME_BYTES_MAX: usize = 255;
/// Room for the number behind a finished file's name, if that is taken.
const NUMBER_BYTES: usize = "-999".len();

/// A file as a sink.
#[derive(Clone, Debug)]
pub struct File(pub(super) Arc<Settings>);

impl File {
    /// What no other sink may write to.
    pub fn identity(&self) -> String {
        self.0.path.display().to_string()
    }

    /// The file that grows. Absolute, as far as the current folder is known.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The names that finished files get, in the folder of [`path`](Self::path).
    pub fn finished(&self, sink: &str, stream: &str) -> Names {
        Names::new(&self.0.finished, stream, sink).ended(self.0.compression.ending())
    }

    /// Why it cannot be written, as far as the path alone tells, and what to do; `None`: it can, or is not
    /// there yet.
    pub fn wrong_kind(&self) -> Option<String> {
        let wrong = check_kind(&self.0.path).err()?;
        let remedy = wrong.remedy().unwrap_or_default();
        Some(format!("{wrong}; {remedy}"))
    }

    /// Which key makes the name of a file longer than a file system takes, and by how much.
    pub fn too_long(&self, sink: &str, stream: &str) -> Option<(&'static str, String)> {
        let finished = self.finished(sink, stream).bytes() + NUMBER_BYTES;
        let grown = note::draft(&self.0).file_name().unwrap_or_default().len();
        let names = [("finished", finished), ("path", grown)];
        let (key, bytes) = names.into_iter().find(|(_, bytes)| *bytes > NAME_BYTES_MAX)?;
        let excess = bytes - NAME_BYTES_MAX;
        let message = format!(
            "`{key}` makes names of {bytes} bytes, with what is put around them, and a file's name has at \
             most {NAME_BYTES_MAX}; shorten it by {excess}"
        );
        Some((key, message))
    }

    /// Why lines cannot be written again, if there are any: a file holds each event once, and what was
    /// acknowledged is never cut.
    pub fn refuses_repeats(&self) -> Option<String> {
        let (file, note) = (&self.0.path, note::path(&self.0));
        (file.exists() || note.exists()).then(|| {
            format!(
                "`{}` holds each event once, and what is in it is never cut; stop Pluvio, move it and \
                 `{}` away, and the sink begins a new file at the place named",
                file.display(),
                note.display()
            )
        })
    }
}

impl Sink for File {
    type Writer = Open;
    type Error = Error;

    async fn connect(&mut self, standing: Standing) -> Result<Connected<Open>, Error> {
        let settings = Arc::clone(&self.0);
        let (spool, cursor) = self.blocking(move || Spool::open(settings, standing)).await?;
        let writer = Open { file: self.clone(), spool: Arc::new(Mutex::new(spool)) };
        Ok(Connected { writer, cursor: Some(cursor) })
    }

    async fn probe(&mut self) -> Result<String, Error> {
        let settings = Arc::clone(&self.0);
        self.blocking(move || probe(&settings)).await
    }
}

impl File {
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let task = |source| Error::Task { path: self.0.path.clone(), source };
        spawn_blocking(work).await.map_err(task)?
    }
}

fn probe(settings: &Settings) -> Result<String, Error> {
    let folder = &settings.folder;
    std::fs::read_dir(folder).map_err(Error::at(Doing::Open, folder))?;
    let path = &settings.path;
    check_kind(path)?;
    if !path.exists() {
        return Ok(format!("`{}` will be begun", path.display()));
    }
    let opened = std::fs::OpenOptions::new().append(true).open(path);
    let bytes = opened.and_then(|file| file.metadata()).map_err(Error::at(Doing::Open, path))?;
    Ok(format!("`{}` can be written, and holds {} bytes", path.display(), bytes.len()))
}

/// An open file.
#[derive(Debug)]
pub struct Open {
    file: File,
    /// A write that was given up may still be at it; then the next opening finds the file held.
    spool: Arc<Mutex<Spool>>,
}

impl Writer for Open {
    type Error = Error;

    async fn write(&mut self, batch: &[Delivered], _: &Answers) -> Outcome<Error> {
        let (mut lines, mut rejected) = (Lines::default(), Vec::new());
        for record in batch {
            if let Err(reason) = lines.push(record) {
                rejected.push(Rejected { offset: record.offset(), reason });
            }
        }
        // "The others have arrived" is only true if all others are written at once.
        let is_whole = !rejected.is_empty();
        let spool = Arc::clone(&self.spool);
        let append = move || {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            spool.append(&lines, is_whole)
        };
        match self.file.blocking(append).await {
            Ok(Some(last)) if rejected.is_empty() => Outcome::AckedTo(last),
            Ok(_) => Outcome::Rejected(rejected),
            Err(error) => Outcome::NotConnected(error),
        }
    }

    async fn close(self) {}
}
