//! Usage records: what the usage server adds up once per window, hours late.
//!
//! `count` of this list is the size of the page, not the total. A record has no id. What the usage server
//! itself tells records of a window apart by is more than the resource (`usage/parser/*UsageParser.java`):
//! a machine has one for each offering, number of processors, speed and memory that it had, a volume one
//! for each disk offering and size, a router or host one for each network or VPC. Jobs that run again write the
//! same record twice, or with another amount.
//!
//! Much of a row is what the management server looks up when it is asked (`ApiResponseHelper.createUsageResponse`):
//! names and words change with the resource, and the resource's id is gone once the resource is deleted for good,
//! as rules and users always are, and others when they are purged. And uses that it tells apart by what a row does not
//! show are the same row: a snapshot of a machine has one for each volume.

use std::borrow::Cow;
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
    /// Records of the domains below the caller's own as well, without naming one: a domain administrator
    /// gets his own account's only, otherwise; ordinary users may not send it, and root administrators need
    /// not (`UsageServiceImpl.getUsageRecords`).
    pub is_recursive: bool,
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
    /// The machine beside the resource.
    virtual_machine_id: Option<String>,
    /// What was used of the resource, in the server's fields: offering, size, network and so on.
    kind_of_use: KindOfUse,
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
            is_recursive: false,
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
            .with_flag("isrecursive", self.is_recursive && self.scope.domain_id.is_none())
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
            virtual_machine_id: text("virtualmachineid"),
            kind_of_use: KindOfUse(KindOfUse::FIELDS.map(text)),
            start: moment("startdate")?,
            end: moment("enddate")?,
            raw: raw.to_owned(),
        })
    }

    /// What makes a record the same if it is written again, also with another amount: type, account or
    /// project, zone, window, how it was used, and the resource. Where [uses are alike](UsageRecord::is_shared)
    /// it is that of several records.
    fn id(&self) -> String {
        format!("{}/{}", self.likeness(), escaped(&self.resource().unwrap_or_default()))
    }
}

/// Types whose `name` is what the usage server wrote down, and not what the resource is called now.
const NAMED: [u32; 2] = [1, 2];
/// The type of networks' offerings, which have no resource but the machine.
const NETWORK_OFFERING: u32 = 13;
/// Types that have a record for each machine that a resource had: a security group, a volume of which the disk's
/// reads and writes are counted.
const OF_A_MACHINE: [u32; 5] = [10, 21, 22, 23, 24];
/// The type of volumes. From 4.22.1 on one has a record for all of its time, and one more for its time at each
/// machine (apache/cloudstack#11531).
const VOLUME: u32 = 6;
/// Types of which a resource has one record for each way of its use, and no other that looks the same.
const APART: [u32; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 21, 22, 23, 24, 29, 31];

/// What tells uses of one resource in one window apart.
#[derive(Clone)]
struct KindOfUse([Option<String>; Self::FIELDS.len()]);

impl KindOfUse {
    /// The first one is left out where it may change.
    const FIELDS: [&'static str; 8] =
        ["name", "offeringid", "size", "cpunumber", "cpuspeed", "memory", "networkid", "vpcid"];
}

/// Between slashes nothing else is one.
fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace('/', "%2F")
}

impl UsageRecord {
    /// What records have in common that differ only by their resource: what is left of [`id`](Row::id) when the
    /// server does not know the resource any more. Nothing in it changes afterwards.
    pub fn likeness(&self) -> String {
        let of = |part: &Option<String>| escaped(part.as_deref().unwrap_or_default());
        let owner = if self.account_id.is_some() { &self.account_id } else { &self.project_id };
        let KindOfUse([name, uses @ ..]) = &self.kind_of_use;
        let name = if NAMED.contains(&self.usage_type) { of(name) } else { String::new() };
        let uses = uses.iter().map(of).collect::<Vec<_>>().join("/");
        let (owner, zone) = (of(owner), of(&self.zone_id));
        let Self { usage_type, start, end, .. } = self;
        format!("{usage_type}/{owner}/{zone}/{}/{}/{name}/{uses}", start.at, end.at)
    }

    /// The id of what was used, where it takes two the machine's behind it; `None`: the server does not know it any
    /// more, or never tells it.
    pub fn resource(&self) -> Option<Cow<'_, str>> {
        let (used, machine) = (self.usage_id.as_deref(), self.virtual_machine_id.as_deref());
        match self.usage_type {
            NETWORK_OFFERING => machine.map(Cow::Borrowed),
            VOLUME if machine.is_none() => used.map(Cow::Borrowed),
            of if of == VOLUME || OF_A_MACHINE.contains(&of) => {
                Some(Cow::Owned(format!("{} {}", used?, machine?)))
            }
            _ => used.map(Cow::Borrowed),
        }
    }

    /// Whether uses of one resource may look the same though they are several: of a snapshot of a machine one for
    /// each volume, of a backup one for each offering, of a network one for each state, and whatever types that are
    /// not known may be.
    pub fn is_shared(&self) -> bool {
        !APART.contains(&self.usage_type)
    }

    /// Whether it may be of a resource's time at a machine that the server does not know any more.
    pub fn may_lack_machine(&self) -> bool {
        self.usage_type == VOLUME && self.virtual_machine_id.is_none()
    }

    /// The amount, so that the same one is the same text however a release prints it, and a server whose language
    /// has a decimal comma (`createUsageResponse` formats by it); as it was written where it is no number.
    pub fn amount(&self) -> String {
        let text = self.raw_usage.as_deref().unwrap_or_default().trim();
        match text.replace(',', ".").parse::<f64>() {
            // Millionths: hours come from whole seconds.
            Ok(amount) if amount.is_finite() => format!("{amount:.6}"),
            _ => text.to_owned(),
        }
    }

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
