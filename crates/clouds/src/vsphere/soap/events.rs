//! Events: collectors, their pages, single questions, and posting.
//!
//! A collector is a cursor at the server. Traps that the callers must know: a short or empty page
//! does not prove that nothing is left; vcsim strands a cursor when the page size is set after
//! reading began; and there are 32 collectors per session (on vcsim in total), so destroy them.

use std::borrow::Cow;

use super::envelope::Xml;
use super::{CALL_TIMEOUT, Client, Error, EventFilter};
use crate::vsphere::MoRef;
use crate::vsphere::event::{self, Malformed, NativeEvent, Page};

/// The greatest id of an event in API 9.0 unless it is configured; ids begin again behind it.
pub const EVENT_KEY_MAX: i32 = 2_147_480_000;

/// A type of event as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInfo {
    /// The class; for an `EventEx` or `ExtendedEvent` its `eventTypeId`.
    pub name: String,
    /// `info`, `warning`, `error` or `user`.
    pub category: String,
}

/// An event to be posted: an `EventEx` about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its type, such as `com.example.backup.failed`.
    pub event_type_id: String,
    /// `info`, `warning` or `error`; without it `info`.
    pub severity: Option<String>,
    /// What happened.
    pub message: String,
    /// What it is about. vcsim breaks the connection for an object that does not exist.
    pub object: MoRef,
    /// Further texts by name.
    pub arguments: Vec<(String, String)>,
}

impl Client {
    /// Makes a collector; it stands before the oldest event that the filter shows.
    pub async fn create_event_collector(
        &self,
        event_manager: &MoRef,
        filter: &EventFilter,
    ) -> Result<MoRef, Error> {
        let xml = Xml::new().nested("filter", |xml| filter.write(xml));
        self.call_for_object("CreateCollectorForEvents", event_manager, xml).await
    }

    /// How many events the latest page holds: 1 to 1,000. Call it before reading.
    pub async fn set_page_size(&self, collector: &MoRef, events: u32) -> Result<(), Error> {
        let xml = Xml::new().text("maxCount", events);
        self.call("SetCollectorPageSize", collector, xml).await.map(|_| ())
    }

    /// The next events, oldest first; at most 1,000. Does not wait.
    pub async fn read_next_events(&self, collector: &MoRef, max: u32) -> Result<Page, Error> {
        let xml = Xml::new().text("maxCount", max);
        self.page("ReadNextEvents", collector, xml, "returnval").await
    }

    /// The events before the cursor, newest first.
    pub async fn read_previous_events(&self, collector: &MoRef, max: u32) -> Result<Page, Error> {
        let xml = Xml::new().text("maxCount", max);
        self.page("ReadPreviousEvents", collector, xml, "returnval").await
    }

    /// Moves the cursor before the oldest event.
    pub async fn rewind_collector(&self, collector: &MoRef) -> Result<(), Error> {
        self.call("RewindCollector", collector, Xml::new()).await.map(|_| ())
    }

    /// Moves the cursor just before the latest page, for reading backwards.
    pub async fn reset_collector(&self, collector: &MoRef) -> Result<(), Error> {
        self.call("ResetCollector", collector, Xml::new()).await.map(|_| ())
    }

    /// Frees a collector.
    pub async fn destroy_collector(&self, collector: &MoRef) -> Result<(), Error> {
        self.call("DestroyCollector", collector, Xml::new()).await.map(|_| ())
    }

    /// The newest events of a collector, in no promised order; the cursor stays.
    pub async fn latest_page(
        &self,
        property_collector: &MoRef,
        collector: &MoRef,
    ) -> Result<Page, Error> {
        let xml = property(collector, "latestPage");
        self.page("RetrievePropertiesEx", property_collector, xml, "Event").await
    }

    /// The newest event of all; vcsim has none.
    pub async fn latest_event(
        &self,
        property_collector: &MoRef,
        event_manager: &MoRef,
    ) -> Result<Option<Result<NativeEvent, Malformed>>, Error> {
        let xml = property(event_manager, "latestEvent");
        let page = self.page("RetrievePropertiesEx", property_collector, xml, "val").await?;
        Ok(page.events.into_iter().next())
    }

