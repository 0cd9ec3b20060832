//! Virtual machines, as far as totals need them. Those that were expunged are not listed.

use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::error::Error;
use super::super::list::{self, Page, Paging, Query, Row, RowFlaw, Scope};
use super::super::params::Params;
use super::Owner;

/// Which virtual machines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualMachineQuery {
    /// Whose.
    pub scope: Scope,
    /// Only this one.
    pub id: Option<String>,
    /// Only in this state.
    pub state: Option<String>,
    /// Which details the server looks up, such as `servoff`; all of them if none is named, which
    /// takes it long.
    pub details: Vec<String>,
}

/// A virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualMachine {
    /// Its id.
    pub id: String,
    /// Its host name.
    pub name: Option<String>,
    /// Its state, such as `Running`.
    pub state: Option<String>,
    /// Whose it is.
    pub owner: Owner,
    /// The zone's id.
    pub zone_id: Option<String>,
    /// The id of its service offering.
    pub service_offering_id: Option<String>,
    /// The name of its service offering.
    pub service_offering_name: Option<String>,
    /// Processors.
    pub cpu_number: Option<u64>,
    /// Memory, in MiB.
    pub memory_mib: Option<u64>,
}

impl Client {
    /// One page of virtual machines.
    pub async fn list_virtual_machines(
        &self,
        query: &VirtualMachineQuery,
        paging: Paging,
    ) -> Result<Page<VirtualMachine>, Error> {
        self.list(query, paging).await
    }
}

impl Query for VirtualMachineQuery {
    type Row = VirtualMachine;
    const COMMAND: &'static str = "listVirtualMachines";
    const OBJECT: &'static str = "virtualmachine";

    fn params(&self) -> Params {
        let details = Some(self.details.join(",")).filter(|details| !details.is_empty());
        self.scope
            .add_to(Params::new())
            .with_some("id", self.id.as_deref())
            .with_some("state", self.state.as_deref())
            .with_some("details", details)
    }
}

impl Row for VirtualMachine {
    fn read(raw: &RawValue) -> Result<VirtualMachine, RowFlaw> {
        let fields = list::fields(raw)?;
        let text = |name| fields.text(name);
        Ok(VirtualMachine {
            id: text("id").ok_or(RowFlaw::Lacks("id"))?,
            name: text("name"),
            state: text("state"),
            owner: Owner::of(&fields),
            zone_id: text("zoneid"),
            service_offering_id: text("serviceofferingid"),
            service_offering_name: text("serviceofferingname"),
            cpu_number: fields.number("cpunumber"),
            memory_mib: fields.number("memory"),
        })
    }

    fn id(&self) -> String {
        self.id.clone()
    }
}
