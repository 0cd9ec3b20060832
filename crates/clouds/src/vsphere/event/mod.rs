//! Events as vCenter sends them: decoded one by one, never as a page.
//!
//! A [`NativeEvent`] holds what the runtime needs to know of an event (key, time, class, subject,
//! who) and the XML it came in; the JSON is made by [`NativeEvent::render`] when it is wanted. Real
//! pages hold surprises, and a client that fails on one loses the other 999, so there are three
//! grades: an event as expected; an event that is well-formed but odd (no key, no time, a class
//! nobody knows), which decodes as far as it goes and says so in `flaws` and `known`; and
//! [`Malformed`], the text of what cannot be read at all.
//!
//! An event shares the text of its page, which lives as long as any of its events.

mod subject;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::moref::MoRef;
use super::render::{self, DataFormat, Markup, Redaction, Rendered};
use super::types::{self, Class};
use super::xml::{self, Piece, Tree, XmlError};

/// A larger event would not fit into the log whatever its content.
pub const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How much is kept of the text of an event that cannot be read.
pub const MALFORMED_BYTES_MAX: usize = 4 * 1024;

/// What one read of a collector gave.
#[derive(Debug, Default)]
pub struct Page {
    /// In the server's order.
    pub events: Vec<Result<NativeEvent, Malformed>>,
    /// Whether the answer does not end as one does: somebody on the way gave up in the middle of it. The
    /// last event is then a part of one, and others may have followed.
    pub is_cut: bool,
}

/// One event.
#[derive(Clone)]
pub struct NativeEvent {
    /// The key, which the API's documentation calls the event's id: 32 bits wide. From API 9.0 on it is
    /// not negative and begins again behind a greatest one; older vCenters were seen to overflow into
    /// negative keys (issues 716 and 809 of the VMware Event Broker Appliance).
    pub key: Option<i64>,
    /// The key of the event that began the chain.
    pub chain_id: Option<i64>,
    /// When it was created, by the vCenter's clock.
    pub created_time: Option<Timestamp>,
    /// The same as the server wrote it.
    pub created_time_text: Option<String>,
    /// The class by `xsi:type`, such as `VmPoweredOnEvent`.
    pub class: String,
    /// Whether the type table knows the class.
    pub known: bool,
    /// Which of the three ways to name an event's type applies.
    pub event_class: EventClass,
    /// The type of an `EventEx` or `ExtendedEvent`, such as `com.vmware.vc.ha.VmRestarted`.
    pub event_type_id: Option<String>,
    /// Who caused it; empty for the system itself.
    pub user_name: Option<String>,
    /// What it is about; the order is told at [`NativeEvent::subject`].
    subject: Option<MoRef>,
    /// The severity that an `EventEx` carries itself; all others have one by class.
    pub severity: Option<String>,
    /// The message as the vCenter formats it.
    pub message: Option<String>,
    /// What is odd about it, one sentence each.
    pub flaws: Vec<String>,
    tree: Tree,
    decoded_as: &'static Class,
}

/// How an event's type is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClass {
    /// By its class: everything but the other two.
    Event,
    /// By `eventTypeId`: exactly the class `EventEx`.
    EventEx,
    /// By `eventTypeId`: exactly the class `ExtendedEvent`.
    ExtendedEvent,
}

/// A part of a page that is no readable event.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read an event of {bytes} bytes")]
pub struct Malformed {
    /// How long its text is.
    pub bytes: usize,
    /// What is wrong with it; nothing when it is merely too large.
    #[source]
    pub reason: Option<XmlError>,
    /// The beginning of its text, [`MALFORMED_BYTES_MAX`] bytes of it, *with* its secrets.
    head: String,
}

/// What may be stored and shown of an event that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The beginning of its markup; where that is broken, only the fields that every event has.
    pub text: String,
    /// How many values were replaced in it.
    pub redacted: usize,
}

/// Reads the events out of an answer: all elements with this name, `returnval` as a rule.
///
/// Bytes that are no UTF-8 are replaced, so that they cost one character and not the page.
pub fn decode_page(body: &[u8], element: &str) -> Result<Page, XmlError> {
    let source: Arc<str> = Arc::from(String::from_utf8_lossy(body));
    let pieces = xml::elements(&source, element)?;
    let decode = |piece| match piece {
        Piece::Whole(tree) if tree.raw().len() > EVENT_BYTES_MAX => {
            Err(Malformed::new(tree.raw(), None))
        }
        Piece::Whole(tree) => Ok(NativeEvent::decode(tree)),
        Piece::Broken(range, error) => {
            Err(Malformed::new(source.get(range).unwrap_or_default(), Some(error)))
        }
    };
    let is_cut = !ends_envelope(&source);
    Ok(Page { events: pieces.into_iter().map(decode).collect(), is_cut })
}