    /// The newest events that a filter shows, at most 1,000, without a collector.
    pub async fn query_events(
        &self,
        event_manager: &MoRef,
        filter: &EventFilter,
    ) -> Result<Page, Error> {
        let xml = Xml::new().nested("filter", |xml| filter.write(xml));
        self.page("QueryEvents", event_manager, xml, "returnval").await
    }

    /// The events behind an id that a filter shows, at most its `max_count` or 1,000, the id's own not
    /// included: newer ones, or older ones if not `is_forward`. Needs no collector. Since API 9.0
    /// (`EventManagerViewByStartId`); ids are not negative there, and end at the option
    /// `config.vpxd.event.maxEventId`, by default [`EVENT_KEY_MAX`]. The order within the answer is not
    /// documented.
    pub async fn query_events_behind(
        &self,
        event_manager: &MoRef,
        filter: &EventFilter,
        key: i32,
        is_forward: bool,
    ) -> Result<Page, Error> {
        let xml = Xml::new().nested("filter", |xml| filter.write(xml)).typed(
            "eventViewSpec",
            "EventManagerViewByStartId",
            |xml| xml.text("startEventId", key).text("isForward", is_forward),
        );
        self.page("QueryEvents", event_manager, xml, "returnval").await
    }

    /// All types of events that the server knows, with their categories.
    pub async fn event_info(
        &self,
        property_collector: &MoRef,
        event_manager: &MoRef,
    ) -> Result<Vec<EventInfo>, Error> {
        let xml = property(event_manager, "description.eventInfo");
        let answer = self.call("RetrievePropertiesEx", property_collector, xml).await?;
        let Some(value) = answer.root().find("val") else { return Ok(Vec::new()) };
        let infos = value.children().filter_map(|info| {
            let key = info.child_text("key")?;
            // Of these two classes the format begins with the type, before a bar.
            let name = match key.as_ref() {
                "EventEx" | "ExtendedEvent" => {
                    Cow::Owned(info.child_text("fullFormat")?.split('|').next()?.to_owned())
                }
                _ => key,
            };
            let category = info.child_text("category")?.into_owned();
            Some(EventInfo { name: name.into_owned(), category })
        });
        Ok(infos.collect())
    }

    /// Posts an event. Needs the privilege `Global.LogEvent`.
    pub async fn post_event(&self, event_manager: &MoRef, event: &NewEvent) -> Result<(), Error> {
        let xml = Xml::new().typed("eventToPost", "EventEx", |xml| event.write(xml));
        self.call("PostEvent", event_manager, xml).await.map(|_| ())
    }

    async fn page(
        &self,
        method: &'static str,
        on: &MoRef,
        xml: Xml,
        element: &str,
    ) -> Result<Page, Error> {
        let reply = self.call_raw(method, on, xml, CALL_TIMEOUT).await?;
        event::decode_page(&reply.body, element).map_err(|source| Error::Xml { method, source })
    }
}

impl NewEvent {
    /// The first four elements are demanded by the schema; the server sets its own.
    fn write(&self, xml: Xml) -> Xml {
        let xml = xml
            .text("key", 0)
            .text("chainId", 0)
            .text("createdTime", "1970-01-01T00:00:00Z")
            .text("userName", "")
            .text("eventTypeId", &self.event_type_id)
            .optional("severity", self.severity.as_ref())
            .text("message", &self.message);
        let argument = |xml: Xml, (key, value): &(String, String)| {
            xml.nested("arguments", |xml| {
                xml.text("key", key).typed_text("value", "xsd:string", value)
            })
        };
        self.arguments
            .iter()
            .fold(xml, argument)
            .text("objectId", &self.object.value)
            .text("objectType", &self.object.kind)
    }
}

/// The arguments of RetrievePropertiesEx for one property of one object.
fn property(object: &MoRef, path: &str) -> Xml {
    Xml::new()
        .nested("specSet", |xml| super::properties::spec(xml, object, path))
        .nested("options", |xml| xml)
}
