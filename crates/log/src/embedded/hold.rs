//! Whether the folder is still ours alone, asked before and behind what is written.
//!
//! What somebody does to the folder of a running log tells nobody: a file that was removed is written to
//! as before, and its records are gone with the process; a folder that was moved makes room for a second
//! Pluvio in its place. So a batch is acknowledged only when its segment still lies where it is looked for
//! after a restart, and nothing is written, also not by retention, once somebody else can lock the folder.
//!
//! It refuses to prevent: whoever may write to the folder may do anything to it. It is told at the next
//! append, or within a minute where nothing is appended.

use std::{
    io,
    path::Path,
    sync::{Arc, Weak},
};

use crate::{
    OpenError,
    disk::{self, Disk, File, Lock},
    own_file,
};

/// The lock of a folder, as those see it who write there. They do not keep it.
#[derive(Debug)]
pub(super) struct Hold {
    lock: Weak<dyn Lock>,
}

/// Takes the folder's lock, or says who has it.
pub(super) fn take(disk: &dyn Disk, folder: &Path) -> Result<Arc<dyn Lock>, OpenError> {
    let path = folder.join(own_file::LOCK);
    let holder = format!("pid {}\n", std::process::id());
    let lock = disk.lock(&path, &holder).map_err(|error| {
        if error.kind() != io::ErrorKind::WouldBlock {
            return OpenError::disk("lock", path.clone(), error);
        }
        OpenError::Locked { path: path.clone(), holder: holder_of(disk, &path) }
    })?;
    Ok(Arc::from(lock))
}

/// Takes the lock of a stream's folder, which may be a link to one that another log has, too.
pub(super) fn take_stream(disk: &dyn Disk, folder: &Path) -> Result<Box<dyn Lock>, OpenError> {
    disk.lock_folder(folder).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::disk("lock", folder, shared()),
        _ => OpenError::disk("lock", folder, error),
    })
}

/// Why a folder or file is not taken whose log is ours.
pub(super) fn shared() -> io::Error {
    let text = "another process writes there: this log shares it by a link, as a copy with links does; stop \
                that process, or use a copy of its own";
    io::Error::new(io::ErrorKind::WouldBlock, text)
}

/// What a lock says of who has it.
pub(super) fn holder_of(disk: &dyn Disk, path: &Path) -> String {
    let told = disk::contents(disk, path, 1024).unwrap_or_default();
    let told = String::from_utf8_lossy(&told).trim().to_owned();
    if told.is_empty() { "of unknown pid".to_owned() } else { told }
}

impl Hold {
    pub(super) fn new(lock: &Arc<dyn Lock>) -> Self {
        Self { lock: Arc::downgrade(lock) }
    }

    /// Refused when somebody else can take the folder.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.lock.upgrade() {
            Some(lock) if !lock.is_kept()? => Err(io::Error::other(
                "the folder of the log was moved, removed or replaced while it was written to: another \
                 process may use it",
            )),
            // None: the log ends, and what is open is not written to any more.
            _ => Ok(()),
        }
    }
}

/// Refused when `path` does not lead to `file` any more.
pub(super) fn check_place(file: &dyn File, path: &Path) -> io::Result<()> {
    if file.is_at(path)? {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "its file {} was moved, removed or replaced while it was written to: a restart would not find the \
         records",
        name(path)
    )))
}

/// A file without the folders above it: strangers read what keeps a stream from being written to, and
/// where files lie is nothing for them.
pub(super) fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
