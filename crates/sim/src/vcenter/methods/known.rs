//! Which properties each class has (vSphere Web Services API reference, up to 9.1), whether they have a value here
//! or not: a client that misspells one must hear of it, as it does from a vCenter.

use crate::vcenter::moref::MoRef;

const ENTITY: [&str; 16] = [
    "alarmActionsEnabled",
    "availableField",
    "configIssue",
    "configStatus",
    "customValue",
    "declaredAlarmState",
    "disabledMethod",
    "effectiveRole",
    "name",
    "overallStatus",
    "parent",
    "permission",
    "recentTask",
    "tag",
    "triggeredAlarmState",
    "value",
];

/// Whether objects of a class have that property: by its first name, for what lies below depends on data.
pub(crate) fn has_property(object: &MoRef, path: &str) -> bool {
    let name = path.split(['.', '[']).next().unwrap_or_default();
    own(&object.kind).contains(&name) || (object.is_a("ManagedEntity") && ENTITY.contains(&name))
}

fn own(class: &str) -> &'static [&'static str] {
    OWN.iter().find(|(known, _)| *known == class).map_or(&[], |(_, properties)| properties)
}

/// What each class has of its own.
const OWN: &[(&str, &[&str])] = &[
    ("ServiceInstance", &["capability", "content", "serverClock"]),
    (
        "SessionManager",
        &[
            "currentSession",
            "defaultLocale",
            "message",
            "messageLocaleList",
            "sessionList",
            "supportedLocaleList",
        ],
    ),
    ("EventManager", &["description", "latestEvent", "maxCollector"]),
    ("EventHistoryCollector", &["filter", "initialized", "latestPage"]),
    ("PropertyCollector", &["filter"]),
    ("PropertyFilter", &["partialUpdates", "spec"]),
    ("ViewManager", &["viewList"]),
    ("ContainerView", &["container", "recursive", "type", "view"]),
    ("ListView", &["view"]),
    ("OptionManager", &["setting", "supportedOption"]),
    ("PerformanceManager", &["description", "historicalInterval", "perfCounter"]),
    ("TaskManager", &["description", "maxCollector", "recentTask"]),
    ("AlarmManager", &["defaultExpression", "description"]),
    ("AuthorizationManager", &["description", "privilegeList", "roleList"]),
    (
        "LicenseManager",
        &[
            "diagnostics",
            "evaluation",
            "featureInfo",
            "licenseAssignmentManager",
            "licensedEdition",
            "licenses",
            "source",
            "sourceAvailable",
        ],
    ),
    ("ExtensionManager", &["extensionList"]),
    ("CustomFieldsManager", &["field"]),
    ("Folder", &["childEntity", "childType", "externallyManagedFolderInfo", "namespace"]),
    (
        "Datacenter",
        &[
            "configuration",
            "datastore",
            "datastoreFolder",
            "hostFolder",
            "network",
            "networkFolder",
            "vmFolder",
        ],
    ),
    (
        "ClusterComputeResource",
        &[
            "actionHistory",
            "configManagerEnabled",
            "configuration",
            "configurationEx",
            "datastore",
            "drsFault",
            "drsRecommendation",
            "environmentBrowser",
            "hciConfig",
            "host",
            "lifecycleManaged",
            "migrationHistory",
            "network",
            "networkBootMode",
            "recommendation",
            "resourcePool",
            "summary",
            "summaryEx",
        ],
    ),
    (
        "ComputeResource",
        &[
            "configurationEx",
            "datastore",
            "environmentBrowser",
            "host",
            "lifecycleManaged",
            "network",
            "resourcePool",
            "summary",
        ],
    ),
    (
        "ResourcePool",
        &[
            "childConfiguration",
            "config",
            "namespace",
            "owner",
            "resourcePool",
            "runtime",
            "summary",
            "vm",
        ],
    ),
    (
        "HostSystem",
        &[
            "answerFileValidationResult",
            "answerFileValidationState",
            "capability",
            "complianceCheckResult",
            "complianceCheckState",
            "config",
            "configManager",
            "datastore",
            "datastoreBrowser",
            "hardware",
            "licensableResource",
            "network",
            "precheckRemediationResult",
            "remediationResult",
            "remediationState",
            "runtime",
            "summary",
            "systemResources",
            "vm",
        ],
    ),
    ("Datastore", &["browser", "capability", "host", "info", "iormConfiguration", "summary", "vm"]),
    (
        "VmwareDistributedVirtualSwitch",
        &["capability", "config", "networkResourcePool", "portgroup", "runtime", "summary", "uuid"],
    ),
    (
        "DistributedVirtualSwitch",
        &["capability", "config", "networkResourcePool", "portgroup", "runtime", "summary", "uuid"],
    ),
    ("Network", &["host", "summary", "vm"]),
    ("OpaqueNetwork", &["capability", "extraConfig", "host", "summary", "vm"]),
    ("DistributedVirtualPortgroup", &["config", "host", "key", "portKeys", "summary", "vm"]),
    (
        "VirtualMachine",
        &[
            "capability",
            "config",
            "datastore",
            "environmentBrowser",
            "guest",
            "guestHeartbeatStatus",
            "layout",
            "layoutEx",
            "network",
            "parentVApp",
            "resourceConfig",
            "resourcePool",
            "rootSnapshot",
            "runtime",
            "snapshot",
            "storage",
            "summary",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vcenter::methods::objects::World;

    #[test]
    fn a_property_is_of_a_class_or_of_all_entities_and_a_misspelt_one_of_none() {
        let machine = MoRef::new("VirtualMachine", "vm-1");
        for path in ["runtime.powerState", "name", "config.extraConfig[\"a\"].value"] {
            assert!(has_property(&machine, path), "{path}");
        }
        assert!(!has_property(&machine, "runtimes") && !has_property(&machine, "childEntity"));
    }

    #[test]
    fn whoever_asks_for_all_gets_properties_that_the_class_has() {
        for class in [
            "VirtualMachine",
            "HostSystem",
            "Folder",
            "ComputeResource",
            "OpaqueNetwork",
            "DistributedVirtualSwitch",
            "OptionManager",
            "EventManager",
        ] {
            let object = MoRef::new(class, "x");
            let paths = World::all_paths(class);
            assert!(!paths.is_empty(), "{class}");
            assert!(paths.iter().all(|path| has_property(&object, path)), "{class}");
        }
    }
}
