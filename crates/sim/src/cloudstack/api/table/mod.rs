//! Every command: its name, who may call it, what it takes, what it answers, what answers it.
//!
//! The one source of what commands take and answer: `listApis` prints it, a parameter that it does
//! not name is not read, and one that it requires is asked for before a command begins.

mod parameters;

use serde_json::{Value, json};

use super::call::{Answer, ApiError, Call};
use super::{changes, discovery, events, groups, jobs, lists, machines, people, usage, volumes};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::Role;
use crate::cloudstack::schema::{self, Entity, Kind, Parameter};
use crate::cloudstack::version::Version;
use parameters as take;
use parameters::{DOMAIN, FOR_WHOM, OWNER, PAGE, Parameters};

/// Who may call a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Everybody,
    /// Admins of the cloud and of domains.
    Admins,
    RootAdmins,
}

type Handler = fn(&mut Cloud, &Call<'_>) -> Result<Answer, ApiError>;

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// The class that jobs name; empty if it starts none.
    pub(crate) class: &'static str,
    /// What it does, in words.
    text: &'static str,
    parameters: Parameters,
    /// What it answers rows of.
    entity: Entity,
    answer: Handler,
    who: For,
}

impl Command {
    /// Whether a role may call it.
    pub(crate) fn is_for(&self, role: Role) -> bool {
        match self.who {
            For::Everybody => true,
            For::Admins => matches!(role, Role::Admin | Role::DomainAdmin),
            For::RootAdmins => role == Role::Admin,
        }
    }

    /// Whether it answers with a job.
    pub(crate) fn is_asynchronous(&self) -> bool {
        !self.class.is_empty()
    }

    /// Whether it reads a parameter in that release.
    ///
    /// `customjobid` belongs to every command with a job and is told of none: `listApis` leaves the
    /// fields of `BaseAsyncCmd` out.
    pub(crate) fn takes(&self, name: &str, version: Version) -> bool {
        let of_map = name.split_once('[').map(|(map, _)| map);
        let fits = |parameter: &Parameter| match of_map {
            Some(map) => parameter.name == map && parameter.kind == Kind::Map,
            None => parameter.name == name,
        };
        self.parameters_of(version).any(fits) || (self.is_asynchronous() && name == "customjobid")
    }

    /// Answers a call, unless it lacks a parameter.
    pub(crate) fn answer(&self, cloud: &mut Cloud, call: &Call<'_>) -> Result<Answer, ApiError> {
        let mut required = self.parameters_of(call.version).filter(|p| p.required);
        required.try_for_each(|parameter| call.required(parameter.name).map(drop))?;
        (self.answer)(cloud, call)
    }

    /// As `listApis` tells it.
    ///
    /// `related` names the commands whose rows are of the same class (`ApiDiscoveryServiceImpl`,
    /// 4.9 to 4.22). The real server removes each command from the list that the others share, so
    /// that its later lists are shorter; here every list is complete.
    pub(crate) fn told(&self, version: Version) -> Value {
        let parameters = self
            .parameters_of(version)
            .map(|parameter| parameter.told(parameter.of.map(|entity| related(entity, None))));
        let mut told = json!({
            "name": self.name, "description": self.text, "isasync": self.is_asynchronous(),
            "params": parameters.collect::<Vec<_>>(),
            "response": schema::fields_told(self.entity.fields(), version),
        });
        if self.entity != Entity::Success {
            told["related"] = json!(related(self.entity, Some(self.name)));
        }
        told
    }

    fn parameters_of(&self, version: Version) -> impl Iterator<Item = &'static Parameter> {
        let all = self.parameters.iter().copied().flatten();
        all.filter(move |parameter| parameter.is_known(version))
    }

    const fn only(self, who: For) -> Self {
        Self { who, ..self }
    }
}

/// The commands that answer rows of an entity, but for one of them.
fn related(entity: Entity, but: Option<&str>) -> String {
    let same = COMMANDS.iter().filter(|c| c.entity == entity && Some(c.name) != but);
    same.map(|command| command.name).collect::<Vec<_>>().join(",")
}

const fn at_once(
    name: &'static str,
    text: &'static str,
    entity: Entity,
    parameters: Parameters,
    answer: Handler,
) -> Command {
    Command { name, class: "", text, parameters, entity, answer, who: For::Everybody }
}

const fn by_job(
    (name, class): (&'static str, &'static str),
    text: &'static str,
    entity: Entity,
    parameters: Parameters,
    answer: Handler,
) -> Command {
    Command { name, class, text, parameters, entity, answer, who: For::Everybody }
}

/// A list of which there is never anything.
const fn nothing(name: &'static str, text: &'static str, entity: Entity) -> Command {
    at_once(name, text, entity, &[OWNER, DOMAIN, PAGE], lists::nothing)
}

