//! Names: believable, and of nobody. Hosts live under `example.com`, users are system accounts.

/// Folders below the machine folder.
pub(super) const MACHINE_FOLDERS: [&str; 4] = ["Production", "Test", "Infrastructure", "Desktops"];

/// Names of the first clusters; later ones are numbered.
pub(super) const CLUSTERS: [&str; 4] = ["Compute-A", "Compute-B", "Management", "Edge"];

/// Port groups of the distributed switch.
pub(super) const NETWORKS: [&str; 6] =
    ["pg-management", "pg-vmotion", "pg-prod-110", "pg-prod-120", "pg-test-210", "pg-dmz-900"];

/// Classes that the folders of a datacenter may hold.
pub(super) const ROOT_TYPES: &[&str] = &["Folder", "Datacenter"];
/// See [`ROOT_TYPES`].
pub(super) const MACHINE_TYPES: &[&str] = &["Folder", "VirtualMachine", "VirtualApp"];
/// See [`ROOT_TYPES`].
pub(super) const HOST_TYPES: &[&str] = &["Folder", "ComputeResource"];
/// See [`ROOT_TYPES`].
pub(super) const DATASTORE_TYPES: &[&str] = &["Folder", "Datastore", "StoragePod"];
/// See [`ROOT_TYPES`].
pub(super) const NETWORK_TYPES: &[&str] = &["Folder", "Network", "DistributedVirtualSwitch"];

/// The letter that folder identifiers carry after `group-`.
pub(super) fn folder_letter(types: &[&str], root: bool) -> &'static str {
    match types.get(1) {
        _ if root => "d",
        Some(&"VirtualMachine") => "v",
        Some(&"ComputeResource") => "h",
        Some(&"Datastore") => "s",
        Some(&"Network") => "n",
        _ => "d",
    }
}
