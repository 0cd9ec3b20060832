//! Managed object references: how the protocol names everything it can talk about.

use super::xml::{Element, reference};

/// The kind and the value of a managed object, for example `VirtualMachine` and `vm-57`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct MoRef {
    /// The class of the object.
    pub(crate) kind: String,
    /// Its identifier, opaque to clients.
    pub(crate) value: String,
}

impl MoRef {
    pub(crate) fn new(kind: &str, value: &str) -> Self {
        Self { kind: kind.to_owned(), value: value.to_owned() }
    }

    /// Reads a reference from an element that carries one.
    pub(crate) fn read(element: &Element) -> Self {
        Self::new(element.kind.as_deref().unwrap_or_default(), element.text.trim())
    }

    /// Appends the reference as an element of that name.
    pub(crate) fn write(&self, out: &mut String, name: &str) {
        reference(out, name, &self.kind, &self.value);
    }

    /// Whether an object of this kind is also of the (base) class `class`.
    pub(crate) fn is_a(&self, class: &str) -> bool {
        self.kind == class || bases(&self.kind).contains(&class)
    }
}

/// The base classes of a kind, nearest first.
fn bases(kind: &str) -> &'static [&'static str] {
    match kind {
        "ClusterComputeResource" => &["ComputeResource", "ManagedEntity"],
        "OpaqueNetwork" => &["Network", "ManagedEntity"],
        "VmwareDistributedVirtualSwitch" => &["DistributedVirtualSwitch", "ManagedEntity"],
        "DistributedVirtualPortgroup" => &["Network", "ManagedEntity"],
        "Folder"
        | "Datacenter"
        | "HostSystem"
        | "ResourcePool"
        | "Datastore"
        | "VirtualMachine"
        | "ComputeResource"
        | "Network"
        | "DistributedVirtualSwitch" => &["ManagedEntity"],
        "EventHistoryCollector" => &["HistoryCollector"],
        "ContainerView" => &["ManagedObjectView", "View"],
        "ListView" => &["ManagedObjectView", "View"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::MoRef;

    #[test]
    fn a_cluster_is_a_compute_resource_and_an_entity() {
        let cluster = MoRef::new("ClusterComputeResource", "domain-c8");
        assert!(cluster.is_a("ComputeResource") && cluster.is_a("ManagedEntity"));
        assert!(!cluster.is_a("HostSystem"));
    }
}
