//! Lists of what the cloud offers: zones, offerings, templates, hosts, networks.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, ApiError, Call};
use super::dates::printed;
use super::page::Page;
use super::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::inventory::GIB;

/// The VLAN of the network of a basic zone.
pub(super) const UNTAGGED: &str = "vlan://untagged";

/// Adds the owner: an account, or a project, never both.
pub(crate) fn add_owner(cloud: &Cloud, account: usize, row: &mut Map<String, Value>) {
    let account = &cloud.directory.accounts[account];
    let domain = &cloud.directory.domains[account.domain];
    if let Some(project) = account.project {
        let project = &cloud.directory.projects[project];
        row.insert("projectid".to_owned(), json!(project.id));
        row.insert("project".to_owned(), json!(project.name));
    } else {
        row.insert("account".to_owned(), json!(account.name));
    }
    row.insert("domainid".to_owned(), json!(domain.id));
    row.insert("domain".to_owned(), json!(domain.name));
}

/// A JSON object's members.
pub(crate) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Parameters that select rows by a member of the same name.
const SELECTING: [&str; 10] = [
    "id",
    "name",
    "state",
    "zoneid",
    "type",
    "hypervisor",
    "username",
    "networktype",
    "guestiptype",
    "traffictype",
];

/// Rows by what lists can be asked for; which of it a command reads, the table of commands says.
pub(crate) fn chosen(call: &Call<'_>, rows: Vec<Value>) -> Vec<Value> {
    let text = |row: &Value, name: &str| {
        row.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase()
    };
    let same = |row: &Value, name: &str| {
        call.text(name).is_none_or(|asked| text(row, name) == asked.to_lowercase())
    };
    let ids: Option<Vec<&str>> = call.text("ids").map(|ids| ids.split(',').collect());
    let fits = |row: &Value| {
        let found = |word: &str| text(row, "name").contains(&word.to_lowercase());
        SELECTING.iter().all(|name| same(row, name))
            && ids.as_ref().is_none_or(|ids| ids.contains(&text(row, "id").as_str()))
            && call.text("keyword").is_none_or(found)
    };
    rows.into_iter().filter(fits).collect()
}

fn answer(
    cloud: &Cloud,
    call: &Call<'_>,
    object: &'static str,
    rows: Vec<Value>,
) -> Result<Answer, ApiError> {
    Ok(Page::of(cloud, call)?.of_list(object, chosen(call, rows)))
}

/// `listZones`; a zone has no date in any release (`ZoneResponse`).
pub(crate) fn zones(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let zones = cloud.inventory.offers.zones.iter();
    let rows = zones.map(|zone| {
        let mut row = json!({
            "id": zone.id, "name": zone.name, "dns1": "192.0.2.53", "internaldns1": "192.0.2.53",
            "networktype": if zone.is_basic { "Basic" } else { "Advanced" },
            "securitygroupsenabled": zone.is_basic, "allocationstate": "Enabled",
            "zonetoken": Uuid::new_v5(&zone.id, b"token"), "dhcpprovider": "VirtualRouter",
            "localstorageenabled": false, "tags": [],
        });
        if !zone.is_basic {
            row["guestcidraddress"] = json!("10.1.1.0/24");
        }
        row
    });
    let rows = rows.collect();
    answer(cloud, call, "zone", rows)
}

/// `listServiceOfferings`.
pub(crate) fn services(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let rows = cloud.inventory.offers.services.iter().map(|offering| {
        let mut row = members(json!({
            "id": offering.id, "name": offering.name, "displaytext": offering.name,
        }));
        if let Some((cpus, memory)) = offering.size {
            row.insert("cpunumber".to_owned(), json!(cpus));
            row.insert("cpuspeed".to_owned(), json!(2000));
            row.insert("memory".to_owned(), json!(memory));
        }
        row.extend(members(json!({
            "created": printed(cloud, offering.created), "storagetype": "shared",
            "provisioningtype": "thin", "offerha": false, "limitcpuuse": false,
            "isvolatile": false, "issystem": false, "defaultuse": false,
            "iscustomized": offering.size.is_none(), "cacheMode": "none",
        })));
        Value::Object(row)
    });
    let rows = rows.collect();
    answer(cloud, call, "serviceoffering", rows)
}

/// `listDiskOfferings`.
pub(crate) fn disks(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let rows = cloud.inventory.offers.disks.iter().map(|offering| {
        json!({
            "id": offering.id, "name": offering.name, "displaytext": offering.name,
            "disksize": offering.size_gib.unwrap_or(0), "storagetype": "shared",
            "created": printed(cloud, offering.created), "provisioningtype": "thin",
            "iscustomized": offering.size_gib.is_none(), "displayoffering": true,
        })
    });
    let rows = rows.collect();
    answer(cloud, call, "diskoffering", rows)
}

/// `listTemplates`: one row for each template in each zone.
pub(crate) fn templates(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    call.required("templatefilter")?;
    let mut rows = Vec::new();
    for template in &cloud.inventory.offers.templates {
        for zone in &cloud.inventory.offers.zones {
            let mut row = members(json!({
                "id": template.id, "name": template.name, "displaytext": template.os,
                "ispublic": true, "created": printed(cloud, template.created),
                "isready": true, "passwordenabled": false, "format": "QCOW2", "isfeatured": true,
                "crossZones": true, "ostypeid": template.os_id, "ostypename": template.os,
                "zoneid": zone.id, "zonename": zone.name, "status": "Download Complete",
                "size": template.size_gib * GIB, "templatetype": "USER", "hypervisor": "KVM",
                "isextractable": false, "sshkeyenabled": true, "tags": [],
            }));
            add_owner(cloud, crate::cloudstack::directory::ADMIN, &mut row);
            rows.push(Value::Object(row));
        }
    }
    answer(cloud, call, "template", rows)
}

