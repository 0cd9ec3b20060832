//! What entities look like to a property collector.
//!
//! Only properties that inventory browsing asks for exist. An unknown path yields nothing, as an
//! unset property does in a real vCenter; the simulator cannot tell the two apart.

use super::{Detail, Entity, EntityId, Inventory, Kind, Machine};
use crate::vcenter::moref::MoRef;
use crate::vcenter::xml::{escape, leaf};

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Property {
    /// A simple value: its type with prefix, and its text.
    Plain(&'static str, String),
    /// A reference.
    Object(MoRef),
    /// An array of references.
    Objects(Vec<MoRef>),
    /// An array of strings.
    Strings(Vec<String>),
    /// A structure: its class, and its content as XML.
    Structure(&'static str, String),
    /// A value that brings its type along: everything after the name of its element.
    Verbatim(String),
}

impl Property {
    fn text(value: &str) -> Self {
        Self::Plain("xsd:string", value.to_owned())
    }

    /// The objects that the value leads to.
    pub(crate) fn into_objects(self) -> Vec<MoRef> {
        match self {
            Self::Object(object) => vec![object],
            Self::Objects(objects) => objects,
            Self::Plain(..) | Self::Strings(_) | Self::Structure(..) | Self::Verbatim(_) => {
                Vec::new()
            }
        }
    }

    /// Appends `<val xsi:type="…">…</val>`.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Plain(class, text) => {
                out.push_str(&format!("<val xsi:type=\"{class}\">{}</val>", escape(text)));
            }
            Self::Object(object) => out.push_str(&format!(
                "<val type=\"{}\" xsi:type=\"ManagedObjectReference\">{}</val>",
                object.kind,
                escape(&object.value)
            )),
            Self::Objects(objects) => {
                out.push_str("<val xsi:type=\"ArrayOfManagedObjectReference\">");
                for object in objects {
                    object.write(out, "ManagedObjectReference");
                }
                out.push_str("</val>");
            }
            Self::Strings(strings) => {
                out.push_str("<val xsi:type=\"ArrayOfString\">");
                for string in strings {
                    out.push_str("<string xsi:type=\"xsd:string\">");
                    out.push_str(&escape(string));
                    out.push_str("</string>");
                }
                out.push_str("</val>");
            }
            Self::Structure(class, content) => {
                out.push_str(&format!("<val xsi:type=\"{class}\">{content}</val>"));
            }
            Self::Verbatim(text) => {
                out.push_str("<val");
                out.push_str(text);
                out.push_str("</val>");
            }
        }
    }
}

