//! What is held in the vCenter: a session, a collector, and a bell that rings when it has news.
//!
//! Everything that is made is given back, also on the ways out of a failure: a vCenter grants 32
//! collectors, and vcsim does not even free them with the session.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use pluvio_clouds::vsphere::{
    Client, EntityFilter, Error as CallError, EventFilter, FaultKind, MoRef, Page, Recursion,
    ServiceContent, XmlError,
};
use pluvio_net::{HttpClient, HttpError};
use tracing::debug;

use super::{Error, config::Settings, place::plain_uuid};

/// Most events of one read: the server's own limit.
pub(super) const PAGE_EVENTS_MAX: u32 = 1000;
/// `apiType` of a host that is asked itself.
const HOST: &str = "HostAgent";
/// After so many whole pages of fewer events than the server's limit, twice as many are asked for.
const GROW_AFTER: u32 = 64;
/// Each ring of the bell carries the collector's latest page, whose content nobody reads.
const BELL_PAGE_EVENTS: u32 = 1;

/// How many events are asked for at once: as many as the server gives, fewer where that failed. Lives as
/// long as the source.
#[derive(Debug)]
pub(super) struct Pages {
    events: AtomicU32,
    /// Whole pages read since that changed.
    reads: AtomicU32,
}

impl Default for Pages {
    fn default() -> Self {
        Self { events: AtomicU32::new(PAGE_EVENTS_MAX), reads: AtomicU32::new(0) }
    }
}

impl Pages {
    fn events(&self) -> u32 {
        self.events.load(Ordering::Relaxed)
    }

    /// `events` were too many.
    fn halve(&self, events: u32) {
        self.set((events / 2).max(1));
    }

    /// `events` were asked for, and came whole.
    fn read(&self, events: u32) {
        if events < PAGE_EVENTS_MAX && self.reads.fetch_add(1, Ordering::Relaxed) >= GROW_AFTER {
            self.set((events * 2).min(PAGE_EVENTS_MAX));
        }
    }

    fn set(&self, events: u32) {
        self.events.store(events, Ordering::Relaxed);
        self.reads.store(0, Ordering::Relaxed);
    }
}

/// A session of one account.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) content: ServiceContent,
    pages: Arc<Pages>,
    /// The vCenter's time when it was asked last, and when that was.
    told: Mutex<Option<(Timestamp, Instant)>>,
}

impl Session {
    /// Logs in, with secrets read anew.
    pub(super) async fn open(settings: &Settings) -> Result<Self, Error> {
        let secret = |key, source: &pluvio_net::SecretSource| {
            source.resolve().map_err(|source| Error::Secret { key, source })
        };
        let username = secret("username", &settings.username)?;
        let password = secret("password", &settings.password)?;
        let mut client = Client::new(HttpClient::new(&settings.tls)?, settings.url.clone());
        match client.newest_version().await {
            Ok(version) => client = client.with_version(version),
            // Only a refusal of this one document may pass: what follows says more than this does.
            Err(CallError::Status { .. } | CallError::Xml { .. } | CallError::Answer { .. }) => {
                debug!("the vCenter does not tell its API versions");
            }
            Err(error) => return Err(error.into()),
        }
        let content = client.service_content().await?;
        client.login(&content.session_manager, username.expose(), &password).await?;
        Ok(Self { client, content, pages: Arc::clone(&settings.pages), told: Mutex::default() })
    }

    /// Asks for the vCenter's time.
    pub(super) async fn current_time(&self) -> Result<Timestamp, Error> {
        let now = self.client.current_time().await?;
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
        Ok(now)
    }

