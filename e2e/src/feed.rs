//! What came out of Pluvio, and whether it is right.
//!
//! A [`Collector`] watches from an offset on and keeps everything; when its watch ends it resumes
//! behind the last event, as a good client does. The checks are sentences about the whole feed:
//! [`in_order_none_twice`], [`keys_are_contiguous`].

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use crate::http::{Line, Watch};

/// The type of the event that stands for known loss.
pub const GAP: &str = "pluvio.gap.v0";

/// An event as a watcher sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Seen {
    /// CloudEvents id: the key, in a later life of the keys `<key>-<life>`.
    pub id: String,
    /// CloudEvents type.
    #[serde(rename = "type")]
    pub kind: String,
    /// CloudEvents subject.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// The offset, zero-padded.
    pub sequence: String,
    /// The cloud's own record.
    pub data: Option<Box<RawValue>>,
    /// When a collector read it, by this machine's clock.
    #[serde(skip)]
    pub arrived: Option<Timestamp>,
}

impl Seen {
    /// Reads a line.
    pub fn parse(line: &[u8]) -> Result<Self> {
        serde_json::from_slice(line)
            .with_context(|| format!("no event: {}", String::from_utf8_lossy(line)))
    }

    /// The offset.
    pub fn offset(&self) -> Result<i64> {
        self.sequence.parse().with_context(|| format!("`{}` is no offset", self.sequence))
    }

    /// The key and the life of keys it belongs to, from 1; `None` for an id that is no key.
    pub fn key(&self) -> Option<(i64, u32)> {
        if let Ok(key) = self.id.parse() {
            return Some((key, 1));
        }
        let (key, life) = self.id.rsplit_once('-')?;
        Some((key.parse().ok()?, life.parse().ok()?))
    }

    /// Whether it is about known loss.
    pub fn is_gap(&self) -> bool {
        self.kind == GAP
    }
}

/// Offsets grow, and nothing is there twice: neither an id, nor a key with the same time.
pub fn in_order_none_twice(feed: &[Seen]) -> Result<()> {
    let mut last = -1;
    let mut ids = HashSet::new();
    let mut happenings = HashSet::new();
    for seen in feed {
        let offset = seen.offset()?;
        ensure!(offset > last, "offset {offset} comes behind {last}");
        last = offset;
        ensure!(ids.insert(&seen.id), "id `{}` is there twice", seen.id);
        if let (Some((key, _)), Some(time)) = (seen.key(), seen.time) {
            let is_new = happenings.insert((key, time));
            ensure!(is_new, "key {key} of {time} is there twice, now as `{}`", seen.id);
        }
    }
    Ok(())
}

/// The longest way of an event that happened at `begun` or later, from the vCenter to the collector;
/// both must be on this machine.
pub fn longest_way(feed: &[Seen], begun: Timestamp) -> Duration {
    let ways = feed.iter().filter_map(|seen| {
        let time = seen.time.filter(|time| *time >= begun)?;
        Some(seen.arrived?.duration_since(time).unsigned_abs())
    });
    ways.max().unwrap_or_default()
}

/// From when on a vCenter may use its keys again: Pluvio takes events with the same key for the same
/// event if they are less than a second apart.
pub fn keys_may_begin_again(feed: &[Seen]) -> Timestamp {
    let newest = feed.iter().filter_map(|seen| seen.time).max().unwrap_or_default();
    newest + SignedDuration::from_millis(1_100)
}

/// The keys of one life, in the feed's order.
pub fn keys_of_life(feed: &[Seen], life: u32) -> Vec<i64> {
    feed.iter().filter_map(Seen::key).filter(|(_, l)| *l == life).map(|(key, _)| key).collect()
}

/// The keys are `first`, `first + 1`, … `last`, in this order.
pub fn keys_are_contiguous(keys: &[i64], first: i64, last: i64) -> Result<()> {
    let expected: Vec<i64> = (first..=last).collect();
    if keys == expected {
        return Ok(());
    }
    let (seen, wanted): (HashSet<_>, HashSet<_>) =
        (keys.iter().copied().collect(), expected.iter().copied().collect());
    let mut missing: Vec<_> = wanted.difference(&seen).copied().collect();
    let mut strange: Vec<_> = seen.difference(&wanted).copied().collect();
    missing.sort_unstable();
    strange.sort_unstable();
    let turn = keys.windows(2).find(|pair| pair[0] >= pair[1]);
    bail!(
        "keys are not {first} to {last}: {} seen, {} missing ({}), {} others ({}), order breaks \
         at {turn:?}",
        keys.len(),
        missing.len(),
        shown(&missing),
        strange.len(),
        shown(&strange),
    )
}

fn shown(keys: &[i64]) -> String {
    let first: Vec<String> = keys.iter().take(8).map(ToString::to_string).collect();
    let more = if keys.len() > first.len() { ", …" } else { "" };
    first.join(", ") + more
}

