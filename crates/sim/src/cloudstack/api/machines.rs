//! Machines: how lists show them.

use serde_json::{Value, json};

use super::call::{Answer, ApiError, Call};
use super::dates::printed;
use super::groups;
use super::lists::{UNTAGGED, add_owner, chosen, members, prefix};
use super::page::Page;
use super::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::Role;
use crate::cloudstack::inventory::{Machine, MachineState};

/// `listVirtualMachines`.
pub(crate) fn list(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(cloud, call)?;
    let accounts = scope::accounts(cloud, call, call.text("id").is_some())?;
    let sees_destroyed = call.is_admin(cloud);
    let is_root = call.role(cloud) == Role::Admin;
    let machines = cloud.inventory.machines.iter().enumerate().rev();
    let machines = machines.filter(|(_, machine)| {
        let destroyed = matches!(machine.state, MachineState::Destroyed | MachineState::Expunging);
        machine.live && accounts[machine.account] && (sees_destroyed || !destroyed)
    });
    let rows = machines.map(|(index, _)| row(cloud, index, is_root)).collect();
    Ok(page.of_list("virtualmachine", chosen(call, rows)))
}

/// The state as the API spells it.
pub(crate) fn state_name(state: MachineState) -> &'static str {
    match state {
        MachineState::Starting => "Starting",
        MachineState::Running => "Running",
        MachineState::Stopping => "Stopping",
        MachineState::Stopped => "Stopped",
        MachineState::Destroyed => "Destroyed",
        MachineState::Expunging => "Expunging",
        MachineState::Error => "Error",
    }
}

/// What a job about a machine results in.
pub(crate) fn result(cloud: &Cloud, index: usize) -> Value {
    json!({"virtualmachine": row(cloud, index, false)})
}

fn row(cloud: &Cloud, index: usize, is_root: bool) -> Value {
    let inventory = &cloud.inventory;
    let machine = &inventory.machines[index];
    let zone = &inventory.offers.zones[machine.zone];
    let template = &inventory.offers.templates[machine.template];
    let offering = &inventory.offers.services[machine.offering];
    let groups: Vec<_> = machine.groups.iter().map(|g| groups::of_machine(cloud, *g)).collect();
    let running = machine.state == MachineState::Running;
    let mut row = members(json!({
        "id": machine.id, "name": machine.name, "displayname": machine.display_name,
    }));
    add_owner(cloud, machine.account, &mut row);
    row.extend(members(json!({
        "created": printed(cloud, machine.created), "state": state_name(machine.state),
        "haenable": false, "groupid": null, "zoneid": zone.id, "zonename": zone.name,
        "templateid": template.id, "templatename": template.name,
        "templatedisplaytext": template.os, "passwordenabled": false,
        "serviceofferingid": offering.id, "serviceofferingname": offering.name,
        "cpunumber": machine.size.0, "cpuspeed": 2000, "memory": machine.size.1,
        "guestosid": template.os_id, "osdisplayname": template.os, "rootdeviceid": 0,
        "rootdevicetype": "ROOT", "securitygroup": groups, "hypervisor": "KVM",
        "instancename": format!("i-{}-{}-VM", machine.account + 2, machine.number),
        "details": {}, "affinitygroup": [], "displayvm": true, "isdynamicallyscalable": false,
        "ostypeid": template.os_id, "tags": [],
    })));
    row.remove("groupid");
    if running {
        row.insert("cpuused".to_owned(), json!(format!("{}%", machine.number % 90)));
        row.insert("networkkbsread".to_owned(), json!(machine.number * 7));
        row.insert("networkkbswrite".to_owned(), json!(machine.number * 3));
    }
    if is_root && running {
        let host = &inventory.offers.hosts[machine.host];
        row.insert("hostid".to_owned(), json!(host.id));
        row.insert("hostname".to_owned(), json!(host.name));
    }
    row.insert("nic".to_owned(), json!([nic(cloud, machine)]));
    Value::Object(row)
}

/// The one network card of a machine; that of a basic zone is on the untagged VLAN.
fn nic(cloud: &Cloud, machine: &Machine) -> Value {
    let network = &cloud.inventory.networks[machine.network];
    let is_common = cloud.inventory.is_common(machine.network);
    let prefix = prefix(machine.network);
    let number = machine.number;
    let mut nic = json!({
        "id": uuid::Uuid::new_v5(&machine.id, b"nic"), "networkid": network.id,
        "networkname": network.name, "netmask": "255.255.255.0",
        "gateway": format!("{prefix}.1"),
        "ipaddress": format!("{prefix}.{}", 10 + number % 240),
        "traffictype": "Guest", "type": if is_common { "Shared" } else { "Isolated" },
        "isdefault": true, "deviceid": "0",
        "macaddress": format!("02:00:00:00:{:02x}:{:02x}", number >> 8 & 255, number & 255),
        "secondaryip": [],
    });
    if is_common {
        nic["broadcasturi"] = json!(UNTAGGED);
    }
    nic
}
