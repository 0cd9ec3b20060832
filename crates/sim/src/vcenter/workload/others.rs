//! What happens besides machine operations: alarms, sessions, extended events, host outages.

use std::borrow::Cow;
use std::fmt::Write as _;

use rand::RngExt;

use super::{Workload, place_of};
use crate::seed::seeded_uuid;
use crate::vcenter::events::{Category, Draft, Place, argument};
use crate::vcenter::inventory::{EntityId, Inventory};
use crate::vcenter::xml::leaf;

const ALARMS: [(&str, &str); 3] = [
    ("Virtual machine CPU usage", "alarm-6"),
    ("Virtual machine memory usage", "alarm-7"),
    ("Datastore usage on disk", "alarm-8"),
];

impl Workload {
    pub(super) fn alarm(&mut self, inventory: &Inventory, id: EntityId) -> Vec<Draft> {
        let (alarm, moid) = ALARMS[self.rng.random_range(0..ALARMS.len())];
        let (from, to) =
            if self.rng.random_bool(0.5) { ("green", "red") } else { ("red", "green") };
        let name = &inventory.get(id).name;
        let mut fields =
            format!("<alarm><name>{alarm}</name><alarm type=\"Alarm\">{moid}</alarm></alarm>");
        argument(&mut fields, "source", "entity", inventory.root, inventory);
        argument(&mut fields, "entity", "entity", id, inventory);
        leaf(&mut fields, "from", from);
        leaf(&mut fields, "to", to);
        let message = format!("Alarm '{alarm}' on {name} changed from {from} to {to}");
        let place = place_of(inventory, id);
        vec![Draft::new("AlarmStatusChangedEvent", "", message, place).fields(fields)]
    }

    pub(super) fn session(&mut self, user: &'static str) -> Vec<Draft> {
        let address = format!("192.0.2.{}", self.rng.random_range(1..255));
        if self.rng.random_bool(0.1) {
            let message = format!("Cannot log in {user}@{address}");
            return vec![
                Draft::new("BadUsernameSessionEvent", user, message, Place::default())
                    .fields(format!("<ipAddress>{address}</ipAddress>")),
            ];
        }
        let session = seeded_uuid(&mut self.rng);
        vec![login(user, &address, "VMware-client/8.0", &session.to_string())]
    }

    /// An event whose class is only known by its type identifier.
    pub(super) fn extended(
        &mut self,
        inventory: &Inventory,
        id: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let name = inventory.get(id).name.clone();
        if self.rng.random_bool(0.3) {
            let type_id = "com.vmware.vc.VmCloneFailedInvalidDestinationEvent";
            let message = format!("Cannot clone {name}: the destination is not valid");
            let mut fields = String::new();
            leaf(&mut fields, "message", &message);
            leaf(&mut fields, "eventTypeId", type_id);
            inventory.moref(id).write(&mut fields, "managedObject");
            fields.push_str("<data><key>vm</key>");
            leaf(&mut fields, "value", &name);
            fields.push_str("</data>");
            let mut draft = Draft::new("ExtendedEvent", user, message, place_of(inventory, id));
            draft.type_id = Some(Cow::Borrowed(type_id));
            return vec![draft.fields(fields)];
        }
        let message = format!("{name} is not protected by vSphere HA any more");
        let place = place_of(inventory, id);
        let what = Extra {
            type_id: "com.vmware.vc.HA.VmUnprotectedEvent",
            severity: Category::Warning,
            message,
            object: id,
        };
        vec![what.draft(inventory, user, place)]
    }

    /// A cluster restarts a machine elsewhere.
    pub(super) fn failover(&mut self, inventory: &mut Inventory, id: EntityId) -> Vec<Draft> {
        let place = place_of(inventory, id);
        let Some(cluster) = place.cluster else { return Vec::new() };
        let name = inventory.get(cluster).name.clone();
        let on_cluster =
            Place { datacenter: place.datacenter, cluster: place.cluster, ..Place::default() };
        let started = Extra {
            type_id: "com.vmware.vc.HA.ClusterFailoverActionInitiatedEvent",
            severity: Category::Warning,
            message: format!("vSphere HA began a failover in cluster {name}"),
            object: cluster,
        };
        let done = Extra {
            type_id: "com.vmware.vc.HA.ClusterFailoverActionCompletedEvent",
            severity: Category::Info,
            message: format!("vSphere HA completed a failover in cluster {name}"),
            object: cluster,
        };
        vec![started.draft(inventory, "", on_cluster), done.draft(inventory, "", on_cluster)]
    }

    pub(super) fn host_outage(&mut self, inventory: &Inventory) -> Vec<Draft> {
        let Some(host) = self.pick(&inventory.hosts) else { return Vec::new() };
        let name = &inventory.get(host).name;
        let place = Place {
            datacenter: Some(inventory.datacenter),
            cluster: inventory.cluster_of(host),
            host: Some(host),
            ..Place::default()
        };
        let lost = format!("Host {name} is not responding");
        let back = format!("Connected to host {name}");
        vec![
            Draft::new("HostConnectionLostEvent", "", lost, place),
            Draft::new("HostConnectedEvent", "", back, place),
        ]
    }
}

/// An `EventEx` to be.
struct Extra {
    type_id: &'static str,
    severity: Category,
    message: String,
    object: EntityId,
}

impl Extra {
    fn draft(self, inventory: &Inventory, user: &'static str, place: Place) -> Draft {
        let object = inventory.moref(self.object);
        let mut fields = String::new();
        leaf(&mut fields, "eventTypeId", self.type_id);
        leaf(&mut fields, "severity", &self.severity.to_string());
        leaf(&mut fields, "message", &self.message);
        let _ = write!(
            fields,
            "<arguments><key>object</key><value xsi:type=\"xsd:string\">{}</value></arguments>",
            object.value
        );
        leaf(&mut fields, "objectId", &object.value);
        leaf(&mut fields, "objectType", &object.kind);
        leaf(&mut fields, "objectName", &inventory.get(self.object).name);
        let mut draft = Draft::new("EventEx", user, self.message, place).fields(fields);
        draft.type_id = Some(Cow::Borrowed(self.type_id));
        draft.category = self.severity;
        draft
    }
}

/// The event of a login, by the workload or by a real client.
pub(crate) fn login(
    user: impl Into<Cow<'static, str>>,
    address: &str,
    agent: &str,
    session: &str,
) -> Draft {
    let user = user.into();
    let message = format!("User {user}@{address} logged in as {agent}");
    let mut fields = String::new();
    leaf(&mut fields, "ipAddress", address);
    leaf(&mut fields, "userAgent", agent);
    leaf(&mut fields, "locale", "en");
    leaf(&mut fields, "sessionId", session);
    Draft::new("UserLoginSessionEvent", user, message, Place::default()).fields(fields)
}
