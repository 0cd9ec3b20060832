//! What can go wrong with a file, and what the supervisor and the operator should do.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use pluvio_runtime::{Failure, Response};

/// What was done to a file when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Opening or making it.
    Open,
    /// Reading it.
    Read,
    /// Writing to it.
    Write,
    /// Making it durable.
    Sync,
    /// Giving it its finished name.
    Finish,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Finish => "finish",
        })
    }
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system said no.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was done.
        doing: Doing,
        /// To which file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The note beside the file is none of ours.
    #[error("failed to read the note `{path}`")]
    Note {
        /// The note.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Somebody else's file has this name.
    #[error("`{0}` is there already, and was not begun by this sink")]
    Foreign(PathBuf),
    /// A pipe, a device or a socket: opening one may wait for ever, and nothing in it can be read again.
    #[error("`{0}` is no regular file")]
    Special(PathBuf),
    /// Finished files would lie beside the link, on another disk perhaps, and the first would take its place.
    #[error("`{path}` is a link to `{target}`")]
    Link {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Another process writes to it.
    #[error("`{0}` is held by another process")]
    Held(PathBuf),
    /// The file was changed, moved or removed while it was written to.
    #[error("`{0}` was changed, moved or removed by somebody else")]
    Moved(PathBuf),
    /// A line is broken, and lines behind it had been acknowledged: nothing is cut.
    #[error("`{path}` is damaged at byte {byte}, before lines that had arrived")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the first flaw lies.
        byte: u64,
    },
    /// The task that wrote did not end.
    #[error("failed to write to `{path}`")]
    Task {
        /// The file.
        path: PathBuf,
        /// Why it did not.
        source: tokio::task::JoinError,
    },
}

/// How long a full disk is left alone.
const FULL_PAUSE: Duration = Duration::from_secs(5);

impl Error {
    /// Says what was done to `path` when the operating system said no.
    pub(super) fn at(doing: Doing, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Disk { doing, path, source }
    }

    fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Disk { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

impl Failure for Error {
    fn response(&self) -> Response {
        match self.kind() {
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Response::Wait(FULL_PAUSE),
            _ => Response::Retry,
        }
    }

    fn remedy(&self) -> Option<String> {
        if let Self::Link { target, .. } = self {
            return Some(format!(
                "write `path` = \"{}\"; finished files lie beside it",
                target.display()
            ));
        }
        let text = match (self, self.kind()) {
            (_, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) => {
                "free some room there; the sink waits and loses nothing as long as the log keeps \
                 its events"
            }
            (_, Some(ErrorKind::NotFound)) => "make the folder that `path` names",
            (_, Some(ErrorKind::PermissionDenied)) => {
                "let the user that runs Pluvio write to the folder and the file"
            }
            (_, Some(ErrorKind::ReadOnlyFilesystem)) => "choose a `path` that can be written",
            (_, Some(ErrorKind::IsADirectory | ErrorKind::NotADirectory)) => {
                "let `path` name a file, and folders before it"
            }
            (Self::Special(_), _) => "let `path` name a regular file, or one that is not there yet",
            (Self::Foreign(_), _) => "move it away, or choose another `path`",
            (Self::Note { .. }, _) => {
                "move it and the file beside it away; events that are in that file come again"
            }
            (Self::Damaged { .. }, _) => {
                "move the file away; the sink goes on in a new one, behind what had arrived"
            }
            (Self::Held(_), _) => "stop the other process, or choose another `path`",
            (Self::Moved(_), _) => {
                "let `rotate_size` and `rotate_age` finish the file; take only finished ones away"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_waited_for_and_says_what_helps() {
        let full = io::Error::from(ErrorKind::StorageFull);
        let error = Error::at(Doing::Write, Path::new("a.ndjson"))(full);
        assert_eq!(error.response(), Response::Wait(FULL_PAUSE));
        assert!(error.remedy().is_some_and(|remedy| remedy.starts_with("free some room")));
        assert_eq!(error.to_string(), "failed to write `a.ndjson`");
    }
}
