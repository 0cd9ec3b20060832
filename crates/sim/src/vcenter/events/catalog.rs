//! The classes of events that the simulator produces, with their bases, categories and formats.
//!
//! A real vCenter knows some seven hundred. These are the ones that a small cloud shows every day,
//! plus their base classes, which a filter may name. Of the other classes, which recordings bring, the
//! base is told from the name.

use std::fmt;

/// Severity of an event as the event manager describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Category {
    Info,
    Warning,
    Error,
    User,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::User => "user",
        })
    }
}

/// One class in the event manager's description.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The class in the protocol's spelling.
    pub(crate) class: &'static str,
    /// Base classes below `Event`, nearest first.
    pub(crate) bases: &'static [&'static str],
    pub(crate) category: Category,
    /// A short name for people; for extended events a type identifier.
    pub(crate) title: &'static str,
    /// The message with its placeholders.
    pub(crate) format: &'static str,
}

const fn entry(
    class: &'static str,
    bases: &'static [&'static str],
    category: Category,
    title: &'static str,
    format: &'static str,
) -> Entry {
    Entry { class, bases, category, title, format }
}

const VM: &[&str] = &["VmEvent"];
const CLONE: &[&str] = &["VmCloneEvent", "VmEvent"];
const MIGRATED: &[&str] = &["VmMigratedEvent", "VmEvent"];
const SESSION: &[&str] = &["SessionEvent"];
const GENERAL: &[&str] = &["GeneralEvent"];
const HOST: &[&str] = &["HostEvent"];

/// All classes, in the order in which the event manager lists them.
pub(crate) const CATALOG: &[Entry] = &[
    entry(
        "VmStartingEvent",
        VM,
        Category::Info,
        "VM starting",
        "{vm.name} on host {host.name} is starting",
    ),
    entry(
        "VmPoweredOnEvent",
        VM,
        Category::Info,
        "VM powered on",
        "{vm.name} on {host.name} has powered on",
    ),
    entry(
        "VmStoppingEvent",
        VM,
        Category::Info,
        "VM stopping",
        "{vm.name} on {host.name} is stopping",
    ),
    entry(
        "VmPoweredOffEvent",
        VM,
        Category::Info,
        "VM powered off",
        "{vm.name} on {host.name} is powered off",
    ),
    entry(
        "VmReconfiguredEvent",
        VM,
        Category::Info,
        "VM reconfigured",
        "{vm.name} on {host.name} has a new configuration",
    ),
    entry(
        "VmBeingHotMigratedEvent",
        VM,
        Category::Info,
        "VM is hot migrating",
        "{vm.name} moves from {host.name} to {destHost.name}",
    ),
    entry(
        "VmMigratedEvent",
        VM,
        Category::Info,
        "VM migrated",
        "{vm.name} moved from {sourceHost.name} to {host.name}",
    ),
    entry(
        "DrsVmMigratedEvent",
        MIGRATED,
        Category::Info,
        "DRS VM migrated",
        "DRS moved {vm.name} from {sourceHost.name} to {host.name}",
    ),
    entry(
        "VmBeingCreatedEvent",
        VM,
        Category::Info,
        "Creating VM",
        "{vm.name} is being created on {host.name}",
    ),
    entry(
        "VmInstanceUuidAssignedEvent",
        VM,
        Category::Info,
        "Instance UUID assigned",
        "{vm.name} got the instance UUID {instanceUuid}",
    ),
    entry(
        "VmUuidAssignedEvent",
        VM,
        Category::Info,
        "BIOS UUID assigned",
        "{vm.name} got the BIOS UUID {uuid}",
    ),
    entry(
        "VmCreatedEvent",
        VM,
        Category::Info,
        "VM created",
        "{vm.name} was created on {host.name}",
    ),
    entry(
        "VmBeingClonedEvent",
        CLONE,
        Category::Info,
        "VM being cloned",
        "{vm.name} is being cloned to {destName}",
    ),
    entry(
        "VmClonedEvent",
        CLONE,
        Category::Info,
        "VM cloned",
        "{vm.name} was cloned from {sourceVm.name}",
    ),
    entry(
        "VmRemovedEvent",
        VM,
        Category::Info,
        "VM removed",
        "{vm.name} was removed from {host.name}",
    ),
    entry("TaskEvent", &[], Category::Info, "Task event", "Task: {info.descriptionId}"),
    entry(
        "AlarmStatusChangedEvent",
        &["AlarmEvent"],
        Category::Info,
        "Alarm status changed",
        "Alarm {alarm.name} on {entity.name} changed from {from} to {to}",
    ),
    entry(
        "UserLoginSessionEvent",
        SESSION,
        Category::Info,
        "User login",
        "User {userName}@{ipAddress} logged in",
    ),
    entry(
        "UserLogoutSessionEvent",
        SESSION,
        Category::Info,
        "User logout",
        "User {userName}@{ipAddress} logged out",
    ),
    entry(
        "BadUsernameSessionEvent",
        SESSION,
        Category::Error,
        "Invalid user name",
        "Cannot log in {userName}@{ipAddress}",
    ),
    entry(
        "SessionTerminatedEvent",
        SESSION,
        Category::Info,
        "Session stopped",
        "A session of {terminatedUsername} was terminated",
    ),
    entry("GeneralUserEvent", GENERAL, Category::User, "General user event", "{message}"),
    entry(
        "HostConnectionLostEvent",
        HOST,
        Category::Error,
        "Host connection lost",
        "Host {host.name} is not responding",
    ),
    entry(
        "HostConnectedEvent",
        HOST,
        Category::Info,
        "Host connected",
        "Connected to host {host.name}",
    ),
    entry(
        "ExtendedEvent",
        GENERAL,
        Category::Info,
        "com.vmware.vc.VmCloneFailedInvalidDestinationEvent",
        "{message}",
    ),
    entry(
        "EventEx",
        &[],
        Category::Info,
        "com.vmware.vc.HA.ClusterFailoverActionCompletedEvent",
        "{message}",
    ),
];

