//! The machine's own disk.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
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
        fs::create_dir_all(path).map_err(|error| match fs::symlink_metadata(path) {
            Ok(there) if !there.is_dir() => {
                let what = if there.is_symlink() { "a link that leads nowhere" } else { "a file" };
                let text = format!("{what} is in the place of a folder; move it away");
                io::Error::new(error.kind(), text)
            }
            _ => error,
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| explained(error, folder))? {
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
        Ok(Arc::new(RealFile(opened.map_err(|error| explained(error, path))?)))
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
        // The folder before the file: whoever is refused leaves the file and what it says alone.
        let folder = folder_of(path);
        let opened = fs::File::open(folder).map_err(|error| explained(error, folder))?;
        let locks_folders = match opened.try_lock() {
            Ok(()) => true,
            Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            // NFS, for one, locks only what is open for writing.
            Err(fs::TryLockError::Error(_)) => false,
        };
        // Where the file is missing, what lies beside it says whose the folder's content is.
        if fs::symlink_metadata(path).is_err()
            && let Some(beside) = first_beside(folder)?
        {
            check_owner(&fs::File::open(&beside)?, path)?;
        }
        let mut options = itself();
        options.read(true).write(true).create(true).truncate(false).mode(MODE);
        let mut file = options.open(path).map_err(|error| explained(error, path))?;
        file.try_lock()?;
        check_owner(&file, path)?;
        file.set_len(0)?;
        file.write_all(holder.as_bytes())?;
        Ok(Box::new(match locks_folders {
            true => RealLock { kept: opened, path: folder.to_owned(), _file: Some(file) },
            false => RealLock { kept: file, path: path.to_owned(), _file: None },
        }))
    }

    fn lock_folder(&self, folder: &Path) -> io::Result<Box<dyn Lock>> {
        let kept = fs::File::open(folder).map_err(|error| explained(error, folder))?;
        if let Err(fs::TryLockError::WouldBlock) = kept.try_lock() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(RealLock { kept, path: folder.to_owned(), _file: None }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        // A folder that cannot be locked says nothing; its file does.
        let folder = fs::File::open(folder_of(path));
        if folder.and_then(|folder| is_taken(&folder)).unwrap_or(false) {
            return Ok(true);
        }
        is_taken(&fs::File::open(path).map_err(|error| explained(error, path))?)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let told = rustix::fs::statvfs(path)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether somebody has it locked. Asked by a shared lock that is given back at once: two who ask do not
/// see each other.
fn is_taken(file: &fs::File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Whether what is open is what a name leads to now.
fn is_same(opened: &fs::File, named: io::Result<fs::Metadata>) -> io::Result<bool> {
    let named = match named {
        Err(error) if is_nowhere(&error) => return Ok(false),
        named => named?,
    };
    let opened = opened.metadata()?;
    Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}

/// Whether there is nothing of that name.
fn is_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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

/// A file in a folder, or in one of its folders; none in an empty one.
fn first_beside(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_file() => return Ok(Some(entry.path())),
            kind if kind.is_dir() => folders.push(entry.path()),
            _ => {}
        }
    }
    for folder in folders {
        let names = fs::read_dir(folder)?.filter_map(Result::ok);
        let mut files = names.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        if let Some(file) = files.next() {
            return Ok(Some(file.path()));
        }
    }
    Ok(None)
}

/// Refused when the file is another user's: what we made beside it could not be read by that user, which
/// is how `root` breaks the log of a service. What a new file belongs to says who we are here: for some
/// file systems `root` is nobody.
fn check_owner(file: &fs::File, path: &Path) -> io::Result<()> {
    let theirs = file.metadata()?.uid();
    if theirs == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let beside = path.with_extension(format!("owner-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside)?;
    let ours = made.metadata().map(|made| made.uid());
    fs::remove_file(&beside)?;
    match ours? {
        ours if ours == theirs => Ok(()),
        ours => Err(io::Error::new(io::ErrorKind::PermissionDenied, of_another(theirs, ours))),
    }
}

/// What helps somebody who is not the owner.
fn of_another(theirs: u32, ours: u32) -> String {
    format!(
        "it belongs to user {theirs}, and this is user {ours}: run this as that user, for example with \
         `sudo -u '#{theirs}'`, or give the whole folder of the log to user {ours} with `chown -R`"
    )
}

/// Says of a link that it is one, and of what may not be opened, made or listed whose it is.
pub fn explained(error: io::Error, path: &Path) -> io::Error {
    let ours = rustix::process::geteuid().as_raw();
    // What lies in a folder that is closed to us cannot be seen; the folder can.
    let mut visible = path.ancestors().filter_map(|it| fs::symlink_metadata(it).ok());
    if error.kind() == io::ErrorKind::PermissionDenied
        && let Some(found) = visible.next()
        && found.uid() != ours
    {
        return io::Error::new(error.kind(), of_another(found.uid(), ours));
    }
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

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        is_same(&self.0, fs::symlink_metadata(path))
    }

    fn lock(&self) -> io::Result<()> {
        match self.0.try_lock() {
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            // Not every file system locks.
            Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(()),
        }
    }

    fn unlock(&self) {
        // It ends with the file at the latest.
        let _ = self.0.unlock();
    }
}

/// `flock`, held as long as what is locked is open.
#[derive(Debug)]
struct RealLock {
    /// What keeps others out: the folder, or the file where folders cannot be locked.
    kept: fs::File,
    path: PathBuf,
    /// The file, beside a locked folder.
    _file: Option<fs::File>,
}

impl Lock for RealLock {
    fn is_kept(&self) -> io::Result<bool> {
        is_same(&self.kept, fs::metadata(&self.path))
    }
}

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
