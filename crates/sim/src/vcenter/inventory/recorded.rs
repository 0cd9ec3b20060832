//! Builds the tree of what a recording names: each object by its own identifier and its last name, below
//! the usual folders.
//!
//! Where something lies is told by what it was named beside; what was named alone lies in the first data
//! center. Nothing is known of sizes and states, so sizes are zero and machines run. Pools are kept where
//! their cluster is known, other folders than the root below the folder of their kind.

use super::names::{DATASTORE_TYPES, HOST_TYPES, MACHINE_TYPES, NETWORK_TYPES, ROOT_TYPES};
use super::properties::uuid_of_id;
use super::{Detail, EntityId, Inventory, Kind, Machine};
use crate::vcenter::scene::{Scene, Seen};

/// The identifier of the root of every vCenter.
const ROOT: &str = "group-d1";
/// What the data center is called of which nobody told.
const NAMELESS: &str = "Datacenter";

/// Places of what is [beside](crate::vcenter::scene::Seen::beside) an object.
const DATACENTER: usize = 0;
const CLUSTER: usize = 1;
const HOST: usize = 2;
const DATASTORE: usize = 4;
const NETWORK: usize = 5;

impl Inventory {
    /// The tree, and for each object of the scene its entity.
    pub(crate) fn recorded(scene: &Scene) -> (Self, Vec<EntityId>) {
        let mut inventory = Self::empty();
        inventory.has_sizes = false;
        // Made-up identifiers come after those that were recorded, so that none is given twice.
        let numbers = scene.seen.iter().filter_map(|seen| number_of(&seen.id));
        inventory.next_number = numbers.max().unwrap_or(1).max(1).saturating_add(1);
        let root = Detail::Folder(ROOT_TYPES);
        inventory.root = inventory.add_as(Kind::Folder, "Folder", ROOT, "Datacenters", None, root);
        let mut builder = Builder { scene, placed: vec![None; scene.seen.len()], inventory };
        builder.build();
        let root = builder.inventory.root;
        let entities = builder.placed.into_iter().map(|id| id.unwrap_or(root)).collect();
        (builder.inventory, entities)
    }
}

/// The tree while it grows.
struct Builder<'s> {
    scene: &'s Scene,
    /// The entities of the objects of the scene.
    placed: Vec<Option<EntityId>>,
    inventory: Inventory,
}