    /// The vCenter's time, carried on from when it was asked last.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        let (told, at) = (*self.told.lock().unwrap_or_else(PoisonError::into_inner))?;
        told.checked_add(at.elapsed()).ok()
    }

    /// The identity of this vCenter, in the form that a position holds; empty where it does not
    /// tell.
    pub(super) fn uuid(&self) -> String {
        plain_uuid(self.content.about.instance_uuid.as_deref().unwrap_or_default())
    }

    /// Which category each class and event type has; nothing where the account may not see it.
    pub(super) async fn categories(&self) -> HashMap<String, String> {
        let content = &self.content;
        let infos =
            self.client.event_info(&content.property_collector, &content.event_manager).await;
        match infos {
            Ok(infos) => infos.into_iter().map(|info| (info.name, info.category)).collect(),
            Err(error) => {
                debug!(%error, "the vCenter does not tell the categories of its events");
                HashMap::new()
            }
        }
    }

    /// Makes a collector of what happened from `begin` to `end`, both inclusive.
    pub(super) async fn collector(
        &self,
        settings: &Settings,
        begin: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<MoRef, Error> {
        let filter = filter(settings, begin, end, BELL_PAGE_EVENTS);
        let made = self.client.create_event_collector(&self.content.event_manager, &filter).await;
        made.map_err(|error| {
            let about = &self.content.about;
            let is_unknown =
                matches!(error.fault(), Some(FaultKind::Other(name)) if name == "NotSupported");
            if is_unknown && about.api_type == HOST {
                Error::Host { name: about.name.clone() }
            } else {
                error.into()
            }
        })
    }

    /// The newest events from `begin` to `end` without a cursor; at most [`PAGE_EVENTS_MAX`].
    pub(super) async fn query(
        &self,
        settings: &Settings,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<Page, Error> {
        let filter = filter(settings, begin, Some(end), PAGE_EVENTS_MAX);
        let page = self.client.query_events(&self.content.event_manager, &filter).await?;
        if page.is_cut { Err(Error::Cut { method: "QueryEvents" }) } else { Ok(page) }
    }

    /// The next page of a collector. One that is too large to take, or that is cut on its way, fails, and
    /// the next connection asks for half of it. What is cut when it was alone is taken as it stands: it
    /// would be cut for ever.
    pub(super) async fn read(&self, collector: &MoRef) -> Result<Page, Error> {
        let events = self.pages.events();
        let page = self.client.read_next_events(collector, events).await;
        let (is_cut, is_too_much) = match &page {
            Ok(page) => (page.is_cut && events > 1, false),
            Err(CallError::Transport { source: HttpError::TooLarge { .. }, .. }) => (false, true),
            Err(CallError::Xml { source: XmlError::Truncated, .. }) => (true, false),
            Err(_) => (false, false),
        };
        match is_cut || is_too_much {
            true => self.pages.halve(events),
            false if page.as_ref().is_ok_and(|page| !page.is_cut) => self.pages.read(events),
            false => {}
        }
        if is_cut { Err(Error::Cut { method: "ReadNextEvents" }) } else { Ok(page?) }
    }

    /// Most events of one read now.
    pub(super) fn page_events(&self) -> usize {
        self.pages.events() as usize
    }

    /// Frees a collector; it may be gone already.
    pub(super) async fn free(&self, collector: &MoRef) {
        if let Err(error) = self.client.destroy_collector(collector).await {
            debug!(%error, "collector was not destroyed");
        }
    }

    /// Ends the session.
    pub(super) async fn logout(&self) {
        if let Err(error) = self.client.logout(&self.content.session_manager).await {
            debug!(%error, "session was not ended");
        }
    }
}

fn filter(
    settings: &Settings,
    begin: Timestamp,
    end: Option<Timestamp>,
    max_count: u32,
) -> EventFilter {
    let entity = settings.entity.clone();
    EventFilter {
        entity: entity.map(|object| EntityFilter { object, recursion: Recursion::All }),
        begin: Some(begin),
        end,
        users: settings.users.clone(),
        categories: Vec::new(),
        event_types: settings.event_types.clone(),
        max_count: Some(max_count),
        delayed_init: None,
    }
}

/// The collector that is read on and on, and its bell.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) collector: MoRef,
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
        let collector = session.collector(settings, begin, None).await?;
        let bell = match Bell::hang(session, &collector).await {
            Ok(bell) => Some(bell),
            Err(error) => {
                debug!(%error, "the vCenter cannot wake us: polling each second");
                None
            }
        };
        Ok(Self { collector, bell })
    }

    /// Waits for news, at most [`WAIT_MAX`] or `wait_max`. `true`: the bell rang.
    pub(super) async fn wait(
        &mut self,
        session: &Session,
        wait_max: Duration,
    ) -> Result<bool, Error> {
        let Some(bell) = &mut self.bell else {
            tokio::time::sleep(POLL_INTERVAL).await;
            return Ok(false);
        };
        let (on, version) = (&bell.property_collector, bell.version.as_deref());
        let news = session.client.wait_for_updates(on, version, WAIT_MAX.min(wait_max)).await;
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
        tokio::join!(bell, session.free(&self.collector));
    }
}

impl Bell {
    async fn hang(session: &Session, collector: &MoRef) -> Result<Self, CallError> {
        let client = &session.client;
        let shared = &session.content.property_collector;
        let property_collector = client.create_property_collector(shared).await?;
        let mut bell = Self { property_collector, version: None };
        let primed = async {
            client.create_filter(&bell.property_collector, collector).await?;
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
