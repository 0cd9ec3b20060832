//! What all connections of one listener share.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use kafka_protocol::{messages::BrokerId, protocol::StrBytes};
use pluvio_log::Log as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    config::Advertised,
    limits::{
        FETCH_BYTES_MAX_CLIENT, FETCH_BYTES_MAX_TOTAL, FRAME_BYTES_MAX_CLIENT,
        FRAME_BYTES_MAX_TOTAL, LOOKUPS_MAX, Limits,
    },
    turn::Turns,
};
use crate::{
    Context,
    groups::Coordinator,
    holder::Holder,
    room::{Parts, Room},
};

/// The one broker, controller and coordinator that there is. Any number does; clients show it.
pub(super) const NODE: BrokerId = BrokerId(1);

/// One listener's shared state.
pub(super) struct Server {
    pub(super) context: Context,
    pub(super) advertised: Option<Advertised>,
    pub(super) limits: Limits,
    /// Names this Pluvio to clients, as Kafka writes ids: made from the default stream's id, which those learn
    /// that may read it, and which cannot be told from this.
    pub(super) cluster: StrBytes,
    /// Those of all listeners.
    pub(super) groups: Arc<Coordinator>,
    /// Whose dear request is worked on.
    pub(super) turns: Turns,
    /// Who looks up a record in the past.
    pub(super) lookups: Turns,
    /// What [`FETCH_BYTES_MAX_TOTAL`] leaves.
    pub(super) room: Room,
    /// How much of that each client may have.
    pub(super) parts: Parts<Holder>,
    /// What [`FRAME_BYTES_MAX_TOTAL`] leaves.
    pub(super) frames: Room,
    /// How much of that each client may have.
    pub(super) frame_parts: Parts<Holder>,
    /// Long waits end when this is cancelled.
    pub(super) drain: CancellationToken,
}

impl Server {
    pub(super) fn new(
        context: Context,
        advertised: Option<Advertised>,
        limits: Limits,
        groups: Arc<Coordinator>,
        drain: CancellationToken,
    ) -> Self {
        let id = context.log.extent(&context.stream).map(|extent| extent.log_id);
        let id = Uuid::new_v5(&id.unwrap_or_default(), b"the id of a cluster");
        let cluster = BASE64_URL_SAFE_NO_PAD.encode(id);
        Self {
            context,
            advertised,
            limits,
            cluster: StrBytes::from_string(cluster),
            groups,
            turns: Turns::new(),
            lookups: Turns::at_a_time(LOOKUPS_MAX),
            room: Room::new(FETCH_BYTES_MAX_TOTAL),
            parts: Parts::new(FETCH_BYTES_MAX_CLIENT),
            frames: Room::new(FRAME_BYTES_MAX_TOTAL),
            frame_parts: Parts::new(FRAME_BYTES_MAX_CLIENT),
            drain,
        }
    }
}
