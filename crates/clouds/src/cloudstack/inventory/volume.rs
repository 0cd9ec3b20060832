//! Volumes, as far as totals need them.

use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::error::Error;
use super::super::list::{self, Page, Paging, Query, Row, RowFlaw, Scope};
use super::super::params::Params;
use super::Owner;

/// Which volumes are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeQuery {
    /// Whose.
    pub scope: Scope,
    /// Only this one.
    pub id: Option<String>,
    /// Only `ROOT` or `DATADISK`.
    pub volume_type: Option<String>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// `ROOT` or `DATADISK`.
    pub volume_type: Option<String>,
    /// Its state, such as `Ready`.
    pub state: Option<String>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// Whose it is.
    pub owner: Owner,
    /// The zone's id.
    pub zone_id: Option<String>,
    /// The id of the machine it is attached to.
    pub virtual_machine_id: Option<String>,
    /// The id of its disk offering.
    pub disk_offering_id: Option<String>,
    /// The name of its disk offering.
    pub disk_offering_name: Option<String>,
}

impl Client {
    /// One page of volumes.
    pub async fn list_volumes(
        &self,
        query: &VolumeQuery,
        paging: Paging,
    ) -> Result<Page<Volume>, Error> {
        self.list(query, paging).await
    }
}

impl Query for VolumeQuery {
    type Row = Volume;
    const COMMAND: &'static str = "listVolumes";
    const OBJECT: &'static str = "volume";

    fn params(&self) -> Params {
        self.scope
            .add_to(Params::new())
            .with_some("id", self.id.as_deref())
            .with_some("type", self.volume_type.as_deref())
    }
}

impl Row for Volume {
    fn read(raw: &RawValue) -> Result<Volume, RowFlaw> {
        let fields = list::fields(raw)?;
        let text = |name| fields.text(name);
        Ok(Volume {
            id: text("id").ok_or(RowFlaw::Lacks("id"))?,
            name: text("name"),
            volume_type: text("type"),
            state: text("state"),
            size_bytes: fields.number("size"),
            owner: Owner::of(&fields),
            zone_id: text("zoneid"),
            virtual_machine_id: text("virtualmachineid"),
            disk_offering_id: text("diskofferingid"),
            disk_offering_name: text("diskofferingname"),
        })
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}
