//! Security groups and their rules.
//!
//! Like all objects they keep their index for ever. A rule waits until the job that adds it has
//! ended, and a rule that was taken back stays in its place and counts no more.

use rand::rngs::StdRng;
use uuid::Uuid;

use super::Inventory;
use crate::seed::seeded_uuid;

/// The name of the group that each account has from the beginning and that no one can delete
/// (`SecurityGroupManager.DEFAULT_GROUP_NAME`).
pub(crate) const DEFAULT_GROUP: &str = "default";

/// The way of the traffic that a rule allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Ingress,
    Egress,
}

/// What a rule allows traffic from or to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Addresses, as `10.0.0.0/8`.
    Cidr(String),
    /// Machines of another group, by its index.
    Group(usize),
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permit {
    pub(crate) way: Way,
    /// In lower case; `all` for any.
    pub(crate) protocol: String,
    /// First and last port; type and code for `icmp`.
    pub(crate) range: (i64, i64),
    pub(crate) peer: Peer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleState {
    /// The job that adds it has not ended.
    Waiting,
    InForce,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: Uuid,
    pub(crate) permit: Permit,
    pub(crate) state: RuleState,
}

#[derive(Debug)]
pub(crate) struct SecurityGroup {
    pub(crate) id: Uuid,
    /// The number under which events name it.
    pub(crate) resource: u32,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) account: usize,
    pub(crate) rules: Vec<Rule>,
    pub(crate) live: bool,
}

impl Inventory {
    /// Adds a group without rules, unknown to events yet.
    pub(crate) fn add_group(
        &mut self,
        (name, description): (&str, &str),
        account: usize,
        rng: &mut StdRng,
    ) -> usize {
        self.groups.push(SecurityGroup {
            id: seeded_uuid(rng),
            resource: 0,
            name: name.to_owned(),
            description: description.to_owned(),
            account,
            rules: Vec::new(),
            live: true,
        });
        self.groups.len() - 1
    }

    /// An account's group of that name.
    pub(crate) fn group_named(&self, name: &str, account: usize) -> Option<usize> {
        self.groups.iter().position(|g| g.live && g.account == account && g.name == name)
    }

    /// Machines that are in a group.
    pub(crate) fn members_of(&self, group: usize) -> impl Iterator<Item = &super::Machine> {
        self.machines.iter().filter(move |machine| machine.live && machine.groups.contains(&group))
    }

    /// Rules of a group that count, or that wait to.
    pub(crate) fn has_rule(&self, group: usize, permit: &Permit) -> bool {
        let mut rules = self.groups[group].rules.iter();
        rules.any(|rule| rule.state != RuleState::Gone && rule.permit == *permit)
    }
}
