//! A recording: the events of a real vCenter, to happen once more.
//!
//! ```text
//!  class, severity, time, JSON ──▶ add ──▶ XML behind the key ┐
//!                                   │                         ├──▶ Cloud, when each is due
//!                                   └──▶ scene: objects named ┴──▶ inventory
//! ```
//!
//! The XML is made when an event is added, so that playing is a copy. A key is kept as recorded as long
//! as nothing else happened; what a fault adds or skips shifts all later ones, as it would have.
//! It does not look for secrets: whoever reads a log hands over what may be shown.

mod xml;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::events::{Category, Event, Place, category_of};
use super::form::Form;
use super::inventory::EntityId;
use super::scene::{Beside, Scene};
use crate::error::Error;
use crate::replay::check_speed;

/// Events of a vCenter that happen again in a simulated one.
///
/// Nothing else happens there but what faults and clients do: there is no workload.
#[derive(Debug, Clone)]
pub struct Recording {
    pub(crate) events: Vec<Recorded>,
    pub(crate) scene: Scene,
    /// Where the clock begins; what was due by then is history at the start. `None`: at the time of the
    /// first event.
    pub begin: Option<Timestamp>,
    /// How many seconds of the recording a second takes: above 0, at most
    /// [`SPEED_MAX`](crate::SPEED_MAX).
    pub speed: f64,
}

/// One event as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Captured<'a> {
    /// The class, in the protocol's spelling: `VmPoweredOnEvent`; `EventEx` and `ExtendedEvent` name their
    /// type in the data.
    pub class: &'a str,
    /// `info`, `warning`, `error` or `user`, if the capture told; else an `EventEx` tells itself, and of
    /// others the class decides.
    pub category: Option<&'a str>,
    /// When it happened.
    pub time: Timestamp,
    /// The event as JSON, as govmomi or as the VI JSON API prints it.
    pub data: &'a str,
}

/// Why an event cannot happen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unplayable {
    /// The data is no JSON object.
    #[error("its data is no JSON object")]
    NoObject,
    /// The data has no key, or none of 32 bits.
    #[error("its data has no key")]
    NoKey,
    /// The class is no name.
    #[error("its class is no name")]
    NoClass,
}

/// One event, ready to be played.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) key: i32,
    chain_id: i32,
    pub(crate) time: Timestamp,
    created: Timestamp,
    class: Cow<'static, str>,
    type_id: Option<Cow<'static, str>>,
    category: Category,
    user: Box<str>,
    audit_id: Option<Box<str>>,
    beside: Beside,
    /// Everything from `createdTime` on.
    xml: Box<str>,
    /// Where `fullFormattedMessage` lies in `xml`.
    message: Range<usize>,
}

impl Default for Recording {
    fn default() -> Self {
        Self { events: Vec::new(), scene: Scene::default(), begin: None, speed: 1.0 }
    }
}

impl Recording {
    /// Adds an event behind those that are there: a recording has the order of its log.
    pub fn add(&mut self, event: Captured<'_>) -> Result<(), Unplayable> {
        let data: Value = serde_json::from_str(event.data).map_err(|_| Unplayable::NoObject)?;
        let data = data.as_object().ok_or(Unplayable::NoObject)?;
        let is_name = |class: &str| class.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if event.class.is_empty() || !is_name(event.class) {
            return Err(Unplayable::NoClass);
        }
        let form = Form::of(data);
        let number = |name| {
            let number = form.member(data, name).and_then(Value::as_i64);
            number.and_then(|number| i32::try_from(number).ok())
        };
        let text = |name| form.member(data, name).and_then(Value::as_str);
        let key = number("key").ok_or(Unplayable::NoKey)?;
        let (created_time, created) = created(text("createdTime"), event.time);
        let by_id = matches!(event.class, "EventEx" | "ExtendedEvent");
        let type_id = text("eventTypeId").filter(|_| by_id).map(|id| Cow::Owned(id.to_owned()));
        let severity = text("severity").filter(|_| event.class == "EventEx");
        let category = match event.category.or(severity) {
            Some("error") => Category::Error,
            Some("warning") => Category::Warning,
            Some("user") => Category::User,
            // A capture may have told no more than that it is nothing bad.
            Some("info") if category_of(event.class) == Category::User => Category::User,
            Some("info") => Category::Info,
            _ => category_of(event.class),
        };
        let user = text("userName").unwrap_or_default();
        let (xml, message) = written(data, form, &created_time, user);
        self.events.push(Recorded {
            key,
            chain_id: number("chainId").unwrap_or(key),
            time: event.time,
            created,
            class: Cow::Owned(event.class.to_owned()),
            type_id,
            category,
            user: user.into(),
            audit_id: text("auditId").map(Into::into),
            beside: self.scene.look(data, form),
            xml,
            message,
        });
        Ok(())
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Refuses a speed at which nothing can be played.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_speed(self.speed)
    }
}

