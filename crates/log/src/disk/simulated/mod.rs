//! A disk in memory that fails as told, the same way for the same seed and the same calls.
//!
//! ```text
//!              write ▼                        create · rename · remove ▼
//!  file   what is read  ─ unsynced writes ┐    folder  what is listed ─ unsynced changes ┐
//!         what is durable ◀── sync ───────┘            what is durable ◀── sync_folder ──┘
//!                        ◀── some of them, power loss ──▶
//! ```
//!
//! Power loss keeps any part of what was not synced: each write whole, by sectors of 512 bytes in
//! any choice, with one sector torn, with a length that grew over zeros, or not at all; each name
//! change for itself, and that of a new folder like any other. More than a real disk does on most
//! days, and nothing that POSIX forbids: what a sync confirmed stays.
//!
//! After a failed sync part of the writes is durable and the rest never will be, though it is read
//! until power is lost: the next sync has nothing to do and says `Ok`, as Linux does.
//!
//! It refuses to know time: only [`SimulatedDisk::delay`] sleeps. It has one lock for all, and its
//! random numbers are drawn by changes that go wrong and by [`SimulatedDisk::restart`] only, so
//! reading does not alter what a seed does.

mod fault;
mod file;
mod folder;
mod state;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use fault::{Failure, Fault, Operation, is_power_off};

use self::state::{Called, State};
use super::{Disk, File, Listed, Lock};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    /// An empty disk. The folders `/` and `.` are there.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State::new(seed))))
    }

    /// Loses power during the `operations`-th change from now on, 1 being the next: that one may
    /// have had any part of its effect, and every call from then on fails with an error that
    /// [`is_power_off`] knows, until [`restart`](Self::restart). Changes are writes, cuts and
    /// syncs, folders made, and names created, renamed, removed and synced. 0 loses power at once.
    pub fn power_off_after(&self, operations: u64) {
        self.state().power_off_after(operations);
    }

    /// Power comes back, whether it was lost or not: what was not synced survives in part, as the
    /// seed says, and what survived is durable. Files opened before fail, locks are free. Faults,
    /// delays and the capacity stay.
    pub fn restart(&self) {
        self.state().restart();
    }

    /// The process ended, the machine did not: nothing is lost, but files opened before fail and
    /// locks are free.
    pub fn kill(&self) {
        self.state().kill();
    }

    /// Lets calls fail. Faults are asked in the order they came; the first that applies, wins.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Nothing that was injected fails any more.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Room for the contents of all files together, in bytes; without one, there is always some.
    /// Overwriting takes no room; lengthening does, also with zeros; removing gives it back.
    pub fn capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Makes every such call take `delay` longer: its thread sleeps, as with a real disk, and a
    /// paused clock does not help. Zero ends that.
    pub fn delay(&self, operation: Operation, delay: Duration) {
        self.state().delays.insert(operation, delay);
    }

    /// Changes a byte as a rotten sector does: nobody is told. `false` when the file is shorter or
    /// not there.
    pub fn flip(&self, path: impl AsRef<Path>, byte_at: u64, xor: u8) -> bool {
        let node = self.state().file(path.as_ref());
        node.is_some_and(|node| node.flip(byte_at, xor))
    }

    /// What reading a file gives. Works without power, too.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.state().file(path.as_ref()).map(|node| node.content())
    }

    /// All files, in order.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().paths()
    }

    /// Changes that were asked for so far, those that failed included.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Calls of [`File::sync`] so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Bytes that [`File::write_at`] was asked to write so far.
    pub fn bytes_written(&self) -> u64 {
        self.state().bytes_written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, after the delay that was asked for.
    fn call(&self, operation: Operation) -> MutexGuard<'_, State> {
        let state = self.state();
        let Some(delay) = state.delays.get(&operation).copied() else { return state };
        drop(state);
        sleep(delay);
        self.state()
    }
}

#[expect(clippy::disallowed_methods, reason = "a slow disk blocks its thread: that is the point")]
fn sleep(delay: Duration) {
    std::thread::sleep(delay);
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::Create).create_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        self.state().list(folder)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.call(Operation::Create);
        let node = state.create(path)?;
        Ok(Arc::new(self.handle(&state, path, node)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.call(Operation::Open);
        let node = state.open(path)?;
        Ok(Arc::new(self.handle(&state, path, node)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Operation::Rename).rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::Remove).remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::SyncFolder).sync_folder(path)
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn Lock>> {
        let mut state = self.state();
        state.lock(path, holder)?;
        let (disk, path) = (self.clone(), state::key(path));
        Ok(Box::new(Held { disk, path, life: state.life }))
    }

    fn lock_folder(&self, _folder: &Path) -> io::Result<Box<dyn Lock>> {
        // It has no links: the lock of the folder above is enough.
        Ok(Box::new(Nothing))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.state().is_locked(path)
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        self.state().free_bytes()
    }
}

impl SimulatedDisk {
    fn handle(&self, state: &State, path: &Path, node: file::Node) -> Handle {
        let called = Called { path: path.to_owned(), node, life: state.life };
        Handle { disk: self.clone(), called }
    }
}

/// An open file.
#[derive(Debug)]
struct Handle {
    disk: SimulatedDisk,
    called: Called,
}

impl File for Handle {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.disk.call(Operation::Read).read(&self.called, buffer, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.call(Operation::Write).write(&self.called, bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.call(Operation::Sync).sync(&self.called)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.disk.call(Operation::Write).set_len(&self.called, bytes)
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.state().len(&self.called)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.disk.state().is_at(&self.called, path)
    }

    fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    fn unlock(&self) {}
}

/// A lock that needs nothing.
#[derive(Debug)]
struct Nothing;

impl Lock for Nothing {
    fn is_kept(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// A lock that is held.
#[derive(Debug)]
struct Held {
    disk: SimulatedDisk,
    path: PathBuf,
    /// A lock that a restart freed may be somebody else's by now.
    life: u64,
}

impl Lock for Held {
    fn is_kept(&self) -> io::Result<bool> {
        let state = self.disk.state();
        Ok(state.life == self.life && state.is_locked(&self.path)?)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.state().unlock(&self.path, self.life);
    }
}
