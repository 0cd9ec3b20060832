//! Commands that change volumes.

use serde_json::json;
use uuid::Uuid;

use crate::cloudstack::api::call::{Answer, ApiError, Call};
use crate::cloudstack::api::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::inventory::{GIB, NewVolume};
use crate::cloudstack::life::{Chain, Op, Subject};

use super::{machine, start};

/// `createVolume`.
pub(crate) fn create_volume(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = call.required("name")?.to_owned();
    let offers = &cloud.inventory.offers;
    let ids = offers.disks.iter().map(|offering| offering.id);
    let offering = call.index_required("diskofferingid", ids)?;
    let zone = call.index_required("zoneid", offers.zones.iter().map(|zone| zone.id))?;
    let gib = match (offers.disks[offering].size_gib, call.number("size")?) {
        (Some(gib), _) => gib,
        (None, Some(gib)) if gib > 0 => gib.unsigned_abs(),
        (None, _) => {
            let text = "This disk offering requires a custom size specified";
            return Err(ApiError::parameter(text));
        }
    };
    let account = scope::owner(cloud, call)?;
    let new = NewVolume { name, account, zone, size_bytes: gib * GIB, offering: Some(offering) };
    let now = cloud.now();
    let Cloud { inventory, client_rng, .. } = cloud;
    let volume = inventory.add_volume(new, true, now, client_rng);
    let subject = Subject::Volume(volume, None);
    let chain = Chain::new(Op::VolumeCreate, subject, account, call.caller.user);
    let id = cloud.inventory.volumes[volume].id;
    start(cloud, call, chain, ("Volume", id))
}

/// The data volume that a command is about, if it is the caller's.
fn volume(cloud: &Cloud, call: &Call<'_>) -> Result<usize, ApiError> {
    let nil = Uuid::nil();
    let ids = cloud.inventory.volumes.iter().map(|v| if v.live { v.id } else { nil });
    let index = call.index_required("id", ids)?;
    let volume = &cloud.inventory.volumes[index];
    if !cloud.directory.may_see(call.caller.account, volume.account) {
        return Err(scope::denied(cloud, call.caller.account, "the volume"));
    }
    if volume.offering.is_none() {
        let text = format!("The volume {} is the root disk of a virtual machine", volume.name);
        return Err(ApiError::parameter(text));
    }
    if volume.busy {
        let text = format!("There is another job running on the volume {}", volume.name);
        return Err(ApiError::new(530, text));
    }
    Ok(index)
}

/// `attachVolume`.
pub(crate) fn attach_volume(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let volume = volume(cloud, call)?;
    let machine = machine(cloud, call, "virtualmachineid")?;
    if cloud.inventory.volumes[volume].machine.is_some() {
        let text = "Please specify a volume that is not attached to any VM.";
        return Err(ApiError::parameter(text));
    }
    on_volume(cloud, call, Op::VolumeAttach, volume, Some(machine))
}

/// `detachVolume`.
pub(crate) fn detach_volume(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let volume = volume(cloud, call)?;
    let Some(machine) = cloud.inventory.volumes[volume].machine else {
        let text = "The specified volume is not attached to a VM.";
        return Err(ApiError::parameter(text));
    };
    on_volume(cloud, call, Op::VolumeDetach, volume, Some(machine))
}

fn on_volume(
    cloud: &mut Cloud,
    call: &Call<'_>,
    op: Op,
    volume: usize,
    machine: Option<usize>,
) -> Result<Answer, ApiError> {
    let found = &cloud.inventory.volumes[volume];
    let (account, id) = (found.account, found.id);
    let chain = Chain::new(op, Subject::Volume(volume, machine), account, call.caller.user);
    start(cloud, call, chain, ("Volume", id))
}

/// `deleteVolume`, which waits for no job.
pub(crate) fn delete_volume(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let volume = volume(cloud, call)?;
    let found = &cloud.inventory.volumes[volume];
    if found.machine.is_some() {
        let text = "Please specify a volume that is not attached to any VM.";
        return Err(ApiError::parameter(text));
    }
    let subject = Subject::Volume(volume, None);
    let chain = Chain::new(Op::VolumeDelete, subject, found.account, call.caller.user);
    let now = cloud.now();
    cloud.step(chain, now);
    Ok(Answer::Object(json!({"success": true})))
}
