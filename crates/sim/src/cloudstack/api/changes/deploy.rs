//! `deployVirtualMachine`: the one command with opinions about names, sizes and networks.

use uuid::Uuid;

use crate::cloudstack::api::call::{Answer, ApiError, Call};
use crate::cloudstack::api::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::inventory::{DEFAULT_GROUP, Machine, NewMachine};
use crate::cloudstack::life::{Chain, Op, Subject};

use super::{groups, start};

/// `deployVirtualMachine`.
pub(crate) fn deploy(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let offers = &cloud.inventory.offers;
    let zone = call.index_required("zoneid", offers.zones.iter().map(|zone| zone.id))?;
    let ids = offers.services.iter().map(|offering| offering.id);
    let offering = call.index_required("serviceofferingid", ids)?;
    let ids = offers.templates.iter().map(|template| template.id);
    let template = call.index_required("templateid", ids)?;
    let size = match offers.services[offering].size {
        Some(size) => size,
        None => custom_size(call)?,
    };
    let account = scope::owner(cloud, call)?;
    let name = call.text("name").map(str::to_owned);
    if let Some(name) = &name {
        check_name(cloud, name, account)?;
    }
    let mut groups = groups::asked_for(cloud, call, account)?;
    let network = if cloud.inventory.offers.zones[zone].is_basic {
        if groups.is_empty() {
            groups.extend(cloud.inventory.group_named(DEFAULT_GROUP, account));
        }
        common_network(cloud, call, zone)?
    } else if groups.is_empty() {
        network_for(cloud, call, account, zone)?
    } else {
        return Err(ApiError::parameter(
            "Can't create vm with security groups; security group feature is not enabled per zone",
        ));
    };
    let display_name = call.text("displayname").map(str::to_owned);
    let new =
        NewMachine { name, display_name, account, zone, offering, size, template, network, groups };
    let now = cloud.now();
    let Cloud { inventory, client_rng, .. } = cloud;
    let machine = inventory.add_machine(new, true, now, client_rng);
    let stopped = call.text("startvm").is_some_and(|text| text.eq_ignore_ascii_case("false"));
    let op = if stopped { Op::MachineCreateStopped } else { Op::MachineCreate };
    let chain = Chain::new(op, Subject::Machine(machine), account, call.caller.user);
    let id = cloud.inventory.machines[machine].id;
    start(cloud, call, chain, ("VirtualMachine", id))
}

/// CPUs and memory of an offering that leaves them open; keys of maps are read without case.
fn custom_size(call: &Call<'_>) -> Result<(u32, u32), ApiError> {
    let value = |name: &str| -> Result<u32, ApiError> {
        let text = call.text(&format!("details[0].{name}")).ok_or_else(|| {
            let text = "Need to specify custom parameter values cpu, cpu speed and memory when \
                        using custom offering";
            ApiError::parameter(text)
        })?;
        text.parse().map_err(|_| call.invalid(name, text))
    };
    Ok((value("cpunumber")?, value("memory")?))
}

fn check_name(cloud: &Cloud, name: &str, account: usize) -> Result<(), ApiError> {
    let fits = name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !fits {
        return Err(ApiError::parameter(
            "Invalid name. Vm name can contain ASCII letters 'a' through 'z', the digits '0' \
             through '9', and the hyphen ('-'), must be between 1 and 63 characters long, and \
             can't start or end with \"-\" and can't start with digit",
        ));
    }
    let taken = |m: &&Machine| m.live && m.account == account && m.name == name;
    match cloud.inventory.machines.iter().find(taken) {
        None => Ok(()),
        Some(_) => Err(ApiError::parameter(format!(
            "There is already a VM in the network with the hostName {name}"
        ))),
    }
}

/// The network of a basic zone, which no order chooses (`UserVmManagerImpl`).
fn common_network(cloud: &Cloud, call: &Call<'_>, zone: usize) -> Result<usize, ApiError> {
    if asked_network(call).is_some() {
        return Err(ApiError::parameter("Can't specify network Ids in Basic zone"));
    }
    let text = "Unable to find a default network to start a vm";
    cloud.inventory.common_network(zone).ok_or_else(|| ApiError::parameter(text))
}

fn asked_network<'a>(call: &'a Call<'_>) -> Option<&'a str> {
    call.text("networkids").or(call.text("iptonetworklist[0].networkid"))
}

fn network_for(
    cloud: &mut Cloud,
    call: &Call<'_>,
    account: usize,
    zone: usize,
) -> Result<usize, ApiError> {
    if let Some(asked) = asked_network(call) {
        let first = asked.split(',').next().unwrap_or_default();
        let id = first.parse::<Uuid>().ok();
        let mut networks = cloud.inventory.networks.iter();
        let found = networks.position(|network| network.live && Some(network.id) == id);
        let found = found
            .ok_or_else(|| ApiError::parameter(format!("Unable to find network by id {first}")))?;
        if cloud.inventory.networks[found].zone == zone {
            return Ok(found);
        }
        let text = format!("Network {first} doesn't belong to the zone of the virtual machine");
        return Err(ApiError::parameter(text));
    }
    if let Some(network) = cloud.inventory.network_of(account, Some(zone)) {
        return Ok(network);
    }
    // As the server does for a first machine in a zone: a network comes with it.
    let name = format!("{}-network", cloud.directory.accounts[account].name);
    let now = cloud.now();
    let Cloud { inventory, client_rng, .. } = cloud;
    Ok(inventory.add_network((&name, &name), account, (zone, 0), now, client_rng))
}
