//! Events as `listEvents` shows them: a row, and what the runtime needs to know of it.
//!
//! Rows of a page are in no order to rely on, times have whole seconds, and there is no growing
//! number: only the id tells events apart.

use std::fmt;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::client::Client;
use super::error::Error;
use super::list::{self, MalformedRow, Page, Paging, Query, Row, RowFlaw, Scope};
use super::params::Params;
use super::time::{DateFormat, Moment};

/// One page of events.
pub type EventPage = Page<NativeEvent>;

/// A row of a page of events that cannot be read.
pub type MalformedEvent = MalformedRow;

/// Which events are wanted; by default all that the account may see, without those of projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Whose events; those of projects need a list of their own, see [`Projects`](super::Projects).
    pub scope: Scope,
    /// Created at this time or later, in whole seconds. Always set it: tables are large.
    pub start: Option<Timestamp>,
    /// Created at this time or before, in whole seconds. Freezes the list while pages are read.
    pub end: Option<Timestamp>,
    /// How the two are written.
    pub dates: DateFormat,
    /// Only this event.
    pub id: Option<String>,
    /// The event that began a job, and all that followed it. Not with other filters: the server
    /// joins them wrongly.
    pub start_id: Option<String>,
    /// Only this type, such as `VM.CREATE`.
    pub event_type: Option<String>,
    /// Only `INFO`, `WARN` or `ERROR`.
    pub level: Option<String>,
    /// A part of type, description or level.
    pub keyword: Option<String>,
    /// Archived events instead of the others, where the version knows the parameter (4.19).
    pub archived: Option<bool>,
    /// Only `Created`, `Scheduled`, `Started` or `Completed`, where the version knows it (4.21).
    pub state: Option<String>,
    /// Only about this resource, as type and id, where the version knows them (4.17).
    pub resource: Option<(String, String)>,
}

/// One event.
#[derive(Clone)]
pub struct NativeEvent {
    /// Its id: a uuid, or a number from old servers.
    pub id: String,
    /// When it was created, by the clock of the management server that did.
    pub created: Moment,
    /// Its type, such as `VM.CREATE`.
    pub event_type: Option<String>,
    /// `INFO`, `WARN` or `ERROR`.
    pub level: Option<String>,
    /// `Created`, `Scheduled`, `Started` or `Completed`.
    pub state: Option<String>,
    /// Who did it.
    pub username: Option<String>,
    /// Whose resource it is about.
    pub account: Option<String>,
    /// The account's id, where a version tells it.
    pub account_id: Option<String>,
    /// The project's id.
    pub project_id: Option<String>,
    /// The domain's name.
    pub domain: Option<String>,
    /// The domain's id.
    pub domain_id: Option<String>,
    /// The id of the resource (4.17).
    pub resource_id: Option<String>,
    /// The type of the resource, such as `VirtualMachine` (4.17).
    pub resource_type: Option<String>,
    /// The id of the event that began the job; none for that one itself.
    pub parent_id: Option<String>,
    /// Whether it was archived: the one thing about an event that changes.
    pub is_archived: bool,
    has_only_known_fields: bool,
    raw: Box<RawValue>,
}

impl Client {
    /// One page of events. A malformed row costs itself.
    pub async fn list_events(
        &self,
        query: &EventQuery,
        paging: Paging,
    ) -> Result<EventPage, Error> {
        self.list(query, paging).await
    }
}

impl Query for EventQuery {
    type Row = NativeEvent;
    const COMMAND: &'static str = "listEvents";
    const OBJECT: &'static str = "event";

    fn params(&self) -> Params {
        let (resource_type, resource_id) = self.resource.clone().unzip();
        self.scope
            .add_to(Params::new())
            .with_some("startdate", self.start.map(|at| self.dates.start(at)))
            .with_some("enddate", self.end.map(|at| self.dates.end(at)))
            .with_some("id", self.id.as_deref())
            .with_some("startid", self.start_id.as_deref())
            .with_some("type", self.event_type.as_deref())
            .with_some("level", self.level.as_deref())
            .with_some("keyword", self.keyword.as_deref())
            .with_some("archived", self.archived.map(|archived| archived.to_string()))
            .with_some("state", self.state.as_deref())
            .with_some("resourcetype", resource_type)
            .with_some("resourceid", resource_id)
    }
}

impl Row for NativeEvent {
    fn read(raw: &RawValue) -> Result<NativeEvent, RowFlaw> {
        let mut event = Read::default();
        for (name, value) in list::fields(raw)?.iter() {
            event.take(name, value);
        }
        let created = event.created.as_deref().and_then(Moment::parse);
        Ok(NativeEvent {
            id: event.id.ok_or(RowFlaw::Lacks("id"))?,
            created: created.ok_or(RowFlaw::Lacks("created"))?,
            is_archived: event.is_archived,
            has_only_known_fields: !event.has_more,
            event_type: event.event_type,
            level: event.level,
            state: event.state,
            username: event.username,
            account: event.account,
            account_id: event.account_id,
            project_id: event.project_id,
            domain: event.domain,
            domain_id: event.domain_id,
            resource_id: event.resource_id,
            resource_type: event.resource_type,
            parent_id: event.parent_id.filter(|id| id != "0"),
            raw: raw.to_owned(),
        })
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}

/// What was read of a row's fields, one after the other.
#[derive(Default)]
struct Read {
    id: Option<String>,
    created: Option<String>,
    event_type: Option<String>,
    level: Option<String>,
    state: Option<String>,
    username: Option<String>,
    account: Option<String>,
    account_id: Option<String>,
    project_id: Option<String>,
    domain: Option<String>,
    domain_id: Option<String>,
    resource_id: Option<String>,
    resource_type: Option<String>,
    parent_id: Option<String>,
    is_archived: bool,
    /// There are objects, lists, or fields that no release up to 4.22 has.
    has_more: bool,
}

impl Read {
    /// Takes a field; of two with one name the last one counts.
    fn take(&mut self, name: &str, value: &str) {
        self.has_more |= value.starts_with(['{', '[']);
        let field = match name {
            "id" => &mut self.id,
            "created" => &mut self.created,
            "type" => &mut self.event_type,
            "level" => &mut self.level,
            "state" => &mut self.state,
            "username" => &mut self.username,
            "account" => &mut self.account,
            "accountid" => &mut self.account_id,
            "projectid" => &mut self.project_id,
            "domain" => &mut self.domain,
            "domainid" => &mut self.domain_id,
            "resourceid" => &mut self.resource_id,
            "resourcetype" => &mut self.resource_type,
            "parentid" => &mut self.parent_id,
            "archived" => {
                self.is_archived = list::flag(value).unwrap_or(false);
                return;
            }
            // They stand in the row, where who wants to read them finds them.
            "description" | "project" | "domainpath" | "resourcename" => return,
            _ => {
                self.has_more = true;
                return;
            }
        };
        *field = list::text(value);
    }
}

impl NativeEvent {
    /// Whether the row is a flat object with no other fields than those that are read here.
    pub fn has_only_known_fields(&self) -> bool {
        self.has_only_known_fields
    }

    /// The row's JSON, byte by byte as it came.
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }

    /// The same, of an event that is needed no more.
    pub fn into_raw(self) -> Box<RawValue> {
        self.raw
    }
}

/// Short, and without values that may be secret.
impl fmt::Debug for NativeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeEvent")
            .field("id", &self.id)
            .field("created", &self.created.at)
            .field("event_type", &self.event_type)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
