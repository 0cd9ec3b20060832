//! Zones.

use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::error::Error;
use super::super::list::{self, Page, Paging, Query, Row, RowFlaw};
use super::super::params::Params;

/// Which zones are wanted: all that the account may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ZoneQuery {
    /// Only this one.
    pub id: Option<String>,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// `Basic` or `Advanced`.
    pub network_type: Option<String>,
    /// `Enabled` or `Disabled`.
    pub allocation_state: Option<String>,
}

impl Client {
    /// One page of zones.
    pub async fn list_zones(&self, query: &ZoneQuery, paging: Paging) -> Result<Page<Zone>, Error> {
        self.list(query, paging).await
    }
}

impl Query for ZoneQuery {
    type Row = Zone;
    const COMMAND: &'static str = "listZones";
    const OBJECT: &'static str = "zone";

    fn params(&self) -> Params {
        Params::new().with_some("id", self.id.as_deref())
    }
}

impl Row for Zone {
    fn read(raw: &RawValue) -> Result<Zone, RowFlaw> {
        let fields = list::fields(raw)?;
        let text = |name| fields.text(name);
        Ok(Zone {
            id: text("id").ok_or(RowFlaw::Lacks("id"))?,
            name: text("name"),
            network_type: text("networktype"),
            allocation_state: text("allocationstate"),
        })
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}
