//! The edge of the groups: the lock, the clock, the timer, the log.
//!
//! All groups are behind one lock, which is never held across an await: a group's work is small, and
//! members are few. It refuses to wake up while no group has a member.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kafka_protocol::ResponseError;
use metrics::gauge;
use pluvio_log::{AppendError, Entry, Log as _, LogHandle, ReadError, StreamName, Table};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout_at},
};
use tracing::warn;

use super::{
    event::{Action, Join, Joined, NotJoined, Speaker, Synced, Ticket, Time, said},
    names::Names,
    offsets::{Committed, GroupName, SHARED, cost, key, parse},
    share::{GROUPS, MEMBERS, OFFSETS, Share, Spaces, Usage},
    state::Group,
};
use crate::groups::{
    error,
    limits::{MEMBER_OVERHEAD_BYTES, OFFSET_REFRESH, OFFSETS_GRACE, OFFSETS_RETENTION},
    meter,
};

/// All groups of one log, whichever listeners their members come through.
pub(crate) struct Coordinator {
    log: LogHandle,
    names: Names,
    epoch: Instant,
    started: Timestamp,
    /// Rung when something may be due earlier than thought.
    bell: Notify,
    /// Held by the one listener that lets time pass for all.
    runs: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    slots: BTreeMap<GroupName, Slot>,
    /// What the offsets of all slots take, and what of being stored ones is promised.
    spaces: Spaces,
    waiting: HashMap<Ticket, Waiter>,
    tickets: u64,
    /// When forgotten offsets were last looked for.
    swept: Time,
}

/// A group with its offsets.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) group: Group,
    /// What the group's members cost, in bytes.
    bytes: usize,
    offsets: BTreeMap<StreamName, Committed>,
    /// Held while offsets are stored, so that memory and log agree on which came last.
    order: Arc<tokio::sync::Mutex<()>>,
}

/// Whom an answer goes to.
enum Waiter {
    Join(oneshot::Sender<Result<Joined, NotJoined>>),
    Sync(oneshot::Sender<Result<Synced, ResponseError>>),
}

/// Tells the group when nobody waits for a ticket any more.
struct Waiting<'a> {
    coordinator: &'a Coordinator,
    group: &'a GroupName,
    ticket: Ticket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let now = self.coordinator.now();
        let mut inner = self.coordinator.lock();
        if inner.waiting.remove(&self.ticket).is_some()
            && let Some(slot) = inner.slots.get_mut(self.group)
        {
            slot.group.abandon(self.ticket, now);
            self.coordinator.bell.notify_one();
        }
    }
}

/// Offsets on their way to the log, with their room. Dropped with its connection, it takes them for
/// stored: the log goes on without whoever waits for it.
struct Storing<'a> {
    coordinator: &'a Coordinator,
    group: &'a GroupName,
    offsets: Vec<(StreamName, Committed)>,
    /// What was counted for them beforehand.
    reserved: usize,
}

impl Storing<'_> {
    fn failed(mut self) {
        self.offsets.clear();
    }
}

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        let mut inner = self.coordinator.lock();
        inner.spaces.give_back(&self.group.space, self.reserved);
        inner.keep(self.group, std::mem::take(&mut self.offsets));
        gauge!(meter::GROUPS).set(inner.slots.len() as f64);
    }
}

/// Drops a group that was made for a commit and has got nothing.
struct Tidy<'a> {
    coordinator: &'a Coordinator,
    group: &'a GroupName,
}

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        self.coordinator.lock().drop_if_unused(self.group);
    }
}

impl Coordinator {
    /// Reads what was committed.
    pub(crate) async fn load(log: LogHandle) -> Result<Self, ReadError> {
        let mut inner = Inner::default();
        for (key, value) in log.entries(Table::Offsets).await? {
            if let (Some((group, stream)), Some(committed)) =
                (parse(&key), Committed::decode(value))
            {
                inner.keep(&group, vec![(stream, committed)]);
            }
        }
        gauge!(meter::GROUPS).set(inner.slots.len() as f64);
        Ok(Self {
            log,
            names: Names::default(),
            epoch: Instant::now(),
            started: Timestamp::now(),
            bell: Notify::new(),
            runs: tokio::sync::Mutex::default(),
            inner: Mutex::new(inner),
        })
    }

