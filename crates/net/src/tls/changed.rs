//! Whether files have changed since they were read.
//!
//! Asked when something is about to use what was read, not by a thread that watches: a certificate
//! that nobody is shown need not be new. It refuses to read the files.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the file system is asked, at most.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What tells one content of a file from another: device, inode, length, and the time of its last
/// change in seconds and nanoseconds. `None`: the file is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Files, and what they looked like when they were read last.
#[derive(Clone, Debug)]
pub struct ChangedFiles {
    paths: Vec<PathBuf>,
    stamps: Vec<Stamp>,
    looked: Instant,
    /// What was read last could not be used.
    is_due: bool,
}

impl ChangedFiles {
    /// Remembers how the files look now. Call it before reading them: a change in between is then
    /// seen later, and not missed.
    pub fn new(paths: Vec<PathBuf>) -> ChangedFiles {
        let stamps = stamps(&paths);
        ChangedFiles { paths, stamps, looked: Instant::now(), is_due: false }
    }

    /// Whether any of the files has changed since the last call that said so; looks once a second.
    pub fn have_changed(&mut self) -> bool {
        if self.looked.elapsed() < LOOK_INTERVAL {
            return false;
        }
        self.look()
    }

    /// The same, now.
    pub fn look(&mut self) -> bool {
        self.looked = Instant::now();
        let stamps = stamps(&self.paths);
        let have_changed = stamps != self.stamps;
        self.stamps = stamps;
        std::mem::take(&mut self.is_due) || have_changed
    }

    /// Makes the next look say that they have changed: they could not be read or used, and the reason may
    /// pass without any change of theirs, such as a shortage of files to open.
    pub fn again(&mut self) {
        self.is_due = true;
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |metadata: Metadata| {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        (metadata.dev(), metadata.ino(), metadata.len(), changed.0, changed.1)
    };
    paths.iter().map(|path| std::fs::metadata(path).ok().map(stamp)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_could_not_be_used_are_due_again_without_a_change() {
        let mut files = ChangedFiles::new(vec![PathBuf::from("/dev/null")]);
        assert!(!files.look());
        files.again();
        assert!(files.look());
        assert!(!files.look());
    }
}