impl Inventory {
    /// The paths that a client gets when it asks for all properties of a kind.
    pub(crate) fn all_paths(kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Folder => &["name", "parent", "overallStatus", "childType", "childEntity"],
            Kind::Datacenter => &[
                "name",
                "parent",
                "overallStatus",
                "vmFolder",
                "hostFolder",
                "datastoreFolder",
                "networkFolder",
                "datastore",
                "network",
            ],
            Kind::Cluster => {
                &["name", "parent", "overallStatus", "host", "datastore", "network", "resourcePool"]
            }
            Kind::ResourcePool => &["name", "parent", "overallStatus", "owner", "vm"],
            Kind::Host => &["name", "parent", "overallStatus", "vm", "datastore", "network"],
            Kind::Datastore => &["name", "parent", "overallStatus", "summary"],
            Kind::Switch => &["name", "parent", "overallStatus", "portgroup"],
            Kind::PortGroup => &["name", "parent", "overallStatus"],
            Kind::Machine => &[
                "name",
                "parent",
                "overallStatus",
                "summary",
                "resourcePool",
                "datastore",
                "network",
            ],
        }
    }

    /// The value of one property of an entity.
    pub(crate) fn property(&self, id: EntityId, path: &str) -> Option<Property> {
        let entity = self.get(id);
        match path {
            "name" => Some(Property::text(&entity.name)),
            "parent" => entity.parent.map(|parent| Property::Object(self.moref(parent))),
            "overallStatus" => Some(Property::Plain("ManagedEntityStatus", "green".to_owned())),
            _ => match &entity.detail {
                Detail::Machine(machine) => self.machine_property(id, entity, machine, path),
                Detail::Datacenter { vm, host, datastore, network } => match path {
                    "vmFolder" => Some(self.object(*vm)),
                    "hostFolder" => Some(self.object(*host)),
                    "datastoreFolder" => Some(self.object(*datastore)),
                    "networkFolder" => Some(self.object(*network)),
                    _ => self.shared_hardware(path),
                },
                Detail::Folder(types) => match path {
                    "childType" => {
                        Some(Property::Strings(types.iter().map(|t| (*t).to_owned()).collect()))
                    }
                    "childEntity" => Some(self.objects(&entity.children)),
                    _ => None,
                },
                Detail::Cluster { pool } => match path {
                    "resourcePool" => Some(self.object(*pool)),
                    "host" => Some(self.objects(&self.hosts_of(id))),
                    _ => self.shared_hardware(path),
                },
                Detail::Plain => self.plain_property(id, entity, path),
            },
        }
    }

    fn plain_property(&self, id: EntityId, entity: &Entity, path: &str) -> Option<Property> {
        match (entity.kind, path) {
            (Kind::Host, "vm") => Some(self.objects(&self.machines_on(|m| m.host == id))),
            (Kind::Host, "runtime.connectionState") => {
                Some(Property::Plain("HostSystemConnectionState", "connected".to_owned()))
            }
            (Kind::Host, "runtime.powerState") => {
                Some(Property::Plain("HostSystemPowerState", "poweredOn".to_owned()))
            }
            (Kind::Host, _) => self.shared_hardware(path),
            (Kind::ResourcePool, "owner") => entity.parent.map(|parent| self.object(parent)),
            (Kind::ResourcePool, "vm") => {
                Some(self.objects(&self.machines_on(|m| self.cluster_of(m.host) == entity.parent)))
            }
            (Kind::Datastore, "summary.url") => {
                Some(Property::text(&format!("ds:///vmfs/volumes/{}/", entity.moid)))
            }
            (Kind::Datastore, "summary") => Some(self.datastore_summary(id, entity)),
            (Kind::Datastore, "vm") => Some(self.objects(&self.machines_on(|m| m.datastore == id))),
            (Kind::Switch, "portgroup") => Some(self.objects(&self.networks)),
            (Kind::PortGroup, "vm") => Some(self.objects(&self.machines_on(|m| m.network == id))),
            (Kind::PortGroup, "key") => Some(Property::text(&entity.moid)),
            _ => None,
        }
    }

    fn machine_property(
        &self,
        id: EntityId,
        entity: &Entity,
        machine: &Machine,
        path: &str,
    ) -> Option<Property> {
        let power = power_state(machine);
        match path {
            "summary" => Some(self.machine_summary(id, entity, machine)),
            "runtime.powerState" | "summary.runtime.powerState" => {
                Some(Property::Plain("VirtualMachinePowerState", power.to_owned()))
            }
            "runtime.connectionState" => {
                Some(Property::Plain("VirtualMachineConnectionState", "connected".to_owned()))
            }
            "runtime.host" | "summary.runtime.host" => Some(self.object(machine.host)),
            "config.name" | "summary.config.name" => Some(Property::text(&entity.name)),
            "config.uuid" | "config.instanceUuid" | "summary.config.uuid" => {
                Some(Property::text(&machine.uuid.to_string()))
            }
            "config.template" | "summary.config.template" => {
                Some(Property::Plain("xsd:boolean", "false".to_owned()))
            }
            "config.hardware.numCPU" | "summary.config.numCpu" => {
                Some(Property::Plain("xsd:int", machine.cpus.to_string()))
            }
            "config.hardware.memoryMB" | "summary.config.memorySizeMB" => {
                Some(Property::Plain("xsd:int", machine.memory_mb.to_string()))
            }
            "guest.guestState" => {
                Some(Property::text(if machine.powered_on { "running" } else { "notRunning" }))
            }
            "resourcePool" => {
                self.cluster_of(machine.host).and_then(|cluster| match self.get(cluster).detail {
                    Detail::Cluster { pool } => Some(self.object(pool)),
                    _ => None,
                })
            }
            "datastore" => Some(self.objects(&[machine.datastore])),
            "network" => Some(self.objects(&[machine.network])),
            _ => None,
        }
    }

    fn machine_summary(&self, id: EntityId, entity: &Entity, machine: &Machine) -> Property {
        let mut out = String::new();
        self.moref(id).write(&mut out, "vm");
        out.push_str("<runtime>");
        self.moref(machine.host).write(&mut out, "host");
        leaf(&mut out, "connectionState", "connected");
        leaf(&mut out, "powerState", power_state(machine));
        leaf(&mut out, "toolsInstallerMounted", "false");
        leaf(&mut out, "numMksConnections", "0");
        out.push_str("</runtime><guest><guestId>rhel8_64Guest</guestId></guest><config>");
        leaf(&mut out, "name", &entity.name);
        leaf(&mut out, "template", "false");
        let store = &self.get(machine.datastore).name;
        leaf(&mut out, "vmPathName", &format!("[{store}] {0}/{0}.vmx", entity.name));
        leaf(&mut out, "memorySizeMB", &machine.memory_mb.to_string());
        leaf(&mut out, "numCpu", &machine.cpus.to_string());
        leaf(&mut out, "uuid", &machine.uuid.to_string());
        leaf(&mut out, "instanceUuid", &machine.uuid.to_string());
        leaf(&mut out, "guestId", "rhel8_64Guest");
        leaf(&mut out, "guestFullName", "Red Hat Enterprise Linux 8 (64-bit)");
        out.push_str("</config><quickStats/>");
        leaf(&mut out, "overallStatus", "green");
        Property::Structure("VirtualMachineSummary", out)
    }

    fn datastore_summary(&self, id: EntityId, entity: &Entity) -> Property {
        let mut out = String::new();
        self.moref(id).write(&mut out, "datastore");
        leaf(&mut out, "name", &entity.name);
        leaf(&mut out, "url", &format!("ds:///vmfs/volumes/{}/", entity.moid));
        leaf(&mut out, "capacity", "10995116277760");
        leaf(&mut out, "freeSpace", "4398046511104");
        leaf(&mut out, "accessible", "true");
        leaf(&mut out, "multipleHostAccess", "true");
        leaf(&mut out, "type", "VMFS");
        Property::Structure("DatastoreSummary", out)
    }

    /// Every datastore and network is reachable from everywhere.
    fn shared_hardware(&self, path: &str) -> Option<Property> {
        match path {
            "datastore" => Some(self.objects(&self.datastores)),
            "network" => Some(self.objects(&self.networks)),
            _ => None,
        }
    }

    fn machines_on(&self, wanted: impl Fn(&Machine) -> bool) -> Vec<EntityId> {
        let on = |id: &EntityId| self.machine(*id).is_some_and(&wanted);
        self.machines.iter().copied().filter(on).collect()
    }

    fn object(&self, id: EntityId) -> Property {
        Property::Object(self.moref(id))
    }

    fn objects(&self, ids: &[EntityId]) -> Property {
        Property::Objects(ids.iter().map(|id| self.moref(*id)).collect())
    }
}

fn power_state(machine: &Machine) -> &'static str {
    if machine.powered_on { "poweredOn" } else { "poweredOff" }
}
