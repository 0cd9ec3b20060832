//! Sessions: who is logged in, and everything that dies when they leave.
//!
//! Collectors, views and unfinished answers belong to a session, as in a real vCenter; dropping the
//! session drops them all, and nobody has to clean up.

mod collector;
mod updates;

pub(crate) use collector::{Collector, PAGE_EVENTS_MAX};
pub(crate) use updates::{PropertyCollector, PropertyFilter};

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use uuid::Uuid;

use super::history::History;
use super::inventory::{EntityId, Inventory};
use super::moref::MoRef;
use super::soap::SoapFault;
use super::xml::leaf;

/// Event collectors that one session may hold.
pub(crate) const COLLECTORS_MAX: usize = 32;

/// A view of the inventory.
#[derive(Debug, Clone)]
pub(crate) enum View {
    /// All entities of some classes below one, as they are at each look.
    Container { root: EntityId, classes: Vec<String>, recursive: bool },
    /// Objects that the client named.
    List(Vec<MoRef>),
}

/// Where a client is and what it says it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) address: String,
    pub(crate) agent: String,
}

/// One login.
#[derive(Debug)]
pub(crate) struct Session {
    /// What the protocol calls the session; the cookie is another secret.
    pub(crate) key: String,
    pub(crate) user: String,
    pub(crate) peer: Peer,
    pub(crate) login_time: Timestamp,
    pub(crate) active_time: Timestamp,
    pub(crate) calls: u64,
    pub(crate) collectors: HashMap<String, Collector>,
    pub(crate) property_collectors: HashMap<String, PropertyCollector>,
    pub(crate) views: HashMap<String, View>,
    /// Parts of answers that the client has still to fetch, by token.
    pub(crate) unfetched: HashMap<String, VecDeque<String>>,
    next_number: u32,
}

impl Session {
    pub(crate) fn new(user: &str, peer: Peer, now: Timestamp) -> Self {
        Self {
            key: format!("52{}", &Uuid::new_v4().to_string()[2..]),
            user: user.to_owned(),
            peer,
            login_time: now,
            active_time: now,
            calls: 0,
            collectors: HashMap::new(),
            property_collectors: HashMap::new(),
            views: HashMap::new(),
            unfetched: HashMap::new(),
            next_number: 0,
        }
    }

    /// An identifier for a new object of this session.
    pub(crate) fn new_id(&mut self) -> String {
        self.next_number += 1;
        format!("session[{}]{:08x}", self.key, self.next_number)
    }

    /// The event collector that a call is about.
    pub(crate) fn collector(&mut self, this: &MoRef) -> Result<&mut Collector, SoapFault> {
        self.collectors
            .get_mut(&this.value)
            .ok_or_else(|| SoapFault::ManagedObjectNotFound(this.clone()))
    }

    /// Brings the latest pages of all collectors up to date.
    pub(crate) fn refresh_pages(&mut self, history: &History, inventory: &Inventory) {
        for collector in self.collectors.values_mut() {
            collector.refresh_page(history, inventory);
        }
    }

    /// The session as the protocol describes it.
    pub(crate) fn describe(&self) -> String {
        let mut out = String::new();
        leaf(&mut out, "key", &self.key);
        leaf(&mut out, "userName", &self.user);
        leaf(&mut out, "fullName", &self.user);
        leaf(&mut out, "loginTime", &super::clock::xml_time(self.login_time));
        leaf(&mut out, "lastActiveTime", &super::clock::xml_time(self.active_time));
        leaf(&mut out, "locale", "en");
        leaf(&mut out, "messageLocale", "en");
        leaf(&mut out, "extensionSession", "false");
        leaf(&mut out, "ipAddress", &self.peer.address);
        leaf(&mut out, "userAgent", &self.peer.agent);
        leaf(&mut out, "callCount", &self.calls.to_string());
        out
    }
}
