//! Batches in memory, decoded once for all their readers; and the places of sealed segments.
//!
//! Bounded in bytes. What was just written is there at once, so whoever follows the tail never reads
//! the disk.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};

use super::index::BatchLocation;
use crate::{Batch, disk::File};

/// A batch: which segment (numbered in this process), and its first byte there.
pub(super) type Key = (u64, u32);

pub(super) type Batches = Cache<Key, Arc<Batch>, Weigh>;
pub(super) type Places = Cache<u64, Arc<Vec<BatchLocation>>, Weigh>;
/// Sealed segments that were read lately, open: the operating system reads ahead on each.
pub(super) type Files = Cache<u64, Arc<dyn File>>;

#[derive(Clone)]
pub(super) struct Weigh;

/// What an entry costs beside its content.
const ENTRY_BYTES: u64 = 200;

impl Weighter<Key, Arc<Batch>> for Weigh {
    fn weight(&self, _: &Key, batch: &Arc<Batch>) -> u64 {
        let records = size_of_val(batch.records()) as u64;
        batch.footprint() + records + ENTRY_BYTES
    }
}

impl Weighter<u64, Arc<Vec<BatchLocation>>> for Weigh {
    fn weight(&self, _: &u64, places: &Arc<Vec<BatchLocation>>) -> u64 {
        size_of_val(places.as_slice()) as u64 + ENTRY_BYTES
    }
}

/// Most bytes that places of sealed segments take: those of four segments of the smallest batches.
const PLACES_BYTES_MAX: u64 = 8 << 20;

pub(super) fn batches(bytes_max: u64) -> Batches {
    Cache::with_weighter((bytes_max / (16 << 10)).max(16) as usize, bytes_max, Weigh)
}

/// Most sealed segments that are open at a time, far below what a process may open.
const FILES_MAX: usize = 128;

pub(super) fn files() -> Files {
    Cache::new(FILES_MAX)
}

pub(super) fn places() -> Places {
    Cache::with_weighter(64, PLACES_BYTES_MAX, Weigh)
}