impl Recorded {
    /// The class, and the type of an extended event, with the category that the event manager has for it.
    pub(crate) fn described(&self) -> (&str, Option<&str>, Category) {
        (&self.class, self.type_id.as_deref(), self.category)
    }

    /// The event of the history, with its keys shifted by what else happened.
    pub(crate) fn play(self, shift: i32, entities: &[EntityId]) -> Event {
        let (key, chain_id) = (self.key.wrapping_add(shift), self.chain_id.wrapping_add(shift));
        let mut out = String::with_capacity(self.xml.len() + 96);
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            " xsi:type=\"{}\"><key>{key}</key><chainId>{chain_id}</chainId>",
            self.class
        );
        let head = out.len();
        out.push_str(&self.xml);
        let message = self.message.start + head..self.message.end + head;
        let of = |place: Option<u32>| entities.get(place? as usize).copied();
        let [datacenter, cluster, host, machine, datastore, network, switch] = self.beside.map(of);
        Event {
            key,
            chain_id,
            created: self.created,
            class: self.class,
            type_id: self.type_id,
            category: self.category,
            user: Cow::Owned(self.user.into()),
            audit_id: self.audit_id.map(Into::into),
            place: Place { datacenter, cluster, host, machine, datastore, network, switch },
            xml: out.into_boxed_str(),
            message,
        }
    }
}

/// The time of creation as the data has it; else when the event happened.
fn created(text: Option<&str>, time: Timestamp) -> (Cow<'_, str>, Timestamp) {
    match text.and_then(|text| Some((text, text.trim().parse().ok()?))) {
        Some((text, created)) => (Cow::Borrowed(text), created),
        None => (Cow::Owned(super::clock::xml_time(time)), time),
    }
}

/// The XML from `createdTime` on, and where the message lies in it.
fn written(
    data: &Map<String, Value>,
    form: Form,
    created_time: &str,
    user: &str,
) -> (Box<str>, Range<usize>) {
    let mut out = String::with_capacity(1024);
    for (name, value) in [("createdTime", created_time), ("userName", user)] {
        super::xml::open(&mut out, name);
        xml::text(&mut out, value);
        super::xml::close(&mut out, name);
    }
    let skipped = ["key", "chainId", "createdTime", "userName"];
    let message = xml::members_of(data, form, &skipped, &mut out);
    (out.into_boxed_str(), message)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use jiff::Timestamp;

    use super::{Captured, Recording, Unplayable};
    use crate::vcenter::events::Category;

    fn captured<'a>(class: &'a str, data: &'a str) -> Captured<'a> {
        Captured { class, category: Some("info"), time: Timestamp::UNIX_EPOCH, data }
    }

    #[test]
    fn an_event_has_its_key_and_what_it_is_filtered_by() {
        let mut recording = Recording::default();
        let data = r#"{"Key":7,"ChainId":5,"CreatedTime":"2026-11-20T04:17:06.5Z","UserName":"x\\y",
            "FullFormattedMessage":"on","EventTypeId":"com.example.a","Severity":"error"}"#;
        recording.add(captured("EventEx", data)).unwrap();
        let event = recording.events.remove(0).play(10, &[]);
        assert_eq!((event.key, event.chain_id, event.category), (17, 15, Category::Info));
        assert_eq!(event.type_id.as_deref(), Some("com.example.a"));
        assert_eq!(
            event.content(true),
            " xsi:type=\"EventEx\"><key>17</key><chainId>15</chainId>\
             <createdTime>2026-11-20T04:17:06.5Z</createdTime><userName>x\\y</userName>\
             <eventTypeId>com.example.a</eventTypeId><severity>error</severity>"
        );
        assert!(event.content(false).contains("<fullFormattedMessage>on</fullFormattedMessage>"));
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        let mut recording = Recording::default();
        let mut refused = |class, data| recording.add(captured(class, data)).unwrap_err();
        assert_eq!(refused("VmPoweredOnEvent", "[]"), Unplayable::NoObject);
        assert_eq!(refused("VmPoweredOnEvent", "{\"Key\":null}"), Unplayable::NoKey);
        assert_eq!(refused("no\"name", "{\"Key\":1}"), Unplayable::NoClass);
    }
}