/// All commands.
pub(crate) static COMMANDS: [Command; 52] = [
    at_once(
        "listEvents",
        "lists what happened, newest first",
        Entity::Event,
        &[take::LIST_EVENTS, OWNER, DOMAIN, PAGE],
        events::list,
    ),
    at_once("listEventTypes", "lists the types of events", Entity::EventType, &[], events::types),
    at_once(
        "archiveEvents",
        "sets events aside",
        Entity::Success,
        &[take::SOME_EVENTS],
        events::archive,
    ),
    at_once(
        "deleteEvents",
        "deletes events",
        Entity::Success,
        &[take::SOME_EVENTS],
        events::delete,
    ),
    at_once(
        "listVirtualMachines",
        "lists machines, newest first",
        Entity::Machine,
        &[take::LIST_MACHINES, OWNER, DOMAIN, PAGE],
        machines::list,
    ),
    at_once(
        "listVolumes",
        "lists disks",
        Entity::Volume,
        &[take::LIST_VOLUMES, OWNER, DOMAIN, PAGE],
        volumes::list,
    ),
    at_once(
        "listNetworks",
        "lists networks",
        Entity::Network,
        &[take::LIST_NETWORKS, OWNER, DOMAIN, PAGE],
        lists::networks,
    ),
    at_once("listZones", "lists zones", Entity::Zone, &[take::LIST_ZONES, PAGE], lists::zones),
    at_once(
        "listServiceOfferings",
        "lists sizes of machines",
        Entity::ServiceOffering,
        &[take::LIST_SERVICE_OFFERINGS, PAGE],
        lists::services,
    ),
    at_once(
        "listDiskOfferings",
        "lists sizes of disks",
        Entity::DiskOffering,
        &[take::LIST_DISK_OFFERINGS, PAGE],
        lists::disks,
    ),
    at_once(
        "listNetworkOfferings",
        "lists kinds of networks",
        Entity::NetworkOffering,
        &[take::LIST_NETWORK_OFFERINGS, PAGE],
        lists::network_offerings,
    ),
    at_once(
        "listTemplates",
        "lists what machines can start from, once for each zone",
        Entity::Template,
        &[take::LIST_TEMPLATES, PAGE],
        lists::templates,
    ),
    at_once(
        "listConfigurations",
        "lists settings",
        Entity::Configuration,
        &[take::LIST_SETTINGS, PAGE],
        lists::settings,
    )
    .only(For::RootAdmins),
    at_once("listHosts", "lists hosts", Entity::Host, &[take::LIST_HOSTS, PAGE], lists::hosts)
        .only(For::RootAdmins),
    at_once(
        "listDomains",
        "lists domains",
        Entity::Domain,
        &[take::LIST_DOMAINS, PAGE],
        people::domains,
    )
    .only(For::Admins),
    at_once(
        "listAccounts",
        "lists accounts with their users",
        Entity::Account,
        &[take::LIST_ACCOUNTS, DOMAIN, PAGE],
        people::accounts,
    ),
    at_once(
        "listUsers",
        "lists users",
        Entity::User,
        &[take::LIST_USERS, DOMAIN, PAGE],
        people::users,
    ),
    at_once(
        "listProjects",
        "lists projects",
        Entity::Project,
        &[take::LIST_PROJECTS, PAGE],
        people::projects,
    ),
    at_once(
        "listCapabilities",
        "tells the release and what it allows",
        Entity::Capabilities,
        &[],
        discovery::capabilities,
    ),
    at_once(
        "listApis",
        "lists commands that the caller may call",
        Entity::Api,
        &[take::LIST_APIS],
        discovery::apis,
    ),
    at_once(
        "getApiLimit",
        "tells how many calls are left",
        Entity::ApiLimit,
        &[],
        discovery::limit,
    ),
    at_once(
        "listUsageRecords",
        "lists what was used, day by day",
        Entity::UsageRecord,
        &[take::LIST_USAGE, OWNER, PAGE],
        usage::records,
    )
    .only(For::Admins),
    at_once("listUsageTypes", "lists kinds of usage", Entity::UsageType, &[], usage::types)
        .only(For::Admins),
    at_once(
        "queryAsyncJobResult",
        "tells how a job stands",
        Entity::Job,
        &[take::QUERY_JOB],
        jobs::query,
    ),
    at_once(
        "listAsyncJobs",
        "lists jobs, newest first",
        Entity::Job,
        &[take::LIST_JOBS, DOMAIN, PAGE],
        jobs::list,
    ),
    by_job(
        ("deployVirtualMachine", "org.apache.cloudstack.api.command.user.vm.DeployVMCmd"),
        "makes a machine and starts it",
        Entity::Machine,
        &[take::DEPLOY, FOR_WHOM],
        changes::deploy,
    ),
    by_job(
        ("startVirtualMachine", "org.apache.cloudstack.api.command.user.vm.StartVMCmd"),
        "starts a machine",
        Entity::Machine,
        &[take::ONE_MACHINE],
        changes::start_machine,
    ),
    by_job(
        ("stopVirtualMachine", "org.apache.cloudstack.api.command.user.vm.StopVMCmd"),
        "stops a machine",
        Entity::Machine,
        &[take::STOP],
        changes::stop_machine,
    ),
    by_job(
        ("rebootVirtualMachine", "org.apache.cloudstack.api.command.user.vm.RebootVMCmd"),
        "reboots a machine",
        Entity::Machine,
        &[take::ONE_MACHINE],
        changes::reboot_machine,
    ),
    by_job(
        ("destroyVirtualMachine", "org.apache.cloudstack.api.command.user.vm.DestroyVMCmd"),
        "destroys a machine; it can be recovered unless it is expunged",
        Entity::Machine,
        &[take::DESTROY],
        changes::destroy_machine,
    ),
    by_job(
        ("createVolume", "org.apache.cloudstack.api.command.user.volume.CreateVolumeCmd"),
        "makes a disk; it lies on storage once it is attached",
        Entity::Volume,
        &[take::CREATE_VOLUME, FOR_WHOM],
        changes::create_volume,
    ),
    by_job(
        ("attachVolume", "org.apache.cloudstack.api.command.user.volume.AttachVolumeCmd"),
        "attaches a disk to a machine",
        Entity::Volume,
        &[take::ATTACH_VOLUME],
        changes::attach_volume,
    ),
    by_job(
        ("detachVolume", "org.apache.cloudstack.api.command.user.volume.DetachVolumeCmd"),
        "detaches a disk from its machine",
        Entity::Volume,
        &[take::ONE_VOLUME],
        changes::detach_volume,
    ),
    at_once(
        "deleteVolume",
        "deletes a detached disk",
        Entity::Success,
        &[take::ONE_VOLUME],
        changes::delete_volume,
    ),
    at_once(
        "createNetwork",
        "makes a network",
        Entity::Network,
        &[take::CREATE_NETWORK, FOR_WHOM],
        changes::create_network,
    ),
    by_job(
        ("deleteNetwork", "org.apache.cloudstack.api.command.user.network.DeleteNetworkCmd"),
        "deletes a network without machines",
        Entity::Success,
        &[take::ONE_NETWORK],
        changes::delete_network,
    ),
    at_once(
        "listSecurityGroups",
        "lists security groups with their rules",
        Entity::SecurityGroup,
        &[take::LIST_GROUPS, OWNER, DOMAIN, PAGE],
        groups::list,
    ),
    at_once(
        "createSecurityGroup",
        "makes a security group without rules",
        Entity::SecurityGroup,
        &[take::CREATE_GROUP, FOR_WHOM],
        changes::create_group,
    ),
    at_once(
        "deleteSecurityGroup",
        "deletes a security group without machines",
        Entity::Success,
        &[take::DELETE_GROUP, FOR_WHOM],
        changes::delete_group,
    ),
    by_job(
        (
            "authorizeSecurityGroupIngress",
            "org.apache.cloudstack.api.command.user.securitygroup.AuthorizeSecurityGroupIngressCmd",
        ),
        "lets traffic into the machines of a security group",
        Entity::SecurityGroupRule,
        &[take::AUTHORIZE, FOR_WHOM],
        changes::authorize_ingress,
    ),
    by_job(
        (
            "authorizeSecurityGroupEgress",
            "org.apache.cloudstack.api.command.user.securitygroup.AuthorizeSecurityGroupEgressCmd",
        ),
        "lets traffic out of the machines of a security group",
        Entity::SecurityGroupRule,
        &[take::AUTHORIZE, FOR_WHOM],
        changes::authorize_egress,
    ),
    by_job(
        (
            "revokeSecurityGroupIngress",
            "org.apache.cloudstack.api.command.user.securitygroup.RevokeSecurityGroupIngressCmd",
        ),
        "takes back a rule for traffic that comes in",
        Entity::Success,
        &[take::REVOKE],
        changes::revoke_ingress,
    ),
    by_job(
        (
            "revokeSecurityGroupEgress",
            "org.apache.cloudstack.api.command.user.securitygroup.RevokeSecurityGroupEgressCmd",
        ),
        "takes back a rule for traffic that goes out",
        Entity::Success,
        &[take::REVOKE],
        changes::revoke_egress,
    ),
    nothing("listPublicIpAddresses", "lists public addresses", Entity::PublicAddress),
    nothing("listPortForwardingRules", "lists forwarded ports", Entity::PortForwardingRule),
    nothing("listIpForwardingRules", "lists forwarded addresses", Entity::IpForwardingRule),
    nothing("listSSHKeyPairs", "lists keys for logins", Entity::KeyPair),
    nothing("listSnapshots", "lists snapshots of disks", Entity::Snapshot),
    nothing("listTags", "lists tags", Entity::Tag),
    nothing("listAffinityGroups", "lists affinity groups", Entity::AffinityGroup),
    nothing("listIsos", "lists images of discs", Entity::Template),
    nothing("listVPCs", "lists virtual private clouds", Entity::Vpc),
];

/// The command of that name; names are compared as they are written.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
