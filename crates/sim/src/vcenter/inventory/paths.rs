//! Which properties a client gets that asks for all of an object's.

use super::{Inventory, Kind};

impl Inventory {
    /// As [`all_paths`](Self::all_paths), of a host without a cluster.
    pub(crate) const STANDALONE_PATHS: &[&str] = &[
        "name",
        "parent",
        "overallStatus",
        "host",
        "datastore",
        "network",
        "resourcePool",
        "configurationEx",
        "summary",
    ];

    /// As [`all_paths`](Self::all_paths), of a network that is no port group.
    pub(crate) const NETWORK_PATHS: &[&str] =
        &["name", "parent", "overallStatus", "host", "vm", "summary"];

    /// The paths that a client gets when it asks for all properties of a kind.
    pub(crate) fn all_paths(kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Folder => &["name", "parent", "overallStatus", "childType", "childEntity"],
            Kind::Datacenter => &[
                "name",
                "parent",
                "overallStatus",
                "vmFolder",
                "hostFolder",
                "datastoreFolder",
                "networkFolder",
                "datastore",
                "network",
            ],
            Kind::Cluster => &[
                "name",
                "parent",
                "overallStatus",
                "host",
                "datastore",
                "network",
                "resourcePool",
                "configuration",
                "configurationEx",
                "summary",
            ],
            Kind::ResourcePool => &[
                "name",
                "parent",
                "overallStatus",
                "owner",
                "vm",
                "resourcePool",
                "summary",
                "runtime",
            ],
            Kind::Host => &[
                "name",
                "parent",
                "overallStatus",
                "vm",
                "datastore",
                "network",
                "runtime",
                "config",
                "hardware",
                "summary",
            ],
            Kind::Datastore => &["name", "parent", "overallStatus", "vm", "summary", "info"],
            Kind::Switch => {
                &["name", "parent", "overallStatus", "uuid", "portgroup", "summary", "config"]
            }
            Kind::PortGroup => {
                &["name", "parent", "overallStatus", "host", "vm", "key", "summary", "config"]
            }
            Kind::Machine => &[
                "name",
                "parent",
                "overallStatus",
                "config",
                "guest",
                "runtime",
                "summary",
                "guestHeartbeatStatus",
                "resourcePool",
                "datastore",
                "network",
            ],
        }
    }
}