    /// Lets time pass for the groups. Never ends. Each listener runs it, and one of them does the work: where
    /// that one ends, another goes on.
    pub(crate) async fn run(&self) -> Infallible {
        let _runs = self.runs.lock().await;
        loop {
            let due = self.lock().slots.values().filter_map(|slot| slot.group.due()).min();
            match due {
                None => self.bell.notified().await,
                Some(due) => {
                    let rung = timeout_at(self.epoch + due, self.bell.notified()).await;
                    if rung.is_err() {
                        self.tick();
                    }
                }
            }
        }
    }

    fn tick(&self) {
        let now = self.now();
        let mut inner = self.lock();
        let is_due = |slot: &Slot| slot.group.due().is_some_and(|due| due <= now);
        let due = inner.slots.iter().filter(|(_, slot)| is_due(slot));
        let due: Vec<GroupName> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            inner.change(&name, |group| group.tick(now));
        }
    }

    pub(crate) async fn join(&self, name: &GroupName, join: Join) -> Result<Joined, NotJoined> {
        let prefix = join.instance.as_deref().unwrap_or(&join.client);
        let (fresh, is_given) =
            (self.names.fresh(name, prefix), self.names.is_given(name, &join.member));
        let join = Join { fresh, is_given, ..join };
        let member = join.member.clone();
        let (sender, receiver) = oneshot::channel();
        let now = self.now();
        let ticket = {
            let mut inner = self.lock();
            let is_full = !inner.slots.contains_key(name) && inner.is_full(&name.space);
            let had = inner.slots.get(name).map_or(0, |slot| slot.group.bytes_of(&join));
            let more = (MEMBER_OVERHEAD_BYTES + said(&join.protocols)).saturating_sub(had);
            if is_full || (more > 0 && inner.lacks_room(&name.space, more)) {
                return Err(NotJoined { error: ResponseError::GroupMaxSizeReached, member });
            }
            let ticket = inner.ticket(Waiter::Join(sender));
            inner.change(name, |group| group.join(join, ticket, now));
            ticket
        };
        self.bell.notify_one();
        let _waiting = Waiting { coordinator: self, group: name, ticket };
        let error = ResponseError::CoordinatorNotAvailable;
        receiver.await.unwrap_or(Err(NotJoined { error, member }))
    }

    pub(crate) async fn sync(
        &self,
        name: &GroupName,
        assigned_bytes: usize,
        sync: impl FnOnce(&mut Group, Ticket, Time),
    ) -> Result<Synced, ResponseError> {
        let (sender, receiver) = oneshot::channel();
        let now = self.now();
        let ticket = {
            let mut inner = self.lock();
            if !inner.slots.contains_key(name) {
                return Err(ResponseError::UnknownMemberId);
            }
            if assigned_bytes > 0 && inner.lacks_room(&name.space, assigned_bytes) {
                return Err(ResponseError::GroupMaxSizeReached);
            }
            let ticket = inner.ticket(Waiter::Sync(sender));
            inner.change(name, |group| sync(group, ticket, now));
            ticket
        };
        self.bell.notify_one();
        let _waiting = Waiting { coordinator: self, group: name, ticket };
        receiver.await.unwrap_or(Err(ResponseError::CoordinatorNotAvailable))
    }

    /// Tells a group something that is answered at once; `None` where there is no such group.
    pub(crate) fn tell<T>(
        &self,
        name: &GroupName,
        event: impl FnOnce(&mut Group, Time) -> T,
    ) -> Option<T> {
        let now = self.now();
        let mut inner = self.lock();
        if !inner.slots.contains_key(name) {
            return None;
        }
        let told = inner.change(name, |group| event(group, now));
        self.bell.notify_one();
        Some(told)
    }

    /// Stores offsets, if the speaker may; durable on return.
    pub(crate) async fn commit(
        &self,
        name: &GroupName,
        speaker: Speaker<'_>,
        offsets: Vec<(StreamName, Committed)>,
    ) -> Result<(), ResponseError> {
        // Behind the order, which keeps the group.
        let _tidy = Tidy { coordinator: self, group: name };
        let order = self.admit(name, speaker)?;
        self.sweep().await;
        let _order = order.lock().await;
        self.store(name, offsets).await
    }

    /// Deletes those offsets of a group that `is_chosen` names; durable on return. A group that has
    /// members keeps all, and one that is left without offsets is gone.
    pub(crate) async fn delete(
        &self,
        name: &GroupName,
        is_chosen: impl Fn(&StreamName) -> bool,
    ) -> Result<(), ResponseError> {
        let order = {
            let inner = self.lock();
            let slot = inner.slots.get(name).ok_or(ResponseError::GroupIdNotFound)?;
            Arc::clone(&slot.order)
        };
        let held = order.lock().await;
        let chosen: Vec<StreamName> = {
            let inner = self.lock();
            let slot = inner.slots.get(name).ok_or(ResponseError::GroupIdNotFound)?;
            if !slot.group.is_idle() {
                return Err(ResponseError::NonEmptyGroup);
            }
            slot.offsets.keys().filter(|stream| is_chosen(stream)).cloned().collect()
        };
        let entries = chosen.iter().map(|stream| Entry { key: key(name, stream), value: None });
        let deleted = self.log.put(Table::Offsets, entries.collect()).await;
        deleted.map_err(|failed| error::of_commit(&failed))?;
        let mut inner = self.lock();
        chosen.iter().for_each(|stream| inner.forget(name, stream));
        drop(held);
        drop(order);
        inner.drop_if_unused(name);
        gauge!(meter::GROUPS).set(inner.slots.len() as f64);
        Ok(())
    }

    async fn store(
        &self,
        name: &GroupName,
        offsets: Vec<(StreamName, Committed)>,
    ) -> Result<(), ResponseError> {
        let changed = self.changed(name, offsets);
        if changed.is_empty() {
            return Ok(());
        }
        let (entries, kept): (Vec<Entry>, Vec<_>) = changed
            .into_iter()
            .map(|(stream, committed)| {
                let (value, kept) = committed.stored();
                (Entry { key: key(name, &stream), value: Some(value) }, (stream, kept))
            })
            .unzip();
        let storing = self.reserve(name, kept)?;
        if let Err(failed) = self.log.put(Table::Offsets, entries).await {
            storing.failed();
            if matches!(failed, AppendError::TableFull { .. }) {
                self.lock().refuse_offsets(&name.space);
            }
            return Err(error::of_commit(&failed));
        }
        Ok(())
    }

    /// Takes room for what `offsets` need more than those that they replace.
    fn reserve<'a>(
        &'a self,
        name: &'a GroupName,
        offsets: Vec<(StreamName, Committed)>,
    ) -> Result<Storing<'a>, ResponseError> {
        let mut inner = self.lock();
        let slot = inner.slots.get(name);
        let (mut before, mut after) = (0, 0);
        for (stream, new) in &offsets {
            let old = slot.and_then(|slot| slot.offsets.get(stream));
            before += old.map_or(0, |old| cost(name, stream, old));
            after += cost(name, stream, new);
        }
        let reserved = after.saturating_sub(before);
        if !inner.spaces.reserve(&name.space, reserved) {
            inner.refuse_offsets(&name.space);
            return Err(error::NO_ROOM);
        }
        drop(inner);
        Ok(Storing { coordinator: self, group: name, offsets, reserved })
    }

    fn admit(
        &self,
        name: &GroupName,
        speaker: Speaker<'_>,
    ) -> Result<Arc<tokio::sync::Mutex<()>>, ResponseError> {
        let now = self.now();
        let mut inner = self.lock();
        if let Some(slot) = inner.slots.get_mut(name) {
            slot.group.check_commit(speaker, now)?;
            return Ok(Arc::clone(&slot.order));
        }
        if speaker.generation >= 0 {
            return Err(ResponseError::IllegalGeneration);
        }
        if inner.is_full(&name.space) {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        Ok(Arc::clone(&inner.slots.entry(name.clone()).or_default().order))
    }

    /// Those that say something new, or nothing new after a long time.
    fn changed(
        &self,
        name: &GroupName,
        offsets: Vec<(StreamName, Committed)>,
    ) -> Vec<(StreamName, Committed)> {
        // Of a stream that is named again and again, the last one holds.
        let mut offsets: BTreeMap<StreamName, Committed> = offsets.into_iter().collect();
        let inner = self.lock();
        let refresh = milliseconds(OFFSET_REFRESH);
        offsets.retain(|stream, new| {
            let old = inner.slots.get(name).and_then(|slot| slot.offsets.get(stream));
            old.is_none_or(|old| !old.is_same(new) || new.at - old.at >= refresh)
        });
        offsets.into_iter().collect()
    }

    /// A group's offsets that are not forgotten.
    pub(crate) fn offsets(&self, name: &GroupName) -> BTreeMap<StreamName, Committed> {
        let inner = self.lock();
        let Some(slot) = inner.slots.get(name) else { return BTreeMap::new() };
        let is_kept = |committed: &Committed| !self.is_forgotten(slot, committed);
        slot.offsets
            .iter()
            .filter(|(_, committed)| is_kept(committed))
            .map(|(stream, committed)| (stream.clone(), committed.clone()))
            .collect()
    }

    /// Gives all groups of a space to `show`, those left out that are forgotten but not yet deleted.
    pub(crate) fn list<T>(&self, space: &str, show: impl Fn(&str, &Group) -> T) -> Vec<T> {
        let inner = self.lock();
        let is_there = |slot: &&Slot| {
            !slot.group.is_idle() || slot.offsets.values().any(|o| !self.is_forgotten(slot, o))
        };
        let mine = inner.slots.iter().filter(|(name, _)| &*name.space == space);
        let there = mine.filter(|(_, slot)| is_there(slot));
        there.map(|(name, slot)| show(&name.id, &slot.group)).collect()
    }

    /// Deletes what is forgotten, at most once an hour.
    async fn sweep(&self) {
        // With the orders held nothing is committed meanwhile: what is found under them is what is
        // deleted. All sweeps take them in the order of the groups' names, and commits one only.
        let mut held = Vec::new();
        for (name, order) in self.neglected() {
            held.push((name, order.lock_owned().await));
        }
        let forgotten: Vec<(GroupName, StreamName)> = {
            let inner = self.lock();
            let slots = held.iter().filter_map(|(name, _)| inner.slots.get_key_value(name));
            slots.flat_map(|(name, slot)| self.forgotten(name, slot)).collect()
        };
        if forgotten.is_empty() {
            return;
        }
        let delete = |(name, stream): &(GroupName, StreamName)| Entry {
            key: key(name, stream),
            value: None,
        };
        let entries = forgotten.iter().map(delete).collect();
        if let Err(failed) = self.log.put(Table::Offsets, entries).await {
            let _told = error::of_commit(&failed);
            return;
        }
        let mut inner = self.lock();
        forgotten.iter().for_each(|(name, stream)| inner.forget(name, stream));
        drop(held);
        forgotten.iter().for_each(|(name, _)| inner.drop_if_unused(name));
        gauge!(meter::GROUPS).set(inner.slots.len() as f64);
    }

    /// The groups in which something is forgotten; none if that was looked for within the hour.
    fn neglected(&self) -> Vec<(GroupName, Arc<tokio::sync::Mutex<()>>)> {
        let now = self.now();
        let mut inner = self.lock();
        if now.saturating_sub(inner.swept) < OFFSETS_GRACE {
            return Vec::new();
        }
        inner.swept = now;
        let slots = inner.slots.iter();
        let neglected = slots.filter(|(name, slot)| self.forgotten(name, slot).next().is_some());
        neglected.map(|(name, slot)| (name.clone(), Arc::clone(&slot.order))).collect()
    }

    fn forgotten(
        &self,
        name: &GroupName,
        slot: &Slot,
    ) -> impl Iterator<Item = (GroupName, StreamName)> {
        let offsets = slot.offsets.iter().filter(|(_, o)| self.is_forgotten(slot, o));
        offsets.map(|(stream, _)| (name.clone(), stream.clone()))
    }

    fn is_forgotten(&self, slot: &Slot, committed: &Committed) -> bool {
        if !slot.group.is_idle() {
            return false;
        }
        let started = self.started.as_millisecond();
        let emptied = match slot.group.emptied() {
            Some(at) => started + milliseconds(at),
            None => started - milliseconds(OFFSETS_RETENTION) + milliseconds(OFFSETS_GRACE),
        };
        let used = committed.at.max(emptied);
        started + milliseconds(self.now()) - used > milliseconds(OFFSETS_RETENTION)
    }

    fn now(&self) -> Time {
        self.epoch.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Whether there is no place for one group more in `space`.
    fn is_full(&mut self, space: &str) -> bool {
        let usage = self.usage(space, GROUPS, |_| 1);
        let is_full = !GROUPS.admits(space, usage, 1);
        if is_full && let Some(count) = self.spaces.refused_group(space) {
            let (space, groups) = (shown(space), usage.own);
            warn!(
                space,
                groups,
                count,
                "group limit reached, refusing new groups: delete those that nobody uses, for example \
                 with `kafka-consumer-groups.sh --delete --group …`"
            );
        }
        is_full
    }

    /// Whether there is no room for `more` bytes of what members of groups in `space` say.
    fn lacks_room(&mut self, space: &str, more: usize) -> bool {
        let usage = self.usage(space, MEMBERS, |slot| slot.bytes);
        let is_full = !MEMBERS.admits(space, usage, more);
        if is_full && let Some(count) = self.spaces.refused_group(space) {
            let (space, bytes) = (shown(space), usage.own);
            warn!(space, bytes, count, "groups' members hold too much, refusing more");
        }
        is_full
    }

    /// How much of what slots cost is held. Groups of a space are beside each other.
    fn usage(&self, space: &str, share: Share, cost: impl Fn(&Slot) -> usize) -> Usage {
        let (mut usage, mut last, mut held) = (Usage::default(), SHARED, 0);
        for (name, slot) in &self.slots {
            if *name.space != *last {
                usage.beyond += if last == SHARED { 0 } else { share.beyond(held) };
                (last, held) = (&name.space, 0);
            }
            held += cost(slot);
            usage.own += if *name.space == *space { cost(slot) } else { 0 };
        }
        usage.beyond += if last == SHARED { 0 } else { share.beyond(held) };
        usage
    }

    /// Says, once a minute, that commits find no room.
    fn refuse_offsets(&mut self, space: &str) {
        if let Some(count) = self.spaces.refused_offsets(space) {
            let (bytes, bytes_max) = (self.spaces.bytes(space), OFFSETS.max(space));
            let space = shown(space);
            warn!(
                space,
                bytes,
                bytes_max,
                count,
                "no room for more offsets of kafka groups, refusing commits; delete groups that are not \
                 used any more, or let them commit shorter metadata"
            );
        }
    }

    /// Keeps offsets that are in the log, and counts them.
    fn keep(&mut self, name: &GroupName, offsets: Vec<(StreamName, Committed)>) {
        if offsets.is_empty() {
            return;
        }
        let slot = self.slots.entry(name.clone()).or_default();
        for (stream, new) in offsets {
            self.spaces.add(&name.space, cost(name, &stream, &new));
            if let Some(old) = slot.offsets.get(&stream) {
                self.spaces.give_back(&name.space, cost(name, &stream, old));
            }
            slot.offsets.insert(stream, new);
        }
    }

    /// Drops an offset that is in the log no more.
    fn forget(&mut self, name: &GroupName, stream: &StreamName) {
        let slot = self.slots.get_mut(name);
        if let Some(old) = slot.and_then(|slot| slot.offsets.remove(stream)) {
            self.spaces.give_back(&name.space, cost(name, stream, &old));
        }
    }

    fn ticket(&mut self, waiter: Waiter) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, waiter);
        ticket
    }

    /// Changes a group and gives out the answers that are due.
    fn change<T>(&mut self, name: &GroupName, event: impl FnOnce(&mut Group) -> T) -> T {
        let slot = self.slots.entry(name.clone()).or_default();
        let result = event(&mut slot.group);
        slot.bytes = slot.group.bytes();
        for action in slot.group.take_actions() {
            // Nobody there to take it: the connection is gone, and so is its ticket.
            match action {
                Action::Join(ticket, answer) => {
                    if let Some(Waiter::Join(sender)) = self.waiting.remove(&ticket) {
                        let _ = sender.send(answer);
                    }
                }
                Action::Sync(ticket, answer) => {
                    if let Some(Waiter::Sync(sender)) = self.waiting.remove(&ticket) {
                        let _ = sender.send(answer);
                    }
                }
            }
        }
        self.drop_if_unused(name);
        gauge!(meter::GROUPS).set(self.slots.len() as f64);
        result
    }

    fn drop_if_unused(&mut self, name: &GroupName) {
        let is_unused = |slot: &Slot| {
            slot.group.is_idle() && slot.offsets.is_empty() && Arc::strong_count(&slot.order) == 1
        };
        if self.slots.get(name).is_some_and(is_unused) {
            self.slots.remove(name);
        }
    }
}

/// A space for the log line.
fn shown(space: &str) -> &str {
    if space == SHARED { "(all who see everything)" } else { space }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
