//! The state of the cloud, all of it behind one lock.
//!
//! One lock is enough: every call holds it for microseconds, and answers are rendered from events
//! that were prepared when they were recorded. Whoever changes something that a client may wait for
//! raises the revision; [`Shared`](crate::shared::Shared) turns that into a wake-up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use uuid::Uuid;

use super::config::{ApiVersion, VCenterConfig};
use super::events::{Draft, Event, Stamp, render};
use super::faults::Troubles;
use super::history::History;
use super::inventory::Inventory;
use super::session::Session;
use super::workload::Workload;
use crate::clock::{Clock, microseconds};
use crate::error::Error;
use crate::seed::seeded_uuid;
use crate::shared::Living;

/// One event that truly happened, for comparison with what a client captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Produced {
    /// The key, as the cloud counts.
    pub key: i32,
    /// When the cloud says it was created.
    pub created_time: Timestamp,
    /// The class, in the protocol's spelling.
    pub class: Cow<'static, str>,
}

/// The first version whose keys end before the numbers do, and the last key there unless it is configured.
const KEYS_END_SINCE: ApiVersion = ApiVersion([9, 0, 0, 0]);
const KEY_MAX: i32 = 2_147_480_000;

/// Everything that the cloud is and knows.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) api_version: ApiVersion,
    pub(crate) instance_uuid: Uuid,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) clock: Clock,
    pub(crate) inventory: Inventory,
    pub(crate) history: History,
    /// Sessions by cookie.
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) troubles: Troubles,
    /// What happened, whether or not the history still shows it.
    pub(crate) ledger: Vec<Produced>,
    pub(crate) first_key: i32,
    pub(crate) next_key: i32,
    pub(crate) events_per_second: f64,
    /// Grows with every change that a client may be waiting for.
    pub(crate) revision: u64,
    workload: Workload,
    /// The chain of the operation that the workload is in.
    chain_id: Option<i32>,
}

impl Cloud {
    /// A cloud with its inventory and its backlog.
    pub(crate) fn build(config: &VCenterConfig) -> Result<Self, Error> {
        let mut rng = StdRng::seed_from_u64(config.seed);
        let inventory = Inventory::build(config.machines, &mut rng);
        let derived = seeded_uuid(&mut rng);
        let mut cloud = Self {
            api_version: config.api_version.parse()?,
            instance_uuid: config.instance_uuid.unwrap_or(derived),
            username: config.username.clone(),
            password: config.password.clone(),
            clock: Clock::default(),
            inventory,
            history: History::new(config.history_events_max),
            sessions: HashMap::new(),
            troubles: Troubles::default(),
            ledger: Vec::with_capacity(config.backlog_events),
            first_key: config.first_key,
            next_key: config.first_key,
            events_per_second: config.events_per_second,
            revision: 0,
            workload: Workload::new(config.seed, config.machines),
            chain_id: None,
        };
        cloud.fill_backlog(config);
        Ok(cloud)
    }

    fn fill_backlog(&mut self, config: &VCenterConfig) {
        let now = self.clock.now();
        let span = SignedDuration::try_from(config.backlog_span).unwrap_or(SignedDuration::MAX);
        let count = i32::try_from(config.backlog_events).unwrap_or(i32::MAX);
        for number in 0..count {
            let age = (span / count) * (count - number);
            let created = now.saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
            self.work_once(created);
        }
    }

    fn work_once(&mut self, now: Timestamp) {
        let draft = self.workload.next(&mut self.inventory);
        // The steps of one operation share a chain: the key of its first event.
        let chain_id = self.chain_id.filter(|_| draft.continues).unwrap_or(self.next_key);
        self.chain_id = Some(chain_id);
        self.record_with(draft, now, chain_id, |event| event);
    }

    /// Records something that happens outside the workload, now.
    pub(crate) fn record(&mut self, draft: Draft) -> i32 {
        let now = self.clock.now();
        self.record_at(draft, now)
    }

