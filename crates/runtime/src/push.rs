//! What is pushed: messages that others send to a listener, made into events.

use bytes::Bytes;
use pluvio_event::Event;

/// A message's headers, names in lower case.
pub type Headers = Vec<(String, String)>;

/// Turns one message into events. Pure: no I/O, no state; a listener feeds the events to
/// [`Ingest`](crate::Ingest) and acknowledges when they are durable.
pub trait Push: Send + Sync + 'static {
    /// The events in a message, in order.
    fn receive(&self, headers: &Headers, body: Bytes) -> Result<Vec<Event>, Refusal>;
}

/// Why a message was not taken; the text is for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message refused: {reason}")]
pub struct Refusal {
    /// What is wrong and what would be right.
    pub reason: String,
}
