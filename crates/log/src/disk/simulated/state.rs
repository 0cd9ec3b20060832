//! All of the disk at one moment: what each call does, and what it leaves behind when it fails.
//!
//! Every change goes the same way: power, then injected faults, then whether it can be done, then
//! the change. It refuses to lock, to sleep and to be seen outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use super::{
    fault::{Fault, Operation, ended, full, power_off},
    file::Node,
    folder::{Entry, Folder},
};
use crate::disk::Listed;

/// What is free where no capacity was set: 1 TiB.
const FREE_BYTES: u64 = 1 << 40;

#[derive(Debug)]
pub(super) struct State {
    rng: SmallRng,
    folders: BTreeMap<PathBuf, Folder>,
    locks: BTreeSet<PathBuf>,
    power: Power,
    /// Of processes: files and locks belong to one.
    pub(super) life: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) delays: BTreeMap<Operation, Duration>,
    pub(super) capacity: Option<u64>,
    used: u64,
    pub(super) operations: u64,
    pub(super) syncs: u64,
    pub(super) bytes_written: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    /// Until that many operations were asked for, the last of which fails.
    OnUntil(u64),
    Off,
}

/// Whether a change is the one during which power goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    PowerLost,
}

/// An open file, as calls name it.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) path: PathBuf,
    pub(super) node: Node,
    pub(super) life: u64,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        let roots = ["/", "."].map(|root| (PathBuf::from(root), Folder::default()));
        Self {
            rng: SmallRng::seed_from_u64(seed),
            folders: roots.into(),
            locks: BTreeSet::new(),
            power: Power::On,
            life: 0,
            faults: Vec::new(),
            delays: BTreeMap::new(),
            capacity: None,
            used: 0,
            operations: 0,
            syncs: 0,
            bytes_written: 0,
        }
    }

    pub(super) fn power_off_after(&mut self, operations: u64) {
        self.power = match operations {
            0 => Power::Off,
            _ => Power::OnUntil(self.operations.saturating_add(operations)),
        };
    }

    pub(super) fn kill(&mut self) {
        self.life += 1;
        self.locks.clear();
    }

    pub(super) fn restart(&mut self) {
        self.kill();
        self.power = Power::On;
        self.used = 0;
        // Parents come before what is in them.
        for (path, mut folder) in std::mem::take(&mut self.folders) {
            let is_there = match parts(&path) {
                Some((parent, name)) => {
                    let parent = self.folders.get(&parent);
                    let entry = parent.and_then(|parent| parent.names().get(&name));
                    matches!(entry, Some(Entry::Folder))
                }
                None => true,
            };
            if !is_there {
                continue;
            }
            folder.restart(&mut self.rng);
            for entry in folder.names().values() {
                if let Entry::File(node) = entry {
                    node.restart(&mut self.rng);
                    self.used += node.len();
                }
            }
            self.folders.insert(path, folder);
        }
    }

    pub(super) fn file(&self, path: &Path) -> Option<Node> {
        let (folder, name) = parts(&key(path))?;
        match self.folders.get(&folder)?.names().get(&name)? {
            Entry::File(node) => Some(node.clone()),
            Entry::Folder => None,
        }
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for (path, folder) in &self.folders {
            let files = folder.names().iter().filter(|(_, entry)| matches!(entry, Entry::File(_)));
            paths.extend(files.map(|(name, _)| key(&path.join(name))));
        }
        paths.sort();
        paths
    }

    pub(super) fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        let fate = self.change(Operation::Create, path)?;
        let path = key(path);
        let mut missing = Vec::new();
        let mut at = path.as_path();
        while !self.folders.contains_key(at) {
            let (parent, name) = parts(at).ok_or(io::ErrorKind::InvalidInput)?;
            missing.push((parent.clone(), name));
            at = at.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        }
        if fate == Fate::PowerLost {
            // From the top, as far as it came.
            let made = self.rng.random_range(0..=missing.len());
            missing.drain(..missing.len() - made);
        }
        for (parent, name) in missing.into_iter().rev() {
            let folder = self.folder(&parent)?;
            if folder.names().contains_key(&name) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            folder.create(name.clone(), Entry::Folder);
            self.folders.insert(key(&parent.join(name)), Folder::default());
        }
        completed(fate)
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        self.powered()?;
        let folder = self.folders.get(&key(folder)).filter(|_| !folder.as_os_str().is_empty());
        let names = folder.ok_or(io::ErrorKind::NotFound)?.names().iter();
        let listed = names.map(|(name, entry)| {
            let bytes = match entry {
                Entry::File(node) => Some(node.len()),
                Entry::Folder => None,
            };
            Listed { name: name.clone(), bytes }
        });
        Ok(listed.collect())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Node> {
        let fate = self.change(Operation::Create, path)?;
        let (folder, name) = parts(&key(path)).ok_or(io::ErrorKind::InvalidInput)?;
        let has_effect = self.has_effect(fate);
        let folder = self.folder(&folder)?;
        if folder.names().contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Node::default();
        if has_effect {
            folder.create(name, Entry::File(node.clone()));
        }
        completed(fate).map(|()| node)
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<Node> {
        self.powered()?;
        self.strike(Operation::Open, path)?;
        self.file(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let fate = self.change(Operation::Rename, from)?;
        let node = self.file(from).ok_or(io::ErrorKind::NotFound)?;
        let (from, to) = (parts(&key(from)), parts(&key(to)));
        let ((folder, from), (to_folder, to)) = from.zip(to).ok_or(io::ErrorKind::InvalidInput)?;
        if folder != to_folder {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let has_effect = self.has_effect(fate);
        let folder = self.folder(&folder)?;
        let replaced = match folder.names().get(&to) {
            Some(Entry::Folder) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Entry::File(replaced)) => Some(replaced.clone()),
            None => None,
        };
        if has_effect && from != to {
            folder.rename(from, to, Entry::File(node));
            self.used -= replaced.map_or(0, |replaced| replaced.removed());
        }
        completed(fate)
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let fate = self.change(Operation::Remove, path)?;
        let node = self.file(path).ok_or(io::ErrorKind::NotFound)?;
        let (folder, name) = parts(&key(path)).ok_or(io::ErrorKind::InvalidInput)?;
        if self.has_effect(fate) {
            self.used -= node.removed();
            self.folder(&folder)?.remove(name, Entry::File(node));
        }
        completed(fate)
    }

    pub(super) fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let changed = self.change(Operation::SyncFolder, path);
        let folder = self.folders.get_mut(&key(path)).ok_or(io::ErrorKind::NotFound)?;
        match changed {
            Ok(Fate::Done) => folder.sync(),
            Ok(Fate::PowerLost) => return Err(power_off()),
            Err(error) if self.power == Power::Off => return Err(error),
            Err(error) => {
                folder.sync_in_part(&mut self.rng);
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, path: &Path, holder: &str) -> io::Result<()> {
        self.powered()?;
        let path = key(path);
        if self.locks.contains(&path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let node = match self.file(&path) {
            Some(node) => node,
            None => {
                let (folder, name) = parts(&path).ok_or(io::ErrorKind::InvalidInput)?;
                let node = Node::default();
                self.folder(&folder)?.create(name, Entry::File(node.clone()));
                node
            }
        };
        self.resize(&node, 0);
        self.grow(&node, holder.len() as u64);
        node.write(holder.as_bytes(), 0);
        self.locks.insert(path);
        Ok(())
    }

    pub(super) fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.powered()?;
        Ok(self.locks.contains(&key(path)))
    }

    pub(super) fn unlock(&mut self, path: &Path, life: u64) {
        if life == self.life {
            self.locks.remove(path);
        }
    }

    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        self.powered()?;
        Ok(self.free())
    }

    pub(super) fn read(&mut self, file: &Called, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.powered()?;
        self.alive(file)?;
        self.strike(Operation::Read, &file.path)?;
        if file.node.read(buffer, at) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn write(&mut self, file: &Called, bytes: &[u8], at: u64) -> io::Result<()> {
        self.alive(file)?;
        self.bytes_written += bytes.len() as u64;
        let end = at.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        let outcome = match self.change(Operation::Write, &file.path) {
            Ok(fate) => completed(fate),
            Err(error) if self.power == Power::Off => return Err(error),
            Err(error) => Err(error),
        };
        let has_room = file.node.growth(end) <= self.free();
        let mut written = bytes.len();
        if !has_room {
            let fitting = file.node.len().saturating_add(self.free()).saturating_sub(at);
            written = written.min(usize::try_from(fitting).unwrap_or(usize::MAX));
        }
        let outcome = if has_room { outcome } else { outcome.and_then(|()| Err(full())) };
        if outcome.is_err() {
            written = self.rng.random_range(0..=written);
        }
        if written > 0 {
            self.grow(&file.node, at + written as u64);
            file.node.write(&bytes[..written], at);
        }
        outcome
    }

    pub(super) fn sync(&mut self, file: &Called) -> io::Result<()> {
        self.alive(file)?;
        self.syncs += 1;
        match self.change(Operation::Sync, &file.path) {
            Ok(Fate::Done) => file.node.sync(),
            // What became durable is a part like any other: `restart` chooses.
            Ok(Fate::PowerLost) => return Err(power_off()),
            Err(error) if self.power == Power::Off => return Err(error),
            Err(error) => {
                file.node.sync_in_part(&mut self.rng);
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, file: &Called, bytes: u64) -> io::Result<()> {
        self.alive(file)?;
        let fate = self.change(Operation::Write, &file.path)?;
        if file.node.growth(bytes) > self.free() {
            return Err(full());
        }
        if self.has_effect(fate) {
            self.resize(&file.node, bytes);
        }
        completed(fate)
    }

    pub(super) fn is_at(&self, file: &Called, path: &Path) -> io::Result<bool> {
        self.powered()?;
        self.alive(file)?;
        Ok(self.file(path).is_some_and(|named| named.is(&file.node)))
    }

    pub(super) fn len(&self, file: &Called) -> io::Result<u64> {
        self.powered()?;
        self.alive(file)?;
        Ok(file.node.len())
    }

    /// Counts a change, and says whether it is the last before power goes, or fails.
    fn change(&mut self, operation: Operation, path: &Path) -> io::Result<Fate> {
        self.powered()?;
        self.operations += 1;
        if matches!(self.power, Power::OnUntil(last) if self.operations >= last) {
            self.power = Power::Off;
            return Ok(Fate::PowerLost);
        }
        self.strike(operation, path)?;
        Ok(Fate::Done)
    }

    fn strike(&mut self, operation: Operation, path: &Path) -> io::Result<()> {
        self.faults.iter_mut().find_map(|fault| fault.strike(operation, path)).map_or(Ok(()), Err)
    }

    fn has_effect(&mut self, fate: Fate) -> bool {
        fate == Fate::Done || self.rng.random_bool(0.5)
    }

    fn powered(&self) -> io::Result<()> {
        if self.power == Power::Off { Err(power_off()) } else { Ok(()) }
    }

    fn alive(&self, file: &Called) -> io::Result<()> {
        self.powered()?;
        if file.life == self.life { Ok(()) } else { Err(ended()) }
    }

    fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        self.folders.get_mut(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free(&self) -> u64 {
        self.capacity.map_or(FREE_BYTES, |capacity| capacity.saturating_sub(self.used))
    }

    fn grow(&mut self, node: &Node, end: u64) {
        self.used += node.growth(end);
    }

    fn resize(&mut self, node: &Node, bytes: u64) {
        if !node.is_removed() {
            self.used = (self.used - node.len()) + bytes;
        }
        node.set_len(bytes);
    }
}

fn completed(fate: Fate) -> io::Result<()> {
    match fate {
        Fate::Done => Ok(()),
        Fate::PowerLost => Err(power_off()),
    }
}

/// A path as it is kept: without `.` in it, and `.` where nothing is left.
pub(super) fn key(path: &Path) -> PathBuf {
    let key: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if key.as_os_str().is_empty() { PathBuf::from(".") } else { key }
}

/// The folder and the name in it; `None` for a root.
fn parts(key: &Path) -> Option<(PathBuf, String)> {
    let name = key.file_name().and_then(OsStr::to_str)?;
    let parent = key.parent()?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    Some((parent.to_owned(), name.to_owned()))
}
