//! What entities look like to a client.
//!
//! Only properties that inventory browsing and monitoring ask for have values; which others a class has,
//! unset here, is known where clients ask for them.

use jiff::Timestamp;

use super::property::Property;
use super::structure::{self, Leaf};
use super::{Detail, Entity, EntityId, Inventory, Kind, Machine};
use crate::vcenter::clock::xml_time;

/// When everything was set up that nobody has changed since.
const SET_UP: Timestamp = Timestamp::constant(1_700_000_000, 0);
const GUEST: &str = "rhel8_64Guest";
const GUEST_NAME: &str = "Red Hat Enterprise Linux 8 (64-bit)";

/// Cores of each host; each runs at [`HOST_MHZ`].
const HOST_CORES: u32 = 32;
const HOST_MHZ: u32 = 2600;
const HOST_BYTES: u64 = 512 << 30;
const HOST_CPU: &str = "Intel(R) Xeon(R) Gold 6348 CPU @ 2.60GHz";

const MACHINE_CLASSES: [(&str, &str); 13] = [
    ("config", "VirtualMachineConfigInfo"),
    ("config.files", "VirtualMachineFileInfo"),
    ("config.flags", "VirtualMachineFlagInfo"),
    ("config.defaultPowerOps", "VirtualMachineDefaultPowerOpInfo"),
    ("config.hardware", "VirtualHardware"),
    ("guest", "GuestInfo"),
    ("runtime", "VirtualMachineRuntimeInfo"),
    ("summary", "VirtualMachineSummary"),
    ("summary.runtime", "VirtualMachineRuntimeInfo"),
    ("summary.guest", "VirtualMachineGuestSummary"),
    ("summary.config", "VirtualMachineConfigSummary"),
    ("summary.storage", "VirtualMachineStorageSummary"),
    ("summary.quickStats", "VirtualMachineQuickStats"),
];

const HOST_CLASSES: [(&str, &str); 12] = [
    ("runtime", "HostRuntimeInfo"),
    ("config", "HostConfigInfo"),
    ("config.product", "AboutInfo"),
    ("hardware", "HostHardwareInfo"),
    ("hardware.systemInfo", "HostSystemInfo"),
    ("hardware.cpuInfo", "HostCpuInfo"),
    ("summary", "HostListSummary"),
    ("summary.hardware", "HostHardwareSummary"),
    ("summary.runtime", "HostRuntimeInfo"),
    ("summary.config", "HostConfigSummary"),
    ("summary.config.product", "AboutInfo"),
    ("summary.quickStats", "HostListSummaryQuickStats"),
];

const CLUSTER_CLASSES: [(&str, &str); 3] = [
    ("configuration", "ClusterConfigInfo"),
    ("configurationEx", "ClusterConfigInfoEx"),
    ("summary", "ClusterComputeResourceSummary"),
];

const POOL_CLASSES: [(&str, &str); 3] = [
    ("summary", "ResourcePoolSummary"),
    ("summary.runtime", "ResourcePoolRuntimeInfo"),
    ("runtime", "ResourcePoolRuntimeInfo"),
];

const DATASTORE_CLASSES: [(&str, &str); 2] =
    [("summary", "DatastoreSummary"), ("info", "VmfsDatastoreInfo")];

const SWITCH_CLASSES: [(&str, &str); 2] =
    [("summary", "DVSSummary"), ("config", "VMwareDVSConfigInfo")];

const GROUP_CLASSES: [(&str, &str); 2] =
    [("summary", "NetworkSummary"), ("config", "DVPortgroupConfigInfo")];

