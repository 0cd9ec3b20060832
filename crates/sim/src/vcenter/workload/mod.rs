//! What the cloud's users and its automation do all day.
//!
//! A seeded stream of drafts: operations are drawn one after another, each changes the inventory
//! and leaves one to six drafts. The same seed gives the same sequence of operations, whatever the
//! rate and however the events are asked for, because drafts are queued one operation at a time.

mod machines;
mod others;

pub(crate) use others::login;

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::events::{Draft, Place};
use super::inventory::{EntityId, Inventory};

/// Accounts that operate the cloud.
const USERS: [&str; 5] = [
    "VSPHERE.LOCAL\\Administrator",
    "VSPHERE.LOCAL\\svc-backup",
    "VSPHERE.LOCAL\\svc-deploy",
    "EXAMPLE\\svc-monitoring",
    "EXAMPLE\\ops-oncall",
];

/// The endless list of things to do.
#[derive(Debug)]
pub(crate) struct Workload {
    rng: StdRng,
    waiting: VecDeque<Draft>,
    machines_target: usize,
}

impl Workload {
    /// A workload that keeps about that many machines.
    pub(crate) fn new(seed: u64, machines_target: usize) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), waiting: VecDeque::new(), machines_target }
    }

    /// The next thing that happens.
    pub(crate) fn next(&mut self, inventory: &mut Inventory) -> Draft {
        loop {
            if let Some(draft) = self.waiting.pop_front() {
                return draft;
            }
            let mut drafts = self.operation(inventory);
            for draft in drafts.iter_mut().skip(1) {
                draft.continues = true;
            }
            self.waiting.extend(drafts);
        }
    }

    /// Draws one operation. The weights are out of one hundred.
    fn operation(&mut self, inventory: &mut Inventory) -> Vec<Draft> {
        let user = USERS[self.rng.random_range(0..USERS.len())];
        let draw = self.rng.random_range(0..100);
        let Some(machine) = self.pick(&inventory.machines) else {
            return self.create(inventory, user);
        };
        match draw {
            0..36 => self.toggle_power(inventory, machine, user),
            36..50 => self.reconfigure(inventory, machine, user),
            50..62 => self.migrate(inventory, machine, user),
            62..70 => self.snapshot(inventory, machine, user),
            70..76 => self.grow_or_shrink(inventory, machine, user),
            76..84 => self.alarm(inventory, machine),
            84..92 => self.session(user),
            92..96 => self.extended(inventory, machine, user),
            96..98 => self.failover(inventory, machine),
            _ => self.host_outage(inventory),
        }
    }

    /// Creates or clones below the target, removes at or above it.
    ///
    /// The youngest machine goes first, so that most of the cloud lives as long as real ones do.
    fn grow_or_shrink(
        &mut self,
        inventory: &mut Inventory,
        machine: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let count = inventory.machines.len();
        let more = if count == self.machines_target {
            self.rng.random_bool(0.5)
        } else {
            count < self.machines_target
        };
        match (more, self.rng.random_bool(0.5)) {
            (false, _) => {
                let youngest = inventory.machines.last().copied().unwrap_or(machine);
                self.remove(inventory, youngest, user)
            }
            (true, true) => self.create(inventory, user),
            (true, false) => self.duplicate(inventory, machine, user),
        }
    }

    fn pick(&mut self, from: &[EntityId]) -> Option<EntityId> {
        (!from.is_empty()).then(|| from[self.rng.random_range(0..from.len())])
    }
}

/// The arguments of an event about a machine.
fn place_of(inventory: &Inventory, id: EntityId) -> Place {
    let machine = inventory.machine(id);
    let host = machine.and_then(|machine| machine.host);
    Place {
        datacenter: Some(inventory.datacenter),
        cluster: host.and_then(|host| inventory.cluster_of(host)),
        host,
        machine: Some(id),
        datastore: machine.and_then(|machine| machine.datastore),
        ..Place::default()
    }
}

fn host_name(inventory: &Inventory, place: &Place) -> String {
    place.host.map(|host| inventory.get(host).name.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::Workload;
    use crate::vcenter::events::CATALOG;
    use crate::vcenter::inventory::Inventory;

    fn classes(seed: u64, count: usize) -> Vec<String> {
        let mut inventory = Inventory::build(40, &mut StdRng::seed_from_u64(seed));
        let mut workload = Workload::new(seed, 40);
        (0..count).map(|_| workload.next(&mut inventory).class.into_owned()).collect()
    }

    #[test]
    fn the_same_seed_does_the_same_things() {
        assert_eq!(classes(3, 500), classes(3, 500));
        assert_ne!(classes(3, 500), classes(4, 500));
    }

    #[test]
    fn every_class_is_in_the_catalog_and_most_of_the_catalog_happens() {
        let seen = classes(1, 5_000);
        for class in &seen {
            assert!(CATALOG.iter().any(|entry| entry.class == class), "{class}");
        }
        let distinct = CATALOG.iter().filter(|e| seen.iter().any(|class| class == e.class)).count();
        assert!(distinct >= 22, "only {distinct} classes");
    }

    #[test]
    fn the_number_of_machines_stays_near_its_target() {
        let mut inventory = Inventory::build(40, &mut StdRng::seed_from_u64(1));
        let mut workload = Workload::new(1, 40);
        for _ in 0..5_000 {
            workload.next(&mut inventory);
        }
        assert!((39..=41).contains(&inventory.machines.len()));
    }

    #[test]
    fn an_empty_cloud_begins_by_creating_a_machine() {
        let mut inventory = Inventory::build(0, &mut StdRng::seed_from_u64(1));
        let draft = Workload::new(1, 10).next(&mut inventory);
        assert_eq!(draft.class, "VmBeingCreatedEvent");
    }
}
