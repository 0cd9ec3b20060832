//! What lives in the cloud: machines, volumes, networks, and how operations change them.
//!
//! Objects are never removed from their lists, so an index stays good for ever; `live` tells which
//! of them still exist. It knows no events: the course of an operation calls in here.

mod basic;
mod effects;
mod groups;
mod offers;
mod populate;

pub(crate) use groups::{DEFAULT_GROUP, Peer, Permit, Rule, RuleState, SecurityGroup, Way};
pub(crate) use offers::Offers;

use jiff::Timestamp;
use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::seed::{ROLES, seeded_uuid};

/// Bytes in a GiB: offerings count in GiB, volumes in bytes.
pub(crate) const GIB: u64 = 1 << 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineState {
    Starting,
    Running,
    Stopping,
    Stopped,
    Destroyed,
    Expunging,
    Error,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) id: Uuid,
    /// The number under which events name it.
    pub(crate) resource: u32,
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) account: usize,
    pub(crate) zone: usize,
    pub(crate) offering: usize,
    /// CPUs and memory in MiB.
    pub(crate) size: (u32, u32),
    pub(crate) template: usize,
    pub(crate) network: usize,
    /// Security groups that it is in; none in an advanced zone.
    pub(crate) groups: Vec<usize>,
    pub(crate) host: usize,
    pub(crate) state: MachineState,
    pub(crate) created: Timestamp,
    /// An operation is under way.
    pub(crate) busy: bool,
    pub(crate) live: bool,
}

#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) id: Uuid,
    pub(crate) resource: u32,
    pub(crate) name: String,
    pub(crate) account: usize,
    pub(crate) zone: usize,
    pub(crate) size_bytes: u64,
    /// The disk offering of a data disk; a root disk has none.
    pub(crate) offering: Option<usize>,
    pub(crate) machine: Option<usize>,
    pub(crate) attached: Option<Timestamp>,
    /// Whether it was ever attached: only then it exists on storage.
    pub(crate) ready: bool,
    pub(crate) created: Timestamp,
    pub(crate) busy: bool,
    pub(crate) live: bool,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) id: Uuid,
    pub(crate) resource: u32,
    pub(crate) name: String,
    pub(crate) display_text: String,
    pub(crate) account: usize,
    pub(crate) zone: usize,
    pub(crate) offering: usize,
    pub(crate) created: Timestamp,
    pub(crate) busy: bool,
    pub(crate) live: bool,
}

/// What a new machine is asked to be.
#[derive(Debug, Clone)]
pub(crate) struct NewMachine {
    pub(crate) name: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) account: usize,
    pub(crate) zone: usize,
    pub(crate) offering: usize,
    pub(crate) size: (u32, u32),
    pub(crate) template: usize,
    pub(crate) network: usize,
    pub(crate) groups: Vec<usize>,
}

/// What a new volume is asked to be.
#[derive(Debug, Clone)]
pub(crate) struct NewVolume {
    pub(crate) name: String,
    pub(crate) account: usize,
    pub(crate) zone: usize,
    pub(crate) size_bytes: u64,
    pub(crate) offering: Option<usize>,
}

/// Everything that lives.
#[derive(Debug)]
pub(crate) struct Inventory {
    pub(crate) offers: Offers,
    pub(crate) machines: Vec<Machine>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) networks: Vec<Network>,
    pub(crate) groups: Vec<SecurityGroup>,
    /// Machines that the workload may touch, oldest first.
    pub(crate) untended: Vec<usize>,
    /// Data volumes that the workload may touch.
    pub(crate) untended_volumes: Vec<usize>,
}

impl Inventory {
    /// Nothing lives yet; what is on offer is older than the history.
    pub(crate) fn new(seed: u64, history_begins: Timestamp, rng: &mut StdRng) -> Self {
        Self {
            offers: Offers::build(seed, history_begins, rng),
            machines: Vec::new(),
            volumes: Vec::new(),
            networks: Vec::new(),
            groups: Vec::new(),
            untended: Vec::new(),
            untended_volumes: Vec::new(),
        }
    }

