//! The state of the cloud, all of it behind one lock.
//!
//! One lock is enough: every call holds it for microseconds, and answers are rendered from events
//! that were prepared when they were recorded. Whoever changes something that a client may wait for
//! raises the revision; [`Shared`](crate::shared::Shared) turns that into a wake-up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use uuid::Uuid;

use super::config::{ApiVersion, VCenterConfig};
use super::events::{Category, Draft, Event, Place, Stamp, render};
use super::faults::Troubles;
use super::history::History;
use super::inventory::{EntityId, Inventory};
use super::recording::{Recorded, Recording};
use super::session::Session;
use super::workload::Workload;
use crate::clock::{Clock, microseconds};
use crate::error::Error;
use crate::replay::{Progress, Replay};
use crate::seed::seeded_uuid;
use crate::shared::Living;
use crate::ticker::EVENTS_PER_LOCK;

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
    /// What the event manager knows of beside the catalog, because it was recorded.
    pub(crate) described: Vec<Described>,
    /// What happens instead of the workload.
    playback: Option<Playback>,
    workload: Workload,
    /// The chain of the operation that the workload is in.
    chain_id: Option<i32>,
}

/// A class of events that was recorded, or a type of extended ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) class: String,
    pub(crate) type_id: Option<String>,
    pub(crate) category: Category,
}

/// A recording while it is played.
#[derive(Debug)]
struct Playback {
    replay: Replay<Recorded>,
    /// The objects that the recording names, by their places in its scene.
    entities: Vec<EntityId>,
    /// The key that comes after those that were played, as they were recorded.
    next_key: i32,
}

impl Cloud {
    /// A cloud with its inventory and its backlog.
    pub(crate) fn build(config: &VCenterConfig) -> Result<Self, Error> {
        let mut rng = StdRng::seed_from_u64(config.seed);
        let inventory = Inventory::build(config.machines, &mut rng);
        let mut cloud = Self::quiet(config, inventory, &mut rng)?;
        cloud.fill_backlog(config);
        Ok(cloud)
    }

    /// A cloud in which a recording happens again; what was due when its clock begins has happened.
    pub(crate) fn replay(config: &VCenterConfig, recording: Recording) -> Result<Self, Error> {
        recording.check()?;
        let mut rng = StdRng::seed_from_u64(config.seed);
        let (inventory, entities) = Inventory::recorded(&recording.scene);
        let mut cloud = Self::quiet(config, inventory, &mut rng)?;
        let first = recording.events.first();
        let begin = recording.begin.or(first.map(|event| event.time)).unwrap_or_default();
        let next_key = first.map_or(config.first_key, |event| event.key);
        (cloud.first_key, cloud.next_key) = (next_key, next_key);
        cloud.described = described(&recording.events);
        let replay = Replay::new(recording.events.into_iter().map(|event| (event.time, event)));
        let end = replay.end();
        cloud.playback = Some(Playback { replay, entities, next_key });
        cloud.play(begin, usize::MAX);
        // Only now, so that what took long to prepare did not take any of the recording's time.
        cloud.clock = Clock::running(begin, Instant::now(), recording.speed, end);
        Ok(cloud)
    }

    /// A cloud in which nothing has happened yet.
    fn quiet(
        config: &VCenterConfig,
        inventory: Inventory,
        rng: &mut StdRng,
    ) -> Result<Self, Error> {
        let derived = seeded_uuid(rng);
        Ok(Self {
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
            described: Vec::new(),
            playback: None,
            workload: Workload::new(config.seed, config.machines),
            chain_id: None,
        })
    }

    /// Lets at most that many recorded events happen that are due; tells whether more are.
    fn play(&mut self, now: Timestamp, events_max: usize) -> bool {
        for _ in 0..events_max {
            let Some(playback) = &mut self.playback else { return false };
            let Some(event) = playback.replay.next_due(now) else { return false };
            // A key is as far from the one before it as it was.
            let (recorded, shift) = (event.key, self.next_key.wrapping_sub(playback.next_key));
            let event = event.play(shift, &playback.entities);
            let behind = self.key_behind(recorded);
            if let Some(playback) = &mut self.playback {
                playback.next_key = behind;
            }
            self.next_key = self.key_behind(event.key);
            let (key, created_time, class) = (event.key, event.created, event.class.clone());
            self.ledger.push(Produced { key, created_time, class });
            self.history.push(event);
            self.revision += 1;
        }
        self.playback.as_ref().is_some_and(|playback| playback.replay.is_due(now))
    }

    /// How far the recording has been played, if there is one.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.playback.as_ref().map(|playback| playback.replay.progress())
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

