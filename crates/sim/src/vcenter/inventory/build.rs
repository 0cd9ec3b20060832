//! Builds the tree from a seed: the same seed and size give the same cloud.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::devices::DISK_BYTES;
use super::names::{
    CLUSTERS, DATASTORE_TYPES, HOST_TYPES, MACHINE_FOLDERS, MACHINE_TYPES, NETWORK_TYPES, NETWORKS,
    ROOT_TYPES,
};
use super::{Detail, EntityId, Inventory, Kind, Machine, Seat};
use crate::seed::ROLES;

/// A host carries about this many machines.
const MACHINES_PER_HOST: usize = 20;
/// A cluster has at most this many hosts.
const HOSTS_PER_CLUSTER: usize = 8;

impl Inventory {
    /// A datacenter with that many machines and the hardware they need.
    pub(crate) fn build(machines: usize, rng: &mut StdRng) -> Self {
        let mut inventory = Self::empty();
        let root = inventory.add(Kind::Folder, "Datacenters", None, Detail::Folder(ROOT_TYPES));
        inventory.root = root;
        inventory.datacenter = inventory.add(Kind::Datacenter, "DC-1", Some(root), Detail::Plain);
        let [vm, host, datastore, network] = inventory.furnish(inventory.datacenter);
        inventory.add_networks(network);
        inventory.add_hardware(machines, host, datastore);
        inventory.machine_folders =
            MACHINE_FOLDERS.iter().map(|name| inventory.folder(name, vm, MACHINE_TYPES)).collect();
        for _ in 0..machines {
            let seat = inventory.seat(rng);
            let mut machine = inventory.new_machine(rng);
            machine.powered_on = rng.random_bool(0.8);
            inventory.add_machine(&seat, machine);
        }
        inventory
    }

    /// Adds the four folders of a data center: for machines, hosts, datastores, networks.
    pub(super) fn furnish(&mut self, datacenter: EntityId) -> [EntityId; 4] {
        let folders = [
            ("vm", MACHINE_TYPES),
            ("host", HOST_TYPES),
            ("datastore", DATASTORE_TYPES),
            ("network", NETWORK_TYPES),
        ]
        .map(|(name, types)| self.folder(name, datacenter, types));
        let [vm, host, datastore, network] = folders;
        self.get_mut(datacenter).detail = Detail::Datacenter { vm, host, datastore, network };
        folders
    }

    pub(super) fn empty() -> Self {
        let nowhere = EntityId(0);
        Self {
            entities: Vec::new(),
            by_moid: HashMap::new(),
            next_number: 1,
            next_machine: 0,
            root: nowhere,
            datacenter: nowhere,
            switch: None,
            has_sizes: true,
            clusters: Vec::new(),
            hosts: Vec::new(),
            datastores: Vec::new(),
            networks: Vec::new(),
            machine_folders: Vec::new(),
            machines: Vec::new(),
        }
    }

    pub(super) fn folder(
        &mut self,
        name: &str,
        parent: EntityId,
        types: &'static [&'static str],
    ) -> EntityId {
        self.add(Kind::Folder, name, Some(parent), Detail::Folder(types))
    }

    fn add_networks(&mut self, folder: EntityId) {
        self.switch = Some(self.add(Kind::Switch, "DSwitch", Some(folder), Detail::Plain));
        for name in NETWORKS {
            let group = self.add(Kind::PortGroup, name, Some(folder), Detail::Plain);
            self.networks.push(group);
        }
    }

    fn add_hardware(&mut self, machines: usize, hosts: EntityId, datastores: EntityId) {
        let host_count = machines.div_ceil(MACHINES_PER_HOST).max(4);
        let cluster_count = host_count.div_ceil(HOSTS_PER_CLUSTER).max(2);
        for number in 0..cluster_count {
            let name = CLUSTERS
                .get(number)
                .map_or_else(|| format!("Compute-{:02}", number + 1), |name| (*name).to_owned());
            let cluster = self.add(Kind::Cluster, &name, Some(hosts), Detail::Plain);
            let pool = self.add(Kind::ResourcePool, "Resources", Some(cluster), Detail::Plain);
            self.get_mut(cluster).detail = Detail::Cluster { pool };
            self.clusters.push(cluster);
            for label in ["san-01", "san-02"] {
                let name = format!("{}-{label}", name.to_lowercase());
                let store = self.add(Kind::Datastore, &name, Some(datastores), Detail::Plain);
                self.datastores.push(store);
            }
        }
        for number in 0..host_count {
            let cluster = self.clusters[number % cluster_count];
            let name = format!("esx-{:02}.dc1.example.com", number + 1);
            let host = self.add(Kind::Host, &name, Some(cluster), Detail::Plain);
            self.hosts.push(host);
        }
    }

    /// A random folder and role for a new machine.
    pub(crate) fn seat(&self, rng: &mut StdRng) -> Seat {
        Seat {
            folder: self.machine_folders[rng.random_range(0..self.machine_folders.len())],
            role: ROLES[rng.random_range(0..ROLES.len())],
        }
    }

    /// A machine with random size on a random host, powered off.
    pub(crate) fn new_machine(&self, rng: &mut StdRng) -> Machine {
        let cpus = 1 << rng.random_range(0..4);
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Machine {
            host: Some(self.hosts[rng.random_range(0..self.hosts.len())]),
            datastore: Some(self.datastores[rng.random_range(0..self.datastores.len())]),
            network: Some(self.networks[rng.random_range(2..self.networks.len())]),
            powered_on: false,
            cpus,
            memory_mb: cpus * 2048,
            disk_bytes: DISK_BYTES,
            snapshots: 0,
            uuid: uuid::Builder::from_random_bytes(bytes).into_uuid(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::Inventory;

    fn names(seed: u64) -> Vec<String> {
        let inventory = Inventory::build(50, &mut StdRng::seed_from_u64(seed));
        inventory.machines.iter().map(|id| inventory.get(*id).name.clone()).collect()
    }

    #[test]
    fn the_same_seed_builds_the_same_cloud() {
        assert_eq!(names(7), names(7));
        assert_ne!(names(7), names(8));
    }

    #[test]
    fn every_machine_is_found_by_its_path() {
        let inventory = Inventory::build(30, &mut StdRng::seed_from_u64(1));
        for id in &inventory.machines {
            let machine = inventory.get(*id);
            let folder = inventory.get(machine.parent.unwrap());
            let path = format!("/DC-1/vm/{}/{}", folder.name, machine.name);
            assert_eq!(inventory.find_path(&path), Some(*id));
        }
    }

    #[test]
    fn a_removed_machine_keeps_its_identifier() {
        let mut inventory = Inventory::build(5, &mut StdRng::seed_from_u64(1));
        let id = inventory.machines[0];
        let object = inventory.moref(id);
        inventory.remove_machine(id);
        assert_eq!(inventory.find(&object), None);
        assert_eq!(inventory.find_ever(&object), Some(id));
        assert!(inventory.is_within(id, inventory.datacenter));
    }
}
