//! The file that is appended to: at its end, over zeros written ahead.
//!
//! A sync over blocks that were written before is about half as long as one that makes the file
//! longer, because the file system has nothing of its own to write down. So whenever the zeros are
//! used up, more of them go out with the batch: as much as the segment holds, up to 1 MiB.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{hold, layout};
use crate::{
    Offset,
    disk::{Disk, File},
};

const AHEAD_BYTES_MIN: u64 = 64 << 10;
const AHEAD_BYTES_MAX: u64 = 1 << 20;
static ZEROS: [u8; AHEAD_BYTES_MAX as usize] = [0; AHEAD_BYTES_MAX as usize];

#[derive(Debug)]
pub(super) struct Active {
    pub(super) base: Offset,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn File>,
    /// The byte after the last batch.
    pub(super) end: u64,
    /// How long the file is.
    ahead: u64,
}

impl Active {
    /// Makes an empty segment, durably.
    pub(super) fn create(disk: &dyn Disk, folder: &Path, base: Offset) -> io::Result<Self> {
        let path = layout::segment(folder, base);
        let file = disk.create(&path)?;
        if let Err(error) = disk.sync_folder(folder) {
            // Without it nothing may be written behind its name; if it stays all the same, recovery
            // takes an empty last segment away.
            disk.remove(&path)?;
            return Err(error);
        }
        lock(&*file)?;
        Ok(Self { base, path, file, end: 0, ahead: 0 })
    }

    /// Goes on behind `end` of a segment that was scanned; what follows is cut unless it is zeros.
    pub(super) fn resume(
        base: Offset,
        path: PathBuf,
        file: Arc<dyn File>,
        end: u64,
        is_torn: bool,
    ) -> io::Result<Self> {
        lock(&*file)?;
        let ahead = file.len()?;
        let mut active = Self { base, path, file, end, ahead };
        if is_torn {
            active.cut()?;
        }
        Ok(active)
    }

    /// Lets others have the file.
    pub(super) fn release(&self) {
        self.file.unlock();
    }

    /// How many bytes the next `bytes` make the file longer; 0 while the zeros last.
    pub(super) fn growth(&self, bytes: u64) -> u64 {
        let needed = self.end + bytes;
        if needed <= self.ahead { 0 } else { needed - self.ahead + self.zeros() }
    }

    fn zeros(&self) -> u64 {
        self.end.clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX)
    }

    /// Refused when the file is not where a restart looks for it, or shorter than what was written: then
    /// something else moved, removed or cut it.
    pub(super) fn check(&self) -> io::Result<()> {
        hold::check_place(&*self.file, &self.path)?;
        let bytes = self.file.len()?;
        if bytes >= self.ahead {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "its file {} was cut to {bytes} bytes while it was written to; it had {} bytes of records",
            hold::name(&self.path),
            self.end
        )))
    }

    /// Writes these one behind the other, behind the end and without moving it.
    pub(super) fn write<'a>(&mut self, batches: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let (mut end, zeros) = (self.end, self.zeros());
        for bytes in batches {
            self.file.write_at(bytes, end)?;
            end += bytes.len() as u64;
        }
        if end > self.ahead {
            self.file.write_at(&ZEROS[..zeros as usize], end)?;
            self.ahead = end + zeros;
        }
        Ok(())
    }

    /// Moves the end behind what was written, and synced where that is the policy.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.end += bytes;
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// Cuts all behind the end, durably: zeros at sealing, half a batch after a failure.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.ahead = self.end;
        self.file.sync()
    }
}

/// The folder's lock does not keep out who has the file by another name.
fn lock(file: &dyn File) -> io::Result<()> {
    file.lock().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => hold::shared(),
        _ => error,
    })
}
