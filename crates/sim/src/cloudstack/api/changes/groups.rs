//! Commands that change security groups: groups at once, rules by a job.

use serde_json::json;
use uuid::Uuid;

use crate::cloudstack::api::call::{Answer, ApiError, Call};
use crate::cloudstack::api::{groups, scope};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::inventory::{DEFAULT_GROUP, Peer, Rule, RuleState, Way};
use crate::cloudstack::life::{Chain, Op, Subject};

use super::permits::{Numbers, permits};
use super::start_or_fail;

/// `createSecurityGroup`, which waits for no job.
pub(crate) fn create_group(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = call.required("name")?;
    let account = scope::owner(cloud, call)?;
    if cloud.inventory.group_named(name, account).is_some() {
        return Err(ApiError::parameter(format!(
            "Unable to create security group, a group with name {name} already exists."
        )));
    }
    let text = call.text("description").unwrap_or_default();
    let now = cloud.now();
    let Cloud { inventory, client_rng, .. } = cloud;
    let group = inventory.add_group((name, text), account, client_rng);
    let subject = Subject::SecurityGroup(group);
    cloud.step(Chain::new(Op::GroupCreate, subject, account, call.caller.user), now);
    Ok(Answer::Object(json!({"securitygroup": groups::whole(cloud, group)})))
}

/// `deleteSecurityGroup`, which waits for no job.
pub(crate) fn delete_group(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let index = group(cloud, call, ("id", "name"))?;
    let group = &cloud.inventory.groups[index];
    if group.name.eq_ignore_ascii_case(DEFAULT_GROUP) {
        return Err(ApiError::parameter("The network group default is reserved"));
    }
    let allows =
        |rule: &Rule| rule.state != RuleState::Gone && rule.permit.peer == Peer::Group(index);
    let mut others = cloud.inventory.groups.iter().filter(|group| group.live);
    if others.any(|group| group.rules.iter().any(allows)) {
        let text = "Cannot delete group when there are security rules that allow this group";
        return Err(ApiError::new(536, text));
    }
    if cloud.inventory.members_of(index).next().is_some() {
        let text = "Cannot delete group when it's in use by virtual machines";
        return Err(ApiError::new(536, text));
    }
    let subject = Subject::SecurityGroup(index);
    let chain = Chain::new(Op::GroupDelete, subject, group.account, call.caller.user);
    let now = cloud.now();
    cloud.step(chain, now);
    Ok(Answer::Object(json!({"success": true})))
}

/// The group that two parameters name, by its identifier or by its name; the caller must be allowed
/// to touch it.
fn group(cloud: &Cloud, call: &Call<'_>, (id, name): (&str, &str)) -> Result<usize, ApiError> {
    let nil = Uuid::nil();
    let ids = cloud.inventory.groups.iter().map(|group| if group.live { group.id } else { nil });
    let command = call.command.name;
    let index = match (call.index_of(id, ids)?, call.text(name)) {
        (Some(_), Some(_)) => {
            let text = format!("{id} and {name} parameters are mutually exclusive");
            return Err(ApiError::parameter(text));
        }
        (None, None) => {
            let text = format!("Either {id} or {name} is required by {command} command");
            return Err(ApiError::parameter(text));
        }
        (Some(index), None) => index,
        (None, Some(name)) => {
            let account = scope::owner(cloud, call)?;
            cloud.inventory.group_named(name, account).ok_or_else(|| {
                ApiError::parameter(format!("Unable to find security group {name}"))
            })?
        }
    };
    permitted(cloud, call, index)
}

fn permitted(cloud: &Cloud, call: &Call<'_>, group: usize) -> Result<usize, ApiError> {
    let account = cloud.inventory.groups[group].account;
    if cloud.directory.may_see(call.caller.account, account) {
        Ok(group)
    } else {
        Err(scope::denied(cloud, call.caller.account, "the security group"))
    }
}

