//! The search index: by path, name, UUID and name in DNS. Addresses are not known here, so none is found.

use super::Call;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::inventory::EntityId;
use crate::vcenter::moref::MoRef;
use crate::vcenter::soap::SoapFault;

/// Methods of the search index. Nothing at all where nothing is found.
pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<String, SoapFault> {
    let inventory = &cloud.inventory;
    let text = |name| call.parameters.text_of(name).unwrap_or_default();
    let wants_machine = call.parameters.flag("vmSearch");
    let found = match call.method.as_str() {
        "FindByInventoryPath" => inventory.find_path(text("inventoryPath")).into_iter().collect(),
        "FindChild" => {
            let entity = MoRef::read(call.required("entity")?);
            let id = inventory.find(&entity);
            let id = id.ok_or(SoapFault::ManagedObjectNotFound(entity))?;
            let name = text("name");
            let child =
                inventory.get(id).children.iter().find(|id| inventory.get(**id).name == name);
            child.copied().into_iter().collect()
        }
        "FindByUuid" => first(inventory.find_uuid(text("uuid"), wants_machine)),
        "FindAllByUuid" => inventory.find_uuid(text("uuid"), wants_machine),
        "FindByDnsName" => first(inventory.find_dns_name(text("dnsName"), wants_machine)),
        "FindAllByDnsName" => inventory.find_dns_name(text("dnsName"), wants_machine),
        "FindByIp" | "FindAllByIp" | "FindByDatastorePath" => Vec::new(),
        _ => return Err(call.unknown()),
    };
    let mut out = String::new();
    for id in found {
        inventory.moref(id).write(&mut out, "returnval");
    }
    Ok(out)
}

fn first(mut found: Vec<EntityId>) -> Vec<EntityId> {
    found.truncate(1);
    found
}
