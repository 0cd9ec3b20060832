//! Volumes: how lists show them.

use serde_json::{Value, json};

use super::call::{Answer, ApiError, Call};
use super::dates::printed;
use super::lists::{add_owner, chosen, members};
use super::machines::state_name;
use super::page::Page;
use super::scope;
use crate::cloudstack::cloud::Cloud;

/// `listVolumes`.
pub(crate) fn list(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(cloud, call)?;
    let accounts = scope::accounts(cloud, call, call.text("id").is_some())?;
    let machines = cloud.inventory.machines.iter().map(|machine| machine.id);
    let machine = call.index_of("virtualmachineid", machines)?;
    let volumes = cloud.inventory.volumes.iter().enumerate();
    let volumes = volumes.filter(|(_, volume)| {
        volume.live
            && accounts[volume.account]
            && machine.is_none_or(|machine| volume.machine == Some(machine))
    });
    let rows = volumes.map(|(index, _)| row(cloud, index)).collect();
    Ok(page.of_list("volume", chosen(call, rows)))
}

/// What a job about a volume results in.
pub(crate) fn result(cloud: &Cloud, index: usize) -> Value {
    json!({"volume": row(cloud, index)})
}

fn row(cloud: &Cloud, index: usize) -> Value {
    let inventory = &cloud.inventory;
    let volume = &inventory.volumes[index];
    let zone = &inventory.offers.zones[volume.zone];
    let mut row = members(json!({
        "id": volume.id, "name": volume.name, "zoneid": zone.id, "zonename": zone.name,
        "type": if volume.offering.is_some() { "DATADISK" } else { "ROOT" },
    }));
    if let Some(machine) = volume.machine {
        let root = volume.offering.is_none();
        let owner = &inventory.machines[machine];
        let disks: Vec<_> = inventory.volumes_of(machine).collect();
        let place = disks.iter().position(|disk| *disk == index).unwrap_or_default();
        row.extend(members(json!({
            "deviceid": if root { 0 } else { place.max(1) }, "virtualmachineid": owner.id,
            "vmname": owner.name, "vmdisplayname": owner.display_name,
            "vmstate": state_name(owner.state),
        })));
    }
    row.extend(members(json!({
        "size": volume.size_bytes, "created": printed(cloud, volume.created),
        "state": if volume.ready { "Ready" } else { "Allocated" },
    })));
    add_owner(cloud, volume.account, &mut row);
    row.extend(members(json!({
        "storagetype": "shared", "provisioningtype": "thin", "hypervisor": "KVM",
    })));
    if let Some(offering) = volume.offering {
        let offering = &inventory.offers.disks[offering];
        row.extend(members(json!({
            "diskofferingid": offering.id, "diskofferingname": offering.name,
            "diskofferingdisplaytext": offering.name,
        })));
    } else if let Some(machine) = volume.machine {
        let offering = &inventory.offers.services[inventory.machines[machine].offering];
        row.extend(members(json!({
            "serviceofferingid": offering.id, "serviceofferingname": offering.name,
            "serviceofferingdisplaytext": offering.name,
        })));
    }
    if volume.ready {
        row.insert("storage".to_owned(), json!("primary-1"));
    }
    if let Some(attached) = volume.attached {
        row.insert("attached".to_owned(), json!(printed(cloud, attached)));
    }
    row.extend(members(json!({
        "destroyed": false, "isextractable": true, "tags": [], "displayvolume": true,
    })));
    Value::Object(row)
}