/// `listNetworkOfferings`.
pub(crate) fn network_offerings(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let rows = cloud.inventory.offers.networks.iter().map(|offering| {
        let services = offering.services.iter();
        let services = services
            .map(|(name, provider)| json!({"name": name, "provider": [{"name": provider}]}));
        json!({
            "id": offering.id, "name": offering.name, "displaytext": offering.name,
            "created": printed(cloud, offering.created), "traffictype": "Guest",
            "isdefault": true, "specifyvlan": false,
            "conservemode": true, "specifyipranges": false, "availability": "Optional",
            "networkrate": 200, "state": "Enabled",
            "serviceofferingid": Uuid::new_v5(&offering.id, b"router"),
            "guestiptype": offering.guest_type,
            "service": services.collect::<Vec<_>>(), "forvpc": false,
        })
    });
    let rows = rows.collect();
    answer(cloud, call, "networkoffering", rows)
}

/// `listConfigurations`: those settings that a reader of events or usage asks for.
pub(crate) fn settings(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let purge_days = cloud.purge_days().to_string();
    let settings = [
        ("event.purge.delay", purge_days.as_str(), "Events older than so many days are deleted"),
        ("event.purge.interval", "86400", "Seconds between two deletions of old events"),
        ("usage.stats.job.aggregation.range", "1440", "Minutes that a usage record is about"),
    ];
    let rows = settings.iter().map(|(name, value, description)| {
        json!({
            "category": "Advanced", "name": name, "value": value, "description": description,
            "isdynamic": false,
        })
    });
    let rows = rows.collect();
    answer(cloud, call, "configuration", rows)
}

/// `listHosts`.
pub(crate) fn hosts(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let rows = cloud.inventory.offers.hosts.iter().enumerate().map(|(number, host)| {
        let zone = &cloud.inventory.offers.zones[host.zone];
        json!({
            "id": host.id, "name": host.name, "state": "Up", "type": "Routing",
            "ipaddress": format!("192.0.2.{}", number + 10), "zoneid": zone.id,
            "zonename": zone.name, "hypervisor": "KVM", "cpunumber": 64, "cpuspeed": 2000,
            "memorytotal": 512 * GIB, "resourcestate": "Enabled",
            "created": printed(cloud, host.created),
        })
    });
    let rows = rows.collect();
    answer(cloud, call, "host", rows)
}

/// `listNetworks`.
pub(crate) fn networks(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let accounts = scope::accounts(cloud, call, call.text("id").is_some())?;
    let networks = cloud.inventory.networks.iter().enumerate();
    // The network of a basic zone has no account: lists of one account or project leave it out.
    let with_common = call.text("account").or(call.text("projectid")).is_none();
    let is_seen = |index: usize, account: usize| {
        accounts[account] || (with_common && cloud.inventory.is_common(index))
    };
    let networks = networks.filter(|(i, network)| network.live && is_seen(*i, network.account));
    let rows = networks.map(|(index, _)| network(cloud, index)).collect();
    answer(cloud, call, "network", rows)
}

/// A network as lists and results show it.
pub(crate) fn network(cloud: &Cloud, index: usize) -> Value {
    let network = &cloud.inventory.networks[index];
    let zone = &cloud.inventory.offers.zones[network.zone];
    let offering = &cloud.inventory.offers.networks[network.offering];
    let used = cloud.inventory.machines.iter().any(|m| m.live && m.network == index);
    let services: Vec<_> =
        offering.services.iter().map(|(name, _)| json!({"name": name})).collect();
    let mut row = members(json!({
        "id": network.id, "name": network.name, "displaytext": network.display_text,
        "broadcastdomaintype": "Vlan", "traffictype": "Guest", "zoneid": zone.id,
        "zonename": zone.name, "networkofferingid": offering.id,
        "networkofferingname": offering.name, "networkofferingdisplaytext": offering.name,
        "networkofferingconservemode": true, "networkofferingavailability": "Optional",
        "issystem": false, "state": if used { "Implemented" } else { "Allocated" },
        "related": network.id, "dns1": "192.0.2.53", "type": offering.guest_type,
    }));
    add_owner(cloud, network.account, &mut row);
    if cloud.inventory.is_common(index) {
        // Its addresses are those of its pods, and its owner is a domain.
        row.remove("account");
        row.extend(members(json!({
            "state": "Setup", "acltype": "Domain", "subdomainaccess": true,
            "broadcasturi": UNTAGGED,
        })));
    } else {
        let prefix = prefix(index);
        row.extend(members(json!({
            "acltype": "Account", "gateway": format!("{prefix}.1"),
            "netmask": "255.255.255.0", "cidr": format!("{prefix}.0/24"),
        })));
    }
    row.extend(members(json!({
        "service": services, "networkdomain": "cs1cloud.internal", "restartrequired": false,
        "specifyipranges": cloud.inventory.is_common(index),
        "canusefordeploy": true, "ispersistent": false, "tags": [], "strechedl2subnet": false,
        "displaynetwork": true, "created": printed(cloud, network.created),
    })));
    Value::Object(row)
}

/// The first three numbers of a network's addresses.
pub(crate) fn prefix(network: usize) -> String {
    format!("10.{}.{}", 1 + network / 250 % 250, network % 250)
}

/// A list of which there is never anything.
pub(crate) fn nothing(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    answer(cloud, call, "nothing", Vec::new())
}