/// What the names of classes begin with below a base class, where that is the rule. Recorded events have
/// more classes than the catalog.
const FAMILIES: [(&str, &str); 18] = [
    ("Vm", "VmEvent"),
    ("Host", "HostEvent"),
    ("Alarm", "AlarmEvent"),
    ("Cluster", "ClusterEvent"),
    ("Das", "ClusterEvent"),
    ("CustomField", "CustomFieldEvent"),
    ("DVPortgroup", "DVPortgroupEvent"),
    ("Datacenter", "DatacenterEvent"),
    ("Datastore", "DatastoreEvent"),
    ("Dvs", "DvsEvent"),
    ("License", "LicenseEvent"),
    ("Permission", "AuthorizationEvent"),
    ("Profile", "ProfileEvent"),
    ("ResourcePool", "ResourcePoolEvent"),
    ("Role", "AuthorizationEvent"),
    ("ScheduledTask", "ScheduledTaskEvent"),
    ("Template", "TemplateUpgradeEvent"),
    ("VmClone", "VmCloneEvent"),
];

/// Whether a class is `wanted` or derives from it.
pub(crate) fn is_a(class: &str, wanted: &str) -> bool {
    if class == wanted || wanted == "Event" {
        return true;
    }
    match CATALOG.iter().find(|entry| entry.class == class) {
        Some(entry) => entry.bases.contains(&wanted),
        None => by_name(class, wanted),
    }
}

/// Whether a class that the catalog lacks derives from `wanted`, by its name.
fn by_name(class: &str, wanted: &str) -> bool {
    let Some(stem) = class.strip_suffix("Event") else { return false };
    (wanted == "SessionEvent" && stem.ends_with("Session"))
        || FAMILIES.iter().any(|(begin, base)| *base == wanted && stem.starts_with(begin))
}

/// The category of a class; `info` when the catalog does not have it.
pub(crate) fn category(class: &str) -> Category {
    CATALOG.iter().find(|entry| entry.class == class).map_or(Category::Info, |entry| entry.category)
}

#[cfg(test)]
mod tests {
    use super::is_a;

    #[test]
    fn a_filter_may_name_a_base_class() {
        assert!(is_a("DrsVmMigratedEvent", "VmMigratedEvent"));
        assert!(is_a("VmPoweredOnEvent", "VmEvent"));
        assert!(is_a("EventEx", "Event"));
        assert!(!is_a("TaskEvent", "VmEvent"));
    }

    #[test]
    fn a_class_that_the_catalog_lacks_is_of_the_family_that_its_name_tells() {
        assert!(is_a("VmRenamedEvent", "VmEvent") && is_a("HostRemovedEvent", "HostEvent"));
        assert!(is_a("AlreadyAuthenticatedSessionEvent", "SessionEvent"));
        assert!(!is_a("VmRenamedEvent", "HostEvent") && !is_a("EventEx", "VmEvent"));
    }
}
