//! The listing that is read on and on, and a bell that rings when it has news.
//!
//! The bell is a property collector that watches what changes with each event: the latest page of our own
//! collector, or the `latestEvent` of the event manager where events are listed by their keys.

use std::time::Duration;

use jiff::Timestamp;
use pluvio_clouds::vsphere::{Error as CallError, FaultKind, MoRef};
use tracing::debug;

use super::{Error, config::Settings, listing::Listing, session::Session};

/// The listing that is read on and on, and its bell.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) listing: Listing,
    /// `None`: this server or account cannot wait, so it is asked every [`POLL_INTERVAL`].
    bell: Option<Bell>,
}

#[derive(Debug)]
struct Bell {
    property_collector: MoRef,
    version: Option<String>,
}

/// The fallback where nothing rings.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Longest single wait. A lost ring would cost this much latency, and no event.
const WAIT_MAX: Duration = Duration::from_secs(15);

impl Cursor {
    /// A cursor at the oldest event from `begin` on.
    pub(super) async fn open(
        session: &Session,
        settings: &Settings,
        begin: Timestamp,
    ) -> Result<Self, Error> {
        let listing = session.list(settings, begin, None).await?;
        let (object, path) = match &listing {
            Listing::Collector(collector) => (collector, "latestPage"),
            _ => (&session.content.event_manager, "latestEvent"),
        };
        let bell = match Bell::hang(session, object, path).await {
            Ok(bell) => Some(bell),
            Err(error) => {
                debug!(%error, "the vCenter cannot wake us: polling each second");
                None
            }
        };
        Ok(Self { listing, bell })
    }

    /// Whether it is listed by keys. Its bell rings for events that it does not show, too.
    pub(super) fn is_by_key(&self) -> bool {
        matches!(self.listing, Listing::ByKey { .. })
    }

    /// Waits for news, at most [`WAIT_MAX`] or `wait_max`. `true`: the bell rang.
    pub(super) async fn wait(
        &mut self,
        session: &Session,
        wait_max: Duration,
    ) -> Result<bool, Error> {
        // Reading behind a key costs the vCenter little, and no documentation says that its bell rings for
        // each event.
        let wait_max = wait_max.min(if self.is_by_key() { POLL_INTERVAL } else { WAIT_MAX });
        let Some(bell) = &mut self.bell else {
            tokio::time::sleep(POLL_INTERVAL).await;
            return Ok(false);
        };
        let (on, version) = (&bell.property_collector, bell.version.as_deref());
        let news = session.client.wait_for_updates(on, version, wait_max).await;
        match news {
            Ok(Some(version)) => {
                bell.version = Some(version);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) if error.fault() == Some(&FaultKind::InvalidCollectorVersion) => {
                bell.version = None;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Gives everything back.
    pub(super) async fn close(self, session: &Session) {
        let bell = async {
            if let Some(bell) = self.bell {
                bell.take_down(session).await;
            }
        };
        tokio::join!(bell, session.close(self.listing));
    }
}

impl Bell {
    async fn hang(session: &Session, object: &MoRef, path: &str) -> Result<Self, CallError> {
        let client = &session.client;
        let shared = &session.content.property_collector;
        let property_collector = client.create_property_collector(shared).await?;
        let mut bell = Self { property_collector, version: None };
        let primed = async {
            client.create_filter(&bell.property_collector, object, path).await?;
            // The first answer comes at once and tells the state; what follows tells changes.
            client.wait_for_updates(&bell.property_collector, None, WAIT_MAX).await
        };
        match primed.await {
            Ok(version) => {
                bell.version = version;
                Ok(bell)
            }
            Err(error) => {
                bell.take_down(session).await;
                Err(error)
            }
        }
    }

    async fn take_down(self, session: &Session) {
        let destroyed = session.client.destroy_property_collector(&self.property_collector).await;
        if let Err(error) = destroyed {
            debug!(%error, "property collector was not destroyed");
        }
    }
}