impl Inventory {
    /// The value of one property of an entity.
    pub(crate) fn property(&self, id: EntityId, path: &str) -> Option<Property> {
        let entity = self.get(id);
        match path {
            "name" => return Some(Property::text(&entity.name)),
            "parent" => return entity.parent.map(|parent| self.object(parent)),
            "overallStatus" | "configStatus" => return Some(green()),
            // Empty, and there: clients loop over them.
            "recentTask" => return Some(Property::Objects(Vec::new())),
            "triggeredAlarmState" | "declaredAlarmState" => {
                return Some(Property::Array("AlarmState", Vec::new()));
            }
            "customValue" | "value" => {
                return Some(Property::Array("CustomFieldValue", Vec::new()));
            }
            "availableField" => return Some(Property::Array("CustomFieldDef", Vec::new())),
            "tag" => return Some(Property::Array("Tag", Vec::new())),
            _ => {}
        }
        match &entity.detail {
            Detail::Machine(machine) => self.machine_property(id, entity, machine, path),
            Detail::Datacenter { vm, host, datastore, network } => match path {
                "vmFolder" => Some(self.object(*vm)),
                "hostFolder" => Some(self.object(*host)),
                "datastoreFolder" => Some(self.object(*datastore)),
                "networkFolder" => Some(self.object(*network)),
                _ => self.shared_hardware(id, path),
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
                "datastore" | "network" => self.shared_hardware(id, path),
                _ => structure::value(&self.cluster_leaves(id), &CLUSTER_CLASSES, path),
            },
            Detail::Plain => self.plain_property(id, entity, path),
        }
    }