impl Builder<'_> {
    /// What something else lies in comes before it.
    fn build(&mut self) {
        self.each(&["Datacenter"], |builder, seen| Some(builder.datacenter(seen)));
        let datacenters = self.inventory.get(self.inventory.root).children.first().copied();
        self.inventory.datacenter = datacenters.unwrap_or_else(|| {
            let root = Some(self.inventory.root);
            let id = self.inventory.add(Kind::Datacenter, NAMELESS, root, Detail::Plain);
            self.inventory.furnish(id);
            id
        });
        self.each(&["Folder"], |builder, seen| Some(builder.folder(seen)));
        self.each(&["ClusterComputeResource", "ComputeResource"], |builder, seen| {
            Some(builder.cluster(seen))
        });
        self.each(&["ResourcePool"], Self::pool);
        self.each(&["HostSystem"], |builder, seen| Some(builder.host(seen)));
        self.each(&["Datastore"], |builder, seen| {
            let id = builder.plain(Kind::Datastore, seen);
            builder.inventory.datastores.push(id);
            Some(id)
        });
        self.each(
            &["VmwareDistributedVirtualSwitch", "DistributedVirtualSwitch"],
            |builder, seen| {
                let id = builder.plain(Kind::Switch, seen);
                builder.inventory.switch.get_or_insert(id);
                Some(id)
            },
        );
        self.each(&["Network", "OpaqueNetwork", "DistributedVirtualPortgroup"], |builder, seen| {
            let id = builder.plain(Kind::PortGroup, seen);
            builder.inventory.networks.push(id);
            Some(id)
        });
        self.each(&["VirtualMachine"], |builder, seen| Some(builder.machine(seen)));
    }

    /// Places every object of these classes.
    fn each(&mut self, classes: &[&str], place: impl Fn(&mut Self, &Seen) -> Option<EntityId>) {
        let scene = self.scene;
        for (at, seen) in scene.seen.iter().enumerate() {
            if classes.contains(&seen.class) {
                let id = place(self, seen);
                if let Some(slot) = self.placed.get_mut(at) {
                    *slot = id;
                }
            }
        }
    }

    fn datacenter(&mut self, seen: &Seen) -> EntityId {
        let root = Some(self.inventory.root);
        let (id, name) = (&seen.id, &seen.name);
        let id = self.inventory.add_as(Kind::Datacenter, seen.class, id, name, root, Detail::Plain);
        self.inventory.furnish(id);
        id
    }

    /// The letter in a folder's identifier tells what it holds.
    fn folder(&mut self, seen: &Seen) -> EntityId {
        if seen.id == ROOT {
            seen.name.clone_into(&mut self.inventory.get_mut(self.inventory.root).name);
            return self.inventory.root;
        }
        let [vm, host, datastore, network] = self.folders(seen);
        let (parent, types) = match seen.id.strip_prefix("group-").and_then(|id| id.chars().next())
        {
            Some('v') => (vm, MACHINE_TYPES),
            Some('h') => (host, HOST_TYPES),
            Some('s') => (datastore, DATASTORE_TYPES),
            Some('n') => (network, NETWORK_TYPES),
            _ => (self.inventory.root, ROOT_TYPES),
        };
        self.add(Kind::Folder, seen, parent, Detail::Folder(types))
    }

    fn cluster(&mut self, seen: &Seen) -> EntityId {
        let [_, hosts, ..] = self.folders(seen);
        let cluster = self.add(Kind::Cluster, seen, hosts, Detail::Plain);
        let pool =
            self.inventory.add(Kind::ResourcePool, "Resources", Some(cluster), Detail::Plain);
        self.inventory.get_mut(cluster).detail = Detail::Cluster { pool };
        self.inventory.clusters.push(cluster);
        cluster
    }

    fn pool(&mut self, seen: &Seen) -> Option<EntityId> {
        let cluster = self.beside(seen, CLUSTER)?;
        Some(self.add(Kind::ResourcePool, seen, cluster, Detail::Plain))
    }

    /// A host that was never named with a cluster lies in the folder of hosts.
    fn host(&mut self, seen: &Seen) -> EntityId {
        let [_, hosts, ..] = self.folders(seen);
        let parent = self.beside(seen, CLUSTER).unwrap_or(hosts);
        let id = self.add(Kind::Host, seen, parent, Detail::Plain);
        self.inventory.hosts.push(id);
        id
    }

    fn plain(&mut self, kind: Kind, seen: &Seen) -> EntityId {
        let [_, _, datastores, networks] = self.folders(seen);
        let parent = if kind == Kind::Datastore { datastores } else { networks };
        self.add(kind, seen, parent, Detail::Plain)
    }

    fn machine(&mut self, seen: &Seen) -> EntityId {
        let [machines, ..] = self.folders(seen);
        let machine = Machine {
            host: self.beside(seen, HOST).filter(|id| self.is_a(*id, Kind::Host)),
            datastore: self.beside(seen, DATASTORE).filter(|id| self.is_a(*id, Kind::Datastore)),
            network: self.beside(seen, NETWORK).filter(|id| self.is_a(*id, Kind::PortGroup)),
            powered_on: true,
            cpus: 0,
            memory_mb: 0,
            disk_bytes: 0,
            snapshots: 0,
            uuid: uuid_of_id(&seen.id),
        };
        let id = self.add(Kind::Machine, seen, machines, Detail::Machine(machine));
        self.inventory.machines.push(id);
        id
    }

    fn add(&mut self, kind: Kind, seen: &Seen, parent: EntityId, detail: Detail) -> EntityId {
        self.inventory.add_as(kind, seen.class, &seen.id, &seen.name, Some(parent), detail)
    }

    /// What an object was named beside, if that is placed already.
    fn beside(&self, seen: &Seen, at: usize) -> Option<EntityId> {
        let place = seen.beside.get(at).copied().flatten()?;
        self.placed.get(place as usize).copied().flatten()
    }

    fn is_a(&self, id: EntityId, kind: Kind) -> bool {
        self.inventory.get(id).kind == kind
    }

    /// The folders of an object's data center.
    fn folders(&self, seen: &Seen) -> [EntityId; 4] {
        let datacenter =
            self.beside(seen, DATACENTER).filter(|id| self.is_a(*id, Kind::Datacenter));
        match self.inventory.get(datacenter.unwrap_or(self.inventory.datacenter)).detail {
            Detail::Datacenter { vm, host, datastore, network } => [vm, host, datastore, network],
            _ => [self.inventory.root; 4],
        }
    }
}

