//! Events: what happened (a draft), and what the history keeps of it (rendered once).
//!
//! A draft knows no key and no time. Recording stamps it and renders its XML, which every later
//! answer copies: the simulator must outrun the clients that are measured against it.

mod catalog;
mod render;

pub(crate) use catalog::{CATALOG, Category, Entry, category as category_of, is_a};
pub(crate) use render::{Stamp, argument, render};

use std::borrow::Cow;
use std::ops::Range;

use jiff::Timestamp;

use super::inventory::EntityId;

/// The entities that an event names as its arguments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) datacenter: Option<EntityId>,
    pub(crate) cluster: Option<EntityId>,
    pub(crate) host: Option<EntityId>,
    pub(crate) machine: Option<EntityId>,
    pub(crate) datastore: Option<EntityId>,
    pub(crate) network: Option<EntityId>,
    pub(crate) switch: Option<EntityId>,
}

impl Place {
    /// The entities named, most specific last.
    pub(crate) fn entities(&self) -> impl Iterator<Item = EntityId> {
        [
            self.datacenter,
            self.cluster,
            self.host,
            self.machine,
            self.datastore,
            self.network,
            self.switch,
        ]
        .into_iter()
        .flatten()
    }
}

/// The fields of an event's class, after those that every event has.
#[derive(Debug, Clone)]
pub(crate) enum Tail {
    /// Ready XML.
    Fields(String),
    /// A task, whose description repeats the stamp of the event.
    Task { description_id: &'static str, entity: EntityId },
}

/// Something that happened, before it has a key and a time.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) class: Cow<'static, str>,
    pub(crate) type_id: Option<Cow<'static, str>>,
    pub(crate) category: Category,
    pub(crate) user: Cow<'static, str>,
    pub(crate) message: Option<String>,
    /// From API 9.1 on; shown only there.
    pub(crate) audit_id: Option<String>,
    pub(crate) place: Place,
    pub(crate) tail: Tail,
    /// Whether it continues the operation of the draft before it.
    pub(crate) continues: bool,
}

impl Draft {
    /// A draft of a class in the catalog, which begins an operation.
    pub(crate) fn new(
        class: &'static str,
        user: impl Into<Cow<'static, str>>,
        message: String,
        place: Place,
    ) -> Self {
        Self {
            class: Cow::Borrowed(class),
            type_id: None,
            category: catalog::category(class),
            user: user.into(),
            message: Some(message),
            audit_id: None,
            place,
            tail: Tail::Fields(String::new()),
            continues: false,
        }
    }

    pub(crate) fn fields(mut self, fields: String) -> Self {
        self.tail = Tail::Fields(fields);
        self
    }

    /// Adds the fields of a machine event: `template`, then those of the class.
    pub(crate) fn machine_fields(self, fields: &str) -> Self {
        self.fields(format!("<template>false</template>{fields}"))
    }
}

/// One event of the history.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) key: i32,
    pub(crate) chain_id: i32,
    pub(crate) created: Timestamp,
    pub(crate) class: Cow<'static, str>,
    pub(crate) type_id: Option<Cow<'static, str>>,
    pub(crate) category: Category,
    pub(crate) user: Cow<'static, str>,
    pub(crate) audit_id: Option<String>,
    pub(crate) place: Place,
    /// ` xsi:type="Class">…`: all but the name of the element that carries it.
    pub(crate) xml: Box<str>,
    /// Where `fullFormattedMessage` lies in `xml`.
    pub(crate) message: Range<usize>,
}

impl Event {
    /// Appends the event as an element of that name.
    pub(crate) fn write(&self, out: &mut String, name: &str, without_message: bool) {
        out.push('<');
        out.push_str(name);
        out.push_str(&self.content(without_message));
        super::xml::close(out, name);
    }

    /// All but the name of the element that carries it.
    pub(crate) fn content(&self, without_message: bool) -> Cow<'_, str> {
        match without_message {
            true => Cow::Owned(
                [&self.xml[..self.message.start], &self.xml[self.message.end..]].concat(),
            ),
            false => Cow::Borrowed(&self.xml),
        }
    }
}
