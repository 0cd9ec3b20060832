//! Usage records: what the usage server adds up once per window, hours late.
//!
//! `count` of this list is the size of the page, not the total. A record has no id; jobs that run
//! again write the same record twice.

use std::fmt;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::client::Client;
use super::error::Error;
use super::list::{self, Page, Paging, Query, Row, RowFlaw, Scope};
use super::params::Params;
use super::time::{DateFormat, Moment};

/// Which usage records are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// From this time.
    pub start: Timestamp,
    /// To this time.
    pub end: Timestamp,
    /// How the two are written.
    pub dates: DateFormat,
    /// Whose usage; `listall` is not sent, for this command has none.
    pub scope: Scope,
    /// Only the account with this id.
    pub account_id: Option<String>,
    /// Only this type, by its number; see `listUsageTypes`.
    pub usage_type: Option<u32>,
    /// The resources' tags as well.
    pub include_tags: bool,
}

/// What one resource used in one window.
#[derive(Clone)]
pub struct UsageRecord {
    /// The type's number: 1 is a running virtual machine, 6 a volume.
    pub usage_type: u32,
    /// The id of the resource.
    pub usage_id: Option<String>,
    /// The amount as the server wrote it, a decimal: hours for what takes time, bytes for traffic.
    pub raw_usage: Option<String>,
    /// The amount in words, such as `24 Hrs`.
    pub usage: Option<String>,
    /// What was used, in words.
    pub description: Option<String>,
    /// The account's name.
    pub account: Option<String>,
    /// The account's id.
    pub account_id: Option<String>,
    /// The domain's id.
    pub domain_id: Option<String>,
    /// The project's id.
    pub project_id: Option<String>,
    /// The zone's id.
    pub zone_id: Option<String>,
    /// Begin of the window.
    pub start: Moment,
    /// End of the window.
    pub end: Moment,
    raw: Box<RawValue>,
}

impl UsageQuery {
    /// All usage in a window.
    pub fn between(start: Timestamp, end: Timestamp) -> UsageQuery {
        UsageQuery {
            start,
            end,
            dates: DateFormat::Iso,
            scope: Scope::default(),
            account_id: None,
            usage_type: None,
            include_tags: false,
        }
    }
}

impl Client {
    /// One page of usage records.
    pub async fn list_usage_records(
        &self,
        query: &UsageQuery,
        paging: Paging,
    ) -> Result<Page<UsageRecord>, Error> {
        self.list(query, paging).await
    }
}

impl Query for UsageQuery {
    type Row = UsageRecord;
    const COMMAND: &'static str = "listUsageRecords";
    const OBJECT: &'static str = "usagerecord";

    fn params(&self) -> Params {
        let scope = Scope { list_all: false, ..self.scope.clone() };
        scope
            .add_to(Params::new())
            .with("startdate", self.dates.start(self.start))
            .with("enddate", self.dates.end(self.end))
            .with_some("accountid", self.account_id.as_deref())
            .with_some("type", self.usage_type.map(|number| number.to_string()))
            .with_flag("includetags", self.include_tags)
    }
}

impl Row for UsageRecord {
    fn read(raw: &RawValue) -> Result<UsageRecord, RowFlaw> {
        let fields = list::fields(raw)?;
        let text = |name| fields.text(name);
        let moment = |name| {
            let moment = fields.text(name).and_then(|text| Moment::parse(&text));
            moment.ok_or(RowFlaw::Lacks(name))
        };
        Ok(UsageRecord {
            usage_type: fields.number("usagetype").ok_or(RowFlaw::Lacks("usagetype"))?,
            usage_id: text("usageid"),
            raw_usage: text("rawusage"),
            usage: text("usage"),
            description: text("description"),
            account: text("account"),
            account_id: text("accountid"),
            domain_id: text("domainid"),
            project_id: text("projectid"),
            zone_id: text("zoneid"),
            start: moment("startdate")?,
            end: moment("enddate")?,
            raw: raw.to_owned(),
        })
    }

    /// What makes a record the same if it is written again: type, resource, account or project,
    /// zone and window, but not the amount.
    fn id(&self) -> String {
        let of = |id: &Option<String>| id.clone().unwrap_or_default();
        let owner = if self.account_id.is_some() { &self.account_id } else { &self.project_id };
        format!(
            "{}/{}/{}/{}/{}/{}",
            self.usage_type,
            of(&self.usage_id),
            of(owner),
            of(&self.zone_id),
            self.start.at,
            self.end.at
        )
    }
}

impl UsageRecord {
    /// The row's JSON, byte by byte as it came.
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }
}

/// Short: the row itself may be long.
impl fmt::Debug for UsageRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsageRecord").field("id", &self.id()).finish_non_exhaustive()
    }
}