/// The number at the end of an identifier.
fn number_of(id: &str) -> Option<u32> {
    let digits = id.rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
    id.get(digits..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use jiff::Timestamp;
    use serde_json::json;

    use super::Inventory;
    use crate::vcenter::inventory::Property;
    use crate::vcenter::moref::MoRef;
    use crate::vcenter::recording::{Captured, Recording};

    fn inventory(events: &[serde_json::Value]) -> Inventory {
        let mut recording = Recording::default();
        for event in events {
            let (data, time) = (event.to_string(), Timestamp::UNIX_EPOCH);
            let captured = Captured { class: "VmEvent", category: None, time, data: &data };
            recording.add(captured).unwrap();
        }
        Inventory::recorded(&recording.scene).0
    }

    fn argument(member: &str, class: &str, id: &str, name: &str) -> serde_json::Value {
        json!({"Name": name, member: {"Type": class, "Value": id}})
    }

    #[test]
    fn everything_lies_where_it_was_named_in_its_own_data_center() {
        let event = |dc: &str, vm: &str| {
            json!({"Key": 1,
                "Datacenter": argument("Datacenter", "Datacenter", dc, dc),
                "ComputeResource":
                    argument("ComputeResource", "ClusterComputeResource", &format!("c-{dc}"), "C"),
                "Host": argument("Host", "HostSystem", &format!("h-{dc}"), "H"),
                "Net": argument("Network", "Network", &format!("n-{dc}"), "N"),
                "Vm": argument("Vm", "VirtualMachine", vm, &format!("name of {vm}"))})
        };
        let inventory = inventory(&[event("datacenter-2", "vm-1"), event("datacenter-7", "vm-2")]);
        let id = inventory.find_path("/datacenter-7/vm/name of vm-2").unwrap();
        assert_eq!(inventory.moref(id), MoRef::new("VirtualMachine", "vm-2"));
        let host = inventory.find_path("datacenter-7/host/C/H").unwrap();
        let host = Property::Object(inventory.moref(host));
        assert_eq!(inventory.property(id, "runtime.host"), Some(host));
        assert_eq!(inventory.property(id, "config.hardware.numCPU"), Some(Property::int(0)));
        let cluster = inventory.find_path("datacenter-2/host/C").unwrap();
        let networks = vec![MoRef::new("Network", "n-datacenter-2")];
        assert_eq!(inventory.property(cluster, "network"), Some(Property::Objects(networks)));
    }

    #[test]
    fn what_was_named_alone_lies_in_a_data_center_all_the_same() {
        let vm = argument("Vm", "VirtualMachine", "vm-1", "lone");
        let inventory = inventory(&[json!({"Key": 1, "Vm": vm})]);
        let id = inventory.find_path("Datacenter/vm/lone").unwrap();
        assert_eq!(inventory.property(id, "runtime.host"), None);
        assert!(inventory.is_within(id, inventory.root));
    }
}
