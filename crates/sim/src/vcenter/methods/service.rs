//! The service instance: what the server is, which objects it has, and what time it is there.

use crate::vcenter::clock::xml_time;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::xml::leaf;

/// The objects of the service content that exist here, in the order of the protocol: name, class and
/// identifier.
const AFTER_ABOUT: [(&str, &str, &str); 11] = [
    ("setting", "OptionManager", "VpxSettings"),
    ("sessionManager", "SessionManager", "SessionManager"),
    ("authorizationManager", "AuthorizationManager", "AuthorizationManager"),
    ("perfManager", "PerformanceManager", "PerfMgr"),
    ("alarmManager", "AlarmManager", "AlarmManager"),
    ("eventManager", "EventManager", "EventManager"),
    ("taskManager", "TaskManager", "TaskManager"),
    ("extensionManager", "ExtensionManager", "ExtensionManager"),
    ("customFieldsManager", "CustomFieldsManager", "CustomFieldsManager"),
    ("licenseManager", "LicenseManager", "LicenseManager"),
    ("searchIndex", "SearchIndex", "SearchIndex"),
];

/// `RetrieveServiceContent`.
pub(super) fn content(cloud: &Cloud) -> String {
    format!("<returnval>{}</returnval>", describe(cloud))
}

/// The service content as a property or as a return value.
pub(super) fn describe(cloud: &Cloud) -> String {
    let mut out = String::new();
    cloud.inventory.moref(cloud.inventory.root).write(&mut out, "rootFolder");
    out.push_str(
        "<propertyCollector type=\"PropertyCollector\">propertyCollector</propertyCollector>",
    );
    out.push_str("<viewManager type=\"ViewManager\">ViewManager</viewManager>");
    let api = cloud.api_version;
    let [major, minor, update, _] = api.0;
    let version = format!("{major}.{minor}.{update}");
    out.push_str("<about>");
    leaf(&mut out, "name", "VMware vCenter Server");
    leaf(
        &mut out,
        "fullName",
        &format!("VMware vCenter Server {version} build-24022515 (simulated)"),
    );
    leaf(&mut out, "vendor", "VMware, Inc.");
    leaf(&mut out, "version", &version);
    leaf(&mut out, "build", "24022515");
    leaf(&mut out, "localeVersion", "INTL");
    leaf(&mut out, "localeBuild", "000");
    leaf(&mut out, "osType", "linux-x64");
    leaf(&mut out, "productLineId", "vpx");
    leaf(&mut out, "apiType", "VirtualCenter");
    leaf(&mut out, "apiVersion", &api.to_string());
    leaf(&mut out, "instanceUuid", &cloud.instance_uuid.to_string());
    leaf(&mut out, "licenseProductName", "VMware VirtualCenter Server");
    leaf(&mut out, "licenseProductVersion", &format!("{major}.0"));
    out.push_str("</about>");
    for (name, kind, id) in AFTER_ABOUT {
        out.push_str(&format!("<{name} type=\"{kind}\">{id}</{name}>"));
    }
    out
}

/// `CurrentTime`.
pub(super) fn current_time(cloud: &Cloud) -> String {
    format!("<returnval>{}</returnval>", xml_time(cloud.clock.now()))
}
