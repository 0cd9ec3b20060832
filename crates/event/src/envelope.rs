//! The CloudEvents 1.0 envelope: required attributes are fields, so an event without them cannot
//! be made.
//!
//! It refuses defaults for `id`, `source` and `type`: an invented id would defeat de-duplication.

use bytes::Bytes;
use jiff::Timestamp;

use crate::{AttributeName, AttributeValue, Data};

/// One event. `source` + `id` name it: two events that share both are the same event
/// (CloudEvents 1.0 §3.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    id: String,
    source: String,
    event_type: String,
    subject: Option<String>,
    time: Option<Timestamp>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: Vec<(AttributeName, AttributeValue)>,
    data: Option<Data>,
}

/// What keeps attributes from being an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// A required attribute is missing or empty.
    #[error("required attribute `{0}` is missing or empty")]
    Missing(&'static str),
    /// The same extension was given twice.
    #[error("attribute `{0}` is given twice")]
    Duplicate(AttributeName),
}

impl Event {
    /// Starts an event from the three attributes that every event has.
    pub fn builder(
        id: impl Into<String>,
        source: impl Into<String>,
        event_type: impl Into<String>,
    ) -> EventBuilder {
        EventBuilder(Self {
            id: id.into(),
            source: source.into(),
            event_type: event_type.into(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: Vec::new(),
            data: None,
        })
    }

    /// Identifies the event within its source.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The context in which the event happened, a URI reference: for a cloud, its API's URL.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The kind of event, `type` on the wire.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// What within the source the event is about, for example `VirtualMachine/vm-57`.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// When it happened, by the source's clock.
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// Media type of [`data`](Self::data); absent means `application/json` (JSON format §3.1).
    pub fn datacontenttype(&self) -> Option<&str> {
        self.datacontenttype.as_deref()
    }

    /// URI of the schema that the data follows.
    pub fn dataschema(&self) -> Option<&str> {
        self.dataschema.as_deref()
    }

    /// Extension attributes in the order they were set or came; names are unique.
    pub fn extensions(&self) -> &[(AttributeName, AttributeValue)] {
        &self.extensions
    }

    /// The extension called `name`.
    pub fn extension(&self, name: &str) -> Option<&AttributeValue> {
        self.extensions.iter().find(|(n, _)| n.as_str() == name).map(|(_, value)| value)
    }

    /// The payload.
    pub fn data(&self) -> Option<&Data> {
        self.data.as_ref()
    }

    /// All context attributes but `datacontenttype`, as a binary binding frames them: `specversion`
    /// first, then the named ones, then extensions. Times are RFC 3339 texts.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, AttributeValue)> {
        let text = |name, value: Option<&str>| value.map(|value| (name, value.into()));
        let time = self.time.map(|time| ("time", AttributeValue::String(time.to_string())));
        let named = [
            text("specversion", Some("1.0")),
            text("id", Some(&self.id)),
            text("source", Some(&self.source)),
            text("type", Some(&self.event_type)),
            text("subject", self.subject()),
            time,
            text("dataschema", self.dataschema()),
        ];
        let extensions = self.extensions.iter().map(|(name, value)| (name.as_str(), value.clone()));
        named.into_iter().flatten().chain(extensions)
    }

    /// Media type of the payload as a binary binding tells it; `None` for an event without either.
    pub fn content_type(&self) -> Option<&str> {
        let default = matches!(self.data, Some(Data::Json(_))).then_some("application/json");
        self.datacontenttype().or(default)
    }

    /// The payload's bytes as a binary binding frames them: JSON as it is written.
    pub fn payload(&self) -> Option<Bytes> {
        self.data.as_ref().map(|data| match data {
            Data::Json(raw) => Bytes::copy_from_slice(raw.get().as_bytes()),
            Data::Binary(bytes) => bytes.clone(),
        })
    }

