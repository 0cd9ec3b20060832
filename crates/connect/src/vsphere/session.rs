//! A session in the vCenter, and the questions that are asked in it.
//!
//! Everything that is made is given back, also on the ways out of a failure: a vCenter grants 32
//! collectors, and vcsim does not even free them with the session.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use jiff::Timestamp;
use pluvio_clouds::vsphere::{
    Client, EVENT_KEY_MAX, EntityFilter, Error as CallError, EventFilter, FaultKind, MoRef, Page,
    Recursion, ServiceContent, XmlError,
};
use pluvio_net::{HttpClient, HttpError};
use tracing::{debug, warn};

use super::{
    Error,
    config::Settings,
    listing::{KEYS_END_SOON, Listing},
    pages::{PAGE_EVENTS_MAX, Pages},
    place::plain_uuid,
};

/// `apiType` of a host that is asked itself.
const HOST: &str = "HostAgent";
/// Each ring of the bell carries the collector's latest page, whose content nobody reads.
const BELL_PAGE_EVENTS: u32 = 1;

/// A session of one account.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) content: ServiceContent,
    pages: Arc<Pages>,
    by_key: AtomicBool,
    /// The vCenter's time when it was asked last, and when that was.
    told: Mutex<Option<(Timestamp, Instant)>>,
}

impl Session {
    /// Logs in, with secrets read anew.
    pub(super) async fn open(settings: &Settings) -> Result<Self, Error> {
        let failed = |key| move |source| Error::Secret { key, source };
        let username = settings.username.resolve_name().map_err(failed("username"))?;
        let password = settings.password.resolve().map_err(failed("password"))?;
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
        let by_key = AtomicBool::new(pages_by_key(&content.about.api_version));
        let pages = Arc::clone(&settings.pages);
        Ok(Self { client, content, pages, by_key, told: Mutex::default() })
    }

    /// A listing of what happened from `begin` to `end`, both inclusive.
    pub(super) async fn list(
        &self,
        settings: &Settings,
        begin: Timestamp,
        end: Option<Timestamp>,
    ) -> Result<Listing, Error> {
        if self.lists_by_key() {
            match self.keys_tell_the_order(settings, begin).await {
                Ok(true) => return Ok(Listing::ByKey { begin, end, after: 0 }),
                Ok(false) => debug!("keys do not tell the order of events: listing by a collector"),
                Err(error) if error.fault().is_some() => {
                    warn!(%error, "the vCenter does not list by keys: listing by a collector");
                    self.stop_listing_by_key();
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.collector(settings, begin, end).await.map(Listing::Collector)
    }

    /// Gives back what a listing holds.
    pub(super) async fn close(&self, listing: Listing) {
        if let Listing::Collector(collector) | Listing::Cut(collector) = listing {
            self.free(&collector).await;
        }
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

    /// Whether events are listed by their keys on this connection.
    pub(super) fn lists_by_key(&self) -> bool {
        self.by_key.load(Ordering::Relaxed)
    }

    /// From now on a collector lists events: keys do not tell their order here.
    pub(super) fn stop_listing_by_key(&self) {
        self.by_key.store(false, Ordering::Relaxed);
    }

    /// Whether keys tell the order of events from `begin` on: the newest one has the greatest key, and keys
    /// will not begin again soon. A vCenter whose keys began again, or that was restored, has its own order
    /// until that is past.
    pub(super) async fn keys_tell_the_order(
        &self,
        settings: &Settings,
        begin: Timestamp,
    ) -> Result<bool, CallError> {
        let (manager, one) = (&self.content.event_manager, filter(settings, begin, None, 1));
        let greatest = self.client.query_events_behind(manager, &one, EVENT_KEY_MAX, false).await?;
        let newest = self.client.query_events(manager, &one).await?;
        let key = |page: &Page| page.events.first().map(|event| event.as_ref().ok()?.key);
        Ok(match (key(&greatest), key(&newest)) {
            (None, None) => true,
            // An event may have come in between.
            (Some(Some(greatest)), Some(Some(newest))) => {
                greatest <= newest && newest < KEYS_END_SOON
            }
            _ => false,
        })
    }

    /// Whether it shows any event from `begin` to `end`, both inclusive.
    pub(super) async fn shows_any(
        &self,
        settings: &Settings,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<bool, CallError> {
        let one = filter(settings, begin, Some(end), 1);
        let page = self.client.query_events(&self.content.event_manager, &one).await?;
        Ok(!page.events.is_empty() || page.is_cut)
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

    /// The next page of a listing, and the listing behind it. Of a page that is cut on its way, what came
    /// whole is taken, and the listing goes on there. Where nothing came whole, or a page is too large to
    /// take, it fails, and the next connection asks for half of it. An event that was alone and cut several
    /// times in a row is taken as it stands: it would be cut for ever.
    pub(super) async fn read(
        &self,
        settings: &Settings,
        listing: Listing,
    ) -> Result<(Page, Listing), Error> {
        let events = self.pages.events();
        let page = match &listing {
            Listing::Collector(collector) => self.client.read_next_events(collector, events).await,
            Listing::ByKey { begin, end, after } => {
                let filter = filter(settings, *begin, *end, events);
                let manager = &self.content.event_manager;
                self.client.query_events_behind(manager, &filter, *after, true).await
            }
            Listing::Lost | Listing::Cut(_) => return Ok((Page::default(), listing)),
        };
        let mut page = match page {
            Ok(page) => page,
            Err(CallError::Xml { source: XmlError::Truncated, .. }) => {
                Page { is_cut: true, ..Page::default() }
            }
            Err(error) => {
                let is_too_much = matches!(
                    error,
                    CallError::Transport { source: HttpError::TooLarge { .. }, .. }
                );
                if is_too_much {
                    self.pages.halve(events);
                }
                return Err(error.into());
            }
        };
        if page.is_cut {
            let part = page.events.pop_if(|last| last.is_err());
            if page.events.is_empty() && self.pages.ask_again_for_the_first_event(events) {
                return Err(Error::Cut { method: listing.method() });
            }
            if page.events.is_empty() {
                page.events.extend(part);
            }
        } else {
            self.pages.read(events);
        }
        let behind = listing.behind(&mut page);
        Ok((page, behind))
    }

    /// A cut page held nothing new: fewer events are asked for, so that the next one may come whole.
    pub(super) fn ask_for_fewer(&self) {
        self.pages.halve(self.pages.events());
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

/// Whether `QueryEvents` pages by key: from API 9.0 on.
fn pages_by_key(api_version: &str) -> bool {
    let major = api_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= 9)
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
