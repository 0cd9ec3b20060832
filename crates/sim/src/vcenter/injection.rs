//! Applies faults to the cloud, restarts it, and tells its state.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cloud::Cloud;
use super::events::{Draft, Event, Place};
use super::faults::{Fault, Malformation, Troubles};
use crate::replay::Progress;
use crate::shared::Living;

/// What a restart does besides ending all sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Restart {
    /// Come back as another cloud, with another instance UUID.
    pub new_instance: bool,
    /// Forget all events and count keys from the first again.
    pub drop_history: bool,
}

/// What the cloud is and does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The identity of the cloud.
    pub instance_uuid: Uuid,
    /// The time that the cloud believes it is.
    pub now: Timestamp,
    /// How many events the workload makes per second.
    pub events_per_second: f64,
    /// How many events ever happened.
    pub events_produced: usize,
    /// How many of them the history still shows.
    pub events_remembered: u64,
    /// How far the recording has been played; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<Progress>,
    /// The key that the next event gets.
    pub next_key: i32,
    /// Open sessions.
    pub sessions: usize,
    /// Open event collectors in all sessions.
    pub collectors: usize,
    /// Machines that exist now.
    pub machines: usize,
    /// Faults that last, as JSON; nothing is named that is not in force.
    pub faults: serde_json::Value,
}

impl Cloud {
    /// Lets something go wrong.
    pub(crate) fn inject(&mut self, fault: Fault) {
        tracing::info!(?fault, "injecting a fault");
        let troubles = &mut self.troubles;
        match fault {
            Fault::SessionLost => self.drop_sessions(),
            Fault::EmptyPages { count } => troubles.empty_pages = count,
            Fault::ShortPages { events_max } => {
                troubles.page_events_max = (events_max > 0).then_some(events_max);
            }
            Fault::KeyGap { count } => {
                self.next_key = self.next_key.wrapping_add_unsigned(count);
            }
            Fault::NextKey { key } => self.next_key = key,
            Fault::Restore { key } => {
                self.history.truncate_after(key);
                self.next_key = self.key_behind(key);
                self.drop_sessions();
            }
            Fault::Malformed { kind } => self.record_malformed(kind),
            Fault::UnknownClass => self.record_unknown(),
            Fault::Slow { ms } => troubles.slow_ms = ms,
            Fault::Unavailable { count } => troubles.unavailable = count,
            Fault::Reset { count } => troubles.resets = count,
            Fault::Cut { count } => troubles.cuts = count,
            Fault::CutWhole { count } => troubles.whole_cuts = count,
            Fault::BeginIgnored => troubles.begin_ignored = true,
            Fault::Skew { seconds } => self.clock.skew = SignedDuration::from_secs(seconds),
            Fault::Stranded => {
                let collectors = self.sessions.values_mut().flat_map(|s| s.collectors.values_mut());
                collectors.for_each(|collector| collector.stranded = true);
            }
            Fault::Late { seconds, count } => self.record_dated(-i64::from(seconds), count),
            Fault::Early { seconds, count } => self.record_dated(i64::from(seconds), count),
        }
    }

    /// Ends every fault that lasts.
    pub(crate) fn clear_faults(&mut self) {
        self.troubles = Troubles::default();
        self.clock.skew = SignedDuration::ZERO;
        let collectors = self.sessions.values_mut().flat_map(|s| s.collectors.values_mut());
        collectors.for_each(|collector| collector.stranded = false);
    }

    /// Restarts the cloud.
    pub(crate) fn restart(&mut self, how: Restart) {
        if how.new_instance {
            self.instance_uuid = Uuid::new_v4();
        }
        if how.drop_history {
            self.history.clear();
            self.next_key = self.first_key;
        }
        self.drop_sessions();
    }

    /// What the cloud is and does now.
    pub(crate) fn status(&self) -> Status {
        Status {
            instance_uuid: self.instance_uuid,
            now: self.clock.now(),
            events_per_second: Living::events_per_second(self),
            events_produced: self.ledger.len(),
            events_remembered: self.history.end() - self.history.start(),
            recording: self.progress(),
            next_key: self.next_key,
            sessions: self.sessions.len(),
            collectors: self.sessions.values().map(|session| session.collectors.len()).sum(),
            machines: self.inventory.machines.len(),
            faults: self.faults_in_force(),
        }
    }

    fn faults_in_force(&self) -> serde_json::Value {
        let mut faults = serde_json::json!(self.troubles);
        let stranded = self.sessions.values().flat_map(|session| session.collectors.values());
        faults["stranded"] = stranded.filter(|collector| collector.stranded).count().into();
        faults["skew_seconds"] = self.clock.skew.as_secs().into();
        if let Some(all) = faults.as_object_mut() {
            all.retain(|_, value| !value.is_null() && *value != serde_json::json!(0));
        }
        faults
    }

