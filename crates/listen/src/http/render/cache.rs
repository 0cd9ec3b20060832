//! The cache of pages: bounded in bytes, the least recently used go first.
//!
//! It hands out cells, not pages: who finds the cell empty fills it, and whoever comes meanwhile
//! waits for that ([`OnceCell`]); if the first gives up, the next one fills it. Who has no room to fill it as
//! yet waits for that outside of the cell, and is told when another has filled it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pluvio_log::StreamName;
use tokio::sync::{Notify, OnceCell};

use super::{Form, Span, lines::Lines, pins::Pins};

/// What names a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) stream: StreamName,
    pub(super) form: Form,
    pub(super) span: Span,
}

/// A page, once it is rendered.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) lines: OnceCell<Arc<Lines>>,
    /// Told when it is.
    pub(super) filled: Notify,
    /// Who has it on its way. Whoever waits for that keeps this, and not the page.
    pub(super) pins: Arc<Pins>,
}

pub(super) struct Cache {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slots: HashMap<Key, Slot>,
    /// Keys by the tick of their last use.
    order: BTreeMap<u64, Key>,
    tick: u64,
    bytes: usize,
}

struct Slot {
    cell: Arc<Cell>,
    used: u64,
    bytes: usize,
}

impl Slot {
    /// Whether its page is made, and on nobody's way.
    fn is_idle(&self) -> bool {
        let lines = self.cell.lines.get();
        Arc::strong_count(&self.cell) == 1 && lines.is_some_and(|l| Arc::strong_count(l) == 1)
    }
}

/// What a page costs beside its content: keys, nodes, counters.
const SLOT_BYTES: usize = 512;

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default() }
    }

    /// The cell of `key`, now the most recently used.
    pub(super) fn cell(&self, key: &Key) -> Arc<Cell> {
        let state = &mut *self.lock();
        state.tick += 1;
        let tick = state.tick;
        if let Some(slot) = state.slots.get_mut(key) {
            if let Some(key) = state.order.remove(&slot.used) {
                state.order.insert(tick, key);
            }
            slot.used = tick;
            return Arc::clone(&slot.cell);
        }
        let cell = Arc::<Cell>::default();
        let slot = Slot { cell: Arc::clone(&cell), used: tick, bytes: SLOT_BYTES };
        state.slots.insert(key.clone(), slot);
        state.order.insert(tick, key.clone());
        state.bytes += SLOT_BYTES;
        cell
    }

    /// Adds `bytes` to what the page of `key` costs, and makes room.
    pub(super) fn weigh(&self, key: &Key, bytes: usize) {
        let state = &mut *self.lock();
        if let Some(slot) = state.slots.get_mut(key) {
            slot.bytes += bytes;
            state.bytes += bytes;
        }
        while state.bytes > self.bytes_max && state.order.len() > 1 {
            let Some((_, oldest)) = state.order.pop_first() else { break };
            let slot = state.slots.remove(&oldest);
            state.bytes -= slot.map_or(0, |slot| slot.bytes);
        }
    }

    /// Makes room for `bytes` of pages, the least recently used go first, as far as nobody but the cache has
    /// them; whether any did.
    pub(super) fn give_way(&self, bytes: usize) -> bool {
        let state = &mut *self.lock();
        let (mut given, mut idle) = (0, Vec::new());
        for (tick, key) in &state.order {
            if given >= bytes {
                break;
            }
            let slot = state.slots.get(key).filter(|slot| slot.is_idle());
            if let Some(slot) = slot {
                given += slot.bytes;
                idle.push(*tick);
            }
        }
        for tick in idle {
            let Some(key) = state.order.remove(&tick) else { continue };
            let slot = state.slots.remove(&key);
            state.bytes -= slot.map_or(0, |slot| slot.bytes);
        }
        given > 0
    }

    /// Drops a cell that could not be filled.
    pub(super) fn forget(&self, key: &Key) {
        let state = &mut *self.lock();
        if let Some(slot) = state.slots.remove(key) {
            state.order.remove(&slot.used);
            state.bytes -= slot.bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use pluvio_log::Offset;

    use super::{super::Page, *};

    fn key(number: i64) -> Key {
        let from = Offset::new(number).unwrap_or(Offset::ZERO);
        let span = Span { from, to: from.following() };
        Key { stream: StreamName::events(), form: Form::Ndjson, span }
    }

    #[test]
    fn the_cache_keeps_its_bound_and_what_was_used_last() {
        let cache = Cache::new(100 * (SLOT_BYTES + 1000));
        let favourite = cache.cell(&key(0));
        cache.weigh(&key(0), 1000);
        for number in 1..1000 {
            cache.cell(&key(number));
            cache.weigh(&key(number), 1000);
            assert!(Arc::ptr_eq(&cache.cell(&key(0)), &favourite));
            let state = cache.lock();
            assert!(state.bytes <= cache.bytes_max);
            assert_eq!(
                (state.slots.len(), state.bytes),
                (state.order.len(), state.slots.len() * (SLOT_BYTES + 1000))
            );
        }
        assert_eq!(cache.lock().slots.len(), 100);
    }

    #[test]
    fn pages_that_nobody_takes_give_way_the_oldest_first() {
        let cache = Cache::new(1 << 20);
        let mut on_its_way = None;
        for number in 0..4 {
            let lines = Arc::new(Lines::of(Bytes::from_static(b"line\n")));
            if number == 1 {
                on_its_way = Some(Page::new(&lines, key(1), None).slice(0..0));
            }
            let filled = cache.cell(&key(number)).lines.set(lines);
            assert!(filled.is_ok());
            cache.weigh(&key(number), 1000);
        }
        cache.cell(&key(4));
        let kept = || {
            let state = cache.lock();
            let at = |number: &i64| state.slots.contains_key(&key(*number));
            (0..5).filter(at).collect::<Vec<i64>>()
        };
        assert!(cache.give_way(1));
        assert_eq!(kept(), [1, 2, 3, 4]);
        assert!(cache.give_way(1 << 20) && !cache.give_way(1));
        assert_eq!(kept(), [1, 4]);
        drop(on_its_way);
        assert!(cache.give_way(1));
        assert_eq!((kept(), cache.lock().bytes), (vec![4], SLOT_BYTES));
    }

    #[test]
    fn what_could_not_be_filled_is_forgotten() {
        let cache = Cache::new(1 << 20);
        cache.cell(&key(0));
        cache.forget(&key(0));
        let state = cache.lock();
        assert_eq!((state.bytes, state.order.len()), (0, 0));
    }
}
