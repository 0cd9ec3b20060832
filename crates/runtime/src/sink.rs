//! What is written to: another system that gets the events.

use std::{future::Future, time::Duration};

use pluvio_event::Event;
use pluvio_log::Offset;

use crate::Failure;

/// A system that events are handed to, in order, at least once.
pub trait Sink: Send + 'static {
    /// Why connecting failed and what helps.
    type Error: Failure;

    /// Connects. A cursor that the target itself keeps wins over ours: `Some(offset)` says that
    /// everything before `offset` has arrived.
    fn connect(&mut self) -> impl Future<Output = Result<Option<Offset>, Self::Error>> + Send;

    /// Hands over one batch, one attempt.
    fn write(&mut self, batch: &[Delivered]) -> impl Future<Output = Outcome<Self::Error>> + Send;

    /// Closes what can be closed. Best effort.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// An event on its way out.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Its place in the stream.
    pub offset: Offset,
    /// The event.
    pub event: Event,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Outcome<E> {
    /// Everything up to and including this offset has arrived for good.
    AckedTo(Offset),
    /// The target says no to these for ever; the rest of the batch has arrived.
    Rejected(Vec<(Offset, String)>),
    /// Try the same batch again, not before.
    Throttled(Duration),
    /// The connection is gone; nothing is known of the batch.
    NotConnected(E),
}
