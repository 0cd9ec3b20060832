//! Which events a collector shows.

use jiff::Timestamp;

use super::envelope::Xml;
use crate::vsphere::MoRef;

/// Which events a collector shows; all conditions must hold, an empty list is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Events of an object. Without it all that the account may see, those of no object (logins)
    /// included.
    pub entity: Option<EntityFilter>,
    /// Not before, inclusive.
    pub begin: Option<Timestamp>,
    /// Not after, inclusive.
    pub end: Option<Timestamp>,
    /// Of these users.
    pub users: Vec<String>,
    /// Of these categories: `info`, `warning`, `error`, `user`.
    pub categories: Vec<String>,
    /// Of these types: class names, or the `eventTypeId` of an `EventEx` or `ExtendedEvent`.
    pub event_types: Vec<String>,
    /// How many events the collector's latest page holds.
    pub max_count: Option<u32>,
    /// Builds the latest page only when it is read. Known to 8.0.3 and later, a fault before.
    pub delayed_init: Option<bool>,
}

/// Events of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityFilter {
    /// The object.
    pub object: MoRef,
    /// How far below it.
    pub recursion: Recursion,
}

/// How far an entity filter reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recursion {
    /// The object and all below it.
    All,
    /// What is directly below it.
    Children,
    /// The object alone.
    This,
}

impl EventFilter {
    /// Writes the filter in the schema's order. Messages are asked for expressly, since a server may
    /// leave them out otherwise.
    pub(super) fn write(&self, xml: Xml) -> Xml {
        let xml = match &self.entity {
            Some(entity) => xml.nested("entity", |xml| entity.write(xml)),
            None => xml,
        };
        let xml = match (self.begin, self.end) {
            (None, None) => xml,
            (begin, end) => {
                xml.nested("time", |xml| xml.optional("beginTime", begin).optional("endTime", end))
            }
        };
        let xml = match self.users.is_empty() {
            true => xml,
            false => xml.nested("userName", |xml| {
                xml.text("systemUser", false).texts("userList", &self.users)
            }),
        };
        xml.text("disableFullMessage", false)
            .texts("category", &self.categories)
            .texts("eventTypeId", &self.event_types)
            .optional("maxCount", self.max_count)
            .optional("delayedInit", self.delayed_init)
    }
}

impl EntityFilter {
    fn write(&self, xml: Xml) -> Xml {
        let recursion = match self.recursion {
            Recursion::All => "all",
            Recursion::Children => "children",
            Recursion::This => "self",
        };
        xml.reference("entity", &self.object).text("recursion", recursion)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_filter_is_written_in_the_schemas_order() {
        let object = MoRef::new("Folder", "group-d1");
        let filter = EventFilter {
            entity: Some(EntityFilter { object, recursion: Recursion::All }),
            begin: Some("2026-11-20T04:00:00Z".parse().unwrap()),
            end: None,
            users: vec!["a&b".into()],
            categories: vec!["info".into()],
            event_types: vec!["VmPoweredOnEvent".into()],
            max_count: Some(10),
            delayed_init: Some(true),
        };
        let on = MoRef::new("T", "v");
        let expected = "<entity><entity type=\"Folder\">group-d1</entity>\
            <recursion>all</recursion></entity>\
            <time><beginTime>2026-11-20T04:00:00Z</beginTime></time>\
            <userName><systemUser>false</systemUser><userList>a&amp;b</userList></userName>\
            <disableFullMessage>false</disableFullMessage><category>info</category>\
            <eventTypeId>VmPoweredOnEvent</eventTypeId><maxCount>10</maxCount>\
            <delayedInit>true</delayedInit>";
        assert!(filter.write(Xml::new()).call("M", &on).contains(expected));
    }

    #[test]
    fn an_empty_filter_still_asks_for_messages() {
        let written = EventFilter::default().write(Xml::new()).call("M", &MoRef::new("T", "v"));
        assert!(written.contains("</_this><disableFullMessage>false</disableFullMessage></M>"));
    }
}