    /// The same event with the extension `name` set to `value`.
    #[must_use]
    pub fn with_extension(mut self, name: AttributeName, value: impl Into<AttributeValue>) -> Self {
        self.extensions.retain(|(n, _)| *n != name);
        self.extensions.push((name, value.into()));
        self
    }

    /// The same event with `data` taken out and the extension `name` set to `value`: how a
    /// too-large event is stored as a stub.
    #[must_use]
    pub fn without_data(mut self, name: AttributeName, value: AttributeValue) -> Self {
        self.data = None;
        self.with_extension(name, value)
    }
}

/// Room for as many extensions as events of clouds have, most of them.
const EXTENSIONS: usize = 12;
/// So many are compared one with the other.
const FEW: usize = 16;

/// Collects an [`Event`]'s optional attributes. An event has some 250 bytes: its methods are inlined, so that
/// it is not moved for each attribute.
#[derive(Clone, Debug)]
pub struct EventBuilder(Event);

impl EventBuilder {
    /// Replaces the identity, for decoders that meet it late.
    #[must_use]
    pub(crate) fn identity(mut self, id: String, source: String, event_type: String) -> Self {
        (self.0.id, self.0.source, self.0.event_type) = (id, source, event_type);
        self
    }

    /// Sets `subject`.
    #[must_use]
    #[inline]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Sets `time`.
    #[must_use]
    #[inline]
    pub fn time(mut self, time: Timestamp) -> Self {
        self.0.time = Some(time);
        self
    }

    /// Sets `datacontenttype`.
    #[must_use]
    #[inline]
    pub fn datacontenttype(mut self, media_type: impl Into<String>) -> Self {
        self.0.datacontenttype = Some(media_type.into());
        self
    }

    /// Sets `dataschema`.
    #[must_use]
    #[inline]
    pub fn dataschema(mut self, uri: impl Into<String>) -> Self {
        self.0.dataschema = Some(uri.into());
        self
    }

    /// Adds an extension attribute.
    #[must_use]
    #[inline]
    pub fn extension(mut self, name: AttributeName, value: impl Into<AttributeValue>) -> Self {
        let extensions = &mut self.0.extensions;
        if extensions.capacity() == 0 {
            extensions.reserve(EXTENSIONS);
        }
        extensions.push((name, value.into()));
        self
    }

    /// Adds extension attributes, of which an event of a cloud has a dozen.
    #[must_use]
    pub fn extensions(mut self, more: Vec<(AttributeName, AttributeValue)>) -> Self {
        match self.0.extensions.is_empty() {
            true => self.0.extensions = more,
            false => self.0.extensions.extend(more),
        }
        self
    }

    /// Sets the payload.
    #[must_use]
    #[inline]
    pub fn data(mut self, data: Data) -> Self {
        self.0.data = Some(data);
        self
    }

    /// Checks what the specification requires and gives the event.
    pub fn build(self) -> Result<Event, InvalidEvent> {
        let event = self.0;
        let required = [("id", &event.id), ("source", &event.source), ("type", &event.event_type)];
        if let Some((name, _)) = required.into_iter().find(|(_, value)| value.is_empty()) {
            return Err(InvalidEvent::Missing(name));
        }
        if event.subject.as_deref() == Some("") {
            return Err(InvalidEvent::Missing("subject"));
        }
        match duplicate(&event.extensions) {
            Some(name) => Err(InvalidEvent::Duplicate(name.clone())),
            None => Ok(event),
        }
    }
}

/// A name that is there twice.
fn duplicate(extensions: &[(AttributeName, AttributeValue)]) -> Option<&AttributeName> {
    // Most events have a few, which are compared sooner than they are sorted.
    if extensions.len() <= FEW {
        let mut named = extensions.iter().enumerate();
        let found = named.find(|(at, (name, _))| extensions[..*at].iter().any(|(n, _)| n == name));
        return found.map(|(_, (name, _))| name);
    }
    let mut names: Vec<_> = extensions.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
