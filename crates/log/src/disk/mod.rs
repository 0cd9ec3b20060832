//! All that the log does to files, so that a disk that fails can stand in for the real one.
//!
//! Only what is needed, with what POSIX promises and no more:
//!
//! - What [`File::write_at`] wrote may be lost, in part or whole, until [`File::sync`] returned `Ok`.
//!   After a failed sync nobody knows what is on the disk, and a later sync that succeeds proves
//!   nothing: never ask twice.
//! - A file that was created, renamed or removed may be there or not until [`Disk::sync_folder`] of
//!   its folder returned `Ok`, each name for itself.
//! - A removed file stays readable for those who have it open.
//!
//! Every call blocks. Nothing here retries, buffers or knows what a segment is.

mod real;
mod simulated;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use real::{RealDisk, explained};
pub use simulated::{Failure, Fault, Operation, SimulatedDisk, is_power_off};

/// A place for files.
pub trait Disk: Send + Sync + fmt::Debug + 'static {
    /// Makes a folder and those above it; nothing happens if it is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, with the sizes of files, in no order.
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>>;

    /// Makes a file that is not there yet.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens a file that is there.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name in the same folder, in place of what has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes what was created, renamed and removed in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes a lock that ends with the process, on a file that is made where it is missing and on its
    /// folder, and writes `holder` into the file. [`io::ErrorKind::WouldBlock`] when another process has
    /// either: a file that somebody removed lets nobody else in. A file system that locks no folders has
    /// the file's lock alone.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Lock>>;

    /// Takes a lock that ends with the process on a folder that is there. [`io::ErrorKind::WouldBlock`] when
    /// another process has it; nothing is locked on a file system that locks no folders.
    fn lock_folder(&self, folder: &Path) -> io::Result<Box<dyn Lock>>;

    /// Whether a process has that lock; changes nothing. A file that is missing is nobody's, unless its
    /// folder is locked.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;

    /// Bytes that can still be written to the file system of `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// An open file. Positions and lengths in bytes.
pub trait File: Send + Sync + fmt::Debug {
    /// Fills `buffer` from `at` on. [`io::ErrorKind::UnexpectedEof`] when the file is shorter.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `at`, making the file longer where needed. After an error any part
    /// of it may have been written; writing the same again is safe.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes what was written durable, and the length that reading needs (`fdatasync`).
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file, or makes it longer with zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// How long it is.
    fn len(&self) -> io::Result<u64>;

    /// Whether `path` still names it: not, when it was removed, renamed or replaced, or a folder on the
    /// way to it was.
    fn is_at(&self, path: &Path) -> io::Result<bool>;

    /// Takes a lock on it, by whatever name it was opened, until [`unlock`](Self::unlock) or until it is
    /// closed. [`io::ErrorKind::WouldBlock`] when somebody else has it; nothing is locked on a file system
    /// that locks no files.
    fn lock(&self) -> io::Result<()>;

    /// Gives the lock back.
    fn unlock(&self);

    /// Whether it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A lock, until it is dropped.
pub trait Lock: Send + Sync + fmt::Debug {
    /// Whether it still keeps others out: not, when what is locked was moved or replaced, so that somebody
    /// else can lock what lies in its place.
    fn is_kept(&self) -> io::Result<bool>;
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The last part of its path.
    pub name: String,
    /// Its size, or `None` for a folder.
    pub bytes: Option<u64>,
}

/// Writes a small file as a whole: after a crash it holds either what it held or `content`.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match disk.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(&beside)?;
    file.write_at(content, 0)?;
    file.sync()?;
    disk.rename(&beside, path)?;
    disk.sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// All bytes of a file that is no larger than `bytes_max`.
pub(crate) fn contents(disk: &dyn Disk, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let bytes = file.len()?;
    if bytes > bytes_max {
        let text = format!("it has {bytes} bytes; at most {bytes_max} are expected");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut content = vec![0; bytes as usize];
    file.read_at(&mut content, 0)?;
    Ok(content)
}
