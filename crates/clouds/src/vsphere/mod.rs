//! vCenter: a SOAP client and the decoder of its events.
//!
//! ```text
//!   Endpoint ──▶ Client ── ReadNextEvents ──▶ Page ──▶ NativeEvent ── render ──▶ JSON
//!                  │                            │                        │
//!             Error, FaultKind              Malformed            DataFormat, Redaction
//! ```
//!
//! A page is decoded event by event, so that no event costs another. The JSON is written straight
//! from the XML, guided by a table of the API's classes (`types/table.txt`), in the form that
//! vsphere-event-streaming made known or in that of VI JSON.
//!
//! What it refuses: loops (reading until empty, waiting again), retries, logging in again, and
//! judging what an event means. Those are `runtime`'s and `connect`'s.

mod endpoint;
mod event;
mod moref;
mod pair;
mod render;
mod soap;
mod types;
mod xml;

pub use self::endpoint::{Endpoint, EndpointError};
pub use self::event::{
    EVENT_BYTES_MAX, EventClass, Kept, MALFORMED_BYTES_MAX, Malformed, NativeEvent, Page,
    decode_page,
};
pub use self::moref::MoRef;
pub use self::render::{DataFormat, FLAWS_MAX, REDACTED, Redaction, Rendered, redact_recorded};
pub use self::soap::{
    About, Client, EVENT_KEY_MAX, EntityFilter, Error, EventFilter, EventInfo, Fault, FaultKind,
    NewEvent, Recursion, ServiceContent, Session, VERSION_DEFAULT,
};
pub use self::types::event_classes;
pub use self::xml::{DEPTH_MAX, NODES_MAX, SyntaxError, TEXT_BYTES_MAX, XmlError};