/// Whether the last tag of an answer ends its envelope, as SOAP has it.
fn ends_envelope(answer: &str) -> bool {
    answer.rfind("</").is_some_and(|last| answer[last..].contains("Envelope>"))
}

impl Malformed {
    fn new(text: &str, reason: Option<XmlError>) -> Malformed {
        // Cut first, so that the work is bounded; a secret that the cut splits has its tag before it.
        let head = text[..text.floor_char_boundary(MALFORMED_BYTES_MAX)].to_owned();
        Malformed { bytes: text.len(), reason, head }
    }

    /// What may be kept of it.
    pub fn kept(&self, redaction: &Redaction) -> Kept {
        let Markup { text, redacted, .. } = self.markup(redaction);
        Kept { text, redacted }
    }

    /// When it says that it was created, if that can be read all the same.
    pub fn created_time(&self) -> Option<Timestamp> {
        let (_, rest) = self.head.split_once("createdTime>")?;
        let (time, _) = rest.split_once('<')?;
        time.trim().parse().ok()
    }

    /// What tells it from others: its beginning, also what could not be read of that. For a digest, not to
    /// be stored or shown.
    pub fn identity(&self, redaction: &Redaction) -> String {
        self.markup(redaction).identity
    }

    fn markup(&self, redaction: &Redaction) -> Markup {
        render::redact_markup(&self.head, self.reason.is_some(), redaction)
    }
}

impl fmt::Debug for Malformed {
    /// Without its text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Malformed")
            .field("bytes", &self.bytes)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl NativeEvent {
    fn decode(tree: Tree) -> NativeEvent {
        let root = tree.root();
        let mut flaws = Vec::new();
        let class = root.class().to_owned();
        if class.is_empty() {
            flaws.push("event has no class".to_owned());
        }
        let found = types::class(&class).filter(|class| class.is_event());
        let event_class = match class.as_str() {
            "EventEx" => EventClass::EventEx,
            "ExtendedEvent" => EventClass::ExtendedEvent,
            _ => EventClass::Event,
        };
        let text = |name| root.child_text(name).map(Cow::into_owned);
        let created_time_text = text("createdTime");
        let created_time = created_time_text.as_deref().and_then(|text| text.trim().parse().ok());
        if created_time.is_none() {
            flaws.push("`createdTime` is missing or no time".to_owned());
        }
        let by_id = event_class != EventClass::Event;
        let event_type_id = text("eventTypeId").filter(|id| by_id && !id.is_empty());
        if by_id && event_type_id.is_none() {
            flaws.push("`eventTypeId` is missing".to_owned());
        }
        NativeEvent {
            key: number(root.child_text("key"), "key", &mut flaws),
            chain_id: number(root.child_text("chainId"), "chainId", &mut flaws),
            created_time,
            created_time_text,
            known: found.is_some(),
            event_class,
            event_type_id,
            user_name: text("userName"),
            subject: subject::of(root),
            severity: text("severity").filter(|_| event_class == EventClass::EventEx),
            message: text("fullFormattedMessage").or_else(|| text("message")),
            decoded_as: found.or_else(|| types::class("Event")).unwrap_or(&types::NOTHING),
            class,
            flaws,
            tree,
        }
    }

    /// The object it is about: the first of virtual machine, host, compute resource, datastore,
    /// network, switch, data center; else the object that an `EventEx` or `ExtendedEvent` names;
    /// else the entity of an alarm, a permission or a task.
    pub fn subject(&self) -> Option<&MoRef> {
        self.subject.as_ref()
    }

    /// The name of its type: the `eventTypeId` where it has one, else the class.
    pub fn type_name(&self) -> &str {
        self.event_type_id.as_deref().unwrap_or(&self.class)
    }

    /// The element as the server sent it, *with* its secrets: not to be stored or shown.
    pub fn raw(&self) -> &str {
        self.tree.raw()
    }

    /// The event as JSON, without its secrets.
    pub fn render(&self, format: DataFormat, redaction: &Redaction) -> Rendered {
        render::render(self.tree.root(), &self.class, self.decoded_as, format, redaction)
    }
}

impl fmt::Debug for NativeEvent {
    /// Short, and without values that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeEvent")
            .field("key", &self.key)
            .field("class", &self.class)
            .field("created_time", &self.created_time)
            .field("flaws", &self.flaws)
            .finish_non_exhaustive()
    }
}

impl EventClass {
    /// The value of the CloudEvents extension `eventclass`.
    pub fn as_str(self) -> &'static str {
        match self {
            EventClass::Event => "event",
            EventClass::EventEx => "eventex",
            EventClass::ExtendedEvent => "extendedevent",
        }
    }
}

fn number(text: Option<Cow<'_, str>>, name: &str, flaws: &mut Vec<String>) -> Option<i64> {
    let number = text.and_then(|text| text.trim().parse().ok());
    if number.is_none() {
        flaws.push(format!("`{name}` is missing or no number"));
    }
    number
}
