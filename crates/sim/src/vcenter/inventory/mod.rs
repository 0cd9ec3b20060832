//! What the simulated cloud consists of: one tree of folders, clusters, hosts and machines.
//!
//! Entities live in an arena and are never taken out of it, because old events keep naming what was
//! removed long ago. A removed entity is only unlinked from its parent. The tree holds state (which
//! host, powered on or not); what it looks like in the protocol is said in `properties`. A tree is made
//! from a seed, or of what a recording names: there nobody knows sizes, which are zero, and not always
//! where a machine lies.

mod build;
mod devices;
mod names;
mod paths;
mod properties;
mod property;
mod recorded;
mod structure;

pub(crate) use property::Property;

use std::collections::HashMap;

use super::moref::MoRef;

/// Index of an entity in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EntityId(u32);

/// The classes of entities that the simulator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Datacenter,
    Cluster,
    ResourcePool,
    Host,
    Datastore,
    Switch,
    PortGroup,
    Machine,
}

impl Kind {
    /// The class name in the protocol.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Folder => "Folder",
            Self::Datacenter => "Datacenter",
            Self::Cluster => "ClusterComputeResource",
            Self::ResourcePool => "ResourcePool",
            Self::Host => "HostSystem",
            Self::Datastore => "Datastore",
            Self::Switch => "VmwareDistributedVirtualSwitch",
            Self::PortGroup => "DistributedVirtualPortgroup",
            Self::Machine => "VirtualMachine",
        }
    }

    /// The letters before the number in identifiers of this kind.
    fn prefix(self) -> &'static str {
        match self {
            Self::Folder => "group-",
            Self::Datacenter => "datacenter-",
            Self::Cluster => "domain-c",
            Self::ResourcePool => "resgroup-",
            Self::Host => "host-",
            Self::Datastore => "datastore-",
            Self::Switch => "dvs-",
            Self::PortGroup => "dvportgroup-",
            Self::Machine => "vm-",
        }
    }
}

/// What one kind of entity has beyond a name and a place.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    /// Nothing.
    Plain,
    /// The classes that a folder may hold.
    Folder(&'static [&'static str]),
    /// The four folders of a datacenter.
    Datacenter { vm: EntityId, host: EntityId, datastore: EntityId, network: EntityId },
    /// The root resource pool of a cluster.
    Cluster { pool: EntityId },
    /// State of a machine.
    Machine(Machine),
}

/// State of a virtual machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) host: Option<EntityId>,
    pub(crate) datastore: Option<EntityId>,
    pub(crate) network: Option<EntityId>,
    pub(crate) powered_on: bool,
    pub(crate) cpus: u32,
    pub(crate) memory_mb: u32,
    pub(crate) disk_bytes: u64,
    pub(crate) snapshots: u32,
    pub(crate) uuid: uuid::Uuid,
}

/// One managed entity.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) kind: Kind,
    /// The class name in the protocol: that of the kind, or one close to it.
    pub(crate) class: &'static str,
    pub(crate) name: String,
    pub(crate) moid: String,
    pub(crate) parent: Option<EntityId>,
    pub(crate) children: Vec<EntityId>,
    pub(crate) removed: bool,
    pub(crate) detail: Detail,
}

/// The whole tree.
#[derive(Debug)]
pub(crate) struct Inventory {
    entities: Vec<Entity>,
    by_moid: HashMap<String, EntityId>,
    next_number: u32,
    next_machine: u32,
    pub(crate) root: EntityId,
    pub(crate) datacenter: EntityId,
    /// The switch that every port group is of, if there is one.
    pub(crate) switch: Option<EntityId>,
    /// Whether hosts, datastores and the like have sizes.
    has_sizes: bool,
    pub(crate) clusters: Vec<EntityId>,
    pub(crate) hosts: Vec<EntityId>,
    pub(crate) datastores: Vec<EntityId>,
    pub(crate) networks: Vec<EntityId>,
    machine_folders: Vec<EntityId>,
    /// Machines that exist now.
    pub(crate) machines: Vec<EntityId>,
}

impl Inventory {
    pub(crate) fn get(&self, id: EntityId) -> &Entity {
        &self.entities[id.0 as usize]
    }

    fn get_mut(&mut self, id: EntityId) -> &mut Entity {
        &mut self.entities[id.0 as usize]
    }

    /// The reference of an entity.
    pub(crate) fn moref(&self, id: EntityId) -> MoRef {
        let entity = self.get(id);
        MoRef::new(entity.class, &entity.moid)
    }

    /// Finds an entity that still exists.
    pub(crate) fn find(&self, object: &MoRef) -> Option<EntityId> {
        self.find_ever(object).filter(|id| !self.get(*id).removed)
    }

    /// Finds an entity that exists or once existed.
    pub(crate) fn find_ever(&self, object: &MoRef) -> Option<EntityId> {
        let id = *self.by_moid.get(&object.value)?;
        (self.get(id).class == object.kind).then_some(id)
    }

