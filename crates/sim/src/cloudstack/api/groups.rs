//! Security groups: how lists, machines and results of jobs show them.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::call::{Answer, ApiError, Call};
use super::lists::{add_owner, chosen, members};
use super::page::Page;
use super::scope;
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::inventory::{Peer, Rule, RuleState, SecurityGroup, Way};
use crate::cloudstack::version::Version;

/// `listSecurityGroups`.
pub(crate) fn list(cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(cloud, call)?;
    let accounts = scope::accounts(cloud, call, call.text("id").is_some())?;
    let inventory = &cloud.inventory;
    let machines = inventory.machines.iter().map(|machine| machine.id);
    let machine = call.index_of("virtualmachineid", machines)?;
    let name = call.text("securitygroupname");
    let groups = inventory.groups.iter().enumerate().filter(|(index, group)| {
        group.live
            && accounts[group.account]
            && name.is_none_or(|name| name == group.name)
            && machine.is_none_or(|machine| inventory.machines[machine].groups.contains(index))
    });
    let rows = groups.map(|(index, _)| whole(cloud, index)).collect();
    Ok(page.of_list("securitygroup", chosen(call, rows)))
}

/// A group with its rules and machines (`SecurityGroupJoinDaoImpl`).
pub(crate) fn whole(cloud: &Cloud, index: usize) -> Value {
    let machines: Vec<_> = cloud.inventory.members_of(index).map(|machine| machine.id).collect();
    let rules = 0..cloud.inventory.groups[index].rules.len();
    let mut row = with_rules(cloud, index, rules);
    row.insert("virtualmachinecount".to_owned(), json!(machines.len()));
    row.insert("virtualmachineids".to_owned(), json!(machines));
    Value::Object(row)
}

/// What a job that adds rules results in: the group with those rules only, and no machines
/// (`ApiResponseHelper.createSecurityGroupResponseFromSecurityGroupRule`).
pub(crate) fn result(cloud: &Cloud, index: usize, rules: Range<usize>) -> Value {
    let mut row = with_rules(cloud, index, rules);
    row.insert("virtualmachineids".to_owned(), json!([]));
    json!({"securitygroup": row})
}

/// A group as its machines show it: without rules, whatever it has (recorded from 4.5).
pub(super) fn of_machine(cloud: &Cloud, index: usize) -> Value {
    let group = &cloud.inventory.groups[index];
    let mut row = begin(group);
    add_owner(cloud, group.account, &mut row);
    row.retain(|name, _| !name.starts_with("domain"));
    row.extend(members(json!({
        "ingressrule": [], "egressrule": [], "tags": [], "virtualmachineids": [],
    })));
    Value::Object(row)
}

fn begin(group: &SecurityGroup) -> Map<String, Value> {
    members(json!({"id": group.id, "name": group.name, "description": group.description}))
}

fn with_rules(cloud: &Cloud, index: usize, rules: Range<usize>) -> Map<String, Value> {
    let group = &cloud.inventory.groups[index];
    let mut row = begin(group);
    add_owner(cloud, group.account, &mut row);
    if cloud.version >= Version::V4_20 {
        let domain = cloud.directory.accounts[group.account].domain;
        row.insert("domainpath".to_owned(), json!(cloud.directory.domains[domain].path));
    }
    let of = |way: Way| -> Vec<Value> {
        let rules = group.rules.get(rules.clone()).unwrap_or_default().iter();
        let rules = rules.filter(|rule| rule.state == RuleState::InForce && rule.permit.way == way);
        rules.map(|rule| of_rule(cloud, rule)).collect()
    };
    row.insert("ingressrule".to_owned(), json!(of(Way::Ingress)));
    row.insert("egressrule".to_owned(), json!(of(Way::Egress)));
    row.insert("tags".to_owned(), json!([]));
    row
}

/// A rule; one for any protocol has the ports 0 and 0, as the server keeps it.
fn of_rule(cloud: &Cloud, rule: &Rule) -> Value {
    let permit = &rule.permit;
    let mut row = members(json!({"ruleid": rule.id, "protocol": permit.protocol}));
    let (first, last) = match permit.protocol.as_str() {
        "icmp" => ("icmptype", "icmpcode"),
        _ => ("startport", "endport"),
    };
    row.insert(first.to_owned(), json!(permit.range.0));
    row.insert(last.to_owned(), json!(permit.range.1));
    match &permit.peer {
        Peer::Cidr(cidr) => {
            row.insert("cidr".to_owned(), json!(cidr));
        }
        Peer::Group(index) => {
            let group = &cloud.inventory.groups[*index];
            let account = &cloud.directory.accounts[group.account];
            row.insert("securitygroupname".to_owned(), json!(group.name));
            row.insert("account".to_owned(), json!(account.name));
        }
    }
    row.insert("tags".to_owned(), json!([]));
    Value::Object(row)
}
