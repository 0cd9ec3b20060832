//! What a call asks a rule of a security group to allow.
//!
//! The server looks at all of it only when the job runs (`SecurityGroupManagerImpl`,
//! `authorizeSecurityGroupRule`): a wrong one is a job that failed, not a call that was refused.

use std::net::IpAddr;

use crate::cloudstack::api::call::{ApiError, Call};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::inventory::{Peer, Permit, Way};

const PORT_MAX: i64 = 65_535;
const ICMP_MAX: i64 = 255;

/// Numbers that the server reads before the job, whatever the protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    ports: (Option<i64>, Option<i64>),
    icmp: (Option<i64>, Option<i64>),
}

impl Numbers {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            ports: (call.number("startport")?, call.number("endport")?),
            icmp: (call.number("icmptype")?, call.number("icmpcode")?),
        })
    }
}

/// The permits that a call asks for, one for each peer.
pub(super) fn permits(
    cloud: &Cloud,
    call: &Call<'_>,
    group: usize,
    way: Way,
    numbers: Numbers,
) -> Result<Vec<Permit>, ApiError> {
    let cidrs = call.text("cidrlist");
    let groups = groups(cloud, call, group)?;
    if cidrs.is_none() && groups.is_empty() {
        let text = "At least one cidr or at least one security group needs to be specified";
        return Err(ApiError::parameter(text));
    }
    let mut peers = groups;
    for cidr in cidrs.into_iter().flat_map(|cidrs| cidrs.split(',')).map(str::trim) {
        if !is_cidr(cidr) {
            return Err(ApiError::parameter(format!("Invalid cidr {cidr}")));
        }
        peers.push(Peer::Cidr(cidr.to_owned()));
    }
    let protocol = call.text("protocol").unwrap_or("all").to_lowercase();
    let known = matches!(protocol.as_str(), "all" | "tcp" | "udp" | "icmp")
        // As numbered in `/etc/protocols`.
        || protocol.parse::<u8>().is_ok();
    if !known {
        return Err(ApiError::parameter(format!("Invalid protocol {protocol}")));
    }
    let range = match protocol.as_str() {
        "icmp" => icmp(numbers.icmp)?,
        "all" if numbers.ports == (None, None) => (0, 0),
        "all" => {
            let text = "Cannot specify startPort or endPort without specifying protocol";
            return Err(ApiError::parameter(text));
        }
        _ => ports(numbers.ports)?,
    };
    let permit = |peer| Permit { way, protocol: protocol.clone(), range, peer };
    Ok(peers.into_iter().map(permit).collect())
}

fn icmp(given: (Option<i64>, Option<i64>)) -> Result<(i64, i64), ApiError> {
    let (Some(kind), Some(code)) = given else {
        return Err(ApiError::parameter("Invalid ICMP type/code specified"));
    };
    let both_any = (kind == -1) == (code == -1);
    let fits = |number: i64| (-1..=ICMP_MAX).contains(&number);
    if both_any && fits(kind) && fits(code) {
        Ok((kind, code))
    } else {
        Err(ApiError::parameter("Invalid icmp type/code"))
    }
}

fn ports(given: (Option<i64>, Option<i64>)) -> Result<(i64, i64), ApiError> {
    let (Some(first), Some(last)) = given else {
        return Err(ApiError::parameter("Invalid port range specified"));
    };
    let last = if (first, last) == (0, 0) { PORT_MAX } else { last };
    if first <= last && first >= 0 && last <= PORT_MAX {
        Ok((first, last))
    } else {
        Err(ApiError::parameter(format!("Invalid port range {first}:{last}")))
    }
}

fn is_cidr(text: &str) -> bool {
    let parts = text.split_once('/');
    parts.is_some_and(|(address, bits)| match (address.parse(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => bits <= 128,
        _ => false,
    })
}

/// `usersecuritygrouplist[0].group` and `.account`, and so on: groups of accounts in the domain of
/// the owner.
fn groups(cloud: &Cloud, call: &Call<'_>, group: usize) -> Result<Vec<Peer>, ApiError> {
    let domain = cloud.directory.accounts[cloud.inventory.groups[group].account].domain;
    let mut peers = Vec::new();
    for number in 0.. {
        let member = |name: &str| call.text(&format!("usersecuritygrouplist[{number}].{name}"));
        let (group, account) = match (member("group"), member("account")) {
            (None, None) => break,
            (Some(group), Some(account)) => (group, account),
            _ => {
                let text =
                    "Invalid user group specified, fields 'group' and 'account' cannot be null";
                return Err(ApiError::parameter(text));
            }
        };
        let mut accounts = cloud.directory.accounts.iter();
        let owner = accounts.position(|a| a.name == account && a.domain == domain);
        let owner =
            owner.ok_or_else(|| ApiError::parameter(format!("Nonexistent account: {account}")))?;
        let found = cloud.inventory.group_named(group, owner).ok_or_else(|| {
            ApiError::parameter(format!("Nonexistent group {group} for account {account}"))
        })?;
        peers.push(Peer::Group(found));
    }
    Ok(peers)
}
