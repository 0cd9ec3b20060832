//! Operations on virtual machines.

use rand::RngExt;

use super::{Workload, host_name, place_of};
use crate::vcenter::events::{Draft, Tail, argument};
use crate::vcenter::inventory::{EntityId, Inventory};
use crate::vcenter::xml::leaf;

impl Workload {
    pub(super) fn toggle_power(
        &mut self,
        inventory: &mut Inventory,
        id: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let place = place_of(inventory, id);
        let name = inventory.get(id).name.clone();
        let host = host_name(inventory, &place);
        let Some(machine) = inventory.machine_mut(id) else { return Vec::new() };
        machine.powered_on = !machine.powered_on;
        let steps = if machine.powered_on {
            [
                ("VmStartingEvent", format!("{name} on host {host} is starting")),
                ("VmPoweredOnEvent", format!("{name} on {host} has powered on")),
            ]
        } else {
            [
                ("VmStoppingEvent", format!("{name} on {host} is stopping")),
                ("VmPoweredOffEvent", format!("{name} on {host} is powered off")),
            ]
        };
        steps
            .into_iter()
            .map(|(class, message)| Draft::new(class, user, message, place).machine_fields(""))
            .collect()
    }

    pub(super) fn reconfigure(
        &mut self,
        inventory: &mut Inventory,
        id: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let place = place_of(inventory, id);
        let message = format!(
            "{} on {} has a new configuration",
            inventory.get(id).name,
            host_name(inventory, &place)
        );
        let before;
        let after = 1 << self.rng.random_range(0..4);
        let memory;
        {
            let Some(machine) = inventory.machine_mut(id) else { return Vec::new() };
            before = machine.cpus;
            machine.cpus = after;
            memory = machine.memory_mb;
        }
        let fields = format!(
            "<configSpec><numCPUs>{after}</numCPUs><memoryMB>{memory}</memoryMB></configSpec>\
             <configChanges><modified>config.hardware.numCPU: {before} -&gt; {after};&#10;\
             </modified><added/><deleted/></configChanges>"
        );
        vec![Draft::new("VmReconfiguredEvent", user, message, place).machine_fields(&fields)]
    }

    pub(super) fn migrate(
        &mut self,
        inventory: &mut Inventory,
        id: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let before = place_of(inventory, id);
        let mut siblings = before.cluster.map(|c| inventory.hosts_of(c)).unwrap_or_default();
        siblings.retain(|host| Some(*host) != before.host);
        let (Some(source), Some(target)) = (before.host, self.pick(&siblings)) else {
            return Vec::new();
        };
        let automatic = self.rng.random_bool(0.4);
        let (class, user) =
            if automatic { ("DrsVmMigratedEvent", "") } else { ("VmMigratedEvent", user) };
        if let Some(machine) = inventory.machine_mut(id) {
            machine.host = Some(target);
        }
        let name = inventory.get(id).name.clone();
        let from = inventory.get(source).name.clone();
        let to = inventory.get(target).name.clone();
        let mut destination = String::new();
        argument(&mut destination, "destHost", "host", target, inventory);
        let mut origin = String::new();
        argument(&mut origin, "sourceHost", "host", source, inventory);
        argument(&mut origin, "sourceDatacenter", "datacenter", inventory.datacenter, inventory);
        vec![
            Draft::new(
                "VmBeingHotMigratedEvent",
                user,
                format!("{name} moves from {from} to {to}"),
                before,
            )
            .machine_fields(&destination),
            Draft::new(
                class,
                user,
                format!("{name} moved from {from} to {to}"),
                place_of(inventory, id),
            )
            .machine_fields(&origin),
        ]
    }

    pub(super) fn create(&mut self, inventory: &mut Inventory, user: &'static str) -> Vec<Draft> {
        let seat = inventory.seat(&mut self.rng);
        let machine = inventory.new_machine(&mut self.rng);
        let uuid = machine.uuid;
        let id = inventory.add_machine(&seat, machine);
        let place = place_of(inventory, id);
        let name = inventory.get(id).name.clone();
        let host = host_name(inventory, &place);
        [
            ("VmBeingCreatedEvent", format!("{name} is being created on {host}"), String::new()),
            (
                "VmInstanceUuidAssignedEvent",
                format!("{name} got the instance UUID {uuid}"),
                format!("<instanceUuid>{uuid}</instanceUuid>"),
            ),
            (
                "VmUuidAssignedEvent",
                format!("{name} got the BIOS UUID {uuid}"),
                format!("<uuid>{uuid}</uuid>"),
            ),
            ("VmCreatedEvent", format!("{name} was created on {host}"), String::new()),
        ]
        .into_iter()
        .map(|(class, text, fields)| Draft::new(class, user, text, place).machine_fields(&fields))
        .collect()
    }

    pub(super) fn duplicate(
        &mut self,
        inventory: &mut Inventory,
        source: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let seat = inventory.seat(&mut self.rng);
        let machine = inventory.new_machine(&mut self.rng);
        let target_host = machine.host;
        let id = inventory.add_machine(&seat, machine);
        let name = inventory.get(id).name.clone();
        let template = inventory.get(source).name.clone();
        let mut destination = String::new();
        argument(&mut destination, "destFolder", "folder", seat.folder, inventory);
        leaf(&mut destination, "destName", &name);
        if let Some(host) = target_host {
            argument(&mut destination, "destHost", "host", host, inventory);
        }
        let mut origin = String::new();
        argument(&mut origin, "sourceVm", "vm", source, inventory);
        vec![
            Draft::new(
                "VmBeingClonedEvent",
                user,
                format!("{template} is being cloned to {name}"),
                place_of(inventory, source),
            )
            .machine_fields(&destination),
            Draft::new(
                "VmClonedEvent",
                user,
                format!("{name} was cloned from {template}"),
                place_of(inventory, id),
            )
            .machine_fields(&origin),
        ]
    }

    pub(super) fn remove(
        &mut self,
        inventory: &mut Inventory,
        id: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let place = place_of(inventory, id);
        let message =
            format!("{} was removed from {}", inventory.get(id).name, host_name(inventory, &place));
        inventory.remove_machine(id);
        vec![Draft::new("VmRemovedEvent", user, message, place).machine_fields("")]
    }

    pub(super) fn snapshot(
        &mut self,
        inventory: &mut Inventory,
        id: EntityId,
        user: &'static str,
    ) -> Vec<Draft> {
        let place = place_of(inventory, id);
        let Some(machine) = inventory.machine_mut(id) else { return Vec::new() };
        let (description_id, text) = if machine.snapshots > 0 {
            machine.snapshots -= 1;
            ("VirtualMachine.removeAllSnapshots", "Task: Remove all snapshots")
        } else {
            machine.snapshots += 1;
            ("VirtualMachine.createSnapshot", "Task: Create virtual machine snapshot")
        };
        let mut draft = Draft::new("TaskEvent", user, text.to_owned(), place);
        draft.tail = Tail::Task { description_id, entity: id };
        vec![draft]
    }
}