    fn plain_property(&self, id: EntityId, entity: &Entity, path: &str) -> Option<Property> {
        match (entity.kind, path) {
            (Kind::Host, "vm") => Some(self.objects(&self.machines_on(|m| m.host == Some(id)))),
            (Kind::Host, "datastore" | "network") => self.shared_hardware(id, path),
            (Kind::Host, _) => structure::value(&self.host_leaves(id, entity), &HOST_CLASSES, path),
            (Kind::ResourcePool, "owner") => entity.parent.map(|parent| self.object(parent)),
            (Kind::ResourcePool, "resourcePool") => Some(Property::Objects(Vec::new())),
            (Kind::ResourcePool, "vm") => Some(self.objects(&self.machines_on(|m| {
                m.host.is_some_and(|host| self.cluster_of(host) == entity.parent)
            }))),
            (Kind::ResourcePool, _) => {
                structure::value(&self.pool_leaves(entity), &POOL_CLASSES, path)
            }
            (Kind::Datastore, "vm") => {
                Some(self.objects(&self.machines_on(|m| m.datastore == Some(id))))
            }
            (Kind::Datastore, _) => {
                structure::value(&self.datastore_leaves(id, entity), &DATASTORE_CLASSES, path)
            }
            (Kind::Switch, "portgroup") => Some(self.objects(&self.groups_near(id))),
            (Kind::Switch, "uuid") => Some(Property::text(&switch_uuid(entity))),
            (Kind::Switch, _) => {
                structure::value(&self.switch_leaves(id, entity), &SWITCH_CLASSES, path)
            }
            (Kind::PortGroup, "vm") => {
                Some(self.objects(&self.machines_on(|m| m.network == Some(id))))
            }
            (Kind::PortGroup, "host") => Some(self.objects(&self.near(id, &self.hosts))),
            (Kind::PortGroup, "key") if entity.class == Kind::PortGroup.class() => {
                Some(Property::text(&entity.moid))
            }
            (Kind::PortGroup, _) => {
                structure::value(&self.group_leaves(id, entity), &GROUP_CLASSES, path)
            }
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
        match path {
            "resourcePool" => {
                let cluster = machine.host.and_then(|host| self.cluster_of(host));
                cluster.and_then(|cluster| match self.get(cluster).detail {
                    Detail::Cluster { pool } => Some(self.object(pool)),
                    _ => None,
                })
            }
            "datastore" => Some(self.objects(machine.datastore.as_slice())),
            "network" => Some(self.objects(machine.network.as_slice())),
            "guestHeartbeatStatus" => Some(heartbeat(machine)),
            _ => structure::value(
                &self.machine_leaves(id, entity, machine, path),
                &MACHINE_CLASSES,
                path,
            ),
        }
    }

    /// The leaves of the structure that `path` leads into.
    fn machine_leaves(
        &self,
        id: EntityId,
        entity: &Entity,
        machine: &Machine,
        path: &str,
    ) -> Vec<Leaf> {
        match path.split('.').next() {
            Some("config") => self.machine_config(entity, machine),
            Some("guest") => {
                let mut leaves = guest("guest", entity, machine);
                leaves.push(("guest.guestState", Property::text(guest_state(machine))));
                leaves
            }
            Some("runtime") => self.machine_runtime(machine),
            Some("summary") => self.machine_summary(id, entity, machine),
            _ => Vec::new(),
        }
    }

    fn machine_config(&self, entity: &Entity, machine: &Machine) -> Vec<Leaf> {
        let text = Property::text;
        let uuid = text(&machine.uuid.to_string());
        vec![
            ("config.changeVersion", text(&xml_time(SET_UP))),
            ("config.modified", set_up()),
            ("config.name", text(&entity.name)),
            ("config.guestFullName", text(GUEST_NAME)),
            ("config.version", text("vmx-19")),
            ("config.uuid", uuid.clone()),
            ("config.instanceUuid", uuid),
            ("config.template", Property::flag(false)),
            ("config.guestId", text(GUEST)),
            ("config.alternateGuestName", text("")),
            ("config.annotation", text("")),
            ("config.files.vmPathName", self.file_of(entity, machine)),
            ("config.flags.enableLogging", Property::flag(true)),
            ("config.defaultPowerOps.powerOffType", text("soft")),
            ("config.hardware.numCPU", Property::int(machine.cpus)),
            ("config.hardware.numCoresPerSocket", Property::int(1)),
            ("config.hardware.memoryMB", Property::int(machine.memory_mb)),
            ("config.hardware.device", self.devices(entity, machine)),
        ]
    }

    fn machine_runtime(&self, machine: &Machine) -> Vec<Leaf> {
        let of = |class, value: &str| Property::Plain(class, value.to_owned());
        let mut leaves = vec![
            ("runtime.connectionState", of("VirtualMachineConnectionState", "connected")),
            ("runtime.powerState", of("VirtualMachinePowerState", power_state(machine))),
            (
                "runtime.faultToleranceState",
                of("VirtualMachineFaultToleranceState", "notConfigured"),
            ),
            ("runtime.toolsInstallerMounted", Property::flag(false)),
            ("runtime.maxCpuUsage", mhz(machine.cpus)),
            ("runtime.maxMemoryUsage", Property::int(machine.memory_mb)),
            ("runtime.numMksConnections", Property::int(0)),
            ("runtime.recordReplayState", of("VirtualMachineRecordReplayState", "inactive")),
            ("runtime.onlineStandby", Property::flag(false)),
            ("runtime.consolidationNeeded", Property::flag(false)),
        ];
        if let Some(host) = machine.host {
            leaves.insert(0, ("runtime.host", self.object(host)));
        }
        leaves
    }

    fn machine_summary(&self, id: EntityId, entity: &Entity, machine: &Machine) -> Vec<Leaf> {
        let text = Property::text;
        let of = |class, value: &str| Property::Plain(class, value.to_owned());
        let uuid = text(&machine.uuid.to_string());
        let mut leaves = vec![
            ("summary.vm", self.object(id)),
            ("summary.runtime.connectionState", of("VirtualMachineConnectionState", "connected")),
            ("summary.runtime.powerState", of("VirtualMachinePowerState", power_state(machine))),
            ("summary.runtime.toolsInstallerMounted", Property::flag(false)),
            ("summary.runtime.maxCpuUsage", mhz(machine.cpus)),
            ("summary.runtime.maxMemoryUsage", Property::int(machine.memory_mb)),
            ("summary.runtime.numMksConnections", Property::int(0)),
        ];
        if let Some(host) = machine.host {
            leaves.insert(1, ("summary.runtime.host", self.object(host)));
        }
        leaves.extend(guest("summary.guest", entity, machine));
        leaves.extend([
            ("summary.config.name", text(&entity.name)),
            ("summary.config.template", Property::flag(false)),
            ("summary.config.vmPathName", self.file_of(entity, machine)),
            ("summary.config.memorySizeMB", Property::int(machine.memory_mb)),
            ("summary.config.numCpu", Property::int(machine.cpus)),
            ("summary.config.uuid", uuid.clone()),
            ("summary.config.instanceUuid", uuid),
            ("summary.config.guestId", text(GUEST)),
            ("summary.config.guestFullName", text(GUEST_NAME)),
            ("summary.storage.committed", Property::long(machine.disk_bytes)),
            ("summary.storage.uncommitted", Property::long(0)),
            ("summary.storage.unshared", Property::long(machine.disk_bytes)),
            ("summary.storage.timestamp", set_up()),
            ("summary.quickStats.guestHeartbeatStatus", heartbeat(machine)),
            ("summary.overallStatus", green()),
        ]);
        leaves
    }

    /// Where the file lies that describes a machine.
    fn file_of(&self, entity: &Entity, machine: &Machine) -> Property {
        let store = machine.datastore.map_or("", |store| &self.get(store).name);
        Property::text(&format!("[{store}] {0}/{0}.vmx", entity.name))
    }

    fn host_leaves(&self, id: EntityId, entity: &Entity) -> Vec<Leaf> {
        let text = Property::text;
        let connected = || Property::Plain("HostSystemConnectionState", "connected".to_owned());
        let power = || Property::Plain("HostSystemPowerState", "poweredOn".to_owned());
        let short = |value: u32| Property::Plain("xsd:short", value.to_string());
        let uuid = text(&uuid_of(entity));
        let (vendor, model) = (text("Dell Inc."), text("PowerEdge R650"));
        let (cores, bytes) = (self.host_cores(), self.host_bytes());
        let threads = cores * 2;
        vec![
            ("runtime.connectionState", connected()),
            ("runtime.powerState", power()),
            ("runtime.inMaintenanceMode", Property::flag(false)),
            ("runtime.bootTime", set_up()),
            ("config.host", self.object(id)),
            ("config.product.name", text("VMware ESXi")),
            ("config.product.fullName", text("VMware ESXi 8.0.3 build-24022510")),
            ("config.product.vendor", text("VMware, Inc.")),
            ("config.product.version", text("8.0.3")),
            ("config.product.build", text("24022510")),
            ("config.product.osType", text("vmnix-x86")),
            ("config.product.productLineId", text("embeddedEsx")),
            ("config.product.apiType", text("HostAgent")),
            ("config.product.apiVersion", text("8.0.3.0")),
            ("hardware.systemInfo.vendor", vendor.clone()),
            ("hardware.systemInfo.model", model.clone()),
            ("hardware.systemInfo.uuid", uuid.clone()),
            ("hardware.cpuInfo.numCpuPackages", short(2)),
            ("hardware.cpuInfo.numCpuCores", short(cores)),
            ("hardware.cpuInfo.numCpuThreads", short(threads)),
            ("hardware.cpuInfo.hz", Property::long(u64::from(HOST_MHZ) * 1_000_000)),
            ("hardware.memorySize", Property::long(bytes)),
            ("summary.host", self.object(id)),
            ("summary.hardware.vendor", vendor),
            ("summary.hardware.model", model),
            ("summary.hardware.uuid", uuid),
            ("summary.hardware.memorySize", Property::long(bytes)),
            ("summary.hardware.cpuModel", text(HOST_CPU)),
            ("summary.hardware.cpuMhz", Property::int(HOST_MHZ)),
            ("summary.hardware.numCpuPkgs", short(2)),
            ("summary.hardware.numCpuCores", short(cores)),
            ("summary.hardware.numCpuThreads", short(threads)),
            ("summary.hardware.numNics", Property::int(4)),
            ("summary.hardware.numHBAs", Property::int(2)),
            ("summary.runtime.connectionState", connected()),
            ("summary.runtime.powerState", power()),
            ("summary.runtime.inMaintenanceMode", Property::flag(false)),
            ("summary.runtime.bootTime", set_up()),
            ("summary.config.name", text(&entity.name)),
            ("summary.config.port", Property::int(443)),
            ("summary.config.product.name", text("VMware ESXi")),
            ("summary.config.product.fullName", text("VMware ESXi 8.0.3 build-24022510")),
            ("summary.config.product.vendor", text("VMware, Inc.")),
            ("summary.config.product.version", text("8.0.3")),
            ("summary.config.product.build", text("24022510")),
            ("summary.config.product.osType", text("vmnix-x86")),
            ("summary.config.product.productLineId", text("embeddedEsx")),
            ("summary.config.product.apiType", text("HostAgent")),
            ("summary.config.product.apiVersion", text("8.0.3.0")),
            ("summary.config.vmotionEnabled", Property::flag(true)),
            ("summary.quickStats.overallCpuUsage", Property::int(self.used_mhz(id))),
            ("summary.quickStats.overallMemoryUsage", Property::int(self.used_mb(id))),
            ("summary.quickStats.uptime", Property::int(86_400)),
            ("summary.overallStatus", green()),
            ("summary.rebootRequired", Property::flag(false)),
        ]
    }

    fn cluster_leaves(&self, id: EntityId) -> Vec<Leaf> {
        let hosts = u32::try_from(self.hosts_of(id).len()).unwrap_or(u32::MAX);
        let (cores, bytes) = (hosts * self.host_cores(), u64::from(hosts) * self.host_bytes());
        let short = |value: u32| Property::Plain("xsd:short", value.to_string());
        vec![
            ("configuration.dasConfig.enabled", Property::flag(true)),
            ("configuration.drsConfig.enabled", Property::flag(true)),
            ("configurationEx.dasConfig.enabled", Property::flag(true)),
            ("configurationEx.drsConfig.enabled", Property::flag(true)),
            ("summary.totalCpu", mhz(cores)),
            ("summary.totalMemory", Property::long(bytes)),
            ("summary.numCpuCores", short(cores)),
            ("summary.numCpuThreads", short(cores * 2)),
            ("summary.effectiveCpu", mhz(cores)),
            ("summary.effectiveMemory", Property::long(bytes >> 20)),
            ("summary.numHosts", Property::int(hosts)),
            ("summary.numEffectiveHosts", Property::int(hosts)),
            ("summary.overallStatus", green()),
            ("summary.currentFailoverLevel", Property::int(1)),
            ("summary.numVmotions", Property::int(0)),
        ]
    }

    fn pool_leaves(&self, entity: &Entity) -> Vec<Leaf> {
        let hosts = entity.parent.map_or(0, |cluster| self.hosts_of(cluster).len() as u64);
        let cpu = hosts * u64::from(self.host_cores() * HOST_MHZ);
        let memory = hosts * self.host_bytes();
        let usage = |max: u64| {
            let member = |name: &str, value: u64| format!("<{name}>{value}</{name}>");
            let content = [
                member("reservationUsed", 0),
                member("reservationUsedForVm", 0),
                member("unreservedForPool", max),
                member("unreservedForVm", max),
                member("overallUsage", 0),
                member("maxUsage", max),
            ];
            Property::Structure("ResourcePoolResourceUsage", content.concat())
        };
        vec![
            ("summary.name", Property::text(&entity.name)),
            ("summary.runtime.memory", usage(memory)),
            ("summary.runtime.cpu", usage(cpu)),
            ("summary.runtime.overallStatus", green()),
            ("runtime.memory", usage(memory)),
            ("runtime.cpu", usage(cpu)),
            ("runtime.overallStatus", green()),
        ]
    }

    fn datastore_leaves(&self, id: EntityId, entity: &Entity) -> Vec<Leaf> {
        let url = Property::text(&format!("ds:///vmfs/volumes/{}/", entity.moid));
        let sized = |bytes| Property::long(if self.has_sizes { bytes } else { 0 });
        let free = sized(4_398_046_511_104);
        vec![
            ("summary.datastore", self.object(id)),
            ("summary.name", Property::text(&entity.name)),
            ("summary.url", url.clone()),
            ("summary.capacity", sized(10_995_116_277_760)),
            ("summary.freeSpace", free.clone()),
            ("summary.accessible", Property::flag(true)),
            ("summary.multipleHostAccess", Property::flag(true)),
            ("summary.type", Property::text("VMFS")),
            ("info.name", Property::text(&entity.name)),
            ("info.url", url),
            ("info.freeSpace", free),
            ("info.maxFileSize", Property::long(68_169_720_922_112)),
        ]
    }

    fn switch_leaves(&self, id: EntityId, entity: &Entity) -> Vec<Leaf> {
        let (name, uuid) = (Property::text(&entity.name), Property::text(&switch_uuid(entity)));
        let ports =
            Property::int(i64::try_from(self.groups_near(id).len() * 128).unwrap_or(i64::MAX));
        vec![
            ("summary.name", name.clone()),
            ("summary.uuid", uuid.clone()),
            ("summary.numPorts", ports.clone()),
            ("config.uuid", uuid),
            ("config.name", name),
            ("config.numStandalonePorts", Property::int(0)),
            ("config.numPorts", ports),
            ("config.maxPorts", Property::int(i32::MAX)),
        ]
    }

    fn group_leaves(&self, id: EntityId, entity: &Entity) -> Vec<Leaf> {
        let name = Property::text(&entity.name);
        let mut leaves = vec![
            ("summary.network", self.object(id)),
            ("summary.name", name.clone()),
            ("summary.accessible", Property::flag(true)),
            ("summary.ipPoolName", Property::text("")),
        ];
        // A network without a switch of its own has no more.
        if entity.class == Kind::PortGroup.class() {
            leaves.extend([
                ("config.key", Property::text(&entity.moid)),
                ("config.name", name),
                ("config.numPorts", Property::int(128)),
            ]);
            let switch = self.switch.map(|switch| self.object(switch));
            leaves.extend(switch.map(|switch| ("config.distributedVirtualSwitch", switch)));
            leaves.push(("config.type", Property::text("earlyBinding")));
        }
        leaves
    }

    /// Every datastore and network is reachable from everywhere in its data center.
    fn shared_hardware(&self, id: EntityId, path: &str) -> Option<Property> {
        match path {
            "datastore" => Some(self.objects(&self.near(id, &self.datastores))),
            "network" => Some(self.objects(&self.near(id, &self.networks))),
            _ => None,
        }
    }

    /// Those of the entities that are in the same data center as `id`.
    fn near(&self, id: EntityId, of: &[EntityId]) -> Vec<EntityId> {
        let here = self.datacenter_of(id);
        of.iter().copied().filter(|other| self.datacenter_of(*other) == here).collect()
    }

    /// The port groups of a switch: all in its data center.
    fn groups_near(&self, switch: EntityId) -> Vec<EntityId> {
        let mut groups = self.near(switch, &self.networks);
        groups.retain(|id| self.get(*id).class == Kind::PortGroup.class());
        groups
    }

    fn datacenter_of(&self, id: EntityId) -> Option<EntityId> {
        let mut at = Some(id);
        while let Some(id) = at.filter(|id| self.get(*id).kind != Kind::Datacenter) {
            at = self.get(id).parent;
        }
        at
    }

    /// Cores of a host.
    fn host_cores(&self) -> u32 {
        if self.has_sizes { HOST_CORES } else { 0 }
    }

    /// Bytes of a host's memory.
    fn host_bytes(&self) -> u64 {
        if self.has_sizes { HOST_BYTES } else { 0 }
    }

    fn machines_on(&self, wanted: impl Fn(&Machine) -> bool) -> Vec<EntityId> {
        let on = |id: &EntityId| self.machine(*id).is_some_and(&wanted);
        self.machines.iter().copied().filter(on).collect()
    }

    fn running_on(&self, host: EntityId) -> impl Iterator<Item = &Machine> {
        let machines = self.machines.iter().filter_map(|id| self.machine(*id));
        machines.filter(move |machine| machine.host == Some(host) && machine.powered_on)
    }

    /// A tenth of what runs there.
    fn used_mhz(&self, host: EntityId) -> u32 {
        self.running_on(host).map(|machine| machine.cpus * HOST_MHZ / 10).sum()
    }

    fn used_mb(&self, host: EntityId) -> u32 {
        self.running_on(host).map(|machine| machine.memory_mb).sum()
    }

    fn object(&self, id: EntityId) -> Property {
        Property::Object(self.moref(id))
    }

    fn objects(&self, ids: &[EntityId]) -> Property {
        Property::Objects(ids.iter().map(|id| self.moref(*id)).collect())
    }

    /// The name of a machine in DNS.
    pub(crate) fn host_name(entity: &Entity) -> String {
        format!("{}.example.org", entity.name)
    }
}

/// What the tools in a guest tell, below `guest` or `summary.guest`.
fn guest(prefix: &str, entity: &Entity, machine: &Machine) -> Vec<Leaf> {
    let text = Property::text;
    let (status, running) = match machine.powered_on {
        true => ("toolsOk", "guestToolsRunning"),
        false => ("toolsNotRunning", "guestToolsNotRunning"),
    };
    let status = Property::Plain("VirtualMachineToolsStatus", status.to_owned());
    let mut leaves = match prefix {
        "guest" => vec![
            ("guest.toolsStatus", status),
            ("guest.toolsVersionStatus2", text("guestToolsCurrent")),
            ("guest.toolsRunningStatus", text(running)),
            ("guest.guestId", text(GUEST)),
            ("guest.guestFullName", text(GUEST_NAME)),
        ],
        _ => vec![
            ("summary.guest.guestId", text(GUEST)),
            ("summary.guest.guestFullName", text(GUEST_NAME)),
            ("summary.guest.toolsStatus", status),
            ("summary.guest.toolsVersionStatus2", text("guestToolsCurrent")),
            ("summary.guest.toolsRunningStatus", text(running)),
        ],
    };
    if machine.powered_on {
        let name = text(&Inventory::host_name(entity));
        let path = if prefix == "guest" { "guest.hostName" } else { "summary.guest.hostName" };
        leaves.push((path, name));
    }
    leaves
}

/// [`SET_UP`] as a value.
fn set_up() -> Property {
    Property::Plain("xsd:dateTime", xml_time(SET_UP))
}

/// What so many cores do at most.
fn mhz(cores: u32) -> Property {
    Property::int(cores * HOST_MHZ)
}

fn green() -> Property {
    Property::Plain("ManagedEntityStatus", "green".to_owned())
}

fn heartbeat(machine: &Machine) -> Property {
    let status = if machine.powered_on { "green" } else { "gray" };
    Property::Plain("ManagedEntityStatus", status.to_owned())
}

fn power_state(machine: &Machine) -> &'static str {
    if machine.powered_on { "poweredOn" } else { "poweredOff" }
}

fn guest_state(machine: &Machine) -> &'static str {
    if machine.powered_on { "running" } else { "notRunning" }
}

/// As `uuid` of an entity that has one for good: made from its identifier.
pub(super) fn uuid_of(entity: &Entity) -> String {
    uuid_of_id(&entity.moid).to_string()
}

/// The UUID that is made from an identifier.
pub(super) fn uuid_of_id(id: &str) -> uuid::Uuid {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, id.as_bytes())
}

/// A switch has its own form: sixteen bytes with blanks, and a hyphen in the middle.
fn switch_uuid(entity: &Entity) -> String {
    let digits = uuid_of(entity).replace('-', "");
    let bytes: Vec<&str> = (0..16).filter_map(|at| digits.get(2 * at..2 * at + 2)).collect();
    let (first, last) = bytes.split_at(bytes.len() / 2);
    format!("{}-{}", first.join(" "), last.join(" "))
}
