//! Commands that change what lives: most of them start a job.

mod deploy;
mod groups;
mod permits;
mod volumes;

pub(super) use deploy::deploy;
pub(super) use groups::{
    authorize_egress, authorize_ingress, create_group, delete_group, revoke_egress, revoke_ingress,
};
pub(super) use volumes::{attach_volume, create_volume, delete_volume, detach_volume};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cloudstack::api::call::{Answer, ApiError, Call};
use crate::cloudstack::api::{lists, scope};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::history::State;
use crate::cloudstack::inventory::MachineState;
use crate::cloudstack::jobs::{Job, Outcome};
use crate::cloudstack::life::{Chain, Op, Subject};

/// What a job says when the fault of failing jobs struck it.
const FAILURE: &str = "Unable to complete the job due to a simulated failure";

/// Starts the job of an operation; the instance is told as `id` if the operation made it.
fn start(
    cloud: &mut Cloud,
    call: &Call<'_>,
    chain: Chain,
    instance: (&'static str, Uuid),
) -> Result<Answer, ApiError> {
    start_or_fail(cloud, call, chain, instance, None)
}

/// As [`start`], but the job fails if there is an error that the server only finds while it runs.
fn start_or_fail(
    cloud: &mut Cloud,
    call: &Call<'_>,
    mut chain: Chain,
    instance: (&'static str, Uuid),
    error: Option<ApiError>,
) -> Result<Answer, ApiError> {
    chain.fails |= error.is_some();
    let failure = error.map_or((530, FAILURE.to_owned()), |error| (error.code, error.text));
    let id = match call.text("customjobid") {
        None => cloud.fresh_id(),
        Some(text) => {
            let id = text.parse().map_err(|_| call.invalid("customjobid", text))?;
            if cloud.jobs.iter().any(|job| job.id == id) {
                let text = format!("There is already a job with the custom job id {id}");
                return Err(ApiError::parameter(text));
            }
            id
        }
    };
    let creates = chain.op.trail().steps.first() == Some(&State::Created);
    let job = Job {
        id,
        account: call.caller.account,
        user: call.caller.user,
        command: call.command.class,
        instance: Some(instance),
        created: Timestamp::UNIX_EPOCH,
        completed: None,
        outcome: Outcome::Pending,
        failure,
    };
    let job = cloud.start_job(job, chain);
    let mut answer = json!({"jobid": job});
    if creates {
        answer = json!({"id": instance.1, "jobid": job});
    }
    Ok(Answer::Object(answer))
}

/// The machine that a command is about, if it is the caller's and nothing is under way on it.
fn machine(cloud: &Cloud, call: &Call<'_>, name: &str) -> Result<usize, ApiError> {
    let nil = Uuid::nil();
    let ids = cloud.inventory.machines.iter().map(|m| if m.live { m.id } else { nil });
    let index = call.index_required(name, ids)?;
    let machine = &cloud.inventory.machines[index];
    if !cloud.directory.may_see(call.caller.account, machine.account) {
        return Err(scope::denied(cloud, call.caller.account, "the virtual machine"));
    }
    if machine.busy {
        let text = format!("There is another job running on the VM {}", machine.name);
        return Err(ApiError::new(530, text));
    }
    Ok(index)
}

fn on_machine(cloud: &mut Cloud, call: &Call<'_>, op: Op) -> Result<Answer, ApiError> {
    let index = machine(cloud, call, "id")?;
    let machine = &cloud.inventory.machines[index];
    let (account, id) = (machine.account, machine.id);
    let gone = matches!(machine.state, MachineState::Destroyed | MachineState::Error);
    if gone && !matches!(op, Op::MachineDestroy | Op::MachineExpunge) {
        let text = format!("Unable to find a virtual machine with id {id} in a fitting state");
        return Err(ApiError::parameter(text));
    }
    let chain = Chain::new(op, Subject::Machine(index), account, call.caller.user);
    start(cloud, call, chain, ("VirtualMachine", id))
}

/// `startVirtualMachine`.
pub(crate) fn start_machine(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    on_machine(cloud, call, Op::MachineStart)
}

/// `stopVirtualMachine`.
pub(crate) fn stop_machine(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    on_machine(cloud, call, Op::MachineStop)
}

/// `rebootVirtualMachine`.
pub(crate) fn reboot_machine(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    on_machine(cloud, call, Op::MachineReboot)
}

/// `destroyVirtualMachine`.
pub(crate) fn destroy_machine(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    if !call.flag("expunge") {
        return on_machine(cloud, call, Op::MachineDestroy);
    }
    if !call.is_admin(cloud) {
        let text = "Parameter expunge can be passed by Admin only. Or when the \
                    allow.user.expunge.recover.vm key is set.";
        return Err(ApiError::new(531, text));
    }
    on_machine(cloud, call, Op::MachineExpunge)
}

/// `createNetwork`, which waits for no job.
pub(crate) fn create_network(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = call.required("name")?.to_owned();
    let offers = &cloud.inventory.offers;
    let ids = offers.networks.iter().map(|offering| offering.id);
    let offering = call.index_required("networkofferingid", ids)?;
    let zone = call.index_required("zoneid", offers.zones.iter().map(|zone| zone.id))?;
    if offers.zones[zone].is_basic {
        // `NetworkOrchestrator`; networks of isolated offerings belong to accounts.
        let text = if offers.networks[offering].guest_type == "Isolated" {
            "Only AclType=Domain can be specified for network creation in Basic zone"
        } else {
            "Can't have more than one Guest network in zone with network type Basic"
        };
        return Err(ApiError::parameter(text));
    }
    let account = scope::owner(cloud, call)?;
    let text = call.text("displaytext").unwrap_or(&name).to_owned();
    let now = cloud.now();
    let Cloud { inventory, client_rng, .. } = cloud;
    let place = (zone, offering);
    let network = inventory.add_network((&name, &text), account, place, now, client_rng);
    let subject = Subject::Network(network);
    cloud.step(Chain::new(Op::NetworkCreate, subject, account, call.caller.user), now);
    let network: Value = lists::network(cloud, network);
    Ok(Answer::Object(json!({"network": network})))
}

/// `deleteNetwork`.
pub(crate) fn delete_network(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let nil = Uuid::nil();
    let ids = cloud.inventory.networks.iter().map(|n| if n.live { n.id } else { nil });
    let index = call.index_required("id", ids)?;
    let network = &cloud.inventory.networks[index];
    let (account, id) = (network.account, network.id);
    if !cloud.directory.may_see(call.caller.account, account) {
        return Err(scope::denied(cloud, call.caller.account, "the network"));
    }
    let mut machines = cloud.inventory.machines.iter();
    if machines.any(|machine| machine.live && machine.network == index) {
        let text = format!("Can't delete the network {id}, not all user vms are expunged");
        return Err(ApiError::new(530, text));
    }
    let subject = Subject::Network(index);
    let chain = Chain::new(Op::NetworkDelete, subject, account, call.caller.user);
    start(cloud, call, chain, ("Network", id))
}