    /// The first network of an account that still exists in a zone, or anywhere.
    pub(crate) fn network_of(&self, account: usize, zone: Option<usize>) -> Option<usize> {
        self.networks.iter().position(|network| {
            network.live && network.account == account && zone.is_none_or(|z| network.zone == z)
        })
    }

    /// A machine as the workload would ask for it.
    pub(crate) fn some_machine(&self, account: usize, rng: &mut StdRng) -> Option<NewMachine> {
        let network = self.network_of(account, None)?;
        let offering = rng.random_range(0..3);
        Some(NewMachine {
            name: None,
            display_name: None,
            account,
            zone: self.networks[network].zone,
            offering,
            size: self.offers.services[offering].size?,
            template: rng.random_range(0..self.offers.templates.len()),
            network,
            groups: Vec::new(),
        })
    }

    /// Adds a machine with its root volume, stopped, unknown to events yet. The workload leaves
    /// alone what a client tends.
    pub(crate) fn add_machine(
        &mut self,
        new: NewMachine,
        tended: bool,
        created: Timestamp,
        rng: &mut StdRng,
    ) -> usize {
        let index = self.machines.len();
        let number = index + 3;
        let id = seeded_uuid(rng);
        let hosts = self.offers.hosts.iter().enumerate().filter(|(_, host)| host.zone == new.zone);
        let hosts: Vec<_> = hosts.map(|(host, _)| host).collect();
        let name = new.name.unwrap_or_else(|| {
            if tended {
                format!("VM-{id}")
            } else {
                format!("{}-{number}", ROLES[rng.random_range(0..ROLES.len())])
            }
        });
        self.machines.push(Machine {
            id,
            resource: 0,
            number,
            display_name: new.display_name.unwrap_or_else(|| name.clone()),
            name,
            account: new.account,
            zone: new.zone,
            offering: new.offering,
            size: new.size,
            template: new.template,
            network: new.network,
            groups: new.groups,
            host: hosts[rng.random_range(0..hosts.len())],
            state: MachineState::Stopped,
            created,
            busy: false,
            live: true,
        });
        let root = NewVolume {
            name: format!("ROOT-{number}"),
            account: new.account,
            zone: new.zone,
            size_bytes: self.offers.templates[new.template].size_gib * GIB,
            offering: None,
        };
        let volume = self.add_volume(root, tended, created, rng);
        self.volumes[volume].machine = Some(index);
        self.volumes[volume].ready = true;
        self.volumes[volume].attached = Some(created);
        if !tended {
            self.untended.push(index);
        }
        index
    }

    /// Adds a volume, unattached, unknown to events yet.
    pub(crate) fn add_volume(
        &mut self,
        new: NewVolume,
        tended: bool,
        created: Timestamp,
        rng: &mut StdRng,
    ) -> usize {
        let index = self.volumes.len();
        if !tended && new.offering.is_some() {
            self.untended_volumes.push(index);
        }
        self.volumes.push(Volume {
            id: seeded_uuid(rng),
            resource: 0,
            name: new.name,
            account: new.account,
            zone: new.zone,
            size_bytes: new.size_bytes,
            offering: new.offering,
            machine: None,
            attached: None,
            ready: false,
            created,
            busy: false,
            live: true,
        });
        index
    }

    /// Adds a network, unknown to events yet.
    pub(crate) fn add_network(
        &mut self,
        (name, display_text): (&str, &str),
        account: usize,
        (zone, offering): (usize, usize),
        created: Timestamp,
        rng: &mut StdRng,
    ) -> usize {
        self.networks.push(Network {
            id: seeded_uuid(rng),
            resource: 0,
            name: name.to_owned(),
            display_text: display_text.to_owned(),
            account,
            zone,
            offering,
            created,
            busy: false,
            live: true,
        });
        self.networks.len() - 1
    }

    /// Volumes of a machine; the root disk first.
    pub(crate) fn volumes_of(&self, machine: usize) -> impl Iterator<Item = usize> {
        let volumes = self.volumes.iter().enumerate();
        volumes.filter(move |(_, v)| v.live && v.machine == Some(machine)).map(|(index, _)| index)
    }
}