    /// Records what a client's session leaves behind; nothing where a recording is played, whose clients
    /// are in it already.
    pub(crate) fn record_session(&mut self, draft: Draft) {
        if self.playback.is_none() {
            self.record(draft);
        }
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
        if self.playback.is_some() {
            let place = Place { datacenter: Some(self.inventory.datacenter), ..Place::default() };
            let message = "This was not recorded".to_owned();
            let fields = format!("<message>{message}</message>");
            return Draft::new("GeneralUserEvent", "", message, place).fields(fields);
        }
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
        if self.playback.is_some() { 0.0 } else { self.events_per_second }
    }

    fn settle(&mut self) -> bool {
        let now = self.clock.right();
        self.play(now, EVENTS_PER_LOCK)
    }

    fn work(&mut self, count: usize) {
        if self.playback.is_some() {
            return;
        }
        let now = self.clock.now();
        for _ in 0..count {
            self.work_once(now);
        }
    }
}

/// What the event manager is to know of, each once, with the category that was recorded last.
fn described(events: &[Recorded]) -> Vec<Described> {
    let mut categories: HashMap<(&str, Option<&str>), Category> = HashMap::new();
    for event in events {
        let (class, type_id, category) = event.described();
        // What is described is the type of such an event, not the class.
        if type_id.is_none() && matches!(class, "EventEx" | "ExtendedEvent") {
            continue;
        }
        categories.insert((class, type_id), category);
    }
    let mut described: Vec<_> = categories
        .into_iter()
        .map(|((class, type_id), category)| Described {
            class: class.to_owned(),
            type_id: type_id.map(str::to_owned),
            category,
        })
        .collect();
    described.sort_by(|a, b| (&a.class, &a.type_id).cmp(&(&b.class, &b.type_id)));
    described
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use jiff::{SignedDuration, Timestamp};

    use super::{Cloud, Described};
    use crate::replay::Progress;
    use crate::shared::Living as _;
    use crate::vcenter::config::VCenterConfig;
    use crate::vcenter::events::{Category, Draft, Place};
    use crate::vcenter::faults::Fault;
    use crate::vcenter::recording::{Captured, Recording};

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

    /// A cloud that plays an event with each of these keys, one a minute from the epoch on.
    fn playing(keys: &[i64], begin_minute: i64) -> Cloud {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let mut recording = Recording { begin: Some(at(begin_minute)), ..Recording::default() };
        for (minute, key) in (0..).zip(keys) {
            let data = format!("{{\"Key\":{key},\"ChainId\":{key}}}");
            let time = at(minute);
            let captured =
                Captured { class: "VmRenamedEvent", category: Some("error"), time, data: &data };
            recording.add(captured).unwrap();
        }
        Cloud::replay(&VCenterConfig::default(), recording).unwrap()
    }

    fn played(cloud: &Cloud) -> Vec<i32> {
        cloud.ledger.iter().map(|event| event.key).collect()
    }

    fn after_minutes(cloud: &mut Cloud, minutes: i64) {
        cloud.clock.advance(SignedDuration::from_mins(minutes));
        while cloud.settle() {}
    }

    #[test]
    fn what_was_recorded_happens_when_the_clock_reaches_it_and_nothing_else_does() {
        let mut cloud = playing(&[7, 9, 12, 13], 1);
        assert_eq!(played(&cloud), [7, 9], "what lies before the beginning is history");
        cloud.work(5);
        cloud.record_session(Draft::new(
            "UserLoginSessionEvent",
            "",
            String::new(),
            Place::default(),
        ));
        after_minutes(&mut cloud, 1);
        assert_eq!(played(&cloud), [7, 9, 12]);
        assert_eq!(cloud.progress(), Some(Progress { events: 4, played: 3 }));
        assert_eq!(cloud.events_per_second(), 0.0);
        after_minutes(&mut cloud, 60);
        assert_eq!(played(&cloud), [7, 9, 12, 13]);
    }

    #[test]
    fn a_wrong_clock_does_not_let_things_happen_sooner() {
        let mut cloud = playing(&[1, 2], 0);
        cloud.inject(Fault::Skew { seconds: 3600 });
        assert!(!cloud.settle() && cloud.clock.now().as_second() >= 3600);
        assert_eq!(played(&cloud), [1]);
    }

    #[test]
    fn what_a_fault_adds_or_skips_shifts_the_recorded_keys_behind_it() {
        let mut cloud = playing(&[7, 9, 12], 0);
        cloud.inject(Fault::UnknownClass);
        cloud.inject(Fault::KeyGap { count: 10 });
        after_minutes(&mut cloud, 60);
        assert_eq!(played(&cloud), [7, 8, 20, 23], "9 and 12 are 11 keys later");
        let xml = &cloud.latest().unwrap().xml;
        assert!(xml.contains("<key>23</key><chainId>23</chainId>"), "{xml}");
    }

    #[test]
    fn the_event_manager_tells_the_recorded_category_of_a_class() {
        let known = &playing(&[1, 2], 0).described;
        let expected = Described {
            class: "VmRenamedEvent".to_owned(),
            type_id: None,
            category: Category::Error,
        };
        assert_eq!(*known, [expected]);
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
