//! What readers met that is not what was written: told once a minute, counted, and known to whoever asks
//! how the log is, until it can be read again or retention took it.
//!
//! A reader that tries again and again is one reader; a line for each of its reads would hide all others.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::{counter, gauge};

use super::{Stream, read::Segment};
use crate::{
    Damage, Offset, ReadError,
    embedded::{index::BatchLocation, layout, lock},
    meter,
};

/// A stream tells of damage that often.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Places that are known, at most; more are counted as reads only.
const PLACES_MAX: usize = 1000;

/// Damaged places of one stream.
#[derive(Debug, Default)]
pub(super) struct Damages {
    /// Whether there are any: asked by every read.
    any: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the offset of the batch.
    places: BTreeMap<Offset, Met>,
    /// When it was told last, by the time that passed.
    told: Option<Duration>,
    /// Reads since then.
    reads: u64,
}

#[derive(Debug)]
struct Met {
    path: PathBuf,
    byte: u64,
    reason: String,
}

impl Stream {
    /// A reader met damage at `place`.
    pub(super) fn damage(
        &self,
        segment: &Segment,
        place: &BatchLocation,
        reason: String,
    ) -> ReadError {
        let path = layout::segment(&self.folder, segment.base);
        self.met(path, u64::from(place.at), place.base, reason)
    }

    /// A reader met damage.
    pub(super) fn met(
        &self,
        path: PathBuf,
        byte: u64,
        offset: Offset,
        reason: String,
    ) -> ReadError {
        let stream = self.name.to_string();
        counter!(meter::DAMAGED_READS, "stream" => stream.clone()).increment(1);
        let now = (self.context.config.passed)();
        let mut known = lock(&self.damages.known);
        if known.places.len() < PLACES_MAX {
            let met = Met { path: path.clone(), byte, reason: reason.clone() };
            known.places.insert(offset, met);
        }
        self.damages.any.store(true, Ordering::Release);
        let places = known.places.len();
        gauge!(meter::DAMAGED_PLACES, "stream" => stream).set(places as f64);
        known.reads += 1;
        if known.told.is_none_or(|told| now.saturating_sub(told) >= TOLD_EVERY) {
            let reads = std::mem::take(&mut known.reads);
            known.told = Some(now);
            tracing::error!(stream = %self.name, path = %path.display(), byte, %offset, reason, places,
                reads, "a reader met bytes that are not what was written; see `pluvio log verify`");
        }
        ReadError::Damaged { path, byte, offset, reason }
    }

    /// The batch at `place` was read and is what was written.
    pub(super) fn is_whole(&self, place: &BatchLocation) {
        if !self.damages.any.load(Ordering::Acquire) {
            return;
        }
        let mut known = lock(&self.damages.known);
        if known.places.remove(&place.base).is_some() {
            self.count(&known);
        }
    }

    /// The first place that is known and not deleted since.
    pub(super) fn damaged(&self, start: Offset) -> Option<Damage> {
        if !self.damages.any.load(Ordering::Acquire) {
            return None;
        }
        let mut known = lock(&self.damages.known);
        let before = known.places.len();
        known.places.retain(|offset, _| *offset >= start);
        if known.places.len() != before {
            self.count(&known);
        }
        let (offset, met) = known.places.first_key_value()?;
        let Met { path, byte, reason } = met;
        let (path, byte, reason) = (path.clone(), *byte, reason.clone());
        Some(Damage { path, byte, offset: *offset, reason, places: known.places.len() })
    }

    fn count(&self, known: &Known) {
        let places = known.places.len();
        self.damages.any.store(places > 0, Ordering::Release);
        gauge!(meter::DAMAGED_PLACES, "stream" => self.name.to_string()).set(places as f64);
    }
}
