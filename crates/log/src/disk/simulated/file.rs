//! What a file holds, what of it is durable, and what power loss makes of the difference.
//!
//! It refuses to know names, room and faults. Its work grows with what is written, not with the file.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rand::{Rng as _, RngExt as _, rngs::SmallRng};

/// What a disk writes at once or not at all, on a good day.
const SECTOR_BYTES: u64 = 512;

/// A file, whatever its name. Always taken under the lock of the disk, so its own is never waited
/// for.
#[derive(Clone, Debug, Default)]
pub(super) struct Node(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    /// What is read.
    current: Vec<u8>,
    /// What is there after power loss, unless a change survives.
    durable: Vec<u8>,
    /// What makes the one into the other, in order.
    unsynced: Vec<Change>,
    /// Whether no name leads here any more: its room was given back.
    removed: bool,
}

#[derive(Debug)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Length(u64),
}

impl Node {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn len(&self) -> u64 {
        self.contents().current.len() as u64
    }

    pub(super) fn content(&self) -> Vec<u8> {
        self.contents().current.clone()
    }

    /// `false` when the file ends before the buffer does.
    pub(super) fn read(&self, buffer: &mut [u8], at: u64) -> bool {
        let contents = self.contents();
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let found = contents.current.get(start..).and_then(|rest| rest.get(..buffer.len()));
        buffer.is_empty() || found.map(|found| buffer.copy_from_slice(found)).is_some()
    }

    pub(super) fn write(&self, bytes: &[u8], at: u64) {
        let mut contents = self.contents();
        put(&mut contents.current, bytes, at);
        contents.unsynced.push(Change::Write { at, bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&self, bytes: u64) {
        let mut contents = self.contents();
        contents.current.resize(bytes as usize, 0);
        contents.unsynced.push(Change::Length(bytes));
    }

    /// What would be charged for a file this long.
    pub(super) fn growth(&self, end: u64) -> u64 {
        let contents = self.contents();
        if contents.removed { 0 } else { end.saturating_sub(contents.current.len() as u64) }
    }

    /// The last name is gone; tells the room that it gives back.
    pub(super) fn removed(&self) -> u64 {
        let mut contents = self.contents();
        contents.removed = true;
        contents.current.len() as u64
    }

    pub(super) fn is_removed(&self) -> bool {
        self.contents().removed
    }

    /// Everything becomes durable.
    pub(super) fn sync(&self) {
        let Contents { durable, unsynced, .. } = &mut *self.contents();
        for change in unsynced.drain(..) {
            match change {
                Change::Write { at, bytes } => put(durable, &bytes, at),
                Change::Length(bytes) => durable.resize(bytes as usize, 0),
            }
        }
    }

    /// Part of it becomes durable, and nothing else ever will.
    pub(super) fn sync_in_part(&self, rng: &mut SmallRng) {
        let Contents { durable, unsynced, .. } = &mut *self.contents();
        for change in unsynced.drain(..) {
            match change {
                Change::Write { at, bytes } => survive(durable, &bytes, at, rng),
                Change::Length(bytes) if rng.random_bool(0.5) => durable.resize(bytes as usize, 0),
                Change::Length(_) => {}
            }
        }
    }

    /// Power was lost and came back.
    pub(super) fn restart(&self, rng: &mut SmallRng) {
        self.sync_in_part(rng);
        let Contents { current, durable, removed, .. } = &mut *self.contents();
        current.clone_from(durable);
        *removed = false;
    }

    /// Changes a byte wherever it lies.
    pub(super) fn flip(&self, byte_at: u64, xor: u8) -> bool {
        let Contents { current, durable, unsynced, .. } = &mut *self.contents();
        let at = usize::try_from(byte_at).unwrap_or(usize::MAX);
        if let Some(byte) = durable.get_mut(at) {
            *byte ^= xor;
        }
        for change in unsynced {
            let Change::Write { at: start, bytes } = change else { continue };
            let within = byte_at.checked_sub(*start).and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = within.and_then(|at| bytes.get_mut(at)) {
                *byte ^= xor;
            }
        }
        current.get_mut(at).map(|byte| *byte ^= xor).is_some()
    }
}

fn put(content: &mut Vec<u8>, bytes: &[u8], at: u64) {
    let Range { start, end } = at as usize..at as usize + bytes.len();
    if content.len() == start {
        content.extend_from_slice(bytes);
        return;
    }
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

/// What is left of a write that nobody waited for.
fn survive(durable: &mut Vec<u8>, bytes: &[u8], at: u64, rng: &mut SmallRng) {
    match rng.random_range(0..8) {
        0 | 1 => put(durable, bytes, at),
        2 | 3 => {}
        // The length was kept, the content was not.
        4 => {
            let end = at as usize + bytes.len();
            if durable.len() < end && !bytes.is_empty() {
                durable.resize(end, 0);
            }
        }
        5 => {
            // Up to somewhere, as a log's tail is most often.
            let sectors = sectors(at, bytes.len());
            let kept = rng.random_range(0..=sectors.len());
            keep(durable, bytes, at, &sectors[..kept]);
        }
        kind => {
            let mut sectors = sectors(at, bytes.len());
            let torn = (kind == 7 && !sectors.is_empty())
                .then(|| sectors.swap_remove(rng.random_range(0..sectors.len())));
            sectors.retain(|_| rng.random_bool(0.5));
            keep(durable, bytes, at, &sectors);
            if let Some(sector) = torn {
                tear(durable, bytes, at, sector, rng);
            }
        }
    }
}

/// The ranges of a write of `bytes` at `at` that lie in one sector each.
fn sectors(at: u64, bytes: usize) -> Vec<Range<usize>> {
    let mut sectors = Vec::with_capacity(bytes / SECTOR_BYTES as usize + 2);
    let mut start = 0;
    while start < bytes {
        let left = (SECTOR_BYTES - (at + start as u64) % SECTOR_BYTES) as usize;
        let end = bytes.min(start + left);
        sectors.push(start..end);
        start = end;
    }
    sectors
}

fn keep(durable: &mut Vec<u8>, bytes: &[u8], at: u64, sectors: &[Range<usize>]) {
    for sector in sectors {
        put(durable, &bytes[sector.clone()], at + sector.start as u64);
    }
}

/// A sector of which a part was written, or nonsense. What was in it before the write stays: that
/// was synced, and is written with the bytes that it had.
fn tear(durable: &mut Vec<u8>, bytes: &[u8], at: u64, sector: Range<usize>, rng: &mut SmallRng) {
    let place = at + sector.start as u64;
    if rng.random_bool(0.5) {
        let mut garbage = vec![0; sector.len()];
        rng.fill_bytes(&mut garbage);
        put(durable, &garbage, place);
        return;
    }
    let (place, end) = (place as usize, place as usize + sector.len());
    if durable.len() < end {
        durable.resize(end, 0);
    }
    let middle = rng.random_range(0..=sector.len());
    let new = if rng.random_bool(0.5) { 0..middle } else { middle..sector.len() };
    durable[place + new.start..place + new.end]
        .copy_from_slice(&bytes[sector.start + new.start..sector.start + new.end]);
}