    fn record_malformed(&mut self, kind: Malformation) {
        let draft = self.next_draft();
        let (now, chain_id) = (self.clock.now(), self.next_key);
        self.record_with(draft, now, chain_id, |event| spoiled(event, kind));
    }

    fn record_unknown(&mut self) {
        let place = Place { datacenter: Some(self.inventory.datacenter), ..Place::default() };
        let message = "Nobody has seen such an event before".to_owned();
        let mut draft = Draft::new("GeneralUserEvent", "", message, place);
        draft.class = Cow::Borrowed("QuantumEntanglementLostEvent");
        let fields = "<partner xsi:type=\"EntangledEntity\"><name>left</name></partner>\
                      <observed>true</observed><sample>1</sample><sample>2</sample>";
        self.record(draft.fields(fields.to_owned()));
    }

    /// Records `count` events that were created so many seconds ahead.
    fn record_dated(&mut self, seconds: i64, count: u32) {
        let now = self.clock.now();
        let created = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        for _ in 0..count {
            let draft = self.next_draft();
            self.record_at(draft, created);
        }
    }
}

/// Breaks an event's XML in one way.
fn spoiled(mut event: Event, kind: Malformation) -> Event {
    let key = format!("<key>{}</key>", event.key);
    let xml = &event.xml;
    let spoiled = match kind {
        Malformation::Time => {
            let time = super::clock::xml_time(event.created);
            xml.replacen(&time, "the day before yesterday", 1)
        }
        Malformation::MissingKey => xml.replacen(&key, "", 1),
        Malformation::Key => xml.replacen(&key, "<key>many</key>", 1),
        Malformation::Content => {
            let chain_id = format!("<chainId>{}</chainId>", event.chain_id);
            xml.replacen(&chain_id, "<chainId><links><link/></links></chainId>", 1)
        }
        Malformation::IllFormed => format!("{xml}<unfinished>"),
    };
    event.xml = spoiled.into_boxed_str();
    // The message is no longer where it was: such an event is always sent whole.
    event.message = 0..0;
    event
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{Cloud, Fault, Malformation, Restart};
    use crate::shared::Living as _;
    use crate::vcenter::config::VCenterConfig;

    fn cloud() -> Cloud {
        let config = VCenterConfig { machines: 10, backlog_events: 20, ..VCenterConfig::default() };
        Cloud::build(&config).unwrap()
    }

    #[test]
    fn a_malformed_event_is_spoiled_but_counted() {
        for kind in [
            Malformation::Time,
            Malformation::MissingKey,
            Malformation::Key,
            Malformation::Content,
            Malformation::IllFormed,
        ] {
            let mut cloud = cloud();
            cloud.inject(Fault::Malformed { kind });
            let event = cloud.latest().unwrap();
            let good = event.xml.contains(&format!(
                "<key>21</key><chainId>{}</chainId><createdTime>2",
                event.chain_id
            ));
            let ends = !event.xml.contains("<unfinished>");
            assert!(!(good && ends), "{kind:?} left no trace");
            assert_eq!(cloud.ledger.last().unwrap().key, 21);
        }
    }

    #[test]
    fn a_restore_goes_back_in_keys_but_not_in_the_ledger() {
        let mut cloud = cloud();
        cloud.inject(Fault::Restore { key: 5 });
        cloud.work(1);
        assert_eq!(cloud.latest().unwrap().key, 6);
        assert_eq!(cloud.ledger.len(), 21);
    }

    #[test]
    fn a_restart_may_change_who_the_cloud_is() {
        let mut cloud = cloud();
        let before = cloud.instance_uuid;
        cloud.restart(Restart::default());
        assert_eq!(cloud.instance_uuid, before);
        cloud.restart(Restart { new_instance: true, drop_history: true });
        assert_ne!(cloud.instance_uuid, before);
        assert!(cloud.latest().is_none());
        assert_eq!(cloud.next_key, 1);
    }

    #[test]
    fn only_faults_in_force_are_told() {
        let mut cloud = cloud();
        assert_eq!(cloud.status().faults, serde_json::json!({}));
        cloud.inject(Fault::Skew { seconds: -5 });
        cloud.inject(Fault::Cut { count: 2 });
        assert_eq!(cloud.status().faults, serde_json::json!({"cuts": 2, "skew_seconds": -5}));
        cloud.clear_faults();
        assert_eq!(cloud.status().faults, serde_json::json!({}));
    }
}