    /// State of a machine; `None` for every other entity.
    pub(crate) fn machine(&self, id: EntityId) -> Option<&Machine> {
        match &self.get(id).detail {
            Detail::Machine(machine) => Some(machine),
            _ => None,
        }
    }

    /// State of a machine, to be changed.
    pub(crate) fn machine_mut(&mut self, id: EntityId) -> Option<&mut Machine> {
        match &mut self.get_mut(id).detail {
            Detail::Machine(machine) => Some(machine),
            _ => None,
        }
    }

    /// Whether `id` is `ancestor` or lies below it.
    pub(crate) fn is_within(&self, id: EntityId, ancestor: EntityId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            if id == ancestor {
                return true;
            }
            at = self.get(id).parent;
        }
        false
    }

    /// All entities below `id`, or only its direct children.
    pub(crate) fn below(&self, id: EntityId, recursive: bool) -> Vec<EntityId> {
        let mut found = self.get(id).children.clone();
        if recursive {
            let mut at = 0;
            while at < found.len() {
                found.extend_from_slice(&self.get(found[at]).children);
                at += 1;
            }
        }
        found
    }

    /// The cluster of a host.
    pub(crate) fn cluster_of(&self, host: EntityId) -> Option<EntityId> {
        self.get(host).parent
    }

    /// Hosts of one cluster.
    pub(crate) fn hosts_of(&self, cluster: EntityId) -> Vec<EntityId> {
        self.get(cluster)
            .children
            .iter()
            .copied()
            .filter(|id| self.get(*id).kind == Kind::Host)
            .collect()
    }

    /// Finds an entity by its inventory path, such as `DC-1/vm/Production/web-001`.
    pub(crate) fn find_path(&self, path: &str) -> Option<EntityId> {
        let mut at = self.root;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            at = *self.get(at).children.iter().find(|id| self.get(**id).name == part)?;
        }
        Some(at)
    }

    /// The machines that have that UUID, and hosts that do.
    pub(crate) fn find_uuid(&self, uuid: &str, wants_machine: bool) -> Vec<EntityId> {
        let uuid = uuid.to_ascii_lowercase();
        let has = |id: &EntityId| match self.machine(*id) {
            Some(machine) => machine.uuid.to_string() == uuid,
            None => properties::uuid_of(self.get(*id)) == uuid,
        };
        let all = if wants_machine { &self.machines } else { &self.hosts };
        all.iter().copied().filter(has).collect()
    }

    /// The running machines with that name in DNS, or the hosts of that name.
    pub(crate) fn find_dns_name(&self, name: &str, wants_machine: bool) -> Vec<EntityId> {
        let has = |id: &EntityId| match self.machine(*id) {
            Some(machine) => machine.powered_on && Self::host_name(self.get(*id)) == name,
            None => self.get(*id).name == name,
        };
        let all = if wants_machine { &self.machines } else { &self.hosts };
        all.iter().copied().filter(has).collect()
    }

    /// Adds a machine and returns it; its name is unique.
    pub(crate) fn add_machine(&mut self, seat: &Seat, machine: Machine) -> EntityId {
        self.next_machine += 1;
        let name = format!("{}-{:03}", seat.role, self.next_machine);
        let id = self.add(Kind::Machine, &name, Some(seat.folder), Detail::Machine(machine));
        self.machines.push(id);
        id
    }

    /// Unlinks a machine; its identifier keeps resolving for old events.
    pub(crate) fn remove_machine(&mut self, id: EntityId) {
        self.machines.retain(|machine| *machine != id);
        if let Some(parent) = self.get(id).parent {
            self.get_mut(parent).children.retain(|child| *child != id);
        }
        self.get_mut(id).removed = true;
    }

    fn add(
        &mut self,
        kind: Kind,
        name: &str,
        parent: Option<EntityId>,
        detail: Detail,
    ) -> EntityId {
        let letter = match (kind, &detail) {
            (Kind::Folder, Detail::Folder(types)) => names::folder_letter(types, parent.is_none()),
            _ => "",
        };
        let moid = format!("{}{letter}{}", kind.prefix(), self.next_number);
        self.next_number += 1;
        self.add_as(kind, kind.class(), &moid, name, parent, detail)
    }

    /// Adds an entity of a class that has an identifier.
    fn add_as(
        &mut self,
        kind: Kind,
        class: &'static str,
        moid: &str,
        name: &str,
        parent: Option<EntityId>,
        detail: Detail,
    ) -> EntityId {
        let id = EntityId(u32::try_from(self.entities.len()).unwrap_or(u32::MAX));
        self.by_moid.insert(moid.to_owned(), id);
        self.entities.push(Entity {
            kind,
            class,
            name: name.to_owned(),
            moid: moid.to_owned(),
            parent,
            children: Vec::new(),
            removed: false,
            detail,
        });
        if let Some(parent) = parent {
            self.get_mut(parent).children.push(id);
        }
        id
    }
}

/// Where a new machine goes and what it is for.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    /// The folder in the inventory.
    pub(crate) folder: EntityId,
    /// First part of its name, such as `web`.
    pub(crate) role: &'static str,
}
