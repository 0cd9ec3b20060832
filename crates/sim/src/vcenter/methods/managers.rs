//! The managers that every vCenter has and this one has little to manage for: they are there, and most of
//! their lists are empty, so that clients which begin by asking them go on.

use super::{Call, performance};
use crate::vcenter::cloud::Cloud;
use crate::vcenter::inventory::Property;
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::{escape, leaf};

/// Class and identifier, as a vCenter has them.
const MANAGERS: [(&str, &str); 8] = [
    ("OptionManager", "VpxSettings"),
    ("AuthorizationManager", "AuthorizationManager"),
    ("PerformanceManager", "PerfMgr"),
    ("AlarmManager", "AlarmManager"),
    ("TaskManager", "TaskManager"),
    ("ExtensionManager", "ExtensionManager"),
    ("CustomFieldsManager", "CustomFieldsManager"),
    ("LicenseManager", "LicenseManager"),
];

/// Whether it is one of them.
pub(super) fn exists(class: &str, id: &str) -> bool {
    MANAGERS.contains(&(class, id))
}

/// The paths that exist for a class when a client asks for all.
pub(super) fn all_paths(class: &str) -> &'static [&'static str] {
    match class {
        "OptionManager" => &["setting"],
        "AuthorizationManager" => &["roleList", "privilegeList"],
        "PerformanceManager" => &["perfCounter", "historicalInterval"],
        "TaskManager" => &["recentTask", "maxCollector"],
        "ExtensionManager" => &["extensionList"],
        "CustomFieldsManager" => &["field"],
        "LicenseManager" => &["licenses"],
        _ => &[],
    }
}

/// The value of a property of one of them.
pub(super) fn property(cloud: &Cloud, class: &str, path: &str) -> Option<Property> {
    let nothing = |class| Some(Property::Array(class, Vec::new()));
    match (class, path) {
        ("OptionManager", "setting") => Some(Property::array("OptionValue", settings(cloud, ""))),
        ("AuthorizationManager", "roleList") => {
            Some(Property::array("AuthorizationRole", [role(-1, "Admin"), role(-2, "ReadOnly")]))
        }
        ("AuthorizationManager", "privilegeList") => nothing("AuthorizationPrivilege"),
        ("PerformanceManager", "perfCounter") => Some(performance::counters()),
        ("PerformanceManager", "historicalInterval") => Some(performance::intervals()),
        ("TaskManager", "recentTask") => Some(Property::Objects(Vec::new())),
        ("TaskManager", "maxCollector") => Some(Property::int(32)),
        ("ExtensionManager", "extensionList") => nothing("Extension"),
        ("CustomFieldsManager", "field") => nothing("CustomFieldDef"),
        ("LicenseManager", "licenses") => nothing("LicenseManagerLicenseInfo"),
        _ => None,
    }
}

/// Methods of all of them: what asks finds nothing, what would change something is not here.
pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<String, SoapFault> {
    match (call.this.kind.as_str(), call.method.as_str()) {
        ("OptionManager", "QueryOptions") => {
            let name = call.parameters.text_of("name").unwrap_or_default();
            let found = settings(cloud, name);
            if found.is_empty() {
                return Err(SoapFault::InvalidName(name.to_owned()));
            }
            let mut out = String::new();
            Property::array("OptionValue", found).write_returned(&mut out);
            Ok(out)
        }
        ("AlarmManager", "GetAlarm" | "GetAlarmState")
        | (
            "AuthorizationManager",
            "RetrieveAllPermissions" | "RetrieveEntityPermissions" | "RetrieveRolePermissions",
        )
        | ("ExtensionManager", "FindExtension" | "QueryExtensionIpAllocationUsage") => {
            Ok(String::new())
        }
        ("PerformanceManager", _) => performance::answer(cloud, call),
        _ => Err(call.unknown()),
    }
}

/// The advanced settings whose names begin so, as `OptionValue`.
fn settings(cloud: &Cloud, name: &str) -> Vec<String> {
    let text = |value: &str| format!("<value xsi:type=\"xsd:string\">{}</value>", escape(value));
    let int = |value: i64| format!("<value xsi:type=\"xsd:int\">{value}</value>");
    let uuid = cloud.instance_uuid.to_string();
    let known = [
        ("VirtualCenter.InstanceName", text("vcenter.example.org")),
        ("VirtualCenter.VimApiUrl", text("https://vcenter.example.org/sdk")),
        ("config.vpxd.hostnameUrl", text("vcenter.example.org")),
        ("config.vpxd.event.maxEventId", int(2_147_480_000)),
        ("event.maxAge", int(30)),
        ("event.maxAgeEnabled", "<value xsi:type=\"xsd:boolean\">true</value>".to_owned()),
        ("instance.id", int(1)),
        ("instance.uuid", text(&uuid)),
    ];
    let is_meant = |key: &str| match name.strip_suffix('.') {
        Some(_) => key.starts_with(name),
        None => name.is_empty() || key == name,
    };
    let option = |(key, value): (&str, String)| format!("<key>{key}</key>{value}");
    known.into_iter().filter(|(key, _)| is_meant(key)).map(option).collect()
}

fn role(id: i32, name: &str) -> String {
    let mut out = String::new();
    leaf(&mut out, "roleId", &id.to_string());
    leaf(&mut out, "system", "true");
    leaf(&mut out, "name", name);
    out.push_str("<info>");
    leaf(&mut out, "label", name);
    leaf(&mut out, "summary", name);
    out.push_str("</info>");
    out
}
