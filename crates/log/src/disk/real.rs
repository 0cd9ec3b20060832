//! The machine's own disk.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

use super::{Disk, File, Listed, Lock};

/// Files are the operator's alone: events tell who did what.
const MODE: u32 = 0o640;

/// The disk of the machine that Pluvio runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(fs::File);

impl Disk for RealDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // A stream's folder may lie elsewhere; of a link to nowhere only the link is there.
            let kind = fs::metadata(entry.path()).or_else(|_| entry.metadata());
            let kind = match kind {
                // Removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                kind => kind?,
            };
            let Ok(name) = entry.file_name().into_string() else { continue };
            names.push(Listed { name, bytes: (!kind.is_dir()).then_some(kind.len()) });
        }
        Ok(names)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(MODE).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let writable = itself().read(true).write(true).open(path);
        let opened = match writable {
            Err(error) if is_read_only(&error) => itself().read(true).open(path),
            other => other,
        };
        Ok(Arc::new(RealFile(opened.map_err(|error| told(error, path))?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Lock>> {
        let mut options = itself();
        options.read(true).write(true).create(true).truncate(false).mode(MODE);
        let mut file = options.open(path).map_err(|error| told(error, path))?;
        file.try_lock()?;
        file.set_len(0)?;
        file.write_all(holder.as_bytes())?;
        Ok(Box::new(RealLock { _file: file }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        // Shared, and given back at once: two who ask do not see each other.
        match fs::File::open(path)?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let told = rustix::fs::statvfs(path)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }
}

/// Opens a file itself, never what a link in its place points to: who may write into the folder of the
/// log must not have other files cut and written by it. Folders may be links.
fn itself() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    options
}

/// Whether only writing is refused: `pluvio log` reads what belongs to somebody else, and snapshots that
/// are mounted read-only.
fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Says of a link that it is one.
fn told(error: io::Error, path: &Path) -> io::Error {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
        && fs::symlink_metadata(path).is_ok_and(|kind| kind.is_symlink())
    {
        let text = "it is a symbolic link; the log follows links to folders only: put the file itself \
                    here, or link the folder";
        return io::Error::new(error.kind(), text);
    }
    error
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// `flock`, held as long as the file is open.
#[derive(Debug)]
struct RealLock {
    _file: fs::File,
}

impl Lock for RealLock {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_read() {
        for errno in [rustix::io::Errno::ROFS, rustix::io::Errno::ACCESS, rustix::io::Errno::PERM] {
            assert!(is_read_only(&io::Error::from(errno)), "{errno}");
        }
        assert!(!is_read_only(&io::Error::from(rustix::io::Errno::IO)));
    }
}
