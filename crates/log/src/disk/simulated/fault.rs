//! What goes wrong when, and the errors that tell it.
//!
//! It refuses to change anything: what a failing call leaves behind is for who carries it out.

use std::{io, path::Path};

use rustix::io::Errno;

/// Kinds of calls that can fail or be slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`Disk::open`](crate::disk::Disk::open).
    Open,
    /// [`File::read_at`](crate::disk::File::read_at).
    Read,
    /// [`File::write_at`](crate::disk::File::write_at) and `set_len`.
    Write,
    /// [`File::sync`](crate::disk::File::sync).
    Sync,
    /// [`Disk::create`](crate::disk::Disk::create) and `create_folder`.
    Create,
    /// [`Disk::rename`](crate::disk::Disk::rename).
    Rename,
    /// [`Disk::remove`](crate::disk::Disk::remove).
    Remove,
    /// [`Disk::sync_folder`](crate::disk::Disk::sync_folder).
    SyncFolder,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `EIO`: the device does not answer or says nonsense.
    Io,
    /// `ENOSPC`: no room, whatever the capacity.
    Full,
    /// `EMFILE`: the process has as many files open as it may.
    Files,
}

/// Calls that fail: by default the next one of its kind on any path, and only that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which kind of call.
    pub operation: Operation,
    /// How it fails.
    pub failure: Failure,
    /// What the path must contain; everything, where nothing is said. A renamed file is asked for
    /// by the name under which it was opened.
    pub path: Option<String>,
    /// How many such calls succeed before.
    pub after: u64,
    /// How many fail then.
    pub times: u64,
}

impl Fault {
    /// The next such call fails, once.
    pub fn new(operation: Operation, failure: Failure) -> Self {
        Self { operation, failure, path: None, after: 0, times: 1 }
    }

    /// Only on paths that contain `part`.
    #[must_use]
    pub fn on(self, part: impl Into<String>) -> Self {
        Self { path: Some(part.into()), ..self }
    }

    /// Only after `calls` such calls.
    #[must_use]
    pub fn after(self, calls: u64) -> Self {
        Self { after: calls, ..self }
    }

    /// That many times; [`u64::MAX`] for always.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Counts a call; `Some` when it fails.
    pub(super) fn strike(&mut self, operation: Operation, path: &Path) -> Option<io::Error> {
        let is_meant = self.operation == operation
            && self.path.as_ref().is_none_or(|part| path.to_string_lossy().contains(part));
        if !is_meant || self.times == 0 {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.times -= 1;
        Some(match self.failure {
            Failure::Io => Errno::IO.into(),
            Failure::Full => full(),
            Failure::Files => Errno::MFILE.into(),
        })
    }
}

/// There is no room.
pub(super) fn full() -> io::Error {
    Errno::NOSPC.into()
}

#[derive(Debug, thiserror::Error)]
#[error("the simulated power is off")]
struct PowerOff;

pub(super) fn power_off() -> io::Error {
    io::Error::other(PowerOff)
}

/// Whether a call failed because the power of a [`SimulatedDisk`](super::SimulatedDisk) is off.
pub fn is_power_off(error: &io::Error) -> bool {
    error.get_ref().and_then(|cause| cause.downcast_ref::<PowerOff>()).is_some()
}

#[derive(Debug, thiserror::Error)]
#[error("the file was opened before the simulated process ended")]
struct Ended;

pub(super) fn ended() -> io::Error {
    io::Error::other(Ended)
}