    /// Records something with a creation time of its own.
    pub(crate) fn record_at(&mut self, draft: Draft, created: Timestamp) -> i32 {
        let chain_id = self.next_key;
        self.record_with(draft, created, chain_id, |event| event)
    }

    /// Records an event after `change` has spoiled its XML.
    pub(crate) fn record_with(
        &mut self,
        draft: Draft,
        created: Timestamp,
        chain_id: i32,
        change: impl FnOnce(Event) -> Event,
    ) -> i32 {
        let key = self.next_key;
        self.next_key = self.key_behind(key);
        let created = microseconds(created);
        let event = render(draft, Stamp { key, chain_id, created }, &self.inventory);
        let class = event.class.clone();
        self.ledger.push(Produced { key, created_time: created, class });
        self.history.push(change(event));
        self.revision += 1;
        key
    }

    /// The counter of a real vCenter is 32 bits wide and was seen to overflow to negative keys (the issues
    /// 716 and 809 of the VMware Event Broker Appliance). The reference of API 9.0 has them end at the
    /// option `config.vpxd.event.maxEventId`, and begin again.
    pub(crate) fn key_behind(&self, key: i32) -> i32 {
        match self.api_version >= KEYS_END_SINCE && key >= KEY_MAX {
            true => 1,
            false => key.wrapping_add(1),
        }
    }

    /// The next draft of the workload, to be recorded under special circumstances.
    pub(crate) fn next_draft(&mut self) -> Draft {
        self.chain_id = None;
        let mut draft = self.workload.next(&mut self.inventory);
        draft.continues = false;
        draft
    }

    /// Ends all sessions without a word, as a crash does.
    pub(crate) fn drop_sessions(&mut self) {
        self.sessions.clear();
        self.revision += 1;
    }

    /// The newest event.
    pub(crate) fn latest(&self) -> Option<&Arc<Event>> {
        self.history.latest()
    }
}

impl Living for Cloud {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn events_per_second(&self) -> f64 {
        self.events_per_second
    }

    fn work(&mut self, count: usize) {
        let now = self.clock.now();
        for _ in 0..count {
            self.work_once(now);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::Cloud;
    use crate::shared::Living as _;
    use crate::vcenter::config::VCenterConfig;

    fn cloud(config: VCenterConfig) -> Cloud {
        Cloud::build(&VCenterConfig { machines: 20, ..config }).unwrap()
    }

    #[test]
    fn keys_grow_without_gaps_and_the_backlog_lies_in_the_past() {
        let cloud = cloud(VCenterConfig { backlog_events: 500, ..VCenterConfig::default() });
        let keys: Vec<_> = cloud.ledger.iter().map(|event| event.key).collect();
        assert_eq!(keys, (1..=500).collect::<Vec<_>>());
        assert!(cloud.ledger.is_sorted_by_key(|event| event.created_time));
        assert!(cloud.ledger.last().unwrap().created_time < cloud.clock.now());
    }

    #[test]
    fn keys_overflow_into_the_negative_or_begin_again_from_api_9_on() {
        let keys = |first_key, api_version: &str| -> Vec<i32> {
            let api_version = api_version.to_owned();
            let mut cloud =
                cloud(VCenterConfig { first_key, api_version, ..VCenterConfig::default() });
            cloud.work(2);
            cloud.ledger.iter().map(|event| event.key).collect()
        };
        assert_eq!(keys(i32::MAX, "8.0.3.0"), [i32::MAX, i32::MIN]);
        assert_eq!(keys(2_147_480_000, "9.0.0.0"), [2_147_480_000, 1]);
    }

    #[test]
    fn the_steps_of_an_operation_share_their_chain() {
        let mut cloud = cloud(VCenterConfig::default());
        cloud.work(300);
        let mut at = 0;
        let mut chained = 0;
        while let Some(event) = cloud.history.get(at) {
            assert!(event.chain_id <= event.key);
            chained += u32::from(event.chain_id < event.key);
            at += 1;
        }
        assert!(chained > 50, "only {chained} events continue an operation");
    }
}