/// Counts how often each item is there, to compare two bags and not two lists.
pub fn bag<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut bag = BTreeMap::new();
    for item in items {
        *bag.entry(item).or_default() += 1;
    }
    bag
}

/// Watches in the background and keeps everything; stopped when dropped.
#[derive(Debug)]
pub struct Collector {
    feed: Arc<Mutex<Vec<Seen>>>,
    progress: watch::Receiver<Progress>,
    task: AbortHandle,
}

/// How far a collector is.
#[derive(Clone, Debug, Default)]
struct Progress {
    events: usize,
    /// How its last watch ended, if it cannot go on.
    ended: Option<String>,
}

impl Collector {
    /// Begins to watch with this query; returns when the server has answered.
    pub async fn start(address: SocketAddr, query: &str) -> Result<Self> {
        let watch = Watch::open(address, query).await?;
        let feed = Arc::<Mutex<Vec<Seen>>>::default();
        let (sender, progress) = watch::channel(Progress::default());
        let collecting = Arc::clone(&feed);
        let task = tokio::spawn(async move {
            let ended = collect(address, watch, &collecting, &sender).await;
            let reason = ended.err().map(|error| format!("{error:#}"));
            sender.send_modify(|progress| progress.ended = reason.or(Some("it ended".to_owned())));
        });
        Ok(Self { feed, progress, task: task.abort_handle() })
    }

    /// Waits until the feed satisfies `is_enough`, which is asked whenever something came.
    pub async fn until(
        &self,
        what: &str,
        within: Duration,
        is_enough: impl Fn(&[Seen]) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        let mut progress = self.progress.clone();
        loop {
            let ended = progress.borrow_and_update().ended.clone();
            let count = {
                let feed = self.feed();
                if is_enough(&feed) {
                    return Ok(());
                }
                feed.len()
            };
            if let Some(reason) = ended {
                bail!("the watch ended after {count} events without {what}: {reason}");
            }
            if timeout_at(deadline, progress.changed()).await.is_err() {
                bail!("{count} events within {}s, but not {what}", within.as_secs_f32());
            }
        }
    }

    /// Waits for an event whose type contains `kind`.
    pub async fn until_kind(&self, kind: &str, within: Duration) -> Result<()> {
        let has = |feed: &[Seen]| feed.iter().rev().any(|seen| seen.kind.contains(kind));
        self.until(kind, within, has).await
    }

    /// What has come so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.feed().clone()
    }

    fn feed(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn collect(
    address: SocketAddr,
    mut watch: Watch,
    feed: &Mutex<Vec<Seen>>,
    progress: &watch::Sender<Progress>,
) -> Result<()> {
    loop {
        while let Ok(Line::Event(line)) = watch.line().await {
            let mut seen = Seen::parse(&line)?;
            seen.arrived = Some(Timestamp::now());
            let events = {
                let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
                feed.push(seen);
                feed.len()
            };
            progress.send_modify(|progress| progress.events = events);
        }
        let next = {
            let feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
            let last = feed.last().context("the watch ended before any event")?;
            last.offset()? + 1
        };
        watch = Watch::open(address, &format!("offset={next}")).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(id: &str, offset: i64, second: i64) -> Seen {
        Seen {
            id: id.to_owned(),
            kind: "com.example.drop".to_owned(),
            subject: None,
            time: Timestamp::from_second(second).ok(),
            sequence: format!("{offset:020}"),
            data: None,
            arrived: None,
        }
    }

    #[test]
    fn an_id_is_a_key_and_a_life() {
        let key = |id| seen(id, 0, 0).key();
        assert_eq!(key("7"), Some((7, 1)));
        assert_eq!(key("-7"), Some((-7, 1)));
        assert_eq!(key("7-2"), Some((7, 2)));
        assert_eq!(key("-7-2"), Some((-7, 2)));
        assert_eq!(key("0b3c-x"), None);
    }

    #[test]
    fn a_feed_with_something_twice_or_out_of_order_is_wrong() {
        let is_right = |feed: &[Seen]| in_order_none_twice(feed).is_ok();
        assert!(is_right(&[seen("1", 1, 0), seen("2", 5, 0), seen("1-2", 6, 9)]));
        assert!(!is_right(&[seen("1", 1, 0), seen("2", 1, 0)]), "an offset twice");
        assert!(!is_right(&[seen("1", 1, 0), seen("1", 2, 9)]), "an id twice");
        assert!(!is_right(&[seen("1", 1, 0), seen("1-2", 2, 0)]), "an event under two ids");
    }

    #[test]
    fn keys_with_a_hole_or_a_turn_are_not_contiguous() {
        assert!(keys_are_contiguous(&[1, 2, 3], 1, 3).is_ok());
        assert!(keys_are_contiguous(&[1, 3], 1, 3).is_err());
        assert!(keys_are_contiguous(&[1, 3, 2], 1, 3).is_err());
        assert!(keys_are_contiguous(&[1, 2, 2, 3], 1, 3).is_err());
    }
}