/// The groups that a new machine of an account is asked to be in.
pub(super) fn asked_for(
    cloud: &Cloud,
    call: &Call<'_>,
    account: usize,
) -> Result<Vec<usize>, ApiError> {
    let (ids, names) = (call.text("securitygroupids"), call.text("securitygroupnames"));
    if ids.is_some() && names.is_some() {
        return Err(ApiError::parameter(
            "securitygroupids parameter is mutually exclusive with securitygroupnames parameter",
        ));
    }
    let mut asked = Vec::new();
    for text in ids.into_iter().flat_map(|ids| ids.split(',')) {
        let id = text.trim().parse::<Uuid>().ok();
        let mut groups = cloud.inventory.groups.iter();
        let found = groups.position(|group| group.live && Some(group.id) == id);
        let found = found.ok_or_else(|| call.invalid("securitygroupids", text))?;
        asked.push(permitted(cloud, call, found)?);
    }
    for name in names.into_iter().flat_map(|names| names.split(',')) {
        let found = cloud.inventory.group_named(name.trim(), account);
        let text = || ApiError::parameter(format!("Unable to find group by name {name}"));
        asked.push(found.ok_or_else(text)?);
    }
    asked.sort_unstable();
    asked.dedup();
    Ok(asked)
}

/// `authorizeSecurityGroupIngress`.
pub(crate) fn authorize_ingress(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    authorize(cloud, call, Way::Ingress)
}

/// `authorizeSecurityGroupEgress`.
pub(crate) fn authorize_egress(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    authorize(cloud, call, Way::Egress)
}

fn authorize(cloud: &mut Cloud, call: &Call<'_>, way: Way) -> Result<Answer, ApiError> {
    let index = group(cloud, call, ("securitygroupid", "securitygroupname"))?;
    let numbers = Numbers::of(call)?;
    let permits = permits(cloud, call, index, way, numbers);
    let first = cloud.inventory.groups[index].rules.len();
    let mut failure = None;
    match permits {
        Err(error) => failure = Some(error),
        Ok(permits) => {
            for permit in permits {
                // A rule that is there already is passed over.
                if !cloud.inventory.has_rule(index, &permit) {
                    let rule = Rule { id: cloud.fresh_id(), permit, state: RuleState::Waiting };
                    cloud.inventory.groups[index].rules.push(rule);
                }
            }
        }
    }
    let group = &cloud.inventory.groups[index];
    let (account, id, end) = (group.account, group.id, group.rules.len());
    if first == end && failure.is_none() {
        let way = if way == Way::Ingress { "ingress" } else { "egress" };
        let text = format!("Failed to authorize security group {way} rule(s)");
        failure = Some(ApiError::new(530, text));
    }
    let op = match way {
        Way::Ingress => Op::IngressAuthorize,
        Way::Egress => Op::EgressAuthorize,
    };
    let subject = Subject::Rules { group: index, first, end };
    let chain = Chain::new(op, subject, account, call.caller.user);
    start_or_fail(cloud, call, chain, ("SecurityGroup", id), failure)
}

/// `revokeSecurityGroupIngress`.
pub(crate) fn revoke_ingress(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    revoke(cloud, call, Way::Ingress)
}

/// `revokeSecurityGroupEgress`.
pub(crate) fn revoke_egress(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    revoke(cloud, call, Way::Egress)
}

fn revoke(cloud: &mut Cloud, call: &Call<'_>, way: Way) -> Result<Answer, ApiError> {
    let text = call.required("id")?;
    let id: Option<Uuid> = text.parse().ok();
    let is_asked = |rule: &Rule| rule.state == RuleState::InForce && Some(rule.id) == id;
    let groups = cloud.inventory.groups.iter().enumerate().filter(|(_, group)| group.live);
    let places = groups.map(|(index, group)| (index, group.rules.iter().position(is_asked)));
    let place = places.into_iter().find_map(|(group, rule)| Some((group, rule?)));
    let (index, rule) = place.ok_or_else(|| call.invalid("id", text))?;
    permitted(cloud, call, index)?;
    let group = &cloud.inventory.groups[index];
    // Told by the job: the server looks at the kind of rule when the job runs.
    let failure = (group.rules[rule].permit.way != way).then(|| {
        ApiError::parameter(format!("Mismatch in rule type for security rule with id {text}"))
    });
    let op = match way {
        Way::Ingress => Op::IngressRevoke,
        Way::Egress => Op::EgressRevoke,
    };
    let (account, id) = (group.account, group.id);
    let subject = Subject::Rules { group: index, first: rule, end: rule + 1 };
    let chain = Chain::new(op, subject, account, call.caller.user);
    start_or_fail(cloud, call, chain, ("SecurityGroup", id), failure)
}
