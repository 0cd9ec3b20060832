//! Every command: its name, who may call it, what it takes, what answers it.

use super::call::{Answer, ApiError, Call};
use super::{changes, discovery, events, jobs, lists, machines, people, usage, volumes};
use crate::cloudstack::cloud::Cloud;
use crate::cloudstack::directory::Role;

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
    /// The class that jobs name.
    pub(crate) class: &'static str,
    pub(crate) asynchronous: bool,
    /// Names of parameters, those with a star required.
    pub(crate) parameters: &'static str,
    pub(crate) answer: Handler,
    who: For,
}

impl Command {
    /// Whether a role may call it in that release.
    pub(crate) fn is_for(&self, role: Role) -> bool {
        match self.who {
            For::Everybody => true,
            For::Admins => matches!(role, Role::Admin | Role::DomainAdmin),
            For::RootAdmins => role == Role::Admin,
        }
    }
}

const fn at_once(
    name: &'static str,
    who: For,
    parameters: &'static str,
    answer: Handler,
) -> Command {
    Command { name, class: "", asynchronous: false, parameters, answer, who }
}

const fn by_job(
    name: &'static str,
    class: &'static str,
    parameters: &'static str,
    answer: Handler,
) -> Command {
    Command { name, class, asynchronous: true, parameters, answer, who: For::Everybody }
}

const SCOPED: &str = "account domainid isrecursive listall projectid keyword page pagesize id name";
const EVENTS: &str = "account archived domainid duration enddate entrytime id isrecursive keyword \
                      level listall page pagesize projectid resourceid resourcetype startdate \
                      startid state type";

/// All commands.
pub(crate) static COMMANDS: [Command; 46] = [
    at_once("listEvents", For::Everybody, EVENTS, events::list),
    at_once("listEventTypes", For::Everybody, "", events::types),
    at_once("archiveEvents", For::Everybody, "enddate ids startdate type", events::archive),
    at_once("deleteEvents", For::Everybody, "enddate ids startdate type", events::delete),
    at_once("listVirtualMachines", For::Everybody, SCOPED, machines::list),
    at_once("listVolumes", For::Everybody, SCOPED, volumes::list),
    at_once("listNetworks", For::Everybody, SCOPED, lists::networks),
    at_once("listZones", For::Everybody, "id name keyword page pagesize", lists::zones),
    at_once("listServiceOfferings", For::Everybody, "id name", lists::services),
    at_once("listDiskOfferings", For::Everybody, "id name", lists::disks),
    at_once("listNetworkOfferings", For::Everybody, "id name", lists::network_offerings),
    at_once("listTemplates", For::Everybody, "templatefilter* id name zoneid", lists::templates),
    at_once("listConfigurations", For::RootAdmins, "name keyword page pagesize", lists::settings),
    at_once("listHosts", For::RootAdmins, "id name zoneid", lists::hosts),
    at_once("listDomains", For::Admins, SCOPED, people::domains),
    at_once("listAccounts", For::Everybody, SCOPED, people::accounts),
    at_once("listUsers", For::Everybody, SCOPED, people::users),
    at_once("listProjects", For::Everybody, SCOPED, people::projects),
    at_once("listCapabilities", For::Everybody, "", discovery::capabilities),
    at_once("listApis", For::Everybody, "name", discovery::apis),
    at_once("getApiLimit", For::Everybody, "", discovery::limit),
    at_once("listUsageRecords", For::Admins, "startdate* enddate* type", usage::records),
    at_once("listUsageTypes", For::Admins, "", usage::types),
    at_once("queryAsyncJobResult", For::Everybody, "jobid*", jobs::query),
    at_once("listAsyncJobs", For::Everybody, SCOPED, jobs::list),
    by_job(
        "deployVirtualMachine",
        "org.apache.cloudstack.api.command.user.vm.DeployVMCmd",
        "serviceofferingid* templateid* zoneid* name displayname networkids startvm",
        changes::deploy,
    ),
    by_job(
        "startVirtualMachine",
        "org.apache.cloudstack.api.command.user.vm.StartVMCmd",
        "id*",
        changes::start_machine,
    ),
    by_job(
        "stopVirtualMachine",
        "org.apache.cloudstack.api.command.user.vm.StopVMCmd",
        "id* forced",
        changes::stop_machine,
    ),
    by_job(
        "rebootVirtualMachine",
        "org.apache.cloudstack.api.command.user.vm.RebootVMCmd",
        "id*",
        changes::reboot_machine,
    ),
    by_job(
        "destroyVirtualMachine",
        "org.apache.cloudstack.api.command.user.vm.DestroyVMCmd",
        "id* expunge",
        changes::destroy_machine,
    ),
    by_job(
        "createVolume",
        "org.apache.cloudstack.api.command.user.volume.CreateVolumeCmd",
        "name* diskofferingid* zoneid* size",
        changes::create_volume,
    ),
    by_job(
        "attachVolume",
        "org.apache.cloudstack.api.command.user.volume.AttachVolumeCmd",
        "id* virtualmachineid*",
        changes::attach_volume,
    ),
    by_job(
        "detachVolume",
        "org.apache.cloudstack.api.command.user.volume.DetachVolumeCmd",
        "id*",
        changes::detach_volume,
    ),
    at_once("deleteVolume", For::Everybody, "id*", changes::delete_volume),
    at_once(
        "createNetwork",
        For::Everybody,
        "name* networkofferingid* zoneid* displaytext",
        changes::create_network,
    ),
    by_job(
        "deleteNetwork",
        "org.apache.cloudstack.api.command.user.network.DeleteNetworkCmd",
        "id*",
        changes::delete_network,
    ),
    at_once("listPublicIpAddresses", For::Everybody, SCOPED, lists::nothing),
    at_once("listPortForwardingRules", For::Everybody, SCOPED, lists::nothing),
    at_once("listIpForwardingRules", For::Everybody, SCOPED, lists::nothing),
    at_once("listSecurityGroups", For::Everybody, SCOPED, lists::nothing),
    at_once("listSSHKeyPairs", For::Everybody, SCOPED, lists::nothing),
    at_once("listSnapshots", For::Everybody, SCOPED, lists::nothing),
    at_once("listTags", For::Everybody, SCOPED, lists::nothing),
    at_once("listAffinityGroups", For::Everybody, SCOPED, lists::nothing),
    at_once("listIsos", For::Everybody, SCOPED, lists::nothing),
    at_once("listVPCs", For::Everybody, SCOPED, lists::nothing),
];

/// The command of that name; names are compared as they are written.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
