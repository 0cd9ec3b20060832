//! What all connections of one listener share.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    admission::Admission,
    client::Client,
    render::Renderer,
    settings::Settings,
    work::{Budgets, Pool},
};
use crate::{
    connections::Pressure,
    room::{Parts, Room, Shares},
};

/// One listener's shared state.
pub(super) struct Server {
    pub(super) context: Context,
    pub(super) settings: Arc<Settings>,
    pub(super) renderer: Renderer,
    pub(super) admission: Arc<Admission>,
    /// Where filters are evaluated.
    pub(super) pool: Pool,
    /// How much of that each client may ask for.
    pub(super) budgets: Budgets,
    pub(super) page_wait: Duration,
    /// What [`PAGES_BYTES_MAX_TOTAL`](super::limits::PAGES_BYTES_MAX_TOTAL) leaves.
    pub(super) pages: Room,
    /// The same for large answers to strangers: they take no room from pages, and nobody is hurried for them.
    pub(super) strangers: Room,
    /// How much of the room for pages each client may have.
    pub(super) page_parts: Parts<Client>,
    /// How many pages are made for each client at a time.
    pub(super) page_turns: Shares<Client>,
    /// What [`FILTERS_BYTES_MAX_TOTAL`](super::limits::FILTERS_BYTES_MAX_TOTAL) leaves.
    pub(super) filters: Room,
    /// How much of that each client may have.
    pub(super) filter_parts: Parts<Client>,
    /// What [`READS_MAX`](super::limits::READS_MAX) leaves.
    pub(super) reads: Arc<Semaphore>,
    /// Where the grid of heartbeats begins.
    pub(super) epoch: Instant,
    pub(super) started: Timestamp,
    /// Cancelled when watches must end, behind or not.
    pub(super) cut: CancellationToken,
}

impl Server {
    /// Waits until a reader finds no room for what it asks for.
    pub(super) async fn pressed(&self) {
        tokio::select! {
            () = self.pages.pressed() => {}
            () = self.renderer.room.pressed() => {}
            () = self.page_parts.pressed() => {}
            () = self.renderer.parts.pressed() => {}
        }
    }

    /// Whose readers others wait for now.
    pub(super) fn pressure(&self) -> Pressure {
        let (pages, rendered) = (self.pages.is_pressed(), self.renderer.room.is_pressed());
        let clients = self.page_parts.take_pressed().into_iter();
        let clients = clients.chain(self.renderer.parts.take_pressed());
        Pressure { on_all: pages || rendered, on_clients: clients.collect(), on_tls: false }
    }
}
